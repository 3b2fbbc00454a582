"""The control listener: the inspector's API and those of AWS on a port of its own."""

import errno
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.typedefs import Handler as AiohttpHandler
from aiohttp.typedefs import Middleware

from edgeproxy.app.experiment_calls import ExperimentCalls
from edgeproxy.app.local_apis import kms_keys, local_apis
from edgeproxy.app.program import Program
from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import StagedFunction
from edgeproxy.distribution.model import Distribution, EventType, Origin
from edgeproxy.edge.explain import Question
from edgeproxy.edge.stored_objects import StoredObjects
from edgeproxy.entrypoints import lambda_api
from edgeproxy.entrypoints.cloudfront_api import CLOUDFRONT_PREFIX, KEY_VALUES_PREFIX
from edgeproxy.entrypoints.target_api import PATHS as LOCAL_PATHS
from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.http.body import StreamBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Handler, Request, Response
from edgeproxy.inspector.api import Observed, control_application
from edgeproxy.inspector.controlled import Tested
from edgeproxy.inspector.personas import Personas
from edgeproxy.runtimes.log_groups import LogGroups

if TYPE_CHECKING:
    from edgeproxy.app.function_tests import FunctionTests
    from edgeproxy.app.watched_experiments import WatchedExperiments
    from edgeproxy.awslambda.event_store import QueuedEvent
    from edgeproxy.loadbalancing.model import LoadBalancer

__all__ = ["ControlListener"]

# A client that takes this listener for its proxy names the whole URL.
_AUTHORITY: Final = re.compile(r"\Ahttp://[^/?]*")


