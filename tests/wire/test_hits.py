"""Requests that are answered in the connection, as one before them was."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Asked, Delivered, Request, Response, Waiting
from edgeproxy.server.connection import Connection
from edgeproxy.server.limits import Limits
from tests.unit.runtimes.account import until
from tests.wire.raw import connect, door

GET = "GET /hit HTTP/1.1\r\nHost: a\r\nAccept: %s\r\nX-Visitor: %s\r\n\r\n"
HIT = GET % ("*/*", 1)


class Answer:
    """One answer of a :class:`Site`, which hears of its end."""

    def __init__(self, site: "Site", number: int) -> None:
        self._site = site
        self.body: bytes | memoryview = site.body
        self.head = b"HTTP/1.1 200 OK\r\nX-At-Once: %d\r\nContent-Length: %d\r\n\r\n" % (
            number,
            len(self.body),
        )

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        self._site.delivered.append(Delivered(bytes_sent, aborted))
        self._site.changed.set()


class Site:
    """A handler whose answers to /hit may be repeated; also how they are (a ``Repeat``)."""

    depends_on = frozenset({b"host", b"accept", b"connection", b"content-length"})

    def __init__(self, body: bytes = b"hit") -> None:
        self.body = body
        self.handled: list[str] = []
        self.answered: list[Asked] = []
        self.delivered: list[Delivered] = []
        self.changed = asyncio.Event()
        self.is_valid = True
        self.waits_for: asyncio.Event | None = None
        self.works = False
        """Somebody else has to bring the answers."""
        self.waiting: list[Waiting] = []

    async def __call__(self, request: Request) -> Response:
        self.handled.append(request.target)
        if self.waits_for is not None:
            self.changed.set()
            _ = await self.waits_for.wait()
        headers = Headers([("X-Path", request.path)])
        repeat = self if request.path == "/hit" else None
        return Response(200, headers, BytesBody(self.body), repeat=repeat)

    def answer(self, asked: Asked) -> Answer | None:
        if not self.is_valid:
            return None
        if self.works:
            return None
        self.answered.append(asked)
        return Answer(self, len(self.answered))

    def begin(self, asked: Asked, waiting: Waiting) -> bool:
        if not (self.works and self.is_valid):
            return False
        self.answered.append(asked)
        self.waiting.append(waiting)
        self.changed.set()
        return True

    async def at_work(self) -> Waiting:
        """Who waits next for an answer."""
        async with asyncio.timeout(20):
            while not self.waiting:
                self.changed.clear()
                await self.changed.wait()
        return self.waiting.pop(0)


class GoesOn:
    """What has come of a request that the handler is to answer."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def handler(self, request: Request) -> Response:
        return Response(200, Headers([("X-Gone-On", request.path)]), BytesBody(b"on"))

    def abandoned(self) -> None:
        self.left.set()


@pytest.fixture
def site() -> Site:
    return Site()


async def test_what_was_asked_for_before_is_answered_at_once(site: Site) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        first = await viewer.ask(HIT)
        assert first.header("X-Path") == "/hit"
        for number in (1, 2, 3):
            again = await viewer.ask(HIT)
            assert (again.header("X-At-Once"), again.body) == (str(number), b"hit")
        # Another visitor, on another connection: a header that does not matter.
        async with connect(listener) as other:
            assert (await other.ask(GET % ("*/*", 2))).header("X-At-Once") == "4"
    assert site.handled == ["/hit"]
    requests = [asked.request() for asked in site.answered]
    assert [request.headers.get("X-Visitor") for request in requests] == ["1", "1", "1", "2"]
    assert {request.viewer.ip for request in requests} == {"127.0.0.1"}
    assert requests[0].viewer.port != requests[-1].viewer.port
    sizes = {delivered.bytes_sent for delivered in site.delivered}
    assert sizes == {len(Answer(site, 1).head) + 3}


@pytest.mark.parametrize(
    "other",
    [
        GET % ("text/html", 1),
        HIT.replace("Host: a", "Host: b"),
        HIT.replace("/hit", "/hit?x"),
        HIT.replace("GET", "HEAD"),
        HIT.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
        HIT.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
        HIT.replace("\r\n\r\n", "\r\nX-Edgeproxy-Explain: 1\r\n\r\n"),
        HIT.replace("\r\n\r\n", f"\r\nX-Long: {'x' * 5000}\r\n\r\n"),
        HIT.replace("HTTP/1.1", "HTTP/1.0"),
    ],
)
async def test_what_is_different_goes_to_the_handler(site: Site, other: str) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        method = other.partition(" ")[0]
        assert (await viewer.ask(other, method)).header("X-Path") == "/hit"
    assert len(site.handled) == 2


