"""The parts of a key say where they come from; the digest tells keys apart."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.cache.key import CacheKey, KeyPart, cache_key
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    Distribution,
    LegacyCacheSettings,
    Selection,
    SelectionKind,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

ALL = Selection(SelectionKind.ALL)


def key_of(cache: CachePolicy | LegacyCacheSettings, request: Request) -> CacheKey:
    behavior = Behavior("*", "o", cache, compress=True)
    return cache_key(
        Distribution("Site", "E1", "d1.cloudfront.net", {}, behavior), behavior, request, {}
    )


def whitelist(*names: str) -> Selection:
    return Selection(SelectionKind.WHITELIST, names)


def test_a_plain_key() -> None:
    key = key_of(CachePolicy("p", 0, 0, 0), Request("GET", "/a//b", "q=1"))
    assert (key.distribution_id, key.path, key.query, len(key.digest)) == ("E1", "/a//b", None, 16)
    assert key.parts == (
        KeyPart("distribution", "d1.cloudfront.net", "always in the key"),
        KeyPart("path", "/a//b", "always in the key"),
    )


def test_parts_name_the_setting_behind_them() -> None:
    policy = CachePolicy(
        "mine",
        0,
        0,
        0,
        headers=whitelist("X-B", "Origin"),
        cookies=ALL,
        query_strings=whitelist("q", "r"),
        enable_accept_encoding_gzip=True,
    )
    headers = Headers(
        [
            ("x-b", "1"),
            ("X-B", "2"),
            ("Origin", "http://a"),
            ("Cookie", "c=3"),
            ("Accept-Encoding", "gzip, br"),
        ]
    )
    key = key_of(policy, Request("GET", "/", "r&x=1&q=2", headers=headers))
    assert key.query == "r&q=2"
    assert [(part.label, part.value, part.because) for part in key.parts[2:]] == [
        ("header accept-encoding", "gzip", "mine: EnableAcceptEncodingGzip"),
        ("header origin", "http://a", "mine: headers whitelist"),
        ("header x-b", "1, 2", "mine: headers whitelist"),
        ("cookie c", "3", "mine: cookies all"),
        ("query string r", "", "mine: query strings whitelist"),
        ("query string q", "2", "mine: query strings whitelist"),
    ]


def test_parts_of_legacy_settings() -> None:
    settings = LegacyCacheSettings(True, ("q",), whitelist("Origin"), whitelist("c*"))
    headers = Headers(
        [("Origin", "http://a"), ("Cookie", "c1=3; d=4"), ("Accept-Encoding", "gzip")]
    )
    key = key_of(settings, Request("GET", "/", "q=1&x=1", headers=headers))
    assert [(part.label, part.because) for part in key.parts[2:]] == [
        ("header accept-encoding", "ForwardedValues: Compress and Accept-Encoding"),
        ("header origin", "ForwardedValues: headers whitelist"),
        ("cookie c1", "ForwardedValues: cookies whitelist"),
        ("query string q", "ForwardedValues: QueryStringCacheKeys"),
    ]


def test_keys_compare_by_digest() -> None:
    policy = CachePolicy("p", 0, 0, 0)
    one, other = key_of(policy, Request("GET", "/a")), key_of(policy, Request("HEAD", "/a", "q"))
    assert one == other
    assert hash(one) == hash(other)
    assert one != key_of(policy, Request("GET", "/b"))


def test_a_bare_question_mark_is_no_query() -> None:
    policy = CachePolicy("p", 0, 0, 0, query_strings=ALL)
    assert key_of(policy, Request("GET", "/a", "")) == key_of(policy, Request("GET", "/a"))


@pytest.mark.parametrize("value", ["1header x-b2", "110:header x-b1:2", "1\nheader x-b\n2"])
def test_a_value_cannot_pass_for_another_part(value: str) -> None:
    policy = CachePolicy("p", 0, 0, 0, cookies=ALL, headers=whitelist("x-a", "x-b"))
    two, one = Headers([("x-a", "1"), ("x-b", "2")]), Headers([("x-a", value)])
    assert key_of(policy, Request("GET", "/", headers=two)) != key_of(
        policy, Request("GET", "/", headers=one)
    )


def test_any_text_has_a_key() -> None:
    policy = CachePolicy("p", 0, 0, 0, headers=whitelist("x-a"))
    for text in ("\udcff", "\ud800", "ü", "\x00"):
        key_of(policy, Request("GET", f"/{text}", headers=Headers([("x-a", text)])))


header_lines = st.lists(
    st.tuples(st.sampled_from(["x-a", "X-B", "x-c", "Accept", "Via"]), st.text("12,", max_size=3)),
    unique_by=lambda line: line[0].lower(),
)


@given(header_lines, st.randoms(use_true_random=False))
def test_the_order_of_headers_does_not_matter(lines: list[tuple[str, str]], random: Random) -> None:
    policy = CachePolicy("p", 0, 0, 0, headers=whitelist("X-A", "x-b"))
    shuffled = lines.copy()
    random.shuffle(shuffled)
    assert key_of(policy, Request("GET", "/", headers=Headers(lines))) == key_of(
        policy, Request("GET", "/", headers=Headers(shuffled))
    )


pairs = st.lists(st.tuples(st.sampled_from("abcd"), st.text("12", max_size=2)), max_size=6)


@given(pairs)
def test_listed_parameters_keep_their_order_and_others_do_not_count(
    parameters: list[tuple[str, str]],
) -> None:
    policy = CachePolicy("p", 0, 0, 0, query_strings=whitelist("a", "b"))
    whole = "&".join(f"{name}={value}" for name, value in parameters)
    kept = "&".join(f"{name}={value}" for name, value in parameters if name in "ab")
    key = key_of(policy, Request("GET", "/", whole))
    assert key.query == (kept or None)
    assert key == key_of(policy, Request("GET", "/", kept))


@given(pairs, pairs)
def test_equal_keys_mean_equal_kept_parameters(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    policy = CachePolicy("p", 0, 0, 0, query_strings=ALL)
    first, second = (
        key_of(policy, Request("GET", "/", "&".join(f"{n}={v}" for n, v in some)))
        for some in (one, other)
    )
    assert (first == second) == (one == other)
