"""What the Redis store promises beyond every store: edges that share a server, and its keys."""

import asyncio
import random
import re
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from edgeproxy.cache.entry import Content, ContentLost, Entry, make_entry, pieces
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.invalidation import Selection, invalidation
from edgeproxy.cache.stores import redis_server
from edgeproxy.cache.stores.redis import RedisStore
from edgeproxy.cache.stores.redis_body import BLOCK_BYTES
from edgeproxy.cache.stores.redis_keys import PREFIX
from edgeproxy.errors import UsageError
from edgeproxy.http.headers import EMPTY_HEADERS
from edgeproxy.tasks import Tasks
from tests.support.redis_server import RedisServer
from tests.unit.cache.scenes import key

LARGE = random.Random(1).randbytes(3 * BLOCK_BYTES + 5)


def entry(body: bytes | Content = b"hello", *tags: str) -> Entry:
    storable = Storable(60, "", tags=tags)
    return make_entry(key("/a"), 200, "", EMPTY_HEADERS, body, storable, 1_800_000_000)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    running.client.flushall()
    return running


@asynccontextmanager
async def opened(
    server: RedisServer, tell: Callable[[str], None] = pytest.fail
) -> AsyncIterator[RedisStore]:
    tasks = Tasks()
    store = RedisStore(server.url, 100_000_000, tell, tasks)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        await tasks.close()


