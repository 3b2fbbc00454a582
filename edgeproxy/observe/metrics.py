"""Counts under AWS's metric names: ``AWS/CloudFront``, ``AWS/Lambda``, ``AWS/ApplicationELB``.

Each metric is kept since start and by minute for the last three hours, as the graphs of AWS's
consoles show it. The same value stands under several sets of dimensions where AWS does so: choose
one of them when adding up.

A request adds to some twenty metrics that are seldom read. So requests and runs that ended alike
are counted together, and AWS's metrics are made of that when somebody asks for them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from edgeproxy.awslambda.concurrency import InFlight
from edgeproxy.exchange.model import Exchange, FunctionRun

__all__ = ["MINUTES_KEPT", "Dimensions", "Metric", "Metrics", "Statistics"]

Dimensions: TypeAlias = tuple[tuple[str, str], ...]

MINUTES_KEPT: Final = 180

_LAMBDA: Final = "AWS/Lambda"
_CLOUDFRONT: Final = "AWS/CloudFront"
_ALB: Final = "AWS/ApplicationELB"
_OWN: Final = "edgeproxy"
_GLOBAL: Final = ("Region", "Global")
_ERRORS_BY_CODE: Final = (401, 403, 404, 502, 503, 504)
_BYTES: Final = {
    **dict.fromkeys(("GET", "HEAD"), "BytesDownloaded"),
    **dict.fromkeys(("OPTIONS", "POST", "PUT"), "BytesUploaded"),
}

_LAMBDA_FAILURES: Final = {
    "LambdaExecutionError": "LambdaExecutionError",
    "LambdaValidationError": "LambdaValidationError",
    "LambdaLimitExceeded": "LambdaLimitExceededErrors",
}
"""From detailed result types to names of metrics (LE-MET-02)."""

_LAMBDA_5XX: Final = "Lambda5xxErrorRate"
"""The first graph of LE-MET-01. AWS does not tell the metric's name: this one is ours."""


@dataclass(slots=True)
class Statistics:
    """What there is to know of a number of values, in the metric's own unit."""

    sum: float = 0
    count: int = 0
    min: float = float("inf")
    max: float = float("-inf")

    def add(self, value: float) -> None:
        self.sum += value
        self.count += 1
        # Several times in every request, and min() and max() take several times as long.
        if value < self.min:
            self.min = value
        if value > self.max:
            self.max = value

    def merge(self, other: "Statistics") -> None:
        self.sum += other.sum
        self.count += other.count
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)

    def with_each(self, value: float) -> "Statistics":
        """Those of as many values that are all ``value``."""
        return Statistics(self.count * value, self.count, value, value)


@dataclass(slots=True)
class Metric:
    """A metric since start, and by minute: ``minutes`` is keyed by the minute's first second."""

    namespace: str
    name: str
    dimensions: Dimensions
    total: Statistics = field(default_factory=Statistics)
    minutes: dict[int, Statistics] = field(default_factory=dict)


# What values are counted by: tuples, since they are made and looked up in every request. None of
# one kind equals one of another, since they differ in length or in the type of the last field.


class _Name(NamedTuple):
    """One metric, for values that are counted as they are."""

    namespace: str
    name: str
    dimensions: Dimensions

    def metrics(self, values: Statistics) -> Iterator[tuple["_Name", Statistics]]:
        yield self, values


class _LambdaRuns(NamedTuple):
    """Runs of a Lambda function; the values are durations in milliseconds."""

    name: str
    qualifier: str
    version: str
    error: str

    def metrics(self, runs: Statistics) -> Iterator[tuple[_Name, Statistics]]:
        """A throttled request is no invocation (LI-128), a refused result no error of Lambda's."""
        if self.error == "Throttled":
            values = {"Throttles": runs.with_each(1)}
        else:
            values = {
                "Invocations": runs.with_each(1),
                "Duration": runs,
                "Errors": runs.with_each(int(self.error not in ("", "Validation"))),
            }
        for dimensions in self._dimensions():
            for name, statistics in values.items():
                yield _Name(_LAMBDA, name, dimensions), statistics

    def _dimensions(self) -> list[Dimensions]:
        """The sets of dimensions that they count under (LI-250)."""
        function = ("FunctionName", self.name)
        resource = ("Resource", f"{self.name}:{self.qualifier}" if self.qualifier else self.name)
        sets: list[Dimensions] = [(), (function,), (function, resource)]
        is_alias = self.qualifier not in ("", "$LATEST") and not self.qualifier.isdigit()
        if is_alias and self.version:
            sets.append((function, resource, ("ExecutedVersion", self.version)))
        return sets


class _CloudFrontRuns(NamedTuple):
    """Runs of a CloudFront Function; the values are utilisations, if ``measured``."""

    name: str
    distribution_id: str
    error: str
    measured: bool

    def metrics(self, runs: Statistics) -> Iterator[tuple[_Name, Statistics]]:
        """CloudFront Functions count under CloudFront (CFF-MET-01)."""
        values = {
            "FunctionInvocations": runs.with_each(1),
            "FunctionValidationErrors": runs.with_each(int(self.error == "Validation")),
            "FunctionExecutionErrors": runs.with_each(int(self.error == "Unhandled")),
            "FunctionThrottles": runs.with_each(int(self.error == "Throttled")),
        }
        if self.measured:
            values["FunctionComputeUtilization"] = runs
        function = (("FunctionName", self.name), _GLOBAL)
        distribution = ("DistributionId", self.distribution_id)
        for dimensions in (function, (distribution, *function)):
            for name, statistics in values.items():
                yield _Name(_CLOUDFRONT, name, dimensions), statistics


