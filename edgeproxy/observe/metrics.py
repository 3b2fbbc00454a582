"""Counts under AWS's metric names: ``AWS/CloudFront``, ``AWS/Lambda``, ``AWS/ApplicationELB``.

Each metric is kept since start and by minute for the last three hours, as the graphs of AWS's
consoles show it. The same value stands under several sets of dimensions where AWS does so: choose
one of them when adding up.

A request adds to some twenty metrics that are seldom read. So requests and runs that ended alike
are counted together, and AWS's metrics are made of that when somebody asks for them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from edgeproxy.awslambda.concurrency import InFlight
from edgeproxy.exchange.model import Exchange, FunctionRun, RepeatedHit
from edgeproxy.observe.lambda_metrics import (
    LAMBDA,
    Dimensions,
    LambdaRuns,
    Name,
    UrlRequests,
    concurrency,
    dimensions_of,
)
from edgeproxy.observe.statistics import Statistics

__all__ = ["MINUTES_KEPT", "Metric", "Metrics"]

MINUTES_KEPT: Final = 180
_MOST_BEGUN: Final = 64
"""How many invocations may have begun without being counted."""

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
class Metric:
    """A metric since start, and by minute: ``minutes`` is keyed by the minute's first second."""

    namespace: str
    name: str
    dimensions: Dimensions
    total: Statistics = field(default_factory=Statistics)
    minutes: dict[int, Statistics] = field(default_factory=dict)


# What values are counted by: tuples, since they are made and looked up in every request. None of
# one kind equals one of another, since they differ in length or in the type of the last field.


class _CloudFrontRuns(NamedTuple):
    """Runs of a CloudFront Function; the values are utilisations, if ``measured``."""

    name: str
    distribution_id: str
    error: str
    measured: bool

    def metrics(self, runs: Statistics) -> Iterator[tuple[Name, Statistics]]:
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
                yield Name(_CLOUDFRONT, name, dimensions), statistics


class _Requests(NamedTuple):
    """Requests of viewers; the values are the bytes that ``bytes_counted`` names, if it does."""

    distribution_id: str
    bytes_counted: str
    status: int
    hit: bool
    failure: str
    with_lambda: bool

    def metrics(self, requests: Statistics) -> Iterator[tuple[Name, Statistics]]:
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
            yield Name(_CLOUDFRONT, name, _of_distribution(self.distribution_id)), statistics


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

    def metrics(self, requests: Statistics) -> Iterator[tuple[Name, Statistics]]:
        """Each counts for the load balancer, what targets did for their group, too (AL-104)."""
        balancer = (("LoadBalancer", self.load_balancer),)
        group = (("TargetGroup", self.target_group), *balancer)
        for name, of_target in self._counted():
            for dimensions in (balancer, group) if of_target else (balancer,):
                yield Name(_ALB, name, dimensions), requests.with_each(1)
        if self.step == "function":
            for dimensions in (balancer, group):
                yield Name(_ALB, "LambdaTargetProcessedBytes", dimensions), requests

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

_Tally: TypeAlias = defaultdict[
    Name | LambdaRuns | UrlRequests | _CloudFrontRuns | _Requests | _AlbRequests, Statistics
]


