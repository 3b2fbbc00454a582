"""What ``AWS::Serverless::Function`` stands for: versions, aliases and function URLs.

SAM's transform turns one resource into several. Their logical IDs are SAM's own where users see
them: ``FunctionUrlConfig`` on ``Api`` makes ``ApiUrl``, ``AutoPublishAlias: live`` makes
``ApiAliaslive``, and ``Api.Version`` and ``Api.Alias`` may be referred to (CDN-CFG-273, 274).
"""

from edgeproxy.project.loaders.event_source_mappings import (
    EVENT_SOURCE_MAPPING,
    POLLED_EVENTS,
    mapping_of_event,
)
from edgeproxy.project.loaders.permissions import OPENS_ITSELF
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.yaml_source import Items, Table, Value

__all__ = ["SERVERLESS_FUNCTION", "expand_serverless"]

SERVERLESS_FUNCTION = "AWS::Serverless::Function"


def expand_serverless(template: Template) -> None:
    """Merge ``Globals`` into the functions and declare what they stand for."""
    shared = template.transform_section("Globals")
    defaults = shared.values.get("Function") if shared is not None else None
    for resource in list(template.resources(SERVERLESS_FUNCTION)):
        section = template.declared[resource.logical_id]
        properties = resource.properties
        if isinstance(defaults, Table):
            merged = _merged(defaults, properties.values)
            properties = Section(template.source, merged, properties.path)
            template.declare(resource.logical_id, resource.type, section, properties)
        _declare_alias(template, resource.logical_id, section, properties)
        _declare_url(template, resource.logical_id, section, properties)
        _declare_implicit_apis(template, properties)
        _declare_mappings(template, resource.logical_id, section, properties)


def _merged(defaults: Table, own: Table) -> Table:
    """Mappings are merged, lists joined, anything else is the function's own."""
    merged = Table(own.line)
    for table in (defaults, own):
        for key, value in table.items():
            before = merged.get(key)
            if isinstance(before, Table) and isinstance(value, Table):
                value = _merged(before, value)
            elif isinstance(before, Items) and isinstance(value, Items):
                value = _joined(before, value)
            merged.put(key, value, table.lines[key])
    return merged


def _joined(first: Items, second: Items) -> Items:
    joined = Items(second.line)
    for items in (first, second):
        for value, line in zip(items, items.lines, strict=True):
            joined.put(value, line)
    return joined


def _declare_alias(
    template: Template, function: str, section: Section, properties: Section
) -> None:
    if not properties.has("AutoPublishAlias"):
        return
    name = properties.text("AutoPublishAlias")
    path = f"{properties.path}.AutoPublishAlias"

    def declare(logical_id: str, kind: str, **values: Value) -> None:
        table = Table()
        for key, value in values.items():
            table.put(key, value, None)
        template.declare(logical_id, kind, section, Section(template.source, table, path))

    version, alias = f"{function}Version", f"{function}Alias{name}"
    declare(version, "AWS::Lambda::Version", FunctionName=_intrinsic("Ref", function))
    number = Items()
    number.put(version, None)
    number.put("Version", None)
    declare(
        alias,
        "AWS::Lambda::Alias",
        Name=name,
        FunctionName=_intrinsic("Ref", function),
        FunctionVersion=_intrinsic("Fn::GetAtt", number),
    )
    template.aliases |= {f"{function}.Version": version, f"{function}.Alias": alias}


def _declare_url(template: Template, function: str, section: Section, properties: Section) -> None:
    config = properties.section("FunctionUrlConfig")
    if config is None:
        return
    alias = f"{function}.Alias"
    target = alias if alias in template.aliases else function
    table = Table(config.values.line)
    table.put("TargetFunctionArn", _intrinsic("Ref", target), None)
    table.put(OPENS_ITSELF, True, None)
    for key, value in config.values.items():
        table.put(key, value, config.values.lines[key])
    url = Section(template.source, table, config.path)
    template.declare(f"{function}Url", "AWS::Lambda::Url", section, url)


def _declare_mappings(
    template: Template, function: str, section: Section, properties: Section
) -> None:
    """The event source mappings of events that are polled; their IDs join both names."""
    events = properties.section("Events")
    if events is None:
        return
    for name in events.values:
        event = events.required_section(name)
        if event.text("Type", "") in POLLED_EVENTS:
            alias = f"{function}.Alias"
            target = _intrinsic("Ref", alias if alias in template.aliases else function)
            source = event.required_section("Properties")
            made = Section(template.source, mapping_of_event(event, source, target), source.path)
            template.declare(f"{function}{name}", EVENT_SOURCE_MAPPING, section, made)
        else:
            why = "API gateways and schedules do not run here; use a function URL"
            events.ignore(why, name)


def _declare_implicit_apis(template: Template, properties: Section) -> None:
    """The APIs that events make without naming one; templates build origin names from them."""
    events = properties.values.get("Events")
    if not isinstance(events, Table):
        return
    place = properties.place("Events")
    kinds = [event.get("Type") for event in events.values() if isinstance(event, Table)]
    for event, logical_id, kind in (
        ("Api", "ServerlessRestApi", "AWS::Serverless::Api"),
        ("HttpApi", "ServerlessHttpApi", "AWS::Serverless::HttpApi"),
    ):
        if event in kinds and logical_id not in template.types:
            made = Section(template.source, Table(place.line), place.path)
            template.declare(logical_id, kind, made, made)


def _intrinsic(name: str, argument: Value) -> Table:
    table = Table()
    table.put(name, argument, None)
    return table
