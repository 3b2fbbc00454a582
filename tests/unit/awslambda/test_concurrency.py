import pytest

from edgeproxy.awslambda.concurrency import Concurrency, InFlight, ProvisionedUse, Refusal

OWN = Refusal("ReservedFunctionConcurrentInvocationLimitExceeded")
ACCOUNT = Refusal("ConcurrentInvocationLimitExceeded")


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


OWN_RATE = Refusal("ReservedFunctionInvocationRateLimitExceeded", 1)
ACCOUNT_RATE = Refusal("FunctionInvocationRateLimitExceeded", 1)


@pytest.mark.rule("LI-125", "LI-126", "LE-LIM-10")
def test_ten_invocations_a_second_for_each_that_may_run_at_once() -> None:
    now = 100.0
    concurrency = Concurrency(3, request_rate=10, monotonic=lambda: now)
    concurrency.reserve("a", 1)

    def several(name: str, count: int) -> list[Refusal | None]:
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
    assert concurrency.in_flight("a") == InFlight(function=2, account=4, unreserved=3, claimed=8)
    concurrency.leave("a")
    assert concurrency.in_flight("kept") == InFlight(function=1, account=3, unreserved=2, claimed=7)


@pytest.mark.rule("LI-130", "LI-131")
def test_nobody_else_has_what_is_provisioned() -> None:
    concurrency = Concurrency(4)
    concurrency.reserve("kept", 2)
    concurrency.provision("kept", "1", 2)
    assert concurrency.enter("kept") == OWN
    concurrency.provision("kept", "1", 1)
    assert [concurrency.enter("kept"), concurrency.enter("kept")] == [None, OWN]
    concurrency.provision("a", "1", 1)
    assert [concurrency.enter("a"), concurrency.enter("b")] == [None, ACCOUNT]
    concurrency.provision("a", "1", 0)
    assert concurrency.enter("b") is None


@pytest.mark.rule("LI-253")
def test_what_is_in_provisioned_environments() -> None:
    concurrency = Concurrency(10)
    concurrency.reserve("kept", 3)
    for name in ("kept", "a"):
        concurrency.provision(name, "1", 2)
        concurrency.enter_provisioned(name, "1")
    assert concurrency.enter("a") is None
    assert concurrency.in_flight("a", "1") == InFlight(
        # Claimed: 3 that are reserved, 2 that are provisioned, and one of the shared ones.
        function=2, account=3, unreserved=2, claimed=6, provisioned=ProvisionedUse(1, 2, False),
    )  # fmt: skip
    concurrency.reserve("a", 5)
    assert concurrency.in_flight("a").unreserved == 0
    concurrency.leave_provisioned("a", "1")
    concurrency.reserve("a", None)
    assert concurrency.in_flight("a").unreserved == 1
    concurrency.leave("a")
    assert concurrency.in_flight("a").unreserved == 0
    assert concurrency.in_flight("a", "1", spilled=True).provisioned == ProvisionedUse(0, 2, True)
    assert concurrency.in_flight("kept").function == 1


@pytest.mark.rule("LI-126")
def test_ten_invocations_a_second_for_each_provisioned_environment() -> None:
    now = 100.0
    concurrency = Concurrency(100, request_rate=10, monotonic=lambda: now)
    concurrency.provision("a", "1", 1)
    admitted = [concurrency.may_enter_provisioned("a", "1") for _ in range(11)]
    assert admitted == [True] * 10 + [False]
    now += 1
    assert concurrency.may_enter_provisioned("a", "1")


@pytest.mark.rule("LI-127", "LI-134")
def test_a_function_grows_by_so_many_environments_in_ten_seconds() -> None:
    now = 100.0
    concurrency = Concurrency(1000, scaling_rate=10, monotonic=lambda: now)

    def begin(name: str, count: int) -> int:
        return sum(concurrency.enter(name) is None for _ in range(count))

    assert begin("a", 15) == 10
    assert concurrency.enter("a") == Refusal("ConcurrentInvocationLimitExceeded", 1)
    assert begin("b", 5) == 5  # each function has its own
    concurrency.leave("a")
    assert begin("a", 2) == 1  # an environment is free, no new one is needed
    now += 3
    assert begin("a", 5) == 3  # refilled all the time
    now += 100
    assert begin("a", 15) == 10  # what was not used is not kept for later


@pytest.mark.rule("LI-127")
def test_environments_of_an_idle_function_have_to_be_started_again() -> None:
    now = 100.0
    concurrency = Concurrency(1000, scaling_rate=2, monotonic=lambda: now)
    for _ in range(2):
        assert concurrency.enter("a") is None
    for _ in range(2):
        concurrency.leave("a")
    now += 301
    assert [concurrency.enter("a") is None for _ in range(3)] == [True, True, False]


@pytest.mark.rule("LI-134")
def test_ceilings_of_time_are_off_by_default() -> None:
    concurrency = Concurrency(2000)
    for _ in range(2):
        assert {concurrency.enter("a") for _ in range(2000)} == {None}
        assert concurrency.enter("a") == ACCOUNT
        for _ in range(2000):
            concurrency.leave("a")
    concurrency.reserve("b", 1)
    for _ in range(11):
        assert concurrency.enter("b") is None
        concurrency.leave("b")
