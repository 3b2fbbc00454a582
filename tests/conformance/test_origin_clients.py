"""What every client of an origin makes of HTTP/1.1, run over ours and over aiohttp's own.

aiohttp's ``ClientSession`` is a second reading of the RFCs. It keeps fewer promises than we do:
those tests take ``ours`` alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp
import pytest
from yarl import URL

from edgeproxy.http.body import BytesBody, StreamBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailure
from tests.unit.origins.raw_origin import (
    OK,
    RawOrigin,
    Script,
    Visit,
    client,
    custom_origin,
    raw_origin,
    says,
)

SILENCE_S = 1
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Broken(Exception):
    """There is no answer, or not the whole of one."""


Upload: TypeAlias = bytes | AsyncIterator[bytes]
Ask: TypeAlias = Callable[..., Awaitable[Answer]]
"""``ask(method, path, body)``; all but the method may be left out."""


@asynccontextmanager
async def our_client(origin: RawOrigin) -> AsyncIterator[Ask]:
    settings = custom_origin(read_timeout_s=SILENCE_S, connection_attempts=1)
    host = Headers([("Host", "www.example.com")])

    async def ask(method: str, path: str = "/", body: Upload = b"") -> Answer:
        sent = BytesBody(body) if isinstance(body, bytes) else StreamBody(body)
        try:
            response = await sender.fetch(Request(method, path, headers=host, body=sent), settings)
            whole = await read_at_most(response.body, 2**26)
        except OriginFailure as failure:
            raise Broken(failure.why) from failure
        return Answer(response.status, response.headers.lines(), whole)

    async with client({"web": origin.url}) as sender:
        yield ask


@asynccontextmanager
async def aiohttp_client(origin: RawOrigin) -> AsyncIterator[Ask]:
    async def ask(method: str, path: str = "/", body: Upload = b"") -> Answer:
        url = URL(origin.url + path, encoded=True)
        try:
            async with session.request(
                method, url, data=body or None, allow_redirects=False
            ) as response:
                lines = [(name.decode(), value.decode()) for name, value in response.raw_headers]
                return Answer(response.status, lines, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Broken(str(error)) from error

    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(sock_read=SILENCE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        yield ask


@pytest.fixture(params=[our_client, aiohttp_client], ids=["ours", "aiohttp"])
def connected(request: pytest.FixtureRequest) -> Callable[..., object]:
    return request.param


@asynccontextmanager
async def asking(connected, script: Script) -> AsyncIterator[tuple[Ask, RawOrigin]]:
    async with raw_origin(script) as origin, connected(origin) as ask:
        yield ask, origin


def repeats(answer: bytes, *, then_closes: bool = False) -> Script:
    """Say the same to every request of a connection, or to one."""

    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.send(answer)
            if then_closes:
                return

    return script


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "answer", "status", "body"),
    [
        pytest.param("GET", OK, 200, b"ok", id="length"),
        pytest.param("GET", OK.replace(b"2\r\n\r\nok", b"0\r\n\r\n"), 200, b"", id="length-0"),
        pytest.param("GET", CHUNKS + b"2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", 200, b"ok!", id="chunks"),
        pytest.param("GET", CHUNKS + b"2;a=b\r\nok\r\n0\r\n\r\n", 200, b"ok", id="extension"),
        pytest.param("GET", CHUNKS + b"2\r\nok\r\n0\r\nX-A: b\r\n\r\n", 200, b"ok", id="trailers"),
        pytest.param("HEAD", OK.removesuffix(b"ok"), 200, b"", id="head"),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="204"),
        pytest.param("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, b"", id="304"),
        pytest.param(
            "GET", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, 200, b"ok", id="interim"
        ),
        pytest.param(
            "GET", OK.replace(b"200 OK", b"302 Found\r\nLocation: /b"), 302, b"ok", id="redirect"
        ),
    ],
)
async def test_an_answer_that_says_where_it_ends_leaves_the_connection_to_the_next(
    connected, method: str, answer: bytes, status: int, body: bytes
) -> None:
    async with asking(connected, repeats(answer)) as (ask, origin):
        for _ in range(3):
            received = await ask(method)
            assert (received.status, received.body) == (status, body)
    assert origin.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nok", id="until-close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="http-1.0"),
        pytest.param(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), id="close"),
    ],
)
async def test_an_answer_that_ends_the_connection_is_whole(connected, answer: bytes) -> None:
    async with asking(connected, repeats(answer, then_closes=True)) as (ask, origin):
        for _ in range(2):
            assert (await ask("GET")).body == b"ok"
    assert origin.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half-a-head"),
        pytest.param(OK.removesuffix(b"k"), id="short-of-its-length"),
        pytest.param(CHUNKS + b"2\r\nok\r\n", id="no-last-chunk"),
        pytest.param(CHUNKS + b"x\r\nok\r\n0\r\n\r\n", id="chunk-size"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="not-http"),
        pytest.param(OK.replace(b": 2", b": two"), id="length-no-number"),
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"), id="two-lengths"),
    ],
)
async def test_a_broken_answer_is_none(connected, answer: bytes) -> None:
    async with asking(connected, repeats(answer, then_closes=True)) as (ask, _):
        with pytest.raises(Broken):
            await ask("GET")


async def test_an_answer_may_come_byte_by_byte(connected) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        for byte in CHUNKS + b"2\r\nok\r\n0\r\nX-A: b\r\n\r\n":
            await visit.send(bytes([byte]))
            await asyncio.sleep(0)

    async with asking(connected, script) as (ask, _):
        assert (await ask("GET")).body == b"ok"


async def test_a_large_answer_comes_whole(connected) -> None:
    body = bytes(range(256)) * 20_000

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(CHUNKS)
        for start in range(0, len(body), 70_001):
            chunk = body[start : start + 70_001]
            await visit.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await visit.send(b"0\r\n\r\n")

    async with asking(connected, script) as (ask, _):
        assert (await ask("GET")).body == body


async def test_header_lines_keep_spelling_order_and_duplicates(connected) -> None:
    lines = [("x-B", "1"), ("X-a", "é"), ("x-b", "2"), ("X-Empty", "")]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    answer = OK.replace(b"Content", head.encode() + b"Content")
    async with asking(connected, says(answer)) as (ask, _):
        assert (await ask("GET")).headers == [*lines, ("Content-Length", "2")]


async def test_the_target_goes_out_as_it_is(connected) -> None:
    async with asking(connected, says(OK)) as (ask, origin):
        await ask("GET", "/a%2Fb/%7e;c?q=%20+&q")
    assert origin.requests[0].startswith(b"GET /a%2Fb/%7e;c?q=%20+&q HTTP/1.1\r\n")


@pytest.mark.parametrize("size", [1, 1000, 100_000])
async def test_an_upload_in_memory_has_its_length(connected, size: int) -> None:
    async with asking(connected, says(OK)) as (ask, origin):
        assert (await ask("PUT", "/", bytes(size))).body == b"ok"
    head, _, body = origin.requests[0].partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % size in head
    assert body == bytes(size)


async def test_a_streamed_upload_goes_in_chunks(connected) -> None:
    async def upload() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c" * 20

    async with asking(connected, says(OK)) as (ask, origin):
        assert (await ask("POST", "/", upload())).body == b"ok"
    head, _, body = origin.requests[0].partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"2\r\nab\r\n14\r\n" + b"c" * 20 + b"\r\n0\r\n\r\n"


async def test_the_answer_may_come_before_the_upload_has_ended(connected) -> None:
    answered = asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield b"x"
        await answered.wait()

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"x")
        await visit.send(OK)
        await visit.until_gone()

    async with asking(connected, script) as (ask, _):
        assert (await ask("POST", "/", upload())).body == b"ok"
    answered.set()


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(connected) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        if visit.number == 1:
            await visit.reader.readuntil(b"\r\n\r\n")  # the next request gets nothing
            return
        await visit.until_gone()

    async with asking(connected, script) as (ask, origin):
        for _ in range(2):
            assert (await ask("GET")).body == b"ok"
    assert origin.connections == 2


async def test_a_second_answer_to_one_request_is_not_the_next_ones(connected) -> None:
    async with asking(connected, repeats(OK + EVIL)) as (ask, origin):
        for _ in range(2):
            assert (await ask("GET")).body == b"ok"
    assert origin.connections == 2


async def test_half_an_answer_too_many_is_not_the_beginning_of_the_next(connected) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK + EVIL.removesuffix(b"\r\n\r\nevil"))
        await visit.request()
        await visit.send(b"\r\n\r\nevil")

    async with asking(connected, script) as (ask, _):
        assert (await ask("GET")).body == b"ok"
        with pytest.raises(Broken):
            await ask("GET")


@pytest.mark.parametrize("answer", [b"", OK.removesuffix(b"k")], ids=["head", "body"])
async def test_an_origin_that_falls_silent_is_given_up(connected, answer: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)
        await visit.until_gone()

    async with asking(connected, script) as (ask, _):
        with pytest.raises(Broken):
            await ask("GET")


async def test_bytes_that_keep_coming_hold_the_time_limit_off(connected) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK.removesuffix(b"ok").replace(b"2", b"4"))
        for _ in range(4):
            await asyncio.sleep(SILENCE_S * 0.4)
            await visit.send(b"x")

    async with asking(connected, script) as (ask, _):
        assert (await ask("GET")).body == b"xxxx"


async def test_a_request_that_is_given_up_closes_its_connection(connected) -> None:
    arrived = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        arrived.set()
        await visit.until_gone()

    async with asking(connected, script) as (ask, origin):
        asked = asyncio.ensure_future(ask("GET"))
        await asyncio.wait_for(arrived.wait(), 20)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await asyncio.wait_for(origin.gone.wait(), 20)


async def test_an_interim_answer_does_not_end_the_time_limit() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await visit.until_gone()

    async with asking(our_client, script) as (ask, _):
        with pytest.raises(Broken, match="sent nothing for 1 s"):
            await asyncio.wait_for(ask("GET"), 20)


async def test_what_an_idle_connection_says_is_nobodys_answer() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        if visit.number == 1:
            await idle.wait()
            await visit.send(EVIL)
        await visit.until_gone()

    idle = asyncio.Event()
    async with asking(our_client, script) as (ask, origin):
        assert (await ask("GET")).body == b"ok"
        idle.set()
        await asyncio.wait_for(origin.gone.wait(), 20)
        assert (await ask("GET")).body == b"ok"
    assert origin.connections == 2


async def test_the_connection_used_last_is_used_next() -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            if len(origin.requests) == 2:
                both.set()
            await both.wait()
            await visit.send(OK.replace(b"2\r\n\r\nok", b"1\r\n\r\n%d" % visit.number))

    both = asyncio.Event()
    async with asking(our_client, script) as (ask, origin):
        await asyncio.gather(ask("GET"), ask("GET"))
        last = (await ask("GET")).body
        assert {(await ask("GET")).body for _ in range(5)} == {last}
    assert origin.connections == 2
