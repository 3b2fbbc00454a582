"""Reads Application Load Balancers, listeners, rules and target groups (AL-001 to 007, AL-140)."""

from collections.abc import Iterable, Iterator, Mapping

from edgeproxy.loadbalancing.model import (
    AlbCondition,
    AlbFixedResponse,
    AlbForward,
    AlbListener,
    AlbRedirect,
    AlbRule,
    LoadBalancer,
    TargetGroup,
)
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.report import CheckFinding

__all__ = ["read_load_balancers"]

_ELB = "AWS::ElasticLoadBalancingV2::"
_NETWORK = "the network is this machine's"
_CONDITIONS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_CONTENT_TYPES = (
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/json",
)
_DEFAULT_PRIORITY = 50_001


def read_load_balancers(
    templates: Iterable[Template], catalogue: Catalogue
) -> Iterator[LoadBalancer]:
    """The application load balancers of ``templates`` with what belongs to each."""
    templates = list(templates)
    groups = {
        arn: _target_group(resource, arn, catalogue)
        for _, resource, arn in _each(templates, "TargetGroup")
    }
    rules = _rules(templates, groups)
    listeners = _listeners(templates, groups, rules)
    for template, resource, arn in _each(templates, "LoadBalancer"):
        properties = resource.properties
        kind = properties.choice("Type", ("application", "network", "gateway"), "application")
        properties.ignore(
            _NETWORK, "Scheme", "SecurityGroups", "Subnets", "SubnetMappings", "IpAddressType",
            "Ipv4IpamPoolId", "MinimumLoadBalancerCapacity",
        )  # fmt: skip
        properties.ignore("load balancer attributes are not applied", "LoadBalancerAttributes")
        properties.ignore(NOT_TRAFFIC, "Name", "Tags")
        properties.finish()
        own = listeners.pop(arn, [])
        if kind != "application":
            properties.ignore("only application load balancers run here", "Type")
            continue
        used = {name for listener in own for rule in listener.rules for name in _groups_of(rule)}
        yield LoadBalancer(
            logical_id=resource.logical_id,
            dns_name=str(template.attribute(resource.logical_id, "DNSName", resource.place)),
            listeners=tuple(sorted(own, key=lambda listener: listener.port)),
            target_groups={
                group.logical_id: group for group in groups.values() if group.logical_id in used
            },
        )


def _each(templates: Iterable[Template], kind: str) -> Iterator[tuple[Template, Resource, str]]:
    """The resources of one kind with their ARNs."""
    for template in templates:
        for resource in template.resources(f"{_ELB}{kind}"):
            arn = template.reference(resource.logical_id, resource.place)
            yield template, resource, str(arn)


def _groups_of(rule: AlbRule) -> list[str]:
    action = rule.action
    return [name for name, _ in action.target_groups] if isinstance(action, AlbForward) else []


# target groups


def _target_group(resource: Resource, arn: str, catalogue: Catalogue) -> TargetGroup:
    properties = resource.properties
    kind = properties.choice("TargetType", ("instance", "ip", "lambda", "alb"), "instance")
    properties.ignore(
        "targets are always taken as healthy",
        "HealthCheckEnabled", "HealthCheckIntervalSeconds", "HealthCheckPath", "HealthCheckPort",
        "HealthCheckProtocol", "HealthCheckTimeoutSeconds", "HealthyThresholdCount",
        "UnhealthyThresholdCount", "Matcher",
    )  # fmt: skip
    properties.ignore(NOT_TRAFFIC, "Name", "Tags")
    properties.ignore(_NETWORK, "VpcId", "IpAddressType", "ProtocolVersion", "TargetControlPort")
    multi_value = _multi_value_headers(properties)
    targets = properties.sections("Targets")
    if kind != "lambda":
        return _address_group(resource, arn, targets)
    if len(targets) != 1:
        raise properties.error(
            "Targets",
            f"a target group of type lambda has one target, not {len(targets)}",
            rule="AL-001",
            remedy="name one function in Targets",
        )
    function, target = catalogue.lambda_function(targets[0], "Id")
    targets[0].ignore(_NETWORK, "Port", "AvailabilityZone")
    targets[0].finish()
    properties.ignore("a function has neither", "Port", "Protocol")
    properties.finish()
    return TargetGroup(
        logical_id=resource.logical_id,
        arn=arn,
        function=function.definition.name,
        qualifier=target.qualifier.replace("$LATEST", ""),
        multi_value_headers=multi_value,
    )


