"""HTTP/2: what h2's own tests leave to whoever serves with it."""

import asyncio
import ssl
import struct
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    SettingsFrame,
)

from edgeproxy.http.body import BytesBody, StreamBody, read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response, Viewer
from edgeproxy.server.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_URL_BYTES, Limits
from tests.wire.http2 import HEAD, Reply, http2
from tests.wire.raw import connect, door
from tests.wire.test_http1 import Site, chunks
from tests.wire.test_streaming import Ends, Source

MEGABYTE = 1024 * 1024


Pair = tuple[ssl.SSLContext, ssl.SSLContext]


async def ok(request: Request) -> Response:
    return Response(200, body=BytesBody(b"ok"))


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.rule("LE-EVT-10")
async def test_a_request_is_what_http_1_would_have_made(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        lines = [("x-one", "1"), ("cookie", "a=1"), ("x-one", "2"), ("cookie", "b=2"), ("b", "")]
        reply = await viewer.ask("/a%2Fb/../c?x=y?&%zz=+", "GET", *lines)
    assert (reply.status, reply.body) == (200, b"ok")
    [request] = site.asked
    assert (request.method, request.version) == ("GET", "2.0")
    assert (request.path, request.query) == ("/a%2Fb/../c", "x=y?&%zz=+")
    assert request.headers.lines() == [
        ("Host", "a"),
        ("x-one", "1"),
        ("cookie", "a=1; b=2"),
        ("x-one", "2"),
        ("b", ""),
    ]
    seen = request.viewer
    assert (seen.ip, seen.scheme, seen.tls_protocol) == ("127.0.0.1", "https", "TLSv1.3")
    assert seen.tls_handshake == "fullHandshake"


@pytest.mark.rule("LE-URI-08")
async def test_bytes_beyond_ascii(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        assert (await viewer.ask("/caf\xe9?\xc3\xa9", "GET", ("x", "\xff"))).status == 200
    [request] = site.asked
    assert (request.path, request.query) == ("/caf\udce9", "é")
    assert request.headers.get("x") == "\udcff"


async def test_who_the_viewer_is(both: Pair) -> None:
    def told(ip: str, port: int, headers: Headers) -> Viewer:
        return Viewer(headers.get("X-Ip"), port, country="DE")

    server, client = both
    site = Site()
    async with (
        door(site, viewer=told, ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        for ip in ("203.0.113.9", "203.0.113.10"):
            await viewer.ask("/", "GET", ("x-ip", ip))
    first, second = (request.viewer for request in site.asked)
    assert (first.ip, first.country, first.tls_handshake) == (
        "203.0.113.9",
        "DE",
        "fullHandshake",
    )
    assert (second.ip, second.tls_handshake) == ("203.0.113.10", "connectionReused")


def without(name: str) -> list[tuple[str, str]]:
    return [line for line in HEAD if line[0] != name]


MALFORMED = {
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no path": without(":path"),
    "empty path": [*without(":path"), (":path", "")],
    "no slash": [*without(":path"), (":path", "x")],
    "star": [*without(":path"), (":path", "*")],
    "space in path": [*without(":path"), (":path", "/a b")],
    "twice": [*HEAD, (":path", "/")],
    "unknown": [*HEAD, (":x", "/")],
    "extended connect": [(":method", "CONNECT"), (":protocol", "websocket"), *HEAD[1:]],
    "late": [HEAD[0], ("a", "b"), *HEAD[1:]],
    "two hosts": [*HEAD, ("host", "b")],
    "upper case": [*HEAD, ("A", "b")],
    "no name": [*HEAD, ("", "b")],
    "line break": [*HEAD, ("a", "b\r\nc: d")],
    "blank": [*HEAD, ("a", " b")],
    "connection": [*HEAD, ("connection", "close")],
    "upgrade": [*HEAD, ("upgrade", "h2c")],
    "chunked": [*HEAD, ("transfer-encoding", "chunked")],
    "te": [*HEAD, ("te", "gzip")],
}


@pytest.mark.rule("CDN-WS-07")
@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_request_ends_its_stream_alone(
    both: Pair, fields: list[tuple[str, str]]
) -> None:
    server, client = both
    go, begun = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await go.wait()
        return Response(200)

    async with door(slow, ssl_context=server) as listener, http2(listener, client) as viewer:
        other = viewer.request()
        await begun.wait()
        reply = await viewer.reply(viewer.open(fields))
        assert (reply.status, reply.reset) == (0, ErrorCodes.PROTOCOL_ERROR)
        go.set()
        assert (await viewer.reply(other)).status == 200
        assert viewer.goaway is None


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(":method", "CONNECT"), (":authority", "a")], 400),
        ([*without(":authority"), (":authority", "a/b")], 400),
        ([*HEAD, ("te", "trailers"), ("host", "a")], 200),
        ([*without(":authority"), ("host", "a")], 200),
        ([(":method", "OPTIONS"), *without(":path")[1:], (":path", "*")], 200),
    ],
)
async def test_what_is_a_request(both: Pair, fields: list[tuple[str, str]], status: int) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        assert (await viewer.reply(viewer.open(fields))).status == status
        assert (await viewer.ask()).status == 200


