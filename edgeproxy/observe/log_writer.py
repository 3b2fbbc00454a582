"""Writes log records behind the requests' backs: what waits is written together, in a thread."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from edgeproxy.tasks import Tasks

__all__ = ["LogSink", "LogWriter"]

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)

_MOST_WAITING: Final = 100_000
"""A disk that stands still costs lines, not memory without end."""

_log = logging.getLogger("edgeproxy")


class LogSink(Protocol[R_contra]):
    """Where records go. Called in a thread, never twice at a time."""

    name: str
    at_once: int
    """How many records it wants in one call: while they become text, requests have to wait.

    So many do not wait any longer: a record keeps all of its exchange in memory.
    """

    def write(self, records: Sequence[R_contra]) -> None:
        """Raises ``OSError``; these records are lost then."""
        ...

    def close(self) -> None: ...


class LogWriter:
    """Takes records at no cost to the caller; they are written within ``pace_s`` seconds.

    Made on a running event loop. That lines are lost is said once, and again when it is over.
    """

    def __init__(self, pace_s: float) -> None:
        self._pace_s = pace_s
        self._waiting: dict[LogSink[Any], list[Any]] = {}
        self._sinks: set[LogSink[Any]] = set()
        self._lost: dict[LogSink[Any], int] = {}
        self._some = asyncio.Event()
        self._due = asyncio.Event()
        self._closing = False
        self._writing = asyncio.Lock()
        self._task = Tasks().start(self._run(), "logs")

    def put(self, sink: LogSink[R], record: R) -> None:
        self.put_all(sink, [record])

    def put_all(self, sink: LogSink[R], records: Sequence[R]) -> None:
        waiting = self._waiting.setdefault(sink, [])
        room = _MOST_WAITING - len(waiting)
        waiting += records[:room]
        if len(records) > room:
            self._lose(sink, len(records) - room, "too many lines wait")
        self._some.set()
        if len(waiting) >= sink.at_once:
            self._due.set()

    async def flush(self) -> None:
        """Write what waits; it is in the files then."""
        async with self._writing:
            self._some.clear()
            self._due.clear()
            waiting, self._waiting = self._waiting, {}
            for sink, records in waiting.items():
                self._sinks.add(sink)
                for start in range(0, len(records), sink.at_once):
                    await self._write(sink, records[start : start + sink.at_once])

    async def close(self) -> None:
        """Write what waits, and no more."""
        self._closing = True
        self._some.set()
        self._due.set()
        await self._task
        await self.flush()
        for sink in self._sinks:
            sink.close()

    async def _run(self) -> None:
        while not self._closing:
            await self._some.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), self._pace_s)
            await self.flush()

    async def _write(self, sink: LogSink[R], records: Sequence[R]) -> None:
        try:
            await asyncio.to_thread(sink.write, records)
        except OSError as error:
            self._lose(sink, len(records), error.strerror or str(error))
        else:
            if lost := self._lost.pop(sink, 0):
                _log.warning("the log %s is written again; %d lines lost", sink.name, lost)

    def _lose(self, sink: LogSink[Any], count: int, why: str) -> None:
        if sink not in self._lost:
            _log.error("the log %s loses lines: %s", sink.name, why)
        self._lost[sink] = self._lost.get(sink, 0) + count
