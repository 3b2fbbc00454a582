"""Deployments: an alias moves to a new version in CodeDeploy's steps, on the edge's clock.

The alias keeps the old version and gives the new one a growing share; in the end it names the new
version alone (LI-295). Functions may judge before and after; they report to CodeDeploy's API within
an hour. A hook that fails and an alarm bring the old version back (LI-296).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.packages import frozen_copy, package_of
from edgeproxy.awslambda.resources import FunctionResource, Version
from edgeproxy.awslambda.shifting import DeploymentPreference
from edgeproxy.errors import EdgeproxyError
from edgeproxy.tasks import Tasks

__all__ = ["Deployment", "Deployments", "Hook", "Status"]

_HOOK_S: Final = 3600.0
"""How long a hook may take to report."""
_ID_LETTERS: Final = 9


class Status(StrEnum):
    """Of a deployment and of its lifecycle events, in CodeDeploy's words."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    STOPPED = "Stopped"


@dataclass(slots=True)
class Hook:
    """One lifecycle event that a function judges. ``function`` is its name or ARN, or nothing."""

    name: str
    function: str
    execution_id: str
    status: Status = Status.PENDING


@dataclass(slots=True)
class Deployment:
    """An alias on its way from one version to another."""

    id: str
    function: str
    preference: DeploymentPreference
    old: str
    new: str
    created_s: float
    before: Hook
    after: Hook
    status: Status = Status.IN_PROGRESS
    share: float = 0.0
    """The new version's, from 0 to 1."""
    ending: Status | None = None
    """What the status will be as soon as all is rolled back; ``why`` says what for."""
    why: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class _Ended(Exception):
    """The deployment must not go on."""


