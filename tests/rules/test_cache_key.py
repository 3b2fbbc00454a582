"""Which requests share an object (CDN-KEY)."""

from dataclasses import replace

import pytest

from edgeproxy.cache.key import cache_key
from edgeproxy.distribution.forwarded import accept_encoding
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CacheSettings,
    CustomOrigin,
    Distribution,
    LegacyCacheSettings,
    Origin,
    OriginRequestPolicy,
    Selection,
    SelectionKind,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Viewer
from edgeproxy.origins.forwarding import origin_request

rule = pytest.mark.rule
ALL = Selection(SelectionKind.ALL)


def listed(*names: str) -> Selection:
    return Selection(SelectionKind.WHITELIST, names)


def all_except(*names: str) -> Selection:
    return Selection(SelectionKind.ALL_EXCEPT, names)


def policy(
    headers: Selection | None = None,
    cookies: Selection | None = None,
    queries: Selection | None = None,
    *,
    gzip: bool = False,
    brotli: bool = False,
) -> CachePolicy:
    none = Selection()
    return CachePolicy(
        "p", 0, 0, 60, headers or none, cookies or none, queries or none, gzip, brotli
    )


def get(target: str = "/", *lines: tuple[str, str], method: str = "GET") -> Request:
    path, mark, query = target.partition("?")
    return Request(method, path, query if mark else None, headers=Headers(lines))


def behavior_of(settings: CacheSettings | Behavior) -> Behavior:
    return settings if isinstance(settings, Behavior) else Behavior("*", "o", settings)


def same(
    settings: CacheSettings | Behavior,
    one: Request,
    other: Request,
    generated: tuple[dict[str, str], dict[str, str]] = ({}, {}),
) -> bool:
    behavior = behavior_of(settings)
    site = Distribution("Site", "E1", "d1.cloudfront.net", {}, behavior)
    first = cache_key(site, behavior, one, generated[0])
    second = cache_key(site, behavior, other, generated[1])
    assert (first == second) == (first.digest == second.digest)
    return first == second


def sent(settings: CacheSettings | Behavior, request: Request) -> Request:
    return origin_request(
        request,
        behavior_of(settings),
        Origin("o", "origin.example", CustomOrigin()),
        generated={},
        request_id="id",
        via="v",
    )


@rule("CDN-KEY-01")
def test_distribution_and_path_are_always_in_the_key() -> None:
    assert not same(policy(), get("/a"), get("/b"))
    behavior = Behavior("*", "o", policy())
    one, other = (
        Distribution("Site", "E1", domain, {}, behavior, aliases=aliases)
        for domain, aliases in (("d1.cloudfront.net", ("a.example",)), ("d2.cloudfront.net", ()))
    )
    assert cache_key(one, behavior, get("/a"), {}) != cache_key(other, behavior, get("/a"), {})
    assert same(policy(), get("/a", ("Host", "a.example")), get("/a", ("Host", "b.example")))


@rule("CDN-KEY-02")
def test_host_protocol_and_version_are_not_unless_a_header_carries_them() -> None:
    plain = get("/a", ("Host", "a.example"))
    other = replace(
        get("/a", ("Host", "b.example")), version="2.0", viewer=Viewer("::1", scheme="https")
    )
    assert same(policy(), plain, other)
    assert not same(policy(listed("Host")), plain, other)
    protocols = ({"CloudFront-Forwarded-Proto": "http"}, {"CloudFront-Forwarded-Proto": "https"})
    assert not same(policy(listed("CloudFront-Forwarded-Proto")), plain, plain, protocols)


@rule("CDN-KEY-03")
def test_what_is_in_the_key_goes_to_the_origin() -> None:
    settings = policy(listed("X-A"), listed("c"), listed("q"))
    request = get("/?q=1&r=2", ("X-A", "1"), ("X-B", "2"), ("Cookie", "c=1; d=2"))
    assert not same(settings, request, get("/"))
    outgoing = sent(settings, request)
    assert outgoing.query == "q=1"
    assert outgoing.headers.get("X-A") == "1"
    assert "X-B" not in outgoing.headers
    assert outgoing.headers.get_all("Cookie") == ["c=1"]


