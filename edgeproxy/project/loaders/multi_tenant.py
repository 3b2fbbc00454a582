"""Reads what makes a distribution a multi-tenant one (CDN-CFG-041)."""

from collections.abc import Iterator
from typing import Final

from edgeproxy.distribution.tenants import ParameterDefinition
from edgeproxy.project.checks.tenants import (
    check_parameter_definitions,
    check_parameters_used,
    unsupported,
)
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.yaml_source import Table
from edgeproxy.project.report import CheckFinding

__all__ = ["read_parameter_definitions"]

_GROUP: Final = "set it in a connection group"
_POLICY: Final = "use a cache policy"
_REMOVE: Final = "remove it"
# AWS lists what multi-tenant distributions cannot have; here with what to do about it.
_OF_DISTRIBUTIONS: Final = {
    "Aliases|CNAMEs": "name the domains in the tenants, under Domains",
    "AnycastIpListId": _GROUP,
    "ContinuousDeploymentPolicyId": _REMOVE,
    "IPV6Enabled|IsIPV6Enabled": _GROUP,
    "Logging": "use standard logging v2",
    "PriceClass": _REMOVE,
    "Staging": _REMOVE,
}
_OF_BEHAVIORS: Final = {
    "DefaultTTL": _POLICY,
    "ForwardedValues": _POLICY,
    "MaxTTL": _POLICY,
    "MinTTL": _POLICY,
    "SmoothStreaming": _REMOVE,
    "TrustedSigners": "use TrustedKeyGroups",
}


def read_parameter_definitions(config: Section) -> tuple[ParameterDefinition, ...] | None:
    """The parameters of a multi-tenant distribution; None for a standard one."""
    modes = ("direct", "tenant-only")
    is_multi_tenant = config.choice("ConnectionMode", modes, "direct") == "tenant-only"
    section = config.section("TenantConfig")
    definitions: tuple[ParameterDefinition, ...] = ()
    if section is not None:
        definitions = tuple(_definition(each) for each in section.sections("ParameterDefinitions"))
        section.finish()
        section.found(check_parameter_definitions(definitions, section.place))
        if not is_multi_tenant:
            config.found([unsupported(config.place("TenantConfig"), "a standard", "remove it")])
    names = [each.name for each in definitions]
    for origin in config.sections("Origins"):
        for name in ("DomainName", "OriginPath"):
            text, place = origin.text(name, ""), origin.place(name)
            origin.found(check_parameters_used(text, names, place))
    if not is_multi_tenant:
        return None
    config.found(_unsupported(config))
    return definitions


def _definition(section: Section) -> ParameterDefinition:
    outer = section.required_section("Definition")
    schema = outer.required_section("StringSchema")
    schema.ignore(NOT_TRAFFIC, "Comment")
    definition = ParameterDefinition(
        section.text("Name"), schema.boolean("Required"), schema.text("DefaultValue", "")
    )
    for each in (schema, outer, section):
        each.finish()
    return definition


def _unsupported(config: Section) -> Iterator[CheckFinding]:
    """Each property that AWS refuses in a multi-tenant distribution."""
    refused = [
        (config, _OF_DISTRIBUTIONS),
        (config.required_section("DefaultCacheBehavior"), _OF_BEHAVIORS),
        *((each, _OF_BEHAVIORS) for each in config.sections("CacheBehaviors")),
    ]
    for origin in config.sections("Origins"):
        s3 = origin.section("S3OriginConfig")
        if s3 is not None:
            refused.append((s3, {"OriginAccessIdentity": "use OriginAccessControlId"}))
    certificate = config.section("ViewerCertificate")
    if certificate is not None:
        refused.append((certificate, _of_certificate(certificate)))
    if not config.text("WebACLId", "").startswith("arn:"):
        refused.append((config, {"WebACLId": "use a web ACL of AWS WAF V2, by its ARN"}))
    for section, remedies in refused:
        for name, remedy in remedies.items():
            if _is_used(section, name):
                yield unsupported(section.place(name), "a multi-tenant", remedy)


def _of_certificate(certificate: Section) -> dict[str, str]:
    refused = {"IAMCertificateId|IamCertificateId": "use a certificate of AWS Certificate Manager"}
    is_default = certificate.boolean("CloudFrontDefaultCertificate", False)
    if not is_default and certificate.text("SSLSupportMethod|SslSupportMethod", "") != "sni-only":
        refused["SSLSupportMethod|SslSupportMethod"] = "set it to sni-only"
    if certificate.text("MinimumProtocolVersion", "") == "SSLv3":
        refused["MinimumProtocolVersion"] = "set it to TLSv1.2_2021"
    return refused


def _is_used(section: Section, name: str) -> bool:
    """Whether the property says something: the API writes out what is off as well."""
    if not section.has(name):
        return False
    value = next(section.values[each] for each in name.split("|") if each in section.values)
    if isinstance(value, Table):
        return value.get("Enabled") is not False and value.get("Quantity") != 0
    return value is not False and value not in ("", "PriceClass_All")
