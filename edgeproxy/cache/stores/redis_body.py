"""A long body in Redis: blocks under keys of their own, each with a checksum.

A block is checked each time it is read. Blocks of a body under way go by themselves if nobody
finishes it.
"""

from hashlib import blake2b
from typing import Final, Protocol

from edgeproxy.cache.entry import ContentLost

__all__ = ["BLOCK_BYTES", "Blocks", "RedisBody", "sum_of"]

BLOCK_BYTES: Final = 256 * 1024
_SUM_BYTES: Final = 16


class Blocks(Protocol):
    """The server, as far as a body needs it."""

    @property
    def max_object_bytes(self) -> int: ...

    async def name_body(self) -> str:
        """A new name for a body; empty when the server cannot be used."""
        ...

    async def write_block(self, body: str, number: int, data: bytes) -> bool:
        """Keep a block for some time; whether that was possible."""
        ...

    async def read_block(self, body: str, number: int) -> bytes | None:
        """The block; None when it is not to be had."""
        ...

    async def damaged(self, body: str, number: int) -> None:
        """That block is not what was written: forget it, and by that the object."""
        ...

    def discard(self, body: str, blocks: int) -> None:
        """Remove the blocks of a body that no entry was stored with."""
        ...


class RedisBody:
    """A body behind ``store``, and a :class:`edgeproxy.cache.stores.Draft` until it is complete."""

    def __init__(self, store: Blocks, name: str = "", size: int = 0, sums: bytes = b"") -> None:
        self._store = store
        self._written = size
        self._tail = bytearray()
        """What was added and does not fill a block yet."""
        self._refused = False
        self.name = name
        self.sums = sums
        """The checksums of all blocks, one after the other."""
        self.kept = bool(name)
        """Whether an entry with it was stored."""

    def __len__(self) -> int:
        return self._written + len(self._tail)

    @property
    def blocks(self) -> int:
        """How many blocks are written."""
        return len(self.sums) // _SUM_BYTES

    async def read(self, start: int, stop: int) -> bytes:
        if start >= self._written:
            return bytes(self._tail[start - self._written : stop - self._written])
        number = start // BLOCK_BYTES
        block = await self._store.read_block(self.name, number)
        if block is None:
            raise ContentLost(f"block {number} of {self.name} has gone")
        if sum_of(block) != self.sums[number * _SUM_BYTES : (number + 1) * _SUM_BYTES]:
            await self._store.damaged(self.name, number)
            raise ContentLost(f"block {number} of {self.name} is not what was written")
        first = number * BLOCK_BYTES
        return block[start - first : stop - first]

    async def write(self, data: bytes) -> bool:
        self._tail += data
        while len(self._tail) >= BLOCK_BYTES and not self._refused:
            await self._flush(BLOCK_BYTES)
        return not self._refused

    async def finish(self) -> bool:
        if self._tail and not self._refused:
            await self._flush(len(self._tail))
        return not self._refused

    def discard(self) -> None:
        self._refused = self._refused or not self.kept
        if not self.kept and self.name:
            self._store.discard(self.name, self.blocks)

    async def _flush(self, size: int) -> None:
        data = bytes(self._tail[:size])
        if len(self) > self._store.max_object_bytes:
            self._refused = True
            return
        self.name = self.name or await self._store.name_body()
        if not self.name or not await self._store.write_block(self.name, self.blocks, data):
            self._refused = True
            return
        self.sums += sum_of(data)
        self._written += size
        del self._tail[:size]


def sum_of(block: bytes) -> bytes:
    """The checksum of a block."""
    return blake2b(block, digest_size=_SUM_BYTES).digest()
