"""Sends a recorded request once more, as it was or edited, through the door that it came by.

It goes over a real connection, so that everything happens to it that happens to a viewer's request.
"""

import asyncio
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import Body
from edgeproxy.http.location import DETAILS
from edgeproxy.http.messages import Viewer

__all__ = ["Edited", "door_of", "send_again", "viewer_headers", "whole_body"]

_TIMEOUT_S: Final = 120
_FRAMING: Final = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_IDS: Final = ("X-Amz-Cf-Id", "x-amzn-RequestId")
_PREFIX: Final = "x-edgeproxy-viewer-"


@dataclass(frozen=True, slots=True)
class Edited:
    """What to send in place of what the record has; None: that."""

    method: str | None = None
    target: str | None = None
    headers: tuple[tuple[str, str], ...] | None = None
    body: bytes | None = None


def door_of(exchange: Exchange, endpoints: Mapping[str, Any]) -> str:
    """The URL of the door that a request came by. Raises :class:`UsageError` when it has none."""
    is_secure = exchange.request.viewer.scheme == "https"
    match exchange.door:
        case "distribution":
            doors = endpoints["distributions"].get(exchange.primary or exchange.name, {})
        case "function-url":
            doors = endpoints["function_urls"].get(exchange.name, {})
        case "alb":
            listeners = endpoints["load_balancers"].get(exchange.name, {"listeners": []})
            port = exchange.request.host.rpartition(":")[2]
            found = [each for each in listeners["listeners"] if each["url"].endswith(f":{port}")]
            doors = next(iter([*found, *listeners["listeners"]]), {})
        case _:
            raise UsageError("a call of Lambda's API came by no door of viewers")
    url = (is_secure and doors.get("https_url")) or doors.get("url")
    if not url:
        raise UsageError(f"{exchange.name} is not served any more")
    return str(url).rstrip("/")


def viewer_headers(viewer: Viewer) -> list[tuple[str, str]]:
    """The headers that make the edge see such a viewer again."""
    known = {"ip": viewer.ip, "country": viewer.country}
    known |= {name: getattr(viewer.location, name.replace("-", "_")) for name in DETAILS}
    return [(f"{_PREFIX}{name}", value) for name, value in known.items() if value]


def whole_body(body: Body) -> bytes:
    """All of a recorded body. Raises :class:`UsageError` when only its beginning is kept."""
    size = body.passed if body.length is None else body.length
    if len(body.preview) < size:
        raise UsageError(
            f"of the body's {size} bytes only the first {len(body.preview)} are kept",
            remedy="give a body of your own",
        )
    return body.preview


async def send_again(
    exchange: Exchange, edited: Edited, door: str, authority: Path | None
) -> str | None:
    """The ID of the new record; None where the answer does not tell it.

    ``authority`` is the certificate by which a door over TLS is known. Raises :class:`UsageError`
    when the request cannot be sent as it was.
    """
    recorded = exchange.request
    if recorded.upgrade:
        raise UsageError("a WebSocket cannot be opened again from here")
    body = whole_body(recorded.body) if edited.body is None else edited.body
    lines = recorded.headers if edited.headers is None else edited.headers
    kept = [(name, value) for name, value in lines if name.lower() not in _FRAMING]
    given = {name.lower() for name, _ in kept}
    kept += [line for line in viewer_headers(recorded.viewer) if line[0] not in given]
    method, target = edited.method or recorded.method, edited.target or recorded.target
    try:
        return await asyncio.to_thread(_send, urlsplit(door), authority, method, target, kept, body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UsageError(f"the request cannot be sent: {error}") from error


def _send(
    door: SplitResult,
    authority: Path | None,
    method: str,
    target: str,
    lines: list[tuple[str, str]],
    body: bytes,
) -> str | None:
    host = door.hostname or ""
    connection = http.client.HTTPConnection(host, door.port, timeout=_TIMEOUT_S)
    if door.scheme == "https":
        trust = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(host, door.port, timeout=_TIMEOUT_S, context=trust)
    try:
        has_host = any(name.lower() == "host" for name, _ in lines)
        connection.putrequest(method, target, skip_host=has_host, skip_accept_encoding=True)
        for name, value in lines:
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        if body or method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        while answer.read(65_536):
            pass
        return next((found for name in _IDS if (found := answer.getheader(name))), None)
    finally:
        connection.close()
