"""Where the records of asynchronous invocations go: destinations and dead-letter queues.

A function gets the record as an event of its own. Queues, topics, event buses and buckets are asked
at their ``--aws-endpoint``; without one, what they would get is appended to a file in the state
folder, ``destinations/<service>-<name>.jsonl``, one JSON document a line.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from edgeproxy.awslambda.aws_calls import AwsCalls, DeliveryFailed
from edgeproxy.awslambda.event_records import Message, dead_letter, record, timestamp
from edgeproxy.awslambda.event_store import QueuedEvent
from edgeproxy.awslambda.retries import Condition
from edgeproxy.awslambda.submitting import Submit
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock

__all__ = ["EventDestinations", "append_line"]

_SERVICES: Final = {"sqs": "SQS", "sns": "SNS", "events": "EVENTBRIDGE", "s3": "S3"}
_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")
"""For JSON, in which text has no line breaks of its own."""
_KEY_TIME: Final = "%Y/%m/%d/%Y-%m-%dT%H.%M.%S"


class EventDestinations:
    """Delivers what became of events. Its methods raise :class:`DeliveryFailed`."""

    def __init__(
        self,
        calls: AwsCalls,
        folder: Path,
        exists: Callable[[str], bool],
        clock: Clock,
        chance: Chance,
    ) -> None:
        """``folder`` is that of the files; ``exists`` says whether there is such a function."""
        self.submit: Submit
        """Takes what is meant for a function."""
        self._calls = calls
        self._folder = folder
        self._exists = exists
        self._clock = clock
        self._chance = chance

    async def send_record(self, arn: str, event: QueuedEvent, function_arn: str) -> None:
        """Tell a destination (LI-195)."""
        now = self._clock.now()
        body = record(event, function_arn, now)
        service, region, account, name = _parts(arn)
        match service:
            case "lambda":
                await self._invoke(name, body, event.trace_id)
            case "sqs" | "sns":
                await self._post(arn, Message(body.decode()), event.trace_id, body)
            case "events":
                resources = [arn, function_arn]
                await self._put_event(event, arn, account, region, resources, body, now)
            case "s3":
                await self._put_object(event, name, body, now)
            case _:
                raise DeliveryFailed(
                    f"{arn} is no destination",
                    rule="LI-190",
                    remedy="the ARN of a function, a queue, a topic, an event bus or a bucket",
                )

    async def send_dead_letter(self, arn: str, event: QueuedEvent) -> None:
        """Give an event to a dead-letter queue, as it came (LI-171)."""
        if _parts(arn)[0] not in ("sqs", "sns"):
            raise DeliveryFailed(
                f"{arn} is no dead-letter queue",
                rule="LI-170",
                remedy="the ARN of an SQS queue or an SNS topic",
            )
        message = dead_letter(event)
        attributes = {
            name: {"DataType": kind, "StringValue": value}
            for name, (kind, value) in message.attributes.items()
        }
        line = orjson.dumps({"Body": message.body, "MessageAttributes": attributes})
        await self._post(arn, message, event.trace_id, line)

    async def _invoke(self, function: str, body: bytes, trace_id: str) -> None:
        name, _, qualifier = function.removeprefix("function:").partition(":")
        if not self._exists(name):
            raise DeliveryFailed(
                f"there is no function {name}",
                rule="LI-198",
                remedy="declare it in the same definition",
            )
        await self.submit(name, body, qualifier=qualifier, trace_id=trace_id)

    async def _post(self, arn: str, message: Message, trace_id: str, line: bytes) -> None:
        service, _, _, name = _parts(arn)
        if _SERVICES[service] not in self._calls.endpoints:
            await self._write(f"{service}-{name}", line)
        elif service == "sqs":
            await self._calls.send_message(arn, message, trace_id)
        else:
            await self._calls.publish(arn, message)

    async def _put_event(
        self,
        event: QueuedEvent,
        bus_arn: str,
        account: str,
        region: str,
        resources: list[str],
        detail: bytes,
        now: float,
    ) -> None:
        outcome = "Success" if event.condition == Condition.SUCCESS else "Failure"
        kind = f"Lambda Function Invocation Result - {outcome}"
        if "EVENTBRIDGE" in self._calls.endpoints:
            entry = {
                "Source": "lambda",
                "DetailType": kind,
                "Detail": detail.decode(),
                "Resources": resources,
                "EventBusName": bus_arn,
            }
            await self._calls.put_event(entry, region)
            return
        line = {
            "version": "0",
            "id": self._chance.uuid(),
            "detail-type": kind,
            "source": "lambda",
            "account": account,
            "time": timestamp(now)[:-5] + "Z",
            "region": region,
            "resources": resources,
            "detail": orjson.Fragment(detail),
        }
        await self._write(f"eventbridge-{bus_arn.rpartition('/')[2]}", orjson.dumps(line))

    async def _put_object(self, event: QueuedEvent, bucket: str, body: bytes, now: float) -> None:
        time = datetime.fromtimestamp(now, UTC).strftime(_KEY_TIME)
        key = f"aws/lambda/async/{event.name}/{time}-{self._chance.uuid()}"  # UNSURE (LI-196)
        if "S3" in self._calls.endpoints:
            await self._calls.put_object(bucket, key, body)
        else:
            await self._write(f"s3-{bucket}", body)

    async def _write(self, name: str, line: bytes) -> None:
        try:
            await asyncio.to_thread(
                append_line, self._folder / f"{name.replace('/', '-')}.jsonl", line
            )
        except OSError as error:
            raise DeliveryFailed(
                f"the record cannot be written to {self._folder}: {error.strerror}"
            ) from error


def append_line(file: Path, line: bytes) -> None:
    """Add a JSON document to a file of documents; raises ``OSError``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab", buffering=0) as stream:
        # One write, so that lines of several writers do not mix.
        stream.write(line.translate(_ONE_LINE) + b"\n")


def _parts(arn: str) -> tuple[str, str, str, str]:
    """Service, Region, account and the rest of an ARN; all empty when it is none."""
    parts = arn.split(":", 5)
    return (parts[2], parts[3], parts[4], parts[5]) if len(parts) == 6 else ("", "", "", "")
