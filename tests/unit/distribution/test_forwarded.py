"""Name sets, plans and the reduction of Accept-Encoding."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.distribution.forwarded import (
    EVERYTHING,
    NOTHING,
    Names,
    accept_encoding,
    forwards_cookies,
    plan_of,
    taken_cookies,
    taken_query,
)
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    LegacyCacheSettings,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

ALL = Selection(SelectionKind.ALL)


def listed(*names: str) -> Selection:
    return Selection(SelectionKind.WHITELIST, names)


def policies(cache: CachePolicy, origin_request: OriginRequestPolicy | None = None) -> Behavior:
    return Behavior("*", "o", cache, origin_request_policy=origin_request)


names = st.builds(Names, st.frozensets(st.sampled_from("abc")), st.booleans())


@given(names, names, st.sampled_from("abcd"))
def test_a_union_takes_what_an_allow_list_takes(one: Names, other: Names, name: str) -> None:
    union = one.union(other)
    assert union == other.union(one)
    if not one.is_block_list and not other.is_block_list:
        assert (name in union) == (name in one or name in other)
    elif EVERYTHING in (one, other):
        assert name in union
    elif one.is_block_list and other.is_block_list:
        assert (name in union) == (name in one and name in other)
    else:
        assert (name in union) == (name in one or name in other)


@given(names, st.frozensets(st.sampled_from("abc")), st.sampled_from("abcd"))
def test_without_takes_names_out(one: Names, others: frozenset[str], name: str) -> None:
    assert (name in one.without(others)) == (name in one and name not in others)


def test_emptiness() -> None:
    assert NOTHING.is_empty
    assert not EVERYTHING.is_empty
    assert not Names(frozenset("a"), is_block_list=True).is_empty


def test_a_plan_is_made_once() -> None:
    behavior = policies(CachePolicy("p", 0, 0, 0))
    assert plan_of(behavior) is plan_of(behavior)


@pytest.mark.parametrize(
    ("behavior", "expected"),
    [
        (policies(CachePolicy("p", 0, 0, 0)), False),
        (policies(CachePolicy("p", 0, 0, 0, cookies=listed())), False),
        (policies(CachePolicy("p", 0, 0, 0, cookies=listed("a"))), True),
        (
            policies(CachePolicy("p", 0, 0, 0), OriginRequestPolicy("o", cookies=ALL)),
            True,
        ),
        (Behavior("*", "o", LegacyCacheSettings(query_string=False)), False),
        (Behavior("*", "o", LegacyCacheSettings(False, cookies=listed("a*"))), True),
        (Behavior("*", "o", LegacyCacheSettings(False, cookies=listed())), False),
        (Behavior("*", "o", LegacyCacheSettings(False, cookies=ALL)), True),
    ],
)
def test_forwards_cookies(behavior: Behavior, expected: bool) -> None:
    assert forwards_cookies(behavior) is expected


def test_forwarded_cookies_of_a_signed_behavior_count_all_the_same() -> None:
    behavior = policies(CachePolicy("p", 0, 0, 0, cookies=ALL))
    assert forwards_cookies(replace(behavior, trusted_key_groups=("g",)))


def test_taken_cookies_are_ordered_by_name_and_repeats_keep_their_order() -> None:
    request = Request("GET", "/", headers=Headers([("Cookie", "b=1; a=2"), ("Cookie", "a=1")]))
    assert taken_cookies(EVERYTHING, request) == [("a", "2"), ("a", "1"), ("b", "1")]
    assert taken_cookies(Names(frozenset("b")), request) == [("b", "1")]
    assert taken_cookies(NOTHING, request) == []


@pytest.mark.parametrize(
    ("query", "taken"),
    [(None, None), ("", None), ("b=1", None), ("c=1&a=2&b&a=1", "a=2&a=1"), ("a", "a")],
)
def test_taken_query(query: str | None, taken: str | None) -> None:
    assert taken_query(Names(frozenset("a")), query) == taken


def test_everything_is_the_raw_text() -> None:
    assert taken_query(EVERYTHING, "&&a=1;b") == "&&a=1;b"
    assert taken_query(EVERYTHING, "") == ""


@pytest.mark.parametrize(
    ("value", "reduced"),
    [
        ("gzip;q=1.0, br;q=0.000", "gzip"),
        ("GZIP , BR", "br,gzip"),
        ("gzip; q=0", "identity"),
        ("x-gzip, brotli", "identity"),
        ("", "identity"),
    ],
)
def test_accepted_codings(value: str, reduced: str) -> None:
    behavior = policies(
        CachePolicy(
            "p", 0, 0, 0, enable_accept_encoding_gzip=True, enable_accept_encoding_brotli=True
        )
    )
    request = Request("GET", "/", headers=Headers([("Accept-Encoding", value)]))
    assert accept_encoding(behavior, request)[1] == reduced
