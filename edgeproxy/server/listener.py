"""A door for viewers: a listening socket, and the handler behind it."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn, TypeAlias

from aiohttp import web

from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.http.messages import Handler, Response, Viewer
from edgeproxy.server.hits import Hits
from edgeproxy.server.http1 import ViewerConnection
from edgeproxy.server.inside_aiohttp import check_aiohttp
from edgeproxy.server.limits import Limits
from edgeproxy.server.reading import ViewerFrom

__all__ = ["Admit", "Door", "Listener", "Refuse", "ViewerFrom"]

Admit: TypeAlias = Callable[[ssl.SSLObject, Viewer], Viewer | None]
"""The viewer of a new TLS connection with what its certificate tells; None to turn it away."""

Refuse: TypeAlias = Callable[[int, str, str], Response]
"""Builds the error page for a request that never becomes one: status, reason phrase, detail."""

_BACKLOG = 1024
_MOST_VIEWERS: Final = 100


async def _unused(request: web.BaseRequest) -> NoReturn:
    raise AssertionError(f"aiohttp's own loop answered {request!r}")


class Door(web.Server):
    """What the connections of one listener share; makes a connection when called."""

    def __init__(
        self,
        handler: Handler,
        refuse: Refuse,
        viewer: ViewerFrom | None,
        limits: Limits,
        admit: Admit | None,
    ) -> None:
        super().__init__(_unused)
        self.handler = handler
        self.refuse = refuse
        self.viewer = viewer
        self.limits = limits
        self.admit = admit
        self.in_flight = 0
        self._hits: dict[tuple[str, str], Hits] = {}
        self._open: set[ViewerConnection] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def __call__(self) -> ViewerConnection:
        return ViewerConnection(self, self._loop)

    def hits(self, viewer: Viewer) -> Hits:
        """What can be answered at once to a viewer of this address and protocol."""
        who = viewer.ip, viewer.scheme
        if who not in self._hits and len(self._hits) >= _MOST_VIEWERS:
            self._hits.clear()
        return self._hits.setdefault(who, Hits())

    def forget(self) -> None:
        """From now on every request goes to the handler first."""
        for hits in self._hits.values():
            hits.clear()

    def opened(self, connection: ViewerConnection) -> None:
        """A viewer has connected."""
        self._open.add(connection)

    def closed(self, connection: ViewerConnection) -> None:
        """The connection is gone; its handler may still be at work."""
        self._open.discard(connection)
        self._changed.set()

    def runs(self, loop_of_connection: "asyncio.Task[None]") -> None:
        """A connection's loop has begun."""
        self._running.add(loop_of_connection)
        loop_of_connection.add_done_callback(self._ended)

    def _ended(self, loop_of_connection: "asyncio.Task[None]") -> None:
        self._running.discard(loop_of_connection)
        self._changed.set()

    async def close(self, grace_s: float) -> None:
        """Let requests in flight finish for up to ``grace_s``, then cut every connection."""
        for connection in list(self._open):
            connection.retire()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._all_gone()
        for connection in list(self._open):
            connection.cut()
        for task in list(self._running):
            task.cancel()
        await self._all_gone()

    async def _all_gone(self) -> None:
        while self._open or self._running:
            self._changed.clear()
            await self._changed.wait()


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
        self._door: Door | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept viewers from now on.

        Raises :class:`PortInUse`, and :class:`UsageError` when the address cannot be listened on.
        """
        check_aiohttp()
        door = Door(self._handler, self._refuse, self._viewer, self._limits, self._admit)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                door, self._host, self._port, ssl=self._ssl_context, backlog=_BACKLOG
            )
        except OSError as error:
            raise self._cannot_listen(error) from error
        self._door = door

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
