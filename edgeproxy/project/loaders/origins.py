"""Reads origins and origin groups (CDN-CFG-060 to 078, CDN-CFG-090 to 094)."""

import re
from collections.abc import Container
from dataclasses import replace

from edgeproxy.distribution.model import CustomOrigin, Origin, OriginGroup, S3Origin
from edgeproxy.distribution.tenants import without_parameters
from edgeproxy.http.headers import Headers
from edgeproxy.project.checks.distribution import check_origin, check_origin_group
from edgeproxy.project.loaders.section import Section

__all__ = ["read_origin", "read_origin_group"]

_BUCKET_HOST = re.compile(r"[a-z0-9.-]+\.s3[.-](?!website)([a-z0-9.-]+\.)?amazonaws\.com(\.cn)?\Z")
_PROTOCOL_POLICIES = ("http-only", "https-only", "match-viewer")
_TLS_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2")
_NO_CERTIFICATES = "client certificates are not sent to origins"
_ADDRESSES = "origins are reached by whatever address their name has here"


def read_origin(section: Section) -> Origin:
    """One origin. Raises :class:`DefinitionError` for one that is of no kind (CDN-CFG-078)."""
    shield = section.section("OriginShield")
    config = _kind(section)
    declared = Origin(
        id=section.text("Id"),
        domain_name=section.text("DomainName"),
        config=config,
        origin_path=section.text("OriginPath", ""),
        custom_headers=Headers(
            _custom_header(each) for each in section.sections("OriginCustomHeaders|CustomHeaders")
        ),
        connection_attempts=section.integer("ConnectionAttempts", 3),
        connection_timeout_s=section.number("ConnectionTimeout", 10),
        response_completion_timeout_s=section.optional_integer("ResponseCompletionTimeout"),
        origin_access_control_id=section.text("OriginAccessControlId", ""),
        origin_shield_region=_shield_region(shield) if shield is not None else "",
    )
    section.approximate(
        "OriginAccessControlId", "requests to this origin are not signed; it is taken as open"
    )
    section.finish()
    section.found(check_origin(declared, section.place))
    path = declared.origin_path.strip("/")
    return replace(declared, origin_path=f"/{path}" if path else "")


def _kind(section: Section) -> CustomOrigin | S3Origin:
    s3 = section.section("S3OriginConfig")
    custom = section.section("CustomOriginConfig")
    vpc = section.section("VpcOriginConfig")
    if custom is not None:
        return _custom_origin(custom)
    if vpc is not None:
        return _vpc_origin(vpc)
    if s3 is not None:
        origin = S3Origin(
            origin_access_identity=s3.text("OriginAccessIdentity", ""),
            read_timeout_s=s3.number("OriginReadTimeout", 30),
        )
        s3.approximate(
            "OriginAccessIdentity", "requests to this origin are not signed; it is taken as open"
        )
        s3.finish()
        return origin
    if _BUCKET_HOST.match(without_parameters(section.text("DomainName"))):
        return S3Origin()
    raise section.error(
        "",
        f"the origin {section.text('Id')} has neither S3OriginConfig nor CustomOriginConfig",
        rule="CDN-CFG-078",
        remedy="add CustomOriginConfig with an OriginProtocolPolicy",
    )


def _custom_origin(config: Section) -> CustomOrigin:
    config.ignore(_ADDRESSES, "IpAddressType")
    for version in config.texts("OriginSSLProtocols|OriginSslProtocols"):
        if version not in _TLS_VERSIONS:
            raise config.error(
                "OriginSSLProtocols|OriginSslProtocols",
                f"{version!r} is not a value that AWS knows",
                rule="CDN-CFG-009",
                remedy="one of " + ", ".join(_TLS_VERSIONS),
            )
    origin = CustomOrigin(
        protocol_policy=config.choice("OriginProtocolPolicy", _PROTOCOL_POLICIES),
        http_port=config.integer("HTTPPort", 80),
        https_port=config.integer("HTTPSPort", 443),
        ssl_protocols=config.texts("OriginSSLProtocols|OriginSslProtocols") or ("TLSv1", "SSLv3"),
        read_timeout_s=config.number("OriginReadTimeout", 30),
        keepalive_timeout_s=config.number("OriginKeepaliveTimeout", 5),
        client_certificate_arn=_client_certificate(config),
    )
    config.finish()
    return origin


def _client_certificate(config: Section) -> str:
    mtls = config.section("OriginMtlsConfig")
    if mtls is None:
        return ""
    arn = mtls.text("ClientCertificateArn")
    mtls.ignore(_NO_CERTIFICATES, "ClientCertificateArn")
    mtls.finish()
    return arn


def _vpc_origin(config: Section) -> CustomOrigin:
    """A VPC origin is reached as a custom one (CDN-ORG-14)."""
    config.ignore("the origin is reached by its domain name", "VpcOriginId", "OwnerAccountId")
    origin = CustomOrigin(
        protocol_policy="match-viewer",
        read_timeout_s=config.number("OriginReadTimeout", 30),
        keepalive_timeout_s=config.number("OriginKeepaliveTimeout", 5),
        is_vpc=True,
    )
    config.finish()
    return origin


def _custom_header(item: Section) -> tuple[str, str]:
    header = (item.text("HeaderName"), item.text("HeaderValue"))
    item.finish()
    return header


def _shield_region(shield: Section) -> str:
    enabled = shield.boolean("Enabled", False)
    region = shield.text("OriginShieldRegion") if enabled else ""
    if enabled:
        shield.ignore(
            "there is one cache, so no Origin Shield in front of the origin",
            "Enabled",
            "OriginShieldRegion",
        )
    shield.finish()
    return region


def read_origin_group(section: Section, origins: Container[str]) -> OriginGroup:
    """An origin group over ``origins``, of exactly two members (CDN-CFG-092)."""
    group_id = section.text("Id")
    members = section.sections("Members")
    if len(members) != 2:
        raise section.error(
            "Members",
            f"the origin group {group_id} has {len(members)} members",
            rule="CDN-CFG-092",
            remedy="name exactly two origins, primary and secondary",
        )
    names = []
    for member in members:
        name = member.text("OriginId")
        if name not in origins:
            raise member.error(
                "OriginId",
                f"no origin has the ID {name!r}",
                rule="CDN-CFG-390",
                remedy="name the Id of one of Origins",
            )
        names.append(name)
        member.finish()
    criteria = section.required_section("FailoverCriteria")
    group = OriginGroup(
        id=group_id,
        primary=names[0],
        secondary=names[1],
        status_codes=frozenset(criteria.integers("StatusCodes")),
    )
    criteria.finish()
    section.choice("SelectionCriteria", ("default", "media-quality-based"), "default")
    section.approximate("SelectionCriteria", "the members are always tried in order")
    section.finish()
    section.found(check_origin_group(group, section.place))
    return group
