"""Reads cache, origin request and response headers policies, and the legacy cache settings."""

from edgeproxy.distribution.model import (
    CachePolicy,
    LegacyCacheSettings,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.response_headers import (
    CorsConfig,
    PolicyHeader,
    ResponseHeadersPolicy,
    ServerTiming,
)
from edgeproxy.project.checks.policies import (
    check_cache_policy,
    check_given,
    check_names,
    check_origin_request_policy,
    check_response_headers_policy,
    check_selection,
)
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.report import CheckFinding

__all__ = [
    "read_cache_policy",
    "read_legacy_settings",
    "read_origin_request_policy",
    "read_response_headers_policy",
]

NOT_TRAFFIC = "it has no effect on traffic"
_DAY_S, _YEAR_S = 86_400, 31_536_000
_KEYED_HEADERS = ("none", "whitelist")
_FORWARDED_HEADERS = (
    "none",
    "whitelist",
    "allViewer",
    "allViewerAndWhitelistCloudFront",
    "allExcept",
)
_FOUR = ("none", "whitelist", "allExcept", "all")
_CORS_METHODS = ("GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ALL")
_REFERRER_POLICIES = (
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
)


def read_cache_policy(config: Section, policy_id: str) -> CachePolicy:
    """``CachePolicyConfig`` (CDN-CFG-170 to 176); absent TTLs follow CDN-TTL-18."""
    config.ignore(NOT_TRAFFIC, "Comment")
    min_ttl = config.integer("MinTTL")
    default_ttl = config.integer("DefaultTTL", max(_DAY_S, min_ttl))
    max_ttl = config.integer("MaxTTL", max(_YEAR_S, default_ttl))
    keyed = config.required_section("ParametersInCacheKeyAndForwardedToOrigin")
    policy = CachePolicy(
        name=config.text("Name"),
        id=policy_id,
        min_ttl_s=min_ttl,
        default_ttl_s=default_ttl,
        max_ttl_s=max_ttl,
        headers=_selection(keyed, "Header", _KEYED_HEADERS),
        cookies=_selection(keyed, "Cookie", _FOUR),
        query_strings=_selection(keyed, "QueryString", _FOUR),
        enable_accept_encoding_gzip=keyed.boolean("EnableAcceptEncodingGzip", False),
        enable_accept_encoding_brotli=keyed.boolean("EnableAcceptEncodingBrotli", False),
    )
    keyed.finish()
    config.finish()
    config.found(check_cache_policy(policy, config.place))
    if not config.values.words:  # Terraform's own defaults stand in for what is left out.
        ttls = [name for name in ("DefaultTTL", "MaxTTL") if name not in config.values]
        config.found(check_given("CDN-CFG-172", config.place(), ttls))
        flags = [name for name in ("EnableAcceptEncodingGzip",) if name not in keyed.values]
        config.found(check_given("CDN-CFG-173", keyed.place(), flags))
    return policy


def read_origin_request_policy(config: Section, policy_id: str) -> OriginRequestPolicy:
    """``OriginRequestPolicyConfig`` (CDN-CFG-180 to 182)."""
    config.ignore(NOT_TRAFFIC, "Comment")
    policy = OriginRequestPolicy(
        name=config.text("Name"),
        id=policy_id,
        headers=_selection(config, "Header", _FORWARDED_HEADERS),
        cookies=_selection(config, "Cookie", _FOUR),
        query_strings=_selection(config, "QueryString", _FOUR),
    )
    config.finish()
    config.found(check_names(policy, config.place))
    config.found(
        check_origin_request_policy(policy, config.required_section("HeadersConfig").place)
    )
    return policy


def _selection(parent: Section, kind: str, allowed: tuple[str, ...]) -> Selection:
    config = parent.required_section(f"{kind}sConfig")
    selection = Selection(
        SelectionKind(config.choice(f"{kind}Behavior", allowed)), config.texts(f"{kind}s")
    )
    config.finish()
    config.found(check_selection(selection, kind, config.place))
    return selection


def read_legacy_settings(behavior: Section, forwarded: Section) -> LegacyCacheSettings:
    """``ForwardedValues`` with the behavior's TTLs (CDN-CFG-118, CDN-CFG-119)."""
    headers = forwarded.texts("Headers")
    min_ttl = behavior.integer("MinTTL", 0)
    default_ttl = behavior.integer("DefaultTTL", max(_DAY_S, min_ttl))
    settings = LegacyCacheSettings(
        query_string=forwarded.boolean("QueryString"),
        query_string_cache_keys=forwarded.texts("QueryStringCacheKeys"),
        headers=Selection(SelectionKind.ALL)
        if "*" in headers
        else Selection(SelectionKind.WHITELIST if headers else SelectionKind.NONE, headers),
        cookies=_legacy_cookies(forwarded.section("Cookies")),
        min_ttl_s=min_ttl,
        default_ttl_s=default_ttl,
        max_ttl_s=behavior.integer("MaxTTL", max(_YEAR_S, default_ttl)),
    )
    forwarded.finish()
    return settings


def _legacy_cookies(cookies: Section | None) -> Selection:
    if cookies is None:
        return Selection()
    kind = SelectionKind(cookies.choice("Forward", ("none", "whitelist", "all")))
    selection = Selection(kind, cookies.texts("WhitelistedNames"))
    cookies.finish()
    return selection


def read_response_headers_policy(config: Section, policy_id: str) -> ResponseHeadersPolicy:
    """``ResponseHeadersPolicyConfig`` (CDN-CFG-190 to 199)."""
    config.ignore(NOT_TRAFFIC, "Comment")
    security = config.section("SecurityHeadersConfig")
    cors = config.section("CorsConfig")
    timing = config.section("ServerTimingHeadersConfig")
    policy = ResponseHeadersPolicy(
        name=config.text("Name"),
        id=policy_id,
        cors=_cors(cors) if cors is not None else None,
        security_headers=_security_headers(security) if security is not None else (),
        custom_headers=tuple(map(_custom_header, config.sections("CustomHeadersConfig"))),
        remove_headers=tuple(map(_removed_header, config.sections("RemoveHeadersConfig"))),
        server_timing=_server_timing(timing),
    )
    config.finish()
    config.found(check_response_headers_policy(policy, config.place))
    return policy


def _cors(config: Section) -> CorsConfig:
    cors = CorsConfig(
        allow_origins=_required_texts(config, "AccessControlAllowOrigins"),
        allow_headers=_required_texts(config, "AccessControlAllowHeaders"),
        allow_methods=_cors_methods(config),
        allow_credentials=config.boolean("AccessControlAllowCredentials"),
        origin_override=config.boolean("OriginOverride"),
        expose_headers=config.texts("AccessControlExposeHeaders"),
        max_age_s=config.optional_integer("AccessControlMaxAgeSec"),
    )
    config.finish()
    return cors


def _cors_methods(config: Section) -> tuple[str, ...]:
    methods = _required_texts(config, "AccessControlAllowMethods")
    for method in methods:
        if method not in _CORS_METHODS:
            raise config.error(
                "AccessControlAllowMethods",
                f"{method!r} is not a value that AWS knows",
                rule="CDN-CFG-009",
                remedy="one of " + ", ".join(_CORS_METHODS),
            )
    return methods


def _required_texts(config: Section, name: str) -> tuple[str, ...]:
    if not config.has(name):
        raise config.error("", f"{name} is missing", remedy="AWS requires it")
    return config.texts(name)


def _security_headers(config: Section) -> tuple[PolicyHeader, ...]:
    """The headers in their final form (CDN-RHP-18 to CDN-RHP-20)."""
    headers = []
    for name, header, value in (
        ("XSSProtection", "X-XSS-Protection", _xss_protection),
        ("FrameOptions", "X-Frame-Options", _frame_options),
        ("ReferrerPolicy", "Referrer-Policy", _referrer_policy),
        ("ContentSecurityPolicy", "Content-Security-Policy", _content_security_policy),
        ("ContentTypeOptions", "X-Content-Type-Options", _content_type_options),
        ("StrictTransportSecurity", "Strict-Transport-Security", _transport_security),
    ):
        each = config.section(name)
        if each is not None:
            headers.append(PolicyHeader(header, value(each), each.boolean("Override")))
            each.finish()
    config.finish()
    return tuple(headers)


def _xss_protection(config: Section) -> str:
    block, report = config.boolean("ModeBlock", False), config.text("ReportUri", "")
    if block and report:
        config.found(
            [
                CheckFinding(
                    "CDN-RHP-19",
                    config.place("ReportUri"),
                    "InvalidArgument: ModeBlock and ReportUri exclude each other.",
                    "keep one",
                )
            ]
        )
    if not config.boolean("Protection"):
        return "0"
    if block:
        return "1; mode=block"
    return f"1; report={report}" if report else "1"


def _frame_options(config: Section) -> str:
    return config.choice("FrameOption", ("DENY", "SAMEORIGIN"))


def _referrer_policy(config: Section) -> str:
    return config.choice("ReferrerPolicy", _REFERRER_POLICIES)


def _content_security_policy(config: Section) -> str:
    return config.text("ContentSecurityPolicy")


def _content_type_options(config: Section) -> str:
    return "nosniff"


def _transport_security(config: Section) -> str:
    value = f"max-age={config.integer('AccessControlMaxAgeSec')}"
    if config.boolean("IncludeSubdomains", False):
        value += "; includeSubDomains"
    if config.boolean("Preload", False):
        value += "; preload"
    return value


def _custom_header(item: Section) -> PolicyHeader:
    header = PolicyHeader(item.text("Header"), item.text("Value"), item.boolean("Override"))
    item.finish()
    return header


def _removed_header(item: Section) -> str:
    name = item.text("Header")
    item.finish()
    return name


def _server_timing(config: Section | None) -> ServerTiming:
    if config is None:
        return ServerTiming(enabled=False)
    timing = ServerTiming(config.boolean("Enabled"), config.number("SamplingRate", 0))
    config.finish()
    return timing
