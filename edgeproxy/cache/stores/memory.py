"""Stored objects in memory, the least recently used one leaving first.

Each distribution has a *shelf* with the ways to its objects: an invalidation of an exact path or a
tag looks there, and one of ``/*`` takes the whole shelf away, at a cost that does not grow with it.
Objects of a shelf that is gone are found no more; their memory is given back bit by bit. A prefix
has to be looked for among all paths of the shelf, between which others have their turn.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import chain
from typing import Final, TypeAlias

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.invalidation import Selection, target_of
from edgeproxy.cache.stores import Dropped, Stored, Taken

__all__ = ["MemoryStore", "size_of"]

# The object itself, its times, digest, and its places in the tables, as measured on 64-bit CPython;
# a test compares it with what an object really takes.
_OVERHEAD_BYTES: Final = 700
_TAG_BYTES: Final = 150
_AT_ONCE: Final = 500
"""How many objects are removed, or paths compared, before others may run."""

_Ways: TypeAlias = dict[str, bytes | set[bytes]]
"""Digests by path or tag. Most paths have one object, which is not worth a set."""


@dataclass(slots=True, eq=False)
class _Shelf:
    """The objects of one distribution."""

    count: int = 0
    by_target: _Ways = field(default_factory=dict)
    by_tag: _Ways = field(default_factory=dict)
    is_gone: bool = False

    def add(self, digest: bytes, entry: Entry) -> None:
        self.count += 1
        _add(self.by_target, target_of(entry), digest)
        for tag in entry.tags:
            _add(self.by_tag, tag, digest)

    def remove(self, digest: bytes, entry: Entry) -> None:
        self.count -= 1
        _remove(self.by_target, target_of(entry), digest)
        for tag in entry.tags:
            _remove(self.by_tag, tag, digest)

    def digests(self) -> Iterator[bytes]:
        """All of them, those under the newest paths first."""
        return chain.from_iterable(map(_each, reversed(self.by_target.values())))


_Kept: TypeAlias = tuple[Entry, _Shelf]


def size_of(entry: Entry) -> int:
    """About how many bytes of memory an object takes, its share of the tables included."""
    tags = sum(map(len, entry.tags)) + _TAG_BYTES * len(entry.tags)
    query = 0 if entry.query is None else 2 * len(entry.query) + len(entry.path) + 100
    return len(entry.body) + len(entry.head) + len(entry.path) + query + tags + _OVERHEAD_BYTES


class MemoryStore:
    """A :class:`edgeproxy.cache.stores.Store` of at most ``max_bytes``, overhead included."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, _Kept] = OrderedDict()
        self._shelves: dict[str, _Shelf] = {}
        self._leaving: deque[_Shelf] = deque()
        self.size_bytes = 0
        """How much of ``max_bytes`` is taken, by what waits to be removed as well."""

    def __len__(self) -> int:
        return sum(shelf.count for shelf in self._shelves.values())

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        self._entries.clear()
        self._shelves.clear()
        self._leaving.clear()

    def draft(self) -> None:
        return None

    def listen(self, heard: Callable[[Selection | None], None]) -> None:
        """No other edge has this memory."""

    async def get(self, digest: bytes) -> Entry | None:
        return self.at_hand(digest)

    def at_hand(self, digest: bytes) -> Entry | None:
        kept = self._entries.get(digest)
        if kept is None or kept[1].is_gone:
            return None
        self._entries.move_to_end(digest)
        return kept[0]

    async def put(self, digest: bytes, entry: Entry) -> None:
        self._remove(digest)
        size = size_of(entry)
        if size > self._max_bytes:
            return  # What was there is out of date all the same.
        while self.size_bytes + size > self._max_bytes:
            if not self._remove_leaving(1):
                self._remove(next(iter(self._entries)))
        shelf = self._shelves.setdefault(entry.distribution_id, _Shelf())
        shelf.add(digest, entry)
        self._entries[digest] = entry, shelf
        self.size_bytes += size

    async def delete(self, digest: bytes) -> None:
        self._remove(digest)

    async def drop(self, selection: Selection) -> Dropped:
        shelf = self._shelves.get(selection.distribution_id)
        if shelf is None:
            return Dropped(0, [])
        if selection.everything:
            del self._shelves[selection.distribution_id]
            shelf.is_gone = True
            if not self._leaving:
                asyncio.get_running_loop().call_soon(self._clear)
            self._leaving.append(shelf)
            return Dropped.of(shelf.count, shelf.digests())
        count, latest = 0, deque[bytes](maxlen=Dropped.REMEMBERED)
        async for held in _named(shelf, selection):
            for number, digest in enumerate(_each(held), 1):
                if self._remove(digest):
                    count += 1
                    latest.appendleft(digest)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        return Dropped(count, list(latest))

    async def listed(
        self, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Stored]:
        shelf = self._shelves.get(distribution_id)
        if shelf is None:
            return []
        targets = list(shelf.by_target)
        first: list[str] = []
        for at in range(0, len(targets), _AT_ONCE):
            more = [
                target
                for target in targets[at : at + _AT_ONCE]
                if target.startswith(prefix) and target >= after[0]
            ]
            # The first of them may be that of ``after``, with nothing behind it.
            first = nsmallest(most + 1, first + more)
            await asyncio.sleep(0)
        found: list[Stored] = []
        for target in first:
            for digest in sorted(_each(shelf.by_target.get(target))):
                if (target, digest) > after and digest in self._entries:
                    entry = self._entries[digest][0]
                    found.append(Stored(digest, entry, len(entry.body)))
        return found[:most]

    async def taken(self, distribution_ids: Sequence[str]) -> Taken:
        shelves = [self._shelves[each] for each in distribution_ids if each in self._shelves]
        return Taken(sum(each.count for each in shelves), self.size_bytes, self._max_bytes)

    def _remove(self, digest: bytes) -> bool:
        """Let go of an object; whether it could still be found."""
        kept = self._entries.pop(digest, None)
        if kept is None:
            return False
        entry, shelf = kept
        self.size_bytes -= size_of(entry)
        if shelf.is_gone:
            return False
        shelf.remove(digest, entry)
        return True

    def _remove_leaving(self, count: int) -> bool:
        """Let go of some objects of shelves that are gone; whether there was one."""
        removed = 0
        while self._leaving and removed < count:
            ways = self._leaving[0].by_target
            if not ways:
                self._leaving.popleft()
                continue
            for digest in _each(ways.popitem()[1]):
                kept = self._entries.get(digest)
                if kept is not None and kept[1].is_gone:
                    self._remove(digest)
                    removed += 1
        return removed > 0

    def _clear(self) -> None:
        if self._remove_leaving(_AT_ONCE):
            asyncio.get_running_loop().call_soon(self._clear)