class Deployments:
    """The deployments of an account's functions, and the alarms that may stop them."""

    def __init__(
        self,
        account: LambdaAccount,
        tell: Callable[[str], None],
        notice: Callable[[str], None],
    ) -> None:
        """``notice`` hears of each step, ``tell`` of what is rolled back."""
        self.all: dict[str, Deployment] = {}
        self.alarms: dict[str, str] = {}
        """The state of each alarm that was ever set: ``OK``, ``ALARM`` …"""
        self._account = account
        self._tell = tell
        self._notice = notice
        self._tasks = Tasks()
        self._publishing: dict[str, asyncio.Lock] = {}
        self._running: dict[str, tuple[Deployment, asyncio.Task[None]]] = {}
        self._unwatch: Callable[[], None] | None = None

    # versions

    async def deploy(
        self,
        definition: FunctionDefinition,
        load: Callable[[FunctionDefinition], Awaitable[bool]],
    ) -> bool:
        """Bring the code as it lies now into service; whether it runs.

        What has changed is loaded, and published as a version to which the alias begins to move.
        The first version takes the place of the one that the definition names.
        """
        async with self._publishing.setdefault(definition.name, asyncio.Lock()):
            function, preference = self._function(definition), definition.deployment
            if function is None or preference is None or not await load(function.definition()):
                return False
            version = await self._next_version(function, preference)
            if version is None or (function := self._function(definition)) is None:
                return True
            number = version.spec.version
            old = function.aliases[preference.alias]["FunctionVersion"]
            function.published[number] = version
            function.last_version = max(function.last_version, int(number))
            self._account.put(function)
            if old != number:
                self._begin(function, preference, old, number)
            return True

    def _function(self, definition: FunctionDefinition) -> FunctionResource | None:
        """What there is under this definition; None when it is not the newest."""
        function = self._account.functions.get(definition.name)
        return function if function is not None and function.declared == definition else None

    async def _next_version(
        self, function: FunctionResource, preference: DeploymentPreference
    ) -> Version | None:
        """The version to publish; None when nothing has changed since the last one."""
        latest = function.latest
        package = await asyncio.to_thread(package_of, latest.spec.code_root)
        copied = [int(number) for number, each in function.published.items() if each.code_sha256]
        number = function.aliases[preference.alias]["FunctionVersion"]
        if copied:
            newest = function.published[str(max(copied))]
            is_same = not preference.all_properties or _settings(newest) == _settings(latest)
            if newest.code_sha256 == package.sha256 and is_same:
                return None
            number = str(function.last_version + 1)
        # Copied, so that no edit reaches the version.
        package = await asyncio.to_thread(frozen_copy, package, self._account.code_folder)
        return replace(
            latest,
            spec=replace(latest.spec, version=number, code_root=package.folder),
            revision_id=self._account.chance.uuid(),
            modified_s=self._account.clock.now(),
            code_sha256=package.sha256,
            code_size=package.size,
        )

    def _begin(
        self, function: FunctionResource, preference: DeploymentPreference, old: str, new: str
    ) -> None:
        chance = self._account.chance
        before, after = (
            Hook(name, hook, chance.uuid(), Status.PENDING if hook else Status.SKIPPED)
            for name, hook in (
                ("BeforeAllowTraffic", preference.before),
                ("AfterAllowTraffic", preference.after),
            )
        )
        deployment = Deployment(
            f"d-{chance.hex(_ID_LETTERS).upper()}",
            function.name,
            preference,
            old,
            new,
            self._account.clock.now(),
            before,
            after,
        )
        self.all[deployment.id] = deployment
        earlier = self._running.get(function.name)
        if earlier is not None:
            self._stop(earlier[0], f"version {new} came", Status.STOPPED)
        if self._unwatch is None:
            loop = asyncio.get_running_loop()

            def moved() -> None:
                # Whoever moves the clock may do so in another thread.
                loop.call_soon_threadsafe(self._wake)

            self._unwatch = self._account.clock.watch(moved)
        work = self._run(deployment, earlier[1] if earlier is not None else None)
        task = self._tasks.start(work, f"deployment {deployment.id}")
        self._running[function.name] = (deployment, task)

    # what others say

    def set_alarm(self, name: str, state: str) -> None:
        """An alarm has this state from now on; ``ALARM`` stops the deployments that watch it."""
        self.alarms[name] = state
        for deployment in self.all.values():
            if name in deployment.preference.alarms and state == "ALARM":
                self._stop(deployment, f"the alarm {name} is in the state ALARM", Status.STOPPED)

    def report(self, deployment: Deployment, hook: Hook, status: Status) -> None:
        """A hook's function has said how it went."""
        hook.status = status
        deployment.changed.set()

    def _stop(self, deployment: Deployment, why: str, status: Status) -> None:
        if deployment.status is Status.IN_PROGRESS and deployment.ending is None:
            deployment.ending, deployment.why = status, why
            deployment.changed.set()

    # the steps

    async def _run(self, deployment: Deployment, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        preference = deployment.preference
        what = f"deployment {deployment.id} of {deployment.function}:{preference.alias}"
        self._notice(f"{what}: {deployment.old} to {deployment.new} by {preference.config}")
        try:
            for alarm in preference.alarms:
                self.set_alarm(alarm, self.alarms.get(alarm, "OK"))
            await self._until(deployment, 0)
            await self._judge(deployment, deployment.before)
            began_s = self._account.clock.now()
            for after_s, share in preference.routing.steps():
                await self._until(deployment, began_s + after_s)
                self._route(deployment, share)
                self._notice(f"{what}: {share:.0%} to {deployment.new}")
            await self._judge(deployment, deployment.after)
            deployment.status = Status.SUCCEEDED
            self._notice(f"{what}: succeeded")
        except _Ended:
            if self._is_there(deployment):
                self._route(deployment, 0)
            deployment.status = deployment.ending or Status.FAILED
            self._tell(f"{what}: {deployment.why}; rolled back to {deployment.old}")

    async def _judge(self, deployment: Deployment, hook: Hook) -> None:
        if not hook.function:
            return
        name, _, qualifier = hook.function.rpartition(":function:")[2].partition(":")
        hook.status = Status.IN_PROGRESS
        event = {
            "DeploymentId": deployment.id,
            "LifecycleEventHookExecutionId": hook.execution_id,
        }
        due_s = self._account.clock.now() + _HOOK_S
        try:
            await self._account.submit(name, orjson.dumps(event), qualifier=qualifier)
        except EdgeproxyError as error:
            self._stop(deployment, str(error), Status.FAILED)
        await self._until(deployment, due_s, lambda: hook.status is not Status.IN_PROGRESS)
        if hook.status is not Status.SUCCEEDED:
            said = "said Failed" if hook.status is Status.FAILED else "did not report in an hour"
            hook.status = Status.FAILED
            self._stop(deployment, f"{hook.name}: {hook.function} {said}", Status.FAILED)
            raise _Ended

    async def _until(
        self, deployment: Deployment, due_s: float, done: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait for a time of the edge's clock, or until ``done``; raise when all is over."""
        while not done():
            deployment.changed.clear()
            if not self._is_there(deployment):
                self._stop(deployment, "the definition has it no more", Status.STOPPED)
            if deployment.ending is not None:
                raise _Ended
            left_s = due_s - self._account.clock.now()
            if left_s <= 0:
                return
            try:
                async with asyncio.timeout(left_s):
                    await deployment.changed.wait()
            except TimeoutError:
                pass  # the clock says whether it is time

    def _is_there(self, deployment: Deployment) -> bool:
        function = self._account.functions.get(deployment.function)
        return function is not None and deployment.new in function.published

    def _route(self, deployment: Deployment, share: float) -> None:
        """Give the new version its share of the alias's traffic; 1 ends it (LI-295)."""
        function = self._account.functions[deployment.function]
        alias = dict(function.aliases[deployment.preference.alias])
        alias.pop("RoutingConfig", None)
        alias["FunctionVersion"] = deployment.new if share == 1 else deployment.old
        if 0 < share < 1:
            alias["RoutingConfig"] = {"AdditionalVersionWeights": {deployment.new: share}}
        alias["RevisionId"] = self._account.chance.uuid()
        function.aliases[deployment.preference.alias] = alias
        deployment.share = share
        self._account.put(function)

    def _wake(self) -> None:
        for deployment, _ in self._running.values():
            deployment.changed.set()

    async def close(self) -> None:
        """Stop; aliases stay as they are."""
        if self._unwatch is not None:
            self._unwatch()
        await self._tasks.close()


def _settings(version: Version) -> tuple[object, object]:
    """All that a version has beside its code."""
    return replace(version.spec, version="", code_root=Path()), version.settings
