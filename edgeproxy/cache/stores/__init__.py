"""Where stored objects lie. The cache owns the protocol; each store keeps the same promises.

A store may drop objects on its own to stay inside its bounds (CDN-TTL-24); it never looks at the
time.
"""

from collections.abc import Callable
from typing import Protocol

from edgeproxy.cache.entry import Entry

__all__ = ["Store"]


class Store(Protocol):
    """Objects by the digest of their cache key. A store in memory answers without suspending."""

    async def get(self, digest: bytes) -> Entry | None:
        """The object under ``digest``, or None."""
        ...

    async def put(self, digest: bytes, entry: Entry) -> None:
        """Keep ``entry``, in place of what was there. One too large for the store is not kept."""
        ...

    async def delete(self, digest: bytes) -> None:
        """Forget the object; nothing happens when there is none."""
        ...

    async def drop(self, matches: Callable[[Entry], bool]) -> list[bytes]:
        """Forget every object that ``matches``; the digests of those that were there."""
        ...
