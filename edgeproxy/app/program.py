"""The running program: what a project declares, opened as doors, exchanged whole on reload."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from edgeproxy.app.asynchronous import AsynchronousInvocation
from edgeproxy.app.cloudfront_account import CloudFrontAccount
from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry, told_finding
from edgeproxy.app.connection_functions import ConnectionFunctions
from edgeproxy.app.continuous_deployment import (
    ContinuousDeployment,
    DefinitionChanges,
    Entrance,
    explain_choice,
)
from edgeproxy.app.doors import Doors
from edgeproxy.app.endpoints import endpoints_document
from edgeproxy.app.event_sources import EventSources
from edgeproxy.app.explaining import request_for
from edgeproxy.app.function_code import FunctionCode
from edgeproxy.app.function_urls import FunctionUrls
from edgeproxy.app.geo_database import GeoDatabases
from edgeproxy.app.host_router import HostRouter
from edgeproxy.app.lambda_account import AccountFile, lambda_account
from edgeproxy.app.load_balancers import LoadBalancers
from edgeproxy.app.mapping import destinations_of
from edgeproxy.app.overlay import Overlay
from edgeproxy.app.permissions import access_from, edge_keys
from edgeproxy.app.secure_doors import secure_doors
from edgeproxy.app.tiers import tiers_from
from edgeproxy.app.viewers import viewer_from
from edgeproxy.app.which_distribution import distribution_at, distribution_named
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.awslambda.model import FunctionDefinition, FunctionUrl
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.awslambda.stickiness import parse_sticky
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.deployment import staging_of
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.explain import Question, explain
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.location import EdgeLocation
from edgeproxy.edge.passage import Services
from edgeproxy.edge.signature import Identity, refusals, told
from edgeproxy.edge.stored_objects import StoredObjects
from edgeproxy.exchange.model import HitRecorder
from edgeproxy.http.messages import Handler, Response
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.destinations import Destinations
from edgeproxy.origins.signing import credentials_from
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Project
from edgeproxy.runtimes.log_groups import LogGroups
from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal
from edgeproxy.server.listener import Refuse
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["Program"]

_VIEWER: Final = "viewer"


class Program:
    """One process's worth of CloudFront and Lambda.

    ``recorder`` gets every exchange; ``tell`` hears of problems with the user's code, ``notice``
    of how deployments go on.
    """

    def __init__(
        self,
        settings: Settings,
        recorder: HitRecorder,
        tell: Callable[[str], None],
        terminal: Terminal = NO_TERMINAL,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.settings = settings
        self.clock = Clock()
        self.chance = Chance(settings.seed)
        self.project = Project()
        self.recorder = recorder
        self._tell = tell
        self._tasks = Tasks()
        self._deploying = Tasks()
        self.log_groups = LogGroups()
        self.lambdas = LambdaService(
            self.clock,
            self.chance,
            self._tasks,
            account_concurrency=settings.account_concurrency,
            provisioned_concurrency=settings.provisioned_concurrency,
            request_rate=settings.request_rate,
            scaling_rate=settings.scaling_rate,
            sticky_by=parse_sticky(settings.sticky_alias),
            log_groups=self.log_groups,
            terminal=terminal,
        )
        self.account = lambda_account(settings, self.lambdas, self.clock, self._tasks)
        self._account_file = AccountFile(settings.state_dir, self.account, tell)
        self.account.open_url = self._open_function_url
        self.account.close_url = self._close_function_url
        self.events = AsynchronousInvocation(settings, self.lambdas, self.clock, recorder, tell)
        self.event_sources = EventSources(settings, self.account, self.clock, recorder, tell)
        self.account.submit = self.events.submit
        self.account.recursion_dropped = self.events.note_recursion
        self.deployments = Deployments(self.account, tell, notice)
        self._code = FunctionCode(self.lambdas, self.account, self.deployments, tell)
        self.access = access_from(settings, self.account)
        self._cloudfront_functions = CloudFrontFunctionRegistry(self.clock, self.chance, tell)
        self.connection_functions = ConnectionFunctions(
            self._cloudfront_functions.stores, self.clock, self.chance, self.log_groups, tell
        )
        self._tiers = tiers_from(settings, self.clock, self._tasks, tell)
        self._changes = DefinitionChanges(self._take)
        self.cloudfront = CloudFrontAccount(
            self._cloudfront_functions,
            self.connection_functions.registry,
            self._tiers,
            self.clock,
            self._changes,
        )
        self.origins = OriginClient(
            Destinations({}, handlers={}),
            self.clock,
            chance=self.chance,
            credentials=credentials_from(os.environ),
            lists_folders=settings.list_folders,
            is_debugging=lambda: bool(settings.debug_function) or terminal.is_lent,
        )
        self.identity = Identity(via_host=f"{self.chance.hex(32)}.cloudfront.net")
        self._refuse = refusals(self.identity, self.clock, self.chance, tell)
        hooks = Hooks(self.lambdas, self._cloudfront_functions, strict=not settings.lenient)
        self.overlay = Overlay(lambda: self.project) if settings.overlay else None
        of_all = (self.clock, self.chance, recorder, self.identity, self.overlay)
        self._services = Services(self._tiers, self.origins, hooks, *of_all)
        self.load_balancers = LoadBalancers(
            settings,
            self.lambdas,
            self.origins,
            self.clock,
            self.chance,
            recorder,
            tell,
            self.access,
        )
        self._function_urls = FunctionUrls(
            self.lambdas,
            self.clock,
            self.chance,
            recorder,
            self._tasks,
            self.access,
            self._refusals,
            strict=not settings.lenient,
        )
        self._geo_databases = GeoDatabases(settings.geo_database)
        self._viewer = viewer_from(settings, self._geo_databases)
        self._doors = Doors(
            settings.host,
            self._refuse,
            self._viewer,
            max(settings.port, settings.control_port) + 1 if settings.port else 0,
        )
        self.stored = StoredObjects(
            self._tiers, lambda: self.project.distributions.values(), self._doors.forget
        )
        self._secure = secure_doors(
            settings, self.clock, self.chance, self.connection_functions, tell
        )
        self._locations: dict[str, EdgeLocation] = {}
        self._deployments_of: dict[str, ContinuousDeployment] = {}
        self._opened: tuple[Project, dict[str, str]] = (Project(), {})

    async def apply(self, loaded: Loaded) -> None:
        """Serve what ``loaded`` declares from now on; requests in flight finish as they began.

        Doors, caches and functions that are the same as before are kept. Functions start in the
        background.
        """
        project = self._changes.applied_to(loaded.project)
        self._account_file.load()
        declared_urls = project.function_urls.values()
        made = self.account.function_urls(project.functions)
        project = replace(project, function_urls={**project.function_urls, **made})
        # What can fail comes first: until it has not, everything goes on as it was.
        await self._tiers.open()
        locations, entrances, urls = await self._open_doors(project)
        self.origins.destinations = destinations_of(
            loaded, self.settings, partial(self._inner_door, project), self._tell
        )
        for name, finding in self._cloudfront_functions.apply(
            project.cloudfront_functions, project.key_value_stores
        ):
            self._tell(told_finding(name, finding))
        self.connection_functions.apply(project)
        earlier, self.project = self.project, project
        self.account.declare(project.functions.values(), declared_urls)
        for definition in project.functions.values():
            work = self._deploy_if_declared(definition)
            _ = self._deploying.start(work, f"deploy {definition.name}")
        await asyncio.sleep(0)  # Each deployment makes its function known before it first waits.
        self.load_balancers.apply(project.load_balancers)
        self._locations = locations
        self._deployments_of = {
            logical_id: entrance
            for logical_id, entrance in entrances.items()
            if isinstance(entrance, ContinuousDeployment)
        }
        self._opened = (project, urls)
        self._changes.declare(loaded.project)
        await self._doors.close_others(urls)
        # Only now does nothing lead to them any more.
        for name in earlier.functions.keys() - project.functions.keys():
            await self.lambdas.remove(name)
        self.account.event_sources.declare(project.event_source_mappings, self.account.functions)
        self.event_sources.start()
        await self.events.resume()

    def _take(self, project: Project) -> None:
        """Have the locations that there are serve the distributions of ``project``."""
        self.project = project
        self._doors.forget()
        for logical_id, location in self._locations.items():
            location.distribution = project.distributions[logical_id]
        for entrance in self._deployments_of.values():
            policy_id = entrance.distribution.continuous_deployment_policy_id
            policy = project.continuous_deployment_policies.get(policy_id)
            staging = policy and staging_of(policy, project.distributions.values())
            entrance.deploy(policy, self._locations[staging.logical_id] if staging else None)
        self.cloudfront.deploy(
            [*project.distributions.values(), *project.multi_tenant_distributions.values()],
            project.continuous_deployment_policies.values(),
        )

    def _entrances(
        self, project: Project, locations: dict[str, EdgeLocation]
    ) -> dict[str, Entrance]:
        """Where viewers come in: not at a staging distribution (CDN-CD-01)."""
        return {
            logical_id: self._deployments_of.get(logical_id)
            or ContinuousDeployment(locations[logical_id], self.clock, self.chance)
            if distribution.continuous_deployment_policy_id
            else locations[logical_id]
            for logical_id, distribution in project.public_distributions.items()
        }

    async def _deploy_if_declared(self, definition: FunctionDefinition) -> None:
        # The next definition may have come before this task had its turn.
        if self.project.functions.get(definition.name) is definition:
            await self.deploy(definition)

    async def deploy(self, definition: FunctionDefinition, *, changed: bool = False) -> bool:
        """Bring a function's code into service, as :meth:`FunctionCode.deploy` does."""
        return await self._code.deploy(definition, self.project, changed=changed)

    async def _open_doors(
        self, project: Project
    ) -> tuple[dict[str, EdgeLocation], dict[str, Entrance], dict[str, str]]:
        """Doors for everything in ``project``: locations, entrances, and every door's URL by key.

        Locations that there were before keep their distribution for now.
        """
        locations = {
            logical_id: self._locations.get(logical_id)
            or EdgeLocation(distribution, self._services)
            for logical_id, distribution in project.distributions.items()
        }
        urls: dict[str, str] = {}
        own_urls: dict[str, str] = {}
        entrances = self._entrances(project, locations)
        if len(entrances) > 1:
            for logical_id, entrance in entrances.items():
                key = f"distribution {logical_id}"
                own_urls[logical_id] = await self._doors.open(key, entrance, logical_id)
        if entrances:
            first = next(iter(entrances.values()))
            router = HostRouter(entrances, own_urls, self._refuse) if own_urls else first
            urls[_VIEWER] = await self._doors.open(_VIEWER, router, "--port", self.settings.port)
            if self._secure is not None:
                urls |= await self._secure.open(
                    self._doors, router, entrances, project.public_distributions
                )
        for logical_id in entrances:
            urls[f"distribution {logical_id}"] = own_urls.get(logical_id, urls[_VIEWER])
        urls |= await self._function_urls.open(
            self._doors, project.function_urls.values(), self._secure
        )
        urls |= await self.load_balancers.open(
            self._doors, project.load_balancers.values(), self._refusals, self._secure
        )
        return locations, entrances, urls

    def _refusals(self, page: Callable[[int], Response]) -> Refuse:
        """What a door that is not CloudFront's answers to what is no request."""
        return lambda status, reason, detail: told(page(status), detail, self._tell)

    async def _open_function_url(self, url: FunctionUrl) -> str:
        """Open the door of a function URL that the API has made or changed."""
        urls = {**self.project.function_urls, url.logical_id: url}
        self.project = replace(self.project, function_urls=urls)
        opened = await self._function_urls.open_one(self._doors, url, self._secure)
        self._opened = (self.project, {**self._opened[1], **opened})
        return f"{opened[f'function-url {url.logical_id}']}/"

    async def _close_function_url(self, url: FunctionUrl) -> None:
        urls = {key: one for key, one in self.project.function_urls.items() if one != url}
        self.project = replace(self.project, function_urls=urls)
        closed = self._function_urls.close_one(url)
        opened = {key: each for key, each in self._opened[1].items() if key not in closed}
        self._opened = (self.project, opened)
        await self._doors.close_others(opened)

    def _inner_door(self, project: Project, target: str) -> Handler | None:
        """The door that ``function-url:<LogicalId>`` or ``load-balancer:<LogicalId>`` names."""
        kind, _, logical_id = target.partition(":")
        if kind == "function-url":
            url = project.function_urls[logical_id]
            signer = credentials_from(os.environ)
            access = self.access.with_keys(edge_keys(project, url, signer))
            return self._function_urls.door(url, access)
        if kind == "load-balancer":
            balancer = project.load_balancers[logical_id]
            return self.load_balancers.door(balancer, balancer.listeners[0])
        return None

    def distribution(self, logical_id: str) -> Distribution | None:
        """The distribution that serves under this logical ID; None when it is gone."""
        return self.project.distributions.get(logical_id)

    def distribution_id(self, logical_id: str) -> str:
        """The ID (``E…``) in events and logs; the logical ID of a distribution that is gone."""
        distribution = self.project.distributions.get(logical_id)
        return distribution.id_in_events if distribution is not None else logical_id

    def url_target(self, logical_id: str) -> tuple[str, str]:
        """The function of a function URL and its qualifier; of one that is gone, its logical ID."""
        url = self.project.function_urls.get(logical_id)
        return (url.function, url.qualifier) if url is not None else (logical_id, "")

    @property
    def authority(self) -> Path | None:
        """The certificate that HTTPS viewers must trust; None when HTTPS is not served."""
        return self._secure.authority if self._secure is not None else None

    def endpoints(self, control: str) -> dict[str, object]:
        """Every URL, in the shape of the endpoints file."""
        return endpoints_document(*self._opened, control)

    async def invalidate(self, name: str, paths: list[str]) -> int:
        """Drop objects of a distribution; the number dropped. ``name`` may be empty if only one."""
        distribution = distribution_named(name, self.project)
        return await self.cloudfront.invalidations.drop(distribution, paths)

    async def explain(self, question: Question, *, running: bool = True) -> dict[str, object]:
        """What the edge would do with such a request; ``running``, what its cache holds for it.

        Raises :class:`UsageError`.
        """
        request = request_for(question, self._viewer)
        now = self.clock.now()
        asked = distribution_at(request.host, self.project, self._opened[1])
        distribution, choice = explain_choice(self.project, asked, request, now)
        document = await explain(
            distribution,
            request,
            now,
            cache=self._tiers.edge if running else None,
            answer=question.answer,
        )
        return document if choice is None else {"continuous_deployment": choice, **document}

    async def close(self) -> None:
        """Close every door, end every function's processes, drop every connection."""
        await self._doors.close_others(())
        # One that is under way would go on to start processes that nobody ends.
        await self._deploying.close()
        await self.load_balancers.close()
        await self.deployments.close()
        await self.event_sources.close()
        await self.events.close()
        await self.lambdas.close()
        await self.origins.close()
        await self._tasks.close()
        await self._tiers.close()
        self._geo_databases.close()
