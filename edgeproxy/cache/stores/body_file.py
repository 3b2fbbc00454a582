"""The body of one object on disk: a file of its own, with a checksum for each block of it.

A block is checked each time it is read, before a byte of it leaves: what a crash or a bad disk has
changed is never served. The file stays open while somebody has the body, so that an object that
leaves the store meanwhile is read to its end all the same.
"""

import errno
import os
import tempfile
import weakref
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol, TypeVar

from edgeproxy.cache.entry import ContentLost

__all__ = ["BLOCK_BYTES", "BodyFile", "Home"]

BLOCK_BYTES: Final = 256 * 1024
_SUM_BYTES: Final = 16

T = TypeVar("T")


class Home(Protocol):
    """The store that a file belongs to. All but ``run`` and ``discard`` may take long."""

    @property
    def bodies(self) -> Path:
        """The folder of the files."""
        ...

    def run(self, work: Callable[[], T]) -> Awaitable[T]:
        """Have ``work`` done in a thread."""
        ...

    def reserve(self, file: "BodyFile", size: int) -> bool:
        """Have room for ``size`` bytes more of a body under way, and a file for them.

        False when there is no room, or it was given up meanwhile. Raises ``OSError``.
        """
        ...

    def discard(self, file: "BodyFile") -> None:
        """Remove a body that no entry was stored with."""
        ...

    def damaged(self, name: str) -> None:
        """What is in this file is not what was written: forget the object."""
        ...

    def failed(self, error: OSError) -> None:
        """A body could not be written."""
        ...

    def close_file(self, fd: int) -> None:
        """Close a file that nobody reads any more."""
        ...


class BodyFile:
    """A body in ``home``, and a :class:`edgeproxy.cache.stores.Draft` until it is complete."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._fd = -1
        self._written = 0
        self._tail = bytearray()
        """What was added and does not fill a block yet."""
        self.name = ""
        self.sums = b""
        """The checksums of all blocks, one after the other."""
        self.reserved = 0
        """How much room it takes beside the stored objects."""
        self.kept = False
        """Whether an entry with it was stored."""
        self.discarded = False
        """Whether it was given up while it was being written."""

    @classmethod
    def stored(cls, home: Home, name: str, size: int, sums: bytes) -> "BodyFile":
        """The complete body in file ``name``. Raises ``OSError`` and :class:`ContentLost`."""
        file = cls(home)
        file._adopt(os.open(home.bodies / name, os.O_RDONLY), name)
        file._written, file.sums, file.kept = size, sums, True
        if os.fstat(file._fd).st_size != size:
            raise ContentLost(f"the file {name} is not as long as it was")
        return file

    def __len__(self) -> int:
        return self._written + len(self._tail)

    async def read(self, start: int, stop: int) -> bytes:
        if start >= self._written:
            return bytes(self._tail[start - self._written : stop - self._written])
        number = start // BLOCK_BYTES
        first, size = number * BLOCK_BYTES, self._written
        block = await self._home.run(lambda: self._block(number, size))
        return block[start - first : stop - first]

    async def write(self, data: bytes) -> bool:
        self._tail += data
        return await self._flush(len(self._tail) // BLOCK_BYTES * BLOCK_BYTES)

    async def finish(self) -> bool:
        return await self._flush(len(self._tail))

    def discard(self) -> None:
        if not self.kept:
            self._home.discard(self)

    async def _flush(self, size: int) -> bool:
        data = bytes(self._tail[:size])
        if not data:
            return True
        sums = await self._home.run(lambda: self._append(data))
        if sums is None:
            return False
        # Only here, in the event loop, so that no reader sees one without the other.
        self.sums += sums
        self._written += size
        del self._tail[:size]
        return True

    # Below: to be called in threads ---------------------------------------------------------------

    def fill(self, data: bytes) -> bool:
        """Write a whole body at once; False when it cannot be kept."""
        sums = self._append(data)
        self.sums, self._written = sums or b"", len(data)
        return sums is not None

    def create(self) -> None:
        """Begin a file, if that has not been done. Raises ``OSError``."""
        if self._fd < 0:
            fd, path = tempfile.mkstemp(dir=self._home.bodies)
            self._adopt(fd, Path(path).name)

    def whole(self) -> bytes:
        """A body that is not longer than a block. Raises :class:`ContentLost`."""
        return self._block(0, self._written) if self._written else b""

    def _append(self, data: bytes) -> bytes | None:
        """Write whole blocks, or the last ones; their checksums, None when that cannot be done."""
        view = memoryview(data)
        blocks = [view[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]
        try:
            if not self._home.reserve(self, len(data)):
                return None
            for number, block in enumerate(blocks):
                if os.pwrite(self._fd, block, self._written + number * BLOCK_BYTES) < len(block):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._home.failed(error)
            return None
        return b"".join(map(_sum, blocks))

    def _block(self, number: int, size: int) -> bytes:
        """A block of a body of which ``size`` bytes are written."""
        first = number * BLOCK_BYTES
        try:
            data = os.pread(self._fd, min(BLOCK_BYTES, size - first), first)
        except OSError:  # a bad place of the disk
            data = b""
        if _sum(data) != self.sums[number * _SUM_BYTES : (number + 1) * _SUM_BYTES]:
            self._home.damaged(self.name)
            raise ContentLost(f"block {number} of {self.name} is not what was written")
        return data

    def _adopt(self, fd: int, name: str) -> None:
        self._fd, self.name = fd, name
        weakref.finalize(self, self._home.close_file, fd).atexit = False


def _sum(block: bytes | memoryview) -> bytes:
    return blake2b(block, digest_size=_SUM_BYTES).digest()
