"""One viewer's connection over HTTP/2 (RFC 9113): many requests at once, each with its stream.

The h2 library knows the protocol's states, header compression and windows. Here is what makes a
server of it. Its rules:

- What breaks the protocol ends the connection, and says so; what came before it is answered.
- A malformed request ends its stream alone (:mod:`edgeproxy.server.http2_reading`).
- No more requests are at work than streams may be open, whether or not their viewer still wants
  them: to open and reset streams in turn gains nothing.
- Frames that cost the viewer nothing and the edge something may come now and then, and no faster.
- At its end a connection says which requests it still answers, and answers them.
"""

import asyncio
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, cast

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Repeat, Viewer
from edgeproxy.server.http2_hits import KnownRequests, block_of
from edgeproxy.server.http2_sending import PIECE_BYTES, SendingConnection
from edgeproxy.server.http2_stream import Stream
from edgeproxy.server.limits import Limits
from edgeproxy.server.reading import ViewerFrom, connected_viewer, told_viewer
from edgeproxy.tasks import Tasks

if TYPE_CHECKING:
    from edgeproxy.server.listener import Admit, Refuse

__all__ = ["Http2Connection"]

_log = logging.getLogger("edgeproxy")

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD: Final = 9
_FRAME_BYTES: Final = 2**14
"""The longest frame that is taken; the protocol allows no lower limit."""
_STREAMS: Final = 128
"""At a time, as CloudFront and load balancers (AL-190) allow."""
_STREAMS_BEYOND: Final = 1024
"""More than that at once is no misunderstanding of the number above."""
_STREAM_WINDOW: Final = 2**16 - 1
_WAITING_BYTES: Final = 2**18
"""Of answers for which a viewer is too slow; small ones of many streams leave together."""
_IDLE_FRAMES: Final = 1000
"""That may come at once: resets, pings, settings, priorities, empty data."""
_IDLE_FRAMES_A_SECOND: Final = 50

_BUSY_KINDS: Final = frozenset(
    {DataFrame.type, HeadersFrame.type, ContinuationFrame.type, WindowUpdateFrame.type}
)
_END_STREAM: Final = 0x1
_END_HEADERS: Final = 0x4


class _Door(Protocol):
    """What the connections of one listener share."""

    handler: Handler
    refuse: "Refuse"
    viewer: ViewerFrom | None
    limits: Limits
    admit: "Admit | None"
    in_flight: int

    def opened(self, connection: "Http2Connection") -> None: ...

    def closed(self, connection: "Http2Connection") -> None: ...

    def runs(self, task: "asyncio.Task[None]") -> None: ...


