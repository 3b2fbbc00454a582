"""Where a listener on plain aiohttp does otherwise; all else is in the tests beside this one."""

import asyncio
from contextlib import suppress

import pytest

from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.server.limits import MAX_HEAD_BYTES, Limits
from tests.wire.raw import connect, door
from tests.wire.test_smuggling import BODIES, CHUNKED, reads_the_body

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def ok(request: Request) -> Response:
    return Response(200, body=BytesBody(b"ok"))


async def test_every_request_goes_to_the_handler() -> None:
    asked = 0

    class Never:
        depends_on: frozenset[bytes] = frozenset()

        def answer(self, asked: object) -> None:
            raise AssertionError

        begin = answer

    async def count(request: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(200, repeat=Never())

    async with door(count) as listener, connect(listener) as viewer:
        for _ in range(3):
            assert (await viewer.ask(GET)).status == 200
        listener.forget()
    assert asked == 3


async def test_a_target_beyond_ascii_is_refused() -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        answer = await viewer.ask(b"GET /caf\xe9 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (answer.status, answer.header("X-Refused")) == (400, "yes")
        assert await viewer.closed()


async def test_thousands_of_pipelined_requests() -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        viewer.writer.write(GET.encode() * 2000)
        for _ in range(2000):
            assert (await viewer.answer()).status == 200


async def test_a_bad_request_takes_the_good_ones_of_its_packet_with_it() -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        assert (await viewer.ask(GET)).status == 200
        assert (await viewer.ask(GET + "BAD\r\n\r\n" + GET)).status == 400
        assert await viewer.closed()


@pytest.mark.parametrize("bytes_", [pytest.param(body, id=name) for name, body in BODIES.items()])
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "after the head"])
async def test_an_ambiguous_body_is_refused_when_it_stops(bytes_: str, apart: bool) -> None:
    limits = Limits(read_stall_s=0.2)
    async with door(reads_the_body, limits=limits) as listener, connect(listener) as viewer:
        if apart:
            await viewer.send(CHUNKED + "Expect: 100-continue\r\n\r\n")
            assert (await viewer.head()).status == 100
            answer = await viewer.ask(bytes_)
        else:
            answer = await viewer.ask(CHUNKED + "\r\n" + bytes_)
        assert (answer.status, answer.header("Connection")) == (400, "close")
        assert await viewer.closed()


async def test_a_head_without_end_is_cut() -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        with suppress(ConnectionError):  # A reset is an end as well.
            await viewer.send("GET / HTTP/1.1\r\nHost: a\r\n" + f"X: {'y' * 1000}\r\n" * 2000)
            assert await viewer.closed()


async def test_a_long_head_that_ends_is_refused() -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        lines = "X: y\r\n" * (MAX_HEAD_BYTES // 6)
        assert (await viewer.ask(f"GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).status == 494
        assert await viewer.closed()


@pytest.mark.parametrize("protocol", ["h2c", "tcp"])
async def test_an_upgrade_to_something_unknown_ends_the_connection(protocol: str) -> None:
    upgrade = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    async with door(ok) as listener, connect(listener) as viewer:
        answer = await viewer.ask(upgrade + GET)
        assert (answer.body, answer.header("Connection")) == (b"ok", "close")
        assert await viewer.closed()


async def test_a_request_that_comes_during_the_stop_is_answered() -> None:
    async with door(ok) as listener, connect(listener) as viewer, connect(listener) as idle:
        assert (await idle.ask(GET)).status == 200
        assert (await viewer.ask(GET)).status == 200
        await viewer.send(GET[:10])
        assert (await idle.ask(GET)).status == 200  # what the other sent has been read by now
        stopping = asyncio.ensure_future(listener.stop(20))
        assert await idle.closed()
        answer = await viewer.ask(GET[10:])
        assert (answer.status, answer.header("Connection")) == (200, "close")
        await stopping
