"""JSON for the Python side of an execution environment.

Results are those of the standard library's ``json`` with AWS's additions: decimals, byte strings,
and named tuples as objects. ``json`` itself is not imported, since that takes longer than starting
the interpreter; its compiled parts do the work.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["make_dumps", "make_loads"]


def is_decimal(value: object) -> bool:
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


class ScanRules:
    """How the standard library's scanner is set up for ``json.loads``."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "-Infinity": float("-inf"),
        "Infinity": float("inf"),
        "NaN": float("nan"),
    }.__getitem__
    memo: dict[str, str] = {}  # noqa: RUF012


def make_loads() -> Callable[[str], Any]:
    """``json.loads``, without what importing ``json`` costs."""
    try:
        import _json

        scan: Any = _json.make_scanner(ScanRules)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        import json

        return json.loads

    def loads(text: str) -> Any:
        text = text.strip(" \t\n\r")
        try:
            value, end = scan(text, 0)
        except (StopIteration, ValueError, SystemError):
            value, end = None, -1
        if end == len(text):
            return value
        import json

        return json.loads(text)  # it finds the right words for what is wrong

    return loads


def make_encode(ascii_only: bool, default: Callable[[object], Any]) -> Callable[[object], str]:
    """``json.dumps`` for values that may need ``default``, without importing ``json``."""
    try:
        import _json

        escape = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring
        settings: Any = (default, escape, None, ": ", ", ", False, False, True)
        _json.make_encoder({}, *settings)([], 0)
    except (ImportError, AttributeError, TypeError):
        import json

        return json.JSONEncoder(ensure_ascii=ascii_only, default=default).encode

    def encode(value: object) -> str:
        # The first argument finds cycles. A failed attempt leaves things in it: always a new one.
        return "".join(_json.make_encoder({}, *settings)(value, 0))

    return encode


def is_plain(value: Any) -> bool:
    """Whether there are only the built-in types themselves: the quickest way to know that there is
    no named tuple."""
    try:
        marshal.dumps(value)
    except ValueError:
        return False
    return True


def holds_named_tuple(value: Any, seen: set[int]) -> bool:
    """Whether there is any inside. ``seen`` are the values around it: cycles are told later."""
    if isinstance(value, dict):
        inside: Any = value.values()
    elif isinstance(value, list):
        inside = value
    elif not isinstance(value, tuple):
        return False
    elif hasattr(value, "_asdict"):
        return True
    else:
        inside = value
    if id(value) not in seen:
        seen.add(id(value))
        for each in inside:
            if type(each) is not str and holds_named_tuple(each, seen):
                return True
        seen.discard(id(value))
    return False


def without_named_tuples(value: Any) -> Any:
    """The same with an object for each named tuple, which the encoder takes for a list."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: without_named_tuples(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_named_tuples(item) for item in value]
    return value


def make_dumps(ascii_only: bool) -> Callable[[object], str]:
    """``json.dumps`` with AWS's additions (LR-024); it encodes with ``simplejson``."""
    mark = ""

    def default(value: Any) -> Any:
        # Decimals travel as marked strings; the marks come off once the text is complete.
        nonlocal mark
        if is_decimal(value):
            mark = mark or os.urandom(16).hex()
            return f"{mark}{'NaN' if value.is_nan() else value}{mark}"
        if isinstance(value, bytes):
            return value.decode()
        if hasattr(value, "_asdict"):
            return without_named_tuples(value)
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    encode = make_encode(ascii_only, default)

    def dumps(value: object) -> str:
        nonlocal mark
        mark = ""
        if not is_plain(value) and holds_named_tuple(value, set()):
            value = without_named_tuples(value)
        text = encode(value)
        return text.replace(f'"{mark}', "").replace(f'{mark}"', "") if mark else text

    return dumps
