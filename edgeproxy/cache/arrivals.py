"""What becomes of an origin's answer: it is handed to all who wait, and stored if it may be."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from edgeproxy.cache.collecting import CollectingBody
from edgeproxy.cache.entry import (
    Content,
    Entry,
    Hit,
    Lookup,
    Stale,
    initial_age,
    stored_headers,
)
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.flight import Errand, Flight, Obtained
from edgeproxy.cache.freshness import Decision, NotStorable, Storable, judge
from edgeproxy.cache.keeping import Keeping
from edgeproxy.cache.parts import ArrivedPart, arrived_part, is_other_version, table_of
from edgeproxy.cache.stores import Store
from edgeproxy.cache.validation import after_failure, refresh
from edgeproxy.clock import Clock
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Response

__all__ = ["Arrivals", "Bring", "served"]

Bring: TypeAlias = Callable[[], Awaitable[object]]
"""Brings a body, piece by piece, to all who have its head."""

_Dress: TypeAlias = Callable[[Response], Response]


class Arrivals:
    """Lands flights in ``store``.

    ``max_object_bytes`` bounds what is stored, ``max_unannounced_bytes`` that whose length is not
    known beforehand. ``close`` is called with a flight that nobody may join any more.
    """

    def __init__(
        self,
        store: Store,
        keeping: Keeping,
        clock: Clock,
        close: Callable[[Flight], None],
        max_object_bytes: int,
        max_unannounced_bytes: int,
    ) -> None:
        self._store = store
        self._keeping = keeping
        self._clock = clock
        self._close = close
        self._max_object_bytes = max_object_bytes
        self._max_unannounced_bytes = min(max_unannounced_bytes, max_object_bytes)

    async def land(self, flight: Flight, fetched: Fetched) -> Bring | None:
        """Hand the answer out, and store it if it may be; what is left to do after that."""
        errand, response = flight.errand, fetched.response
        is_deserted = flight.is_deserted
        if is_deserted and not flight.waiting:
            await response.body.close()
            return None
        settled = await self._settle_stale(errand, fetched)
        if settled is not None:
            shared = settled.stored is None or _shares(settled.stored)
            flight.hand_out(lambda: settled, (lambda: _collapsed(settled)) if shared else None)
            return None
        now = self._clock.now() if fetched.received_at is None else fetched.received_at
        if errand.table is not None and is_other_version(table_of(errand.table), response):
            await self._keeping.forget(errand.key, errand.table)
        part = arrived_part(response, errand.sent)
        decision = _judge(fetched, errand, part, now)
        # Viewers who wait share an error although it is not stored (CDN-COL-07).
        shared = _shares(decision) or response.status >= 500
        decision = self._fitting(decision, response)
        if errand.stale is not None and _outdates(response, decision):
            await self._keeping.replace(errand.key, errand.stale, errand.stale, decision)
        if is_deserted:
            shared, decision = False, NotStorable("its viewer left before it came (CDN-VAL-22)")
        obtained = self._passed_on(errand, fetched, decision)
        dress = _dress(errand, response)
        if isinstance(response.body, BytesBody):
            if isinstance(decision, Storable):
                await self._put(flight, response.body.data, fetched, part, decision, now)
            # Nobody can join any more once it has been handed out.
            join = self._joiner(obtained, dress, now) if shared and flight.waiters else None
            flight.hand_out(lambda: _dressed(obtained, dress), join)
        elif isinstance(decision, Storable) or (shared and flight.waiters):
            return self._stream(flight, fetched, obtained, part, shared, now)
        else:
            if flight.leader is None or flight.leader.done():
                await response.body.close()
            flight.hand_out(lambda: _dressed(obtained, dress), None)
        return None

    async def give_to_one(self, errand: Errand, fetched: Fetched) -> Obtained:
        """The answer for one caller: nothing is shared, no new object is stored."""
        settled = await self._settle_stale(errand, fetched)
        if settled is not None:
            return settled
        decision = NotStorable("the answer to this request is not the whole object")
        return self._passed_on(errand, fetched, decision)

    def _passed_on(self, errand: Errand, fetched: Fetched, decision: Decision) -> Obtained:
        """What a fill brought; its age goes on if it has lain in a cache behind this one."""
        age_s, received_at = None, fetched.received_at
        if fetched.outcome == "Hit" and received_at is not None:
            age_s = initial_age(fetched.response.headers)
            age_s += max(0, int(self._clock.now() - received_at))
        return Obtained(
            errand.lookup,
            fetched.outcome,
            fetched.response,
            age_s,
            decision,
            fetched.detail,
            layer=fetched.layer,
            received_at=received_at,
        )

    def _stream(
        self,
        flight: Flight,
        fetched: Fetched,
        obtained: Obtained,
        part: ArrivedPart | None,
        shared: bool,
        now: float,
    ) -> Bring:
        """Stream the body to all viewers, and store it once it is complete."""
        source = fetched.response.body
        storable = obtained.stored if isinstance(obtained.stored, Storable) else None
        kept_bytes = 0 if storable is None or flight.doomed else self._limit(source.length)
        collecting = CollectingBody(
            source,
            kept_bytes,
            start_draft=self._store.draft,
            may_be_endless=_is_of_events(fetched.response),
        )
        flight.collecting = collecting
        dress = _dress(flight.errand, fetched.response)

        def lead() -> Obtained:
            body = collecting.reader()
            assert body is not None, "nothing has been read yet"
            return replace(obtained, response=dress(replace(obtained.response, body=body)))

        join = self._joiner(obtained, dress, now, collecting) if shared else None
        flight.hand_out(lead, join)
        if storable is None or storable.releases or not storable.ttl_s or not collecting.keeping:
            self._close(flight)

        async def keep(body: bytes | Content) -> None:
            if storable is not None:
                await self._put(flight, body, fetched, part, storable, now)

        return partial(collecting.pump, keep)

    def _joiner(
        self,
        obtained: Obtained,
        dress: _Dress,
        received_at: float,
        collecting: CollectingBody | None = None,
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
                dress(replace(response, headers=headers, body=body)),
                age_s if isinstance(decision, Storable) else None,
                detail=_kept_detail(response.status, obtained.detail),
                received_at=received_at,
            )

        return join

    async def _settle_stale(self, errand: Errand, fetched: Fetched) -> Obtained | None:
        """The stale object, where the origin confirms it or it may stand in for a failed origin."""
        stale, status, now = errand.stale, fetched.response.status, self._clock.now()
        if stale is None:
            return None
        if status == 304 and errand.conditions is not None:
            received_at = now if fetched.received_at is None else fetched.received_at
            renewed, decision = refresh(
                errand.key, stale, fetched.response.headers, errand.rules, received_at
            )
            await fetched.response.body.close()
            await self._keeping.replace(errand.key, stale, renewed, decision)
            shown = errand.shown(renewed)
            # CDN-VAL-19 (U): no Age on the answer that was revalidated.
            is_hit = fetched.outcome == "Hit"
            return Obtained(
                errand.lookup,
                "Hit" if is_hit else "RefreshHit",
                shown.response(),
                renewed.age_s(now) if is_hit else None,
                decision,
                entry=shown,
                layer=fetched.layer,
            )
        if not fetched.may_store:
            return None
        kept = after_failure(stale, status, errand.rules, now)
        if kept is None:
            return None
        await fetched.response.body.close()
        await self._keeping.replace(errand.key, stale, kept, None)
        why = f"{errand.lookup.why}; the origin failed with {status}, the stale object stands in"
        return served(errand.shown(kept), Stale(why, usable=True, revalidates=False), now)

    async def _put(
        self,
        flight: Flight,
        body: bytes | Content,
        fetched: Fetched,
        part: ArrivedPart | None,
        storable: Storable,
        now: float,
    ) -> None:
        response = fetched.response
        if part is not None:
            await self._keeping.put_part(flight, response, part, body, storable, now)
            return
        detail = _kept_detail(response.status, fetched.detail)
        await self._keeping.put(flight, response, body, storable, now, detail)

    def _limit(self, length: int | None) -> int:
        return self._max_unannounced_bytes if length is None else self._max_object_bytes

    def _fitting(self, decision: Decision, response: Response) -> Decision:
        """``decision``, unless the body is known to be larger than what is stored."""
        length = response.body.length
        if isinstance(decision, NotStorable) or length is None or length <= self._max_object_bytes:
            return decision
        return NotStorable(f"{length} bytes; at most {self._max_object_bytes} are stored")


def served(entry: Entry, lookup: Lookup, now: float) -> Obtained:
    """The answer that a stored object is."""
    return Obtained(
        lookup, "Hit", entry.response(), entry.age_s(now), detail=entry.detail, entry=entry
    )


def _judge(fetched: Fetched, errand: Errand, part: ArrivedPart | None, now: float) -> Decision:
    status = fetched.response.status
    if not fetched.may_store:
        return NotStorable("a function's error is not stored")
    if status >= 400 and errand.table is not None and now < errand.table.fresh_until:
        return NotStorable(f"{status} for one part; other parts of the object are fresh")
    # A part lives as long as the object of which it is.
    return judge(status if part is None else 200, fetched.response.headers, errand.rules, now)


def _dress(errand: Errand, response: Response) -> _Dress:
    """Makes the viewer's answer: the origin's own, or stored parts with the origin's between."""
    if errand.gap is not None and errand.gap.is_filled_by(response):
        return errand.gap.around
    return lambda response: response


