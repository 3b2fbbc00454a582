import pytest

from edgeproxy.awslambda.model import EventInvokeConfig
from edgeproxy.awslambda.retries import Again, Condition, GivenUp, after_failure, after_setback

DEFAULT = EventInvokeConfig()
EXHAUSTED = GivenUp(Condition.RETRIES_EXHAUSTED)
TOO_OLD = GivenUp(Condition.EVENT_AGE_EXCEEDED)


@pytest.mark.rule("LI-151")
def test_a_failure_is_tried_again_after_one_minute_and_after_two_more() -> None:
    assert after_failure(1, 1000, 1005, DEFAULT) == Again(1065)
    assert after_failure(2, 1000, 1070, DEFAULT) == Again(1190)
    assert after_failure(3, 1000, 1200, DEFAULT) == EXHAUSTED


@pytest.mark.rule("LI-151")
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_as_often_as_the_configuration_says(retries: int) -> None:
    config = EventInvokeConfig(retries=retries)
    for failures in range(1, retries + 1):
        assert isinstance(after_failure(failures, 0, 1, config), Again)
    assert after_failure(retries + 1, 0, 1, config) == EXHAUSTED


@pytest.mark.rule("LI-153")
@pytest.mark.parametrize(
    ("max_age_s", "after_first", "after_second"),
    [(60, TOO_OLD, TOO_OLD), (120, Again(61), TOO_OLD), (21_600, Again(61), Again(182))],
)
def test_no_attempt_begins_when_the_event_would_be_too_old(
    max_age_s: int, after_first: object, after_second: object
) -> None:
    config = EventInvokeConfig(max_age_s=max_age_s)
    assert after_failure(1, 0, 1, config) == after_first
    assert after_failure(2, 0, 62, config) == after_second


@pytest.mark.rule("LI-152")
def test_a_setback_is_tried_again_after_delays_that_double_up_to_five_minutes() -> None:
    delays = [after_setback(number, 0, 0, DEFAULT) for number in (1, 2, 3, 8, 9, 10, 1000)]
    assert delays == [Again(s) for s in (1, 2, 4, 128, 256, 300, 300)]


@pytest.mark.rule("LI-152", "LI-153")
def test_setbacks_are_no_attempts_and_end_with_the_age_only() -> None:
    config = EventInvokeConfig(retries=0)
    assert after_setback(500, 0, 21_000, config) == Again(21_300)
    assert after_setback(500, 0, 21_301, config) == TOO_OLD
