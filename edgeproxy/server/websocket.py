"""A connection that has left HTTP: bytes both ways, unchanged (CDN-WS-04).

Each direction waits for its slower end. The far end ends the tunnel by closing, or by being
silent for too long; when the viewer closes its half, the far end gets a moment for its last
bytes.
"""

import asyncio
from contextlib import suppress

from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from edgeproxy.http.messages import Tunnel
from edgeproxy.server.limits import Limits
from edgeproxy.server.writing import Wire

__all__ = ["FromViewer", "relay"]

_BUFFER_BYTES = 64 * 1024


class FromViewer:
    """Takes over a connection's incoming bytes; pauses the viewer while nobody reads them."""

    __slots__ = ("_stream", "passed")

    def __init__(self, protocol: BaseProtocol, loop: asyncio.AbstractEventLoop) -> None:
        self.passed = 0
        """How many bytes have been read."""
        self._stream = StreamReader(protocol, _BUFFER_BYTES, loop=loop)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if not self._stream.is_eof():
            self._stream.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        if not self._stream.is_eof():
            self._stream.feed_eof()

    def lost(self, error: ConnectionError) -> None:
        """The viewer's connection is gone altogether."""
        self._stream.set_exception(error)

    async def read(self) -> bytes:
        """The next bytes; empty once the viewer has closed its half."""
        data = await self._stream.readany()
        self.passed += len(data)
        return data


async def relay(wire: Wire, incoming: FromViewer, tunnel: Tunnel, limits: Limits) -> None:
    """Pass bytes both ways until the tunnel ends. Raises what either end raises."""
    now = asyncio.get_running_loop().time
    patience_s = limits.tunnel_idle_s

    async def send_on(idle: asyncio.Timeout) -> None:
        nonlocal patience_s
        while data := await incoming.read():
            await tunnel.send(data)
        patience_s = limits.tunnel_goodbye_s
        idle.reschedule(now() + patience_s)

    with suppress(TimeoutError):  # Silence is an ordinary end of a tunnel.
        async with asyncio.timeout(patience_s) as idle, asyncio.TaskGroup() as directions:
            towards_far_end = directions.create_task(send_on(idle))
            async for data in tunnel:
                idle.reschedule(now() + patience_s)
                wire.write(data)
                await wire.drained()
            towards_far_end.cancel()
