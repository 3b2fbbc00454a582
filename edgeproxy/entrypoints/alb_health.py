"""Health checks of target groups, and which targets get requests (AL-120 to AL-125).

Checks run at their interval in real time. A function is checked by an ordinary invocation, an
HTTP target by an ordinary request. If no target of a group is healthy, all are used.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.entrypoints.invoking import Invoker
from edgeproxy.errors import EdgeproxyError
from edgeproxy.events.alb import Malformed, decode_result
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Handler, Request
from edgeproxy.loadbalancing.model import HealthCheck, LoadBalancer, TargetGroup
from edgeproxy.origins.errors import OriginFailure
from edgeproxy.runtimes.invocation import Returned
from edgeproxy.tasks import Tasks

__all__ = ["HealthChecks", "TargetHealth", "TargetState", "health_check_event"]

_AGENT: Final = "ELB-HealthChecker/2.0"


class TargetState(StrEnum):
    """Those of AL-124 that targets come to here: they are neither unused nor deregistered."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """A target's state as DescribeTargetHealth tells it."""

    state: TargetState
    reason: str = ""
    description: str = ""


_DISABLED: Final = TargetHealth(
    TargetState.UNAVAILABLE, "Target.HealthCheckDisabled", "Health checks are disabled"
)
_REGISTERED: Final = TargetHealth(
    TargetState.INITIAL, "Elb.RegistrationInProgress", "Target registration is in progress"
)
_CHECKING: Final = TargetHealth(
    TargetState.INITIAL, "Elb.InitialHealthChecking", "Initial health checks in progress"
)
_HEALTHY: Final = TargetHealth(TargetState.HEALTHY)


@dataclass(slots=True)
class _Checked:
    """A target under checks: what came of them so far."""

    health: TargetHealth = _REGISTERED
    successes: int = 0
    failures: int = 0

    def note(self, check: HealthCheck, failure: TargetHealth | None) -> None:
        """Count one check; a new target needs one success to be healthy (AL-123)."""
        if failure is None:
            self.successes, self.failures = self.successes + 1, 0
            if self.health.state is TargetState.INITIAL or self.successes >= check.healthy_count:
                self.health = _HEALTHY
            return
        self.successes, self.failures = 0, self.failures + 1
        if self.failures >= check.unhealthy_count:
            self.health = failure
        elif self.health is _REGISTERED:
            self.health = _CHECKING