def _address_group(resource: Resource, arn: str, targets: list[Section]) -> TargetGroup:
    properties = resource.properties
    properties.text("Protocol", "HTTP")
    properties.approximate("Protocol", "targets are reached over plain HTTP")
    port = properties.integer("Port", 80)
    addresses = []
    for target in targets:
        address, target_port = target.text("Id"), target.integer("Port", port)
        if address.startswith(("i-", "arn:")):
            target.ignore("only addresses can be reached from here", "Id", "Port")
        else:
            addresses.append(f"{address}:{target_port}")
        target.ignore(_NETWORK, "AvailabilityZone")
        target.finish()
    properties.finish()
    return TargetGroup(resource.logical_id, arn, targets=tuple(addresses))


def _multi_value_headers(properties: Section) -> bool:
    multi_value = False
    for attribute in properties.sections("TargetGroupAttributes"):
        if attribute.text("Key") == "lambda.multi_value_headers.enabled":
            multi_value = attribute.boolean("Value")
        else:
            attribute.ignore("this attribute is not applied", "Key", "Value")
        attribute.finish()
    return multi_value


# listeners and rules


def _listeners(
    templates: Iterable[Template],
    groups: Mapping[str, TargetGroup],
    rules: dict[str, list[AlbRule]],
) -> dict[str, list[AlbListener]]:
    """Listeners by the ARN of their load balancer."""
    known = {arn for _, _, arn in _each(templates, "LoadBalancer")}
    found: dict[str, list[AlbListener]] = {}
    for _, resource, arn in _each(templates, "Listener"):
        properties = resource.properties
        protocol = properties.text("Protocol", "HTTP")
        if protocol not in ("HTTP", "HTTPS"):
            properties.ignore("only HTTP listeners run here", *properties.values)
            continue
        if protocol == "HTTPS":
            properties.approximate("Protocol", "clients are served over HTTP")
        properties.ignore(
            "clients are served over HTTP",
            "Certificates", "SslPolicy", "AlpnPolicy", "MutualAuthentication",
        )  # fmt: skip
        properties.ignore("listener attributes are not applied", "ListenerAttributes")
        action = _action(properties, "DefaultActions", groups)
        own = sorted(rules.pop(arn, []), key=lambda rule: rule.priority)
        listener = AlbListener(
            port=properties.integer("Port", 443 if protocol == "HTTPS" else 80),
            protocol=protocol,
            rules=(*own, AlbRule(_DEFAULT_PRIORITY, (), action)),
        )
        load_balancer = properties.text("LoadBalancerArn")
        if load_balancer not in known:
            properties.ignore("that load balancer is not declared here", "LoadBalancerArn")
        found.setdefault(load_balancer, []).append(listener)
        properties.finish()
    return found


def _rules(
    templates: Iterable[Template], groups: Mapping[str, TargetGroup]
) -> dict[str, list[AlbRule]]:
    """Rules by the ARN of their listener (AL-140)."""
    known = {arn for _, _, arn in _each(templates, "Listener")}
    found: dict[str, list[AlbRule]] = {}
    for _, resource, _ in _each(templates, "ListenerRule"):
        properties = resource.properties
        properties.ignore("requests are not rewritten by load balancers here", "Transforms")
        properties.ignore(NOT_TRAFFIC, "Tags")
        rule = AlbRule(
            priority=properties.integer("Priority"),
            conditions=tuple(map(_condition, properties.sections("Conditions"))),
            action=_action(properties, "Actions", groups),
        )
        listener = properties.text("ListenerArn")
        if listener not in known:
            properties.ignore("that listener is not declared here", "ListenerArn")
        same = found.setdefault(listener, [])
        if rule.priority in [other.priority for other in same]:
            properties.found(
                [
                    CheckFinding(
                        "AL-140",
                        properties.place("Priority"),
                        f"PriorityInUse: {rule.priority} is the priority of another rule.",
                        "give each rule of a listener its own priority",
                    )
                ]
            )
        same.append(rule)
        properties.finish()
    return found


