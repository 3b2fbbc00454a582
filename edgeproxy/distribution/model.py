"""A distribution and everything it refers to, under AWS's names in snake case.

Loaders build these values and have checked them; the engine only reads them. All lists are
tuples, all names that compare without case (headers, countries, aliases) keep the definition's
spelling unless a field says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from edgeproxy.distribution.field_encryption import FieldLevelEncryption
from edgeproxy.distribution.logs import LogDelivery, RealtimeLogConfig, StandardLogging
from edgeproxy.distribution.mutual_tls import ViewerMtls
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy
from edgeproxy.distribution.tenants import DistributionTenant, ParameterDefinition
from edgeproxy.http.headers import EMPTY_HEADERS, Headers

__all__ = [
    "WITH_HTTP_2",
    "Behavior",
    "CachePolicy",
    "CacheSettings",
    "CustomErrorResponse",
    "CustomOrigin",
    "Distribution",
    "EdgeFunctionKind",
    "EventType",
    "FunctionAssociation",
    "GeoRestriction",
    "LegacyCacheSettings",
    "Origin",
    "OriginAccessControl",
    "OriginGroup",
    "OriginRequestPolicy",
    "PublicKey",
    "S3Origin",
    "Selection",
    "SelectionKind",
    "SigningBehavior",
    "ViewerProtocolPolicy",
]


class EventType(StrEnum):
    """The four triggers, spelled as in events and associations."""

    VIEWER_REQUEST = "viewer-request"
    ORIGIN_REQUEST = "origin-request"
    ORIGIN_RESPONSE = "origin-response"
    VIEWER_RESPONSE = "viewer-response"


class ViewerProtocolPolicy(StrEnum):
    ALLOW_ALL = "allow-all"
    HTTPS_ONLY = "https-only"
    REDIRECT_TO_HTTPS = "redirect-to-https"


class EdgeFunctionKind(StrEnum):
    LAMBDA = "lambda"
    CLOUDFRONT = "cloudfront"


class SelectionKind(StrEnum):
    """Which of the viewer's headers, cookies or query strings a policy takes."""

    NONE = "none"
    WHITELIST = "whitelist"
    ALL_EXCEPT = "allExcept"
    ALL = "all"
    ALL_VIEWER = "allViewer"
    ALL_VIEWER_AND_WHITELIST_CLOUDFRONT = "allViewerAndWhitelistCloudFront"


WITH_HTTP_2: Final = frozenset({"http2", "http2and3"})
"""The values of ``HttpVersion`` that let viewers speak HTTP/2 (CDN-VER-01)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A ``…Behavior`` with its list of names, as in all policies.

    ``all`` and ``allExcept`` of headers include only what the viewer sent.
    """

    kind: SelectionKind = SelectionKind.NONE
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """``CachePolicyConfig``; times in seconds (CDN-CFG-170 to 176)."""

    name: str
    min_ttl_s: int
    default_ttl_s: int
    max_ttl_s: int
    headers: Selection = Selection()
    cookies: Selection = Selection()
    query_strings: Selection = Selection()
    enable_accept_encoding_gzip: bool = False
    enable_accept_encoding_brotli: bool = False
    id: str = ""


@dataclass(frozen=True, slots=True)
class LegacyCacheSettings:
    """``ForwardedValues`` with the TTLs of the behavior (CDN-CFG-118, 119)."""

    query_string: bool
    query_string_cache_keys: tuple[str, ...] = ()
    headers: Selection = Selection()
    """``none``, ``whitelist``, or ``all`` for ``*``."""
    cookies: Selection = Selection()
    """``none``, ``whitelist`` (names may hold ``*`` and ``?``) or ``all``."""
    min_ttl_s: int = 0
    default_ttl_s: int = 86_400
    max_ttl_s: int = 31_536_000


CacheSettings: TypeAlias = CachePolicy | LegacyCacheSettings


@dataclass(frozen=True, slots=True)
class OriginRequestPolicy:
    """``OriginRequestPolicyConfig`` (CDN-CFG-180 to 182)."""

    name: str
    headers: Selection = Selection()
    cookies: Selection = Selection()
    query_strings: Selection = Selection()
    id: str = ""


@dataclass(frozen=True, slots=True)
class CustomOrigin:
    """``CustomOriginConfig`` (and VPC origins, CDN-ORG-14); times in seconds."""

    protocol_policy: str = "http-only"
    """``http-only``, ``https-only`` or ``match-viewer``."""
    http_port: int = 80
    https_port: int = 443
    ssl_protocols: tuple[str, ...] = ("TLSv1.2",)
    read_timeout_s: float = 30
    keepalive_timeout_s: float = 5
    is_vpc: bool = False
    client_certificate_arn: str = ""
    """What the origin is shown in mutual TLS; empty when that is off."""


@dataclass(frozen=True, slots=True)
class S3Origin:
    """``S3OriginConfig``: a REST bucket origin."""

    origin_access_identity: str = ""
    read_timeout_s: float = 30


class SigningBehavior(StrEnum):
    """Which requests to the origin are signed (CDN-S3-10)."""

    ALWAYS = "always"
    NEVER = "never"
    NO_OVERRIDE = "no-override"
    ALWAYS_AMZ_AUTH = "always-amz-auth"


