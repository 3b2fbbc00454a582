"""Reads continuous deployment policies (CDN-CFG-219, CDN-CFG-220)."""

from collections.abc import Iterator

from edgeproxy.distribution.deployment import (
    ContinuousDeploymentPolicy,
    SessionStickiness,
    SingleHeader,
    SingleWeight,
    Traffic,
    traffic_problems,
)
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.report import CheckFinding

__all__ = ["read_deployment_policy"]


def read_deployment_policy(
    config: Section, logical_id: str, policy_id: str
) -> ContinuousDeploymentPolicy:
    """A policy in either form: with ``TrafficConfig``, or CloudFormation's older one."""
    traffic = config.section("TrafficConfig")
    inner = traffic or config
    kind = inner.choice("Type", ("SingleWeight", "SingleHeader"), "")
    weight = inner.section("SingleWeightConfig|SingleWeightPolicyConfig")
    header = inner.section("SingleHeaderConfig|SingleHeaderPolicyConfig")
    given = "SingleWeight" if weight else "SingleHeader"
    if (weight and header) or (kind and (weight or header) and kind != given):
        raise inner.error(
            "Type",
            "a policy has one kind of traffic",
            rule="CDN-CFG-400",
            remedy="give SingleWeightConfig or SingleHeaderConfig, and the Type of that name",
        )
    policy = ContinuousDeploymentPolicy(
        logical_id,
        policy_id,
        config.boolean("Enabled", False),
        config.texts("StagingDistributionDnsNames"),
        _weight(weight) if weight else _header(header) if header else None,
    )
    if traffic is not None:
        traffic.finish()
    config.finish()
    return policy


def _weight(config: Section) -> SingleWeight:
    sticky = config.section("SessionStickinessConfig")
    stickiness = None
    if sticky is not None:
        stickiness = SessionStickiness(sticky.integer("IdleTTL"), sticky.integer("MaximumTTL"))
        sticky.finish()
    traffic = SingleWeight(config.number("Weight", 0), stickiness)
    config.finish()
    config.found(_refused(traffic, sticky or config, config))
    return traffic


def _header(config: Section) -> SingleHeader:
    traffic = SingleHeader(config.text("Header"), config.text("Value"))
    config.finish()
    config.found(_refused(traffic, config, config))
    return traffic


def _refused(traffic: Traffic, sessions: Section, config: Section) -> Iterator[CheckFinding]:
    """CDN-CFG-400."""
    for name, message, remedy in traffic_problems(traffic):
        place = (sessions if name == "IdleTTL" else config).place(name)
        yield CheckFinding("CDN-CFG-400", place, f"InvalidArgument: {message}", remedy)
