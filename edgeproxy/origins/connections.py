"""Connections to origins: opened, kept alive between requests, and counted byte by byte.

aiohttp's connector does the work: name lookup, happy eyeballs, TLS, the pool of idle connections
and the parser. Its ``ClientSession`` is left out on purpose: it drops bytes of a head that are
not UTF-8 and a bare ``?``, repeats requests on its own, and does not tell a connection that was
idle in the pool from a new one.
"""

import asyncio
import ssl
from collections.abc import Collection
from functools import lru_cache, partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import is_ip_address
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader
from yarl import URL

from edgeproxy.clock import Clock
from edgeproxy.distribution.quotas import MAX_HEAD_BYTES
from edgeproxy.origins.destinations import Address
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.origins.names import Names, timed_look_ups
from edgeproxy.origins.tls import certificate_names, is_for, is_server_name

__all__ = ["Connections", "OriginConnection", "StaleConnection"]

_READ_BUFFER_BYTES: Final = 2**16
_END_OF_HEAD: Final = b"\r\n\r\n"


class StaleConnection(Exception):
    """An idle connection turned out to be closed by the origin before it saw the request."""


class _HeadTooLarge(HttpProcessingError):
    """The head went past its limit before it was complete."""


class _Protocol(ResponseHandler):
    """aiohttp's side of a connection, which also counts the bytes of the head."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.uses = 0
        self.head_bytes = 0
        self._in_head = False
        self.is_idle = False

    def begin_request(self) -> None:
        self.uses += 1
        self.is_idle = False
        self.head_bytes = 0
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        if self.is_idle:
            # Nobody has asked for it, and the next request must not get it for an answer.
            self.abort()
            return
        while self._in_head and self.exception() is None:
            end = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
            if not len(_END_OF_HEAD) <= end < len(data):
                break
            # By itself: aiohttp forgets a head when what comes with it is malformed.
            self._receive(data[:end])
            data = data[end:]
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        if self._in_head:
            self.head_bytes += len(data)
        super().data_received(data)
        # Bytes of the body that came along do not count: the head has ended then.
        is_too_large = self._in_head and self.head_bytes > MAX_HEAD_BYTES
        if is_too_large and self.exception() is None:
            self.set_exception(_HeadTooLarge())
            if self.transport is not None:
                self.transport.abort()
        # aiohttp does not tell the reader of a body that its framing is broken.
        payload = self._payload
        if (error := self.exception()) is not None and payload is not None and not payload.is_eof():
            payload.set_exception(error)

    def close(self) -> None:
        """Close it, with what an origin that does not read has still to be sent: it would stay."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.abort()
        else:
            super().close()

    def feed_data(self, data: Any, size: int = 0) -> None:
        message: RawResponseMessage = data[0]
        if message.code >= 200 or message.code == 101:
            self._in_head = False
        super().feed_data(data, size)


class _Connector(aiohttp.TCPConnector):
    """A pool without a limit; with ``keepalive_s`` None every connection serves one request."""

    def __init__(self, keepalive_s: float | None, names: Names) -> None:
        if keepalive_s is None:
            super().__init__(limit=0, resolver=names, use_dns_cache=False, force_close=True)
        else:
            super().__init__(
                limit=0, resolver=names, use_dns_cache=False, keepalive_timeout=keepalive_s
            )
        self._factory = partial(_new_protocol)


def _new_protocol() -> ResponseHandler:
    return _Protocol(asyncio.get_running_loop())


