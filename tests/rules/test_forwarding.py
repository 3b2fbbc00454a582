"""What the origin gets (CDN-ORP, CDN-HDR, CDN-OCH) and what of its answer stays (CDN-RSP)."""

import pytest

from edgeproxy.cache.key import cache_key
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CacheSettings,
    CustomOrigin,
    Distribution,
    LegacyCacheSettings,
    Origin,
    OriginRequestPolicy,
    S3Origin,
    Selection,
    SelectionKind,
)
from edgeproxy.distribution.viewer_headers import cloudfront_headers
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.origins.forwarding import from_origin, origin_request, with_custom_headers

rule = pytest.mark.rule
ALL = Selection(SelectionKind.ALL)
NONE = Selection()
ALL_VIEWER = Selection(SelectionKind.ALL_VIEWER)
CUSTOM = Origin("o", "origin.example", CustomOrigin())
S3 = Origin("s", "bucket.s3.eu-west-1.amazonaws.com", S3Origin())
VIEWER = Viewer("192.0.2.9", 4711, "https", "DE")
VIA = "1.1 edge.cloudfront.net (CloudFront)"


def listed(*names: str) -> Selection:
    return Selection(SelectionKind.WHITELIST, names)


def all_except(*names: str) -> Selection:
    return Selection(SelectionKind.ALL_EXCEPT, names)


def policies(
    cache_headers: Selection = NONE,
    origin_headers: Selection = NONE,
    *,
    cached_methods: tuple[str, ...] = ("GET", "HEAD"),
) -> Behavior:
    return Behavior(
        "*",
        "o",
        CachePolicy("p", 0, 0, 60, cache_headers),
        cached_methods=cached_methods,
        origin_request_policy=OriginRequestPolicy("q", origin_headers),
    )


def legacy(headers: Selection = NONE) -> Behavior:
    return Behavior("*", "o", LegacyCacheSettings(query_string=False, headers=headers))


MODES = pytest.mark.parametrize("behavior", [policies(), legacy()], ids=["policies", "legacy"])


def send(
    behavior: Behavior,
    *lines: tuple[str, str],
    method: str = "GET",
    origin: Origin = CUSTOM,
) -> Headers:
    """The headers the origin gets for the viewer's header ``lines``."""
    request = Request(method, "/", headers=Headers(lines), viewer=VIEWER)
    generated = cloudfront_headers(request)
    return origin_request(
        request, behavior, origin, generated=generated, request_id="id==", via=VIA
    ).headers


@rule("CDN-ORP-01")
def test_the_base_of_an_origin_request() -> None:
    request = Request(
        "POST",
        "/a",
        "q=1",
        headers=Headers([("X-A", "1"), ("Cookie", "c=1"), ("Content-Type", "text/plain")]),
        body=BytesBody(b"data"),
    )
    sent = origin_request(request, policies(), CUSTOM, generated={}, request_id="i", via=VIA)
    assert (sent.method, sent.path, sent.query, sent.body) == ("POST", "/a", None, request.body)
    assert sent.headers.names() == [
        "host",
        "content-type",
        "user-agent",
        "x-forwarded-for",
        "via",
        "x-amz-cf-id",
    ]


@rule("CDN-ORP-02", "CDN-ORP-03")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (NONE, set()),
        (listed("X-A"), {"X-A"}),
        (listed("x-a", "Accept"), {"X-A", "Accept"}),
        (all_except("X-A"), {"X-B", "Accept"}),
        (ALL_VIEWER, {"X-A", "X-B", "Accept"}),
        (
            Selection(SelectionKind.ALL_VIEWER_AND_WHITELIST_CLOUDFRONT, ()),
            {"X-A", "X-B", "Accept"},
        ),
    ],
)
def test_headers_of_an_origin_request_policy(headers: Selection, expected: set[str]) -> None:
    behavior = policies(origin_headers=headers)
    lines = (("X-A", "1"), ("X-B", "2"), ("Accept", "*/*"))
    sent = send(behavior, *lines)
    assert {name for name, _ in sent if name in dict(lines)} == expected
    site = Distribution("Site", "E1", "d.cloudfront.net", {}, behavior)
    with_headers, without = Request("GET", "/", headers=Headers(lines)), Request("GET", "/")
    assert cache_key(site, behavior, with_headers, {}) == cache_key(site, behavior, without, {})