async def comes_true(happens: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await happens():  # noqa: ASYNC110 (it is the server that changes)
            await asyncio.sleep(0.02)


async def test_other_edges_hear_of_an_invalidation(server: RedisServer) -> None:
    async with opened(server) as one, opened(server) as two:
        heard = asyncio.Queue[Selection | None]()
        two.listen(heard.put_nowait)
        one.listen(lambda selection: pytest.fail(f"its own: {selection}"))
        await one.put(b"1", entry())
        selection = invalidation("E1", ["/a", "/caf\udce9*", "#t"])
        assert (await one.drop(selection)).count == 1
        assert await asyncio.wait_for(heard.get(), 20) == selection
        assert await two.get(b"1") is None


async def test_what_may_have_been_invalidated_is_not_stored(server: RedisServer) -> None:
    async with opened(server) as one, opened(server) as two:
        assert two._following is not None
        two._following.cancel()  # It hears of nothing any more.
        await asyncio.wait([two._following])
        await two.put(b"1", entry())
        assert await one.get(b"1") is not None
        await one.drop(invalidation("E1", ["/other"]))
        await two.put(b"1", entry())
        assert await one.get(b"1") is None
        await one.put(b"1", entry())
        assert await two.get(b"1") is not None


async def test_who_missed_invalidations_takes_all_for_invalidated(server: RedisServer) -> None:
    async with opened(server) as store:
        heard = list[Selection | None]()
        store.listen(heard.append)
        await store.drop(invalidation("E1", ["/a"]))
        assert heard == []
        server.client.delete(PREFIX + b"log")
        await store.drop(invalidation("E1", ["/a"]))
        assert heard == [None]
        await store.put(b"1", entry())
        assert await store.get(b"1") is not None


async def test_keys_have_a_prefix_and_objects_expire(server: RedisServer) -> None:
    server.client.set("foreign", "kept")
    async with opened(server) as store:
        await store.put(b"1", entry(LARGE, "t"))
        keys: set[Any] = set(server.client.keys()) - {b"foreign"}
        assert all(name.startswith(PREFIX) for name in keys)
        kinds = {name.removeprefix(PREFIX)[:2]: server.client.ttl(name) for name in keys}
        assert kinds[b"o:"] == pytest.approx(86_460, abs=20)
        assert kinds[b"b:"] == pytest.approx(86_460, abs=20)
        assert kinds[b"i:"] == kinds[b"t:"] == -1
        assert (await store.drop(invalidation("E1", ["/*"]))).count == 1
        assert list(server.client.keys("*:[oitg]:*")) == []
        assert all(0 < server.client.ttl(name) <= 60 for name in server.client.keys("*:b:*"))
    assert server.client.get("foreign") == b"kept"


@pytest.mark.parametrize("evicted", ["*:b:*:2", "*:i:*", "*:t:*", "*:o:*"])
async def test_an_object_of_which_something_was_evicted_is_not_there(
    server: RedisServer, evicted: str
) -> None:
    async with opened(server) as store:
        await store.put(b"1", entry(LARGE, "t"))
        assert await store.get(b"1") is not None
        (name,) = server.client.keys(evicted)
        server.client.delete(name)
        assert await store.get(b"1") is None


async def test_lines_of_objects_that_left_are_removed_bit_by_bit(server: RedisServer) -> None:
    async with opened(server) as store:
        for number in range(100):
            await store.put(b"old%d" % number, entry())
        server.client.delete(*server.client.keys("*:o:*"))
        for _ in range(400):
            await store.put(b"new", entry())
        assert server.client.zcard(PREFIX + b"i:E1") < 20


async def test_a_body_that_is_evicted_while_it_is_read_breaks_off(server: RedisServer) -> None:
    async with opened(server) as store:
        await store.put(b"1", entry(LARGE))
        found = await store.get(b"1")
        assert found is not None
        assert not isinstance(found.body, bytes)
        reading = pieces(found.body, 0, len(LARGE))
        assert await anext(reading) == LARGE[:BLOCK_BYTES]
        server.client.delete(*server.client.keys("*:b:*"))
        with pytest.raises(ContentLost, match="has gone"):
            await anext(reading)


@pytest.mark.parametrize("field", ["about", "seal", "size", "sums", "data"])
async def test_a_damaged_object_is_dropped(server: RedisServer, field: str) -> None:
    told = list[str]()
    async with opened(server, told.append) as store:
        await store.put(b"1", entry())
        (name,) = server.client.keys("*:o:*")
        value = server.client.hget(name, field)
        assert isinstance(value, bytes)
        server.client.hset(name, field, bytes([value[0] ^ 1]) + value[1:])
        assert await store.get(b"1") is None
        assert len(told) == 1
        assert "was damaged; it is dropped" in told[0]
        assert server.client.keys("*:o:*") == []


async def test_a_replica_is_read_and_written_when_it_may_be(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeproxy.cache.stores.redis_server._WRITE_AGAIN_S", 0.1)
    told = list[str]()
    async with opened(server, told.append) as store:
        await store.put(b"1", entry())
        server.client.config_set("min-replicas-to-write", "1")  # refuses writes as a replica does
        for _ in range(3):
            await store.put(b"2", entry())
        assert await store.get(b"1") is not None
        server.client.config_set("min-replicas-to-write", "0")

        async def stored() -> bool:
            await store.put(b"2", entry())
            return await store.get(b"2") is not None

        await comes_true(stored)
    assert [text.split(": ")[0].rpartition("/0 ")[2] for text in told] == [
        "does not keep objects",
        "keeps objects again",
    ]


def test_a_connection_that_ends_as_it_is_written_to_is_a_server_that_is_lost(
    server: RedisServer,
) -> None:
    uvloop = pytest.importorskip("uvloop")
    told = list[str]()

    async def written_to_what_has_ended() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.transport.abort()
        await writer.wait_closed()
        writer.writelines([b"PING\r\n"])

    async def lose() -> None:
        known = redis_server.RedisServer(server.url, told.append)
        await known.found()
        assert await known.ask(written_to_what_has_ended, None) is None
        assert not known.is_up
        await known.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(lose())
    (text,) = told
    assert "cannot be used: unable to perform operation on" in text


async def test_a_large_body_never_lies_in_memory_whole(server: RedisServer) -> None:
    async with opened(server) as store:
        await store.get(b"0")
        tracemalloc.start()
        try:
            draft = store.draft()
            for _ in range(64):
                assert await draft.write(bytes(BLOCK_BYTES))
            assert await draft.finish()
            await store.put(b"1", replace(entry(), body=draft))
            found = await store.get(b"1")
            assert found is not None
            assert not isinstance(found.body, bytes)
            read = sum([len(piece) async for piece in pieces(found.body, 0, len(found.body))])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert read == 64 * BLOCK_BYTES
    assert peak < 12 * BLOCK_BYTES


def test_a_missing_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(UsageError) as refused:
        RedisStore("redis://127.0.0.1", 1, pytest.fail, Tasks())
    assert refused.value.remedy == "pip install 'edgeproxy[redis]'"


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("redis://localhost:x/0", "'x'"),
        ("redis://localhost:6379/first", "'/first' is not the number of a database"),
        ("redis://localhost/0?databse=1", "'databse'"),
        ("memcached://localhost", "Redis URL must specify"),
    ],
)
def test_a_url_that_would_not_hold_is_refused(url: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=re.escape(wrong)) as refused:
        RedisStore(url, 1, pytest.fail, Tasks())
    assert url in str(refused.value)
    assert refused.value.remedy == "such as redis://localhost:6379/0"
