"""Reads event source mappings: which queues and streams feed which functions.

``AWS::Lambda::EventSourceMapping`` has the members of the API. An event of a SAM function of the
type ``SQS``, ``Kinesis`` or ``DynamoDB`` stands for one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from edgeproxy.awslambda.event_sources.registry import KeptMapping
from edgeproxy.errors import Place
from edgeproxy.project.identifiers import policy_id
from edgeproxy.project.loaders.catalogue import Catalogue
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.loaders.yaml_source import Table, Value

__all__ = [
    "EVENT_SOURCE_MAPPING",
    "POLLED_EVENTS",
    "mapping_of_event",
    "read_event_source_mappings",
]

EVENT_SOURCE_MAPPING: Final = "AWS::Lambda::EventSourceMapping"
POLLED_EVENTS: Final = {"SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream"}
"""Types of SAM's events that are polled, and what each calls the ARN of its source."""
_NUMBERS: Final = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "ParallelizationFactor",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
)
_POLLED: Final = ("sqs", "kinesis", "dynamodb")


def mapping_of_event(event: Section, properties: Section, function: Value) -> Table:
    """The properties of the mapping that an event of a SAM function stands for."""
    source = POLLED_EVENTS[event.text("Type")]
    table = Table(properties.values.line)
    table.put("FunctionName", function, None)
    for name, value in properties.values.items():
        there = "EventSourceArn" if name == source else name
        table.put(there, value, properties.values.lines.get(name))
        table.words[there] = name
    return table


def read_event_source_mappings(
    templates: Sequence[Template], catalogue: Catalogue
) -> tuple[KeptMapping, ...]:
    """The mappings of functions that run here. Raises :class:`DefinitionError`."""
    resources = (
        each for template in templates for each in template.resources(EVENT_SOURCE_MAPPING)
    )
    return tuple(made for each in resources for made in _read(each, catalogue))


def _read(resource: Resource, catalogue: Catalogue) -> Iterator[KeptMapping]:
    properties = resource.properties
    function, arn = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    source = properties.text("EventSourceArn", "")
    parts = source.split(":")
    if len(parts) < 6 or parts[2] not in _POLLED:
        _not_polled(resource, f"{source or 'such a source'} is not polled here: SQS, Kinesis and "
                    "DynamoDB Streams are")  # fmt: skip
        return
    if function.no_code is not None:
        _not_polled(resource, f"{arn.name} cannot run here")
        return
    from edgeproxy.awslambda.event_sources.model import MappingRefused, read_mapping

    members = _members(properties)
    members["EventSourceArn"] = source
    try:
        mapping = read_mapping(policy_id(resource.logical_id), members, arn.name, arn.qualifier)
    except MappingRefused as error:
        raise properties.error(error.member, error.message, remedy=error.remedy) from error
    if source.endswith("/consumer") or "/consumer/" in source:
        properties.approximate("EventSourceArn", "the stream is read without enhanced fan-out")
    yield KeptMapping(mapping, members, declaration=dict(members))


def _not_polled(resource: Resource, why: str) -> None:
    place: Place = resource.place
    resource.properties.source.notes.ignored(place, f"{resource.type}: {why}")


def _members(properties: Section) -> dict[str, Any]:
    """As the API has them; what is not there is left out."""
    members: dict[str, Any] = {}
    for name in _NUMBERS:
        if (number := properties.optional_integer(name)) is not None:
            members[name] = number
    for name in ("Enabled", "BisectBatchOnFunctionError"):
        if properties.has(name):
            members[name] = properties.boolean(name)
    if properties.has("StartingPosition"):
        members["StartingPosition"] = properties.text("StartingPosition")
    if properties.has("StartingPositionTimestamp"):
        members["StartingPositionTimestamp"] = properties.number("StartingPositionTimestamp", 0)
    if types := properties.texts("FunctionResponseTypes"):
        members["FunctionResponseTypes"] = list(types)
    if (criteria := properties.section("FilterCriteria")) is not None:
        filters = [{"Pattern": each.text("Pattern")} for each in criteria.sections("Filters")]
        members["FilterCriteria"] = {"Filters": filters}
    if (scaling := properties.section("ScalingConfig")) is not None:
        members["ScalingConfig"] = {"MaximumConcurrency": scaling.integer("MaximumConcurrency")}
    if (config := properties.section("DestinationConfig")) is not None:
        failure = config.required_section("OnFailure")
        failure.ignore("the ARN says it", "Type")
        members["DestinationConfig"] = {"OnFailure": {"Destination": failure.text("Destination")}}
    properties.ignore(
        "it changes nothing of what a function gets",
        "KmsKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig", "Tags",
    )  # fmt: skip
    properties.finish()
    return members
