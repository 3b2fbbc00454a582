"""Dry runs: each edge function once for each of its associations, with a made-up event.

Functions run for real, in the processes and engines that serve requests, and their results are
judged as at run time. Origins are never asked: their answer is made up as well. In one behavior the
events follow each other, so that what one function leaves is what the next one sees.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.samples import first_origin, sample_request, sample_response
from edgeproxy.awslambda.service import DeployFailed, LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import (
    Behavior,
    Distribution,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
)
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.outcomes import Changed, Proceed, Scene, generated_headers
from edgeproxy.edge.signature import Identity
from edgeproxy.exchange.model import Exchange, FunctionRun
from edgeproxy.http.messages import Request
from edgeproxy.origins import forwarding
from edgeproxy.project.model import Project
from edgeproxy.tasks import Tasks

__all__ = ["DryRun", "DryRuns", "EdgeFunction", "after_viewer_request", "run_dry"]

EdgeFunction: TypeAlias = tuple[EdgeFunctionKind, str]
"""A function by its kind and name; functions of two kinds may have the same name."""

ALL_S: Final = 15.0
"""The time that all dry runs have together, the start of the functions included."""
_AT_ONCE: Final = 4
_LAMBDA: Final = EdgeFunctionKind.LAMBDA
_AT_VIEWER: Final = EventType.VIEWER_REQUEST


@dataclass(frozen=True, slots=True)
class DryRun:
    """One association and what its run came to; ``run`` is None when the time was over."""

    distribution: Distribution
    behavior: Behavior
    association: FunctionAssociation
    path: str
    run: FunctionRun | None


@dataclass(frozen=True, slots=True)
class DryRuns:
    """What was run, and which functions did not even load."""

    runs: tuple[DryRun, ...]
    not_loaded: tuple[DeployFailed, ...]
    still_loading: tuple[str, ...] = ()
    """Functions whose code was still loading when the time was over."""


async def run_dry(project: Project, skipped: Collection[EdgeFunction], *, strict: bool) -> DryRuns:
    """Load every function and run those at the edge; those in ``skipped`` are left out."""
    async with _rehearsal(project, strict=strict) as rehearsal:
        return await rehearsal.run(project, skipped)


async def after_viewer_request(
    project: Project, requests: Sequence[tuple[Distribution, Behavior, Request]], *, strict: bool
) -> list[Request | None]:
    """What the viewer-request function of a behavior makes of each request.

    None where it answers itself or fails, or the time was over.
    """
    async with _rehearsal(project, strict=strict) as rehearsal:
        return await rehearsal.viewer_requests(project, requests)


@asynccontextmanager
async def _rehearsal(project: Project, *, strict: bool) -> "AsyncIterator[_Rehearsal]":
    clock, chance, tasks = Clock(), Chance(), Tasks()
    service = LambdaService(clock, chance, tasks)
    registry = CloudFrontFunctionRegistry(clock, chance)
    registry.apply(project.cloudfront_functions, project.key_value_stores)
    try:
        yield _Rehearsal(service, registry, clock, chance, strict=strict)
    finally:
        await service.close()
        await tasks.close()


class _Rehearsal:
    def __init__(
        self,
        service: LambdaService,
        registry: CloudFrontFunctionRegistry,
        clock: Clock,
        chance: Chance,
        *,
        strict: bool,
    ) -> None:
        self._service = service
        self._hooks = Hooks(service, registry, strict=strict)
        self._clock = clock
        self._chance = chance
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._unusable: set[EdgeFunction] = set()

    async def run(self, project: Project, skipped: Collection[EdgeFunction]) -> DryRuns:
        until = self._clock.monotonic() + ALL_S
        names = [name for name in project.functions if (_LAMBDA, name) not in skipped]
        results = await asyncio.gather(*(self._load(project, name, until) for name in names))
        failed = tuple(each for each in results if isinstance(each, DeployFailed))
        slow = tuple(name for name, each in zip(names, results, strict=True) if each is None)
        unloaded = (*slow, *(each.name for each in failed))
        self._unusable = {*skipped, *((_LAMBDA, name) for name in unloaded)}
        runs = await asyncio.gather(
            *(
                self._behavior(distribution, behavior, until)
                for distribution in project.distributions.values()
                for behavior in distribution.all_behaviors
            )
        )
        return DryRuns(tuple(run for each in runs for run in each), failed, slow)

    async def viewer_requests(
        self, project: Project, requests: Sequence[tuple[Distribution, Behavior, Request]]
    ) -> list[Request | None]:
        until = self._clock.monotonic() + ALL_S
        associations = (behavior.function_for(_AT_VIEWER) for _, behavior, _ in requests)
        names = {each.function for each in associations if each and each.kind is _LAMBDA}
        loaded = await asyncio.gather(*(self._load(project, name, until) for name in names))
        if any(each is None or isinstance(each, DeployFailed) for each in loaded):
            return [None] * len(requests)  # Other findings tell of it.
        found: list[Request | None] = []
        for distribution, behavior, request in requests:
            try:
                async with asyncio.timeout(until - self._clock.monotonic()):
                    scene = self._scene(distribution, behavior, request)
                    outcome = await self._hooks.viewer_request(scene, request)
            except TimeoutError:
                found.append(None)
            else:
                found.append(outcome.request if isinstance(outcome, Proceed) else None)
        return found

    def _scene(self, distribution: Distribution, behavior: Behavior, request: Request) -> Scene:
        exchange = Exchange(
            self._chance.request_id(), "distribution", distribution.logical_id, request,
            self._clock.now(), self._clock,
        )  # fmt: skip
        return Scene(exchange, distribution, behavior, generated_headers(behavior, request))

    async def _load(self, project: Project, name: str, until: float) -> object:
        """What deploying the function gave, None when it took too long."""
        try:
            async with asyncio.timeout(until - self._clock.monotonic()), self._places:
                return await self._service.deploy(project.functions[name])
        except TimeoutError:
            return None

    async def _behavior(
        self, distribution: Distribution, behavior: Behavior, until: float
    ) -> Sequence[DryRun]:
        """All events of one behavior, in the order of a cache miss."""
        usable = tuple(
            each
            for each in behavior.functions
            if self._is_usable(each) and behavior.function_for(each.event_type) is each
        )
        request = sample_request(distribution, behavior)
        scene = self._scene(distribution, replace(behavior, functions=usable), request)
        exchange = scene.exchange
        try:
            async with asyncio.timeout(until - self._clock.monotonic()), self._places:
                await self._events(scene)
        except TimeoutError:
            pass  # What has not run by now is told as such.
        runs = {run.event_type: run for run in exchange.functions}
        return [
            DryRun(distribution, behavior, each, request.path, runs.get(each.event_type))
            for each in usable
        ]

    def _is_usable(self, association: FunctionAssociation) -> bool:
        return (association.kind, association.function) not in self._unusable

    async def _events(self, scene: Scene) -> None:
        request = scene.exchange.request
        outcome = await self._hooks.viewer_request(scene, request)
        if isinstance(outcome, Proceed):
            request = outcome.request
        origin = first_origin(scene.distribution, scene.behavior)
        outgoing = forwarding.origin_request(
            request,
            scene.behavior,
            origin,
            generated=scene.generated,
            request_id=scene.exchange.id,
            via=Identity().via(request.version),
        )
        asked = await self._hooks.origin_request(scene, outgoing, origin)
        if isinstance(asked, Proceed):
            outgoing, origin = asked.request, asked.origin or origin
        response = forwarding.from_origin(
            sample_response(origin, outgoing.path, self._clock.now()), scene.behavior
        )
        changed = await self._hooks.origin_response(scene, outgoing, response, origin)
        if isinstance(changed, Changed):
            response = forwarding.without_framing(changed.response)
        await self._hooks.viewer_response(scene, request, response)