# --- limits --------------------------------------------------------------------------------------


def head_of(size: int) -> list[tuple[str, str]]:
    left = size - len("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    lines = []
    while left:
        line = min(left, 1000) if left < 1000 or left > 1010 else 500
        lines.append(("x", "y" * (line - len("x: \r\n"))))
        left -= line
    return lines


@pytest.mark.rule("CDN-REQ-01", "CDN-QUO-02")
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 494)])
async def test_head_size(both: Pair, extra: int, status: int) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        lines = head_of(MAX_HEAD_BYTES + extra)
        assert (await viewer.ask("/", "GET", *lines)).status == status
        assert (await viewer.ask()).status == 200


@pytest.mark.rule("CDN-REQ-02")
@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 414)])
async def test_url_length(both: Pair, extra: int, status: int) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        assert (await viewer.ask("/" + "q" * (MAX_URL_BYTES + extra - 1))).status == status
        assert (await viewer.ask()).status == 200


@pytest.mark.rule("CDN-REQ-05")
async def test_body_size(both: Pair) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        length = ("content-length", str(MAX_BODY_BYTES + 1))
        reply = await viewer.reply(viewer.request("/", "PUT", length, ends=False))
        assert reply.status == 413


async def test_one_line_too_long_for_a_door_with_such_a_limit(both: Pair) -> None:
    server, client = both
    limits = Limits(max_field_bytes=100)
    async with (
        door(ok, limits=limits, ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        assert (await viewer.ask("/", "GET", ("x", "y" * 99))).status == 200
        assert (await viewer.ask("/", "GET", ("x", "y" * 100))).status == 494


async def test_a_header_list_beyond_all_measure_ends_the_connection(both: Pair) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        viewer.request("/", "GET", *[("x", "y" * 1000)] * 200)
        await viewer.closed()
        assert viewer.goaway == ErrorCodes.ENHANCE_YOUR_CALM


def frame(frame: Frame, *flags: str) -> bytes:
    for flag in flags:
        frame.flags.add(flag)
    return frame.serialize()


async def test_continuations_without_end_are_not_collected(both: Pair) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        await viewer.raw(frame(HeadersFrame(1, viewer.header_block(HEAD))))
        more = frame(ContinuationFrame(1, b"\0" * 1000))
        for _ in range(200):
            viewer.writer.write(more)
        await viewer.closed()
        assert viewer.goaway in (ErrorCodes.ENHANCE_YOUR_CALM, ErrorCodes.PROTOCOL_ERROR)


async def test_streams_that_are_opened_and_reset_in_turn(both: Pair) -> None:
    server, client = both
    never = asyncio.Event()
    at_once = most = 0

    async def stuck(request: Request) -> Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await never.wait()
        return Response(200)

    async with door(stuck, ssl_context=server) as listener, http2(listener, client) as viewer:
        for _ in range(1200):
            viewer.h2.reset_stream(viewer.request(), ErrorCodes.CANCEL)
            viewer.flush()
        await viewer.closed()
        assert viewer.goaway == ErrorCodes.ENHANCE_YOUR_CALM
    assert most <= 128


async def test_requests_that_make_us_reset_streams(both: Pair) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        for _ in range(1200):
            viewer.open(without(":path"))
        await viewer.closed()
        assert viewer.goaway == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "idle",
    [
        frame(PingFrame(0, b"12345678")),
        frame(SettingsFrame(0)),
        b"\0\0\0\xee\0\0\0\0\0",
    ],
    ids=["ping", "settings", "unknown"],
)
async def test_frames_that_ask_for_nothing(both: Pair, idle: bytes) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, http2(listener, client) as viewer:
        for _ in range(500):
            viewer.writer.write(idle)
        assert (await viewer.ask()).status == 200
        for _ in range(100_000 // len(idle)):
            viewer.writer.write(idle)
        await viewer.closed()
        assert viewer.goaway == ErrorCodes.ENHANCE_YOUR_CALM


async def test_more_streams_than_may_be_open(both: Pair) -> None:
    server, client = both
    go = asyncio.Event()

    async def slow(request: Request) -> Response:
        await go.wait()
        return Response(200)

    async with door(slow, ssl_context=server) as listener, http2(listener, client) as viewer:
        await viewer.until(lambda: viewer.h2.remote_settings.max_concurrent_streams == 128)
        ids = [viewer.request() for _ in range(128)]
        viewer.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 200
        viewer.h2.remote_settings.acknowledge()
        reply = await viewer.reply(viewer.request())
        assert reply.reset == ErrorCodes.REFUSED_STREAM
        go.set()
        assert {(await viewer.reply(each)).status for each in ids} == {200}
        assert (await viewer.ask()).status == 200


@pytest.mark.rule("CDN-REQ-10")
async def test_a_connection_without_requests_is_closed(both: Pair) -> None:
    server, client = both
    limits = Limits(head_timeout_s=0.2, keep_alive_s=0.2)
    async with door(ok, limits=limits, ssl_context=server) as listener:
        async with http2(listener, client) as viewer:
            assert await viewer.closed()
            assert viewer.goaway == ErrorCodes.NO_ERROR
        async with http2(listener, client) as viewer:
            assert (await viewer.ask()).status == 200
            assert await viewer.closed()
            assert viewer.goaway == ErrorCodes.NO_ERROR


@pytest.mark.rule("AL-191")
async def test_a_connection_that_has_lived_its_time_serves_one_last_request(both: Pair) -> None:
    server, client = both
    async with (
        door(ok, limits=Limits(lifetime_s=0.3), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        assert (await viewer.ask()).status == 200
        await asyncio.sleep(0.4)  # real time is the rule
        stream_id = viewer.request()
        assert await viewer.closed()
        assert viewer.replies[stream_id].status == 200
        assert (viewer.goaway, viewer.last_stream) == (ErrorCodes.NO_ERROR, stream_id)


# --- what is no HTTP/2 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (frame(PingFrame(0, b"12345678")), ErrorCodes.PROTOCOL_ERROR),
        (frame(SettingsFrame(0)) + b"\0\x80\0\0\0\0\0\0\x01", ErrorCodes.FRAME_SIZE_ERROR),
        (frame(SettingsFrame(0)) + b"\0\0\x01\0\0\0\0\0\x01x", ErrorCodes.PROTOCOL_ERROR),
        (frame(SettingsFrame(0)) + b"\0\0\x01\x01\x05\0\0\0\x01\xff", ErrorCodes.PROTOCOL_ERROR),
        (frame(SettingsFrame(0)) + b"\0\0\0\x01\x05\0\0\0\x02", ErrorCodes.PROTOCOL_ERROR),
    ],
    ids=["no settings first", "too long a frame", "data of no stream", "hpack", "even stream"],
)
async def test_what_breaks_the_protocol_ends_the_connection(
    both: Pair, wrong: bytes, code: ErrorCodes
) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, connect(listener, client) as raw:
        await raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + wrong)
        said = await raw.rest()
    goaway = said.index(b"\0\0\x08\x07\0\0\0\0\0")
    assert struct.unpack(">II", said[goaway + 9 :])[1] == code


async def test_another_protocol_than_was_agreed_on(both: Pair) -> None:
    server, client = both
    async with door(ok, ssl_context=server) as listener, connect(listener, client) as raw:
        await raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"ok" not in await raw.rest()


async def test_a_good_request_before_what_is_none_is_read(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        good = frame(HeadersFrame(1, viewer.header_block(HEAD)), "END_HEADERS", "END_STREAM")
        await viewer.raw(good + b"\0\0\x01\0\0\0\0\0\x09x")
        await viewer.closed()
        assert (viewer.goaway, viewer.last_stream) == (ErrorCodes.PROTOCOL_ERROR, 1)


@pytest.mark.rule("CDN-VER-02")
async def test_there_is_no_cleartext_http_2() -> None:
    site = Site()
    async with door(site) as listener, connect(listener) as raw:
        await raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await raw.answer()).status >= 400
    async with door(site) as listener, connect(listener) as raw:
        upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n"
        answer = await raw.ask(f"GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n")
        assert (answer.status, answer.body) == (200, b"ok")
    assert [request.version for request in site.asked] == ["1.1"]


async def test_a_viewer_chooses_between_the_two(both: Pair) -> None:
    server, client = both
    client.set_alpn_protocols(["http/1.1"])
    site = Site()
    async with door(site, ssl_context=server) as listener, connect(listener, client) as viewer:
        assert (await viewer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).body == b"ok"
    assert site.asked[0].version == "1.1"


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.rule("CDN-VER-05", "CDN-RSP-07", "LE-HDR-12", "CFF-HDR-06", "FU-071")
@pytest.mark.parametrize(
    ("make", "lines", "body"),
    [
        (
            lambda: Response(
                200, Headers([("B", "1"), ("aA", " 2 "), ("b", "3")]), BytesBody(b"hi")
            ),
            [("b", "1"), ("aa", "2"), ("b", "3"), ("content-length", "2")],
            b"hi",
        ),
        (
            lambda: Response(
                999,
                Headers([("Connection", "close"), ("Keep-Alive", "x"), ("Z", "\udcff")]),
                StreamBody(chunks(b"a", b"bc")),
                "Reason",
            ),
            [("z", "\xff")],
            b"abc",
        ),
        (
            lambda: Response(
                200, Headers([("Transfer-Encoding", "gzip")]), StreamBody(chunks(b"a", b"bc"), 3)
            ),
            [("content-length", "3")],
            b"abc",
        ),
        (lambda: Response(204, Headers([("Content-Length", "5")]), BytesBody(b"no")), [], b""),
        (
            lambda: Response(304, Headers([("Content-Length", "5")]), StreamBody(chunks(b"no"))),
            [("content-length", "5")],
            b"",
        ),
        (lambda: Response(200, body=StreamBody(chunks(), 0)), [("content-length", "0")], b""),
        (lambda: Response(200, body=StreamBody(chunks())), [], b""),
    ],
)
async def test_nothing_but_the_response(
    both: Pair, make: Callable[[], Response], lines: list[tuple[str, str]], body: bytes
) -> None:
    server, client = both
    response = make()
    async with (
        door(Site(response), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        reply = await viewer.ask()
        assert (reply.status, reply.lines, reply.body) == (response.status, lines, body)
        assert reply.ended


@pytest.mark.parametrize(
    ("make", "length"),
    [
        (lambda: Response(200, Headers([("Content-Length", "5")])), "5"),
        (lambda: Response(200, body=BytesBody(b"four")), "4"),
        (lambda: Response(200, body=StreamBody(chunks(b"x"))), None),
    ],
)
async def test_head_has_no_body(
    both: Pair, make: Callable[[], Response], length: str | None
) -> None:
    server, client = both
    async with (
        door(Site(make()), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        reply = await viewer.ask("/", "HEAD")
        assert (reply.header("content-length"), reply.body) == (length, b"")


@pytest.mark.parametrize(
    "response",
    [
        Response(200, Headers([("A", "b\r\nC: d")])),
        Response(200, Headers([("A\n", "b")])),
        Response(101),
    ],
)
async def test_what_cannot_be_sent(
    both: Pair, response: Response, caplog: pytest.LogCaptureFixture
) -> None:
    server, client = both
    async with (
        door(Site(response), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        reply = await viewer.ask()
        assert (reply.status, reply.header("x-refused")) == (500, "yes")
    assert caplog.records


async def test_answers_overtake_each_other(both: Pair) -> None:
    go = {"/1": asyncio.Event(), "/2": asyncio.Event()}

    async def wait(request: Request) -> Response:
        await go[request.path].wait()
        return Response(200, body=BytesBody(request.path.encode()))

    server, client = both
    async with door(wait, ssl_context=server) as listener, http2(listener, client) as viewer:
        first, second = viewer.request("/1"), viewer.request("/2")
        go["/2"].set()
        assert (await viewer.reply(second)).body == b"/2"
        assert not viewer.replies[first].is_over
        go["/1"].set()
        assert (await viewer.reply(first)).body == b"/1"


async def test_large_answers_share_the_connection(both: Pair) -> None:
    async def answer(request: Request) -> Response:
        data = request.path.encode() * MEGABYTE
        return Response(200, body=BytesBody(data[: 3 * MEGABYTE]))

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        ids = [viewer.request(f"/{number}") for number in range(8)]
        for number, stream_id in enumerate(ids):
            assert (await viewer.reply(stream_id)).body == (b"/%d" % number * MEGABYTE)[
                : 3 * MEGABYTE
            ]


async def test_a_viewer_with_small_windows(both: Pair) -> None:
    server, client = both
    big = bytes(range(256)) * 400
    async with (
        door(Site(Response(200, body=BytesBody(big))), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        viewer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
        viewer.flush()
        assert (await viewer.ask()).body == big


async def test_a_slow_viewer_holds_back_the_body_and_no_other_stream(both: Pair) -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 16_384

    async def answer(request: Request) -> Response:
        if request.path == "/endless":
            return Response(200, body=StreamBody(endless()))
        return Response(200, body=BytesBody(b"y" * 1000))

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        viewer.h2.increment_flow_control_window(10 * MEGABYTE)
        viewer.takes_data = False
        stuck = viewer.request("/endless")
        await viewer.until(lambda: len(viewer.replies[stuck].body) == 65_535)
        assert (await viewer.ask()).body == b"y" * 1000
        assert made <= 6


async def test_a_large_answer_needs_little_memory(both: Pair) -> None:
    count = 256

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(65_536)

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(blocks(), count * 65_536))

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        stream_id = viewer.request()
        reply = await viewer.head(stream_id)
        tracemalloc.start()
        size = 0
        try:
            while not reply.ended:
                await viewer.read_some()
                size += len(reply.body)
                reply.parts.clear()
            assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
        finally:
            tracemalloc.stop()
        assert size == count * 65_536


@pytest.mark.parametrize("length", [None, 10])
async def test_a_broken_body_is_seen_to_be_broken(both: Pair, length: int | None) -> None:
    ends = Ends()
    source = Source(b"abc", error=OSError("origin gone"))

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(source, length), on_delivered=ends.append)

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        reply = await viewer.ask()
        assert (reply.ended, reply.reset) == (False, ErrorCodes.INTERNAL_ERROR)
        end = await ends.one()
        assert (end.aborted, end.broken) == (True, True)
        assert source.closed
        assert viewer.goaway is None


@pytest.mark.parametrize("length", [2, 4])
async def test_a_body_must_keep_its_promise(both: Pair, length: int) -> None:
    ends = Ends()

    async def answer(request: Request) -> Response:
        return Response(200, body=StreamBody(Source(b"abc"), length), on_delivered=ends.append)

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        assert (await viewer.ask()).reset == ErrorCodes.INTERNAL_ERROR
        assert (await ends.one()).aborted


async def test_a_viewer_that_does_not_read_is_left(both: Pair) -> None:
    ends = Ends()

    async def answer(request: Request) -> Response:
        return Response(200, body=BytesBody(bytes(MEGABYTE)), on_delivered=ends.append)

    server, client = both
    async with (
        door(answer, limits=Limits(write_stall_s=0.2), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        viewer.takes_data = False
        reply = await viewer.ask()
        assert reply.reset == ErrorCodes.CANCEL
        assert (await ends.one()).aborted


@pytest.mark.rule("CDN-VAL-22")
async def test_a_body_that_is_silent_is_given_up_when_its_viewer_leaves(both: Pair) -> None:
    silent, given_up = asyncio.Event(), asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"data: open\n\n"
            silent.set()
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async def events(request: Request) -> Response:
        return Response(200, body=StreamBody(chunks()))

    server, client = both
    async with door(events, ssl_context=server) as listener, http2(listener, client) as viewer:
        left = viewer.request()
        viewer.flush()
        async with asyncio.timeout(20):
            await silent.wait()
            viewer.h2.reset_stream(left, ErrorCodes.CANCEL)
            viewer.flush()
            await given_up.wait()


async def test_a_viewer_leaves_one_stream(both: Pair) -> None:
    asked: list[Request] = []
    begun, go = asyncio.Event(), asyncio.Event()
    ends = Ends()

    async def slow(request: Request) -> Response:
        asked.append(request)
        if request.path == "/after":
            return Response(200)
        if request.path == "/left":
            begun.set()
        await go.wait()
        end = ends.append if request.path == "/left" else None
        return Response(200, body=BytesBody(b"late"), on_delivered=end)

    server, client = both
    async with door(slow, ssl_context=server) as listener, http2(listener, client) as viewer:
        left, other = viewer.request("/left"), viewer.request("/other")
        await begun.wait()
        viewer.h2.reset_stream(left, ErrorCodes.CANCEL)
        viewer.flush()
        assert (await viewer.ask("/after")).status == 200
        assert asked[0].has_left()
        assert not asked[1].has_left()
        go.set()
        assert (await viewer.reply(other)).body == b"late"
        assert await ends.one() == Delivered(0, aborted=True)


async def test_a_viewer_that_leaves_altogether(both: Pair) -> None:
    begun = asyncio.Event()
    error: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def read(request: Request) -> Response:
        begun.set()
        try:
            async for _ in request.body:
                pass
        except ConnectionError as reason:
            error.set_result(reason)
            raise
        raise AssertionError

    server, client = both
    async with door(read, ssl_context=server) as listener:
        async with http2(listener, client) as viewer:
            viewer.request("/", "PUT", ends=False)
            await begun.wait()
        async with asyncio.timeout(20):
            assert isinstance(await error, ConnectionResetError)


@pytest.mark.parametrize(("method", "size"), [("GET", 3), ("HEAD", 0)])
async def test_bytes_sent_are_those_of_the_stream(both: Pair, method: str, size: int) -> None:
    ends = Ends()

    async def answer(request: Request) -> Response:
        return Response(200, body=BytesBody(b"abc"), on_delivered=ends.append)

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        assert (await viewer.ask("/", method)).status == 200
        end = await ends.one()
        assert not end.aborted
        assert 9 < end.bytes_sent - size - (9 if size else 0) < 40


# --- uploads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [True, False])
async def test_a_request_body(both: Pair, declared: bool) -> None:
    data = bytes(range(256)) * 2000

    async def read(request: Request) -> Response:
        assert request.body.length == (len(data) if declared else None)
        body = await read_at_most(request.body, MEGABYTE)
        return Response(200, body=BytesBody(b"same" if body == data else b"other"))

    server, client = both
    async with door(read, ssl_context=server) as listener, http2(listener, client) as viewer:
        lines = [("content-length", str(len(data)))] if declared else []
        stream_id = viewer.request("/", "PUT", *lines, ends=False)
        await viewer.send(stream_id, data, ends=True)
        assert (await viewer.reply(stream_id)).body == b"same"


async def test_a_request_that_comes_in_one_piece(both: Pair) -> None:
    async def read(request: Request) -> Response:
        return Response(200, body=BytesBody(await read_at_most(request.body, MEGABYTE)))

    server, client = both
    async with door(read, ssl_context=server) as listener, http2(listener, client) as viewer:
        stream_id = viewer.h2.get_next_available_stream_id()
        viewer.h2.send_headers(stream_id, [(":method", "PUT"), *HEAD[1:]])
        viewer.h2.send_data(stream_id, b"abc", end_stream=True)
        viewer.replies[stream_id] = Reply()
        viewer.flush()
        assert (await viewer.reply(stream_id)).body == b"abc"


async def test_an_upload_waits_for_its_reader_and_for_no_other(both: Pair) -> None:
    go = asyncio.Event()

    async def slow(request: Request) -> Response:
        if request.path == "/slow":
            await go.wait()
        return Response(200, body=BytesBody(b"%d" % len(await read_at_most(request.body, 10**6))))

    server, client = both
    async with door(slow, ssl_context=server) as listener, http2(listener, client) as viewer:
        await viewer.until(lambda: viewer.h2.outbound_flow_control_window > MEGABYTE)
        held = [viewer.request("/slow", "PUT", ends=False) for _ in range(20)]
        for stream_id in held:
            await viewer.send(stream_id, bytes(65_535))
            assert viewer.h2.local_flow_control_window(stream_id) == 0
        free = viewer.request("/", "PUT", ends=False)
        await viewer.send(free, bytes(300_000), ends=True)
        assert (await viewer.reply(free)).body == b"300000"
        assert {viewer.h2.local_flow_control_window(each) for each in held} == {0}
        go.set()
        for stream_id in held:
            await viewer.send(stream_id, bytes(1), ends=True)
            assert (await viewer.reply(stream_id)).body == b"65536"


async def test_who_reads_and_who_writes_wait_beside_each_other(both: Pair) -> None:
    read: asyncio.Queue[bytes] = asyncio.Queue()

    async def both_ways(request: Request) -> Response:
        async def upload() -> None:
            async for chunk in request.body:
                read.put_nowait(chunk)

        reading = asyncio.ensure_future(upload())

        async def download() -> AsyncIterator[bytes]:
            yield bytes(100_000)
            await reading

        return Response(200, body=StreamBody(download()))

    server, client = both
    async with door(both_ways, ssl_context=server) as listener, http2(listener, client) as viewer:
        viewer.takes_data = False
        stream_id = viewer.request("/", "PUT", ends=False)
        reply = viewer.replies[stream_id]
        await viewer.until(lambda: len(reply.body) == 65_535)  # The answer waits for a window,
        await viewer.send(stream_id, b"one")
        async with asyncio.timeout(20):
            assert await read.get() == b"one"  # and the request's body is read all the same.
        viewer.h2.increment_flow_control_window(10**6)
        viewer.h2.increment_flow_control_window(10**6, stream_id)
        viewer.flush()
        await viewer.until(lambda: len(reply.body) == 100_000)
        await viewer.send(stream_id, b"two", ends=True)
        assert (await viewer.reply(stream_id)).ended
        assert read.get_nowait() == b"two"


@pytest.mark.rule("CDN-REQ-09")
async def test_100_continue_comes_with_the_first_read(both: Pair) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def read(request: Request) -> Response:
        asked.set()
        await go.wait()
        return Response(200, body=BytesBody(await read_at_most(request.body, 100)))

    server, client = both
    async with door(read, ssl_context=server) as listener, http2(listener, client) as viewer:
        stream_id = viewer.request("/", "PUT", ("expect", "100-continue"), ends=False)
        reply = viewer.replies[stream_id]
        await asked.wait()
        assert not reply.interim
        go.set()
        await viewer.until(lambda: bool(reply.interim))
        await viewer.send(stream_id, b"abc", ends=True)
        assert (await viewer.reply(stream_id)).body == b"abc"
        assert reply.interim == [100]


async def test_an_early_answer_ends_the_upload(both: Pair) -> None:
    async def refuse(request: Request) -> Response:
        return Response(403, body=BytesBody(b"no"))

    server, client = both
    async with door(refuse, ssl_context=server) as listener, http2(listener, client) as viewer:
        for _ in range(200):  # More than the connection's window would hold.
            stream_id = viewer.request("/", "PUT", ends=False)
            viewer.h2.send_data(stream_id, bytes(16_000))
            viewer.flush()
            reply = viewer.replies[stream_id]
            await viewer.until(lambda reply=reply: reply.ended)  # type: ignore[misc]
            assert (reply.status, reply.body) == (403, b"no")
        assert (await viewer.ask()).status == 403


@pytest.mark.rule("CDN-REQ-10")
async def test_a_body_that_stops_coming_is_given_up(both: Pair) -> None:
    async def read(request: Request) -> Response:
        return Response(200, body=BytesBody(await read_at_most(request.body, 100)))

    server, client = both
    async with (
        door(read, limits=Limits(read_stall_s=0.1), ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        stream_id = viewer.request("/", "PUT", ("content-length", "9"), ends=False)
        await viewer.send(stream_id, b"abc")
        reply = viewer.replies[stream_id]
        await viewer.until(lambda: reply.ended)
        assert reply.status == 400


async def test_trailers_of_a_request_are_no_part_of_it(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        stream_id = viewer.request("/", "PUT", ends=False)
        viewer.h2.send_data(stream_id, b"abc")
        viewer.h2.send_headers(stream_id, [("x-trailer", "1")], end_stream=True)
        viewer.flush()
        assert (await viewer.reply(stream_id)).status == 200
    assert "x-trailer" not in site.asked[0].headers


# --- the end -------------------------------------------------------------------------------------


async def test_requests_in_flight_finish_within_the_grace(both: Pair) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await go.wait()
        return Response(200, body=BytesBody(b"done"))

    server, client = both
    async with (
        door(slow, ssl_context=server) as listener,
        http2(listener, client) as idle,
        http2(listener, client) as viewer,
    ):
        stream_id = viewer.request()
        await begun.wait()
        stopping = asyncio.ensure_future(listener.stop(60))
        assert await idle.closed()
        assert idle.goaway == ErrorCodes.NO_ERROR
        assert listener.in_flight == 1
        late = frame(HeadersFrame(3, viewer.header_block(HEAD)), "END_HEADERS", "END_STREAM")
        await viewer.raw(late)
        go.set()
        assert await viewer.closed()
        assert viewer.replies[stream_id].body == b"done"
        assert (viewer.goaway, viewer.last_stream) == (ErrorCodes.NO_ERROR, stream_id)
        async with asyncio.timeout(20):
            await stopping


async def test_a_viewer_that_says_goodbye_gets_its_answers(both: Pair) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await go.wait()
        return Response(200, body=BytesBody(b"done"))

    server, client = both
    async with door(slow, ssl_context=server) as listener, http2(listener, client) as viewer:
        stream_id = viewer.request()
        await begun.wait()
        await viewer.raw(b"\0\0\x08\x07\0\0\0\0\0" + bytes(8))
        go.set()
        assert await viewer.closed()
        assert viewer.replies[stream_id].body == b"done"


async def test_what_does_not_finish_is_cut(both: Pair) -> None:
    begun = asyncio.Event()

    async def stuck(request: Request) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    server, client = both
    async with door(stuck, ssl_context=server) as listener, http2(listener, client) as viewer:
        viewer.request()
        await begun.wait()
        await listener.stop(0.05)
        assert await viewer.closed()


async def test_who_is_not_admitted_hears_nothing(both: Pair) -> None:
    server, client = both
    async with (
        door(ok, ssl_context=server, admit=lambda tls, viewer: None) as listener,
        http2(listener, client) as viewer,
    ):
        assert await viewer.closed()
        assert viewer.goaway is None
