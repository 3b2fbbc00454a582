"""Stored objects in memory, the least recently used one leaving first."""

from typing import Final

from cachetools import Cache, LRUCache

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.invalidation import Matches

__all__ = ["MemoryStore", "size_of"]

# The object itself, its times, digest, and its places in the tables of the LRU cache, as measured
# on 64-bit CPython; a test compares it with what an object really takes.
_OVERHEAD_BYTES: Final = 640


def size_of(entry: Entry) -> int:
    """About how many bytes of memory an object takes, its share of the tables included."""
    return len(entry.body) + len(entry.head) + len(entry.path) + _OVERHEAD_BYTES


class MemoryStore:
    """A :class:`edgeproxy.cache.stores.Store` of at most ``max_bytes``, overhead included."""

    def __init__(self, max_bytes: int) -> None:
        self._entries: LRUCache[bytes, Entry] = LRUCache(max_bytes, getsizeof=size_of)

    @property
    def size_bytes(self) -> int:
        """How much of ``max_bytes`` is taken."""
        return int(self._entries.currsize)

    def __len__(self) -> int:
        return len(self._entries)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        self._entries.clear()

    def draft(self) -> None:
        return None

    async def get(self, digest: bytes) -> Entry | None:
        return self._entries.get(digest)

    async def put(self, digest: bytes, entry: Entry) -> None:
        if size_of(entry) > self._entries.maxsize:
            # What was there is out of date all the same.
            self._entries.pop(digest, None)
        else:
            self._entries[digest] = entry

    async def delete(self, digest: bytes) -> None:
        self._entries.pop(digest, None)

    async def drop(self, matches: Matches) -> list[bytes]:
        # Cache's own lookup, since to look at an object here is not to use it.
        dropped = [
            digest for digest in self._entries if matches(Cache.__getitem__(self._entries, digest))
        ]
        for digest in dropped:
            del self._entries[digest]
        return dropped
