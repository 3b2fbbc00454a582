"""Objects of which range requests have brought parts (CDN-RNG-02).

In the place of the object lies its *table*: an entry of status 206 with the head and the times of
the object, whose body lists the stored parts. Each part is an entry of its own, under a digest made
of key, version and place. So the table is fresh, stale, revalidated and invalidated like a whole
object, and a store may drop a part when it likes: it is fetched again.

- What lies in stored parts is answered from them, a whole object too (CDN-RNG-01). Otherwise the
  origin gets the viewer's own range; when a fresh table lacks one stretch of what is asked, it is
  asked for this stretch alone, on condition of the version (CDN-RNG-10).
- All parts of a table are of one version: same ETag, Last-Modified and size (CDN-RNG-09). Where
  those cannot tell versions apart, a new part takes the place of all others.
- A whole object takes the place of a table; a part never that of a fresh whole object.
- Several ranges in one answer of an origin pass and are not taken apart.

Pure, except that parts are looked up in a store.
"""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Final

from edgeproxy.cache.entry import Content, ContentLost, Entry, pieces
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.stores import Store
from edgeproxy.distribution.quotas import MAX_CACHEABLE_RESPONSE_BYTES
from edgeproxy.http.body import Body, StreamBody
from edgeproxy.http.conditions import asked_ranges, is_unchanged
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.http.ranges import (
    ByteRange,
    Unsatisfiable,
    format_content_range,
    parse_content_range,
)

__all__ = [
    "ArrivedPart",
    "Gap",
    "Part",
    "Partial",
    "Table",
    "arrived_part",
    "find_parts",
    "is_other_version",
    "is_table",
    "table_of",
]

_STATUS: Final = 206
_MOST_PARTS: Final = 1_000
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Part:
    """Where a part of an object lies in it, and when it was stored, which tells it from others."""

    place: ByteRange
    stored_at: float


@dataclass(frozen=True)
class Table:
    """The parts of one version of an object of ``size`` bytes, the latest last."""

    size: int
    version: tuple[str, str]
    parts: tuple[Part, ...] = ()

    def digest_of(self, key: CacheKey, part: Part) -> bytes:
        """Where the part lies in the store."""
        name = repr((self.size, self.version, part.place.first, part.place.last, part.stored_at))
        identity = key.digest + name.encode("utf-8", "surrogateescape")
        return blake2b(identity, digest_size=_DIGEST_BYTES).digest()

    def with_part(self, part: Part) -> "Table":
        """With one more part, without those that lie inside it and the first of too many."""
        kept = [
            old
            for old in self.parts
            if not part.place.first <= old.place.first <= old.place.last <= part.place.last
        ]
        return replace(self, parts=(*kept, part)[-_MOST_PARTS:])

    def fits(self, other: "Table") -> bool:
        """Whether parts of both may be put together: they are provably of one version."""
        etag, modified = self.version
        is_told_apart = etag.endswith('"') and not etag.startswith("W/") if etag else bool(modified)
        return is_told_apart and (self.size, self.version) == (other.size, other.version)

    def pack(self) -> bytes:
        """The body of the entry."""
        places = [(part.place.first, part.place.last, part.stored_at) for part in self.parts]
        return json.dumps([self.size, places], separators=(",", ":")).encode()


def is_table(entry: Entry) -> bool:
    """Whether the entry stands for an object in parts."""
    return entry.status == _STATUS


def table_of(entry: Entry) -> Table:
    """The table that an entry is."""
    assert isinstance(entry.body, bytes), "a table is short"
    size, places = json.loads(entry.body)
    parts = tuple(Part(ByteRange(first, last), stored_at) for first, last, stored_at in places)
    return Table(size, _version(entry.headers), parts)


@dataclass(frozen=True, slots=True)
class ArrivedPart:
    """A part that an origin sent, and a table without parts for it."""

    place: ByteRange
    table: Table


def arrived_part(response: Response, sent: Headers) -> ArrivedPart | None:
    """The part that answers a request with ``sent``; None for what is no single part of an object
    of known size."""
    if response.status != _STATUS or "Range" not in sent:
        return None
    range_and_size = parse_content_range(response.headers.get("Content-Range"))
    if range_and_size is None:
        return None
    place, size = range_and_size
    if response.body.length not in (None, len(place)):
        return None
    return ArrivedPart(place, Table(size, _version(response.headers)))


def is_other_version(table: Table, response: Response) -> bool:
    """Whether an origin's answer shows that the object is not that of the table any more."""
    match response.status:
        case 200:
            return _version(response.headers) != table.version
        case 206:
            place = parse_content_range(response.headers.get("Content-Range"))
            other = _version(response.headers) != table.version
            return other or (place is not None and place[1] != table.size)
        case status:
            return status == 416


def _version(headers: Headers) -> tuple[str, str]:
    return headers.get("ETag"), headers.get("Last-Modified")


