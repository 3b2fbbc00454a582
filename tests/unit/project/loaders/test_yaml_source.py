"""Sources: values with lines, short tags, and clear errors for malformed files."""

from pathlib import Path

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders.yaml_source import (
    Items,
    Table,
    Value,
    parse_json,
    parse_yaml,
    read_source,
)


def table(value: Value) -> Table:
    assert isinstance(value, Table)
    return value


@pytest.mark.rule("CDN-CFG-005")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Ref A", {"Ref": "A"}),
        ("!GetAtt A.B.C", {"Fn::GetAtt": ["A", "B.C"]}),
        ("!GetAtt [A, B]", {"Fn::GetAtt": ["A", "B"]}),
        ("!Sub 'x-${A}'", {"Fn::Sub": "x-${A}"}),
        ("!Sub ['${a}', {a: 1}]", {"Fn::Sub": ["${a}", {"a": 1}]}),
        ("!Join [',', [a, !Ref B]]", {"Fn::Join": [",", ["a", {"Ref": "B"}]]}),
        ("!Select [0, !Split [',', 'a,b']]", {"Fn::Select": [0, {"Fn::Split": [",", "a,b"]}]}),
        ("!If [C, a, b]", {"Fn::If": ["C", "a", "b"]}),
        ("!FindInMap [M, a, b]", {"Fn::FindInMap": ["M", "a", "b"]}),
        ("!ImportValue x", {"Fn::ImportValue": "x"}),
        ("!Base64 x", {"Fn::Base64": "x"}),
        ("!Not [!Equals [a, b]]", {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}),
        ("!And [!Condition A, b]", {"Fn::And": [{"Condition": "A"}, "b"]}),
        ("!GetAZs ''", {"Fn::GetAZs": ""}),
        ("!Cidr [a, 1, 2]", {"Fn::Cidr": ["a", 1, 2]}),
    ],
)  # fmt: skip
def test_short_tags_are_long_forms(text: str, expected: object) -> None:
    assert table(parse_yaml(f"v: {text}"))["v"] == expected


def test_keys_and_items_know_their_lines() -> None:
    read = table(parse_yaml("a: 1\nb:\n  - x\n  - c: 2\n    d: !Ref E\n"))
    items = read["b"]
    assert isinstance(items, Items)
    assert read.lines == {"a": 1, "b": 2}
    assert items.lines == [3, 4]
    assert table(items[1]).lines == {"c": 4, "d": 5}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2012-10-17", "2012-10-17"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("12", 12),
        ("1.5", 1.5),
        ("yes", True),
        ("~", None),
        ("'12'", "12"),
        ("0.1.2", "0.1.2"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    read = table(parse_yaml(f"v: {text}"))["v"]
    assert read == value
    assert type(read) is type(value)


def test_anchors_and_merges() -> None:
    read = table(parse_yaml("a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  y: 3\n"))
    assert read["b"] == {"x": 1, "y": 2}
    assert read["c"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1, 2", 2, "malformed YAML"),
        ("a: 1\n b: 2", 2, "column 3"),
        ("a: 1\nb: *nowhere", 2, "undefined alias"),
        ("a: 1\na: 2", 2, "a stands here twice"),
        ("a: 1\nb: !Foo x", 2, "unknown tag !Foo"),
        ("a: &a [*a]", 1, "an anchor contains itself"),
        ("a: 1\n---\nb: 2", 2, "malformed YAML"),
        ("? [a]\n: 1", 1, "a key must be text"),
        ("a: !!int x", 1, "malformed YAML"),
        ("a: \x00", 1, "malformed YAML"),
    ],
)
def test_malformed_yaml_names_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_yaml(text, Path("t.yaml"))
    assert words in str(caught.value)
    assert caught.value.place.file == Path("t.yaml")
    assert caught.value.place.line in (line, None)  # libyaml names no line for some


def test_json_knows_its_lines() -> None:
    read = table(
        parse_json('{\n "a": 1,\n "b": [\n  true,\n  {"c": "\\u00e9\\"x"}\n ],\n "d": {}\n}')
    )
    assert read == {"a": 1, "b": [True, {"c": 'é"x'}], "d": {}}
    assert read.lines == {"a": 2, "b": 3, "d": 7}
    items = read["b"]
    assert isinstance(items, Items)
    assert items.lines == [4, 5]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{\n "a": 1,\n}', 3, "malformed JSON"),
        ('{"a" 1}', 1, "column 6"),
        ('{"a": 1,\n"a": 2}', 2, "a stands here twice"),
        ("", 1, "malformed JSON"),
    ],
)
def test_malformed_json_names_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_json(text, Path("t.json"))
    assert words in str(caught.value)
    assert caught.value.place.line == line


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.yaml", b"- a", "holds no mapping"),
        ("t.yaml", b"", "holds no mapping"),
        ("t.json", b"[1]", "holds no mapping"),
        ("t.yaml", b"\xff\xfe\xff", "UTF-8"),
    ],
)
def test_files_that_hold_no_mapping(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DefinitionError, match=words):
        read_source(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_source(tmp_path / "none.yaml")


def test_json_in_a_yaml_file_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text('\ufeff{\n\t"a": 1}')
    assert read_source(file) == {"a": 1}
