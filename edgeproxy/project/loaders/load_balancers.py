"""Reads Application Load Balancers and their listeners (AL-050 to AL-057, AL-086, AL-191)."""

from collections.abc import Iterable, Iterator, Mapping

from edgeproxy.loadbalancing.model import (
    AlbAttributes,
    AlbForward,
    AlbListener,
    AlbRule,
    LoadBalancer,
    TargetGroup,
)
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.elb_resources import NETWORK, Attributes, each
from edgeproxy.project.loaders.listener_actions import read_action
from edgeproxy.project.loaders.listener_rules import read_rules
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.target_groups import read_target_groups
from edgeproxy.project.loaders.template import Template

__all__ = ["read_load_balancers"]

_DEFAULT_PRIORITY = 50_001
_RESPONSE_HEADERS = (
    "Strict-Transport-Security",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)


def read_load_balancers(
    templates: Iterable[Template], catalogue: Catalogue
) -> Iterator[LoadBalancer]:
    """The application load balancers of ``templates`` with what belongs to each."""
    templates = list(templates)
    groups = read_target_groups(templates, catalogue)
    protocols = {
        arn: resource.properties.text("Protocol", "HTTP")
        for _, resource, arn in each(templates, "Listener")
    }
    rules = read_rules(templates, groups, protocols)
    listeners = _listeners(templates, groups, rules)
    for template, resource, arn in each(templates, "LoadBalancer"):
        properties = resource.properties
        kind = properties.choice("Type", ("application", "network", "gateway"), "application")
        properties.ignore(
            NETWORK, "Scheme", "SecurityGroups", "Subnets", "SubnetMappings", "IpAddressType",
            "Ipv4IpamPoolId", "MinimumLoadBalancerCapacity",
        )  # fmt: skip
        properties.ignore(NOT_TRAFFIC, "Name", "Tags")
        attributes = _attributes(properties)
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
            attributes=attributes,
        )


def _groups_of(rule: AlbRule) -> list[str]:
    action = rule.action
    return [name for name, _ in action.target_groups] if isinstance(action, AlbForward) else []


def _attributes(properties: Section) -> AlbAttributes:
    attributes = Attributes(properties, "LoadBalancerAttributes")
    modes = ("append", "preserve", "remove")
    read = AlbAttributes(
        attributes.text("routing.http.xff_header_processing.mode", modes, "append"),
        attributes.flag("routing.http.xff_client_port.enabled"),
        attributes.flag("routing.http.x_amzn_tls_version_and_cipher_suite.enabled"),
        attributes.flag("routing.http.drop_invalid_header_fields.enabled"),
        attributes.seconds("idle_timeout.timeout_seconds", 60, 1, 4000, "AL-191"),
        attributes.seconds("client_keep_alive.seconds", 3600, 60, 604_800, "AL-191"),
    )
    # UNSURE (AL-056): the Host header is the client's in either case.
    attributes.flag("routing.http.preserve_host_header.enabled")
    attributes.approximate(
        "routing.http.desync_mitigation_mode",
        "what can be read in two ways is refused, as in the mode defensive",
    )
    attributes.approximate("routing.http2.enabled", "clients are served in HTTP/1.1")
    attributes.ignore_others("it has no effect on requests here")
    return read


def _listeners(
    templates: Iterable[Template],
    groups: Mapping[str, TargetGroup],
    rules: dict[str, list[AlbRule]],
) -> dict[str, list[AlbListener]]:
    """Listeners by the ARN of their load balancer."""
    known = {arn for _, _, arn in each(templates, "LoadBalancer")}
    found: dict[str, list[AlbListener]] = {}
    for _, resource, arn in each(templates, "Listener"):
        properties = resource.properties
        protocol = properties.text("Protocol", "HTTP")
        if protocol not in ("HTTP", "HTTPS"):
            properties.ignore("only HTTP listeners run here", *properties.values)
            continue
        if protocol == "HTTPS":
            properties.approximate("Protocol", "over HTTP, unless there is --https-port")
        properties.ignore(
            "the certificate is that of the local authority, if any",
            "Certificates", "SslPolicy", "AlpnPolicy", "MutualAuthentication",
        )  # fmt: skip
        attributes = Attributes(properties, "ListenerAttributes")
        headers = tuple(_response_headers(attributes))
        names_server = attributes.flag("routing.http.response.server.enabled", default=True)
        attributes.ignore_others("it has no effect on requests here")
        action = read_action(properties, "DefaultActions", groups, protocol)
        own = sorted(rules.pop(arn, []), key=lambda rule: rule.priority)
        listener = AlbListener(
            properties.integer("Port", 443 if protocol == "HTTPS" else 80),
            protocol,
            (*own, AlbRule(_DEFAULT_PRIORITY, (), action)),
            headers,
            names_server,
        )
        load_balancer = properties.text("LoadBalancerArn")
        if load_balancer not in known:
            properties.ignore("that load balancer is not declared here", "LoadBalancerArn")
        found.setdefault(load_balancer, []).append(listener)
        properties.finish()
    return found


def _response_headers(attributes: Attributes) -> Iterator[tuple[str, str]]:
    """What the listener's attributes set on every answer (AL-086)."""
    for name in _RESPONSE_HEADERS:
        word = name.lower().replace("-", "_")
        if value := attributes.text(f"routing.http.response.{word}.header_value"):
            yield name, value