@dataclass(frozen=True)
class Partial:
    """A table with those of its parts that a request needs."""

    table: Entry
    size: int
    wanted: tuple[ByteRange, ...]
    is_ranged: bool
    """The request asks for ranges; otherwise for the whole."""
    content: "_Sparse"

    @cached_property
    def suffices(self) -> bool:
        """Everything that is wanted lies in the store."""
        return not any(self.content.missing(place) for place in self.wanted)

    def shown(self, table: Entry) -> Entry:
        """``table`` in the shape of a whole object, of which only what is wanted can be read."""
        return replace(table, status=200, reason="", body=self.content)

    @property
    def gap(self) -> "Gap | None":
        """What the origin is to be asked for; None when the viewer's own request is better."""
        if len(self.wanted) != 1 or len(self.wanted[0]) > MAX_CACHEABLE_RESPONSE_BYTES:
            return None
        missing, table = self.content.missing(self.wanted[0]), table_of(self.table)
        if missing is None or missing == self.wanted[0] or not table.fits(table):
            return None
        return Gap(self, self.wanted[0], missing)


@dataclass(frozen=True, slots=True)
class Gap:
    """The stretch ``missing`` of what is ``wanted``; before and behind it there are parts."""

    partial: Partial
    wanted: ByteRange
    missing: ByteRange

    @property
    def conditions(self) -> Headers:
        """What the origin is asked with: this stretch, if it is still of the same version."""
        etag, modified = _version(self.partial.table.headers)
        span = f"bytes={self.missing.first}-{self.missing.last}"
        return Headers([("Range", span), ("If-Range", etag or modified)])

    def is_filled_by(self, response: Response) -> bool:
        """Whether this is the stretch that was asked for."""
        part = arrived_part(response, self.conditions)
        if part is None or part.place != self.missing:
            return False
        return table_of(self.partial.table).fits(part.table)

    def around(self, response: Response) -> Response:
        """The answer for the viewer: the parts, and the origin's stretch between them."""
        partial, wanted = self.partial, self.wanted
        headers = response.headers.without("Content-Range", "Content-Length")
        headers = headers.with_set("Content-Length", str(len(wanted)))
        if partial.is_ranged:
            line = format_content_range(wanted, partial.size)
            headers = headers.with_set("Content-Range", line)
        body = StreamBody(_Spliced(self, response.body), len(wanted))
        return Response(_STATUS if partial.is_ranged else 200, headers, body)


@dataclass(frozen=True, slots=True)
class _Spliced:
    """The body of such an answer; to be read once."""

    gap: Gap
    middle: Body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content, wanted, missing = self.gap.partial.content, self.gap.wanted, self.gap.missing
        try:
            async for piece in pieces(content, wanted.first, missing.first):
                yield piece
            async for chunk in self.middle:
                yield chunk
            if self.middle.passed != len(missing):
                raise ContentLost(f"{self.middle.passed} of {len(missing)} bytes came")
            async for piece in pieces(content, missing.last + 1, wanted.last + 1):
                yield piece
        finally:
            await self.middle.close()

    async def aclose(self) -> None:
        await self.middle.close()


@dataclass(frozen=True, slots=True)
class _Sparse:
    """A Content of ``size`` bytes of which only some lie in the store."""

    size: int
    parts: Sequence[tuple[ByteRange, bytes | Content]]
    """In the order of their first bytes."""

    def __len__(self) -> int:
        return self.size

    async def read(self, start: int, stop: int) -> bytes:
        for place, content in self.parts:
            if place.first <= start <= place.last:
                inside, end = start - place.first, min(stop, place.last + 1) - place.first
                if isinstance(content, bytes):
                    return content[inside:end]
                return await content.read(inside, end)
        raise ContentLost(f"byte {start} is not among the stored parts")

    def missing(self, wanted: ByteRange) -> ByteRange | None:
        """From the first byte to the last that is not there; None when all of them are."""
        lacking: list[ByteRange] = []
        next_byte = wanted.first
        for place, _ in self.parts:
            if next_byte < place.first <= wanted.last:
                lacking.append(ByteRange(next_byte, place.first - 1))
            next_byte = max(next_byte, place.last + 1)
        if next_byte <= wanted.last:
            lacking.append(ByteRange(next_byte, wanted.last))
        return ByteRange(lacking[0].first, lacking[-1].last) if lacking else None


async def find_parts(
    store: Store, key: CacheKey, entry: Entry, asked: Headers, *, has_body: bool
) -> Partial:
    """The parts that the answer to a request needs; ``has_body`` is False for HEAD."""
    table, headers = table_of(entry), entry.headers
    ranges = asked_ranges(asked, headers, table.size)
    if not has_body or isinstance(ranges, Unsatisfiable) or is_unchanged(asked, headers):
        wanted: tuple[ByteRange, ...] = ()
    else:
        wanted = ranges if ranges is not None else (ByteRange(0, table.size - 1),)
    found: list[tuple[ByteRange, bytes | Content]] = []
    for part in _needed(table.parts, wanted):
        stored = await store.get(table.digest_of(key, part))
        if stored is not None and len(stored.body) == len(part.place):
            found.append((part.place, stored.body))
    return Partial(entry, table.size, wanted, ranges is not None, _Sparse(table.size, found))


def _needed(parts: Iterable[Part], wanted: Sequence[ByteRange]) -> list[Part]:
    def is_needed(part: ByteRange) -> bool:
        return any(place.first <= part.last and part.first <= place.last for place in wanted)

    needed = [part for part in parts if is_needed(part.place)]
    return sorted(needed, key=lambda part: part.place.first)
