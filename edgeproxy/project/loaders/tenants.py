"""Reads distribution tenants and connection groups (CDN-CFG-041).

A tenant is its multi-tenant distribution with the parameters filled in, the tenant's domains for
aliases, and its own geographic restriction where it has one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgeproxy.distribution.model import Distribution, Origin
from edgeproxy.distribution.tenants import DistributionTenant, fill_in
from edgeproxy.project import identifiers
from edgeproxy.project.checks.tenants import (
    check_tenant,
    standard_with_tenant,
    without_tenants,
)
from edgeproxy.project.loaders.certificate import OWN_CERTIFICATE
from edgeproxy.project.loaders.distribution import read_geo_restriction
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template

__all__ = ["read_tenants"]


@dataclass(frozen=True, slots=True)
class _ConnectionGroup:
    endpoint: str
    enabled: bool = True


def read_tenants(
    templates: Sequence[Template], declared: Mapping[str, Distribution]
) -> dict[str, Distribution]:
    """The tenants of the multi-tenant ones among ``declared``, by logical ID.

    Raises :class:`DefinitionError` for a tenant whose distribution is not declared.
    """
    groups = dict(
        _connection_group(resource)
        for template in templates
        for resource in template.resources("AWS::CloudFront::ConnectionGroup")
    )
    by_id = {each.id: each for each in declared.values()}
    tenants = {}
    for template in templates:
        for resource in template.resources("AWS::CloudFront::DistributionTenant"):
            tenant = _tenant(resource, by_id, groups)
            if tenant is not None:
                tenants[resource.logical_id] = tenant
    served = {each.id_in_events for each in tenants.values()}
    for template in templates:
        for resource in template.resources("AWS::CloudFront::Distribution"):
            distribution = declared[resource.logical_id]
            if distribution.is_multi_tenant and distribution.id not in served:
                template.notes.found([without_tenants(resource.place)])
    return tenants


def _connection_group(resource: Resource) -> tuple[str, _ConnectionGroup]:
    properties, group_id = resource.properties, identifiers.connection_group_id(resource.logical_id)
    properties.text("Name")
    properties.ignore(NOT_TRAFFIC, "AnycastIpListId", "Tags")
    properties.ignore("the listener's address decides", "Ipv6Enabled")
    enabled = properties.boolean("Enabled", True)
    properties.finish()
    return group_id, _ConnectionGroup(identifiers.connection_group_endpoint(group_id), enabled)


def _tenant(
    resource: Resource, by_id: Mapping[str, Distribution], groups: Mapping[str, _ConnectionGroup]
) -> Distribution | None:
    """None for a tenant of a standard distribution, which AWS refuses."""
    properties = resource.properties
    shared = by_id.get(properties.text("DistributionId"))
    if shared is None:
        raise properties.error(
            "DistributionId",
            f"no distribution has the ID {properties.text('DistributionId')!r}",
            rule="CDN-CFG-041",
            remedy="declare the multi-tenant distribution in the same definition and refer to it",
        )
    definitions = shared.parameter_definitions
    if definitions is None:
        place = properties.place("DistributionId")
        properties.found([standard_with_tenant(shared.logical_id, place)])
        return None
    properties.ignore(NOT_TRAFFIC, "Tags")
    properties.ignore(OWN_CERTIFICATE, "ManagedCertificateRequest")
    group = _group_of(properties, groups)
    given = _parameters(properties)
    inherited = {
        each.name: each.default for each in definitions if each.default and not each.required
    }
    tenant = DistributionTenant(properties.text("Name"), shared.id, inherited | given)
    distribution = replace(
        shared,
        logical_id=resource.logical_id,
        id=identifiers.distribution_tenant_id(resource.logical_id),
        domain_name=group.endpoint,
        origins={name: _filled_in(origin, tenant) for name, origin in shared.origins.items()},
        aliases=tuple(domain.lower() for domain in properties.texts("Domains")),
        enabled=properties.boolean("Enabled", True) and shared.enabled and group.enabled,
        parameter_definitions=None,
        tenant=tenant,
    )
    customizations = properties.section("Customizations")
    if customizations is not None:
        distribution = _customized(distribution, customizations)
    properties.finish()
    properties.found(check_tenant(distribution, given, definitions, properties.place))
    return distribution


def _group_of(properties: Section, groups: Mapping[str, _ConnectionGroup]) -> _ConnectionGroup:
    group_id = properties.text("ConnectionGroupId", "")
    group = groups.get(group_id)
    if group is not None:
        return group
    # Without an ID it is the account's default group.
    endpoint = identifiers.connection_group_endpoint(group_id)
    properties.approximate(
        "ConnectionGroupId", f"the group is not declared here; {endpoint} stands for its endpoint"
    )
    return _ConnectionGroup(endpoint)


def _parameters(properties: Section) -> dict[str, str]:
    values = {}
    for section in properties.sections("Parameters"):
        values[section.text("Name")] = section.text("Value")
        section.finish()
    return values


def _filled_in(origin: Origin, tenant: DistributionTenant) -> Origin:
    return replace(
        origin,
        domain_name=fill_in(origin.domain_name, tenant.parameters),
        origin_path=fill_in(origin.origin_path, tenant.parameters),
    )


def _customized(tenant: Distribution, customizations: Section) -> Distribution:
    customizations.ignore("there is no web application firewall here", "WebAcl")
    customizations.ignore(OWN_CERTIFICATE, "Certificate")
    geo = customizations.section("GeoRestrictions")
    customizations.finish()
    return tenant if geo is None else replace(tenant, geo_restriction=read_geo_restriction(geo))
