"""From a parsed head to a :class:`Request`: raw text kept, ambiguous messages refused.

aiohttp's parser has split the head already and refused what breaks its grammar. What it lets
pass, and two readers could still understand differently, is refused here (CDN-REQ-08).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from edgeproxy.http.body import EMPTY_BODY, Body, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer
from edgeproxy.server.client_hello import client_hello
from edgeproxy.server.limits import MAX_BODY_BYTES, Limits

__all__ = [
    "HOST",
    "BodyStopped",
    "Refused",
    "ViewerFrom",
    "ViewerOf",
    "connected_viewer",
    "head_size",
    "head_too_long",
    "read_request",
    "refusal",
    "told_viewer",
]

ViewerOf: TypeAlias = Callable[[Headers], Viewer]
ViewerFrom: TypeAlias = Callable[[str, int, Headers], Viewer]
"""Who the viewer is, from the address and port of the connection and the request's headers."""

# What may stand in a Host header: a name, an address, a port. No list, no path, no user.
HOST: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+;=%:\[\]-]*")


class Refused(Exception):
    """A request that never becomes a :class:`Request`: status and the detail in words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class BodyStopped(ConnectionAbortedError):
    """A request body whose next bytes did not come in time."""


class BodySource(Protocol):
    """The part of a connection that hands out a request body."""

    def expect_body(self) -> None:
        """Called before the first read: the moment to answer ``Expect: 100-continue``."""
        ...

    @property
    def read_stall_s(self) -> float: ...

    def has_left(self) -> bool:
        """Whether the viewer is gone."""
        ...


def refusal(error: BaseException, limits: Limits) -> Refused:
    """What an error of the parser means to the viewer (CDN-REQ-01, CDN-REQ-02, CDN-REQ-08)."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, LineTooLong):
        if error.args[1] == limits.max_url_bytes:
            return Refused(414, f"the URL is longer than {limits.max_url_bytes} bytes")
        return head_too_long(limits)
    text = error.message if isinstance(error, HttpProcessingError) else str(error)
    if "Invalid HTTP version" in text:
        return _unknown_version()
    if "invalid `Transfer-Encoding`" in text:
        return _unknown_coding()
    return Refused(400, text.partition("\n")[0].rstrip(":"))


def head_size(message: RawRequestMessage) -> int:
    """How long the head was in bytes, give or take blanks around header values."""
    lines = sum(len(name) + len(value) + 4 for name, value in message.raw_headers)
    return len(message.method) + len(message.path) + 14 + lines


def head_too_long(limits: Limits) -> Refused:
    sizes = f"{limits.max_head_bytes} bytes"
    if limits.max_field_bytes < limits.max_head_bytes:
        sizes += f", or one of them than {limits.max_field_bytes}"
    return Refused(494, f"request line and headers are longer than {sizes}")


def read_request(
    message: RawRequestMessage, payload: StreamReader, source: BodySource, viewer_of: ViewerOf
) -> Request:
    """The request as received: raw target, header lines in order with their case, body unread.

    Raises :class:`Refused`.
    """
    if message.version not in (HttpVersion10, HttpVersion11):
        raise _unknown_version()
    if message.method == "CONNECT":
        raise Refused(400, "CONNECT is not supported")
    # The parser's own headers have lost the spelling of their names, its raw ones have not.
    lines = [
        (raw[0].decode("ascii"), value)
        for raw, value in zip(message.raw_headers, message.headers.values(), strict=True)
    ]
    headers = Headers(lines)
    path, query, authority = _split_target(message.method, message.path)
    if authority:
        headers = headers.with_set("Host", authority)
    if len(headers.get_all("Host")) > 1 or not HOST.fullmatch(headers.get("Host")):
        raise Refused(400, "malformed Host header")
    body = _body(message, payload, headers, source)
    return Request(
        method=message.method,
        path=path,
        query=query,
        version="1.1" if message.version == HttpVersion11 else "1.0",
        headers=headers,
        body=body,
        viewer=viewer_of(headers),
        upgrade=_upgrade(message, headers, body),
        has_left=source.has_left,
    )


