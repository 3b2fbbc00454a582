"""What every store of the cache promises, run over each of them."""

import random
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.cache.entry import Entry, make_entry, pieces
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.invalidation import Selection, invalidation
from edgeproxy.cache.stores import Store
from edgeproxy.cache.stores.disk import DiskStore
from edgeproxy.cache.stores.memory import MemoryStore, size_of
from edgeproxy.cache.stores.redis import RedisStore
from edgeproxy.http.headers import Headers
from edgeproxy.tasks import Tasks
from tests.support.redis_server import RedisServer
from tests.unit.cache.scenes import key

MAX_BYTES = 1_000_000
HEADERS = Headers([("Content-Type", "text/plain"), ("ETag", '"1"'), ("X-Raw", "caf\udce9")])


NOTHING = invalidation("E1", [])


def entry(path: str = "/a", body: bytes = b"hello", *tags: str, query: str | None = "q=1") -> Entry:
    storable = Storable(60, "max-age=60", tags=tags)
    return make_entry(key(path, query), 200, "", HEADERS, body, storable, 1_800_000_000.0)


def named(*items: str) -> Selection:
    return invalidation("E1", items)


def never(text: str) -> None:
    """A store with no trouble says nothing."""
    raise AssertionError(text)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "disk", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    tasks = Tasks()
    store: Store
    if request.param == "memory":
        store = MemoryStore(MAX_BYTES)
    elif request.param == "disk":
        store = DiskStore(tmp_path / "cache", MAX_BYTES, never)
    else:
        server: RedisServer = request.getfixturevalue("server")
        server.client.flushall()
        store = RedisStore(server.url, MAX_BYTES, never, tasks)
    await store.open()
    yield store
    await store.close()
    await tasks.close()


WITH_DRAFTS = pytest.mark.parametrize("store", ["disk", "redis"], indirect=True)
BOUNDED = pytest.mark.parametrize("store", ["memory", "disk"], indirect=True)
"""The memory of a server is bounded by the server."""


async def body_of(entry: Entry | None) -> bytes:
    """All of a stored body, wherever it lies."""
    assert entry is not None
    if isinstance(entry.body, bytes):
        return entry.body
    return b"".join([piece async for piece in pieces(entry.body, 0, len(entry.body))])


async def test_nothing_is_there_at_first(store: Store) -> None:
    assert await store.get(b"1") is None
    await store.delete(b"1")
    assert (await store.drop(named("/*", "#t"))).count == 0


async def test_what_was_put_is_there_unchanged(store: Store) -> None:
    for path in ("/a", "/caf\udce9"):
        kept = replace(
            entry("/a", b"hello", "t", "u"),
            path=path,
            retry_at=5.5,
            initial_age_s=7,
            detail="OriginCommError",
        )
        await store.put(b"1", kept)
        assert await store.get(b"1") == kept
        assert await store.get(b"2") is None


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 700_000])
async def test_a_body_of_any_size_comes_back_whole(store: Store, size: int) -> None:
    body = random.Random(size).randbytes(size)
    await store.put(b"1", entry(body=body))
    found = await store.get(b"1")
    assert found is not None
    assert len(found.body) == size
    assert await body_of(found) == body
    response = found.response()
    assert response.body.length == size
    assert b"".join([chunk async for chunk in response.body]) == body
    assert replace(found, body=b"") == entry(body=b"")


async def test_an_object_that_is_found_may_be_put_back_with_other_times(store: Store) -> None:
    body = random.Random(1).randbytes(600_000)
    await store.put(b"1", entry(body=body))
    found = await store.get(b"1")
    assert found is not None
    await store.put(b"1", replace(found, fresh_until=5.0))
    renewed = await store.get(b"1")
    assert renewed is not None
    assert renewed.fresh_until == 5.0
    assert await body_of(renewed) == body


async def test_who_reads_an_object_reads_on_when_it_leaves(store: Store) -> None:
    bodies = [random.Random(number).randbytes(600_000) for number in range(2)]
    await store.put(b"1", entry(body=bodies[0]))
    first = await store.get(b"1")
    await store.put(b"1", entry(body=bodies[1]))
    second = await store.get(b"1")
    await store.delete(b"1")
    assert await body_of(first) == bodies[0]
    assert await body_of(second) == bodies[1]


@WITH_DRAFTS
async def test_a_draft_is_read_while_it_is_written_and_then_stored(store: Store) -> None:
    draft = store.draft()
    assert draft is not None
    whole = random.Random(2).randbytes(650_000)
    for at in range(0, len(whole), 100_000):
        assert await draft.write(whole[at : at + 100_000])
        assert len(draft) == min(at + 100_000, len(whole))
        so_far = [piece async for piece in pieces(draft, 10, len(draft))]
        assert b"".join(so_far) == whole[10 : len(draft)]
    assert await draft.finish()
    await store.put(b"1", replace(entry(), body=draft))
    draft.discard()
    assert await body_of(await store.get(b"1")) == whole


