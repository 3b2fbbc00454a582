"""The calls by which records are had: of SQS, Kinesis and DynamoDB Streams.

Each raises :class:`edgeproxy.awslambda.aws_calls.DeliveryFailed`, and :class:`CallRefused` of it
when the service answers and refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from edgeproxy.awslambda.aws_calls import AwsCalls, CallRefused
from edgeproxy.awslambda.event_sources.model import EventSourceMapping
from edgeproxy.awslambda.event_sources.records import (
    Document,
    Record,
    dynamodb_record,
    kinesis_record,
    sqs_record,
)

__all__ = ["DynamoStream", "KinesisStream", "Queue", "Shard", "Stream"]

_MOST_MESSAGES: Final = 10
"""That SQS gives or deletes in one call."""


class Queue:
    """An SQS queue."""

    def __init__(self, calls: AwsCalls, mapping: EventSourceMapping) -> None:
        self._calls = calls
        self._arn = mapping.arn
        account = mapping.arn.split(":")[4]
        self._url = f"{calls.endpoints['SQS'].rstrip('/')}/{account}/{mapping.name}"

    async def visibility_timeout_s(self) -> int:
        """How long others do not see a message that was received."""
        answer = await self._call("GetQueueAttributes", AttributeNames=["VisibilityTimeout"])
        return int(answer["Attributes"]["VisibilityTimeout"])

    async def receive(self, most: int, wait_s: int) -> list[Record]:
        """Up to ten messages, as soon as there are some; ``wait_s`` is at most 20."""
        answer = await self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=min(most, _MOST_MESSAGES),
            WaitTimeSeconds=wait_s,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [sqs_record(message, self._arn) for message in answer.get("Messages") or []]

    async def delete(self, messages: Sequence[Record]) -> None:
        """Take messages out of the queue; raises ``CallRefused`` for those that stay."""
        for first in range(0, len(messages), _MOST_MESSAGES):
            part = messages[first : first + _MOST_MESSAGES]
            entries = [
                {"Id": str(number), "ReceiptHandle": each.handle}
                for number, each in enumerate(part)
            ]
            answer = await self._call("DeleteMessageBatch", Entries=entries)
            if failed := answer.get("Failed"):
                raise CallRefused(f"SQS did not delete {len(failed)} messages: {failed[0]}")

    async def _call(self, operation: str, **members: object) -> Document:
        call = {"QueueUrl": self._url, **members}
        region = self._arn.split(":")[3]
        text = await self._calls.json("SQS", f"AmazonSQS.{operation}", "1.0", call, region)
        return _document(text)


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a stream; records of its parent come before its own."""

    id: str
    parent: str = ""


class Stream(Protocol):
    """A stream; ``arn`` is the one that events show."""

    arn: str

    @property
    def identity(self) -> str:
        """Of this stream and none that is made later under its name; known once shards are."""
        ...

    async def shards(self) -> list[Shard]:
        """All shards that have records, parents first."""
        ...

    async def iterator(self, shard: str, kind: str, position: str | float = "") -> str:
        """Where to read from: ``kind`` is as AWS names it, ``position`` what it is about."""
        ...

    async def records(self, shard: str, iterator: str) -> tuple[list[Record], str]:
        """The next records, and the iterator after them; empty at the end of a closed shard."""
        ...


