"""Heads of answers that are ready to be sent, but for age, date and request ID.

Such a head is made of one that the pipeline has made, with marks for what changes. What the
pipeline does with a stored object's header lines depends on their names, and on the values of few:
so a head with marks for the values as well serves for all objects with the same names.
"""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from edgeproxy.cache.entry import Entry
from edgeproxy.edge.sent_bodies import without_body
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import PREVIEW_BYTES
from edgeproxy.http.dates import format_date

__all__ = [
    "MARK_AGE",
    "MARK_DATE",
    "MARK_ID",
    "PreparedHead",
    "Template",
    "marked",
    "mattering",
    "with_marks",
]

MARK_ID: Final = "edgeproxy-marks-the-place-of-a-request-id-in-an-answer=="
MARK_AGE: Final = 98_765_432_109
MARK_DATE: Final = 249_517_862_483.0
"""A moment of the year 9876 that nobody names."""
_AGE_LINE: Final = b"\r\nAge: %d"
_DATE_LINE: Final = b"\r\nDate: %b"

# No head holds a NUL.
_ID: Final = b"\0I"
_AGE: Final = b"\0A"
_DATE: Final = b"\0D"
_VALUE: Final = b"edgeproxy-marks-value-%d;"
_CHANGES: Final = re.compile(
    rb"edgeproxy-marks-value-(\d+);|(?<=\r\nContent-Length: )\d+(?=[\r\0])", re.IGNORECASE
)
_OTHER_LENGTH: Final = re.compile(rb"\r\nContent-Length: (?!%b)", re.IGNORECASE)

_MOST_AGES: Final = 16


def marked(head: bytes) -> bytes | None:
    """``head`` of an answer with its changing lines marked; None when they cannot be told apart."""
    age, date = _AGE_LINE % MARK_AGE, _DATE_LINE % format_date(MARK_DATE).encode()
    places = MARK_ID.encode()
    if head.count(places) != 1 or head.count(age) > 1 or head.count(date) > 1:
        return None
    return head.replace(age, _AGE).replace(date, _DATE).replace(places, _ID)


def mattering(head: bytes) -> tuple[bytes, list[bytes]]:
    """Of an object's head what decides about a template, and all values."""
    parts = head.split(b"\0") if head else []
    values = parts[1::2]
    names = b"\0".join(parts[::2])
    if b"vary" in names.lower():  # CORS headers look at it.
        pairs = zip(parts[::2], values, strict=True)
        names = b"\0".join([names, b"", *(value for name, value in pairs if _is_vary(name))])
    return names, values


def with_marks(head: bytes) -> bytes:
    """An object's head with marks in place of the values that do not matter."""
    parts = head.split(b"\0") if head else []
    for number, name in enumerate(parts[::2]):
        if not _is_vary(name):
            parts[2 * number + 1] = _VALUE % number
    return b"\0".join(parts)


def _is_vary(name: bytes) -> bool:
    return name.lower() == b"vary"


class Template:
    """Makes the marked heads of answers with objects whose header lines have the same names."""

    __slots__ = ("_breaks", "_pick", "_text", "part")

    def __init__(self, text: bytes, places: Sequence[int], part: slice | None) -> None:
        self._text = b"%b%b" + text
        # The first two places are for nothing: of a single one no tuple would be picked.
        self._pick = itemgetter(-2, -2, *places)
        self._breaks = text.count(b"\n")
        self.part = part

    @classmethod
    def of(cls, head: bytes, part: slice | None, size: int) -> "Template | None":
        """Of an answer :func:`with_marks`; None when the size of the body is not found in it."""
        places: list[int] = []
        lengths: list[int] = []

        def place(found: re.Match[bytes]) -> bytes:
            if found[1] is None:
                lengths.append(int(found[0]))
            places.append(-1 if found[1] is None else int(found[1]))  # The size is put last.
            return b"%b"

        text = _CHANGES.sub(place, head.replace(b"%", b"%%"))
        if lengths not in ([], [size]) or _OTHER_LENGTH.search(text):
            return None
        return cls(text, places, part)

    def filled(self, values: Sequence[bytes], size: int) -> bytes | None:
        """The marked head with ``values``; None for one that must not be sent."""
        head = self._text % self._pick([*values, b"", b"%d" % size])
        return head if head.count(b"\n") == head.count(b"\r") == self._breaks else None


class PreparedHead:
    """The head of answers with one object, or with others that have the same head and size."""

    __slots__ = (
        "_around",
        "_detail",
        "_entry_status",
        "_head",
        "_is_dated",
        "_kept",
        "_reason",
        "_second",
        "_size",
        "like",
        "part",
        "status",
    )

    def __init__(self, head: bytes, part: slice | None, entry: Entry) -> None:
        self._head = head
        self.status = int(head[9:12])
        self._entry_status = entry.status
        self._reason = entry.reason
        self._detail = entry.detail
        self._size = len(entry.body)
        self._is_dated = _DATE in head
        """The object has no ``Date``, so that answers have that of the moment."""
        self._second = 0
        self._around: dict[int, tuple[bytes, bytes]] = {}
        """What stands around the ID, by age."""
        self._kept: Entry | None = None
        self.part = part
        """Which part of the body is sent; None for all of it."""
        self.like: Exchange | None = None
        """The record of an answer with this head."""

    def is_of(self, entry: Entry) -> bool:
        """Whether answers with ``entry``, which has the head of the object, have this one."""
        return (
            self._size == len(entry.body)
            and self._entry_status == entry.status
            and self._detail == entry.detail
            and self._reason == entry.reason
        )

    def around_id(self, age_s: int, now: float) -> tuple[bytes, bytes]:
        """What stands before and behind the request ID."""
        if self._is_dated and self._second != int(now):
            self._second = int(now)
            self._around.clear()
        around = self._around.get(age_s)
        if around is None:
            head = self._head.replace(_AGE, _AGE_LINE % age_s)
            if self._is_dated:
                head = head.replace(_DATE, _DATE_LINE % format_date(now).encode())
            before, _, after = head.partition(_ID)
            if len(self._around) >= _MOST_AGES:
                self._around.clear()
            around = self._around[age_s] = before, after
        return around

    def kept(self, entry: Entry) -> Entry:
        """``entry`` as records need it, which may outlast the object."""
        if len(entry.body) <= PREVIEW_BYTES:
            return entry
        kept = self._kept
        if (
            kept is None
            or kept.path is not entry.path
            or kept.query is not entry.query
            or kept.stored_at != entry.stored_at
        ):
            kept = self._kept = without_body(entry, self.part)
        return kept
