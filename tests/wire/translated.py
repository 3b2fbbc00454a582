"""Requests as HTTP/1.1 spells them, put to a door over HTTP/2: both are to be served alike."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edgeproxy.http.messages import reason_phrase
from edgeproxy.server.listener import Listener
from tests.wire.http2 import Http2Viewer, http2
from tests.wire.raw import Answer

__all__ = ["Translated", "translated"]

_OF_THE_CONNECTION = {"connection", "transfer-encoding"}


class Translated:
    """In place of :class:`tests.wire.raw.Raw`; answers are taken in the order of the requests."""

    def __init__(self, viewer: Http2Viewer) -> None:
        self._viewer = viewer
        self._unsent = b""
        self._body_left = 0
        self._asked: list[int] = []
        self.reader = viewer.reader
        self.writer = viewer.writer

    async def send(self, data: bytes | str) -> None:
        self._unsent += data.encode("latin-1") if isinstance(data, str) else data
        while self._unsent:
            if self._body_left:
                part = self._unsent[: self._body_left]
                self._unsent = self._unsent[len(part) :]
                self._body_left -= len(part)
                await self._viewer.send(self._asked[-1], part, ends=not self._body_left)
                continue
            head, end, rest = self._unsent.partition(b"\r\n\r\n")
            if not end:
                return
            self._unsent = rest
            self._open(head.decode("latin-1"))

    def _open(self, head: str) -> None:
        line, *lines = head.split("\r\n")
        method, target, _ = line.split(" ")
        pairs = [
            (name.lower(), value) for name, _, value in (each.partition(": ") for each in lines)
        ]
        told = dict(pairs)
        self._body_left = int(told.get("content-length", "0"))
        fields = [
            (":method", method),
            (":scheme", "https"),
            (":authority", told["host"]),
            (":path", target),
            *(pair for pair in pairs if pair[0] not in {*_OF_THE_CONNECTION, "host"}),
        ]
        self._asked.append(self._viewer.open(fields, ends=not self._body_left))

    async def head(self) -> Answer:
        stream_id = self._asked[0]
        reply = self._viewer.replies[stream_id]
        await self._viewer.until(lambda: bool(reply.interim) or reply.status > 0 or reply.is_over)
        if reply.interim:
            return Answer(reply.interim.pop(), "", [])
        return Answer(reply.status, reason_phrase(reply.status), reply.lines)

    async def answer(self, method: str = "GET") -> Answer:
        stream_id = self._asked.pop(0)
        reply = self._viewer.replies[stream_id]
        await self._viewer.until(lambda: reply.is_over)
        return Answer(reply.status, reason_phrase(reply.status), reply.lines, reply.body)

    async def ask(self, data: bytes | str, method: str = "GET") -> Answer:
        await self.send(data)
        return await self.answer(method)

    async def silent(self) -> bool:
        """Whether nothing comes for a twentieth of a second."""
        reply = self._viewer.replies[self._asked[0]]
        try:
            async with asyncio.timeout(0.05):
                await self._viewer.until(lambda: bool(reply.interim) or reply.status > 0)
        except TimeoutError:
            return True
        return False

    async def closed(self) -> bool:
        return await self._viewer.closed()


@asynccontextmanager
async def translated(
    listener: Listener, pair: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Translated]:
    """A viewer over HTTP/2 who is talked to as one over HTTP/1.1."""
    async with http2(listener, pair[1]) as viewer:
        yield Translated(viewer)
