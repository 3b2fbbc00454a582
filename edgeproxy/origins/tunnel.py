"""A connection to an origin that has left HTTP: bytes pass both ways unchanged (CDN-WS-04)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp.streams import StreamReader

from edgeproxy.origins.connections import OriginConnection

__all__ = ["IDLE_LIMIT_S", "OriginTunnel"]

IDLE_LIMIT_S: Final = 600
"""Without a byte from the origin for this long, the tunnel is closed (CDN-WS-04)."""

_BUFFER_BYTES: Final = 2**16


class OriginTunnel:
    """The origin's end of a WebSocket after its 101; takes the connection over for good."""

    def __init__(self, connection: OriginConnection) -> None:
        self._connection = connection
        protocol = connection.protocol
        self._received = StreamReader(protocol, _BUFFER_BYTES, loop=asyncio.get_running_loop())
        protocol.set_parser(_Feeder(self._received), self._received)
        protocol.read_timeout = IDLE_LIMIT_S
        protocol.start_timeout()

    async def send(self, data: bytes) -> None:
        """Pass bytes on to the origin. Raises ``ConnectionError`` when it is gone."""
        try:
            await self._connection.writer.write(data)
        except aiohttp.ClientError as error:
            raise ConnectionResetError("the origin closed the tunnel") from error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Bytes from the origin until it closes, resets, or is silent for too long."""
        while chunk := await self._receive():
            yield chunk

    async def _receive(self) -> bytes:
        try:
            return await self._received.readany()
        except (aiohttp.ClientError, OSError):
            return b""

    async def close(self) -> None:
        """Close the connection. May be called twice."""
        self._connection.close()
        self._received.feed_eof()


class _Feeder:
    """What aiohttp calls with the bytes that follow the head."""

    def __init__(self, received: StreamReader) -> None:
        self._received = received

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if data:
            self._received.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._received.feed_eof()
