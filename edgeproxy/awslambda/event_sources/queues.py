"""Takes messages of a queue to a function, and out of the queue once it has dealt with them.

What it has not dealt with comes back when its visibility timeout ends; how often, and where it
goes then, the queue's redrive policy says. Batches run at the same time: five at first, and five
more for each second in which messages keep coming. Of a FIFO queue the queue itself gives no
message of a group while others of it are being dealt with.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from edgeproxy.awslambda.aws_calls import DeliveryFailed
from edgeproxy.awslambda.event_sources.outcomes import Failed, NotRun, Succeeded
from edgeproxy.awslambda.event_sources.polling import LARGEST_EVENT, Polling, backoff_s
from edgeproxy.awslambda.event_sources.records import Record, filter_of
from edgeproxy.awslambda.event_sources.sources import Queue
from edgeproxy.tasks import Tasks

__all__ = ["poll_queue"]

_LONG_POLL_S: Final = 5
"""Below the time after which calls are given up."""
_AT_FIRST: Final = 5
_MORE_PER_SECOND: Final = 5
_AT_MOST: Final = 1000


async def poll_queue(polling: Polling, queue: Queue) -> None:
    """Poll until cancelled."""
    poller = _QueuePoller(polling, queue)
    try:
        await poller.run()
    finally:
        await poller.batches.close()


class _QueuePoller:
    def __init__(self, polling: Polling, queue: Queue) -> None:
        self._polling = polling
        self._queue = queue
        self._passes = filter_of(polling.mapping)
        self._visible_after_s = 0
        self._running = 0
        self._ended = asyncio.Event()
        self._busy_since = polling.clock.monotonic()
        self._held: list[Record] = []
        """Messages that were one batch too many."""
        self.batches = Tasks()

    async def run(self) -> None:
        polling = self._polling
        self._visible_after_s = await polling.asked(self._queue.visibility_timeout_s)
        definition = polling.functions.definition(polling.mapping.function)
        if definition is not None and definition.spec.timeout_s > self._visible_after_s:
            polling.tell(
                f"Queue visibility timeout: {self._visible_after_s} seconds is less than Function "
                f"timeout: {definition.spec.timeout_s} seconds: AWS refuses to map "
                f"{polling.mapping.arn} to {definition.name}; raise the queue's VisibilityTimeout"
            )
        while True:
            while self._running >= self._limit():
                self._ended.clear()
                await self._ended.wait()
            batch = await self._gather()
            if batch:
                self._running += 1
                _ = self.batches.start(self._deliver(batch), f"messages of {polling.mapping.name}")

    def _limit(self) -> int:
        busy_s = self._polling.clock.monotonic() - self._busy_since
        most = self._polling.mapping.most_at_once or _AT_MOST
        return min(most, _AT_FIRST + int(busy_s * _MORE_PER_SECOND))

    async def _gather(self) -> list[Record]:
        """A batch: full, or as much as came within the batching window, if anything came."""
        mapping, clock = self._polling.mapping, self._polling.clock
        batch, self._held = self._held, []
        size, ends_s = sum(each.size for each in batch), clock.now() + mapping.window_s
        while len(batch) < mapping.batch_size:
            if batch and clock.now() >= ends_s:
                break
            room = mapping.batch_size - len(batch)
            wait_s = 1 if batch else _LONG_POLL_S
            got = await self._polling.asked(partial(self._queue.receive, room, wait_s))
            if not got and not batch:
                self._busy_since = clock.monotonic()
                return []
            if not batch:
                ends_s = clock.now() + mapping.window_s
            wanted = await self._wanted(got)
            batch += wanted
            if not batch:
                return []
            size += sum(each.size for each in wanted)
            if size > LARGEST_EVENT:
                return self._cut(batch)
        return batch

    async def _wanted(self, got: Sequence[Record]) -> list[Record]:
        """Those that the filters let through; the others are done with."""
        wanted = [each for each in got if self._passes(each)]
        if unwanted := [each for each in got if each not in wanted]:
            await self._delete(unwanted)
        return wanted

    def _cut(self, batch: list[Record]) -> list[Record]:
        size = 0
        for number, each in enumerate(batch):
            size += each.size
            if size > LARGEST_EVENT and number:
                self._held = batch[number:]
                return batch[:number]
        return batch

    async def _deliver(self, batch: list[Record]) -> None:
        clock = self._polling.clock
        try:
            gone_at, throttles = clock.monotonic() + self._visible_after_s, 0
            while True:
                ended, _ = await self._polling.invoke(batch)
                match ended:
                    case Succeeded():
                        await self._delete(batch)
                    case Failed(items):
                        if done := [each for each in batch if each.id not in items]:
                            await self._delete(done)
                    case NotRun():
                        wait_s = backoff_s(throttles)
                        if clock.monotonic() + wait_s < gone_at:
                            await asyncio.sleep(wait_s)
                            throttles += 1
                            continue
                return
        finally:
            self._running -= 1
            self._ended.set()

    async def _delete(self, messages: Sequence[Record]) -> None:
        try:
            await self._queue.delete(messages)
        except DeliveryFailed as error:
            self._polling.tell(
                f"messages of {self._polling.mapping.arn} that were dealt with stay in the queue, "
                f"and will come again: {error}"
            )
