"""Reads origins, origin groups and origin access controls (CDN-CFG-060 to 094, CDN-CFG-218)."""

from collections.abc import Container
from dataclasses import replace

from edgeproxy.distribution.aws_names import bucket_of, is_function_url
from edgeproxy.distribution.model import (
    CustomOrigin,
    Origin,
    OriginAccessControl,
    OriginGroup,
    S3Origin,
    SigningBehavior,
)
from edgeproxy.distribution.tenants import without_parameters
from edgeproxy.http.headers import Headers
from edgeproxy.project.checks.origin_access import check_origin_access
from edgeproxy.project.checks.origins import check_origin, check_origin_group
from edgeproxy.project.checks.policies import check_given
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.report import CheckFinding

__all__ = ["read_origin", "read_origin_access_control", "read_origin_group"]

_KINDS = ("CustomOriginConfig", "VpcOriginConfig", "S3OriginConfig")
_PROTOCOL_POLICIES = ("http-only", "https-only", "match-viewer")
_TLS_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2")
_CERTIFICATE = "the certificate is that of --origin-certificate; without one, none is shown"
_ADDRESS_TYPES = ("ipv4", "ipv6", "dualstack")
_ADDRESSES = "origins are reached by whatever address their name has here"


_ORIGIN_TYPES = ("s3", "lambda", "mediastore", "mediapackagev2")
_UNKNOWN_CONTROL = "it is not declared here: every request is signed, with sigv4"
_IDENTITY = "requests are signed as with an origin access control"


def read_origin(section: Section, catalogue: Catalogue) -> Origin:
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
        access_control=_access_control(section, catalogue),
        origin_shield_region=_shield_region(shield) if shield is not None else "",
    )
    section.finish()
    section.found(check_origin(declared, section.place))
    section.found(check_origin_access(declared, section.place))
    path = declared.origin_path.strip("/")
    return replace(declared, origin_path=f"/{path}" if path else "")


def _kind(section: Section) -> CustomOrigin | S3Origin:
    s3 = section.section("S3OriginConfig")
    custom = section.section("CustomOriginConfig")
    vpc = section.section("VpcOriginConfig")
    given = [name for name in _KINDS if section.has(name)]
    if len(given) > 1:
        section.ignore(f"{given[0]} decides", *given[1:])
        message = f"InvalidArgument: exactly one of {', '.join(given)} must be given."
        place = section.place(given[1])
        section.found([CheckFinding("CDN-CFG-078", place, message, f"keep {given[0]}")])
    if custom is not None:
        return _custom_origin(custom)
    if vpc is not None:
        return _vpc_origin(vpc)
    if s3 is not None:
        origin = S3Origin(
            origin_access_identity=s3.text("OriginAccessIdentity", ""),
            read_timeout_s=s3.number("OriginReadTimeout", 30),
        )
        s3.approximate("OriginAccessIdentity", _IDENTITY)
        s3.finish()
        return origin
    if bucket_of(without_parameters(section.text("DomainName"))):
        return S3Origin()
    raise section.error(
        "",
        f"the origin {section.text('Id')} has neither S3OriginConfig nor CustomOriginConfig",
        rule="CDN-CFG-078",
        remedy="add CustomOriginConfig with an OriginProtocolPolicy",
    )


def read_origin_access_control(config: Section, control_id: str) -> OriginAccessControl:
    """Which requests are signed, and how (CDN-CFG-218)."""
    config.ignore(NOT_TRAFFIC, "Name", "Description")
    missing = [name for name in ("Name",) if name not in config.values]
    config.found(check_given("CDN-CFG-218", config.place(), missing))
    control = OriginAccessControl(
        id=control_id,
        origin_type=config.choice("OriginAccessControlOriginType", _ORIGIN_TYPES),
        signing_behavior=SigningBehavior(config.choice("SigningBehavior", SigningBehavior)),
        signing_protocol=config.choice("SigningProtocol", ("sigv4", "sigv4a")),
    )
    config.finish()
    return control


def _access_control(section: Section, catalogue: Catalogue) -> OriginAccessControl | None:
    """The origin's control; one that exists on AWS only is of the usual kind."""
    control_id = section.text("OriginAccessControlId", "")
    declared = catalogue.origin_access_controls.get(control_id)
    if not control_id or declared is not None:
        return declared
    section.approximate("OriginAccessControlId", _UNKNOWN_CONTROL)
    is_url = is_function_url(section.text("DomainName"))
    return OriginAccessControl(control_id, "lambda" if is_url else "s3")


def _custom_origin(config: Section) -> CustomOrigin:
    _ = config.choice("IpAddressType", _ADDRESS_TYPES, "ipv4")
    config.approximate("IpAddressType", _ADDRESSES)
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
    mtls.approximate("ClientCertificateArn", _CERTIFICATE)
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
    region = shield.text("OriginShieldRegion") if enabled else shield.text("OriginShieldRegion", "")
    shield.finish()
    return region if enabled else ""


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
