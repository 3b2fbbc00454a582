"""What records of repeated hits keep in place of the bodies that were sent.

There may be many of them, of objects that the cache has long let go of.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from edgeproxy.cache.entry import ContentLost, Entry
from edgeproxy.http.body import PREVIEW_BYTES

__all__ = ["Left", "Sent", "without_body"]


@dataclass(frozen=True, slots=True)
class Sent:
    """The size of a body, and its beginning."""

    length: int
    preview: bytes

    @property
    def passed(self) -> int:
        return self.length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.preview:
            yield self.preview

    async def close(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Left:
    """In place of an object's body: how long it was, and what of it was sent."""

    length: int
    sent: Sent

    def __len__(self) -> int:
        return self.length

    async def read(self, start: int, stop: int) -> bytes:
        raise ContentLost("records keep no bodies")


def without_body(entry: Entry, part: slice | None) -> Entry:
    """``entry``, whose body lies in memory, for records of answers with that ``part`` or all."""
    assert isinstance(entry.body, bytes)
    sent = memoryview(entry.body)[part or slice(None)]
    return replace(entry, body=Left(len(entry.body), Sent(len(sent), bytes(sent[:PREVIEW_BYTES]))))
