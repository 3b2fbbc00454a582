import pytest

from edgeproxy.awslambda.concurrency import Concurrency
from edgeproxy.awslambda.records import function_run
from edgeproxy.runtimes.invocation import Throttled


def refused(concurrency: Concurrency) -> Throttled:
    """What the second of two invocations gets."""
    assert concurrency.enter("f") is None
    refusal = concurrency.enter("f")
    assert refusal is not None
    return Throttled("r-1", refusal.reason, refusal.retry_after_s)


def reserved() -> Concurrency:
    concurrency = Concurrency(10)
    concurrency.reserve("f", 1)
    return concurrency


@pytest.mark.parametrize(
    ("concurrency", "limit"),
    [
        (reserved(), "its ReservedConcurrentExecutions"),
        (Concurrency(1), "--account-concurrency"),
        (Concurrency(10, scaling_rate=1), "--scaling-rate"),
    ],
)
@pytest.mark.rule("LI-125")
def test_a_throttled_run_names_the_limit_that_is_in_the_way(
    concurrency: Concurrency, limit: str
) -> None:
    run = function_run("f", "invoke", refused(concurrency))
    assert run.error == "Throttled"
    assert run.findings[0].remedy.startswith(f"raise {limit}, or send fewer requests ")


def test_a_rate_is_the_limit() -> None:
    concurrency = Concurrency(10, request_rate=1)
    for _ in range(9):
        assert concurrency.enter("f") is None
        concurrency.leave("f")
    run = function_run("f", "invoke", refused(concurrency))
    assert run.findings[0].remedy == "raise --request-rate, or send fewer requests a second"
