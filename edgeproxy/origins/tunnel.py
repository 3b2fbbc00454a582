"""A connection to an origin that has left HTTP: bytes pass both ways unchanged (CDN-WS-04)."""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from edgeproxy.origins.connections import OriginConnection

__all__ = ["IDLE_LIMIT_S", "OriginTunnel"]

IDLE_LIMIT_S: Final = 600
"""Without a byte from the origin for this long, the tunnel is closed (CDN-WS-04)."""


class OriginTunnel:
    """The origin's end of a WebSocket after its 101; takes the connection over for good."""

    def __init__(self, connection: OriginConnection) -> None:
        self._connection = connection
        self._received = connection.protocol.switch(IDLE_LIMIT_S)

    async def send(self, data: bytes) -> None:
        """Pass bytes on to the origin. Raises ``ConnectionError`` when it is gone."""
        try:
            await self._connection.protocol.send(data)
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
