"""Connections to origins: opened, and kept alive between requests.

aiohttp's connector opens them: name lookup, happy eyeballs, TLS. What is idle is kept here. Its
``ClientSession`` is left out on purpose: it drops bytes of a head that are not UTF-8 and a bare
``?``, repeats requests on its own, does not tell a connection that was idle in the pool from a
new one, and costs more than all the rest.
"""

import asyncio
import ssl
from collections.abc import Callable, Collection
from functools import lru_cache, partial
from itertools import chain
from typing import Any, TypeAlias, cast

import aiohttp
from aiohttp.connector import Connection
from aiohttp.helpers import is_ip_address
from aiohttp.http import HttpProcessingError
from yarl import URL

from edgeproxy.clock import Clock
from edgeproxy.distribution.quotas import MAX_HEAD_BYTES
from edgeproxy.origins.destinations import Address
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.origins.names import Names, timed_look_ups
from edgeproxy.origins.plain import PlainAnswer
from edgeproxy.origins.protocol import Answer, HeadTooLarge, OriginProtocol
from edgeproxy.origins.tls import certificate_names, is_for, is_server_name

__all__ = ["Connections", "OriginConnection", "StaleConnection"]

_Key: TypeAlias = tuple[str, str, int, ssl.SSLContext | None, str, float | None]
"""Scheme, host, port, TLS, the name that TLS asks for, and the keep-alive timeout: requests of
which these are equal share connections."""


class StaleConnection(Exception):
    """An idle connection turned out to be closed by the origin before it saw the request."""


class _Connector(aiohttp.TCPConnector):
    """Opens connections; each is closed when it is given back."""

    def __init__(self, names: Names) -> None:
        super().__init__(limit=0, resolver=names, use_dns_cache=False, force_close=True)
        # The connector asks no more of a protocol than ours offers.
        self._factory = cast(Any, partial(OriginProtocol, asyncio.get_running_loop()))


class OriginConnection:
    """One connection, for one request after the other.

    ``look_up_s`` and ``connect_s`` are how long it took to have it. ``keep`` takes it when an
    answer has been read; without one it serves one request.
    """

    def __init__(
        self,
        connection: Connection,
        address: Address,
        look_up_s: float,
        connect_s: float,
        keep: "Callable[[OriginConnection], None] | None",
    ) -> None:
        self._connection = connection
        self.protocol = cast(OriginProtocol, connection.protocol)
        self.address = address
        self.look_up_s = look_up_s
        self.connect_s = connect_s
        self._keep = keep

    @property
    def is_reused(self) -> bool:
        """Whether the request that it serves, or has served last, is not its first."""
        return self.protocol.uses > 1

    async def read_head(self) -> Answer | PlainAnswer:
        """Head and body of the final answer; raises :class:`OriginFailure` by CDN-ERR-35 to 39.

        Raises :class:`StaleConnection` when a reused connection ended without a byte.
        """
        try:
            answer = await self.protocol.read()
            if isinstance(answer, PlainAnswer):
                return answer
            message, payload = answer
            continued = False
            while 100 <= message.code < 200 and message.code != 101:
                if continued and message.code == 100:
                    # CDN-RSP-14; the first one is answered to the viewer by the listener.
                    raise self.failure(
                        OriginFailureKind.INVALID_RESPONSE, "sent 100 Continue a second time"
                    )
                continued = continued or message.code == 100
                answer = await self.protocol.read()
                assert not isinstance(answer, PlainAnswer), "it begins what comes"
                message, payload = answer
        except (aiohttp.ClientError, HttpProcessingError) as error:
            raise self._judge(error) from error
        if isinstance(broken := payload.exception(), HttpProcessingError):
            raise self._judge(broken)
        head_bytes = len("HTTP/1.1 200 \r\n\r\n") + len(message.reason)
        head_bytes += sum(map(len, chain.from_iterable(message.raw_headers)))
        head_bytes += len(": \r\n") * len(message.raw_headers)
        if head_bytes > MAX_HEAD_BYTES:
            raise self._head_too_big()
        return message, payload

    def _judge(self, error: Exception) -> Exception:
        if isinstance(error, aiohttp.SocketTimeoutError):
            return self.failure(
                OriginFailureKind.COMM,
                f"sent nothing for {self.protocol.silence_s:g} s (response timeout)",
                status=504,
                timed_out=True,
            )
        if isinstance(error, HttpProcessingError):
            # aiohttp tells a line over its limit by this text alone.
            if isinstance(error, HeadTooLarge) or error.message.startswith("Got more than"):
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
        if self._keep is None or self.protocol.should_close:
            self.close()
        else:
            self._keep(self)

    def abort(self) -> None:
        """Drop the connection at once, with whatever is still to be written."""
        self.protocol.abort()
        self._connection.close()

    def close(self) -> None:
        """Close the connection. May be called more than once."""
        self._connection.close()