class _Requests(NamedTuple):
    """Requests of viewers; the values are the bytes that ``bytes_counted`` names, if it does."""

    distribution_id: str
    bytes_counted: str
    status: int
    hit: bool
    failure: str
    with_lambda: bool

    def metrics(self, requests: Statistics) -> Iterator[tuple[_Name, Statistics]]:
        """The rates are percentages of requests."""
        status = self.status
        values = {"Requests": requests.with_each(1)}
        if self.bytes_counted:
            values[self.bytes_counted] = requests
        rates = {
            "4xxErrorRate": 400 <= status < 500,
            "5xxErrorRate": status >= 500,
            "TotalErrorRate": status >= 400,
            **{f"{code}ErrorRate": status == code for code in _ERRORS_BY_CODE},
        }
        if self.bytes_counted == "BytesDownloaded" and 0 < status < 400:
            rates["CacheHitRate"] = self.hit  # Errors and uploads are not cacheable.
        if self.with_lambda:
            rates[_LAMBDA_5XX] = self.failure != "" and status >= 500
        if self.failure:
            values[self.failure] = requests.with_each(1)
        values |= {name: requests.with_each(100 * counts) for name, counts in rates.items()}
        for name, statistics in values.items():
            yield _Name(_CLOUDFRONT, name, _of_distribution(self.distribution_id)), statistics


class _AlbRequests(NamedTuple):
    """Requests to a load balancer; the values are the bytes of requests and answers."""

    load_balancer: str
    target_group: str
    """Empty when the request was not forwarded."""
    step: str
    """The last one: ``rule``, ``function`` or ``target``."""
    status: int
    decision: str
    reason: str

    def metrics(self, requests: Statistics) -> Iterator[tuple[_Name, Statistics]]:
        """Each counts for the load balancer, what targets did for their group, too (AL-104)."""
        balancer = (("LoadBalancer", self.load_balancer),)
        group = (("TargetGroup", self.target_group), *balancer)
        for name, of_target in self._counted():
            for dimensions in (balancer, group) if of_target else (balancer,):
                yield _Name(_ALB, name, dimensions), requests.with_each(1)
        if self.step == "function":
            for dimensions in (balancer, group):
                yield _Name(_ALB, "LambdaTargetProcessedBytes", dimensions), requests

    def _counted(self) -> Iterator[tuple[str, bool]]:
        """Names of metrics, and whether they count for the target group as well."""
        family = f"{self.status // 100}XX"
        if self.target_group:
            yield "RequestCount", True
        match self.decision:
            case "answered":
                yield f"HTTPCode_Target_{family}_Count", True
            case "fixed-response":
                yield "HTTP_Fixed_Response_Count", False
            case "redirect":
                yield "HTTP_Redirect_Count", False
                yield f"HTTPCode_ELB_{family}_Count", False
            case _:
                yield f"HTTPCode_ELB_{family}_Count", False
                if self.status in _ALB_ERRORS_BY_CODE:
                    yield f"HTTPCode_ELB_{self.status}_Count", False
                if self.reason in _ALB_INTERNAL:
                    yield "LambdaInternalError", True
                elif self.reason:
                    yield "LambdaUserError", True


_ALB_ERRORS_BY_CODE: Final = (500, 502, 503, 504)
_ALB_INTERNAL: Final = (
    "LambdaConnectionError",
    "LambdaConnectionTimeout",
    "LambdaServiceException",
    "LambdaUnhandledException",
)

_ACCOUNT_CONCURRENCY: Final = _Name(_LAMBDA, "ConcurrentExecutions", ())
_UNRESERVED_CONCURRENCY: Final = _Name(_LAMBDA, "UnreservedConcurrentExecutions", ())

_Tally: TypeAlias = defaultdict[
    _Name | _LambdaRuns | _CloudFrontRuns | _Requests | _AlbRequests, Statistics
]


