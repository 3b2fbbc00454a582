"""By what requests are known again, and how much is remembered of them."""

import string

import pytest

from edgeproxy.http.messages import Repeat, Repeated, Request, Rerun, Viewer
from edgeproxy.server.hits import Hits, PlainRequest


class Known:
    depends_on = frozenset({b"host", b"cookie"})

    def __init__(self) -> None:
        self.earlier: list[Repeat] = []

    def answer(self, asked: object) -> Repeated | None:
        raise AssertionError("nobody asks")

    def joined(self, earlier: Repeat) -> Repeat:
        self.earlier.append(earlier)
        return self


class Asks(Rerun):
    def begin(self, asked: object) -> None:
        raise AssertionError("nobody asks")


def head(path: str = "/", *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def find(hits: Hits, asked: bytes, sender: str = "") -> list[tuple[Repeat, bytes]]:
    every = (shape.find(asked, sender) for shape in hits.shapes.values())
    return [found for found in every if found is not None]


def test_only_what_matters_is_compared() -> None:
    hits, one, two = Hits(), Known(), Known()
    hits.learn(head("/", "Cookie: 1", "X: 1"), one)
    hits.learn(head("/", "cookie: 2"), two)
    assert find(hits, head("/", "Cookie:\t1", "X: 2")) == [(one, b"/")]
    assert find(hits, head("/b?c", "Cookie: 1", "X:")) == [(one, b"/b?c")]
    assert find(hits, head("/", "cookie: 2")) == [(two, b"/")]
    assert not find(hits, head("/", "Cookie: 3", "X: 1"))
    assert not find(hits, head("/", "Cookie: 1"))
    assert not find(hits, head("/", "X: 1", "Cookie: 1"))
    assert not find(hits, head("/", "Cookie: 1", "X: 1", "Y: 1"))
    assert not find(hits, head("/", "Cookie: 1", "X: 1", method="HEAD"))
    assert not find(hits, head("/", "Cookie: 1", "X: 1"), "another sender")


def test_where_somebody_is_asked_all_of_the_head_matters_and_is_kept_at_its_second_sight() -> None:
    hits, asks = Hits(), Asks()
    hits.learn(head("/a?b", "X: 1"), asks, "me")
    assert not hits.heads
    hits.learn(head("/a?b", "X: 1"), asks, "me")
    assert hits.heads == {(head("/a?b", "X: 1"), "me"): (asks, b"/a?b")}
    for _ in range(2):
        hits.learn(head("/", "X-Edgeproxy-Explain: 0"), asks)
    assert len(hits.heads) == 1
    assert not hits.shapes
    hits.clear()
    assert not hits.heads
    hits.learn(head("/a?b", "X: 1"), asks, "me")
    assert not hits.heads


def test_no_more_heads_than_so_many_are_remembered() -> None:
    hits, asks = Hits(), Asks()
    for number in range(10_001):
        for _ in range(2):
            hits.learn(head(f"/{number}"), asks)
    assert len(hits.heads) == 10_000
    assert (head("/0"), "") not in hits.heads
    assert (head("/10000"), "") in hits.heads


def test_what_was_learned_of_the_same_header_lines_is_joined() -> None:
    hits, one, two = Hits(), Known(), Known()
    hits.learn(head(), one)
    hits.learn(head("/b"), two)
    assert two.earlier == [one]
    assert find(hits, head("/c")) == [(two, b"/c")]
    hits.clear()
    assert not find(hits, head())


def test_answers_that_depend_on_other_headers() -> None:
    """Two distributions, or behaviors of one."""

    class OnAccept(Known):
        depends_on = frozenset({b"host", b"accept"})

    hits, one, two = Hits(), Known(), OnAccept()
    hits.learn(head("/", "Cookie: 1", "Accept: x"), one)
    hits.learn(head("/two", "Cookie: 1", "Accept: y"), two)
    assert find(hits, head("/", "Cookie: 1", "Accept: x")) == [(one, b"/")]
    assert find(hits, head("/", "Cookie: 2", "Accept: y")) == [(two, b"/")]
    # Who answers says which of them it is.
    assert [repeat for repeat, _ in find(hits, head("/", "Cookie: 1", "Accept: y"))] == [one, two]
    assert not find(hits, head("/", "Cookie: 2", "Accept: x"))


@pytest.mark.parametrize(
    "line",
    [
        "User-Agent: a\r\nuser-agent: b",
        "Sec-WebSocket-Key1: x",
        "X-Edgeproxy-Explain: 1",
        "X : 1",
        "X: \0",
        "X: 1\r\n folded",
        f"X: {'x' * 4096}",
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(line: str) -> None:
    hits = Hits()
    hits.learn(head("/", line), Known())
    assert not hits.shapes
    hits.learn(head("/", "X: 1"), Known())
    assert not find(hits, head("/", line))


def test_any_visible_character_may_stand_in_a_target() -> None:
    hits, known = Hits(), Known()
    hits.learn(head(), known)
    visible = string.ascii_letters + string.digits + string.punctuation
    for character in visible:
        target = f"/a{character}b?{character}"
        assert find(hits, head(target)) == [(known, target.encode())]
    for target in ("", "a", "*", "http://a/", "/\x7f", "/a b", "/\t", "/é"):
        assert not find(hits, head(target))


def test_no_more_than_so_much_is_remembered() -> None:
    hits, known = Hits(), Known()
    for number in range(51):
        hits.learn(head("/", f"X-{number}: 1"), known)
    assert len(hits.shapes) == 50
    assert not find(hits, head("/", "X-0: 1"))
    assert find(hits, head("/", "X-1: 1"))
    for number in range(10_001):
        hits.learn(head("/", f"Cookie: {number}"), known)
    assert not find(hits, head("/", "Cookie: 0"))
    assert find(hits, head("/", "Cookie: 10000"))


def test_a_request_is_read_when_it_is_wanted() -> None:
    raw = head("/a%20b?", "X-Name:  é \t", "x-name:", "Cookie: a=b: c")
    request = PlainRequest(raw, b"/a%20b?", Viewer("127.0.0.2"), None).request()
    assert isinstance(request, Request)
    assert (request.method, request.path, request.query) == ("GET", "/a%20b", "")
    assert request.headers.lines() == [
        ("Host", "a"),
        ("X-Name", "é"),
        ("x-name", ""),
        ("Cookie", "a=b: c"),
    ]
    assert request.viewer.ip == "127.0.0.2"
