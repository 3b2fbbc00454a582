"""Calls about the cache: what lies there, and what is to be forgotten."""

from aiohttp import web

from edgeproxy.inspector.calls import Problem, answered, object_of
from edgeproxy.inspector.controlled import Controlled

__all__ = ["CacheCalls"]


class CacheCalls:
    """The switch, and what is dropped."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/cache``, and ``/api/invalidations``."""
        return [
            web.get("/api/cache/switch", self._switch),
            web.post("/api/cache/switch", self._set_switch),
            web.delete("/api/cache", self._clear),
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
