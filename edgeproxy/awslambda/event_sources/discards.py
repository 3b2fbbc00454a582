"""Tells a stream's on-failure destination of records that were given up.

A queue and a topic get the document, a bucket gets the batch with it. Without an endpoint to ask,
the document is appended to a file, as for destinations of asynchronous invocations.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import orjson

from edgeproxy.awslambda.aws_calls import AwsCalls, DeliveryFailed
from edgeproxy.awslambda.destinations import append_line
from edgeproxy.awslambda.event_records import Message
from edgeproxy.awslambda.event_sources.records import Document
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock

__all__ = ["Discards"]


class Discards:
    """``folder`` is that of the files."""

    def __init__(self, calls: AwsCalls, folder: Path, clock: Clock, chance: Chance) -> None:
        self._calls = calls
        self._folder = folder
        self._clock = clock
        self._chance = chance

    async def send(self, arn: str, document: Document, uuid: str, shard: str, event: bytes) -> None:
        """Tell ``arn`` of the batch ``event`` of a mapping's shard. Raises ``DeliveryFailed``."""
        service, name = arn.split(":")[2], arn.split(":", 5)[5]
        if service == "s3":
            document = {**document, "payload": event.decode()}
        body = orjson.dumps(document)
        if service.upper() not in self._calls.endpoints:
            await self._write(f"{service}-{name}", body)
            return
        match service:
            case "sqs":
                trace_id = f"Root=1-{int(self._clock.now()):08x}-{self._chance.hex(24)}"
                await self._calls.send_message(arn, Message(body.decode()), trace_id)
            case "sns":
                await self._calls.publish(arn, Message(body.decode()))
            case _:
                time = datetime.fromtimestamp(self._clock.now(), UTC)
                at = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S")
                key = f"aws/lambda/{uuid}/{shard}/{at}-{self._chance.uuid()}"
                await self._calls.put_object(name, key, body)

    async def _write(self, name: str, line: bytes) -> None:
        file = self._folder / f"{name.replace('/', '-')}.jsonl"
        try:
            await asyncio.to_thread(append_line, file, line)
        except OSError as error:
            raise DeliveryFailed(f"{file} cannot be written: {error.strerror}") from error
