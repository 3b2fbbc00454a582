"""Origins for tests that say exactly what a script tells them, well-behaved or not."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.http.messages import Handler
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.destinations import Destinations
from edgeproxy.tasks import Tasks

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Visit:
    """One connection to a raw origin, from the origin's side."""

    def __init__(
        self, origin: "RawOrigin", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._origin = origin
        self.reader = reader
        self.writer = writer
        self.number = origin.connections

    async def request(self) -> bytes:
        """The next request's head, and its body if it says how long that is."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        body = b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                body = await self.reader.readexactly(int(line.split(b":")[1]))
            elif line == b"transfer-encoding: chunked":
                body = await self.reader.readuntil(b"0\r\n\r\n")
        self._origin.requests.append(head + body)
        return head + body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_gone(self) -> None:
        """Wait until the other side closes."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Close with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class RawOrigin:
    """Runs a script per connection and remembers what came."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.connections = 0
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()
        """Set whenever a script has ended, which most do when the other side closes."""
        self.port = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._script(Visit(self, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.gone.set()


@asynccontextmanager
async def raw_origin(
    script: Script, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawOrigin]:
    """A listening raw origin. What still runs at the end is cut off."""
    origin = RawOrigin(script)
    tasks = Tasks()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.start(origin.visit(reader, writer), "raw origin")

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, limit=2**20)
    origin.port = server.sockets[0].getsockname()[1]
    origin.scheme = "https" if tls else "http"
    try:
        yield origin
    finally:
        server.close()
        await tasks.close()


def says(*answers: bytes) -> Script:
    """Answer each request of a connection with the next of ``answers``, then close."""

    async def script(visit: Visit) -> None:
        for answer in answers:
            await visit.request()
            await visit.send(answer)

    return script


async def answers_all(visit: Visit) -> None:
    """Answer every request with OK for as long as the connection lasts."""
    while True:
        await visit.request()
        await visit.send(OK)


@asynccontextmanager
async def client(
    mapping: Mapping[str, str] | None = None,
    *,
    handlers: Mapping[str, Handler] | None = None,
    **options: Any,
) -> AsyncIterator[OriginClient]:
    """An origin client with ``mapping`` in force."""
    destinations = Destinations(mapping or {}, handlers=handlers or {}, **options)
    made = OriginClient(destinations, Clock(), chance=Chance(7))
    try:
        yield made
    finally:
        await made.close()


def custom_origin(**changes: Any) -> Origin:
    """``web``, a custom origin at www.example.com; settings of its config may be changed too."""
    fields = {name for name in CustomOrigin.__dataclass_fields__ if name in changes}
    config = replace(CustomOrigin(), **{name: changes.pop(name) for name in fields})
    return replace(Origin("web", "www.example.com", config), **changes)
