"""What the connections of one listener share, where :mod:`edgeproxy.server.http1` serves them."""

import asyncio
from typing import TYPE_CHECKING, NoReturn

from aiohttp import web

from edgeproxy.http.messages import Handler
from edgeproxy.server.hits import Hits
from edgeproxy.server.http1 import ViewerConnection
from edgeproxy.server.limits import Limits
from edgeproxy.server.open_connections import OpenConnections
from edgeproxy.server.reading import ViewerFrom

if TYPE_CHECKING:
    from edgeproxy.server.listener import Admit, Refuse

__all__ = ["Door"]


async def _unused(request: web.BaseRequest) -> NoReturn:
    raise AssertionError(f"aiohttp's own loop answered {request!r}")


class Door(OpenConnections, web.Server):
    """Makes a connection when called."""

    def __init__(
        self,
        handler: Handler,
        refuse: "Refuse",
        viewer: ViewerFrom | None,
        limits: Limits,
        admit: "Admit | None",
    ) -> None:
        OpenConnections.__init__(self)
        web.Server.__init__(self, _unused)
        self.handler = handler
        self.refuse = refuse
        self.viewer = viewer
        self.limits = limits
        self.admit = admit
        self.in_flight = 0
        self.hits = Hits()

    def __call__(self) -> ViewerConnection:
        return ViewerConnection(self, asyncio.get_running_loop())

    def forget(self) -> None:
        """From now on every request goes to the handler first."""
        self.hits.clear()
        super().forget()