@rule("CDN-ORP-03", "CDN-ORP-04")
@pytest.mark.parametrize(
    ("in_key", "added", "expected"),
    [
        (NONE, NONE, ""),
        (NONE, ALL, "abcd"),
        (NONE, listed("a"), "a"),
        (NONE, all_except("a"), "bcd"),
        (ALL, NONE, "abcd"),
        (ALL, ALL, "abcd"),
        (ALL, listed("a"), "abcd"),
        (ALL, all_except("a"), "abcd"),
        (listed("a"), NONE, "a"),
        (listed("a"), ALL, "abcd"),
        (listed("a"), listed("b"), "ab"),
        (listed("a"), all_except("a", "b"), "acd"),
        (all_except("a"), NONE, "bcd"),
        (all_except("a"), ALL, "abcd"),
        (all_except("a", "b"), listed("a"), "acd"),
        (all_except("a"), all_except("b"), "cd"),
    ],
)
def test_the_union_of_both_policies(in_key: Selection, added: Selection, expected: str) -> None:
    behavior = Behavior(
        "*",
        "o",
        CachePolicy("p", 0, 0, 60, cookies=in_key, query_strings=in_key),
        origin_request_policy=OriginRequestPolicy("q", cookies=added, query_strings=added),
    )
    headers = Headers([("Cookie", "a=1; b=1; c=1; d=1")])
    request = Request("GET", "/", "a&b&c&d", headers=headers)
    sent = origin_request(request, behavior, CUSTOM, generated={}, request_id="i", via=VIA)
    assert (sent.query or "").replace("&", "") == expected
    assert sent.headers.get("Cookie") == "; ".join(f"{name}=1" for name in expected)


@rule("CDN-ORP-04")
@pytest.mark.parametrize(
    ("in_key", "added", "expected"),
    [
        (listed("X-A"), listed("X-B"), {"x-a", "x-b"}),
        (listed("X-A"), all_except("X-A", "X-B"), {"x-a", "x-c"}),
        (listed("X-A"), ALL_VIEWER, {"x-a", "x-b", "x-c"}),
        (listed("X-A"), NONE, {"x-a"}),
    ],
)
def test_the_union_of_headers(in_key: Selection, added: Selection, expected: set[str]) -> None:
    sent = send(policies(in_key, added), ("X-A", "1"), ("X-B", "1"), ("X-C", "1"))
    assert {name for name in sent.names() if name in ("x-a", "x-b", "x-c")} == expected


@pytest.mark.parametrize(
    ("behavior", "origin", "host"),
    [
        pytest.param(policies(), CUSTOM, "origin.example", marks=rule("CDN-HDR-10", "LE-EVT-14")),
        pytest.param(legacy(), CUSTOM, "origin.example", marks=rule("CDN-HDR-10", "LE-EVT-14")),
        pytest.param(
            policies(listed("Host")),
            CUSTOM,
            "www.example",
            marks=rule("CDN-ORP-06", "CDN-HDR-10", "LE-EVT-14"),
        ),
        pytest.param(
            policies(origin_headers=listed("host")), CUSTOM, "www.example", marks=rule("CDN-ORP-06")
        ),
        pytest.param(
            policies(origin_headers=all_except("Host")),
            CUSTOM,
            "origin.example",
            marks=rule("CDN-ORP-05"),
        ),
        pytest.param(
            policies(origin_headers=all_except("X-A")),
            CUSTOM,
            "www.example",
            marks=rule("CDN-ORP-05"),
        ),
        pytest.param(
            policies(origin_headers=ALL_VIEWER), S3, "www.example", marks=rule("CDN-ORP-09")
        ),
        pytest.param(legacy(listed("Host")), CUSTOM, "www.example", marks=rule("CDN-HDR-10")),
        pytest.param(
            legacy(listed("Host")), S3, S3.domain_name, marks=rule("CDN-HDR-10", "CDN-KEY-32")
        ),
    ],
)
def test_host(behavior: Behavior, origin: Origin, host: str) -> None:
    assert send(behavior, ("Host", "www.example"), origin=origin).get_all("Host") == [host]


