"""A body with one writer and many readers.

Streaming to viewers while storing, and one fetch for many waiting viewers, are the same thing. A
body is kept whole as long as it may be stored: every reader, also a later one, gets it from the
beginning, at its own speed; when the store has a place for drafts, most of a large one lies there
and not in memory. A body too large to be stored goes through a window: the slowest reader sets the
pace, nobody can join any more, and when the last reader has left, the source is closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

from edgeproxy.cache.entry import Content
from edgeproxy.cache.stores import Draft
from edgeproxy.http.body import PREVIEW_BYTES, Body

__all__ = ["BodyBroken", "CollectingBody"]

Keep: TypeAlias = Callable[[bytes | Content], Awaitable[None]]

WINDOW_BYTES: Final = 256 * 1024


class BodyBroken(Exception):
    """A body ended before its promised length, or nobody writes it any more."""


class CollectingBody:
    """Hands the bytes of ``source`` to its readers, and keeps them while they may be stored.

    ``keep_bytes`` is how much may be kept; a source that says or turns out to be longer is not.
    What is kept beyond ``window_bytes`` goes to a draft, if ``start_draft`` gives one. A source
    that ``may_be_endless`` is given up with its last reader.
    """

    def __init__(
        self,
        source: Body,
        keep_bytes: int,
        window_bytes: int = WINDOW_BYTES,
        start_draft: Callable[[], Draft | None] = lambda: None,
        *,
        may_be_endless: bool = False,
    ) -> None:
        self._source = source
        self._may_be_endless = may_be_endless
        self._keep_bytes = keep_bytes
        self._window_bytes = window_bytes
        self._keeping = source.length is None or source.length <= keep_bytes
        self._chunks: list[bytes] = []
        self._first = 0
        """The number of the chunk that ``_chunks`` begins with."""
        self._start = 0
        """How many bytes came before that chunk."""
        self._buffered = 0
        self._start_draft: Callable[[], Draft | None] | None = start_draft
        self._draft: Draft | None = None
        self._received = 0
        self._preview = b""
        self._readers: set[_Reader] = set()
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._pumping: asyncio.Task[object] | None = None
        self._keep: Keep | None = None
        self._not_kept: Exception | None = None
        self._abandoned = False
        self._ended = False
        self._error: Exception | None = None

    @property
    def keeping(self) -> bool:
        """Whether the bytes are kept from the beginning, so that readers may still join."""
        return self._keeping

    def reader(self) -> Body | None:
        """A body for one more reader, or None when its beginning has gone.

        It must be read to the end or closed: until then it holds others up.
        """
        if not self._keeping and (self._first or self._abandoned):
            return None
        reader = _Reader(self)
        self._readers.add(reader)
        return reader

    def stop_keeping(self) -> None:
        """The body will not be stored: what all readers have had is forgotten from now on."""
        self._keeping = False
        self._forget()
        if not self._readers:
            self._abandon()

    async def pump(self, keep: Keep | None = None) -> bytes | None:
        """Read the source to its end.

        ``keep`` gets the whole body, if it was kept, before any reader has the last of it: a viewer
        who has seen all of an object finds it stored. Without ``keep`` it is the result. What
        ``keep`` raises is raised here; an error of the source in the readers (CDN-VAL-20).
        """
        self._keep = keep
        self._pumping = asyncio.current_task()
        if not self._keeping and not self._readers:
            self._abandoned = True
        try:
            if not self._abandoned:
                await self._read()
        except asyncio.CancelledError:
            task = self._pumping
            if not self._abandoned or task is None or task.uncancel() > 0:
                raise
        except Exception as error:  # noqa: BLE001 (whatever it is, each reader gets to see it)
            self._error = error
        finally:
            if not self._ended and self._error is None:
                self._error = BodyBroken("the rest of the body is not fetched any more")
            self._pumping = self._keep = None
            if self._draft is not None:
                self._draft.discard()
            self._arrived.set()
            await self._source.close()
        if self._not_kept is not None:
            raise self._not_kept
        return b"".join(self._chunks) if keep is None and self._ended and self._keeping else None

    async def _read(self) -> None:
        promised = self._source.length
        async for chunk in self._source:
            self._received += len(chunk)
            if len(self._preview) < PREVIEW_BYTES:
                self._preview += chunk[: PREVIEW_BYTES - len(self._preview)]
            if self._keeping and self._received > self._keep_bytes:
                self.stop_keeping()
                if self._abandoned:
                    return
            if self._received == promised:
                await self._hand_over(chunk)
            self._chunks.append(chunk)
            self._buffered += len(chunk)
            self._arrived.set()
            self._arrived.clear()
            if self._keep is not None and self._keeping and self._buffered >= self._window_bytes:
                await self._spill()
            while not self._keeping and self._buffered >= self._window_bytes:
                self._taken.clear()
                await self._taken.wait()
        if promised is not None and promised != self._received:
            raise BodyBroken(f"{self._received} of {promised} bytes arrived")
        await self._hand_over()
        self._ended = True

    async def _spill(self, last: bytes = b"") -> bool:
        """Move what lies in memory, and ``last`` behind it, to the draft if there can be one."""
        if self._draft is None and self._start_draft is not None:
            self._draft, self._start_draft = self._start_draft(), None
        if self._draft is None:
            return False
        count, size = len(self._chunks), self._buffered
        written = await self._draft.write(b"".join([*self._chunks, last]))
        if not self._keeping:
            return False  # and readers have begun to take from the chunks
        if written:
            self._cut(count, size)
        else:
            self.stop_keeping()
        return written

    async def _hand_over(self, last: bytes = b"") -> None:
        """Have the body kept, ``last`` being the rest that no reader has yet."""
        keep, self._keep = self._keep, None
        if keep is None or not self._keeping:
            return
        try:
            if self._draft is None:
                await keep(b"".join([*self._chunks, last]))
                return
            if await self._spill(last) and await self._draft.finish():
                await keep(self._draft)
        except Exception as error:  # noqa: BLE001 (a store's trouble is not the readers')
            self._not_kept = error

    def _leave(self, reader: "_Reader") -> None:
        self._readers.discard(reader)
        if self._ended or (self._keeping and not self._may_be_endless):
            return
        if self._readers:
            self._forget()
        else:
            self._keeping = False
            self._abandon()

    def _abandon(self) -> None:
        if self._abandoned:
            return
        self._abandoned = True
        if self._pumping is not None and self._pumping is not asyncio.current_task():
            self._pumping.cancel()

    def _forget(self) -> None:
        """Drop the chunks that every reader has had, unless the body is kept."""
        if self._keeping or not self._readers:
            return
        gone = min(reader.next_chunk for reader in self._readers) - self._first
        if gone > 0:
            self._cut(gone, sum(map(len, self._chunks[:gone])))
            self._taken.set()

    def _cut(self, count: int, size: int) -> None:
        """Let go of the first ``count`` chunks, of ``size`` bytes together."""
        del self._chunks[:count]
        self._first += count
        self._start += size
        self._buffered -= size


class _Reader:
    """One reader's view of the body: a Body that is read once.

    What a request's record holds of it when it is over is no more than its beginning.
    """

    __slots__ = ("_preview", "_shared", "length", "next_chunk", "passed")

    def __init__(self, shared: CollectingBody) -> None:
        self._shared: CollectingBody | None = shared
        self._preview = b""
        self.length = shared._source.length
        self.next_chunk = 0
        self.passed = 0

    @property
    def preview(self) -> bytes:
        preview = self._preview if self._shared is None else self._shared._preview
        return preview[: self.passed]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        shared = self._shared
        if shared is None:
            raise RuntimeError("the body is over")
        try:
            while True:
                if self.next_chunk < shared._first:
                    yield await self._from_draft(shared)
                elif (at := self.next_chunk - shared._first) < len(shared._chunks):
                    chunk = shared._chunks[at]
                    self.next_chunk += 1
                    self.passed += len(chunk)
                    shared._forget()
                    yield chunk
                elif shared._error is not None:
                    raise shared._error
                elif shared._ended:
                    return
                else:
                    await shared._arrived.wait()
        finally:
            await self.close()

    async def _from_draft(self, shared: CollectingBody) -> bytes:
        draft = shared._draft
        assert draft is not None, "nothing else takes chunks away from under a reader"
        piece = await draft.read(self.passed, shared._start)
        self.passed += len(piece)
        if self.passed == shared._start:
            self.next_chunk = shared._first
        return piece

    async def close(self) -> None:
        if self._shared is not None:
            self._preview = self.preview
            self._shared._leave(self)
            self._shared = None
