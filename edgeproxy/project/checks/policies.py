"""What AWS refuses in cache, origin request and response headers policies."""

import re
from collections.abc import Callable, Iterable, Iterator

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import (
    CachePolicy,
    CacheSettings,
    LegacyCacheSettings,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy
from edgeproxy.distribution.viewer_headers import ORIGIN_REQUEST_POLICY_ONLY
from edgeproxy.errors import Place
from edgeproxy.project.report import CheckFinding

__all__ = [
    "Where",
    "check_cache_policy",
    "check_given",
    "check_legacy_settings",
    "check_names",
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
_NOT_CACHEABLE = frozenset(
    {
        "cache-control", "connection", "content-length", "cookie", "max-forwards", "pragma",
        "proxy-authenticate", "proxy-authorization", "proxy-connection", "request-range", "te",
        "trailer", "transfer-encoding", "upgrade", "x-amz-cf-id", "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip  # CDN-HDR-01, last column
_ALLOWED_ORIGIN = re.compile(r"([^*]*://)?(\*\.)?[^*]*(:[0-9*]+)?")
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


def check_names(policy: CachePolicy | OriginRequestPolicy, where: Where) -> Iterator[CheckFinding]:
    """How long all names in one policy may be together (CDN-KEY-12, CDN-ORP-10)."""
    selections = (policy.headers, policy.cookies, policy.query_strings)
    length = sum(len(name.encode()) for each in selections for name in each.names)
    if length > quotas.MAX_POLICY_NAMES_BYTES:
        yield CheckFinding(
            "CDN-CFG-403",
            where(""),
            f"The headers, cookies and query strings of the policy have names of {length} bytes "
            f"together, the quota is {quotas.MAX_POLICY_NAMES_BYTES}.",
            "list fewer or shorter names",
        )


def check_ttls(settings: CacheSettings, where: Where) -> Iterator[CheckFinding]:
    """CDN-CFG-393, CDN-TTL-16."""
    for name, ttl in (
        ("MinTTL", settings.min_ttl_s),
        ("DefaultTTL", settings.default_ttl_s),
        ("MaxTTL", settings.max_ttl_s),
    ):
        if not 0 <= ttl <= quotas.MAX_TTL_S:
            yield CheckFinding(
                "CDN-TTL-16",
                where(name),
                f"InvalidArgument: {name} is {ttl}; the range is 0 to {quotas.MAX_TTL_S} seconds.",
                "choose a time of at most 100 years",
            )
    if not settings.min_ttl_s <= settings.default_ttl_s <= settings.max_ttl_s:
        yield CheckFinding(
            "CDN-CFG-393",
            where("MinTTL"),
            "InvalidTTLOrder: MinTTL must not exceed DefaultTTL, nor DefaultTTL MaxTTL; they are "
            f"{settings.min_ttl_s}, {settings.default_ttl_s} and {settings.max_ttl_s}.",
            "put them in order",
        )


def check_cache_policy(policy: CachePolicy, where: Where) -> Iterator[CheckFinding]:
    """CDN-CFG-393, CDN-CFG-177, CDN-KEY-12, CDN-KEY-17, CDN-KEY-26 and CDN-HDR-01."""
    yield from check_ttls(policy, where)
    yield from check_names(policy, where)
    has_flag = policy.enable_accept_encoding_gzip or policy.enable_accept_encoding_brotli
    for name in policy.headers.names:
        rule, remedy = _why_not_cacheable(name.lower(), has_flag)
        if rule:
            yield CheckFinding(
                rule,
                where("ParametersInCacheKeyAndForwardedToOrigin"),
                f"InvalidArgument: the header {name} cannot be in this cache policy.",
                remedy,
            )
    keyed = has_flag or any(
        each.kind is not SelectionKind.NONE
        for each in (policy.headers, policy.cookies, policy.query_strings)
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


def _why_not_cacheable(name: str, has_flag: bool) -> tuple[str, str]:
    """The rule that keeps a header out of the key, and what to do; nothing where none does."""
    if name in ORIGIN_REQUEST_POLICY_ONLY:
        return "CDN-KEY-17", "forward it with an origin request policy instead"
    if name == "accept-encoding" and has_flag:
        return "CDN-KEY-26", "EnableAcceptEncodingGzip and EnableAcceptEncodingBrotli key on it"
    if name in _NOT_CACHEABLE or name.startswith("x-edge-"):
        return "CDN-HDR-01", "take it off the list; cookies have a selection of their own"
    return "", ""


def check_given(rule: str, config: Place, names: Iterable[str]) -> Iterator[CheckFinding]:
    """``names`` are required properties that are not there."""
    for name in names:
        message = f"InvalidRequest: {name} is missing; CloudFormation requires it."
        yield CheckFinding(rule, config, message, "add it")


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
    """CDN-CFG-190, CDN-CFG-199, CDN-CFG-396, CDN-RHP-17, CDN-CFG-403."""
    if not 0 <= policy.server_timing.sampling_rate <= 100:
        yield CheckFinding(
            "CDN-CFG-199",
            where("ServerTimingHeadersConfig"),
            f"InvalidArgument: SamplingRate is {policy.server_timing.sampling_rate:g}; the range "
            "is 0 to 100.",
            "give the percentage of responses",
        )
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
    for entry in cors.allow_origins if cors is not None else ():
        if entry != "*" and not _ALLOWED_ORIGIN.fullmatch(entry):
            yield CheckFinding(
                "CDN-RHP-11",
                where("CorsConfig"),
                f"InvalidArgument: in the AccessControlAllowOrigins value {entry[:200]!r} a * is "
                "neither the whole left-most label nor part of a port.",
                "write *.example.org, example.org:* or http://*.example.org",
            )
    most = quotas.MAX_CORS_ORIGIN_CHARACTERS
    if cors is not None and any(len(each) > most for each in cors.allow_origins):
        yield CheckFinding(
            "CDN-CFG-403",
            where("CorsConfig"),
            f"InvalidArgument: an AccessControlAllowOrigins value is longer than {most} "
            "characters.",
            "shorten it, or set the header in a function",
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
    headers, cookies, strings = (
        settings.headers.names,
        settings.cookies.names,
        settings.query_string_cache_keys,
    )
    yield from _legacy_counts(headers, cookies, strings, where)
    most = quotas.MAX_LEGACY_NAME_CHARACTERS
    for kind, length, quota in (
        ("names of the cookies", sum(len(name) + 1 for name in cookies), most),
        ("names of the query strings", sum(map(len, strings)), most),
        (
            "longest name of a query string",
            max(map(len, strings), default=0),
            quotas.MAX_LEGACY_QUERY_STRING_CHARACTERS,
        ),
    ):
        if length > quota:
            yield CheckFinding(
                "CDN-KEY-36",
                where("ForwardedValues"),
                f"Too long: the {kind}, with {length} characters; the quota is {quota}.",
                "list fewer or shorter ones, or move to a cache policy",
            )


def _legacy_counts(
    headers: tuple[str, ...], cookies: tuple[str, ...], strings: tuple[str, ...], where: Where
) -> Iterator[CheckFinding]:
    """CDN-QUO-21."""
    for kind, names, quota in (
        ("headers", headers, quotas.MAX_LEGACY_NAMES),
        ("forwarded headers", headers, quotas.MAX_LEGACY_FORWARDED_HEADERS),
        ("cookies", cookies, quotas.MAX_LEGACY_NAMES),
        ("query strings", strings, quotas.MAX_LEGACY_NAMES),
    ):
        if len(names) > quota:
            yield CheckFinding(
                "CDN-KEY-36",
                where("ForwardedValues"),
                f"Too many {kind}: {len(names)}, the quota is {quota}.",
                "list fewer, or move to a cache policy",
            )
