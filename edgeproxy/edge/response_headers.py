"""Response headers policies: what CloudFront takes out of, and puts into, answers to viewers.

The stored object is not changed (CDN-RHP-01). Order: remove, then CORS, security and custom
headers, then Server-Timing (CDN-RHP-02); a header both removed and added ends up present.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edgeproxy.cache.fetched import Layer, Outcome
from edgeproxy.chance import Chance
from edgeproxy.distribution.response_headers import CorsConfig, PolicyHeader, ResponseHeadersPolicy
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = ["ServerTimingFacts", "UpstreamTimes", "apply_policy"]

_ALL_METHODS: Final = "GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT"
_CORS_HEADERS: Final = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
    }
)
_ORIGIN: Final = re.compile(r"(?:(https?)://)?([^/:]*)(?::([0-9*]+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UpstreamTimes:
    """How long asking the origin took, in milliseconds; ``connect_ms`` 0 is a reused connection."""

    dns_ms: int
    connect_ms: int
    first_byte_ms: int


@dataclass(frozen=True, slots=True)
class ServerTimingFacts:
    """What a ``Server-Timing`` header tells about one answer (CDN-ST-05 to 09)."""

    outcome: Outcome
    pop: str
    request_id: str
    first_byte_ms: int
    """From the request's arrival to the first byte for the viewer."""
    upstream: UpstreamTimes | None = None
    """None when no origin was asked."""
    layer: Layer = Layer.EDGE


def apply_policy(
    policy: ResponseHeadersPolicy,
    request: Request,
    response: Response,
    *,
    timing: ServerTimingFacts | None,
    chance: Chance,
) -> Response:
    """The response as ``policy`` wants the viewer to see it.

    Without ``timing`` no Server-Timing header is made. When the policy removes ``Date``, it is
    absent from the result: who finishes a response dates it (CDN-RHP-24).
    """
    headers = response.headers.without(*policy.remove_headers)
    if any(name.lower() == "server" for name in policy.remove_headers):
        headers = headers.with_set("Server", "CloudFront")
    if policy.cors is not None and "Origin" in request.headers:  # CDN-RHP-06, CDN-RHP-07 (U)
        headers = _with_cors(policy.cors, request, headers)
    headers = _with_added(policy.security_headers, headers)
    headers = _with_added(policy.custom_headers, headers)
    if timing is not None and _is_timed(policy, request, chance):
        headers = _with_server_timing(timing, headers)
    return response.with_headers(headers)


def _with_added(added: Iterable[PolicyHeader], headers: Headers) -> Headers:
    """CDN-RHP-03; an override replaces all lines of the name (CDN-RHP-22)."""
    for header in added:
        put = headers.with_set if header.override else headers.with_default
        headers = put(header.name, header.value)
    return headers


def _with_cors(cors: CorsConfig, request: Request, headers: Headers) -> Headers:
    if not cors.origin_override and any(name in _CORS_HEADERS for name in headers.names()):
        return headers  # All or nothing (CDN-RHP-04).
    origin = request.headers.get("Origin")
    anyone = "*" in cors.allow_origins
    if not anyone and not any(_allows_origin(entry, origin) for entry in cors.allow_origins):
        return headers
    headers = headers.with_set("Access-Control-Allow-Origin", "*" if anyone else origin)
    if not anyone and not _varies_on_origin(headers):
        headers = headers.with_added("Vary", "Origin")  # CDN-RHP-14 (U)
    if cors.allow_credentials:
        headers = headers.with_set("Access-Control-Allow-Credentials", "true")
    is_preflight = (
        request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    )
    if cors.expose_headers and (is_preflight or not cors.exposes_to_preflights_only):
        headers = headers.with_set("Access-Control-Expose-Headers", ", ".join(cors.expose_headers))
    if is_preflight:
        headers = _with_preflight(cors, request, headers)
    return headers


