"""What an invalidation takes away: the rules CDN-INV."""

import asyncio

import pytest

from edgeproxy.cache.cache import Cache
from edgeproxy.cache.entry import Entry, Miss
from edgeproxy.cache.invalidation import invalidation
from edgeproxy.cache.stores.memory import MemoryStore
from tests.unit.cache.scenes import (
    FLEXIBLE,
    Edge,
    ManualBody,
    ScriptedOrigin,
    answer,
    key,
    read,
    text,
)


@pytest.mark.parametrize(
    ("path", "target", "matches"),
    [
        pytest.param("/a", "/a", True, marks=pytest.mark.rule("CDN-INV-01")),
        pytest.param("/A", "/a", False, marks=pytest.mark.rule("CDN-INV-01")),
        pytest.param("a", "/a", True, marks=pytest.mark.rule("CDN-INV-01")),
        pytest.param("/a*", "/a", True, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/a*", "/ab/c", True, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/*", "/", True, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/a*b", "/axb", False, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/a*b", "/a*b", True, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/a*b*", "/a*bc", True, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/a*b*", "/axbc", False, marks=pytest.mark.rule("CDN-INV-02")),
        pytest.param("/a?x=1", "/a?x=1", True, marks=pytest.mark.rule("CDN-INV-03")),
        pytest.param("/a?x=1", "/a?x=2", False, marks=pytest.mark.rule("CDN-INV-03")),
        pytest.param("/a?x=1", "/a", False, marks=pytest.mark.rule("CDN-INV-03")),
        pytest.param("/a", "/a?x=1", False, marks=pytest.mark.rule("CDN-INV-03")),
        pytest.param("/a.jpg*", "/a.jpg?x=1", True, marks=pytest.mark.rule("CDN-INV-04")),
        pytest.param("/a.jpg*", "/a.jpg2", True, marks=pytest.mark.rule("CDN-INV-04")),
        pytest.param("/a?x=*", "/a?x=12", True, marks=pytest.mark.rule("CDN-INV-04")),
        pytest.param("/dir", "/dir/", False, marks=pytest.mark.rule("CDN-INV-07")),
        pytest.param("/dir/", "/dir", False, marks=pytest.mark.rule("CDN-INV-07")),
        pytest.param("/caf%C3%A9", "/caf%c3%a9", True, marks=pytest.mark.rule("CDN-INV-08")),
        pytest.param("/caf%c3*", "/caf%C3%A9", True, marks=pytest.mark.rule("CDN-INV-08")),
        pytest.param("/%41", "/A", False, marks=pytest.mark.rule("CDN-INV-08")),
    ],
)
def test_which_objects_a_path_names(path: str, target: str, matches: bool) -> None:
    stored_path, mark, query = target.partition("?")
    stored = key(stored_path, query if mark else None)
    assert invalidation("E1", [path]).may_take(stored) is matches


def test_no_paths_name_nothing() -> None:
    assert not invalidation("E1", []).may_take(key())


@pytest.mark.rule("CDN-INV-15")
async def test_an_invalidated_object_is_gone_not_stale() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(etag='"1"', cache_control="max-age=60"))
    await edge.get(origin)
    before = edge.cache.generation
    assert await edge.cache.invalidate("E1", ["/a", "/nothing"]) == 1
    assert edge.cache.generation > before
    obtained = await edge.get(origin)
    assert (obtained.outcome, obtained.lookup) == ("Miss", Miss("invalidated"))
    assert origin.asked == [None, None]
    origin.then(answer(503, b"down"))
    await edge.cache.invalidate("E1", ["/*"])
    assert text(await edge.get(origin)) == b"down"


@pytest.mark.rule("CDN-INV-05")
async def test_all_variants_of_a_path_go_together() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    for variant in (b"gzip", b"br", b"OPTIONS"):
        one = key()
        variant_key = type(one)(variant, one.distribution_id, one.path, one.query, ())
        await edge.cache.obtain(variant_key, FLEXIBLE, origin)
    await edge.settle()
    assert await edge.cache.invalidate("E1", ["/a"]) == 3
    assert len(edge.store) == 0


