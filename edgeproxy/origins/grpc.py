"""gRPC calls to origins, over HTTP/2 with a connection for each (CDN-GRP-01, CDN-VER-03).

CloudFront asks for HTTPS. An address that the user named with ``--origin`` may be ``http://``:
HTTP/2 is then spoken without TLS, and without asking first.

Messages pass both ways as they come, trailers after the last. Whoever is slow holds back the other
end: what has come is acknowledged when it is read on, and what is sent waits for the origin's
windows. A call that its viewer gives up ends with its connection.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame

from edgeproxy.clock import Clock
from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.http.body import EMPTY_BODY, StreamBody
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from edgeproxy.http.messages import Reached, Request, Response
from edgeproxy.origins.destinations import Address, Destinations
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.origins.forwarding import with_custom_headers
from edgeproxy.origins.tls import certificate_names, client_context, is_for, is_server_name
from edgeproxy.tasks import Tasks

__all__ = ["call"]

_HTTP_2: Final = "h2"
_FRAME_HEAD: Final = 9
_READ_BYTES: Final = 65_536
_ASKS_FOR_VIEWER_S: Final = 0.5
"""How often a call that waits for its origin looks whether its viewer still does."""
_OF_A_CONNECTION: Final = frozenset(
    {"connection", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)


async def call(
    request: Request, origin: Origin, destinations: Destinations, tasks: Tasks
) -> Response:
    """The origin's answer, its messages still to come; its trailers are known after the last.

    Raises :class:`OriginFailure`, and the ``ConnectionError`` of a viewer who has left.
    """
    address = destinations.resolve(origin, request.viewer.scheme)
    if not isinstance(address, Address):
        raise _failure(f"{origin.domain_name} is no server that speaks gRPC")
    if address.scheme == "http" and address.host == origin.domain_name:
        raise _failure(f"{address} is asked over HTTP, and gRPC needs HTTPS (CDN-GRP-01)")
    request = with_custom_headers(request, origin)
    host = destinations.host_for(origin, address) or request.host or origin.domain_name
    began = Clock.monotonic()
    reader, writer = await _connect(origin, address, host, destinations)
    connect_s = Clock.monotonic() - began
    read_timeout_s = origin.config.read_timeout_s
    path = f"{address.base_path}{origin.origin_path}{request.target}"
    answered = await _Call(reader, writer, request, address, read_timeout_s, tasks).run(host, path)
    first_byte_s = Clock.monotonic() - began - connect_s
    return replace(answered, reached=Reached(first_byte_s, connect_s=connect_s))


async def _connect(
    origin: Origin, address: Address, host: str, destinations: Destinations
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to an origin that speaks HTTP/2 and shows a certificate that is good for it."""
    tls: ssl.SSLContext | None = None
    server_name = origin.server_name or urlsplit(f"//{host}").hostname or ""
    if address.scheme == "https":
        config = origin.config
        tls = client_context(
            config.ssl_protocols if isinstance(config, CustomOrigin) else ("TLSv1.2",),
            verified=not address.any_certificate,
            certificate=destinations.certificate_for(origin),
            protocol=_HTTP_2,
        )
        if not is_server_name(server_name):
            raise _failure(f"{address} cannot be asked for a certificate for {server_name!r}")
    reader, writer = await _opened(origin, address, tls, server_name)
    if tls is not None:
        accepted = origin.allowed_certificate_names or (origin.domain_name, host, server_name)
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol() == _HTTP_2
        shown = certificate_names(writer.transport)
        if not agreed or (tls.verify_mode is ssl.CERT_REQUIRED and not is_for(shown, accepted)):
            writer.transport.abort()
            if not agreed:
                raise _failure(f"{address} does not speak HTTP/2, which gRPC needs")
            raise _failure(f"{address} showed a certificate for {' and '.join(shown) or 'nobody'}")
    return reader, writer


