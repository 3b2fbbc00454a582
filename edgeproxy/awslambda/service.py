"""The Lambda service: functions are deployed here and invoked here, by whatever door.

New code takes over only once it has loaded. Until then, and if it does not load, the last code
that did goes on serving; when there is none, each invocation tries to load it again.
"""

import asyncio
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from edgeproxy.awslambda.concurrency import Concurrency
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.routing import LATEST, FunctionNotFound, find_version, qualified_arn
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.environment import Surroundings
from edgeproxy.runtimes.interpreters import find_interpreter
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    Invocation,
    InvocationResult,
    LogRecord,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.runtimes.pool import Pool
from edgeproxy.runtimes.warden import Warden
from edgeproxy.tasks import Tasks

__all__ = [
    "DeployFailed",
    "Deployed",
    "FunctionStatus",
    "LambdaService",
]

_LINES_KEPT: Final = 1000
_IDLE_LIMIT_S: Final = 300.0
"""How long an environment may wait for work (LR-190)."""
_IDLE_CHECK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """The code has loaded and serves. ``note`` tells of an interpreter other than declared."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class DeployFailed:
    """The code does not load; ``document`` is the error, ``log`` what was written meanwhile."""

    name: str
    document: dict[str, object]
    log: tuple[LogRecord, ...]
    still_serving: bool
    """An earlier deployment goes on serving."""


@dataclass(frozen=True, slots=True)
class FunctionStatus:
    """A function as people want to see it. ``cold`` environments have lost their process."""

    name: str
    runtime: str
    handler: str
    versions: tuple[str, ...]
    aliases: Mapping[str, str]
    idle: int
    busy: int
    cold: int
    last_error: str


class _Function:
    """A deployed function: its definition, one pool for each version in use, its newest lines."""

    def __init__(self, definition: FunctionDefinition) -> None:
        self.definition = definition
        self.pools: dict[str, Pool] = {}
        self.lines: deque[LogRecord] = deque(maxlen=_LINES_KEPT)
        self.last_error = ""
        self.has_loaded = False
        self.deploying = asyncio.Lock()


class LambdaService:
    """Runs the functions of one account in one region."""

    def __init__(
        self,
        clock: Clock,
        chance: Chance,
        tasks: Tasks,
        *,
        account_concurrency: int = 1000,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._tasks = tasks
        self._concurrency = Concurrency(account_concurrency)
        self._functions: dict[str, _Function] = {}
        self._surroundings: Surroundings | None = None
        self._retired: list[Pool] = []

    async def deploy(
        self, definition: FunctionDefinition, *, force: bool = False, qualifier: str | None = None
    ) -> Deployed | DeployFailed:
        """Bring a function into service; start the first environment of its code.

        A definition equal to the one in service changes nothing unless ``force`` says that files
        have changed. ``qualifier`` names the version to start, by default the newest.
        """
        name = definition.name
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = _Function(definition)
            self._concurrency.reserve(name, definition.reserved_concurrency)
        async with function.deploying:
            unchanged = function.definition == definition and not force
            if unchanged and function.has_loaded:
                return Deployed(name)
            note = await self._interpreter_note(function, definition)
            if self._is_gone(function):
                return Deployed(name, note)
            failed = await self._replace(function, definition, unchanged, qualifier)
            return failed or Deployed(name, note)

    async def _interpreter_note(self, function: _Function, definition: FunctionDefinition) -> str:
        try:
            # In a thread, since programs may have to be asked for their version.
            found = await asyncio.to_thread(find_interpreter, definition.spec.runtime)
        except DefinitionError:
            return ""  # the environment says so when it starts
        if found.note:
            function.lines.append(LogRecord(self._clock.now(), "", "platform", found.note))
        return found.note

    def _is_gone(self, function: _Function) -> bool:
        """Whether it was removed while it was being deployed: nothing of it may stay."""
        return self._functions.get(function.definition.name) is not function

    async def _replace(
        self,
        function: _Function,
        definition: FunctionDefinition,
        unchanged: bool,
        qualifier: str | None,
    ) -> DeployFailed | None:
        """Start the new code beside the old; exchange them unless the old is the better."""
        if qualifier is None:
            first = definition.versions[-1] if definition.versions else LATEST
        else:
            first = find_version(definition, qualifier)
        in_use = function.pools.keys() & {LATEST, *definition.versions}
        old = function.pools
        # Nothing serves before the first deployment: invocations may wait for the new pools.
        pools = old if unchanged or not function.has_loaded else {}
        if not unchanged and pools is old:
            self._retire(old)
            function.pools = pools = {}
            function.definition = definition
        for version in {first} if unchanged else {first, *in_use}:
            if version not in pools:
                pools[version] = self._new_pool(function, definition, version)
        try:
            results = await asyncio.gather(*(pool.start() for pool in list(pools.values())))
        except asyncio.CancelledError:
            if pools is not function.pools:
                self._retire(pools)
            raise
        if self._is_gone(function):
            if pools is not function.pools:
                self._retire(pools)
            return None
        failed = next((result for result in results if result is not None), None)
        if failed is not None:
            function.last_error = _describe(failed.document)
            if pools is not function.pools:
                self._retire(pools)
            return DeployFailed(definition.name, failed.document, failed.log, function.has_loaded)
        if pools is not function.pools:
            function.pools = pools
            self._retire(old)
        function.definition = definition
        function.has_loaded = True
        function.last_error = ""
        self._concurrency.reserve(definition.name, definition.reserved_concurrency)
        return None

    def _new_pool(self, function: _Function, definition: FunctionDefinition, version: str) -> Pool:
        if self._surroundings is None:
            folder = Path(tempfile.mkdtemp(prefix="edgeproxy-"))
            self._surroundings = Surroundings(self._clock, self._chance, Warden(folder), folder)
            _ = self._tasks.start(self._end_idle(), "end idle environments")
        return Pool(
            replace(definition.spec, version=version),
            self._surroundings,
            self._tasks,
            function.lines.append,
            partial(self._ended, function),
        )

    def _retire(self, pools: Mapping[str, Pool]) -> None:
        for pool in pools.values():
            pool.retire()
        self._retired = [pool for pool in (*self._retired, *pools.values()) if not pool.has_ended]

    async def _end_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_CHECK_S)
            before = self._clock.monotonic() - _IDLE_LIMIT_S
            for function in self._functions.values():
                for pool in function.pools.values():
                    pool.discard_idle(before)

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        trace_id: str = "",
        client_context: str = "",
        request_id: str = "",
    ) -> InvocationResult:
        """Run a function on an event, given as JSON text in UTF-8.

        ``request_id`` is made up when the event names none itself. ``timeout_s`` shortens the
        function's own timeout. A caller that is cancelled leaves the function running. Raises
        :class:`FunctionNotFound`.
        """
        function = self._functions.get(name)
        if function is None:
            raise FunctionNotFound(
                f"Function not found: {name}:{qualifier or LATEST}", rule="LI-006"
            )
        definition = function.definition
        version = find_version(definition, qualifier)
        request_id = request_id or self._chance.uuid()
        if (reason := self._concurrency.enter(name)) is not None:
            return Throttled(request_id, reason)
        pool = function.pools.get(version)
        if pool is None:
            pool = function.pools[version] = self._new_pool(function, definition, version)
        try:
            environment = await pool.acquire()
        except asyncio.CancelledError:
            self._concurrency.leave(name)
            raise
        return await environment.begin(
            Invocation(
                request_id,
                payload,
                qualified_arn(definition.spec.arn, qualifier),
                timeout_s,
                trace_id,
                client_context,
            )
        )

    def _ended(self, function: _Function, result: InvocationResult) -> None:
        self._concurrency.leave(function.definition.name)
        match result:
            case Returned():
                function.has_loaded = True
            case FunctionError() | TimedOut() | InitFailed():
                function.last_error = _describe(result.document)
            case Throttled():
                pass  # never reached an environment
            case _:
                assert_never(result)

    def logs(self, name: str, limit: int = 100) -> list[LogRecord]:
        """The newest log lines of a function, oldest first; none for an unknown one."""
        function = self._functions.get(name)
        return list(function.lines)[-limit:] if function is not None and limit > 0 else []

    def describe(self) -> list[FunctionStatus]:
        """All functions."""
        return [_status(function) for function in self._functions.values()]

    async def remove(self, name: str) -> None:
        """Take a function out of service. Running invocations finish."""
        function = self._functions.pop(name, None)
        if function is not None:
            self._retire(function.pools)
            self._concurrency.reserve(name, None)

    async def close(self) -> None:
        """End all processes. Running invocations fail."""
        pools = [pool for function in self._functions.values() for pool in function.pools.values()]
        self._functions = {}
        await asyncio.gather(*(pool.close() for pool in (*pools, *self._retired)))
        if self._surroundings is not None:
            self._surroundings.warden.close()


def _describe(document: Mapping[str, object]) -> str:
    return f"{document.get('errorType', 'Error')}: {document.get('errorMessage', '')}"


def _status(function: _Function) -> FunctionStatus:
    definition = function.definition
    counts = [pool.counts() for pool in function.pools.values()]
    return FunctionStatus(
        definition.name,
        definition.spec.runtime,
        definition.spec.handler,
        definition.versions,
        definition.aliases,
        sum(idle for idle, _, _ in counts),
        sum(busy for _, busy, _ in counts),
        sum(cold for _, _, cold in counts),
        function.last_error,
    )
