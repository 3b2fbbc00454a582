"""The HTTP of the APIs: what no well-behaved client does, over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edgeproxy.runtimes.api_call import Call
from edgeproxy.runtimes.api_server import ApiServer


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    """A server that answers each call with its method, path and the size of its body."""

    def called(call: Call) -> None:
        def answer(body: bytes | None) -> None:
            size = "too large" if body is None else str(len(body))
            call.answer(200, f"{call.method} {call.path} {size}".encode())

        call.collect(answer, 100_000)

    server = ApiServer(called)
    await server.open()
    host, _, port = server.address.partition(":")
    yield host, int(port)
    await server.close()


async def ask(address: tuple[str, int], text: bytes, *, at_end: bool = True) -> str:
    """All that comes back until the server closes."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(text)
        if at_end:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer.decode()


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_requests_in_a_row(address: tuple[str, int]) -> None:
    answer = await ask(address, GET + GET + LAST, at_end=False)
    assert answer.count("HTTP/1.1 200") == 3
    assert answer.endswith("GET /b 0")


async def test_clients_that_wait_to_be_asked_for_the_body(address: tuple[str, int]) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 \r\n\r\n"
        writer.write(b"abc")
        assert b"HTTP/1.1 200" in await reader.readuntil(b"POST /a 3")
        writer.close()
        await writer.wait_closed()


async def test_a_body_over_the_limit_is_read_to_its_end(address: tuple[str, int]) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 900000\r\n\r\n"
    assert (await ask(address, head + bytes(900_000), at_end=False)).endswith("too large")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"nonsense\r\n\r\n", "InvalidRequestFormat"),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", "TruncatedHTTPRequest"),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "TruncatedHTTPRequest",
        ),
    ],
)
async def test_what_is_no_request(address: tuple[str, int], text: bytes, kind: str) -> None:
    answer = await ask(address, text)
    assert answer.startswith("HTTP/1.1 400 ")
    assert f'"errorType":"{kind}"' in answer


async def test_callers_that_go_away_before_their_answer() -> None:
    came: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()

    def called(call: Call) -> None:
        came.set_result(call)
        call.on_cut = gone.set

    server = ApiServer(called)
    await server.open()
    host, _, port = server.address.partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(GET)
    await writer.drain()
    async with asyncio.timeout(10):
        call = await came
        writer.transport.abort()
        await gone.wait()
    call.answer(200, b"nobody hears")
    await server.close()
