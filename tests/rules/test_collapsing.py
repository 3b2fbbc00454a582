"""One fetch for many viewers who wait: the rules CDN-COL."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.entry import Hit
from edgeproxy.cache.freshness import CacheRules
from edgeproxy.edge.delivery import shape
from edgeproxy.http.body import Body
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from tests.unit.cache.scenes import (
    DISABLED,
    FLEXIBLE,
    OPTIMIZED,
    Edge,
    ManualBody,
    ScriptedOrigin,
    answer,
    key,
    read,
    stream,
    text,
)


async def crowd(
    edge: Edge, origin: ScriptedOrigin, rules: CacheRules = FLEXIBLE, viewers: int = 10
) -> list[Obtained]:
    """What viewers get who all ask before the origin answers."""
    origin.gate.clear()
    asking = [asyncio.create_task(edge.get(origin, rules)) for _ in range(viewers)]
    await edge.settle()
    origin.gate.set()
    return await asyncio.gather(*asking)


@pytest.mark.rule("CDN-COL-01", "CDN-COL-02")
@pytest.mark.parametrize("streamed", [False, True])
async def test_waiting_viewers_share_one_fetch(streamed: bool) -> None:
    edge = Edge()
    body = stream([b"hel", b"lo"], 5) if streamed else b"hello"
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60", age="7"))
    obtained = await crowd(edge, origin)
    assert origin.count == 1
    assert [text(one) for one in obtained] == [b"hello"] * 10
    assert [one.outcome for one in obtained] == ["Miss"] + ["Hit"] * 9
    assert [one.age_s for one in obtained] == [None] + [7] * 9
    assert (
        obtained[1].lookup.why == "joined another viewer's fetch, fresh for 60 s more (max-age=60)"
    )
    await edge.settle()
    assert (await edge.get(origin)).outcome == "Hit"


@pytest.mark.rule("CDN-COL-01")
async def test_different_keys_are_fetched_separately() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    origin.gate.clear()
    asking = [asyncio.create_task(edge.get(origin, path=path)) for path in ("/a", "/b", "/a")]
    await edge.settle()
    origin.gate.set()
    await asyncio.gather(*asking)
    assert origin.count == 2


@pytest.mark.rule("CDN-COL-01")
async def test_one_who_comes_while_the_body_streams_gets_it_from_the_beginning() -> None:
    edge, body = Edge(), ManualBody(length=10)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    first = await edge.cache.obtain(key(), FLEXIBLE, origin)
    body.give(b"hello")
    await edge.settle()
    edge.clock.advance(3)
    second = await edge.cache.obtain(key(), FLEXIBLE, origin)
    body.give(b"world", None)
    assert await read(second.response.body) == await read(first.response.body) == b"helloworld"
    assert (second.outcome, second.age_s, origin.count) == ("Hit", 3, 1)


async def test_one_who_comes_when_the_streaming_object_has_expired_fetches_anew() -> None:
    edge, body = Edge(), ManualBody(length=10)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"), answer(body=b"new"))
    first = await edge.cache.obtain(key(), FLEXIBLE, origin)
    edge.clock.advance(60)
    assert text(await edge.get(origin)) == b"new"
    body.give(b"helloworld", None)
    assert await read(first.response.body) == b"helloworld"


@pytest.mark.rule("CDN-COL-03")
async def test_nothing_is_collapsed_when_caching_is_off() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    obtained = await crowd(edge, origin, DISABLED)
    assert origin.count == 10
    assert {one.outcome for one in obtained} == {"Miss"}


@pytest.mark.rule("CDN-COL-04")
async def test_nothing_is_collapsed_when_cookies_are_forwarded() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    await crowd(edge, origin, replace(FLEXIBLE, forwards_cookies=True))
    assert origin.count == 10
    assert (await edge.get(origin)).outcome == "Hit"


@pytest.mark.rule("CDN-COL-05")
@pytest.mark.parametrize("control", ["private", "no-store", "no-cache", "max-age=0", "s-maxage=0"])
@pytest.mark.parametrize(("rules", "count"), [(FLEXIBLE, 10), (OPTIMIZED, 1)])
async def test_a_personal_answer_releases_those_who_wait(
    control: str, rules: CacheRules, count: int
) -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control=control))
    obtained = await crowd(edge, origin, rules)
    assert origin.count == count
    assert [one.outcome for one in obtained].count("Miss") == count


@pytest.mark.rule("CDN-COL-05")
async def test_each_of_those_released_goes_to_the_origin() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="no-store"), answer(cache_control="max-age=60"))
    await crowd(edge, origin)
    assert origin.count == 10


@pytest.mark.rule("CDN-COL-01")
async def test_an_object_that_is_stale_at_once_is_shared_by_those_who_wait_only() -> None:
    edge, rules, body = Edge(), CacheRules(0, 0, 100), ManualBody(length=5)
    origin = ScriptedOrigin(answer(body=body), answer(body=b"new"))
    origin.gate.clear()
    asking = [asyncio.create_task(edge.get(origin, rules)) for _ in range(2)]
    await edge.settle()
    origin.gate.set()
    await edge.settle()
    assert text(await edge.get(origin, rules)) == b"new"
    body.give(b"hello", None)
    assert [text(one) for one in await asyncio.gather(*asking)] == [b"hello"] * 2
    assert origin.count == 2


@pytest.mark.rule("CDN-COL-05")
async def test_a_304_marked_no_cache_releases_as_well() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="no-cache", etag='"1"'), answer(304, b""))
    await edge.get(origin)
    obtained = await crowd(edge, origin, viewers=3)
    assert origin.count == 4
    assert [one.outcome for one in obtained] == ["RefreshHit"] * 3


@pytest.mark.rule("CDN-COL-01", "CDN-COL-02")
async def test_those_who_wait_for_a_revalidation_share_it() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="max-age=60", etag='"1"'), answer(304, b""))
    await edge.get(origin)
    edge.clock.advance(60)
    obtained = await crowd(edge, origin, viewers=3)
    assert origin.count == 2
    assert [one.outcome for one in obtained] == ["RefreshHit", "Hit", "Hit"]
    assert [text(one) for one in obtained] == [b"hello"] * 3


@pytest.mark.parametrize("status", [206, 304, 403, 412, 416])
async def test_an_answer_to_one_viewers_own_condition_releases_the_others(status: int) -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(status, b""), answer(cache_control="max-age=60"))
    obtained = await crowd(edge, origin, viewers=3)
    assert [one.response.status for one in obtained] == [status, 200, 200]


@pytest.mark.rule("CDN-COL-07")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("may_store", [False, True])
async def test_those_who_wait_share_the_error(streamed: bool, may_store: bool) -> None:
    edge = Edge()
    body = stream([b"do", b"wn"]) if streamed else b"down"
    failure = replace(answer(502, body, detail="OriginConnectError"), may_store=may_store)
    origin = ScriptedOrigin(failure)
    obtained = await crowd(edge, origin)
    assert origin.count == 1
    assert {(one.response.status, text(one), one.detail) for one in obtained} == {
        (502, b"down", "OriginConnectError")
    }


async def test_a_fill_that_raises_raises_for_everybody() -> None:
    edge, origin = Edge(), ScriptedOrigin(ZeroDivisionError("in the pipeline"))
    origin.gate.clear()
    asking = [asyncio.create_task(edge.get(origin)) for _ in range(3)]
    await edge.settle()
    origin.gate.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 3
    origin.then(answer())
    assert (await edge.get(origin)).outcome == "Miss"


@pytest.mark.rule("CDN-VAL-22")
async def test_the_first_viewer_leaving_does_not_harm_the_others() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    origin.gate.clear()
    asking = [asyncio.create_task(edge.get(origin)) for _ in range(3)]
    await edge.settle()
    asking[0].cancel()
    asking[1].cancel()
    await edge.settle()
    origin.gate.set()
    obtained = await asking[2]
    assert (text(obtained), origin.count) == (b"hello", 1)
    assert isinstance(obtained.lookup, Hit)
    assert len(edge.store) == 1


async def test_a_viewer_who_leaves_just_when_the_answer_comes_holds_nobody_up() -> None:
    edge, body = Edge(max_object_bytes=10), ManualBody(length=1_000_000)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    origin.gate.clear()
    asking = [asyncio.create_task(edge.cache.obtain(key(), FLEXIBLE, origin)) for _ in range(2)]
    await edge.settle()
    origin.gate.set()
    await asyncio.sleep(0)  # The fetch has its answer and hands it out in this turn.
    asking[0].cancel()
    chunks = [b"x" * 100_000] * 10
    body.give(*chunks, None)
    obtained = await asking[1]
    assert len(await read(obtained.response.body)) == 1_000_000


async def test_a_large_body_passes_to_those_who_wait_and_late_ones_fetch_anew() -> None:
    edge = Edge(max_object_bytes=10)
    first_body, second_body = ManualBody(length=20), ManualBody(length=20)
    origin = ScriptedOrigin(
        answer(body=first_body, cache_control="max-age=60"),
        answer(body=second_body, cache_control="max-age=60"),
    )
    origin.gate.clear()
    asking = [asyncio.create_task(edge.cache.obtain(key(), FLEXIBLE, origin)) for _ in range(2)]
    await edge.settle()
    origin.gate.set()
    early = await asyncio.gather(*asking)
    assert early[0].stored is not None
    assert early[0].stored.why == "20 bytes; at most 10 are stored"
    late = await edge.cache.obtain(key(), FLEXIBLE, origin)
    assert origin.count == 2
    first_body.give(b"x" * 20, None)
    second_body.give(b"y" * 20, None)
    assert await asyncio.gather(*(read(one.response.body) for one in [*early, late])) == [
        b"x" * 20,
        b"x" * 20,
        b"y" * 20,
    ]
    await edge.settle()
    assert len(edge.store) == 0


async def test_closing_the_tasks_ends_all_waiting() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer())
    origin.gate.clear()
    asking = [asyncio.create_task(edge.get(origin)) for _ in range(2)]
    await edge.settle()
    await edge.tasks.close()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2


class TestPartsOfWhatIsOnItsWay:
    """Viewers who ask for a part while another viewer's fetch brings the whole object."""

    @pytest.mark.rule("CDN-COL-01", "CDN-RNG-11")
    async def test_a_part_comes_as_soon_as_it_is_there(self) -> None:
        body = ManualBody(10)
        edge, origin = await self.on_its_way(body)
        body.give(b"01", b"23", b"45")
        response = await self.ask(edge, origin, Range="bytes=1-4")
        assert (response.status, response.headers.get("Content-Range")) == (206, "bytes 1-4/10")
        assert (response.body.length, await read(response.body)) == (4, b"1234")
        end = asyncio.create_task(read((await self.ask(edge, origin, Range="bytes=-5")).body))
        await edge.settle()
        body.give(b"6789", None)
        assert await end == b"56789"
        assert origin.count == 1

    @pytest.mark.rule("CDN-RNG-06")
    async def test_several_parts(self) -> None:
        body = ManualBody(10)
        edge, origin = await self.on_its_way(body)
        response = await self.ask(edge, origin, Range="bytes=1-3,5-5,8-")
        body.give(b"012", b"345", b"6789", None)
        received = await read(response.body)
        assert (response.status, response.body.length) == (206, len(received))
        parts = [each.split(b"\r\n\r\n")[1] for each in received.split(b"\r\n--")[1:-1]]
        assert parts == [b"123", b"5", b"89"]

    @pytest.mark.rule("CDN-RNG-04")
    async def test_of_an_object_of_unknown_length_the_whole(self) -> None:
        body = ManualBody()
        edge, origin = await self.on_its_way(body)
        response = await self.ask(edge, origin, Range="bytes=1-3")
        body.give(b"012", b"345", None)
        assert (response.status, await read(response.body)) == (200, b"012345")

    @pytest.mark.rule("CDN-RNG-07", "CDN-VAL-15")
    @pytest.mark.parametrize(
        ("status", "condition"),
        [(416, {"Range": "bytes=10-"}), (304, {"If-None-Match": '"1"'})],
    )
    async def test_what_needs_no_body_holds_nobody_up(
        self, status: int, condition: dict[str, str]
    ) -> None:
        edge, origin = await self.on_its_way(ManualBody(10), etag='"1"')
        response = await self.ask(edge, origin, **condition)
        assert (response.status, response.body.length) == (status, 0)
        await response.body.close()
        (flight,) = edge.cache._aloft
        assert flight.collecting is not None
        assert not flight.collecting._readers

    @pytest.mark.rule("CDN-RNG-02")
    async def test_of_an_object_too_large_to_be_stored_the_origin_is_asked(self) -> None:
        edge = Edge(max_object_bytes=5)
        whole, part = stream([b"0123456789"], 10), answer(206, b"9", content_range="bytes 9-9/10")
        origin = ScriptedOrigin(answer(body=whole, cache_control="max-age=60"), part)
        origin.gate.clear()
        first = asyncio.create_task(edge.get(origin))
        await edge.settle()
        second = asyncio.create_task(self.ask(edge, origin, Range="bytes=9-9"))
        await edge.settle()
        assert origin.count == 1
        origin.gate.set()
        response = await second
        assert (response.status, await read(response.body), origin.count) == (206, b"9", 2)
        assert text(await first) == b"0123456789"

    async def on_its_way(self, body: Body, **headers: Any) -> tuple[Edge, ScriptedOrigin]:
        edge = Edge()
        origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60", **headers))
        first = await edge.cache.obtain(key(), FLEXIBLE, origin)
        await first.response.body.close()
        return edge, origin

    async def ask(self, edge: Edge, origin: ScriptedOrigin, **headers: str) -> Response:
        asked = Headers(headers.items())
        obtained = await edge.cache.obtain(key(), FLEXIBLE, origin, asked=asked)
        return shape(Request("GET", "/a", headers=asked), obtained, edge.clock.now())
