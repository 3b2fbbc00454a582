"""The control listener's JSON API.

It listens on loopback unless told otherwise, answers only requests whose ``Host`` is a loopback
name or an IP address (a page on another site cannot reach it by rebinding a name), and takes state
changes only from its own origin, and as JSON (a form or an image of another site cannot make one).
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientConnectionError, web

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.awslambda.service import FunctionStatus, LambdaService
from edgeproxy.clock import Clock
from edgeproxy.edge.explain import Question
from edgeproxy.entrypoints.code_deploy import ALARM_STATES, deployment_document
from edgeproxy.entrypoints.lambda_api.answers import STATUSES
from edgeproxy.errors import EdgeproxyError
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.inspector import documents
from edgeproxy.observe.edge_logs import cloudfront_function_group, connection_function_group
from edgeproxy.observe.history import History
from edgeproxy.observe.metrics import MINUTES_KEPT, Metrics
from edgeproxy.runtimes.log_groups import LogGroups

if TYPE_CHECKING:
    from edgeproxy.awslambda.event_store import QueuedEvent

__all__ = ["ControlApi", "Controlled"]

_MAX_LIMIT: Final = 1000
_ACCOUNT: Final = re.compile(r"\A\d{12}\.")

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Controlled(Protocol):
    """The part of the running program that the control listener may ask or tell."""

    @property
    def clock(self) -> Clock: ...

    @property
    def lambdas(self) -> LambdaService: ...

    @property
    def account(self) -> LambdaAccount:
        """The functions as Lambda's API has them."""
        ...

    @property
    def deployments(self) -> Deployments: ...

    @property
    def log_groups(self) -> LogGroups: ...

    @property
    def cloudfront_functions(self) -> Collection[str]:
        """The names of the CloudFront Functions."""
        ...

    @property
    def connection_functions(self) -> Collection[str]:
        """The names of the functions that judge connections."""
        ...

    def endpoints(self) -> dict[str, object]:
        """The document of ``GET /api/endpoints``."""
        ...

    async def oldest_events(self, limit: int) -> "tuple[int, list[QueuedEvent]]":
        """Asynchronous events that have not ended: how many, and the oldest."""
        ...

    def target_health(self) -> dict[str, object]:
        """Targets of load balancers and their health (AL-124)."""
        ...

    async def invalidate(self, distribution: str, paths: list[str]) -> int:
        """Drop objects; raises ``EdgeproxyError`` for an unknown distribution or a bad path."""
        ...

    async def explain(self, question: Question) -> dict[str, object]:
        """What the edge would do with that request; raises ``EdgeproxyError`` for a bad one."""
        ...


