"""A door on aiohttp's public interface alone, for an aiohttp that is not the one built on.

Answers are, byte for byte, those of :mod:`edgeproxy.server.http1`. What differs:

- Every request goes to the handler; nothing is answered in its place.
- Reading is aiohttp's. Bytes that it cannot understand take the requests with them that came in
  the same read, and a target with bytes beyond ASCII is among them. With its parser in C a body
  that is malformed is one that stops coming.
- A head that does not end is cut without an answer, whether too long or too slow.
"""

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpProcessingError, RawRequestMessage
from aiohttp.streams import StreamReader

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Handler, Request, Response, Viewer
from edgeproxy.server.answering import ask, instead_of, page
from edgeproxy.server.limits import Limits
from edgeproxy.server.open_connections import OpenConnections
from edgeproxy.server.plain_connection import PlainConnection
from edgeproxy.server.reading import (
    Refused,
    ViewerFrom,
    head_size,
    head_too_long,
    read_request,
    refusal,
    told_viewer,
)
from edgeproxy.server.websocket import FromViewer, relay
from edgeproxy.server.writing import (
    Framed,
    Framing,
    IllegalHead,
    frame,
    frame_answer,
    reset,
    write_body,
)

if TYPE_CHECKING:
    from edgeproxy.server.listener import Admit, Refuse

__all__ = ["PlainDoor", "what_is_lost"]

_log = logging.getLogger("edgeproxy")


def what_is_lost(missing: tuple[str, ...]) -> str:
    """What the user is told when viewers are served here, since ``missing`` is not in aiohttp."""
    return (
        f"aiohttp {aiohttp.__version__} has no {', '.join(missing)}: viewers are served through "
        "its public interface alone\n"
        "answers stay the same, but a hit costs many times as much; a URL with bytes beyond "
        "ASCII is refused, as are requests in one piece with a malformed one; a head that does "
        "not end is cut without a page\n"
        "remedy: install the aiohttp that edgeproxy asks for, from a wheel, and leave "
        "AIOHTTP_NO_EXTENSIONS unset"
    )


class PlainDoor(OpenConnections):
    """What the connections of one listener share; makes a connection when called."""

    def __init__(
        self,
        handler: Handler,
        refuse: "Refuse",
        viewer: ViewerFrom | None,
        limits: Limits,
        admit: "Admit | None",
    ) -> None:
        super().__init__()
        self.handler = handler
        self.refuse = refuse
        self.viewer = viewer
        self.limits = limits
        self.admit = admit
        self.in_flight = 0
        self.closing = False
        self._server = web.Server(_serve)

    def __call__(self) -> "PlainViewerConnection":
        return PlainViewerConnection(self, self._server)

    async def close(self, grace_s: float) -> None:
        self.closing = True
        await super().close(grace_s)


