"""What no server written in Python can beat: a protocol that writes the same bytes to whoever asks.

It reads nothing of a request but its end, and has no time, no cache and no record. The answer has a
hit's size and its fifteen headers. With `asyncio` behind the port it does without uvloop.
"""

import asyncio
import sys
from typing import Final, cast

from origin import new_loop

_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nServer: constant\r\nContent-Type: image/jpeg\r\nContent-Length: 1024\r\n"
    'Cache-Control: public, max-age=3600\r\nETag: "0123456789abcdef"\r\n'
    "Last-Modified: Sat, 01 Nov 2025 10:00:00 GMT\r\nX-Content-Type-Options: nosniff\r\n"
    "Strict-Transport-Security: max-age=31536000\r\nDate: Sat, 01 Nov 2025 10:00:00 GMT\r\n"
    "Age: 0\r\nX-Cache: Hit from cloudfront\r\nVia: 1.1 constant\r\nX-Amz-Cf-Pop: SEA19-C1\r\n"
    "X-Amz-Cf-Id: AuiJScq1rNFtL5cnIeKIgawxX_VWU8x-SCtQXrAKBH5kX4Kgt1WyQw==\r\n"
    "Connection: keep-alive\r\n\r\n"
)
_ANSWER: Final = _HEAD.encode() + b"x" * 1024


class Constant(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(_ANSWER)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Constant, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    make = asyncio.new_event_loop if "asyncio" in sys.argv else new_loop
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(serve())
