"""Requests for whose answers somebody is asked again, while the connection waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Asked, Coming, Repeated, Request, Rerun, Response
from edgeproxy.server.listener import Listener
from tests.unit.runtimes.account import until
from tests.wire.raw import Raw, connect, door

HIT = "GET /hit HTTP/1.1\r\nHost: a\r\n\r\n"
OTHER = HIT.replace("/hit", "/other")


class Answer:
    def __init__(self, number: int, body: bytes = b"hit") -> None:
        self.head = (
            f"HTTP/1.1 200 OK\r\nX-Again: {number}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        self.body = body
        self.aborted: bool | None = None

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        assert self.aborted is None
        self.aborted = aborted


class Work(Coming):
    """What one request waits for."""

    def __init__(self, site: "Site") -> None:
        self.site = site
        self.arrived: Callable[[Repeated | None], None]
        self.left = False

    def then(self, arrived: Callable[[Repeated | None], None]) -> None:
        self.arrived = arrived
        if self.site.at_once is not None:
            arrived(self.site.at_once.pop(0))

    async def ordinary(self, request: Request) -> Response:
        self.site.gone_on.append(request)
        headers = Headers([("X-Gone-On", request.path)])
        return Response(200, headers, BytesBody(b"on"), repeat=self.site)

    def abandon(self) -> None:
        self.left = True


class Site(Rerun):
    def __init__(self) -> None:
        self.handled: list[str] = []
        self.gone_on: list[Request] = []
        self.asked: asyncio.Queue[tuple[Asked, Work]] = asyncio.Queue()
        self.is_valid = True
        self.at_once: list[Answer | None] | None = None
        """What is there when it is asked for."""

    async def __call__(self, request: Request) -> Response:
        self.handled.append(request.path)
        repeat = self if request.path == "/hit" else None
        headers = Headers([("X-Path", request.path)])
        return Response(200, headers, BytesBody(b"first"), repeat=repeat)

    def begin(self, asked: Asked) -> Work | None:
        if not self.is_valid:
            return None
        work = Work(self)
        self.asked.put_nowait((asked, work))
        return work

    async def at_work(self) -> Work:
        """That of the next request."""
        async with asyncio.timeout(20):
            return (await self.asked.get())[1]


@asynccontextmanager
async def known(site: Site) -> AsyncIterator[tuple[Listener, Raw]]:
    """A door that has learned of the request, and a viewer there."""
    async with door(site) as listener, connect(listener) as viewer:
        for _ in range(2):
            assert (await viewer.ask(HIT)).header("X-Path") == "/hit"
        site.handled.clear()
        yield listener, viewer


@pytest.fixture
def site() -> Site:
    return Site()


async def test_an_answer_that_comes_later(site: Site) -> None:
    answers = [Answer(1), Answer(2, b"x" * 100_000)]
    async with known(site) as (listener, viewer):
        for number, answer in enumerate(answers, 1):
            await viewer.send(HIT)
            work = await site.at_work()
            assert listener.in_flight == 1
            work.arrived(answer)
            got = await viewer.answer()
            assert (got.header("X-Again"), got.body) == (str(number), answer.body)
            assert listener.in_flight == 0
    assert not site.handled
    assert [answer.aborted for answer in answers] == [False, False]


async def test_what_is_not_begun_goes_to_the_handler(site: Site) -> None:
    async with known(site) as (_, viewer):
        site.is_valid = False
        assert (await viewer.ask(HIT)).header("X-Path") == "/hit"
    assert site.handled == ["/hit"]


async def test_an_answer_that_takes_the_whole_story(site: Site) -> None:
    async with known(site) as (listener, viewer):
        await viewer.send(HIT + OTHER)
        (await site.at_work()).arrived(None)
        answer = await viewer.answer()
        assert (answer.header("X-Gone-On"), answer.body) == ("/hit", b"on")
        assert (await viewer.answer()).header("X-Path") == "/other"
        assert listener.in_flight == 0
    assert site.handled == ["/other"]
    (request,) = site.gone_on
    assert request.headers.lines() == [("Host", "a")]


async def test_answers_that_are_there_when_they_are_asked_for(site: Site) -> None:
    async with known(site) as (listener, viewer):
        site.at_once = [Answer(1), None, Answer(2)]
        await viewer.send(HIT + HIT + OTHER)
        assert (await viewer.answer()).header("X-Again") == "1"
        assert (await viewer.answer()).header("X-Gone-On") == "/hit"
        assert (await viewer.answer()).header("X-Path") == "/other"
        assert (await viewer.ask(HIT)).header("X-Again") == "2"
        assert listener.in_flight == 0


async def test_requests_behind_one_that_is_worked_on_wait(site: Site) -> None:
    async with known(site) as (_, viewer):
        await viewer.send(HIT)
        first = await site.at_work()
        await viewer.send(HIT + OTHER + HIT[:30])
        first.arrived(Answer(1))
        assert (await viewer.answer()).header("X-Again") == "1"
        (await site.at_work()).arrived(Answer(2))
        assert (await viewer.answer()).header("X-Again") == "2"
        assert (await viewer.answer()).header("X-Path") == "/other"
        await viewer.send(HIT[30:])
        assert (await viewer.answer()).header("X-Path") == "/hit"


async def test_more_than_is_kept_meanwhile_waits_outside(site: Site) -> None:
    async with known(site) as (_, viewer):
        await viewer.send(HIT)
        first = await site.at_work()
        sending = asyncio.ensure_future(viewer.send(OTHER * 4_000))
        first.arrived(Answer(1))
        assert (await viewer.answer()).header("X-Again") == "1"
        for _ in range(4_000):
            assert (await viewer.answer()).header("X-Path") == "/other"
        await sending


async def test_viewers_that_leave_meanwhile(site: Site) -> None:
    answer = Answer(1)
    async with known(site) as (listener, _):
        works = []
        for _ in range(2):
            async with connect(listener) as other:
                await other.send(HIT)
                works.append(await site.at_work())
        assert listener._door is not None
        opened = listener._door._open
        await until(lambda: len(opened) == 1)
        for work, arrived in zip(works, (answer, None), strict=True):
            work.arrived(arrived)
        assert works[1].left
        assert listener.in_flight == 0
    assert answer.aborted
    assert not works[0].left
    assert not site.gone_on


async def test_a_stop_lets_the_answer_come(site: Site) -> None:
    async with known(site) as (listener, viewer):
        await viewer.send(HIT)
        work = await site.at_work()
        stopping = asyncio.ensure_future(listener.stop(20))
        await asyncio.sleep(0)
        work.arrived(Answer(1))
        assert (await viewer.answer()).header("X-Again") == "1"
        assert await viewer.closed()
        await stopping


async def test_what_goes_on_after_a_change_is_not_learned(site: Site) -> None:
    async with known(site) as (listener, viewer):
        await viewer.send(HIT)
        work = await site.at_work()
        listener.forget()
        work.arrived(None)
        assert (await viewer.answer()).header("X-Gone-On") == "/hit"
        for _ in range(2):
            assert (await viewer.ask(HIT)).header("X-Path") == "/hit"
        await viewer.send(HIT)
        (await site.at_work()).arrived(None)
        assert (await viewer.answer()).header("X-Gone-On") == "/hit"
    assert site.handled == ["/hit", "/hit"]
