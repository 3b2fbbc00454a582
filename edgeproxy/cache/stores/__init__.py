"""Where stored objects lie. The cache owns the protocol; each store keeps the same promises.

A store may drop objects on its own to stay inside its bounds (CDN-TTL-24); it never looks at the
time. One that has trouble says so itself, and answers as if the object were not there.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Protocol

from edgeproxy.cache.entry import Content, Entry
from edgeproxy.cache.invalidation import Selection, target_of

__all__ = ["Draft", "Dropped", "Store", "Stored", "Taken"]


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many objects an invalidation took away, and the digests of the latest of them."""

    REMEMBERED: ClassVar = 10_000

    count: int
    latest: list[bytes]

    @classmethod
    def of(cls, count: int, digests: Iterable[bytes]) -> "Dropped":
        """``digests`` begins with those that were stored last."""
        return cls(count, list(islice(digests, cls.REMEMBERED)))


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in a list. Its body, of ``size`` bytes, may be missing from the entry."""

    digest: bytes
    entry: Entry
    size: int

    @property
    def place(self) -> tuple[str, bytes]:
        """Where it stands in the order of lists."""
        return target_of(self.entry), self.digest


@dataclass(frozen=True, slots=True)
class Taken:
    """How many objects there are, and how much room they take of how much; None: not known."""

    count: int
    bytes: int | None
    max_bytes: int | None


class Draft(Content, Protocol):
    """A body on its way into a store; what has been written can be read meanwhile."""

    async def write(self, data: bytes) -> bool:
        """Add ``data``. False when it cannot be kept: then nothing more may be added."""
        ...

    async def finish(self) -> bool:
        """Nothing more comes: the body is ready to stand in an entry. False: it cannot be kept."""
        ...

    def discard(self) -> None:
        """Give it up, unless an entry with it was stored; who reads it now reads on."""
        ...


class Store(Protocol):
    """Objects by the digest of their cache key. A store in memory answers without suspending."""

    async def open(self) -> None:
        """Make ready. May be called again. Raises :class:`edgeproxy.errors.UsageError`."""
        ...

    async def close(self) -> None:
        """Release everything; nothing is asked of it any more."""
        ...

    def draft(self) -> Draft | None:
        """A new draft; None when all bodies lie in memory."""
        ...

    async def get(self, digest: bytes) -> Entry | None:
        """The object under ``digest``, or None."""
        ...

    def at_hand(self, digest: bytes) -> Entry | None:
        """The object if it can be had without waiting; None does not say that there is none."""
        ...

    async def put(self, digest: bytes, entry: Entry) -> None:
        """Keep ``entry``, in place of what was there. One too large for the store is not kept."""
        ...

    async def delete(self, digest: bytes) -> None:
        """Forget the object; nothing happens when there is none."""
        ...

    async def drop(self, selection: Selection) -> Dropped:
        """Forget the objects of ``selection``: none of them is found from now on."""
        ...

    async def listed(
        self, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Stored]:
        """The first ``most`` objects behind the place ``after`` whose targets begin so, in order.

        Looking at them is no use of them.
        """
        ...

    async def taken(self, distribution_ids: Sequence[str]) -> Taken:
        """How full the store is; of the objects those of these distributions are counted."""
        ...

    def listen(self, heard: Callable[[Selection | None], None]) -> None:
        """Have ``heard`` called for what another edge drops from this store; None: it may be any.

        Objects that were asked for before must not be put any more, nor be served from elsewhere.
        """
        ...
