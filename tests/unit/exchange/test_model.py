"""An exchange times its steps and keeps them in order, whatever happens inside them."""

import pytest

from edgeproxy.exchange.model import Decision, Exchange
from edgeproxy.http.messages import Request, Response
from tests.unit.exchange.records import StoppedWatch, run

REQUEST = Request("GET", "/")


def begin(watch: StoppedWatch) -> Exchange:
    return Exchange("id", "distribution", "Site", REQUEST, watch.now(), watch)


def test_times_count_from_the_beginning() -> None:
    watch = StoppedWatch()
    exchange = begin(watch)
    assert exchange.elapsed() == 0
    watch.seconds += 2
    assert exchange.elapsed() == 2


def test_a_step_has_its_time_its_messages_and_its_decision() -> None:
    watch = StoppedWatch()
    exchange = begin(watch)
    watch.seconds += 1
    with exchange.step("cache", before=REQUEST) as step:
        watch.seconds += 0.5
        step.decision = Decision("Hit", "fresh for 3 s", {"age_s": 2})
        step.after = Response(200)
    assert exchange.steps == [step]
    assert (step.name, step.started_s, step.duration_s) == ("cache", 1, 0.5)
    assert step.before is REQUEST


def test_steps_inside_a_step_come_after_it_and_are_part_of_its_time() -> None:
    watch = StoppedWatch()
    exchange = begin(watch)
    with exchange.step("cache") as outer:
        watch.seconds += 1
        with exchange.step("origin") as inner:
            watch.seconds += 2
    assert exchange.steps == [outer, inner]
    assert (outer.duration_s, inner.started_s, inner.duration_s) == (3, 1, 2)


def test_a_step_that_fails_is_kept_with_its_time() -> None:
    watch = StoppedWatch()
    exchange = begin(watch)
    with pytest.raises(OSError, match="gone"), exchange.step("origin") as step:
        watch.seconds += 1
        raise OSError("gone")
    assert exchange.steps == [step]
    assert step.duration_s == 1


def test_functions_are_those_of_the_steps_in_order() -> None:
    exchange = begin(StoppedWatch())
    first, second = run(name="first"), run(name="second")
    for function in (first, None, second):
        with exchange.step("any") as step:
            step.function = function
    assert exchange.functions == [first, second]
