"""The history keeps the newest exchanges, small, and lets others follow along."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from types import SimpleNamespace
from typing import cast

import pytest

from edgeproxy.exchange.model import Exchange, RepeatedHit, Step
from edgeproxy.http.body import BytesBody, StreamBody
from edgeproxy.http.messages import Delivered, Response
from edgeproxy.observe import following
from edgeproxy.observe import history as module
from edgeproxy.observe.history import History, SeenBody
from tests.unit.exchange.records import exchange, line, ran


def filled(count: int, limit: int = 1000) -> History:
    history = History(limit)
    for number in range(count):
        history.ended(exchange(id=str(number)))
    return history


def hit(hit_id: str) -> RepeatedHit:
    """A repeated hit whose record is made when somebody looks at it."""
    record = exchange(id=hit_id)
    return cast(RepeatedHit, SimpleNamespace(id=hit_id, exchange=record, summary=record))


def ids(exchanges: Sequence[Exchange | RepeatedHit]) -> list[str]:
    return [one.id for one in exchanges]


class TestKeeping:
    def test_newest_first_up_to_the_limit(self) -> None:
        page, following = filled(5, limit=3).newest(10)
        assert ids(page) == ["4", "3", "2"]
        assert following is None

    def test_by_id(self) -> None:
        history = filled(5, limit=3)
        kept = history.get("4")
        assert kept is not None
        assert kept.id == "4"
        assert history.get("1") is None

    def test_pages_follow_each_other(self) -> None:
        history = filled(5)
        page, following = history.newest(2)
        assert (ids(page), following) == (["4", "3"], "3")
        page, following = history.newest(2, following)
        assert (ids(page), following) == (["2", "1"], "1")
        page, following = history.newest(2, following)
        assert (ids(page), following) == (["0"], None)

    def test_after_one_that_is_gone_there_is_nothing(self) -> None:
        assert filled(5, limit=3).newest(2, "0") == ([], None)

    def test_what_has_come_since_then(self) -> None:
        history = History(3)
        assert history.after(None) == ([], True)
        for number in range(5):
            history.ended(exchange(id=str(number)))
        found, is_all = history.after("3")
        assert ([each.id for each in found], is_all) == (["4"], True)
        found, is_all = history.after("1")
        assert ([each.id for each in found], is_all) == (["2", "3", "4"], False)
        assert history.after("4") == ([], True)

    def test_none_is_kept_if_so_told(self) -> None:
        history = filled(5, limit=0)
        history.repeated([hit("a")])
        assert history.newest(10) == ([], None)

    def test_an_empty_one(self) -> None:
        assert History().newest(10) == ([], None)

    def test_empty_lines_take_room_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MAX_LOG_CHARS", 50_000)
        history = History()
        for number in range(5):
            history.ended(exchange(id=str(number), steps=[ran(log=(line(""),) * 150)]))
        assert ids(history.newest(10)[0]) == ["4", "3"]

    def test_logs_are_bounded_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_MAX_LOG_CHARS", 1200)
        history = History()
        for number in range(5):
            history.ended(exchange(id=str(number), steps=[ran(log=(line("x" * 400),))]))
        assert ids(history.newest(10)[0]) == ["4", "3"]
        history.ended(exchange(id="quiet"))
        assert ids(history.newest(10)[0]) == ["quiet", "4", "3"]


class TestMemory:
    async def test_bodies_shrink_to_what_was_seen_of_them(self) -> None:
        async def source() -> AsyncIterator[bytes]:
            yield b"x" * 5000
            yield b"y" * 5000

        body = StreamBody(source())
        response = Response(200, body=body, on_delivered=lambda delivered: None)
        done = exchange(response=response, steps=[Step("origin", 0, after=response)])
        async for _ in body:
            pass
        history = History()
        history.ended(done)
        kept = history.get(done.id)
        assert kept is not None
        assert kept.response is not None
        assert kept.response.body == SeenBody(10_000, b"x" * 4096, None)
        assert kept.response.on_delivered is None
        after = kept.steps[0].after
        assert isinstance(after, Response)
        assert after.body is kept.response.body
        assert [chunk async for chunk in kept.response.body] == [b"x" * 4096]

    async def test_a_request_s_body_too(self) -> None:
        history = History()
        history.ended(exchange(method="POST", body=BytesBody(b"x" * 5000)))
        kept = history.newest(1)[0][0]
        assert kept.request.body == SeenBody(5000, b"x" * 4096, 5000)
        await kept.request.body.close()

    def test_a_message_that_is_all_seen_is_kept_as_it_is(self) -> None:
        done = exchange(method="POST", body=BytesBody(b"x" * 4096))
        history = History()
        history.ended(done)
        kept = history.newest(1)[0][0]
        assert kept.request is done.request
        assert kept.response is done.response

    async def test_an_empty_body_yields_no_chunk(self) -> None:
        assert [chunk async for chunk in SeenBody(0, b"", 0)] == []

    def test_the_original_is_left_to_other_readers(self) -> None:
        told: list[Delivered] = []
        done = exchange(response=Response(200, body=BytesBody(b"a"), on_delivered=told.append))
        History().ended(done)
        assert done.response is not None
        assert isinstance(done.response.body, BytesBody)
        assert done.response.on_delivered is not None

    def test_what_a_fetch_does_after_its_viewer_has_left_is_not_kept(self) -> None:
        left = exchange(response=None, aborted=True, steps=[Step("origin", 0)])
        history = History()
        history.ended(left)
        left.steps[0].after = Response(200)
        with left.step("origin-response"):
            pass
        kept = history.get(left.id)
        assert kept is not None
        assert [(step.name, step.after) for step in kept.steps] == [("origin", None)]


class TestWaiting:
    async def test_as_many_as_asked_for_newest_first(self) -> None:
        history = filled(1)
        waiting = asyncio.create_task(history.wait_for(3))
        await asyncio.sleep(0)
        history.ended(exchange(id="1"))
        await asyncio.sleep(0)
        assert not waiting.done()
        history.ended(exchange(id="2"))
        async with asyncio.timeout(20):
            assert ids(await waiting) == ["2", "1", "0"]

    async def test_several_may_wait(self) -> None:
        history = History()
        waiting = [asyncio.create_task(history.wait_for(1)) for _ in range(3)]
        await asyncio.sleep(0)
        history.ended(exchange(id="0"))
        async with asyncio.timeout(20):
            assert [ids(await one) for one in waiting] == [["0"]] * 3


class TestFollowing:
    @pytest.mark.parametrize(
        ("last_id", "expected"),
        [(None, ["new"]), ("2", ["3", "4", "new"]), ("4", ["new"]), ("0", ["2", "3", "4", "new"])],
    )
    async def test_it_resumes_after_the_last_one_seen(
        self, last_id: str | None, expected: list[str]
    ) -> None:
        history = filled(5, limit=3)
        follower = history.follow(last_id)
        next_one = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0)
        history.ended(exchange(id="new"))
        seen: list[str] = []
        async with asyncio.timeout(20):
            seen += ids((await next_one).exchanges)
            while len(seen) < len(expected):
                seen += ids((await anext(follower)).exchanges)
        assert seen == expected

    async def test_a_slow_follower_loses_the_oldest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(following, "MAX_WAITING", 2)
        monkeypatch.setattr(following, "MAX_AT_ONCE", 3)
        history = History()
        follower = history.follow()
        first = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0)
        history.repeated([hit("a"), hit("b")])
        for number in range(3):
            history.ended(exchange(id=str(number)))
        history.repeated([hit("c"), hit("d")])
        async with asyncio.timeout(20):
            ended = await first
        assert (ids(ended.exchanges), ended.left_out) == (["b", "1", "2", "c", "d"], 2)

    async def test_hits_wait_for_their_records(self) -> None:
        history = History()
        follower = history.follow()
        first = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0)
        repeated = [hit("a"), hit("b")]
        history.repeated(repeated)
        async with asyncio.timeout(20):
            assert (await first).exchanges == repeated
        await follower.aclose()

    async def test_who_stops_following_is_forgotten(self) -> None:
        history = filled(3)
        follower = history.follow("0")
        assert ids((await anext(follower)).exchanges) == ["1", "2"]
        await follower.aclose()
        assert not history._followers


def test_settled_exchanges_are_copies_of_all_else() -> None:
    history = History()
    done = exchange(path_pattern="*.css", origin_id="web", steps=[ran(), ran()])
    history.ended(done)
    kept = history.get(done.id)
    assert kept is not None
    assert (kept.path_pattern, kept.origin_id, kept.result_type) == ("*.css", "web", "Hit")
    assert list(islice(kept.functions, 2)) == done.functions