@rule("CDN-KEY-04")
@pytest.mark.parametrize(
    ("selection", "counts_a", "counts_b"),
    [
        (Selection(), False, False),
        (listed("a"), True, False),
        (all_except("a"), False, True),
        (ALL, True, True),
    ],
)
def test_kinds_of_selection(selection: Selection, counts_a: bool, counts_b: bool) -> None:
    queries, cookies = policy(queries=selection), policy(cookies=selection)
    assert same(queries, get("/?a=1"), get("/?a=2")) is not counts_a
    assert same(queries, get("/?b=1"), get("/?b=2")) is not counts_b
    assert same(cookies, get("/", ("Cookie", "a=1")), get("/", ("Cookie", "a=2"))) is not counts_a
    assert same(cookies, get("/", ("Cookie", "b=1")), get("/", ("Cookie", "b=2"))) is not counts_b


@pytest.mark.parametrize(
    ("settings", "one", "other", "shares"),
    [
        pytest.param(
            policy(listed("X-A")),
            get("/", ("x-a", "v")),
            get("/", ("X-A", "v")),
            True,
            marks=rule("CDN-KEY-05"),
        ),
        pytest.param(
            policy(listed("X-A")),
            get("/", ("X-A", "v")),
            get("/", ("X-A", "V")),
            False,
            marks=rule("CDN-KEY-05"),
        ),
        pytest.param(
            policy(listed("X-A", "X-B")),
            get("/", ("X-A", "1"), ("X-B", "2")),
            get("/", ("X-B", "2"), ("X-A", "1")),
            True,
            marks=rule("CDN-KEY-05"),
        ),
        pytest.param(
            policy(cookies=listed("a")),
            get("/", ("Cookie", "a=v")),
            get("/", ("Cookie", "a=V")),
            False,
            marks=rule("CDN-KEY-06"),
        ),
        pytest.param(
            policy(cookies=listed("a")),
            get("/", ("Cookie", "A=v")),
            get("/"),
            True,
            marks=rule("CDN-KEY-06"),
        ),
        pytest.param(
            policy(queries=ALL), get("/?a=1&b=2"), get("/?b=2&a=1"), False, marks=rule("CDN-KEY-07")
        ),
        pytest.param(
            policy(queries=ALL), get("/?a=x"), get("/?a=X"), False, marks=rule("CDN-KEY-07")
        ),
        pytest.param(
            policy(queries=listed("a")), get("/?A=x"), get("/"), True, marks=rule("CDN-KEY-07")
        ),
        pytest.param(
            policy(queries=listed("a", "b")),
            get("/?a=1&x=9&b=2"),
            get("/?b=2&a=1"),
            False,
            marks=rule("CDN-KEY-08"),
        ),
        pytest.param(
            policy(queries=all_except("x")),
            get("/?x=9&a=1&b=2"),
            get("/?a=1&x=8&b=2"),
            True,
            marks=rule("CDN-KEY-08"),
        ),
        pytest.param(
            policy(queries=listed("a")),
            get("/?a=1;b=2"),
            get("/?a=1"),
            False,
            marks=rule("CDN-KEY-09"),
        ),
        pytest.param(
            policy(queries=listed("b")), get("/?a=1;b=2"), get("/"), True, marks=rule("CDN-KEY-09")
        ),
        pytest.param(
            policy(queries=listed("*", "utm_*")),
            get("/?a=1&utm_x=2"),
            get("/"),
            True,
            marks=rule("CDN-KEY-10"),
        ),
        pytest.param(
            policy(cookies=listed("*")),
            get("/", ("Cookie", "a=1")),
            get("/"),
            True,
            marks=rule("CDN-KEY-10"),
        ),
        pytest.param(
            policy(listed("X-A")), get("/", ("X-A", "")), get("/"), False, marks=rule("CDN-KEY-11")
        ),
        pytest.param(
            policy(cookies=ALL),
            get("/", ("Cookie", "a=1; flag; $Path=/")),
            get("/", ("Cookie", "a=1")),
            True,
            marks=rule("CDN-KEY-13"),
        ),
        pytest.param(
            policy(cookies=ALL),
            get("/", ("Cookie", "b=2; a=1")),
            get("/", ("Cookie", "a=1"), ("Cookie", "b=2")),
            True,
            marks=rule("CDN-KEY-14"),
        ),
        pytest.param(
            policy(),
            get("/"),
            get("/", method="OPTIONS"),
            False,
            marks=rule("CDN-KEY-16", "CDN-MTH-05"),
        ),
        pytest.param(policy(), get("/"), get("/", method="HEAD"), True, marks=rule("CDN-MTH-07")),
        pytest.param(
            policy(),
            get("/", ("Range", "bytes=0-1")),
            get("/"),
            True,
            marks=rule("CDN-RNG-11"),
        ),
    ],
)
def test_sharing(settings: CachePolicy, one: Request, other: Request, shares: bool) -> None:
    assert same(settings, one, other) is shares


