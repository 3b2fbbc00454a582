"""One request of an HTTP/2 connection and its answer, each at the pace of whoever reads it.

What a request's body may still send is told to the viewer as the body is read: an origin that is
slow to take an upload holds back that stream and no other. An answer waits for the viewer's
windows, and for what the transport can take.

A viewer who resets a stream has left it. As over HTTP/1.1 its handler is not cancelled: the request
says so when asked (CDN-VAL-22), and the answer's ``on_delivered`` does.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from h2.errors import ErrorCodes

from edgeproxy.http.body import Body, BytesBody, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Rerun, Response
from edgeproxy.server.answering import ask, instead_of, page
from edgeproxy.server.http2_reading import Malformed, read_request
from edgeproxy.server.http2_writing import fields_of, has_no_body, trailers_of
from edgeproxy.server.reading import BodyStopped, Refused
from edgeproxy.server.writing import BodyMismatch, IllegalHead, let_go

if TYPE_CHECKING:
    from edgeproxy.server.http2 import Http2Connection

__all__ = ["Stream"]

_log = logging.getLogger("edgeproxy")

_CONTINUE: Final = [(b":status", b"100")]


class Stream:
    """A stream that a viewer has opened with the header list ``fields``."""

    __slots__ = (
        "_body_error",
        "_chunks",
        "_connection",
        "_continue_due",
        "_has_body",
        "_has_ended",
        "_received",
        "_sent",
        "_unread",
        "_waiting",
        "_when_gone",
        "block",
        "changes",
        "fields",
        "has_left",
        "id",
    )

    def __init__(
        self,
        connection: "Http2Connection",
        stream_id: int,
        fields: list[tuple[bytes, bytes]],
        *,
        has_ended: bool,
    ) -> None:
        self._connection = connection
        self.id = stream_id
        self.fields = fields
        self.block = b""
        """The request's header block, if it may come again, and what it was read by."""
        self.changes = 0
        self._has_body = not has_ended
        self._has_ended = has_ended
        self.has_left = False
        """Whether the viewer wants no answer any more."""
        self._body_error: ConnectionError | None = None
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        """Bytes, padding among them, for which the viewer has not got its window back."""
        self._received = 0
        self._sent = 0
        self._continue_due = False
        self._waiting: list[asyncio.Future[None]] = []
        """Who reads the request's body, and who writes the answer."""
        self._when_gone: Callable[[], object] | None = None

    # --- what the viewer does ----------------------------------------------------------------

    def feed(self, data: bytes, size: int) -> None:
        """A part of the body, which took ``size`` bytes of the windows."""
        self._received += len(data)
        self._unread += size
        self._chunks.append(data)
        self.wake()

    def end(self) -> None:
        """The request is whole."""
        self._has_ended = True
        self.wake()

    def leave(self) -> None:
        """The viewer has reset the stream, or is gone altogether."""
        self.has_left = True
        if not self._has_ended and self._body_error is None:
            self._body_error = ConnectionResetError("the viewer has left")
        self.wake()
        if self._when_gone is not None:
            self._when_gone()

    def _tell_when_gone(self, told: Callable[[], object] | None) -> None:
        self._when_gone = told

    def wake(self) -> None:
        """Something has changed for which somebody may wait."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def changed(self) -> None:
        """Wait until something has."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    # --- the request -------------------------------------------------------------------------

    async def serve(self) -> None:
        """Answer the request."""
        connection = self._connection
        door = connection.door
        method = next((value for name, value in self.fields if name == b":method"), b"")
        request: Request | None = None
        try:
            source = self._body if self._has_body else None
            request = read_request(
                self.fields, door.limits, connection.who, source, lambda: self.has_left
            )
        except Malformed as malformed:
            _log.debug("reset a stream: %s", malformed)
            connection.reset(self.id, ErrorCodes.PROTOCOL_ERROR)
            return
        except Refused as refused:
            _log.debug("refused a request with %d: %s", refused.status, refused.detail)
            response: Response | None = page(door, refused.status, refused.detail)
        else:
            self._continue_due = (
                not self._has_ended and request.headers.get("Expect").lower() == "100-continue"
            )
            response = await ask(
                door, request, has_left=lambda: self.has_left, broken=lambda: self._body_error
            )
        if response is None:
            return
        fields: list[tuple[bytes, bytes]] = []
        try:
            if response.tunnel is not None or response.status < 200:
                raise IllegalHead("HTTP/2 has no upgrade")
            fields = fields_of(response, method.decode("ascii", "replace"))
        except IllegalHead as error:
            assert request is not None
            response = await instead_of(door, request, response, str(error))
            fields = fields_of(response, request.method)
        await self._deliver(response, fields, method == b"HEAD")

    def _body(self, length: int | None) -> StreamBody:
        return StreamBody(self._body_chunks(), length)

    async def _body_chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes in. Raises ``ConnectionError`` when it breaks off."""
        if self._continue_due and not self.has_left:
            self._continue_due = False
            self._sent += self._connection.send_head(self.id, _CONTINUE, is_last=False)
        while True:
            if self._chunks:
                data = b"".join(self._chunks)
                self._chunks.clear()
                self._give_back()
                if data:
                    yield data
            elif self._body_error is not None:
                raise self._body_error
            elif self._has_ended:
                return
            else:
                try:
                    async with asyncio.timeout(self._connection.door.limits.read_stall_s):
                        await self.changed()
                except TimeoutError as error:
                    self._body_error = BodyStopped("the viewer stopped sending its request body")
                    raise self._body_error from error

    def _give_back(self) -> None:
        unread, self._unread = self._unread, 0
        if unread:
            self._connection.give_back(self.id, unread)

    # --- the answer --------------------------------------------------------------------------

    async def _deliver(
        self, response: Response, fields: list[tuple[bytes, bytes]], is_head: bool
    ) -> None:
        """Write it, and tell the edge how that ended."""
        self._continue_due = False
        complete = broken = False
        try:
            await self._write(response, fields, is_head)
            complete = True
        except Exception:  # noqa: BLE001 - whatever broke the body, the viewer must see it broken
            _log.debug("a response broke off", exc_info=True)
            broken = not self.has_left
            if broken:
                self._connection.reset(self.id, ErrorCodes.INTERNAL_ERROR)
        finally:
            try:
                await response.body.close()
            finally:
                if response.on_delivered is not None:
                    response.on_delivered(
                        Delivered(self._sent, not complete, broken, self._received)
                    )
        if complete and response.repeat is not None and not isinstance(response.repeat, Rerun):
            self._connection.learn(self, response.repeat)
        if complete and not self._has_ended and not self.has_left:
            # The rest of the request is nobody's any more (RFC 9113, 8.1).
            self._connection.reset(self.id, ErrorCodes.NO_ERROR)

    async def _write(
        self, response: Response, fields: list[tuple[bytes, bytes]], is_head: bool
    ) -> None:
        if self.has_left:
            raise ConnectionResetError("the viewer has left")
        body = response.body
        is_last = has_no_body(response, "HEAD" if is_head else "") or body.length == 0
        self._sent += self._connection.send_head(self.id, fields, is_last=is_last)
        if is_last:
            await self._connection.room_to_write(self)
        elif isinstance(body, BytesBody):
            await self._write_bytes(body.data, is_last=True)
        else:
            with let_go(lambda: self.has_left, self._tell_when_gone):
                await self._write_stream(body, response.trailers)

    async def _write_stream(self, body: Body, trailers: Callable[[], Headers] | None) -> None:
        left = body.length
        async with aclosing(aiter(body)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                if left is not None:
                    left -= len(chunk)
                    if left < 0:
                        raise BodyMismatch("the body is longer than its length")
                await self._write_bytes(chunk, is_last=left == 0 and trailers is None)
        if left:
            raise BodyMismatch(f"the body ended {left} bytes before its length")
        last = trailers_of(trailers()) if trailers is not None else []
        if last:
            self._sent += self._connection.send_head(self.id, last, is_last=True)
        elif left is None or trailers is not None:
            self._sent += self._connection.send_end(self.id)

    async def _write_bytes(self, data: bytes, *, is_last: bool) -> None:
        """As the windows allow; nobody writes for long while others wait."""
        start = 0
        while start < len(data):
            room = await self._connection.room(self)
            end = min(start + room, len(data))
            part = data[start:end] if room < len(data) else data
            ends = is_last and end == len(data)
            self._sent += self._connection.send_data(self.id, part, is_last=ends)
            start = end
        await self._connection.room_to_write(self)

    def gone(self) -> None:
        """The stream is over: what came for it and was not read is nobody's."""
        if not self._has_ended and self._body_error is None:
            self._body_error = ConnectionResetError("the answer was there before the request")
            self.wake()
        self._chunks.clear()
        self._give_back()
