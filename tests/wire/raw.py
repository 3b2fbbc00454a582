"""A viewer that says exactly the bytes a test gives it, and a door for it to knock at."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Response
from edgeproxy.server.listener import Listener

__all__ = ["Answer", "Raw", "connect", "door", "refuse"]

PATIENCE_S = 20.0

over_http2: list[tuple[ssl.SSLContext, ssl.SSLContext]] = []
"""A server's and a client's context while tests are run over HTTP/2; else empty."""


@dataclass(slots=True)
class Answer:
    """One response as it stood on the wire."""

    status: int
    reason: str
    lines: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        found = [value for each, value in self.lines if each.lower() == name.lower()]
        return ", ".join(found) if found else None


class Raw:
    """One connection. Every wait gives up after twenty seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)
        async with asyncio.timeout(PATIENCE_S):
            await self.writer.drain()

    async def head(self) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        _, status, reason = first.split(" ", 2)
        pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        return Answer(int(status), reason, pairs)

    async def answer(self, method: str = "GET") -> Answer:
        """The next response, with its body read as its framing says."""
        answer = await self.head()
        async with asyncio.timeout(PATIENCE_S):
            if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
                return answer
            if answer.header("Transfer-Encoding") == "chunked":
                while size := int(await self.reader.readline(), 16):
                    answer.chunks.append(await self.reader.readexactly(size))
                    assert await self.reader.readexactly(2) == b"\r\n"
                assert await self.reader.readexactly(2) == b"\r\n"
                answer.body = b"".join(answer.chunks)
            elif (length := answer.header("Content-Length")) is not None:
                answer.body = await self.reader.readexactly(int(length))
            else:
                answer.body = await self.reader.read()
        return answer

    async def ask(self, data: bytes | str, method: str = "GET") -> Answer:
        await self.send(data)
        return await self.answer(method)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def silent(self) -> bool:
        """Whether nothing comes for a twentieth of a second."""
        try:
            async with asyncio.timeout(0.05):
                await self.reader.readexactly(1)
        except TimeoutError:
            return True
        return False

    def reset_at_the_end(self) -> None:
        """Leave without a goodbye: the other side sees a reset instead of an end."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(count)

    async def closed(self) -> bool:
        """Whether the other side has nothing more to say and closes."""
        return await self.rest() == b""


def refuse(status: int, reason: str, detail: str) -> Response:
    return Response(status, Headers([("X-Refused", "yes")]), BytesBody(detail.encode()), reason)


@asynccontextmanager
async def connect(
    listener: Listener, tls: ssl.SSLContext | None = None, ip: str = "127.0.0.1"
) -> AsyncIterator[Raw]:
    if over_http2:
        from tests.wire.translated import translated

        async with translated(listener, over_http2[0]) as viewer:
            yield viewer  # type: ignore[misc]
        return
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        listener.port,
        ssl=tls,
        server_hostname="localhost" if tls else None,
        local_addr=(ip, 0),
    )
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def door(handler: Handler, **options: Any) -> AsyncIterator[Listener]:
    """A listener on a free port, stopped without grace at the end."""
    options = {"host": "127.0.0.1", "port": 0, "refuse": refuse, **options}
    if over_http2:
        options["ssl_context"] = over_http2[0][0]
    listener = Listener(handler, **options)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(0)
