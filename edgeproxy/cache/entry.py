"""A stored object, and what a lookup may say about it.

An object is the origin's answer whole, and the times that decide about its use.

Many of them lie in memory, so the head is kept as packed bytes and unpacked for each use; of the
cache key its digest is kept, and what tells variants of a URL apart.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, TypeAlias

from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.key import CacheKey, variant_of
from edgeproxy.http.body import BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response

__all__ = [
    "Content",
    "ContentLost",
    "Entry",
    "Hit",
    "Lookup",
    "Miss",
    "Stale",
    "initial_age",
    "make_entry",
    "pieces",
    "stored_headers",
]

# Framing belongs to one transfer; Age is counted anew for each use.
_NOT_KEPT: Final = ("Transfer-Encoding", "Connection", "Keep-Alive", "Trailer", "Age")
_FOREVER: Final = float("inf")
_UNPACKED_HEADS: Final = 256
"""How many heads that are in use are kept unpacked as well."""


class ContentLost(Exception):
    """A stored body cannot be read to its end: it is damaged, or its store is out of reach."""


class Content(Protocol):
    """A stored body that does not lie in memory; read in parts, any number of times."""

    def __len__(self) -> int: ...

    async def read(self, start: int, stop: int) -> bytes:
        """One or more of the bytes from ``start`` to before ``stop``, as many as are had at once.

        Raises :class:`ContentLost`.
        """
        ...


async def pieces(content: Content, start: int, stop: int) -> AsyncIterator[bytes]:
    """All bytes of ``content`` from ``start`` to before ``stop``, as they are read."""
    while start < stop:
        piece = await content.read(start, stop)
        start += len(piece)
        yield piece


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored object. Times are seconds since the epoch on the edge's clock."""

    distribution_id: str
    path: str
    query: str | None
    """Path and query as they stand in the cache key; an invalidation looks at them."""
    status: int
    reason: str
    head: bytes
    body: bytes | Content
    because: str
    """What decided the lifetime, e.g. ``max-age=60``."""
    stored_at: float
    fresh_until: float
    while_revalidating_until: float
    """The end of ``stale-while-revalidate``; not after ``fresh_until`` when there is none."""
    on_error_until: float
    """How long it may stand in for an origin that fails."""
    retry_at: float = 0.0
    """After a failure of the origin: until then it is served without asking again."""
    initial_age_s: int = 0
    """The ``Age`` that came from the origin."""
    detail: str = ""
    tags: tuple[str, ...] = ()
    """Cache tags; an invalidation looks at them (CDN-INV-17)."""
    variant: str = ""
    """What else is in the cache key, as :func:`edgeproxy.cache.key.variant_of` gives it."""

    @property
    def headers(self) -> Headers:
        """The header lines to serve. No ``Age`` and no framing is among them."""
        return _unpacked(self.head)

    def age_s(self, now: float) -> int:
        """Whole seconds since it was received plus the origin's Age (CDN-VAL-18).

        Never negative, also when the clock went back.
        """
        return self.initial_age_s + max(0, int(now - self.stored_at))

    def response(self) -> Response:
        """The stored answer, its body for one reader."""
        content = self.body
        if isinstance(content, bytes):
            return Response(self.status, self.headers, BytesBody(content), self.reason)
        size = len(content)
        body = StreamBody(pieces(content, 0, size), size)
        return Response(self.status, self.headers, body, self.reason)


@dataclass(frozen=True, slots=True)
class Hit:
    """A fresh object is there, or another viewer's fetch brings it (``collapsed``)."""

    fresh_for_s: float
    because: str
    collapsed: bool = False

    @property
    def why(self) -> str:
        """The reason in words; built only when somebody asks."""
        fresh = f"fresh for {max(0, int(self.fresh_for_s))} s more ({self.because})"
        return f"joined another viewer's fetch, {fresh}" if self.collapsed else fresh


@dataclass(frozen=True, slots=True)
class Stale:
    """An object is there whose fresh time is over.

    ``usable``: it is served without waiting for the origin; ``revalidates``: the origin is asked
    (in the background when ``usable``).
    """

    why: str
    usable: bool = False
    revalidates: bool = True


@dataclass(frozen=True, slots=True)
class Miss:
    """No object that could be used in any way."""

    why: str


Lookup: TypeAlias = Hit | Stale | Miss


def make_entry(
    key: CacheKey,
    status: int,
    reason: str,
    headers: Headers,
    body: bytes | Content,
    storable: Storable,
    now: float,
    detail: str = "",
) -> Entry:
    """The object to store for an answer whose head arrived at ``now``.

    ``headers`` are the origin's; what an object is stored without is taken out here.
    """
    fresh_until = now + storable.ttl_s
    if_error_s = storable.stale_if_error_s
    return Entry(
        key.distribution_id,
        key.path,
        key.query,
        status,
        reason,
        _pack(stored_headers(headers, storable)),
        body,
        storable.why,
        now,
        fresh_until,
        fresh_until + storable.stale_while_revalidate_s,
        _FOREVER if if_error_s is None else fresh_until + if_error_s,
        initial_age_s=initial_age(headers),
        detail=detail,
        tags=storable.tags,
        variant=variant_of(key),
    )


def stored_headers(headers: Headers, storable: Storable) -> Headers:
    """The lines that are kept: no framing, no Age, none that ``no-cache="…"`` names."""
    return headers.without(*_NOT_KEPT, *storable.hidden)


def initial_age(headers: Headers) -> int:
    """The origin's ``Age``, or 0 when it sent none or no number."""
    age = headers.get("Age").strip()
    return int(age) if age.isascii() and age.isdigit() and len(age) <= 10 else 0


@lru_cache(_UNPACKED_HEADS)
def _unpacked(head: bytes) -> Headers:
    parts = head.decode("utf-8", "surrogateescape").split("\0")
    return Headers(zip(parts[::2], parts[1::2], strict=False))


def _pack(headers: Headers) -> bytes:
    # No header name or value can hold a NUL.
    return "\0".join([part for line in headers for part in line]).encode("utf-8", "surrogateescape")
