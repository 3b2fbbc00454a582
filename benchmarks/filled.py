"""`edgeproxy` with a cache that fills itself: `python filled.py COUNT dev …`.

The first object that is stored, of a path that ends in `/0`, brings COUNT - 1 others like it, each
with a path, a key, a body and an ETag of its own. To have a million of them fetched would take
longer than all the rest.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.key import CacheKey, KeysAlike, cache_key
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.cli import main
from edgeproxy.distribution.model import Behavior, Distribution
from edgeproxy.edge import lookup
from edgeproxy.http.messages import Request

_ordinary_put = MemoryStore.put
_keys: list[KeysAlike] = []


def _cache_key(
    distribution: Distribution, behavior: Behavior, request: Request, generated: Mapping[str, str]
) -> CacheKey:
    key = cache_key(distribution, behavior, request, generated)
    _keys[:] = [KeysAlike(behavior, key)]
    return key


async def _put(self: MemoryStore, digest: bytes, entry: Entry) -> None:
    await _ordinary_put(self, digest, entry)
    if len(self) > 1 or not entry.path.endswith("/0"):
        return
    for number in range(1, count):
        path = f"{entry.path[:-1]}{number}"
        head = entry.head.replace(b'"0123456789abcdef"', b'"%016x"' % number)
        body = bytes(bytearray(entry.body))  # type: ignore[arg-type]
        like = replace(entry, path=path, head=head, body=body)
        await _ordinary_put(self, _keys[0].digest(path, None), like)


if __name__ == "__main__":
    count = int(sys.argv.pop(1))
    lookup.cache_key = _cache_key  # type: ignore[attr-defined]
    MemoryStore.put = _put  # type: ignore[method-assign]
    sys.exit(main())
