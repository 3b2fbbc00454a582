"""Calls about functions: what there is, what they wrote, how their next call is to fail, a test."""

from collections.abc import Iterable, Mapping

import orjson
from aiohttp import web

from edgeproxy.awslambda.service import FunctionStatus
from edgeproxy.distribution.functions import StagedFunction
from edgeproxy.distribution.model import Distribution, EdgeFunctionKind
from edgeproxy.entrypoints.lambda_api.answers import STATUSES
from edgeproxy.exchange.text import carried
from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import Problem, answered, number, object_of
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.inspector.copies import event_type_of, served
from edgeproxy.observe.edge_logs import cloudfront_function_group, connection_function_group
from edgeproxy.observe.history import History
from edgeproxy.observe.metrics import Metric, Metrics

__all__ = ["FunctionCalls"]

_COUNTED = {
    "Invocations": "invocations",
    "Errors": "errors",
    "Throttles": "throttles",
    "FunctionInvocations": "invocations",
    "FunctionValidationErrors": "errors",
    "FunctionExecutionErrors": "errors",
    "FunctionThrottles": "throttles",
}
"""What CloudWatch's metrics of Lambda and CloudFront Functions are counted as here."""
_TOLD = ("invocations", "errors", "throttles")
_GLOBAL = ("Region", "Global")


