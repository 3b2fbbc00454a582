"""Sections: typed properties, places, and nothing dropped silently."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders.section import Section, Source
from edgeproxy.project.loaders.yaml_source import Table, parse_yaml
from edgeproxy.project.report import Notes

FILE = Path("t.yaml")


def section(text: str) -> tuple[Section, Notes]:
    notes = Notes()
    value = parse_yaml(text)
    assert isinstance(value, Table)
    return Section(Source(FILE, notes), value, "Top"), notes


@pytest.mark.rule("CDN-CFG-004")
@pytest.mark.parametrize(
    ("text", "method", "expected"),
    [
        ("'86400'", "integer", 86400),
        ("86400", "integer", 86400),
        ("60.0", "integer", 60),
        ("'0.5'", "number", 0.5),
        ("'true'", "boolean", True),
        ("'False'", "boolean", False),
        ("true", "text", "true"),
        ("12", "text", "12"),
    ],
)
def test_numbers_and_booleans_may_be_text(text: str, method: str, expected: Any) -> None:
    read, _ = section(f"v: {text}")
    arguments = ("v", 0.0) if method == "number" else ("v",)
    assert getattr(read, method)(*arguments) == expected


@pytest.mark.parametrize(
    ("text", "method", "message"),
    [
        ("abc", "integer", "Top.v: expected a whole number, found the text 'abc'"),
        ("1.5", "integer", "Top.v: expected a whole number, found the number 1.5"),
        ("true", "integer", "Top.v: expected a whole number, found the boolean true"),
        ("maybe", "boolean", "Top.v: expected true or false, found the text 'maybe'"),
        ("1", "boolean", "Top.v: expected true or false, found the number 1"),
        ("[a]", "text", "Top.v: expected a single value, found a list"),
        ("{a: 1}", "text", "Top.v: expected a single value, found a mapping"),
        ("a", "section", "Top.v: expected a mapping, found the text 'a'"),
        ("a", "texts", "Top.v: expected a list, found the text 'a'"),
        ("[[a]]", "texts", "Top.v[0]: expected text, found a list"),
        ("[a, b]", "sections", "Top.v[0]: expected a mapping, found the text 'a'"),
        ("[a]", "integers", "Top.v: expected whole numbers, found 'a'"),
    ],
)
def test_a_wrong_type_names_path_expected_and_found(text: str, method: str, message: str) -> None:
    read, _ = section(f"u: 1\nv: {text}")
    with pytest.raises(DefinitionError) as caught:
        getattr(read, method)("v")
    assert message in str(caught.value)
    assert caught.value.place.line == 2


def test_a_missing_property_is_an_error_unless_it_has_a_default() -> None:
    read, _ = section("a: 1")
    assert read.text("b", "x") == "x"
    with pytest.raises(DefinitionError, match="b is missing"):
        read.text("b")
    with pytest.raises(DefinitionError, match="c is missing"):
        read.required_section("c")


@pytest.mark.rule("CDN-CFG-009")
def test_an_unknown_enum_value_is_an_error_with_the_known_ones() -> None:
    read, _ = section("kind: other")
    with pytest.raises(DefinitionError) as caught:
        read.choice("kind", ("one", "two"))
    assert caught.value.rule == "CDN-CFG-009"
    assert caught.value.remedy == "one of one, two"


@pytest.mark.rule("CDN-CFG-009")
def test_what_nobody_asked_for_is_noted_as_unknown() -> None:
    read, notes = section("a: 1\nb: 2\nc: 3\nd: ''")
    read.text("a")
    read.ignore("not here", "b", "d", "e")
    read.finish()
    assert [(line.place.path, line.treatment, line.why) for line in notes.report.lines] == [
        ("Top.a", "honoured", ""),
        ("Top.b", "ignored", "not here"),
        ("Top.c", "ignored", "edgeproxy does not know this property"),
    ]


@pytest.mark.rule("CDN-CFG-002", "CDN-CFG-003")
def test_lists_in_both_forms() -> None:
    read, _ = section("plain: [a, 1]\ncounted: {Quantity: 2, Items: [a, 1]}\nempty: {Quantity: 0}")
    assert read.texts("plain") == read.texts("counted") == ("a", "1")
    assert read.texts("empty") == ()


@pytest.mark.rule("CDN-CFG-002")
def test_a_wrong_quantity_is_an_error() -> None:
    read, _ = section("list: {Quantity: 3, Items: [a]}")
    with pytest.raises(DefinitionError, match="Quantity is 3, Items has 1") as caught:
        read.texts("list")
    assert caught.value.place.path == "Top.list.Quantity"


def test_either_name_of_a_property() -> None:
    read, notes = section("CustomHeaders: x")
    assert read.text("OriginCustomHeaders|CustomHeaders") == "x"
    assert notes.report.lines[0].place.path == "Top.CustomHeaders"
