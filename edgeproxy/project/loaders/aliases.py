"""Reads versions and aliases of Lambda functions, their weights and their provisioned concurrency.

Provisioned concurrency stands at a version or an alias; with SAM at the function, for the alias
that it publishes, and with Terraform in a resource of its own.
"""

from collections.abc import Iterator

from edgeproxy.awslambda.routing import LATEST
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders.catalogue import Catalogue, LambdaFunction
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.loaders.yaml_source import Table

__all__ = [
    "PROVISIONED",
    "read_alias",
    "read_provisioned",
    "read_serverless_provisioned",
    "read_version",
]

PROVISIONED = "AWS::Lambda::ProvisionedConcurrencyConfig"
"""Not CloudFormation's: what Terraform's resource is translated to."""

_CONFIG = "ProvisionedConcurrencyConfig"
_AMOUNT = "ProvisionedConcurrentExecutions"


def read_version(resource: Resource, template: Template, catalogue: Catalogue) -> None:
    """Note that a function has this version; its number is its place among its versions."""
    properties = resource.properties
    function, _ = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    version = template.named(resource.logical_id).version()
    function.versions.add(version)
    _read_config(properties, function, version)
    properties.ignore(NOT_TRAFFIC, "Description", "CodeSha256")
    properties.ignore("environments start on demand", "FunctionScalingConfig")
    properties.ignore("the runtime is the one installed here", "RuntimePolicy")
    properties.finish()


def read_alias(resource: Resource, catalogue: Catalogue) -> None:
    """Add an alias to its function, with what it has of a second version (LI-105)."""
    properties = resource.properties
    function, _ = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    version, name = properties.text("FunctionVersion"), properties.text("Name")
    if version.isdigit():
        function.versions.add(version)
    function.aliases[name] = version
    routing = properties.section("RoutingConfig")
    if routing is not None:
        weights = dict(_weights(routing))
        _check_weights(routing, version, weights)
        function.versions.update(weights)
        if weights:
            function.weights[name] = weights
        routing.finish()
    properties.ignore(NOT_TRAFFIC, "Description")
    _read_config(properties, function, name)
    properties.finish()


def _weights(routing: Section) -> Iterator[tuple[str, float]]:
    name = "AdditionalVersionWeights"
    if isinstance(routing.values.get(name), Table):  # Terraform has a mapping.
        mapping = routing.required_section(name)
        for version in mapping.values:
            yield version, mapping.number(version, 0)
        return
    for each in routing.sections(name):
        yield each.text("FunctionVersion"), each.number("FunctionWeight", 0)
        each.finish()


def _check_weights(routing: Section, main: str, weights: dict[str, float]) -> None:
    """What AWS refuses (LI-105, LI-106)."""

    def error(message: str, rule: str = "LI-106") -> DefinitionError:
        remedy = "name one other published version, with a weight from 0 to 1"
        return routing.error("AdditionalVersionWeights", message, rule=rule, remedy=remedy)

    if len(weights) > 1:
        raise error(
            "Number of items in AdditionalVersionWeights cannot be greater than 1", "LI-105"
        )
    for version, weight in weights.items():
        if main == LATEST:
            raise error("$LATEST is not supported for an alias pointing to more than 1 version")
        if version == main:
            raise error(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        if not version.isdigit() or not 0 <= weight <= 1:
            raise error(f"{weight:g} of {version} is no weight of a version")


def read_serverless_provisioned(
    resource: Resource, template: Template, catalogue: Catalogue
) -> None:
    """``ProvisionedConcurrencyConfig`` of a SAM function."""
    properties = resource.properties
    alias = properties.text("AutoPublishAlias", "")
    if properties.has(_CONFIG) and not alias:
        raise properties.error(
            _CONFIG,
            "provisioned concurrency belongs to a version or an alias",
            rule="LI-129",
            remedy="give the function an AutoPublishAlias",
        )
    function = catalogue.lambda_functions[template.physical_name(resource.logical_id)]
    _read_config(properties, function, alias)


def read_provisioned(resource: Resource, catalogue: Catalogue) -> None:
    """Terraform's ``aws_lambda_provisioned_concurrency_config``."""
    properties = resource.properties
    function, arn = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    qualifier = properties.text("Qualifier", arn.qualifier) or LATEST
    function.note_qualifier(
        properties, "Qualifier", qualifier, rule="LI-129", remedy="name a version or an alias"
    )
    function.features = {**function.features, _CONFIG: properties.place()}
    _provision(function, properties, qualifier)
    properties.finish()


def _read_config(properties: Section, function: LambdaFunction, qualifier: str) -> None:
    config = properties.section(_CONFIG)
    if config is None:
        return
    function.features = {**function.features, _CONFIG: properties.place(_CONFIG)}
    _provision(function, config, qualifier)
    config.finish()


def _provision(function: LambdaFunction, config: Section, qualifier: str) -> None:
    """Note the amount, unless AWS would refuse it (LI-131 to LI-133)."""

    def error(rule: str, message: str, remedy: str) -> DefinitionError:
        return config.error(_AMOUNT, message, rule=rule, remedy=remedy)

    amount = config.integer(_AMOUNT)
    version = function.aliases.get(qualifier, qualifier)
    reserved = function.definition.reserved_concurrency
    if amount < 1:
        raise error("LI-129", f"{amount} is less than 1", "leave it out for none")
    if version == LATEST:
        raise error(
            "LI-133",
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            "publish a version",
        )
    if version in {function.aliases.get(each, each) for each in function.provisioned}:
        raise error(
            "LI-132",
            f"version {version} has provisioned concurrency already",
            "give it to the version or to one alias of it",
        )
    if reserved is not None and sum(function.provisioned.values()) + amount > reserved:
        raise error(
            "LI-131",
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function",
            f"ReservedConcurrentExecutions is {reserved}",
        )
    function.provisioned[qualifier] = amount
