"""Bodies in memory can be read again, streams once; both say what has passed."""

from collections.abc import AsyncIterator

import pytest

from edgeproxy.http.body import (
    EMPTY_BODY,
    PREVIEW_BYTES,
    Body,
    BodyTooLarge,
    BytesBody,
    StreamBody,
    peek,
    read_at_most,
)


class Source:
    """Yields chunks and remembers how many were taken and whether it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.taken = 0
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk

    async def aclose(self) -> None:
        self.closed += 1


async def drain(body: Body) -> list[bytes]:
    return [chunk async for chunk in body]


async def test_bytes_can_be_read_twice() -> None:
    body = BytesBody(b"abc")
    assert await drain(body) == await drain(body) == [b"abc"]
    assert (body.length, body.passed, body.preview) == (3, 3, b"abc")
    await body.close()
    assert repr(body) == "BytesBody(3 bytes)"


async def test_an_empty_body_has_no_chunks() -> None:
    assert await drain(EMPTY_BODY) == []
    assert isinstance(EMPTY_BODY, Body)


async def test_a_stream_counts_and_skips_empty_chunks() -> None:
    body = StreamBody(Source(b"ab", b"", b"c"), 3)
    assert (body.length, body.passed, body.preview) == (3, 0, b"")
    assert await drain(body) == [b"ab", b"c"]
    assert (body.passed, body.preview) == (3, b"abc")
    assert repr(body) == "StreamBody(length=3, passed=3)"


async def test_a_stream_is_read_once() -> None:
    body = StreamBody(Source(b"a"))
    await drain(body)
    with pytest.raises(RuntimeError, match="only once"):
        await drain(body)


async def test_the_preview_ends_at_its_limit() -> None:
    body = StreamBody(Source(b"x" * 3000, b"y" * 3000))
    await drain(body)
    assert body.preview == b"x" * 3000 + b"y" * (PREVIEW_BYTES - 3000)
    assert BytesBody(b"z" * 9000).preview == b"z" * PREVIEW_BYTES


async def test_closing_closes_the_source_read_or_not() -> None:
    unread = Source(b"a")
    await StreamBody(unread).close()
    assert unread.closed == 1
    begun = Source(b"a", b"b")
    body = StreamBody(begun)
    async for _ in body:
        break
    await body.close()
    await body.close()
    assert (begun.taken, begun.closed) == (1, 2)


async def test_read_at_most() -> None:
    assert await read_at_most(BytesBody(b"abc"), 3) == b"abc"
    assert await read_at_most(StreamBody(Source(b"ab", b"c")), 3) == b"abc"


async def test_read_at_most_gives_up_at_the_limit() -> None:
    with pytest.raises(BodyTooLarge):
        await read_at_most(BytesBody(b"abcd"), 3)
    source = Source(b"ab", b"cd", b"ef")
    with pytest.raises(BodyTooLarge):
        await read_at_most(StreamBody(source), 3)
    assert source.taken == 2
    untouched = Source(b"abcd")
    with pytest.raises(BodyTooLarge):
        await read_at_most(StreamBody(untouched, 4), 3)
    assert untouched.taken == 0


async def test_peek_leaves_the_body_whole() -> None:
    source = Source(b"ab", b"cd", b"ef")
    head, has_more, body = await peek(StreamBody(source, 6), 3)
    assert (head, has_more, source.taken) == (b"abc", True, 2)
    assert body.length == 6
    assert b"".join(await drain(body)) == b"abcdef"


async def test_peek_at_a_short_body_keeps_it_in_memory() -> None:
    assert (await peek(BytesBody(b"abc"), 2))[:2] == (b"ab", True)
    head, has_more, body = await peek(StreamBody(Source(b"ab")), 2)
    assert (head, has_more) == (b"ab", False)
    assert isinstance(body, BytesBody)
    assert body.data == b"ab"
