"""Calls about viewers that a person plays, each under a host name of its own."""

from typing import Any

from aiohttp import web

from edgeproxy.inspector.calls import Problem, answered, object_of
from edgeproxy.inspector.controlled import Controlled

__all__ = ["ViewerCalls"]


class ViewerCalls:
    """List, make and forget them."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/viewers``."""
        return [
            web.get("/api/viewers", self._all),
            web.post("/api/viewers", self._put),
            web.delete("/api/viewers/{name}", self._remove),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        names = [each.name for each in self._controlled.personas.all]
        return answered({"viewers": [self._shown(name) for name in names]})

    async def _put(self, request: web.Request) -> web.Response:
        document = await object_of(request)
        for told in ("urls", "distributions"):  # A viewer as it is listed can be sent back.
            document.pop(told, None)
        persona = self._controlled.personas.put(document)
        return answered(self._shown(persona.name), status=201)

    async def _remove(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if not self._controlled.personas.remove(name):
            raise Problem(404, "NoSuchViewer", f"no viewer is called {name!r}")
        return answered({"viewer": name})

    def _shown(self, name: str) -> dict[str, object]:
        persona = self._controlled.personas.get(name)
        assert persona is not None
        side = persona.side
        endpoints: Any = self._controlled.endpoints()
        urls = {"http": endpoints["viewer"], "https": endpoints["https_viewer"]}
        return {
            "name": persona.name,
            "country": persona.country,
            "city": persona.city,
            "device": persona.device,
            "ip": persona.ip,
            "language": persona.language,
            "http_version": persona.http_version,
            "variant": side and {"experiment": side.experiment, "variant": side.variant},
            "urls": {scheme: url and persona.url(url) for scheme, url in urls.items()},
            "distributions": {
                logical_id: {
                    "http": each["url"] and persona.url(each["url"]),
                    "https": each["https_url"] and persona.url(each["https_url"]),
                }
                for logical_id, each in endpoints["distributions"].items()
            },
        }
