"""Reads target groups and their health checks (AL-001 to AL-007, AL-120 to AL-122)."""

import re
from collections.abc import Iterable

from edgeproxy.loadbalancing.model import HealthCheck, TargetGroup
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.elb_resources import NETWORK, Attributes, each, refuse, within
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template

__all__ = ["read_target_groups"]

_MATCHER = re.compile(r"(\d{3})(?:-(\d{3}))?")
_STATUSES = range(200, 500)


def read_target_groups(
    templates: Iterable[Template], catalogue: Catalogue
) -> dict[str, TargetGroup]:
    """The target groups by their ARNs."""
    return {
        arn: _target_group(resource, arn, catalogue)
        for _, resource, arn in each(templates, "TargetGroup")
    }


def _target_group(resource: Resource, arn: str, catalogue: Catalogue) -> TargetGroup:
    properties = resource.properties
    kind = properties.choice("TargetType", ("instance", "ip", "lambda", "alb"), "instance")
    properties.ignore(NOT_TRAFFIC, "Name", "Tags")
    properties.ignore(NETWORK, "VpcId", "IpAddressType", "ProtocolVersion", "TargetControlPort")
    attributes = Attributes(properties, "TargetGroupAttributes")
    multi_value = attributes.flag("lambda.multi_value_headers.enabled")
    targets = properties.sections("Targets")
    if kind != "lambda":
        attributes.ignore_others("targets are drawn at random")
        return _address_group(resource, arn, targets)
    attributes.ignore_others("it does not apply to functions")  # AL-006
    if len(targets) > 1:
        raise properties.error(
            "Targets",
            f"a target group of type lambda has one target, not {len(targets)}",
            rule="AL-001",
            remedy="name one function in Targets",
        )
    function = qualifier = ""
    for target in targets:  # Without one, the load balancer answers 503 itself (AL-100).
        invoked, reference = catalogue.lambda_function(target, "Id")
        function = invoked.definition.name
        qualifier = reference.qualifier.replace("$LATEST", "")
        target.ignore(NETWORK, "Port", "AvailabilityZone")
        target.finish()
    properties.ignore("a function has neither", "Port", "Protocol")
    properties.ignore("a function is checked by invoking it", *_OF_ADDRESSES)
    health_check = _health_check(properties, HealthCheck(), default=False)
    properties.finish()
    return TargetGroup(
        logical_id=resource.logical_id,
        arn=arn,
        function=function,
        qualifier=qualifier,
        multi_value_headers=multi_value,
        health_check=health_check,
    )


_OF_ADDRESSES = ("HealthCheckPort", "HealthCheckProtocol")


def _address_group(resource: Resource, arn: str, targets: list[Section]) -> TargetGroup:
    properties = resource.properties
    for name in ("Protocol", "HealthCheckProtocol"):
        if properties.text(name, "HTTP") != "HTTP":
            properties.approximate(name, "targets are reached over plain HTTP")
    port = properties.integer("Port", 80)
    addresses = []
    for target in targets:
        address, target_port = target.text("Id"), target.integer("Port", port)
        if address.startswith(("i-", "arn:")):
            why = f"only addresses can be reached: give --origin {resource.logical_id}=URL"
            target.ignore(why, "Id", "Port")
        else:
            addresses.append(f"{address}:{target_port}")
        target.ignore(NETWORK, "AvailabilityZone")
        target.finish()
    own_port = properties.text("HealthCheckPort", "traffic-port")
    checked_at = None if own_port == "traffic-port" else properties.integer("HealthCheckPort")
    defaults = HealthCheck(interval_s=30, timeout_s=5, port=checked_at)
    health_check = _health_check(properties, defaults, default=True)
    properties.finish()
    return TargetGroup(
        resource.logical_id, arn, targets=tuple(addresses), health_check=health_check
    )


def _health_check(
    properties: Section, defaults: HealthCheck, *, default: bool
) -> HealthCheck | None:
    """The checks of a target group; None when there are none (AL-120, AL-122)."""

    def number(name: str, usual: float, low: int, high: int) -> int:
        return within(properties, name, int(usual), low, high, "AL-122")

    is_on = properties.boolean("HealthCheckEnabled", default)
    check = HealthCheck(
        path=properties.text("HealthCheckPath", "/"),
        interval_s=number("HealthCheckIntervalSeconds", defaults.interval_s, 5, 300),
        timeout_s=number("HealthCheckTimeoutSeconds", defaults.timeout_s, 2, 120),
        healthy_count=number("HealthyThresholdCount", defaults.healthy_count, 2, 10),
        unhealthy_count=number("UnhealthyThresholdCount", defaults.unhealthy_count, 2, 10),
        matcher=_matcher(properties.section("Matcher")),
        port=defaults.port,
    )
    return check if is_on else None


def _matcher(section: Section | None) -> tuple[tuple[int, int], ...]:
    if section is None:
        return HealthCheck().matcher
    text = section.text("HttpCode", "200")
    section.ignore("targets speak HTTP", "GrpcCode")
    section.finish()
    ranges = []
    for part in text.split(","):
        match = _MATCHER.fullmatch(part.strip())
        if match is None:
            raise section.error(
                "HttpCode",
                f"{text!r} names no statuses",
                rule="AL-122",
                remedy="write them like 200, 200,202 or 200-299",
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if first not in _STATUSES or last not in _STATUSES:
            refuse(section, "HttpCode", "AL-122", f"{text} is not within 200 to 499.")
        ranges.append((first, last))
    return tuple(ranges)
