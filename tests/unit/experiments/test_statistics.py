"""What the statistics promise, on seeded draws."""

import math
import random

import pytest

from edgeproxy.experiments.statistics import (
    Durations,
    adjusted,
    differ,
    evidence_against,
    interval_of,
    share_test,
)

HALVES = {"a": 0.5, "b": 0.5}
ALPHA = 0.005


def drawn(dice: random.Random, visitors: int, share_of_a: float) -> dict[str, int]:
    of_a = sum(dice.random() < share_of_a for _ in range(visitors))
    return {"a": of_a, "b": visitors - of_a}


def test_right_shares_are_doubted_in_at_most_one_of_a_hundred_runs() -> None:
    dice = random.Random(7)
    doubted = 0
    for _ in range(1000):
        counts = {"a": 0, "b": 0}
        certain = False
        for _ in range(10):  # Somebody looks after each batch, and once more at the end.
            batch = drawn(dice, 200, 0.5)
            counts = {side: counts[side] + batch[side] for side in counts}
            certain = certain or evidence_against(counts, HALVES) > -math.log(ALPHA)
        p_value = share_test(counts, HALVES).p_value
        assert p_value is not None
        doubted += certain or p_value < ALPHA
    assert doubted <= 10


def test_wrong_shares_are_found() -> None:
    dice = random.Random(8)
    for _ in range(50):
        counts = drawn(dice, 10_000, 0.47)
        p_value = share_test(counts, HALVES).p_value
        assert p_value is not None
        assert p_value < ALPHA
    assert evidence_against({"a": 700, "b": 300}, HALVES) > -math.log(ALPHA)


def test_a_side_that_nobody_is_on_counts() -> None:
    assert share_test({"a": 1000}, HALVES).p_value == pytest.approx(0, abs=1e-9)
    assert evidence_against({"a": 1000}, HALVES) > 100


def test_few_visitors_tell_nothing() -> None:
    assert share_test({}, HALVES).p_value is None
    assert share_test({"a": 9}, HALVES).p_value is None
    assert share_test({"a": 10}, HALVES).p_value is not None
    assert share_test({"a": 10, "b": 90}, {"a": 0.01, "b": 0.99}).p_value is None


def test_an_interval_holds_the_true_share_nineteen_times_of_twenty() -> None:
    dice = random.Random(9)
    held = 0
    for _ in range(400):
        counts = drawn(dice, 500, 0.3)
        interval = interval_of(counts["a"], 500)
        held += interval.low <= 0.3 <= interval.high
    assert held >= 370
    assert (interval_of(0, 0).low, interval_of(0, 0).high) == (0.0, 1.0)


def test_percentiles_are_near_the_true_ones() -> None:
    dice = random.Random(10)
    values = sorted(dice.lognormvariate(2, 1) for _ in range(5001))
    durations = Durations()
    for value in values:
        durations.add(value)
    for percent in (50, 95, 99):
        true = values[math.ceil(5001 * percent / 100) - 1]
        assert durations.percentile(percent) == pytest.approx(true, rel=0.026)
        interval = durations.interval(percent)
        assert interval is not None
        assert interval.low <= true * 1.026
        assert interval.high >= true / 1.026
    assert durations.count == 5001


def test_no_duration_has_no_percentile() -> None:
    assert Durations().percentile(50) is None
    assert Durations().interval(50) is None


def test_ratios_differ_beyond_chance_or_not() -> None:
    assert differ((500, 1000), (505, 1000)) > 0.5
    assert differ((500, 1000), (600, 1000)) < 0.001
    assert differ((0, 0), (5, 10)) == 1.0


def test_many_comparisons_are_corrected_for() -> None:
    assert adjusted([]) == []
    assert adjusted([0.01, 0.04, 0.5]) == pytest.approx([0.03, 0.06, 0.5])
