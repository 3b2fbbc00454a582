"""What records of repeated hits keep in place of the bodies that were sent.

There may be many of them, of objects that the cache has long let go of.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from edgeproxy.cache.entry import ContentLost, Entry
from edgeproxy.http.body import PREVIEW_BYTES, Body

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


def without_body(entry: Entry, sent: Body) -> Entry:
    """``entry`` for records of answers with the body ``sent``; a small body stays."""
    if len(entry.body) <= PREVIEW_BYTES:
        return entry
    return replace(entry, body=Left(len(entry.body), Sent(sent.passed, sent.preview)))
