"""Resolves the variables of a Serverless Framework file (CDN-CFG-372).

``self``, ``opt``, ``env``, ``file``, ``param``, ``sls:stage`` and ``aws:region`` are known. What
only AWS or a plug-in knows is an error, unless it has a default. Values are resolved when they are
asked for, so that what nobody uses may say whatever it likes.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.loaders.yaml_source import Items, Table, Value, read_source

__all__ = ["Variables"]

_START = re.compile(r"\$\{(?=\s*(?:[a-z][A-Za-z]*(?:\([^)]*\))?:|file\(|'|\"))")
_EXPRESSION = re.compile(r"([a-zA-Z]+)(?:\((.*?)\))?(?::(.*))?\Z", re.DOTALL)


class Variables:
    """The variables of one file. Raises :class:`DefinitionError` for what has no value."""

    def __init__(self, file: Path, root: Table, options: Mapping[str, str]) -> None:
        self._folder = file.parent
        self._file = file
        self._root = root
        self._options = options
        self._open: list[str] = []
        self.files: dict[Path, Table] = {}
        """The files that variables named, for whoever watches them."""

    @property
    def stage(self) -> str:
        own = self._options.get("stage")
        return own or self._text(self.at(self._root, "provider.stage", Place(self._file)) or "dev")

    @property
    def region(self) -> str:
        own = self._options.get("region")
        place = Place(self._file)
        return own or self._text(self.at(self._root, "provider.region", place) or "us-east-1")

    def resolve(self, value: Value, place: Place) -> Value:
        """``value`` with all variables in it replaced."""
        if isinstance(value, Table):
            table = Table(value.line)
            for key, each in value.items():
                line = value.lines.get(key)
                where = Place(place.file, line, f"{place.path}.{key}" if place.path else key)
                table.put(str(self.resolve(key, where)), self.resolve(each, where), line)
            return table
        if isinstance(value, Items):
            items = Items(value.line)
            for index, (each, line) in enumerate(zip(value, value.lines, strict=True)):
                where = Place(place.file, line, f"{place.path}[{index}]")
                items.put(self.resolve(each, where), line)
            return items
        return self._in_text(value, place) if isinstance(value, str) else value

    def at(self, value: Value, path: str, place: Place) -> Value:
        """What stands at a dotted path, None where nothing does."""
        for step in filter(None, path.split(".")):
            value = self._in_text(value, place) if isinstance(value, str) else value
            if isinstance(value, Items) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            elif isinstance(value, Table):
                value = value.get(step)
            else:
                return None
        return self.resolve(value, place)

    def _in_text(self, text: str, place: Place) -> Value:
        match = _START.search(text)
        if match is None:
            return text
        end = _closing(text, match.end(), place)
        value = self._expression(text[match.end() : end], place)
        if match.start() == 0 and end == len(text) - 1:
            return value
        made = f"{text[: match.start()]}{self._text(value)}"
        return made + self._text(self._in_text(text[end + 1 :], place))

    def _expression(self, expression: str, place: Place) -> Value:
        """The first of the alternatives that has a value."""
        if expression in self._open:
            raise self._error(f"the variable ${{{expression}}} refers to itself", place)
        self._open.append(expression)
        try:
            alternatives = _alternatives(expression)
            unknown = ""
            for each in alternatives:
                text = self._text(self._in_text(each.strip(), place))
                if text[:1] in "'\"" and text[-1:] == text[:1]:
                    return text[1:-1]
                found, is_known = self._source(text, place)
                if found is not None:
                    return found
                unknown = unknown or ("" if is_known else text)
        finally:
            self._open.pop()
        if unknown:
            raise self._error(f"the variable ${{{unknown}}} has its value outside of here", place)
        raise self._error(f"the variable ${{{expression}}} has no value", place)

    def _source(self, text: str, place: Place) -> tuple[Value, bool]:
        """The value of one alternative, and whether it is of a kind that can have one here."""
        match = _EXPRESSION.match(text)
        if match is None:
            return text, True  # A variable that has become its value, as in ${self:a, ${env:B}}.
        kind, argument, address = match[1], match[2], match[3] or ""
        match kind:
            case "self":
                return self.at(self._root, address, place), True
            case "opt":
                return self._options.get(address), True
            case "env":
                return os.environ.get(address), True
            case "file" if argument is not None:
                return self._of_file(argument, address, place), True
            case "param":
                return self._parameter(address, place), True
            case "sls" if address == "stage":
                return self.stage, True
            case "aws" if address == "region":
                return self.region, True
            case "true" | "false" if match[3] is None:
                return kind == "true", True
            case _:
                return (None, False) if match[3] is not None else (text, True)

    def _parameter(self, name: str, place: Place) -> Value:
        for stage in (self.stage, "default"):
            found = self.at(self._root, f"params.{stage}.{name}", place)
            if found is not None:
                return found
        return None

    def _of_file(self, name: str, address: str, place: Place) -> Value:
        path = self._folder / name.strip()
        if path.suffix not in (".yml", ".yaml", ".json"):
            raise self._error(f"{name} is a program, and only YAML and JSON are read", place)
        if not path.exists():
            return None
        if path not in self.files:
            self.files[path] = read_source(path)
        return self.at(self.files[path], address, Place(path))

    def _text(self, value: Value) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    def _error(self, message: str, place: Place) -> DefinitionError:
        return DefinitionError(
            message,
            place=place,
            rule="CDN-CFG-372",
            remedy="give it a default, as in ${opt:stage, 'dev'}; or run sls package and give "
            ".serverless/cloudformation-template-update-stack.json",
        )


def _closing(text: str, start: int, place: Place) -> int:
    depth = 1
    for index in range(start, len(text)):
        if text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
        elif text.startswith("${", index):
            depth += 1
    raise DefinitionError("a variable has no closing brace", place=place, rule="CDN-CFG-372")


def _alternatives(expression: str) -> list[str]:
    """Divided by commas outside of braces, brackets and quotes."""
    parts, depth, quote, begin = [], 0, "", 0
    for index, letter in enumerate(expression):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "{(":
            depth += 1
        elif letter in "})":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(expression[begin:index])
            begin = index + 1
    return [*parts, expression[begin:]]