class HealthChecks:
    """Checks the targets of the groups given last. Has to be closed.

    ``target`` gives the Handler of an HTTP target, named ``host:port``; ``tell`` hears of each
    change of a target's health.
    """

    def __init__(
        self, service: Invoker, target: Callable[[str], Handler], tell: Callable[[str], None]
    ) -> None:
        self._service = service
        self._target = target
        self._tell = tell
        self._groups: dict[str, TargetGroup] = {}
        self._checked: dict[str, dict[str, _Checked]] = {}
        self._running: dict[str, list[asyncio.Task[None]]] = {}
        self._tasks = Tasks()

    def apply(self, balancers: Iterable[LoadBalancer]) -> None:
        """Check the groups of ``balancers`` from now on; one that has not changed goes on."""
        groups = {group.arn: group for each in balancers for group in each.target_groups.values()}
        for arn, group in self._groups.items():
            if groups.get(arn) != group:
                for task in self._running.pop(arn, ()):
                    task.cancel()
                del self._checked[arn]
        changed = [group for arn, group in groups.items() if self._groups.get(arn) != group]
        self._groups = groups
        for group in changed:
            self._checked[group.arn] = {name: _Checked() for name in _targets(group)}
            if group.health_check is not None:
                self._running[group.arn] = [
                    self._tasks.start(
                        self._keep_checking(group, group.health_check, name, checked),
                        f"health checks of {group.logical_id}",
                    )
                    for name, checked in self._checked[group.arn].items()
                ]

    def health(self, group: TargetGroup) -> dict[str, TargetHealth]:
        """Each target's health, by the function's name or the target's address."""
        if group.health_check is None:
            return dict.fromkeys(_targets(group), _DISABLED)
        checked = self._checked.get(group.arn, {})
        return {name: checked[name].health for name in _targets(group) if name in checked}

    def usable(self, group: TargetGroup) -> tuple[str, ...]:
        """The addresses that get requests: the healthy ones, or all when none is (AL-123)."""
        healthy = tuple(
            name
            for name, health in self.health(group).items()
            if health.state in (TargetState.HEALTHY, TargetState.UNAVAILABLE)
        )
        return healthy or group.targets

    async def close(self) -> None:
        """End all checks."""
        await self._tasks.close()

    async def _keep_checking(
        self, group: TargetGroup, check: HealthCheck, name: str, checked: _Checked
    ) -> None:
        while True:
            before = checked.health.state
            checked.note(check, await self._failure(group, check, name))
            health = checked.health
            if health.state is not before:
                why = f": {health.description} ({health.reason})" if health.reason else ""
                self._tell(f"target group {group.logical_id}: {name} is {health.state}{why}")
            await asyncio.sleep(check.interval_s)

    async def _failure(
        self, group: TargetGroup, check: HealthCheck, name: str
    ) -> TargetHealth | None:
        """What is wrong with a target; None when its answer is the one that is expected."""
        try:
            async with asyncio.timeout(check.timeout_s):
                if group.function:
                    status = await self._status_of_function(group, check)
                else:
                    status = await self._status_of_address(check, name)
        except TimeoutError:
            return _unhealthy("Target.Timeout", "Request timed out")
        except (OriginFailure, EdgeproxyError) as error:
            return _unhealthy("Target.FailedHealthChecks", str(error))
        if status is None:
            return _unhealthy("Target.FailedHealthChecks", "Health checks failed")
        if not any(first <= status <= last for first, last in check.matcher):
            message = f"Health checks failed with these codes: [{status}]"
            return _unhealthy("Target.ResponseCodeMismatch", message)
        return None

    async def _status_of_function(self, group: TargetGroup, check: HealthCheck) -> int | None:
        payload = health_check_event(group, check)
        try:
            result = await self._service.invoke(group.function, payload, qualifier=group.qualifier)
        except FunctionNotFound:
            return None
        if not isinstance(result, Returned):
            return None
        decoded = decode_result(result.payload, multi_value=group.multi_value_headers)
        return None if isinstance(decoded, Malformed) else decoded.response.status

    async def _status_of_address(self, check: HealthCheck, address: str) -> int:
        host, _, port = address.rpartition(":")
        address = f"{host}:{check.port or port}"
        path, mark, query = check.path.partition("?")
        headers = Headers(
            [
                ("Host", address),
                ("Connection", "close"),
                ("User-Agent", _AGENT),
                ("Accept-Encoding", "gzip, compressed"),
            ]
        )
        request = Request("GET", path, query if mark else None, headers=headers)
        response = await self._target(address)(request)
        await response.body.close()
        return response.status


def health_check_event(group: TargetGroup, check: HealthCheck) -> bytes:
    """The event of a function's health check (AL-121)."""
    event: dict[str, object] = {
        "requestContext": {"elb": {"targetGroupArn": group.arn}},
        "httpMethod": "GET",
        "path": check.path,
    }
    if group.multi_value_headers:  # UNSURE (AL-121)
        event["multiValueQueryStringParameters"] = {}
        event["multiValueHeaders"] = {"user-agent": [_AGENT]}
    else:
        event["queryStringParameters"] = {}
        event["headers"] = {"user-agent": _AGENT}
    return orjson.dumps({**event, "body": "", "isBase64Encoded": False})


def _targets(group: TargetGroup) -> tuple[str, ...]:
    return (group.function,) if group.function else group.targets


def _unhealthy(reason: str, description: str) -> TargetHealth:
    return TargetHealth(TargetState.UNHEALTHY, reason, description)
