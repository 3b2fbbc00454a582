"""Answers of the plainest form there is, understood in one look.

Nearly every small answer comes in one piece: a head in which nothing speaks of framing but one
``Content-Length``, and all of its body. It needs no parser, no buffer and no reader. Whatever else
comes is for aiohttp's parser, byte for byte, so nothing is understood here that it would refuse or
understand otherwise.
"""

import re
from typing import Final, NamedTuple

__all__ = ["PlainAnswer", "plain_answer"]

_LONGEST_HEAD: Final = 8192

_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9]{2}) ([\t -~]*)\r\n"
    rb"((?:(?!(?i:transfer-encoding:|upgrade:|connection:(?![\t ]*keep-alive[\t ]*\r)))"
    rb"[!#-'*+\-.0-9A-Z^-z|~]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
_LINE: Final = re.compile(rb"([^:]+):[\t ]*([^\r]*?)[\t ]*\r\n")
_LENGTH: Final = re.compile(rb"\n(?i:content-length):[\t ]*([^\r]*?)[\t ]*\r")
_DIGITS: Final = re.compile(rb"[0-9]{1,9}")
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
    lengths = _LENGTH.findall(data, head.start(3) - 1, head.end())
    if len(lengths) != 1 or _DIGITS.fullmatch(lengths[0]) is None:
        return None
    end = head.end()
    status = int(head[1])
    if end + int(lengths[0]) != len(data) or status in _OTHERS:
        return None
    names, values = zip(*_LINE.findall(head[3]), strict=True)
    return PlainAnswer(status, head[2], names, values, data[end:])
