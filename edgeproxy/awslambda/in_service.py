"""How code comes into service: functions with the pools of their environments.

What it takes to run processes is imported with the first of them.

New code takes over only once it has loaded. Until then, and if it does not load, the last code
that did goes on serving; when there is none, each invocation tries to load it again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never

from edgeproxy.awslambda.concurrency import Concurrency
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.replicas import replica_spec
from edgeproxy.awslambda.routing import LATEST, find_version, provisioned_versions
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.invocation import (
    FunctionError,
    FunctionSpec,
    InitFailed,
    InvocationResult,
    LogEntry,
    LogRecord,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.runtimes.log_groups import LogGroups, NewestLines
from edgeproxy.runtimes.log_settings import log_group
from edgeproxy.runtimes.terminal import Terminal
from edgeproxy.tasks import Tasks

if TYPE_CHECKING:
    from edgeproxy.runtimes.pool import Pool
    from edgeproxy.runtimes.provisioned import ProvisionedPool
    from edgeproxy.runtimes.sandbox import Surroundings

__all__ = ["DeployFailed", "Deployed", "Function", "InService", "PoolKey"]

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
    log: Sequence[LogRecord]
    still_serving: bool
    """An earlier deployment goes on serving."""
    note: str = ""
    """As of :class:`Deployed`."""


PoolKey: TypeAlias = tuple[str, str]
"""A version, and the Region of a replica or nothing for the function itself."""


class Function:
    """A function in service: its definition, the pools of versions in use, its newest lines."""

    def __init__(self, definition: FunctionDefinition) -> None:
        self.definition = definition
        self.pools: dict[PoolKey, Pool] = {}
        self.provisioned: dict[str, ProvisionedPool] = {}
        """By version."""
        self.lines = NewestLines()
        self.last_error = ""
        self.has_loaded = False
        self.deploying = asyncio.Lock()
        self.turn = asyncio.Semaphore(1)
        """Had by the one environment of a function that is debugged."""

    @property
    def all_pools(self) -> "list[Pool | ProvisionedPool]":
        return [*self.pools.values(), *self.provisioned.values()]

    def note_end(self, result: InvocationResult) -> None:
        """Learn from how an invocation has ended."""
        match result:
            case Returned():
                self.has_loaded = True
            case FunctionError() | TimedOut() | InitFailed():
                self.last_error = _describe(result.document)
            case Throttled():
                pass  # never reached an environment
            case _:
                assert_never(result)


class InService:
    """The functions in service, by name. Has to be closed."""

    def __init__(
        self,
        clock: Clock,
        chance: Chance,
        tasks: Tasks,
        concurrency: Concurrency,
        log_groups: LogGroups,
        terminal: Terminal,
        most_provisioned: int | None,
    ) -> None:
        """``most_provisioned`` is how many environments a version gets of what it asks for."""
        self.functions: dict[str, Function] = {}
        self._clock = clock
        self._chance = chance
        self._tasks = tasks
        self._concurrency = concurrency
        self._log_groups = log_groups
        self._terminal = terminal
        self._most_provisioned = most_provisioned
        self._surroundings: Surroundings | None = None
        self._retired: list[Pool | ProvisionedPool] = []

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
        function = self.functions.get(name)
        if function is None:
            function = self.functions[name] = Function(definition)
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

    async def _interpreter_note(self, function: Function, definition: FunctionDefinition) -> str:
        from edgeproxy.runtimes.interpreters import find_interpreter

        try:
            # In a thread, since programs may have to be asked for their version.
            found = await asyncio.to_thread(find_interpreter, definition.spec.runtime)
        except DefinitionError:
            return ""  # the environment says so when it starts
        if found.note:
            function.lines.add(LogRecord(self._clock.now(), "", "platform", found.note))
        return found.note

    def _is_gone(self, function: Function) -> bool:
        """Whether it was removed while it was being deployed: nothing of it may stay."""
        return self.functions.get(function.definition.name) is not function

    async def _replace(
        self,
        function: Function,
        definition: FunctionDefinition,
        unchanged: bool,
        first: PoolKey,
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
            if not function.has_loaded:
                self._provision(function)  # which fails as well, and is there to be seen
            return DeployFailed(definition.name, failed.document, failed.log, function.has_loaded)
        if pools is not function.pools:
            function.pools = pools
            self._retire(old)
        function.definition = definition
        function.has_loaded = True
        function.last_error = ""
        self._concurrency.reserve(definition.name, definition.reserved_concurrency)
        self._provision(function, renew=not unchanged)
        return None

    def pool(self, function: Function, key: PoolKey) -> "Pool":
        """The environments on demand of one version or replica; none is started."""
        if key not in function.pools:
            function.pools[key] = self._new_pool(function, function.definition, key)
        return function.pools[key]

    def _provision(self, function: Function, *, renew: bool = False) -> None:
        """Have the provisioned environments that the definition wants (LI-129).

        ``renew`` is for code that has changed under an equal definition.
        """
        definition = function.definition
        wanted = provisioned_versions(definition)
        for version, pool in list(function.provisioned.items()):
            spec = _provisioned_spec(definition, version) if version in wanted else None
            if renew or pool.spec != spec:
                del function.provisioned[version]
                self._concurrency.provision(definition.name, version, 0)
                self._retire({version: pool})
        for version, amount in wanted.items():
            known = function.provisioned.get(version)
            if known is None:
                known = function.provisioned[version] = self._new_provisioned(function, version)
            most = self._most_provisioned
            known.resize(amount if most is None else min(amount, most))

    def _new_provisioned(self, function: Function, version: str) -> "ProvisionedPool":
        from edgeproxy.runtimes.provisioned import ProvisionedPool

        name = function.definition.name
        spec = _provisioned_spec(function.definition, version)
        group = log_group(spec.name, spec.log, edge=spec.edge)

        def left(result: InvocationResult) -> None:
            self._concurrency.leave_provisioned(name, version)
            function.note_end(result)

        def changed() -> None:
            if function.provisioned.get(version) is pool:
                self._concurrency.provision(name, version, pool.status.available)

        write = partial(self._write, function, group)
        pool = ProvisionedPool(spec, self._around(), self._tasks, write, left, changed)
        return pool

    def _new_pool(self, function: Function, definition: FunctionDefinition, key: PoolKey) -> "Pool":
        from edgeproxy.runtimes.pool import Pool

        name = definition.name
        spec = _spec_of(definition, key)
        group = log_group(spec.name, spec.log, edge=spec.edge)

        def left(result: InvocationResult) -> None:
            self._concurrency.leave(name)
            function.note_end(result)

        return Pool(
            spec,
            self._around(),
            self._tasks,
            partial(self._write, function, group),
            left,
            function.turn if spec.debug_port is not None else None,
        )

    def _around(self) -> "Surroundings":
        """What all environments share, made with the first of them."""
        if self._surroundings is None:
            import tempfile

            from edgeproxy.runtimes.sandbox import Surroundings
            from edgeproxy.runtimes.warden import Warden
            from edgeproxy.runtimes.zygotes import Zygotes

            folder = Path(tempfile.mkdtemp(prefix="edgeproxy-"))
            warden = Warden(folder)
            self._surroundings = Surroundings(
                self._clock, self._chance, warden, folder, self._terminal, Zygotes(warden)
            )
            _ = self._tasks.start(self._end_idle(), "end idle environments")
        return self._surroundings

    def put(self, definition: FunctionDefinition) -> None:
        """Serve this from the next invocation on, whether or not its code loads.

        Environments whose version is as it was go on serving.
        """
        function = self.functions.setdefault(definition.name, Function(definition))
        kept = {
            key: pool
            for key, pool in function.pools.items()
            if pool.spec == _spec_of(definition, key)
        }
        self._retire({key: pool for key, pool in function.pools.items() if key not in kept})
        function.pools, function.definition = kept, definition
        function.has_loaded = True  # AWS never goes back to earlier code by itself.
        self._concurrency.reserve(definition.name, definition.reserved_concurrency)
        self._provision(function)

    def _write(self, function: Function, group: str, line: LogEntry) -> None:
        function.lines.add(line)
        self._log_groups.write(group, line)

    def _retire(self, pools: "Mapping[Any, Pool | ProvisionedPool]") -> None:
        for pool in pools.values():
            pool.retire()
        self._retired = [pool for pool in (*self._retired, *pools.values()) if not pool.has_ended]

    async def _end_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_CHECK_S)
            before = self._clock.monotonic() - _IDLE_LIMIT_S
            for function in self.functions.values():
                for pool in function.pools.values():
                    pool.discard_idle(before)

    async def remove(self, name: str) -> None:
        """Take a function out of service. Running invocations finish."""
        function = self.functions.pop(name, None)
        if function is not None:
            self._retire(function.pools)
            for version in function.provisioned:
                self._concurrency.provision(name, version, 0)
            self._retire(function.provisioned)
            self._concurrency.reserve(name, None)

    async def close(self) -> None:
        """End all processes. Running invocations fail."""
        pools = [pool for function in self.functions.values() for pool in function.all_pools]
        self.functions = {}
        await asyncio.gather(*(pool.close() for pool in (*pools, *self._retired)))
        if self._surroundings is not None:
            if self._surroundings.zygotes is not None:
                self._surroundings.zygotes.close()
            self._surroundings.warden.close()


def _first_version(definition: FunctionDefinition, qualifier: str | None) -> str:
    if qualifier is not None:
        return find_version(definition, qualifier)
    return definition.versions[-1] if definition.versions else LATEST


def _spec_of(definition: FunctionDefinition, key: PoolKey) -> FunctionSpec:
    """What runs in the pool of ``key``."""
    version, region = key
    spec = definition.frozen.get(version, definition.spec)
    return replica_spec(replace(spec, version=version), region)


def _provisioned_spec(definition: FunctionDefinition, version: str) -> FunctionSpec:
    return replace(_spec_of(definition, (version, "")), provisioned=True)


def _describe(document: Mapping[str, object]) -> str:
    return f"{document.get('errorType', 'Error')}: {document.get('errorMessage', '')}"