def _condition(section: Section) -> AlbCondition:
    """One condition (AL-142 to AL-150), also in its old form with plain ``Values``."""
    field = section.choice("Field", list(_CONDITIONS))
    config = section.section(_CONDITIONS[field]) or section
    if config.has("RegexValues") or section.has("RegexValues"):
        raise config.error(
            "RegexValues",
            "regular expressions in conditions are not supported",
            rule="AL-151",
            remedy="use Values with * and ?",
        )
    header = config.text("HttpHeaderName") if field == "http-header" else ""
    if field == "query-string":
        values = tuple(map(_pair, config.sections("Values")))
    else:
        values = config.texts("Values")
    if not values:
        raise config.error("Values", "the condition has no Values", rule="AL-142")
    config.finish()
    section.finish()
    return AlbCondition(field, values, header)


def _pair(item: Section) -> str:
    pair = f"{item.text('Key', '')}={item.text('Value')}"
    item.finish()
    return pair


def _action(
    section: Section, name: str, groups: Mapping[str, TargetGroup]
) -> AlbForward | AlbFixedResponse | AlbRedirect:
    """The action that answers; authentication before it is not done (AL-141)."""
    answering = None
    for action in section.sections(name):
        kind = action.text("Type")
        action.ignore("actions are in the template's order", "Order")
        if kind in ("forward", "redirect", "fixed-response"):
            answering = action
        else:
            action.ignore("nobody is authenticated here", *action.values)
    if answering is None:
        raise section.error(
            name,
            "there is no forward, redirect or fixed-response",
            rule="AL-141",
            remedy="end the actions with one of them",
        )
    match answering.text("Type"):
        case "redirect":
            made: AlbForward | AlbFixedResponse | AlbRedirect = _redirect(answering)
        case "fixed-response":
            made = _fixed_response(answering)
        case _:
            made = _forward(answering, groups)
    answering.finish()
    return made


def _redirect(action: Section) -> AlbRedirect:
    config = action.required_section("RedirectConfig")
    status = config.choice("StatusCode", ("HTTP_301", "HTTP_302"))
    redirect = AlbRedirect(
        status=int(status.removeprefix("HTTP_")),
        protocol=config.text("Protocol", "#{protocol}"),
        host=config.text("Host", "#{host}"),
        port=config.text("Port", "#{port}"),
        path=config.text("Path", "/#{path}"),
        query=config.text("Query", "#{query}"),
    )
    config.finish()
    return redirect


def _fixed_response(action: Section) -> AlbFixedResponse:
    config = action.required_section("FixedResponseConfig")
    response = AlbFixedResponse(
        status=config.integer("StatusCode"),
        content_type=config.choice("ContentType", _CONTENT_TYPES, "text/plain"),
        body=config.text("MessageBody", ""),
    )
    config.finish()
    return response


def _forward(action: Section, groups: Mapping[str, TargetGroup]) -> AlbForward:
    config = action.section("ForwardConfig")
    if config is None:
        return AlbForward(((_group(action, groups), 1),))
    weighted = []
    for each in config.sections("TargetGroups"):
        weighted.append((_group(each, groups), each.integer("Weight", 1)))
        each.finish()
    stickiness = config.section("TargetGroupStickinessConfig")
    duration = None
    if stickiness is not None:
        seconds = stickiness.optional_integer("DurationSeconds")
        duration = seconds if stickiness.boolean("Enabled", False) else None
        stickiness.finish()
    action.ignore("ForwardConfig says the same", "TargetGroupArn")
    config.finish()
    return AlbForward(tuple(weighted), duration)


def _group(section: Section, groups: Mapping[str, TargetGroup]) -> str:
    arn = section.text("TargetGroupArn")
    if arn not in groups:
        raise section.error(
            "TargetGroupArn",
            f"no target group {arn!r} is declared here",
            rule="AL-170",
            remedy="declare an AWS::ElasticLoadBalancingV2::TargetGroup and refer to it",
        )
    return groups[arn].logical_id
