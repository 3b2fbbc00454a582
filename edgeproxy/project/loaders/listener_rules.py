"""Reads listener rules: their conditions and rewrites (AL-140 to AL-152)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from itertools import chain

from edgeproxy.loadbalancing.model import AlbCondition, AlbRewrite, AlbRule, TargetGroup
from edgeproxy.project.loaders.elb_resources import each, refuse, within
from edgeproxy.project.loaders.listener_actions import read_action
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.report import Severity

__all__ = ["read_rules"]

_CONDITIONS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_WITH_REGEXES = ("path-pattern", "host-header", "http-header")
_ONCE = ("host-header", "http-request-method", "path-pattern", "source-ip")
_REWRITES = {
    "host-header-rewrite": "HostHeaderRewriteConfig",
    "url-rewrite": "UrlRewriteConfig",
}
_MAX_TEXT = 128
_MAX_HEADER_NAME = 40
_MAX_REWRITE = 1024
# UNSURE (AL-143): recent quotas may be higher.
_MAX_VALUES = 3
_MAX_RULE_VALUES = 5
_MAX_WILDCARDS = 5


def read_rules(
    templates: Iterable[Template],
    groups: Mapping[str, TargetGroup],
    protocols: Mapping[str, str],
) -> dict[str, list[AlbRule]]:
    """Rules by the ARN of their listener (AL-140).

    ``groups`` are by their ARNs, as are ``protocols``, those of the listeners.
    """
    found: dict[str, list[AlbRule]] = {}
    for _, resource, _ in each(templates, "ListenerRule"):
        properties = resource.properties
        properties.ignore(NOT_TRAFFIC, "Tags")
        listener = properties.text("ListenerArn")
        if listener not in protocols:
            properties.ignore("that listener is not declared here", "ListenerArn")
        rule = AlbRule(
            priority=within(properties, "Priority", None, 1, 50_000, "AL-140"),
            conditions=tuple(map(_condition, properties.sections("Conditions"))),
            action=read_action(properties, "Actions", groups, protocols.get(listener, "HTTPS")),
            rewrites=tuple(chain.from_iterable(map(_rewrites, properties.sections("Transforms")))),
        )
        same = found.setdefault(listener, [])
        if rule.priority in [other.priority for other in same]:
            refuse(
                properties,
                "Priority",
                "AL-140",
                f"PriorityInUse: {rule.priority} is the priority of another rule.",
                "give each rule of a listener its own priority",
            )
        same.append(rule)
        _judge(properties, rule)
        properties.finish()
    return found


def _judge(properties: Section, rule: AlbRule) -> None:
    """How many conditions and values AWS allows (AL-142, AL-143)."""
    fields = [condition.field for condition in rule.conditions]
    for field in _ONCE:
        if fields.count(field) > 1:
            message = f"A rule has at most one condition {field}."
            refuse(properties, "Conditions", "AL-142", message, "give it several values")
    values = [condition.values + condition.regexes for condition in rule.conditions]
    wildcards = [
        re.findall(r"(?<!\\)[*?]", text) for each in rule.conditions for text in each.values
    ]
    for count, limit, what in (
        (max(map(len, values), default=0), _MAX_VALUES, "values in one condition"),
        (sum(map(len, values)), _MAX_RULE_VALUES, "values in the rule"),
        (sum(map(len, wildcards)), _MAX_WILDCARDS, "wildcards in the rule"),
    ):
        if count > limit:
            message = f"{count} {what}; the usual quota is {limit}."
            refuse(properties, "Conditions", "AL-143", message, severity=Severity.WARNING)


def _condition(section: Section) -> AlbCondition:
    """One condition (AL-142 to AL-151), also in its old form with plain ``Values``."""
    field = section.choice("Field", list(_CONDITIONS))
    config = section.section(_CONDITIONS[field]) or section
    header = config.text("HttpHeaderName") if field == "http-header" else ""
    if len(header) > _MAX_HEADER_NAME or header.lower() == "host":
        why = f"A condition on the header {header!r} is not possible."
        rule = "AL-147" if header.lower() == "host" else "AL-143"
        refuse(config, "HttpHeaderName", rule, why, "Host has host-header; a name 40 characters")
    if field == "query-string":
        values = tuple(map(_pair, config.sections("Values")))
    else:
        values = config.texts("Values")
    regexes: tuple[str, ...] = ()
    if field in _WITH_REGEXES:
        regexes = config.texts("RegexValues") or section.texts("RegexValues")
    if not values and not regexes:
        raise config.error("Values", "the condition has no Values", rule="AL-142")
    for regex in regexes:
        _check_regex(config, "RegexValues", regex, "AL-151")
    if field == "source-ip":
        for value in values:
            _check_network(config, value)
    texts = chain.from_iterable(value.split("=", 1) for value in values)
    too_long = [text for text in (*texts, *regexes) if len(text) > _MAX_TEXT]
    if too_long:
        refuse(config, "", "AL-143", f"{too_long[0]!r} is longer than {_MAX_TEXT} characters.")
    config.finish()
    section.finish()
    return AlbCondition(field, values, header, regexes)


def _pair(item: Section) -> str:
    pair = f"{item.text('Key', '')}={item.text('Value')}"
    item.finish()
    return pair


def _check_network(config: Section, value: str) -> None:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise config.error(
            "Values", str(error), rule="AL-150", remedy="give a network like 192.0.2.0/24"
        ) from error


def _check_regex(section: Section, name: str, regex: str, rule: str) -> None:
    try:
        re.compile(regex)
    except re.error as error:
        raise section.error(
            name, f"{regex!r} is no regular expression: {error}", rule=rule
        ) from error


def _rewrites(section: Section) -> list[AlbRewrite]:
    """What one transform rewrites (AL-152)."""
    subject = section.choice("Type", list(_REWRITES))
    config = section.required_section(_REWRITES[subject])
    rewrites = []
    for item in config.sections("Rewrites"):
        rewrite = AlbRewrite(subject, item.text("Regex"), item.text("Replace"))
        _check_regex(item, "Regex", rewrite.regex, "AL-152")
        if max(len(rewrite.regex), len(rewrite.replacement)) > _MAX_REWRITE:
            refuse(item, "", "AL-152", f"Regex and Replace have at most {_MAX_REWRITE} characters.")
        item.finish()
        rewrites.append(rewrite)
    config.finish()
    section.finish()
    return rewrites
