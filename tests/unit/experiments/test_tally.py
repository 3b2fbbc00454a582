"""What is counted of what visitors see: sides, switches, leaks."""

from typing import Any

import pytest

from edgeproxy.experiments.model import Experiment, Mark, MarkKind
from edgeproxy.experiments.recognition import Answer
from edgeproxy.experiments.tally import OTHERS, Seen, Tally
from edgeproxy.experiments.visitors import Visitor, population

SHARES = {"a": 0.5, "b": 0.5}
BY_COOKIE = Experiment("x", Mark(MarkKind.COOKIE, "ab"), SHARES)
BY_BODY = Experiment(
    "x", Mark(MarkKind.COOKIE, "ab"), SHARES, Mark(MarkKind.BODY, "", {"a": "old", "b": "new"})
)


@pytest.fixture
def visitors() -> list[Visitor]:
    return list(population(3, 1))


def record(key: str, cookie: str = "", origin: str = "", **more: Any) -> dict[str, Any]:
    """As the edge has it; ``origin`` was asked with that cookie."""
    steps = []
    if origin:
        headers = [["Cookie", cookie]] if cookie else []
        steps = [{"name": "origin", "before": {"uri": "/", "headers": headers}}]
    result = "Miss" if origin else "Hit"
    document = {"cache_key": key, "origin": origin or None, "result_type": result, "steps": steps}
    return {**document, "functions": [], **more}


def seen(
    visitor: Visitor,
    cookie: str | None,
    record: dict[str, Any] | None = None,
    *,
    request: int = 0,
    body: str = "",
    sent: str | None = None,
    status: int = 200,
    x_cache: str = "Hit from cloudfront",
) -> Seen:
    answer = Answer(status, (("X-Cache", x_cache),), body, cookie, record)
    return Seen(visitor, request, "/", sent, answer, 1.0, "id")


def test_visitors_are_counted_on_the_side_they_were_first_seen_on(visitors: list[Visitor]) -> None:
    tally = Tally(BY_COOKIE)
    one, two, three = visitors
    tally.round([seen(one, "a"), seen(two, None), seen(three, "c")])
    tally.round([seen(one, "a", request=1, sent="a"), seen(two, "b", request=1)])
    for visitor in visitors:
        tally.left(visitor)
    assert tally.visitors == {"a": 1, "b": 1}
    assert tally.late == 2
    assert tally.unassigned == 1
    assert tally.unexpected == {"c": 1}


def test_who_changes_sides_is_counted_once_and_shown_with_the_reason(
    visitors: list[Visitor],
) -> None:
    tally = Tally(BY_COOKIE)
    one, two, _ = visitors
    tally.round([seen(one, "a"), seen(two, "a")])
    tally.round([seen(one, "b", request=1, sent="a"), seen(two, "b", request=1)])
    tally.round([seen(one, "a", request=2, sent="b")])
    assert tally.switches == 2
    assert [(each.variant, each.other) for each in tally.examples] == [
        ("a", "b"),
        ("a", "b"),
        ("b", "a"),
    ]
    assert "replaced the cookie ab=a" in tally.examples[0].why
    assert "had ended" in tally.examples[1].why


def test_an_object_that_the_origin_made_for_one_side_leaks_to_the_other(
    visitors: list[Visitor],
) -> None:
    tally = Tally(BY_COOKIE)
    one, two, three = visitors
    tally.round(
        [
            seen(two, "b", record("key")),  # Answered before the one who waited for the origin.
            seen(one, "a", record("key", "x=1; ab=a", "web"), x_cache="Miss from cloudfront"),
            seen(three, "a", record("key")),
        ]
    )
    assert tally.leaks == {("a", "b"): 1}
    assert tally.examples[0].why == "from the cache"


def test_an_object_whose_origin_could_not_see_the_side_is_everybodys(
    visitors: list[Visitor],
) -> None:
    tally = Tally(BY_COOKIE)
    one, two, _ = visitors
    tally.round([seen(one, "a", record("key", "", "web")), seen(two, "b", record("key"))])
    assert tally.leaked == 0


def test_an_object_is_for_whom_it_was_made_last(visitors: list[Visitor]) -> None:
    tally = Tally(BY_COOKIE)
    one, two, three = visitors
    tally.round([seen(one, "a", record("key", "ab=a", "web"))])
    tally.round([seen(two, "b", record("key", "ab=b", "web"))])
    refreshed = record("key", "ab=a", "web", result_type="RefreshHit")
    tally.round([seen(one, "a", refreshed, request=1, sent="a")])
    tally.round([seen(three, "b", record("key"))])
    assert tally.leaks == {("b", "a"): 1}  # The revalidated one: it stayed what it was.