def connected_viewer(transport: asyncio.BaseTransport) -> Viewer:
    """Who is at the other end of a new connection."""
    # A viewer that has left already has no address any more.
    ip, port = (transport.get_extra_info("peername") or ("", 0))[:2]
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return Viewer(ip, port)
    return Viewer(
        ip,
        port,
        "https",
        tls_protocol=tls.version(),
        tls_cipher=tls.cipher()[0],
        tls_handshake="sessionResumed" if tls.session_reused else "fullHandshake",
        client_hello=client_hello(tls),
    )


def told_viewer(viewer: Viewer, tell: ViewerFrom | None, headers: Headers) -> Viewer:
    """The ``viewer`` of a connection as ``tell`` sees who sends ``headers``."""
    if tell is None:
        return viewer
    told = tell(viewer.ip, viewer.port, headers)
    if not viewer.tls_protocol:
        return told
    return replace(viewer, ip=told.ip, country=told.country, location=told.location)


def _unknown_version() -> Refused:
    return Refused(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")


def _unknown_coding() -> Refused:
    return Refused(501, "unknown transfer coding")


def _split_target(method: str, target: str) -> tuple[str, str | None, str]:
    """Path, query and, from an absolute-form target, the authority (RFC 9112, 3.2)."""
    authority = ""
    if not target.startswith("/"):
        if target == "*":
            if method != "OPTIONS":
                raise Refused(400, "the target * belongs to OPTIONS")
            return target, None, ""
        scheme, found, rest = target.partition("://")
        if not found or scheme.lower() not in ("http", "https"):
            raise Refused(400, "the target is neither a path nor an http URL")
        end = next((at for at, char in enumerate(rest) if char in "/?#"), len(rest))
        authority, target = rest[:end], rest[end:]
        if not target.startswith("/"):
            target = "/" + target
    path, mark, query = target.partition("?")
    return path, query if mark else None, authority


def _body(
    message: RawRequestMessage, payload: StreamReader, headers: Headers, source: BodySource
) -> Body:
    length: int | None = None
    if "Transfer-Encoding" in headers:
        codings = headers.get_all("Transfer-Encoding")
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise _unknown_coding()
        if "Content-Length" in headers or message.version == HttpVersion10:
            raise Refused(400, "Transfer-Encoding where a reader may not understand it")
    elif "Content-Length" in headers:
        values = headers.get_all("Content-Length")
        if len(values) > 1 or not (values[0].isascii() and values[0].isdecimal()):
            raise Refused(400, "malformed Content-Length")
        length = int(values[0])
        if length > MAX_BODY_BYTES:
            raise Refused(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
        if length == 0:
            return EMPTY_BODY
    else:
        return EMPTY_BODY
    return StreamBody(_chunks(payload, source), length)


async def _chunks(payload: StreamReader, source: BodySource) -> AsyncIterator[bytes]:
    """The body as it comes in. Raises ``ConnectionError`` when it breaks off."""
    source.expect_body()
    try:
        while True:
            async with asyncio.timeout(source.read_stall_s):
                chunk = await payload.readany()
            if not chunk:
                return
            yield chunk
    except TimeoutError as error:
        stopped = BodyStopped("the viewer stopped sending its request body")
        payload.set_exception(stopped)
        raise stopped from error
    except RequestPayloadError as error:
        raise ConnectionAbortedError("the viewer's request body is malformed") from error


def _upgrade(message: RawRequestMessage, headers: Headers, body: Body) -> str:
    """The protocol of a valid upgrade handshake (CDN-WS-01), else an empty string."""
    if not message.upgrade or message.method != "GET" or message.version == HttpVersion10:
        return ""
    if body is not EMPTY_BODY:
        return ""
    protocol = headers.get("Upgrade").lower()
    return protocol if protocol == "websocket" else ""