class ControlListener:
    """Serves the control API for a program."""

    def __init__(
        self,
        program: Program,
        observed: Observed,
        catch_up: Callable[[], None],
        target: str | None = None,
    ) -> None:
        """``catch_up`` has ``observed`` know all that has ended by now."""
        self._program = program
        self.target = target
        self.is_ready = False
        settings = program.settings
        names = (settings.control_host, *settings.control_name)
        application = control_application(self, observed, names)
        application.middlewares.append(_after(catch_up))
        self._history = observed.history
        experiments = ExperimentCalls(lambda: self._experiments, program.personas)
        application.router.add_routes(experiments.routes())
        program.personas.forced = lambda *side: self._experiments.forced(*side)
        # Calls of an API must not shift what a seed gives to viewers' requests.
        self._request_id = Chance(settings.seed).uuid
        for prefix, make in {
            CLOUDFRONT_PREFIX: self._cloudfront_api,
            KEY_VALUES_PREFIX: self._key_values_api,
            lambda_api.PREFIX: self._lambda_api,
        }.items():
            application.router.add_route("*", f"{prefix}/{{rest:.*}}", _serving(_Api(make)))
        self._kms_keys = kms_keys(settings)
        for path in LOCAL_PATHS:
            application.router.add_post(path, _serving(_Api(self._local_apis)))
        self._runner = web.AppRunner(
            application,
            handle_signals=False,
            handler_cancellation=True,  # Who follows the exchanges and leaves is let go at once.
            access_log=None,
            shutdown_timeout=0.2,
        )
        self.url = ""

    def _cloudfront_api(self) -> Handler:
        from edgeproxy.entrypoints.cloudfront_api.api import CloudFrontApi

        return CloudFrontApi(self._program.cloudfront, self._request_id)

    def _key_values_api(self) -> Handler:
        from edgeproxy.entrypoints.cloudfront_api.key_values import KeyValueStoreApi

        return KeyValueStoreApi(self._program.cloudfront, self._request_id)

    def _lambda_api(self) -> Handler:
        from edgeproxy.entrypoints.lambda_api.api import LambdaApi
        from edgeproxy.entrypoints.lambda_api.signed import SignedApi

        program = self._program
        api = LambdaApi(program.account, program.recorder)
        return SignedApi(api, program.access, program.account)

    def _local_apis(self) -> Handler:
        program = self._program
        return local_apis(self._kms_keys, program.deployments, program.account, self._request_id)

    @property
    def clock(self) -> Clock:
        return self._program.clock

    @property
    def lambdas(self) -> LambdaService:
        return self._program.lambdas

    @property
    def account(self) -> LambdaAccount:
        return self._program.account

    @property
    def deployments(self) -> Deployments:
        return self._program.deployments

    @property
    def log_groups(self) -> LogGroups:
        return self._program.log_groups

    @property
    def cloudfront_functions(self) -> Mapping[str, StagedFunction]:
        return self._program.cloudfront.functions.all

    @property
    def connection_functions(self) -> Mapping[str, StagedFunction]:
        return self._program.connection_functions.registry.all

    def endpoints(self) -> dict[str, object]:
        return self._program.endpoints(self.url)

    async def oldest_events(self, limit: int) -> "tuple[int, list[QueuedEvent]]":
        return await self._program.events.oldest(limit)

    def target_health(self) -> dict[str, object]:
        return self._program.load_balancers.target_health()

    async def invalidate(self, distribution: str, paths: list[str]) -> int:
        return await self._program.invalidate(distribution, paths)

    @property
    def distributions(self) -> Collection[Distribution]:
        return self._program.project.distributions.values()

    def mapped_to(self, origin: Origin) -> str | None:
        return self._program.origins.destinations.mapped(origin)

    @property
    def function_urls(self) -> Mapping[str, FunctionUrl]:
        return self._program.project.function_urls

    @property
    def declared_load_balancers(self) -> "Mapping[str, LoadBalancer]":
        return self._program.project.load_balancers

    @property
    def personas(self) -> Personas:
        return self._program.personas

    @property
    def stored(self) -> StoredObjects:
        return self._program.stored

    def sample_event(self, function: str, event_type: EventType | None) -> bytes:
        return self._tests.sample(function, event_type)

    async def test_function(self, function: str, event: object, qualifier: str | None) -> Tested:
        return await self._tests.run(function, event, qualifier)

    @cached_property
    def _tests(self) -> "FunctionTests":
        from edgeproxy.app.function_tests import FunctionTests

        return FunctionTests(self._program)

    @cached_property
    def _experiments(self) -> "WatchedExperiments":
        from edgeproxy.app.watched_experiments import WatchedExperiments

        return WatchedExperiments(self, self._history, self._program.settings.experiments)

    @property
    def authority(self) -> Path | None:
        return self._program.authority

    async def explain(self, question: Question) -> dict[str, object]:
        return await self._program.explain(question)

    async def start(self, host: str, port: int) -> None:
        """Accept from now on. Raises :class:`PortInUse` or :class:`UsageError`."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"--control-port: port {port} of {host} is in use by another program",
                    remedy="stop that program, or give another port; port 0 takes a free one",
                ) from error
            raise UsageError(f"the control listener cannot use {host}:{port}: {error}") from error
        actual = self._runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{actual}"

    async def stop(self) -> None:
        await self._runner.cleanup()


class _Api:
    """An API that is made by its first call: most programs never hear one."""

    def __init__(self, make: Callable[[], Handler]) -> None:
        self._make = make
        self._made: Handler | None = None

    async def __call__(self, request: Request) -> Response:
        if self._made is None:
            self._made = self._make()
        return await self._made(request)


def _after(catch_up: Callable[[], None]) -> Middleware:
    """Has every request find what has ended before it."""

    @web.middleware
    async def caught_up(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
        catch_up()
        return await handler(request)

    return caught_up


def _serving(api: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """``api`` behind aiohttp; it sees path and query as they stand in the request line."""

    async def serve(request: web.Request) -> web.StreamResponse:
        path, mark, query = _AUTHORITY.sub("", request.raw_path).partition("?")
        response = await api(
            Request(
                request.method,
                path,
                query if mark else None,
                headers=Headers(list(request.headers.items())),
                body=StreamBody(request.content.iter_any(), request.content_length),
            )
        )
        sent = 0
        if response.body.length is None:
            answer = web.StreamResponse(status=response.status, headers=_lines(response))
        else:
            whole = b"".join([chunk async for chunk in response.body])
            answer = web.Response(status=response.status, headers=_lines(response), body=whole)
            sent = len(whole)
        is_whole = False
        try:
            if response.body.length is None:
                await answer.prepare(request)
                async for chunk in response.body:
                    await answer.write(chunk)
                    sent += len(chunk)
            is_whole = True
        finally:
            await response.body.close()
            if response.on_delivered is not None:
                response.on_delivered(Delivered(sent, aborted=not is_whole))
        return answer

    return serve


def _lines(response: Response) -> list[tuple[str, str]]:
    return list(response.headers.lines())
