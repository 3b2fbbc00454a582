"""A number of environments that are started ahead of traffic and kept: provisioned concurrency.

They are never ended for being idle, and one that ends is replaced. When none is free the caller
does not wait: it goes to an environment on demand. A start that fails is not tried again before the
code or the number changes, so that broken code does not start processes without end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edgeproxy.runtimes.environment import Environment
from edgeproxy.runtimes.invocation import FunctionSpec, InvocationResult, LogEntry
from edgeproxy.runtimes.pool import STARTING_AT_ONCE
from edgeproxy.runtimes.sandbox import Surroundings
from edgeproxy.tasks import Tasks

__all__ = ["ProvisionedPool", "ProvisionedState", "ProvisionedStatus"]

_INIT_FAILURE: Final = "FUNCTION_ERROR_INIT_FAILURE"
_SHORTEST_LIFE_S: Final = 1.0
"""A process that has loaded the code and ends before that has failed."""


class ProvisionedState(StrEnum):
    """Values of ``Status``."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ProvisionedStatus:
    """How far a pool has come. ``reason`` is AWS's word for why it has failed."""

    wanted: int
    available: int
    """Environments that have loaded the code, whether or not they are busy."""
    state: ProvisionedState
    reason: str = ""


class ProvisionedPool:
    """The provisioned environments of one version.

    ``ended`` is told each result, ``sink`` each log line, ``changed`` when there are more or less
    environments than before.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        surroundings: Surroundings,
        tasks: Tasks,
        sink: Callable[[LogEntry], None],
        ended: Callable[[InvocationResult], None],
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self._surroundings = surroundings
        self._tasks = tasks
        self._sink = sink
        self._ended = ended
        self._changed = changed
        self._wanted = 0
        self._all: set[Environment] = set()
        self._idle: list[Environment] = []
        self._unused: set[Environment] = set()
        self._starting = 0
        self._ending: set[asyncio.Task[None]] = set()
        self._was_ready = False
        self._reason = ""

    @property
    def status(self) -> ProvisionedStatus:
        available = sum(environment.warm for environment in self._all)
        if self._reason:
            state = ProvisionedState.FAILED
        elif self._was_ready:
            state = ProvisionedState.READY  # also while one is replaced
        else:
            state = ProvisionedState.IN_PROGRESS
        return ProvisionedStatus(self._wanted, available, state, self._reason)

    def resize(self, wanted: int) -> None:
        """Keep that many environments from now on."""
        if wanted == self._wanted:
            return
        self._wanted, self._reason, self._was_ready = wanted, "", False
        while len(self._all) > wanted and self._idle:
            self._discard(self._idle.pop())
        self._fill()

    def take(self) -> Environment | None:
        """An environment for one invocation, if one is free; it comes back by itself."""
        if not self._idle:
            return None
        environment = self._idle.pop()
        self._unused.discard(environment)
        return environment

    def retire(self) -> None:
        """Let running invocations finish, then end all environments (LR-191)."""
        self._wanted = 0
        while self._idle:
            self._discard(self._idle.pop())
        self._changed()

    async def close(self) -> None:
        """End all environments at once; running invocations fail."""
        self._wanted = 0
        everything, self._all, self._idle = self._all, set(), []
        await asyncio.gather(*(environment.close() for environment in everything), *self._ending)

    @property
    def has_ended(self) -> bool:
        """Whether no environment is left."""
        return not (self._all or self._ending)

    def counts(self) -> tuple[int, int, int]:
        """How many environments are idle, busy or starting, and idle without a process."""
        return len(self._idle), len(self._all) - len(self._idle), 0

    def _fill(self) -> None:
        """Start what is missing, a few at a time; notice when nothing is."""
        while (
            not self._reason and len(self._all) < self._wanted and self._starting < STARTING_AT_ONCE
        ):
            environment = Environment(
                self.spec, self._surroundings, self._sink, self._freed, self._lost
            )
            self._all.add(environment)
            self._starting += 1
            name = f"provision environment of {self.spec.name}"
            _ = self._tasks.start(self._start(environment), name)
        if not (self._starting or self._reason):
            self._was_ready = True
        self._changed()

    async def _start(self, environment: Environment) -> None:
        try:
            failed = await environment.start()
        finally:
            self._starting -= 1
        if environment not in self._all:
            return  # everything was ended meanwhile
        if failed is None and environment.warm:
            self._unused.add(environment)
        elif len(self._all) <= self._wanted:
            self._reason = _INIT_FAILURE
        self._keep(environment)
        self._fill()

    def _freed(self, environment: Environment, result: InvocationResult) -> None:
        self._ended(result)
        self._keep(environment)

    def _lost(self, environment: Environment) -> None:
        if environment not in self._idle:
            return
        self._idle.remove(environment)
        life_s = self._surroundings.clock.monotonic() - environment.idle_since
        if environment in self._unused and life_s < _SHORTEST_LIFE_S:
            self._reason = _INIT_FAILURE
        self._keep(environment)

    def _keep(self, environment: Environment) -> None:
        """Let the next invocation have it; or end it and start another, if one is missing then."""
        if environment.warm and len(self._all) <= self._wanted:
            self._idle.append(environment)
        elif environment in self._all:
            self._discard(environment)
            self._fill()

    def _discard(self, environment: Environment) -> None:
        self._all.remove(environment)
        self._unused.discard(environment)
        name = f"end environment of {self.spec.name}"
        ending = self._tasks.start(environment.close(), name)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
