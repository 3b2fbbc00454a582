"""Header lines as Lambda@Edge shows them to functions, and as functions hand them back.

A header map has lower-case names as keys and a list of ``{"key", "value"}`` objects as values,
one for each line (LE-EVT-09, LE-EVT-10). What a function leaves alone goes on byte for byte,
also where the event could not show the bytes as they are (LE-URI-08, LE-URI-09, LE-HDR-23).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Final, NoReturn, TypeAlias

import orjson

from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.events.lambda_edge_judgement import InvalidKind, Refused
from edgeproxy.events.restrictions import is_disallowed
from edgeproxy.exchange.model import Finding
from edgeproxy.http.headers import Headers

__all__ = [
    "HeaderMap",
    "head_bytes",
    "header_map",
    "json_text",
    "json_type",
    "judge_headers",
    "read_header_map",
    "refuse_names",
    "refuse_read_only",
    "shown",
]

HeaderMap: TypeAlias = dict[str, list[dict[str, str]]]

Lines: TypeAlias = dict[str, list[tuple[str, str]]]
"""(name, value) of each line, by lower-case name."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def shown(text: str) -> str:
    """``text`` as a function sees it: bytes that are not UTF-8 count as ISO-8859-1 (LE-URI-08)."""
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("iso-8859-1")


# Needed twice: for the event, and to see what the function has changed.
@partial(PreparedOnce, limit=32)
def header_map(headers: Headers) -> HeaderMap:
    """The header map of ``headers``, without the disallowed ones (LE-EVT-11); only for reading."""
    return _map_of(tuple(headers))


@lru_cache(32)  # since viewers repeat themselves
def _map_of(sent: tuple[tuple[str, str], ...]) -> HeaderMap:
    lines: HeaderMap = {}
    for name, value in sent:
        folded = _shown_name(name)
        if not folded:
            continue
        line = {"key": name, "value": value if value.isascii() else shown(value)}
        if folded in lines:
            lines[folded].append(line)
        else:
            lines[folded] = [line]
    return lines


# The same few hundred names come again and again.
@lru_cache(maxsize=1024)
def _shown_name(name: str) -> str:
    """The name as a key of a header map, or nothing for a header that functions do not see."""
    folded = name.lower()
    return "" if is_disallowed(folded) else folded


def head_bytes(headers: Iterable[tuple[str, str]]) -> int:
    """The size of the header lines as HTTP/1.1 spells them, in bytes."""
    return sum(
        len(name) + len(value.encode("utf-8", "surrogateescape")) + 4 for name, value in headers
    )


def judge_headers(
    returned: object,
    sent: Headers,
    *,
    read_only: frozenset[str],
    where: str,
    notes: list[Finding],
) -> Headers:
    """The headers that follow from ``returned``; ``sent`` itself when nothing was changed.

    ``where`` is ``request`` or ``response``. Raises :class:`Refused`; what is tolerated is added
    to ``notes``. Lines that the function could not see stay.
    """
    event = header_map(sent)
    if returned == event:
        return sent
    if not isinstance(returned, dict):
        raise _not_a_map(returned, f"{where}.headers")
    untouched = {name for name, entries in event.items() if returned.get(name) == entries}
    rest = {name: entries for name, entries in returned.items() if name not in untouched}
    lines = read_header_map(rest, f"{where}.headers", notes)
    for name in untouched & lines.keys():  # The same name once more, in another spelling.
        lines[name][:0] = [(line["key"], line["value"]) for line in event[name]]
    untouched -= lines.keys()
    refuse_names(lines, is_disallowed, "LE-HDR-01", f"{where}.headers")
    for name in sorted(read_only - untouched):
        # LE-HDR-09: the values count, not the spelling of the name.
        if [line["value"] for line in event.get(name, ())] != [
            value for _, value in lines.get(name, ())
        ]:
            what = "delete" if name not in lines else "add" if name not in event else "change"
            refuse_read_only(name, what, "LE-HDR-24" if name == "host" else "LE-HDR-08")
    return _merge(sent, event, lines, untouched)


