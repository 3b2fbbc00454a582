"""The running program: what a project declares, opened as doors, exchanged whole on reload."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edgeproxy.app.caching import cache_from
from edgeproxy.app.cloudfront_account import CloudFrontAccount
from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry, told_finding
from edgeproxy.app.connection_functions import ConnectionFunctions
from edgeproxy.app.doors import Doors, viewer_from
from edgeproxy.app.endpoints import endpoints_document
from edgeproxy.app.explaining import request_for
from edgeproxy.app.first_call import first_call
from edgeproxy.app.host_router import HostRouter
from edgeproxy.app.load_failures import load_failure
from edgeproxy.app.mapping import destinations_of
from edgeproxy.app.secure_doors import secure_doors
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import Deployed, DeployFailed, LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.matching import match_host
from edgeproxy.distribution.model import CustomOrigin, Distribution, Origin
from edgeproxy.edge.explain import explain
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.location import EdgeLocation
from edgeproxy.edge.passage import Services
from edgeproxy.edge.signature import Identity, refusals, told
from edgeproxy.entrypoints.alb import AlbDoor
from edgeproxy.entrypoints.function_url import FunctionUrlDoor
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Recorder
from edgeproxy.http.messages import Handler, Response
from edgeproxy.loadbalancing.model import AlbListener, LoadBalancer
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.destinations import Destinations
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

    ``recorder`` gets every exchange; ``tell`` hears of problems with the user's code.
    """

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        tell: Callable[[str], None],
        terminal: Terminal = NO_TERMINAL,
    ) -> None:
        self.settings = settings
        self.clock = Clock()
        self.chance = Chance(settings.seed)
        self.project = Project()
        self._recorder = recorder
        self._tell = tell
        self._noted: set[str] = set()
        self._tasks = Tasks()
        self._deployments = Tasks()
        self.log_groups = LogGroups()
        self.lambdas = LambdaService(
            self.clock,
            self.chance,
            self._tasks,
            account_concurrency=settings.account_concurrency,
            log_groups=self.log_groups,
            terminal=terminal,
        )
        self._cloudfront_functions = CloudFrontFunctionRegistry(self.clock, self.chance, tell)
        self.connection_functions = ConnectionFunctions(
            self._cloudfront_functions.stores, self.clock, self.chance, self.log_groups, tell
        )
        cache = self._cache = cache_from(settings, self.clock, self._tasks, tell)
        self.cloudfront = CloudFrontAccount(
            self._cloudfront_functions, self.connection_functions.registry, cache, self.clock
        )
        self._origins = OriginClient(Destinations({}, handlers={}), self.clock, chance=self.chance)
        self.identity = Identity(via_host=f"{self.chance.hex(32)}.cloudfront.net")
        self._refuse = refusals(self.identity, self.clock, self.chance, tell)
        self._services = Services(
            cache,
            self._origins,
            Hooks(self.lambdas, self._cloudfront_functions, strict=not settings.lenient),
            self.clock,
            self.chance,
            recorder,
            self.identity,
        )
        self._doors = Doors(
            settings.host,
            self._refuse,
            viewer_from(settings.viewer_ip, settings.viewer_country),
            max(settings.port, settings.control_port) + 1 if settings.port else 0,
        )
        self._secure = secure_doors(
            settings, self.clock, self.chance, self.connection_functions, tell
        )
        self._locations: dict[str, EdgeLocation] = {}
        self._opened: tuple[Project, dict[str, str]] = (Project(), {})

    async def apply(self, loaded: Loaded) -> None:
        """Serve what ``loaded`` declares from now on; requests in flight finish as they began.

        Doors, caches and functions that are the same as before are kept. Functions start in the
        background.
        """
        project = loaded.project
        # What can fail comes first: until it has not, everything goes on as it was.
        await self._cache.open()
        locations, urls = await self._open_doors(project)
        self._origins.destinations = destinations_of(
            loaded, self.settings, partial(self._inner_door, project), self._tell
        )
        for name, finding in self._cloudfront_functions.apply(
            project.cloudfront_functions, project.key_value_stores
        ):
            self._tell(told_finding(name, finding))
        self.connection_functions.apply(project)
        earlier, self.project = self.project, project
        for definition in project.functions.values():
            work = self._deploy_if_declared(definition)
            _ = self._deployments.start(work, f"deploy {definition.name}")
        await asyncio.sleep(0)  # Each deployment makes its function known before it first waits.
        for logical_id, location in locations.items():
            location.distribution = project.distributions[logical_id]
        self._locations = locations
        self._opened = (project, urls)
        self.cloudfront.deploy(
            [*project.distributions.values(), *project.multi_tenant_distributions.values()]
        )
        await self._doors.close_others(urls)
        # Only now does nothing lead to them any more.
        for name in earlier.functions.keys() - project.functions.keys():
            await self.lambdas.remove(name)

    async def _deploy_if_declared(self, definition: FunctionDefinition) -> None:
        # The next definition may have come before this task had its turn.
        if self.project.functions.get(definition.name) is definition:
            await self.deploy(definition)

    async def deploy(self, definition: FunctionDefinition, *, changed: bool = False) -> bool:
        """Bring a function's code into service; what keeps it from loading is told.

        ``changed`` says that files have changed although the definition is the same. The result
        says whether the code runs now; if not, an earlier version that did goes on serving.
        """
        qualifier, region = first_call(self.project, definition.name)
        result = await self.lambdas.deploy(
            definition, force=changed, qualifier=qualifier, replica_region=region
        )
        if result.note and result.note not in self._noted:
            self._noted.add(result.note)  # for the first function of its runtime
            self._tell(result.note)
        match result:
            case Deployed():
                return True
            case DeployFailed():
                self._tell(load_failure(definition, result))
                return False

    async def _open_doors(self, project: Project) -> tuple[dict[str, EdgeLocation], dict[str, str]]:
        """Doors for everything in ``project``: its edge locations, and every door's URL by key.

        Locations that there were before keep their distribution for now.
        """
        locations = {
            logical_id: self._locations.get(logical_id)
            or EdgeLocation(distribution, self._services)
            for logical_id, distribution in project.distributions.items()
        }
        urls: dict[str, str] = {}
        own_urls: dict[str, str] = {}
        if len(locations) > 1:
            for logical_id, location in locations.items():
                key = f"distribution {logical_id}"
                own_urls[logical_id] = await self._doors.open(key, location, logical_id)
        if locations:
            first = next(iter(locations.values()))
            router = HostRouter(locations, own_urls, self._refuse) if own_urls else first
            urls[_VIEWER] = await self._doors.open(_VIEWER, router, "--port", self.settings.port)
            if self._secure is not None:
                urls |= await self._secure.open(
                    self._doors, router, locations, project.distributions
                )
        for logical_id in locations:
            urls[f"distribution {logical_id}"] = own_urls.get(logical_id, urls[_VIEWER])
        for logical_id in project.function_urls:
            key = f"function-url {logical_id}"
            door = self._function_url_door(project, logical_id)
            refuse = self._refusals(door.refuse)
            urls[key] = await self._doors.open(key, door, logical_id, refuse=refuse)
        for logical_id, balancer in project.load_balancers.items():
            for index, listener in enumerate(balancer.listeners):
                key = f"load-balancer {logical_id} {index}"
                alb = self._alb_door(balancer, listener)
                name, refuse = f"{logical_id} port {listener.port}", self._refusals(alb.refuse)
                urls[key] = await self._doors.open(key, alb, name, refuse=refuse)
        return locations, urls

    def _refusals(self, page: Callable[[int], Response]) -> Refuse:
        """What a door that is not CloudFront's answers to what is no request."""
        return lambda status, reason, detail: told(page(status), detail, self._tell)

    def _function_url_door(self, project: Project, logical_id: str) -> FunctionUrlDoor:
        return FunctionUrlDoor(
            project.function_urls[logical_id],
            self.lambdas,
            self.clock,
            self.chance,
            self._recorder,
            strict=not self.settings.lenient,
        )

    def _alb_door(self, balancer: LoadBalancer, listener: AlbListener) -> AlbDoor:
        return AlbDoor(
            balancer,
            listener,
            self.lambdas,
            self.clock,
            self.chance,
            self._recorder,
            target=self._http_target,
            strict=not self.settings.lenient,
        )

    def _inner_door(self, project: Project, target: str) -> Handler | None:
        """The door that ``function-url:<LogicalId>`` or ``load-balancer:<LogicalId>`` names."""
        kind, _, logical_id = target.partition(":")
        if kind == "function-url":
            return self._function_url_door(project, logical_id)
        if kind == "load-balancer":
            balancer = project.load_balancers[logical_id]
            return self._alb_door(balancer, balancer.listeners[0])
        return None

    def _http_target(self, address: str) -> Handler:
        """A plain HTTP target of a load balancer, ``host:port``, asked as an origin is."""
        host, _, port = address.rpartition(":")
        origin = Origin(address, host, CustomOrigin(http_port=int(port)))
        return lambda request: self._origins.fetch(request, origin)

    def domain_name(self, logical_id: str) -> str:
        """The ``*.cloudfront.net`` name of a distribution; ``-`` when it is gone."""
        distribution = self.project.distributions.get(logical_id)
        return distribution.domain_name if distribution is not None else "-"

    def distribution_id(self, logical_id: str) -> str:
        """The ID (``E…``) in events and logs; the logical ID of a distribution that is gone."""
        distribution = self.project.distributions.get(logical_id)
        return distribution.id_in_events if distribution is not None else logical_id

    @property
    def authority(self) -> Path | None:
        """The certificate that HTTPS viewers must trust; None when HTTPS is not served."""
        return self._secure.authority if self._secure is not None else None

    def endpoints(self, control: str) -> dict[str, object]:
        """Every URL, in the shape of the endpoints file."""
        return endpoints_document(*self._opened, control)

    async def invalidate(self, name: str, paths: list[str]) -> int:
        """Drop objects of a distribution; the number dropped. ``name`` may be empty if only one."""
        return await self.cloudfront.invalidations.drop(self._distribution(name), paths)

    def explain(self, url: str, method: str, headers: list[tuple[str, str]]) -> dict[str, object]:
        """What the edge would do with a request for ``url``, a whole URL or a path.

        Raises :class:`UsageError`.
        """
        request = request_for(url, method, headers, self.settings)
        return explain(self._distribution_for(request.host), request, self.clock.now())

    def _distribution_for(self, host: str) -> Distribution:
        distributions = list(self.project.distributions.values())
        if len(distributions) == 1:
            return distributions[0]
        _, urls = self._opened
        for logical_id, distribution in self.project.distributions.items():
            if urlsplit(urls.get(f"distribution {logical_id}", "")).netloc == host:
                return distribution
        found = match_host(distributions, host)
        if found is None:
            raise UsageError(
                f"no distribution answers to {host!r}",
                rule="CDN-BEH-04",
                remedy=_named(distributions),
            )
        return found

    def _distribution(self, name: str) -> Distribution:
        distributions = list(self.project.distributions.values())
        for distribution in (*distributions, *self.project.multi_tenant_distributions.values()):
            if name in (distribution.logical_id, distribution.id):
                return distribution
        if not name and len(distributions) == 1:
            return distributions[0]
        what = f"no distribution is called {name!r}" if name else "which distribution?"
        raise UsageError(what, remedy=_named(distributions))

    async def close(self) -> None:
        """Close every door, end every function's processes, drop every connection."""
        await self._doors.close_others(())
        # One that is under way would go on to start processes that nobody ends.
        await self._deployments.close()
        await self.lambdas.close()
        await self._origins.close()
        await self._tasks.close()
        await self._cache.close()


def _named(distributions: list[Distribution]) -> str:
    names = ", ".join(distribution.logical_id for distribution in distributions)
    return f"there is {names}" if names else "the definition declares none"
