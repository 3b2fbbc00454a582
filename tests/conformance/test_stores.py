"""What every store of the cache promises, run over each of them."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from edgeproxy.cache.entry import Entry, make_entry
from edgeproxy.cache.freshness import Storable
from edgeproxy.cache.stores import Store
from edgeproxy.cache.stores.memory import MemoryStore, size_of
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import key

HEADERS = Headers([("Content-Type", "text/plain"), ("ETag", '"1"'), ("X-Raw", "caf\udce9")])


def entry(path: str = "/a", body: bytes = b"hello", headers: Headers = HEADERS) -> Entry:
    return make_entry(
        key(path, "q=1"), 200, "", headers, body, Storable(60, "max-age=60"), 1_800_000_000.0
    )


@pytest.fixture(params=[lambda: MemoryStore(1_000_000)], ids=["memory"])
def store(request: pytest.FixtureRequest) -> Store:
    make: Callable[[], Store] = request.param
    return make()


async def test_nothing_is_there_at_first(store: Store) -> None:
    assert await store.get(b"1") is None
    await store.delete(b"1")
    assert await store.drop(lambda entry: True) == []


async def test_what_was_put_is_there_unchanged(store: Store) -> None:
    kept = replace(entry(), retry_at=5.5, initial_age_s=7, detail="OriginCommError")
    await store.put(b"1", kept)
    assert await store.get(b"1") == kept
    assert await store.get(b"2") is None


async def test_a_second_put_replaces_the_first(store: Store) -> None:
    await store.put(b"1", entry())
    await store.put(b"1", entry(body=b"new"))
    found = await store.get(b"1")
    assert found is not None
    assert found.body == b"new"


async def test_what_was_deleted_is_gone(store: Store) -> None:
    await store.put(b"1", entry())
    await store.delete(b"1")
    assert await store.get(b"1") is None


async def test_drop_takes_what_matches_and_says_which(store: Store) -> None:
    for number, path in enumerate(["/a", "/b", "/a2"]):
        await store.put(bytes([number]), entry(path))
    dropped = await store.drop(lambda entry: entry.path.startswith("/a"))
    assert sorted(dropped) == [b"\0", b"\2"]
    assert await store.get(b"\0") is None
    assert await store.get(b"\1") is not None


async def test_an_object_too_large_for_the_store_replaces_nothing_but_the_old_one(
    store: Store,
) -> None:
    await store.put(b"1", entry())
    await store.put(b"2", entry())
    await store.put(b"1", entry(body=bytes(2_000_000)))
    assert await store.get(b"1") is None
    assert await store.get(b"2") is not None


# In memory ---------------------------------------------------------------------------------------


@pytest.mark.rule("CDN-TTL-24")
async def test_the_least_recently_used_object_leaves_first() -> None:
    one = entry(body=bytes(1000))
    store = MemoryStore(3 * size_of(one))
    for digest in (b"1", b"2", b"3"):
        await store.put(digest, one)
    await store.get(b"1")
    await store.drop(lambda entry: False)
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
                entry(path, bytes([number % 256]) * 1024, headers),
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