class OriginConnection:
    """One connection, for one request. ``is_reused``: it was idle in the pool before.

    ``look_up_s`` and ``connect_s`` are how long it took to have it.
    """

    def __init__(
        self, connection: Connection, address: Address, look_up_s: float, connect_s: float
    ) -> None:
        assert isinstance(connection.protocol, _Protocol)
        self._connection = connection
        self.protocol = connection.protocol
        self.address = address
        self.is_reused = self.protocol.uses > 0
        self.look_up_s = look_up_s
        self.connect_s = connect_s
        self.writer = StreamWriter(self.protocol, asyncio.get_running_loop())

    def begin(
        self, head: bytes, *, read_timeout_s: float, has_body: bool, is_chunked: bool
    ) -> None:
        """Write the request's head and get ready for an answer (``has_body`` False for HEAD)."""
        self.protocol.begin_request()
        self.protocol.set_response_params(
            skip_payload=not has_body,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=read_timeout_s,
            read_bufsize=_READ_BUFFER_BYTES,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_HEAD_BYTES // len("a:\r\n"),
        )
        if is_chunked:
            self.writer.enable_chunking()
        transport = self.protocol.transport
        if transport is not None:
            transport.write(head)

    def request_sent(self) -> None:
        """From now on the origin's silence counts (CDN-ORG-04)."""
        self.protocol.start_timeout()

    async def read_head(self) -> tuple[RawResponseMessage, StreamReader]:
        """Head and body of the final answer; raises :class:`OriginFailure` by CDN-ERR-35 to 39.

        Raises :class:`StaleConnection` when a reused connection ended without a byte.
        """
        try:
            message, payload = await self.protocol.read()
            continued = False
            while 100 <= message.code < 200 and message.code != 101:
                if continued and message.code == 100:
                    # CDN-RSP-14; the first one is answered to the viewer by the listener.
                    raise self.failure(
                        OriginFailureKind.INVALID_RESPONSE, "sent 100 Continue a second time"
                    )
                continued = continued or message.code == 100
                message, payload = await self.protocol.read()
        except (aiohttp.ClientError, HttpProcessingError) as error:
            raise self._judge(error) from error
        if isinstance(broken := payload.exception(), HttpProcessingError):
            raise self._judge(broken)
        head_bytes = len("HTTP/1.1 200 \r\n\r\n") + len(message.reason)
        head_bytes += sum(len(name) + len(value) + 4 for name, value in message.raw_headers)
        if head_bytes > MAX_HEAD_BYTES:
            raise self._head_too_big()
        return message, payload

    def _judge(self, error: Exception) -> Exception:
        if isinstance(error, aiohttp.SocketTimeoutError):
            return self.failure(
                OriginFailureKind.COMM,
                f"sent nothing for {self.protocol.read_timeout:g} s (response timeout)",
                status=504,
                timed_out=True,
            )
        if isinstance(error, HttpProcessingError):
            # aiohttp tells a line over its limit by this text alone.
            if isinstance(error, _HeadTooLarge) or error.message.startswith("Got more than"):
                return self._head_too_big()
            what = error.message.splitlines()[0] if error.message else "not HTTP"
            return self.failure(
                OriginFailureKind.INVALID_RESPONSE, f"sent a malformed answer: {what.rstrip(':')}"
            )
        if self.protocol.head_bytes:
            return self.failure(
                OriginFailureKind.COMM, "closed the connection in the middle of the response head"
            )
        if self.is_reused:
            return StaleConnection()
        if isinstance(error, aiohttp.ServerDisconnectedError):
            return self.failure(
                OriginFailureKind.ZERO_SIZE, "closed the connection without an answer"
            )
        return self.failure(OriginFailureKind.COMM, "reset the connection before it answered")

    def _head_too_big(self) -> OriginFailure:
        return self.failure(
            OriginFailureKind.HEADER_TOO_BIG,
            f"sent response headers of more than {MAX_HEAD_BYTES:,} bytes",
        )

    def failure(
        self, kind: OriginFailureKind, what: str, *, status: int = 502, timed_out: bool = False
    ) -> OriginFailure:
        """What went wrong on this connection, the address in front."""
        return OriginFailure(
            kind, status, f"{self.address} {what}", timed_out=timed_out, connected=True
        )

    def release(self) -> None:
        """The answer is read to its end: the connection may serve another request."""
        self.protocol.is_idle = True
        self._connection.release()

    def abort(self) -> None:
        """Drop the connection at once, with whatever is still to be written."""
        self.protocol.abort()
        self._connection.close()

    def close(self) -> None:
        """Close the connection. May be called more than once, and after :meth:`release`."""
        self._connection.close()


