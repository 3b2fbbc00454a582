"""The queue of asynchronous invocations: accepted events, run later, one by one, until each ended.

An event is accepted once it is on the disk (LI-150, LI-158). It is marked there before its function
runs, and how that ended is written before anything else happens: so an event whose function has
answered is not run again, whenever the process is killed. What was interrupted is due again a
second after the next start, as after any fault that is not the function's. Delays and ages are of
the edge's clock; moving it fires what is due then.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from heapq import heapify, heappop, heappush
from pathlib import Path
from sqlite3 import Error as StoreFailed
from typing import Final

from edgeproxy.awslambda.attempts import Attempts, Count, Counting, Functions
from edgeproxy.awslambda.event_store import EventStore, QueuedEvent, Tell, Waiting
from edgeproxy.awslambda.retries import LONGEST_DELAY_S
from edgeproxy.awslambda.telling import Delivery, Telling
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Recorder
from edgeproxy.tasks import Tasks

__all__ = ["EventQueue"]

_AT_FIRST: Final = 4
_AT_ONCE: Final = 50
"""How many events of one function run at the same time; a limit of concurrency may be lower.

More than at first are allowed one by one, as long as events are ready and have to wait: quick
functions get through a burst without dozens of new environments.
"""
_ONE_MORE_S: Final = 0.02


class EventQueue:
    """The events of all functions. Nothing is opened before the first event."""

    def __init__(
        self,
        functions: Functions,
        delivery: Delivery,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        file: Path,
        tell: Tell,
        count: Counting,
    ) -> None:
        """Events lie in ``file``; ``recorder`` gets an exchange for each attempt.

        ``tell`` hears of lost records, ``count`` of what the metrics count.
        """
        self._clock = clock
        self._chance = chance
        self._file = file
        self._tell = tell
        self._count = count
        self._attempts = Attempts(functions, clock, chance, recorder, count)
        self._telling = Telling(functions, delivery, count, tell)
        self._store: EventStore | None = None
        self._opening = asyncio.Lock()
        self._work = Tasks()
        self._waiting: list[Waiting] = []
        """A heap."""
        self._ready: dict[str, deque[int]] = {}
        self._running: Counter[str] = Counter()
        self._allowed: dict[str, int] = {}
        """How many may run, for functions with more ready than that."""
        self._changed = asyncio.Event()
        self._unwatch: Callable[[], None] = lambda: None
        self._is_closing = False

    async def submit(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> None:
        """Accept an event, given as JSON in UTF-8: it is on the disk then (LI-150).

        Raises :class:`UsageError` when it cannot be kept.
        """
        store = self._store or await self._open()
        now = self._clock.now()
        request_id = request_id or self._chance.uuid()
        trace_id = trace_id or f"Root=1-{int(now):08x}-{self._chance.hex(24)}"
        # A header may hold what is no text.
        trace_id = trace_id.encode(errors="replace").decode()
        # One that can run at once is marked at once.
        runs = self._running[name] < _AT_FIRST and not self._ready.get(name)
        event = QueuedEvent(
            name, qualifier, request_id, trace_id, now, now, running=runs, payload=payload
        )
        self._running[name] += runs
        try:
            event_id = await store.add(event)
        except StoreFailed as error:
            raise UsageError(
                f"the event cannot be kept in {self._file}: {error}",
                rule="LI-158",
                remedy="make room for it, or give another --state-dir",
            ) from error
        finally:
            self._running[name] -= runs
        self._count(Count("AsyncEventsReceived", name, qualifier))
        if runs:
            self._start(name, self._process(replace(event, id=event_id, running=False)))
        else:
            self._make_ready(event_id, name)

    async def resume(self) -> None:
        """Go on with what an earlier process has left; it is told if that cannot be had."""
        if self._store is None and self._file.exists():
            try:
                await self._open()
            except UsageError as error:
                self._tell(str(error))

    async def oldest(self, limit: int) -> tuple[int, list[QueuedEvent]]:
        """How many events have not ended, and the oldest of them, without their payloads."""
        return await self._store.oldest(limit) if self._store is not None else (0, [])

    @property
    def is_waiting(self) -> bool:
        """Whether there are events and none of them runs: all wait for their time."""
        return bool(self._waiting) and not self._running.total()

    async def close(self) -> None:
        """Stop. What runs is interrupted, and due again at the next start."""
        self._is_closing = True
        self._unwatch()
        await self._work.close()
        if self._store is not None:
            await self._store.close()

    async def _open(self) -> EventStore:
        async with self._opening:
            if self._store is None:
                store = EventStore(self._file, self._tell)
                self._waiting = await store.open(self._clock.now())
                heapify(self._waiting)
                loop = asyncio.get_running_loop()

                def moved() -> None:
                    # Whoever moves the clock may do so in another thread, and again at once.
                    latest_s = self._clock.now() + LONGEST_DELAY_S
                    loop.call_soon_threadsafe(self._clock_moved, latest_s)

                self._unwatch = self._clock.watch(moved)
                _ = self._work.start(self._fire(), "asynchronous events")
                self._store = store
        return self._store

    def _clock_moved(self, latest_s: float) -> None:
        # No delay is longer: what would be due later waits for a time that was taken back.
        self._waiting = [
            (min(due_s, latest_s), event_id, name) for due_s, event_id, name in self._waiting
        ]
        heapify(self._waiting)
        self._changed.set()

    async def _fire(self) -> None:
        """Make events ready as they become due."""
        while True:
            self._changed.clear()
            while self._waiting and self._waiting[0][0] <= self._clock.now():
                _, event_id, name = heappop(self._waiting)
                self._make_ready(event_id, name)
            delay_s = self._waiting[0][0] - self._clock.now() if self._waiting else None
            try:
                async with asyncio.timeout(delay_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _make_ready(self, event_id: int, name: str) -> None:
        self._ready.setdefault(name, deque()).append(event_id)
        self._start_ready(name)

    def _start_ready(self, name: str) -> None:
        ready = self._ready.get(name)
        while ready and self._running[name] < self._allowed.get(name, _AT_FIRST):
            self._start(name, self._take(ready.popleft()))
        if ready and name not in self._allowed:
            self._allowed[name] = _AT_FIRST
            _ = self._work.start(self._allow_more(name), f"more events of {name}")

    async def _allow_more(self, name: str) -> None:
        while self._ready[name]:
            await asyncio.sleep(_ONE_MORE_S)
            self._allowed[name] = min(self._allowed[name] + 1, _AT_ONCE)
            self._start_ready(name)
        del self._allowed[name]

    def _start(self, name: str, work: Coroutine[object, object, None]) -> None:
        self._running[name] += 1
        self._work.start(work, f"event of {name}").add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        self._running[name] -= 1
        if not self._is_closing:
            self._start_ready(name)

    async def _take(self, event_id: int) -> None:
        assert self._store is not None
        await self._process(await self._store.begin(event_id))

    async def _process(self, event: QueuedEvent) -> None:
        """One attempt at an event, and what follows from it."""
        assert self._store is not None
        store = self._store
        if not event.condition:
            event = await self._attempts.make(event)
            if not event.condition:
                await store.change(event)
                heappush(self._waiting, (event.due_s, event.id, event.name))
                self._changed.set()
                return
            if self._telling.is_wanted(event):
                await store.change(event)
        await self._telling.tell_all(event)
        await store.remove(event.id)