class Metrics:
    """A recorder that counts requests and function runs.

    ``distribution_id`` gives the ID of a distribution by its logical ID, ``url_target`` the
    function behind a function URL and its qualifier, by the URL's logical ID.
    """

    def __init__(
        self,
        distribution_id: Callable[[str], str],
        url_target: Callable[[str], tuple[str, str]] = lambda logical_id: (logical_id, ""),
    ) -> None:
        self._distribution_id = distribution_id
        self._url_target = url_target
        self._minutes: dict[int, _Tally] = {}
        self._before: _Tally = defaultdict(Statistics)
        """What was counted in minutes that are not kept any more."""
        self._begun: list[tuple[str, int, InFlight]] = []
        """Invocations that have yet to be counted: functions and minutes."""

    def ended(self, exchange: Exchange) -> None:
        tally = self._tally(exchange.started)
        runs = exchange.functions
        for run in runs:
            self._count_run(tally, exchange.name, run)
        if exchange.door == "distribution":
            self._count_request(tally, exchange, runs)
        elif exchange.door == "function-url":
            tally[self._url_requests(exchange, runs)].add_measured(exchange.duration_s * 1000)
        elif exchange.door == "alb":
            tally[_alb_requests(exchange)].add(exchange.bytes_received + exchange.bytes_sent)

    def _count_run(self, tally: _Tally, logical_id: str, run: FunctionRun) -> None:
        if run.kind == "lambda":
            alike = LambdaRuns(run.name, run.qualifier, run.version, run.error)
            tally[alike].add_measured(run.duration_ms)
        else:
            distribution_id = self._distribution_id(logical_id)
            measured = run.utilisation is not None
            tally[_CloudFrontRuns(run.name, distribution_id, run.error, measured)].add(
                run.utilisation or 0
            )

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        alike: defaultdict[tuple[str, int, int, bool, bool], list[int]] = defaultdict(list)
        missed: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        for hit in hits:
            minute, missed_s, run = int(hit.started) // 60, hit.missed_s, hit.run
            with_lambda = run is not None and run.kind == "lambda"
            kind = hit.name, hit.status, minute, missed_s is None, with_lambda
            alike[kind].append(hit.bytes_sent)
            if missed_s is not None:
                missed[hit.name, minute].append(missed_s * 1000)
            if run is not None:
                self._count_run(self._tally(hit.started), hit.name, run)
        for (name, status, minute, is_hit, with_lambda), sizes in alike.items():
            distribution_id = self._distribution_id(name)
            requests = _Requests(
                distribution_id, "BytesDownloaded", status, is_hit, "", with_lambda
            )
            self._tally(minute * 60)[requests].add_all(sizes)
        for (name, minute), waits in missed.items():
            self._tally(minute * 60)[_latency(self._distribution_id(name))].add_all(waits)

    def entered(self, name: str, qualifier: str, in_flight: InFlight, time_s: float) -> None:
        """An invocation begins; ``in_flight`` counts it, too (LI-253)."""
        if in_flight.provisioned is not None:
            for metric, value in concurrency(name, qualifier, in_flight):
                self._tally(time_s)[metric].add(value)
            return
        self._begun.append((name, int(time_s) // 60, in_flight))
        if len(self._begun) >= _MOST_BEGUN:
            self._count_begun()

    def _count_begun(self) -> None:
        """Count the invocations that have begun since this was last done: some at a time, since a
        single one costs most of what many do."""
        alike: defaultdict[tuple[str, int], list[InFlight]] = defaultdict(list)
        for name, minute, in_flight in self._begun:
            alike[name, minute].append(in_flight)
        self._begun.clear()
        for (name, minute), begun in alike.items():
            tally = self._tally(minute * 60)
            columns: list[Sequence[float]] = list(zip(*(each[:4] for each in begun), strict=True))
            named = concurrency(name, "", begun[0])
            for (metric, _), values in zip(named, columns, strict=True):
                tally[metric].add_all(values)

    def counted(
        self, metric: str, function: str, qualifier: str, value: float, time_s: float
    ) -> None:
        """A value of a metric of Lambda's that no exchange tells (LI-251 to LI-254)."""
        tally = self._tally(time_s)
        for dimensions in dimensions_of(function, qualifier):
            tally[Name(LAMBDA, metric, dimensions)].add(value)

    def all(self, *, by_minute: bool = True) -> list[Metric]:
        """Every metric that has a value, in order of first use, and if so asked by minute."""
        metrics = {key: Metric(*key, total) for key, total in self._totals().items()}
        for minute, tally in self._minutes.items() if by_minute else ():
            for key, statistics in _by_name(tally).items():
                metrics[key].minutes[minute] = statistics
        return list(metrics.values())

    def prometheus(self) -> str:
        """All metrics in Prometheus' text format: summaries, with quantiles where they are kept."""
        families: dict[str, list[str]] = {}
        for key, total in self._totals().items():
            name = f"{key.namespace}_{key.name}".replace("/", "_").lower()
            labels = [f'{label}="{_escape(value)}"' for label, value in key.dimensions]
            shown = f"{{{','.join(labels)}}}"
            # The lines of one name stand together, whatever their labels.
            lines = families.setdefault(name, [f"# TYPE {name} summary\n"])
            for percentile, value in total.percentiles():
                at = ",".join((*labels, f'quantile="{percentile / 100}"'))
                lines.append(f"{name}{{{at}}} {value}\n")
            lines.append(f"{name}_sum{shown} {total.sum}\n{name}_count{shown} {total.count}\n")
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
            tally[Name(_OWN, "RequestsByLayer", dimensions)].add(1)
        if exchange.origin_id and not hit and exchange.first_byte_s is not None:
            tally[_latency(distribution_id)].add(exchange.first_byte_s * 1000)

    def _url_requests(self, exchange: Exchange, runs: list[FunctionRun]) -> UrlRequests:
        function, qualifier = self._url_target(exchange.name)
        status = exchange.response.status if exchange.response is not None else 0
        return UrlRequests(function, qualifier, runs[0].version if runs else "", status // 100)

    def _tally(self, time_s: float) -> _Tally:
        minute = int(time_s) // 60 * 60
        if minute not in self._minutes:
            if len(self._minutes) == MINUTES_KEPT:
                _merge(self._minutes.pop(min(self._minutes)), self._before)
            self._minutes[minute] = defaultdict(Statistics)
        return self._minutes[minute]

    def _totals(self) -> dict[Name, Statistics]:
        self._count_begun()
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


def _latency(distribution_id: str) -> Name:
    return Name(_CLOUDFRONT, "OriginLatency", _of_distribution(distribution_id))


def _merge(tally: _Tally, into: _Tally) -> None:
    for alike, values in tally.items():
        into[alike].merge(values)


def _by_name(tally: _Tally) -> dict[Name, Statistics]:
    named: dict[Name, Statistics] = defaultdict(Statistics)
    for alike, values in tally.items():
        for name, statistics in alike.metrics(values):
            named[name].merge(statistics)
    return named


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
