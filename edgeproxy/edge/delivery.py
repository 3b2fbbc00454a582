"""Shapes what the cache has into what this viewer asked for.

A stored object answers conditions (304), ranges (206, 416) and HEAD, and so does one that another
viewer's fetch is bringing; what an origin has sent for this very request passes as it is, since the
origin has seen its condition and range.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.entry import Content, pieces
from edgeproxy.distribution.quotas import MAX_CACHEABLE_RESPONSE_BYTES
from edgeproxy.http.body import EMPTY_BODY, Body, BytesBody, StreamBody
from edgeproxy.http.conditions import asked_ranges, is_unchanged
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.http.ranges import (
    ByteRange,
    Unsatisfiable,
    format_content_range,
    is_range,
    multipart,
)
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind

__all__ = ["refuse_oversized", "shape", "without_vain_range"]

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
        headers = response.headers.with_set("Age", str(obtained.age_s))
        response = response.with_headers(headers)
    if obtained.is_object and response.status == 200 and request.method in ("GET", "HEAD"):
        if is_unchanged(request.headers, response.headers):
            headers = response.headers.without(*_ABOUT_THE_BODY)
            body = _nothing_of(response.body)
            return replace(response, status=304, reason="", headers=headers, body=body)
        if request.method == "GET" and "Range" in request.headers:
            return _part(request.headers, obtained, response, now)
    if request.method == "HEAD":
        return _without_body(response, stored=obtained.entry is not None)
    return response


def without_vain_range(request: Request) -> Request:
    """``request`` without a range that has no effect: the origin is not to see it (CDN-HDR-16).

    A range that makes no sense gets the whole object (CDN-RNG-05), HEAD has none (CDN-RNG-14).
    """
    headers = request.headers
    if "Range" not in headers or request.method not in ("GET", "HEAD"):
        return request
    if request.method == "GET" and is_range(headers.get("Range")):
        return request
    return request.with_headers(headers.without("Range", "If-Range"))


async def refuse_oversized(response: Response) -> None:
    """Raise :class:`OriginFailure` for more than may be cached (CDN-VAL-23, CDN-QUO-03).

    Which error the viewer gets is not documented: 502, as for other answers of no use.
    """
    length = response.body.length
    if length is None or length <= MAX_CACHEABLE_RESPONSE_BYTES:
        return
    await response.body.close()
    raise OriginFailure(
        OriginFailureKind.TOO_LARGE,
        502,
        f"the origin's answer of {length:,} bytes is larger than the "
        f"{MAX_CACHEABLE_RESPONSE_BYTES:,} that can be cached; ask for it in ranges",
        connected=True,
    )


def _part(asked: Headers, obtained: Obtained, response: Response, now: float) -> Response:
    """The asked part of a whole object (CDN-RNG-01, CDN-RNG-05 to 08)."""
    entry, body, size = obtained.entry, response.body, response.body.length
    if size is None:  # Where it ends is not known yet (CDN-RNG-04).
        return response
    whole = body if entry is None else entry.body
    match asked_ranges(asked, response.headers, size):
        case None:
            return response
        case Unsatisfiable():
            return _unsatisfiable(size, now, _nothing_of(body))
        case (part,):
            line = ("Content-Range", format_content_range(part, size))
            return _partial(response, _assembled([part], whole), line)
        case parts:
            # A name that the data cannot foresee, and the same for the same answer.
            stored_at = obtained.received_at if entry is None else entry.stored_at
            boundary = blake2b(repr((parts, stored_at)).encode(), digest_size=16).hexdigest()
            pieces = multipart(parts, size, response.headers.get("Content-Type"), boundary)
            line = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
            return _partial(response, _assembled(pieces, whole), line)


def _assembled(parts: Sequence[bytes | ByteRange], whole: bytes | Content | Body) -> Body:
    """``parts`` as a body, the ranges among them taken from ``whole``."""
    if isinstance(whole, BytesBody):
        whole = whole.data
    if isinstance(whole, bytes):
        return BytesBody(
            b"".join([part if isinstance(part, bytes) else part.of(whole) for part in parts])
        )
    source = _Cut(parts, whole) if isinstance(whole, Body) else _streamed(parts, whole)
    return StreamBody(source, sum(map(len, parts)))


@dataclass(frozen=True, slots=True)
class _Cut:
    """``parts``, the ranges among them in their order taken from ``body`` as it arrives."""

    parts: Sequence[bytes | ByteRange]
    body: Body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks, chunk, start = aiter(self.body), b"", 0
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            first = part.first
            while first <= part.last:
                while start + len(chunk) <= first:
                    start += len(chunk)
                    chunk = await anext(chunks)
                piece = chunk[first - start : part.last + 1 - start]
                first += len(piece)
                yield piece
        await self.aclose()

    async def aclose(self) -> None:
        await self.body.close()


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


def _unsatisfiable(size: int, now: float, body: Body) -> Response:
    headers = [
        ("Server", "CloudFront"),
        ("Date", format_date(now)),
        ("Content-Range", f"bytes */{size}"),
        ("Content-Length", "0"),
    ]
    return Response(416, Headers(headers), body)


def _without_body(response: Response, *, stored: bool) -> Response:
    """CDN-MTH-07: the headers of the object, with its length, and no body."""
    body: Body = response.body
    if stored or isinstance(body, BytesBody):
        if not body.length:
            return response  # the origin's own answer to HEAD; its Content-Length is the object's
        headers = response.headers.with_set("Content-Length", str(body.length))
        return replace(response, headers=headers, body=EMPTY_BODY)
    return replace(response, body=_nothing_of(body))


def _nothing_of(body: Body) -> Body:
    return EMPTY_BODY if isinstance(body, BytesBody) else StreamBody(_Unread(body), 0)


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
