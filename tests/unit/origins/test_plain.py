"""Whatever is understood in one look, aiohttp's parser understands in the same way."""

import asyncio

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.origins.plain import PlainAnswer, plain_answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

PLAIN = [
    HEAD + b"\r\nok",
    HEAD + b'ETag:"a"\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\nok',
    HEAD + b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nok",
    HEAD + b"X-Empty:\r\nX-Text: \t a b\r\n\r\nok",
    HEAD + "X-Name: Zürich".encode() + b" \xff\r\n\r\nok",
    b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 500 Out of it\r\nCONTENT-LENGTH:002\r\n\r\nno",
]
OTHERS = [
    HEAD + b"\r\no",
    HEAD + b"\r\nok!",
    HEAD + b"\r\n",
    HEAD,
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Go on\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    HEAD + b"Content-Length: 2\r\n\r\nok",
    HEAD + b"X: y\r\ncontent-length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nok",
    HEAD + b"transfer-encoding:identity\r\n\r\nok",
    HEAD + b"Connection: close\r\n\r\nok",
    HEAD + b"Connection: keep-alive, X\r\n\r\nok",
    HEAD + b"Upgrade: h2c\r\n\r\nok",
    HEAD + b"Proxy-Connection: close\r\n\r\nok",
    HEAD + b"X: a\r\n b\r\n\r\nok",
    HEAD + b"X-Blank: \r\n\r\nok",
    HEAD + b"X-Text: a\t\r\n\r\nok",
    HEAD + b"Connection: keep-alive\r\nconnection: close\r\n\r\nok",
    HEAD + b"X : a\r\n\r\nok",
    HEAD + b"X: a\0b\r\n\r\nok",
    HEAD + b"X: a\rb\r\n\r\nok",
    HEAD + b"X" * 9000 + b": a\r\n\r\nok",
]


@pytest.mark.parametrize("data", PLAIN)
def test_an_answer_that_is_whole_and_plain_is_understood_at_once(data: bytes) -> None:
    answer = plain_answer(data)
    assert answer is not None
    assert answer == asyncio.run(_parsed(data))


@pytest.mark.parametrize("data", OTHERS)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert plain_answer(data) is None


@given(
    st.sampled_from(PLAIN),
    st.integers(0, 120),
    st.binary(max_size=3) | st.sampled_from([b"\r\n", b"\n", b":", b" ", b"\r\nA: b\r\n", b"0"]),
    st.integers(0, 2),
)
def test_what_is_understood_of_damaged_bytes_is_what_the_parser_says(
    data: bytes, place: int, put: bytes, dropped: int
) -> None:
    data = data[:place] + put + data[place + dropped :]
    answer = plain_answer(data)
    if answer is not None:
        assert answer == asyncio.run(_parsed(data))


async def _parsed(data: bytes) -> PlainAnswer:
    protocol = BaseProtocol(asyncio.get_running_loop())
    parser = HttpResponseParser(
        protocol,
        asyncio.get_running_loop(),
        2**16,
        payload_exception=aiohttp.ClientPayloadError,
        read_until_eof=True,
        auto_decompress=False,
    )
    protocol._parser = parser
    [(message, payload)], upgraded, tail = parser.feed_data(data)
    assert (upgraded, tail, message.should_close, message.chunked) == (False, b"", False, False)
    assert payload.is_eof()
    assert payload.exception() is None
    names, values = zip(*message.raw_headers, strict=True)
    values = tuple(value.strip(b" \t") for value in values)
    reason = message.reason.encode()
    return PlainAnswer(message.code, reason, names, values, payload.read_nowait())
