"""What the readers of load balancers share: resources with their ARNs, attributes, limits."""

from collections.abc import Iterable, Iterator

from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["NETWORK", "Attributes", "each", "refuse", "within"]

NETWORK = "the network is this machine's"


def each(templates: Iterable[Template], kind: str) -> Iterator[tuple[Template, Resource, str]]:
    """The resources of one kind of Elastic Load Balancing with their ARNs."""
    for template in templates:
        for resource in template.resources(f"AWS::ElasticLoadBalancingV2::{kind}"):
            arn = template.reference(resource.logical_id, resource.place)
            yield template, resource, str(arn)


def refuse(
    section: Section,
    name: str,
    rule: str,
    message: str,
    remedy: str = "",
    *,
    severity: Severity = Severity.ERROR,
) -> None:
    """Have ``check`` report what AWS does not take."""
    section.found([CheckFinding(rule, section.place(name), message, remedy, severity)])


def within(section: Section, name: str, default: int | None, low: int, high: int, rule: str) -> int:
    """A whole number that AWS takes from ``low`` to ``high``."""
    value = section.integer(name, default)
    if not low <= value <= high:
        refuse(section, name, rule, f"{value} is not within {low} to {high}.")
    return value


class Attributes:
    """The keys and values in the list ``name``; each is asked for once, and the rest noted."""

    def __init__(self, properties: Section, name: str) -> None:
        self._given = {given.text("Key"): given for given in properties.sections(name)}

    def flag(self, key: str, *, default: bool = False) -> bool:
        given = self._given.pop(key, None)
        return default if given is None else given.boolean("Value")

    def text(self, key: str, allowed: Iterable[str] = (), default: str = "") -> str:
        """The value, one of ``allowed`` if any are named."""
        given = self._given.pop(key, None)
        if given is None:
            return default
        return given.choice("Value", allowed) if allowed else given.text("Value")

    def seconds(self, key: str, default: int, low: int, high: int, rule: str) -> int:
        given = self._given.pop(key, None)
        return default if given is None else within(given, "Value", default, low, high, rule)

    def approximate(self, key: str, how: str) -> None:
        """Note the attribute, if it is there, as approximated."""
        given = self._given.pop(key, None)
        if given is not None:
            given.text("Value")
            given.approximate("Value", how)

    def ignore_others(self, why: str) -> None:
        """Note what nobody has asked for as ignored."""
        for given in self._given.values():
            given.ignore(why, "Key", "Value")
