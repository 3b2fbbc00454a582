"""Stored objects in Redis or Valkey, shared by all edges that are given the same server.

An object becomes visible when it is complete, and an invalidation that one edge makes holds for
all. Each edge follows the log of invalidations: what it was fetching meanwhile is not stored, and
the server refuses objects from an edge that has not heard of the latest one. How objects lie there:
:mod:`.redis_scripts`.

The server bounds its memory itself and lets objects expire. While it cannot be used the edge goes
on without it and tries again from time to time; requests do not wait for that. What is invalidated
meanwhile is made up for before anything is read again.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, cast

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.invalidation import Selection
from edgeproxy.cache.stores import Dropped, Stored, Taken, redis_listing
from edgeproxy.cache.stores.packing import pack, unpack
from edgeproxy.cache.stores.redis_body import BLOCK_BYTES, RedisBody, sum_of
from edgeproxy.cache.stores.redis_keys import (
    PREFIX,
    block_key,
    line_of,
    note_of,
    ranges_of,
    seal_of,
    selection_in,
)
from edgeproxy.cache.stores.redis_server import RedisServer
from edgeproxy.tasks import Tasks

__all__ = ["RedisStore"]


_PROBE_S: Final = 1.0
_DRAFT_S: Final = 3600
_STALE_S: Final = 86_400
"""How long an object stays after its fresh time, to be revalidated or to stand in."""
_LONGEST_S: Final = 365 * 86_400
_AT_ONCE: Final = 500


class RedisStore:
    """A :class:`edgeproxy.cache.stores.Store` at ``url``, with objects of ``max_object_bytes``.

    A body of one block comes in memory, a longer one as a :class:`RedisBody`. ``tell`` hears once
    of a server that cannot be used or written, and when it can be again.
    """

    def __init__(
        self, url: str, max_object_bytes: int, tell: Callable[[str], None], tasks: Tasks
    ) -> None:
        self.max_object_bytes = max_object_bytes
        self._server = RedisServer(url, tell)
        self._scripts = self._server.scripts
        self._tell = tell
        self._tasks = tasks
        self._listeners: list[Callable[[Selection | None], None]] = []
        self._following: asyncio.Task[None] | None = None
        self._reading_log = asyncio.Lock()
        self._tried = asyncio.Event()
        self._pending: list[Selection] = []
        self._heard = b""
        self._edge = b""

    async def open(self) -> None:
        if self._following is None:
            self._following = self._tasks.start(self._follow(), "log of invalidations")
            await self._tried.wait()

    async def close(self) -> None:
        self._server.is_up = False
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._server.close()

    def listen(self, heard: Callable[[Selection | None], None]) -> None:
        self._listeners.append(heard)

    def draft(self) -> RedisBody:
        return RedisBody(self)

    async def get(self, digest: bytes) -> Entry | None:
        found = await self._server.ask(
            lambda: self._server.run(self._scripts.get, digest.hex()), None
        )
        if found is None:
            return None
        about, seal, size, sums, name, data = found
        if seal != seal_of(digest, about, size, sums, name):
            await self._drop_damaged(digest)
            return None
        if name:
            return unpack(about, RedisBody(self, name.decode(), int(size), sums))
        if sum_of(data) != sums:
            await self._drop_damaged(digest)
            return None
        return unpack(about, data)

    def at_hand(self, digest: bytes) -> None:
        return None

    async def put(self, digest: bytes, entry: Entry) -> None:
        body = entry.body
        if len(body) > self.max_object_bytes:
            await self.delete(digest)
            return
        name, blocks, data = "", 0, b""
        if isinstance(body, bytes) and len(body) > BLOCK_BYTES:
            draft = RedisBody(self)
            body = draft if await draft.write(body) and await draft.finish() else b""
            if not body:
                draft.discard()
                await self.delete(digest)
                return
        if isinstance(body, bytes):
            data, sums = body, sum_of(body)
        else:
            assert isinstance(body, RedisBody), "a body of another store"
            name, sums, blocks = body.name, body.sums, body.blocks
        about, size = pack(entry), str(len(body)).encode()
        fresh_s = max(0, int(entry.fresh_until - entry.stored_at))
        seconds = min(fresh_s + _STALE_S, _LONGEST_S)
        kept = await self._server.write(
            lambda: self._server.run(
                self._scripts.put, digest.hex(), self._heard, seconds, entry.distribution_id,
                line_of(entry, digest), ",".join(entry.tags), name, blocks, about,
                seal_of(digest, about, size, sums, name.encode()), size, sums, data,
            ),
            0,
        )  # fmt: skip
        if isinstance(body, RedisBody):
            body.kept = kept == 1
            if not kept:
                body.discard()

    async def delete(self, digest: bytes) -> None:
        await self._server.write(lambda: self._server.run(self._scripts.remove, digest.hex()), 0)

    async def drop(self, selection: Selection) -> Dropped:
        if self._server.is_up:
            try:
                return await self._drop(selection)
            except self._server.failures as error:
                self._server.lost(error)
        self._pending.append(selection)
        self._tell(f"{self._server.name} is invalidated when it can be used again")
        return Dropped(0, [])

    async def listed(
        self, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Stored]:
        work = partial(
            redis_listing.listed, self._server.client, distribution_id, prefix, after, most
        )
        return await self._server.ask(work, [])

    async def taken(self, distribution_ids: Sequence[str]) -> Taken:
        work = partial(redis_listing.taken, self._server.client, distribution_ids)
        return await self._server.ask(work, Taken(0, None, None))

    # For the bodies ------------------------------------------------------------------------------

    async def name_body(self) -> str:
        number = await self._server.write(lambda: self._server.client.incr(PREFIX + b"ids"), 0)
        return str(number or "")

    async def write_block(self, body: str, number: int, data: bytes) -> bool:
        key = block_key(body, number)
        return bool(
            await self._server.write(lambda: self._server.client.set(key, data, ex=_DRAFT_S), False)
        )

    async def read_block(self, body: str, number: int) -> bytes | None:
        key = block_key(body, number)
        return cast(
            "bytes | None", await self._server.ask(lambda: self._server.client.get(key), None)
        )

    async def damaged(self, body: str, number: int) -> None:
        self._tell_damaged()
        await self._server.write(lambda: self._server.client.unlink(block_key(body, number)), 0)

    def discard(self, body: str, blocks: int) -> None:
        if blocks and self._server.is_up:
            keys = [block_key(body, number) for number in range(blocks)]
            work = self._server.ask(lambda: self._expire(keys), None)
            _ = self._tasks.start(work, "removal of a body")

    async def _expire(self, keys: list[bytes]) -> None:
        pipeline = self._server.client.pipeline(transaction=False)
        for key in keys:
            _ = pipeline.expire(key, 60)  # It may be being read.
        await pipeline.execute()

    # The server ----------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Have the server in use whenever it can be, and hear what others invalidate."""
        # The client may lose a cancellation that comes together with an answer.
        task = asyncio.current_task()
        assert task is not None
        while not task.cancelling():
            try:
                await self._connect()
                self._tried.set()
                while self._server.is_up and not task.cancelling():
                    await self._server.client.xread({PREFIX + b"log": self._heard}, block=500)
                    await self._read_log()
            except self._server.failures as error:
                self._server.lost(error)
                self._tried.set()
            if not task.cancelling():
                await asyncio.sleep(_PROBE_S)

    async def _connect(self) -> None:
        await self._server.client.connection_pool.disconnect(inuse_connections=False)
        await self._server.client.ping()
        if not self._edge:
            self._edge = str(await self._server.client.incr(PREFIX + b"ids")).encode()
            self._heard = await self._last_note()
        await self._read_log()
        while self._pending:
            await self._drop(self._pending[0])
            del self._pending[0]
        await self._server.found()

    async def _last_note(self) -> bytes:
        notes = await self._server.client.xrevrange(PREFIX + b"log", count=1)
        return cast(bytes, notes[0][0]) if notes else b"0-0"

    async def _read_log(self) -> None:
        """Hear of everything that has been invalidated so far."""
        async with self._reading_log:
            heard, log = self._heard, PREFIX + b"log"
            notes = await self._server.client.xrange(log, heard if heard != b"0-0" else "-")
            if heard != b"0-0":
                if not notes or notes[0][0] != heard:  # cut off, or a server that began anew
                    self._heard = await self._last_note()
                    self._hear(None)
                    return
                notes = notes[1:]
            for number, fields in notes:
                self._heard = number
                if fields[b"e"] != self._edge:
                    self._hear(selection_in(fields[b"s"]))

    def _hear(self, selection: Selection | None) -> None:
        for listener in self._listeners:
            listener(selection)

    async def _drop(self, selection: Selection) -> Dropped:
        note, distribution = note_of(selection), selection.distribution_id
        if selection.everything:
            gone = await self._server.run(self._scripts.drop_all, self._edge, note, distribution)
            await self._read_log()
            return await self._sweep([(gone, b"-", b"+")] if gone else [], distribution)
        await self._server.run(self._scripts.note, self._edge, note)
        await self._read_log()
        return await self._sweep(list(ranges_of(selection)), "")

    async def _sweep(self, ranges: list[tuple[bytes, bytes, bytes]], gone: str) -> Dropped:
        digests, count = list[bytes](), 0
        for lines in ranges:
            while True:
                seen, removed = await self._server.run(self._scripts.sweep, *lines, _AT_ONCE, gone)
                count += len(removed)
                digests += [bytes.fromhex(each.decode()) for each in removed]
                del digests[: -Dropped.REMEMBERED]
                if seen < _AT_ONCE:
                    break
        return Dropped.of(count, reversed(digests))

    async def _drop_damaged(self, digest: bytes) -> None:
        self._tell_damaged()
        await self.delete(digest)

    def _tell_damaged(self) -> None:
        self._tell(f"an object in {self._server.name} was damaged; it is dropped")
