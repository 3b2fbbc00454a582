"""The running program: what a project declares, opened as doors, exchanged whole on reload."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.doors import Doors, viewer_from
from edgeproxy.app.explaining import request_for
from edgeproxy.app.host_router import HostRouter
from edgeproxy.app.load_failures import load_failure
from edgeproxy.awslambda.model import FunctionDefinition, FunctionUrl
from edgeproxy.awslambda.service import Deployed, DeployFailed, LambdaService
from edgeproxy.cache.cache import Cache
from edgeproxy.cache.stores.memory import MemoryStore
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
from edgeproxy.http.messages import Delivered, Handler, Request, Response
from edgeproxy.loadbalancing.model import AlbListener, LoadBalancer, TargetGroup
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.destinations import Destinations, parse_mapping
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.project.model import Project
from edgeproxy.server.listener import Refuse
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["Program"]

_VIEWER: Final = "viewer"


class Program:
    """One process's worth of CloudFront and Lambda.

    ``recorder`` gets every exchange; ``tell`` hears of problems with the user's code.
    """

    def __init__(self, settings: Settings, recorder: Recorder, tell: Callable[[str], None]) -> None:
        self.settings = settings
        self.clock = Clock()
        self.chance = Chance(settings.seed)
        self.project = Project()
        self._recorder = recorder
        self._tell = tell
        self._tasks = Tasks()
        self._deployments = Tasks()
        self.lambdas = LambdaService(
            self.clock,
            self.chance,
            self._tasks,
            account_concurrency=settings.account_concurrency,
        )
        self._cloudfront_functions = CloudFrontFunctionRegistry(self.clock, self.chance)
        self._origins = OriginClient(Destinations({}, handlers={}), self.clock, chance=self.chance)
        self.identity = Identity(via_host=f"{self.chance.hex(32)}.cloudfront.net")
        self._refuse = refusals(self.identity, self.clock, self.chance, tell)
        self._services = Services(
            Cache(MemoryStore(settings.cache_size_mb * 1024 * 1024), self.clock, self._tasks),
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
        self._locations: dict[str, EdgeLocation] = {}
        self._opened: tuple[Project, dict[str, str]] = (Project(), {})

    async def apply(self, loaded: Loaded) -> None:
        """Serve what ``loaded`` declares from now on; requests in flight finish as they began.

        Doors, caches and functions that are the same as before are kept. Functions start in the
        background.
        """
        project = loaded.project
        # What can fail comes first: until it has not, everything goes on as it was.
        locations, urls = await self._open_doors(project)
        self._destine(loaded)
        for name, finding in self._cloudfront_functions.apply(
            project.cloudfront_functions, project.key_value_stores
        ):
            where = f"{name}, line {finding.line}, column {finding.column}"
            self._tell(f"{where}: {finding.message} [{finding.rule}] ({finding.remedy})")
        earlier, self.project = self.project, project
        for definition in project.functions.values():
            work = self._deploy_if_declared(definition)
            _ = self._deployments.start(work, f"deploy {definition.name}")
        await asyncio.sleep(0)  # Each deployment makes its function known before it first waits.
        for logical_id, location in locations.items():
            location.distribution = project.distributions[logical_id]
        self._locations = locations
        self._opened = (project, urls)
        await self._doors.close_others(urls)
        # Only now does nothing lead to them any more.
        for name in earlier.functions.keys() - project.functions.keys():
            await self.lambdas.remove(name)

    def _destine(self, loaded: Loaded) -> None:
        """Say where every origin's bytes come from: the options win over the definition."""
        declared = [
            origin
            for distribution in loaded.project.distributions.values()
            for origin in distribution.origins.values()
        ]
        mapping = dict(loaded.origins)
        for option in self.settings.origin:
            name, target = parse_mapping(option)
            hosts = [host for host, logical_id in loaded.stand_ins.items() if logical_id == name]
            mapping |= dict.fromkeys([name, *hosts], target)
            self._tell_unknown(name, declared, loaded)
        handlers: dict[str, Handler] = {}
        for name, target in list(mapping.items()):
            kind, _, logical_id = target.partition(":")
            if kind == "function-url":
                handlers[name] = _as_origin(self._function_url_door(loaded.project, logical_id))
                del mapping[name]
            elif kind == "load-balancer":
                balancer = loaded.project.load_balancers[logical_id]
                handlers[name] = _as_origin(self._alb_door(balancer, balancer.listeners[0]))
                del mapping[name]
        self._origins.destinations = Destinations(
            mapping,
            handlers=handlers,
            origin_hosts=frozenset(self.settings.origin_host),
            declared=declared,
        )

    def _tell_unknown(self, name: str, declared: list[Origin], loaded: Loaded) -> None:
        """Tell when an ``--origin`` names nothing that is declared.

        A domain name or address is left alone: a function may send requests there (LE-ORG-02), or
        a load balancer.
        """
        ids = {origin.id for origin in declared} | set(loaded.stand_ins.values())
        domains = {origin.domain_name.lower() for origin in declared}
        may_be_host = "." in name or ":" in name
        if not may_be_host and name not in ids and name.lower() not in domains:
            there = ", ".join(sorted(ids | domains)) or "none"
            self._tell(f"no origin has the ID or domain name {name!r} (there is {there})")

    async def _deploy_if_declared(self, definition: FunctionDefinition) -> None:
        # The next definition may have come before this task had its turn.
        if self.project.functions.get(definition.name) is definition:
            await self.deploy(definition)

    async def deploy(self, definition: FunctionDefinition, *, changed: bool = False) -> bool:
        """Bring a function's code into service; what keeps it from loading is told.

        ``changed`` says that files have changed although the definition is the same. The result
        says whether the code runs now; if not, an earlier version that did goes on serving.
        """
        result = await self.lambdas.deploy(
            definition, force=changed, qualifier=_first_called(self.project, definition.name)
        )
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
        """The ID (``E…``) of a distribution; its logical ID when it is gone."""
        distribution = self.project.distributions.get(logical_id)
        return distribution.id if distribution is not None else logical_id

    def endpoints(self, control: str) -> dict[str, object]:
        """Every URL, in the shape of the endpoints file."""
        project, urls = self._opened
        return {
            "control": control,
            "viewer": urls.get(_VIEWER),
            "lambda_api": control,
            "cloudfront_api": control,
            "distributions": {
                logical_id: {
                    "id": distribution.id,
                    "domain_name": distribution.domain_name,
                    "url": urls[f"distribution {logical_id}"],
                    "https_url": None,
                }
                for logical_id, distribution in project.distributions.items()
            },
            "function_urls": {
                logical_id: {
                    "function": function_url.function,
                    "url": urls[f"function-url {logical_id}"] + "/",
                }
                for logical_id, function_url in project.function_urls.items()
            },
            "load_balancers": {
                logical_id: {
                    "listeners": [
                        {
                            "port": listener.port,
                            "url": urls[f"load-balancer {logical_id} {index}"],
                        }
                        for index, listener in enumerate(balancer.listeners)
                    ]
                }
                for logical_id, balancer in project.load_balancers.items()
            },
        }

    async def invalidate(self, name: str, paths: list[str]) -> int:
        """Drop objects of a distribution; the number dropped. ``name`` may be empty if only one.

        ``/`` also names the default root object, and the reverse (CDN-INV-11).
        """
        distribution = self._distribution(name)
        for path in paths:
            if not path.startswith("/"):
                raise UsageError(
                    f"{path!r} does not begin with /", rule="CDN-INV-01", remedy=f"try /{path}"
                )
        root = f"/{distribution.default_root_object}"
        wanted = list(paths)
        if distribution.default_root_object and ("/" in paths or root in paths):
            wanted += ["/", root]
        return await self._services.cache.invalidate(distribution.id, wanted)

    def explain(self, url: str, method: str, headers: list[tuple[str, str]]) -> dict[str, object]:
        """What the edge would do with a request for ``url``, a whole URL or a path.

        Raises :class:`UsageError`.
        """
        request = request_for(url, method, headers, self.settings)
        return explain(self._distribution_for(request.host), request)

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
        for distribution in distributions:
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


def _first_called(project: Project, name: str) -> str | None:
    """The qualifier that doors call a function with, to have an environment ready for it.

    None leaves the choice to the service: the newest version, which edge functions run.
    """
    doors: list[FunctionUrl | TargetGroup] = [
        *project.function_urls.values(),
        *(
            group
            for balancer in project.load_balancers.values()
            for group in balancer.target_groups.values()
        ),
    ]
    return next((door.qualifier for door in doors if door.function == name), None)


def _as_origin(door: Handler) -> Handler:
    """A door of the project as an origin: its own record ends when the edge has its answer."""

    async def ask(request: Request) -> Response:
        response = await door(request)
        if response.on_delivered is not None:
            response.on_delivered(Delivered(response.body.length or 0))
        return replace(response, on_delivered=None)

    return ask


def _named(distributions: list[Distribution]) -> str:
    names = ", ".join(distribution.logical_id for distribution in distributions)
    return f"there is {names}" if names else "the definition declares none"