@rule("CDN-ORP-08", "CDN-HDR-20", "LE-EVT-12")
def test_cloudfront_headers_beside_all_viewer_headers() -> None:
    kind = SelectionKind.ALL_VIEWER_AND_WHITELIST_CLOUDFRONT
    behavior = policies(origin_headers=Selection(kind, ("CloudFront-Viewer-Country",)))
    sent = send(behavior, ("X-A", "1"), ("cloudfront-viewer-country", "FR"), ("X-B", "2"))
    assert (sent.get("X-A"), sent.get("X-B")) == ("1", "2")
    assert sent.get_all("CloudFront-Viewer-Country") == ["DE"]
    assert not [name for name in sent.names() if name.startswith("cloudfront-is-")]


@rule("CDN-ORP-11", "CDN-HDR-19")
@pytest.mark.parametrize(
    "behavior", [policies(), policies(origin_headers=ALL_VIEWER), legacy(), legacy(ALL)]
)
@pytest.mark.parametrize(
    "name",
    [
        "X-Edge-Location",
        "X-Real-IP",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Connection",
        "Upgrade",
        pytest.param("X-Forwarded-Proto", marks=rule("CDN-HDR-13")),
        pytest.param("Expect", marks=rule("CDN-REQ-09")),
    ],
)
def test_removed_whatever_the_settings_say(behavior: Behavior, name: str) -> None:
    assert name not in send(behavior, (name, "x"), ("Accept", "a"))


@rule("CDN-ORP-11")
def test_naming_a_header_that_is_always_removed_does_not_help() -> None:
    behavior = policies(listed("TE"), listed("Connection", "X-Real-IP", "X-Forwarded-Proto"))
    sent = send(behavior, ("TE", "trailers"), ("Connection", "x"), ("X-Real-IP", "1"))
    assert not {"te", "connection", "x-real-ip"} & set(sent.names())


@rule("CDN-HDR-01", "CDN-HDR-11", "CDN-HDR-14")
@pytest.mark.parametrize(
    "name", ["Accept", "Accept-Charset", "Accept-Language", "Referer", "X-HTTP-Method-Override"]
)
def test_removed_unless_named(name: str) -> None:
    for behavior in (policies(), legacy()):
        assert name not in send(behavior, (name, "x"))
    for behavior in (
        policies(listed(name)),
        policies(origin_headers=listed(name.upper())),
        policies(origin_headers=ALL_VIEWER),
        legacy(listed(name)),
    ):
        assert send(behavior, (name, "x")).get(name) == "x"


@rule("CDN-HDR-02")
def test_headers_not_in_the_table() -> None:
    assert "X-Custom" not in send(policies(), ("X-Custom", "1"))
    assert send(policies(listed("x-custom")), ("X-Custom", "1")).get("X-Custom") == "1"
    assert send(legacy(), ("X-Custom", "1")).get("X-Custom") == "1"


@rule("CDN-HDR-03", "LE-EVT-13")
def test_with_nothing_listed_only_these_go() -> None:
    sent = send(
        policies(),
        ("Host", "www.example"),
        ("User-Agent", "Firefox"),
        ("Accept", "*/*"),
        ("Accept-Language", "de"),
        ("Cache-Control", "no-cache"),
        ("Pragma", "no-cache"),
        ("Origin", "http://www.example"),
        ("Referer", "http://www.example/"),
        ("Sec-Fetch-Mode", "cors"),
        ("Cookie", "a=1"),
    )
    assert sent.lines() == [
        ("Host", "origin.example"),
        ("Cache-Control", "no-cache"),
        ("Pragma", "no-cache"),
        ("Origin", "http://www.example"),
        ("User-Agent", "Amazon CloudFront"),
        ("X-Forwarded-For", "192.0.2.9"),
        ("Via", VIA),
        ("X-Amz-Cf-Id", "id=="),
    ]


@rule("CDN-HDR-04")
@MODES
@pytest.mark.parametrize(
    "name",
    [
        "Cache-Control",
        "Content-Length",
        "Max-Forwards",
        "Pragma",
        "Request-Range",
        "Transfer-Encoding",
        "Content-MD5",
        "Content-Type",
        "Date",
        "From",
        "Origin",
        "Warning",
        pytest.param("If-Match", marks=rule("CDN-VAL-17")),
        pytest.param("If-Modified-Since", marks=rule("CDN-VAL-16")),
        pytest.param("If-None-Match", marks=rule("CDN-VAL-16")),
        "If-Range",
        pytest.param("If-Unmodified-Since", marks=rule("CDN-VAL-17")),
        "Range",
    ],
)
def test_forwarded_in_both_modes(behavior: Behavior, name: str) -> None:
    assert send(behavior, (name, "x")).get_all(name) == ["x"]


