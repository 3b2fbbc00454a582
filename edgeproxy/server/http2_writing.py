"""From a :class:`Response` to an HTTP/2 header list: its own headers in lower case (CDN-VER-05).

What belongs to an HTTP/1.1 connection has no place there; frames say where a body ends.
"""

from collections.abc import Iterable
from typing import Final

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.server.writing import IllegalHead

__all__ = ["LEFT_OUT", "fields_of", "has_no_body", "trailers_of"]

LEFT_OUT: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)


def has_no_body(response: Response, method: str) -> bool:
    """Whether the answer to ``method`` ends with its head."""
    return method == "HEAD" or response.status in (204, 304)


def fields_of(response: Response, method: str) -> list[tuple[bytes, bytes]]:
    """The header list of the answer to ``method``. Raises :class:`IllegalHead`."""
    headers = response.headers.as_multidict()
    length = response.body.length
    if response.status == 204:
        headers.popall("Content-Length", None)
    elif not has_no_body(response, method):
        if length is None:
            headers.popall("Content-Length", None)
        else:
            headers["Content-Length"] = str(length)
    elif method == "HEAD" and length:
        headers.setdefault("Content-Length", str(length))
    return [(b":status", b"%d" % response.status), *_fields(headers.items())]


def trailers_of(headers: Headers) -> list[tuple[bytes, bytes]]:
    """What follows a body. Raises :class:`IllegalHead`."""
    return _fields(headers)


def _fields(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    lines = [(name.lower(), value.strip(" \t")) for name, value in headers]
    text = "".join([each for line in lines for each in line])
    if "\n" in text or "\r" in text or "\0" in text:
        raise IllegalHead("a header holds a line break or a NUL")
    return [(_encoded(name), _encoded(value)) for name, value in lines if name not in LEFT_OUT]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
