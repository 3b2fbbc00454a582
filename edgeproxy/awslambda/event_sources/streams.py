"""Reads the shards of a stream, each from where it was left, parents before their children."""

import asyncio
from functools import partial
from typing import Final
from zlib import crc32

from edgeproxy.awslambda.aws_calls import CallRefused, DeliveryFailed
from edgeproxy.awslambda.event_sources.lanes import Lane
from edgeproxy.awslambda.event_sources.model import EventSource
from edgeproxy.awslambda.event_sources.polling import Polling
from edgeproxy.awslambda.event_sources.positions import Positions
from edgeproxy.awslambda.event_sources.progress import Progress
from edgeproxy.awslambda.event_sources.records import Record, filter_of
from edgeproxy.awslambda.event_sources.sources import Shard, Stream
from edgeproxy.tasks import Tasks

__all__ = ["poll_stream"]

_EVERY_S: Final = {EventSource.KINESIS: 1.0, EventSource.DYNAMODB: 0.25}
"""How often a shard is asked that had nothing."""
_SHARDS_EVERY_S: Final = 5.0
_LOST: Final = ("InvalidArgument", "TrimmedDataAccess", "ValidationException")
"""What the services say when they do not have the record any more after which to go on."""


async def poll_stream(polling: Polling, stream: Stream, positions: Positions) -> None:
    """Poll until cancelled; ``positions`` keeps how far each shard has been dealt with."""
    tasks = Tasks()
    known: dict[str, asyncio.Task[None]] = {}
    is_start = True
    try:
        while True:
            shards = await polling.asked(stream.shards)
            for shard in shards:
                if shard.id not in known:
                    poller = _ShardPoller(polling, stream, shard, positions, is_new=not is_start)
                    work = poller.run(known.get(shard.parent))
                    known[shard.id] = tasks.start(work, f"shard {shard.id}")
            is_start = False
            await asyncio.sleep(_SHARDS_EVERY_S)
    finally:
        await tasks.close()


class _ShardPoller:
    def __init__(
        self,
        polling: Polling,
        stream: Stream,
        shard: Shard,
        positions: Positions,
        *,
        is_new: bool,
    ) -> None:
        """``is_new`` says that the shard came after polling began: it is read from its start."""
        self._polling = polling
        self._stream = stream
        self._shard = shard.id
        begun = polling.mapping.starting_position
        self._key = f"{polling.mapping.uuid} {begun} {stream.identity} {shard.id}"
        self._positions = positions
        self._progress = Progress(positions.get(self._key))
        self._read = self._progress.position
        """The last record that was read."""
        self._is_new = is_new
        self._passes = filter_of(polling.mapping)
        self._lanes = [
            Lane(polling, stream.arn, shard.id, self._done) for _ in range(polling.mapping.parallel)
        ]

    async def run(self, parent: "asyncio.Task[None] | None") -> None:
        """Read the shard to its end, once its parent has been."""
        if parent is not None:
            await asyncio.wait([parent])
        tasks = Tasks()
        try:
            for lane in self._lanes:
                _ = tasks.start(lane.run(), f"records of {self._shard}")
            await self._read_all()
            for lane in self._lanes:
                await lane.finished()
        finally:
            await tasks.close()

    async def _read_all(self) -> None:
        iterator = await self._polling.asked(self._iterator)
        while iterator:
            try:
                records, iterator = await self._stream.records(self._shard, iterator)
            except DeliveryFailed:
                # The iterator may have expired, or the service may be gone.
                iterator = await self._polling.asked(self._iterator)
                records, iterator = await self._polling.asked(
                    partial(self._stream.records, self._shard, iterator)
                )
            for record in records:
                await self._take(record)
            if not records and iterator:
                await asyncio.sleep(_EVERY_S[self._polling.mapping.source])

    async def _iterator(self) -> str:
        mapping = self._polling.mapping
        if self._read:
            try:
                return await self._stream.iterator(self._shard, "AFTER_SEQUENCE_NUMBER", self._read)
            except CallRefused as error:
                if not any(name in error.message for name in _LOST):
                    raise
                self._polling.tell(
                    f"{mapping.arn} does not know where it was left; all that {self._shard} still "
                    f"holds is read: {error}"
                )
                self._read = ""
                self._is_new = True
        kind = "TRIM_HORIZON" if self._is_new else mapping.starting_position
        return await self._stream.iterator(self._shard, kind, mapping.starting_timestamp_s)

    async def _take(self, record: Record) -> None:
        self._read = record.id
        self._progress.begin(record.id)
        if self._passes(record):
            lane = self._lanes[crc32(record.key.encode()) % len(self._lanes)]
            await lane.put(record)
        else:
            self._done([record.id])

    def _done(self, records: list[str]) -> None:
        self._progress.end(records)
        self._positions.put(self._key, self._progress.position)
