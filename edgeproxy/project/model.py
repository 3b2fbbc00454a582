"""The project: everything that a definition declares, in one value that is swapped on reload."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from edgeproxy.awslambda.model import FunctionDefinition, FunctionUrl
from edgeproxy.distribution.deployment import ContinuousDeploymentPolicy
from edgeproxy.distribution.functions import CloudFrontFunction, KeyValueStore
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import Place

if TYPE_CHECKING:
    from edgeproxy.awslambda.event_sources.registry import KeptMapping
    from edgeproxy.loadbalancing.model import LoadBalancer

__all__ = ["Project", "Report", "ReportLine", "Treatment"]


class Treatment(StrEnum):
    """What becomes of a property of the definition."""

    HONOURED = "honoured"
    APPROXIMATED = "approximated"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One property of the definition and what becomes of it, with the reason."""

    place: Place
    treatment: Treatment
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the loader has to say about a definition that it could read."""

    lines: tuple[ReportLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """Everything declared. Mappings are keyed by logical ID, functions and stores by name."""

    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    """Those that serve: standard ones and tenants."""
    multi_tenant_distributions: Mapping[str, Distribution] = field(default_factory=dict)
    continuous_deployment_policies: Mapping[str, ContinuousDeploymentPolicy] = field(
        default_factory=dict
    )
    """By ID, which distributions name."""
    functions: Mapping[str, FunctionDefinition] = field(default_factory=dict)
    cloudfront_functions: Mapping[str, CloudFrontFunction] = field(default_factory=dict)
    connection_functions: Mapping[str, CloudFrontFunction] = field(default_factory=dict)
    key_value_stores: Mapping[str, KeyValueStore] = field(default_factory=dict)
    function_urls: Mapping[str, FunctionUrl] = field(default_factory=dict)
    load_balancers: "Mapping[str, LoadBalancer]" = field(default_factory=dict)
    event_source_mappings: "tuple[KeptMapping, ...]" = ()
    report: Report = Report()
    sources: tuple[Path, ...] = ()
    """The files the definition was read from; a change of one means a reload."""

    @property
    def public_distributions(self) -> Mapping[str, Distribution]:
        """Those that viewers can ask for: all but staging distributions."""
        return {name: each for name, each in self.distributions.items() if not each.staging}
