import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from edgeproxy.http.body import StreamBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailure
from tests.unit.origins.raw_origin import OK, Visit, client, custom_origin, raw_origin

GET = Request("GET", "/", headers=Headers([("Host", "www.example.com")]))
SILENCE_S = 0.4


async def test_a_slow_reader_is_not_the_origins_silence() -> None:
    body = bytes(2_000_000)

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin(read_timeout_s=SILENCE_S))
        await asyncio.sleep(SILENCE_S * 2)
        assert await read_at_most(response.body, len(body)) == body


async def test_each_request_of_a_connection_has_the_whole_time() -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await asyncio.sleep(SILENCE_S * 0.6)
            await visit.send(OK)

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        for _ in range(3):
            response = await sender.fetch(GET, custom_origin(read_timeout_s=SILENCE_S))
            assert await read_at_most(response.body, 2) == b"ok"
            await asyncio.sleep(SILENCE_S * 0.6)
    assert origin.connections == 1


async def test_closing_the_client_ends_a_body_that_is_being_read() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK.removesuffix(b"k"))
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
        reading = asyncio.ensure_future(read_at_most(response.body, 2))
        await asyncio.sleep(0)
        await sender.close()
        _ = await asyncio.wait([reading], timeout=20)
        assert reading.done()
        assert reading.exception() is not None


@pytest.mark.parametrize("status", [100, 103])
async def test_an_interim_answer_gives_a_slow_upload_no_time_limit(status: int) -> None:
    async def upload() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(SILENCE_S * 2)
        yield b"b"

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.send(b"HTTP/1.1 %d Interim\r\n\r\n" % status)
        await visit.reader.readuntil(b"0\r\n\r\n")
        await visit.send(OK)

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(
            replace(GET, method="POST", body=StreamBody(upload())),
            custom_origin(read_timeout_s=SILENCE_S),
        )
        assert await read_at_most(response.body, 2) == b"ok"


async def test_the_end_of_an_upload_gives_a_slow_reader_no_time_limit() -> None:
    body = bytes(2_000_000)
    answered, uploaded = asyncio.Event(), asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield b"a"
        await answered.wait()
        yield b"b"

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        visit.writer.write(head + body)
        await visit.reader.readuntil(b"0\r\n\r\n")
        uploaded.set()
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(
            replace(GET, method="POST", body=StreamBody(upload())),
            custom_origin(read_timeout_s=SILENCE_S),
        )
        await asyncio.sleep(SILENCE_S / 2)
        answered.set()
        await asyncio.wait_for(uploaded.wait(), 20)
        await asyncio.sleep(SILENCE_S * 2)
        assert await read_at_most(response.body, len(body)) == body


@pytest.mark.parametrize("status", [b"000", b"099"])
async def test_the_body_of_an_odd_status_is_nobody_elses_answer(status: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        if visit.number > 1:
            await visit.send(OK)
            return
        await visit.send(OK.replace(b"200", status).replace(b"2\r\n\r\nok", b"40\r\n\r\n"))
        await visit.request()
        await visit.send(OK.replace(b"ok", b"no"))

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        await (await sender.fetch(GET, custom_origin())).body.close()
        response = await sender.fetch(GET, custom_origin())
        assert await read_at_most(response.body, 2) == b"ok"


@pytest.mark.parametrize("broken", [b"X T\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_what_breaks_a_body_is_told_though_a_chunk_ends_with_it(broken: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok")
        await read.wait()
        await visit.send(b"\r\n0\r\n" + broken)
        await visit.until_gone()

    read = asyncio.Event()
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
        pieces = aiter(response.body)
        assert await anext(pieces) == b"ok"
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        read.set()
        with pytest.raises(OriginFailure, match="broke off"):
            await asyncio.wait_for(waiting, 20)
