"""Requests and function runs are counted under AWS's names."""

from typing import Any

import pytest

from edgeproxy.awslambda.concurrency import InFlight, ProvisionedUse
from edgeproxy.http.messages import Response
from edgeproxy.observe.lambda_metrics import Dimensions
from edgeproxy.observe.metrics import MINUTES_KEPT, Metric, Metrics
from tests.unit.exchange.records import STARTED, exchange, ran

SITE = (("DistributionId", "E-Site"), ("Region", "Global"))
AUTH = (("FunctionName", "auth"),)
EDGE_AUTH = (("FunctionName", "auth"), ("Region", "Global"))


def counted(**changes: Any) -> Metrics:
    """Metrics that have seen one exchange."""
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(**changes))
    return metrics


def sums(metrics: Metrics, dimensions: Dimensions) -> dict[str, float]:
    return {m.name: m.total.sum for m in metrics.all() if m.dimensions == dimensions}


def named(metrics: Metrics, name: str, dimensions: Dimensions = SITE) -> Metric:
    (found,) = [m for m in metrics.all() if (m.name, m.dimensions) == (name, dimensions)]
    return found


def test_requests_that_went_behind_the_edge_location() -> None:
    metrics = counted(layer="REC")
    for layer in ("REC", "Origin Shield", "EDGE", ""):
        metrics.ended(exchange(layer=layer))
    found = {m.dimensions: m.total.sum for m in metrics.all() if m.name == "RequestsByLayer"}
    site = ("DistributionId", "E-Site")
    assert found == {(site, ("Layer", "REC")): 2, (site, ("Layer", "Origin Shield")): 1}


def test_a_request() -> None:
    metrics = counted(bytes_sent=300)
    metrics.ended(exchange(bytes_sent=100, result_type="Miss"))
    size = named(metrics, "BytesDownloaded")
    total = size.total
    assert size.namespace == "AWS/CloudFront"
    assert (total.sum, total.count, total.min, total.max) == (400, 2, 100, 300)
    assert sums(metrics, SITE)["Requests"] == 2


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (200, set()),
        (400, {"4xxErrorRate"}),
        (401, {"4xxErrorRate", "401ErrorRate"}),
        (403, {"4xxErrorRate", "403ErrorRate"}),
        (404, {"4xxErrorRate", "404ErrorRate"}),
        (500, {"5xxErrorRate"}),
        (502, {"5xxErrorRate", "502ErrorRate"}),
        (503, {"5xxErrorRate", "503ErrorRate"}),
        (504, {"5xxErrorRate", "504ErrorRate"}),
    ],
)
def test_error_rates(status: int, raised: set[str]) -> None:
    rates = {
        name: value
        for name, value in sums(counted(response=Response(status)), SITE).items()
        if name.endswith("ErrorRate")
    }
    assert len(rates) == 9
    expected = raised | {"TotalErrorRate"} if raised else raised
    assert {name for name, value in rates.items() if value == 100} == expected
    assert set(rates.values()) <= {0, 100}


def test_an_answer_that_never_came() -> None:
    assert sums(counted(response=None), SITE)["TotalErrorRate"] == 0


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("GET", {"BytesDownloaded": 321}),
        ("HEAD", {"BytesDownloaded": 321}),
        ("POST", {"BytesUploaded": 123}),
        ("PUT", {"BytesUploaded": 123}),
        ("OPTIONS", {"BytesUploaded": 123}),
        ("DELETE", {}),
    ],
)
def test_bytes_count_by_method(method: str, names: dict[str, int]) -> None:
    counts = sums(counted(method=method), SITE)
    assert {name: counts[name] for name in counts if name.startswith("Bytes")} == names


def test_the_cache_hit_rate_is_one_of_cacheable_requests() -> None:
    metrics = counted()
    for changes in (
        {"result_type": "Miss"},
        {"method": "POST", "result_type": "Miss"},
        {"response": Response(404), "result_type": "Error"},
    ):
        metrics.ended(exchange(**changes))
    rate = named(metrics, "CacheHitRate").total
    assert (rate.sum, rate.count) == (100, 2)


def test_origin_latency_is_that_of_requests_the_origin_served() -> None:
    metrics = counted(first_byte_s=0.5, origin_id="web")  # a hit
    metrics.ended(exchange(first_byte_s=0.25, origin_id="web", result_type="Miss"))
    assert sums(metrics, SITE)["OriginLatency"] == 250


@pytest.mark.rule("LE-MET-01", "LE-MET-02")
@pytest.mark.parametrize(
    ("detail", "name"),
    [
        ("LambdaExecutionError", "LambdaExecutionError"),
        ("LambdaValidationError", "LambdaValidationError"),
        ("LambdaLimitExceeded", "LambdaLimitExceededErrors"),
    ],
)
def test_failures_of_lambda_at_edge(detail: str, name: str) -> None:
    metrics = counted(detailed_result_type=detail, response=Response(503), steps=[ran()])
    metrics.ended(exchange(steps=[ran()]))
    assert sums(metrics, SITE)[name] == 1
    rate = named(metrics, "Lambda5xxErrorRate").total
    assert (rate.sum, rate.count) == (100, 2)