class FunctionCalls:
    """Functions of every kind."""

    def __init__(self, controlled: Controlled, history: History, metrics: Metrics) -> None:
        self._controlled = controlled
        self._history = history
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/functions``, and ``/api/samples``."""
        return [
            web.get("/api/functions", self._all),
            web.get("/api/functions/{name}/logs", self._logs),
            web.get("/api/functions/{name}/event", self._event),
            web.post("/api/functions/{name}/invoke", self._invoke),
            web.put("/api/functions/{name}/fault", self._set_fault),
            web.delete("/api/functions/{name}/fault", self._end_fault),
            web.get("/api/samples", self._samples),
            web.get("/api/samples/{service}/{kind}", self._sample),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        controlled = self._controlled
        counted = _by_function(self._metrics.all())
        listed = [self._lambda(status) for status in controlled.lambdas.describe()]
        for kind, functions in (
            ("cloudfront", controlled.cloudfront_functions),
            ("connection", controlled.connection_functions),
        ):
            listed += [_staged(kind, name, staged) for name, staged in functions.items()]
        for document in listed:
            name, kind = str(document["name"]), str(document["kind"])
            document["associations"] = _associations(controlled.distributions, name, kind)
            document["minutes"] = counted.get(name, [])
        return answered({"functions": carried(listed)})

    def _lambda(self, status: FunctionStatus) -> dict[str, object]:
        definition = self._controlled.lambdas.definition(status.name)
        spec = None if definition is None else definition.spec
        weights = {} if definition is None else definition.weights
        return {
            "name": status.name,
            "kind": "lambda",
            "runtime": status.runtime,
            "handler": status.handler,
            "memory_mb": None if spec is None else spec.memory_mb,
            "timeout_s": None if spec is None else spec.timeout_s,
            "versions": list(status.versions),
            "aliases": dict(status.aliases),
            "weights": {alias: dict(shares) for alias, shares in weights.items()},
            "environments": {"idle": status.idle, "busy": status.busy, "cold": status.cold},
            "last_error": status.last_error,
        }

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

    async def _event(self, request: web.Request) -> web.Response:
        """An event for a test: that of a recorded request, else one that is made up."""
        name = self._known(request)
        asked = request.query.get("event_type")
        if "exchange" in request.query:
            from edgeproxy.inspector.recorded_events import invocation_event, recorded_event

            exchange = self._history.get(request.query["exchange"])
            if exchange is None:
                raise Problem.no_exchange()
            if exchange.door != "distribution":
                event = invocation_event(self._controlled, exchange)
                return web.Response(body=event, content_type="application/json")
            is_own = name in self._controlled.cloudfront_functions
            kind = EdgeFunctionKind.CLOUDFRONT if is_own else EdgeFunctionKind.LAMBDA
            ran = (run.event_type for run in exchange.functions if run.name == name)
            event_type = event_type_of(asked or next(ran, "viewer-request"))
            distribution = served(self._controlled, exchange)
            event = recorded_event(distribution, exchange, event_type, kind)
        else:
            wanted = None if asked is None else event_type_of(asked)
            event = self._controlled.sample_event(name, wanted)
        return web.Response(body=event, content_type="application/json")

    async def _invoke(self, request: web.Request) -> web.Response:
        """Run a function once, and judge its result as the edge would."""
        name, body = self._known(request), await object_of(request)
        qualifier = body.get("qualifier")
        if not isinstance(qualifier, str | None):
            raise Problem.argument("qualifier must be a version, an alias or a stage")
        event = body.get("event")
        if event is None:
            wanted = body.get("event_type")
            asked = None if wanted is None else event_type_of(str(wanted))
            event = orjson.loads(self._controlled.sample_event(name, asked))
        tested = await self._controlled.test_function(name, event, qualifier)
        document = {**documents.run_document(tested.run), "result": tested.result, "event": event}
        return answered(carried(document))

    async def _samples(self, request: web.Request) -> web.Response:
        """The kinds of events that services send."""
        from edgeproxy.events.samples import SAMPLES

        kinds = [sample for kinds in SAMPLES.values() for sample in kinds.values()]
        listed = [
            {"service": each.service, "kind": each.kind, "meaning": each.meaning} for each in kinds
        ]
        return answered({"samples": listed})

    async def _sample(self, request: web.Request) -> web.Response:
        from edgeproxy.events.samples import find_sample

        asked = request.match_info
        return answered(find_sample(asked["service"], asked["kind"]).event({}))

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

    def _known(self, request: web.Request) -> str:
        name, controlled = request.match_info["name"], self._controlled
        staged = {*controlled.cloudfront_functions, *controlled.connection_functions}
        if name not in staged and controlled.lambdas.definition(name) is None:
            raise _unknown(name)
        return name


def _unknown(name: str) -> Problem:
    return Problem(404, "NoSuchFunction", f"no function is called {name!r}")


def _staged(kind: str, name: str, staged: StagedFunction) -> dict[str, object]:
    """A CloudFront Function or connection function; it runs in this process."""
    group = cloudfront_function_group(name)
    if kind == "connection":
        group = connection_function_group(name)
    return {
        "name": name,
        "kind": kind,
        "log_group": group,
        "runtime": staged.development.function.runtime,
        "handler": staged.development.function.handler,
        "versions": ["DEVELOPMENT", *(["LIVE"] if staged.live is not None else [])],
        "aliases": {},
        "weights": {},
        "environments": None,
        "last_error": "",
    }


def _associations(
    distributions: Iterable[Distribution], name: str, kind: str
) -> list[dict[str, str]]:
    found = [
        {
            "distribution": distribution.logical_id,
            "path_pattern": behavior.path_pattern,
            "event_type": association.event_type,
            "qualifier": association.qualifier,
        }
        for distribution in distributions
        for behavior in distribution.all_behaviors
        for association in behavior.functions
        if (association.kind, association.function) == (kind, name)
    ]
    if kind == "connection":
        found = [
            {"distribution": each.logical_id, "event_type": "connection"}
            for each in distributions
            if each.connection_function == name
        ]
    return found


def _by_function(metrics: Iterable[Metric]) -> Mapping[str, list[dict[str, object]]]:
    """Invocations, errors and throttles of each function in each minute that has any."""
    minutes: dict[str, dict[int, dict[str, float]]] = {}
    for metric in metrics:
        counted = _COUNTED.get(metric.name)
        match [each for each in metric.dimensions if each != _GLOBAL]:
            case [("FunctionName", name)] if counted is not None:
                for minute, statistics in metric.minutes.items():
                    of_minute = minutes.setdefault(name, {}).setdefault(minute, {})
                    of_minute[counted] = of_minute.get(counted, 0) + statistics.sum
    return {
        name: [
            {
                "time": documents.iso(minute),
                **{each: int(values.get(each, 0)) for each in _TOLD},
            }
            for minute, values in sorted(by_minute.items())
        ]
        for name, by_minute in minutes.items()
    }
