import asyncio
from contextlib import suppress

import pytest

from edgeproxy.http.body import BytesBody, StreamBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from tests.unit.origins.raw_origin import (
    OK,
    Visit,
    client,
    custom_origin,
    raw_origin,
    says,
)

HOST = Headers([("Host", "www.example.com")])


async def fetched(response: Response) -> bytes:
    return await read_at_most(response.body, 2**24)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", HOST),
        ("/a\r\nX-Injected: 1", HOST),
        ("/", HOST.with_added("X-A", "1\r\nX-Injected: 1")),
        ("/", HOST.with_added("X-A\n", "1")),
        ("/", HOST.with_added("X-A", "\0")),
    ],
)
async def test_a_head_that_http_does_not_allow_is_not_sent(path: str, headers: Headers) -> None:
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(Request("GET", path, headers=headers), custom_origin())
    assert (failed.value.kind, failed.value.status) == (OriginFailureKind.WRITE, 502)
    assert origin.connections == 0


async def test_the_answer_keeps_case_order_and_duplicates_of_its_headers() -> None:
    answer = (
        b"HTTP/1.1 299 Odd Reason\r\nServer: x\r\nset-cookie: a=1\r\nX-B: \xff\xc3\xa9\r\n"
        b"Set-Cookie: b=2\r\nContent-Encoding: gzip\r\ncontent-length: 5\r\n\r\n\x1f\x8bxyz"
    )
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        assert await fetched(response) == b"\x1f\x8bxyz"
    assert (response.status, response.reason) == (299, "Odd Reason")
    assert response.headers.lines() == [
        ("Server", "x"),
        ("set-cookie", "a=1"),
        ("X-B", "\udcffé"),
        ("Set-Cookie", "b=2"),
        ("Content-Encoding", "gzip"),
        ("content-length", "5"),
    ]


async def test_a_chunked_answer_keeps_its_transfer_encoding_header_and_loses_the_framing() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        assert response.headers.get("Transfer-Encoding") == "chunked"
        assert response.body.length is None
        assert await fetched(response) == b"abc"


async def test_interim_answers_are_passed_over() -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
    async with raw_origin(says(answer)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        assert await fetched(response) == b"ok"
    assert "Link" not in response.headers


async def test_a_head_request_gets_the_length_and_no_body_and_the_connection_is_kept() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with raw_origin(says(answer, OK)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("HEAD", "/", headers=HOST), custom_origin())
        assert response.headers.get("Content-Length") == "1000"
        assert await fetched(response) == b""
        again = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        assert await fetched(again) == b"ok"
    assert origin.connections == 1


@pytest.mark.parametrize(
    ("method", "headers", "body", "expected"),
    [
        ("POST", HOST, b"abc", b"Content-Length: 3\r\n\r\nabc"),
        ("POST", HOST, b"", b"Connection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"),
        ("DELETE", HOST, b"", b"Connection: Keep-Alive\r\n\r\n"),
        ("DELETE", HOST.with_added("Content-Length", "0"), b"", b"Content-Length: 0\r\n\r\n"),
        ("PUT", HOST.with_added("Expect", "100-continue"), b"a", b"Content-Length: 1\r\n\r\na"),
        ("PUT", HOST.with_added("Transfer-Encoding", "chunked"), b"a", b"-Length: 1\r\n\r\na"),
    ],
)
@pytest.mark.rule("CDN-REQ-09")
async def test_framing_follows_the_body(
    method: str, headers: Headers, body: bytes, expected: bytes
) -> None:
    request = Request(method, "/", headers=headers, body=BytesBody(body))
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        await sender.fetch(request, custom_origin())
    assert origin.requests[0].endswith(expected)
    assert b"Expect" not in origin.requests[0]
    assert b"Transfer-Encoding" not in origin.requests[0]


@pytest.mark.parametrize(("length", "framing"), [(6, b"abcdef"), (None, b"3\r\nabc\r\n3\r\ndef")])
@pytest.mark.rule("CDN-HDR-17")
async def test_a_streamed_upload_keeps_its_framing(length: int | None, framing: bytes) -> None:
    async def chunks():
        yield b"abc"
        await asyncio.sleep(0)
        yield b"def"

    request = Request("POST", "/", headers=HOST, body=StreamBody(chunks(), length))
    async with raw_origin(says(OK)) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(request, custom_origin())
        assert await fetched(response) == b"ok"
    header = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: 6"
    head, _, body = origin.requests[0].partition(b"\r\n\r\n")
    assert head.endswith(header)
    assert body.startswith(framing)


async def test_the_answer_is_there_before_the_upload_has_ended() -> None:
    may_end = asyncio.Event()

    async def chunks():
        yield b"abc"
        await may_end.wait()
        yield b"def"

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"abc")
        await visit.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await visit.until_gone()

    request = Request("POST", "/", headers=HOST, body=StreamBody(chunks(), 6))
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(request, custom_origin())
        assert response.status == 413
        # The upload can never be finished, so the connection is given up.
        await asyncio.wait_for(origin.gone.wait(), 20)
    assert not may_end.is_set()


