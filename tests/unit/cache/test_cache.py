"""The cache against a model of it, and its parts that no rule of the reference names."""

import asyncio
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from edgeproxy.cache.cache import Cache, Fill, Obtained
from edgeproxy.cache.entry import Entry, Miss
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.stores.disk import DiskStore
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.tasks import Tasks
from tests.unit.cache.scenes import (
    FLEXIBLE,
    Edge,
    ManualBody,
    ScriptedOrigin,
    answer,
    key,
    read,
    stream,
    text,
)

UNSHARED = replace(FLEXIBLE, forwards_cookies=True)


def test_an_uncached_answer() -> None:
    fetched = answer(detail="MissGeneratedResponse")
    obtained = Obtained.uncached(fetched, "POST is not among CachedMethods")
    assert obtained.lookup == Miss("POST is not among CachedMethods")
    assert (obtained.outcome, obtained.response) == ("Miss", fetched.response)
    assert obtained.detail == "MissGeneratedResponse"


async def test_a_hit_starts_no_task() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    await edge.get(origin)
    before = asyncio.all_tasks()
    obtaining = edge.cache.obtain(key(), FLEXIBLE, origin)
    with pytest.raises(StopIteration) as ended:  # It ends without having waited for anything.
        obtaining.send(None)
    assert ended.value.value.outcome == "Hit"
    assert asyncio.all_tasks() == before


async def test_a_miss_that_nobody_may_wait_for_starts_no_task() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    obtaining = edge.cache.obtain(key(), UNSHARED, origin)
    with pytest.raises(StopIteration) as ended:
        obtaining.send(None)
    assert ended.value.value.outcome == "Miss"
    assert len(edge.store) == 1


async def test_a_body_that_only_one_viewer_gets_is_stored_when_that_viewer_has_left() -> None:
    edge, body = Edge(), ManualBody(4)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    obtained = await edge.cache.obtain(key(), UNSHARED, origin)
    await obtained.response.body.close()
    body.give(b"ab", b"cd", None)
    await edge.settle()
    assert text(await edge.get(origin, UNSHARED)) == b"abcd"
    assert origin.count == 1


async def test_nobody_goes_on_listening_to_events_when_the_viewer_has_left() -> None:
    edge, body = Edge(), ManualBody()
    events = answer(body=body, content_type="text/event-stream; charset=utf-8")
    obtained = await edge.cache.obtain(key(), UNSHARED, ScriptedOrigin(events))
    body.give(b"data: 1\n\n")
    await obtained.response.body.close()
    await edge.settle()
    assert body.closed


async def test_an_object_without_announced_length_is_stored_up_to_its_own_limit() -> None:
    edge = Edge(max_unannounced_bytes=10)
    for size, kept in ((10, 1), (11, 0)):
        origin = ScriptedOrigin(answer(body=stream([b"x"] * size), cache_control="max-age=60"))
        assert len(text(await edge.get(origin, path=f"/{size}"))) == size
        await edge.settle()
        assert len(edge.store) == kept
        await edge.cache.invalidate("E1", ["/*"])


async def test_an_answer_that_may_not_be_stored_is_not_copied_but_passed_through() -> None:
    edge = Edge()
    body = stream([b"a", b"b"], 2)
    obtained = await edge.cache.obtain(
        key(), FLEXIBLE, ScriptedOrigin(answer(body=body, cache_control="no-store"))
    )
    assert obtained.response.body is body
    assert await read(body) == b"ab"


async def test_an_object_that_is_evicted_during_its_revalidation_stays_away() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="max-age=60", etag='"1"'), answer(304, b""))
    await edge.get(origin)
    edge.clock.advance(60)
    origin.gate.clear()
    asking = asyncio.create_task(edge.get(origin))
    await edge.settle()
    await edge.store.delete(key().digest)
    origin.gate.set()
    assert text(await asking) == b"hello"
    assert len(edge.store) == 0


async def test_an_object_that_is_invalidated_while_it_is_renewed_does_not_come_back() -> None:
    class SlowStore(MemoryStore):
        gate = asyncio.Event()

        async def put(self, digest: bytes, entry: Entry) -> None:
            await self.gate.wait()
            await super().put(digest, entry)

    edge, store = Edge(), SlowStore(1_000_000)
    cache = Cache(store, edge.clock, edge.tasks)
    origin = ScriptedOrigin(answer(cache_control="max-age=60", etag='"1"'), answer(304, b""))
    store.gate.set()
    await cache.obtain(key(), FLEXIBLE, origin)
    edge.clock.advance(60)
    store.gate.clear()
    renewing = asyncio.create_task(cache.obtain(key(), FLEXIBLE, origin))
    await edge.settle()
    invalidating = asyncio.create_task(cache.invalidate("E1", ["/a"]))
    await edge.settle()
    store.gate.set()
    assert (await renewing).outcome == "RefreshHit"
    assert await invalidating == 1
    assert len(store) == 0


async def test_a_store_that_fails_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenStore(MemoryStore):
        async def put(self, digest: bytes, entry: Entry) -> None:
            raise OSError("disk full")

    edge = Edge()
    cache = Cache(BrokenStore(1_000_000), edge.clock, Tasks())
    origin = ScriptedOrigin(answer(body=stream([b"hello"], 5), cache_control="max-age=60"))
    obtained = await cache.obtain(key(), FLEXIBLE, origin)
    assert await read(obtained.response.body) == b"hello"
    await edge.settle()
    assert "disk full" in caplog.text


