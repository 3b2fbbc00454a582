"""The sending half of an HTTP/2 connection: frames out, as windows and the transport allow."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes

if TYPE_CHECKING:
    from edgeproxy.server.http2_stream import Stream

__all__ = ["PIECE_BYTES", "SendingConnection"]

PIECE_BYTES: Final = 2**16
"""Of an answer, before others may write theirs."""


class SendingConnection(asyncio.Protocol):
    """A connection as its streams see it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, write_stall_s: float) -> None:
        self._loop = loop
        self._write_stall_s = write_stall_s
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                validate_inbound_headers=False,  # http2_reading does, and ends the stream alone.
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._writers: deque[asyncio.Future[None]] = deque()
        """Who waits for the transport, in turn."""

    @property
    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def cut(self) -> None:
        """Close without waiting for anybody."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> int:
        """Write what h2 has to say; how many bytes that was."""
        data = self._h2.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)
        return len(data)

    def send_head(self, stream_id: int, fields: list[tuple[bytes, bytes]], *, is_last: bool) -> int:
        """Of an answer on a stream that is open; how many bytes went out, as of the others."""
        self._h2.send_headers(stream_id, fields, end_stream=is_last)
        return self._flush()

    def send_data(self, stream_id: int, data: bytes, *, is_last: bool) -> int:
        """As much as :meth:`room` has said."""
        longest = self._h2.max_outbound_frame_size
        for start in range(0, len(data), longest):
            end = start + longest
            ends = is_last and end >= len(data)
            self._h2.send_data(stream_id, data[start:end], end_stream=ends)
        return self._flush()

    def send_end(self, stream_id: int) -> int:
        """The answer is whole."""
        self._h2.end_stream(stream_id)
        return self._flush()

    def reset(self, stream_id: int, code: ErrorCodes) -> None:
        """End a stream before its time."""
        if self._is_closing:
            return
        self._h2.reset_stream(stream_id, code)
        self._flush()

    def give_back(self, stream_id: int, size: int) -> None:
        """Of a body that has come ``size`` bytes are read: the viewer may send as many more."""
        if size and not self._is_closing:
            self._h2.acknowledge_received_data(size, stream_id)
            self._flush()

    async def room(self, stream: "Stream") -> int:
        """How many bytes of its answer the stream may send now, when it is at least one.

        Raises ``ConnectionResetError`` when the viewer has left, or takes none for too long.
        """
        await asyncio.sleep(0)  # Others write in between.
        while True:
            await self.room_to_write(stream)
            window: int = self._h2.local_flow_control_window(stream.id)
            if window > 0:
                return min(window, PIECE_BYTES)
            try:
                async with asyncio.timeout(self._write_stall_s):
                    await stream.changed()
            except TimeoutError as error:
                stream.leave()
                self.reset(stream.id, ErrorCodes.CANCEL)
                raise ConnectionResetError("the viewer has stopped reading") from error

    async def room_to_write(self, stream: "Stream") -> None:
        """Wait while the transport takes no more. Raises as :meth:`room` does."""
        unsent = -1
        while self._is_paused and self._transport is not None and not stream.has_left:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._writers.append(turn)
            try:
                async with asyncio.timeout(self._write_stall_s):
                    await turn
            except TimeoutError as error:
                if self._unsent() == unsent:
                    self.cut()
                    raise ConnectionResetError("the viewer has stopped reading") from error
                unsent = self._unsent()
        if stream.has_left or self._is_closing:
            raise ConnectionResetError("the viewer has left")

    def _unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake_writers()

    def _wake_writers(self) -> None:
        writers, self._writers = self._writers, deque()
        for turn in writers:
            if not turn.done():
                turn.set_result(None)
