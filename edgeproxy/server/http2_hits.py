"""Requests of an HTTP/2 connection that are answered again without the h2 library or the handler.

A request is known again by its compressed header block. That is the whole of it as long as the
table to which blocks refer has not changed, so a change makes a connection forget all blocks, and a
block that changes the table itself is never kept. Answers are those of HTTP/1.1
(:class:`edgeproxy.http.messages.Repeat`), their heads spelt anew, without reference to any table.
"""

import struct
from collections.abc import Callable
from typing import Final

from h2.connection import H2Connection
from hpack.table import HeaderTable

from edgeproxy.http.messages import Repeat, Repeated, Request, Viewer
from edgeproxy.server.http2_reading import read_request
from edgeproxy.server.http2_writing import LEFT_OUT
from edgeproxy.server.limits import Limits
from edgeproxy.server.reading import ViewerFrom, told_viewer

__all__ = ["KnownRequests", "block_of"]

_MOST: Final = 2_000
_PRIORITY: Final = 0x20
_STREAM_ID: Final = 0x7FFFFFFF
_FRAME: Final = struct.Struct(">HBBBI").pack
_LOCAL_PREFIX: Final = b"x-edgeproxy-"
_ID: Final = b"\r\nX-Amz-Cf-Id: "
_STATIC: Final = {
    name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, start=1)))
}
_STATUSES: Final = {
    value: 0x80 | index
    for index, (name, value) in enumerate(HeaderTable.STATIC_TABLE, start=1)
    if name == b":status"
}


