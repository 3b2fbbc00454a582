"""One mapping of a definition, read property by property with types, places and notes.

A loader takes each property it honours by name and type, says which ones it ignores and why, and
ends with :meth:`Section.finish`, which notes what nobody asked for (CDN-CFG-009). So nothing is
dropped silently, and a value of the wrong type is an error that names file, line and path.

Lists may be plain or ``{Quantity, Items}`` everywhere (CDN-CFG-002, CDN-CFG-003); booleans and
numbers may be text (CDN-CFG-004). A property with several names (the API's and CloudFormation's)
is asked for by all of them, divided by ``|``.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.project.report import CheckFinding, Notes

__all__ = ["ABSENT", "Absent", "Resolve", "Section", "Source", "as_is"]


class Absent(Enum):
    """What ``AWS::NoValue`` and a property that is not there resolve to."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Resolve: TypeAlias = Callable[[Value, Place], Value | Absent]
"""Gives the value behind an intrinsic function; any other value as it is."""


def as_is(value: Value, place: Place) -> Value | Absent:
    """The resolver of languages that have no intrinsic functions."""
    return value


@dataclass(frozen=True, slots=True)
class Source:
    """What all sections of one file share."""

    file: Path | None
    notes: Notes
    resolve: Resolve = as_is


_EMPTY = (None, "", False)
_T = TypeVar("_T")


