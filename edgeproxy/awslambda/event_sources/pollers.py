"""Runs a poller for each mapping that is enabled and has an endpoint to ask."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Final, assert_never

from edgeproxy.awslambda.aws_calls import AwsCalls
from edgeproxy.awslambda.event_sources.model import EventSource, EventSourceMapping
from edgeproxy.awslambda.event_sources.polling import Polling
from edgeproxy.awslambda.event_sources.positions import Positions
from edgeproxy.awslambda.event_sources.queues import poll_queue
from edgeproxy.awslambda.event_sources.sources import DynamoStream, KinesisStream, Queue
from edgeproxy.awslambda.event_sources.streams import poll_stream
from edgeproxy.tasks import Tasks

__all__ = ["Pollers"]

_ENDPOINT: Final = {
    EventSource.SQS: "SQS",
    EventSource.KINESIS: "KINESIS",
    EventSource.DYNAMODB: "DYNAMODB_STREAMS",
}
"""The service whose endpoint gives the records of a source."""


class Pollers:
    """The pollers that run; ``polling`` makes what one works with."""

    def __init__(
        self,
        calls: AwsCalls,
        polling: Callable[[EventSourceMapping], Polling],
        positions: Positions,
        tell: Callable[[str], None],
    ) -> None:
        self._calls = calls
        self._polling = polling
        self._tell = tell
        self._running: dict[EventSourceMapping, tuple[Tasks, Polling]] = {}
        self._positions = positions
        self._told: set[EventSourceMapping] = set()
        self._exchanging = asyncio.Lock()

    def last_result(self, uuid: str) -> str | None:
        """How the newest batch of a mapping ended; None for one that is not polled."""
        found = (polling for mapping, (_, polling) in self._running.items() if mapping.uuid == uuid)
        polling = next(found, None)
        return polling.last_result if polling is not None else None

    async def run(self, mappings: Iterable[EventSourceMapping]) -> None:
        """Poll these from now on, and no others; those that stay as they are go on undisturbed."""
        async with self._exchanging:
            await self._exchange(set(mappings))

    async def _exchange(self, wanted: set[EventSourceMapping]) -> None:
        for mapping in [each for each in self._running if each not in wanted]:
            tasks, _ = self._running.pop(mapping)
            await tasks.close()
        for mapping in wanted - self._running.keys():
            if _ENDPOINT[mapping.source] in self._calls.endpoints:
                self._start(mapping)
            elif mapping not in self._told:
                self._told.add(mapping)
                self._tell(
                    f"{mapping.function} gets nothing from {mapping.arn}: no endpoint of "
                    f"{mapping.source} is known (give --aws-endpoint {mapping.source}=URL)"
                )

    async def close(self) -> None:
        """Stop. Batches that run are broken off, and their messages come again."""
        await self.run(())
        await self._positions.close()

    def _start(self, mapping: EventSourceMapping) -> None:
        polling, tasks = self._polling(mapping), Tasks()
        self._running[mapping] = tasks, polling
        _ = tasks.start(self._poll(polling), f"poll {mapping.arn}")

    def _poll(self, polling: Polling) -> Coroutine[None, None, None]:
        calls, mapping, positions = self._calls, polling.mapping, self._positions
        match mapping.source:
            case EventSource.SQS:
                return poll_queue(polling, Queue(calls, mapping))
            case EventSource.KINESIS:
                return poll_stream(polling, KinesisStream(calls, mapping), positions)
            case EventSource.DYNAMODB:
                return poll_stream(polling, DynamoStream(calls, mapping), positions)
            case _:
                assert_never(mapping.source)
