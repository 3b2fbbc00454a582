from dataclasses import replace

import pytest

from edgeproxy.cache.entry import Entry, Hit, Miss, Stale, make_entry
from edgeproxy.cache.freshness import NotStorable, Storable, judge
from edgeproxy.cache.validation import after_failure, look_up, refresh, validators
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import FLEXIBLE, OPTIMIZED, key

NOW = 1_800_000_000.0


def entry(*lines: tuple[str, str]) -> Entry:
    headers = Headers([("Cache-Control", "max-age=60, stale-while-revalidate=10"), *lines])
    storable = judge(200, headers, FLEXIBLE, NOW)
    assert isinstance(storable, Storable)
    return make_entry(key(), 200, "", headers, b"hello", storable, NOW)


@pytest.mark.parametrize(
    ("after_s", "lookup"),
    [
        (0, Hit(60, "max-age=60")),
        (59, Hit(1, "max-age=60")),
        (
            60,
            Stale(
                "expired 0 s ago (max-age=60); stale-while-revalidate for 10 s more", usable=True
            ),
        ),
        (70, Stale("expired 10 s ago (max-age=60)")),
    ],
)
def test_what_a_lookup_says(after_s: int, lookup: Hit | Stale) -> None:
    assert look_up(entry(), NOW + after_s) == lookup


def test_nothing_stored() -> None:
    assert look_up(None, NOW) == Miss("nothing stored for this key")


def test_an_origin_that_failed_is_left_in_peace() -> None:
    kept = after_failure(entry(), 503, FLEXIBLE, NOW + 100)
    assert kept is not None
    expected = "expired 41 s ago (max-age=60); the origin failed and is asked again in 9 s"
    assert look_up(kept, NOW + 101) == Stale(expected, usable=True, revalidates=False)
    assert look_up(kept, NOW + 110) == Stale("expired 50 s ago (max-age=60)")


@pytest.mark.parametrize("status", [200, 304, 404, 499])
def test_only_a_5xx_is_a_failure(status: int) -> None:
    assert after_failure(entry(), status, FLEXIBLE, NOW + 100) is None


def test_a_304_replaces_lines_and_keeps_what_describes_the_body() -> None:
    old = entry(("ETag", 'W/"1"'), ("Content-Encoding", "br"), ("X-A", "1"), ("X-A", "2"))
    told = Headers(
        [
            ("ETag", '"1"'),
            ("Content-Encoding", "gzip"),
            ("Content-Length", "0"),
            ("X-A", "3"),
            ("X-A", "4"),
            ("Age", "5"),
            ("Cache-Control", "max-age=30"),
        ]
    )
    renewed, decision = refresh(key(), old, told, FLEXIBLE, NOW + 60)
    assert decision == Storable(30, "max-age=30")
    assert sorted(renewed.headers) == [
        ("Cache-Control", "max-age=30"),
        ("Content-Encoding", "br"),
        ("Date", format_date(NOW + 60)),
        ("ETag", 'W/"1"'),
        ("X-A", "3"),
        ("X-A", "4"),
    ]
    assert (renewed.stored_at, renewed.fresh_until, renewed.body) == (NOW + 60, NOW + 90, b"hello")
    assert renewed.initial_age_s == 5


def test_the_date_of_a_304_counts_for_expires() -> None:
    old = replace(entry(), head=f"Expires\0{format_date(NOW + 100)}".encode())
    renewed, _ = refresh(key(), old, Headers(), FLEXIBLE, NOW + 60)
    assert renewed.fresh_until == NOW + 100


def test_a_304_may_forbid_to_keep_the_object() -> None:
    renewed, decision = refresh(
        key(), entry(), Headers([("Cache-Control", "no-store")]), FLEXIBLE, NOW + 60
    )
    assert isinstance(decision, NotStorable)
    assert renewed.body == b"hello"


def test_when_validators_are_sent() -> None:
    assert validators(entry(("ETag", '"1"')), FLEXIBLE) == Headers([("If-None-Match", '"1"')])
    assert validators(entry(), FLEXIBLE) is None
    assert validators(entry(("ETag", '"1"')), replace(FLEXIBLE, forwards_cookies=True)) is None
    vary = entry(("ETag", '"1"'), ("Vary", "*"))
    assert validators(vary, FLEXIBLE) == Headers()
    assert validators(vary, OPTIMIZED) is not None
