"""What goes to an origin, and what comes back into the edge (CDN-ORP, CDN-HDR, CDN-RSP).

A request to the origin holds the headers that CloudFront always passes on or sets itself, and what
the behavior's settings name. With policies nothing else goes; legacy settings let unknown headers
pass (CDN-HDR-02). Framing (Connection, chunking) is the origin client's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from edgeproxy.distribution.forwarded import (
    Plan,
    accept_encoding,
    forwards_cookies,
    plan_of,
    taken_cookies,
    taken_query,
)
from edgeproxy.distribution.model import Behavior, CustomOrigin, Origin
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.viewer_headers import CANONICAL_NAMES, DEVICE_NAMES, GENERATED_NAMES
from edgeproxy.http.cookies import format_cookies
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

__all__ = [
    "Ruling",
    "from_origin",
    "origin_request",
    "own_host",
    "ruling",
    "with_custom_headers",
    "with_grpc_headers",
    "without_framing",
]

_USER_AGENT: Final = "Amazon CloudFront"

_FORWARDED: Final = frozenset(
    {
        "cache-control",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "from",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "range",
        "request-range",
        "transfer-encoding",
        "warning",
    }
)
"""Sent whatever the settings say (CDN-HDR-04)."""

_REMOVED_UNLESS_NAMED: Final = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-language",
        "referer",
        "user-agent",
        "x-http-method-override",
    }
)
"""Removed even under legacy settings, unless those list them (CDN-HDR-01)."""

# Expect may be in a cache key, but it is answered here and never goes on (CDN-REQ-09). Keep-Alive
# is not in AWS's table; it speaks of the viewer's connection only.
_NEVER_FORWARDED: Final = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
_EDGE_PREFIX: Final = "x-edge-"

_BODY_HASH: Final = "x-amz-content-sha256"
"""What viewers say of a body for a Lambda origin with a signature (CDN-S3-15)."""

_MADE_HERE: Final = frozenset(
    {"accept-encoding", "cookie", "host", "via", "x-amz-cf-id", "x-forwarded-for"}
)
"""Composed by :func:`origin_request` itself."""

_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "trailer", "upgrade"})
_PROXY_PREFIX: Final = "proxy-"
_GRPC_PREFIX: Final = "grpc-"
_ALWAYS_IN_VARY: Final = frozenset({"*", "accept-encoding", "cookie"})
_NAMES_KEPT: Final = 256
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def origin_request(
    request: Request,
    behavior: Behavior,
    origin: Origin,
    *,
    generated: Mapping[str, str],
    request_id: str,
    via: str,
) -> Request:
    """The request for ``origin`` as an origin-request function sees it (LE-EVT-13).

    ``generated`` holds CloudFront's own headers for the viewer, ``via`` is this edge's whole entry.
    The path is without the origin path, and the origin's custom headers are not in yet
    (LE-EVT-20): see :func:`with_custom_headers`.
    """
    plan, passes = plan_of(behavior), _passing(behavior)
    lines: dict[str, tuple[str, str]] = {"host": ("Host", _host(request, origin, plan))}
    for name, value in request.headers:
        lower = name.lower()
        if lower in _MADE_HERE:
            continue
        is_hash = lower == _BODY_HASH and origin.is_signed_function_url
        if not (is_hash or passes(lower, request.method)):
            continue
        earlier = lines.get(lower)
        # CDN-HDR-18 (U): several lines of one name become one.
        lines[lower] = (earlier[0], f"{earlier[1]}, {value}") if earlier else (name, value)
    lines.setdefault("user-agent", ("User-Agent", _USER_AGENT))
    headers = list(lines.values())
    if cookies := taken_cookies(plan.cookies, request):
        headers.append(("Cookie", format_cookies(cookies)))
    _, encoding = accept_encoding(behavior, request)
    if encoding is not None:
        headers.append(("Accept-Encoding", encoding))
    for name, own in (("X-Forwarded-For", request.viewer.ip), ("Via", via)):
        headers.append((name, ", ".join([*request.headers.get_all(name), own])))
    headers.append(("X-Amz-Cf-Id", request_id))
    headers += [(name, generated[name]) for name in plan.generated if name in generated]
    outgoing = request.with_headers(Headers(headers))
    query = taken_query(plan.query, request.query)
    return outgoing if query == request.query else replace(outgoing, query=query)


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a header of the viewer goes on to the origin, and because of what."""

    passes: bool
    because: str


_OF_THE_CONNECTION: Final = Ruling(False, "never sent: it belongs to the viewer's connection")
_OWN_NAME: Final = Ruling(False, "never sent: CloudFront alone sets this header")
_ALWAYS: Final = Ruling(True, "always sent")
_NAMED: Final = Ruling(True, "a setting names it")
_ANY: Final = Ruling(True, "legacy settings let headers pass that they do not name")
_UNNAMED: Final = Ruling(False, "no setting names it")
_METHOD: Final = Ruling(True, "sent with every method but GET and HEAD (CDN-HDR-30)")
_OPTIONS: Final = Ruling(False, "not sent with OPTIONS where OPTIONS is cached (CDN-HDR-31)")