class Http2Connection(SendingConnection):
    """A connection of a door."""

    def __init__(self, door: _Door, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, door.limits.write_stall_s)
        self.door = door
        self._limits = door.limits
        self._viewer = Viewer("")
        self._streams: dict[int, Stream] = {}
        self._tasks = Tasks()
        self._known: KnownRequests | None = None
        """None where nothing can be answered again."""
        self._answers: list[bytes] = []
        """Of requests that came in the same piece, to leave together."""
        self._unparsed = b""
        self._expected = _PREFACE
        self._is_greeted = False
        self._header_block_bytes = 0
        self._is_last = False
        self._idle_frames = float(_IDLE_FRAMES)
        self._idle_frames_at = loop.time()
        self._end_of_life = loop.time() + door.limits.lifetime_s
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None

    # --- the connection ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_WAITING_BYTES)
        self._viewer = connected_viewer(transport)
        self.door.opened(self)
        if self.door.admit is not None:
            admitted = self.door.admit(transport.get_extra_info("ssl_object"), self._viewer)
            if admitted is None:
                self.cut()
                return
            self._viewer = admitted
        if self._limits.lifetime_s == math.inf and self._viewer.mutual_tls is None:
            self._known = KnownRequests(self._h2, self._limits, self.door.viewer)
        self._greet()
        self._allow(self._limits.head_timeout_s)

    def _greet(self) -> None:
        h2 = self._h2
        settings = {
            SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
            SettingCodes.MAX_FRAME_SIZE: _FRAME_BYTES,
            SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
            # So far a request gets the page for one that is too long; beyond it, nothing does.
            SettingCodes.MAX_HEADER_LIST_SIZE: 4 * self._limits.max_head_bytes,
        }
        h2.local_settings = Settings(client=False, initial_values=settings)
        h2.decoder.max_header_list_size = h2.local_settings.max_header_list_size or 0
        h2.initiate_connection()
        # For h2 one stream too many is the end of the connection, for us that of the stream.
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = _STREAMS_BEYOND
        h2.local_settings = Settings(client=False, initial_values=settings)
        # Streams do not hold each other back.
        h2.increment_flow_control_window((_STREAMS - 1) * _STREAM_WINDOW)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._deadline = math.inf
        if self._timer is not None:
            self._timer.cancel()
        for stream in self._streams.values():
            stream.leave()
        self._wake_writers()
        self.door.closed(self)

    def retire(self) -> None:
        """Take no new request; close when those under way are answered."""
        if self._is_last or self._transport is None:
            return
        self._is_last = True
        # h2 itself would say nothing more after it.
        self._transport.write(
            GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id).serialize()
        )
        self._close_if_done()

    def forget(self) -> None:
        """The handler answers otherwise from now on."""
        if self._known is not None:
            self._known.forget()

    def _give_up(self, why: str, code: ErrorCodes | None) -> None:
        """End a connection on which nothing can be understood any more, or that costs too much."""
        _log.debug("gave up an HTTP/2 connection: %s", why)
        if self._transport is None:
            return
        if code is None:
            self._transport.write(self._h2.data_to_send())  # h2 has said why.
        else:
            last = self._h2.highest_inbound_stream_id
            self._transport.write(GoAwayFrame(0, last_stream_id=last, error_code=code).serialize())
        self._is_last = True
        self._transport.close()
        for stream in self._streams.values():
            stream.leave()
        self._wake_writers()

    # --- time --------------------------------------------------------------------------------

    def _allow(self, seconds: float) -> None:
        """From now on the viewer has ``seconds``; the timer that runs is asked when it rings."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._deadline == math.inf:
            return
        if self._deadline > self._loop.time():
            self._timer = self._loop.call_at(self._deadline, self._ring)
            return
        if self._unsent():
            self.cut()
        else:
            self.retire()

    # --- bytes in ----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        if self._unparsed:
            data, self._unparsed = self._unparsed + data, b""
        start = 0
        if self._expected:
            start = min(len(self._expected), len(data))
            if data[:start] != self._expected[:start]:
                self._give_up("no HTTP/2", ErrorCodes.PROTOCOL_ERROR)
                return
            self._expected = self._expected[start:]
            self._h2.receive_data(data[:start])
        while len(data) - start >= _FRAME_HEAD and not self._is_closing:
            length = int.from_bytes(data[start : start + 3])
            if length > _FRAME_BYTES:
                self._give_up("a frame is too long", ErrorCodes.FRAME_SIZE_ERROR)
                return
            end = start + _FRAME_HEAD + length
            if end > len(data):
                break
            self._take(data[start:end], data[start + 3], data[start + 4])
            start = end
        self._unparsed = data[start:]
        self._write_answers()

    def _take(self, frame: bytes, kind: int, flags: int) -> None:
        """One whole frame."""
        if kind == HeadersFrame.type and self._repeat(frame, flags):
            return
        self._write_answers()
        if not self._is_greeted:
            self._is_greeted = True
            if kind != SettingsFrame.type:
                self._give_up("the first frame is no SETTINGS", ErrorCodes.PROTOCOL_ERROR)
                return
        if kind == GoAwayFrame.type:
            # h2 would not even let requests under way be answered.
            self.retire()
            return
        if kind not in _BUSY_KINDS or (kind == DataFrame.type and len(frame) == _FRAME_HEAD):
            self._count_idle_frame()
        if kind in (HeadersFrame.type, ContinuationFrame.type):
            self._header_block_bytes += len(frame)
            if self._header_block_bytes > 4 * self._limits.max_head_bytes:
                self._give_up("a header block does not end", ErrorCodes.ENHANCE_YOUR_CALM)
                return
            if flags & _END_HEADERS:
                self._header_block_bytes = 0
        if self._is_closing:
            return
        changes = self._known.changes if self._known is not None else 0
        try:
            events = self._h2.receive_data(frame)
        except ProtocolError as error:
            self._give_up(str(error), None)
            return
        for event in events:
            self._hear(event)
        if events and isinstance(events[0], RequestReceived):
            stream = self._streams.get(events[0].stream_id or 0)
            # A block that changes the table means something else the next time.
            if stream is not None and self._known is not None and changes == self._known.changes:
                stream.block, stream.changes = block_of(frame, flags), changes
        self._flush()

    def _repeat(self, frame: bytes, flags: int) -> bool:
        """Answer the request of this frame as one before it, if that is known."""
        if self._known is None or self._is_paused or self._is_last or self._header_block_bytes:
            return False
        if len(self._streams) >= _STREAMS or (found := self._known.answer(frame, flags)) is None:
            return False
        data, answer = found
        self._answers.append(data)
        answer.delivered(len(data))
        if len(data) > PIECE_BYTES:
            self._write_answers()
        return True

    def _write_answers(self) -> None:
        if not self._answers:
            return
        if self._transport is not None:
            self._transport.write(b"".join(self._answers))
        self._answers.clear()
        if not self._streams:
            self._allow(self._limits.keep_alive_s)

    def learn(self, stream: Stream, repeat: Repeat) -> None:
        """From now on requests like that of ``stream`` are answered by ``repeat``."""
        if stream.block and self._known is not None and stream.changes == self._known.changes:
            self._known.learn(stream.block, stream.fields, repeat, self._viewer)

    def _count_idle_frame(self) -> None:
        now = self._loop.time()
        earned = (now - self._idle_frames_at) * _IDLE_FRAMES_A_SECOND
        self._idle_frames = min(_IDLE_FRAMES, self._idle_frames + earned) - 1
        self._idle_frames_at = now
        if self._idle_frames < 0:
            self._give_up("too many frames that ask for nothing", ErrorCodes.ENHANCE_YOUR_CALM)

    def _hear(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._open(event)
            case DataReceived():
                size = event.flow_controlled_length or 0
                if (stream := self._streams.get(event.stream_id or 0)) is not None:
                    stream.feed(event.data or b"", size)
                else:
                    self.give_back(event.stream_id or 0, size)
            case StreamEnded() if (stream := self._streams.get(event.stream_id or 0)) is not None:
                stream.end()
            case StreamReset() if (stream := self._streams.get(event.stream_id or 0)) is not None:
                stream.leave()
            case WindowUpdated() if event.stream_id:
                if (stream := self._streams.get(event.stream_id)) is not None:
                    stream.wake()
            case WindowUpdated() | RemoteSettingsChanged():
                for stream in self._streams.values():
                    stream.wake()
            case _:
                pass  # Trailers of requests are not passed on; h2 has answered the others.

    # --- streams -----------------------------------------------------------------------------

    def _open(self, event: RequestReceived) -> None:
        stream_id = event.stream_id or 0
        if self._is_last or len(self._streams) >= _STREAMS:
            self.reset(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        fields = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
        has_ended = event.stream_ended is not None
        stream = self._streams[stream_id] = Stream(self, stream_id, fields, has_ended=has_ended)
        self.door.in_flight += 1
        self._deadline = math.inf
        task = self._tasks.start(self._serve(stream), "a request over HTTP/2")
        self.door.runs(task)
        if self._loop.time() > self._end_of_life:
            self.retire()

    async def _serve(self, stream: Stream) -> None:
        try:
            await stream.serve()
        finally:
            del self._streams[stream.id]
            self.door.in_flight -= 1
            stream.gone()
            if not self._streams and self._transport is not None:
                self._allow(self._limits.keep_alive_s)
                self._close_if_done()

    def _close_if_done(self) -> None:
        if self._is_last and not self._streams and self._transport is not None:
            self._transport.close()

    def reset(self, stream_id: int, code: ErrorCodes) -> None:
        """End a stream before its time; no viewer may have us do so again and again."""
        if code is not ErrorCodes.NO_ERROR:
            self._count_idle_frame()
        super().reset(stream_id, code)

    def who(self, headers: Headers) -> Viewer:
        """Who sends a request with these; the next one reuses the connection."""
        viewer = self._viewer
        if viewer.tls_protocol and viewer.tls_handshake != "connectionReused":
            self._viewer = replace(viewer, tls_handshake="connectionReused")
        return told_viewer(viewer, self.door.viewer, headers)