async def _named(shelf: _Shelf, selection: Selection) -> AsyncIterator[bytes | set[bytes] | None]:
    """What lies under each item of ``selection``, and under each path below a prefix of it."""
    for target in selection.exact:
        yield shelf.by_target.get(target)
    for tag in selection.tags:
        yield shelf.by_tag.get(tag)
    if not selection.prefixes:
        return
    targets = list(shelf.by_target)
    for at in range(0, len(targets), _AT_ONCE):
        for target in targets[at : at + _AT_ONCE]:
            if target.startswith(selection.prefixes):
                yield shelf.by_target.get(target)
        await asyncio.sleep(0)


def _each(held: bytes | set[bytes] | None) -> tuple[bytes, ...]:
    if held is None:
        return ()
    return (held,) if isinstance(held, bytes) else tuple(held)


def _add(ways: _Ways, name: str, digest: bytes) -> None:
    held = ways.get(name)
    if held is None:
        ways[name] = digest
    elif isinstance(held, set):
        held.add(digest)
    elif held != digest:
        ways[name] = {held, digest}


def _remove(ways: _Ways, name: str, digest: bytes) -> None:
    held = ways.get(name)
    if isinstance(held, set) and len(held) > 1:
        held.discard(digest)
    else:
        ways.pop(name, None)