@rule("CDN-HDR-06")
@MODES
def test_x_forwarded_for(behavior: Behavior) -> None:
    assert send(behavior).get_all("X-Forwarded-For") == ["192.0.2.9"]
    sent = send(behavior, ("X-Forwarded-For", "not an address"))
    assert sent.get_all("X-Forwarded-For") == ["not an address, 192.0.2.9"]


@rule("CDN-HDR-07")
@MODES
def test_via_is_appended_to_the_viewers(behavior: Behavior) -> None:
    assert send(behavior).get_all("Via") == [VIA]
    assert send(behavior, ("Via", "1.0 proxy")).get_all("Via") == [f"1.0 proxy, {VIA}"]


@rule("CDN-HDR-08")
@pytest.mark.parametrize("behavior", [policies(origin_headers=ALL_VIEWER), legacy(ALL)])
def test_the_request_id_is_ours(behavior: Behavior) -> None:
    assert send(behavior, ("X-Amz-Cf-Id", "theirs")).get_all("X-Amz-Cf-Id") == ["id=="]


@rule("CDN-HDR-09", "LE-EVT-13")
def test_user_agent() -> None:
    for behavior in (policies(), legacy()):
        assert send(behavior, ("User-Agent", "x")).get_all("User-Agent") == ["Amazon CloudFront"]
    for behavior in (
        policies(listed("User-Agent")),
        policies(origin_headers=ALL_VIEWER),
        legacy(listed("User-Agent")),
    ):
        assert send(behavior, ("User-Agent", "x")).get_all("User-Agent") == ["x"]
        assert send(behavior).get_all("User-Agent") == ["Amazon CloudFront"]


@rule("CDN-HDR-12", "LE-COOK-02")
@pytest.mark.parametrize("headers", [NONE, ALL_VIEWER])
def test_cookies_go_by_cookie_settings_only(headers: Selection) -> None:
    assert "Cookie" not in send(policies(origin_headers=headers), ("Cookie", "a=1"))
    behavior = Behavior(
        "*",
        "o",
        CachePolicy("p", 0, 0, 60),
        origin_request_policy=OriginRequestPolicy("q", headers, cookies=listed("b", "a")),
    )
    sent = send(behavior, ("Cookie", "c=3; b=2"), ("Cookie", "a=1"))
    assert sent.get_all("Cookie") == ["a=1; b=2"]


@rule("CDN-HDR-15")
def test_accept_encoding_goes_by_its_own_rules() -> None:
    settings = CachePolicy("p", 0, 0, 60, enable_accept_encoding_gzip=True)
    sent = send(Behavior("*", "o", settings), ("Accept-Encoding", "br, gzip, zstd"))
    assert sent.get_all("Accept-Encoding") == ["gzip"]


@rule("CDN-HDR-18")
def test_several_lines_of_a_name_become_one() -> None:
    sent = send(legacy(), ("X-A", "1"), ("x-a", "2"), ("X-B", "3"))
    assert [line for line in sent if line[0].lower() in ("x-a", "x-b")] == [
        ("X-A", "1, 2"),
        ("X-B", "3"),
    ]


CACHES_OPTIONS = ("GET", "HEAD", "OPTIONS")


@rule("CDN-HDR-30")
@MODES
@pytest.mark.parametrize(
    ("method", "goes"),
    [
        ("GET", False),
        ("HEAD", False),
        ("OPTIONS", True),
        ("DELETE", True),
        ("PATCH", True),
        ("POST", True),
        ("PUT", True),
    ],
)
def test_authorization_by_method(behavior: Behavior, method: str, goes: bool) -> None:
    assert ("Authorization" in send(behavior, ("Authorization", "x"), method=method)) is goes


@rule("CDN-HDR-31", "CDN-ORP-07")
@pytest.mark.parametrize(
    "headers",
    [
        (listed("Authorization"), NONE),
        (NONE, ALL_VIEWER),
        (NONE, Selection(SelectionKind.ALL_VIEWER_AND_WHITELIST_CLOUDFRONT)),
        (NONE, all_except("Host")),
    ],
)
def test_authorization_that_is_keyed_or_forwarded(headers: tuple[Selection, Selection]) -> None:
    behavior = policies(*headers)
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        assert "Authorization" in send(behavior, ("Authorization", "x"), method=method)


