"""The cache of an edge location: looks objects up, and has them fetched once for all who wait.

A fresh object costs one look into the store. For anything else the origin is asked by a
*flight*, which fills the store and hands its answer to the viewer who set it off and to all who
wait for the same key (CDN-COL-01), and for the same range unless the whole is on its way. A
flight that others may wait for is a task of its own: a viewer who leaves changes nothing for
them; the flight goes on (CDN-VAL-22).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from cachetools import LRUCache

from edgeproxy.cache.arrivals import Arrivals, Bring, served
from edgeproxy.cache.entry import Entry, Hit, Lookup, Miss, Stale
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.flight import Errand, Flight, Landing, Obtained, landed
from edgeproxy.cache.freshness import CacheRules
from edgeproxy.cache.invalidation import Selection, invalidation
from edgeproxy.cache.keeping import Keeping
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.parts import find_parts, is_table
from edgeproxy.cache.stores import Dropped, Store, Stored, Taken
from edgeproxy.cache.validation import look_up, validators
from edgeproxy.clock import Clock
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from edgeproxy.tasks import Tasks

__all__ = ["Cache", "Fill", "Obtained"]

Fill: TypeAlias = Callable[[Headers | None], Awaitable[Fetched]]
"""Asks the origin; the argument is what to ask with in place of the viewer's own conditions and
ranges (a revalidation, a missing part), or None."""

MAX_OBJECT_BYTES: Final = 64 * 1024 * 1024
MAX_UNANNOUNCED_BYTES: Final = 16 * 1024 * 1024

_OTHER_PARTS: Final = Miss("only other parts of the object are stored")


class Cache:
    """Stored objects of all distributions, with the rules for their use.

    ``max_object_bytes`` bounds an object that is stored, ``max_unannounced_bytes`` one whose
    length is not known beforehand. Larger ones stream through.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tasks: Tasks,
        *,
        max_object_bytes: int = MAX_OBJECT_BYTES,
        max_unannounced_bytes: int = MAX_UNANNOUNCED_BYTES,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._keeping = Keeping(store)
        self._arrivals = Arrivals(
            store,
            self._keeping,
            clock,
            self._close_for_joiners,
            max_object_bytes,
            max_unannounced_bytes,
        )
        self._aloft: set[Flight] = set()
        self._joinable: dict[tuple[bytes, str, str], Flight] = {}
        self._invalidated: LRUCache[bytes, bool] = LRUCache(Dropped.REMEMBERED)
        store.listen(self._doom)
        self.generation = 0
        """Grows with each invalidation; what was prepared from objects before is out of date."""

    @property
    def is_on(self) -> bool:
        """Whether objects are stored and found; who is about to ask looks first."""
        return self._keeping.is_on

    def switch(self, *, on: bool) -> None:
        """Off: nothing is put any more, nor found at hand. What lies there is there again later."""
        self._keeping.is_on = on
        self.generation += 1

    async def open(self) -> None:
        """Make the store ready. Raises :class:`edgeproxy.errors.UsageError`."""
        await self._store.open()

    async def close(self) -> None:
        """Let go of the store; no flight may be under way any more."""
        await self._store.close()

    def listen(self, heard: Callable[[Selection | None], None]) -> None:
        """Have ``heard`` called for what another edge drops from the store that they share."""
        self._store.listen(heard)

    async def kept(self, digest: bytes) -> Entry | None:
        """What lies under the digest of a key, fresh or not."""
        return await self._store.get(digest)

    async def listed(
        self, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Stored]:
        """The first ``most`` objects behind ``after`` whose paths begin with ``prefix``."""
        return await self._store.listed(distribution_id, prefix, after, most)

    async def taken(self, distribution_ids: Sequence[str]) -> Taken:
        """How full the store is."""
        return await self._store.taken(distribution_ids)

    async def discard(self, key: CacheKey) -> bool:
        """Forget one object; whether it was there. What is being fetched for it is not stored."""
        for flight in list(self._aloft):
            if flight.errand.key.digest == key.digest:
                flight.doom()
                self._close_for_joiners(flight)
        self.generation += 1
        return await self._keeping.discard(key)

    async def look(
        self, key: CacheKey, asked: Headers = EMPTY_HEADERS, *, has_body: bool = True
    ) -> tuple[Entry | None, Lookup]:
        """What a request with the headers ``asked`` would find now, without being one.

        ``has_body`` is False for HEAD.
        """
        entry = await self._store.get(key.digest)
        lookup = look_up(entry, self._clock.now())
        if entry is None or not is_table(entry):
            return entry, lookup
        partial = await find_parts(self._store, key, entry, asked, has_body=has_body)
        return partial.shown(entry), lookup if partial.suffices else _OTHER_PARTS

    def at_hand(self, digest: bytes, now: float) -> Entry | None:
        """The whole, fresh object if it lies in memory; None does not say that there is none."""
        entry = self._store.at_hand(digest)
        if entry is None or now >= entry.fresh_until or is_table(entry) or not self._keeping.is_on:
            return None
        return entry

    async def obtain(
        self,
        key: CacheKey,
        rules: CacheRules,
        fill: Fill,
        *,
        may_store: bool = True,
        asked: Headers = EMPTY_HEADERS,
        has_left: Callable[[], bool] | None = None,
    ) -> Obtained:
        """The object under ``key``, from the store or by ``fill``.

        With ``may_store=False`` (a HEAD request) a stored object is used as ever, but what
        ``fill`` brings is for this caller alone. ``asked`` are the request's headers when its
        ranges and conditions count; without them parts are neither stored nor enough. What comes
        when everybody ``has_left`` is not stored (CDN-VAL-22). Raises what ``fill`` raises, to all
        who wait.
        """
        if rules.disabled:
            return Obtained.uncached(await fill(None), rules.why_disabled)
        now = self._clock.now()
        entry = await self._store.get(key.digest)
        lookup = look_up(entry, now)
        if entry is not None and isinstance(lookup, Hit) and not is_table(entry):
            return served(entry, lookup, now)
        errand = await self._errand(key, rules, entry, lookup, asked, has_body=may_store)
        lookup = errand.lookup
        if entry is not None and isinstance(lookup, Hit):
            return served(errand.shown(entry), lookup, now)
        if entry is not None and isinstance(lookup, Stale) and lookup.usable:
            if lookup.revalidates and may_store and errand.identity not in self._joinable:
                self._launch(Flight(errand, None), fill, joinable=True)
            return served(errand.shown(entry), lookup, now)
        if not may_store:
            return await self._arrivals.give_to_one(errand, await fill(errand.conditions))
        flight = self._joinable_for(errand) if rules.may_collapse else None
        if flight is not None and (obtained := await flight.joined(errand, has_left)) is not None:
            return obtained
        return await self._fly(errand, fill, has_left)

    async def invalidate(self, distribution_id: str, paths: Sequence[str]) -> int:
        """Forget the objects that paths and tags name (CDN-INV-02 to 05, 17); how many there were.

        A fetch under way for one of them still answers its viewers, but is not stored.
        """
        return await self.drop(invalidation(distribution_id, paths))

    async def drop(self, selection: Selection) -> int:
        """Forget the objects that an invalidation names; how many there were."""
        self._doom(selection)
        dropped = await self._keeping.drop(selection)
        self._invalidated.update((digest, True) for digest in dropped.latest)
        self.generation += 1
        return dropped.count

    def _doom(self, selection: Selection | None) -> None:
        """What is being fetched and invalidated here or elsewhere is not stored; None: anything."""
        for flight in list(self._aloft):
            if selection is None or selection.may_take(flight.errand.key):
                flight.doom()
                self._close_for_joiners(flight)
                self._invalidated[flight.errand.key.digest] = True
        self.generation += 1

    async def _errand(
        self,
        key: CacheKey,
        rules: CacheRules,
        entry: Entry | None,
        lookup: Lookup,
        asked: Headers,
        *,
        has_body: bool,
    ) -> Errand:
        """What is to be asked of the origin, unless the lookup is a hit."""
        ranges = EMPTY_HEADERS
        if "Range" in asked or "If-Range" in asked:
            ranges = Headers([line for line in asked if line[0].lower() in ("range", "if-range")])
        errand = Errand(key, rules, lookup, ranges)
        if entry is None:
            forgotten = self._invalidated.pop(key.digest, False)
            return replace(errand, lookup=Miss("invalidated")) if forgotten else errand
        if is_table(entry):
            partial = await find_parts(self._store, key, entry, asked, has_body=has_body)
            errand = replace(errand, partial=partial)
            if not partial.suffices:
                gap = partial.gap if isinstance(lookup, Hit) else None
                conditions = None if gap is None else gap.conditions
                return replace(errand, lookup=_OTHER_PARTS, gap=gap, conditions=conditions)
        if not isinstance(lookup, Stale):
            return errand
        conditions = validators(entry, rules)
        if conditions is not None and errand.partial is not None and errand.partial.is_ranged:
            conditions = conditions.with_set("Range", asked.get("Range"))
        return replace(errand, stale=entry, conditions=conditions)

    async def _fly(
        self, errand: Errand, fill: Fill, has_left: Callable[[], bool] | None
    ) -> Obtained:
        leader: Landing = asyncio.get_running_loop().create_future()
        flight = Flight(errand, leader)
        flight.have_left.append(has_left)
        if errand.rules.may_collapse:
            self._launch(flight, fill, joinable=True)
            obtained = await landed(leader)
        else:
            # Nobody else may wait for it: it needs no task until there is a body to bring.
            obtained = await self._fly_alone(flight, leader, fill)
        assert obtained is not None, "the leader is always served"
        return obtained

    async def _fly_alone(self, flight: Flight, leader: Landing, fill: Fill) -> Obtained | None:
        self._aloft.add(flight)
        bring = None
        try:
            fetched = await self._fetch(flight, fill)
            try:
                bring = await self._arrivals.land(flight, fetched)
            except asyncio.CancelledError:
                await fetched.response.body.close()
                raise
        finally:
            if bring is None:
                self._aloft.discard(flight)
        if bring is not None:
            _ = self._tasks.start(self._bring(flight, bring), f"fetch of {flight.errand.key.path}")
        return leader.result()

    async def _bring(self, flight: Flight, bring: Bring) -> None:
        try:
            await bring()
        finally:
            self._aloft.discard(flight)

    def _launch(self, flight: Flight, fill: Fill, *, joinable: bool) -> None:
        self._aloft.add(flight)
        if joinable:
            self._joinable[flight.identity] = flight
        _ = self._tasks.start(self._run(flight, fill), f"fetch of {flight.errand.key.path}")

    def _joinable_for(self, errand: Errand) -> Flight | None:
        if not self._joinable:
            return None
        whole = replace(errand, asked=EMPTY_HEADERS).identity
        return self._joinable.get(whole) or self._joinable.get(errand.identity)

    def _close_for_joiners(self, flight: Flight) -> None:
        if self._joinable.get(flight.identity) is flight:
            del self._joinable[flight.identity]

    async def _run(self, flight: Flight, fill: Fill) -> None:
        try:
            bring = await self._arrivals.land(flight, await self._fetch(flight, fill))
            if bring is not None:
                await bring()
        except Exception as error:
            waiting = flight.waiting
            for landing in waiting:
                landing.set_exception(error)
            if not waiting:
                raise
        finally:
            for landing in flight.waiting:
                landing.cancel()
            self._close_for_joiners(flight)
            self._aloft.discard(flight)

    async def _fetch(self, flight: Flight, fill: Fill) -> Fetched:
        errand = flight.errand
        fetched = await fill(errand.conditions)
        response, gap = fetched.response, errand.gap
        if gap is None or response.status not in (206, 416) or gap.is_filled_by(response):
            return fetched
        # What would fill the gap is of another version, and not all that was asked (CDN-RNG-09).
        await response.body.close()
        await self._keeping.forget(errand.key, gap.partial.table)
        flight.errand = replace(errand, partial=None, gap=None, conditions=None)
        return await fill(None)
