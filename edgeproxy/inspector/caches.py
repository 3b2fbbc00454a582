"""Calls about the cache: what lies there, and what is to be forgotten."""

from aiohttp import web

from edgeproxy.edge.stored_objects import Kept
from edgeproxy.exchange.text import carried
from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import Problem, answered, number, object_of
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.observe.hit_counts import HitCounts

__all__ = ["CacheCalls"]


class CacheCalls:
    """The switch, what is stored, and what is dropped."""

    def __init__(self, controlled: Controlled, hits: HitCounts) -> None:
        self._controlled = controlled
        self._hits = hits

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/cache``, and ``/api/invalidations``."""
        return [
            web.get("/api/cache/switch", self._switch),
            web.post("/api/cache/switch", self._set_switch),
            web.get("/api/cache", self._page),
            web.delete("/api/cache", self._clear),
            web.delete("/api/cache/{id}", self._discard),
            web.post("/api/invalidations", self._invalidate),
        ]

    async def _switch(self, request: web.Request) -> web.Response:
        return answered({"enabled": self._controlled.stored.is_on})

    async def _set_switch(self, request: web.Request) -> web.Response:
        enabled = (await object_of(request)).get("enabled")
        if not isinstance(enabled, bool):
            raise Problem.argument("enabled must be true or false")
        self._controlled.stored.switch(on=enabled)
        return await self._switch(request)

    async def _page(self, request: web.Request) -> web.Response:
        stored, limit = self._controlled.stored, number(request, "limit", 100)
        asked = request.query
        page = await stored.page(
            asked.get("distribution", ""), asked.get("path", ""), asked.get("after"), limit
        )
        objects: dict[tuple[str, str, str | None], dict[str, object]] = {}
        for kept in page.objects:
            entry = kept.stored.entry
            name = kept.distribution.logical_id
            one = objects.setdefault(
                (name, entry.path, entry.query),
                {"distribution": name, "path": entry.path, "query": entry.query, "variants": []},
            )
            variants = one["variants"]
            assert isinstance(variants, list)
            variants.append(_variant(kept, page.now, self._hits.of(kept.stored.digest)))
        taken = await stored.taken()
        document = {
            "objects": carried(list(objects.values())),
            "count": taken.count,
            "bytes": taken.bytes,
            "max_bytes": taken.max_bytes,
            "next": page.following,
        }
        return answered(document)

    async def _discard(self, request: web.Request) -> web.Response:
        try:
            digest = bytes.fromhex(request.match_info["id"])
        except ValueError as error:
            raise Problem.argument("the ID of an object is a hexadecimal number") from error
        if not await self._controlled.stored.discard(digest):
            raise Problem(404, "NoSuchObject", "no object of that ID is stored")
        return answered({"dropped": 1})

    async def _clear(self, request: web.Request) -> web.Response:
        return answered({"dropped": await self._controlled.stored.clear()})

    async def _invalidate(self, request: web.Request) -> web.Response:
        body = await object_of(request)
        distribution = body.get("distribution", "")
        paths = body.get("paths")
        if not isinstance(distribution, str):
            raise Problem.argument("distribution must be a string")
        if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
            raise Problem.argument("paths must be a list of at least one string")
        dropped = await self._controlled.invalidate(distribution, paths)
        return answered({"paths": paths, "dropped": dropped}, status=201)


def _variant(kept: Kept, now: float, hits: int) -> dict[str, object]:
    entry = kept.stored.entry
    return {
        "id": kept.stored.digest.hex(),
        "layer": kept.layer,
        "key": [
            {"part": part.label, "value": part.value, "because": part.because}
            for part in kept.key.parts
        ],
        "status": entry.status,
        "content_type": entry.headers.get("Content-Type"),
        "bytes": kept.stored.size,
        "stored": documents.iso(entry.stored_at),
        "age_s": entry.age_s(now),
        "ttl_s": entry.fresh_until - entry.stored_at,
        "because": entry.because,
        "expires_in_s": entry.fresh_until - now,
        "hits": hits,
    }
