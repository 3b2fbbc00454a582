"""Requests and function runs are counted under AWS's names."""

import pytest

from edgeproxy.http.messages import Response
from edgeproxy.observe.metrics import Metrics
from tests.unit.exchange.records import exchange, ran

SITE = (("DistributionId", "E-Site"), ("Region", "Global"))
AUTH = (("FunctionName", "auth"),)
EDGE_AUTH = (("FunctionName", "auth"), ("Region", "Global"))


def sums(metrics: Metrics, dimensions: tuple[tuple[str, str], ...]) -> dict[str, float]:
    return {m.name: m.sum for m in metrics.all() if m.dimensions == dimensions}


def test_a_request() -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(bytes_sent=300))
    metrics.ended(exchange(bytes_sent=100, result_type="Miss"))
    (size,) = [m for m in metrics.all() if m.name == "BytesDownloaded"]
    assert (size.namespace, size.sum, size.count, size.min, size.max) == (
        "AWS/CloudFront",
        400,
        2,
        100,
        300,
    )
    (rate,) = [m for m in metrics.all() if m.name == "CacheHitRate"]
    assert rate.sum / rate.count == 50


@pytest.mark.parametrize(
    ("status", "rates"),
    [
        (200, {"4xxErrorRate": 0, "5xxErrorRate": 0, "TotalErrorRate": 0}),
        (404, {"4xxErrorRate": 100, "5xxErrorRate": 0, "TotalErrorRate": 100}),
        (503, {"4xxErrorRate": 0, "5xxErrorRate": 100, "TotalErrorRate": 100}),
    ],
)
def test_error_rates(status: int, rates: dict[str, int]) -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(response=Response(status)))
    counted = sums(metrics, SITE)
    assert {name: counted[name] for name in rates} == rates


def test_an_answer_that_never_came() -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(response=None))
    assert sums(metrics, SITE)["TotalErrorRate"] == 0


@pytest.mark.rule("LE-MET-02")
@pytest.mark.parametrize(
    ("detail", "name"),
    [
        ("LambdaExecutionError", "LambdaExecutionError"),
        ("LambdaValidationError", "LambdaValidationError"),
        ("LambdaLimitExceeded", "LambdaLimitExceededErrors"),
    ],
)
def test_failures_of_lambda_at_edge(detail: str, name: str) -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(detailed_result_type=detail))
    assert sums(metrics, SITE)[name] == 1


def test_other_doors_count_functions_only() -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(door="function-url", steps=[ran(duration_ms=2.5)]))
    assert {m.namespace for m in metrics.all()} == {"AWS/Lambda"}
    assert sums(metrics, AUTH) == {"Invocations": 1, "Duration": 2.5, "Errors": 0}


@pytest.mark.parametrize(
    ("error", "errors"),
    [("Unhandled", 1), ("Timeout", 1), ("InitError", 1), ("Validation", 0), ("", 0)],
)
def test_errors_of_a_function(error: str, errors: int) -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(door="alb", steps=[ran(error=error)]))
    assert sums(metrics, AUTH) == {"Invocations": 1, "Duration": 1.5, "Errors": errors}


@pytest.mark.rule("LI-128")
def test_a_throttled_request_is_no_invocation() -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(door="alb", steps=[ran(error="Throttled")]))
    assert sums(metrics, AUTH) == {"Throttles": 1}


@pytest.mark.rule("CFF-MET-01")
@pytest.mark.parametrize(
    ("error", "invalid", "failed"), [("", 0, 0), ("Validation", 1, 0), ("Unhandled", 0, 1)]
)
def test_cloudfront_functions_count_under_cloudfront(error: str, invalid: int, failed: int) -> None:
    metrics = Metrics(lambda logical_id: f"E-{logical_id}")
    metrics.ended(exchange(door="alb", steps=[ran(kind="cloudfront", error=error)]))
    assert {m.namespace for m in metrics.all()} == {"AWS/CloudFront"}
    assert sums(metrics, EDGE_AUTH) == {
        "FunctionInvocations": 1,
        "FunctionValidationErrors": invalid,
        "FunctionExecutionErrors": failed,
    }


class TestPrometheus:
    def test_nothing_yet(self) -> None:
        assert Metrics(lambda logical_id: f"E-{logical_id}").prometheus() == ""

    def test_each_name_is_a_summary_with_its_lines_together(self) -> None:
        metrics = Metrics(lambda logical_id: f"E-{logical_id}")
        for name in ("a", "b"):
            metrics.ended(exchange(door="alb", steps=[ran(name=name, duration_ms=2.5)]))
        assert metrics.prometheus() == (
            "# TYPE aws_lambda_invocations summary\n"
            'aws_lambda_invocations_sum{FunctionName="a"} 1\n'
            'aws_lambda_invocations_count{FunctionName="a"} 1\n'
            'aws_lambda_invocations_sum{FunctionName="b"} 1\n'
            'aws_lambda_invocations_count{FunctionName="b"} 1\n'
            "# TYPE aws_lambda_duration summary\n"
            'aws_lambda_duration_sum{FunctionName="a"} 2.5\n'
            'aws_lambda_duration_count{FunctionName="a"} 1\n'
            'aws_lambda_duration_sum{FunctionName="b"} 2.5\n'
            'aws_lambda_duration_count{FunctionName="b"} 1\n'
            "# TYPE aws_lambda_errors summary\n"
            'aws_lambda_errors_sum{FunctionName="a"} 0\n'
            'aws_lambda_errors_count{FunctionName="a"} 1\n'
            'aws_lambda_errors_sum{FunctionName="b"} 0\n'
            'aws_lambda_errors_count{FunctionName="b"} 1\n'
        )

    def test_large_sums_keep_every_digit(self) -> None:
        metrics = Metrics(lambda logical_id: f"E-{logical_id}")
        metrics.ended(exchange(bytes_sent=123_456_789_012))
        assert "bytesdownloaded_sum" in metrics.prometheus()
        assert " 123456789012\n" in metrics.prometheus()

    def test_labels_are_escaped(self) -> None:
        metrics = Metrics(lambda logical_id: f"E-{logical_id}")
        metrics.ended(exchange(door="alb", steps=[ran(name='a"\\\nb')]))
        assert r'FunctionName="a\"\\\nb"' in metrics.prometheus()