async def _opened(
    origin: Origin, address: Address, tls: ssl.SSLContext | None, server_name: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As often as the origin's settings say (CDN-ORG-02)."""
    attempt = 1
    while True:
        try:
            async with asyncio.timeout(origin.connection_timeout_s):
                return await asyncio.open_connection(
                    address.host, address.port, ssl=tls, server_hostname=tls and server_name
                )
        except OSError as error:  # TimeoutError and ssl.SSLError are among them.
            if attempt >= origin.connection_attempts or isinstance(error, socket.gaierror):
                raise _unconnected(address, error) from error
            attempt += 1


def _unconnected(address: Address, error: OSError) -> OriginFailure:
    if isinstance(error, socket.gaierror):
        what = f"the origin's name {address.host} does not resolve"
        return OriginFailure(OriginFailureKind.DNS, 502, what)
    if isinstance(error, TimeoutError):
        what = f"{address} did not accept a connection in time"
        return OriginFailure(OriginFailureKind.CONNECT, 504, what, timed_out=True)
    return _failure(f"{address} cannot be reached: {error.strerror or error}")


def _failure(why: str) -> OriginFailure:
    return OriginFailure(OriginFailureKind.CONNECT, 502, why)


class _Call:
    """One call on a connection of its own, whose only stream is the first."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: Request,
        address: Address,
        silence_s: float,
        tasks: Tasks,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._request = request
        self._address = address
        self._silence_s = silence_s
        self._tasks = tasks
        self._h2 = H2Connection(
            H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self._running: list[asyncio.Task[None]] = []
        self._answer: ResponseReceived | None = None
        self._parts: list[bytes] = []
        self._unread = 0
        self._trailers = EMPTY_HEADERS
        self._is_whole = False
        self._why_broken = ""
        self._upload_error: ConnectionError | None = None
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()

    async def run(self, host: str, path: str) -> Response:
        """The answer as soon as its head is there."""
        request = self._request
        fields = [
            (":method", request.method),
            (":scheme", self._address.scheme),
            (":authority", host),
            (":path", path),
            *((name.lower(), value) for name, value in request.headers),
            ("te", "trailers"),
        ]
        encoded = [
            (name.encode(), value.encode("utf-8", "surrogateescape"))
            for name, value in fields
            if name not in _OF_A_CONNECTION or value == "trailers"
        ]
        try:
            self._h2.initiate_connection()
            self._h2.send_headers(1, encoded)
            self._flush()
            self._running = [
                self._tasks.start(self._hear(), "what a gRPC origin says"),
                self._tasks.start(self._send(), "a gRPC call to an origin"),
            ]
            await self._until(lambda: self._answer is not None)
            return self._response()
        except BaseException:
            self._close()
            raise

    def _response(self) -> Response:
        assert self._answer is not None
        (_, status), *lines = list(self._answer.headers or ())
        headers = _decoded(lines)
        if self._is_whole and not self._parts:
            self._close()
            return Response(int(status), headers, EMPTY_BODY, trailers=lambda: self._trailers)
        body = StreamBody(self._messages())
        return Response(int(status), headers, body, trailers=lambda: self._trailers)

    async def _messages(self) -> AsyncIterator[bytes]:
        try:
            while True:
                await self._until(lambda: bool(self._parts) or self._is_whole)
                if not self._parts:
                    return
                data = b"".join(self._parts)
                self._parts.clear()
                unread, self._unread = self._unread, 0
                self._h2.acknowledge_received_data(unread, 1)
                self._flush()
                if data:
                    yield data
        finally:
            self._close()

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Wait for the origin, for as long as it may be silent."""
        loop = asyncio.get_running_loop()
        silent_until = loop.time() + self._silence_s
        while not holds():
            if self._upload_error is not None:
                raise self._upload_error
            if self._request.has_left():
                raise ConnectionResetError("the viewer has left")
            if self._why_broken:
                kind = OriginFailureKind.READ if self._answer else OriginFailureKind.COMM
                what = f"{self._address} {self._why_broken}"
                raise OriginFailure(kind, 502, what, connected=True)
            if loop.time() >= silent_until:
                what = f"{self._address} sent nothing for {self._silence_s:g} s (response timeout)"
                raise OriginFailure(OriginFailureKind.COMM, 504, what, True, True)
            self._arrived.clear()
            try:
                async with asyncio.timeout(_ASKS_FOR_VIEWER_S):
                    await self._arrived.wait()
            except TimeoutError:
                continue

    async def _hear(self) -> None:
        """What the origin sends, until it closes."""
        unparsed = b""
        try:
            while data := await self._reader.read(_READ_BYTES):
                data = unparsed + data
                while len(data) >= _FRAME_HEAD:
                    end = _FRAME_HEAD + int.from_bytes(data[:3])
                    if len(data) < end:
                        break
                    # A goodbye concerns other calls; h2 would not hear the rest of this one.
                    if data[3] != GoAwayFrame.type:
                        for event in self._h2.receive_data(data[:end]):
                            self._note(event)
                    data = data[end:]
                unparsed = data
                self._flush()
                self._wake()
            self._why_broken = "closed the connection in the middle of a call"
        except OSError as error:
            self._why_broken = f"broke the connection: {error.strerror or error}"
        except ProtocolError as error:
            self._why_broken = f"does not keep to HTTP/2: {error}"
        self._wake()

    def _note(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self._answer = event
            case DataReceived():
                self._parts.append(event.data or b"")
                self._unread += event.flow_controlled_length or 0
            case TrailersReceived():
                self._trailers = _decoded(event.headers or ())
            case StreamEnded():
                self._is_whole = True
            case StreamReset():
                self._why_broken = f"reset the call ({event.error_code})"
            case _:
                pass

    def _wake(self) -> None:
        self._arrived.set()
        self._has_room.set()

    async def _send(self) -> None:
        """The request's messages, at the origin's pace."""
        try:
            async for chunk in self._request.body:
                start = 0
                while start < len(chunk):
                    room = await self._room()
                    if not room:
                        return
                    self._h2.send_data(1, chunk[start : start + room])
                    start += room
                    self._flush()
                    await self._writer.drain()
            if not self._is_over:
                self._h2.end_stream(1)
                self._flush()
        except ConnectionError as error:
            if not self._is_over:
                self._upload_error = error
                self._wake()

    async def _room(self) -> int:
        """How much may be sent now; nothing once the origin wants no more."""
        while not self._is_over:
            window: int = self._h2.local_flow_control_window(1)
            if window > 0:
                return min(window, self._h2.max_outbound_frame_size)
            self._has_room.clear()
            await self._has_room.wait()
        return 0

    @property
    def _is_over(self) -> bool:
        return self._is_whole or bool(self._why_broken)

    def _flush(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(self._h2.data_to_send())

    def _close(self) -> None:
        """The end of the connection is the end of a call that is not over."""
        for task in self._running:
            task.cancel()
        self._writer.transport.abort()  # Without waiting for TLS to say goodbye.


def _decoded(lines: Iterable[tuple[bytes, bytes]]) -> Headers:
    return Headers(
        [(name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in lines]
    )
