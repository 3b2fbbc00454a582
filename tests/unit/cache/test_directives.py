import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.cache.directives import LONGEST_TTL_S, CacheControl, parse_cache_control
from edgeproxy.http.headers import Headers


def parse(*values: str) -> CacheControl:
    return parse_cache_control(Headers([("Cache-Control", value) for value in values]))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("max-age=60", 60),
        ("Max-Age=060", 60),
        ('max-age="60"', 60),
        ("max-age=60 ,public", 60),
        ("public,,max-age=60", 60),
        ("max-age=1, max-age=2", 1),
        ("max-age=x, max-age=2", 2),
        ("max-age=-1", 0),
        ("max-age=" + "9" * 10_000, LONGEST_TTL_S),
        ("max-age=3153600001", LONGEST_TTL_S),
        ("max-age", None),
        ("max-age=", None),
        ("max-age=1.5", None),
        ("max-age=60s", None),
        ("max-age = 60", None),
        ("max-age=٣", None),
        ("x-max-age=60", None),
        ('x="a, max-age=60"', None),
        ('"max-age=60"', None),
    ],
)
def test_max_age(value: str, seconds: int | None) -> None:
    assert parse(value).max_age_s == seconds


def test_all_directives_of_all_lines() -> None:
    said = parse(
        "s-maxage=1, no-store", "PRIVATE, no-cache", "stale-while-revalidate=2, stale-if-error=3"
    )
    assert said == CacheControl(
        True, True, True, s_maxage_s=1, stale_while_revalidate_s=2, stale_if_error_s=3
    )
    assert said.age == ("s-maxage", 1)


@pytest.mark.parametrize(
    ("value", "forbidding"),
    [
        ("no-cache, private, no-store", "no-store"),
        ("no-cache, private", "private"),
        ("no-cache", "no-cache"),
        ("public", ""),
    ],
)
def test_the_directive_that_forbids(value: str, forbidding: str) -> None:
    assert parse(value).forbidding == forbidding


def test_field_names_hide_headers_and_forbid_nothing() -> None:
    said = parse('no-cache="Set-Cookie, X-A", private=X-B')
    assert said == CacheControl(hidden=("Set-Cookie", "X-A", "X-B"))


@given(st.text())
def test_any_text_is_read_without_error(value: str) -> None:
    parse(value)
