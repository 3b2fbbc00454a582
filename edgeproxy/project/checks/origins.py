"""What CloudFront refuses in an origin or an origin group (CDN-CFG-060 to CDN-CFG-091)."""

import re
from collections.abc import Iterator

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import CustomOrigin, Origin, OriginGroup
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding

__all__ = ["check_origin", "check_origin_group"]

_ORIGIN_HEADERS_REFUSED = frozenset(
    {
        "cache-control", "connection", "content-length", "cookie", "host", "if-match",
        "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "max-forwards",
        "pragma", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range",
        "request-range", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip",
    }
)  # fmt: skip  # CDN-OCH-03
_FAILOVER_CODES = frozenset({400, 403, 404, 416, 429, 500, 502, 503, 504})  # CDN-OG-02
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+\Z|\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:]*\]?\Z")


def _range(
    value: float, low: int, high: int, rule: str, where: Where, name: str
) -> Iterator[CheckFinding]:
    if not low <= value <= high:
        yield CheckFinding(
            rule,
            where(name),
            f"InvalidArgument: {name.split('|')[0]} is {value:g}, the range is {low} to {high}.",
            f"choose a value from {low} to {high}",
        )


def check_origin(origin: Origin, where: Where) -> Iterator[CheckFinding]:
    """An origin as declared, before its path is mended."""
    if "/" in origin.domain_name or ":" in origin.domain_name:
        yield CheckFinding(
            "CDN-CFG-061",
            where("DomainName"),
            f"InvalidOrigin: {origin.domain_name!r} is not a domain name.",
            "leave out scheme, port and path",
        )
    elif _IP_ADDRESS.match(origin.domain_name):
        yield CheckFinding(
            "CDN-ORG-13",
            where("DomainName"),
            "InvalidOrigin: an origin cannot be named by an IP address.",
            "use a name here and map it with --origin",
        )
    path = origin.origin_path
    if path and (not path.startswith("/") or path.endswith("/")):
        yield CheckFinding(
            "CDN-CFG-402",
            where("OriginPath"),
            "InvalidOrigin: OriginPath must begin with / and must not end with it.",
            "write it as /folder",
        )
    for name, value in origin.custom_headers:
        lower = name.lower()
        if lower in _ORIGIN_HEADERS_REFUSED or lower.startswith(("x-amz-", "x-edge-")):
            yield CheckFinding(
                "CDN-CFG-396",
                where("OriginCustomHeaders|CustomHeaders"),
                f"InvalidArgument: {name} cannot be an origin custom header.",
                "use another name",
            )
        if (
            len(name) > quotas.MAX_CUSTOM_HEADER_NAME_CHARACTERS
            or len(value) > quotas.MAX_CUSTOM_HEADER_VALUE_CHARACTERS
        ):
            yield _header_quota(where, f"{name[:40]} is longer than 256 / 1,783 characters")
    lines = origin.custom_headers.lines()
    if len(lines) > quotas.MAX_ORIGIN_CUSTOM_HEADERS:
        yield _header_quota(where, f"{len(lines)} headers, the quota is 30")
    if (
        sum(len(name) + len(value) for name, value in lines)
        > quotas.MAX_CUSTOM_HEADER_TOTAL_CHARACTERS
    ):
        yield _header_quota(where, "the headers are longer than 10,240 characters together")
    yield from _range(origin.connection_attempts, 1, 3, "CDN-CFG-064", where, "ConnectionAttempts")
    yield from _range(origin.connection_timeout_s, 1, 10, "CDN-CFG-065", where, "ConnectionTimeout")
    completion = origin.response_completion_timeout_s
    if completion is not None and completion < origin.config.read_timeout_s:
        yield CheckFinding(
            "CDN-CFG-066",
            where("ResponseCompletionTimeout"),
            "InvalidArgument: ResponseCompletionTimeout is shorter than OriginReadTimeout.",
            "make it at least as long",
        )
    if isinstance(origin.config, CustomOrigin):
        yield from _check_custom_origin(origin.config, where)


def _header_quota(where: Where, message: str) -> CheckFinding:
    return CheckFinding(
        "CDN-CFG-403",
        where("OriginCustomHeaders|CustomHeaders"),
        f"TooManyOriginCustomHeaders: {message}.",
        "send less",
    )


def _check_custom_origin(config: CustomOrigin, where: Where) -> Iterator[CheckFinding]:
    for name, port in (("HTTPPort", config.http_port), ("HTTPSPort", config.https_port)):
        if port not in (80, 443) and not 1024 <= port <= 65535:
            yield CheckFinding(
                "CDN-CFG-070",
                where("CustomOriginConfig"),
                f"InvalidArgument: {name} is {port}; 80, 443 and 1024 to 65535 are allowed.",
                "use another port and map the origin with --origin",
            )
    place = "CustomOriginConfig"
    yield from _range(config.read_timeout_s, 1, 120, "CDN-CFG-073", where, place)
    yield from _range(config.keepalive_timeout_s, 1, 120, "CDN-CFG-074", where, place)


def check_origin_group(group: OriginGroup, where: Where) -> Iterator[CheckFinding]:
    wrong = sorted(group.status_codes - _FAILOVER_CODES)
    if wrong or not group.status_codes:
        yield CheckFinding(
            "CDN-CFG-091",
            where("FailoverCriteria"),
            f"InvalidArgument: {', '.join(map(str, wrong)) or 'nothing'} as failover status code.",
            "one or more of " + ", ".join(map(str, sorted(_FAILOVER_CODES))),
        )
