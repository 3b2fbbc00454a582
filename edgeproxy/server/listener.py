"""A door for viewers: a listening socket, and the handler behind it."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.http.messages import Handler, Response, Viewer
from edgeproxy.server.inside_aiohttp import missing_from_aiohttp
from edgeproxy.server.limits import Limits
from edgeproxy.server.negotiated import NegotiatedConnection
from edgeproxy.server.reading import ViewerFrom

if TYPE_CHECKING:
    from edgeproxy.server.door import Door
    from edgeproxy.server.plain import PlainDoor

__all__ = ["Admit", "Listener", "Refuse", "ViewerFrom"]

Admit: TypeAlias = Callable[[ssl.SSLObject, Viewer], Viewer | None]
"""The viewer of a new TLS connection with what its certificate tells; None to turn it away."""

Refuse: TypeAlias = Callable[[int, str, str], Response]
"""Builds the error page for a request that never becomes one: status, reason phrase, detail."""

_BACKLOG = 1024


class Listener:
    """Serves viewers on one address until stopped."""

    def __init__(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        refuse: Refuse,
        viewer: ViewerFrom | None = None,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        admit: Admit | None = None,
        name: str = "",
    ) -> None:
        self._handler = handler
        self._host = host
        self._port = port
        self._refuse = refuse
        self._viewer = viewer
        self._limits = limits or Limits()
        self._ssl_context = ssl_context
        self._admit = admit
        self._name = name
        self._door: Door | PlainDoor | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept viewers from now on.

        Raises :class:`PortInUse`, and :class:`UsageError` when the address cannot be listened on.
        """
        door = self._door_for_this_aiohttp()
        connection = door if self._ssl_context is None else partial(NegotiatedConnection, door)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                connection, self._host, self._port, ssl=self._ssl_context, backlog=_BACKLOG
            )
        except OSError as error:
            raise self._cannot_listen(error) from error
        self._door = door

    def _door_for_this_aiohttp(self) -> "Door | PlainDoor":
        shared = self._handler, self._refuse, self._viewer, self._limits, self._admit
        if missing_from_aiohttp():
            from edgeproxy.server.plain import PlainDoor

            return PlainDoor(*shared)
        from edgeproxy.server.door import Door

        return Door(*shared)

    def _cannot_listen(self, error: OSError) -> UsageError | PortInUse:
        who = f"{self._name}: " if self._name else ""
        address = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return PortInUse(
                f"{who}port {self._port} of {self._host} is in use by another program",
                remedy="stop that program, or give another port; port 0 takes a free one",
            )
        return UsageError(
            f"{who}cannot listen on {address}: {error.strerror or error}",
            remedy="give a host of this machine and a port that this user may open",
        )

    @property
    def port(self) -> int:
        """The port in use; known once started."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:8080`` and the like, without a slash at the end."""
        scheme = "http" if self._ssl_context is None else "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self.port}"

    def forget(self) -> None:
        """The handler answers otherwise from now on: nothing is answered without it."""
        if self._door is not None:
            self._door.forget()

    @property
    def in_flight(self) -> int:
        """Requests that have begun and whose answer is not out yet."""
        return 0 if self._door is None else self._door.in_flight

    async def stop(self, grace_s: float) -> None:
        """Accept nobody any more, give requests in flight ``grace_s`` seconds, then cut them."""
        if self._server is None or self._door is None:
            return
        self._server.close()
        await self._door.close(grace_s)
        await self._server.wait_closed()
        self._server = None
        self._door = None
