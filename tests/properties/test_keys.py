"""What is in the key and what goes to the origin, for every way to select (CDN-KEY, CDN-ORP).

A plain model says which parts of a request count. Two requests have the same key exactly when the
model's parts are the same, and the origin gets exactly the model's names.
"""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgeproxy.cache.key import cache_key
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    Origin,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.forwarding import origin_request

NAMES = ("a", "b", "A", "ab")
HEADERS = ("x-a", "x-b", "x-ab")

# Values hold what separates parts elsewhere: keys must not run into each other.
values = st.text("1=:;,/ab", max_size=3)
pairs = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=3)
requests = st.builds(
    lambda path, query, cookies, headers: Request(
        "GET",
        f"/{path}",
        "&".join(f"{name}={value}" for name, value in query) or None,
        headers=Headers(
            [
                *((name, value.strip(",")) for name, value in headers.items()),
                *((("Cookie", "; ".join(f"{n}={v}" for n, v in cookies)),) if cookies else ()),
            ]
        ),
    ),
    st.text("ab/2?F", max_size=3).map(lambda text: text.replace("?", "%")),
    pairs,
    pairs.map(lambda some: [(name, value.replace(";", "")) for name, value in some]),
    st.dictionaries(st.sampled_from(HEADERS), values),
)


def selections(names: tuple[str, ...], *kinds: SelectionKind) -> st.SearchStrategy[Selection]:
    """Every kind, with names where the kind has some."""
    listed = st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)
    return st.sampled_from(kinds).flatmap(
        lambda kind: (
            st.builds(Selection, st.just(kind), listed)
            if kind in (SelectionKind.WHITELIST, SelectionKind.ALL_EXCEPT)
            else st.just(Selection(kind))
        )
    )


some = selections(
    NAMES,
    SelectionKind.NONE,
    SelectionKind.WHITELIST,
    SelectionKind.ALL_EXCEPT,
    SelectionKind.ALL,
)
policies = st.builds(
    lambda headers, cookies, query: CachePolicy("p", 0, 0, 60, headers, cookies, query),
    selections(HEADERS, SelectionKind.NONE, SelectionKind.WHITELIST),
    some,
    some,
)
origin_policies = st.builds(
    lambda headers, cookies, query: OriginRequestPolicy("o", headers, cookies, query),
    selections(
        HEADERS,
        SelectionKind.NONE,
        SelectionKind.WHITELIST,
        SelectionKind.ALL_VIEWER,
        SelectionKind.ALL_EXCEPT,
    ),
    some,
    some,
)


def takes(selection: Selection, name: str) -> bool:
    match selection.kind:
        case SelectionKind.NONE:
            return False
        case SelectionKind.WHITELIST:
            return name in selection.names
        case SelectionKind.ALL_EXCEPT:
            return name not in selection.names
        case _:
            return True


def cookies_of(request: Request) -> list[tuple[str, str]]:
    text = request.headers.get("Cookie")
    pieces = (piece.strip(" ").partition("=") for piece in text.split(";") if piece)
    return sorted(((name, value) for name, _, value in pieces), key=lambda pair: pair[0])


def query_of(request: Request) -> list[str]:
    return request.query.split("&") if request.query else []


def counted(policy: CachePolicy | OriginRequestPolicy, request: Request) -> tuple[object, ...]:
    """The parts of ``request`` that ``policy`` names."""
    return (
        {
            name: request.headers.get(name)
            for name in HEADERS
            if name in request.headers and takes(policy.headers, name)
        },
        [pair for pair in cookies_of(request) if takes(policy.cookies, pair[0])],
        [p for p in query_of(request) if takes(policy.query_strings, p.partition("=")[0])],
    )


def digest(policy: CachePolicy, request: Request) -> bytes:
    behavior = Behavior("*", "o", policy)
    site = Distribution("Site", "E1", "d1.cloudfront.net", {}, behavior)
    return cache_key(site, behavior, request, {}).digest


@pytest.mark.rule("CDN-KEY-01", "CDN-KEY-04", "CDN-KEY-06", "CDN-KEY-07", "CDN-KEY-11")
@given(policies, requests, requests)
def test_keys_are_equal_exactly_when_the_named_parts_are(
    policy: CachePolicy, one: Request, other: Request
) -> None:
    same = one.path == other.path and counted(policy, one) == counted(policy, other)
    assert (digest(policy, one) == digest(policy, other)) == same


@pytest.mark.rule("CDN-KEY-14")
@given(policies, requests, st.randoms(use_true_random=False))
def test_the_order_of_cookies_does_not_change_the_key(
    policy: CachePolicy, asked: Request, random: Random
) -> None:
    pieces = asked.headers.get("Cookie").split("; ")
    names = [piece.partition("=")[0] for piece in pieces]
    assume(len(set(names)) == len(names))
    random.shuffle(pieces)
    shuffled = replace(asked, headers=asked.headers.with_set("Cookie", "; ".join(pieces)))
    assert digest(policy, asked) == digest(policy, shuffled)


@pytest.mark.rule("CDN-KEY-03", "CDN-KEY-08", "CDN-ORP-02", "CDN-HDR-12")
@given(policies, origin_policies, requests)
def test_the_origin_gets_what_either_policy_takes(
    policy: CachePolicy, more: OriginRequestPolicy, asked: Request
) -> None:
    # Two block lists, or a block list beside a list, are unions of their own (CDN-ORP-04).
    for one, other in (
        (policy.cookies, more.cookies),
        (policy.query_strings, more.query_strings),
    ):
        assume(one.kind is not SelectionKind.ALL_EXCEPT or other.kind is not one.kind)
    behavior = Behavior("*", "o", policy, origin_request_policy=more)
    sent = origin_request(
        asked, behavior, Origin("o", "o.example", CustomOrigin()),
        generated={}, request_id="id", via="v",
    )  # fmt: skip
    for name in HEADERS:
        expected = takes(policy.headers, name) or takes(more.headers, name)
        assert (name in sent.headers) == (expected and name in asked.headers)
    cookies = [
        pair
        for pair in cookies_of(asked)
        if takes(policy.cookies, pair[0]) or takes(more.cookies, pair[0])
    ]
    assert sent.headers.get("Cookie") == "; ".join(f"{n}={v}" for n, v in cookies)
    query = [
        piece
        for piece in query_of(asked)
        if takes(policy.query_strings, piece.partition("=")[0])
        or takes(more.query_strings, piece.partition("=")[0])
    ]
    assert query_of(sent) == query
