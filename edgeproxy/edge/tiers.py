"""The caches between a viewer and an origin: edge location, regional edge cache, Origin Shield.

Each is a :class:`Cache` over a store of its own, and they stand one behind the other. To the one
in front, the next is an origin that says when it got the object: so an object's age and lifetime
go on, and nothing lives longer for having passed through several caches.

- The regional edge cache is an option. What is not cacheable, and every method but GET and HEAD,
  goes past it.
- Origin Shield stands in front of one origin (CDN-OSH-05): behind the choice of the origin, so
  that failover asks one shield after the other, and before the functions of that origin's events
  (CDN-OSH-04). It caches what the edge location caches; the rest passes through (CDN-OSH-03).
- Where the shield is in the Region of the regional edge cache, they are one (CDN-OSH-02).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Final, TypeAlias

from edgeproxy.cache.cache import Cache, Fill, Obtained
from edgeproxy.cache.fetched import Fetched, Layer
from edgeproxy.cache.freshness import CacheRules
from edgeproxy.cache.invalidation import Selection, invalidation
from edgeproxy.cache.key import CacheKey
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Origin
from edgeproxy.edge.delivery import shape
from edgeproxy.edge.outcomes import FUNCTION_FAILURES
from edgeproxy.exchange.model import Decision, Exchange
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from edgeproxy.http.messages import Request

__all__ = ["LAYER_NAMES", "Asked", "Tiers", "revalidating"]

LAYER_NAMES: Final = {
    Layer.EDGE: "edge location",
    Layer.REGIONAL: "regional edge cache",
    Layer.SHIELD: "Origin Shield",
}

_REGION: Final = "us-east-1"
"""Where the regional edge cache is: as functions are told of their edge location (CFF-HLP-01)."""

_VIEWERS_CONDITIONS: Final = (
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the cache may answer, its key, and the rules by which an answer is kept."""

    request: Request
    key: CacheKey
    rules: CacheRules


