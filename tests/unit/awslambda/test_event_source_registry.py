"""What becomes of mappings when a definition is loaded again."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from edgeproxy.awslambda.event_sources.model import read_mapping
from edgeproxy.awslambda.event_sources.registry import KeptMapping, MappingRegistry

MEMBERS = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q", "BatchSize": 5}


def _declared(**more: Any) -> KeptMapping:
    members = {**MEMBERS, **more}
    return KeptMapping(read_mapping("M", members, "f", ""), members, declaration=dict(members))


def test_a_change_over_the_api_holds_until_the_declaration_changes() -> None:
    registry = MappingRegistry(lambda: 7.0)
    registry.declare([_declared()], ["f"])
    assert registry.mappings["M"].modified_s == 7.0
    registry.put("M", {**MEMBERS, "BatchSize": 1}, "f", "")
    registry.declare([_declared()], ["f"])
    assert registry.mappings["M"].mapping.batch_size == 1
    registry.declare([_declared(BatchSize=6)], ["f"])
    assert registry.mappings["M"].mapping.batch_size == 6


def test_a_mapping_of_the_api_goes_with_its_function() -> None:
    told: list[int] = []
    registry = MappingRegistry(lambda: 7.0, changed=lambda: told.append(1))
    registry.put("own", MEMBERS, "f", "")
    registry.declare([], ["f"])
    assert [each.uuid for each in registry.enabled()] == ["own"]
    registry.declare([], [])
    assert registry.enabled() == []
    assert len(told) == 2


def test_who_has_no_mapping_loads_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): pass\n")
    (tmp_path / "template.yaml").write_text(
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: "
        "{Runtime: python3.12, Handler: app.handler, Code: .}}}"
    )
    code = """
import pathlib, sys
import edgeproxy.app.program
from edgeproxy.project.loaders import load
assert len(load(pathlib.Path("template.yaml")).project.functions) == 1
print(*(name for name in sys.modules if "event_sources." in name or "event_patterns" in name))
"""
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == {"edgeproxy.awslambda.event_sources.registry"}
