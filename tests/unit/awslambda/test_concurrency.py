import pytest

from edgeproxy.awslambda.concurrency import Concurrency, InFlight

OWN = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT = "ConcurrentInvocationLimitExceeded"


@pytest.mark.rule("LI-120", "LI-125")
def test_functions_without_reservation_share_the_account() -> None:
    concurrency = Concurrency(2)
    assert [concurrency.enter(name) for name in ("a", "b", "a")] == [None, None, ACCOUNT]
    concurrency.leave("b")
    assert concurrency.enter("a") is None


@pytest.mark.rule("LI-121", "LI-125")
def test_a_reservation_is_a_ceiling() -> None:
    concurrency = Concurrency(10)
    concurrency.reserve("a", 1)
    assert [concurrency.enter("a"), concurrency.enter("a")] == [None, OWN]


@pytest.mark.rule("LI-121")
def test_a_reservation_is_a_guarantee() -> None:
    concurrency = Concurrency(3)
    concurrency.reserve("a", 2)
    assert [concurrency.enter("b"), concurrency.enter("b")] == [None, ACCOUNT]
    assert [concurrency.enter("a"), concurrency.enter("a")] == [None, None]


@pytest.mark.rule("LI-121")
def test_a_reservation_of_nothing_blocks() -> None:
    concurrency = Concurrency(3)
    concurrency.reserve("a", 0)
    assert concurrency.enter("a") == OWN


def test_a_reservation_may_change_while_invocations_run() -> None:
    concurrency = Concurrency(2)
    assert concurrency.enter("a") is None
    concurrency.reserve("a", 1)
    assert concurrency.enter("b") is None
    assert concurrency.enter("b") == ACCOUNT
    concurrency.reserve("a", None)
    assert concurrency.enter("c") == ACCOUNT
    concurrency.leave("a")
    assert concurrency.enter("c") is None


OWN_RATE = "ReservedFunctionInvocationRateLimitExceeded"
ACCOUNT_RATE = "FunctionInvocationRateLimitExceeded"


@pytest.mark.rule("LI-125", "LI-126", "LE-LIM-10")
def test_ten_invocations_a_second_for_each_that_may_run_at_once() -> None:
    now = 100.0
    concurrency = Concurrency(3, lambda: now)
    concurrency.reserve("a", 1)

    def several(name: str, count: int) -> list[str | None]:
        reasons = []
        for _ in range(count):
            reasons.append(concurrency.enter(name))
            if reasons[-1] is None:
                concurrency.leave(name)
        return reasons

    # One for "a", two for all others together; their seconds are their own.
    assert several("a", 11) == [None] * 10 + [OWN_RATE]
    assert several("b", 15) + several("c", 6) == [None] * 20 + [ACCOUNT_RATE]
    now += 0.9
    assert several("a", 1) + several("b", 1) == [OWN_RATE, ACCOUNT_RATE]
    now += 0.1
    assert several("a", 1) + several("b", 1) == [None, None]


@pytest.mark.rule("LI-253")
def test_what_is_in_flight() -> None:
    concurrency = Concurrency(10)
    concurrency.reserve("kept", 5)
    for name in ("kept", "a", "a", "b"):
        assert concurrency.enter(name) is None
    assert concurrency.in_flight("a") == InFlight(function=2, account=4, unreserved=3)
    concurrency.leave("a")
    assert concurrency.in_flight("kept") == InFlight(function=1, account=3, unreserved=2)
