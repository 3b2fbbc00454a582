"""The value of every field of CloudFront's logs, by its name (CDN-LOG, CDN-RTL).

Standard and real-time logs share most names; some mean something else in the two (CDN-RTL-02), so
each has a table of its own. A value is the text before it is encoded, empty when there is none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import unquote

from edgeproxy.distribution.grpc import is_grpc
from edgeproxy.distribution.logs import CMCD_FIELDS
from edgeproxy.distribution.model import Behavior, Distribution
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Response

__all__ = [
    "NEVER_ENCODED",
    "REALTIME_VALUES",
    "STANDARD_VALUES",
    "LogSource",
    "Record",
    "Value",
    "behavior_of",
]

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/")
_CMCD_HEADERS: Final = ("CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status")
_CMCD_PAIR: Final = re.compile(r'\s*([a-z]+)(?:=("(?:[^"\\]|\\.)*"|[^,]*))?\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Record:
    """An exchange that has ended, with what a line says beside it."""

    exchange: Exchange
    distribution: Distribution | None
    """None when a reload has dropped it meanwhile."""
    pop: str
    server_ip: str = ""
    with_cookies: bool = False
    primary: Distribution | None = None
    """Under continuous deployment."""

    @property
    def finished(self) -> float:
        """When the last byte was out, in seconds of the edge's time."""
        return self.exchange.started + self.exchange.duration_s


@dataclass(frozen=True, slots=True)
class LogSource:
    """What makes records of exchanges. ``distribution`` is asked by logical ID."""

    distribution: Callable[[str], Distribution | None]
    pop: str
    server_ip: str = ""

    def record(self, exchange: Exchange, *, with_cookies: bool = False) -> Record:
        """Cookies are in it when the distribution's ``Logging`` says so, or the caller does."""
        distribution = self.distribution(exchange.name)
        primary = self.distribution(exchange.primary) if exchange.primary else None
        if distribution is not None:
            with_cookies = with_cookies or distribution.logging.include_cookies
            if distribution.continuous_deployment_policy_id:
                primary = distribution
        return Record(exchange, distribution, self.pop, self.server_ip, with_cookies, primary)


Value: TypeAlias = Callable[[Record], str]


def behavior_of(distribution: Distribution, exchange: Exchange) -> Behavior:
    """The behavior that the request matched."""
    for behavior in distribution.behaviors:
        if behavior.path_pattern == exchange.path_pattern:
            return behavior
    return distribution.default_behavior


def _date(record: Record) -> str:
    return _date_and_time(int(record.finished))[0]


def _time(record: Record) -> str:
    return _date_and_time(int(record.finished))[1]


@lru_cache(16)  # Many records end in the same second.
def _date_and_time(second: int) -> tuple[str, str]:
    moment = datetime.fromtimestamp(second, UTC)
    return f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}"


def _status(record: Record) -> str:
    exchange = record.exchange
    left_first = exchange.aborted and exchange.bytes_sent == 0
    response = exchange.response
    return "000" if response is None or left_first else str(response.status)


def _header(name: str) -> Value:
    """A header of the viewer's request; several lines of it as one."""
    return lambda record: record.exchange.request.headers.joined(name) or ""


def _cookie(record: Record) -> str:
    return "; ".join(record.exchange.request.headers.get_all("Cookie"))


def _logged_cookie(record: Record) -> str:
    return _cookie(record) if record.with_cookies else ""


def _domain_name(record: Record) -> str:
    return record.distribution.domain_name if record.distribution is not None else ""


def _protocol(record: Record) -> str:
    """CDN-GRP-03: ``grpcs`` needs a behavior that serves gRPC."""
    exchange = record.exchange
    secure = exchange.request.viewer.scheme == "https"
    if exchange.response is not None and exchange.response.status == 101:
        return "wss" if secure else "ws"
    distribution = record.distribution
    if distribution is not None and is_grpc(behavior_of(distribution, exchange), exchange.request):
        return "grpcs"
    return exchange.request.viewer.scheme


def _content_type(record: Record) -> str:
    response = record.exchange.response
    return response.headers.get("Content-Type") if response is not None else ""


