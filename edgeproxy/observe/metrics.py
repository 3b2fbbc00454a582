"""Counts under AWS's metric names (namespaces ``AWS/CloudFront`` and ``AWS/Lambda``)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from edgeproxy.exchange.model import Exchange, FunctionRun

__all__ = ["Metric", "Metrics"]

Dimensions: TypeAlias = tuple[tuple[str, str], ...]

_LAMBDA_FAILURES: Final = {
    "LambdaExecutionError": "LambdaExecutionError",
    "LambdaValidationError": "LambdaValidationError",
    "LambdaLimitExceeded": "LambdaLimitExceededErrors",
}
"""From detailed result types to names of metrics (LE-MET-02)."""


@dataclass(slots=True)
class Metric:
    """A metric since start. ``sum``, ``min`` and ``max`` are in the metric's own unit."""

    namespace: str
    name: str
    dimensions: Dimensions
    sum: float = 0
    count: int = 0
    min: float = float("inf")
    max: float = float("-inf")

    def add(self, value: float) -> None:
        self.sum += value
        self.count += 1
        self.min = min(self.min, value)
        self.max = max(self.max, value)


class Metrics:
    """A recorder that counts requests and function runs.

    ``distribution_id`` gives the ID of a distribution by its logical ID.
    """

    def __init__(self, distribution_id: Callable[[str], str]) -> None:
        self._distribution_id = distribution_id
        self._metrics: dict[tuple[str, str, Dimensions], Metric] = {}

    def ended(self, exchange: Exchange) -> None:
        for run in exchange.functions:
            if run.kind == "lambda":
                self._count_lambda_run(run)
            else:
                self._count_cloudfront_run(run)
        if exchange.door == "distribution":
            self._count_request(exchange)

    def all(self) -> list[Metric]:
        """Every metric that has a value, in order of first use."""
        return list(self._metrics.values())

    def prometheus(self) -> str:
        """All metrics in Prometheus' text format: a summary with sum and count for each."""
        families: dict[str, list[str]] = {}
        for metric in self._metrics.values():
            name = f"{metric.namespace}_{metric.name}".replace("/", "_").lower()
            labels = ",".join(f'{key}="{_escape(value)}"' for key, value in metric.dimensions)
            # The lines of one name stand together, whatever their labels.
            families.setdefault(name, [f"# TYPE {name} summary\n"]).append(
                f"{name}_sum{{{labels}}} {metric.sum}\n{name}_count{{{labels}}} {metric.count}\n"
            )
        return "".join(line for lines in families.values() for line in lines)

    def _count_lambda_run(self, run: FunctionRun) -> None:
        """A throttled request is no invocation (LI-128), a refused result no error of Lambda's."""
        dimensions = (("FunctionName", run.name),)
        if run.error == "Throttled":
            self._add("AWS/Lambda", "Throttles", dimensions, 1)
            return
        self._add("AWS/Lambda", "Invocations", dimensions, 1)
        self._add("AWS/Lambda", "Duration", dimensions, run.duration_ms)
        failed = run.error not in ("", "Validation")
        self._add("AWS/Lambda", "Errors", dimensions, int(failed))

    def _count_cloudfront_run(self, run: FunctionRun) -> None:
        """CloudFront Functions count under CloudFront (CFF-MET-01)."""
        dimensions = (("FunctionName", run.name), ("Region", "Global"))
        invalid = run.error == "Validation"
        failed = bool(run.error) and not invalid
        self._add("AWS/CloudFront", "FunctionInvocations", dimensions, 1)
        self._add("AWS/CloudFront", "FunctionValidationErrors", dimensions, int(invalid))
        self._add("AWS/CloudFront", "FunctionExecutionErrors", dimensions, int(failed))

    def _count_request(self, exchange: Exchange) -> None:
        dimensions = (
            ("DistributionId", self._distribution_id(exchange.name)),
            ("Region", "Global"),
        )
        response = exchange.response
        status = response.status if response is not None else 0
        hit = exchange.result_type in ("Hit", "RefreshHit")
        percentages = {
            "4xxErrorRate": 400 <= status < 500,
            "5xxErrorRate": status >= 500,
            "TotalErrorRate": status >= 400,
            "CacheHitRate": hit,
        }
        self._add("AWS/CloudFront", "Requests", dimensions, 1)
        self._add("AWS/CloudFront", "BytesDownloaded", dimensions, exchange.bytes_sent)
        for name, counts in percentages.items():
            self._add("AWS/CloudFront", name, dimensions, 100 if counts else 0)
        failure = _LAMBDA_FAILURES.get(exchange.detailed_result_type)
        if failure is not None:
            self._add("AWS/CloudFront", failure, dimensions, 1)

    def _add(self, namespace: str, name: str, dimensions: Dimensions, value: float) -> None:
        key = (namespace, name, dimensions)
        metric = self._metrics.get(key)
        if metric is None:
            metric = self._metrics[key] = Metric(namespace, name, dimensions)
        metric.add(value)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
