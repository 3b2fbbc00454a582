"""One viewer's connection as far as bytes and time go; :mod:`edgeproxy.server.http1` answers.

aiohttp parses and buffers. Its rules:

- A connection is cut when its deadline passes; nothing waits for a viewer without one. While a
  handler works there is none: how long a handler may take is not the listener's to say.
- Bytes that cannot be understood end the connection after an error page, and nothing that
  follows them is looked at (CDN-REQ-03).
- The end of a connection lingers: our half is closed first and what still comes in is thrown
  away, since closing on unread bytes would destroy an answer that is under way.
"""

import asyncio
import math
import re
from dataclasses import replace
from typing import Final

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import _ErrInfo

from edgeproxy.http.messages import Asked, Continued, Repeat, Repeated, Viewer
from edgeproxy.server.hits import Hits
from edgeproxy.server.limits import Limits
from edgeproxy.server.reading import Refused, connected_viewer, head_too_long
from edgeproxy.server.websocket import FromViewer
from edgeproxy.server.writing import ONE_WRITE_BYTES, reset

__all__ = ["Connection"]

_READ_BYTES = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BEYOND_ASCII: Final = re.compile(rb"([A-Z]+ )([!-~]*[\x80-\xff][!-\xff]*)(?= HTTP/1\.[01]\r\n)")
_TO_ASCII: Final = bytes(range(128)) + b"x" * 128