def _with_preflight(cors: CorsConfig, request: Request, headers: Headers) -> Headers:
    """What only a preflight is told (CDN-RHP-08)."""
    methods = _ALL_METHODS if "ALL" in cors.allow_methods else ", ".join(cors.allow_methods)
    if methods:
        headers = headers.with_set("Access-Control-Allow-Methods", methods)
    allowed = _allowed_headers(cors.allow_headers, request.headers)
    if allowed:
        headers = headers.with_set("Access-Control-Allow-Headers", ", ".join(allowed))
    if cors.max_age_s is not None:
        headers = headers.with_set("Access-Control-Max-Age", str(cors.max_age_s))
    return headers


def _allowed_headers(entries: tuple[str, ...], asked: Headers) -> list[str]:
    """Names as configured, and for a pattern the names asked for that it matches (CDN-RHP-15).

    A browser knows ``*`` (all but ``Authorization``), but no other pattern.
    """
    names = (asked.joined("Access-Control-Request-Headers") or "").split(",")
    wanted = [name.strip() for name in names if name.strip()]
    allowed: list[str] = []
    for entry in entries:
        if entry == "*" or "*" not in entry:
            allowed.append(entry)
        else:
            allowed += (name for name in wanted if _matches(entry.lower(), name.lower(), ".+"))
    return list(dict.fromkeys(allowed))


def _allows_origin(entry: str, origin: str) -> bool:
    """CDN-RHP-10 to 13: scheme, host and port of an allow-origin entry against an ``Origin``."""
    wanted, sent = _ORIGIN.fullmatch(entry), _ORIGIN.fullmatch(origin)
    if wanted is None or sent is None or sent[1] is None:
        return False
    scheme, host = sent[1].lower(), sent[2].lower()
    if wanted[1] is not None and wanted[1].lower() != scheme:
        return False
    if wanted[3] is not None:
        port = sent[3] or ("443" if scheme == "https" else "80")
        if not _matches(wanted[3], port, ".*"):
            return False
    elif wanted[1] is not None and sent[3] is not None:
        return False  # A scheme without a port means the scheme's own port.
    pattern = wanted[2].lower()
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return host == pattern


def _matches(pattern: str, text: str, star: str) -> bool:
    return re.fullmatch(star.join(map(re.escape, pattern.split("*"))), text) is not None


def _varies_on_origin(headers: Headers) -> bool:
    names = (headers.joined("Vary") or "").lower().split(",")
    return any(name.strip() in ("*", "origin") for name in names)


def _is_timed(policy: ResponseHeadersPolicy, request: Request, chance: Chance) -> bool:
    """CDN-ST-01, CDN-ST-02."""
    config = policy.server_timing
    if not config.enabled:
        return False
    if "server-timing" in (request.headers.joined("Pragma") or "").lower():
        return True
    return chance.fraction() * 100 < config.sampling_rate


def _with_server_timing(timing: ServerTimingFacts, headers: Headers) -> Headers:
    """On a full fetch the origin's own metrics stay, in front; else they are old (CDN-ST-03)."""
    origins = headers.get_all("Server-Timing") if timing.outcome == "Miss" else []
    return headers.with_set("Server-Timing", ",".join([*origins, *_metrics(timing)]))


def _metrics(timing: ServerTimingFacts) -> list[str]:
    metrics: list[str] = []
    upstream = timing.upstream
    if upstream is not None:
        if timing.outcome == "Miss":
            metrics.append(f'cdn-upstream-layer;desc="{timing.layer}"')
        metrics += (
            f"cdn-upstream-dns;dur={upstream.dns_ms}",
            f"cdn-upstream-connect;dur={upstream.connect_ms}",
            f"cdn-upstream-fbl;dur={upstream.first_byte_ms}",
        )
    match timing.outcome:
        case "Hit":
            metrics.append("cdn-cache-hit")
        case "RefreshHit":
            metrics.append("cdn-cache-refresh")
        case "Miss":
            metrics.append("cdn-cache-miss")
    metrics += (f'cdn-pop;desc="{timing.pop}"', f'cdn-rid;desc="{timing.request_id}"')
    if timing.outcome == "Hit":
        metrics.append(f'cdn-hit-layer;desc="{timing.layer}"')
    metrics.append(f"cdn-downstream-fbl;dur={timing.first_byte_ms}")
    return metrics
