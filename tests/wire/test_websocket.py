"""Connections that leave HTTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.server.limits import Limits
from tests.wire.raw import connect, door

HANDSHAKE = (
    "GET /chat?x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
    "Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class FarEnd:
    """A tunnel that a test drives: what arrived, what to say, when to close."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.says: asyncio.Queue[bytes] = asyncio.Queue()
        self.arrived = asyncio.Condition()
        self.ready = asyncio.Event()
        self.ready.set()
        self.closed = 0
        self.end: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()

    async def send(self, data: bytes) -> None:
        await self.ready.wait()
        async with self.arrived:
            self.got += data
            self.arrived.notify_all()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.says.get():
            yield data

    async def close(self) -> None:
        self.closed += 1

    async def handler(self, request: Request) -> Response:
        assert request.upgrade == "websocket"
        headers = Headers([("Upgrade", "websocket"), ("Sec-WebSocket-Accept", "x")])
        return Response(101, headers, tunnel=self, on_delivered=self.end.set_result)

    async def has_got(self, data: bytes) -> None:
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: self.got == data)


@pytest.mark.rule("CDN-WS-01", "CDN-WS-04")
async def test_bytes_flow_both_ways() -> None:
    far = FarEnd()
    async with door(far.handler) as listener, connect(listener) as viewer:
        await viewer.send(HANDSHAKE + "early")
        answer = await viewer.head()
        assert (answer.status, answer.reason) == (101, "Switching Protocols")
        assert answer.lines == [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Accept", "x"),
            ("Connection", "upgrade"),
        ]
        await far.has_got(b"early")
        await viewer.send(GET + "\0\xff")
        await far.has_got(b"early" + GET.encode() + b"\0\xff")
        far.says.put_nowait(b"HTTP/1.1 \r\n\0")
        assert await viewer.read(12) == b"HTTP/1.1 \r\n\0"
        assert listener.in_flight == 1
        far.says.put_nowait(b"bye")
        far.says.put_nowait(b"")
        assert await viewer.rest() == b"bye"
        end = await far.end
        assert not end.aborted
        assert end.bytes_sent > 15 + 50
        assert far.closed == 1


@pytest.mark.rule("CDN-WS-04")
async def test_both_ends_wait_for_the_slower_one() -> None:
    far = FarEnd()
    far.ready.clear()
    block = b"x" * 1024 * 1024
    async with door(far.handler) as listener, connect(listener) as viewer:
        await viewer.send(HANDSHAKE)
        await viewer.head()
        viewer.writer.write(block * 32)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(viewer.writer.drain(), 0.3)
        for _ in range(32):
            far.says.put_nowait(block)
        await asyncio.sleep(0.1)
        assert not far.says.empty()
        assert await viewer.read(32 * len(block)) == block * 32
        far.ready.set()
        await far.has_got(block * 32)


@pytest.mark.rule("CDN-WS-04")
async def test_a_silent_far_end_is_given_up() -> None:
    far = FarEnd()
    async with (
        door(far.handler, limits=Limits(tunnel_idle_s=0.2)) as listener,
        connect(listener) as viewer,
    ):
        await viewer.send(HANDSHAKE)
        await viewer.head()
        await viewer.send("I am not silent")
        assert await viewer.rest() == b""
        assert not (await far.end).aborted
        assert far.closed == 1


@pytest.mark.rule("CDN-WS-04")
def test_the_far_end_may_be_silent_for_ten_minutes() -> None:
    assert Limits().tunnel_idle_s == 600


async def test_a_viewer_that_closes_its_half_hears_the_end() -> None:
    far = FarEnd()
    async with door(far.handler) as listener, connect(listener) as viewer:
        await viewer.send(HANDSHAKE)
        await viewer.head()
        await viewer.send("bye")
        viewer.writer.write_eof()
        await far.has_got(b"bye")
        far.says.put_nowait(b"bye, bye")
        far.says.put_nowait(b"")
        assert await viewer.rest() == b"bye, bye"
        assert not (await far.end).aborted


async def test_a_viewer_that_closes_its_half_does_not_wait_for_ever() -> None:
    far = FarEnd()
    async with (
        door(far.handler, limits=Limits(tunnel_goodbye_s=0.1)) as listener,
        connect(listener) as viewer,
    ):
        await viewer.send(HANDSHAKE)
        await viewer.head()
        viewer.writer.write_eof()
        assert await viewer.closed()
        assert far.closed == 1


async def test_a_viewer_that_is_gone_ends_the_tunnel() -> None:
    far = FarEnd()
    async with door(far.handler) as listener:
        async with connect(listener) as viewer:
            await viewer.send(HANDSHAKE)
            await viewer.head()
            viewer.reset_at_the_end()
        async with asyncio.timeout(20):
            assert (await far.end).aborted
    assert far.closed == 1


async def test_a_declined_handshake_is_an_ordinary_request() -> None:
    asked: list[tuple[str, str]] = []

    async def decline(request: Request) -> Response:
        asked.append((request.path, request.upgrade))
        return Response(200, body=BytesBody(request.path.encode()))

    async with door(decline) as listener, connect(listener) as viewer:
        await viewer.send(GET + HANDSHAKE + HANDSHAKE + GET)
        bodies = [(await viewer.answer()).body for _ in range(4)]
        assert bodies == [b"/", b"/chat", b"/chat", b"/"]
        assert (await viewer.ask(GET)).body == b"/"
    assert asked == [
        ("/", ""),
        ("/chat", "websocket"),
        ("/chat", "websocket"),
        ("/", ""),
        ("/", ""),
    ]


@pytest.mark.rule("CDN-WS-01")
@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE.replace("GET", "POST"),
        HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0").replace("\r\n\r\n", "\r\n\r\n"),
        HANDSHAKE.replace("keep-alive, Upgrade", "keep-alive"),
        HANDSHAKE.replace("WebSocket\r", "h2c\r"),
        HANDSHAKE.replace("WebSocket\r", "tcp\r"),
        HANDSHAKE.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc"),
    ],
)
async def test_what_is_no_handshake(head: str) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, body=BytesBody(request.upgrade.encode()))

    async with door(answer) as listener, connect(listener) as viewer:
        await viewer.send(head + GET)
        answers = [await viewer.answer() for _ in range(1 if "1.0" in head else 2)]
        assert all((each.status, each.body) == (200, b"") for each in answers)


async def test_a_tunnel_nobody_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    far = FarEnd()

    async def tunnel(request: Request) -> Response:
        return Response(101, tunnel=far, on_delivered=far.end.set_result)

    async with door(tunnel) as listener, connect(listener) as viewer:
        assert (await viewer.ask(GET)).status == 500
    assert far.closed == 1
    assert far.end.done()
    assert "101 needs an upgrade" in caplog.text
