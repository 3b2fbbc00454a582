"""Records as functions get them, as filters see them, and what is told of those given up."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import orjson

from edgeproxy.awslambda.event_patterns import compile_pattern
from edgeproxy.awslambda.event_sources.model import EventSource, EventSourceMapping
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.runtimes.invocation import InvocationResult, Returned, Throttled

__all__ = [
    "Document",
    "Record",
    "discarded",
    "dynamodb_record",
    "filter_of",
    "kinesis_record",
    "sqs_record",
]

Document: TypeAlias = dict[str, Any]
_DATA: Final = {
    EventSource.SQS: ("body",),
    EventSource.KINESIS: ("kinesis", "data"),
    EventSource.DYNAMODB: (),
}
"""Where a record has data that are not the service's own."""
_BATCH_INFO: Final = {
    EventSource.KINESIS: "KinesisBatchInfo",
    EventSource.DYNAMODB: "DDBStreamBatchInfo",
}


@dataclass(frozen=True, slots=True)
class Record:
    """``id`` is what a function reports it by: a message ID or a sequence number."""

    id: str
    document: Document
    handle: str = ""
    """The receipt handle of a message."""
    key: str = ""
    """What records have in common that stay in order within a shard."""
    arrived_s: float = 0.0

    @property
    def size(self) -> int:
        return len(orjson.dumps(self.document))


def sqs_record(message: Mapping[str, Any], arn: str) -> Record:
    """A message as ``ReceiveMessage`` gives it."""
    document = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": dict(message.get("Attributes") or {}),
        "messageAttributes": {
            name: _attribute(value)
            for name, value in (message.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    if digest := message.get("MD5OfMessageAttributes"):
        document["md5OfMessageAttributes"] = digest
    return Record(message["MessageId"], document, message["ReceiptHandle"])


def _attribute(value: Mapping[str, Any]) -> Document:
    made: Document = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "BinaryValue" in value:
        return {"binaryValue": value["BinaryValue"], **made}
    return {"stringValue": value.get("StringValue", ""), **made}


def kinesis_record(record: Mapping[str, Any], shard: str, arn: str) -> Record:
    """A record as ``GetRecords`` of Kinesis gives it."""
    sequence, arrived_s = record["SequenceNumber"], float(record["ApproximateArrivalTimestamp"])
    account, region = arn.split(":")[4], arn.split(":")[3]
    document = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": sequence,
            "data": record["Data"],
            "approximateArrivalTimestamp": arrived_s,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{account}:role/lambda-role",
        "awsRegion": region,
        "eventSourceARN": arn,
    }
    return Record(sequence, document, key=record["PartitionKey"], arrived_s=arrived_s)


def dynamodb_record(record: Mapping[str, Any], arn: str) -> Record:
    """A record as ``GetRecords`` of DynamoDB Streams gives it."""
    change = dict(record["dynamodb"])
    arrived_s = float(change["ApproximateCreationDateTime"])
    change["ApproximateCreationDateTime"] = int(arrived_s)
    document = {**record, "dynamodb": change, "eventSourceARN": arn}
    key = orjson.dumps(change.get("Keys"), option=orjson.OPT_SORT_KEYS).decode()
    return Record(change["SequenceNumber"], document, key=key, arrived_s=arrived_s)


def filter_of(mapping: EventSourceMapping) -> Callable[[Record], bool]:
    """Whether a record is for the function.

    Data are looked into when they are a JSON object; a pattern for an object fits no other data,
    and one for plain text no object.
    """
    tests = [compile_pattern(pattern) for pattern in mapping.patterns]
    path = _DATA[mapping.source]

    def passes(record: Record) -> bool:
        document = _with_data(record.document, path)
        return any(test(document) for test in tests)

    return passes if tests else lambda record: True


def _with_data(document: Document, path: Sequence[str]) -> Document:
    """``document`` with what its data say; Kinesis' stand beside the stream's own members."""
    match path:
        case [name]:
            return {**document, name: _parsed(document[name])}
        case [outer, name]:
            try:
                text = base64.b64decode(document[outer][name], validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                text = ""  # fits no object
            # A pattern may name members of the inner object at the top, as AWS's guide does.
            inner = {**document[outer], name: _parsed(text)}
            return {**document, **inner, outer: inner}
        case _:
            return document


def _parsed(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, dict) else text


def discarded(
    mapping: EventSourceMapping,
    function_arn: str,
    arn: str,
    shard: str,
    batch: Sequence[Record],
    condition: str,
    attempts: int,
    result: InvocationResult | None,
    now: float,
    request_id: str,
) -> Document:
    """What a destination is told of records that are given up; the batch itself is not in it.

    ``result`` is that of the attempt that was the last, None for records that became too old.
    """
    first, last = batch[0], batch[-1]
    digits = 3 if mapping.source is EventSource.KINESIS else 0
    document: Document = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "version": "1.0",
        "timestamp": _time(now, 3),
        _BATCH_INFO[mapping.source]: {
            "shardId": shard,
            "startSequenceNumber": first.id,
            "endSequenceNumber": last.id,
            "approximateArrivalOfFirstRecord": _time(first.arrived_s, digits),
            "approximateArrivalOfLastRecord": _time(last.arrived_s, digits),
            "batchSize": len(batch),
            "streamArn": arn,
        },
    }
    if result is not None and not isinstance(result, Throttled):
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": result.version or LATEST,
            # A function that has reported items has not failed itself.
            "functionError": None if isinstance(result, Returned) else "Unhandled",
        }
    return document


def _time(time_s: float, digits: int) -> str:
    timespec = "milliseconds" if digits else "seconds"
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec=timespec)[:-6] + "Z"