class Connection(web.RequestHandler):
    """Bytes in and out of one viewer's connection, each wait with its limit."""

    __slots__ = (
        "_armed_for",
        "_asked_with",
        "_at_work",
        "_awaited",
        "_body",
        "_continue_due",
        "_continued",
        "_deadline",
        "_deaf",
        "_done",
        "_end_of_life",
        "_head",
        "_head_bytes",
        "_held",
        "_hits",
        "_last",
        "_limits",
        "_measures_heads",
        "_sender",
        "_sent",
        "_served",
        "_target",
        "_timer",
        "_undelivered",
        "_unsent",
        "_viewer",
    )

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=0,  # The deadline below stands in for aiohttp's timer.
            access_log=None,  # type: ignore[arg-type]
            max_line_size=limits.max_url_bytes,
            max_field_size=limits.max_field_bytes,
            max_headers=limits.max_head_bytes,
            read_bufsize=_READ_BYTES,
            auto_decompress=False,
        )
        self._limits = limits
        self._body: StreamReader = EMPTY_PAYLOAD
        self._sender = ""
        self._hits: Hits | None = None
        """What can be answered at once; None at a door where nothing can."""
        self._at_work = False
        self._head = b""
        """Of the request that comes next, when it came by itself and in one piece."""
        self._asked_with = b""
        """The same of the request that is being answered."""
        self._awaited: Asked | None = None
        """A request that somebody else works on; nothing is read meanwhile."""
        self._continued: Continued | None = None
        """What has come of it, if the handler is to go on."""
        self._undelivered: tuple[Repeated, int] | None = None
        """An answer that waits for the viewer to read, and its size."""
        self._head_bytes = 0
        self._measures_heads = False
        self._held = b""
        self._deaf = False
        self._last = False
        self._done = False
        self._end_of_life = loop.time() + limits.lifetime_s
        self._continue_due = False
        self._sent = 0
        self._served = False
        self._target = ""
        self._unsent = 0
        self._deadline = math.inf
        self._armed_for = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._viewer = Viewer("")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._viewer = connected_viewer(transport)
        self._allow(self._limits.head_timeout_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._settle(aborted=True)
        if self._continued is not None:
            self._continued.abandoned()
        lost = ConnectionResetError("the viewer has left")
        if not self._body.is_eof():
            self._body.set_exception(lost)
        if isinstance(self._payload_parser, FromViewer):
            self._payload_parser.lost(lost)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The viewer closed its half: it has left, unless a tunnel may still speak to it."""
        if not isinstance(self._payload_parser, FromViewer):
            return False
        self._payload_parser.feed_eof()
        return not self._viewer.tls_protocol  # TLS has no half-closed state.

    def retire(self) -> None:
        """Finish the request under way, then close; close at once when there is none."""
        self._last = True
        idle = self._waiter is not None and not self._waiter.done() and self._awaited is None
        if (idle or self._done) and self.transport is not None:
            self.transport.close()

    def cut(self) -> None:
        """Close without waiting for anybody."""
        if self.transport is not None:
            self.transport.abort()

    def _allow(self, seconds: float) -> None:
        """From now on the viewer has ``seconds``; arms the timer only if it would ring too late."""
        self._deadline = self._loop.time() + seconds
        if self._deadline < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._arm()

    def _arm(self) -> None:
        self._armed_for = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._armed_for = math.inf
        if self._deadline == math.inf or self.transport is None:
            return
        if self._deadline > self._loop.time():
            self._arm()
            return
        idle = self._waiter is not None and not self._waiter.done()
        if self._limits.tells_of_waiting and idle and self._head_bytes:
            self._give_up(Refused(408, "the request did not come in time"))
            return
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:
            self._unsent = unsent  # The viewer takes bytes, however slowly.
            self._allow(self._limits.write_stall_s)
            return
        self.transport.abort()

    # --- bytes in ----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Feed the parser head by head, so that what follows a good request cannot spoil it."""
        if self._hits is not None and self._is_idle() and not (data := self._answered(data)):
            return
        if self._awaited is not None:
            self._held += data
            if self.transport is not None:
                self.transport.pause_reading()
            return
        if self._held:
            data, self._held = self._held + data, b""
        start = 0
        while not self._deaf and self._between_messages():
            if len(self._messages) >= self._max_msg_queue_size:
                self._held = data[start:]  # aiohttp has paused the viewer, and calls again.
                return
            end = data.find(b"\r\n\r\n", start) + 4
            if not 4 <= end < len(data):
                break
            self._feed(data[start:end])
            start = end
        if not self._deaf:
            self._feed(data[start:] if start else data)

    def _is_idle(self) -> bool:
        """Whether no request is being answered, and nothing of one has come."""
        return not (self._at_work or self._messages or self._head_bytes or self._held) and not (
            self._awaited or self._paused or self._upgraded or self._deaf or self._last
        )

    def _answered(self, data: bytes) -> bytes:
        """``data`` without the requests at its beginning that can be answered at once."""
        start = 0
        while (end := data.find(b"\r\n\r\n", start) + 4) >= 4:
            head = data if end - start == len(data) else data[start:end]
            if not self._repeat(head):
                self._head = head if end == len(data) else b""
                break
            start = end
            if self._paused or self._awaited is not None or self._messages:
                break
        return data[start:] if start else data

    def _repeat(self, head: bytes) -> bool:
        """Answer the request with this head as one before it, if that is known."""
        transport, hits = self.transport, self._hits
        if hits is None or transport is None or transport.is_closing():
            return False
        repeat = hits.find(head, self._sender)
        if repeat is None:
            return False
        asked = self._asked(head)
        answer = repeat.answer(asked)
        if answer is None:
            return self._begin(repeat, asked)
        self._take_viewer()
        self._send(transport, answer)
        return True

    def _send(self, transport: asyncio.Transport, answer: Repeated) -> None:
        head, body = answer.head, answer.body
        if len(body) <= ONE_WRITE_BYTES:
            transport.write(b"".join((head, body)))
        else:
            transport.write(head)
            transport.write(body)
        self._served = True
        size = len(head) + len(body)
        if transport.is_closing():
            answer.delivered(size, aborted=True)
        elif self._paused:
            self._undelivered = answer, size
            self._allow(self._limits.write_stall_s)
        else:
            answer.delivered(size)
            self._allow(self._limits.keep_alive_s)

    def _take_viewer(self) -> Viewer:
        """Who is at the other end; the next request reuses the connection."""
        viewer = self._viewer
        if viewer.tls_protocol and viewer.tls_handshake != "connectionReused":
            self._viewer = replace(viewer, tls_handshake="connectionReused")
        return viewer

    def _asked(self, head: bytes) -> Asked:
        """The request with this head, to be read when somebody wants it."""
        raise NotImplementedError

    def _begin(self, repeat: Repeat, asked: Asked) -> bool:
        """Have the request worked on; False: nobody does."""
        raise NotImplementedError

    def resume_writing(self) -> None:
        super().resume_writing()
        self._settle(aborted=False)
        if not (self._at_work or self._messages):
            self._allow(self._limits.keep_alive_s)

    def forget(self) -> None:
        """What is being answered now is not to be repeated."""
        self._head = self._asked_with = b""

    def _settle(self, *, aborted: bool) -> None:
        """Tell how an answer has ended for which the viewer was too slow."""
        if self._undelivered is not None:
            (answer, size), self._undelivered = self._undelivered, None
            answer.delivered(size, aborted=aborted)

    def _between_messages(self) -> bool:
        """Whether the next byte begins or continues a head."""
        return self._body.is_eof() and not self._upgraded

    def _feed(self, data: bytes) -> None:
        # Where heads begin is known as long as nothing else comes between them. The first time
        # it is not, or one looks too long, this connection's heads are measured one by one.
        between = self._between_messages()
        if not between or self._head_bytes + len(data) > self._limits.max_head_bytes:
            self._measures_heads = True
        seen = self._request_count
        super().data_received(self._in_ascii(data) if between and not self._head_bytes else data)
        if self._request_count != seen:
            self._head_bytes = 0
            message, payload = self._messages[-1]
            if self._target and not isinstance(message, _ErrInfo):
                message = message._replace(path=self._target)
                self._messages[-1] = message, payload
            self._target = ""
            if isinstance(message, _ErrInfo):
                self._deaf = True
                if not self._body.is_eof():
                    self._body.set_exception(
                        ConnectionAbortedError("the viewer's request body is malformed")
                    )
            else:
                self._body = payload
        elif between and data:
            if self._served and self._waiter is not None and not self._head_bytes:
                self._allow(self._limits.head_timeout_s)
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.max_head_bytes:
                self._give_up(head_too_long(self._limits))

    def _in_ascii(self, head: bytes) -> bytes:
        """``head`` for the parser, which takes no other bytes in a target (LE-URI-08).

        The target itself is kept until the parser has made a message of the head. A request line
        that comes in pieces is left to the parser, which refuses it.
        """
        if head.isascii() or (line := _BEYOND_ASCII.match(head)) is None:
            return head
        self._target = line[2].decode("utf-8", "surrogateescape")
        return line[1] + line[2].translate(_TO_ASCII) + head[line.end() :]

    def _give_up(self, refused: Refused) -> None:
        self._deaf = True
        self._messages.append((_ErrInfo(refused.status, refused, refused.detail), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def expect_body(self) -> None:
        """Somebody wants the request body: say so to a viewer that waits for it (CDN-REQ-09)."""
        if self._continue_due:
            self._continue_due = False
            if self.transport is not None:
                self.transport.write(_CONTINUE)

    @property
    def read_stall_s(self) -> float:
        return self._limits.read_stall_s

    def has_left(self) -> bool:
        """Whether the viewer is gone, or is being let go."""
        return self.transport is None or self.transport.is_closing()

    # --- bytes out ---------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the viewer has left")
        self._sent += len(data)
        transport.write(data)

    async def drained(self) -> None:
        if not self._paused:
            return
        self._allow(self._limits.write_stall_s)
        try:
            await self._drain_helper()
        finally:
            self._deadline = math.inf

    # --- the end -----------------------------------------------------------------------------

    def _break_off(self, *, end_is_framing: bool) -> None:
        """End a response so that the viewer sees it is not whole."""
        if self.transport is None:
            return
        if end_is_framing:
            reset(self.transport)  # An orderly end would be the end of the body.
        else:
            self.transport.close()
            self._allow(self._limits.linger_s)

    def _close_gently(self) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self._deaf = self._done = True
        if transport.can_write_eof() and not self._last:
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()
        self._allow(self._limits.linger_s)