class Metrics:
    """A recorder that counts requests and function runs.

    ``distribution_id`` gives the ID of a distribution by its logical ID.
    """

    def __init__(self, distribution_id: Callable[[str], str]) -> None:
        self._distribution_id = distribution_id
        self._minutes: dict[int, _Tally] = {}
        self._before: _Tally = defaultdict(Statistics)
        """What was counted in minutes that are not kept any more."""

    def ended(self, exchange: Exchange) -> None:
        tally = self._tally(exchange.started)
        runs = exchange.functions
        for run in runs:
            if run.kind == "lambda":
                alike = _LambdaRuns(run.name, run.qualifier, run.version, run.error)
                tally[alike].add(run.duration_ms)
            else:
                distribution_id = self._distribution_id(exchange.name)
                measured = run.utilisation is not None
                tally[_CloudFrontRuns(run.name, distribution_id, run.error, measured)].add(
                    run.utilisation or 0
                )
        if exchange.door == "distribution":
            self._count_request(tally, exchange, runs)
        elif exchange.door == "alb":
            tally[_alb_requests(exchange)].add(exchange.bytes_received + exchange.bytes_sent)

    def entered(self, name: str, in_flight: InFlight, time_s: float) -> None:
        """An invocation begins; ``in_flight`` counts it, too (LI-253)."""
        tally = self._tally(time_s)
        function = (("FunctionName", name),)
        tally[_Name(_LAMBDA, "ConcurrentExecutions", function)].add(in_flight.function)
        tally[_ACCOUNT_CONCURRENCY].add(in_flight.account)
        tally[_UNRESERVED_CONCURRENCY].add(in_flight.unreserved)

    def counted(
        self, metric: str, function: str, qualifier: str, value: float, time_s: float
    ) -> None:
        """A value of a metric of asynchronous invocation (LI-251, LI-254)."""
        tally = self._tally(time_s)
        name = ("FunctionName", function)
        resource = ("Resource", f"{function}:{qualifier}" if qualifier else function)
        for dimensions in ((), (name,), (name, resource)):
            tally[_Name(_LAMBDA, metric, dimensions)].add(value)

    def all(self, *, by_minute: bool = True) -> list[Metric]:
        """Every metric that has a value, in order of first use, and if so asked by minute."""
        metrics = {key: Metric(*key, total) for key, total in self._totals().items()}
        for minute, tally in self._minutes.items() if by_minute else ():
            for key, statistics in _by_name(tally).items():
                metrics[key].minutes[minute] = statistics
        return list(metrics.values())

    def prometheus(self) -> str:
        """All metrics in Prometheus' text format: a summary with sum and count for each."""
        families: dict[str, list[str]] = {}
        for key, total in self._totals().items():
            name = f"{key.namespace}_{key.name}".replace("/", "_").lower()
            labels = ",".join(f'{label}="{_escape(value)}"' for label, value in key.dimensions)
            # The lines of one name stand together, whatever their labels.
            families.setdefault(name, [f"# TYPE {name} summary\n"]).append(
                f"{name}_sum{{{labels}}} {total.sum}\n{name}_count{{{labels}}} {total.count}\n"
            )
        return "".join(line for lines in families.values() for line in lines)

    def _count_request(self, tally: _Tally, exchange: Exchange, runs: list[FunctionRun]) -> None:
        distribution_id = self._distribution_id(exchange.name)
        counted = _BYTES.get(exchange.request.method, "")
        hit = exchange.result_type in ("Hit", "RefreshHit")
        alike = _Requests(
            distribution_id,
            counted,
            exchange.response.status if exchange.response is not None else 0,
            hit,
            _LAMBDA_FAILURES.get(exchange.detailed_result_type, ""),
            any(run.kind == "lambda" for run in runs),
        )
        uploaded = counted == "BytesUploaded"
        tally[alike].add(exchange.bytes_received if uploaded else exchange.bytes_sent)
        if exchange.layer not in ("", "EDGE"):
            dimensions = (("DistributionId", distribution_id), ("Layer", exchange.layer))
            tally[_Name(_OWN, "RequestsByLayer", dimensions)].add(1)
        if exchange.origin_id and not hit and exchange.first_byte_s is not None:
            latency = _Name(_CLOUDFRONT, "OriginLatency", _of_distribution(distribution_id))
            tally[latency].add(exchange.first_byte_s * 1000)

    def _tally(self, time_s: float) -> _Tally:
        minute = int(time_s) // 60 * 60
        if minute not in self._minutes:
            if len(self._minutes) == MINUTES_KEPT:
                _merge(self._minutes.pop(min(self._minutes)), self._before)
            self._minutes[minute] = defaultdict(Statistics)
        return self._minutes[minute]

    def _totals(self) -> dict[_Name, Statistics]:
        total: _Tally = defaultdict(Statistics)
        for tally in (self._before, *self._minutes.values()):
            _merge(tally, total)
        return _by_name(total)


def _alb_requests(exchange: Exchange) -> _AlbRequests:
    rule, last = exchange.steps[0].decision, exchange.steps[-1]
    group = "" if rule is None else str(rule.facts.get("target_group", ""))
    decision = last.decision
    return _AlbRequests(
        exchange.name,
        group,
        last.name,
        exchange.response.status if exchange.response is not None else 0,
        "" if decision is None else decision.kind,
        "" if decision is None else str(decision.facts.get("reason", "")),
    )


def _of_distribution(distribution_id: str) -> Dimensions:
    return (("DistributionId", distribution_id), _GLOBAL)


def _merge(tally: _Tally, into: _Tally) -> None:
    for alike, values in tally.items():
        into[alike].merge(values)


def _by_name(tally: _Tally) -> dict[_Name, Statistics]:
    named: dict[_Name, Statistics] = defaultdict(Statistics)
    for alike, values in tally.items():
        for name, statistics in alike.metrics(values):
            named[name].merge(statistics)
    return named


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