@rule("CDN-KEY-13", "CDN-KEY-14")
def test_cookies_reach_the_origin_ordered_by_name() -> None:
    outgoing = sent(
        policy(cookies=ALL), get("/", ("Cookie", "b=2; flag; $Path=/"), ("Cookie", "a=1"))
    )
    assert outgoing.headers.get_all("Cookie") == ["a=1; b=2"]


SIGNING_COOKIES = (
    "CloudFront-Expires=1; CloudFront-Policy=p; CloudFront-Signature=s; "
    "CloudFront-Key-Pair-Id=K; CloudFront-Hash-Algorithm=SHA256"
)
SIGNED = get(
    "/?a=1&Expires=1&Policy=p&Signature=s&Key-Pair-Id=K&Hash-Algorithm=SHA256",
    ("Cookie", f"a=1; {SIGNING_COOKIES}"),
)
TAKES_ALL = Behavior("*", "o", policy(cookies=ALL, queries=ALL), trusted_key_groups=("group",))


@rule("CDN-KEY-15", "CDN-SGN-05")
@pytest.mark.parametrize(
    "settings",
    [
        policy(cookies=ALL, queries=ALL),
        policy(cookies=all_except("x"), queries=all_except("x")),
        policy(
            cookies=listed("a", "CloudFront-Signature"), queries=listed("a", "Signature", "Expires")
        ),
        LegacyCacheSettings(query_string=True, cookies=ALL),
        LegacyCacheSettings(query_string=True, cookies=listed("a", "CloudFront-*")),
    ],
)
def test_signatures_are_in_neither_key_nor_origin_request(settings: CacheSettings) -> None:
    behavior = replace(TAKES_ALL, cache=settings)
    unsigned = get("/?a=1", ("Cookie", "a=1"))
    assert same(behavior, SIGNED, unsigned)
    outgoing = sent(behavior, SIGNED)
    assert outgoing.query == "a=1"
    assert outgoing.headers.get("Cookie") == "a=1"


@rule("CDN-SGN-02")
def test_without_key_groups_signature_names_mean_nothing() -> None:
    behavior = replace(TAKES_ALL, trusted_key_groups=())
    assert not same(behavior, SIGNED, get("/?a=1", ("Cookie", "a=1")))
    assert sent(behavior, SIGNED).query == SIGNED.query


@rule("CDN-KEY-17", "CDN-HDR-20")
def test_a_generated_header_is_keyed_by_cloudfronts_value() -> None:
    settings = policy(listed("cloudfront-viewer-country"))
    spoof = get("/", ("CloudFront-Viewer-Country", "FR"))
    german = {"CloudFront-Viewer-Country": "DE"}
    assert same(settings, get("/"), spoof, (german, german))
    assert not same(settings, get("/"), get("/"), (german, {"CloudFront-Viewer-Country": "FR"}))


