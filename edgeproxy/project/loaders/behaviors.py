"""Reads cache behaviors (CDN-CFG-110 to CDN-CFG-126)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from edgeproxy.distribution.field_encryption import FieldLevelEncryption
from edgeproxy.distribution.managed import (
    find_cache_policy,
    find_origin_request_policy,
    find_response_headers_policy,
)
from edgeproxy.distribution.model import (
    GET_HEAD,
    Behavior,
    CacheSettings,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
    OriginRequestPolicy,
    ViewerProtocolPolicy,
)
from edgeproxy.errors import DefinitionError
from edgeproxy.project.checks.distribution import check_behavior
from edgeproxy.project.checks.field_encryption import (
    check_encrypting_behavior,
    check_unknown_encryption,
)
from edgeproxy.project.checks.functions import (
    check_account,
    check_edge_function,
    check_qualifier,
)
from edgeproxy.project.checks.public_keys import check_trusted
from edgeproxy.project.loaders.catalogue import Catalogue, HasId
from edgeproxy.project.loaders.log_resources import read_realtime_log
from edgeproxy.project.loaders.policies import read_legacy_settings
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.yaml_source import Table
from edgeproxy.project.report import CheckFinding

__all__ = ["read_behavior"]

P = TypeVar("P", bound=HasId)

_VIEWER_EVENTS = ("viewer-request", "viewer-response")
_TTLS = ("MinTTL", "DefaultTTL", "MaxTTL")


def read_behavior(
    section: Section,
    catalogue: Catalogue,
    targets: Collection[str],
    s3: Collection[str],
    path_pattern: str = "*",
) -> Behavior:
    """One behavior, the default one unless a pattern is given.

    ``targets`` are the IDs of origins and origin groups, ``s3`` those of S3 origins.
    """
    section.ignore("Smooth Streaming is not served", "SmoothStreaming")
    target = section.text("TargetOriginId")
    if target not in targets:
        raise section.error(
            "TargetOriginId",
            f"no origin or origin group has the ID {target!r}",
            rule="CDN-CFG-390",
            remedy="one of " + ", ".join(targets),
        )
    allowed, cached = _methods(section)
    cache = _cache(section, catalogue)
    grpc = section.section("GrpcConfig")
    behavior = Behavior(
        path_pattern=path_pattern,
        target_origin_id=target,
        cache=cache,
        viewer_protocol_policy=ViewerProtocolPolicy(
            section.choice("ViewerProtocolPolicy", list(ViewerProtocolPolicy))
        ),
        allowed_methods=allowed,
        cached_methods=cached,
        compress=section.boolean("Compress", False),
        origin_request_policy=_origin_request_policy(section, catalogue),
        response_headers_policy=_policy(
            section,
            "ResponseHeadersPolicyId",
            catalogue.response_headers_policies,
            find_response_headers_policy,
        ),
        functions=_functions(section, catalogue),
        trusted_key_groups=_key_groups(section, catalogue),
        grpc_enabled=_grpc(grpc) if grpc is not None else False,
        field_level_encryption=_field_encryption(section, catalogue),
        realtime_log=read_realtime_log(section, catalogue),
    )
    section.finish()
    if behavior.field_level_encryption is not None:
        section.found(check_encrypting_behavior(behavior, section.place))
    section.found(check_behavior(behavior, section.place, is_s3=target in s3))
    return behavior


def _methods(section: Section) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Allowed and cached methods; the API nests the second list in the first (CDN-CFG-113)."""
    nested = section.values.get("AllowedMethods")
    cached = section.texts("CachedMethods")
    if not cached and isinstance(nested, Table) and "CachedMethods" in nested:
        cached = section.required_section("AllowedMethods").texts("CachedMethods")
    return section.texts("AllowedMethods") or GET_HEAD, cached or GET_HEAD


def _cache(section: Section, catalogue: Catalogue) -> CacheSettings:
    policy = _policy(section, "CachePolicyId", catalogue.cache_policies, find_cache_policy)
    forwarded = section.section("ForwardedValues")
    legacy = [name for name in ("ForwardedValues", *_TTLS) if section.has(name)]
    if policy is not None:
        if legacy:
            section.ignore("the cache policy decides", *legacy)
            section.found(
                [
                    CheckFinding(
                        "CDN-CFG-394",
                        section.place(legacy[0]),
                        f"InvalidArgument: {legacy[0]} cannot be given together with "
                        "CachePolicyId.",
                        "remove one of them",
                    )
                ]
            )
        return policy
    if forwarded is None:
        raise section.error(
            "",
            "the behavior has neither CachePolicyId nor ForwardedValues",
            rule="CDN-CFG-120",
            remedy="add CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6 (CachingOptimized)",
        )
    return read_legacy_settings(section, forwarded)


def _policy(
    section: Section, name: str, declared: Mapping[str, P], managed: Callable[[str], P | None]
) -> P | None:
    policy_id = section.text(name, "")
    if not policy_id:
        return None
    policy = declared.get(policy_id) or managed(policy_id)
    if policy is None:
        raise section.error(
            name,
            f"no policy has the ID {policy_id!r}",
            rule="CDN-MP-03",
            remedy="declare the policy in the same definition, or use a managed one",
        )
    if policy.id != policy_id:
        section.found(
            [
                CheckFinding(
                    "CDN-MP-01",
                    section.place(name),
                    f"{name} is {policy_id!r}, which is a name; AWS takes IDs only.",
                    f"write {policy.id}",
                )
            ]
        )
    return policy


