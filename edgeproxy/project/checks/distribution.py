"""What CloudFront refuses in a distribution (CDN-CFG-390 to CDN-CFG-403, LE-ASSOC)."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import (
    WITH_HTTP_2,
    Behavior,
    CustomErrorResponse,
    Distribution,
    EdgeFunctionKind,
    EventType,
    LegacyCacheSettings,
)
from edgeproxy.distribution.root_object import fault_in_root_object
from edgeproxy.project.checks.field_encryption import check_encrypting_origin
from edgeproxy.project.checks.policies import Where, check_legacy_settings, check_ttls
from edgeproxy.project.report import CheckFinding, Severity

__all__ = [
    "check_behavior",
    "check_caller_reference",
    "check_comment",
    "check_default_root_object",
    "check_distribution",
    "check_error_response",
    "check_unique",
]

_METHOD_SETS = (
    {"GET", "HEAD"},
    {"GET", "HEAD", "OPTIONS"},
    {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"},
)  # CDN-MTH-01, CDN-MTH-03
_ERROR_CODES = frozenset({400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504})  # CDN-CEP-01
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
    if response.error_caching_min_ttl_s < 0:
        yield CheckFinding(
            "CDN-CFG-143",
            where("ErrorCachingMinTTL"),
            f"InvalidTTLOrder: ErrorCachingMinTTL is {response.error_caching_min_ttl_s} seconds.",
            "give 0 or more",
        )
    if response.response_page_path and not response.response_page_path.startswith("/"):
        yield CheckFinding(
            "CDN-CEP-05",
            where("ResponsePagePath"),
            "InvalidArgument: ResponsePagePath must begin with /.",
            f"write /{response.response_page_path}",
        )


def check_caller_reference(
    where: Where, *, given: bool, in_template: bool
) -> Iterator[CheckFinding]:
    """CDN-CFG-020."""
    if given and in_template:
        yield CheckFinding(
            "CDN-CFG-020",
            where("CallerReference"),
            "CloudFormation has no property CallerReference in a DistributionConfig.",
            "remove it",
        )
    if not given and not in_template:
        yield CheckFinding(
            "CDN-CFG-020",
            where(""),
            "MissingParameter: a DistributionConfig of the API needs a CallerReference.",
            "add a text that no other distribution of the account has",
        )


def check_comment(comment: object, where: Where) -> Iterator[CheckFinding]:
    """CDN-CFG-028."""
    if isinstance(comment, str) and len(comment) > quotas.MAX_COMMENT_CHARACTERS:
        yield CheckFinding(
            "CDN-CFG-028",
            where("Comment"),
            f"InvalidArgument: Comment has {len(comment)} characters; the limit is "
            f"{quotas.MAX_COMMENT_CHARACTERS}.",
            "shorten it",
        )


def check_default_root_object(name: str, where: Where) -> Iterator[CheckFinding]:
    """CDN-ROOT-05, and that it is no path."""
    if name.startswith("/"):
        yield CheckFinding(
            "CDN-CFG-402",
            where("DefaultRootObject"),
            "InvalidDefaultRootObject: DefaultRootObject must not begin with /.",
            f"write {name.lstrip('/')}",
        )
    if fault := fault_in_root_object(name):
        yield CheckFinding(
            "CDN-ROOT-05",
            where("DefaultRootObject"),
            f"InvalidDefaultRootObject: {fault}",
            """use letters, digits and _ - . * $ / ~ " ' &""",
        )


def check_distribution(distribution: Distribution, where: Where) -> Iterator[CheckFinding]:
    """What concerns the distribution as a whole."""
    behaviors = distribution.all_behaviors
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
    serves_grpc = any(behavior.grpc_enabled for behavior in behaviors)
    if serves_grpc and distribution.http_version not in WITH_HTTP_2:
        yield CheckFinding(
            "CDN-GRP-01",
            where("HttpVersion"),
            f"gRPC calls come over HTTP/2, which {distribution.http_version} does not offer.",
            "set HttpVersion to http2 or http2and3",
            Severity.WARNING,
        )
    for behavior in behaviors:
        if behavior.field_level_encryption is not None:
            group = distribution.origin_groups.get(behavior.target_origin_id)
            members = (group.primary, group.secondary) if group else (behavior.target_origin_id,)
            for member in members:
                yield from check_encrypting_origin(distribution.origins[member], where)
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
    # A leading slash makes no other pattern (CDN-BEH-14).
    patterns = [f"/{each.path_pattern.removeprefix('/')}" for each in distribution.behaviors]
    yield from check_unique(patterns, "path pattern", where, "CacheBehaviors")
    for alias in distribution.aliases:
        if not _ALIAS.match(alias):
            yield CheckFinding(
                "CDN-BEH-03",
                where("Aliases"),
                f"InvalidArgument: {alias}: * can only be the whole left-most label.",
                "write it as *.example.com",
            )
