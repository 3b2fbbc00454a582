"""What a viewer may ask for, and how long it may take."""

import asyncio
from contextlib import suppress

import pytest

from edgeproxy.http.body import BytesBody, StreamBody, read_at_most
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.server.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_URL_BYTES, Limits
from tests.wire.raw import connect, door


async def ok(request: Request) -> Response:
    return Response(200, body=BytesBody(b"ok"))


def head_of(size: int) -> str:
    start = "GET / HTTP/1.1\r\nHost: a\r\n"
    line = "X: " + "y" * 1000 + "\r\n"
    count, rest = divmod(size - len(start) - 2, len(line))
    last = "X: " + "y" * (rest + len(line) - 5) + "\r\n"
    return start + line * (count - 1) + last + "\r\n"


@pytest.mark.rule("CDN-REQ-01", "CDN-REQ-03")
@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 494)])
async def test_head_size(pieces: int, extra: int, status: int) -> None:
    head = head_of(MAX_HEAD_BYTES + extra)
    assert len(head) == MAX_HEAD_BYTES + extra
    step = len(head) // pieces + 1
    async with door(ok) as listener, connect(listener) as viewer:
        for start in range(0, len(head), step):
            await viewer.send(head[start : start + step])
        answer = await viewer.answer()
        assert answer.status == status
        if status == 494:
            assert answer.header("Connection") == "close"
            assert await viewer.closed()


@pytest.mark.rule("CDN-REQ-01", "CDN-REQ-03")
@pytest.mark.parametrize("endless", ["X: y\r\n", "y"], ids=["many lines", "one line"])
async def test_a_head_without_end_is_not_collected(endless: str) -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        await viewer.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + endless * 40_000)
        assert (await viewer.answer()).status == 494


async def test_the_head_limit_counts_each_head_alone() -> None:
    post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + "b" * 40_000

    async def read(request: Request) -> Response:
        return Response(200, body=BytesBody(b"%d" % len(await read_at_most(request.body, 50_000))))

    async with door(read) as listener, connect(listener) as viewer:
        await viewer.send(post + post[:30])
        assert (await viewer.answer()).body == b"40000"
        await viewer.send(post[30:] + head_of(20_000) * 3)
        assert [(await viewer.answer()).body for _ in range(4)] == [b"40000", b"0", b"0", b"0"]


@pytest.mark.rule("CDN-REQ-02", "CDN-REQ-03")
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 414)])
async def test_url_length(extra: int, status: int) -> None:
    url = "/?" + "q" * (MAX_URL_BYTES + extra - 2)
    async with door(ok) as listener, connect(listener) as viewer:
        answer = await viewer.ask(f"GET {url} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.status == status
        if status == 414:
            assert answer.header("Connection") == "close"
            assert await viewer.closed()


@pytest.mark.rule("CDN-REQ-05", "CDN-QUO-03")
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413)])
async def test_body_size(extra: int, status: int) -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        length = MAX_BODY_BYTES + extra
        answer = await viewer.ask(f"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
        assert answer.status == status


@pytest.mark.rule("CDN-REQ-10")
@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nHo"])
async def test_a_new_connection_without_a_head_is_closed(begun: str) -> None:
    async with (
        door(ok, limits=Limits(head_timeout_s=0.1)) as listener,
        connect(listener) as viewer,
    ):
        await viewer.send(begun)
        assert await viewer.closed()


@pytest.mark.rule("CDN-REQ-10")
@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nHo"])
async def test_an_idle_connection_is_closed(begun: str) -> None:
    limits = Limits(keep_alive_s=60 if begun else 0.1, head_timeout_s=0.7 if begun else 60)
    async with door(ok, limits=limits) as listener, connect(listener) as viewer:
        assert (await viewer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        await viewer.send(begun)
        assert await viewer.closed()


@pytest.mark.rule("CDN-REQ-10")
async def test_a_head_that_trickles_in_does_not_buy_time() -> None:
    async with (
        door(ok, limits=Limits(head_timeout_s=0.3)) as listener,
        connect(listener) as viewer,
    ):
        ended = asyncio.ensure_future(viewer.closed())
        began = asyncio.get_running_loop().time()
        while not ended.done():
            with suppress(ConnectionError):  # the end may come just now
                await viewer.send("G")
            await asyncio.wait([ended], timeout=0.05)
            assert asyncio.get_running_loop().time() - began < 10


@pytest.mark.rule("CDN-REQ-10")
async def test_a_body_that_stops_coming_is_given_up() -> None:
    async def read(request: Request) -> Response:
        return Response(200, body=BytesBody(await read_at_most(request.body, 100)))

    async with (
        door(read, limits=Limits(read_stall_s=0.1)) as listener,
        connect(listener) as viewer,
    ):
        answer = await viewer.ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        assert answer.status == 400
        assert await viewer.closed()


async def test_a_handler_may_take_longer_than_any_viewer() -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(1)
        return Response(200)

    limits = Limits(head_timeout_s=0.6, keep_alive_s=0.6, read_stall_s=0.6, write_stall_s=0.6)
    async with door(slow, limits=limits) as listener, connect(listener) as viewer:
        assert (await viewer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200


async def test_a_viewer_that_does_not_read_is_cut() -> None:
    delivered: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()

    async def endless():  # type: ignore[no-untyped-def]
        while True:
            yield b"x" * 65536

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(endless()), on_delivered=delivered.set_result)

    async with (
        door(answer, limits=Limits(write_stall_s=0.2)) as listener,
        connect(listener) as viewer,
    ):
        viewer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await viewer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await delivered).aborted


@pytest.mark.rule("AL-191")
async def test_a_connection_that_has_lived_its_time_serves_one_last_request() -> None:
    get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    async with door(ok, limits=Limits(lifetime_s=0.3)) as listener, connect(listener) as viewer:
        assert (await viewer.ask(get)).header("Connection") != "close"
        await asyncio.sleep(0.4)  # real time is the rule
        answer = await viewer.ask(get)
        assert (answer.status, answer.header("Connection")) == (200, "close")
        assert await viewer.closed()
