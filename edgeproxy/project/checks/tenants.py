"""What CloudFront refuses in multi-tenant distributions and their tenants (CDN-CFG-041)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import Distribution
from edgeproxy.distribution.tenants import ParameterDefinition, parameters_in
from edgeproxy.errors import Place
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity

__all__ = [
    "check_parameter_definitions",
    "check_parameters_used",
    "check_tenant",
    "standard_with_tenant",
    "unsupported",
    "without_tenants",
]

_RULE: Final = "CDN-CFG-041"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def unsupported(place: Place, kind: str, remedy: str) -> CheckFinding:
    """A property that this ``kind`` of distribution cannot have."""
    name = place.path.rpartition(".")[2]
    return CheckFinding(
        _RULE, place, f"InvalidArgument: {kind} distribution cannot have {name}.", remedy
    )


def check_parameter_definitions(
    definitions: Sequence[ParameterDefinition], where: Where
) -> Iterator[CheckFinding]:
    place, names = where("ParameterDefinitions"), [each.name for each in definitions]
    yield from _check_names(names, place)
    if len(names) > quotas.MAX_TENANT_PARAMETERS:
        yield _quota(place, f"{len(names)} parameters", quotas.MAX_TENANT_PARAMETERS)


def check_parameters_used(
    text: str, names: Collection[str], place: Place
) -> Iterator[CheckFinding]:
    """A domain name or path of an origin, with the parameters that the distribution defines."""
    used = parameters_in(text)
    for name in used:
        if name not in names:
            yield CheckFinding(
                _RULE,
                place,
                f"InvalidArgument: the parameter {name} is not defined.",
                "add it to TenantConfig.ParameterDefinitions of a distribution with "
                "ConnectionMode tenant-only",
            )
    if len(used) > quotas.MAX_TENANT_PARAMETERS_IN_A_FIELD:
        yield _quota(
            place, f"{len(used)} parameters in a field", quotas.MAX_TENANT_PARAMETERS_IN_A_FIELD
        )


def without_tenants(place: Place) -> CheckFinding:
    """What to say of a multi-tenant distribution that nothing serves."""
    return CheckFinding(
        _RULE,
        place,
        "The multi-tenant distribution has no tenant here, so nothing of it is served.",
        "declare an AWS::CloudFront::DistributionTenant in the same definition",
        Severity.WARNING,
    )


def standard_with_tenant(logical_id: str, place: Place) -> CheckFinding:
    """What to say of a tenant of the standard distribution ``logical_id``."""
    return CheckFinding(
        _RULE,
        place,
        f"InvalidArgument: {logical_id} is a standard distribution, which has no tenants.",
        f"set ConnectionMode of {logical_id} to tenant-only",
    )


def check_tenant(
    tenant: Distribution,
    given: Mapping[str, str],
    definitions: Sequence[ParameterDefinition],
    where: Where,
) -> Iterator[CheckFinding]:
    """A tenant with the parameters that it gives itself."""
    place = where("Parameters")
    yield from _check_names(list(given), place)
    for definition in definitions:
        if definition.required and definition.name not in given:
            yield CheckFinding(
                _RULE,
                place,
                f"InvalidArgument: the required parameter {definition.name} has no value.",
                "add it to the tenant's Parameters",
            )
        elif not definition.default and definition.name not in given:
            yield CheckFinding(
                _RULE,
                place,
                f"The parameter {definition.name} has neither a value nor a default: "
                f"{{{{{definition.name}}}}} stays as it is written.",
                "add it to the tenant's Parameters, or give it a DefaultValue",
                Severity.WARNING,
            )
    defined = {definition.name for definition in definitions}
    for name, value in given.items():
        if name not in defined:
            yield CheckFinding(
                _RULE,
                place,
                f"InvalidArgument: the distribution defines no parameter {name}.",
                "it defines " + (", ".join(sorted(defined)) or "none"),
            )
        if not 1 <= len(value) <= quotas.MAX_TENANT_PARAMETER_CHARACTERS:
            yield CheckFinding(
                _RULE,
                place,
                f"InvalidArgument: the value of {name} has {len(value)} characters; the range is "
                f"1 to {quotas.MAX_TENANT_PARAMETER_CHARACTERS}.",
                "shorten it" if value else "give it a value",
            )
    if not tenant.aliases:
        yield CheckFinding(
            _RULE,
            where("Domains"),
            "InvalidArgument: a tenant has at least one domain.",
            "name it under Domains",
        )
    if len(tenant.aliases) > quotas.MAX_ALIASES:
        yield _quota(where("Domains"), f"{len(tenant.aliases)} domains", quotas.MAX_ALIASES)


def _check_names(names: Sequence[str], place: Place) -> Iterator[CheckFinding]:
    for name in names:
        if not _NAME.fullmatch(name):
            yield CheckFinding(
                _RULE,
                place,
                f"InvalidArgument: {name!r} cannot be a parameter's name.",
                "use 1 to 128 letters, digits, hyphens and underscores",
            )


def _quota(place: Place, what: str, quota: int) -> CheckFinding:
    return CheckFinding("CDN-CFG-403", place, f"{what}; the quota is {quota}.", "use fewer")
