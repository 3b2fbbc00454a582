"""Queues and streams among the events of a Serverless Framework function.

``sqs`` and ``stream`` events stand for event source mappings; the framework's own defaults count.
"""

from typing import Final

import orjson

from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.serverless_events import put
from edgeproxy.project.loaders.yaml_source import Items, Table, Value

__all__ = ["SOURCES", "mapping_of"]

SOURCES: Final = ("sqs", "stream")
_NAMES: Final = {
    "arn": "EventSourceArn",
    "batchSize": "BatchSize",
    "batchWindow": "MaximumBatchingWindowInSeconds",
    "maximumBatchingWindow": "MaximumBatchingWindowInSeconds",
    "startingPosition": "StartingPosition",
    "startingPositionTimestamp": "StartingPositionTimestamp",
    "maximumRetryAttempts": "MaximumRetryAttempts",
    "maximumRecordAgeInSeconds": "MaximumRecordAgeInSeconds",
    "bisectBatchOnFunctionError": "BisectBatchOnFunctionError",
    "parallelizationFactor": "ParallelizationFactor",
    "tumblingWindowInSeconds": "TumblingWindowInSeconds",
    "enabled": "Enabled",
}


def mapping_of(event: Section, kind: str, function: Value) -> Table:
    """The properties of the mapping that an event of the kind ``sqs`` or ``stream`` stands for."""
    given = event.values[kind]
    line = event.values.lines.get(kind)
    made = put(Table(line), FunctionName=function)
    if not isinstance(given, Table):  # the ARN alone
        given = put(Table(line), arn=given)
    section = Section(event.source, given, f"{event.path}.{kind}")
    made.path = section.path
    for name, there in _NAMES.items():
        if name in given:
            made.put(there, given[name], given.lines.get(name, line))
            made.words[there] = name
    if "functionResponseType" in given:
        put(made, FunctionResponseTypes=_items(given["functionResponseType"]))
    if isinstance(patterns := given.get("filterPatterns"), Items):
        filters = _items(*(put(Table(line), Pattern=_json(each)) for each in patterns))
        put(made, FilterCriteria=put(Table(line), Filters=filters))
    if "maximumConcurrency" in given:
        scaling = put(Table(line), MaximumConcurrency=given["maximumConcurrency"])
        put(made, ScalingConfig=scaling)
    destinations = section.section("destinations")
    if destinations is not None:
        failure = destinations.values.get("onFailure")
        arn = failure.get("arn") if isinstance(failure, Table) else failure
        on_failure = put(Table(line), Destination=arn)
        put(made, DestinationConfig=put(Table(line), OnFailure=on_failure))
    made.setdefault("BatchSize", 10)
    if kind == "stream":
        made.setdefault("StartingPosition", "TRIM_HORIZON")
    return made


def _items(*values: Value) -> Items:
    items = Items(None)
    for value in values:
        items.put(value, None)
    return items


def _json(value: Value) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
