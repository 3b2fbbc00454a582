"""The edge's clock runs like real time, moves forward on demand, and can be set back."""

import time
from datetime import UTC

import pytest

from edgeproxy.clock import Clock


def test_it_shows_real_time() -> None:
    before = time.time()
    assert before <= Clock().now() <= time.time()
    assert Clock().offset_s == 0


def test_steps_add_up_until_reset() -> None:
    clock = Clock()
    clock.advance(3600)
    clock.advance(0.5)
    assert clock.offset_s == 3600.5
    assert clock.now() == pytest.approx(time.time() + 3600.5, abs=5)
    clock.reset()
    assert clock.offset_s == 0
    assert clock.now() == pytest.approx(time.time(), abs=5)


def test_utc_is_the_same_moment() -> None:
    clock = Clock()
    clock.advance(86_400)
    assert clock.utc().tzinfo is UTC
    assert clock.utc().timestamp() == pytest.approx(clock.now(), abs=5)


@pytest.mark.parametrize("step", [-1, float("nan"), float("inf"), 1e300, 9000 * 366 * 86_400])
def test_a_step_back_or_beyond_all_dates_is_refused(step: float) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="clock"):
        clock.advance(step)
    assert clock.offset_s == 0


def test_many_steps_do_not_lead_beyond_all_dates_either() -> None:
    clock = Clock()
    thousand_years = 1000 * 365 * 86_400
    for _ in range(6):
        clock.advance(thousand_years)
    with pytest.raises(ValueError, match="9000"):
        clock.advance(thousand_years)
    assert clock.utc().year < 9000


def test_durations_do_not_follow() -> None:
    clock = Clock()
    before = clock.monotonic()
    clock.advance(3600)
    assert clock.monotonic() - before < 3600
