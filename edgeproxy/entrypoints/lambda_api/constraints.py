"""What AWS's model asks of the members of a function's configuration, told in AWS's words.

All that is wrong is told at once (LI-005). What needs more than the member itself is checked where
the configuration is made.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from edgeproxy.entrypoints.lambda_api.answers import validation_error
from edgeproxy.entrypoints.lambda_api.calls import Document
from edgeproxy.entrypoints.lambda_api.names import constrained
from edgeproxy.runtimes.log_settings import LEVELS

__all__ = ["check_members", "one_of"]

_Problem: TypeAlias = tuple[str, str, str]

_PATTERNS: Final = {
    "Role": (r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", 0),
    "Handler": (r"[^\s]+", 128),
    "Description": (r"[\s\S]*", 256),
}
"""Patterns, and lengths where there is a limit."""
_BOUNDS: Final = {
    ("Timeout", ""): (1, 900),
    ("MemorySize", ""): (128, 10_240),
    ("EphemeralStorage", "Size"): (512, 10_240),
}
_VALUES: Final = {
    ("PackageType", ""): ("Image", "Zip"),
    ("TracingConfig", "Mode"): ("Active", "PassThrough"),
    ("SnapStart", "ApplyOn"): ("PublishedVersions", "None"),
    ("LoggingConfig", "LogFormat"): ("JSON", "Text"),
    ("LoggingConfig", "ApplicationLogLevel"): LEVELS,
    ("LoggingConfig", "SystemLogLevel"): ("DEBUG", "INFO", "WARN"),
}
_ARCHITECTURES: Final = ("x86_64", "arm64")


def check_members(members: Document) -> None:
    """Raises a ``ValidationException`` for members that break a constraint of their own."""
    if wrong := list(_problems(members)):
        raise validation_error(*wrong)


def one_of(value: str, name: str, values: tuple[str, ...]) -> Iterator[_Problem]:
    """What is wrong with a member that has one of these values."""
    if value not in values:
        yield value, name, f"Member must satisfy enum value set: [{', '.join(values)}]"


def _problems(members: Document) -> Iterator[_Problem]:
    for name, (pattern, most) in _PATTERNS.items():
        if members.get(name):
            yield from constrained(members[name], _lowered(name), pattern, most)
    for (name, part), (low, high) in _BOUNDS.items():
        value = _found(members, name, part)
        if value is not None and not low <= value <= high:
            which, bound = ("greater", low) if value < low else ("less", high)
            constraint = f"Member must have value {which} than or equal to {bound}"
            yield str(value), _lowered(name, part), constraint
    for (name, part), values in _VALUES.items():
        if (value := _found(members, name, part)) is not None:
            yield from one_of(value, _lowered(name, part), values)
    architectures = members.get("Architectures") or []
    told = f"[{', '.join(architectures)}]"
    if len(architectures) > 1:
        yield told, "architectures", "Member must have length less than or equal to 1"
    elif not set(architectures) <= set(_ARCHITECTURES):
        allowed = f"Member must satisfy enum value set: [{', '.join(_ARCHITECTURES)}]"
        constraint = f"Member must satisfy constraint: [{allowed}, Member must not be null]"
        yield told, "architectures", constraint


def _found(members: Document, name: str, part: str) -> Any:
    value = members.get(name)
    return (value or {}).get(part) if part else value


def _lowered(*names: str) -> str:
    return ".".join(name[0].lower() + name[1:] for name in names if name)
