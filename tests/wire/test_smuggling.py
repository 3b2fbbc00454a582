"""Messages that two readers could understand differently are refused, and the connection ends."""

import pytest

from edgeproxy.http.body import BytesBody, read_at_most
from edgeproxy.http.messages import Request, Response
from tests.wire.raw import connect, door

GET = "GET / HTTP/1.1\r\nHost: a\r\n"
POST = "POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n"

HEADS = {
    "length with coding": CHUNKED + "Content-Length: 3\r\n\r\n0\r\n\r\n",
    "coding with length": POST + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length twice": POST + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "differing lengths": POST + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "signed length": POST + "Content-Length: +5\r\n\r\nabcde",
    "negative length": POST + "Content-Length: -5\r\n\r\nabcde",
    "hexadecimal length": POST + "Content-Length: 0x5\r\n\r\nabcde",
    "list of lengths": POST + "Content-Length: 5, 5\r\n\r\nabcde",
    "empty length": POST + "Content-Length: \r\n\r\n",
    "endless length": POST + "Content-Length: 99999999999999999999999\r\n\r\n",
    "bare LF throughout": "GET / HTTP/1.1\nHost: a\n\n",
    "bare LF after the request line": "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": "GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: w\r\n\r\n",
    "bare CR after a header": "GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: w\r\n\r\n",
    "folded header": GET + "X: y\r\n folded\r\n\r\n",
    "space before the colon": GET + "X : y\r\n\r\n",
    "space before the name": "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "no name": GET + ": y\r\n\r\n",
    "no colon": GET + "X\r\n\r\n",
    "name with NUL": GET + "X\0: y\r\n\r\n",
    "name beyond ASCII": GET + "X\xe9: y\r\n\r\n",
    "value with NUL": GET + "X: a\0b\r\n\r\n",
    "value with a control byte": GET + "X: a\x01b\r\n\r\n",
    "unknown coding": POST + "Transfer-Encoding: gzip\r\n\r\n",
    "unknown coding before chunked": POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": CHUNKED + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity after chunked": CHUNKED + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked look-alike": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked behind a control byte": POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "empty coding": POST + "Transfer-Encoding:\r\n\r\n",
    "chunked in 1.0": "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\n\r\n",
    "Host twice": GET + "Host: a\r\n\r\n",
    "two hosts": GET + "Host: b\r\n\r\n",
    "list of hosts": "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "host with a path": "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with a user": "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "URL with a user": "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "URL without a host": "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
    "URL of another scheme": "GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "target without a slash": "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
    "star without OPTIONS": "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with NUL": "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a control byte": "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a tab": "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a space": "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "method beyond ASCII": "G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "version beyond ASCII": "GET / HTTP/1.1\xe9\r\nHost: a\r\n\r\n",
    "URL with a host beyond ASCII": "GET http://\xc3\xa9/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a control byte beyond ASCII": "GET /\xe9\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with DEL": "GET /\xe9\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
    "lower-case method": "get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "method that is no token": "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "unheard-of method": "FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "space after the version": "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "HTTP/0.9": "GET /\r\n\r\n",
    "HTTP/0.9 by number": "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "HTTP/1.2": "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\0\x01\0",
}

SAID = {
    "unknown coding": 501,
    "unknown coding before chunked": 501,
    "chunked look-alike": 501,
    "empty coding": 501,
    "HTTP/0.9": 505,
    "HTTP/0.9 by number": 505,
    "HTTP/1.2": 505,
}
"""What a door is told that may answer them with pages of their own; CloudFront says 400."""

BODIES = {
    "bare LF after the size": "5\nabcde\r\n0\r\n\r\n",
    "bare LF after the chunk": "5\r\nabcde\n0\r\n\r\n",
    "bare LF in an extension": "5;a\nb\r\nabcde\r\n0\r\n\r\n",
    "space after the size": "5 \r\nabcde\r\n0\r\n\r\n",
    "prefixed size": "0x5\r\nabcde\r\n0\r\n\r\n",
    "negative size": "-5\r\nabcde\r\n0\r\n\r\n",
    "endless size": "fffffffffffffffff5\r\nabcde\r\n0\r\n\r\n",
    "chunk longer than its size": "5\r\nabcdefg\r\n0\r\n\r\n",
    "length as a trailer": "0\r\nContent-Length: 5\r\n\r\n",
    "bare LF in a trailer": "0\r\nX: a\nY: b\r\n\r\n",
}


async def reads_the_body(request: Request) -> Response:
    return Response(200, body=BytesBody(await read_at_most(request.body, 1000)))


@pytest.mark.rule("CDN-REQ-08", "CDN-REQ-03")
@pytest.mark.parametrize(
    ("bytes_", "status"),
    [pytest.param(head, SAID.get(name, 400), id=name) for name, head in HEADS.items()],
)
async def test_ambiguous_head(bytes_: str, status: int) -> None:
    asked: list[Request] = []

    async def note(request: Request) -> Response:
        asked.append(request)
        return Response(200)

    async with door(note) as listener, connect(listener) as viewer:
        answer = await viewer.ask(bytes_)
        assert (answer.status, answer.header("Connection")) == (status, "close")
        assert answer.header("X-Refused") == "yes"
        assert await viewer.closed()
    assert asked == []


@pytest.mark.rule("CDN-REQ-08")
@pytest.mark.parametrize("bytes_", [pytest.param(body, id=name) for name, body in BODIES.items()])
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "after the head"])
async def test_ambiguous_body(bytes_: str, apart: bool) -> None:
    async with door(reads_the_body) as listener, connect(listener) as viewer:
        if apart:
            await viewer.send(CHUNKED + "Expect: 100-continue\r\n\r\n")
            assert (await viewer.head()).status == 100
            answer = await viewer.ask(bytes_)
        else:
            answer = await viewer.ask(CHUNKED + "\r\n" + bytes_)
        assert (answer.status, answer.header("Connection")) == (400, "close")
        assert await viewer.closed()


@pytest.mark.rule("CDN-VER-02")
async def test_no_http2_in_clear_text() -> None:
    async with door(reads_the_body) as listener, connect(listener) as viewer:
        answer = await viewer.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        assert answer.status == 400
        assert await viewer.closed()


async def test_a_request_hidden_in_a_body_is_a_body() -> None:
    hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    async with door(reads_the_body) as listener, connect(listener) as viewer:
        request = f"{POST}Content-Length: {len(hidden)}\r\n\r\n{hidden}"
        assert (await viewer.ask(request)).body.decode() == hidden
        assert (await viewer.ask(request)).body.decode() == hidden


async def test_a_good_request_before_a_bad_one_is_answered() -> None:
    async with door(reads_the_body) as listener, connect(listener) as viewer:
        await viewer.send(f"{GET}\r\n" * 3 + "BAD\r\n\r\n" + f"{GET}\r\n")
        assert [(await viewer.answer()).status for _ in range(4)] == [200, 200, 200, 400]
        assert await viewer.closed()


async def test_a_malformed_body_that_nobody_reads_ends_the_connection() -> None:
    async def answers_at_once(request: Request) -> Response:
        return Response(200)

    async with door(answers_at_once) as listener, connect(listener) as viewer:
        await viewer.send(f"{CHUNKED}\r\n" + "zz\r\n" + f"{GET}\r\n")
        assert (await viewer.answer()).header("Connection") == "close"
        assert await viewer.closed()
