"""Message bodies: bytes in memory, or a stream that is read once.

A body is an asynchronous iterable of byte chunks and knows its length when the sender told it.
Only include-body, compression and the store look at bytes, each with its own cap; everything
else hands the body on, so a download of any size passes with flat memory.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, Protocol, runtime_checkable

__all__ = ["EMPTY_BODY", "Body", "BodyTooLarge", "BytesBody", "StreamBody", "peek", "read_at_most"]

PREVIEW_BYTES: Final = 4096


@runtime_checkable
class Body(Protocol):
    """What every body offers."""

    @property
    def length(self) -> int | None:
        """The length in bytes if it is known beforehand (Content-Length), else None (chunked)."""
        ...

    @property
    def preview(self) -> bytes:
        """The first bytes that have passed so far, at most 4,096; for people to look at."""
        ...

    @property
    def passed(self) -> int:
        """How many bytes have passed so far."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks, none of them empty. A stream can be iterated once."""
        ...

    async def close(self) -> None:
        """Give up the rest: releases the connection behind a stream. May be called twice."""
        ...


class BytesBody:
    """A body that lies in memory; it can be read any number of times."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def length(self) -> int:
        return len(self.data)

    @property
    def preview(self) -> bytes:
        return self.data[:PREVIEW_BYTES]

    @property
    def passed(self) -> int:
        return len(self.data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.data:
            yield self.data

    async def close(self) -> None:
        return None

    def __repr__(self) -> str:
        return f"BytesBody({len(self.data)} bytes)"


class StreamBody:
    """A body that is read once from ``source``; counts what passes and keeps its beginning."""

    __slots__ = ("_iterator", "_length", "_passed", "_preview", "_source")

    def __init__(self, source: AsyncIterable[bytes], length: int | None = None) -> None:
        self._source = source
        self._iterator: AsyncIterator[bytes] | None = None
        self._length = length
        self._passed = 0
        self._preview = b""

    @property
    def length(self) -> int | None:
        return self._length

    @property
    def preview(self) -> bytes:
        return self._preview

    @property
    def passed(self) -> int:
        return self._passed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._iterator is not None:
            raise RuntimeError("a stream can be read only once")
        self._iterator = aiter(self._source)
        async for chunk in self._iterator:
            if not chunk:
                continue
            if len(self._preview) < PREVIEW_BYTES:
                self._preview += chunk[: PREVIEW_BYTES - len(self._preview)]
            self._passed += len(chunk)
            yield chunk

    async def close(self) -> None:
        # The source owns the connection; an unread generator has no frame to clean up.
        for holder in (self._iterator, self._source):
            closer = getattr(holder, "aclose", None)
            if closer is not None:
                await closer()

    def __repr__(self) -> str:
        return f"StreamBody(length={self._length}, passed={self._passed})"


class BodyTooLarge(Exception):
    """A body went past the cap of the one who wanted it whole."""


async def read_at_most(body: Body, limit: int) -> bytes:
    """The whole body. Raises :class:`BodyTooLarge` as soon as it is longer than ``limit`` bytes."""
    if isinstance(body, BytesBody):
        if len(body.data) > limit:
            raise BodyTooLarge
        return body.data
    if body.length is not None and body.length > limit:
        raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


async def peek(body: Body, limit: int) -> tuple[bytes, bool, Body]:
    """The first ``limit`` bytes, whether there is more, and a body that still yields everything."""
    if isinstance(body, BytesBody):
        return body.data[:limit], len(body.data) > limit, body
    read: list[bytes] = []
    size = 0
    rest = aiter(body)
    async for chunk in rest:
        read.append(chunk)
        size += len(chunk)
        if size > limit:
            break
    else:
        whole = b"".join(read)
        return whole, False, BytesBody(whole)
    head = b"".join(read)

    async def everything() -> AsyncIterator[bytes]:
        yield head
        async for chunk in rest:
            yield chunk

    return head[:limit], True, StreamBody(everything(), body.length)


EMPTY_BODY: Final = BytesBody(b"")