class Connections:
    """Opens connections and keeps idle ones, per address, TLS name and keep-alive timeout."""

    def __init__(self) -> None:
        self._names = Names()
        self._connectors: dict[float | None, _Connector] = {}
        self._description = lru_cache(maxsize=256)(_describe)

    async def look_up(self, address: Address, timeout_s: float) -> None:
        """Make sure that the name of ``address`` resolves; raises :class:`OriginFailure` if not."""
        if is_ip_address(address.host):
            return
        try:
            async with asyncio.timeout(timeout_s):
                _ = await self._names.resolve(address.host, address.port)
        except OSError as error:  # TimeoutError is one.
            raise _unresolved(address) from error

    async def open(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None,
        server_name: str,
        accepted_names: Collection[str],
        timeout_s: float,
        keepalive_s: float | None,
    ) -> OriginConnection:
        """One attempt to connect; with ``keepalive_s`` None always a new connection, used once.

        ``server_name`` is sent as SNI; a certificate that ``tls`` verifies must be for one of
        ``accepted_names``. Raises :class:`OriginFailure` by CDN-ERR-30 to 34.
        """
        if tls is not None and not is_server_name(server_name):
            raise OriginFailure(
                OriginFailureKind.CONNECT,
                502,
                f"{address} cannot be asked for a certificate for {server_name!r}, which is no "
                "host name (CDN-ORG-11)",
            )
        connector = self._connectors.get(keepalive_s)
        if connector is None:
            connector = self._connectors[keepalive_s] = _Connector(keepalive_s, self._names)
        description = self._description(address, tls, server_name if tls else "")
        began = Clock.monotonic()
        try:
            with timed_look_ups() as look_ups:
                async with asyncio.timeout(timeout_s):
                    connection = await connector.connect(description, [], aiohttp.ClientTimeout())
        except TimeoutError as error:
            raise OriginFailure(
                OriginFailureKind.CONNECT,
                504,
                f"{address} did not accept a connection within {timeout_s:g} s",
                timed_out=True,
            ) from error
        except (aiohttp.ClientConnectorDNSError, aiohttp.InvalidUrlClientError) as error:
            raise _unresolved(address) from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientConnectorCertificateError) as error:
            raise OriginFailure(
                OriginFailureKind.CONNECT, 502, f"{address} {_refusal(error)}"
            ) from error
        if tls is not None and tls.verify_mode is ssl.CERT_REQUIRED:
            shown = certificate_names(connection.transport)
            if not is_for(shown, accepted_names):
                connection.close()
                raise OriginFailure(
                    OriginFailureKind.CONNECT,
                    502,
                    f"{address} showed a certificate that is not accepted: it is for "
                    f"{' and '.join(shown) or 'nobody'}, not for {' or '.join(accepted_names)}",
                )
        look_up_s = sum(look_ups)
        connect_s = Clock.monotonic() - began - look_up_s
        return OriginConnection(connection, address, look_up_s, connect_s)

    async def close(self) -> None:
        """Close every connection, idle or not."""
        for connector in self._connectors.values():
            await connector.close()
        await self._names.close()


def _unresolved(address: Address) -> OriginFailure:
    return OriginFailure(
        OriginFailureKind.DNS,
        502,
        f"the origin's name {address.host} does not resolve; "
        f"--origin {address.host}=URL_OR_DIR sends its requests elsewhere",
    )


def _describe(
    address: Address, tls: ssl.SSLContext | None, server_name: str
) -> aiohttp.ClientRequest:
    """What the connector wants to know about a connection; it is never sent."""
    url = URL.build(scheme=address.scheme, host=address.host, port=address.port)
    return aiohttp.ClientRequest("GET", url, ssl=tls or True, server_hostname=server_name or None)


def _refusal(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"showed a certificate that is not accepted: {error.certificate_error}"
        case aiohttp.ClientConnectorSSLError():
            return f"failed in the TLS handshake: {error.os_error}"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return "refused the connection"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionError):
            return "closed the connection in the TLS handshake"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {error.os_error.strerror or error.os_error}"
        case _:
            return f"cannot be reached: {error}"
