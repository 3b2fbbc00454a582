"""Reads experiments from ``experiments.yaml`` (or JSON, or the ``experiments`` of a TOML file)."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import fsum, isfinite
from pathlib import Path
from typing import Final, cast

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.experiments.model import Experiment, Mark, MarkKind, Requirements
from edgeproxy.project.loaders.yaml_source import Items, Table, Value, read_source

__all__ = ["DEFAULT_FILE", "experiment_of", "read_experiments"]

DEFAULT_FILE: Final = "experiments.yaml"
_KEYS: Final = ("door", "assignment", "exposure", "variants", "paths", "must_hold")
_NAMED: Final = (MarkKind.COOKIE, MarkKind.REQUEST_HEADER, MarkKind.RESPONSE_HEADER)
_IN_HTTP: Final = (*_NAMED, MarkKind.SENT_HEADER)
_WITH_VALUES: Final = (MarkKind.SENT_HEADER, MarkKind.FUNCTION_VERSION)
_BY_TEXTS: Final = (MarkKind.ORIGIN, MarkKind.PATH_PREFIX, MarkKind.BODY)
_RATIOS: Final = ("share_alpha", "share_within", "max_error_ratio", "min_hit_ratio")
_MOST_VARIANTS: Final = 20


def read_experiments(file: Path) -> dict[str, Experiment]:
    """The experiments by name. Raises ``DefinitionError`` with the place of what is wrong."""
    source = _toml(file) if file.suffix == ".toml" else read_source(file)
    top = _Section(source, file)
    if file.suffix != ".toml":
        top.only("experiments")
    declared = top.section("experiments")
    if not declared.table:
        raise DefinitionError(
            "declares no experiment", place=declared.place(), remedy="experiments: {NAME: …}"
        )
    return {name: _experiment(name, declared.section(name)) for name in declared.table}


def experiment_of(file: Path, name: str) -> Experiment:
    """The experiment called ``name``. Raises ``DefinitionError`` when there is none."""
    experiments = read_experiments(file)
    if name not in experiments:
        raise DefinitionError(
            f"declares no experiment {name!r}",
            place=Place(file),
            remedy=f"it declares {', '.join(experiments)}",
        )
    return experiments[name]


def _experiment(name: str, section: "_Section") -> Experiment:
    section.only(*_KEYS)
    shares = _shares(section)
    assignment = _mark(section.section("assignment"), shares)
    exposure = None
    if "exposure" in section.table:
        exposure = _mark(section.section("exposure"), shares)
        if exposure.kind in (MarkKind.COOKIE, MarkKind.SENT_HEADER):
            raise section.wrong(
                "exposure",
                f"a {exposure.kind} is the visitor's: it does not tell whom a response was for",
                "response_header, request_header, origin, function_version, path_prefix or body",
            )
    paths = section.texts("paths", ["/"])
    if not paths:
        raise section.wrong("paths", "visitors need a path to go to")
    return Experiment(
        name,
        assignment,
        shares,
        exposure,
        section.text("door", ""),
        tuple(_path(section, path) for path in paths),
        _requirements(section),
        section.place(),
    )


def _shares(section: "_Section") -> dict[str, float]:
    """``{a: 50, b: 50}``, in percent or parts of 1; or a list of names with equal shares."""
    given = section.table.get("variants")
    if isinstance(given, Items):
        names = section.texts("variants", [])
        shares = dict.fromkeys(names, 1 / len(names)) if names else {}
        if len(shares) < len(names):
            raise section.wrong("variants", "names a variant twice")
    else:
        table = section.section("variants")
        shares = {name: table.number(name) for name in table.table}
        total = fsum(shares.values())
        whole = 100 if total > 2 else 1
        if shares and abs(total - whole) > whole / 500:  # A third may be written as 33.3.
            raise section.wrong(
                "variants",
                f"the shares add up to {total:g}, not to {whole}",
                "in percent, such as {a: 50, b: 50}",
            )
        for name, share in shares.items():
            if share <= 0:
                raise table.wrong(name, "a share must be more than 0")
        shares = {name: share / total for name, share in shares.items()}
    if not 2 <= len(shares) <= _MOST_VARIANTS:
        raise section.wrong("variants", f"an experiment has 2 to {_MOST_VARIANTS} variants")
    return shares


def _mark(section: "_Section", variants: Mapping[str, float]) -> Mark:
    section.only(*MarkKind)
    if len(section.table) != 1:
        raise DefinitionError(
            "must say one thing that a variant is recognised by",
            place=section.place(),
            remedy=f"one of {', '.join(MarkKind)}",
        )
    kind = MarkKind(next(iter(section.table)))
    given = section.table[kind]
    if kind in _NAMED and isinstance(given, str):
        return Mark(kind, _name(section, kind, given))
    if kind in _BY_TEXTS:
        return Mark(kind, "", _texts(section.section(kind), variants))
    inner = section.section(kind)
    inner.only("name", "values")
    texts: dict[str, str] = {}
    if "values" in inner.table or kind in _WITH_VALUES:
        texts = _texts(inner.section("values"), variants)
    for variant, text in texts.items():
        if kind is MarkKind.SENT_HEADER and not (text.isascii() and (text + "x").isprintable()):
            raise inner.section("values").wrong(variant, f"{text!r} cannot be sent in a header")
    name = inner.text("name")
    return Mark(kind, name if kind not in _IN_HTTP else _name(inner, "name", name), texts)


def _name(section: "_Section", key: str, name: str) -> str:
    if re.fullmatch("[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) is None:
        raise section.wrong(key, f"{name!r} is not the name of a cookie or header")
    return name


def _texts(section: "_Section", variants: Mapping[str, float]) -> dict[str, str]:
    section.only(*variants)
    texts = {variant: section.text(variant) for variant in section.table}
    if missing := [variant for variant in variants if variant not in texts]:
        raise DefinitionError(f"says nothing about variant {missing[0]}", place=section.place())
    if len(set(texts.values())) < len(texts):
        raise DefinitionError("two variants are recognised by the same", place=section.place())
    return texts


def _path(section: "_Section", path: str) -> str:
    if not path.startswith("/") or not path.isascii() or any(c <= " " or c == "#" for c in path):
        raise section.wrong("paths", f"{path!r} is not a path such as /shop?page=2")
    return path


def _requirements(section: "_Section") -> Requirements:
    if "must_hold" not in section.table:
        return Requirements()
    given = section.section("must_hold")
    given.only(*(each.name for each in fields(Requirements)))
    values: dict[str, object] = {}
    for name, value in given.table.items():
        number = None if value is None else given.number(name)
        if number is not None and name in _RATIOS and not 0 <= number <= 1:
            raise given.wrong(name, "must be from 0 to 1")
        if number is not None and number < 0:
            raise given.wrong(name, "must not be negative")
        values[name] = number
    return Requirements(**values)  # type: ignore[arg-type]


def _toml(file: Path) -> Table:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DefinitionError(f"cannot be read: {error.strerror}", place=Place(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"is not valid TOML: {error}", place=Place(file)) from error
    return cast(Table, _from_toml(values))


def _from_toml(value: object) -> Value:
    if isinstance(value, dict):
        table = Table()
        for key, each in value.items():
            table.put(key, _from_toml(each), None)
        return table
    if isinstance(value, list):
        items = Items()
        for each in value:
            items.put(_from_toml(each), None)
        return items
    return value if isinstance(value, str | int | float) else str(value)


@dataclass(frozen=True, slots=True)
class _Section:
    """A mapping of the file, and where it stands."""

    table: Table
    file: Path
    path: str = ""

    def place(self, key: str = "") -> Place:
        line = self.table.lines.get(key) if key else self.table.line
        path = f"{self.path}.{key}".strip(".") if key else self.path
        return Place(self.file, line, path)

    def wrong(self, key: str, message: str, remedy: str = "") -> DefinitionError:
        return DefinitionError(message, place=self.place(key), remedy=remedy)

    def only(self, *keys: str) -> None:
        for key in self.table:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                remedy = f"did you mean {near[0]}?" if near else f"it takes {', '.join(keys)}"
                raise self.wrong(key, f"unknown key {key!r}", remedy)

    def section(self, key: str) -> "_Section":
        value = self._get(key)
        if not isinstance(value, Table):
            raise self.wrong(key, "must be a mapping")
        return _Section(value, self.file, f"{self.path}.{key}".strip("."))

    def text(self, key: str, default: str | None = None) -> str:
        value = default if default is not None and key not in self.table else self._get(key)
        if isinstance(value, bool | float) or not isinstance(value, str | int):
            raise self.wrong(key, "must be text", "in quotes, if it looks like something else")
        return str(value)

    def texts(self, key: str, default: list[str]) -> list[str]:
        if key not in self.table:
            return default
        value = self.table[key]
        if not isinstance(value, Items) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "must be a list of texts")
        return cast("list[str]", list(value))

    def number(self, key: str) -> float:
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise self.wrong(key, "must be a number")
        return value

    def _get(self, key: str) -> Value:
        if key not in self.table:
            raise DefinitionError(f"{key} is missing", place=self.place())
        return self.table[key]
