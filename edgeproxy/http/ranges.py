"""Byte ranges of a whole object (RFC 9110, 14), as CloudFront reads them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "ByteRange",
    "Unsatisfiable",
    "format_content_range",
    "is_range",
    "multipart",
    "parse_content_range",
    "parse_ranges",
]

_RANGE: Final = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII)
_MOST_DIGITS: Final = 1_000
_ANY_SIZE: Final = 10 ** (_MOST_DIGITS + 1)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from ``first`` to ``last``, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def of(self, data: bytes) -> bytes:
        """The part of ``data``."""
        return data[self.first : self.last + 1]


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """Every range lies beyond the end: 416 (CDN-RNG-07)."""


def parse_ranges(header: str, size: int) -> tuple[ByteRange, ...] | Unsatisfiable | None:
    """The ranges that a ``Range`` header asks for of an object of ``size`` bytes.

    None means the whole object: no ``bytes`` unit, a range that is none, or several ranges that
    are not in ascending order or overlap (CDN-RNG-05). An empty object has no ranges. Of several
    ranges, those beyond the end are left out.
    """
    unit, equals, text = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals or not size:
        return None
    ranges: list[ByteRange] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None or not any(match.groups()):
            return None
        if max(map(len, match.groups())) > _MOST_DIGITS:
            return None
        asked = _resolve(match[1], match[2], size)
        if asked is None or (ranges and asked.first <= ranges[-1].last):
            return None
        ranges.append(asked)
    inside = tuple(asked for asked in ranges if asked.first <= asked.last < size)
    return inside or Unsatisfiable()


def is_range(header: str) -> bool:
    """Whether a ``Range`` header can ask for parts of any object at all (CDN-RNG-05)."""
    return parse_ranges(header, _ANY_SIZE) is not None


def _resolve(first: str, last: str, size: int) -> ByteRange | None:
    if not first:
        return ByteRange(max(0, size - int(last)), size - 1)
    if not last:
        return ByteRange(int(first), max(int(first), size - 1))
    if int(first) > int(last):
        return None
    # A range beyond the end keeps its order among the others until it is left out.
    return ByteRange(int(first), max(int(first), min(int(last), size - 1)))


def format_content_range(part: ByteRange, size: int) -> str:
    """``bytes 0-99/1000``."""
    return f"bytes {part.first}-{part.last}/{size}"


def parse_content_range(text: str) -> tuple[ByteRange, int] | None:
    """Place and size of ``bytes 0-99/1000``; None for anything that does not say both."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        return None
    first, last, size = map(int, match.groups())
    return (ByteRange(first, last), size) if first <= last < size else None


def multipart(
    parts: Sequence[ByteRange], size: int, content_type: str, boundary: str
) -> list[bytes | ByteRange]:
    """The body of a ``multipart/byteranges`` answer (RFC 9110, 14.6).

    It consists of bytes, and of the ranges to put in from the object of ``size`` bytes.
    """
    type_line = f"Content-Type: {content_type}\r\n" if content_type else ""
    pieces: list[bytes | ByteRange] = []
    for part in parts:
        head = (
            f"\r\n--{boundary}\r\n{type_line}"
            f"Content-Range: {format_content_range(part, size)}\r\n\r\n"
        )
        pieces += (head.encode("utf-8", "surrogateescape"), part)
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return pieces
