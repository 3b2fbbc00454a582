"""Reads how an alias moves to new code: SAM's ``DeploymentPreference``, and CodeDeploy's resources
with the ``UpdatePolicy`` of an alias (LI-290 to LI-296)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from edgeproxy.awslambda.shifting import (
    PRESETS,
    DeploymentPreference,
    Routing,
    TrafficRouting,
    routing_named,
)
from edgeproxy.project.loaders.catalogue import Catalogue, LambdaFunction
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.sam import SERVERLESS_FUNCTION
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.loaders.yaml_source import Table

__all__ = ["CODE_DEPLOY", "read_code_deploy"]

CODE_DEPLOY: Final = tuple(
    f"AWS::CodeDeploy::{kind}" for kind in ("Application", "DeploymentConfig", "DeploymentGroup")
)
_APPLICATION, _CONFIG, _GROUP = CODE_DEPLOY
_DEFAULT: Final = "CodeDeployDefault.LambdaAllAtOnce"
_ROLLED_BACK: Final = "what fails or is stopped by an alarm is always rolled back"
_NOBODY: Final = "nobody is notified here"
_NOT_AWS: Final = "no role is needed here"
_OTHER_PLATFORMS: Final = (
    "AutoScalingGroups", "BlueGreenDeploymentConfiguration", "Deployment", "Ec2TagFilters",
    "Ec2TagSet", "ECSServices", "LoadBalancerInfo", "OnPremisesInstanceTagFilters",
    "OnPremisesTagSet", "OutdatedInstancesStrategy", "TerminationHookEnabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Group:
    config: str
    routing: TrafficRouting
    alarms: tuple[str, ...]


def read_code_deploy(templates: Sequence[Template], catalogue: Catalogue) -> None:
    """Give the functions of the catalogue their deployment preferences."""
    own: dict[str, TrafficRouting] = {}
    groups: dict[str, _Group] = {}
    for template in templates:
        for resource in template.resources(_CONFIG):
            own[template.physical_name(resource.logical_id)] = _own_routing(resource.properties)
    for template in templates:
        for resource in template.resources(_APPLICATION):
            resource.properties.text("ApplicationName", "")
            resource.properties.ignore(NOT_TRAFFIC, "ComputePlatform", "Tags")
            resource.properties.finish()
        for resource in template.resources(_GROUP):
            groups[template.physical_name(resource.logical_id)] = _group(resource.properties, own)
    for template in templates:
        for resource in template.resources("AWS::Lambda::Alias"):
            _read_update_policy(resource, template, catalogue, groups)
        for resource in template.resources(SERVERLESS_FUNCTION):
            _read_preference(resource, template, catalogue, own)


def _own_routing(config: Section) -> TrafficRouting:
    """LI-293."""
    routing = TrafficRouting()
    config.text("DeploymentConfigName", "")
    config.ignore(NOT_TRAFFIC, "ComputePlatform")
    config.ignore("only functions are deployed here", "MinimumHealthyHosts", "ZonalConfig")
    if (traffic := config.section("TrafficRoutingConfig")) is not None:
        kind = Routing(traffic.choice("Type", Routing))
        if kind is not Routing.ALL_AT_ONCE:
            word = kind.removeprefix("TimeBased")
            times = traffic.required_section(kind)
            routing = TrafficRouting(
                kind,
                _between(times, f"{word}Percentage", 99),
                _between(times, f"{word}Interval", 2880),
            )
            times.finish()
        traffic.finish()
    config.finish()
    return routing


def _between(section: Section, name: str, most: int) -> int:
    value = section.integer(name)
    if not 1 <= value <= most:
        remedy = f"a whole number from 1 to {most}"
        raise section.error(name, f"{value} is out of range", rule="LI-293", remedy=remedy)
    return value


def _group(group: Section, own: Mapping[str, TrafficRouting]) -> _Group:
    alarms: tuple[str, ...] = ()
    if (config := group.section("AlarmConfiguration")) is not None:
        listed = config.sections("Alarms")
        if config.boolean("Enabled", True):
            alarms = tuple(alarm.text("Name") for alarm in listed)
        config.ignore("alarms are set by hand here", "IgnorePollAlarmFailure")
        config.finish()
    name, routing = _named(group, "DeploymentConfigName", own, _DEFAULT)
    group.text("ApplicationName", "")
    group.text("DeploymentGroupName", "")
    group.ignore(_ROLLED_BACK, "AutoRollbackConfiguration")
    group.ignore(_NOBODY, "TriggerConfigurations")
    group.ignore(_NOT_AWS, "ServiceRoleArn")
    group.ignore(NOT_TRAFFIC, "DeploymentStyle", "Tags")
    group.ignore("only functions are deployed here", *_OTHER_PLATFORMS)
    group.finish()
    return _Group(name, routing, alarms)


def _named(
    section: Section, name: str, own: Mapping[str, TrafficRouting], default: str | None = None
) -> tuple[str, TrafficRouting]:
    text = section.text(name, default)
    routing = own.get(text) or routing_named(text)
    if routing is None:
        raise section.error(
            name,
            f"there is no deployment configuration {text!r}",
            rule="LI-294",
            remedy="one of the definition's own, or one of " + ", ".join(PRESETS),
        )
    return text, routing


def _read_update_policy(
    resource: Resource, template: Template, catalogue: Catalogue, groups: Mapping[str, _Group]
) -> None:
    whole = template.declared[resource.logical_id]
    if not isinstance(table := whole.values.get("UpdatePolicy"), Table):
        return
    # References are resolved in what a resource says beside its properties, too.
    policy = Section(template.source, table, whole.place("UpdatePolicy").path)
    update = policy.section("CodeDeployLambdaAliasUpdate")
    if update is None:
        return
    group = groups.get(text := update.text("DeploymentGroupName"))
    if group is None:
        raise update.error(
            "DeploymentGroupName",
            f"no deployment group {text!r} is declared here",
            rule="LI-295",
            remedy="declare an AWS::CodeDeploy::DeploymentGroup in the same definition",
        )
    update.text("ApplicationName")
    properties = resource.properties
    function, _ = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    preference = DeploymentPreference(
        properties.text("Name"),
        group.config,
        group.routing,
        _hook(update, "BeforeAllowTrafficHook", catalogue),
        _hook(update, "AfterAllowTrafficHook", catalogue),
        group.alarms,
        all_properties=True,
    )
    _give(function, preference, properties, "FunctionVersion")
    update.finish()
    policy.finish()


def _read_preference(
    resource: Resource,
    template: Template,
    catalogue: Catalogue,
    own: Mapping[str, TrafficRouting],
) -> None:
    """LI-294."""
    properties = resource.properties
    config = properties.section("DeploymentPreference")
    if config is None or not config.boolean("Enabled", True):
        return
    alias = properties.text("AutoPublishAlias", "")
    if not alias:
        raise properties.error(
            "DeploymentPreference",
            "a deployment moves the traffic of an alias, and there is none",
            rule="LI-294",
            remedy="give the function an AutoPublishAlias",
        )
    name, routing = _named(config, "Type", own)
    hooks = config.section("Hooks")
    preference = DeploymentPreference(
        alias,
        name,
        routing,
        _hook(hooks, "PreTraffic", catalogue),
        _hook(hooks, "PostTraffic", catalogue),
        config.texts("Alarms"),
        properties.boolean("AutoPublishAliasAllProperties", False),
    )
    function = catalogue.lambda_functions[template.physical_name(resource.logical_id)]
    _give(function, preference, config, "")
    if hooks is not None:
        hooks.finish()
    config.ignore(_NOT_AWS, "Role")
    config.ignore(_NOBODY, "TriggerConfigurations")
    config.ignore(NOT_TRAFFIC, "PassthroughCondition")
    config.finish()


def _hook(section: Section | None, name: str, catalogue: Catalogue) -> str:
    if section is None or not section.has(name):
        return ""
    function, arn = catalogue.lambda_function(section, name)
    return ":".join(filter(None, (function.definition.name, arn.qualifier)))


def _give(
    function: LambdaFunction, preference: DeploymentPreference, section: Section, name: str
) -> None:
    """``name`` is the property of ``section`` that says which version the alias has."""
    earlier = function.definition.deployment
    if earlier is not None:
        raise section.error(
            name,
            f"the alias {earlier.alias} of this function is moved by CodeDeploy already",
            rule="LI-295",
            remedy="one alias of a function can have a deployment",
        )
    if not function.aliases[preference.alias].isdigit():
        raise section.error(
            name,
            "traffic is moved from one version to another, and $LATEST is none",
            rule="LI-295",
            remedy="give the alias a version",
        )
    function.definition = replace(function.definition, deployment=preference)
