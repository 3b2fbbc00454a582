"""Bodies of any size, both ways, with flat memory; and how a delivery ends."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from edgeproxy.http.body import BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response
from tests.wire.raw import connect, door

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MEGABYTE = 1024 * 1024


class Source:
    """Chunks that note whether they were given up, and may break in the middle."""

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self.parts = parts
        self.error = error
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        self.closed += 1


class Ends:
    """What deliveries were told; a second one for the same response is an error."""

    def __init__(self) -> None:
        self.first: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()

    def append(self, end: Delivered) -> None:
        self.first.set_result(end)

    async def one(self) -> Delivered:
        async with asyncio.timeout(20):
            return await self.first


async def test_a_large_response_needs_little_memory() -> None:
    block = b"x" * 65536
    count = 256 * MEGABYTE // len(block)

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield block

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(blocks(), count * len(block)))

    async with door(answer) as listener, connect(listener) as viewer:
        await viewer.send(GET)
        await viewer.head()
        tracemalloc.start()
        try:
            left = count * len(block)
            while left:
                left -= len(await viewer.reader.read(MEGABYTE))
            assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
        finally:
            tracemalloc.stop()


async def test_a_large_request_waits_for_its_reader() -> None:
    go = asyncio.Event()
    size = 0

    async def slow(request: Request) -> Response:
        nonlocal size
        await go.wait()
        async for chunk in request.body:
            size += len(chunk)
            assert len(chunk) <= 512 * 1024
        return Response(200)

    total = 64 * MEGABYTE
    async with door(slow) as listener, connect(listener) as viewer:
        await viewer.send(f"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {total}\r\n\r\n")
        viewer.writer.write(bytes(total))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(viewer.writer.drain(), 0.3)
        go.set()
        assert (await viewer.answer()).status == 200
        assert size == total


async def test_a_chunked_request() -> None:
    async def read(request: Request) -> Response:
        assert request.body.length is None
        return Response(200, body=BytesBody(b"|".join([chunk async for chunk in request.body])))

    async with door(read) as listener, connect(listener) as viewer:
        head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        for _ in range(2):
            await viewer.send(head + "Expect: 100-continue\r\n\r\n")
            assert (await viewer.head()).status == 100
            await viewer.send("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n")
            assert (await viewer.answer()).body.replace(b"|", b"") == b"abcde"


async def test_an_answer_while_the_request_still_comes() -> None:
    async def echo(request: Request) -> Response:
        return Response(200, body=StreamBody(request.body))

    async with door(echo) as listener, connect(listener) as viewer:
        head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        await viewer.send(head + "3\r\nabc\r\n")
        assert (await viewer.head()).header("Connection") == "close"
        assert await viewer.read(8) == b"3\r\nabc\r\n"
        await viewer.send("2\r\nde\r\n0\r\n\r\n")
        assert await viewer.rest() == b"2\r\nde\r\n0\r\n\r\n"


async def test_chunks_pass_as_they_come() -> None:
    go = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"one"
        await go.wait()
        yield b"two"

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(events()))

    async with door(answer) as listener, connect(listener) as viewer:
        await viewer.send(GET)
        await viewer.head()
        assert await viewer.read(8) == b"3\r\none\r\n"
        go.set()
        assert await viewer.read(13) == b"3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "framing"),
    [(GET, "chunked"), (GET, "length"), ("GET / HTTP/1.0\r\n\r\n", "close")],
)
async def test_a_broken_body_is_seen_to_be_broken(head: str, framing: str) -> None:
    ends = Ends()
    source = Source(b"abc", error=OSError("origin gone"))

    async def answer(request: Request) -> Response:
        body = StreamBody(source, 10 if framing == "length" else None)
        return Response(200, body=body, on_delivered=ends.append)

    async with door(answer) as listener, connect(listener) as viewer:
        await viewer.send(head)
        if framing == "close":
            with pytest.raises(ConnectionResetError):
                await viewer.head()
                await viewer.rest()
        else:
            await viewer.head()
            assert await viewer.rest() == (b"3\r\nabc\r\n" if framing == "chunked" else b"abc")
        assert (await ends.one()).aborted
    assert source.closed


@pytest.mark.parametrize("length", [2, 4])
async def test_a_body_must_keep_its_promise(length: int) -> None:
    ends = Ends()

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(Source(b"abc"), length), on_delivered=ends.append)

    async with door(answer) as listener, connect(listener) as viewer:
        await viewer.send(GET)
        await viewer.head()
        assert len(await viewer.rest()) < length
        assert (await ends.one()).aborted


async def test_a_viewer_that_leaves_ends_the_writing() -> None:
    ends = Ends()
    closed = False

    async def endless() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        finally:
            closed = True

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(endless()), on_delivered=ends.append)

    async with door(answer) as listener:
        async with connect(listener) as viewer:
            await viewer.send(GET)
            await viewer.read(200_000)
        end = await ends.one()
        assert end.aborted
        assert end.bytes_sent >= 200_000
    assert closed


@pytest.mark.parametrize(
    ("method", "body", "size"),
    [("GET", BytesBody(b"abc"), 3), ("HEAD", BytesBody(b"abc"), 0), ("GET", None, 13)],
)
async def test_bytes_sent_are_head_and_body(method: str, body: BytesBody | None, size: int) -> None:
    ends = Ends()

    async def answer(request: Request) -> Response:
        return Response(200, body=body or StreamBody(Source(b"abc")), on_delivered=ends.append)

    async with door(answer) as listener, connect(listener) as viewer:
        await viewer.send(f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = await viewer.rest()
        assert await ends.one() == Delivered(len(received))
        assert len(received.partition(b"\r\n\r\n")[2]) == size


async def test_a_viewer_that_leaves_breaks_its_request_body() -> None:
    error: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def read(request: Request) -> Response:
        try:
            async for _ in request.body:
                pass
        except ConnectionError as reason:
            error.set_result(reason)
            raise
        raise AssertionError

    async with door(read) as listener:
        async with connect(listener) as viewer:
            await viewer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        async with asyncio.timeout(20):
            assert isinstance(await error, ConnectionResetError)


@pytest.mark.rule("CDN-REQ-09")
async def test_100_continue_comes_with_the_first_read() -> None:
    asked, go = asyncio.Event(), asyncio.Event()
    seen: list[Headers] = []

    async def read(request: Request) -> Response:
        seen.append(request.headers)
        asked.set()
        await go.wait()
        return Response(200, body=BytesBody(b"".join([chunk async for chunk in request.body])))

    async with door(read) as listener, connect(listener) as viewer:
        for _ in range(2):
            asked.clear()
            go.clear()
            await viewer.send(
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
            )
            await asked.wait()
            assert await viewer.silent()
            go.set()
            assert (await viewer.head()).status == 100
            assert (await viewer.ask("abc")).body == b"abc"
    assert seen[0].get("Expect") == "100-Continue"


@pytest.mark.rule("CDN-REQ-09")
async def test_no_100_when_nobody_wants_the_body() -> None:
    async def refuse(request: Request) -> Response:
        return Response(403)

    async with door(refuse) as listener, connect(listener) as viewer:
        answer = await viewer.ask(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (answer.status, answer.header("Connection")) == (403, "close")
        assert await viewer.closed()


async def test_an_early_answer_survives_an_upload() -> None:
    async def refuse(request: Request) -> Response:
        return Response(403, body=BytesBody(b"no"))

    async with door(refuse) as listener, connect(listener) as viewer:
        size = 8 * MEGABYTE
        await viewer.send(f"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
        await viewer.send(bytes(size))
        answer = await viewer.answer()
        assert (answer.status, answer.body) == (403, b"no")


async def test_a_small_unread_body_does_not_end_the_connection() -> None:
    async def refuse(request: Request) -> Response:
        return Response(403)

    async with door(refuse) as listener, connect(listener) as viewer:
        for _ in range(2):
            answer = await viewer.ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            assert (answer.status, answer.header("Connection")) == (403, "keep-alive")
