"""The Lambda service: functions are deployed here and invoked here, by whatever door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edgeproxy.awslambda.concurrency import Concurrency, InFlight
from edgeproxy.awslambda.in_service import Deployed, DeployFailed, Function, InService
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.routing import (
    LATEST,
    FunctionNotFound,
    choose_version,
    find_version,
    qualified_arn,
)
from edgeproxy.awslambda.stickiness import StickyBy
from edgeproxy.awslambda.tracing import Tracing
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.http.messages import Request
from edgeproxy.runtimes.invocation import (
    Invocation,
    InvocationResult,
    LogRecord,
    ResponseSink,
    Throttled,
)
from edgeproxy.runtimes.log_groups import LogGroups
from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal
from edgeproxy.tasks import Tasks

if TYPE_CHECKING:
    from edgeproxy.runtimes.environment import Environment
    from edgeproxy.runtimes.provisioned import ProvisionedStatus

__all__ = ["DeployFailed", "Deployed", "FunctionStatus", "LambdaService"]


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


class LambdaService:
    """Runs the functions of one account in one region."""

    def __init__(
        self,
        clock: Clock,
        chance: Chance,
        tasks: Tasks,
        *,
        account_concurrency: int = 1000,
        provisioned_concurrency: int | None = None,
        request_rate: int | None = None,
        scaling_rate: int | None = None,
        sticky_by: StickyBy | None = None,
        log_groups: LogGroups | None = None,
        terminal: Terminal = NO_TERMINAL,
    ) -> None:
        """``request_rate`` and ``scaling_rate`` are as for :class:`Concurrency`.

        ``provisioned_concurrency`` is the most that any version gets of what it asks for.
        ``terminal`` is where people debug functions that call ``breakpoint()``.
        """
        self._chance = chance
        self._sticky_by = sticky_by
        self._tracing = Tracing(clock, chance)
        self._concurrency = Concurrency(
            account_concurrency, request_rate=request_rate, scaling_rate=scaling_rate
        )
        self._in_service = InService(
            clock,
            chance,
            tasks,
            self._concurrency,
            log_groups or LogGroups(),
            terminal,
            provisioned_concurrency,
        )
        self.on_entered: Callable[[str, str, InFlight], None] = lambda name, qualifier, in_flight: (
            None
        )
        """Told of a function and qualifier, and how many invocations run, as each one begins."""
        self.on_extensions: Callable[[str, str, float], None] = lambda name, qualifier, ms: None
        """Told how long extensions went on after the function had answered."""

    async def deploy(
        self,
        definition: FunctionDefinition,
        *,
        force: bool = False,
        qualifier: str | None = None,
        replica_region: str = "",
    ) -> Deployed | DeployFailed:
        """As :meth:`InService.deploy`."""
        return await self._in_service.deploy(
            definition, force=force, qualifier=qualifier, replica_region=replica_region
        )

    def put(self, definition: FunctionDefinition) -> None:
        """As :meth:`InService.put`."""
        self._in_service.put(definition)

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        trace_id: str = "",
        client_context: str = "",
        tenant_id: str = "",
        request_id: str = "",
        replica_region: str = "",
        sink: ResponseSink | None = None,
        request: Request | None = None,
    ) -> InvocationResult:
        """Run a function on an event, given as JSON text in UTF-8.

        ``request_id`` is made up when the event names none itself. ``timeout_s`` shortens the
        function's own timeout. ``tenant_id`` is for its context. ``replica_region`` asks for
        Lambda@Edge's replica in that Region instead of the function itself. ``sink`` takes a
        streamed response. ``request`` is what the invocation answers, where aliases draw by it. A
        caller that is cancelled leaves the function running. Raises :class:`FunctionNotFound`.
        """
        function = self._in_service.functions.get(name)
        if function is None:
            raise FunctionNotFound(
                f"Function not found: {name}:{qualifier or LATEST}", rule="LI-006"
            )
        definition = function.definition
        sticky = self._sticky_by.value(request) if self._sticky_by and request else ""
        played = request.viewer.played if request else None
        wanted = played.version_of(name) if played else ""
        version = choose_version(definition, qualifier, self._chance, sticky, wanted)
        key = (version, replica_region)
        if definition.spec.debug_port is not None:
            key = next(iter(function.pools), key)  # its one environment runs whatever is asked for
        request_id = request_id or self._chance.uuid()
        entered = self._provisioned_environment(function, key[0], qualifier) if not key[1] else None
        if entered is None:
            version = key[0] if key[0] in function.provisioned and not key[1] else ""
            if (refusal := self._concurrency.enter(name)) is not None:
                return Throttled(request_id, refusal.reason, refusal.retry_after_s)
            in_flight = self._concurrency.in_flight(name, version, spilled=True)
            self.on_entered(name, qualifier, in_flight)
            try:
                entered = await self._in_service.pool(function, key).acquire()
            finally:
                if entered is None:  # cancelled, or there is no room for the first environment
                    self._concurrency.leave(name)
        spec = entered.spec
        return await entered.begin(
            Invocation(
                request_id,
                payload,
                qualified_arn(spec.arn, qualifier),
                timeout_s,
                self._tracing.entered(trace_id, active=spec.traced),
                client_context,
                tenant_id=tenant_id,
                sink=sink,
                extensions_took=partial(self.on_extensions, name, qualifier),
            )
        )

    def begin(
        self,
        name: str,
        payload: bytes,
        then: Callable[[InvocationResult | None], None],
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        replica_region: str = "",
    ) -> bool:
        """Run a function as :meth:`invoke` does, if there is nothing to be waited for; ``then`` is
        called with the result, with None when the function is taken out of service before it can
        run. False: nothing has happened, and :meth:`invoke` knows why."""
        function = self._in_service.functions.get(name)
        if function is None:
            return False
        definition = function.definition
        debugged = definition.spec.debug_port is not None
        if debugged or definition.weights or (function.provisioned and not replica_region):
            return False
        try:
            version = find_version(definition, qualifier)
        except FunctionNotFound:
            return False
        pool = function.pools.get((version, replica_region))
        if pool is None or not pool.is_warm or self._concurrency.enter(name) is not None:
            return False
        spec = pool.spec
        invocation = Invocation(
            self._chance.uuid(),
            payload,
            qualified_arn(spec.arn, qualifier),
            timeout_s,
            self._tracing.entered("", active=spec.traced),
            extensions_took=partial(self.on_extensions, name, qualifier),
        )
        self.on_entered(name, qualifier, self._concurrency.in_flight(name, spilled=True))

        def run(environment: "Environment | None") -> None:
            if environment is None:
                self._concurrency.leave(name)
                then(None)
            else:
                environment.run(invocation, then)

        pool.obtain(run)
        return True

    def _provisioned_environment(
        self, function: Function, version: str, qualifier: str
    ) -> "Environment | None":
        """A provisioned environment of the version, if it has one that is free (LI-130)."""
        pool, name = function.provisioned.get(version), function.definition.name
        if pool is None or not self._concurrency.may_enter_provisioned(name, version):
            return None
        environment = pool.take()
        if environment is not None:
            self._concurrency.enter_provisioned(name, version)
            self.on_entered(name, qualifier, self._concurrency.in_flight(name, version))
        return environment

    def provisioned(self, name: str, qualifier: str) -> "ProvisionedStatus | None":
        """How far the provisioned environments of a version or alias have come; None for none."""
        function = self._in_service.functions.get(name)
        if function is None:
            return None
        pool = function.provisioned.get(find_version(function.definition, qualifier))
        return pool.status if pool is not None else None

    def logs(self, name: str, limit: int = 100) -> list[LogRecord]:
        """The newest log lines of a function, oldest first; none for an unknown one."""
        function = self._in_service.functions.get(name)
        return function.lines.newest(limit) if function is not None else []

    def definition(self, name: str) -> FunctionDefinition | None:
        """The function as it is in service; None when there is none."""
        function = self._in_service.functions.get(name)
        return function.definition if function is not None else None

    def describe(self) -> list[FunctionStatus]:
        """All functions."""
        return [_status(function) for function in self._in_service.functions.values()]

    async def remove(self, name: str) -> None:
        """Take a function out of service. Running invocations finish."""
        await self._in_service.remove(name)

    async def close(self) -> None:
        """End all processes. Running invocations fail."""
        await self._in_service.close()


def _status(function: Function) -> FunctionStatus:
    definition = function.definition
    counts = [pool.counts() for pool in function.all_pools]
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