@rule("LE-ORDER-03")
def test_the_key_is_that_of_the_request_after_the_viewer_request_function() -> None:
    settings = policy(listed("X-A"), listed("c"), listed("q"))
    before = get("/a")
    assert not same(settings, before, replace(before, path="/b"))
    assert not same(settings, before, replace(before, query="q=1"))
    assert not same(settings, before, get("/a", ("X-A", "1")))
    assert not same(settings, before, get("/a", ("Cookie", "c=1")))
    assert same(settings, before, replace(before, query="r=1"))
    assert same(settings, before, get("/a", ("X-B", "1"), ("Cookie", "d=1")))


BOTH = policy(gzip=True, brotli=True)
GZIP = policy(gzip=True)
BROTLI = policy(brotli=True)


@pytest.mark.parametrize(
    ("settings", "header", "in_key", "to_origin"),
    [
        pytest.param(BOTH, "gzip, deflate, br", "br,gzip", "br,gzip", marks=rule("CDN-KEY-21")),
        pytest.param(BOTH, "gzip", "gzip", "gzip", marks=rule("CDN-KEY-21")),
        pytest.param(BOTH, "br", "br", "br", marks=rule("CDN-KEY-21")),
        pytest.param(GZIP, "br, gzip", "gzip", "gzip", marks=rule("CDN-KEY-22")),
        pytest.param(BROTLI, "br, gzip", "br", "br", marks=rule("CDN-KEY-22")),
        pytest.param(BOTH, "deflate", None, "identity", marks=rule("CDN-KEY-23")),
        pytest.param(GZIP, "br", None, "identity", marks=rule("CDN-KEY-23")),
        pytest.param(BOTH, None, None, None, marks=rule("CDN-KEY-24")),
        pytest.param(policy(), "br, gzip", None, None, marks=rule("CDN-KEY-25")),
        pytest.param(
            policy(listed("Accept-Encoding")),
            "gzip, x",
            "gzip, x",
            "gzip, x",
            marks=rule("CDN-KEY-25"),
        ),
        pytest.param(BOTH, "gzip;q=0, br", "br", "br", marks=rule("CDN-KEY-27")),
        pytest.param(BOTH, "gzip;q=0.001", "gzip", "gzip", marks=rule("CDN-KEY-27")),
        pytest.param(BOTH, "*", None, "identity", marks=rule("CDN-KEY-27")),
    ],
)
def test_accept_encoding(
    settings: CachePolicy, header: str | None, in_key: str | None, to_origin: str | None
) -> None:
    request = get("/", *([("Accept-Encoding", header)] if header is not None else []))
    assert accept_encoding(behavior_of(settings), request) == (in_key, to_origin)
    assert (sent(settings, request).headers.joined("Accept-Encoding")) == to_origin


@rule("CDN-KEY-20")
def test_the_normalised_value_is_what_is_keyed() -> None:
    chrome = get("/", ("Accept-Encoding", "gzip, deflate, br, zstd"))
    other = get("/", ("Accept-Encoding", "br;q=0.8, gzip"))
    assert same(BOTH, chrome, other)
    assert not same(BOTH, chrome, get("/", ("Accept-Encoding", "gzip")))


@rule("CDN-KEY-25")
def test_an_origin_request_policy_may_list_it_when_the_flags_are_off() -> None:
    behavior = Behavior(
        "*",
        "o",
        policy(),
        origin_request_policy=OriginRequestPolicy("o", headers=listed("Accept-Encoding")),
    )
    assert accept_encoding(behavior, get("/", ("Accept-Encoding", "zstd"))) == (None, "zstd")


@rule("CDN-KEY-26")
@pytest.mark.parametrize(
    "headers", [listed("Accept-Encoding"), Selection(SelectionKind.ALL_VIEWER)]
)
def test_an_origin_request_policy_has_no_effect_on_it_when_a_flag_is_on(headers: Selection) -> None:
    behavior = Behavior(
        "*", "o", GZIP, origin_request_policy=OriginRequestPolicy("o", headers=headers)
    )
    assert accept_encoding(behavior, get("/", ("Accept-Encoding", "zstd, gzip"))) == (
        "gzip",
        "gzip",
    )