@pytest.mark.parametrize(
    "broken",
    [
        HIT.replace("Host: a", "Host: a\r\nHost: a"),
        HIT.replace("X-Visitor: 1", "X-Visitor : 1"),
        HIT.replace("X-Visitor: 1", "X-Visitor: 1\0"),
        HIT.replace("X-Visitor: 1", "X-Visitor: 1\r\n folded"),
        HIT.replace("X-Visitor: 1", "X-Visitor: 1\nX: 2"),
        HIT.replace("Accept: */*", "Transfer-Encoding: x"),
        HIT.replace("X-Visitor: 1", "User-Agent: a\r\nUser-Agent: b"),
        HIT.replace("X-Visitor: 1", "Sec-WebSocket-Key1: x"),
    ],
)
async def test_what_is_malformed_is_refused_as_ever(site: Site, broken: str) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT + broken + HIT)
        assert (await viewer.answer()).header("X-At-Once") == "1"
        refused = await viewer.answer()
        assert (refused.status, refused.header("X-Refused")) in [(400, "yes"), (501, "yes")]
        assert await viewer.closed()
    assert site.handled == ["/hit"]


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    other = HIT.replace("/hit", "/other")
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT * 3 + other + HIT + other + HIT * 2)
        told = [await viewer.answer() for _ in range(8)]
    paths = [answer.header("X-Path") for answer in told]
    assert paths == [None, None, None, "/other", "/hit", "/other", "/hit", "/hit"]
    assert [told[at].header("X-At-Once") for at in range(3)] == ["1", "2", "3"]


async def test_a_head_in_pieces(site: Site) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT + HIT[:20])
        assert (await viewer.answer()).header("X-At-Once") == "1"
        await viewer.send(HIT[20:])
        assert (await viewer.answer()).header("X-Path") == "/hit"
        assert (await viewer.ask(HIT)).header("X-At-Once") == "2"


async def test_what_does_not_hold_any_more_goes_to_the_handler(site: Site) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        site.is_valid = False
        assert (await viewer.ask(HIT)).header("X-Path") == "/hit"
        site.is_valid = True
        assert (await viewer.ask(HIT)).header("X-At-Once") == "1"
        listener.forget()
        assert (await viewer.ask(HIT)).header("X-Path") == "/hit"


async def test_what_was_asked_before_a_change_is_not_repeated_after_it(site: Site) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        waits = asyncio.Event()
        site.waits_for = waits
        await viewer.send(HIT)
        async with asyncio.timeout(20):
            await site.changed.wait()
        listener.forget()
        waits.set()
        assert (await viewer.answer()).header("X-Path") == "/hit"
        assert (await viewer.ask(HIT)).header("X-Path") == "/hit"
        assert (await viewer.ask(HIT)).header("X-At-Once") == "1"


async def test_all_connections_forget_however_many_viewers_there_are(site: Site) -> None:
    async with AsyncExitStack() as open_ones:
        listener = await open_ones.enter_async_context(door(site))
        viewers = []
        for number in range(1, 103):
            connected = connect(listener, ip=f"127.0.0.{number}")
            viewer = await open_ones.enter_async_context(connected)
            _ = await viewer.ask(HIT)
            viewers.append(viewer)
        listener.forget()
        for viewer in viewers:
            assert (await viewer.ask(HIT)).header("X-Path") == "/hit"


async def test_a_viewer_that_does_not_read_gets_no_more() -> None:
    site = Site(b"x" * 1_000_000)
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT * 50)
        _ = await viewer.head()
        assert len(site.answered) + len(site.handled) < 10
        await viewer.read(1_000_000)
        for _ in range(49):
            assert len((await viewer.answer()).body) == 1_000_000
    assert len(site.answered) + len(site.handled) == 51