@WITH_DRAFTS
async def test_a_draft_that_is_given_up_leaves_its_room_to_others(store: Store) -> None:
    draft = store.draft()
    assert draft is not None
    assert await draft.write(bytes(900_000))
    draft.discard()
    assert b"".join([piece async for piece in pieces(draft, 0, 900_000)]) == bytes(900_000)
    await store.put(b"1", entry(body=bytes(900_000)))
    assert len(await body_of(await store.get(b"1"))) == 900_000


@WITH_DRAFTS
async def test_a_draft_larger_than_the_store_is_not_kept(store: Store) -> None:
    draft = store.draft()
    assert draft is not None
    assert await draft.write(bytes(MAX_BYTES - 100_000))
    assert not await draft.write(bytes(500_000))
    draft.discard()


@BOUNDED
@pytest.mark.rule("CDN-TTL-24")
async def test_the_object_that_was_not_used_for_longest_leaves_first(store: Store) -> None:
    for digest in (b"1", b"2", b"3"):
        await store.put(digest, entry(body=bytes(300_000)))
    await store.get(b"1")
    await store.drop(NOTHING)
    await store.put(b"4", entry(body=bytes(300_000)))
    kept = [digest for digest in (b"1", b"2", b"3", b"4") if await store.get(digest) is not None]
    assert kept == [b"1", b"3", b"4"]


async def test_a_second_put_replaces_the_first(store: Store) -> None:
    await store.put(b"1", entry())
    await store.put(b"1", entry(body=b"new"))
    assert await body_of(await store.get(b"1")) == b"new"


async def test_what_was_deleted_is_gone(store: Store) -> None:
    await store.put(b"1", entry())
    await store.delete(b"1")
    assert await store.get(b"1") is None


OBJECTS = {
    b"a": entry("/a", query=None),
    b"a2": entry("/a", query=None),  # another variant
    b"aq": entry("/a", b"x", "blue", "red"),
    b"ab": entry("/a/b", b"x", "red", query=None),
    b"e": entry("/caf%c3%a9", query=None),
    b"raw": replace(entry(query=None), path="/caf\udce9"),
    b"long": entry("/long", bytes(600_000), "bluer", query=None),
    b"other": replace(entry("/a", b"x", "red", query=None), distribution_id="E2"),
}


@pytest.mark.parametrize(
    ("items", "taken"),
    [
        (["/*"], "a a2 aq ab e raw long"),
        (["/a"], "a a2"),
        (["/a", "/nothing", "/a/b"], "a a2 ab"),
        (["/a*"], "a a2 aq ab"),
        (["/a/*", "/a?*"], "aq ab"),
        (["/a?q=1"], "aq"),
        (["/a*", "/a", "#red"], "a a2 aq ab"),
        (["/caf%C3%A9"], "e"),
        (["/caf*"], "e raw"),
        (["/caf\udce9"], "raw"),
        (["/lo*"], "long"),
        (["#Red"], "aq ab"),
        (["#blue", "#none"], "aq"),
        (["#blu*"], ""),
        (["/b", "/A", "/a/"], ""),
        ([], ""),
    ],
)
async def test_drop_takes_what_is_named_and_says_which(
    store: Store, items: list[str], taken: str
) -> None:
    for digest, kept in OBJECTS.items():
        await store.put(digest, kept)
    dropped = await store.drop(named(*items))
    gone = {digest.encode() for digest in taken.split()}
    assert dropped.count == len(gone)
    assert set(dropped.latest) == gone
    left = {digest for digest in OBJECTS if await store.get(digest) is not None}
    assert left == OBJECTS.keys() - gone
    assert (await store.drop(named(*items))).count == 0


async def test_what_was_dropped_can_be_stored_and_dropped_again(store: Store) -> None:
    for items in (["/*"], ["/a*"], ["/a?q=1"], ["#t"]):
        await store.put(b"1", entry("/a", b"old", "t"))
        assert (await store.drop(named(*items))).count == 1
        await store.put(b"1", entry("/a", b"new", "t"))
        assert await body_of(await store.get(b"1")) == b"new"
    await store.delete(b"1")
    assert (await store.drop(named("/*", "#t"))).count == 0


