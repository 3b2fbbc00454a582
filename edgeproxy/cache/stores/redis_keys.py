"""The names of keys in Redis, and the texts that lie there."""

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.invalidation import Selection, target_of
from edgeproxy.cache.stores.packing import LAYOUT

__all__ = [
    "PREFIX",
    "block_key",
    "line_of",
    "lines_behind",
    "note_of",
    "ranges_of",
    "seal_of",
    "selection_in",
]

PREFIX: Final = f"edgeproxy:{LAYOUT:x}:".encode()
"""Of all keys; another one for another layout, so that versions do not meet."""


def block_key(body: str, number: int) -> bytes:
    """Of a block of a long body."""
    return PREFIX + f"b:{body}:{number}".encode()


def line_of(entry: Entry, digest: bytes) -> str:
    """The object in the index."""
    return f"{target_of(entry)}\0{digest.hex()}"


def seal_of(digest: bytes, about: bytes, size: bytes, sums: bytes, name: bytes) -> bytes:
    """The checksum of all but the body."""
    parts = b"\0".join([digest, name, size, sums, about])
    return blake2b(parts, digest_size=16).digest()


def ranges_of(selection: Selection) -> Iterator[tuple[bytes, bytes, bytes]]:
    """For each item the index, and from where to where the lines stand there."""
    paths, tags = (PREFIX + f"{kind}:{selection.distribution_id}".encode() for kind in "it")
    for target in sorted(selection.exact):
        name = target.encode("utf-8", "surrogatepass")
        yield paths, b"[" + name + b"\0", b"(" + name + b"\1"
    for prefix in selection.prefixes:
        name = prefix.encode("utf-8", "surrogatepass")
        yield paths, b"[" + name, b"(" + name + b"\xff"
    for tag in sorted(selection.tags):
        yield tags, b"[" + tag.encode() + b"\0", b"(" + tag.encode() + b"\1"


def lines_behind(
    distribution_id: str, prefix: str, after: tuple[str, bytes]
) -> tuple[bytes, bytes, bytes]:
    """The index, and from where to where lines stand that begin so and come behind ``after``."""
    name = prefix.encode("utf-8", "surrogatepass")
    last = f"{after[0]}\0{after[1].hex()}".encode("utf-8", "surrogatepass")
    start = b"[" + name if last < name else b"(" + last
    return PREFIX + f"i:{distribution_id}".encode(), start, b"(" + name + b"\xff"


def note_of(selection: Selection) -> str:
    """An invalidation in the log."""
    items = [sorted(selection.exact), selection.prefixes, sorted(selection.tags)]
    return json.dumps([selection.distribution_id, *items])


def selection_in(note: bytes) -> Selection:
    """What :func:`note_of` was given."""
    distribution_id, exact, prefixes, tags = json.loads(note)
    return Selection(distribution_id, frozenset(exact), tuple(prefixes), frozenset(tags))