class _Problem(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class ControlApi:
    """Builds the application that serves the API."""

    def __init__(self, controlled: Controlled, history: History, metrics: Metrics) -> None:
        self._controlled = controlled
        self._history = history
        self._metrics = metrics

    def application(self) -> web.Application:
        """An aiohttp application with every route of the API."""
        application = web.Application(middlewares=[_guard])
        application.router.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/api/endpoints", self._endpoints),
                web.get("/api/target-health", self._target_health),
                web.get("/api/events", self._events),
                web.get("/api/exchanges", self._exchanges),
                web.get("/api/exchanges/stream", self._stream),
                web.get("/api/exchanges/{id}", self._exchange),
                web.post("/api/invalidations", self._invalidate),
                web.post("/api/explain", self._explain),
                web.get("/api/clock", self._clock),
                web.post("/api/clock", self._advance),
                web.delete("/api/clock", self._reset),
                web.get("/api/functions", self._functions),
                web.get("/api/functions/{name}/logs", self._function_logs),
                web.put("/api/functions/{name}/fault", self._set_fault),
                web.delete("/api/functions/{name}/fault", self._end_fault),
                web.get("/api/deployments", self._deployments),
                web.get("/api/alarms", self._alarms),
                web.post("/api/alarms/{name}", self._set_alarm),
                web.get("/api/logs", self._logs),
                web.get("/api/metrics", self._metrics_json),
                web.get("/metrics", self._metrics_text),
            ]
        )
        return application

    async def _healthz(self, request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def _endpoints(self, request: web.Request) -> web.Response:
        return _json(self._controlled.endpoints())

    async def _target_health(self, request: web.Request) -> web.Response:
        return _json(self._controlled.target_health())

    async def _events(self, request: web.Request) -> web.Response:
        count, events = await self._controlled.oldest_events(_number(request, "limit", 50))
        return _json({"count": count, "events": [documents.event(event) for event in events]})

    async def _exchanges(self, request: web.Request) -> web.Response:
        limit = _number(request, "limit", 50)
        page, following = self._history.newest(limit, request.query.get("after"))
        return _json({"exchanges": [documents.summary(e) for e in page], "next": following})

    async def _exchange(self, request: web.Request) -> web.Response:
        exchange = self._history.get(request.match_info["id"])
        if exchange is None:
            raise _Problem(404, "NoSuchExchange", "no exchange of that ID is kept")
        return _json(documents.detail(exchange))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        # A client that leaves is the ordinary end of a stream.
        with suppress(ConnectionError, ClientConnectionError):
            # The head must leave before the first event, or a client waits for its connection.
            await response.write(b": following\n\n")
            last = request.headers.get("Last-Event-ID")
            async with aclosing(self._history.follow(last)) as ended:
                async for exchange in ended:
                    data = orjson.dumps(documents.summary(exchange))
                    await response.write(b"id: %s\ndata: %s\n\n" % (exchange.id.encode(), data))
        return response

    async def _invalidate(self, request: web.Request) -> web.Response:
        body = await _object(request)
        distribution = body.get("distribution", "")
        paths = body.get("paths")
        if not isinstance(distribution, str):
            raise _Problem(400, "InvalidArgument", "distribution must be a string")
        if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
            raise _Problem(400, "InvalidArgument", "paths must be a list of at least one string")
        dropped = await self._controlled.invalidate(distribution, paths)
        return _json({"paths": paths, "dropped": dropped}, status=201)

    async def _explain(self, request: web.Request) -> web.Response:
        body = await _object(request)
        url = body.get("url")
        method = body.get("method", "GET")
        headers = _pairs(body.get("headers", []), "headers")
        if not isinstance(url, str) or not isinstance(method, str):
            raise _Problem(400, "InvalidArgument", "url and method must be strings")
        answer = None
        if "answer" in body:
            match body["answer"]:
                case {"status": int(status), "headers": lines} if 100 <= status <= 999:
                    answer = Response(status, Headers(_pairs(lines, "headers of answer")))
                case _:
                    problem = "answer must be an object with a status and headers"
                    raise _Problem(400, "InvalidArgument", problem)
        return _json(await self._controlled.explain(Question(url, method, headers, answer)))

    async def _clock(self, request: web.Request) -> web.Response:
        clock = self._controlled.clock
        return _json({"now": documents.iso(clock.now()), "offset_s": clock.offset_s})

    async def _advance(self, request: web.Request) -> web.Response:
        seconds = (await _object(request)).get("advance_s")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise _Problem(400, "InvalidArgument", "advance_s must be a number of seconds")
        try:
            self._controlled.clock.advance(seconds)
        except ValueError as error:
            raise _Problem(400, "InvalidArgument", str(error)) from error
        return await self._clock(request)

    async def _reset(self, request: web.Request) -> web.Response:
        self._controlled.clock.reset()
        return await self._clock(request)

    async def _functions(self, request: web.Request) -> web.Response:
        statuses = self._controlled.lambdas.describe()
        others = [
            {"name": name, "kind": "connection", "log_group": connection_function_group(name)}
            for name in self._controlled.connection_functions
        ]
        return _json({"functions": [*map(_function, statuses), *others]})

    async def _set_fault(self, request: web.Request) -> web.Response:
        """Let Lambda's API refuse to invoke a function (LI-084)."""
        name, error = request.match_info["name"], (await _object(request)).get("error")
        if name not in self._controlled.account.functions:
            raise _Problem(404, "NoSuchFunction", f"no function is called {name!r}")
        if not isinstance(error, str) or error not in STATUSES:
            names = ", ".join(STATUSES)
            raise _Problem(400, "InvalidArgument", f"error must be one of {names}")
        self._controlled.account.faults[name] = error
        return _json({"function": name, "error": error, "status": STATUSES[error]})

    async def _end_fault(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self._controlled.account.faults.pop(name, None)
        return _json({"function": name, "error": None})

    async def _deployments(self, request: web.Request) -> web.Response:
        deployments = self._controlled.deployments.all.values()
        return _json({"deployments": [deployment_document(each) for each in deployments]})

    async def _alarms(self, request: web.Request) -> web.Response:
        return _json({"alarms": self._controlled.deployments.alarms})

    async def _set_alarm(self, request: web.Request) -> web.Response:
        """An alarm stops the deployments that watch it (LI-296)."""
        name, state = request.match_info["name"], (await _object(request)).get("state")
        if state not in ALARM_STATES:
            problem = f"state must be one of {', '.join(ALARM_STATES)}"
            raise _Problem(400, "InvalidArgument", problem)
        self._controlled.deployments.set_alarm(name, str(state))
        return _json({"alarm": name, "state": state})

    async def _function_logs(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        limit = _number(request, "limit", 100)
        if any(status.name == name for status in self._controlled.lambdas.describe()):
            lines = self._controlled.lambdas.logs(name, limit)
        elif (group := self._cloudfront_group(name)) is not None:
            lines = self._controlled.log_groups.newest(group, limit)
        else:
            raise _Problem(404, "NoSuchFunction", f"no function is called {name!r}")
        return _json({"lines": [documents.log_line(line, line.stream) for line in lines]})

    def _cloudfront_group(self, name: str) -> str | None:
        if name in self._controlled.cloudfront_functions:
            return cloudfront_function_group(name)
        if name in self._controlled.connection_functions:
            return connection_function_group(name)
        return None

    async def _logs(self, request: web.Request) -> web.Response:
        groups = self._controlled.log_groups
        group = request.query.get("group")
        if group is None:
            return _json({"groups": groups.names()})
        limit = _number(request, "limit", 100)
        if group not in groups.names():
            raise _Problem(404, "NoSuchLogGroup", f"nothing was written to a log group {group!r}")
        newest = groups.newest(group, limit)
        lines = [documents.log_line(line, line.log_stream) for line in newest]
        return _json({"group": group, "lines": lines})

    async def _metrics_json(self, request: web.Request) -> web.Response:
        minutes = _number(request, "minutes", MINUTES_KEPT) if "minutes" in request.query else 0
        metrics = self._metrics.all(by_minute=minutes > 0)
        return _json({"metrics": [documents.metric_document(m, minutes) for m in metrics]})

    async def _metrics_text(self, request: web.Request) -> web.Response:
        return web.Response(text=self._metrics.prometheus(), content_type="text/plain")


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other sites' requests, and turn every problem into the API's error document."""
    try:
        if not _is_own_host(request):
            raise _Problem(403, "ForeignHost", f"this listener does not answer to {request.host!r}")
        if request.method not in ("GET", "HEAD") and _is_foreign_origin(request):
            raise _Problem(403, "ForeignOrigin", "state is changed from this listener's own pages")
        return await handler(request)
    except _Problem as problem:
        return _error(problem.status, problem.code, problem.message)
    except EdgeproxyError as error:
        return _error(400, "InvalidArgument", str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _error(error.status, (error.reason or "").replace(" ", ""), error.text or "")


def _is_own_host(request: web.Request) -> bool:
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        # The clients of CloudFront's KeyValueStore put the account in front of any endpoint.
        ipaddress.ip_address(_ACCOUNT.sub("", name))
    except ValueError:
        return False
    # An address, unlike a name, cannot be made to point here by a foreign name server.
    return True


def _is_foreign_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    return origin is not None and origin != f"{request.scheme}://{request.host}"


def _pairs(value: object, name: str) -> tuple[tuple[str, str], ...]:
    """Header lines of a JSON document."""
    pairs = []
    for pair in value if isinstance(value, list) else [value]:
        match pair:
            case [str(key), str(text)]:
                pairs.append((key, text))
            case _:
                problem = f"{name} must be a list of [name, value] pairs"
                raise _Problem(400, "InvalidArgument", problem)
    return tuple(pairs)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= _MAX_LIMIT:
        raise _Problem(400, "InvalidArgument", f"{name} must be a number from 1 to {_MAX_LIMIT}")
    return int(text)


async def _object(request: web.Request) -> dict[str, object]:
    if request.content_type != "application/json":
        raise _Problem(415, "UnsupportedMediaType", "send Content-Type: application/json")
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise _Problem(400, "InvalidJson", f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _Problem(400, "InvalidArgument", "the body must be a JSON object")
    return body


def _function(status: FunctionStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "runtime": status.runtime,
        "handler": status.handler,
        "versions": list(status.versions),
        "aliases": dict(status.aliases),
        "environments": {"idle": status.idle, "busy": status.busy},
        "last_error": status.last_error,
    }


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _error(status: int, code: str, message: str) -> web.Response:
    return _json({"error": {"code": code, "message": message}}, status)
