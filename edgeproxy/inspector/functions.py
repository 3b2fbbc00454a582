"""Calls about functions: what there is, what they wrote, how their next call is to fail."""

from aiohttp import web

from edgeproxy.awslambda.service import FunctionStatus
from edgeproxy.entrypoints.lambda_api.answers import STATUSES
from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import Problem, answered, number, object_of
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.observe.edge_logs import cloudfront_function_group, connection_function_group

__all__ = ["FunctionCalls"]


class FunctionCalls:
    """Functions of every kind."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/functions``."""
        return [
            web.get("/api/functions", self._all),
            web.get("/api/functions/{name}/logs", self._logs),
            web.put("/api/functions/{name}/fault", self._set_fault),
            web.delete("/api/functions/{name}/fault", self._end_fault),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        statuses = self._controlled.lambdas.describe()
        others = [
            {"name": name, "kind": "connection", "log_group": connection_function_group(name)}
            for name in self._controlled.connection_functions
        ]
        return answered({"functions": [*map(_function, statuses), *others]})

    async def _logs(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        limit = number(request, "limit", 100)
        if any(status.name == name for status in self._controlled.lambdas.describe()):
            lines = self._controlled.lambdas.logs(name, limit)
        elif (group := self._cloudfront_group(name)) is not None:
            lines = self._controlled.log_groups.newest(group, limit)
        else:
            raise _unknown(name)
        return answered({"lines": [documents.log_line(line, line.stream) for line in lines]})

    def _cloudfront_group(self, name: str) -> str | None:
        if name in self._controlled.cloudfront_functions:
            return cloudfront_function_group(name)
        if name in self._controlled.connection_functions:
            return connection_function_group(name)
        return None

    async def _set_fault(self, request: web.Request) -> web.Response:
        """Let Lambda's API refuse to invoke a function (LI-084)."""
        name, error = request.match_info["name"], (await object_of(request)).get("error")
        if name not in self._controlled.account.functions:
            raise _unknown(name)
        if not isinstance(error, str) or error not in STATUSES:
            raise Problem.argument(f"error must be one of {', '.join(STATUSES)}")
        self._controlled.account.faults[name] = error
        return answered({"function": name, "error": error, "status": STATUSES[error]})

    async def _end_fault(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self._controlled.account.faults.pop(name, None)
        return answered({"function": name, "error": None})


def _unknown(name: str) -> Problem:
    return Problem(404, "NoSuchFunction", f"no function is called {name!r}")


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
