"""Multi-tenant distributions: what differs from tenant to tenant (CDN-CFG-041).

A multi-tenant distribution serves nobody itself. It names parameters, ``{{name}}`` in the domain
names and paths of its origins, and each of its tenants gives them values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "DistributionTenant",
    "ParameterDefinition",
    "fill_in",
    "parameters_in",
    "without_parameters",
]

_PARAMETER: Final = re.compile(r"\{\{([A-Za-z0-9_-]+)\}\}")


@dataclass(frozen=True, slots=True)
class ParameterDefinition:
    """A parameter that tenants give a value. A required one has no use for its default."""

    name: str
    required: bool
    default: str = ""


@dataclass(frozen=True, slots=True)
class DistributionTenant:
    """What a distribution knows of itself as a tenant.

    ``distribution_id`` is the multi-tenant distribution's; ``parameters`` are the tenant's own and
    the defaults of those that it leaves out.
    """

    name: str
    distribution_id: str
    parameters: Mapping[str, str]


def parameters_in(text: str) -> list[str]:
    """The names of the parameters in ``text``."""
    return _PARAMETER.findall(text)


def fill_in(text: str, parameters: Mapping[str, str]) -> str:
    """``text`` with its parameters' values; one that has none stays as it is written."""
    return _PARAMETER.sub(lambda found: parameters.get(found[1], found[0]), text)


def without_parameters(text: str) -> str:
    """``text`` with a letter for each parameter, for who only looks at its form."""
    return _PARAMETER.sub("x", text)
