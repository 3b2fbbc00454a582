"""Event source mappings as values, read from the members that AWS's API and templates share.

The limits and defaults are those of the API; a refusal names the member and says what it may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from edgeproxy.errors import EdgeproxyError

__all__ = [
    "BOUNDS",
    "DEFAULTS",
    "EventSource",
    "EventSourceMapping",
    "MappingRefused",
    "read_mapping",
]

_QUEUE_DEFAULTS: Final[Mapping[str, Any]] = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
_STREAM_DEFAULTS: Final[Mapping[str, Any]] = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
}
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "ParallelizationFactor": (1, 10),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "MaximumRetryAttempts": (-1, 10_000),
    "TumblingWindowInSeconds": (0, 900),
}
"""The least and the most that each number may be."""
_FIFO_BATCH: Final = 10
_MOST_FILTERS: Final = 10
_LONGEST_PATTERN: Final = 4096
_PARTIAL: Final = "ReportBatchItemFailures"


class EventSource(StrEnum):
    """Services whose records can be had here, by their names in ``--aws-endpoint``."""

    SQS = "SQS"
    KINESIS = "KINESIS"
    DYNAMODB = "DYNAMODB"


DEFAULTS: Final[Mapping[EventSource, Mapping[str, Any]]] = {
    EventSource.SQS: _QUEUE_DEFAULTS,
    EventSource.KINESIS: _STREAM_DEFAULTS,
    EventSource.DYNAMODB: _STREAM_DEFAULTS,
}
"""The members that a mapping has without being given them."""

_OBJECT_OF: Final = {
    EventSource.SQS: "",
    EventSource.KINESIS: "data",
    EventSource.DYNAMODB: "dynamodb",
}
"""What a pattern must have as an object, if at all: data of streams are filtered as JSON only."""


class MappingRefused(EdgeproxyError):
    """AWS takes no such mapping; ``member`` is the one that is wrong."""

    def __init__(self, member: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.member = member


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """What takes records from where to which function. ``-1`` stands for no limit."""

    uuid: str
    source: EventSource
    arn: str
    function: str
    qualifier: str
    enabled: bool = True
    batch_size: int = 10
    window_s: int = 0
    partial: bool = False
    """The function reports which items failed."""
    patterns: tuple[str, ...] = ()
    """A record that fits one of these is let through; any, where there are none."""
    most_at_once: int | None = None
    """Batches of a queue that run at the same time."""
    starting_position: str = ""
    starting_timestamp_s: float = 0.0
    bisect: bool = False
    retries: int = -1
    max_age_s: int = -1
    parallel: int = 1
    """Batches of a shard that run at the same time."""
    on_failure: str = ""
    tumbling_s: int = 0
    """How long the windows are through which a function keeps a state; none when 0."""

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def name(self) -> str:
        """The name of the queue, the stream or the table."""
        rest = self.arn.split(":", 5)[5]
        return rest if self.source is EventSource.SQS else rest.split("/")[1]

    @property
    def is_fifo(self) -> bool:
        return self.source is EventSource.SQS and self.name.endswith(".fifo")


def read_mapping(
    uuid: str, members: Mapping[str, Any], function: str, qualifier: str
) -> EventSourceMapping:
    """The mapping that ``members`` describe, as the API has them. Raises :class:`MappingRefused`.

    Members of another kind of source are refused. Texts are AWS's own where they are known.
    """
    arn = str(members.get("EventSourceArn") or "")
    source = _source(arn)
    given = {**DEFAULTS[source], **{key: value for key, value in members.items() if value != ""}}
    for member, (least, most) in BOUNDS.items():
        if member not in DEFAULTS[source]:
            if given.get(member) not in (None, _STREAM_DEFAULTS.get(member)):
                raise MappingRefused(
                    member, f"{member} is not for queues", "leave it away, or map a stream"
                )
        elif not isinstance(given[member], int) or not least <= given[member] <= most:
            raise MappingRefused(
                member, f"{given[member]} is out of range", f"give {least} to {most}"
            )
    mapping = EventSourceMapping(
        uuid,
        source,
        arn,
        function,
        qualifier,
        bool(given.get("Enabled", True)),
        given["BatchSize"],
        given["MaximumBatchingWindowInSeconds"],
        _reports_failures(given.get("FunctionResponseTypes") or []),
        _patterns(given.get("FilterCriteria") or {}, source),
        _most_at_once(given.get("ScalingConfig") or {}, source),
        str(given.get("StartingPosition") or ""),
        float(given.get("StartingPositionTimestamp") or 0),
        bool(given.get("BisectBatchOnFunctionError")),
        given.get("MaximumRetryAttempts", -1),
        given.get("MaximumRecordAgeInSeconds", -1),
        given.get("ParallelizationFactor", 1),
        _destination(given.get("DestinationConfig") or {}, source),
        given.get("TumblingWindowInSeconds", 0),
    )
    if source is EventSource.SQS:
        _check_queue(mapping)
    else:
        _check_stream(mapping)
    return mapping


def _source(arn: str) -> EventSource:
    parts = arn.split(":", 5)
    match parts[2:3], parts[5:6]:
        case ["sqs"], [name] if name and "/" not in name:
            return EventSource.SQS
        case ["kinesis"], [path] if path.startswith("stream/"):
            return EventSource.KINESIS
        case ["dynamodb"], [path] if path.startswith("table/"):
            return EventSource.DYNAMODB
        case _:
            raise MappingRefused(
                "EventSourceArn",
                f"{arn} is no event source that can be polled here"
                if arn
                else "Unrecognized event source.",
                "the ARN of an SQS queue, a Kinesis stream or a DynamoDB stream",
            )


def _check_queue(mapping: EventSourceMapping) -> None:
    if mapping.is_fifo and mapping.batch_size > _FIFO_BATCH:
        raise MappingRefused(
            "BatchSize", f"{mapping.batch_size} is too much of a FIFO queue", "give 1 to 10"
        )
    if mapping.is_fifo and mapping.window_s:
        raise MappingRefused(
            "MaximumBatchingWindowInSeconds",
            "batching windows are not for FIFO queues",
            "leave it away",
        )
    if mapping.batch_size > _FIFO_BATCH and not mapping.window_s:
        raise MappingRefused(
            "MaximumBatchingWindowInSeconds",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10",
            "set MaximumBatchingWindowInSeconds to 1 or more",
        )
    if mapping.starting_position:
        raise MappingRefused(
            "StartingPosition", "StartingPosition is not for queues", "leave it away"
        )


def _check_stream(mapping: EventSourceMapping) -> None:
    positions = ["TRIM_HORIZON", "LATEST"]
    if mapping.source is EventSource.KINESIS:
        positions.append("AT_TIMESTAMP")
    if not mapping.starting_position:
        raise MappingRefused(
            "StartingPosition",
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null.",
            "one of " + ", ".join(positions),
        )
    if mapping.starting_position not in positions:
        raise MappingRefused(
            "StartingPosition",
            f"{mapping.starting_position} is no starting position of this stream",
            "one of " + ", ".join(positions),
        )
    if (mapping.starting_position == "AT_TIMESTAMP") != (mapping.starting_timestamp_s > 0):
        raise MappingRefused(
            "StartingPositionTimestamp",
            "AT_TIMESTAMP and StartingPositionTimestamp go together",
            "give both or neither",
        )
    if 0 <= mapping.max_age_s < 60:  # -1 is none
        raise MappingRefused(
            "MaximumRecordAgeInSeconds", f"{mapping.max_age_s} is too little", "give 60 or more"
        )


def _reports_failures(types: Any) -> bool:
    if unknown := [each for each in types if each != _PARTIAL]:
        raise MappingRefused(
            "FunctionResponseTypes", f"{unknown[0]!r} is no response type", f"give {_PARTIAL}"
        )
    return bool(types)


def _patterns(criteria: Mapping[str, Any], source: EventSource) -> tuple[str, ...]:
    patterns = tuple(str(each.get("Pattern", "")) for each in criteria.get("Filters") or [])
    if not patterns:
        return ()
    from edgeproxy.awslambda.event_patterns import InvalidPattern, compile_pattern

    if len(patterns) > _MOST_FILTERS:
        raise MappingRefused("FilterCriteria", "there are too many filters", "give 10 at most")
    for pattern in patterns:
        try:
            compile_pattern(pattern, _OBJECT_OF[source])
        except InvalidPattern as error:
            raise MappingRefused(
                "FilterCriteria",
                "Invalid filter pattern definition.",
                f"write it as an event pattern: {error}",
            ) from error
        if len(pattern) > _LONGEST_PATTERN:
            raise MappingRefused("FilterCriteria", "a pattern is too long", "4096 characters")
    return patterns


def _most_at_once(scaling: Mapping[str, Any], source: EventSource) -> int | None:
    most = scaling.get("MaximumConcurrency")
    if most is None:
        return None
    if source is not EventSource.SQS:
        raise MappingRefused("ScalingConfig", "ScalingConfig is for queues only", "leave it away")
    if not isinstance(most, int) or not 2 <= most <= 1000:
        raise MappingRefused("ScalingConfig", f"{most} is out of range", "give 2 to 1000")
    return most


def _destination(config: Mapping[str, Any], source: EventSource) -> str:
    arn = str((config.get("OnFailure") or {}).get("Destination") or "")
    if arn and source is EventSource.SQS:
        raise MappingRefused(
            "DestinationConfig",
            "Unsupported DestinationConfig parameter for given event source mapping type.",
            "leave it away: the queue's redrive policy says where messages go",
        )
    if arn and arn.split(":")[2:3] not in (["sqs"], ["sns"], ["s3"]):
        raise MappingRefused(
            "DestinationConfig",
            f"{arn} is no on-failure destination of this source",
            "give the ARN of an SQS queue, an SNS topic or an S3 bucket",
        )
    return arn