def _dressed(obtained: Obtained, dress: _Dress) -> Obtained:
    response = dress(obtained.response)
    return obtained if response is obtained.response else replace(obtained, response=response)


def _is_of_events(response: Response) -> bool:
    """Whether the body goes on for as long as somebody listens."""
    return response.headers.get("Content-Type").lower().startswith("text/event-stream")


def _shares(decision: Decision) -> bool:
    """Whether those who wait may have this answer too (CDN-COL-05)."""
    return isinstance(decision, Storable) and not decision.releases


def _outdates(response: Response, decision: Decision) -> bool:
    """Whether this is a new version that may not be stored: the old one must go (CDN-VAL-04)."""
    is_version = response.status < 400 and response.status not in (206, 304)
    return is_version and isinstance(decision, NotStorable)


def _kept_detail(status: int, detail: str) -> str:
    """The detailed result type of a later hit: only an error keeps its own."""
    return detail if status >= 400 else ""


def _collapsed(settled: Obtained) -> Obtained:
    """A settled stale object for one who waited for it, with a body of its own."""
    assert settled.entry is not None, "it is made from a stored object"
    settled = replace(settled, response=settled.entry.response())
    if settled.outcome == "Hit":
        return settled
    return replace(settled, lookup=Hit(0, "revalidated", collapsed=True), outcome="Hit", age_s=0)
