"""Origins that answer garbage, half an answer or too much, and what they leave behind: nothing.

Each row goes through a whole edge: alone, with a stale object in store, and with viewers who wait.
"""

import gzip
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import IncompleteRead
from urllib.parse import urlsplit

import pytest

from tests.support.delivery import cache_policy, error_page
from tests.support.scripted_origin import (
    Connection,
    Script,
    ScriptedOrigin,
    running_scripted_origin,
)

CACHED = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60, stale-if-error=600\r\n"
GOOD = CACHED + b"Content-Length: 4\r\n\r\ngood"
CHUNKED = CACHED + b"Transfer-Encoding: chunked\r\n\r\n"
INVALID = "OriginInvalidResponseError"


def says(data: bytes, *, closes: bool = False) -> Script:
    def script(connection: Connection) -> None:
        connection.say(data)
        if closes:
            connection.socket.shutdown(1)
            connection.wait_until_closed()

    return script


def stalls(data: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.say(data)
        connection.wait_until_closed()

    return script


def resets(data: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.say(data)
        connection.socket.setsockopt(6, 1, 1)
        connection.reset()

    return script


def endless(start: bytes, more: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.say(start)
        while True:
            connection.say(more)

    return script


@dataclass(frozen=True)
class Failed:
    """The edge answers with an error of its own."""

    status: int
    detail: str


def failed(name: str, script: Script, status: int, detail: str, *rules: str):
    return pytest.param(script, Failed(status, detail), id=name, marks=pytest.mark.rule(*rules))


HEADS = [
    failed("garbage", says(b"\x16\x03\x01 hello\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("another protocol", says(b"SSH-2.0-x\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("nothing", says(b"", closes=True), 502, "OriginZeroSizeObjectError", "CDN-ERR-38"),
    failed("half a head", says(CACHED, closes=True), 502, "OriginCommError", "CDN-ERR-37"),
    failed("stall in the head", stalls(CACHED), 504, "OriginCommError", "CDN-ERR-35"),
    failed("silence", stalls(b""), 504, "OriginCommError", "CDN-ERR-35"),
    failed(
        "endless head",
        endless(CACHED, b"X-A: " + b"a" * 1000 + b"\r\n"),
        502,
        "OriginHeaderTooBigError",
        "CDN-ERR-39",
    ),
    failed(
        "endless line",
        endless(CACHED + b"X-A: ", b"a" * 1000),
        502,
        "OriginHeaderTooBigError",
        "CDN-ERR-39",
    ),
    failed(
        "flood of 1xx",
        endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        502,
        "OriginHeaderTooBigError",
        "CDN-ERR-39",
    ),
    failed(
        "100 again and again",
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        502,
        INVALID,
        "CDN-RSP-14",
        "CDN-ERR-38",
    ),
    failed(
        "two framings",
        says(
            CACHED
            + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"
        ),
        502,
        INVALID,
        "CDN-ERR-38",
    ),
    failed(
        "two lengths",
        says(CACHED + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nevil!"),
        502,
        INVALID,
        "CDN-ERR-38",
    ),
    failed(
        "length in words",
        says(CACHED + b"Content-Length: four\r\n\r\nevil"),
        502,
        INVALID,
        "CDN-ERR-38",
    ),
    failed("name with a space", says(CACHED + b"X A: 1\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("space before the colon", says(CACHED + b"X-A : 1\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("NUL", says(CACHED + b"X-A: a\0b\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("bare CR", says(CACHED + b"X-A: a\rX-B: b\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("no status", says(b"HTTP/1.1 OK\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("status 99", says(b"HTTP/1.1 99 A\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("status 1000", says(b"HTTP/1.1 1000 A\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("HTTP/3", says(b"HTTP/3.0 200 OK\r\n\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed("chunk of no size", says(CHUNKED + b"zz\r\n"), 502, INVALID, "CDN-ERR-38"),
    failed(
        "chunk of 17 digits",
        says(CHUNKED + b"fffffffffffffffff\r\n"),
        502,
        INVALID,
        "CDN-ERR-38",
    ),
    failed(
        "chunk longer than its size",
        says(CHUNKED + b"4\r\nevil+more\r\n0\r\n\r\n"),
        502,
        INVALID,
        "CDN-ERR-38",
    ),
    failed(
        "unasked 101",
        says(b"HTTP/1.1 101 S\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n"),
        502,
        INVALID,
        "CDN-ERR-38",
    ),
]


def broken(name: str, script: Script):
    rules = pytest.mark.rule("CDN-ERR-40", "CDN-VAL-20")
    return pytest.param(script, id=name, marks=rules)


SHORT = CACHED + b"Content-Length: 9\r\n\r\nevil"
BODIES = [
    broken("shorter than its length", says(SHORT, closes=True)),
    broken("reset", resets(SHORT)),
    broken("stall", stalls(SHORT)),
    broken("chunks end early", says(CHUNKED + b"4\r\nevil\r\n", closes=True)),
    broken("chunk ends early", says(CHUNKED + b"9\r\nevil", closes=True)),
    broken("chunks stall", stalls(CHUNKED + b"4\r\nevil\r\n")),
]


@pytest.fixture
def origin_and_site(deliver, request) -> Iterator[tuple[ScriptedOrigin, object]]:
    with running_scripted_origin(says(GOOD)) as origin:
        site = deliver(
            {"cache": cache_policy()},
            at={"web": origin.url},
            origin={
                "ConnectionAttempts": 1,
                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "OriginReadTimeout": 2},
            },
            CustomErrorResponses=[error_page(status, ttl=0) for status in (502, 504)],
        )
        yield origin, site


def is_good(origin: ScriptedOrigin, site, x_cache: str) -> None:
    """What viewers get now is the good answer, over a connection of its own."""
    bad = origin.connections
    origin.script = says(GOOD)
    response = site.get("/a")
    assert (response.status, response.body, response.x_cache) == (200, b"good", x_cache)
    assert origin.requests[-1][0] == bad + 1, "no connection is used again"
    assert site.get("/a").x_cache == "Hit from cloudfront"


@pytest.mark.parametrize(("script", "outcome"), HEADS)
def test_an_answer_without_a_usable_head(origin_and_site, script, outcome):
    origin, site = origin_and_site
    origin.script = script
    response = site.get("/a")
    assert response.status == outcome.status
    assert site.exchanges(1)[0].detailed_result_type == outcome.detail
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.parametrize(("script", "outcome"), HEADS)
def test_a_stale_object_stands_in_for_it(origin_and_site, shared, script, outcome):
    origin, site = origin_and_site
    site.get("/a")
    shared.clock.advance(seconds=61)
    origin.script = script
    response = site.get("/a")
    assert (response.status, response.body) == (200, b"good")
    shared.clock.advance(seconds=61)
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.rule("CDN-COL-07")
@pytest.mark.parametrize(("script", "outcome"), HEADS)
def test_all_who_wait_get_the_same_error(origin_and_site, script, outcome):
    origin, site = origin_and_site
    answers = together(origin, site, script)
    assert {answer.status for answer in answers} == {outcome.status}
    is_good(origin, site, "Miss from cloudfront")


def together(origin: ScriptedOrigin, site, script: Script) -> list:
    """What four viewers get who wait for one fetch; an exception is what arrived before it."""
    asked, go = threading.Event(), threading.Event()

    def held(connection: Connection) -> None:
        asked.set()
        assert go.wait(20)
        script(connection)

    def get(_: int):
        try:
            return site.get("/a")
        except IncompleteRead as error:
            return error.partial

    origin.script = held
    before = len(origin.requests)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(get, 0)]
        assert asked.wait(20)
        asking += [pool.submit(get, index) for index in (1, 2, 3)]
        go.set()
        answers = [each.result() for each in asking]
    # Who came too late to wait has asked alone, and got the same.
    assert 1 <= len(origin.requests) - before <= 4
    return answers


@pytest.mark.parametrize("script", BODIES)
def test_a_body_that_breaks_off_is_cut_and_not_stored(origin_and_site, script):
    origin, site = origin_and_site
    origin.script = script
    with pytest.raises(IncompleteRead) as cut:
        site.get("/a")
    assert cut.value.partial in (b"evil", b"")
    assert site.exchanges(1)[0].detailed_result_type == "OriginReadError"
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.parametrize("script", BODIES)
def test_a_body_that_breaks_off_leaves_a_stale_object_as_it_was(origin_and_site, shared, script):
    origin, site = origin_and_site
    site.get("/a")
    shared.clock.advance(seconds=61)
    origin.script = script
    with pytest.raises(IncompleteRead):
        site.get("/a")
    no = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    origin.script = says(no)
    assert site.get("/a").body == b"good"
    shared.clock.advance(seconds=61)
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.parametrize("script", BODIES)
def test_a_body_that_breaks_off_breaks_for_all_who_wait(origin_and_site, script):
    origin, site = origin_and_site
    assert set(together(origin, site, script)) <= {b"evil", b""}
    is_good(origin, site, "Miss from cloudfront")


PART = (
    CACHED.replace(b"200 OK", b"206 Partial Content")
    + b'ETag: "1"\r\nContent-Range: bytes 0-8/20\r\nContent-Length: 9\r\n\r\nevil'
)


@pytest.mark.rule("CDN-ERR-40", "CDN-VAL-20")
def test_a_part_that_breaks_off_is_not_stored(origin_and_site):
    origin, site = origin_and_site
    origin.script = says(PART, closes=True)
    for _ in range(2):
        with pytest.raises(IncompleteRead):
            site.get("/a", headers={"Range": "bytes=0-8"})
    assert len(origin.requests) == 2
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.rule("CDN-RNG-12")
@pytest.mark.parametrize("span", [b"0-9/20", b"0-7/20", b"5-3/20"])
def test_a_part_of_another_length_than_it_says(origin_and_site, span):
    origin, site = origin_and_site
    part = PART.replace(b"0-8/20", span).replace(b"\r\n\r\nevil", b"\r\n\r\nevil-evil")
    origin.script = says(part)
    assert site.get("/a", headers={"Range": "bytes=0-8"}).status == 502
    assert site.exchanges(1)[0].detailed_result_type == "OriginContentRangeLengthError"
    is_good(origin, site, "Miss from cloudfront")


# Too much

EVIL = CACHED + b"Content-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize(
    "data",
    [
        GOOD + EVIL,
        GOOD + b"evil",
        GOOD.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked").replace(
            b"good", b"4\r\ngood\r\n0\r\n\r\n"
        )
        + EVIL,
    ],
    ids=["two answers", "longer than its length", "two answers, chunked"],
)
def test_what_comes_behind_an_answer_is_nobodys(origin_and_site, data):
    origin, site = origin_and_site
    origin.script = says(data)
    response = site.get("/other")
    assert (response.status, response.body) == (200, b"good")
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_that_has_no_body_with_one(origin_and_site, status):
    origin, site = origin_and_site
    origin.script = says(EVIL.replace(b"200 OK", status))
    response = site.get("/other", headers={"If-None-Match": '"1"'})
    assert (response.status, response.body) == (int(status[:3]), b"")
    is_good(origin, site, "Miss from cloudfront")


@pytest.mark.parametrize("second", [EVIL, b"evil"], ids=["answer", "garbage"])
def test_a_second_answer_that_comes_late_is_nobodys(origin_and_site, second):
    origin, site = origin_and_site
    has_first, closed = threading.Event(), threading.Event()

    def script(connection: Connection) -> None:
        connection.say(GOOD)
        assert has_first.wait(20)
        connection.say(second)
        with suppress(ConnectionError):
            connection.wait_until_closed()
        closed.set()

    origin.script = script
    assert site.get("/other").body == b"good"
    has_first.set()
    assert closed.wait(20), "the edge closes a connection on which an answer comes unasked"
    is_good(origin, site, "Miss from cloudfront")


def test_an_answer_before_the_request_is_complete(origin_and_site):
    origin, site = origin_and_site
    origin.script = says(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    response = site.request("POST", "/a", body=b"x" * 5_000_000)
    assert (response.status, response.body) == (403, b"no")
    is_good(origin, site, "Miss from cloudfront")


# Odd, but an answer


@pytest.mark.rule("CDN-RSP-12")
def test_content_is_never_decompressed(origin_and_site):
    origin, site = origin_and_site
    bomb = gzip.compress(bytes(30_000_000))
    head = CACHED + b"Content-Encoding: gzip\r\nContent-Type: text/html\r\n"
    origin.script = says(head + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb)
    for outcome in ("Miss", "Hit"):
        response = site.get("/a", headers={"Accept-Encoding": "gzip"})
        assert (response.body, response.x_cache) == (bomb, f"{outcome} from cloudfront")


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_nobody_knows_is_passed_on_and_not_kept(origin_and_site, status):
    origin, site = origin_and_site
    origin.script = says(EVIL.replace(b"200 OK", b"%d Odd" % status))
    assert site.get("/a").status == status
    assert site.get("/a").x_cache == "Error from cloudfront"
    assert len(origin.requests) == 2


# Viewers who leave


@pytest.mark.rule("CDN-VAL-22")
def test_nothing_is_stored_for_a_viewer_who_leaves_before_the_transfer(origin_and_site):
    origin, site = origin_and_site
    asked, go = threading.Event(), threading.Event()

    def held(connection: Connection) -> None:
        asked.set()
        assert go.wait(20)
        connection.say(GOOD)

    origin.script = held
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as viewer:
        viewer.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(20)
        viewer.shutdown(socket.SHUT_WR)
        assert viewer.recv(1) == b"", "the edge knows that we are gone"
    go.set()
    assert site.exchanges(1)[0].aborted
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert len(origin.requests) == 2


@pytest.mark.rule("CDN-VAL-22")
def test_a_viewer_who_leaves_during_the_transfer_leaves_the_object_stored(origin_and_site):
    origin, site = origin_and_site
    half, sent = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.say(CACHED + b"Content-Length: 200000\r\n\r\n" + b"x" * 100_000)
        assert half.wait(20)
        connection.say(b"x" * 100_000)
        sent.set()

    origin.script = slow
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as viewer:
        viewer.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert viewer.recv(1) == b"H"
    half.set()
    assert sent.wait(20)
    response = site.get("/a")
    assert (response.body, response.x_cache) == (b"x" * 200_000, "Hit from cloudfront")
    assert len(origin.requests) == 1
