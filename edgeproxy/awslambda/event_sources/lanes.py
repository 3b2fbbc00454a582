"""Takes records of a shard to a function, batch after batch: what fails holds up what follows.

A shard has one lane, or with a parallelization factor several, among which its records are shared
out by their keys. A failed batch is tried again, in whole, from the first record that the function
reports, or in halves, until it succeeds, its retries are used up, or its records are too old.
With tumbling windows a batch is of one window, and an end of a window holds up what follows, too.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final

from edgeproxy.awslambda.aws_calls import DeliveryFailed
from edgeproxy.awslambda.event_sources.outcomes import Failed, NotRun, Outcome, Succeeded
from edgeproxy.awslambda.event_sources.polling import LARGEST_EVENT, Polling, backoff_s, event
from edgeproxy.awslambda.event_sources.records import Record, discarded
from edgeproxy.awslambda.event_sources.windows import LARGEST_STATE, Window, window_of
from edgeproxy.runtimes.invocation import InvocationResult

__all__ = ["Lane"]

_WAITING: Final = 1000
"""Records that wait in a lane; more are left in the stream."""
_LOOKS_EVERY_S: Final = 0.25
"""How soon it is seen that somebody has moved the clock."""
_TOO_OLD: Final = "RecordAgeExceeded"


class Lane:
    """One batch at a time of one shard. ``done`` hears of records that nobody needs any more."""

    def __init__(
        self, polling: Polling, stream_arn: str, shard: str, done: Callable[[list[str]], None]
    ) -> None:
        self._polling = polling
        self._stream_arn = stream_arn
        self._shard = shard
        self._tell_done = done
        self._waiting: asyncio.Queue[Record | None] = asyncio.Queue(
            max(_WAITING, polling.mapping.batch_size)
        )
        """None is the end of the shard."""
        self._held: Record | None = None
        """A record that was one too many for a batch."""
        self._window: Window | None = None
        self._is_over = False

    async def put(self, record: Record) -> None:
        """Take a record on; waits while too many wait."""
        await self._waiting.put(record)

    async def finished(self) -> None:
        """Wait until every record that was put has been dealt with; none is put any more."""
        await self._waiting.put(None)
        await self._waiting.join()

    async def run(self) -> None:
        """Deal with records until the shard has ended."""
        while not self._is_over or self._held is not None:
            batch = await self._gather()
            if batch:
                await self._deliver(batch, 0)
            if (window := self._window) is not None and (
                not batch or window.is_too_large or (self._is_over and self._held is None)
            ):
                await self._close(window)
            for _ in batch:
                self._waiting.task_done()
        self._waiting.task_done()

    async def _gather(self) -> list[Record]:
        """A batch: full, or as much as came within the batching window after its first record.

        Empty when the tumbling window has ended, or the shard.
        """
        mapping, clock, window = self._polling.mapping, self._polling.clock, self._window
        first = self._held or await self._next(window.over_s if window is not None else math.inf)
        self._held = None
        if first is None:
            return []
        if window is not None and not window.has(first):
            self._held = first
            return []
        most = LARGEST_EVENT
        if mapping.tumbling_s:
            most -= LARGEST_STATE
            self._window = window = window or window_of(first, mapping.tumbling_s)
        batch, size, ends_s = [first], first.size, clock.now() + mapping.window_s
        while len(batch) < mapping.batch_size:
            record = await self._next(ends_s)
            if record is None:
                break
            size += record.size
            if size > most or (window is not None and not window.has(record)):
                self._held = record
                break
            batch.append(record)
        return batch

    async def _next(self, ends_s: float) -> Record | None:
        """The next record; None when none came until then on the edge's clock, or none comes."""
        while self._waiting.empty() and not self._is_over:
            left_s = ends_s - self._polling.clock.now()
            if left_s <= 0:
                return None
            look_s = min(left_s, _LOOKS_EVERY_S) if left_s < math.inf else None
            try:
                async with asyncio.timeout(look_s):
                    return self._taken(await self._waiting.get())
            except TimeoutError:
                pass
        return None if self._is_over else self._taken(self._waiting.get_nowait())

    def _taken(self, record: Record | None) -> Record | None:
        self._is_over = record is None
        return record

    async def _deliver(self, batch: list[Record], attempts: int) -> None:
        """Have the function deal with ``batch``, which it was given ``attempts`` times before."""
        mapping, waits = self._polling.mapping, 0
        while True:
            batch = await self._without_old(batch, attempts)
            if not batch:
                return
            self._count_age(batch[-1])
            ended, result = await self._invoke(batch)
            match ended:
                case Succeeded():
                    self._done([each.id for each in batch])
                    return
                case NotRun():
                    pass
                case Failed(items):
                    attempts += 1
                    first = next(n for n, each in enumerate(batch) if each.id in items)
                    if first:  # Those before it were dealt with: it is another batch from here.
                        self._done([each.id for each in batch[:first]])
                        batch, attempts = batch[first:], 0
                    elif mapping.bisect and len(batch) > 1:
                        middle = len(batch) // 2  # Splitting costs no retry.
                        await self._deliver(batch[:middle], attempts - 1)
                        await self._deliver(batch[middle:], attempts - 1)
                        return
                    elif 0 <= mapping.retries < attempts:
                        await self._give_up(batch, "RetryAttemptsExhausted", attempts, result)
                        return
            await self._polling.until(self._polling.clock.now() + backoff_s(waits))
            waits += 1

    async def _invoke(
        self, batch: Sequence[Record], *, is_final: bool = False
    ) -> tuple[Outcome, InvocationResult]:
        polling, window = self._polling, self._window
        if window is None:
            return await polling.invoke(batch)
        more = window.members(self._shard, self._stream_arn, is_final=is_final)
        ended, result = await polling.invoke(batch, more)
        if not window.take(result) and isinstance(ended, Succeeded):
            polling.last_result = "PROBLEM: Function call failed"
            polling.tell(
                f"{polling.mapping.function} has returned no state: on AWS, too, that fails a "
                "batch of a tumbling window"
            )
            ended = Failed(frozenset(each.id for each in batch))
        return ended, result

    async def _close(self, window: Window) -> None:
        """Have the function deal with the end of a window, as often as it takes."""
        waits = 0
        while True:
            # UNSURE: AWS's guide does not tell whether a window that ends early has a last
            # invocation; it is what a function needs to keep its sums.
            ended, _ = await self._invoke((), is_final=True)
            if isinstance(ended, Succeeded):
                break
            await self._polling.until(self._polling.clock.now() + backoff_s(waits))
            waits += 1
        self._window = None
        self._tell_done(window.dealt_with)

    def _done(self, records: list[str]) -> None:
        if self._window is None:
            self._tell_done(records)
        else:
            self._window.dealt_with += records

    async def _without_old(self, batch: list[Record], attempts: int) -> list[Record]:
        oldest_s = self._polling.clock.now() - self._polling.mapping.max_age_s
        if self._polling.mapping.max_age_s < 0 or batch[0].arrived_s >= oldest_s:
            return batch
        old = [each for each in batch if each.arrived_s < oldest_s]
        await self._give_up(old, _TOO_OLD, max(attempts, 1), None)
        return batch[len(old) :]

    async def _give_up(
        self, batch: Sequence[Record], why: str, attempts: int, result: InvocationResult | None
    ) -> None:
        polling, mapping = self._polling, self._polling.mapping
        self._done([each.id for each in batch])
        told = f"{why}: {len(batch)} records of {mapping.arn} are given up"
        if not mapping.on_failure:
            polling.tell(f"{told}; {mapping.function} has not dealt with them")
            return
        document = discarded(
            mapping,
            polling.function_arn,
            self._stream_arn,
            self._shard,
            batch,
            why,
            attempts,
            result,
            polling.clock.now(),
            result.request_id if result is not None else polling.chance.uuid(),
        )
        try:
            await polling.send(
                mapping.on_failure, document, mapping.uuid, self._shard, event(batch)
            )
        except DeliveryFailed as error:
            polling.count("DestinationDeliveryFailures", mapping.function, mapping.qualifier, 1)
            polling.tell(f"{told}, and nobody could be told: {error}")

    def _count_age(self, last: Record) -> None:
        mapping, now = self._polling.mapping, self._polling.clock.now()
        age_ms = max(0.0, (now - last.arrived_s) * 1000)
        self._polling.count("IteratorAge", mapping.function, mapping.qualifier, age_ms)