@rule("CDN-ORP-07")
@pytest.mark.parametrize("headers", [listed("Authorization"), all_except("Authorization")])
def test_authorization_that_an_origin_request_policy_does_not_send(headers: Selection) -> None:
    assert "Authorization" not in send(policies(NONE, headers), ("Authorization", "x"))


@rule("CDN-HDR-30", "CDN-HDR-31", "CDN-MTH-10")
@pytest.mark.parametrize("headers", [NONE, listed("Authorization")])
def test_cached_options_never_carry_authorization(headers: Selection) -> None:
    behavior = policies(headers, cached_methods=CACHES_OPTIONS)
    assert "Authorization" not in send(behavior, ("Authorization", "x"), method="OPTIONS")


@rule("CDN-S3-04")
@MODES
def test_s3_gets_no_authorization_of_the_viewer(behavior: Behavior) -> None:
    assert "Authorization" not in send(behavior, ("Authorization", "x"), origin=S3)


KEYED = Origin("o", "origin.example", CustomOrigin(), custom_headers=Headers([("X-Key", "secret")]))


@rule("CDN-OCH-01")
def test_custom_headers_replace_the_viewers() -> None:
    request = Request("GET", "/", headers=Headers([("x-key", "viewer"), ("X-Key", "again")]))
    assert with_custom_headers(request, KEYED).headers.get_all("X-Key") == ["secret"]


@rule("CDN-OCH-02")
def test_custom_headers_go_without_being_forwarded_and_are_not_keyed() -> None:
    request = Request("GET", "/")
    sent = origin_request(request, policies(), KEYED, generated={}, request_id="i", via=VIA)
    assert with_custom_headers(sent, KEYED).headers.get("X-Key") == "secret"
    behavior = policies(listed("X-Key"))
    one, other = (
        Distribution("Site", "E1", "d.cloudfront.net", {"o": origin}, behavior)
        for origin in (KEYED, CUSTOM)
    )
    assert cache_key(one, behavior, request, {}) == cache_key(other, behavior, request, {})
    viewers = Request("GET", "/", headers=Headers([("X-Key", "viewer")]))
    assert cache_key(one, behavior, viewers, {}) != cache_key(one, behavior, request, {})


@rule("CDN-OCH-04")
def test_authorization_as_a_custom_header() -> None:
    origin = Origin(
        "o", "o.example", CustomOrigin(), custom_headers=Headers([("Authorization", "Basic x")])
    )
    request = Request("GET", "/", headers=Headers([("Authorization", "viewer")]))
    assert with_custom_headers(request, origin).headers.get_all("Authorization") == ["Basic x"]


@rule("LE-EVT-20")
def test_custom_headers_are_not_in_the_request_of_an_event() -> None:
    assert "X-Key" not in send(policies(origin_headers=ALL_VIEWER), origin=KEYED)


@rule("CDN-CFH-34")
@pytest.mark.parametrize(
    "behavior",
    [
        policies(listed("CloudFront-Viewer-Country", "CloudFront-Is-Desktop-Viewer")),
        policies(NONE, listed("cloudfront-viewer-country", "cloudfront-is-desktop-viewer")),
        legacy(listed("CloudFront-Viewer-Country", "CloudFront-Is-Desktop-Viewer")),
    ],
)
def test_generated_headers_go_when_they_are_named(behavior: Behavior) -> None:
    sent = send(behavior, ("CloudFront-Viewer-Country", "FR"))
    assert {line for line in sent if line[0].startswith("CloudFront-")} == {
        ("CloudFront-Viewer-Country", "DE"),
        ("CloudFront-Is-Desktop-Viewer", "true"),
    }


@rule("CDN-CFH-31", "CDN-HDR-20")
@pytest.mark.parametrize(
    "behavior",
    [
        policies(),
        policies(NONE, ALL_VIEWER),
        policies(NONE, all_except("CloudFront-Viewer-Country")),
        legacy(),
        legacy(ALL),
    ],
)
def test_generated_names_of_the_viewer_never_go(behavior: Behavior) -> None:
    lines = [("CloudFront-Viewer-City", "Bonn"), ("CloudFront-Forwarded-Proto", "http")]
    assert not [name for name in send(behavior, *lines).names() if name.startswith("cloudfront-")]


