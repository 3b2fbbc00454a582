"""From an HTTP/2 header list to a :class:`Request`, the same as HTTP/1.1 would have made.

The frames are understood already. A list that breaks HTTP/2's own rules (RFC 9113, 8.1 to 8.3) is
malformed and ends its stream; what is a request, but none that is served, gets the page that it
would get over HTTP/1.1.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from edgeproxy.http.body import EMPTY_BODY, Body, StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.server.limits import MAX_BODY_BYTES, Limits
from edgeproxy.server.reading import HOST, Refused, ViewerOf, head_too_long

__all__ = ["Malformed", "read_request"]

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE: Final = re.compile(rb"(?:[^\x00\r\n\t ](?:[^\x00\r\n]*[^\x00\r\n\t ])?)?")
_PATH: Final = re.compile(rb"[!-~\x80-\xff]+")
_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_OF_A_CONNECTION: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


class Malformed(Exception):
    """A header list that is none."""


def read_request(
    fields: Iterable[tuple[bytes, bytes]],
    limits: Limits,
    viewer_of: ViewerOf,
    source: Callable[[int | None], StreamBody] | None,
    has_left: Callable[[], bool],
) -> Request:
    """The request: header lines in order, lower-case as received, and ``Host`` before them.

    ``source`` makes the body of a declared length, and is None when there is none. Cookies that
    came in pieces are one line (RFC 9113, 8.2.3). Raises :class:`Malformed` and :class:`Refused`.
    """
    pseudo, lines = _checked(fields)
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if method == b"CONNECT":
        raise Refused(400, "CONNECT is not supported")
    if not (_METHOD.fullmatch(method) and pseudo.get(b":scheme") and _PATH.fullmatch(path)):
        raise Malformed("a pseudo-header is missing")
    if not path.startswith(b"/") and (path, method) != (b"*", b"OPTIONS"):
        raise Malformed("the path does not begin with a slash")
    lines = _with_host(pseudo.get(b":authority"), lines)
    _measure(method, path, lines, limits)
    headers = Headers(
        [(name.decode("ascii"), value.decode("utf-8", "surrogateescape")) for name, value in lines]
    )
    if not HOST.fullmatch(headers.get("Host")):
        raise Refused(400, "malformed Host header")
    target = path.decode("utf-8", "surrogateescape")
    path_text, mark, query = target.partition("?")
    return Request(
        method=method.decode("ascii"),
        path=path_text,
        query=query if mark else None,
        version="2.0",
        headers=headers,
        body=_body(headers, source),
        viewer=viewer_of(headers),
        has_left=has_left,
    )


def _checked(
    fields: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """Pseudo-headers, and the lines after them with cookies in one."""
    pseudo: dict[bytes, bytes] = {}
    lines: list[tuple[bytes, bytes]] = []
    cookie = -1
    for name, value in fields:
        if not _VALUE.fullmatch(value):
            raise Malformed("a value holds what none may hold")
        if name.startswith(b":"):
            if lines or name not in _PSEUDO or name in pseudo:
                raise Malformed("a pseudo-header is unknown, stands twice or too late")
            pseudo[name] = value
            continue
        if not _NAME.fullmatch(name) or name in _OF_A_CONNECTION:
            raise Malformed("a header has no place in HTTP/2")
        if name == b"te" and value != b"trailers":
            raise Malformed("TE says more than trailers")
        if name == b"cookie":
            if cookie >= 0:
                lines[cookie] = name, lines[cookie][1] + b"; " + value
                continue
            cookie = len(lines)
        lines.append((name, value))
    return pseudo, lines


def _with_host(
    authority: bytes | None, lines: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """``lines`` with Host at their head: a name of our own making, spelt as CloudFront's events
    show it."""
    hosts = {value for name, value in lines if name == b"host"}
    if authority is not None:
        hosts.add(authority)
    if len(hosts) > 1:
        raise Malformed("there is more than one host")
    return [
        *((b"Host", host) for host in hosts),
        *(line for line in lines if line[0] != b"host"),
    ]


def _measure(method: bytes, path: bytes, lines: list[tuple[bytes, bytes]], limits: Limits) -> None:
    """As long as it would be in HTTP/1.1 (CDN-REQ-01, CDN-REQ-02)."""
    if len(path) > limits.max_url_bytes:
        raise Refused(414, f"the URL is longer than {limits.max_url_bytes} bytes")
    sizes = [len(name) + len(value) + 4 for name, value in lines]
    if len(method) + len(path) + 14 + sum(sizes) > limits.max_head_bytes:
        raise head_too_long(limits)
    if max(sizes, default=0) > limits.max_field_bytes + 4:
        raise head_too_long(limits)


def _body(headers: Headers, source: Callable[[int | None], StreamBody] | None) -> Body:
    lengths = set(headers.get_all("Content-Length"))
    if len(lengths) > 1 or not all(each.isascii() and each.isdecimal() for each in lengths):
        raise Malformed("malformed content-length")
    length = int(lengths.pop()) if lengths else None
    if source is None:
        if length:
            raise Malformed("the body is shorter than its content-length")
        return EMPTY_BODY
    if length is not None and length > MAX_BODY_BYTES:
        raise Refused(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    return source(length)
