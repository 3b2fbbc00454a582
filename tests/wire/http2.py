"""A viewer over HTTP/2 that says what a test has it say, by the h2 library or frame by frame."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from hyperframe.frame import GoAwayFrame

from edgeproxy.server.listener import Listener

__all__ = ["HEAD", "Http2Viewer", "Reply", "contexts", "http2"]

PATIENCE_S = 20.0
HEAD = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")]


@dataclass(slots=True)
class Reply:
    """What has come on a stream so far."""

    status: int = 0
    lines: list[tuple[str, str]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    def header(self, name: str) -> str | None:
        found = [value for each, value in self.lines if each == name]
        return ", ".join(found) if found else None

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def is_over(self) -> bool:
        return self.ended or self.reset is not None


class Http2Viewer:
    """One connection. Every wait gives up after twenty seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.h2 = H2Connection(
            H2Configuration(
                header_encoding="latin-1",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.replies: dict[int, Reply] = {}
        self.goaway: int | None = None
        self.last_stream: int | None = None
        self.is_closed = False
        self._unparsed = b""
        self.takes_data = True
        """Whether windows are opened again for what has come."""

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def request(
        self, path: str = "/", method: str = "GET", *lines: tuple[str, str], ends: bool = True
    ) -> int:
        """Open a stream."""
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "a"), (":path", path)]
        return self.open([*pseudo, *lines], ends=ends)

    def open(self, fields: Iterable[tuple[str, str]], *, ends: bool = True) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.replies[stream_id] = Reply()
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        self.h2.send_headers(stream_id, encoded, end_stream=ends)
        self.flush()
        return stream_id

    async def send(self, stream_id: int, data: bytes, *, ends: bool = False) -> None:
        """A part of a body, as the windows allow."""
        start = 0
        while True:
            await self.until(lambda: not data or self.h2.local_flow_control_window(stream_id) > 0)
            room = min(self.h2.local_flow_control_window(stream_id), 16_384)
            end = min(start + room, len(data))
            self.h2.send_data(stream_id, data[start:end], end_stream=ends and end == len(data))
            self.flush()
            start = end
            if start == len(data):
                return

    async def raw(self, frame: bytes) -> None:
        self.writer.write(frame)
        await self.writer.drain()

    def header_block(self, fields: Iterable[tuple[str, str]]) -> bytes:
        encoded: bytes = self.h2.encoder.encode(list(fields))
        return encoded

    async def until(self, holds: Callable[[], bool]) -> None:
        """Take what comes until ``holds``, or the connection ends."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds() and not self.is_closed:
                await self.read_some()

    async def read_some(self) -> None:
        try:
            data = await self.reader.read(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.is_closed = True
            return
        data, self._unparsed = self._unparsed + data, b""
        while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3])):
            if data[3] == GoAwayFrame.type:
                # h2 would not hear what still comes after it.
                self.last_stream, self.goaway = struct.unpack(">II", data[9:17])
            else:
                self._hear(data[:end])
            data = data[end:]
        self._unparsed = data
        self.flush()

    def _hear(self, frame: bytes) -> None:
        for event in self.h2.receive_data(frame):
            stream_id = getattr(event, "stream_id", None)
            reply = self.replies.get(stream_id or 0)
            if stream_id is None or reply is None:
                continue
            self._note(reply, stream_id, event)

    def _note(self, reply: Reply, stream_id: int, event: object) -> None:
        match event:
            case InformationalResponseReceived():
                reply.interim.append(int(event.headers[0][1]))
            case ResponseReceived():
                (_, status), *lines = event.headers
                reply.status, reply.lines = int(status), [(str(n), str(v)) for n, v in lines]
            case DataReceived():
                reply.parts.append(event.data or b"")
                if self.takes_data and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
            case TrailersReceived():
                reply.trailers = [(str(n), str(v)) for n, v in event.headers]
            case StreamEnded():
                reply.ended = True
            case StreamReset():
                reply.reset = int(event.error_code)
            case _:
                pass

    async def reply(self, stream_id: int) -> Reply:
        """The whole of an answer, or what came before its end."""
        reply = self.replies[stream_id]
        await self.until(lambda: reply.is_over)
        return reply

    async def head(self, stream_id: int) -> Reply:
        reply = self.replies[stream_id]
        await self.until(lambda: reply.status > 0 or reply.is_over)
        return reply

    async def ask(self, path: str = "/", method: str = "GET", *lines: tuple[str, str]) -> Reply:
        return await self.reply(self.request(path, method, *lines))

    async def closed(self) -> bool:
        """Whether the other side closes."""
        await self.until(lambda: False)
        return self.is_closed


def contexts(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's that speak HTTP/2; nobody else has them."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.set_alpn_protocols(["h2", "http/1.1"])
    client = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    client.set_alpn_protocols(["h2"])
    return server, client


@asynccontextmanager
async def http2(listener: Listener, tls: ssl.SSLContext) -> AsyncIterator[Http2Viewer]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", listener.port, ssl=tls, server_hostname="localhost"
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    viewer = Http2Viewer(reader, writer)
    viewer.h2.initiate_connection()
    viewer.flush()
    try:
        yield viewer
    finally:
        writer.transport.abort()
