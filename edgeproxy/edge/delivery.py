"""Shapes what the cache has into what this viewer asked for.

A stored object answers conditions (304), ranges (206, 416) and HEAD; what an origin has just sent
passes as it is, since the origin has seen the viewer's own condition and range.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.entry import Content, Entry, pieces
from edgeproxy.http.body import EMPTY_BODY, Body, BytesBody, StreamBody
from edgeproxy.http.dates import format_date, parse_date
from edgeproxy.http.etags import if_none_match, strong_match
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.http.ranges import (
    ByteRange,
    Unsatisfiable,
    format_content_range,
    multipart,
    parse_ranges,
)

__all__ = ["shape"]

_ABOUT_THE_BODY: Final = (
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Content-Language",
    "Content-Range",
)


def shape(request: Request, obtained: Obtained, now: float) -> Response:
    """The answer for this viewer.

    ``Age`` is added when the object came out of the cache (CDN-VAL-18). ``now`` dates a 416, the
    one answer that is made here (CDN-RSP-09).
    """
    response = obtained.response
    if obtained.age_s is not None:
        response = replace(response, headers=response.headers.with_set("Age", str(obtained.age_s)))
    entry = obtained.entry
    if entry is not None and entry.status == 200 and request.method in ("GET", "HEAD"):
        if _is_unchanged(request.headers, response.headers):
            headers = response.headers.without(*_ABOUT_THE_BODY)
            return replace(response, status=304, reason="", headers=headers, body=EMPTY_BODY)
        if request.method == "GET" and "Range" in request.headers:
            return _part(request.headers, response, entry, now)
    if request.method == "HEAD":
        return _without_body(response, stored=entry is not None)
    return response


def _is_unchanged(asked: Headers, stored: Headers) -> bool:
    """CDN-VAL-15: the tag decides if the viewer sent one, else the date."""
    condition = asked.joined("If-None-Match")
    if condition is not None:
        return if_none_match(condition, stored.get("ETag"))
    if "If-Modified-Since" not in asked:
        return False
    since = parse_date(asked.get("If-Modified-Since"))
    modified = parse_date(stored.get("Last-Modified"))
    return since is not None and modified is not None and since >= modified


def _part(asked: Headers, response: Response, entry: Entry, now: float) -> Response:
    """The asked part of a whole object (CDN-RNG-01, CDN-RNG-05 to 08)."""
    size = len(entry.body)
    if "If-Range" in asked and not _is_same_version(asked.get("If-Range"), response.headers):
        return response
    match parse_ranges(asked.get("Range"), size):
        case None:
            return response
        case Unsatisfiable():
            return _unsatisfiable(size, now)
        case (part,):
            line = ("Content-Range", format_content_range(part, size))
            return _partial(response, _assembled([part], entry.body), line)
        case parts:
            # A name that the data cannot foresee, and the same for the same answer.
            boundary = blake2b(repr((parts, entry.stored_at)).encode(), digest_size=16).hexdigest()
            body = multipart(parts, size, response.headers.get("Content-Type"), boundary)
            line = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
            return _partial(response, _assembled(body, entry.body), line)


def _is_same_version(validator: str, stored: Headers) -> bool:
    """CDN-RNG-08; the comparison is strong, since parts will be put together."""
    if validator.endswith('"'):
        return strong_match(validator, stored.get("ETag"))
    date = parse_date(validator)
    return date is not None and date == parse_date(stored.get("Last-Modified"))


def _assembled(parts: Sequence[bytes | ByteRange], content: bytes | Content) -> Body:
    """``parts`` as a body, the ranges among them taken from ``content``."""
    if isinstance(content, bytes):
        return BytesBody(
            b"".join([part if isinstance(part, bytes) else part.of(content) for part in parts])
        )
    return StreamBody(_streamed(parts, content), sum(map(len, parts)))


async def _streamed(parts: Sequence[bytes | ByteRange], content: Content) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            async for piece in pieces(content, part.first, part.last + 1):
                yield piece


def _partial(response: Response, body: Body, line: tuple[str, str]) -> Response:
    headers = response.headers.with_set(*line).with_set("Content-Length", str(body.length))
    return replace(response, status=206, reason="", headers=headers, body=body)


def _unsatisfiable(size: int, now: float) -> Response:
    headers = [
        ("Server", "CloudFront"),
        ("Date", format_date(now)),
        ("Content-Range", f"bytes */{size}"),
        ("Content-Length", "0"),
    ]
    return Response(416, Headers(headers))


def _without_body(response: Response, *, stored: bool) -> Response:
    """CDN-MTH-07: the headers of the object, with its length, and no body."""
    body: Body = response.body
    if stored or isinstance(body, BytesBody):
        if not body.length:
            return response  # the origin's own answer to HEAD; its Content-Length is the object's
        headers = response.headers.with_set("Content-Length", str(body.length))
        return replace(response, headers=headers, body=EMPTY_BODY)
    return replace(response, body=StreamBody(_Unread(body), 0))


class _Unread:
    """Nothing, in place of a body that nobody is to see; its end releases the body."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __aiter__(self) -> "_Unread":
        return self

    async def __anext__(self) -> bytes:
        await self._body.close()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        await self._body.close()
