"""What CloudFront refuses in a distribution (CDN-CFG-390 to CDN-CFG-403, LE-ASSOC)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import (
    Behavior,
    CustomErrorResponse,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    EventType,
    LegacyCacheSettings,
    Origin,
    OriginGroup,
)
from edgeproxy.project.checks.policies import Where, check_legacy_settings, check_ttls
from edgeproxy.project.report import CheckFinding, Severity

__all__ = [
    "check_behavior",
    "check_distribution",
    "check_error_response",
    "check_origin",
    "check_origin_group",
    "check_unique",
]

_METHOD_SETS = (
    {"GET", "HEAD"},
    {"GET", "HEAD", "OPTIONS"},
    {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"},
)  # CDN-MTH-01, CDN-MTH-03
_ORIGIN_HEADERS_REFUSED = frozenset(
    {
        "cache-control", "connection", "content-length", "cookie", "host", "if-match",
        "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "max-forwards",
        "pragma", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range",
        "request-range", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip",
    }
)  # fmt: skip  # CDN-OCH-03
_ERROR_CODES = frozenset({400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504})  # CDN-CEP-01
_FAILOVER_CODES = frozenset({400, 403, 404, 416, 429, 500, 502, 503, 504})  # CDN-OG-02
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+\Z|\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:]*\]?\Z")
_ALIAS = re.compile(r"(\*\.)?[^*]+\Z")
_VIEWER_EVENTS = frozenset({EventType.VIEWER_REQUEST, EventType.VIEWER_RESPONSE})
_REQUEST_EVENTS = frozenset({EventType.VIEWER_REQUEST, EventType.ORIGIN_REQUEST})


def check_unique(
    names: Iterable[object], what: str, where: Where, name: str
) -> Iterator[CheckFinding]:
    """CDN-CFG-391: no two ``names`` are equal."""
    for each, count in Counter(names).items():
        if count > 1:
            yield CheckFinding(
                "CDN-CFG-391",
                where(name),
                f"InvalidArgument: the {what} {each} appears {count} times.",
                "keep one",
            )


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


def check_behavior(behavior: Behavior, where: Where, *, is_s3: bool) -> Iterator[CheckFinding]:
    """Methods, TTLs and functions of one behavior."""
    allowed, cached = set(behavior.allowed_methods), set(behavior.cached_methods)
    if allowed not in _METHOD_SETS:
        yield CheckFinding(
            "CDN-CFG-392",
            where("AllowedMethods"),
            f"InvalidArgument: {', '.join(behavior.allowed_methods)} is not a set of methods that "
            "AllowedMethods can have.",
            "GET and HEAD, or with OPTIONS, or all seven",
        )
    if cached not in _METHOD_SETS[:2] or not cached <= allowed:
        yield CheckFinding(
            "CDN-CFG-392",
            where("CachedMethods"),
            f"InvalidArgument: {', '.join(behavior.cached_methods)} is not a set of methods that "
            "CachedMethods can have.",
            "GET and HEAD, or with OPTIONS where AllowedMethods has it",
        )
    if isinstance(behavior.cache, LegacyCacheSettings):
        yield from check_ttls(behavior.cache, where)
        yield from check_legacy_settings(behavior.cache, where, is_s3=is_s3)
    if len(behavior.path_pattern) > quotas.MAX_PATH_PATTERN_CHARACTERS:
        yield CheckFinding(
            "CDN-CFG-110",
            where("PathPattern"),
            "InvalidArgument: PathPattern is longer than 255 characters.",
            "shorten it",
        )
    if len(behavior.trusted_key_groups) > quotas.MAX_KEY_GROUPS:
        yield CheckFinding(
            "CDN-CFG-403",
            where("TrustedKeyGroups"),
            f"TooManyKeyGroupsAssociatedToDistribution: {len(behavior.trusted_key_groups)}, the "
            "quota is 4.",
            "join them",
        )
    yield from _check_associations(behavior, where)
    yield from _check_grpc(behavior, where)


def _check_associations(behavior: Behavior, where: Where) -> Iterator[CheckFinding]:
    lambdas = [each for each in behavior.functions if each.kind is EdgeFunctionKind.LAMBDA]
    cloudfront = [each for each in behavior.functions if each.kind is EdgeFunctionKind.CLOUDFRONT]
    for event_type, count in Counter(each.event_type for each in behavior.functions).items():
        if count > 1:
            kinds = {each.kind for each in behavior.functions if each.event_type is event_type}
            lambda_only = kinds == {EdgeFunctionKind.LAMBDA}
            yield CheckFinding(
                "LE-ASSOC-02",
                where("LambdaFunctionAssociations" if lambda_only else "FunctionAssociations"),
                f"InvalidFunctionAssociation: {count} functions on {event_type} of one behavior.",
                "one function per event type; the first one runs here",
            )
    viewer_lambdas = [each for each in lambdas if each.event_type in _VIEWER_EVENTS]
    if viewer_lambdas and any(each.event_type in _VIEWER_EVENTS for each in cloudfront):
        yield CheckFinding(
            "LE-ASSOC-03",
            where("LambdaFunctionAssociations"),
            "InvalidFunctionAssociation: a CloudFront Function and a Lambda@Edge function cannot "
            "both have viewer events of one behavior.",
            "use one kind for both viewer events",
        )
    for each in lambdas:
        if each.include_body and each.event_type not in _REQUEST_EVENTS:
            yield CheckFinding(
                "CDN-CFG-398",
                where("LambdaFunctionAssociations"),
                f"InvalidLambdaFunctionAssociation: IncludeBody on {each.event_type}.",
                "IncludeBody is for request events",
            )


def _check_grpc(behavior: Behavior, where: Where) -> Iterator[CheckFinding]:
    if not behavior.grpc_enabled:
        return
    if "POST" not in behavior.allowed_methods:
        yield CheckFinding(
            "CDN-CFG-399",
            where("GrpcConfig"),
            "InvalidArgument: gRPC needs POST among AllowedMethods.",
            "allow all seven methods",
        )
    if any(each.kind is EdgeFunctionKind.LAMBDA for each in behavior.functions):
        yield CheckFinding(
            "CDN-CFG-399",
            where("GrpcConfig"),
            "Lambda@Edge functions do not run for gRPC requests.",
            "use CloudFront Functions there",
            Severity.WARNING,
        )


def check_error_response(response: CustomErrorResponse, where: Where) -> Iterator[CheckFinding]:
    """CDN-CEP-01, 02, 03 and 05."""
    if response.error_code not in _ERROR_CODES:
        yield CheckFinding(
            "CDN-CEP-01",
            where("ErrorCode"),
            f"InvalidErrorCode: {response.error_code} cannot have a custom error response.",
            "one of " + ", ".join(map(str, sorted(_ERROR_CODES))),
        )
    if (response.response_code is None) != (not response.response_page_path):
        yield CheckFinding(
            "CDN-CEP-02",
            where("ResponseCode" if response.response_code is not None else "ResponsePagePath"),
            "InvalidResponseCode: ResponseCode and ResponsePagePath come together or not at all.",
            "give both",
        )
    if response.response_code not in _ERROR_CODES | {None, 200}:
        yield CheckFinding(
            "CDN-CEP-03",
            where("ResponseCode"),
            f"InvalidResponseCode: {response.response_code} cannot replace an error's status.",
            "200, or one of " + ", ".join(map(str, sorted(_ERROR_CODES))),
        )
    if response.response_page_path and not response.response_page_path.startswith("/"):
        yield CheckFinding(
            "CDN-CEP-05",
            where("ResponsePagePath"),
            "InvalidArgument: ResponsePagePath must begin with /.",
            f"write /{response.response_page_path}",
        )


def check_distribution(distribution: Distribution, where: Where) -> Iterator[CheckFinding]:
    """What concerns the distribution as a whole."""
    behaviors = (distribution.default_behavior, *distribution.behaviors)
    for name, what, count, quota in (
        ("CacheBehaviors", "TooManyCacheBehaviors", len(behaviors), quotas.MAX_BEHAVIORS),
        ("Origins", "TooManyOrigins", len(distribution.origins), quotas.MAX_ORIGINS),
        (
            "OriginGroups",
            "TooManyOriginGroupsPerDistribution",
            len(distribution.origin_groups),
            quotas.MAX_ORIGIN_GROUPS,
        ),
        ("Aliases", "TooManyDistributionCNAMEs", len(distribution.aliases), quotas.MAX_ALIASES),
    ):
        if count > quota:
            yield CheckFinding(
                "CDN-CFG-403",
                where(name),
                f"{what}: {count}, the quota is {quota}.",
                "split the distribution, or ask AWS for a higher quota",
            )
    lambdas = {
        each.function
        for behavior in behaviors
        for each in behavior.functions
        if each.kind is EdgeFunctionKind.LAMBDA
    }
    if len(lambdas) > quotas.MAX_EDGE_FUNCTIONS:
        yield CheckFinding(
            "LE-LIM-11",
            where("CacheBehaviors"),
            f"TooManyLambdaFunctionAssociations: {len(lambdas)} Lambda@Edge functions, the quota "
            f"of a distribution is {quotas.MAX_EDGE_FUNCTIONS}.",
            "join some of them",
        )
    patterns = [behavior.path_pattern for behavior in distribution.behaviors]
    yield from check_unique(patterns, "path pattern", where, "CacheBehaviors")
    for alias in distribution.aliases:
        if not _ALIAS.match(alias):
            yield CheckFinding(
                "CDN-BEH-03",
                where("Aliases"),
                f"InvalidArgument: {alias}: * can only be the whole left-most label.",
                "write it as *.example.com",
            )