@pytest.mark.parametrize("length", [10, 4])
async def test_an_upload_of_the_wrong_length_is_cut_off(length: int) -> None:
    async def chunks():
        yield b"abc"
        yield b"def"

    async def script(visit: Visit) -> None:
        await visit.until_gone()

    request = Request("POST", "/", headers=HOST, body=StreamBody(chunks(), length))
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(request, custom_origin())
        await asyncio.wait_for(origin.gone.wait(), 20)
    assert "the upload broke off after 6 bytes" in failed.value.why
    assert failed.value.kind is OriginFailureKind.WRITE


async def test_an_upload_that_the_viewer_breaks_off_is_cut_off_at_the_origin() -> None:
    async def chunks():
        yield b"abc"
        raise ConnectionResetError("the viewer left")

    async def script(visit: Visit) -> None:
        await visit.until_gone()

    request = Request("POST", "/", headers=HOST, body=StreamBody(chunks()))
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(ConnectionResetError, match="the viewer left"):
            await sender.fetch(request, custom_origin())
        await asyncio.wait_for(origin.gone.wait(), 20)


async def test_an_origin_that_takes_no_more_of_an_upload_is_a_write_error() -> None:
    async def chunks():
        for _ in range(1000):
            yield bytes(65536)

    async def script(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        visit.reset()

    request = Request("POST", "/", headers=HOST, body=StreamBody(chunks()))
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(request, custom_origin())
    assert failed.value.status == 502
    assert failed.value.connected


async def test_a_slow_reader_slows_the_origin_down() -> None:
    sent = 0

    async def script(visit: Visit) -> None:
        nonlocal sent
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(200):
            await visit.send(bytes(1_000_000))
            sent += 1_000_000

    origin_settings = custom_origin(read_timeout_s=0.7)
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("GET", "/", headers=HOST), origin_settings)
        await asyncio.sleep(1)  # longer than the response timeout, which stands still meanwhile
        assert sent < 50_000_000
        size = 0
        async for chunk in response.body:
            size += len(chunk)
    assert size == 200_000_000


async def test_closing_an_unread_body_closes_the_connection() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        await response.body.close()
        await response.body.close()
        await asyncio.wait_for(origin.gone.wait(), 20)


async def test_closing_gives_up_what_the_origin_has_not_taken() -> None:
    size, taken, closed = 8_000_000, 0, asyncio.Event()

    async def answers_early(visit: Visit) -> None:
        nonlocal taken
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly")
        await closed.wait()
        with suppress(ConnectionResetError):
            while data := await visit.reader.read(65536):
                taken += len(data)

    async with raw_origin(answers_early) as origin, client({"web": origin.url}) as sender:
        headers = HOST.with_added("Content-Length", str(size))
        request = Request("POST", "/", headers=headers, body=BytesBody(bytes(size)))
        response = await sender.fetch(request, custom_origin())
        assert await fetched(response) == b"early"
        await response.body.close()
        closed.set()
        await origin.gone.wait()
    assert taken < size


async def test_leaving_in_the_middle_of_a_body_closes_the_connection() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        async for chunk in response.body:
            assert chunk == b"abc"
            break
        await response.body.close()
        await asyncio.wait_for(origin.gone.wait(), 20)


async def test_a_cancelled_fetch_closes_the_connection() -> None:
    arrived = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        arrived.set()
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        fetching = asyncio.create_task(
            sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
        )
        await asyncio.wait_for(arrived.wait(), 20)
        fetching.cancel()
        await asyncio.wait_for(origin.gone.wait(), 20)
        with pytest.raises(asyncio.CancelledError):
            await fetching


async def test_an_origin_that_does_not_read_an_upload_times_out() -> None:
    async def chunks():
        while True:
            yield bytes(2**20)

    async def script(visit: Visit) -> None:
        visit.writer.transport.pause_reading()
        await asyncio.Event().wait()

    request = Request("POST", "/", headers=HOST, body=StreamBody(chunks()))
    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        with pytest.raises(OriginFailure) as failed:
            await sender.fetch(request, custom_origin(read_timeout_s=0.2))
    assert (failed.value.kind, failed.value.status) == (OriginFailureKind.COMM, 504)
    assert failed.value.why == (
        f"{origin.url} read nothing of the request for 0.2 s (response timeout)"
    )
