"""From a :class:`Response` to bytes: the response's own headers, and framing, nothing else.

Framing is decided here (RFC 9112, 6): the length when the body knows it, chunked for an HTTP/1.1
viewer when it does not, the end of the connection for an HTTP/1.0 viewer (CDN-VER-04).
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, assert_never

from edgeproxy.http.body import Body, BytesBody
from edgeproxy.http.headers import WrittenHeaders
from edgeproxy.http.messages import Request, Response, reason_phrase

__all__ = [
    "KEPT_ALIVE",
    "ONE_WRITE_BYTES",
    "BodyMismatch",
    "Framed",
    "Framing",
    "IllegalHead",
    "Wire",
    "frame",
    "frame_answer",
    "let_go",
    "reset",
    "write_body",
]

# Up to this size head and body leave in one piece; beyond it the copy costs more than the call.
ONE_WRITE_BYTES = 64 * 1024
_OK = b"HTTP/1.1 200 OK\r\n"
KEPT_ALIVE = b"Connection: keep-alive\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Wire(Protocol):
    """Where bytes go: a viewer's connection."""

    def write(self, data: bytes) -> None:
        """Hand over bytes. Raises ``ConnectionResetError`` when the viewer is gone."""
        ...

    async def drained(self) -> None:
        """Wait while the viewer is slow. Raises ``ConnectionError`` when the viewer is gone."""
        ...

    def has_left(self) -> bool:
        """Whether the viewer is gone, or is being let go."""
        ...

    def when_gone(self, told: Callable[[], object] | None) -> None:
        """Call ``told`` when the viewer goes, in place of who was to be told before."""
        ...


class IllegalHead(Exception):
    """A header or reason phrase that would break the message apart on the wire."""


class BodyMismatch(Exception):
    """A body that is shorter or longer than it said."""


class Framing(StrEnum):
    """How the viewer finds the end of the body."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Framed:
    """A head ready to be written, how the body follows, and whether the connection goes on."""

    head: bytes
    framing: Framing
    keep_alive: bool


def frame(response: Response, *, method: str, version: str, keep_alive: bool) -> Framed:
    """The head of ``response`` for a request of this method and version.

    ``Content-Length`` and ``Connection`` take the place of lines of that name, else they come
    last. A response closes the connection by saying ``Connection: close`` (CDN-CEP-10).
    Raises :class:`IllegalHead`.
    """
    written = response.headers
    if isinstance(written, WrittenHeaders) and keep_alive and _is_ready(response, written, method):
        return Framed(_OK + written.written + KEPT_ALIVE, Framing.LENGTH, keep_alive=True)
    headers = written.as_multidict()
    headers.popall("Transfer-Encoding", None)
    length = response.body.length
    status = response.status
    if method == "HEAD" or status in (204, 304) or status < 200:
        framing = Framing.NONE
        if status == 204 or status < 200:
            headers.popall("Content-Length", None)
        elif method == "HEAD" and length:
            headers.setdefault("Content-Length", str(length))
    elif length is not None:
        framing = Framing.LENGTH
        headers["Content-Length"] = str(length)
    else:
        headers.popall("Content-Length", None)
        if version == "1.0":
            framing = Framing.CLOSE
            keep_alive = False
        else:
            framing = Framing.CHUNKED
            headers.add("Transfer-Encoding", "chunked")
    if "close" in headers.get("Connection", "").lower():
        keep_alive = False
    if response.tunnel is not None:
        headers["Connection"] = "upgrade"
    else:
        headers["Connection"] = "keep-alive" if keep_alive else "close"
    lines = [f"HTTP/1.1 {status} {response.reason or reason_phrase(status)}"]
    lines += map(": ".join, headers.items())
    return Framed(_join(lines), framing, keep_alive)


def _is_ready(response: Response, written: WrittenHeaders, method: str) -> bool:
    """Whether the lines fit the answer as it is now."""
    is_ok = response.status == 200 and response.reason in ("", "OK") and response.tunnel is None
    return is_ok and method != "HEAD" and response.body.length == written.length


def _may_switch(request: Request, response: Response) -> bool:
    """Whether ``response`` leaves HTTP only where ``request`` has asked for it."""
    if response.tunnel is None:
        return response.status != 101
    return response.status == 101 and request.upgrade != ""


def frame_answer(response: Response, request: Request, keep_alive: bool) -> Framed:
    """The head of the answer to ``request``. Raises :class:`IllegalHead`."""
    if not _may_switch(request, response):
        raise IllegalHead("101 needs an upgrade and a tunnel")
    if response.tunnel is not None:
        headers = response.headers.with_default("Upgrade", request.upgrade)
        response = replace(response, headers=headers)
        keep_alive = False
    return frame(response, method=request.method, version=request.version, keep_alive=keep_alive)


def _join(lines: list[str]) -> bytes:
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise IllegalHead("a header or the reason phrase holds a line break or a NUL")
    return f"{text}\r\n\r\n".encode("utf-8", "surrogateescape")


async def write_body(wire: Wire, framed: Framed, body: Body) -> None:
    """Write head and body. Raises what the body raises, and :class:`BodyMismatch`."""
    match framed.framing:
        case Framing.NONE:
            wire.write(framed.head)
        case Framing.LENGTH if isinstance(body, BytesBody):
            if len(body.data) <= ONE_WRITE_BYTES:
                wire.write(framed.head + body.data)
            else:
                wire.write(framed.head)
                wire.write(body.data)
        case Framing.LENGTH | Framing.CHUNKED | Framing.CLOSE:
            wire.write(framed.head)
            with let_go(wire.has_left, wire.when_gone):
                await _write_stream(wire, framed.framing, body)
        case _:
            assert_never(framed.framing)
    await wire.drained()


@contextmanager
def let_go(
    has_left: Callable[[], bool], when_gone: Callable[[Callable[[], object] | None], None]
) -> Iterator[None]:
    """Ends the block with ``ConnectionResetError`` when the viewer goes: bodies may be silent."""
    task = asyncio.current_task()
    assert task is not None
    when_gone(lambda: asyncio.current_task() is task or task.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if has_left() and not task.uncancel():
            raise ConnectionResetError("the viewer has left") from None
        raise
    finally:
        when_gone(None)


async def _write_stream(wire: Wire, framing: Framing, body: Body) -> None:
    left = body.length
    chunks = aiter(body)
    try:
        async for chunk in chunks:
            if framing is Framing.CHUNKED:
                wire.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            else:
                if left is not None:
                    left -= len(chunk)
                    if left < 0:
                        raise BodyMismatch("the body is longer than its length")
                wire.write(chunk)
            await wire.drained()
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    if left and framing is Framing.LENGTH:
        raise BodyMismatch(f"the body ended {left} bytes before its length")
    if framing is Framing.CHUNKED:
        wire.write(b"0\r\n\r\n")


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that the viewer sees an error, not an orderly end."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
