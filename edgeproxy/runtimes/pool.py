"""The execution environments of one version of a function.

Who needs one gets the warm one that was used last. When all are busy another is started, and the
caller takes whichever comes first: the new one, or one that becomes free. Only a few start at the
same time, so that a burst of requests does not become a burst of processes.

A function that takes less than a millisecond is done before many environments would have been given
the processor in turn, each with a memory of its own. So a few of them take one of its invocations
after the other. One that finds all of these at work waits for the first to be free; it gets one of
the others, as ever, when none has become free for a millisecond, or after ten.

A function that is debugged has one environment and one only: its callers wait for each other.
"""

import asyncio
import math
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from edgeproxy.clock import Clock
from edgeproxy.runtimes.environment import Environment
from edgeproxy.runtimes.invocation import (
    FunctionSpec,
    InitFailed,
    InvocationResult,
    LogEntry,
    Returned,
)
from edgeproxy.runtimes.sandbox import Surroundings
from edgeproxy.tasks import Tasks

__all__ = ["STARTING_AT_ONCE", "Pool"]

STARTING_AT_ONCE: Final = max(2, os.cpu_count() or 1)

_BRIEF_MS: Final = 1.0
"""A function that takes less is done before another environment would have woken up."""
_FORGETS: Final = 1.1
"""By so much is a short invocation longer with each that comes after it."""
_PAUSE_S: Final = 0.001
"""How long an invocation waits for one of the environments at work while none becomes free..."""
_LONGEST_PAUSE_S: Final = 0.01
"""...and while they do."""


class _Burst:
    """Invocations that began in the same turn of the event loop; ``ended`` when all of them had."""

    __slots__ = ("ended",)

    def __init__(self) -> None:
        self.ended = 0.0


