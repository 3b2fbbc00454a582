"""Policies: what is one, and what it lets through."""

import json
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.distribution.signing_policy import (
    MalformedPolicy,
    SignedUrl,
    SigningPolicy,
    canned_policy,
    parse_policy,
)
from tests.support.signing import custom_policy

URL = SignedUrl("https", "www.example.com", "/a", "size=large")

names = st.sampled_from(
    ("Statement", "Resource", "Condition", "DateLessThan", "DateGreaterThan", "IpAddress")
) | st.sampled_from(("AWS:EpochTime", "AWS:SourceIp", "Effect"))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("0.0.0.0/0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
)


@given(st.binary() | documents.map(lambda value: json.dumps(value).encode()))
def test_any_text_is_a_policy_or_malformed(text: bytes) -> None:
    try:
        policy = parse_policy(text)
    except MalformedPolicy:
        return
    assert policy.text == text


@given(documents, documents, documents)
def test_any_condition_is_judged_or_malformed(less: object, greater: object, ip: object) -> None:
    condition = {"DateLessThan": less, "DateGreaterThan": greater, "IpAddress": ip}
    text = json.dumps({"Statement": [{"Condition": condition}]}).encode()
    try:
        policy = parse_policy(text)
    except MalformedPolicy:
        return
    assert isinstance(policy.objection(URL, "192.0.2.1", 1.5), str)


words = st.text(ascii_letters + "-.%", min_size=1)


@given(words, words, words | st.none(), words)
def test_a_resource_without_wildcards_is_one_url(
    host: str, path: str, query: str | None, more: str
) -> None:
    url = SignedUrl("http", host, f"/{path}", query)
    for resource in {str(url), str(url).replace("?", "\\?")}:
        policy = parse_policy(custom_policy(resource).encode())
        assert policy.objection(url, "192.0.2.1", 0) == ""
        for other in (
            SignedUrl("https", host, f"/{path}", query),
            SignedUrl("http", host + more, f"/{path}", query),
            SignedUrl("http", host, f"/{path}{more}", query),
            SignedUrl("http", host, f"/{path}", (query or "") + more),
        ):
            assert "does not cover" in policy.objection(other, "192.0.2.1", 0)


def test_a_canned_policy_is_the_url_and_the_time_without_white_space() -> None:
    policy = canned_policy(URL, "1767290400")
    assert policy.text == (
        b'{"Statement":[{"Resource":"https://www.example.com/a?size=large",'
        b'"Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}'
    )
    assert parse_policy(policy.text) == SigningPolicy(policy.text, 1767290400, resource=str(URL))


@pytest.mark.parametrize(
    ("now", "objection"),
    [
        (100, "not valid before 100"),
        (100.5, ""),
        (199.5, ""),
        (200, "expired 0 s ago"),
        (260, "expired 60 s ago"),
    ],
)
def test_both_ends_of_the_time_are_outside(now: float, objection: str) -> None:
    more = {"DateGreaterThan": {"AWS:EpochTime": 100}}
    policy = parse_policy(custom_policy("*", 200, **more).encode())
    said = policy.objection(URL, "192.0.2.1", now)
    assert objection in said
    assert bool(said) is bool(objection)