@pytest.mark.rule("LE-MET-01")
def test_minutes_are_kept_apart_and_not_for_ever() -> None:
    metrics = Metrics(str)
    for minute in range(MINUTES_KEPT + 2):
        for second in (0, 30):
            made = exchange()
            made.started = STARTED // 60 * 60 + minute * 60 + second
            metrics.ended(made)
    requests = named(metrics, "Requests", (("DistributionId", "Site"), ("Region", "Global")))
    first = int(STARTED) // 60 * 60 + 120
    assert list(requests.minutes) == [first + n * 60 for n in range(MINUTES_KEPT)]
    assert {statistics.sum for statistics in requests.minutes.values()} == {2}
    assert requests.total.sum == 2 * (MINUTES_KEPT + 2)


def test_other_doors_count_functions_only() -> None:
    metrics = counted(door="lambda-api", steps=[ran(duration_ms=2.5)])
    assert {m.namespace for m in metrics.all()} == {"AWS/Lambda"}
    assert sums(metrics, AUTH) == {"Invocations": 1, "Duration": 2.5, "Errors": 0}


@pytest.mark.rule("LI-250")
@pytest.mark.parametrize(
    ("qualifier", "resource", "executed"),
    [
        ("", "auth", None),
        ("3", "auth:3", None),
        ("$LATEST", "auth:$LATEST", None),
        ("live", "auth:live", "3"),
    ],
)
def test_dimensions_of_a_function(qualifier: str, resource: str, executed: str | None) -> None:
    metrics = counted(door="lambda-api", steps=[ran(qualifier=qualifier, version="3")])
    of_resource = (*AUTH, ("Resource", resource))
    of_version = [(*of_resource, ("ExecutedVersion", executed))] if executed else []
    assert {m.dimensions for m in metrics.all()} == {(), AUTH, of_resource, *of_version}
    assert [m.total.sum for m in metrics.all() if m.name == "Invocations"] == [1] * (
        3 + len(of_version)
    )


@pytest.mark.rule("LI-253")
def test_concurrency() -> None:
    metrics = Metrics(str)
    metrics.entered("auth", "", InFlight(1, 2, 1, 5), 0)
    metrics.entered("auth", "", InFlight(2, 3, 1, 6), 1)
    most = {(m.name, m.dimensions): m.total.max for m in metrics.all()}
    assert most == {
        ("ConcurrentExecutions", AUTH): 2,
        ("ConcurrentExecutions", ()): 3,
        ("UnreservedConcurrentExecutions", ()): 1,
        ("ClaimedAccountConcurrency", ()): 6,
    }


