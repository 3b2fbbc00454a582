"""Reads a ``DistributionConfig``, in the API's form or in CloudFormation's (CDN-CFG-020 to 042)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgeproxy.distribution.model import (
    Behavior,
    CustomErrorResponse,
    CustomOrigin,
    Distribution,
    GeoRestriction,
    Origin,
    OriginGroup,
    PublicKey,
    S3Origin,
)
from edgeproxy.project.checks.deployment import check_deployment, check_unknown_policy
from edgeproxy.project.checks.distribution import (
    check_comment,
    check_default_root_object,
    check_distribution,
    check_error_response,
    check_unique,
)
from edgeproxy.project.checks.mutual_tls import check_viewer_mtls
from edgeproxy.project.checks.origin_access import check_access_in_behaviors
from edgeproxy.project.checks.restrictions import check_geo_restriction
from edgeproxy.project.loaders.behaviors import read_behavior
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.certificate import read_certificate
from edgeproxy.project.loaders.log_resources import read_logging
from edgeproxy.project.loaders.multi_tenant import read_parameter_definitions
from edgeproxy.project.loaders.mutual_tls import (
    read_connection_association,
    read_viewer_mtls,
)
from edgeproxy.project.loaders.origins import read_origin, read_origin_group
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section

__all__ = ["Identifiers", "read_distribution", "read_geo_restriction"]

K = TypeVar("K")
V = TypeVar("V")

_HTTP_VERSIONS = ("http1.1", "http2", "http3", "http2and3")
_PRICE_CLASSES = ("PriceClass_100", "PriceClass_200", "PriceClass_All", "None")


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What the definition's own text does not say about a distribution."""

    logical_id: str
    id: str
    domain_name: str
    source: Path | None = None


def read_distribution(
    config: Section, identifiers: Identifiers, catalogue: Catalogue
) -> Distribution:
    """The distribution. Raises :class:`DefinitionError` for what cannot be run."""
    _ignore(config)
    origins = _origins(config, catalogue)
    groups = _groups(config, origins)
    default = config.required_section("DefaultCacheBehavior")
    targets = [*origins, *groups]
    s3 = [origin.id for origin in origins.values() if origin.is_s3]
    default_behavior = read_behavior(default, catalogue, targets, s3)
    behaviors = tuple(
        _ordered(each, catalogue, targets, s3) for each in config.sections("CacheBehaviors")
    )
    parameters = read_parameter_definitions(config)
    aliases = tuple(alias.lower() for alias in config.texts("Aliases|CNAMEs"))
    distribution = Distribution(
        logical_id=identifiers.logical_id,
        id=identifiers.id,
        # A multi-tenant distribution cannot be reached: its tenants' connection groups can.
        domain_name=identifiers.domain_name if parameters is None else "",
        origins=origins,
        origin_groups=groups,
        default_behavior=default_behavior,
        behaviors=behaviors,
        aliases=aliases,
        default_root_object=_default_root_object(config),
        custom_error_responses=_error_responses(config),
        geo_restriction=_geo_restriction(config.section("Restrictions")),
        key_groups=_key_groups((default_behavior, *behaviors), catalogue),
        http_version=config.choice("HttpVersion", _HTTP_VERSIONS, "http2"),
        minimum_protocol_version=read_certificate(config, aliases),
        enabled=config.boolean("Enabled", True),
        staging=config.boolean("Staging", False),
        continuous_deployment_policy_id=_deployment_policy(config, catalogue),
        viewer_mtls=read_viewer_mtls(config, catalogue),
        connection_function=read_connection_association(config, catalogue),
        cache_tag_header=_cache_tag_header(config.section("CacheTagConfig")),
        parameter_definitions=parameters,
        logging=read_logging(config),
        source=identifiers.source,
    )
    if "3" in distribution.http_version:
        config.approximate("HttpVersion", "HTTP/3 is told of in Alt-Svc, and not spoken")
    config.approximate("CNAMEs", "read as Aliases, their present name")
    config.finish()
    config.found(check_distribution(distribution, config.place))
    config.found(check_deployment(distribution, config.place))
    config.found(check_viewer_mtls(distribution, config.place))
    config.found(check_access_in_behaviors(distribution, config.place))
    return distribution


def _ignore(config: Section) -> None:
    config.choice("PriceClass", _PRICE_CLASSES, "")
    config.found(check_comment(config.values.get("Comment"), config.place))
    config.ignore(NOT_TRAFFIC, "Comment", "CallerReference", "PriceClass", "AnycastIpListId")
    config.ignore("there is no web application firewall here", "WebACLId")
    config.ignore("the listener's address decides", "IPV6Enabled|IsIPV6Enabled")


def _deployment_policy(config: Section, catalogue: Catalogue) -> str:
    """The policy's ID; what is not declared here sends nobody anywhere."""
    policy_id = config.text("ContinuousDeploymentPolicyId", "")
    if policy_id and policy_id not in catalogue.deployment_policies:
        config.ignore("the policy is not declared here", "ContinuousDeploymentPolicyId")
        config.found(check_unknown_policy(policy_id, config.place))
    return policy_id


