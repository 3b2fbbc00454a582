"""Whatever stands in a definition: it loads, or it is an error with a place and no traceback."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders import LoadOptions
from edgeproxy.project.loaders.cloudformation import load_templates
from edgeproxy.project.loaders.distribution_config import load_distribution_config
from edgeproxy.project.loaders.serverless import read_serverless
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.terraform import read_terraform
from edgeproxy.project.loaders.yaml_source import Items, Table, read_source
from edgeproxy.project.report import Notes

DEFINITIONS = Path(__file__).parents[3] / "golden" / "definitions"
WRONG: tuple[Any, ...] = (None, "x", "", 5, -1.5, True, Items(), Table(), "Fn::Nope", "cycle")


def paths(value: object, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside ``value``."""
    inside: list[tuple[Any, object]] = []
    if isinstance(value, Table):
        inside = list(value.items())
    elif isinstance(value, Items):
        inside = list(enumerate(value))
    for key, each in inside:
        yield (*before, key)
        yield from paths(each, (*before, key))


def changed(pickled: bytes, path: tuple[Any, ...], wrong: Any) -> Table:
    copied: Table = pickle.loads(pickled)  # several times as fast as a deep copy
    parent: Any = copied
    for key in path[:-1]:
        parent = parent[key]
    if wrong in ("Fn::Nope", "cycle"):
        replacement = Table(1)
        replacement.put("Ref" if wrong == "cycle" else wrong, path[1] if len(path) > 1 else "", 1)
        wrong = replacement
    parent[path[-1]] = wrong
    return copied


def load(file: Path, table: Table, state: Path) -> None:
    options = LoadOptions(state_dir=state)
    if file.parent.name == "distribution-config":
        load_distribution_config(file, table, Notes(), options)
        return
    notes = Notes()
    if file.parent.name == "terraform":
        template = read_terraform(file, table, notes, options)
    elif file.parent.name == "serverless":
        template = read_serverless(file, table, notes, options)
    else:
        template = Template(file, table, notes, identity=Identity())
    load_templates([template], notes, options)


@pytest.mark.parametrize(
    "name",
    ["cloudformation/template.yaml", "sam/template.yaml", "distribution-config/distribution.json"],
)
def test_any_value_in_any_place(name: str, tmp_path: Path) -> None:
    file = DEFINITIONS / name
    table = read_source(file)
    pickled = pickle.dumps(table)
    refused = 0
    for index, path in enumerate(paths(table)):
        for wrong in WRONG[index % 3 :: 3]:
            try:
                load(file, changed(pickled, path, wrong), tmp_path)
            except DefinitionError:
                refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("name", "step"), [("terraform/plan.json", 41), ("serverless/serverless.yml", 2)]
)
def test_any_value_in_some_places(name: str, step: int, tmp_path: Path) -> None:
    """Of definitions that are translated; larger ones, so only some places."""
    file = DEFINITIONS / name
    table = read_source(file)
    pickled = pickle.dumps(table)
    refused = 0
    for index, path in enumerate(list(paths(table))[::step]):
        for wrong in WRONG[index % 3 :: 3]:
            try:
                load(file, changed(pickled, path, wrong), tmp_path)
            except DefinitionError:
                refused += 1
    assert refused > 12


def test_json_of_every_golden_template_is_the_same_template(tmp_path: Path) -> None:
    file = DEFINITIONS / "cloudformation" / "template.yaml"
    twin = tmp_path / "template.json"
    twin.write_text(json.dumps(read_source(file)))
    assert read_source(twin) == read_source(file)