class Pool:
    """Environments of one spec.

    ``ended`` is told each result, ``sink`` each log line.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        surroundings: Surroundings,
        tasks: Tasks,
        sink: Callable[[LogEntry], None],
        ended: Callable[[InvocationResult], None],
        turn: asyncio.Semaphore | None = None,
    ) -> None:
        """``turn`` is had by each environment while it lives; pools of a function share it."""
        self.spec = spec
        self._surroundings = surroundings
        self._tasks = tasks
        self._sink = sink
        self._ended = ended
        self._turn = turn
        self._all: set[Environment] = set()
        self._idle: list[Environment] = []
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._ending: set[asyncio.Task[None]] = set()
        self._starting = 0
        self._newest: asyncio.Future[InitFailed | None] | None = None
        """How the environment that began to start last has come out, while it has not."""
        self._retired = False
        self._loop = asyncio.get_running_loop()
        self._held: deque[tuple[float, Callable[[Environment | None], None]]] = deque()
        """Since when somebody waits for one of the environments at work."""
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0
        """When the timer is to ring."""
        self._moves = False
        """An invocation has ended since the timer was set."""
        self._least_ms = math.inf
        """What the shortest of the last invocations took."""
        self._burst: _Burst | None = None
        self._begun_in: dict[Environment, _Burst] = {}

    async def acquire(self) -> Environment:
        """An environment for one invocation; it comes back by itself when that has ended."""
        if (environment := self._take()) is not None:
            return environment
        turn: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._start_for_waiting()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(turn.result())
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    @property
    def is_warm(self) -> bool:
        """Whether an environment is free that has loaded the code."""
        return bool(self._idle) and self._idle[-1].warm

    def obtain(self, then: Callable[[Environment | None], None]) -> None:
        """As :meth:`acquire`: ``then`` is called with it; with None when the pool is closed."""
        if self._holds_back():
            self._held.append((self._loop.time(), then))
            if self._timer is None:
                self._set_timer()
        elif (environment := self._take()) is not None:
            self._note_burst(environment)
            then(environment)
        else:
            self._wait(then)

    def _note_burst(self, environment: Environment) -> None:
        """Of several that begin together the first ones wait until the last one has begun."""
        if len(self._all) - len(self._idle) >= STARTING_AT_ONCE:
            if self._burst is None:
                self._burst = _Burst()
                self._loop.call_soon(self._end_burst)
            self._begun_in[environment] = self._burst

    def _end_burst(self) -> None:
        if self._burst is not None:
            self._burst.ended = Clock.monotonic()
            self._burst = None

    def _took_ms(self, environment: Environment, result: InvocationResult) -> float:
        burst = self._begun_in.pop(environment, None)
        if not isinstance(result, Returned):
            return math.inf
        if burst is None or not burst.ended:
            return result.duration_ms
        return (environment.idle_since - burst.ended) * 1000

    def _wait(self, then: Callable[[Environment | None], None]) -> None:
        turn: asyncio.Future[Environment] = self._loop.create_future()
        turn.add_done_callback(lambda turn: then(None if turn.cancelled() else turn.result()))
        self._waiting.append(turn)
        self._start_for_waiting()

    def _holds_back(self) -> bool:
        """Whether an invocation is better off with one of the few environments at work."""
        return (
            self._least_ms < _BRIEF_MS
            and len(self._all) - len(self._idle) >= STARTING_AT_ONCE
            and not self._waiting
        )

    def _let_go(self) -> None:
        """Nobody is to wait for what takes its time."""
        now = self._loop.time()
        # Who rings late had no time to see whether any has become free.
        moves = self._moves or now - self._rings > _PAUSE_S
        oldest = now - _LONGEST_PAUSE_S if moves else math.inf
        self._moves = False
        self._timer = None
        while self._held and self._held[0][0] <= oldest:
            _, then = self._held.popleft()
            if (environment := self._take()) is not None:
                then(environment)
            else:
                self._wait(then)
        if self._held:
            self._set_timer()

    def _set_timer(self) -> None:
        self._rings = self._loop.time() + _PAUSE_S
        self._timer = self._loop.call_at(self._rings, self._let_go)

    async def load(self) -> InitFailed | None:
        """Start an environment unless one is starting; how its init failed, if it did."""
        if self._newest is not None:
            return await asyncio.shield(self._newest)
        return await self._start()

    async def _start(self) -> InitFailed | None:
        self._starting += 1
        if self._turn is not None:
            await self._turn.acquire()
        environment = Environment(self.spec, self._surroundings, self._sink, self._free)
        self._all.add(environment)
        newest = self._newest = asyncio.get_running_loop().create_future()
        try:
            failed = await environment.start()
            newest.set_result(failed)
        finally:
            newest.cancel()
            if self._newest is newest:
                self._newest = None
        self._starting -= 1
        if failed is not None and any(other.warm for other in self._all):
            # The code was changed for the worse: what has loaded it before goes on serving.
            self._discard([environment])
        else:
            self._give(environment)
            self._start_for_waiting()
        return failed

    def _start_for_waiting(self) -> None:
        if self._turn is not None and (self._all or self._starting):
            return
        while self._starting < min(len(self._waiting), STARTING_AT_ONCE):
            self._starting += 1  # counted now, since the task begins later
            _ = self._tasks.start(self._start_counted(), f"start environment of {self.spec.name}")

    async def _start_counted(self) -> None:
        self._starting -= 1
        if len(self._waiting) > self._starting:
            _ = await self._start()

    def _take(self) -> Environment | None:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].warm:
                return self._idle.pop(index)
        return self._idle.pop() if self._idle else None

    def _free(self, environment: Environment, result: InvocationResult) -> None:
        self._ended(result)
        self._moves = True
        took_ms = self._took_ms(environment, result)
        self._least_ms = min(took_ms, self._least_ms * _FORGETS)
        self._give(environment)

    def _give(self, environment: Environment) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(environment)
                return
        at_work = len(self._all) - len(self._idle) - 1
        if self._held and environment.warm and at_work < STARTING_AT_ONCE:
            _, then = self._held.popleft()
            then(environment)
        elif self._retired:
            self._discard([environment])
        else:
            self._idle.append(environment)

    def _discard(self, environments: list[Environment]) -> None:
        for environment in self._all.intersection(environments):
            self._all.remove(environment)
            name = f"end environment of {self.spec.name}"
            ending = self._tasks.start(self._close(environment), name)
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _close(self, environment: Environment) -> None:
        await environment.close()
        if self._turn is not None:
            self._turn.release()

    def discard_idle(self, before: float) -> None:
        """End environments that have been idle since before a moment of real time (LR-190)."""
        if self._turn is not None:
            return  # somebody's editor is attached
        old = [environment for environment in self._idle if environment.idle_since < before]
        self._idle = [environment for environment in self._idle if environment not in old]
        self._discard(old)

    def retire(self) -> None:
        """Let running invocations finish, then end all environments (LR-191)."""
        self._retired = True
        idle, self._idle = self._idle, []
        self._discard(idle)

    async def close(self) -> None:
        """End all environments at once; running invocations fail."""
        self._retired = True
        for turn in self._waiting:
            turn.cancel()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._held:
            self._held.popleft()[1](None)
        everything, self._all, self._idle = self._all, set(), []
        await asyncio.gather(*(environment.close() for environment in everything), *self._ending)

    @property
    def has_ended(self) -> bool:
        """Whether no environment is left."""
        return not (self._all or self._ending)

    def counts(self) -> tuple[int, int, int]:
        """How many environments are idle and warm, busy or starting, and idle without a process."""
        warm = sum(environment.warm for environment in self._idle)
        return warm, len(self._all) - len(self._idle), len(self._idle) - warm
