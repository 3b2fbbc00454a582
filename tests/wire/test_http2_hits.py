"""Requests over HTTP/2 that are answered in the connection, as one before them was."""

import random
import ssl

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import HeadersFrame

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Asked, Request, Response
from edgeproxy.server.limits import Limits
from tests.wire.http2 import HEAD, Http2Viewer, Reply, http2
from tests.wire.raw import door
from tests.wire.test_hits import Site

Pair = tuple[ssl.SSLContext, ssl.SSLContext]


async def known(viewer: Http2Viewer, site: Site, *lines: tuple[str, str]) -> None:
    """Ask until the block no longer changes, and once more: it is learned then."""
    for _ in range(2):
        assert (await viewer.ask("/hit", "GET", *lines)).body == site.body
    assert site.handled == ["/hit"] * 2


async def test_what_was_asked_for_before_is_answered_at_once(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site, ("accept", "*/*"), ("cookie", "a=1"), ("cookie", "b=2"))
        for number in (1, 2, 3):
            lines = ("accept", "*/*"), ("cookie", "a=1"), ("cookie", "b=2")
            reply = await viewer.ask("/hit", "GET", *lines)
            assert (reply.status, reply.header("x-at-once")) == (200, str(number))
            assert (reply.body, reply.ended) == (b"hit", True)
        assert (await viewer.ask("/hit", "GET", ("accept", "x"))).header("x-path") == "/hit"
        assert (await viewer.ask("/other")).header("x-path") == "/other"
    request = site.answered[0].request()
    assert (request.version, request.target) == ("2.0", "/hit")
    assert request.headers.lines() == [("Host", "a"), ("accept", "*/*"), ("cookie", "a=1; b=2")]
    assert (request.viewer.scheme, request.viewer.tls_handshake) == ("https", "connectionReused")
    assert [end.aborted for end in site.delivered] == [False] * 3
    assert all(end.bytes_sent > len(b"hit") + 18 for end in site.delivered)


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 65_535])
async def test_bodies_of_any_size(both: Pair, size: int) -> None:
    server, client = both
    site = Site(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await viewer.until(lambda: viewer.h2.remote_settings.max_concurrent_streams == 128)
        await known(viewer, site)
        viewer.h2.increment_flow_control_window(2**20)
        viewer.flush()
        reply = await viewer.ask("/hit")
        assert (reply.body == site.body, reply.header("x-at-once")) == (True, "1")
        assert (await viewer.ask("/other")).body == site.body


async def test_what_the_windows_do_not_hold_goes_the_ordinary_way(both: Pair) -> None:
    server, client = both
    site = Site(bytes(70_000))
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site)
        assert (await viewer.ask("/hit")).body == site.body
        assert site.handled == ["/hit"] * 3
        viewer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100_000})
        viewer.h2.increment_flow_control_window(10**6)
        viewer.flush()
        assert (await viewer.ask("/hit")).header("x-at-once") is not None
        assert site.handled == ["/hit"] * 3


async def test_many_at_once_leave_together(both: Pair) -> None:
    server, client = both
    site = Site(bytes(1000))
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site)
        ids = [viewer.request("/hit") for _ in range(50)]
        replies = [await viewer.reply(each) for each in ids]
        assert {len(reply.body) for reply in replies} == {1000}
        assert [reply.header("x-at-once") for reply in replies] == [str(n) for n in range(1, 51)]


@pytest.mark.parametrize("seed", range(2))
async def test_a_block_is_what_it_means_at_the_time(both: Pair, seed: int) -> None:
    """Blocks refer to a table that changes; what is answered is what was asked, all the same."""

    class Echo:
        depends_on: frozenset[bytes] = frozenset()

        def __init__(self, told: str) -> None:
            self.told = told

        def answer(self, asked: Asked) -> "Told":
            nonlocal at_once
            at_once += 1
            return Told(self.told)

    class Told:
        body = b""

        def __init__(self, told: str) -> None:
            self.head = f"HTTP/1.1 200 OK\r\nX-Told: {told}\r\n\r\n".encode()

        def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
            pass

    async def echo(request: Request) -> Response:
        told = f"{request.path} {request.headers.get('x-a')} {request.headers.get('x-b')}"
        return Response(200, Headers([("X-Told", told)]), repeat=Echo(told))

    at_once = 0
    chance = random.Random(seed)
    server, client = both
    async with door(echo, ssl_context=server) as listener, http2(listener, client) as viewer:
        for turn in range(250):
            path, one, two = (str(chance.randrange(3)) for _ in range(3))
            if turn % 40 == 39:
                one = "long" * chance.randrange(1, 400)  # Others leave the table.
            lines = [("x-a", one), ("x-b", two)]
            chance.shuffle(lines)
            reply = await viewer.ask(f"/{path}", "GET", *lines)
            assert reply.header("x-told") == f"/{path} {one} {two}"
    assert at_once > 20


