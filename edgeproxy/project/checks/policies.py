"""What AWS refuses in cache, origin request and response headers policies."""

from collections.abc import Callable, Iterator

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import (
    CachePolicy,
    CacheSettings,
    LegacyCacheSettings,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.viewer_headers import ORIGIN_REQUEST_POLICY_ONLY
from edgeproxy.errors import Place
from edgeproxy.project.report import CheckFinding

__all__ = [
    "Where",
    "check_cache_policy",
    "check_legacy_settings",
    "check_origin_request_policy",
    "check_response_headers_policy",
    "check_selection",
    "check_ttls",
]

Where = Callable[[str], Place]
"""Gives the place of a property of the value that is being checked."""

_LISTING = frozenset(
    {
        SelectionKind.WHITELIST,
        SelectionKind.ALL_EXCEPT,
        SelectionKind.ALL_VIEWER_AND_WHITELIST_CLOUDFRONT,
    }
)
_LEGACY_HEADERS_REFUSED = frozenset(
    {"connection", "cookie", "proxy-authorization", "te", "upgrade"}
)  # CDN-KEY-32; Host is refused for S3 origins only
_NOT_REMOVABLE = frozenset(
    {
        "connection", "content-encoding", "content-length", "expect", "host", "keep-alive",
        "proxy-authenticate", "proxy-authorization", "proxy-connection", "trailer",
        "transfer-encoding", "upgrade", "via", "warning", "x-accel-buffering", "x-accel-charset",
        "x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing",
        "x-amzn-cf-id", "x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile",
        "x-amzn-header-count", "x-amzn-header-order", "x-amzn-lambda-integration-tag",
        "x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip  # CDN-RHP-23


def check_selection(selection: Selection, kind: str, where: Where) -> Iterator[CheckFinding]:
    """CDN-CFG-395; ``kind`` is ``Header``, ``Cookie`` or ``QueryString``."""
    behavior, names = f"{kind}Behavior", f"{kind}s"
    if selection.kind in _LISTING and not selection.names:
        yield CheckFinding(
            "CDN-CFG-395",
            where(behavior),
            f"The parameter {names} is required when {behavior} is {selection.kind}.",
            f"list the {names}, or set {behavior} to none",
        )
    if selection.kind not in _LISTING and selection.names:
        yield CheckFinding(
            "CDN-CFG-395",
            where(names),
            f"The parameter {names} must be empty when {behavior} is {selection.kind}.",
            f"remove {names}",
        )
    if len(selection.names) > quotas.MAX_POLICY_HEADERS:
        yield CheckFinding(
            "CDN-CFG-403",
            where(names),
            f"TooMany{names}: a policy takes {quotas.MAX_POLICY_HEADERS}, this one has "
            f"{len(selection.names)}.",
            "list fewer, or ask AWS for a higher quota",
        )
    if sum(map(len, selection.names)) > quotas.MAX_POLICY_NAMES_BYTES:
        yield CheckFinding(
            "CDN-CFG-403",
            where(names),
            f"The names in {names} are longer than {quotas.MAX_POLICY_NAMES_BYTES} characters "
            "together.",
            "list fewer or shorter names",
        )


def check_ttls(settings: CacheSettings, where: Where) -> Iterator[CheckFinding]:
    """CDN-CFG-393."""
    if not settings.min_ttl_s <= settings.default_ttl_s <= settings.max_ttl_s:
        yield CheckFinding(
            "CDN-CFG-393",
            where("MinTTL"),
            "InvalidTTLOrder: MinTTL must not exceed DefaultTTL, nor DefaultTTL MaxTTL; they are "
            f"{settings.min_ttl_s}, {settings.default_ttl_s} and {settings.max_ttl_s}.",
            "put them in order",
        )


def check_cache_policy(policy: CachePolicy, where: Where) -> Iterator[CheckFinding]:
    """CDN-CFG-393, CDN-CFG-177 and CDN-KEY-17."""
    yield from check_ttls(policy, where)
    for name in policy.headers.names:
        if name.lower() in ORIGIN_REQUEST_POLICY_ONLY:
            yield CheckFinding(
                "CDN-KEY-17",
                where("ParametersInCacheKeyAndForwardedToOrigin"),
                f"InvalidArgument: {name} cannot be in a cache policy.",
                "forward it with an origin request policy instead",
            )
    keyed = (
        policy.enable_accept_encoding_gzip
        or policy.enable_accept_encoding_brotli
        or any(
            each.kind is not SelectionKind.NONE
            for each in (policy.headers, policy.cookies, policy.query_strings)
        )
    )
    # CDN-CFG-177 (U): taken in its full extent.
    if policy.max_ttl_s == 0 and keyed:
        yield CheckFinding(
            "CDN-CFG-177",
            where("ParametersInCacheKeyAndForwardedToOrigin"),
            "InvalidArgument: with caching disabled (all TTLs 0), headers, cookies, query strings "
            "and compression cannot be in the cache key.",
            "forward them with an origin request policy instead",
        )


def check_origin_request_policy(
    policy: OriginRequestPolicy, where: Where
) -> Iterator[CheckFinding]:
    """CDN-CFG-397. ``where`` gives places inside ``HeadersConfig``."""
    if policy.headers.kind is SelectionKind.ALL_EXCEPT:
        return
    for name in policy.headers.names:
        # CDN-CFG-397: that Accept-Encoding is refused as well is unsure; refused it is.
        if name.lower() in ("authorization", "accept-encoding"):
            yield CheckFinding(
                "CDN-CFG-397",
                where("Headers"),
                f"InvalidArgument: {name} cannot be named in an origin request policy.",
                "put Authorization into the cache policy's headers"
                if name.lower() == "authorization"
                else "use EnableAcceptEncodingGzip and EnableAcceptEncodingBrotli",
            )


def check_response_headers_policy(
    policy: ResponseHeadersPolicy, where: Where
) -> Iterator[CheckFinding]:
    """CDN-CFG-396, CDN-RHP-17, CDN-CFG-403."""
    for name in policy.remove_headers:
        lower = name.lower()
        if lower in _NOT_REMOVABLE or lower.startswith(("x-amz-cf-", "x-edge-")):
            yield CheckFinding(
                "CDN-CFG-396",
                where("RemoveHeadersConfig"),
                f"InvalidArgument: the header {name} cannot be removed.",
                "take it off the list",
            )
    cors = policy.cors
    if cors is not None and cors.allow_credentials:
        lists = (cors.allow_origins, cors.allow_headers, cors.allow_methods, cors.expose_headers)
        if any("*" in each or "ALL" in each for each in lists):
            yield CheckFinding(
                "CDN-RHP-17",
                where("CorsConfig"),
                "InvalidArgument: AccessControlAllowCredentials cannot be true together with *.",
                "name origins, headers and methods, or set it to false",
            )
    if len(policy.custom_headers) > quotas.MAX_POLICY_CUSTOM_HEADERS:
        yield CheckFinding(
            "CDN-CFG-403",
            where("CustomHeadersConfig"),
            f"TooManyCustomHeadersInResponseHeadersPolicy: {len(policy.custom_headers)} headers, "
            f"the quota is {quotas.MAX_POLICY_CUSTOM_HEADERS}.",
            "list fewer, or ask AWS for a higher quota",
        )
    for header in policy.security_headers:
        if (
            header.name == "Content-Security-Policy"
            and len(header.value) > quotas.MAX_SECURITY_POLICY_CHARACTERS
        ):
            yield CheckFinding(
                "CDN-CFG-403",
                where("SecurityHeadersConfig"),
                "TooLongCSPInResponseHeadersPolicy: Content-Security-Policy has "
                f"{len(header.value)} characters, the quota is "
                f"{quotas.MAX_SECURITY_POLICY_CHARACTERS}.",
                "shorten it, or set it in a function",
            )


def check_legacy_settings(
    settings: LegacyCacheSettings, where: Where, *, is_s3: bool
) -> Iterator[CheckFinding]:
    """CDN-CFG-119, CDN-KEY-32, CDN-KEY-36 over ``ForwardedValues``."""
    if settings.headers.kind is SelectionKind.ALL and settings.min_ttl_s > 0:
        yield CheckFinding(
            "CDN-CFG-119",
            where("MinTTL"),
            "InvalidArgument: MinTTL must be 0 when all headers are forwarded.",
            "set MinTTL to 0, or list the headers",
        )
    for name in settings.headers.names:
        if name.lower() in _LEGACY_HEADERS_REFUSED or (is_s3 and name.lower() == "host"):
            yield CheckFinding(
                "CDN-KEY-32",
                where("ForwardedValues"),
                f"InvalidArgument: the header {name} cannot be forwarded.",
                "take it off the list",
            )
    for kind, names in (
        ("headers", settings.headers.names),
        ("cookies", settings.cookies.names),
        ("query strings", settings.query_string_cache_keys),
    ):
        if len(names) > quotas.MAX_POLICY_HEADERS:
            yield CheckFinding(
                "CDN-KEY-36",
                where("ForwardedValues"),
                f"Too many {kind}: {len(names)}, the quota is {quotas.MAX_POLICY_HEADERS}.",
                "list fewer, or move to a cache policy",
            )
