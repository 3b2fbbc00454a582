"""Compresses what an origin sends, for viewers who take it (CDN-CMP).

It happens when an object is fetched, after the origin-response function and before the cache: the
compressed form is what is stored, and every later hit gets it as it is (CDN-CMP-07). Bodies are
compressed while they pass, never held whole here.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final

import brotli

from edgeproxy.cache.collecting import BodyBroken
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import cache_rules
from edgeproxy.distribution.forwarded import accept_encoding, plan_of
from edgeproxy.distribution.model import Behavior
from edgeproxy.distribution.quotas import MAX_COMPRESSED_BYTES, MIN_COMPRESSED_BYTES
from edgeproxy.edge.outcomes import Scene
from edgeproxy.exchange.model import Decision
from edgeproxy.http.body import Body, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["COMPRESSED_TYPES", "compress"]

_STATUSES: Final = frozenset({200, 403, 404})
"""CDN-CMP-04"""

COMPRESSED_TYPES: Final = frozenset(
    f"{group}/{name}"
    for group, names in {
        "application": (
            "dash+xml eot font font-sfnt javascript json opentype otf pdf pkcs7-mime protobuf "
            "rss+xml truetype ttf vnd.apple.mpegurl vnd.mapbox-vector-tile vnd.ms-fontobject wasm "
            "xhtml+xml xml x-font-opentype x-font-truetype x-font-ttf x-httpd-cgi x-javascript "
            "x-mpegurl x-opentype x-otf x-perl x-ttf"
        ),
        "font": "eot opentype otf ttf",
        "image": "svg+xml",
        "text": (
            "css csv html javascript js plain richtext tab-separated-values xml x-component "
            "x-java-source x-script"
        ),
    }.items()
    for name in names.split()
)
"""The media types that are compressed (CDN-CMP-15)."""

_ENTITY_TAG: Final = re.compile(r'(W/)?"[^"]*"')

_SLICE_BYTES: Final = 64 * 1024
"""What is compressed in one go, a few milliseconds' work; then other requests have their turn."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_BROTLI_QUALITY: Final = 5
_BROTLI_WINDOW: Final = 18
"""256 KiB: a larger window buys little, and costs memory and long turns."""


def compress(scene: Scene, request: Request, fetched: Fetched) -> Fetched:
    """``fetched`` with its body compressed, where CloudFront does so for this viewer request.

    What a function generated counts like an origin's answer. For a viewer who takes a coding that
    the behavior offers, the exchange says what became of it.
    """
    coding = _coding(scene.behavior, request)
    if coding is None:
        return fetched
    response = fetched.response
    with scene.exchange.step("compression", before=response) as step:
        why_not = _why_not(scene, request, response)
        if why_not:
            step.decision = Decision("unchanged", why_not)
            return fetched
        body = StreamBody(_Compressed(response.body, coding))
        response = replace(response, headers=_described(response.headers, coding), body=body)
        step.decision = Decision("compressed", coding, {"coding": coding})
        step.after = response
    return replace(fetched, response=response)


def _coding(behavior: Behavior, request: Request) -> str | None:
    """The best coding that the viewer takes and the behavior offers (CDN-CMP-02)."""
    # Without codings in the plan, Accept-Encoding is a header like any other (CDN-KEY-25).
    if not (behavior.compress and plan_of(behavior).codings):
        return None
    in_key, _ = accept_encoding(behavior, request)
    return in_key.partition(",")[0] if in_key else None


def _why_not(scene: Scene, request: Request, response: Response) -> str:
    """What forbids to compress ``response`` (CDN-CMP-01, 03 to 05, 15, 17), or nothing."""
    headers, length = response.headers, response.body.length
    media_type = headers.get("Content-Type").partition(";")[0].strip().lower()
    if request.method == "HEAD":
        return "an answer to HEAD has no body"
    if request.method not in scene.behavior.cached_methods:
        return f"{request.method} is not among CachedMethods"
    if response.status not in _STATUSES:
        return f"the status is {response.status}; 200, 403 and 404 are compressed"
    if "Content-Encoding" in headers:
        return f"it has the Content-Encoding {headers.get('Content-Encoding')!r} already"
    if media_type not in COMPRESSED_TYPES:
        return f"the Content-Type {media_type!r} is not among those that are compressed"
    if length is None:
        return "it has no Content-Length"
    if not MIN_COMPRESSED_BYTES <= length <= MAX_COMPRESSED_BYTES:
        return (
            f"{length:,} bytes; {MIN_COMPRESSED_BYTES:,} to {MAX_COMPRESSED_BYTES:,} are compressed"
        )
    rules = cache_rules(scene.distribution, scene.behavior)
    return rules.why_disabled if rules.disabled else ""


def _described(headers: Headers, coding: str) -> Headers:
    """The headers that fit the compressed body (CDN-CMP-10 to 12)."""
    headers = headers.without("Content-Length").with_set("Content-Encoding", coding)
    vary = headers.joined("Vary")
    names = [name.strip().lower() for name in (vary or "").split(",")]
    if "accept-encoding" not in names:
        headers = headers.with_set(
            "Vary", f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"
        )
    etag = headers.joined("ETag")
    if etag is None:
        return headers
    match = _ENTITY_TAG.fullmatch(etag)
    if match is None:
        return headers.without("ETag")
    return headers if match[1] else headers.with_set("ETag", f"W/{etag}")


@dataclass(frozen=True, slots=True)
class _Compressed:
    """The chunks of ``source``, compressed; to be read once."""

    source: Body
    coding: str

    async def __aiter__(self) -> AsyncIterator[bytes]:
        take, end = _encoder(self.coding)
        async for chunk in self.source:
            view = memoryview(chunk)
            for start in range(0, len(view), _SLICE_BYTES):
                yield take(view[start : start + _SLICE_BYTES])
                await asyncio.sleep(0)
        # Nobody behind can tell: the compressed body promises no length (CDN-VAL-20).
        if self.source.passed != self.source.length:
            raise BodyBroken(f"{self.source.passed} of {self.source.length} bytes arrived")
        yield end()

    async def aclose(self) -> None:
        await self.source.close()


def _encoder(coding: str) -> tuple[Callable[[memoryview], bytes], Callable[[], bytes]]:
    """What takes a slice, and what ends the body; both give the bytes that are ready."""
    if coding == "br":
        compressor = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW)
        return compressor.process, compressor.finish
    gzip = zlib.compressobj(wbits=_GZIP_WINDOW)
    return gzip.compress, gzip.flush
