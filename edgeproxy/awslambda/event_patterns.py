"""Event patterns, by which an event source mapping chooses records (its filter criteria).

A pattern is a JSON object like the record: a leaf is a list of what the value may be, and a value
of the record that is a list itself fits when one of its members does. Members that the pattern does
not name are not looked at; ``$or`` holds patterns of which one is enough.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson

__all__ = ["InvalidPattern", "Matches", "compile_pattern"]

Matches: TypeAlias = Callable[[Mapping[str, Any]], bool]
_Test: TypeAlias = Callable[[Any], bool]
"""Of one value; that of a member which is not there is :data:`_ABSENT`."""

_ABSENT: Final = object()
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class InvalidPattern(ValueError):
    """Lambda refuses this pattern; the text says why."""


def compile_pattern(text: str, only_object: str = "") -> Matches:
    """A test for records; ``only_object`` is a member that must be an object if it is there.

    Raises :class:`InvalidPattern`.
    """
    try:
        pattern = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidPattern(f"it is no JSON: {error}") from error
    if not isinstance(pattern, dict):
        raise InvalidPattern("a pattern is a JSON object")
    if only_object in pattern and not isinstance(pattern[only_object], dict):
        raise InvalidPattern(f"{only_object!r} must be an object")
    return _object(pattern)


def _object(pattern: Mapping[str, Any]) -> _Test:
    if not pattern:
        raise InvalidPattern("empty patterns are not allowed")
    tests = [_member(name, expected) for name, expected in pattern.items()]
    return lambda value: all(test(value) for test in tests)


def _member(name: str, expected: Any) -> _Test:
    if name == "$or":
        if not isinstance(expected, list) or len(expected) < 2:
            raise InvalidPattern("$or takes a list of two patterns or more")
        choices = [_object(_checked_object(each)) for each in expected]
        return lambda value: any(choice(value) for choice in choices)
    if isinstance(expected, dict):
        return _at(name, _object(expected))
    if isinstance(expected, list):
        return _at(name, _leaf(name, expected))
    raise InvalidPattern(f"{name!r} must be an object or a list")


def _checked_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidPattern("$or takes patterns")
    return value


def _at(name: str, test: _Test) -> _Test:
    def matches(value: Any) -> bool:
        if isinstance(value, list):  # of objects: one is enough
            return any(matches(each) for each in value)
        return test(value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT)

    return matches


def _leaf(name: str, expected: list[Any]) -> _Test:
    if not expected:
        raise InvalidPattern(f"{name!r} has an empty list")
    tests = [_choice(each) for each in expected]

    def matches(value: Any) -> bool:
        values = value if isinstance(value, list) else [value]
        return any(test(each) for test in tests for each in values)

    return matches


def _choice(expected: Any) -> _Test:
    if isinstance(expected, dict):
        if len(expected) != 1:
            raise InvalidPattern("a comparison has one operator")
        ((operator, argument),) = expected.items()
        return _operator(operator, argument)
    if isinstance(expected, list):
        raise InvalidPattern("a list stands in another list")
    return lambda value: _same(value, expected)


def _same(value: Any, expected: Any) -> bool:
    """Equality of JSON: ``true`` is not ``1``."""
    if value is _ABSENT or isinstance(value, bool) != isinstance(expected, bool):
        return False
    return bool(value == expected)


def _operator(operator: str, argument: Any) -> _Test:
    match operator, argument:
        case "exists", bool():
            return lambda value: (value is not _ABSENT and not isinstance(value, dict)) == argument
        case "prefix", str():
            return lambda value: isinstance(value, str) and value.startswith(argument)
        case "suffix", str():
            return lambda value: isinstance(value, str) and value.endswith(argument)
        case "equals-ignore-case", str():
            folded = argument.casefold()
            return lambda value: isinstance(value, str) and value.casefold() == folded
        case "prefix" | "suffix", {"equals-ignore-case": str(text), **rest} if not rest:
            return _ignoring_case(operator, text.casefold())
        case "anything-but", list() | str() | int() | float():
            tests = [_choice(each) for each in _as_list(argument)]
        case "anything-but", {**inner} if inner:
            tests = [_choice({name: each}) for name in inner for each in _as_list(inner[name])]
        case "numeric", list():
            return _numeric(argument)
        case _:
            raise InvalidPattern(f"unknown comparison {operator!r}, or one with a wrong value")
    return lambda value: (
        value is not _ABSENT
        and not isinstance(value, dict)
        and not any(test(value) for test in tests)
    )


def _ignoring_case(operator: str, folded: str) -> _Test:
    def matches(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        text = value.casefold()
        return text.startswith(folded) if operator == "prefix" else text.endswith(folded)

    return matches


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _numeric(argument: list[Any]) -> _Test:
    pairs = list(zip(argument[::2], argument[1::2], strict=False))
    is_usable = len(argument) in (2, 4) and all(
        isinstance(sign, str)
        and sign in _COMPARISONS
        and isinstance(bound, int | float)
        and not isinstance(bound, bool)
        for sign, bound in pairs
    )
    if not is_usable:
        raise InvalidPattern("numeric takes an operator and a number, once or twice")

    def matches(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return all(_COMPARISONS[sign](value, bound) for sign, bound in pairs)

    return matches