async def test_an_object_is_found_under_the_tags_it_has_now(store: Store) -> None:
    await store.put(b"1", entry("/a", b"old", "t", "u"))
    await store.put(b"1", entry("/a", b"new", "u", "v"))
    assert (await store.drop(named("#t"))).count == 0
    assert (await store.drop(named("#v"))).latest == [b"1"]
    assert (await store.drop(named("#u"))).count == 0


async def test_an_invalidation_of_many_objects_takes_them_all(store: Store) -> None:
    for number in range(903):
        await store.put(number.to_bytes(2, "big"), entry(f"/{number}", b"", "t", query=None))
    assert (await store.drop(named("/1*"))).count == 1 + 10 + 100
    assert (await store.drop(named("#t"))).count == 792
    assert await store.get(b"\0\5") is None


async def test_an_object_too_large_for_the_store_replaces_nothing_but_the_old_one(
    store: Store,
) -> None:
    await store.put(b"1", entry())
    await store.put(b"2", entry())
    await store.put(b"1", entry(body=bytes(2_000_000)))
    assert await store.get(b"1") is None
    assert await store.get(b"2") is not None


async def test_a_store_is_opened_once(store: Store) -> None:
    await store.put(b"1", entry())
    await store.open()
    assert await store.get(b"1") is not None


async def test_a_list_is_in_the_order_of_targets_and_comes_in_pages(store: Store) -> None:
    paths = ["/b", "/a", "/a/2", "/a/1", "/caf\udce9", "/a"]
    for number, path in enumerate(paths):
        kept = replace(entry(body=b"x" * number, query=None), path=path)
        await store.put(bytes([number]), kept)
    await store.put(b"other", replace(entry("/a"), distribution_id="E2"))
    whole = await store.listed("E1", "/", ("", b""), 10)
    shown = [(stored.entry.path, stored.digest[0], stored.size) for stored in whole]
    assert shown == [
        ("/a", 1, 1),
        ("/a", 5, 5),
        ("/a/1", 3, 3),
        ("/a/2", 2, 2),
        ("/b", 0, 0),
        ("/caf\udce9", 4, 4),
    ]
    assert {stored.entry.because for stored in whole} == {"max-age=60"}
    assert [s.digest for s in await store.listed("E1", "/a/", ("", b""), 10)] == [b"\3", b"\2"]
    place, pages = ("", b""), []
    while page := await store.listed("E1", "/", place, 2):
        pages.append([stored.digest[0] for stored in page])
        place = page[-1].place
    assert pages == [[1, 5], [3, 2], [0, 4]]
    taken = await store.taken(["E1", "E3"])
    assert (taken.count, (taken.bytes or 0) > 15) == (6, True)
    await store.drop(named("/*"))
    assert await store.listed("E1", "/", ("", b""), 10) == []
    assert (await store.taken(["E1", "E2"])).count == 1


async def test_what_tells_variants_apart_is_kept(store: Store) -> None:
    kept = replace(entry(), variant="cookie ab\0\u00e9\0header accept-language\0de")
    await store.put(b"1", kept)
    (found,) = await store.listed("E1", "/", ("", b""), 10)
    assert (found.entry.variant, found.digest) == (kept.variant, b"1")


# In memory ---------------------------------------------------------------------------------------


@pytest.mark.rule("CDN-TTL-24")
async def test_the_least_recently_used_object_leaves_first() -> None:
    one = entry(body=bytes(1000))
    store = MemoryStore(3 * size_of(one))
    for digest in (b"1", b"2", b"3"):
        await store.put(digest, one)
    await store.get(b"1")
    await store.drop(NOTHING)
    await store.put(b"4", one)
    assert [await store.get(digest) is not None for digest in (b"1", b"2", b"3", b"4")] == [
        True,
        False,
        True,
        True,
    ]
    assert store.size_bytes == 3 * size_of(one)
    assert len(store) == 3


async def test_the_estimate_of_an_objects_size_is_honest() -> None:
    headers = Headers([(f"X-Header-{number}", "value " * 5) for number in range(15)])
    store, count = MemoryStore(100_000_000), 2_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            path = f"/objects/{number}.css"
            made = replace(
                make_entry(
                    key(path),
                    200,
                    "",
                    headers,
                    bytes([number % 256]) * 1024,
                    Storable(60, ""),
                    1_800_000_000,
                ),
                because=f"max-age={number}",
                stored_at=1_800_000_000.0 + number,
                fresh_until=1_800_000_060.0 + number,
                while_revalidating_until=1_800_000_070.0 + number,
            )
            await store.put(number.to_bytes(16, "big"), made)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    taken = (after - before) / count
    assert taken == pytest.approx(store.size_bytes / count, rel=0.1)
    payload = 1024 + len(made.head)
    assert taken - payload < 1_000
