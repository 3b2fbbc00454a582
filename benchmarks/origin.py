"""The origin behind all the servers: as little work as possible, so that it is never the limit.

`/KIND/BYTES/NAME` answers a body of so many bytes. KIND says how: `hit` may be kept for an hour,
`stale` for a second, `slow` is a `hit` that takes 200 ms; anything else is a `hit`, for the servers
to treat as they are told. `/count` says how many requests there were, itself not counted.
"""

import asyncio
import sys
import time
from email.utils import formatdate
from typing import Final, cast

__all__ = ["SLOW_S", "new_loop"]

SLOW_S: Final = 0.2
_HEADERS: Final = (
    "Server: origin\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n"
    'Cache-Control: public, max-age=%d\r\nETag: "0123456789abcdef"\r\n'
    "Last-Modified: Sat, 01 Nov 2025 10:00:00 GMT\r\nX-Content-Type-Options: nosniff\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n"
)


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Origin(asyncio.Protocol):
    requests = 0
    bodies: Final[dict[int, bytes]] = {}

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for request in requests:
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        path = request.split(b" ", 2)[1]
        if path == b"/count":
            count = str(Origin.requests)
            self._write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(count)}\r\n", count.encode())
            return
        Origin.requests += 1
        _, kind, size, _ = path.split(b"/", 3)
        headers = _HEADERS % (int(size), 1 if kind == b"stale" else 3600)
        if b"\r\nif-none-match:" in request.lower():
            headers = headers.replace("Content-Length", "X-Length")
            self._write(f"HTTP/1.1 304 Not Modified\r\n{headers}")
            return
        body = self.bodies.setdefault(int(size), b"x" * int(size))
        answer = f"HTTP/1.1 200 OK\r\n{headers}"
        if kind == b"slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._write, answer, body)
        else:
            self._write(answer, body)

    def _write(self, answer: str, body: bytes = b"") -> None:
        date = formatdate(int(time.time()), usegmt=True)
        head = f"{answer}Date: {date}\r\n\r\n".encode()
        if len(body) < 1_000_000:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Origin, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
