"""Requests of one connection, in order, one at a time, each answered by the handler.

This replaces aiohttp's own loop, which would answer with its own kind of response. A handler is
not cancelled when its viewer leaves: the request says so when asked (CDN-VAL-22), its answer has
nowhere to go then, and ``on_delivered`` says so too.
"""

import asyncio
import dataclasses
import logging
import math
from typing import TYPE_CHECKING

from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import _ErrInfo

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import (
    Asked,
    Continued,
    Delivered,
    Repeat,
    Repeated,
    Request,
    Response,
    Tunnel,
    Viewer,
    reason_phrase,
)
from edgeproxy.server.connection import Connection
from edgeproxy.server.hits import PlainRequest
from edgeproxy.server.reading import (
    BodyStopped,
    Refused,
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
    may_switch,
    write_body,
)

if TYPE_CHECKING:
    from edgeproxy.server.door import Door

__all__ = ["ViewerConnection"]

_log = logging.getLogger("edgeproxy")


class ViewerConnection(Connection):
    """A connection of a :class:`Door`."""

    __slots__ = ("_door",)

    def __init__(self, door: "Door", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop, door.limits)
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._door.opened(self)
        if self._door.admit is not None:
            tls = transport.get_extra_info("ssl_object")
            admitted = self._door.admit(tls, self._viewer)
            if admitted is None:
                self._deaf = True
                self.cut()
            else:
                self._viewer = admitted
        if self._limits.lifetime_s == math.inf and self._viewer.mutual_tls is None:
            self._hits = self._door.hits
            self._sender = f"{self._viewer.scheme} {self._viewer.ip}"

    def connection_lost(self, exc: BaseException | None) -> None:
        self._door.closed(self)
        super().connection_lost(exc)

    async def start(self) -> None:
        """Answer requests until the connection is done; aiohttp runs this as a task."""
        if (task := asyncio.current_task()) is not None:
            self._door.runs(task)
        try:
            while not self._last and await self._serve_next():
                pass
        except Exception:  # noqa: BLE001 - one connection's trouble stays its own
            _log.exception("a connection failed")
        finally:
            self._close_gently()

    async def _serve_next(self) -> bool:
        message, payload = await self._next()
        self._door.in_flight += 1
        try:
            if isinstance(message, _ErrInfo):
                raise refusal(message.exc, self._limits)
            if self._measures_heads and head_size(message) > self._limits.max_head_bytes:
                raise head_too_long(self._limits)
            request = read_request(message, payload, self, self._who)
            return await self._serve(message, payload, request)
        except Refused as refused:
            await self._refuse(refused)
            return False
        finally:
            self._door.in_flight -= 1

    async def _next(self) -> tuple[RawRequestMessage | _ErrInfo, StreamReader]:
        self._at_work = False
        if self._upgraded and not self._messages:
            self._decline_upgrade()
        if not self._messages:
            limits = self._limits
            if self._served:
                self._allow(limits.head_timeout_s if self._head_bytes else limits.keep_alive_s)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._deadline = math.inf
        self._served = self._at_work = True
        self._asked_with, self._head = self._head, b""
        message, payload = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        return message, payload

    async def _serve(
        self, message: RawRequestMessage, payload: StreamReader, request: Request
    ) -> bool:
        self._continue_due = (
            not payload.is_eof()
            and request.version == "1.1"
            and request.headers.get("Expect").lower() == "100-continue"
        )
        response = await self._answer(request, payload)
        if response is None:
            return False
        if not may_switch(request, response):
            _log.error("%s %s: 101 needs an upgrade and a tunnel", request.method, request.path)
            response = await self._instead_of(response, "the answer cannot be sent")
        # A body that is still on its way belongs to nobody now; the connection ends with it.
        is_last = message.should_close or self._last or self._loop.time() > self._end_of_life
        keep_alive = payload.is_eof() and not is_last
        try:
            framed = frame_answer(response, request, keep_alive)
        except IllegalHead as error:
            _log.error("%s %s: %s", request.method, request.path, error)
            response = await self._instead_of(response, str(error))
            framed = frame_answer(response, request, keep_alive)
        goes_on = await self._deliver(response, framed, payload)
        if goes_on and response.repeat is not None and self._hits is not None and self._asked_with:
            self._hits.learn(self._asked_with, response.repeat, self._sender)
        return goes_on

    def _asked(self, head: bytes) -> PlainRequest:
        return PlainRequest(head, self._viewer, self._door.viewer)

    def _begin(self, repeat: Repeat, asked: Asked) -> bool:
        self._awaited, self._asked_with = asked, asked.head
        self._door.in_flight += 1
        if not repeat.begin(asked, self):
            self._awaited = None
            self._door.in_flight -= 1
            return False
        self._take_viewer()
        if self._awaited is not None:
            self._deadline = math.inf
        return True

    def repeated(self, answer: Repeated) -> None:
        """The answer to the request that is waited for."""
        self._awaited = None
        self._door.in_flight -= 1
        transport = self.transport
        if transport is None or transport.is_closing():
            answer.delivered(0, aborted=True)
            return
        self._send(transport, answer)
        if self._last:
            self.retire()
        else:
            self._read_on(transport)

    def continued(self, continued: Continued) -> None:
        """The handler is to answer it, and does so with the next turn of the loop."""
        asked, self._awaited = self._awaited, None
        self._door.in_flight -= 1
        transport = self.transport
        if transport is None or transport.is_closing() or asked is None:
            continued.abandoned()
            return
        self._continued = continued
        self._head = self._asked_with
        self._feed(asked.head)
        self._read_on(transport)

    def _read_on(self, transport: asyncio.Transport) -> None:
        if self._held:
            data, self._held = self._held, b""
            transport.resume_reading()
            self.data_received(data)

    async def _answer(self, request: Request, payload: StreamReader) -> Response | None:
        """What the handler says, or an error page in its place; None for a viewer who has left."""
        try:
            continued, self._continued = self._continued, None
            if continued is not None:
                return await continued.handler(request)
            return await self._door.handler(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the viewer gets an answer
            if self.transport is None and isinstance(error, ConnectionError):
                return None
            if isinstance(broken := payload.exception(), ConnectionError):
                waited = self._limits.tells_of_waiting and isinstance(broken, BodyStopped)
                status = 408 if waited else 400
                return self._door.refuse(status, reason_phrase(status), str(broken))
            _log.exception("%s %s failed", request.method, request.path)
        return self._door.refuse(500, reason_phrase(500), "the handler failed")

    async def _instead_of(self, response: Response, detail: str) -> Response:
        """An error page for an answer that cannot be sent; the edge still hears of its delivery."""
        await response.body.close()
        if response.tunnel is not None:
            await response.tunnel.close()
        page = self._door.refuse(500, reason_phrase(500), detail)
        return dataclasses.replace(page, on_delivered=response.on_delivered)

    async def _refuse(self, refused: Refused) -> None:
        _log.debug("refused a request with %d: %s", refused.status, refused.detail)
        self._deaf = True
        reason = reason_phrase(refused.status)
        response = self._door.refuse(refused.status, reason, refused.detail)
        framed = frame(response, method="", version="1.0", keep_alive=False)
        await self._deliver(response, framed)

    async def _deliver(
        self, response: Response, framed: Framed, payload: StreamReader = EMPTY_PAYLOAD
    ) -> bool:
        """Write it, and tell the edge how that ended. True when the connection may go on."""
        self._sent = 0
        self._continue_due = False
        complete = broken = False
        tunnel = response.tunnel
        incoming = FromViewer(self, self._loop) if tunnel is not None else None
        try:
            if tunnel is None or incoming is None:
                await write_body(self, framed, response.body)
            else:
                await self._switch(framed.head, tunnel, incoming)
            complete = True
        except Exception:  # noqa: BLE001 - whatever broke the body, the viewer must see it broken
            _log.debug("a response broke off", exc_info=True)
            broken = not self.has_left()
            self._break_off(end_is_framing=framed.framing is Framing.CLOSE)
        finally:
            try:
                await response.body.close()
            finally:
                if response.on_delivered is not None:
                    received = payload.total_bytes if incoming is None else incoming.passed
                    response.on_delivered(Delivered(self._sent, not complete, broken, received))
        return complete and framed.keep_alive

    async def _switch(self, head: bytes, tunnel: Tunnel, incoming: FromViewer) -> None:
        try:
            self.write(head)
            self.set_parser(incoming)  # type: ignore[arg-type]
            await relay(self, incoming, tunnel, self._limits)
        finally:
            await tunnel.close()

    def _decline_upgrade(self) -> None:
        """The handshake was answered like any request: what followed it is HTTP after all."""
        self._upgraded = False
        if self._parser is not None:
            self._parser.set_upgraded(False)
        tail, self._message_tail = self._message_tail, b""
        if tail:
            self.data_received(tail)
        if self._buffer_paused:
            self._resume_reading_if_drained()

    def _who(self, headers: Headers) -> Viewer:
        return told_viewer(self._take_viewer(), self._door.viewer, headers)
