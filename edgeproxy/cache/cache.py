"""The cache of an edge location: looks objects up, and has them fetched once for all who wait.

A fresh object costs one look into the store. For anything else the origin is asked by a
*flight*: a task of its own that fills the store and hands its answer to the viewer who set it
off and to all who wait for the same key (CDN-COL-01). A viewer who leaves changes nothing for the
others; the flight goes on (CDN-VAL-22).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from cachetools import LRUCache

from edgeproxy.cache.collecting import CollectingBody
from edgeproxy.cache.entry import (
    Content,
    Entry,
    Hit,
    Lookup,
    Miss,
    Stale,
    initial_age,
    make_entry,
    stored_headers,
)
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.flight import Errand, Flight, Landing, Obtained, landed
from edgeproxy.cache.freshness import CacheRules, Decision, NotStorable, Storable, judge
from edgeproxy.cache.invalidation import invalidation
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.stores import Store
from edgeproxy.cache.validation import after_failure, look_up, refresh, validators
from edgeproxy.clock import Clock
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.tasks import Tasks

__all__ = ["Cache", "Fill", "Obtained"]

Fill: TypeAlias = Callable[[Headers | None], Awaitable[Fetched]]
"""Asks the origin; the argument are the validators of a revalidation, or None."""

MAX_OBJECT_BYTES: Final = 64 * 1024 * 1024
MAX_UNANNOUNCED_BYTES: Final = 16 * 1024 * 1024
_REMEMBERED_INVALIDATIONS: Final = 10_000


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
        self._max_object_bytes = max_object_bytes
        self._max_unannounced_bytes = min(max_unannounced_bytes, max_object_bytes)
        self._replacing = asyncio.Lock()
        self._aloft: set[Flight] = set()
        self._joinable: dict[bytes, Flight] = {}
        self._invalidated: LRUCache[bytes, bool] = LRUCache(_REMEMBERED_INVALIDATIONS)
        self.generation = 0
        """Grows with each invalidation; what was prepared from objects before is out of date."""

    async def open(self) -> None:
        """Make the store ready. Raises :class:`edgeproxy.errors.UsageError`."""
        await self._store.open()

    async def close(self) -> None:
        """Let go of the store; no flight may be under way any more."""
        await self._store.close()

    async def obtain(
        self, key: CacheKey, rules: CacheRules, fill: Fill, *, may_store: bool = True
    ) -> Obtained:
        """The object under ``key``, from the store or by ``fill``.

        With ``may_store=False`` (a HEAD request) a stored object is used as ever, but what
        ``fill`` brings is for this caller alone. Raises what ``fill`` raises, to all who wait.
        """
        if rules.disabled:
            return Obtained.uncached(await fill(None), rules.why_disabled)
        digest = key.digest
        now = self._clock.now()
        entry = await self._store.get(digest)
        lookup = look_up(entry, now)
        if entry is None:
            if self._invalidated.pop(digest, False):
                lookup = Miss("invalidated")
        elif isinstance(lookup, Hit):
            return _served(entry, lookup, now)
        stale = entry if isinstance(lookup, Stale) else None
        errand = Errand(key, rules, lookup, stale, validators(stale, rules) if stale else None)
        if stale is not None and isinstance(lookup, Stale) and lookup.usable:
            if lookup.revalidates and may_store and digest not in self._joinable:
                self._launch(Flight(errand, None), fill, joinable=True)
            return _served(stale, lookup, now)
        if not may_store:
            return await self._fetch_alone(errand, fill)
        flight = self._joinable.get(digest) if rules.may_collapse else None
        if flight is not None and (obtained := await flight.joined()) is not None:
            return obtained
        return await self._fly(errand, fill)

    async def invalidate(self, distribution_id: str, paths: Sequence[str]) -> int:
        """Forget the objects that ``paths`` name (CDN-INV-02 to 05); how many there were.

        A fetch under way for one of them still answers its viewers, but is not stored.
        """
        matches = invalidation(distribution_id, paths)
        for flight in list(self._aloft):
            if matches(flight.errand.key):
                flight.doom()
                self._close_for_joiners(flight)
                self._invalidated[flight.errand.key.digest] = True
        async with self._replacing:
            dropped = await self._store.drop(matches)
        self._invalidated.update((digest, True) for digest in dropped)
        self.generation += 1
        return len(dropped)

    async def _fly(self, errand: Errand, fill: Fill) -> Obtained:
        leader: Landing = asyncio.get_running_loop().create_future()
        self._launch(Flight(errand, leader), fill, joinable=errand.rules.may_collapse)
        obtained = await landed(leader)
        assert obtained is not None, "the leader is always served"
        return obtained

    def _launch(self, flight: Flight, fill: Fill, *, joinable: bool) -> None:
        self._aloft.add(flight)
        if joinable:
            self._joinable[flight.errand.key.digest] = flight
        _ = self._tasks.start(self._run(flight, fill), f"fetch of {flight.errand.key.path}")

    def _close_for_joiners(self, flight: Flight) -> None:
        digest = flight.errand.key.digest
        if self._joinable.get(digest) is flight:
            del self._joinable[digest]

    async def _run(self, flight: Flight, fill: Fill) -> None:
        try:
            await self._land(flight, await fill(flight.errand.validators))
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

    async def _land(self, flight: Flight, fetched: Fetched) -> None:
        """Hand the answer out, and store it if it may be."""
        if flight.leader is not None and not flight.waiting:
            # Every viewer left before the transfer began: nothing is stored (CDN-VAL-22).
            await fetched.response.body.close()
            return
        settled = await self._settle_stale(flight.errand, fetched)
        if settled is not None:
            shared = settled.stored is None or _shares(settled.stored)
            flight.hand_out(lambda: settled, (lambda: _collapsed(settled)) if shared else None)
            return
        response, errand, now = fetched.response, flight.errand, self._clock.now()
        decision = _judge(fetched, errand.rules, now)
        # Viewers who wait share an error although it is not stored (CDN-COL-07).
        shared = _shares(decision) or response.status >= 500
        decision = self._fitting(decision, response)
        obtained = Obtained(errand.lookup, "Miss", response, stored=decision, detail=fetched.detail)
        if isinstance(response.body, BytesBody):
            if isinstance(decision, Storable):
                await self._put(flight, response.body.data, fetched, decision, now)
            flight.hand_out(lambda: obtained, self._joiner(obtained, now) if shared else None)
        elif isinstance(decision, Storable) or (shared and flight.waiters):
            await self._stream(flight, fetched, obtained, shared, now)
        else:
            if flight.leader is None or flight.leader.done():
                await response.body.close()
            flight.hand_out(lambda: obtained, None)

    async def _stream(
        self, flight: Flight, fetched: Fetched, obtained: Obtained, shared: bool, now: float
    ) -> None:
        """Stream the body to all viewers, and store it once it is complete."""
        source = fetched.response.body
        storable = obtained.stored if isinstance(obtained.stored, Storable) else None
        kept_bytes = 0 if storable is None or flight.doomed else self._limit(source.length)
        collecting = CollectingBody(source, kept_bytes, start_draft=self._store.draft)
        flight.collecting = collecting

        def lead() -> Obtained:
            body = collecting.reader()
            assert body is not None, "nothing has been read yet"
            return replace(obtained, response=replace(obtained.response, body=body))

        flight.hand_out(lead, self._joiner(obtained, now, collecting) if shared else None)
        if storable is None or storable.releases or not storable.ttl_s or not collecting.keeping:
            self._close_for_joiners(flight)

        async def keep(body: bytes | Content) -> None:
            if storable is not None:
                await self._put(flight, body, fetched, storable, now)

        await collecting.pump(keep)

    def _joiner(
        self, obtained: Obtained, received_at: float, collecting: CollectingBody | None = None
    ) -> Callable[[], Obtained | None]:
        """Makes the answer for one more viewer of a fetched answer (CDN-COL-02)."""
        response, decision = obtained.response, obtained.stored
        ttl_s, because, headers = 0, "not stored", response.headers
        if isinstance(decision, Storable):
            ttl_s, because = decision.ttl_s, decision.why
            headers = stored_headers(headers, decision)
        first_age_s = initial_age(response.headers)

        def join() -> Obtained | None:
            passed_s = self._clock.now() - received_at
            if ttl_s and passed_s >= ttl_s:
                return None
            body = response.body if collecting is None else collecting.reader()
            if body is None:
                return None
            age_s = first_age_s + max(0, int(passed_s))
            return Obtained(
                Hit(ttl_s - passed_s, because, collapsed=True),
                "Hit",
                replace(response, headers=headers, body=body),
                age_s if isinstance(decision, Storable) else None,
                detail=_kept_detail(response.status, obtained.detail),
            )

        return join

    async def _fetch_alone(self, errand: Errand, fill: Fill) -> Obtained:
        """Fetch for one caller: nothing is shared, no new object is stored."""
        fetched = await fill(errand.validators)
        settled = await self._settle_stale(errand, fetched)
        if settled is not None:
            return settled
        decision = NotStorable("the answer to this request is not the whole object")
        return Obtained(
            errand.lookup, "Miss", fetched.response, stored=decision, detail=fetched.detail
        )

    async def _settle_stale(self, errand: Errand, fetched: Fetched) -> Obtained | None:
        """The stale object, where the origin confirms it or it may stand in for a failed origin."""
        stale, status, now = errand.stale, fetched.response.status, self._clock.now()
        if stale is None:
            return None
        if status == 304 and errand.validators is not None:
            renewed, decision = refresh(
                errand.key, stale, fetched.response.headers, errand.rules, now
            )
            await fetched.response.body.close()
            await self._replace(errand.key, stale, renewed, decision)
            # CDN-VAL-19 (U): no Age on the answer that was revalidated.
            return Obtained(
                errand.lookup, "RefreshHit", renewed.response(), None, decision, entry=renewed
            )
        if not fetched.may_store:
            return None
        kept = after_failure(stale, status, errand.rules, now)
        if kept is None:
            return None
        await fetched.response.body.close()
        await self._replace(errand.key, stale, kept, None)
        why = f"{errand.lookup.why}; the origin failed with {status}, the stale object stands in"
        return _served(kept, Stale(why, usable=True, revalidates=False), now)

    async def _replace(
        self, key: CacheKey, old: Entry, new: Entry, decision: Decision | None
    ) -> None:
        """Put ``new`` in the place of ``old``, unless another object or none is there by now."""
        async with self._replacing:  # what is invalidated in between must not come back
            current = await self._store.get(key.digest)
            if current is None or current.stored_at != old.stored_at:
                return
            if isinstance(decision, NotStorable):
                await self._store.delete(key.digest)
            else:
                await self._store.put(key.digest, new)

    async def _put(
        self,
        flight: Flight,
        body: bytes | Content,
        fetched: Fetched,
        storable: Storable,
        now: float,
    ) -> None:
        if flight.doomed:
            return
        key, response = flight.errand.key, fetched.response
        detail = _kept_detail(response.status, fetched.detail)
        entry = make_entry(
            key, response.status, response.reason, response.headers, body, storable, now, detail
        )
        await self._store.put(key.digest, entry)
        if flight.doomed:  # while it was being written
            await self._store.delete(key.digest)

    def _limit(self, length: int | None) -> int:
        return self._max_unannounced_bytes if length is None else self._max_object_bytes

    def _fitting(self, decision: Decision, response: Response) -> Decision:
        """``decision``, unless the body is known to be larger than what is stored."""
        length = response.body.length
        if isinstance(decision, NotStorable) or length is None or length <= self._max_object_bytes:
            return decision
        return NotStorable(f"{length} bytes; at most {self._max_object_bytes} are stored")


def _judge(fetched: Fetched, rules: CacheRules, now: float) -> Decision:
    if not fetched.may_store:
        return NotStorable("a function's error is not stored")
    return judge(fetched.response.status, fetched.response.headers, rules, now)


def _shares(decision: Decision) -> bool:
    """Whether those who wait may have this answer too (CDN-COL-05)."""
    return isinstance(decision, Storable) and not decision.releases


def _kept_detail(status: int, detail: str) -> str:
    """The detailed result type of a later hit: only an error keeps its own."""
    return detail if status >= 400 else ""


def _served(entry: Entry, lookup: Lookup, now: float) -> Obtained:
    return Obtained(
        lookup, "Hit", entry.response(), entry.age_s(now), detail=entry.detail, entry=entry
    )


def _collapsed(settled: Obtained) -> Obtained:
    """A settled stale object for one who waited for it."""
    if settled.outcome == "Hit":
        return settled
    return replace(settled, lookup=Hit(0, "revalidated", collapsed=True), outcome="Hit", age_s=0)