# Against a model ---------------------------------------------------------------------------------

ERROR = 0
paths = st.sampled_from(["/a", "/b", "/dir/a"])


@dataclass
class Stored:
    """What the model knows of a stored object; times in seconds since the machine began."""

    version: int
    """``ERROR`` for a stored error."""
    fresh_until: int
    has_etag: bool = False
    failed_until: int = 0


@dataclass
class Live:
    """What the origin has under a path."""

    version: int = 1
    max_age: int = 30
    has_etag: bool = True


class CacheMachine(RuleBasedStateMachine):
    """Random requests, changes, failures, invalidations and time, against a plain model.

    No request overlaps another: those are the business of the rules for collapsing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.edge = Edge()
        self.now = 0
        self.down = False
        self.live = {path: Live() for path in ("/a", "/b", "/dir/a")}
        self.stored: dict[str, Stored] = {}

    def teardown(self) -> None:
        self.loop.run_until_complete(self.edge.tasks.close())
        self.loop.close()

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.edge.clock.advance(seconds)

    @rule(path=paths, max_age=st.sampled_from([0, 30]), has_etag=st.booleans())
    def the_object_changes(self, path: str, max_age: int, has_etag: bool) -> None:
        self.live[path] = Live(self.live[path].version + 1, max_age, has_etag)

    @rule()
    def the_origin_goes_down_or_up(self) -> None:
        self.down = not self.down

    @rule(pattern=st.sampled_from(["/a", "/*", "/dir/*", "/dir"]))
    def invalidate(self, pattern: str) -> None:
        gone = [
            path
            for path in self.stored
            if path == pattern or (pattern[-1] == "*" and path.startswith(pattern[:-1]))
        ]
        assert self.loop.run_until_complete(self.edge.cache.invalidate("E1", [pattern])) == len(
            gone
        )
        for path in gone:
            del self.stored[path]

    @rule(path=paths)
    def request(self, path: str) -> None:
        asked: list[Headers | None] = []

        async def fill(validators: Headers | None) -> Fetched:
            asked.append(validators)
            return self.origin(self.live[path], validators)

        expected, expects_asked = self.expect(path)
        obtained = self.loop.run_until_complete(self.obtain(path, fill))
        assert (obtained.outcome, text(obtained)) == expected
        assert asked == expects_asked

    async def obtain(self, path: str, fill: Fill) -> Obtained:
        obtained = await self.edge.cache.obtain(key(path), FLEXIBLE, fill)
        body = BytesBody(await read(obtained.response.body))
        await self.edge.settle()
        return replace(obtained, response=replace(obtained.response, body=body))

    def origin(self, live: Live, validators: Headers | None) -> Fetched:
        if self.down:
            return answer(503, b"0")
        etag = f'"{live.version}"' if live.has_etag else ""
        headers = {"cache_control": f"max-age={live.max_age}"} | ({"etag": etag} if etag else {})
        if etag and validators is not None and validators.get("If-None-Match") == etag:
            return answer(304, b"", **headers)
        body = str(live.version).encode()
        return answer(body=stream([body], 1 if len(body) == 1 else None), **headers)

    def expect(self, path: str) -> tuple[tuple[str, bytes], list[Headers | None]]:
        live, stored, now = self.live[path], self.stored.get(path), self.now
        if stored is not None and (now < stored.fresh_until or now < stored.failed_until):
            return ("Hit", str(stored.version).encode()), []
        if stored is not None and stored.version == ERROR:
            stored = None
        sent = stored is not None and stored.has_etag
        asked = [Headers([("If-None-Match", f'"{stored.version}"')]) if sent and stored else None]
        if self.down and stored is not None:
            stored.failed_until = now + 10
            return ("Hit", str(stored.version).encode()), asked
        if self.down:
            self.stored[path] = Stored(ERROR, now + 10)
            return ("Miss", b"0"), asked
        refreshed = sent and live.has_etag and stored is not None and stored.version == live.version
        self.stored[path] = Stored(live.version, now + live.max_age, live.has_etag)
        return ("RefreshHit" if refreshed else "Miss", str(live.version).encode()), asked


class DiskCacheMachine(CacheMachine):
    """The same with the objects on disk, and a process that ends and starts again."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.start()

    def start(self) -> None:
        self.store = DiskStore(Path(self.folder.name), 10_000_000, pytest.fail)
        self.edge.cache = Cache(self.store, self.edge.clock, self.edge.tasks)
        self.loop.run_until_complete(self.edge.cache.open())

    def end(self) -> None:
        self.loop.run_until_complete(self.edge.tasks.close())
        self.loop.run_until_complete(self.edge.cache.close())

    def teardown(self) -> None:
        self.end()
        super().teardown()
        self.folder.cleanup()

    @rule()
    def the_process_starts_again(self) -> None:
        self.end()
        self.start()

    async def obtain(self, path: str, fill: Fill) -> Obtained:
        obtained = await super().obtain(path, fill)
        await self.edge.landed()
        return obtained


TestCacheAgainstModel = CacheMachine.TestCase
TestCacheAgainstModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

TestDiskCacheAgainstModel = DiskCacheMachine.TestCase
TestDiskCacheAgainstModel.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None
)
