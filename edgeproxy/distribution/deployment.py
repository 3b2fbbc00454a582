"""Continuous deployment policies: who is sent to a staging distribution (CDN-CFG-219)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import Distribution

__all__ = [
    "ContinuousDeploymentPolicy",
    "SessionStickiness",
    "SingleHeader",
    "SingleWeight",
    "Traffic",
    "promoted",
    "staging_of",
    "traffic_problems",
]

_HEADER_PREFIX: Final = "aws-cf-cd-"


@dataclass(frozen=True, slots=True)
class SessionStickiness:
    """How long a viewer stays on one side: since its last request, and altogether (CDN-CD-04)."""

    idle_ttl_s: int
    maximum_ttl_s: int


@dataclass(frozen=True, slots=True)
class SingleWeight:
    """The fraction of requests, or of sessions, that go to staging (CDN-CD-02)."""

    weight: float
    stickiness: SessionStickiness | None = None


@dataclass(frozen=True, slots=True)
class SingleHeader:
    """The header that sends a request to staging (CDN-CD-03)."""

    header: str
    value: str


Traffic: TypeAlias = SingleWeight | SingleHeader


@dataclass(frozen=True, slots=True)
class ContinuousDeploymentPolicy:
    """``ContinuousDeploymentPolicyConfig``; without ``traffic`` nothing goes to staging."""

    logical_id: str
    id: str
    enabled: bool
    staging_domain_names: tuple[str, ...]
    traffic: Traffic | None = None

    @property
    def stickiness(self) -> SessionStickiness | None:
        return self.traffic.stickiness if isinstance(self.traffic, SingleWeight) else None


def staging_of(
    policy: ContinuousDeploymentPolicy, distributions: Iterable[Distribution]
) -> Distribution | None:
    """The staging distribution that the policy names."""
    for each in distributions:
        if each.staging and each.domain_name in policy.staging_domain_names:
            return each
    return None


def promoted(primary: Distribution, staging: Distribution) -> Distribution:
    """``primary`` with the configuration of ``staging`` (CDN-CD-10)."""
    return replace(
        staging,
        logical_id=primary.logical_id,
        id=primary.id,
        domain_name=primary.domain_name,
        aliases=primary.aliases,
        minimum_protocol_version=primary.minimum_protocol_version,
        continuous_deployment_policy_id=primary.continuous_deployment_policy_id,
        staging=False,
        source=primary.source,
    )


def traffic_problems(traffic: Traffic) -> Iterator[tuple[str, str, str]]:
    """What AWS refuses (CDN-CD-02 to CDN-CD-04): property, message, remedy."""
    match traffic:
        case SingleHeader(header, value):
            if not header.lower().startswith(_HEADER_PREFIX):
                message = f"the header {header} must begin with {_HEADER_PREFIX}."
                yield "Header", message, f"name it {_HEADER_PREFIX}{header}"
            for name, text, most in (
                ("Header", header, quotas.MAX_CUSTOM_HEADER_NAME_CHARACTERS),
                ("Value", value, quotas.MAX_CUSTOM_HEADER_VALUE_CHARACTERS),
            ):
                if len(text) > most:
                    message = f"{name} has {len(text)} characters; the limit is {most}."
                    yield name, message, "shorten it"
        case SingleWeight(weight, stickiness):
            if not 0 <= weight <= quotas.MAX_STAGING_WEIGHT:
                message = f"Weight is {weight:g}; the range is 0 to {quotas.MAX_STAGING_WEIGHT}."
                yield "Weight", message, "send at most 15 percent to staging"
            low, high = quotas.MIN_SESSION_TTL_S, quotas.MAX_SESSION_TTL_S
            if stickiness is None:
                return
            idle, maximum = stickiness.idle_ttl_s, stickiness.maximum_ttl_s
            if not low <= idle <= maximum <= high:
                message = (
                    f"IdleTTL is {idle}, MaximumTTL {maximum}; both are {low} to {high} and "
                    "IdleTTL is not the larger."
                )
                yield "IdleTTL", message, "put them in range and order"
