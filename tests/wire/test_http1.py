"""Requests as received, responses as made: the bytes on a viewer's connection."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable

import pytest

from edgeproxy.http.body import BytesBody, StreamBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response, Viewer
from tests.wire.raw import connect, door

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Site:
    """A handler that notes what it is asked and gives the answers it was given."""

    def __init__(self, *answers: Response) -> None:
        self.asked: list[Request] = []
        self.answers = list(answers)

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        return self.answers.pop(0) if self.answers else Response(200, body=BytesBody(b"ok"))


async def chunks(*parts: bytes):  # type: ignore[no-untyped-def]
    for part in parts:
        yield part


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "path", "query"),
    [
        ("GET /a%2Fb/../c//d HTTP/1.1", "/a%2Fb/../c//d", None),
        ("GET /? HTTP/1.1", "/", ""),
        ("GET /x?a=b?c&%zz=+ HTTP/1.1", "/x", "a=b?c&%zz=+"),
        ('GET /"<>{}|^`\\ HTTP/1.1', '/"<>{}|^`\\', None),
        ("GET http://b:81/x?y=//z HTTP/1.1", "/x", "y=//z"),
        ("GET HTTPS://b?y HTTP/1.1", "/", "y"),
        ("OPTIONS * HTTP/1.1", "*", None),
    ],
)
async def test_targets_are_kept_raw(line: str, path: str, query: str | None) -> None:
    async with door(site := Site()) as listener, connect(listener) as viewer:
        assert (await viewer.ask(f"{line}\r\nHost: a\r\n\r\n")).status == 200
    [request] = site.asked
    assert (request.path, request.query) == (path, query)
    absolute = "://" in line.partition("?")[0]
    assert request.host.startswith("b" if absolute else "a")


@pytest.mark.rule("LE-URI-08", "CFF-EVT-21")
async def test_a_target_may_have_bytes_beyond_ascii() -> None:
    async with door(site := Site()) as listener, connect(listener) as viewer:
        for line in (b"/caf\xe9?\xc3\xa9", b"/ascii", b"http://b/\xff?x"):
            head = b"GET " + line + b" HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"
            assert (await viewer.ask(head)).status == 200
    assert [(request.path, request.query) for request in site.asked] == [
        ("/caf\udce9", "é"),
        ("/ascii", None),
        ("/\udcff", "x"),
    ]
    assert {request.headers.get("X") for request in site.asked} == {"\udce9"}
    assert [request.host for request in site.asked] == ["a", "a", "b"]


@pytest.mark.rule("CDN-REQ-02")
@pytest.mark.parametrize(("past", "status"), [(0, 200), (1, 414)])
async def test_bytes_beyond_ascii_count_towards_the_length_of_a_url(past: int, status: int) -> None:
    async with door(Site()) as listener, connect(listener) as viewer:
        target = b"/" + b"\xe9" * (8_191 + past)
        head = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        assert (await viewer.ask(head)).status == status


async def test_header_lines_are_kept_as_they_are() -> None:
    async with door(site := Site()) as listener, connect(listener) as viewer:
        lines = b"HOST: A.example:80\r\nx-One: 1\r\nB:\r\nX-ONE:\t2 \r\nC: \xff\xc3\xa9"
        await viewer.ask(b"GET / HTTP/1.1\r\n" + lines + b"\r\n\r\n")
    assert site.asked[0].headers.lines() == [
        ("HOST", "A.example:80"),
        ("x-One", "1"),
        ("B", ""),
        ("X-ONE", "2"),
        ("C", "\udcffé"),
    ]


@pytest.mark.rule("CDN-RSP-18")
async def test_pipelined_requests_are_answered_in_order() -> None:
    async def answer(request: Request) -> Response:
        body = await read_at_most(request.body, 100)
        await asyncio.sleep(0)
        return Response(200, body=BytesBody(f"{request.path} {body.decode()}".encode()))

    async with door(answer) as listener, connect(listener) as viewer:
        batch = "".join(
            f"POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{n:03}"
            f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"
            for n in range(500)
        )
        await viewer.send(batch)
        for n in range(500):
            assert (await viewer.answer()).body == f"/{n} {n:03}".encode()
            assert (await viewer.answer()).body == f"/{n} ".encode()


@pytest.mark.rule("CDN-RSP-18")
async def test_more_pipelined_requests_than_are_kept_at_once() -> None:
    async with door(site := Site()) as listener, connect(listener) as viewer:
        viewer.writer.write(GET.encode() * 5000 + b"BAD\r\n\r\n")
        for _ in range(5000):
            assert (await viewer.answer()).status == 200
        assert (await viewer.answer()).status == 400
    assert len(site.asked) == 5000


@pytest.mark.rule("CDN-RSP-18")
async def test_a_request_in_single_bytes() -> None:
    async with door(site := Site()) as listener, connect(listener) as viewer:
        for byte in GET + GET:
            await viewer.send(byte)
        assert (await viewer.answer()).status == (await viewer.answer()).status == 200
    assert len(site.asked) == 2


async def test_who_the_viewer_is() -> None:
    def told(ip: str, port: int, headers: Headers) -> Viewer:
        return Viewer(headers.get("X-Ip"), port, country=ip)

    async with door(site := Site(), viewer=told) as listener, connect(listener) as viewer:
        await viewer.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Ip: 203.0.113.9\r\n\r\n")
        port = viewer.writer.get_extra_info("sockname")[1]
    assert site.asked[0].viewer == Viewer("203.0.113.9", port, country="127.0.0.1")


# --- responses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "wire"),
    [
        (
            lambda: Response(200, Headers([("b", "1"), ("A", "2"), ("b", "3")]), BytesBody(b"hi")),
            (
                "HTTP/1.1 200 OK\r\nb: 1\r\nA: 2\r\nb: 3\r\n"
                "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"
            ),
        ),
        (
            lambda: Response(
                418,
                Headers([("content-length", "9"), ("Connection", "x"), ("Z", "\udcff")]),
                BytesBody(b"hi"),
                "Tea",
            ),
            "HTTP/1.1 418 Tea\r\nContent-Length: 2\r\nConnection: keep-alive\r\nZ: \xff\r\n\r\nhi",
        ),
        (
            lambda: Response(
                200, Headers([("Transfer-Encoding", "gzip")]), StreamBody(chunks(b"a", b"bc"))
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
                "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
            ),
        ),
        (
            lambda: Response(200, body=StreamBody(chunks(b"a", b"bc"), 3)),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
        ),
        (
            lambda: Response(204, Headers([("Content-Length", "5")]), BytesBody(b"no")),
            "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n",
        ),
        (
            lambda: Response(304, Headers([("Content-Length", "5")]), StreamBody(chunks(b"no"))),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
        ),
        (
            lambda: Response(999, body=BytesBody(b"")),
            "HTTP/1.1 999 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
        ),
    ],
)
async def test_nothing_but_the_response_and_its_framing(
    make: Callable[[], Response], wire: str
) -> None:
    async with door(Site(make())) as listener, connect(listener) as viewer:
        await viewer.send(GET)
        assert await viewer.read(len(wire)) == wire.encode("latin-1")
        assert (await viewer.ask(GET)).body == b"ok"


@pytest.mark.parametrize(
    ("make", "length"),
    [
        (lambda: Response(200, Headers([("Content-Length", "5")])), "5"),
        (lambda: Response(200, body=BytesBody(b"four")), "4"),
        (lambda: Response(200, body=StreamBody(chunks(b"x"))), None),
    ],
)
async def test_head_has_no_body(make: Callable[[], Response], length: str | None) -> None:
    async with door(Site(make())) as listener, connect(listener) as viewer:
        answer = await viewer.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
        assert answer.header("Content-Length") == length
        assert answer.header("Transfer-Encoding") is None
        assert (await viewer.ask(GET)).body == b"ok"


@pytest.mark.rule("CDN-VER-01", "CDN-VER-04")
async def test_http_1_0_has_no_chunks() -> None:
    site = Site(Response(200, body=StreamBody(chunks(b"a", b"b"))))
    async with door(site) as listener, connect(listener) as viewer:
        answer = await viewer.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert answer.body == b"ab"
        assert answer.header("Connection") == "close"
    assert site.asked[0].version == "1.0"


@pytest.mark.rule("CDN-VER-01")
@pytest.mark.parametrize(
    ("head", "connection"),
    [
        ("GET / HTTP/1.0\r\n\r\n", "close"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "keep-alive"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close"),
    ],
)
async def test_who_may_ask_again(head: str, connection: str) -> None:
    async with door(Site()) as listener, connect(listener) as viewer:
        answer = await viewer.ask(head)
        assert answer.header("Connection") == connection
        if connection == "close":
            assert await viewer.closed()
        else:
            assert (await viewer.ask(head)).status == 200


async def test_a_response_can_close_the_connection() -> None:
    site = Site(Response(400, Headers([("Connection", "close"), ("B", "1")])))
    async with door(site) as listener, connect(listener) as viewer:
        answer = await viewer.ask(GET)
        assert answer.lines[:2] == [("Connection", "close"), ("B", "1")]
        assert await viewer.closed()


@pytest.mark.parametrize("lines", [[("A", "b\r\nC: d")], [("A\n", "b")], [("A", "b\0")]])
async def test_a_header_cannot_break_out(
    lines: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[Delivered] = []
    response = Response(200, Headers(lines), on_delivered=ends.append)
    async with door(Site(response)) as listener, connect(listener) as viewer:
        answer = await viewer.ask(GET)
        assert (answer.status, answer.header("X-Refused")) == (500, "yes")
    assert len(ends) == 1
    assert "line break" in caplog.text


# --- handlers ------------------------------------------------------------------------------------


async def test_a_failing_handler_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: Request) -> Response:
        raise KeyError("oh")

    async with door(fail) as listener, connect(listener) as viewer:
        assert (await viewer.ask(GET)).status == 500
        assert (await viewer.ask(GET)).status == 500
    [record, _] = caplog.records
    assert (record.name, record.levelno) == ("edgeproxy", logging.ERROR)
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


@pytest.mark.rule("CDN-VAL-22")
async def test_a_handler_outlives_its_viewer() -> None:
    begun, gone, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    end: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()

    async def slow(request: Request) -> Response:
        begun.set()
        with pytest.raises(ConnectionResetError):
            async for _ in request.body:
                pass
        gone.set()
        await go.wait()
        return Response(200, body=BytesBody(b"late"), on_delivered=end.set_result)

    async with door(slow) as listener:
        async with connect(listener) as viewer:
            await viewer.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            await begun.wait()
        await gone.wait()
        assert listener.in_flight == 1
        go.set()
        async with asyncio.timeout(20):
            assert await end == Delivered(0, aborted=True)


async def test_a_body_that_is_silent_is_given_up_when_its_viewer_leaves() -> None:
    given_up = asyncio.Event()
    end: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"data: open\n\n"
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async def handler(request: Request) -> Response:
        return Response(200, body=StreamBody(events()), on_delivered=end.set_result)

    async with door(handler) as listener:
        async with connect(listener) as viewer:
            await viewer.send(GET)
            assert (await viewer.head()).status == 200
        async with asyncio.timeout(20):
            await given_up.wait()
            delivered = await end
    assert (delivered.aborted, delivered.broken) == (True, False)


async def test_requests_in_flight_finish_within_the_grace() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await go.wait()
        return Response(200, body=BytesBody(b"done"))

    async with door(slow) as listener, connect(listener) as idle, connect(listener) as viewer:
        await viewer.send(GET)
        await begun.wait()
        stopping = asyncio.ensure_future(listener.stop(60))
        assert await idle.closed()
        assert listener.in_flight == 1
        go.set()
        answer = await viewer.answer()
        assert (answer.body, answer.header("Connection")) == (b"done", "close")
        async with asyncio.timeout(20):
            await stopping


async def test_what_does_not_finish_is_cut() -> None:
    begun = asyncio.Event()
    cancelled = False

    async def stuck(request: Request) -> Response:
        nonlocal cancelled
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled = True
        raise AssertionError

    async with door(stuck) as listener, connect(listener) as viewer:
        await viewer.send(GET)
        await begun.wait()
        await listener.stop(0.05)
        assert cancelled
        assert await viewer.closed()


# --- TLS -----------------------------------------------------------------------------------------


async def test_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = tls
    big = b"x" * 300_000
    site = Site(Response(200, body=BytesBody(big)))
    async with door(site, ssl_context=server) as listener, connect(listener, client) as viewer:
        assert listener.url.startswith("https://127.0.0.1:")
        assert (await viewer.ask(GET)).body == big
        assert (await viewer.ask("GET / HTTP/1.0\r\n\r\n")).body == b"ok"
        assert await viewer.closed()
    seen = site.asked[0].viewer
    assert (seen.ip, seen.scheme, seen.tls_protocol) == ("127.0.0.1", "https", "TLSv1.3")
    assert seen.tls_cipher.startswith("TLS_")
