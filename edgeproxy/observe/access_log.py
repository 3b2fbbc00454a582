"""CloudFront's standard access log, version 1 (CDN-LOG-01 to 10): tab-separated W3C lines."""

import logging
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Response

__all__ = ["FIELDS", "AccessLog", "escape_field", "log_line"]

FIELDS: Final = (
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
)

_ENCODED: Final = (
    frozenset(b"<>\"#%{}|\\^~[]`'") | frozenset(range(33)) | frozenset(range(127, 256))
)

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/")

_log = logging.getLogger("edgeproxy")


class AccessLog:
    """A recorder that appends one line for each request of a distribution.

    ``domain_name`` is asked for the domain name of a distribution by its logical ID. Raises
    ``OSError`` when the file cannot be opened; a disk that fills up later costs the lines, not the
    requests.
    """

    def __init__(self, path: Path, pop: str, domain_name: Callable[[str], str]) -> None:
        self._pop = pop
        self._domain_name = domain_name
        # Unbuffered: a line is written whole and at once, or not at all.
        self._file = path.open("ab", buffering=0)
        if os.fstat(self._file.fileno()).st_size == 0:
            self._write(f"#Version: 1.0\n#Fields: {' '.join(FIELDS)}")

    def ended(self, exchange: Exchange) -> None:
        if exchange.door == "distribution":
            self._write(log_line(exchange, self._pop, self._domain_name(exchange.name)))

    def close(self) -> None:
        self._file.close()

    def _write(self, line: str) -> None:
        try:
            self._file.write(line.encode("ascii") + b"\n")
        except OSError as error:
            _log.error("a line of the access log is lost: %s", error.strerror)


def log_line(exchange: Exchange, pop: str, domain_name: str) -> str:
    """The line of one ended exchange, without the line feed."""
    request = exchange.request
    response = exchange.response
    viewer = request.viewer
    headers = request.headers
    finished = datetime.fromtimestamp(exchange.started + exchange.duration_s, UTC)
    first_byte_s = exchange.first_byte_s or exchange.duration_s
    left_early = exchange.aborted and exchange.bytes_sent == 0
    range_start, range_end = _range_of(response)
    values: list[str | None] = [
        f"{finished:%Y-%m-%d}",
        f"{finished:%H:%M:%S}",
        pop,
        str(exchange.bytes_sent),
        viewer.ip,
        request.method,
        domain_name,
        request.path,
        "000" if response is None or left_early else str(response.status),
        headers.get("Referer"),
        headers.get("User-Agent"),
        request.query,
        "; ".join(headers.get_all("Cookie")),
        "Error" if exchange.aborted else exchange.result_type,
        exchange.id,
        request.host,
        _protocol(exchange),
        str(exchange.bytes_received),
        f"{exchange.duration_s:.3f}",
        headers.joined("X-Forwarded-For"),
        viewer.tls_protocol,
        viewer.tls_cipher,
        exchange.response_result_type or exchange.result_type,
        f"HTTP/{request.version}",
        None,
        None,
        str(viewer.port),
        f"{first_byte_s:.3f}",
        "ClientCommError" if exchange.aborted else exchange.detailed_result_type,
        response.headers.get("Content-Type") if response is not None else None,
        _content_length(exchange),
        range_start,
        range_end,
    ]
    return "\t".join(escape_field(value) if value else "-" for value in values)


def escape_field(value: str) -> str:
    """``value`` with the bytes percent-encoded that must not stand in a log field (CDN-LOG-03)."""
    data = value.encode("utf-8", "surrogateescape")
    if not any(byte in _ENCODED for byte in data):
        return value
    return "".join(f"%{byte:02X}" if byte in _ENCODED else chr(byte) for byte in data)


def _protocol(exchange: Exchange) -> str:
    secure = exchange.request.viewer.scheme == "https"
    if exchange.response is not None and exchange.response.status == 101:
        return "wss" if secure else "ws"
    return exchange.request.viewer.scheme


def _content_length(exchange: Exchange) -> str | None:
    """The header as sent: of a body's own length, or of what a bodiless answer says of it."""
    response = exchange.response
    if response is None:
        return None
    length = response.body.length
    if exchange.request.method == "HEAD" or response.status == 304:
        return response.headers.get("Content-Length") or (str(length) if length else None)
    return None if length is None or response.status in (101, 204) else str(length)


def _range_of(response: Response | None) -> tuple[str | None, str | None]:
    """First and last byte of the response's Content-Range."""
    text = response.headers.get("Content-Range") if response is not None else ""
    found = _CONTENT_RANGE.match(text)
    return (found[1], found[2]) if found else (None, None)
