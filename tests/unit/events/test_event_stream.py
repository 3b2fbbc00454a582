"""The frames of InvokeWithResponseStream, read by AWS's own client library."""

import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from edgeproxy.events.event_stream import encode_complete, encode_frame, encode_payload_chunk

rule = pytest.mark.rule


def read(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Headers and payload of each frame; a wrong checksum raises."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@rule("LI-062")
def test_a_frame_byte_by_byte() -> None:
    frame = encode_frame({"n": "vv"}, b"abc")
    assert frame[:8] == bytes([0, 0, 0, 26, 0, 0, 0, 7])
    assert frame[12:19] == b"\x01n\x07\x00\x02vv"
    assert frame[19:22] == b"abc"
    assert len(frame) == 26
    assert read(frame) == [({"n": "vv"}, b"abc")]


@rule("LI-062", "LI-063")
def test_chunks_of_the_response() -> None:
    data = bytes(range(256)) * 1000
    chunk = {
        ":message-type": "event",
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
    }
    both = encode_payload_chunk(data) + encode_payload_chunk("Grüße".encode())
    assert read(both) == [(chunk, data), (chunk, "Grüße".encode())]


@rule("LI-064")
@pytest.mark.parametrize(
    ("members", "document"),
    [
        ({}, {}),
        ({"log_result": "TE9H"}, {"LogResult": "TE9H"}),
        (
            {"error_code": "Error", "error_details": '{"errorMessage":"mid"}'},
            {"ErrorCode": "Error", "ErrorDetails": '{"errorMessage":"mid"}'},
        ),
    ],
)
def test_the_last_frame(members: dict[str, str], document: dict[str, str]) -> None:
    [(headers, payload)] = read(encode_complete(**members))
    assert headers == {
        ":message-type": "event",
        ":event-type": "InvokeComplete",
        ":content-type": "application/json",
    }
    assert json.loads(payload) == document