class PlainViewerConnection(PlainConnection):
    """A connection of a :class:`PlainDoor`."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The edge's page where aiohttp has one of its own for bytes that are no request."""
        if isinstance(exc, HttpProcessingError):
            return _Answered(self, refusal(exc, self.limits))
        return super().handle_error(request, status, exc, message)

    async def serve(self, asked: web.BaseRequest) -> bool:
        """Answer a request. True when the connection may go on."""
        self.at_work = True
        self.door.in_flight += 1
        self.head_bytes = 0
        self.out = asked.writer
        self.allow_any_time()
        try:
            message = _message(asked)
            if head_size(message) > self.limits.max_head_bytes:
                raise head_too_long(self.limits)
            request = read_request(message, asked.content, self, self.who)
            return await self.answer(message, asked.content, request)
        except Refused as refused:
            await self.turn_away(refused)
            return False
        finally:
            self.door.in_flight -= 1
            self.at_work = False

    def who(self, headers: Headers) -> Viewer:
        """Who is at the other end; the next request reuses the connection."""
        viewer = self.viewer
        if viewer.tls_protocol and viewer.tls_handshake != "connectionReused":
            self.viewer = dataclasses.replace(viewer, tls_handshake="connectionReused")
        return told_viewer(viewer, self.door.viewer, headers)

    # --- answers -----------------------------------------------------------------------------

    async def answer(
        self, message: RawRequestMessage, payload: StreamReader, request: Request
    ) -> bool:
        """Have the handler answer, and write it. True when the connection may go on."""
        self.continue_due = (
            not payload.is_eof()
            and request.version == "1.1"
            and request.headers.get("Expect").lower() == "100-continue"
        )
        response = await ask(self.door, request, has_left=self.is_gone, broken=payload.exception)
        if response is None:
            return False
        is_last = message.should_close or self.door.closing or self.has_lived_its_time()
        # aiohttp drops what comes in one piece with an upgrade to what it does not know.
        is_last = is_last or (message.upgrade and not request.upgrade)
        # A body that is still on its way belongs to nobody now; the connection ends with it.
        keep_alive = payload.is_eof() and not is_last
        try:
            framed = frame_answer(response, request, keep_alive)
        except IllegalHead as error:
            response = await instead_of(self.door, request, response, str(error))
            framed = frame_answer(response, request, keep_alive)
        return await self.deliver(response, framed, payload)

    def is_gone(self) -> bool:
        return self.transport is None

    async def turn_away(self, refused: Refused) -> None:
        """Tell a viewer that what it sent is no request."""
        _log.debug("refused a request with %d: %s", refused.status, refused.detail)
        response = page(self.door, refused.status, refused.detail)
        await self.deliver(response, frame(response, method="", version="1.0", keep_alive=False))

    async def deliver(
        self, response: Response, framed: Framed, payload: StreamReader | None = None
    ) -> bool:
        """Write it, and tell the edge how that ended. True when the connection may go on."""
        self.sent = 0
        self.continue_due = False
        complete = broken = False
        try:
            if response.tunnel is None:
                await write_body(self, framed, response.body)
            else:
                self.incoming = FromViewer(self, asyncio.get_running_loop())
                try:
                    self.write(framed.head)
                    self.set_parser(self.incoming)  # type: ignore[arg-type]
                    await relay(self, self.incoming, response.tunnel, self.limits)
                finally:
                    await response.tunnel.close()
            complete = True
        except Exception:  # noqa: BLE001 - whatever broke the body, the viewer must see it broken
            _log.debug("a response broke off", exc_info=True)
            broken = not self.has_left()
            if self.transport is not None:
                if framed.framing is Framing.CLOSE:
                    reset(self.transport)  # An orderly end would be the end of the body.
                else:
                    self.transport.close()
        finally:
            try:
                await response.body.close()
            finally:
                if response.on_delivered is not None:
                    received = 0 if payload is None else payload.total_bytes
                    if self.incoming is not None:
                        received = self.incoming.passed
                    response.on_delivered(Delivered(self.sent, not complete, broken, received))
        return complete and framed.keep_alive


class _Answered(web.StreamResponse):
    """Tells aiohttp how a request has ended, in place of a response that it would write."""

    def __init__(self, connection: PlainViewerConnection, ending: Refused | bool) -> None:
        """``ending``: whether the connection may go on, or with what it is still to be refused."""
        super().__init__()
        self.connection = connection
        self.ending = ending

    @property
    def keep_alive(self) -> bool:
        return self.ending is True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if isinstance(self.ending, Refused):
            self.connection.out = request.writer
            await self.connection.turn_away(self.ending)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        if self.ending is not True:
            await self.connection.linger()


async def _serve(asked: web.BaseRequest) -> web.StreamResponse:
    connection = asked.protocol
    assert isinstance(connection, PlainViewerConnection)
    if (task := asyncio.current_task()) is not None:
        connection.door.runs(task)
    return _Answered(connection, await connection.serve(asked))


def _message(asked: web.BaseRequest) -> RawRequestMessage:
    """What aiohttp has read."""
    connection = ",".join(asked.headers.getall("Connection", ())).lower().split(",")
    return RawRequestMessage(
        asked.method,
        asked.raw_path,
        asked.version,
        asked.headers,
        asked.raw_headers,
        should_close=not asked.keep_alive,
        compression=None,
        upgrade="upgrade" in map(str.strip, connection),
        chunked="Transfer-Encoding" in asked.headers,
        url=asked.rel_url,
    )