@rule("CDN-CMP-06")
@pytest.mark.parametrize("settings", [BOTH, policy(listed("Accept-Encoding"))])
def test_http_1_0_viewers_have_no_accept_encoding(settings: CachePolicy) -> None:
    request = replace(get("/", ("Accept-Encoding", "gzip")), version="1.0")
    assert accept_encoding(behavior_of(settings), request) == (None, None)


def legacy(
    headers: Selection | None = None,
    cookies: Selection | None = None,
    *,
    query_string: bool = False,
    keys: tuple[str, ...] = (),
) -> LegacyCacheSettings:
    none = Selection()
    return LegacyCacheSettings(query_string, keys, headers or none, cookies or none)


@rule("CDN-KEY-31")
def test_legacy_headers_listed_are_keyed_and_sent() -> None:
    settings = legacy(listed("Accept"))
    one, other = get("/", ("Accept", "a")), get("/", ("Accept", "b"))
    assert not same(settings, one, other)
    assert sent(settings, one).headers.get("Accept") == "a"


@rule("CDN-KEY-30")
def test_legacy_star_sends_all_headers() -> None:
    request = get("/", ("Accept", "a"), ("Host", "www.example"), ("User-Agent", "x"))
    headers = sent(legacy(ALL), request).headers
    assert (headers.get("Accept"), headers.get("Host"), headers.get("User-Agent")) == (
        "a",
        "www.example",
        "x",
    )


@rule("CDN-KEY-33")
@pytest.mark.parametrize(
    ("compress", "header", "in_key", "to_origin"),
    [
        (True, "br, gzip", "gzip", "gzip"),
        (False, "br, gzip", None, "gzip"),
        (True, "br", None, None),
        (True, "gzip;q=0", None, None),
    ],
)
def test_legacy_accept_encoding(
    compress: bool, header: str, in_key: str | None, to_origin: str | None
) -> None:
    behavior = Behavior("*", "o", legacy(), compress=compress)
    request = get("/", ("Accept-Encoding", header))
    assert accept_encoding(behavior, request) == (in_key, to_origin)
    assert same(behavior, request, get("/")) is (in_key is None)


@rule("CDN-KEY-34")
@pytest.mark.parametrize(
    ("settings", "in_key", "to_origin"),
    [
        (legacy(), None, None),
        (legacy(query_string=True), "b=2&a=1", "b=2&a=1"),
        (legacy(query_string=True, keys=("a",)), "a=1", "b=2&a=1"),
    ],
)
def test_legacy_query_strings(
    settings: LegacyCacheSettings, in_key: str | None, to_origin: str | None
) -> None:
    request, behavior = get("/?b=2&a=1"), behavior_of(settings)
    site = Distribution("Site", "E1", "d1.cloudfront.net", {}, behavior)
    assert cache_key(site, behavior, request, {}).query == in_key
    assert sent(settings, request).query == to_origin


@rule("CDN-KEY-35")
@pytest.mark.parametrize(
    ("cookies", "to_origin"),
    [
        (Selection(), None),
        (listed("ab*"), "ab=1; abc=2"),
        (listed("ab?"), "abc=2"),
        (listed("x", "AB"), None),
        (ALL, "ab=1; abc=2; c=3"),
    ],
)
def test_legacy_cookies(cookies: Selection, to_origin: str | None) -> None:
    request = get("/", ("Cookie", "c=3; abc=2; ab=1"))
    settings = legacy(cookies=cookies)
    assert sent(settings, request).headers.joined("Cookie") == to_origin
    assert same(settings, request, get("/")) is (to_origin is None)


@rule("CDN-KEY-37")
def test_legacy_headers_that_are_not_listed_do_not_count() -> None:
    assert same(legacy(), get("/", ("X-A", "1")), get("/", ("X-A", "2")))
