"""How often stored objects have answered, for people who look at the cache."""

from collections.abc import Sequence
from typing import Final

from edgeproxy.exchange.model import Exchange, RepeatedHit

__all__ = ["HitCounts"]

_MOST: Final = 50_000
"""Objects that are counted; of more, those that were first seen longest ago begin anew."""


class HitCounts:
    """A reader that counts hits by the digest of the cache key, since the object was fetched."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}

    def of(self, digest: bytes) -> int:
        """How many requests the object under ``digest`` has answered."""
        return self._counts.get(digest, 0)

    def ended(self, exchange: Exchange) -> None:
        if not exchange.cache_key:
            return
        for step in reversed(exchange.steps):
            if step.name == "cache" and step.decision is not None:
                if step.decision.kind in ("Hit", "RefreshHit"):
                    self._count(exchange.cache_key)
                else:
                    self._counts.pop(exchange.cache_key, None)
                return

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        counts = self._counts
        for hit in hits:
            digest = hit.cache_key
            if digest in counts:
                counts[digest] += 1
            elif digest:
                self._count(digest)

    def _count(self, digest: bytes) -> None:
        counts = self._counts
        if len(counts) >= _MOST and digest not in counts:
            del counts[next(iter(counts))]
        counts[digest] = counts.get(digest, 0) + 1
