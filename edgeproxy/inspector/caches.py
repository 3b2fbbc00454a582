"""Calls about the cache: what lies there, and what is to be forgotten."""

from aiohttp import web

from edgeproxy.inspector.calls import Problem, answered, object_of
from edgeproxy.inspector.controlled import Controlled

__all__ = ["CacheCalls"]


class CacheCalls:
    """Invalidations."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """``/api/invalidations``."""
        return [web.post("/api/invalidations", self._invalidate)]

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
