"""The control channel's frames.

Every frame is a length of four bytes, most significant first, and that many bytes. To the worker:
four bytes of length, lines about the invocation, then the event. From the worker: one byte that
says what it is (:class:`Kind`), then the rest.
"""

from enum import Enum
from typing import Final

__all__ = ["LARGEST_RESULT", "BrokenFrame", "FrameReader", "Kind", "encode_invocation"]

LARGEST_RESULT: Final = 6291556
"""Bytes of a result that AWS still takes (LR-090, LR-321)."""


class Kind(Enum):
    """What a frame from the worker says."""

    READY = b"A"
    """The handler is loaded; the body is the interpreter's version."""
    INIT_ERROR = b"I"
    """The handler could not be loaded; the body is the error document."""
    RESULT = b"R"
    ERROR = b"E"
    """The handler failed; the process may be used again."""
    FATAL = b"X"
    """The handler failed in a way that ends the process."""
    TOO_LARGE = b"L"
    """The result was over the limit and not sent; the body is its size in digits."""

    STREAM = b"S"
    """A streamed response begins; the body is its content type."""
    CHUNK = b"C"
    STREAM_END = b"Z"
    """It is complete; a result without a body follows when the handler has ended, too."""

    PROMPT = b"P"
    """A debugger wants the terminal and waits for it: one byte, with a descriptor or without."""
    PROMPT_OVER = b"Q"
    """The code goes on; the body is ``1`` when it stops again after a step."""


class BrokenFrame(Exception):
    """The worker sent what no bootstrap sends."""


_KINDS: Final = {kind.value[0]: kind for kind in Kind}


def encode_invocation(
    request_id: str,
    deadline_ms: int,
    clock_offset_s: float,
    arn: str,
    trace_id: str,
    tenant_id: str,
    client_context: str,
    payload: bytes,
) -> bytes:
    """One frame for the worker. ``client_context`` comes last since it alone may hold newlines."""
    meta = (
        f"{request_id}\n{deadline_ms}\n{clock_offset_s}\n{arn}\n{trace_id}\n{tenant_id}\n"
        f"{client_context}"
    ).encode()
    size = len(meta)
    return b"".join(
        (
            (4 + size + len(payload)).to_bytes(4, "big"),
            size.to_bytes(4, "big"),
            meta,
            payload,
        )
    )


class FrameReader:
    """Cuts what arrives from a worker into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = b""

    def feed(self, data: bytes) -> list[tuple[Kind, bytes]]:
        """The frames that ``data`` completes. Raises :class:`BrokenFrame`."""
        buffer = self._buffer
        if not buffer and len(data) >= 5 and int.from_bytes(data[:4], "big") == len(data) - 4:
            whole = _KINDS.get(data[4])
            if whole is not None and len(data) <= LARGEST_RESULT + 5:
                body = data[5:]
                if body == self._last:
                    body = self._last  # Results are kept for a while, and many are the same.
                else:
                    self._last = body
                return [(whole, body)]
        buffer += data
        frames = []
        while len(buffer) >= 5:
            size = int.from_bytes(buffer[:4], "big")
            kind = _KINDS.get(buffer[4])
            if kind is None or not 0 < size <= LARGEST_RESULT + 1:
                raise BrokenFrame
            if len(buffer) < 4 + size:
                break
            frames.append((kind, bytes(buffer[5 : 4 + size])))
            del buffer[: 4 + size]
        return frames