@pytest.mark.rule("CDN-INV-19")
async def test_another_distribution_keeps_its_objects() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    await edge.get(origin)
    assert await edge.cache.invalidate("E2", ["/*"]) == 0
    assert (await edge.get(origin)).outcome == "Hit"


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_fetch_under_way_serves_its_viewer_but_is_not_stored(streaming: bool) -> None:
    edge, body = Edge(), ManualBody(length=5)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    if not streaming:
        origin.gate.clear()
    asking = asyncio.create_task(edge.cache.obtain(key(), FLEXIBLE, origin))
    await edge.settle()
    assert await edge.cache.invalidate("E1", ["/a"]) == 0
    origin.gate.set()
    body.give(b"hel", b"lo", None)
    assert await read((await asking).response.body) == b"hello"
    await edge.settle()
    assert len(edge.store) == 0
    origin.then(answer(body=b"new"))
    obtained = await edge.get(origin)
    assert (text(obtained), obtained.lookup) == (b"new", Miss("invalidated"))


async def test_one_who_comes_after_the_invalidation_does_not_get_the_old_fetch() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(body=b"old"), answer(body=b"new"))
    origin.gate.clear()
    first = asyncio.create_task(edge.get(origin))
    await edge.settle()
    await edge.cache.invalidate("E1", ["/a"])
    second = asyncio.create_task(edge.get(origin))
    await edge.settle()
    origin.gate.set()
    assert text(await first) == b"old"
    assert text(await second) == b"new"
    assert text(await edge.get(origin)) == b"new"


async def test_a_doomed_fetch_does_not_overwrite_what_was_fetched_since() -> None:
    edge, body = Edge(), ManualBody(length=5)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"), answer(body=b"new"))
    first = await edge.cache.obtain(key(), FLEXIBLE, origin)
    await edge.cache.invalidate("E1", ["/a"])
    await edge.get(origin)
    body.give(b"hello", None)
    assert await read(first.response.body) == b"hello"
    await edge.settle()
    assert text(await edge.get(origin)) == b"new"


async def test_a_doomed_answer_that_comes_whole_does_not_either() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(body=b"old"))
    origin.gate.clear()
    first = asyncio.create_task(edge.get(origin))
    await edge.settle()
    await edge.cache.invalidate("E1", ["/a"])
    await edge.get(ScriptedOrigin(answer(body=b"new")))
    origin.gate.set()
    assert text(await first) == b"old"
    assert text(await edge.get(origin)) == b"new"


async def test_an_object_invalidated_while_it_is_being_written_is_taken_away() -> None:
    class SlowStore(MemoryStore):
        writing = asyncio.Event()

        async def put(self, digest: bytes, entry: Entry) -> None:
            await self.writing.wait()
            await super().put(digest, entry)

    edge, store = Edge(), SlowStore(1_000_000)
    cache = Cache(store, edge.clock, edge.tasks)
    asking = asyncio.create_task(cache.obtain(key(), FLEXIBLE, ScriptedOrigin(answer())))
    await edge.settle()
    assert await cache.invalidate("E1", ["/a"]) == 0
    store.writing.set()
    await asking
    assert len(store) == 0


async def test_a_revalidation_under_way_does_not_bring_the_object_back() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="max-age=60", etag='"1"'), answer(304, b""))
    await edge.get(origin)
    edge.clock.advance(60)
    origin.gate.clear()
    asking = asyncio.create_task(edge.get(origin))
    await edge.settle()
    assert await edge.cache.invalidate("E1", ["/a"]) == 1
    origin.gate.set()
    assert text(await asking) == b"hello"
    assert len(edge.store) == 0


async def test_a_doomed_fetch_that_nobody_reads_is_given_up() -> None:
    edge, body = Edge(), ManualBody(length=5)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    obtained = await edge.cache.obtain(key(), FLEXIBLE, origin)
    await obtained.response.body.close()
    await edge.settle()
    assert not body.closed
    await edge.cache.invalidate("E1", ["/a"])
    await edge.settle()
    assert body.closed