class KinesisStream:
    """A Kinesis data stream; that of a consumer is read in the common way."""

    def __init__(self, calls: AwsCalls, mapping: EventSourceMapping) -> None:
        self.arn = mapping.arn
        self.identity = ""
        self._calls = calls
        self._name = mapping.name

    async def shards(self) -> list[Shard]:
        if not self.identity:
            answer = await self._call("DescribeStreamSummary", {"StreamName": self._name})
            created = answer["StreamDescriptionSummary"]["StreamCreationTimestamp"]
            self.identity = f"{self.arn} {created}"
        found: list[Shard] = []
        call: dict[str, object] = {"StreamName": self._name}
        while call:
            answer = await self._call("ListShards", call)
            found += map(_shard, answer["Shards"])
            token = answer.get("NextToken")
            call = {"NextToken": token} if token else {}
        return found

    async def iterator(self, shard: str, kind: str, position: str | float = "") -> str:
        call = {"StreamName": self._name, "ShardId": shard, "ShardIteratorType": kind}
        answer = await self._call("GetShardIterator", {**call, **_position(kind, position)})
        return str(answer["ShardIterator"])

    async def records(self, shard: str, iterator: str) -> tuple[list[Record], str]:
        answer = await self._call("GetRecords", {"ShardIterator": iterator})
        records = [kinesis_record(each, shard, self.arn) for each in answer["Records"]]
        return records, answer.get("NextShardIterator") or ""

    async def _call(self, operation: str, call: Mapping[str, object]) -> Document:
        target, region = f"Kinesis_20131202.{operation}", self.arn.split(":")[3]
        return _document(await self._calls.json("KINESIS", target, "1.1", call, region))


class DynamoStream:
    """The stream of a DynamoDB table.

    Its ARN ends with when the stream was enabled, which a definition cannot know of a table made
    elsewhere: where there is no stream of that ARN, it is the newest one of the table.
    """

    def __init__(self, calls: AwsCalls, mapping: EventSourceMapping) -> None:
        self.arn = mapping.arn
        self._calls = calls
        self._table = mapping.name
        self._is_found = False

    async def shards(self) -> list[Shard]:
        if not self._is_found:
            await self._find()
        found: list[Shard] = []
        call: dict[str, object] = {"StreamArn": self.arn}
        while call:
            described = (await self._call("DescribeStream", call))["StreamDescription"]
            found += map(_shard, described["Shards"])
            last = described.get("LastEvaluatedShardId")
            call = {"StreamArn": self.arn, "ExclusiveStartShardId": last} if last else {}
        return found

    @property
    def identity(self) -> str:
        return self.arn

    async def _find(self) -> None:
        streams = (await self._call("ListStreams", {"TableName": self._table}))["Streams"]
        arns = [each["StreamArn"] for each in streams if each["TableName"] == self._table]
        if not arns:
            raise CallRefused(
                f"the table {self._table} has no stream", remedy="make it, with a stream enabled"
            )
        self.arn = self.arn if self.arn in arns else max(arns)
        self._is_found = True

    async def iterator(self, shard: str, kind: str, position: str | float = "") -> str:
        call = {"StreamArn": self.arn, "ShardId": shard, "ShardIteratorType": kind}
        answer = await self._call("GetShardIterator", {**call, **_position(kind, position)})
        return str(answer["ShardIterator"])

    async def records(self, shard: str, iterator: str) -> tuple[list[Record], str]:
        answer = await self._call("GetRecords", {"ShardIterator": iterator})
        records = [dynamodb_record(each, self.arn) for each in answer["Records"]]
        return records, answer.get("NextShardIterator") or ""

    async def _call(self, operation: str, call: Mapping[str, object]) -> Document:
        target, region = f"DynamoDBStreams_20120810.{operation}", self.arn.split(":")[3]
        return _document(await self._calls.json("DYNAMODB_STREAMS", target, "1.0", call, region))


def _shard(described: Mapping[str, Any]) -> Shard:
    return Shard(described["ShardId"], described.get("ParentShardId") or "")


def _position(kind: str, position: str | float) -> Mapping[str, object]:
    match kind:
        case "AFTER_SEQUENCE_NUMBER":
            return {"StartingSequenceNumber": position}
        case "AT_TIMESTAMP":
            return {"Timestamp": position}
        case _:
            return {}


def _document(text: bytes) -> Document:
    try:
        document = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError as error:
        raise CallRefused(f"the answer is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise CallRefused("the answer is no JSON object")
    return document
