"""The listeners of a running program: opened once, kept over reloads, closed when not wanted."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edgeproxy.errors import PortInUse
from edgeproxy.http.messages import Handler, Request, Response
from edgeproxy.inspector.personas import Personas
from edgeproxy.server.limits import Limits
from edgeproxy.server.listener import Admit, Listener, Refuse, ViewerFrom

__all__ = ["Doors"]

_PORTS_TO_TRY: Final = 100
_LAST_PORT: Final = 65535
GRACE_S: Final = 1.5
"""How long requests in flight may take to finish at stop."""


@dataclass(slots=True)
class _Door:
    """A listener with a handler that can be exchanged under it."""

    handler: Handler
    personas: Personas
    refuse: Refuse
    tls: ssl.SSLContext | None
    admit: Admit | None
    limits: Limits | None
    listener: Listener | None = None

    async def __call__(self, request: Request) -> Response:
        if ".viewer." in request.host:
            return await self.personas.answer(request, self.handler)
        return await self.handler(request)


class Doors:
    """Opens doors by key. A key that is served again keeps its port and gets the new handler."""

    def __init__(
        self,
        host: str,
        refuse: Refuse,
        viewer: ViewerFrom,
        first_free_port: int,
    ) -> None:
        self.personas = Personas(viewer, self._ports)
        """Viewers with host names of their own, behind every door."""
        self._host = host
        self._refuse = refuse
        self._viewer = viewer
        self._next_port = first_free_port
        self._doors: dict[str, _Door] = {}

    async def open(
        self,
        key: str,
        handler: Handler,
        name: str,
        port: int | None = None,
        refuse: Refuse | None = None,
        tls: ssl.SSLContext | None = None,
        admit: Admit | None = None,
        limits: Limits | None = None,
    ) -> str:
        """The URL under which ``handler`` is served, without a final slash.

        Without ``refuse``, what is no request gets the page that all doors share; with ``tls``
        viewers speak HTTPS, and ``admit`` may turn them away. A key that is served again keeps its
        own, and its ``limits``.

        Without ``port`` the next free one after the listeners' own is taken, or any if those are
        all in use. Raises :class:`PortInUse`.
        """
        door = self._doors.get(key)
        if door is not None and door.listener is not None:
            door.handler = handler
            door.listener.forget()
            return door.listener.url
        door = _Door(handler, self.personas, refuse or self._refuse, tls, admit, limits)
        if port is None:
            door.listener = await self._listen_on_next_port(door, name)
        else:
            door.listener = await self._listen(door, name, port)
        self._doors[key] = door
        return door.listener.url

    def forget(self) -> None:
        """A handler answers otherwise from now on: listeners repeat nothing of before."""
        for door in self._doors.values():
            if door.listener is not None:
                door.listener.forget()

    async def close_others(self, keys: Iterable[str]) -> None:
        """Close every door whose key is not among ``keys``."""
        closing = [self._doors.pop(key) for key in self._doors.keys() - set(keys)]
        # All at once: together they get the time of grace, not one after the other.
        await asyncio.gather(
            *(door.listener.stop(GRACE_S) for door in closing if door.listener is not None)
        )

    def _ports(self) -> set[int]:
        return {door.listener.port for door in self._doors.values() if door.listener is not None}

    async def _listen_on_next_port(self, door: _Door, name: str) -> Listener:
        for _ in range(_PORTS_TO_TRY if self._next_port else 0):
            port, self._next_port = self._next_port, self._next_port + 1
            if port > _LAST_PORT:
                break
            try:
                return await self._listen(door, name, port)
            except PortInUse:
                continue
        return await self._listen(door, name, 0)

    async def _listen(self, door: _Door, name: str, port: int) -> Listener:
        listener = Listener(
            door,
            host=self._host,
            port=port,
            refuse=door.refuse,
            viewer=self._viewer,
            ssl_context=door.tls,
            admit=door.admit,
            limits=door.limits,
            name=name,
        )
        await listener.start()
        return listener