class Section:
    """A mapping at ``path`` of a file. Raises :class:`DefinitionError` for what cannot be used."""

    __slots__ = ("_seen", "path", "source", "values")

    def __init__(self, source: Source, values: Table, path: str) -> None:
        self.source = source
        self.values = values
        self.path = path
        self._seen: set[str] = set()

    # places

    def place(self, name: str = "") -> Place:
        """Where property ``name`` stands, or where the section itself does."""
        name = self._present(name)
        word = self.values.words.get(name, name)
        if self.path.endswith(":") and name:
            path = f"{self.path} {word}".rstrip()
        elif self.path.endswith(":"):
            path = self.path.removesuffix(":")
        else:
            path = ".".join(part for part in (self.path, word) if part)
        return Place(self.source.file, self.values.lines.get(name, self.values.line), path)

    def error(
        self, name: str, message: str, *, rule: str = "", remedy: str = ""
    ) -> DefinitionError:
        return DefinitionError(message, place=self.place(name), rule=rule, remedy=remedy)

    def found(self, findings: Iterable[CheckFinding]) -> None:
        self.source.notes.found(findings)

    # scalars

    def has(self, name: str) -> bool:
        """Whether the property is there and is not ``AWS::NoValue``."""
        return self._value(name) is not ABSENT

    def text(self, name: str, default: str | None = None) -> str:
        """Text; a number or boolean counts as its text. Without default it is required."""
        value = self._scalar(name)
        if value is None:
            return self._default(name, default)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def choice(self, name: str, allowed: Iterable[str], default: str | None = None) -> str:
        """Text out of a closed set (CDN-CFG-009)."""
        text = self.text(name, default)
        allowed = list(allowed)
        if text not in allowed and text != default:
            raise self.error(
                name,
                f"{text!r} is not a value that AWS knows",
                rule="CDN-CFG-009",
                remedy="one of " + ", ".join(allowed),
            )
        return text

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number, also as text. Without default it is required."""
        value = self.optional_integer(name)
        return self._default(name, default) if value is None else value

    def optional_integer(self, name: str) -> int | None:
        value = self._scalar(name)
        if value is None:
            return None
        if not isinstance(value, bool):
            try:
                number = float(value)
            except ValueError:
                pass
            else:
                if number.is_integer():
                    return int(number)
        raise self._type_error(name, "a whole number", value)

    def number(self, name: str, default: float) -> float:
        value = self._scalar(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            try:
                return float(value)
            except ValueError:
                pass
        raise self._type_error(name, "a number", value)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """True or false, also as text. Without default it is required."""
        value = self._scalar(name)
        if value is None:
            return self._default(name, default)
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise self._type_error(name, "true or false", value)

    # lists and sections

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list; empty when it is not there."""
        values = []
        for value, place in self._items(name):
            if isinstance(value, Table | Items) or value is None:
                raise _wrong_type("text", value, place)
            values.append(str(value))
        if self.has(name):
            self.source.notes.honoured(self.place(name))
        return tuple(values)

    def integers(self, name: str) -> tuple[int, ...]:
        numbers = []
        for text in self.texts(name):
            if not text.isdigit():
                raise self.error(name, f"expected whole numbers, found {text!r}")
            numbers.append(int(text))
        return tuple(numbers)

    def section(self, name: str) -> "Section | None":
        """The mapping under ``name``, or None when it is not there."""
        value = self._value(name)
        if value is ABSENT:
            return None
        if not isinstance(value, Table):
            raise self._type_error(name, "a mapping", value)
        return Section(self.source, value, self.place(name).path)

    def required_section(self, name: str) -> "Section":
        section = self.section(name)
        if section is None:
            raise self._missing(name)
        return section

    def sections(self, name: str) -> "list[Section]":
        """The mappings of a list; empty when it is not there."""
        sections = []
        for value, place in self._items(name):
            if not isinstance(value, Table):
                raise _wrong_type("a mapping", value, place)
            sections.append(Section(self.source, value, place.path))
        return sections

    # notes

    def ignore(self, why: str, *names: str) -> None:
        """Note each of ``names`` that says something as ignored, unresolved."""
        for name in names:
            name = self._present(name)
            self._seen.add(name)
            if self.values.get(name) not in _EMPTY:
                self.source.notes.ignored(self.place(name), why)

    def approximate(self, name: str, how: str) -> None:
        """Note a property as approximated; where it is not there, nothing is noted."""
        if self.values.get(self._present(name)) not in _EMPTY:
            self.source.notes.approximated(self.place(name), how)

    def finish(self) -> None:
        """Note every property that nobody asked for as unknown."""
        for name in self.values:
            if name not in self._seen:
                self.source.notes.unknown(self.place(name))

    # inside

    def _present(self, name: str) -> str:
        names = name.split("|")
        return next((each for each in names if each in self.values), names[0])

    def _value(self, name: str) -> Value | Absent:
        name = self._present(name)
        self._seen.add(name)
        if self.values.get(name) is None:
            return ABSENT
        return self.source.resolve(self.values[name], self.place(name))

    def _scalar(self, name: str) -> str | int | float | bool | None:
        value = self._value(name)
        if value is ABSENT or value is None:
            return None
        if isinstance(value, Table | Items):
            raise self._type_error(name, "a single value", value)
        self.source.notes.honoured(self.place(name))
        return value

    def _items(self, name: str) -> Iterator[tuple[Value, Place]]:
        value, place = self._value(name), self.place(name)
        if isinstance(value, Table) and ("Items" in value or "Quantity" in value):
            # The count is no property of its own, so it leaves no note.
            listing = Section(replace(self.source, notes=Notes()), value, place.path)
            for name in value:
                if name not in ("Items", "Quantity"):
                    self.source.notes.unknown(listing.place(name))
            value, place = listing._value("Items"), listing.place("Items")
            count = len(value) if isinstance(value, Items) else 0
            if listing.integer("Quantity", count) != count:
                raise listing.error(
                    "Quantity",
                    f"Quantity is {listing.integer('Quantity')}, Items has {count}",
                    rule="CDN-CFG-002",
                    remedy="make Quantity the number of Items",
                )
        if value is ABSENT:
            return
        if not isinstance(value, Items):
            raise _wrong_type("a list", value, place)
        for index, (item, line) in enumerate(zip(value, value.lines, strict=True)):
            where = Place(place.file, line, f"{place.path}[{index}]")
            resolved = self.source.resolve(item, where)
            if resolved is not ABSENT:
                yield resolved, where

    def _default(self, name: str, default: _T | None) -> _T:
        if default is None:
            raise self._missing(name)
        return default

    def _missing(self, name: str) -> DefinitionError:
        return self.error("", f"{name.split('|')[0]} is missing", remedy="AWS requires it")

    def _type_error(self, name: str, expected: str, value: Value) -> DefinitionError:
        return _wrong_type(expected, value, self.place(name))


def value_text(value: Value) -> str:
    """A value as an error message names it."""
    match value:
        case Table():
            return "a mapping"
        case Items():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case _:
            return f"the text {value!r}"


def _wrong_type(expected: str, value: Value, place: Place) -> DefinitionError:
    return DefinitionError(
        f"expected {expected}, found {value_text(value)}",
        place=place,
        remedy="the property has another type on AWS",
    )
