"""Event streams as the answer to InvokeWithResponseStream has them: frames with checksums.

A frame is its own length, that of its headers, a CRC of the two, headers, payload and a CRC of all
that (LI-062); numbers are big-endian.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

import orjson

__all__ = ["EVENT_STREAM", "encode_complete", "encode_frame", "encode_payload_chunk"]

EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
"""The content type of the answer (LI-061)."""

_STRING: Final = 7


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame; header values are texts (LI-062)."""
    lines = b"".join(
        struct.pack(f"!B{len(name)}sBH{len(value)}s", len(name), name, _STRING, len(value), value)
        for name, value in ((name.encode(), value.encode()) for name, value in headers.items())
    )
    prelude = struct.pack("!II", len(lines) + len(payload) + 16, len(lines))
    frame = b"".join((prelude, struct.pack("!I", zlib.crc32(prelude)), lines, payload))
    return frame + struct.pack("!I", zlib.crc32(frame))


def encode_payload_chunk(data: bytes) -> bytes:
    """Bytes of the response (LI-063)."""
    return encode_frame(_event("PayloadChunk", "application/octet-stream"), data)


def encode_complete(error_code: str = "", error_details: str = "", log_result: str = "") -> bytes:
    """The last frame, which tells of a failure, too; what is empty is left out (LI-064)."""
    members = {"ErrorCode": error_code, "ErrorDetails": error_details, "LogResult": log_result}
    document = {name: value for name, value in members.items() if value}
    return encode_frame(_event("InvokeComplete", "application/json"), orjson.dumps(document))


def _event(kind: str, content_type: str) -> dict[str, str]:
    return {":message-type": "event", ":event-type": kind, ":content-type": content_type}
