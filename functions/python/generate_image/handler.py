"""Make an image at the edge: /swatch/RRGGBB.png is a square of that colour.

Event: origin-request, so that each image is made once and cached like an answer of the origin.
Binary bodies are returned as base64; headers and body may have 1 MB together.
"""

import base64
import re
import struct
import zlib

SIZE = 64


def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    match = re.fullmatch(r"/swatch/([0-9a-fA-F]{6})\.png", request["uri"])
    if match is None:
        return request
    return {
        "status": "200",
        "headers": {
            "content-type": [{"key": "Content-Type", "value": "image/png"}],
            "cache-control": [{"key": "Cache-Control", "value": "max-age=86400"}],
        },
        "body": base64.b64encode(png(bytes.fromhex(match[1]))).decode("ascii"),
        "bodyEncoding": "base64",
    }


def png(colour):
    """A square of one colour as a PNG file."""
    rows = (b"\x00" + colour * SIZE) * SIZE
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
