"""What is remembered of requests, and how much of it."""

import pytest

from edgeproxy.http.messages import Repeated, Request, Viewer
from edgeproxy.server.hits import Hits, PlainRequest


class Known:
    depends_on: frozenset[bytes] | None = frozenset({b"host", b"cookie"})

    def answer(self, asked: object) -> Repeated | None:
        raise AssertionError("nobody asks")

    def begin(self, asked: object) -> None:
        raise AssertionError("nobody asks")


class KnownByAll(Known):
    depends_on = None


def head(path: str = "/", *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def test_what_depends_on_everything_is_known_by_its_bytes_from_the_second_time_on() -> None:
    hits, known = Hits(), KnownByAll()
    hits.learn(head("/", "X: 1"), known)
    assert hits.find(head("/", "X: 1")) is None
    hits.learn(head("/", "X: 1"), known)
    assert hits.find(head("/", "X: 1")) is known
    assert hits.find(head("/", "X: 1"), "another") is None
    assert hits.find(head("/", "X:  1")) is None
    hits.learn(head("/", "X-Edgeproxy-Explain: 0"), known)
    hits.learn(head("/", "X-Edgeproxy-Explain: 0"), known)
    assert hits.find(head("/", "X-Edgeproxy-Explain: 0")) is None


def test_only_what_matters_is_compared() -> None:
    hits, one, two = Hits(), Known(), Known()
    hits.learn(head("/", "Cookie: 1", "X: 1"), one)
    hits.learn(head("/", "cookie: 2"), two)
    for _ in range(3):  # The second time all of the head is remembered.
        assert hits.find(head("/", "X: 2", "Cookie: 1")) is one
        assert hits.find(head("/", "cookie: 2", "X: 1")) is two
    assert hits.find(head("/", "Cookie: 3")) is None
    assert hits.find(head("/", "Cookie: 1", "Cookie: 1")) is None
    assert hits.find(head("/?", "Cookie: 1")) is None


def test_the_newest_answer_counts() -> None:
    hits, one, two = Hits(), Known(), Known()
    hits.learn(head(), one)
    for _ in range(3):
        assert hits.find(head()) is one
    hits.learn(head(), two)
    assert hits.find(head()) is two
    hits.clear()
    assert hits.find(head()) is None


def test_answers_that_depend_on_other_headers() -> None:
    """Two distributions may have the same path."""

    class OnAccept(Known):
        depends_on = frozenset({b"host", b"accept"})

    hits, one, two = Hits(), Known(), OnAccept()
    hits.learn(head("/", "Cookie: 1", "Accept: x"), one)
    hits.learn(head("/", "Cookie: 1", "Accept: y").replace(b"Host: a", b"Host: b"), two)
    hits.learn(head("/", "Cookie: 1", "Accept: x"), one)
    assert hits.find(head("/", "Cookie: 1", "Accept: x")) is one
    assert hits.find(head("/", "Cookie: 1", "Accept: y")) is None


def test_what_was_learned_of_other_headers_is_not_found_by_fewer() -> None:
    """The lines that matter are forgotten before the answers that depend on them."""

    class OnAccept(Known):
        depends_on = frozenset({b"host", b"accept"})

    hits, one, two = Hits(), Known(), OnAccept()
    of_two = head("/").replace(b"Host: a", b"Host: b")
    hits.learn(head("/"), one)
    for number in range(19_999):
        hits.learn(head(f"/{number}"), one)
    hits.learn(of_two, two)
    hits.learn(head("/more"), one)
    hits.learn(head("/"), one)
    assert hits.find(head("/")) is one
    assert hits.find(of_two.replace(b"\r\n\r\n", b"\r\nAccept: x\r\n\r\n")) is None


@pytest.mark.parametrize("twice", ["User-Agent: a\r\nuser-agent: b", "Sec-WebSocket-Key1: x"])
def test_what_the_parser_refuses_is_not_found(twice: str) -> None:
    hits = Hits()
    hits.learn(head(), Known())
    assert hits.find(head("/", *twice.split("\r\n"))) is None
    hits.learn(head("/two", *twice.split("\r\n")), Known())
    assert hits.find(head("/two", *twice.split("\r\n"))) is None


def test_no_more_than_so_many_are_remembered() -> None:
    hits, known = Hits(), Known()
    for number in range(20_001):
        hits.learn(head(f"/{number}"), known)
    assert hits.find(head("/0")) is None
    assert hits.find(head("/1")) is known
    assert hits.find(head("/20000")) is known


def test_a_request_is_read_when_it_is_wanted() -> None:

    raw = head("/a%20b?", "X-Name:  é \t", "x-name:", "Cookie: a=b: c")
    request = PlainRequest(raw, Viewer("127.0.0.2"), None).request()
    assert isinstance(request, Request)
    assert (request.method, request.path, request.query) == ("GET", "/a%20b", "")
    assert request.headers.lines() == [
        ("Host", "a"),
        ("X-Name", "é"),
        ("x-name", ""),
        ("Cookie", "a=b: c"),
    ]
    assert request.viewer.ip == "127.0.0.2"