def cookies(settings: CacheSettings, origin_cookies: Selection = NONE) -> Behavior:
    more = None
    if isinstance(settings, CachePolicy):
        more = OriginRequestPolicy("q", cookies=origin_cookies)
    return Behavior("*", "o", settings, origin_request_policy=more)


@pytest.mark.parametrize(
    ("behavior", "passes"),
    [
        pytest.param(policies(), False, marks=rule("CDN-RSP-04")),
        pytest.param(legacy(), False, marks=rule("CDN-RSP-04")),
        pytest.param(
            cookies(CachePolicy("p", 0, 0, 60, cookies=ALL)), True, marks=rule("CDN-RSP-04")
        ),
        pytest.param(cookies(CachePolicy("p", 0, 0, 60), ALL), True, marks=rule("CDN-RSP-04")),
        pytest.param(
            cookies(CachePolicy("p", 0, 0, 60, cookies=listed("other"))),
            True,
            marks=rule("CDN-RSP-05"),
        ),
        pytest.param(
            cookies(LegacyCacheSettings(False, cookies=listed("other"))),
            True,
            marks=rule("CDN-RSP-05"),
        ),
    ],
)
def test_set_cookie(behavior: Behavior, passes: bool) -> None:
    lines = [("Set-Cookie", "a=1"), ("ETag", '"x"'), ("set-cookie", "b=2")]
    received = from_origin(Response(200, Headers(lines)), behavior).headers
    assert received.get_all("Set-Cookie") == (["a=1", "b=2"] if passes else [])
    assert received.get("ETag") == '"x"'


@rule("CDN-RSP-06")
@pytest.mark.parametrize(
    "name", ["Trailer", "Upgrade", "Connection", "Proxy-Authenticate", "Proxy-Connection"]
)
def test_headers_of_the_connection_go(name: str) -> None:
    response = Response(200, Headers([(name, "x"), ("Server", "s")]))
    assert from_origin(response, policies()).headers.lines() == [("Server", "s")]


@rule("CDN-RSP-12")
def test_other_headers_pass_unchanged() -> None:
    names = (
        "ETag",
        "Last-Modified",
        "Content-Type",
        "Cache-Control",
        "Expires",
        "Location",
        "WWW-Authenticate",
        "Content-Disposition",
        "X-Unknown",
        "Server",
        "Date",
    )
    response = Response(200, Headers((name, "x") for name in names))
    assert from_origin(response, policies()) is response


@rule("CDN-RSP-08")
@pytest.mark.parametrize(
    ("behavior", "vary", "kept"),
    [
        (policies(), "Accept-Encoding, Cookie, X-A, User-Agent", "Accept-Encoding, Cookie"),
        (policies(), "X-A, Accept-Language", None),
        (policies(listed("X-A")), "x-a, X-B", "x-a"),
        (policies(origin_headers=listed("X-B")), "X-A,X-B", "X-B"),
        (policies(origin_headers=ALL_VIEWER), "X-A, User-Agent", None),
        (policies(listed("X-B"), origin_headers=ALL_VIEWER), "X-A, Origin, x-b", "Origin, x-b"),
        (policies(), "User-Agent", None),
        (policies(listed("CloudFront-Is-Mobile-Viewer")), "User-Agent, X-A", "User-Agent"),
        (policies(listed("CloudFront-Viewer-Country")), "User-Agent, X-A", None),
        (
            policies(listed("CloudFront-Viewer-Country")),
            "CloudFront-Viewer-Country, X-A",
            "CloudFront-Viewer-Country",
        ),
        (legacy(listed("Accept")), "Accept, Accept-Language", "Accept"),
        (policies(), "*", "*"),
    ],
)
def test_vary(behavior: Behavior, vary: str, kept: str | None) -> None:
    received = from_origin(Response(200, Headers([("Vary", vary)])), behavior)
    assert received.headers.joined("Vary") == kept


@rule("CDN-RSP-08")
def test_several_vary_lines_are_one_list() -> None:
    lines = [("Vary", "Cookie"), ("ETag", '"x"'), ("vary", "X-A")]
    received = from_origin(Response(200, Headers(lines)), policies())
    assert received.headers.get_all("Vary") == ["Cookie"]
