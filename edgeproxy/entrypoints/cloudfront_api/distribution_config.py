"""``DistributionConfig`` and its kin as documents, from a distribution that serves.

What the definition said and the edge does not use (comments, price class, logging, certificates)
stands there with AWS's defaults.
"""

from edgeproxy.distribution.model import (
    Behavior,
    CacheSettings,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    LegacyCacheSettings,
    Origin,
    OriginGroup,
    S3Origin,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.mutual_tls import ViewerMtls
from edgeproxy.distribution.tenants import ParameterDefinition
from edgeproxy.entrypoints.cloudfront_api.documents import Content, items, named

__all__ = ["Arns", "distribution_config"]


class Arns:
    """The account's ARNs. Lambda@Edge functions live in ``us-east-1`` (LE-ASSOC-06)."""

    def __init__(self, account: str) -> None:
        self._account = account

    def cloudfront(self, kind: str, name: str) -> str:
        """Of a ``distribution``, a ``function`` or a ``key-value-store``."""
        return f"arn:aws:cloudfront::{self._account}:{kind}/{name}"

    def lambda_version(self, name: str, version: str) -> str:
        return f"arn:aws:lambda:us-east-1:{self._account}:function:{name}:{version or '$LATEST'}"


def distribution_config(distribution: Distribution, arns: Arns) -> dict[str, Content]:
    """The members of ``DistributionConfig``."""
    errors = distribution.custom_error_responses.values()
    geo = distribution.geo_restriction
    return {
        "CallerReference": distribution.logical_id,
        "Aliases": items("CNAME", distribution.aliases),
        "DefaultRootObject": distribution.default_root_object,
        "Origins": items("Origin", map(_origin, distribution.origins.values())),
        "OriginGroups": items("OriginGroup", map(_group, distribution.origin_groups.values())),
        "DefaultCacheBehavior": _behavior(distribution.default_behavior, arns),
        "CacheBehaviors": items(
            "CacheBehavior",
            [
                {"PathPattern": behavior.path_pattern, **_behavior(behavior, arns)}
                for behavior in distribution.behaviors
            ],
        ),
        "CustomErrorResponses": items(
            "CustomErrorResponse",
            [
                {
                    "ErrorCode": error.error_code,
                    "ResponsePagePath": error.response_page_path,
                    "ResponseCode": "" if error.response_code is None else error.response_code,
                    "ErrorCachingMinTTL": error.error_caching_min_ttl_s,
                }
                for error in errors
            ],
        ),
        "Comment": "",
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "PriceClass": "PriceClass_All",
        "Enabled": distribution.enabled,
        "ViewerCertificate": {
            "CloudFrontDefaultCertificate": True,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront",
        },
        "Restrictions": {
            "GeoRestriction": {
                "RestrictionType": geo.restriction_type,
                **items("Location", sorted(geo.locations)),
            }
        },
        "WebACLId": "",
        "HttpVersion": distribution.http_version,
        "IsIPV6Enabled": True,
        "ContinuousDeploymentPolicyId": distribution.continuous_deployment_policy_id,
        "Staging": distribution.staging,
        **_tenancy(distribution.parameter_definitions),
        "ViewerMtlsConfig": _viewer_mtls(distribution.viewer_mtls),
        "CacheTagConfig": {"HeaderName": header}
        if (header := distribution.cache_tag_header)
        else None,
    }


def _tenancy(definitions: tuple[ParameterDefinition, ...] | None) -> dict[str, Content]:
    if definitions is None:
        return {"ConnectionMode": "direct"}
    parameters: list[Content] = [
        {
            "Name": each.name,
            "Definition": {
                "StringSchema": {"DefaultValue": each.default or None, "Required": each.required}
            },
        }
        for each in definitions
    ]
    return {
        "TenantConfig": {"ParameterDefinitions": named("member", parameters)},
        "ConnectionMode": "tenant-only",
        "IsIPV6Enabled": False,  # That is for connection groups to say.
    }


def _viewer_mtls(mtls: ViewerMtls | None) -> Content:
    if mtls is None:
        return None
    store: Content = None
    if mtls.trust_store.id:
        store = {
            "TrustStoreId": mtls.trust_store.id,
            "AdvertiseTrustStoreCaNames": mtls.advertises_ca_names,
            "IgnoreCertificateExpiry": mtls.ignores_certificate_expiry,
        }
    return {"Mode": mtls.mode, "TrustStoreConfig": store}


def _origin(origin: Origin) -> Content:
    headers = [
        {"HeaderName": name, "HeaderValue": value} for name, value in origin.custom_headers.lines()
    ]
    timeout_s = origin.response_completion_timeout_s
    shield = origin.origin_shield_region
    return {
        "Id": origin.id,
        "DomainName": origin.domain_name,
        "OriginPath": origin.origin_path,
        "CustomHeaders": items("OriginCustomHeader", headers),
        **_origin_config(origin.config),
        "ConnectionAttempts": origin.connection_attempts,
        "ConnectionTimeout": int(origin.connection_timeout_s),
        "ResponseCompletionTimeout": None if timeout_s is None else int(timeout_s),
        "OriginShield": {"Enabled": bool(shield), "OriginShieldRegion": shield or None},
        "OriginAccessControlId": origin.access_control.id if origin.access_control else "",
    }


def _origin_config(config: CustomOrigin | S3Origin) -> dict[str, Content]:
    if isinstance(config, S3Origin):
        identity = config.origin_access_identity
        timeout = int(config.read_timeout_s)
        return {"S3OriginConfig": {"OriginAccessIdentity": identity, "OriginReadTimeout": timeout}}
    return {
        "CustomOriginConfig": {
            "HTTPPort": config.http_port,
            "HTTPSPort": config.https_port,
            "OriginProtocolPolicy": config.protocol_policy,
            "OriginSslProtocols": items("SslProtocol", config.ssl_protocols),
            "OriginReadTimeout": int(config.read_timeout_s),
            "OriginKeepaliveTimeout": int(config.keepalive_timeout_s),
        }
    }


def _group(group: OriginGroup) -> Content:
    members = [{"OriginId": origin_id} for origin_id in (group.primary, group.secondary)]
    return {
        "Id": group.id,
        "FailoverCriteria": {"StatusCodes": items("StatusCode", sorted(group.status_codes))},
        "Members": items("OriginGroupMember", members),
        "SelectionCriteria": "default",
    }


def _behavior(behavior: Behavior, arns: Arns) -> dict[str, Content]:
    request_policy, response_policy = (
        behavior.origin_request_policy,
        behavior.response_headers_policy,
    )
    groups = behavior.trusted_key_groups
    return {
        "TargetOriginId": behavior.target_origin_id,
        "TrustedSigners": {"Enabled": False, "Quantity": 0},
        "TrustedKeyGroups": {"Enabled": bool(groups), **items("KeyGroup", groups)},
        "ViewerProtocolPolicy": behavior.viewer_protocol_policy,
        "AllowedMethods": {
            **items("Method", behavior.allowed_methods),
            "CachedMethods": items("Method", behavior.cached_methods),
        },
        "SmoothStreaming": False,
        "Compress": behavior.compress,
        **_associations(behavior, arns),
        "FieldLevelEncryptionId": "",
        **_cache(behavior.cache),
        "OriginRequestPolicyId": None if request_policy is None else request_policy.id,
        "ResponseHeadersPolicyId": None if response_policy is None else response_policy.id,
        "GrpcConfig": {"Enabled": behavior.grpc_enabled},
    }


def _associations(behavior: Behavior, arns: Arns) -> dict[str, Content]:
    lambdas: list[Content] = []
    functions: list[Content] = []
    for association in behavior.functions:
        event_type = {"EventType": association.event_type}
        if association.kind is EdgeFunctionKind.LAMBDA:
            arn = arns.lambda_version(association.function, association.qualifier)
            body = {"IncludeBody": association.include_body}
            lambdas.append({"LambdaFunctionARN": arn, **event_type, **body})
        else:
            arn = arns.cloudfront("function", association.function)
            functions.append({"FunctionARN": arn, **event_type})
    return {
        "LambdaFunctionAssociations": items("LambdaFunctionAssociation", lambdas),
        "FunctionAssociations": items("FunctionAssociation", functions),
    }


def _cache(cache: CacheSettings) -> dict[str, Content]:
    if not isinstance(cache, LegacyCacheSettings):
        return {"CachePolicyId": cache.id}
    return {
        "ForwardedValues": _forwarded(cache),
        "MinTTL": cache.min_ttl_s,
        "DefaultTTL": cache.default_ttl_s,
        "MaxTTL": cache.max_ttl_s,
    }


def _forwarded(cache: LegacyCacheSettings) -> Content:
    names = items("Name", cache.cookies.names) if cache.cookies.names else None
    headers = Selection(names=("*",)) if cache.headers.kind is SelectionKind.ALL else cache.headers
    return {
        "QueryString": cache.query_string,
        "Cookies": {"Forward": cache.cookies.kind, "WhitelistedNames": names},
        "Headers": items("Name", headers.names),
        "QueryStringCacheKeys": items("Name", cache.query_string_cache_keys),
    }
