"""The caches of an edge as people see them: what lies there, and the switch that turns them off."""

import base64
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from edgeproxy.cache.fetched import Layer
from edgeproxy.cache.key import CacheKey, restored_key
from edgeproxy.cache.parts import is_table, table_of
from edgeproxy.cache.stores import Stored, Taken
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.reasons import key_of, reasons
from edgeproxy.edge.tiers import Tiers
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Exchange

__all__ = ["Kept", "Page", "StoredObjects"]

_START = ("", b"")


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored object, and the cache that has it."""

    distribution: Distribution
    layer: Layer
    stored: Stored
    key: CacheKey


@dataclass(frozen=True, slots=True)
class Page:
    """Stored objects by distribution and path; ``following`` goes on behind them, None: the end."""

    objects: Sequence[Kept]
    following: str | None
    now: float


class StoredObjects:
    """Looks into ``tiers`` from outside; ``switched`` is called when the switch was moved."""

    def __init__(
        self,
        tiers: Tiers,
        distributions: Callable[[], Collection[Distribution]],
        switched: Callable[[], None],
    ) -> None:
        self._tiers = tiers
        self._distributions = distributions
        self._switched = switched

    @property
    def is_on(self) -> bool:
        """Whether the caches are asked and filled at all."""
        return self._tiers.is_on

    def switch(self, *, on: bool) -> None:
        """Off: every request goes to its origin; what is stored is found again when it is on."""
        self._tiers.switch(on=on)
        self._switched()

    async def reasons(self, exchange: Exchange) -> dict[str, object] | None:
        """Why a recorded request went as it did; None when its distribution is gone."""
        named = [each for each in self._distributions() if each.logical_id == exchange.name]
        if exchange.door != "distribution" or not named:
            return None
        key = key_of(named[0], exchange)
        stored = None if key is None else await self._tiers.edge.kept(key.digest)
        return reasons(named[0], exchange, stored, self._tiers.clock.now())

    async def page(self, distribution: str, prefix: str, after: str | None, most: int) -> Page:
        """Up to ``most`` objects whose paths begin with ``prefix``, behind the page ``after``.

        ``distribution`` is a logical ID or ID; empty for all. The variants of a URL stand one
        behind the other, and may go on on the next page. Raises :class:`UsageError`.
        """
        last, place = ("", _START) if after is None else _parse_place(after)
        found: list[Kept] = []
        for each in sorted(self._distributions(), key=lambda each: each.id):
            if (distribution and distribution not in (each.id, each.logical_id)) or each.id < last:
                continue
            start = place if each.id == last else _START
            found += await self._objects(each, prefix or "/", start, most + 1 - len(found))
            if len(found) > most:
                break
        following = None
        if len(found) > most:
            del found[most:]
            following = _format_place(found[-1])
        shown = [await self._summed(kept) for kept in found if not _is_part(kept.stored)]
        return Page(shown, following, self._tiers.clock.now())

    async def _objects(
        self, distribution: Distribution, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Kept]:
        found = [
            Kept(distribution, layer, stored, _key(distribution, stored))
            for layer, cache in self._tiers.by_layer()
            for stored in await cache.listed(distribution.id, prefix, after, most)
        ]
        found.sort(key=lambda kept: kept.stored.place)
        return found[:most]

    async def _summed(self, kept: Kept) -> Kept:
        """With the size of all stored parts, for an object that lies there in parts."""
        if not is_table(kept.stored.entry):
            return kept
        cache = dict(self._tiers.by_layer())[kept.layer]
        entry = await cache.kept(kept.stored.digest)
        if entry is None or not is_table(entry):
            return kept  # It has gone meanwhile.
        places = [part.place for part in table_of(entry).parts]
        size = sum(place.last - place.first + 1 for place in places)
        return replace(kept, stored=replace(kept.stored, size=size))

    async def taken(self) -> Taken:
        """How full the edge location's own cache is."""
        return await self._tiers.edge.taken([each.id for each in self._distributions()])

    async def discard(self, digest: bytes) -> bool:
        """Forget one object in all caches; whether there was one."""
        for _, cache in self._tiers.by_layer():
            entry = await cache.kept(digest)
            for each in self._distributions() if entry is not None else ():
                if entry is not None and each.id == entry.distribution_id:
                    return await self._tiers.discard(_key(each, Stored(digest, entry, 0)))
        return False

    async def clear(self) -> int:
        """Drop the objects of all distributions; how many there were."""
        ids = [each.id for each in self._distributions()]
        return sum([await self._tiers.invalidate(each, ["/*"]) for each in ids])


def _key(distribution: Distribution, stored: Stored) -> CacheKey:
    behavior = match_behavior(distribution, stored.entry.path)
    return restored_key(distribution, behavior, stored.digest, stored.entry)


def _is_part(stored: Stored) -> bool:
    """Whether it is a part of another object, found through that one's table only."""
    return is_table(stored.entry) and not stored.entry.head


def _format_place(kept: Kept) -> str:
    target, digest = kept.stored.place
    text = json.dumps([kept.distribution.id, target, digest.hex()])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _parse_place(text: str) -> tuple[str, tuple[str, bytes]]:
    try:
        match json.loads(base64.urlsafe_b64decode(text)):
            case [str(distribution_id), str(target), str(digest)]:
                return distribution_id, (target, bytes.fromhex(digest))
            case _:
                raise ValueError("no place")
    except ValueError as error:
        raise UsageError("after is not what an earlier page has given") from error