def test_a_body_of_the_other_side_is_a_leak_wherever_it_comes_from(
    visitors: list[Visitor],
) -> None:
    tally = Tally(BY_BODY)
    one, two, three = visitors
    tally.round(
        [
            seen(one, "a", body="the old page"),
            seen(two, "a", body="the new page"),
            seen(three, "b", body="the old page", x_cache="Miss from cloudfront"),
        ]
    )
    assert tally.leaks == {("b", "a"): 1, ("a", "b"): 1}
    assert [each.why for each in tally.examples] == ["from the cache", "fresh from the origin"]


def test_what_is_not_cached_is_for_whom_asked_although_all_have_one_key(
    visitors: list[Visitor],
) -> None:
    tally = Tally(BY_COOKIE)
    tally.round(
        [
            seen(visitor, side, record("key", f"ab={side}", "web"), x_cache="Miss from cloudfront")
            for visitor, side in zip(visitors, "aba", strict=True)
        ]
    )
    assert tally.leaked == 0


def test_a_side_told_by_the_origin_is_that_of_cached_answers_too(visitors: list[Visitor]) -> None:
    tally = Tally(Experiment("x", Mark(MarkKind.ORIGIN, "", {"a": "web", "b": "webb"}), SHARES))
    one, two, three = visitors
    tally.round([seen(one, None, record("key", "", "webb")), seen(two, None, record("key"))])
    tally.round([seen(three, None, record("another"))])
    assert tally.visitors == {"a": 0, "b": 2}
    assert tally.leaked == 0


def test_random_values_are_no_names_and_a_visitor_of_them_counts_once() -> None:
    tally = Tally(BY_COOKIE)
    for visitor in population(100, 1):
        tally.round([seen(visitor, f"id-{visitor.number}")])
        tally.round([seen(visitor, f"other-{visitor.number}", request=1)])
    assert tally.unexpected == {**{f"id-{number}": 1 for number in range(5)}, OTHERS: 95}


def test_without_a_mark_of_the_visitor_answers_tell_the_side(visitors: list[Visitor]) -> None:
    mark = Mark(MarkKind.FUNCTION_VERSION, "shop", {"a": "1", "b": "2"})
    tally = Tally(Experiment("x", mark, SHARES))
    one, two, _ = visitors

    def ran(version: str) -> dict[str, Any]:
        return record("", functions=[{"name": "shop", "version": version}])

    tally.round([seen(one, None, ran("1")), seen(two, None, ran("2"))])
    tally.round([seen(one, None, ran("2"), request=1)])
    assert tally.visitors == {"a": 1, "b": 1}
    assert tally.switches == 1
    assert tally.leaked == 0


def test_throttled_requests_and_redirects_to_https_are_told(visitors: list[Visitor]) -> None:
    tally = Tally(BY_COOKIE)
    one, two, _ = visitors
    redirected = seen(two, None, status=301, x_cache="Redirect from cloudfront")
    tally.round([seen(one, None, status=429, x_cache=""), redirected])
    assert tally.errors == 1
    assert tally.problems == {
        "429 (throttled)": 1,
        "301 Redirect from cloudfront to HTTPS, which the edge serves with --https-port": 1,
    }


def test_cookies_of_visitors_without_a_side_are_named(visitors: list[Visitor]) -> None:
    tally = Tally(BY_COOKIE)
    for visitor in visitors:
        visitor.jar.store(["AB=a"], "/", 0)
        tally.left(visitor)
    assert tally.other_cookies == {"AB"}


def test_errors_and_hits_are_counted_by_variant_and_segment(visitors: list[Visitor]) -> None:
    tally = Tally(BY_COOKIE)
    one, two, _ = visitors
    tally.round(
        [
            seen(one, "a"),
            seen(two, "b", status=502, x_cache="LambdaExecutionError from cloudfront"),
        ]
    )
    tally.round(
        [
            seen(one, "a", request=1, status=0, x_cache=""),
            seen(two, "b", request=1, status=404, x_cache="Error from cloudfront"),
        ]
    )
    assert (tally.by_variant["a"].hits, tally.by_variant["a"].errors) == (1, 1)
    assert tally.errors == 2
    assert tally.problems == {
        "502 LambdaExecutionError from cloudfront": 1,
        "no answer": 1,
        "404 Error from cloudfront": 1,
    }
    assert tally.segments["visit", "returning", "b"].requests == 1
    assert tally.segments["country", one.country, "a"].requests >= 1


def test_an_origin_that_a_function_changed_is_told_by_its_domain_name(
    visitors: list[Visitor],
) -> None:
    mark = Mark(MarkKind.ORIGIN, "", {"a": "web", "b": "webb.example.com"})
    tally = Tally(Experiment("x", mark, SHARES))
    names = ["web.example.com", "webb.example.com", "webb.example.com"]
    tally.round(
        [
            seen(visitor, None, record(name, "", "web", asked={"domain_name": name}))
            for visitor, name in zip(visitors, names, strict=True)
        ]
    )
    assert tally.visitors == {"a": 1, "b": 2}