class _WatchedTable(HeaderTable):
    """The table to which a viewer's header blocks refer; tells of every change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def add(self, name: bytes, value: bytes) -> None:
        self._changed()
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        size: int = HeaderTable.maxsize.fget(self)  # type: ignore[attr-defined]
        return size

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self._changed()
        HeaderTable.maxsize.fset(self, newmax)  # type: ignore[attr-defined]


class KnownRequests:
    """What has been asked on a connection of ``h2`` and may be answered again."""

    __slots__ = ("_answers", "_blocks", "_h2", "_limits", "_tell", "changes")

    def __init__(self, h2: H2Connection, limits: Limits, tell: ViewerFrom | None) -> None:
        self._h2 = h2
        self._limits = limits
        self._tell = tell
        self._blocks: dict[bytes, _Known] = {}
        self._answers = _AnswerBlocks()
        self.changes = 0
        """How often all that was known had to be forgotten."""
        h2.decoder.header_table = _WatchedTable(self.forget)

    def forget(self) -> None:
        """Blocks mean something else from now on, or are answered otherwise."""
        self._blocks.clear()
        self.changes += 1

    def learn(
        self, block: bytes, fields: list[tuple[bytes, bytes]], repeat: Repeat, viewer: Viewer
    ) -> None:
        """From now on the request with this block is answered by ``repeat``."""
        if any(name.startswith(_LOCAL_PREFIX) for name, _ in fields):
            return
        if len(self._blocks) >= _MOST:
            self._blocks.clear()
        self._blocks[block] = _Known(fields, repeat, viewer, self._limits, self._tell)

    def answer(self, frame: bytes, flags: int) -> tuple[bytes, Repeated] | None:
        """The frames that answer the request of this HEADERS frame; None: ask h2.

        They are to be sent, and the answer is to be told that they were.
        """
        known = self._blocks.get(block_of(frame, flags))
        if known is None:
            return None
        h2 = self._h2
        stream_id = int.from_bytes(frame[5:9])
        depends_on = int.from_bytes(frame[9:13]) & _STREAM_ID if flags & _PRIORITY else 0
        if (
            stream_id <= h2.highest_inbound_stream_id
            or not stream_id % 2
            or depends_on == stream_id
            or h2.encoder.table_size_changes  # The next block has to tell of them.
        ):
            return None
        answer = known.repeat.answer(known)
        if answer is None:
            return None
        body, longest = answer.body, h2.max_outbound_frame_size
        window = min(h2.outbound_flow_control_window, h2.remote_settings.initial_window_size)
        block = self._answers.block(answer.head)
        if len(body) > window or len(block) > longest:
            return None
        # To h2 the stream is one of long ago.
        h2.highest_inbound_stream_id = stream_id
        h2.outbound_flow_control_window -= len(body)
        frames: list[bytes | memoryview] = [
            _FRAME(len(block) >> 8, len(block) & 0xFF, 1, 4 if len(body) else 5, stream_id),
            block,
        ]
        for start in range(0, len(body), longest):
            part = body[start : start + longest]
            is_last = start + longest >= len(body)
            frames.append(_FRAME(len(part) >> 8, len(part) & 0xFF, 0, is_last, stream_id))
            frames.append(part)
        return b"".join(frames), answer


def block_of(frame: bytes, flags: int) -> bytes:
    """The header block of a HEADERS frame that is a request by itself; else nothing."""
    match flags:
        case 0x5:  # END_STREAM and END_HEADERS
            return frame[9:]
        case 0x25:
            return frame[14:]
        case _:
            return b""


class _Known:
    """A request that has come before, and how it is answered.

    It is an :class:`edgeproxy.http.messages.Asked` for as long as it is answered.
    """

    __slots__ = ("_fields", "_limits", "_tell", "head", "repeat", "target", "viewer")

    def __init__(
        self,
        fields: list[tuple[bytes, bytes]],
        repeat: Repeat,
        viewer: Viewer,
        limits: Limits,
        tell: ViewerFrom | None,
    ) -> None:
        self._fields = fields
        self._limits = limits
        self._tell = tell
        self.repeat = repeat
        self.viewer = viewer
        self.target = dict(fields)[b":path"]
        self.head = b"HTTP/2\r\n" + b"".join([b"%b: %b\r\n" % field for field in fields])

    def request(self) -> Request:
        return read_request(
            self._fields,
            self._limits,
            lambda headers: told_viewer(self.viewer, self._tell, headers),
            None,
            lambda: False,
        )


class _AnswerBlocks:
    """Header blocks of answers, made of their heads in HTTP/1.1."""

    __slots__ = ("_around_id",)

    def __init__(self) -> None:
        self._around_id: dict[bytes, tuple[bytes, bytes]] = {}
        """By heads without their ID, in which most answers of an object differ."""

    def block(self, head: bytes) -> bytes:
        """The block of an answer with this head."""
        start = head.find(_ID) + len(_ID)
        if start < len(_ID):
            return _block(head)
        end = head.find(b"\r\n", start)
        bare = head[:start] + head[end:]
        around = self._around_id.get(bare)
        if around is None:
            if len(self._around_id) >= _MOST:
                self._around_id.clear()
            around = _block(head[: start - len(_ID)]), _fields(head[end + 2 :])
            self._around_id[bare] = around
        return b"%b%b%b" % (around[0], _field(b"x-amz-cf-id", head[start:end]), around[1])


def _block(head: bytes) -> bytes:
    status, _, lines = head.partition(b"\r\n")
    code = status[9:12]
    known = _STATUSES.get(code)
    first = bytes([known]) if known is not None else _field(b":status", code)
    return first + _fields(lines)


def _fields(lines: bytes) -> bytes:
    encoded = []
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if colon and name.decode("latin-1") not in LEFT_OUT:
            encoded.append(_field(name, value.strip(b" \t")))
    return b"".join(encoded)


def _field(name: bytes, value: bytes) -> bytes:
    """A literal that neither side is to remember (RFC 7541, 6.2.2)."""
    index = _STATIC.get(name)
    if index is not None:
        return b"%b%b%b" % (_integer(index, 15), _integer(len(value), 127), value)
    return b"\0%b%b%b%b" % (_integer(len(name), 127), name, _integer(len(value), 127), value)


def _integer(number: int, prefix: int) -> bytes:
    """``number`` in the low bits that ``prefix`` fills, and as many bytes more as it takes."""
    if number < prefix:
        return bytes((number,))
    number -= prefix
    encoded = [prefix]
    while number >= 128:
        encoded.append(number % 128 + 128)
        number //= 128
    return bytes((*encoded, number))
