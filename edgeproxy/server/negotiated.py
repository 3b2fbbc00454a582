"""A TLS connection before it is known what is spoken on it: the handshake has chosen (ALPN)."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from edgeproxy.server.door import Door
    from edgeproxy.server.plain import PlainDoor

__all__ = ["HTTP_1_1", "HTTP_2", "NegotiatedConnection"]

HTTP_1_1 = "http/1.1"
HTTP_2 = "h2"


class NegotiatedConnection(asyncio.Protocol):
    """Hands the connection over as soon as it is made."""

    def __init__(self, door: "Door | PlainDoor") -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        make: Callable[[], asyncio.Protocol] = self._door
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() == HTTP_2:
            make = self._http2
        connection = make()
        cast(asyncio.Transport, transport).set_protocol(connection)
        connection.connection_made(transport)

    def _http2(self) -> asyncio.Protocol:
        from edgeproxy.server.http2 import Http2Connection  # Imported with the first that asks.

        return Http2Connection(self._door, asyncio.get_running_loop())
