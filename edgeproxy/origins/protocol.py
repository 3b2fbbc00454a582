"""The bytes of one connection to an origin: aiohttp's parser and readers, and one timer.

One request at a time: :meth:`OriginProtocol.begin` writes it, :meth:`OriginProtocol.read` gives
its answers, the interim ones too. What is wrong with an answer is an exception of aiohttp's, in
``read`` or in the body; :mod:`edgeproxy.origins.connections` says what that means.

- A head is parsed by itself, and its bytes are counted up to the final one.
- The timer rings when the origin has said nothing for too long, and not while its reader is slow.
  It is moved seldom: ringing too early, it looks when it should have rung.
- Each request has a parser of its own for its answers. What a broken origin sends behind the last
  one is then never the beginning of the next. It is made when an answer is not of the plainest
  form (:mod:`edgeproxy.origins.plain`).
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser, RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from edgeproxy.distribution.quotas import MAX_HEAD_BYTES
from edgeproxy.origins.plain import PlainAnswer, plain_answer

__all__ = ["Answer", "HeadTooLarge", "OriginProtocol"]

Answer: TypeAlias = tuple[RawResponseMessage, StreamReader]

_READ_BUFFER_BYTES: Final = 2**16
_END_OF_HEAD: Final = b"\r\n\r\n"
_SHORTEST_LINE: Final = "a:\r\n"
_WITHOUT_BODY: Final = frozenset({204, 304})


class HeadTooLarge(HttpProcessingError):
    """The head went past its limit before it was complete."""


class OriginProtocol(BaseProtocol):
    """Bytes in and out of one connection; made by aiohttp's connector, which may close it too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.uses = 0
        self.head_bytes = 0
        self.silence_s = 0.0
        """How long the origin may say nothing."""
        self._in_head = False
        self._has_body = True
        self._is_sent = False
        self._is_last = False
        self._has_begun = False
        """Something of the answer has come."""
        self._plain: PlainAnswer | None = None
        self._answers: deque[Answer] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._payload: StreamReader | None = None
        self._tunnel: StreamReader | None = None
        self._tail = b""
        self._on_idle_end: Callable[[], None] | None = None
        self._on_answer: Callable[[PlainAnswer | None], None] | None = None
        self._is_lost = False
        self._closed: asyncio.Future[None] | None = None
        self._deadline = math.inf
        self._armed_for = math.inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether bytes may still be written."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def should_close(self) -> bool:
        """Whether no other request may follow: the connection is in no state that it could."""
        return (
            self._is_last
            or not self.is_open
            or self._upgraded
            or bool(self._answers)
            or self._plain is not None
            or self._failure is not None
            or (self._payload is not None and not self._payload.is_eof())
        )

    @property
    def closed(self) -> asyncio.Future[None] | None:
        """The end of the connection, None after it; the connector waits for it at its own end."""
        if self._closed is None and not self._is_lost:
            self._closed = self._loop.create_future()
        return self._closed

    # --- a request and its answer --------------------------------------------------------------

    def begin(self, data: bytes, *, has_body: bool, silence_s: float) -> None:
        """Write a request's head, and get ready for its answer (``has_body`` False for HEAD)."""
        self.uses += 1
        self.head_bytes = 0
        self.silence_s = silence_s
        self._in_head = True
        self._has_body = has_body
        self._is_sent = False
        self._has_begun = False
        self._payload = self._on_idle_end = self._parser = None
        self._deadline = math.inf
        if self.transport is not None:
            self.transport.write(data)

    async def send(self, data: bytes) -> None:
        """Write more of a request, at the origin's pace. Raises aiohttp's errors, ``OSError``."""
        if self.transport is None or self.transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection is closed")
        self.transport.write(data)
        if self._paused:
            await self._drain_helper()

    def expect_bytes(self) -> None:
        """The request is out: from now on the origin's silence counts."""
        self._is_sent = True
        self._count_silence()

    def plain_then(self, arrived: Callable[[PlainAnswer | None], None]) -> None:
        """Have ``arrived`` called at once with what :meth:`plain` would give."""
        self._on_answer = arrived

    async def plain(self) -> PlainAnswer | None:
        """The answer when it is of the plainest form; None: :meth:`read` says what has come."""
        if not self._answers and self._plain is None and self._failure is None:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        plain, self._plain = self._plain, None
        return plain

    async def read(self) -> Answer | PlainAnswer:
        """The next head and its body. Raises aiohttp's errors."""
        plain = await self.plain()
        if plain is not None:
            return plain
        if self._answers:
            return self._answers.popleft()
        assert self._failure is not None, "something has come"
        raise self._failure

    def switch(self, silence_s: float) -> StreamReader:
        """After a 101: whatever comes from now on, until the origin closes."""
        received = StreamReader(self, _READ_BUFFER_BYTES, loop=self._loop)
        self.silence_s = silence_s
        tail, self._tail = self._tail, b""
        if tail:
            received.feed_data(tail)
        if self.transport is None:
            received.feed_eof()
        else:
            self._tunnel, self._payload = received, None
            self._count_silence()
        return received

    def rest(self, limit_s: float, on_end: Callable[[], None]) -> None:
        """Stay open for ``limit_s`` without a request. ``on_end`` is called when that ends with
        the time, or by anything that the origin does."""
        self._on_idle_end = on_end
        self._allow(limit_s)

    def close(self) -> None:
        """Close it, with what an origin that does not read has still to be sent: it would stay."""
        transport = self.transport
        if transport is not None and transport.get_write_buffer_size():
            self.abort()
        elif transport is not None:
            self._leave()
            transport.close()

    def abort(self) -> None:
        """Close it at once."""
        if (transport := self.transport) is not None:
            self._leave()
            transport.abort()

    def _leave(self) -> None:
        self.transport = self._failure = self._on_idle_end = None
        self._drop_timer()

    # --- bytes in ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            return  # It is closed on this side: nobody reads any more.
        if self._on_idle_end is not None:
            # Nobody has asked for it, and the next request must not get it for an answer.
            self._end_idleness()
            return
        if not self._has_begun and self._failure is None:
            self._has_begun = True
            if self._is_sent and self._has_body and (plain := plain_answer(data)) is not None:
                self._plain = plain
                self._in_head = False
                self._deadline = math.inf
                self._wake()
                return
            self._parser = self._new_parser()
        if data and self._failure is None:
            self._allow(self.silence_s)
        while self._in_head and self._failure is None:
            end = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
            if not len(_END_OF_HEAD) <= end < len(data):
                break
            # By itself: aiohttp forgets a head when what comes with it is malformed.
            self._parse(data[:end])
            data = data[end:]
        if self._tunnel is not None:
            self._tunnel.feed_data(data)
        elif self._upgraded:
            self._tail += data
        else:
            self._parse(data)

    def _new_parser(self) -> HttpResponseParser:
        return HttpResponseParser(
            self,
            self._loop,
            _READ_BUFFER_BYTES,
            payload_exception=aiohttp.ClientPayloadError,
            response_with_body=self._has_body,
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_HEAD_BYTES // len(_SHORTEST_LINE),
        )

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            self.head_bytes += len(data)
        if self._parser is None:
            return
        try:
            messages, self._upgraded, tail = self._parser.feed_data(data)
        except Exception as error:  # noqa: BLE001 - no bytes of an origin break more than its answer
            is_known = isinstance(error, HttpProcessingError)
            self._fail(error if is_known else HttpProcessingError())
            if self.transport is not None:
                self.transport.close()
            return
        for message, payload in messages:
            self._answered(message, payload)
        self._tail += tail
        # Bytes of the body that came along do not count: the head has ended then.
        if self._in_head and self.head_bytes > MAX_HEAD_BYTES:
            self._fail(HeadTooLarge())
            if self.transport is not None:
                self.transport.abort()
        elif self._payload is not None and self._payload.is_eof():
            self._deadline = math.inf

    def _answered(self, message: RawResponseMessage, payload: StreamReader) -> None:
        self._is_last = self._is_last or message.should_close
        is_final = not 100 <= message.code < 200 or message.code == 101
        if is_final:
            self._in_head = False
            self._payload = payload
        elif not self._is_sent:
            self._deadline = math.inf  # The origin waits for the rest of the request.
        if not is_final or not self._has_body or message.code in _WITHOUT_BODY:
            payload = EMPTY_PAYLOAD
        self._answers.append((message, payload))
        self._wake()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            self._deadline = math.inf
            self._wake()
        # aiohttp does not tell the reader of a body that its framing is broken, and the reader
        # misses it when the end of a chunk wakes it just before: so it is told at the end again.
        for received in (self._payload, self._tunnel):
            if received is not None and not received.is_eof():
                received.set_exception(self._failure)

    def _wake(self) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if on_answer is not None:
            plain, self._plain = self._plain, None
            on_answer(plain)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def pause_reading(self) -> None:
        super().pause_reading()
        self._deadline = math.inf

    def resume_reading(self, resume_parser: bool = True) -> None:
        if not self._reading_paused:
            return  # The reader of a body calls for each of its pieces.
        super().resume_reading(resume_parser)
        self._count_silence()

    def eof_received(self) -> None:
        """The origin has said all that it will: the transport closes, and tells of that."""
        self._deadline = math.inf

    def connection_lost(self, exc: BaseException | None) -> None:
        self._drop_timer()
        parser, self._parser = self._parser, None
        self._reading_paused = False
        if self._tunnel is not None:
            self._tunnel.feed_eof()
        elif parser is not None:
            with suppress(HttpProcessingError):  # Said below.
                parser.feed_eof()
        self._fail(
            aiohttp.ServerDisconnectedError() if exc is None else aiohttp.ClientOSError(*exc.args)
        )
        self._payload = self._tunnel = None
        super().connection_lost(exc)
        self._is_lost = True
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        self._end_idleness()

    def _end_idleness(self) -> None:
        on_end, self._on_idle_end = self._on_idle_end, None
        if on_end is not None:
            on_end()

    # --- time ----------------------------------------------------------------------------------

    def _count_silence(self) -> None:
        is_over = self._payload is not None and self._payload.is_eof()
        if not self._reading_paused and not is_over:
            self._allow(self.silence_s)

    def _allow(self, seconds: float) -> None:
        """The origin has ``seconds`` from now on; arms the timer only if it would ring too late."""
        self._deadline = self._loop.time() + seconds
        if self._deadline < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._arm()

    def _arm(self) -> None:
        self._armed_for = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._drop_timer()
        if self._deadline == math.inf:
            return
        if self._deadline > self._loop.time():
            self._arm()
        elif self._on_idle_end is not None:
            self._end_idleness()
        else:
            self._fail(aiohttp.SocketTimeoutError("the origin has said nothing for too long"))

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for = math.inf