async def test_what_is_forgotten_is_asked_for_anew(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site)
        site.is_valid = False
        assert (await viewer.ask("/hit")).header("x-path") == "/hit"
        site.is_valid = True
        assert (await viewer.ask("/hit")).header("x-at-once") == "1"
        listener.forget()
        assert (await viewer.ask("/hit")).header("x-path") == "/hit"
        assert (await viewer.ask("/hit")).header("x-at-once") == "2"


async def test_headers_for_the_local_edge_are_never_repeated(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        for _ in range(4):
            reply = await viewer.ask("/hit", "GET", ("x-edgeproxy-explain", "1"))
            assert reply.header("x-path") == "/hit"


async def test_where_connections_have_a_lifetime_nothing_is_repeated(both: Pair) -> None:
    server, client = both
    site = Site()
    limits = Limits(lifetime_s=60)
    async with (
        door(site, limits=limits, ssl_context=server) as listener,
        http2(listener, client) as viewer,
    ):
        for _ in range(4):
            assert (await viewer.ask("/hit")).header("x-path") == "/hit"


async def test_heads_are_spelt_for_http_2(both: Pair) -> None:
    class Answer:
        body = b"abc"
        head = (
            b"HTTP/1.1 418 I'm a teapot\r\nCache-Control: max-age=1\r\nConnection: keep-alive\r\n"
            b"X-Long: " + b"y" * 5000 + b"\r\nX-Amz-Cf-Id: one==\r\nSet-Cookie: a\r\nset-cookie: b"
            b"\r\nB: \xff\r\nEmpty:\r\nContent-Length: 3\r\n\r\n"
        )

        def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
            pass

    class Teapot(Site):
        def answer(self, asked: Asked) -> Answer:  # type: ignore[override]
            return Answer()

    server, client = both
    site = Teapot()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site)
        for _ in range(2):
            reply = await viewer.ask("/hit")
            assert (reply.status, reply.body) == (418, b"abc")
            assert reply.lines == [
                ("cache-control", "max-age=1"),
                ("x-long", "y" * 5000),
                ("x-amz-cf-id", "one=="),
                ("set-cookie", "a"),
                ("set-cookie", "b"),
                ("b", "\xff"),
                ("empty", ""),
                ("content-length", "3"),
            ]


async def test_a_stream_of_long_ago_stays_one(both: Pair) -> None:
    """Known or not, a request comes on a new stream."""
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site)
        stream_id = viewer.request("/hit")
        await viewer.reply(stream_id)
        viewer.h2.increment_flow_control_window(100, stream_id=None)
        again = HeadersFrame(stream_id, viewer.header_block([*HEAD[:3], (":path", "/hit")]))
        again.flags.add("END_HEADERS")
        again.flags.add("END_STREAM")
        await viewer.raw(again.serialize())
        assert await viewer.closed()
        assert viewer.goaway in (ErrorCodes.STREAM_CLOSED, ErrorCodes.PROTOCOL_ERROR)


async def test_what_follows_an_answer_on_its_stream_is_let_pass(both: Pair) -> None:
    server, client = both
    site = Site()
    async with door(site, ssl_context=server) as listener, http2(listener, client) as viewer:
        await known(viewer, site)
        stream_id = viewer.request("/hit")
        viewer.h2.reset_stream(stream_id, ErrorCodes.CANCEL)
        viewer.flush()
        late = viewer.request("/hit")
        viewer.replies[late] = Reply()
        assert (await viewer.reply(late)).header("x-at-once") == "2"


async def test_a_request_without_a_repeat_is_no_hit(both: Pair) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, body=BytesBody(b"%d" % len(request.headers)))

    server, client = both
    async with door(answer, ssl_context=server) as listener, http2(listener, client) as viewer:
        for _ in range(4):
            assert (await viewer.ask("/hit")).body == b"1"
