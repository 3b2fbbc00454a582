"""Reads continuous deployment policies, for what AWS would refuse in them (CDN-CFG-400)."""

from collections.abc import Iterator

from edgeproxy.project.loaders.section import Section
from edgeproxy.project.report import CheckFinding

__all__ = ["read_deployment_policy"]

_WHY = "continuous deployment does not run here: each distribution serves on its own"


def read_deployment_policy(config: Section) -> None:
    """Check a policy in either form (CDN-CFG-219, CDN-CFG-220), and note that nothing runs it."""
    traffic = config.section("TrafficConfig") or config
    weight = traffic.section("SingleWeightConfig|SingleWeightPolicyConfig")
    if weight is not None:
        weight.found(_check_weight(weight))
    header = traffic.section("SingleHeaderConfig|SingleHeaderPolicyConfig")
    if header is not None:
        header.found(_check_header(header))
    config.ignore(_WHY, *config.values)


def _check_weight(config: Section) -> Iterator[CheckFinding]:
    weight = config.number("Weight", 0)
    if not 0 <= weight <= 0.15:
        yield CheckFinding(
            "CDN-CFG-400",
            config.place("Weight"),
            f"InvalidArgument: Weight is {weight:g}; the range is 0 to 0.15.",
            "send at most 15 percent to staging",
        )
    stickiness = config.section("SessionStickinessConfig")
    if stickiness is None:
        return
    idle, maximum = stickiness.integer("IdleTTL"), stickiness.integer("MaximumTTL")
    if not 300 <= idle <= maximum <= 3600:
        yield CheckFinding(
            "CDN-CFG-400",
            stickiness.place("IdleTTL"),
            f"InvalidArgument: IdleTTL is {idle}, MaximumTTL {maximum}; both are 300 to 3600 and "
            "IdleTTL is not the larger.",
            "put them in range and order",
        )


def _check_header(config: Section) -> Iterator[CheckFinding]:
    name = config.text("Header")
    if not name.startswith("aws-cf-cd-"):
        yield CheckFinding(
            "CDN-CFG-400",
            config.place("Header"),
            f"InvalidArgument: the header {name} must begin with aws-cf-cd-.",
            f"name it aws-cf-cd-{name}",
        )