async def test_a_viewer_that_leaves_has_not_got_all() -> None:
    site = Site(b"x" * 50_000_000)
    async with door(site) as listener:
        async with connect(listener) as viewer:
            _ = await viewer.ask(HIT)
            await viewer.send(HIT)
            _ = await viewer.head()
            assert site.delivered == []
        async with asyncio.timeout(20):
            await site.changed.wait()
    assert [delivered.aborted for delivered in site.delivered] == [True]


async def test_a_connection_that_is_idle_after_such_an_answer_is_closed(site: Site) -> None:
    limits = Limits(head_timeout_s=20, keep_alive_s=0.05)
    async with door(site, limits=limits) as listener:
        async with connect(listener) as viewer:
            _ = await viewer.ask(HIT)
        async with connect(listener) as viewer:
            assert (await viewer.ask(HIT)).header("X-At-Once") == "1"
            assert await viewer.closed()


async def test_a_stop_closes_such_a_connection_at_once(site: Site) -> None:
    async with door(site) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        _ = await viewer.ask(HIT)
        await listener.stop(20)
        assert await viewer.closed()


@pytest.fixture
def working() -> Site:
    """One whose repeated answers take a while."""
    site = Site()
    site.works = True
    return site


async def test_an_answer_that_comes_later(working: Site) -> None:
    async with door(working) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        for number in (1, 2):
            await viewer.send(HIT)
            waiting = await working.at_work()
            assert listener.in_flight == 1
            waiting.repeated(Answer(working, number))
            assert (await viewer.answer()).header("X-At-Once") == str(number)
            assert listener.in_flight == 0
    assert working.handled == ["/hit"]
    assert [delivered.aborted for delivered in working.delivered] == [False, False]


async def test_what_the_handler_is_to_finish(working: Site) -> None:
    async with door(working) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT + HIT.replace("/hit", "/other"))
        (await working.at_work()).continued(GoesOn())
        answer = await viewer.answer()
        assert (answer.header("X-Gone-On"), answer.body) == ("/hit", b"on")
        assert (await viewer.answer()).header("X-Path") == "/other"
        assert listener.in_flight == 0
    assert working.handled == ["/hit", "/other"]


async def test_requests_behind_one_that_is_worked_on_wait(working: Site) -> None:
    async with door(working) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT)
        first = await working.at_work()
        await viewer.send(HIT + HIT.replace("/hit", "/other") + HIT[:30])
        first.repeated(Answer(working, 1))
        assert (await viewer.answer()).header("X-At-Once") == "1"
        (await working.at_work()).repeated(Answer(working, 2))
        assert (await viewer.answer()).header("X-At-Once") == "2"
        assert (await viewer.answer()).header("X-Path") == "/other"
        await viewer.send(HIT[30:])
        assert (await viewer.answer()).header("X-Path") == "/hit"


async def test_a_viewer_that_leaves_while_others_work(working: Site) -> None:
    async with door(working) as listener:
        async with connect(listener) as viewer:
            _ = await viewer.ask(HIT)
            await viewer.send(HIT)
            first = await working.at_work()
        async with connect(listener) as viewer:
            await viewer.send(HIT)
            second = await working.at_work()
        goes_on = GoesOn()
        for waiting in (first, second):
            assert isinstance(waiting, Connection)
            await until(waiting.has_left)
        first.repeated(Answer(working, 1))
        second.continued(goes_on)
        assert goes_on.left.is_set()
        assert listener.in_flight == 0
    assert [delivered.aborted for delivered in working.delivered] == [True]


async def test_a_stop_lets_others_bring_the_answer(working: Site) -> None:
    async with door(working) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT)
        waiting = await working.at_work()
        stopping = asyncio.ensure_future(listener.stop(20))
        await asyncio.sleep(0)
        waiting.repeated(Answer(working, 1))
        assert (await viewer.answer()).header("X-At-Once") == "1"
        assert await viewer.closed()
        await stopping


async def test_what_goes_on_after_a_change_is_not_repeated(working: Site) -> None:
    async with door(working) as listener, connect(listener) as viewer:
        _ = await viewer.ask(HIT)
        await viewer.send(HIT)
        waiting = await working.at_work()
        listener.forget()

        class GoesOnWithRepeat(GoesOn):
            async def handler(self, request: Request) -> Response:
                return await working(request)

        waiting.continued(GoesOnWithRepeat())
        assert (await viewer.answer()).header("X-Path") == "/hit"
        assert (await viewer.ask(HIT)).header("X-Path") == "/hit"
    assert len(working.handled) == 3