def _content_length(record: Record) -> str:
    """The header as sent: of a body's own length, or of what a bodiless answer says of it."""
    response = record.exchange.response
    if response is None:
        return ""
    length = response.body.length
    if record.exchange.request.method == "HEAD" or response.status == 304:
        return response.headers.get("Content-Length") or (str(length) if length else "")
    return "" if length is None or response.status in (101, 204) else str(length)


def _range(response: Response | None, which: int) -> str:
    text = response.headers.get("Content-Range") if response is not None else ""
    found = _CONTENT_RANGE.match(text)
    return found[which] if found else ""


def _first_byte(record: Record) -> str:
    return f"{record.exchange.first_byte_s or record.exchange.duration_s:.3f}"


def _origin_began(exchange: Exchange) -> float | None:
    """When the origin that answered was asked."""
    steps = (step for step in reversed(exchange.steps) if step.name == "origin")
    return next((step.started_s for step in steps if step.after is not None), None)


def _origin_latency(record: Record, until: float | None) -> str:
    began = _origin_began(record.exchange)
    return f"{until - began:.3f}" if began is not None and until is not None else ""


def _tenant(record: Record) -> str:
    distribution = record.distribution
    return distribution.id if distribution is not None and distribution.tenant is not None else ""


def _connection_id(record: Record) -> str:
    mutual_tls = record.exchange.request.viewer.mutual_tls
    return mutual_tls.connection_id if mutual_tls is not None else ""


def _primary_id(record: Record) -> str:
    return record.primary.id if record.primary is not None else ""


def _primary_domain_name(record: Record) -> str:
    return record.primary.domain_name if record.primary is not None else ""


def _encrypted_fields(record: Record) -> str:
    exchange = record.exchange
    return str(exchange.fle_encrypted_fields) if exchange.fle_status else ""


def _none(record: Record) -> str:
    return ""


def _log_data(event_type: str) -> Value:
    """What the CloudFront Function at this event gave to ``cf.logCustomData`` (CFF-HLP-02)."""
    return lambda record: next(
        (run.log_data for run in record.exchange.functions if run.event_type == event_type), ""
    )


def _ip_version(record: Record) -> str:
    return "IPv6" if ":" in record.exchange.request.viewer.ip else "IPv4"


def _header_lines(record: Record) -> str:
    """CDN-RTL-03 (U): a line for each header, line feeds included."""
    return "".join(f"{name}:{value}\n" for name, value in record.exchange.request.headers)


def _header_names(record: Record) -> str:
    return "".join(f"{name}\n" for name, _ in record.exchange.request.headers)


def _failover_reason(record: Record) -> str:
    """CDN-RTL-04."""
    for step in record.exchange.steps:
        if step.name == "failover" and step.decision is not None:
            return f"Failover:{step.decision.facts['status']}"
    return ""


def _cmcd(key: str) -> Value:
    """A value of Common Media Client Data, from the query string or else from headers."""

    def value(record: Record) -> str:
        request = record.exchange.request
        texts = [
            unquote(pair[5:])
            for pair in (request.query or "").split("&")
            if pair.startswith("CMCD=")
        ] or [request.headers.get(name) for name in _CMCD_HEADERS]
        for text in texts:
            for name, found in _CMCD_PAIR.findall(text):
                if name == key:
                    return str(found).strip('"') or "true"  # A key alone says that it is so.
        return ""

    return value


