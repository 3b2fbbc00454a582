"""The execution environments of one version of a function.

Who needs one gets the warm one that was used last. When all are busy another is started, and the
caller takes whichever comes first: the new one, or one that becomes free. Only a few start at the
same time, so that a burst of requests does not become a burst of processes.

A function that is debugged has one environment and one only: its callers wait for each other.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from edgeproxy.runtimes.environment import Environment
from edgeproxy.runtimes.invocation import FunctionSpec, InitFailed, InvocationResult, LogEntry
from edgeproxy.runtimes.sandbox import Surroundings
from edgeproxy.tasks import Tasks

__all__ = ["STARTING_AT_ONCE", "Pool"]

STARTING_AT_ONCE: Final = max(2, os.cpu_count() or 1)


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

    def take_warm(self) -> Environment | None:
        """As :meth:`acquire`, if that need not wait for anything."""
        if self._idle and self._idle[-1].warm:
            return self._idle.pop()
        return None

    def give_back(self, environment: Environment) -> None:
        """It was not needed after all."""
        self._give(environment)

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
        self._give(environment)

    def _give(self, environment: Environment) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(environment)
                return
        if self._retired:
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
