"""Which records the filters of a mapping let through, by the forms of data and pattern."""

import base64
import json
from typing import Any

import pytest

from edgeproxy.awslambda.event_sources.model import read_mapping
from edgeproxy.awslambda.event_sources.records import (
    Record,
    dynamodb_record,
    filter_of,
    kinesis_record,
    sqs_record,
)

SQS = "arn:aws:sqs:us-east-1:123456789012:q"
KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
DYNAMODB = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/x"


def _passes(arn: str, pattern: Any, record: Record) -> bool:
    members: dict[str, Any] = {"EventSourceArn": arn}
    if arn != SQS:
        members["StartingPosition"] = "LATEST"
    members["FilterCriteria"] = {"Filters": [{"Pattern": json.dumps(pattern)}]}
    return filter_of(read_mapping("M", members, "f", ""))(record)


@pytest.mark.parametrize(
    ("body", "pattern", "passes"),
    [
        ("plain", {"body": ["plain"]}, True),
        ("plain", {"body": ["other"]}, False),
        ("plain", {"body": {"a": [1]}}, False),
        ("plain", {"messageId": ["m"]}, True),
        ('{"a": 1}', {"body": {"a": [1]}}, True),
        ('{"a": 1}', {"body": ['{"a": 1}']}, False),
        ('{"a": 1}', {"body": [{"anything-but": "x"}]}, False),
        ('{"a": 1}', {"messageId": ["m"]}, True),
    ],
)
def test_messages(body: str, pattern: Any, passes: bool) -> None:
    message = {"MessageId": "m", "ReceiptHandle": "h", "Body": body}
    assert _passes(SQS, pattern, sqs_record(message, SQS)) is passes


@pytest.mark.parametrize(
    ("data", "pattern", "passes"),
    [
        (b'{"a": 1}', {"data": {"a": [1]}}, True),
        (b'{"a": 1}', {"partitionKey": ["k"], "data": {"a": [1]}}, True),
        (b'{"a": 1}', {"partitionKey": ["other"]}, False),
        (b'{"a": 1}', {"kinesis": {"partitionKey": ["k"], "data": {"a": [1]}}}, True),
        (b"plain", {"data": {"a": [1]}}, False),
        (b"plain", {"partitionKey": ["k"]}, True),
        (b"\xff", {"data": {"a": [1]}}, False),
        (b"\xff", {"eventSource": ["aws:kinesis"], "partitionKey": ["k"]}, True),
    ],
)
def test_records_of_kinesis(data: bytes, pattern: Any, passes: bool) -> None:
    record = {
        "SequenceNumber": "1", "ApproximateArrivalTimestamp": 1.5, "PartitionKey": "k",
        "Data": base64.b64encode(data).decode(),
    }  # fmt: skip
    made = kinesis_record(record, "shardId-0", KINESIS)
    assert _passes(KINESIS, pattern, made) is passes
    assert made.document["kinesis"]["data"] == record["Data"]


def test_records_of_dynamodb() -> None:
    change = {
        "SequenceNumber": "1", "ApproximateCreationDateTime": 1.5, "Keys": {"id": {"N": "101"}},
    }  # fmt: skip
    record = dynamodb_record({"eventName": "INSERT", "dynamodb": change}, DYNAMODB)
    assert _passes(DYNAMODB, {"dynamodb": {"Keys": {"id": {"N": ["101"]}}}}, record)
    assert not _passes(DYNAMODB, {"eventName": ["REMOVE"]}, record)
    assert record.document["dynamodb"]["ApproximateCreationDateTime"] == 1
