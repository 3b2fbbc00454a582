"""The Lambda service: functions are deployed here and invoked here, by whatever door.

New code takes over only once it has loaded. Until then, and if it does not load, the last code
that did goes on serving; when there is none, each invocation tries to load it again.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from edgeproxy.awslambda.concurrency import Concurrency, InFlight
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.replicas import replica_spec
from edgeproxy.awslambda.routing import (
    LATEST,
    FunctionNotFound,
    choose_version,
    find_version,
    qualified_arn,
)
from edgeproxy.awslambda.tracing import Tracing
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.interpreters import find_interpreter
from edgeproxy.runtimes.invocation import (
    FunctionError,
    FunctionSpec,
    InitFailed,
    Invocation,
    InvocationResult,
    LogRecord,
    ResponseSink,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.runtimes.log_groups import LogGroups, NewestLines
from edgeproxy.runtimes.log_settings import log_group
from edgeproxy.runtimes.pool import Pool
from edgeproxy.runtimes.sandbox import Surroundings
from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal
from edgeproxy.runtimes.warden import Warden
from edgeproxy.tasks import Tasks

__all__ = [
    "DeployFailed",
    "Deployed",
    "FunctionStatus",
    "LambdaService",
]

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
    note: str = ""
    """As of :class:`Deployed`."""


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


_PoolKey: TypeAlias = tuple[str, str]
"""A version, and the Region of a replica or nothing for the function itself."""


class _Function:
    """A deployed function: its definition, a pool for each version in use, its newest lines."""

    def __init__(self, definition: FunctionDefinition) -> None:
        self.definition = definition
        self.pools: dict[_PoolKey, Pool] = {}
        self.lines = NewestLines()
        self.last_error = ""
        self.has_loaded = False
        self.deploying = asyncio.Lock()
        self.turn = asyncio.Semaphore(1)
        """Had by the one environment of a function that is debugged."""


class LambdaService:
    """Runs the functions of one account in one region."""

    def __init__(
        self,
        clock: Clock,
        chance: Chance,
        tasks: Tasks,
        *,
        account_concurrency: int = 1000,
        log_groups: LogGroups | None = None,
        terminal: Terminal = NO_TERMINAL,
    ) -> None:
        """``terminal`` is where people debug functions that call ``breakpoint()``."""
        self._clock = clock
        self._chance = chance
        self._tasks = tasks
        self._tracing = Tracing(clock, chance)
        self._concurrency = Concurrency(account_concurrency)
        self._log_groups = log_groups or LogGroups()
        self._functions: dict[str, _Function] = {}
        self.on_entered: Callable[[str, InFlight], None] = lambda name, in_flight: None
        """Told how many invocations run as each one begins."""
        self._terminal = terminal
        self._surroundings: Surroundings | None = None
        self._retired: list[Pool] = []

    async def deploy(
        self,
        definition: FunctionDefinition,
        *,
        force: bool = False,
        qualifier: str | None = None,
        replica_region: str = "",
    ) -> Deployed | DeployFailed:
        """Bring a function into service; start the first environment of its code.

        A definition equal to the one in service changes nothing unless ``force`` says that files
        have changed. ``qualifier`` names the version to start, by default the newest;
        ``replica_region`` is as for :meth:`invoke`.
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
            version = _first_version(definition, qualifier)
            failed = await self._replace(function, definition, unchanged, (version, replica_region))
            return replace(failed, note=note) if failed is not None else Deployed(name, note)

    async def _interpreter_note(self, function: _Function, definition: FunctionDefinition) -> str:
        try:
            # In a thread, since programs may have to be asked for their version.
            found = await asyncio.to_thread(find_interpreter, definition.spec.runtime)
        except DefinitionError:
            return ""  # the environment says so when it starts
        if found.note:
            function.lines.add(LogRecord(self._clock.now(), "", "platform", found.note))
        return found.note

    def _is_gone(self, function: _Function) -> bool:
        """Whether it was removed while it was being deployed: nothing of it may stay."""
        return self._functions.get(function.definition.name) is not function

    async def _replace(
        self,
        function: _Function,
        definition: FunctionDefinition,
        unchanged: bool,
        first: _PoolKey,
    ) -> DeployFailed | None:
        """Start the new code beside the old; exchange them unless the old is the better."""
        in_use = {key for key in function.pools if key[0] in (LATEST, *definition.versions)}
        if definition.spec.debug_port is not None:
            # Only one process can have the debugger's port: the old code goes first.
            in_use, unchanged, function.has_loaded = set(), False, False
        old = function.pools
        # Nothing serves before the first deployment: invocations may wait for the new pools.
        pools = old if unchanged or not function.has_loaded else {}
        if not unchanged and pools is old:
            self._retire(old)
            function.pools = pools = {}
            function.definition = definition
        for key in {first} if unchanged else {first, *in_use}:
            if key not in pools:
                pools[key] = self._new_pool(function, definition, key)
        serving = function.definition
        try:
            results = await asyncio.gather(*(pool.load() for pool in list(pools.values())))
        except asyncio.CancelledError:
            if pools is not function.pools:
                self._retire(pools)
            raise
        if self._is_gone(function) or function.definition is not serving:
            # Something newer was put into service meanwhile, or nothing is wanted any more.
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

    def _new_pool(self, function: _Function, definition: FunctionDefinition, key: _PoolKey) -> Pool:
        if self._surroundings is None:
            folder = Path(tempfile.mkdtemp(prefix="edgeproxy-"))
            self._surroundings = Surroundings(
                self._clock, self._chance, Warden(folder), folder, self._terminal
            )
            _ = self._tasks.start(self._end_idle(), "end idle environments")
        spec = _spec_of(definition, key)
        group = log_group(spec.name, spec.log, edge=spec.edge)
        return Pool(
            spec,
            self._surroundings,
            self._tasks,
            partial(self._write, function, group),
            partial(self._ended, function),
            function.turn if spec.debug_port is not None else None,
        )

    def put(self, definition: FunctionDefinition) -> None:
        """Serve this from the next invocation on, whether or not its code loads.

        Environments whose version is as it was go on serving.
        """
        function = self._functions.setdefault(definition.name, _Function(definition))
        kept = {
            key: pool
            for key, pool in function.pools.items()
            if pool.spec == _spec_of(definition, key)
        }
        self._retire({key: pool for key, pool in function.pools.items() if key not in kept})
        function.pools, function.definition = kept, definition
        function.has_loaded = True  # AWS never goes back to earlier code by itself.
        self._concurrency.reserve(definition.name, definition.reserved_concurrency)

    def _write(self, function: _Function, group: str, line: LogRecord) -> None:
        function.lines.add(line)
        self._log_groups.write(group, line)

    def _retire(self, pools: Mapping[_PoolKey, Pool]) -> None:
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
        replica_region: str = "",
        sink: ResponseSink | None = None,
    ) -> InvocationResult:
        """Run a function on an event, given as JSON text in UTF-8.

        ``request_id`` is made up when the event names none itself. ``timeout_s`` shortens the
        function's own timeout. ``replica_region`` asks for Lambda@Edge's replica in that Region
        instead of the function itself. ``sink`` takes a streamed response. A caller that is
        cancelled leaves the function running. Raises :class:`FunctionNotFound`.
        """
        function = self._functions.get(name)
        if function is None:
            raise FunctionNotFound(
                f"Function not found: {name}:{qualifier or LATEST}", rule="LI-006"
            )
        definition = function.definition
        key = (choose_version(definition, qualifier, self._chance), replica_region)
        if definition.spec.debug_port is not None:
            key = next(iter(function.pools), key)  # its one environment runs whatever is asked for
        request_id = request_id or self._chance.uuid()
        if (reason := self._concurrency.enter(name)) is not None:
            return Throttled(request_id, reason)
        self.on_entered(name, self._concurrency.in_flight(name))
        pool = function.pools.get(key)
        if pool is None:
            pool = function.pools[key] = self._new_pool(function, definition, key)
        try:
            environment = await pool.acquire()
        except asyncio.CancelledError:
            self._concurrency.leave(name)
            raise
        return await environment.begin(
            Invocation(
                request_id,
                payload,
                qualified_arn(pool.spec.arn, qualifier),
                timeout_s,
                self._tracing.entered(trace_id, active=pool.spec.traced),
                client_context,
                sink=sink,
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
        return function.lines.newest(limit) if function is not None else []

    def definition(self, name: str) -> FunctionDefinition | None:
        """The function as it is in service; None when there is none."""
        function = self._functions.get(name)
        return function.definition if function is not None else None

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


def _first_version(definition: FunctionDefinition, qualifier: str | None) -> str:
    if qualifier is not None:
        return find_version(definition, qualifier)
    return definition.versions[-1] if definition.versions else LATEST


def _spec_of(definition: FunctionDefinition, key: _PoolKey) -> FunctionSpec:
    """What runs in the pool of ``key``."""
    version, region = key
    spec = definition.frozen.get(version, definition.spec)
    return replica_spec(replace(spec, version=version), region)


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