FillAsked: TypeAlias = Callable[[Asked | None, Headers | None], Awaitable[Fetched]]
"""Asks the origin; without :class:`Asked` for what no cache may answer."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """All caches of an edge location; without ``regional`` it asks origins itself."""

    edge: Cache
    shields: Cache
    clock: Clock
    regional: Cache | None = None

    async def open(self) -> None:
        """Make all stores ready. Raises :class:`edgeproxy.errors.UsageError`."""
        for cache in self._inwards():
            await cache.open()

    async def close(self) -> None:
        """Let go of all stores."""
        for cache in self._inwards():
            await cache.close()

    @property
    def is_on(self) -> bool:
        """Whether any cache is asked at all."""
        return self.edge.is_on

    def switch(self, *, on: bool) -> None:
        """Off: every request goes to its origin, and nothing is stored; on: as ever."""
        for cache in self._inwards():
            cache.switch(on=on)

    async def invalidate(self, distribution_id: str, paths: Sequence[str]) -> int:
        """Forget the objects that ``paths`` name; how many the cache with most of them had."""
        selection = invalidation(distribution_id, paths)
        # The innermost first: no other can fetch from it what was to be forgotten.
        return max([await cache.drop(selection) for cache in reversed(self._inwards())])

    async def discard(self, key: CacheKey) -> bool:
        """Forget one object in all caches; whether any had it."""
        return any([await cache.discard(key) for cache in reversed(self._inwards())])

    def by_layer(self) -> list[tuple[Layer, Cache]]:
        """Each cache with what it is called, from the viewer to the origin."""
        found = [(Layer.EDGE, self.edge)]
        if self.regional is not None:
            found.append((Layer.REGIONAL, self.regional))
        return [*found, (Layer.SHIELD, self.shields)]

    async def forget(self, selection: Selection) -> None:
        """Forget here, too, what another edge has dropped from the regional cache they share."""
        for cache in (self.shields, self.edge):
            await cache.drop(selection)

    def _inwards(self) -> list[Cache]:
        regional = [] if self.regional is None else [self.regional]
        return [self.edge, *regional, self.shields]

    async def obtain(self, exchange: Exchange, asked: Asked, fill: Fill) -> Obtained:
        """The object from the edge location's cache, or through those behind it."""
        is_read = asked.request.method in ("GET", "HEAD")
        if self.regional is not None and is_read and not asked.rules.disabled:
            fill = partial(self._ask, self.regional, Layer.REGIONAL, exchange, asked, fill)
        return await _obtain(self.edge, asked, fill)

    async def shielded(
        self,
        exchange: Exchange,
        asked: Asked | None,
        origin: Origin,
        fill: Fill,
        conditions: Headers | None,
    ) -> Fetched:
        """The answer of ``origin``, through its Origin Shield if it has one."""
        region = origin.origin_shield_region
        is_regional = region == _REGION
        if not region or (is_regional and self.regional is not None):
            return await fill(conditions)
        layer = Layer.REGIONAL if is_regional else Layer.SHIELD
        if asked is None or asked.rules.disabled:
            return replace(await fill(conditions), layer=layer)
        # The key of an object does not tell which origin it is from.
        place = f"{origin.id}\0{origin.domain_name}{origin.origin_path}".encode()
        digest = blake2b(asked.key.digest + place, digest_size=len(asked.key.digest)).digest()
        asked = replace(asked, key=replace(asked.key, digest=digest))
        return await self._ask(self.shields, layer, exchange, asked, fill, conditions)

    async def _ask(
        self,
        cache: Cache,
        layer: Layer,
        exchange: Exchange,
        asked: Asked,
        fill: Fill,
        conditions: Headers | None,
    ) -> Fetched:
        """The answer of ``cache`` to the cache in front of it, which asks with ``conditions``."""
        request = asked.request
        if conditions is not None:
            request = replace(request, headers=revalidating(request.headers, conditions))

        async def behind(own: Headers | None) -> Fetched:
            # What this one has not stored may still be confirmed for the one in front.
            return await fill(conditions if own is None else own)

        with exchange.step(LAYER_NAMES[layer], before=request) as step:
            obtained = await _obtain(cache, replace(asked, request=request), behind)
            fetched = self._passed_on(request, obtained, obtained.layer or layer)
            step.decision = Decision(obtained.outcome, obtained.lookup.why)
            step.after = fetched.response
        return fetched

    def _passed_on(self, request: Request, obtained: Obtained, layer: Layer) -> Fetched:
        now = self.clock.now()
        response, received_at = obtained.response, obtained.received_at
        if obtained.is_object:
            response = shape(request, replace(obtained, age_s=None), now)
        if obtained.entry is not None:
            received_at = obtained.entry.stored_at
        if received_at is not None and obtained.age_s is not None:
            age_s = obtained.age_s - max(0, int(now - received_at))
            response = replace(response, headers=response.headers.with_set("Age", str(age_s)))
        return Fetched(
            response,
            obtained.detail not in FUNCTION_FAILURES,
            obtained.detail,
            obtained.outcome,
            received_at,
            layer,
        )


async def _obtain(cache: Cache, asked: Asked, fill: Fill) -> Obtained:
    request = asked.request
    may_store = request.method != "HEAD"  # Its answer has no body (CDN-MTH-08).
    headers = request.headers if request.method == "GET" else EMPTY_HEADERS
    return await cache.obtain(
        asked.key,
        asked.rules,
        fill,
        may_store=may_store,
        asked=headers,
        has_left=request.has_left,
    )


def revalidating(headers: Headers, conditions: Headers) -> Headers:
    """A cache's own conditions in place of the viewer's (CDN-VAL-01)."""
    headers = headers.without(*_VIEWERS_CONDITIONS)
    for name, value in conditions:
        headers = headers.with_set(name, value)
    return headers