def _origin_request_policy(section: Section, catalogue: Catalogue) -> OriginRequestPolicy | None:
    policy = _policy(
        section,
        "OriginRequestPolicyId",
        catalogue.origin_request_policies,
        find_origin_request_policy,
    )
    if policy is None or section.has("CachePolicyId"):
        return policy
    section.ignore("it needs a cache policy", "OriginRequestPolicyId")
    section.found(
        [
            CheckFinding(
                "CDN-CFG-394",
                section.place("OriginRequestPolicyId"),
                "InvalidArgument: OriginRequestPolicyId needs a CachePolicyId.",
                "use a cache policy in place of ForwardedValues",
            )
        ]
    )
    return None


def _functions(section: Section, catalogue: Catalogue) -> tuple[FunctionAssociation, ...]:
    associations = [
        _lambda_association(each, catalogue)
        for each in section.sections("LambdaFunctionAssociations")
    ]
    for each in section.sections("FunctionAssociations"):
        association = _cloudfront_association(each, catalogue)
        if association is not None:
            associations.append(association)
    return tuple(associations)


def _lambda_association(section: Section, catalogue: Catalogue) -> FunctionAssociation:
    event_type = EventType(section.choice("EventType", list(EventType)))
    name = "LambdaFunctionARN|LambdaFunctionArn"
    function, arn = catalogue.lambda_function(section, name, need_code=False)
    if "container images" in function.features:
        raise DefinitionError(
            "InvalidLambdaFunctionAssociation: Lambda@Edge does not support container images.",
            place=function.features["container images"],
            rule="LE-ASSOC-09",
            remedy=f"package {function.definition.name} as a folder with PackageType Zip",
        )
    function, arn = catalogue.lambda_function(section, name)
    place = section.place(name)
    section.found(check_qualifier(arn.qualifier, place))
    spec = function.definition.spec
    section.found(check_account("LE-ASSOC-06", arn.account, spec.arn.split(":")[4], place))
    section.found(
        check_edge_function(
            replace(spec, region=arn.region or spec.region),
            function.features,
            function.trusted,
            event_type,
            function.properties.place,
        )
    )
    association = FunctionAssociation(
        event_type=event_type,
        kind=EdgeFunctionKind.LAMBDA,
        function=function.definition.name,
        # An alias runs its version; $LATEST is the empty qualifier.
        qualifier=function.aliases.get(arn.qualifier, arn.qualifier.replace("$LATEST", "")),
        include_body=section.boolean("IncludeBody", False),
    )
    section.finish()
    return association


def _cloudfront_association(section: Section, catalogue: Catalogue) -> FunctionAssociation | None:
    event_type = EventType(section.choice("EventType", list(EventType)))
    text = section.text("FunctionARN|FunctionArn")
    declared = catalogue.cloudfront_functions
    # One of another account is refused; the one of that name that is declared here runs.
    own = next((arn for arn in declared if arn.split(":")[5:] == text.split(":")[5:]), text)
    function = declared.get(own)
    if function is None:
        raise section.error(
            "FunctionARN|FunctionArn",
            f"no CloudFront Function {text!r} is declared here",
            rule="CDN-CFG-122",
            remedy="declare an AWS::CloudFront::Function and refer to its FunctionARN",
        )
    place = section.place("FunctionARN|FunctionArn")
    section.found(check_account("CFF-ASSOC-10", text.split(":")[4], own.split(":")[4], place))
    section.finish()
    if event_type not in _VIEWER_EVENTS:
        section.ignore("CloudFront Functions have viewer events only", "EventType")
        section.found(
            [
                CheckFinding(
                    "CFF-ASSOC-01",
                    section.place("EventType"),
                    f"InvalidFunctionAssociation: a CloudFront Function on {event_type}.",
                    "use viewer-request or viewer-response, or a Lambda@Edge function",
                )
            ]
        )
        return None
    return FunctionAssociation(event_type, EdgeFunctionKind.CLOUDFRONT, function.name)


def _field_encryption(section: Section, catalogue: Catalogue) -> FieldLevelEncryption | None:
    name = section.text("FieldLevelEncryptionId", "")
    known = catalogue.field_encryption.get(name)
    if name and known is None:
        section.ignore("its configuration is not here", "FieldLevelEncryptionId")
        section.found(check_unknown_encryption(name, section.place))
    return known


def _key_groups(section: Section, catalogue: Catalogue) -> tuple[str, ...]:
    """Key groups, and trusted signers as groups of the keys that options name (CDN-CFG-123)."""
    groups: list[str] = []
    for name in ("TrustedKeyGroups", "TrustedSigners"):
        given = section.values.get(name)
        listed = isinstance(given, Table) and "Enabled" in given
        enabled = not listed or section.required_section(name).boolean("Enabled")
        named = section.texts(name)
        if not enabled:
            section.ignore("Enabled is false", *([name] if named else []))
            continue
        section.found(check_trusted(named, catalogue.keys_of, section.place(name)))
        if name == "TrustedSigners":
            section.approximate(name, "the keys of an account are those of --public-key")
        groups += named
    return tuple(groups)


def _grpc(config: Section) -> bool:
    enabled = config.boolean("Enabled", False)
    config.finish()
    return enabled
