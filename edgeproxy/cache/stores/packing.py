"""Everything of a stored object except its body, as bytes that outlive the process.

The bytes are JSON. What another version of the program has written may have other fields:
``LAYOUT`` tells the versions apart.
"""

import json
import zlib
from dataclasses import fields
from typing import Final

from edgeproxy.cache.entry import Content, Entry

__all__ = ["LAYOUT", "pack", "unpack"]

_NAMES: Final = tuple(field.name for field in fields(Entry) if field.name != "body")

LAYOUT: Final = zlib.crc32(" ".join(_NAMES).encode()) & 0x7FFFFFFF
"""A number that changes when the fields of an object do; never 0 in practice."""


def pack(entry: Entry) -> bytes:
    """``entry`` without its body."""
    values = {name: getattr(entry, name) for name in _NAMES}
    values["head"] = entry.head.decode("latin-1")
    return json.dumps(values).encode()  # ASCII: raw bytes of a path come back as they were


def unpack(packed: bytes, body: bytes | Content = b"") -> Entry:
    """What :func:`pack` was given, with ``body``."""
    values = json.loads(packed)
    values["head"] = values["head"].encode("latin-1")
    values["tags"] = tuple(values["tags"])
    return Entry(**values, body=body)