_SHARED: Final[Mapping[str, Value]] = {
    "x-edge-location": lambda record: record.pop,
    "sc-bytes": lambda record: str(record.exchange.bytes_sent),
    "c-ip": lambda record: record.exchange.request.viewer.ip,
    "cs-method": lambda record: record.exchange.request.method,
    "sc-status": _status,
    "cs-uri-query": lambda record: record.exchange.request.query or "",
    "x-edge-result-type": lambda record: record.exchange.result_type,
    "x-edge-request-id": lambda record: record.exchange.id,
    "cs-protocol": _protocol,
    "cs-bytes": lambda record: str(record.exchange.bytes_received),
    "time-taken": lambda record: f"{record.exchange.duration_s:.3f}",
    "x-forwarded-for": _header("X-Forwarded-For"),
    "ssl-protocol": lambda record: record.exchange.request.viewer.tls_protocol,
    "ssl-cipher": lambda record: record.exchange.request.viewer.tls_cipher,
    "x-edge-response-result-type": lambda record: record.exchange.response_result_type,
    "cs-protocol-version": lambda record: f"HTTP/{record.exchange.request.version}",
    "fle-status": lambda record: record.exchange.fle_status,
    "fle-encrypted-fields": _encrypted_fields,
    "c-port": lambda record: str(record.exchange.request.viewer.port),
    "time-to-first-byte": _first_byte,
    "x-edge-detailed-result-type": lambda record: record.exchange.detailed_result_type,
    "sc-content-type": _content_type,
    "sc-content-len": _content_length,
    "sc-range-start": lambda record: _range(record.exchange.response, 1),
    "sc-range-end": lambda record: _range(record.exchange.response, 2),
    "distribution-tenant-id": _tenant,
    "connection-id": _connection_id,
    "origin-fbl": lambda record: _origin_latency(record, record.exchange.origin_first_byte_s),
    "origin-lbl": lambda record: _origin_latency(record, record.exchange.origin_last_byte_s),
    "asn": lambda record: record.exchange.request.viewer.location.asn,
    "c-country": lambda record: record.exchange.request.viewer.country,
    "cache-behavior-path-pattern": lambda record: record.exchange.path_pattern,
    "primary-distribution-id": _primary_id,
    "primary-distribution-dns-name": _primary_domain_name,
}

STANDARD_VALUES: Final[Mapping[str, Value]] = {
    **_SHARED,
    "date": _date,
    "time": _time,
    "timestamp(ms)": lambda record: str(int(record.finished * 1000)),
    "cs(Host)": _domain_name,
    "x-host-header": lambda record: record.exchange.request.host,
    "cs-uri-stem": lambda record: record.exchange.request.path,
    "cs(Referer)": _header("Referer"),
    "cs(User-Agent)": _header("User-Agent"),
    "cs(Cookie)": _logged_cookie,
    "viewer-request-log-data": _log_data("viewer-request"),
    "viewer-response-log-data": _log_data("viewer-response"),
}
"""The fields of standard logs, of both versions."""

REALTIME_VALUES: Final[Mapping[str, Value]] = {
    **_SHARED,
    "timestamp": lambda record: f"{record.finished:.3f}",
    "s-ip": lambda record: record.server_ip,
    "cs-host": lambda record: record.exchange.request.host,
    "x-host-header": _domain_name,
    "cs-uri-stem": lambda record: record.exchange.request.target,
    "c-ip-version": _ip_version,
    "cs-user-agent": _header("User-Agent"),
    "cs-referer": _header("Referer"),
    "cs-cookie": _cookie,
    "cs-accept-encoding": _header("Accept-Encoding"),
    "cs-accept": _header("Accept"),
    "cs-headers": _header_lines,
    "cs-header-names": _header_names,
    "cs-headers-count": lambda record: str(len(record.exchange.request.headers)),
    **{field: _cmcd(key) for field, key in CMCD_FIELDS.items()},
    "r-host": lambda record: record.exchange.origin_domain_name,
    "sr-reason": _failover_reason,
    "x-edge-mqcs": _none,
}
"""The fields of real-time logs."""

NEVER_ENCODED: Final = frozenset(
    {
        "c-ip-version",
        "c-port",
        "cs-bytes",
        "cs-headers-count",
        "cs-protocol",
        "cs-protocol-version",
        "date",
        "fle-encrypted-fields",
        "origin-fbl",
        "origin-lbl",
        "sc-bytes",
        "sc-range-end",
        "sc-range-start",
        "sc-status",
        "time",
        "time-taken",
        "time-to-first-byte",
        "timestamp",
        "timestamp(ms)",
        "viewer-request-log-data",
        "viewer-response-log-data",
        "x-edge-detailed-result-type",
        "x-edge-mqcs",
        "x-edge-request-id",
        "x-edge-response-result-type",
        "x-edge-result-type",
    }
)
"""What is made here of visible ASCII, or is encoded already."""