def ruling(name: str, method: str, behavior: Behavior) -> Ruling:
    """What becomes of the viewer's header ``name``, which CloudFront does not compose itself."""
    return _ruling(name.lower(), method, behavior, plan_of(behavior))


@PreparedOnce
def _passing(behavior: Behavior) -> Callable[[str, str], bool]:
    """Says whether a header of that lower-case name goes on with that method."""
    plan = plan_of(behavior)

    @lru_cache(_NAMES_KEPT)  # Viewers send the same few names all the time.
    def passes(name: str, method: str) -> bool:
        return _ruling(name, method, behavior, plan).passes

    return passes


def _ruling(name: str, method: str, behavior: Behavior, plan: Plan) -> Ruling:
    if name in _NEVER_FORWARDED:
        return _OF_THE_CONNECTION
    if name.startswith(_EDGE_PREFIX) or name in GENERATED_NAMES:
        return _OWN_NAME
    if name == "authorization":
        if method == "OPTIONS" and "OPTIONS" in behavior.cached_methods:
            return _OPTIONS
        if name in plan.headers:
            return _NAMED
        return _UNNAMED if method in ("GET", "HEAD") else _METHOD
    if name in _FORWARDED:
        return _ALWAYS
    if name in plan.headers:
        return _NAMED
    return _ANY if plan.is_legacy and name not in _REMOVED_UNLESS_NAMED else _UNNAMED


def _host(request: Request, origin: Origin, plan: Plan) -> str:
    """The viewer's Host if it is forwarded, else the origin's own name (CDN-HDR-10).

    Legacy settings cannot forward it to S3 (CDN-KEY-32).
    """
    is_offered = not (plan.is_legacy and origin.is_s3)
    if is_offered and "host" in plan.headers and request.host:
        return request.host
    return own_host(origin, request.viewer.scheme)


def own_host(origin: Origin, viewer_scheme: str) -> str:
    """The origin's name, with the port of a custom origin when it is not the scheme's default."""
    config = origin.config
    if not isinstance(config, CustomOrigin):
        return origin.domain_name
    scheme = {"http-only": "http", "https-only": "https"}.get(config.protocol_policy, viewer_scheme)
    port = config.http_port if scheme == "http" else config.https_port
    return origin.domain_name if port == _DEFAULT_PORTS[scheme] else f"{origin.domain_name}:{port}"


def with_grpc_headers(outgoing: Request, request: Request) -> Request:
    """``outgoing`` with the headers by which gRPC works: deadline, encodings and the like.

    AWS does not say so, but without them no message that is compressed could be read.
    """
    lines = [
        line
        for line in request.headers
        if line[0].startswith(_GRPC_PREFIX) and line[0] not in outgoing.headers
    ]
    return outgoing.with_headers(Headers([*outgoing.headers, *lines])) if lines else outgoing


def with_custom_headers(request: Request, origin: Origin) -> Request:
    """``request`` with the origin's custom headers in place of the viewer's (CDN-OCH-01)."""
    custom = origin.custom_headers
    if not custom:
        return request
    kept = request.headers.without(*custom.names())
    return replace(request, headers=Headers([*kept, *custom]))


def from_origin(response: Response, behavior: Behavior) -> Response:
    """The origin's answer as an origin-response function sees it and the cache stores it.

    Without what belongs to the connection (CDN-RSP-06), without cookies nobody asked for
    (CDN-RSP-04), and with the part of ``Vary`` that can matter (CDN-RSP-08). Transfer-Encoding
    stays for the function's event. A 101 is left as it is.
    """
    if response.status == 101:
        return response
    headers = response.headers
    unwanted = [*_HOP_BY_HOP, *headers.names_with(_PROXY_PREFIX)]
    if not forwards_cookies(behavior):
        unwanted.append("set-cookie")
    headers = _with_filtered_vary(headers.without(*unwanted), plan_of(behavior), behavior)
    return response if headers is response.headers else response.with_headers(headers)


def without_framing(response: Response) -> Response:
    """``response`` without Transfer-Encoding, once no function needs to see it any more."""
    headers = response.headers.without("Transfer-Encoding")
    return response if headers is response.headers else response.with_headers(headers)


def _with_filtered_vary(headers: Headers, plan: Plan, behavior: Behavior) -> Headers:
    vary = headers.joined("Vary")
    if vary is None:
        return headers
    names = [name.strip() for name in vary.split(",")]
    kept = [name for name in names if _may_vary_on(name.lower(), plan, behavior)]
    if len(kept) == len(names):
        return headers
    return headers.with_set("Vary", ", ".join(kept)) if kept else headers.without("Vary")


def _may_vary_on(name: str, plan: Plan, behavior: Behavior) -> bool:
    if name in _ALWAYS_IN_VARY or CANONICAL_NAMES.get(name) in plan.generated:
        return True
    if name == "user-agent" and any(device.lower() in DEVICE_NAMES for device in plan.generated):
        return True
    if plan.headers.is_block_list and not plan.is_legacy and name not in _FORWARDED:
        # CDN-RSP-08: the guide means headers that one has chosen to forward, so the names that a
        # policy lists. "All viewer headers" lists none; what is in the cache key is chosen.
        return name in plan.key_headers
    return bool(name) and _ruling(name, "GET", behavior, plan).passes