@dataclass(frozen=True, slots=True)
class OriginAccessControl:
    """``OriginAccessControlConfig`` (CDN-CFG-218)."""

    id: str
    origin_type: str = "s3"
    """``s3``, ``lambda``, ``mediastore`` or ``mediapackagev2``."""
    signing_behavior: SigningBehavior = SigningBehavior.ALWAYS
    signing_protocol: str = "sigv4"
    """``sigv4``, or ``sigv4a`` for a signature that holds in every Region."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin of a distribution.

    ``domain_name`` is what the definition says and what functions see. Where the bytes really
    come from (``--origin``) is the business of :mod:`edgeproxy.origins`.
    """

    id: str
    domain_name: str
    config: CustomOrigin | S3Origin
    origin_path: str = ""
    custom_headers: Headers = EMPTY_HEADERS
    connection_attempts: int = 3
    connection_timeout_s: float = 10
    response_completion_timeout_s: float | None = None
    access_control: OriginAccessControl | None = None
    origin_shield_region: str = ""
    """Empty when Origin Shield is off."""
    server_name: str = ""
    """The SNI that a CloudFront Function chose; otherwise it is the Host."""
    allowed_certificate_names: tuple[str, ...] = ()
    """The names that a CloudFront Function accepts in the origin's certificate."""

    @property
    def is_s3(self) -> bool:
        return isinstance(self.config, S3Origin)

    @property
    def is_signed_function_url(self) -> bool:
        return self.access_control is not None and self.access_control.origin_type == "lambda"


@dataclass(frozen=True, slots=True)
class OriginGroup:
    """Two origins and the statuses that send a request on to the second (CDN-OG)."""

    id: str
    primary: str
    secondary: str
    status_codes: frozenset[int]


@dataclass(frozen=True, slots=True)
class FunctionAssociation:
    """An edge function on one event of one behavior.

    ``function`` is the function's name in the project; ``qualifier`` the numbered version of a
    Lambda function.
    """

    event_type: EventType
    kind: EdgeFunctionKind
    function: str
    qualifier: str = ""
    include_body: bool = False


GET_HEAD = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Behavior:
    """One cache behavior. The default one has the path pattern ``*``."""

    path_pattern: str
    target_origin_id: str
    cache: CacheSettings
    viewer_protocol_policy: ViewerProtocolPolicy = ViewerProtocolPolicy.ALLOW_ALL
    allowed_methods: tuple[str, ...] = GET_HEAD
    cached_methods: tuple[str, ...] = GET_HEAD
    compress: bool = False
    origin_request_policy: OriginRequestPolicy | None = None
    response_headers_policy: ResponseHeadersPolicy | None = None
    functions: tuple[FunctionAssociation, ...] = ()
    trusted_key_groups: tuple[str, ...] = ()
    grpc_enabled: bool = False
    field_level_encryption: FieldLevelEncryption | None = None
    realtime_log: RealtimeLogConfig | None = None

    def function_for(self, event_type: EventType) -> FunctionAssociation | None:
        """The function associated with ``event_type``; there is at most one (LE-ASSOC-02)."""
        for association in self.functions:
            if association.event_type is event_type:
                return association
        return None


@dataclass(frozen=True, slots=True)
class CustomErrorResponse:
    """What to do with one error status (CDN-CFG-140 to 143)."""

    error_code: int
    error_caching_min_ttl_s: int = 10
    response_code: int | None = None
    response_page_path: str = ""


@dataclass(frozen=True, slots=True)
class GeoRestriction:
    """``none``, ``whitelist`` or ``blacklist`` with upper-case country codes."""

    restriction_type: str = "none"
    locations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public key behind a key-pair ID."""

    id: str
    encoded_key: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution as deployed. ``logical_id`` is its name in the user's definition."""

    logical_id: str
    id: str
    domain_name: str
    origins: Mapping[str, Origin]
    default_behavior: Behavior
    behaviors: tuple[Behavior, ...] = ()
    origin_groups: Mapping[str, OriginGroup] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    default_root_object: str = ""
    custom_error_responses: Mapping[int, CustomErrorResponse] = field(default_factory=dict)
    geo_restriction: GeoRestriction = GeoRestriction()
    key_groups: Mapping[str, tuple[PublicKey, ...]] = field(default_factory=dict)
    http_version: str = "http2"
    minimum_protocol_version: str = "TLSv1"
    """The security policy's name (CDN-CFG-153); its first part is the oldest TLS for viewers."""
    enabled: bool = True
    staging: bool = False
    """Viewers reach it through a primary distribution's policy only (CDN-CD-01)."""
    continuous_deployment_policy_id: str = ""
    viewer_mtls: ViewerMtls | None = None
    connection_function: str = ""
    """The name of the function that judges new connections with mutual TLS (CFF-CONN-04)."""
    cache_tag_header: str = ""
    """The header in which origins name an object's cache tags (CDN-INV-17)."""
    parameter_definitions: tuple[ParameterDefinition, ...] | None = None
    """Those of a multi-tenant distribution, which serves through its tenants only; else None."""
    tenant: DistributionTenant | None = None
    """Of a distribution tenant: ``id`` is its own, ``domain_name`` its connection group's.

    AWS does not say what Lambda@Edge gets as ``distributionDomainName``: here it is that one too.
    """
    logging: StandardLogging = StandardLogging()
    log_deliveries: tuple[LogDelivery, ...] = ()
    source: Path | None = None

    @property
    def all_behaviors(self) -> tuple[Behavior, ...]:
        """The default one first."""
        return (self.default_behavior, *self.behaviors)

    @property
    def is_multi_tenant(self) -> bool:
        return self.parameter_definitions is not None

    @property
    def id_in_events(self) -> str:
        """The ID that functions see: that of the multi-tenant distribution for its tenants."""
        return self.tenant.distribution_id if self.tenant is not None else self.id