def read_header_map(returned: object, where: str, notes: list[Finding]) -> Lines:
    """A returned header map as lines. Raises :class:`Refused` for one that is none."""
    if not isinstance(returned, dict):
        raise _not_a_map(returned, where)
    lines: Lines = {}
    for name, entries in returned.items():
        folded = name.lower()
        if not _NAME.fullmatch(name):
            raise Refused(
                InvalidKind.HEADERS,
                "LE-RET-07",
                f"{where} has no valid name: {name!r}",
                "use letters, digits and hyphens, and no colon or space",
            )
        if folded != name:
            notes.append(
                Finding(
                    "LE-HDR-17",
                    f"{where} has the key {name!r}, which is not in lower case",
                    f"use {folded!r} as the key and keep the spelling in its 'key' member",
                )
            )
        if not isinstance(entries, list):
            raise Refused(
                InvalidKind.HEADERS,
                "LE-HDR-13",
                f"{where}[{name!r}] must be an array, not {json_type(entries)}",
                f"write [{{'key': {_canonical(folded)!r}, 'value': '...'}}]",
            )
        read = [_read_entry(entry, folded, f"{where}[{name!r}]") for entry in entries]
        if read:  # An empty array deletes the header (LE-HDR-19, UNSURE).
            lines.setdefault(folded, []).extend(read)
    return lines


def refuse_names(
    lines: Mapping[str, object], refused: Callable[[str], bool], rule: str, where: str
) -> None:
    """Raise :class:`Refused` for the first name of ``lines`` that nobody may add there."""
    for name in lines:
        if refused(name):
            raise Refused(
                InvalidKind.DISALLOWED,
                rule,
                f"{where} has the header {_canonical(name)}, which functions may not add",
                "leave it out, or use a name of your own",
            )


def refuse_read_only(
    name: str,
    what: str,
    rule: str = "LE-HDR-08",
    remedy: str = "return the headers of the event with this one as it was",
) -> NoReturn:
    """Raise :class:`Refused` for a read-only header; ``what`` the function did, as a verb."""
    raise Refused(
        InvalidKind.READ_ONLY,
        rule,
        f"the function tried to {what} the read-only header {_canonical(name)}",
        remedy,
    )


def _read_entry(entry: object, folded: str, where: str) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise Refused(
            InvalidKind.HEADERS,
            "LE-HDR-13",
            f"{where} must hold objects with 'value', not {json_type(entry)}",
            f"write [{{'key': {_canonical(folded)!r}, 'value': '...'}}]",
        )
    value = entry.get("value")
    if not isinstance(value, str):
        raise Refused(
            InvalidKind.HEADERS,
            "LE-HDR-14",
            f"{where} has a value that is no string but {json_type(value)}",
            "turn it into a string",
        )
    if _CONTROL.search(value):
        raise Refused(
            InvalidKind.HEADERS,
            "LE-HDR-15",
            f"{where} has a control character in {value!r}",
            "take line breaks and control characters out, or percent-encode them",
        )
    key = entry.get("key")
    if key is None:
        return _canonical(folded), value
    if not isinstance(key, str) or key.lower() != folded:
        # UNSURE (LE-HDR-16): refused in either mode, since no second reading is named.
        raise Refused(
            InvalidKind.HEADERS,
            "LE-HDR-16",
            f"{where} has the key {json_text(key)}, which is another name",
            f"leave 'key' out or spell it {_canonical(folded)!r}",
        )
    return key, value


def _merge(sent: Headers, event: HeaderMap, lines: Lines, untouched: set[str]) -> Headers:
    """``lines`` in the order of ``sent``, new ones at the end, unchanged values as received."""
    queues = {name: iter(_as_received(name, new, sent, event)) for name, new in lines.items()}
    merged: list[tuple[str, str]] = []
    for name, value in sent:
        folded = name.lower()
        if folded in untouched or is_disallowed(folded):
            merged.append((name, value))
        elif folded in queues and (line := next(queues[folded], None)) is not None:
            merged.append(line)
    for rest in queues.values():
        merged.extend(rest)
    return Headers(merged)


def _as_received(
    name: str, new: list[tuple[str, str]], sent: Headers, event: HeaderMap
) -> list[tuple[str, str]]:
    """``new`` with the bytes of ``sent`` where only the spelling of the name was changed."""
    if [line["value"] for line in event.get(name, ())] != [value for _, value in new]:
        return new
    return [(key, value) for (key, _), value in zip(new, sent.get_all(name), strict=True)]


def _not_a_map(returned: object, where: str) -> Refused:
    message = f"{where} must be an object, not {json_type(returned)}"
    remedy = "give an object with names in lower case, each with an array of {'key', 'value'}"
    return Refused(InvalidKind.SHAPE, "LE-RET-07", message, remedy)


def _canonical(name: str) -> str:
    """``x-my-id`` as ``X-My-Id`` (LE-HDR-11)."""
    return "-".join(part.capitalize() for part in name.split("-"))


def json_text(value: object) -> str:
    """A decoded value as a function wrote it, for messages."""
    return orjson.dumps(value).decode("utf-8")


def json_type(value: object) -> str:
    """The JSON type of a decoded value, with its article, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