def _origins(config: Section, catalogue: Catalogue) -> Mapping[str, Origin]:
    sections = config.sections("Origins")
    legacy = None if sections else _legacy_origin(config)
    declared = [read_origin(each, catalogue) for each in sections]
    origins = declared if legacy is None else [legacy]
    if not origins:
        raise config.error("", "Origins is missing", remedy="AWS requires at least one origin")
    config.found(
        check_unique([origin.id for origin in origins], "origin ID", config.place, "Origins")
    )
    return _first_of((origin.id, origin) for origin in origins)


def _first_of(pairs: Iterable[tuple[K, V]]) -> dict[K, V]:
    """A mapping in which the first of equal keys stands."""
    found: dict[K, V] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _legacy_origin(config: Section) -> Origin | None:
    """CloudFormation's old ``S3Origin`` and ``CustomOrigin`` (CDN-CFG-042)."""
    origin_id = config.required_section("DefaultCacheBehavior").text("TargetOriginId")
    custom, s3 = config.section("CustomOrigin"), config.section("S3Origin")
    for name in ("CustomOrigin", "S3Origin"):
        config.approximate(name, "read as the one origin of the distribution")
    if custom is not None:
        origin = Origin(
            id=origin_id,
            domain_name=custom.text("DNSName"),
            config=CustomOrigin(
                protocol_policy=custom.choice(
                    "OriginProtocolPolicy", ("http-only", "https-only", "match-viewer")
                ),
                http_port=custom.integer("HTTPPort", 80),
                https_port=custom.integer("HTTPSPort", 443),
                ssl_protocols=custom.texts("OriginSSLProtocols"),
            ),
        )
        custom.finish()
        return origin
    if s3 is not None:
        identity = S3Origin(s3.text("OriginAccessIdentity", ""))
        origin = Origin(id=origin_id, domain_name=s3.text("DNSName"), config=identity)
        s3.finish()
        return origin
    return None


def _groups(config: Section, origins: Mapping[str, Origin]) -> Mapping[str, OriginGroup]:
    groups = [read_origin_group(each, origins) for each in config.sections("OriginGroups")]
    ids = [*origins, *(group.id for group in groups)]
    config.found(check_unique(ids, "origin group ID", config.place, "OriginGroups"))
    return _first_of((group.id, group) for group in groups)


def _ordered(section: Section, catalogue: Catalogue, targets: list[str], s3: list[str]) -> Behavior:
    pattern = section.text("PathPattern")
    return read_behavior(section, catalogue, targets, s3, pattern)


def _default_root_object(config: Section) -> str:
    name = config.text("DefaultRootObject", "")
    config.found(check_default_root_object(name, config.place))
    return name.lstrip("/")


def _cache_tag_header(tags: Section | None) -> str:
    """CDN-CFG-039."""
    if tags is None:
        return ""
    name = tags.text("HeaderName")
    tags.finish()
    return name


def _error_responses(config: Section) -> Mapping[int, CustomErrorResponse]:
    responses = []
    for section in config.sections("CustomErrorResponses"):
        # The API writes an absent response code as empty text (CDN-CFG-141).
        has_code = section.text("ResponseCode", "") != ""
        response = CustomErrorResponse(
            error_code=section.integer("ErrorCode"),
            # CDN-CFG-143 (U): ten seconds, not the schema's 300.
            error_caching_min_ttl_s=section.integer("ErrorCachingMinTTL", 10),
            response_code=section.integer("ResponseCode") if has_code else None,
            response_page_path=section.text("ResponsePagePath", ""),
        )
        section.finish()
        section.found(check_error_response(response, section.place))
        responses.append(response)
    codes = [response.error_code for response in responses]
    config.found(check_unique(codes, "error code", config.place, "CustomErrorResponses"))
    return _first_of((response.error_code, response) for response in responses)


def _geo_restriction(restrictions: Section | None) -> GeoRestriction:
    if restrictions is None:
        return GeoRestriction()
    geo = restrictions.section("GeoRestriction")
    restrictions.finish()
    return GeoRestriction() if geo is None else read_geo_restriction(geo)


def read_geo_restriction(geo: Section) -> GeoRestriction:
    """A restriction type with its countries (CDN-CFG-033)."""
    # The API's form is itself {RestrictionType, Quantity, Items}.
    geo.ignore("it is the number of Items", "Quantity")
    restriction = GeoRestriction(
        restriction_type=geo.choice("RestrictionType", ("none", "whitelist", "blacklist")),
        locations=frozenset(code.upper() for code in geo.texts("Locations|Items")),
    )
    geo.finish()
    geo.found(check_geo_restriction(restriction, geo.place))
    return restriction


def _key_groups(
    behaviors: tuple[Behavior, ...], catalogue: Catalogue
) -> Mapping[str, tuple[PublicKey, ...]]:
    names = dict.fromkeys(name for each in behaviors for name in each.trusted_key_groups)
    return {name: catalogue.keys_of(name) for name in names}
