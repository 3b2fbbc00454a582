"""Every rule that a function can be told it broke has its meaning beside it."""

import ast
import re
from pathlib import Path

import pytest

import edgeproxy
from edgeproxy.inspector.meanings import meaning_of

_PACKAGE = Path(edgeproxy.__file__).parent
_RULE = re.compile(r"(?:AL|CFF|FU|LE)-[A-Z0-9]+(?:-\d+)?")


def _rules_named_in(*globs: str) -> set[str]:
    return {
        node.value
        for glob in globs
        for file in _PACKAGE.glob(glob)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _RULE.fullmatch(node.value)
    }


def test_each_rule_of_events_and_runtimes_has_a_meaning() -> None:
    named = _rules_named_in(
        "events/**/*.py", "runtimes/cloudfront_js/*.py", "edge/origin_choice.py"
    )
    assert len(named) > 100
    assert {rule for rule in named if not meaning_of(rule)} == set()


@pytest.mark.parametrize("rule", ["CDN-TTL-03", "", "LE-GEN-3"])
def test_other_rules_have_none(rule: str) -> None:
    assert meaning_of(rule) is None
