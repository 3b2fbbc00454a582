"""Answers of the plainest form there is, understood in one look.

Nearly every small answer comes in one piece: a head in which nothing speaks of framing but one
``Content-Length``, and all of its body. It needs no parser, no buffer and no reader. Whatever else
comes is for aiohttp's parser, byte for byte, so nothing is understood here that it would refuse or
understand otherwise.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["PlainAnswer", "plain_answer"]

_LONGEST_HEAD: Final = 8192

_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9]{2}) ([\t -~]*+)\r\n"
    rb"((?:[!#-'*+\-.0-9A-Z^-z|~]++:[\t -~\x80-\xff]*+\r\n)++)\r\n"
)
_LINE: Final = re.compile(rb"([^:]++):[\t ]*+([^\r]*+)\r\n")
_DIGITS: Final = re.compile(rb"[0-9]{1,9}")
_OF_FRAMING: Final = frozenset({b"proxy-connection", b"transfer-encoding", b"upgrade"})
_OTHERS: Final = frozenset({204, 206, 304})
"""Without a body, or with a part whose place is to be looked at."""


class PlainAnswer(NamedTuple):
    """Names and values of its header lines are as received, without the blanks around values."""

    status: int
    reason: bytes
    names: tuple[bytes, ...]
    values: tuple[bytes, ...]
    body: bytes


def plain_answer(data: bytes) -> PlainAnswer | None:
    """The answer to a GET that ``data`` is, whole and nothing else; None: ask the parser."""
    head = _HEAD.match(data, 0, _LONGEST_HEAD)
    if head is None:
        return None
    lines, end = head[3], head.end()
    if b" \r" in lines or b"\t\r" in lines:
        return None
    names, values = zip(*_LINE.findall(lines), strict=True)
    place, connection = _framing(names)
    if connection >= 0 and values[connection].lower() != b"keep-alive":
        return None
    if place < 0 or _DIGITS.fullmatch(values[place]) is None:
        return None
    status = int(head[1])
    if end + int(values[place]) != len(data) or status in _OTHERS:
        return None
    return PlainAnswer(status, head[2], names, values, data[end:])


@lru_cache(maxsize=1024)  # Origins send few different sets of lines.
def _framing(names: tuple[bytes, ...]) -> tuple[int, int]:
    """Where the length and ``Connection`` stand; less than 0 for no plain length, no line."""
    lower = [name.lower() for name in names]
    is_plain = lower.count(b"content-length") == 1 and _OF_FRAMING.isdisjoint(lower)
    if not is_plain or lower.count(b"connection") > 1:
        return -1, -1
    return lower.index(b"content-length"), lower.index(
        b"connection"
    ) if b"connection" in lower else -1
