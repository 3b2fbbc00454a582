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
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.invalidation import Selection
from edgeproxy.cache.stores import Dropped, Stored, Taken, redis_listing, redis_scripts
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
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.tasks import Tasks

__all__ = ["RedisStore"]


_TIMEOUT_S: Final = 1.0
_PROBE_S: Final = 1.0
_CONNECTIONS: Final = 64
_DRAFT_S: Final = 3600
_STALE_S: Final = 86_400
"""How long an object stays after its fresh time, to be revalidated or to stand in."""
_LONGEST_S: Final = 365 * 86_400
_WRITE_AGAIN_S: Final = 5.0
_AT_ONCE: Final = 500
T = TypeVar("T")


class _Script(Protocol):
    async def __call__(self, *, args: list[bytes | str | int]) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Scripts:
    get: _Script
    put: _Script
    remove: _Script
    note: _Script
    drop_all: _Script
    sweep: _Script


class RedisStore:
    """A :class:`edgeproxy.cache.stores.Store` at ``url``, with objects of ``max_object_bytes``.

    A body of one block comes in memory, a longer one as a :class:`RedisBody`. ``tell`` hears once
    of a server that cannot be used or written, and when it can be again.
    """

    def __init__(
        self, url: str, max_object_bytes: int, tell: Callable[[str], None], tasks: Tasks
    ) -> None:
        self.max_object_bytes = max_object_bytes
        self._url = url
        self._tell = tell
        self._tasks = tasks
        self._listeners: list[Callable[[Selection | None], None]] = []
        self._following: asyncio.Task[None] | None = None
        self._reading_log = asyncio.Lock()
        self._tried = asyncio.Event()
        self._up = False
        self._told_down = False
        self._told_setup = False
        self._refused_at: float | None = None
        self._pending: list[Selection] = []
        self._heard = b""
        self._edge = b""
        try:
            from redis import asyncio as client
            from redis import exceptions
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise UsageError(
                f"{self._server}: Redis needs a client library",
                remedy="pip install 'edgeproxy[redis]'",
            ) from error
        self._failures: tuple[type[Exception], ...] = (exceptions.RedisError, OSError)
        self._losses: tuple[type[Exception], ...] = (
            exceptions.ConnectionError, exceptions.TimeoutError, OSError
        )  # fmt: skip
        try:
            where = urlsplit(url)
            if where.scheme != "unix" and not re.fullmatch("/?[0-9]*", where.path):
                raise ValueError(f"{where.path!r} is not the number of a database")
            pool = client.BlockingConnectionPool.from_url(
                url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
                max_connections=_CONNECTIONS,
                timeout=_TIMEOUT_S,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
            pool.connection_class(**pool.connection_kwargs)  # Refuses options it does not know.
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"{self._server} is not the URL of a Redis server: {error}",
                remedy="such as redis://localhost:6379/0",
            ) from error
        # Its own types leave open whether texts or bytes come back, and when a command has run.
        self._client: Any = client.Redis(connection_pool=pool)
        texts = (
            redis_scripts.GET, redis_scripts.PUT, redis_scripts.REMOVE,
            redis_scripts.NOTE, redis_scripts.DROP_ALL, redis_scripts.SWEEP,
        )  # fmt: skip
        self._scripts = _Scripts(
            *(cast(_Script, self._client.register_script(text)) for text in texts)
        )

    async def open(self) -> None:
        if self._following is None:
            self._following = self._tasks.start(self._follow(), "log of invalidations")
            await self._tried.wait()

    async def close(self) -> None:
        self._up = False
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._client.aclose(close_connection_pool=True)

    def listen(self, heard: Callable[[Selection | None], None]) -> None:
        self._listeners.append(heard)

    def draft(self) -> RedisBody:
        return RedisBody(self)

    async def get(self, digest: bytes) -> Entry | None:
        found = await self._ask(lambda: self._run(self._scripts.get, digest.hex()), None)
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
        kept = await self._write(
            lambda: self._run(
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
        await self._write(lambda: self._run(self._scripts.remove, digest.hex()), 0)

    async def drop(self, selection: Selection) -> Dropped:
        if self._up:
            try:
                return await self._drop(selection)
            except self._failures as error:
                self._lost(error)
        self._pending.append(selection)
        self._tell(f"{self._server} is invalidated when it can be used again")
        return Dropped(0, [])

    async def listed(
        self, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Stored]:
        work = partial(redis_listing.listed, self._client, distribution_id, prefix, after, most)
        return await self._ask(work, [])

    async def taken(self, distribution_ids: Sequence[str]) -> Taken:
        work = partial(redis_listing.taken, self._client, distribution_ids)
        return await self._ask(work, Taken(0, None, None))

    # For the bodies ------------------------------------------------------------------------------

    async def name_body(self) -> str:
        number = await self._write(lambda: self._client.incr(PREFIX + b"ids"), 0)
        return str(number or "")

    async def write_block(self, body: str, number: int, data: bytes) -> bool:
        key = block_key(body, number)
        return bool(await self._write(lambda: self._client.set(key, data, ex=_DRAFT_S), False))

    async def read_block(self, body: str, number: int) -> bytes | None:
        key = block_key(body, number)
        return cast("bytes | None", await self._ask(lambda: self._client.get(key), None))

    async def damaged(self, body: str, number: int) -> None:
        self._tell_damaged()
        await self._write(lambda: self._client.unlink(block_key(body, number)), 0)

    def discard(self, body: str, blocks: int) -> None:
        if blocks and self._up:
            keys = [block_key(body, number) for number in range(blocks)]
            work = self._ask(lambda: self._expire(keys), None)
            _ = self._tasks.start(work, "removal of a body")

    async def _expire(self, keys: list[bytes]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            _ = pipeline.expire(key, 60)  # It may be being read.
        await pipeline.execute()

    # The server ----------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        """Where it is, without a password."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @property
    def _writable(self) -> bool:
        refused = self._refused_at
        return self._up and (refused is None or Clock.monotonic() > refused + _WRITE_AGAIN_S)

    async def _run(self, script: _Script, *arguments: bytes | str | int) -> Any:
        encoded = [a.encode("utf-8", "surrogatepass") if isinstance(a, str) else a
                   for a in arguments]  # fmt: skip
        return await script(args=[PREFIX, *encoded])

    async def _ask(self, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """What the server answers; ``otherwise`` when it cannot be asked."""
        if not self._up:
            return otherwise
        try:
            return await work()
        except self._losses as error:
            self._lost(error)
        except self._failures as error:
            self._refused(error)
        return otherwise

    async def _write(self, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
        if not self._writable:
            return otherwise
        refused_at = self._refused_at
        result = await self._ask(work, otherwise)
        if refused_at is not None and self._refused_at == refused_at and self._up:
            self._refused_at = None
            self._tell(f"{self._server} keeps objects again")
        return result

    def _lost(self, error: Exception) -> None:
        self._up = False
        if not self._told_down:
            self._told_down = True
            self._tell(
                f"{self._server} cannot be used: {str(error).rstrip('.') or 'no answer'}; the edge "
                "goes on without, and tries again each second"
            )

    def _refused(self, error: Exception) -> None:
        if self._refused_at is None:
            self._tell(
                f"{self._server} does not keep objects: {error}; the edge goes on without storing: "
                "give the server more maxmemory and an evicting maxmemory-policy, or a primary "
                "that may be written"
            )
        self._refused_at = Clock.monotonic()

    async def _follow(self) -> None:
        """Have the server in use whenever it can be, and hear what others invalidate."""
        # The client may lose a cancellation that comes together with an answer.
        task = asyncio.current_task()
        assert task is not None
        while not task.cancelling():
            try:
                await self._connect()
                self._tried.set()
                while self._up and not task.cancelling():
                    await self._client.xread({PREFIX + b"log": self._heard}, block=500)
                    await self._read_log()
            except self._failures as error:
                self._lost(error)
                self._tried.set()
            if not task.cancelling():
                await asyncio.sleep(_PROBE_S)

    async def _connect(self) -> None:
        await self._client.connection_pool.disconnect(inuse_connections=False)
        await self._client.ping()
        if not self._edge:
            self._edge = str(await self._client.incr(PREFIX + b"ids")).encode()
            self._heard = await self._last_note()
        await self._read_log()
        while self._pending:
            await self._drop(self._pending[0])
            del self._pending[0]
        if not self._told_setup:
            self._told_setup = True
            await self._tell_of_setup()
        self._up = True
        if self._told_down:
            self._told_down = False
            self._tell(f"{self._server} can be used again")

    async def _tell_of_setup(self) -> None:
        about = await self._client.info("memory")
        if not about.get("maxmemory"):
            self._tell(f"{self._server} has no maxmemory: objects leave only when they expire")
        elif about.get("maxmemory_policy") == "noeviction":
            self._tell(
                f"{self._server} has the maxmemory-policy noeviction: when it is full, nothing "
                "more is stored; volatile-lru makes room"
            )

    async def _last_note(self) -> bytes:
        notes = await self._client.xrevrange(PREFIX + b"log", count=1)
        return cast(bytes, notes[0][0]) if notes else b"0-0"

    async def _read_log(self) -> None:
        """Hear of everything that has been invalidated so far."""
        async with self._reading_log:
            heard, log = self._heard, PREFIX + b"log"
            notes = await self._client.xrange(log, heard if heard != b"0-0" else "-")
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
            gone = await self._run(self._scripts.drop_all, self._edge, note, distribution)
            await self._read_log()
            return await self._sweep([(gone, b"-", b"+")] if gone else [], distribution)
        await self._run(self._scripts.note, self._edge, note)
        await self._read_log()
        return await self._sweep(list(ranges_of(selection)), "")

    async def _sweep(self, ranges: list[tuple[bytes, bytes, bytes]], gone: str) -> Dropped:
        digests, count = list[bytes](), 0
        for lines in ranges:
            while True:
                seen, removed = await self._run(self._scripts.sweep, *lines, _AT_ONCE, gone)
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
        self._tell(f"an object in {self._server} was damaged; it is dropped")
