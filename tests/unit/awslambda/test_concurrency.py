import pytest

from edgeproxy.awslambda.concurrency import Concurrency

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
