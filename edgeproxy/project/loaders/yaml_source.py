"""Reads YAML and JSON files into plain values that remember their lines.

Mappings and lists know the line of each key and item, so that every error and report line can say
``file:line path.to.property``. CloudFormation's short tags become their long forms here
(CDN-CFG-005), dates stay text, and malformed files end in a :class:`DefinitionError` with line and
column.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import yaml

from edgeproxy.errors import DefinitionError, Place

__all__ = ["Items", "Scalar", "Table", "Value", "parse_json", "parse_yaml", "read_source"]

try:
    _Loader: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = yaml.CSafeLoader
except AttributeError:
    _Loader = yaml.SafeLoader

Scalar: TypeAlias = str | int | float | bool | None

_FN_TAGS = (
    "And", "Base64", "Cidr", "Contains", "EachMemberEquals", "EachMemberIn", "Equals", "FindInMap",
    "GetAZs", "GetAtt", "If", "ImportValue", "Join", "Length", "Not", "Or", "RefAll", "Select",
    "Split", "Sub", "ToJsonString", "Transform", "ValueOf", "ValueOfAll",
)  # fmt: skip
_TAGS = {f"!{name}": f"Fn::{name}" for name in _FN_TAGS} | {
    "!Ref": "Ref",
    "!Condition": "Condition",
}


class Table(dict[str, "Value"]):
    """A mapping with the line of each key, and where a translation made it, its source's words."""

    __slots__ = ("line", "lines", "path", "words")

    def __init__(self, line: int | None = None) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int | None] = {}
        self.words: dict[str, str] = {}
        """What the source calls a key; empty for one that its source does not have."""
        self.path = ""
        """Where the source has it, if that is not the path of keys that leads here."""

    def put(self, key: str, value: "Value", line: int | None) -> None:
        self[key] = value
        self.lines[key] = line


class Items(list["Value"]):
    """A list with the line of each item."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int | None = None) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int | None] = []

    def put(self, value: "Value", line: int | None) -> None:
        self.append(value)
        self.lines.append(line)


Value: TypeAlias = Scalar | Table | Items


def read_source(file: Path) -> Table:
    """The mapping in ``file``: JSON when its name or first character says so, else YAML."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise DefinitionError(
            f"cannot be read: {error.strerror}", place=Place(file), remedy="check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise DefinitionError("is not text in UTF-8", place=Place(file)) from error
    as_json = file.suffix == ".json" or text.lstrip().startswith("{")
    value = parse_json(text, file) if as_json else parse_yaml(text, file)
    if not isinstance(value, Table):
        raise DefinitionError(
            "holds no mapping at the top",
            place=Place(file, 1),
            remedy="it starts with a key, such as Resources: of a template, or experiments:",
        )
    return value


def parse_yaml(text: str, file: Path | None = None) -> Value:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return None if node is None else _Walk(loader, file).value(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DefinitionError(
            f"malformed YAML: {error.problem or error.context}"
            + (f", column {mark.column + 1}" if mark else ""),
            place=Place(file, mark.line + 1 if mark else None),
        ) from error
    except yaml.YAMLError as error:
        raise DefinitionError(f"malformed YAML: {error}", place=Place(file)) from error


class _Walk:
    """Turns a composed document into values; an anchored node gives one shared value."""

    def __init__(self, loader: yaml.CSafeLoader | yaml.SafeLoader, file: Path | None) -> None:
        self._loader = loader
        self._file = file
        self._done: dict[int, Value] = {}
        self._open: set[int] = set()

    def value(self, node: yaml.Node) -> Value:
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise self._error(node, "an anchor contains itself")
        self._open.add(id(node))
        made = self._tagged(node) if node.tag.startswith("!") else self._plain(node)
        self._done[id(node)] = made
        return made

    def _plain(self, node: yaml.Node) -> Value:
        if isinstance(node, yaml.MappingNode):
            return self._table(node)
        if isinstance(node, yaml.SequenceNode):
            items = Items(_line(node))
            for child in node.value:
                items.put(self.value(child), _line(child))
            return items
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)
        try:
            made = self._loader.construct_object(node)
        except ValueError as error:
            raise self._error(node, f"malformed YAML value {node.value!r}") from error
        return made if made is None or isinstance(made, bool | int | float) else str(made)

    def _table(self, node: yaml.MappingNode) -> Table:
        own: set[object] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be text")
            if key.value in own:
                raise self._error(key, f"the key {key.value} stands here twice")
            own.add(key.value)
        self._loader.flatten_mapping(node)
        table = Table(_line(node))
        for key, child in node.value:
            table.put(str(key.value), self.value(child), _line(key))
        return table

    def _tagged(self, node: yaml.Node) -> Value:
        name = _TAGS.get(node.tag)
        if name is None:
            raise self._error(
                node,
                f"unknown tag {node.tag}",
                "the tags are CloudFormation's: !Ref, !GetAtt, !Sub, !Join, !If and so on",
            )
        line = _line(node)
        argument: Value
        if isinstance(node, yaml.ScalarNode):
            argument = str(node.value)
            if node.tag == "!GetAtt":
                parts, argument = node.value.split(".", 1), Items(line)
                for part in parts:
                    argument.put(part, line)
        else:
            argument = self._plain(node)
        table = Table(line)
        table.put(name, argument, line)
        return table

    def _error(self, node: yaml.Node, message: str, remedy: str = "") -> DefinitionError:
        return DefinitionError(message, place=Place(self._file, _line(node)), remedy=remedy)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


_TOKEN = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+)')


def parse_json(text: str, file: Path | None = None) -> Value:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(
            f"malformed JSON: {error.msg}, column {error.colno}", place=Place(file, error.lineno)
        ) from error
    return _json_value(_tokens(text), file)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Each token with its line; ``text`` is known to be well-formed."""
    line, counted = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", counted, match.start(1))
        counted = match.start(1)
        yield match[1], line


def _json_value(tokens: Iterator[tuple[str, int]], file: Path | None) -> Value:
    token, line = next(tokens)
    if token == "{":
        return _json_table(tokens, line, file)
    if token == "[":
        return _json_items(tokens, line, file)
    scalar: Scalar = json.loads(token)
    return scalar


def _json_table(tokens: Iterator[tuple[str, int]], line: int, file: Path | None) -> Table:
    table = Table(line)
    for token, key_line in tokens:
        if token == "}":
            break
        if token == ",":
            continue
        key = json.loads(token)
        if key in table:
            raise DefinitionError(f"the key {key} stands here twice", place=Place(file, key_line))
        next(tokens)
        table.put(key, _json_value(tokens, file), key_line)
    return table


def _json_items(tokens: Iterator[tuple[str, int]], line: int, file: Path | None) -> Items:
    items = Items(line)
    for token, item_line in tokens:
        if token == "]":
            break
        if token == ",":
            continue
        if token == "{":
            items.put(_json_table(tokens, item_line, file), item_line)
        elif token == "[":
            items.put(_json_items(tokens, item_line, file), item_line)
        else:
            items.put(json.loads(token), item_line)
    return items