class Connections:
    """Opens connections and keeps idle ones, per address, TLS name and keep-alive timeout."""

    def __init__(self) -> None:
        self._names = Names()
        self._connector: _Connector | None = None
        self._idle: dict[_Key, list[OriginConnection]] = {}
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

        ``server_name`` is sent as SNI, and empty without ``tls``; a certificate that ``tls``
        verifies must be for one of ``accepted_names``. Raises :class:`OriginFailure` by CDN-ERR-30
        to 34.
        """
        if tls is not None and not is_server_name(server_name):
            raise OriginFailure(
                OriginFailureKind.CONNECT,
                502,
                f"{address} cannot be asked for a certificate for {server_name!r}, which is no "
                "host name (CDN-ORG-11)",
            )
        key = (address.scheme, address.host, address.port, tls, server_name, keepalive_s)
        connection = None if keepalive_s is None else self._taken(key)
        if connection is None:
            connection = await self._connect(address, key, timeout_s)
        if tls is not None and tls.verify_mode is ssl.CERT_REQUIRED:
            shown = certificate_names(connection.protocol.transport)
            if not is_for(shown, accepted_names):
                connection.close()
                accepted = " or ".join(dict.fromkeys(accepted_names))
                raise OriginFailure(
                    OriginFailureKind.CONNECT,
                    502,
                    f"{address} showed a certificate that is not accepted: it is for "
                    f"{' and '.join(shown) or 'nobody'}, not for {accepted}",
                )
        return connection

    def idle(self, address: Address, keepalive_s: float) -> OriginConnection | None:
        """A connection without TLS that waits for another request, if there is one."""
        return self._taken((address.scheme, address.host, address.port, None, "", keepalive_s))

    async def _connect(self, address: Address, key: _Key, timeout_s: float) -> OriginConnection:
        *_, tls, server_name, keepalive_s = key
        if self._connector is None:  # It belongs to an event loop, so it is not made before.
            self._connector = _Connector(self._names)
        description = self._description(address, tls, server_name)
        began = Clock.monotonic()
        try:
            with timed_look_ups() as look_ups:
                async with asyncio.timeout(timeout_s):
                    connection = await self._connector.connect(
                        description, [], aiohttp.ClientTimeout()
                    )
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
        look_up_s = sum(look_ups)
        connect_s = Clock.monotonic() - began - look_up_s
        keep = None if keepalive_s is None else partial(self._keep, key, keepalive_s)
        return OriginConnection(connection, address, look_up_s, connect_s, keep)

    def _keep(self, key: _Key, limit_s: float, connection: OriginConnection) -> None:
        self._idle.setdefault(key, []).append(connection)
        connection.protocol.rest(limit_s, partial(self._drop, key, connection))

    def _drop(self, key: _Key, connection: OriginConnection) -> None:
        """An idle connection is too old, or of no use any more."""
        if (idle := self._idle.get(key)) is not None and connection in idle:
            idle.remove(connection)
            if not idle:
                del self._idle[key]
        connection.close()

    def _taken(self, key: _Key) -> OriginConnection | None:
        """The idle connection that was used last: the others then have time to grow old."""
        while (idle := self._idle.get(key)) is not None:
            connection = idle.pop()
            if not idle:
                del self._idle[key]
            if connection.protocol.is_open:
                return connection
            connection.close()
        return None

    async def close(self) -> None:
        """Close every connection, idle or not."""
        if self._connector is not None:
            await self._connector.close()  # It does not wait for TLS to say goodbye.
        for connection in chain.from_iterable(self._idle.values()):
            connection.close()
        self._idle.clear()
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
