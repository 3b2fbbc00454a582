"""Writes into a store what flights bring, so that nothing out of date comes back.

An invalidation may run while an object is written. Whole objects are written side by side, and
looked at once more afterwards; what depends on what is stored already is done one at a time.
"""

import asyncio
from dataclasses import replace

from edgeproxy.cache.entry import Content, Entry, make_entry
from edgeproxy.cache.flight import Flight
from edgeproxy.cache.freshness import Decision, NotStorable, Storable
from edgeproxy.cache.invalidation import Selection
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.parts import ArrivedPart, Part, Table, is_table, table_of
from edgeproxy.cache.stores import Dropped, Store
from edgeproxy.http.messages import Response

__all__ = ["Keeping"]


class Keeping:
    """Puts whole objects and parts of them into ``store``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()
        self.is_on = True
        """Off: nothing is put, not even what was on its way; what is there stays, and may go."""

    async def drop(self, selection: Selection) -> Dropped:
        """Forget the objects of ``selection``."""
        async with self._one_at_a_time:
            return await self._store.drop(selection)

    async def put(
        self,
        flight: Flight,
        response: Response,
        body: bytes | Content,
        storable: Storable,
        now: float,
        detail: str,
    ) -> None:
        """Keep a whole object, unless it was invalidated since it was asked for."""
        if flight.doomed or not self.is_on:
            return
        key, table = flight.errand.key, flight.errand.table
        entry = make_entry(
            key, response.status, response.reason, response.headers, body, storable, now, detail
        )
        await self._store.put(key.digest, entry)
        if flight.doomed:  # while it was being written
            await self._store.delete(key.digest)
        if table is not None:
            await self._delete_parts(key, table_of(table))

    async def put_part(
        self,
        flight: Flight,
        response: Response,
        arrived: ArrivedPart,
        body: bytes | Content,
        storable: Storable,
        now: float,
    ) -> None:
        """Keep a part beside those of the same version, in place of others (CDN-RNG-09)."""
        key, place, table = flight.errand.key, arrived.place, arrived.table
        async with self._one_at_a_time:
            current = await self._store.get(key.digest)
            if flight.doomed or not self.is_on:
                return
            if len(body) != len(place) or _is_fresh_whole(current, now):
                return
            old = table_of(current) if current is not None and is_table(current) else None
            part = Part(place, now)
            table = (old if old is not None and old.fits(table) else table).with_part(part)
            headers = response.headers.without("Content-Range")
            headers = headers.with_set("Content-Length", str(table.size))
            entry = make_entry(key, 206, "", headers, table.pack(), storable, now)
            await self._store.put(table.digest_of(key, part), replace(entry, head=b"", body=body))
            await self._store.put(key.digest, entry)
            if old is not None:
                await self._delete_parts(key, old, but=table)
            if flight.doomed:  # by an invalidation elsewhere, while it was being written
                await self._forget(key, table)

    async def forget(self, key: CacheKey, entry: Entry) -> None:
        """Drop a table that is out of date, with its parts (CDN-RNG-09)."""
        old = table_of(entry)
        async with self._one_at_a_time:
            current = await self._store.get(key.digest)
            if current is not None and is_table(current):
                table = table_of(current)
                if (table.version, table.size) == (old.version, old.size):
                    await self._forget(key, table)

    async def discard(self, key: CacheKey) -> bool:
        """Drop an object, and the parts of it; whether it was there."""
        async with self._one_at_a_time:
            current = await self._store.get(key.digest)
            if current is not None and is_table(current):
                await self._forget(key, table_of(current))
            elif current is not None:
                await self._store.delete(key.digest)
        return current is not None

    async def replace(
        self, key: CacheKey, old: Entry, new: Entry, decision: Decision | None
    ) -> None:
        """Put ``new`` in the place of ``old``, unless another object or none is there by now."""
        async with self._one_at_a_time:  # what is invalidated in between must not come back
            current = await self._store.get(key.digest)
            if current is None or current.stored_at != old.stored_at:
                return
            if isinstance(decision, NotStorable):
                await self._store.delete(key.digest)
            elif self.is_on:
                await self._store.put(key.digest, new)

    async def _forget(self, key: CacheKey, table: Table) -> None:
        await self._store.delete(key.digest)
        await self._delete_parts(key, table)

    async def _delete_parts(self, key: CacheKey, old: Table, but: Table | None = None) -> None:
        kept = {but.digest_of(key, part) for part in but.parts} if but is not None else set()
        for digest in {old.digest_of(key, part) for part in old.parts} - kept:
            await self._store.delete(digest)


def _is_fresh_whole(entry: Entry | None, now: float) -> bool:
    return entry is not None and entry.status == 200 and now < entry.fresh_until
