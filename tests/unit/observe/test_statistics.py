"""What is kept of a number of values."""

import pytest

from edgeproxy.observe.statistics import PERCENTILES, Statistics


def of(*values: float) -> Statistics:
    made = Statistics()
    for value in values:
        made.add_measured(value)
    return made


def test_one_value_is_every_percentile() -> None:
    assert dict(of(3.7).percentiles()) == dict.fromkeys(PERCENTILES, 3.7)


def test_values_added_in_two_places_are_one_number_of_values() -> None:
    left, right = of(*range(1, 51)), of(*range(51, 101))
    left.merge(right)
    assert list(left.percentiles()) == list(of(*range(1, 101)).percentiles())
    assert (left.sum, left.count, left.min, left.max) == (5050, 100, 1, 100)
    into = Statistics()
    into.merge(left)
    assert list(into.percentiles()) == list(left.percentiles())


def test_percentiles_that_nobody_wanted() -> None:
    plain = Statistics()
    plain.add(1)
    assert list(plain.percentiles()) == []
    assert list(of(1, 2).with_each(1).percentiles()) == []


def test_what_took_no_time_at_all() -> None:
    percentiles = dict(of(0, 0, 0, 8).percentiles())
    assert percentiles[50] == pytest.approx(0, abs=1e-5)
    assert percentiles[99] == 8
