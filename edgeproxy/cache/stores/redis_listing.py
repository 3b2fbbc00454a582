"""What lies in Redis, for people: objects by their paths, and how full the server is."""

from collections.abc import Sequence
from typing import Any

from edgeproxy.cache.stores import Stored, Taken
from edgeproxy.cache.stores.packing import unpack
from edgeproxy.cache.stores.redis_keys import PREFIX, lines_behind, seal_of

__all__ = ["listed", "taken"]


async def listed(
    client: Any, distribution_id: str, prefix: str, after: tuple[str, bytes], most: int
) -> list[Stored]:
    """As :meth:`edgeproxy.cache.stores.Store.listed`; of those that have expired there is none."""
    lines = lines_behind(distribution_id, prefix, after)
    found = await client.zrangebylex(*lines, start=0, num=most)
    digests = [bytes.fromhex(line.rpartition(b"\0")[2].decode()) for line in found]
    pipeline = client.pipeline(transaction=False)
    for digest in digests:
        name = PREFIX + b"o:" + digest.hex().encode()
        _ = pipeline.hmget(name, "about", "size", "seal", "sums", "body")
    kept = zip(digests, await pipeline.execute(), strict=True)
    return [
        Stored(digest, unpack(about), int(size))
        for digest, (about, size, seal, sums, body) in kept
        if about is not None and seal == seal_of(digest, about, size, sums, body)
    ]


async def taken(client: Any, distribution_ids: Sequence[str]) -> Taken:
    """As :meth:`edgeproxy.cache.stores.Store.taken`; the room is that of the whole server."""
    about = await client.info("memory")
    keys = [PREFIX + b"i:" + each.encode() for each in distribution_ids]
    count = sum([await client.zcard(key) for key in keys])
    return Taken(count, about.get("used_memory"), about.get("maxmemory") or None)