@pytest.mark.rule("LI-253")
def test_concurrency_of_many_invocations() -> None:
    metrics = Metrics(str)
    for number in range(200):
        metrics.entered("auth", "", InFlight(number, 1, 1, 1), 60 * (number // 150))
    (running,) = (
        m for m in metrics.all() if (m.name, m.dimensions) == ("ConcurrentExecutions", AUTH)
    )
    assert (running.total.count, running.total.min, running.total.max) == (200, 0, 199)
    assert running.total.sum == sum(range(200))
    assert {minute: each.count for minute, each in running.minutes.items()} == {0: 150, 60: 50}


@pytest.mark.rule("LI-130", "LI-250", "LI-251", "LI-253")
def test_provisioned_concurrency() -> None:
    metrics = Metrics(str)
    metrics.entered("auth", "live", InFlight(1, 1, 1, 2, ProvisionedUse(1, 2, spilled=False)), 0)
    metrics.entered("auth", "live", InFlight(2, 2, 2, 2, ProvisionedUse(2, 2, spilled=False)), 1)
    metrics.entered("auth", "live", InFlight(3, 3, 3, 3, ProvisionedUse(2, 2, spilled=True)), 2)
    live = (*AUTH, ("Resource", "auth:live"))
    totals = {(m.name, m.dimensions): m.total for m in metrics.all()}
    for dimensions in ((), AUTH, live):
        assert totals["ProvisionedConcurrencyInvocations", dimensions].sum == 2
        assert totals["ProvisionedConcurrencySpilloverInvocations", dimensions].sum == 1
    assert totals["ProvisionedConcurrentExecutions", live].max == 2
    utilization = totals["ProvisionedConcurrencyUtilization", live]
    assert (utilization.min, utilization.max) == (0.5, 1)


@pytest.mark.parametrize(
    ("error", "errors"),
    [("Unhandled", 1), ("Timeout", 1), ("InitError", 1), ("Validation", 0), ("", 0)],
)
def test_errors_of_a_function(error: str, errors: int) -> None:
    metrics = counted(door="alb", steps=[ran(error=error)])
    assert sums(metrics, AUTH) == {"Invocations": 1, "Duration": 1.5, "Errors": errors}


@pytest.mark.rule("FU-128")
@pytest.mark.parametrize(
    ("qualifier", "resource", "executed"),
    [("", "auth:$LATEST", None), ("live", "auth:live", "3")],
)
def test_requests_to_a_function_url(qualifier: str, resource: str, executed: str | None) -> None:
    metrics = Metrics(str, lambda logical_id: ("auth", qualifier))
    for status, steps in ((200, [ran(version="3")]), (502, [ran(version="3")]), (404, [])):
        metrics.ended(
            exchange(door="function-url", name="Url", response=Response(status), steps=steps)
        )
    counts = {"UrlRequestCount": 3, "Url4xxCount": 1, "Url5xxCount": 1, "UrlRequestLatency": 750}
    of_urls = [m for m in metrics.all() if m.name.startswith("Url")]
    of_resource = (*AUTH, ("Resource", resource))
    for dimensions in (AUTH, of_resource):
        assert {m.name: m.total.sum for m in of_urls if m.dimensions == dimensions} == counts
    of_version = {m.dimensions for m in of_urls} - {AUTH, of_resource}
    # Where the function was not run, no version was.
    assert of_version == ({(*of_resource, ("ExecutedVersion", executed))} if executed else set())


@pytest.mark.rule("LI-252")
def test_percentiles_of_durations() -> None:
    metrics = Metrics(str)
    for milliseconds in range(1, 1001):
        metrics.ended(exchange(door="lambda-api", steps=[ran(duration_ms=milliseconds)]))
    at = dict(named(metrics, "Duration", AUTH).total.percentiles())
    assert at == {p: pytest.approx(10 * p, rel=0.01) for p in (50, 90, 95, 99)}
    assert dict(named(metrics, "Invocations", AUTH).total.percentiles()) == {}


@pytest.mark.rule("LI-128")
def test_a_throttled_request_is_no_invocation() -> None:
    assert sums(counted(door="alb", steps=[ran(error="Throttled")]), AUTH) == {"Throttles": 1}


@pytest.mark.rule("CFF-MET-01")
@pytest.mark.parametrize(
    ("error", "invalid", "failed", "throttled"),
    [("", 0, 0, 0), ("Validation", 1, 0, 0), ("Unhandled", 0, 1, 0), ("Throttled", 0, 0, 1)],
)
def test_cloudfront_functions_count_under_cloudfront(
    error: str, invalid: int, failed: int, throttled: int
) -> None:
    metrics = counted(steps=[ran(kind="cloudfront", error=error, utilisation=35)])
    assert {m.namespace for m in metrics.all()} == {"AWS/CloudFront"}
    expected = {
        "FunctionInvocations": 1,
        "FunctionValidationErrors": invalid,
        "FunctionExecutionErrors": failed,
        "FunctionThrottles": throttled,
        "FunctionComputeUtilization": 35,
    }
    assert sums(metrics, EDGE_AUTH) == expected
    assert sums(metrics, (("DistributionId", "E-Site"), *EDGE_AUTH)) == expected


class TestPrometheus:
    def test_nothing_yet(self) -> None:
        assert Metrics(str).prometheus() == ""

    def test_each_name_is_a_summary_with_its_lines_together(self) -> None:
        metrics = Metrics(str)
        for name in ("a", "b"):
            metrics.ended(exchange(door="lambda-api", steps=[ran(name=name, duration_ms=2.5)]))
        text = metrics.prometheus()
        assert text.startswith(
            "# TYPE aws_lambda_invocations summary\n"
            "aws_lambda_invocations_sum{} 2\n"
            "aws_lambda_invocations_count{} 2\n"
            'aws_lambda_invocations_sum{FunctionName="a"} 1\n'
            'aws_lambda_invocations_count{FunctionName="a"} 1\n'
            'aws_lambda_invocations_sum{FunctionName="a",Resource="a"} 1\n'
            'aws_lambda_invocations_count{FunctionName="a",Resource="a"} 1\n'
            'aws_lambda_invocations_sum{FunctionName="b"} 1\n'
        )
        types = [line.split()[2] for line in text.splitlines() if line.startswith("#")]
        assert types == ["aws_lambda_invocations", "aws_lambda_duration", "aws_lambda_errors"]
        assert 'aws_lambda_duration_sum{FunctionName="a"} 2.5\n' in text
        assert 'aws_lambda_duration{FunctionName="a",quantile="0.99"} 2.5\n' in text

    def test_large_sums_keep_every_digit(self) -> None:
        metrics = counted(bytes_sent=123_456_789_012)
        assert "bytesdownloaded_sum" in metrics.prometheus()
        assert " 123456789012\n" in metrics.prometheus()

    def test_labels_are_escaped(self) -> None:
        metrics = counted(door="alb", steps=[ran(name='a"\\\nb')])
        assert r'FunctionName="a\"\\\nb"' in metrics.prometheus()
