"""Stored objects on disk: they outlive the process, and large ones never lie in memory whole.

The bodies are files; what else belongs to an object stands in the index, whose row is written when
the body is complete. So a crash loses at most what was being written, and the next start removes
what is left of it. Everything has a checksum, and what does not fit it is dropped.

Disk work is done in a few threads that take turns at the index and at removing files; bodies are
read and written side by side.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Error as IndexFailed
from typing import Final, TypeVar

from edgeproxy.cache.entry import ContentLost, Entry
from edgeproxy.cache.invalidation import Selection, target_of
from edgeproxy.cache.stores import Dropped, Stored, Taken
from edgeproxy.cache.stores.body_file import BLOCK_BYTES, BodyFile
from edgeproxy.cache.stores.index import Index, Row, in_bytes, is_damage, open_index
from edgeproxy.cache.stores.packing import pack, unpack
from edgeproxy.errors import Place, UsageError

__all__ = ["DiskStore"]

_INDEX: Final = "index.sqlite3"
_THREADS: Final = 4
_AT_ONCE: Final = 1_000
"""How many objects an invalidation removes before others have their turn."""
_RENEWED: Final = "the index in {} was damaged; the store of objects begins anew"

T = TypeVar("T")


class DiskStore:
    """A :class:`edgeproxy.cache.stores.Store` in ``folder``, of at most ``max_bytes``.

    A body of one block comes in memory, a longer one as a :class:`BodyFile`. ``tell`` hears of
    damage, and of a disk that cannot be written: once, until it can be written again.
    """

    def __init__(self, folder: Path, max_bytes: int, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._tell = tell
        self._failing = False
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "disk-store")
        self._turn = threading.RLock()
        self._index: Index | None = None

    @property
    def bodies(self) -> Path:
        """The folder of the bodies, each a file."""
        return self._folder / "bodies"

    @property
    def taken_bytes(self) -> int:
        """How much of ``max_bytes`` is taken."""
        return 0 if self._index is None else self._index.taken

    async def open(self) -> None:
        if self._index is None:
            self._loop = asyncio.get_running_loop()
            await self.run(self._open)

    async def close(self) -> None:
        self._closing = True
        await asyncio.to_thread(self._close)

    def draft(self) -> BodyFile:
        return BodyFile(self)

    async def get(self, digest: bytes) -> Entry | None:
        return await self.run(lambda: self._get(digest))

    def at_hand(self, digest: bytes) -> None:
        return None

    async def put(self, digest: bytes, entry: Entry) -> None:
        await self.run(lambda: self._put(digest, entry))

    async def delete(self, digest: bytes) -> None:
        await self.run(lambda: self._change(lambda index: index.remove([digest])))

    async def drop(self, selection: Selection) -> Dropped:
        return await self.run(lambda: self._drop(selection))

    async def listed(
        self, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Stored]:
        def rows(index: Index) -> list[Row]:
            return index.listed(distribution_id, prefix, after, most)

        found = await self.run(lambda: self._ask(rows, list[Row]()))
        return [
            Stored(row.digest, unpack(row.about), row.size)
            for row in found
            if row.seal == row.sealed()
        ]

    async def taken(self, distribution_ids: Sequence[str]) -> Taken:
        count = await self.run(lambda: self._ask(lambda index: index.count(distribution_ids), 0))
        return Taken(count, self.taken_bytes, self._max_bytes)

    def listen(self, heard: Callable[[Selection | None], None]) -> None:
        """No other edge has this folder."""

    # For the bodies ------------------------------------------------------------------------------

    def run(self, work: Callable[[], T]) -> Awaitable[T]:
        """Have ``work`` done in one of the threads."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def reserve(self, body: BodyFile, size: int) -> bool:
        with self._turn:
            if body.discarded:
                return False
            removed = self._ask(lambda index: index.reserve(size), None)
            if removed is None:
                return False
            body.reserved += size
            self._unlink(removed)
            body.create()
        return True

    def discard(self, body: BodyFile) -> None:
        if not self._closing:  # otherwise the next start finds what is left of it
            self._threads.submit(self._discard, body)

    def damaged(self, name: str) -> None:
        self._say_damaged()
        self._change(lambda index: index.remove_file(name) or [name])

    def failed(self, error: OSError | IndexFailed) -> None:
        if not self._failing:
            self._failing = True
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._say(f"objects cannot be kept in {self._folder}: {why}; the edge goes on without")

    def close_file(self, fd: int) -> None:
        # The garbage collector may call in the middle of a submit, whose locks are taken then.
        if self._closing or self._loop is None:
            os.close(fd)
        else:
            self._loop.call_soon_threadsafe(self._close_file, fd)

    def _close_file(self, fd: int) -> None:
        # The last to close a large file that was removed waits until its blocks are free.
        if self._closing:
            os.close(fd)
        else:
            self._threads.submit(os.close, fd)

    # Below: in the threads -----------------------------------------------------------------------

    def _open(self) -> None:
        try:
            self.bodies.mkdir(parents=True, exist_ok=True)
            self._index, renewed = open_index(self._folder / _INDEX, self._max_bytes)
            self._sweep(self._index)
        except OSError as error:
            raise UsageError(
                f"cannot be used for stored objects: {error.strerror}",
                place=Place(self._folder),
                remedy="give a --state-dir that this user may write, or --cache-store memory",
            ) from error
        if renewed:
            self._say(_RENEWED.format(self._folder))

    def _close(self) -> None:
        self._threads.shutdown()
        if self._index is not None:
            self._ask(Index.close, None)

    def _get(self, digest: bytes) -> Entry | None:
        with self._turn:  # so that nobody removes the file in between
            row = self._ask(lambda index: index.find(digest), None)
            if row is None:
                return None
            if row.seal != row.sealed():
                # Its file's name may be wrong as well: the next start finds what is left over.
                self._say_damaged()
                self._ask(lambda index: index.remove([digest]), list[str]())
                return None
            try:
                body = BodyFile.stored(self, row.file, row.size, row.sums)
            except (ContentLost, FileNotFoundError):
                self.damaged(row.file)
                return None
            except OSError as error:
                self.failed(error)
                return None
        try:
            return unpack(row.about, body.whole() if row.size <= BLOCK_BYTES else body)
        except ContentLost:
            return None

    def _put(self, digest: bytes, entry: Entry) -> None:
        if isinstance(entry.body, bytes):
            body = BodyFile(self)
            complete = body.fill(entry.body)
        else:
            assert isinstance(entry.body, BodyFile), "a body of another store"
            body, complete = entry.body, True
        with self._turn:
            if not complete or not (self.bodies / body.name).exists():
                self._discard(body)
                self._change(lambda index: index.remove([digest]))
                return
            row = Row(
                digest, pack(entry), body.name, len(body), body.sums,
                entry.distribution_id, in_bytes(target_of(entry)),
            )  # fmt: skip
            self._release(body)
            body.kept = self._change(lambda index: index.put(row, entry.tags))
            if body.kept:
                self._failing = False
            else:
                self._discard(body)

    def _drop(self, selection: Selection) -> Dropped:
        digests: list[bytes] = []
        left: list[str] = []
        while True:
            # Others have their turn in between.
            dropped = self._ask(lambda index: index.drop(selection, _AT_ONCE), None)
            if dropped is None and self._failing:
                raise UsageError(
                    "objects cannot be invalidated, since the index cannot be written",
                    place=Place(self._folder),
                    remedy="make room on the disk and try again",
                )
            files, removed = dropped or ([], [])  # A damaged index has begun anew.
            left += files
            digests += removed
            if not removed:
                break
        if not self._closing:
            self._threads.submit(self._clear, left)
        return Dropped.of(len(digests), reversed(digests))

    def _clear(self, names: list[str]) -> None:
        """Remove files that no row knows any more; the next start finds what is left of them."""
        for name in names:
            if self._closing:
                return
            self._unlink([name])

    def _discard(self, body: BodyFile) -> None:
        with self._turn:
            if not body.kept:
                body.discarded = True
                self._release(body)
                self._unlink([body.name] if body.name else [])

    def _release(self, body: BodyFile) -> None:
        size, body.reserved = body.reserved, 0
        self._ask(lambda index: index.release(size), None)

    def _change(self, work: Callable[[Index], list[str]]) -> bool:
        """Change the index and remove the files that this leaves over; whether it was possible."""
        with self._turn:
            removed = self._ask(work, None)
            self._unlink(removed or ())
        return removed is not None

    def _ask(self, work: Callable[[Index], T], otherwise: T) -> T:
        """What the index answers; ``otherwise`` when it cannot be used."""
        with self._turn:
            assert self._index is not None, "open() comes first"
            try:
                return work(self._index)
            except IndexFailed as error:
                if is_damage(error):
                    self._renew(self._index)
                else:
                    self.failed(error)
                return otherwise

    def _renew(self, damaged: Index) -> None:
        try:
            self._index = damaged.renewed()
            self._sweep(self._index)
        except (OSError, IndexFailed) as error:
            self.failed(error)
        else:
            self._say(_RENEWED.format(self._folder))

    def _sweep(self, index: Index) -> None:
        """Remove the files that no row knows: what was being written when a process was killed."""
        known = index.files()
        self._unlink([file.name for file in self.bodies.iterdir() if file.name not in known])

    def _unlink(self, names: Iterable[str]) -> None:
        try:
            for name in names:
                (self.bodies / Path(name).name).unlink(missing_ok=True)
        except OSError as error:
            self.failed(error)

    def _say_damaged(self) -> None:
        self._say(f"a stored object in {self._folder} was damaged; it is dropped")

    def _say(self, text: str) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell, text)
