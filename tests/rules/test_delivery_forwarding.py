"""What an origin gets, through a whole edge."""

import re
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.support.delivery import (
    ALL_METHODS,
    ALL_VIEWER,
    CACHING_DISABLED,
    cache_policy,
    legacy,
    origin_request_policy,
)
from tests.support.origin import Answer

ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
ALL_AND_CLOUDFRONT = "33f36d7e-f396-46d9-90e0-52428a34d9dc"

# What the union of the two policies lets through of a, b, c, d: the table below CDN-ORP-11.
UNION = {
    ("none", "none"): "",
    ("none", "all"): "abcd",
    ("none", "whitelist b"): "b",
    ("none", "allExcept b"): "acd",
    ("all", "none"): "abcd",
    ("all", "all"): "abcd",
    ("all", "whitelist b"): "abcd",
    ("all", "allExcept b"): "abcd",
    ("whitelist a b", "none"): "ab",
    ("whitelist a b", "all"): "abcd",
    ("whitelist a b", "whitelist c"): "abc",
    ("whitelist a b", "allExcept b c"): "abd",
    ("allExcept a", "none"): "bcd",
    ("allExcept a", "all"): "abcd",
    ("allExcept a b", "whitelist b"): "bcd",
    ("allExcept a", "allExcept b"): "cd",
}


@pytest.mark.rule("CDN-ORP-01", "CDN-ORP-03", "CDN-ORP-04", "CDN-HDR-12", "CDN-KEY-04")
@pytest.mark.parametrize(("cached", "forwarded"), UNION)
def test_the_union_of_both_policies_for_queries_and_cookies(deliver, origin, cached, forwarded):
    site = deliver(
        {
            "cache": cache_policy(query=cached, cookies=cached),
            "forward": origin_request_policy(query=forwarded, cookies=forwarded),
        }
    )
    site.get("/p?a=1&b=2&c=3&d=4", headers={"Cookie": "d=4; c=3; b=2; a=1"})
    taken = UNION[cached, forwarded]
    query = "&".join(f"{name}={'_abcd'.index(name)}" for name in taken)
    got = origin.got[0]
    assert got.target == (f"/p?{query}" if query else "/p")
    cookies = "; ".join(f"{name}={'_abcd'.index(name)}" for name in taken)
    assert got.header("Cookie") == (cookies or None)


@pytest.mark.rule("CDN-ORP-03", "CDN-ORP-04", "CDN-ORP-08", "CDN-KEY-03")
@pytest.mark.parametrize(
    ("cached", "forwarded", "taken"),
    [
        ("none", "none", ""),
        ("whitelist X-A", "none", "a"),
        ("none", "whitelist X-B", "b"),
        ("whitelist X-A", "whitelist X-B", "ab"),
        ("none", "allViewer", "abc"),
        ("whitelist X-A", "allViewer", "abc"),
        ("none", "allExcept X-B", "ac"),
        ("whitelist X-B", "allExcept X-B", "abc"),
        ("none", "allViewerAndWhitelistCloudFront CloudFront-Viewer-Country", "abc!"),
        ("whitelist CloudFront-Viewer-Country", "none", "!"),
    ],
)
def test_the_union_of_both_policies_for_headers(deliver, origin, cached, forwarded, taken):
    site = deliver(
        {"cache": cache_policy(headers=cached), "forward": origin_request_policy(forwarded)}
    )
    sent = {"X-A": "1", "X-B": "2", "X-C": "3", "x-edgeproxy-viewer-country": "DE"}
    site.get("/p", headers=sent)
    got = origin.got[0]
    seen = "".join(name for name in "abc" if got.header(f"X-{name}"))
    assert seen + ("!" if got.header("CloudFront-Viewer-Country") == "DE" else "") == taken


# The headers of CDN-HDR

VIEWER = {
    "Host": "www.example.com",
    "Accept": "text/html",
    "Accept-Charset": "utf-8",
    "Accept-Encoding": "gzip, br",
    "Accept-Language": "de",
    "Authorization": "Basic eDp5",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive, X-Hop",
    "Cookie": "a=1",
    "Date": "Mon, 02 Nov 2026 10:00:00 GMT",
    "Expect": "",
    "From": "me@example.com",
    "Max-Forwards": "7",
    "Origin": "https://www.example.com",
    "Pragma": "no-cache",
    "Proxy-Authorization": "Basic eDp5",
    "Proxy-Connection": "keep-alive",
    "Referer": "https://www.example.com/",
    "TE": "trailers",
    "User-Agent": "Browser/1",
    "Via": "1.1 nearby",
    "Warning": "199 - x",
    "X-Amz-Cf-Id": "spoofed",
    "X-Custom": "mine",
    "X-Edge-Thing": "1",
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-HTTP-Method-Override": "PUT",
    "X-Real-IP": "198.51.100.7",
    "CloudFront-Viewer-Country": "XX",
}
ALWAYS = {
    "Host",
    "User-Agent",
    "Via",
    "X-Amz-Cf-Id",
    "X-Forwarded-For",
    "Connection",
}
FORWARDED = {"Cache-Control", "Date", "From", "Max-Forwards", "Origin", "Pragma", "Warning"}
NEVER = {
    "Expect",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "X-Edge-Thing",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "CloudFront-Viewer-Country",
}


@pytest.mark.rule(
    "CDN-HDR-01", "CDN-HDR-02", "CDN-HDR-03", "CDN-HDR-04", "CDN-HDR-11", "CDN-HDR-13",
    "CDN-HDR-14", "CDN-HDR-19", "CDN-HDR-20", "CDN-HDR-30", "CDN-ORP-01",
)  # fmt: skip
@pytest.mark.parametrize(
    ("behavior", "more"),
    [
        ({"cache": cache_policy()}, set()),
        (legacy(), {"X-Custom", "Accept-Encoding"}),
        (
            {"cache": cache_policy(), "forward": ALL_VIEWER},
            set(VIEWER) - NEVER - ALWAYS - FORWARDED,
        ),
        (legacy(["*"]), set(VIEWER) - NEVER - ALWAYS - FORWARDED - {"Cookie"}),
    ],
    ids=["policies", "legacy", "all viewer", "legacy all"],
)
def test_every_row_of_the_table(deliver, origin, behavior, more):
    deliver(behavior).get("/p", headers=VIEWER)
    names = {name.lower() for name, _ in origin.got[0].headers}
    assert names == {name.lower() for name in ALWAYS | FORWARDED | more}


@pytest.mark.rule("CDN-HDR-06", "CDN-HDR-07", "CDN-HDR-08", "CDN-HDR-09", "CDN-HDR-10")
def test_what_cloudfront_sets_itself(deliver, origin):
    site = deliver({})
    response = site.get("/p", headers={**VIEWER, "x-edgeproxy-viewer-ip": "203.0.113.9"})
    got = origin.got[0]
    assert got.header("Host") == "web.example.com"
    assert got.header("User-Agent") == "Amazon CloudFront"
    assert got.header("X-Forwarded-For") == "198.51.100.7, 203.0.113.9"
    assert re.fullmatch(
        r"1\.1 nearby, 1\.1 [0-9a-f]{32}\.cloudfront\.net \(CloudFront\)", got.header("Via") or ""
    )
    assert got.header("X-Amz-Cf-Id") == response.headers.get("X-Amz-Cf-Id")
    assert got.header("Connection") == "Keep-Alive"
    assert not any(name.lower().startswith("x-edgeproxy") for name, _ in got.headers)


@pytest.mark.rule("CDN-HDR-06", "CDN-HDR-09", "CDN-HDR-07")
def test_what_cloudfront_sets_when_the_viewer_sent_nothing(deliver, origin):
    deliver({"forward": ALL_VIEWER}).get("/p")
    got = origin.got[0]
    assert got.header("User-Agent") == "Amazon CloudFront"
    assert got.header("X-Forwarded-For") == "127.0.0.1"
    assert (got.header("Via") or "").count("(CloudFront)") == 1


@pytest.mark.rule("CDN-HDR-18")
def test_several_lines_of_one_name_become_one(deliver, origin):
    deliver({"forward": ALL_VIEWER}).get("/p", headers=[("X-A", "1"), ("X-B", "2"), ("X-A", "3")])
    assert [value for name, value in origin.got[0].headers if name.lower() == "x-a"] == ["1, 3"]


@pytest.mark.rule("CDN-HDR-12", "CDN-KEY-14", "CDN-KEY-35")
@pytest.mark.parametrize(
    ("behavior", "cookie"),
    [
        ({}, None),
        ({"cache": cache_policy(cookies="all")}, "a=1; b=2; c=3"),
        ({"cache": cache_policy(cookies="whitelist c a")}, "a=1; c=3"),
        (legacy(cookies={"Forward": "all"}), "a=1; b=2; c=3"),
        (legacy(cookies={"Forward": "whitelist", "WhitelistedNames": ["b*"]}), "b=2"),
    ],
)
def test_cookies_are_sorted(deliver, origin, behavior, cookie):
    deliver(behavior).get("/p", headers=[("Cookie", "c=3; b=2"), ("Cookie", "a=1")])
    assert origin.got[0].header("Cookie") == cookie


@pytest.mark.rule(
    "CDN-HDR-15", "CDN-KEY-20", "CDN-KEY-21", "CDN-KEY-22", "CDN-KEY-23", "CDN-KEY-24"
)
@pytest.mark.rule("CDN-KEY-25", "CDN-KEY-26", "CDN-KEY-33")
@pytest.mark.parametrize(
    ("behavior", "sent", "got"),
    [
        ({"cache": cache_policy(gzip=True, brotli=True)}, "gzip, deflate, br", "br,gzip"),
        ({"cache": cache_policy(gzip=True, brotli=True)}, "gzip", "gzip"),
        ({"cache": cache_policy(gzip=True, brotli=True)}, "deflate", "identity"),
        ({"cache": cache_policy(gzip=True, brotli=True)}, None, None),
        ({"cache": cache_policy(gzip=True)}, "br, gzip", "gzip"),
        ({"cache": cache_policy(brotli=True)}, "br, gzip", "br"),
        ({"cache": cache_policy()}, "gzip, br", None),
        ({"cache": cache_policy(), "forward": ALL_VIEWER}, "gzip, br", "gzip, br"),
        ({"cache": cache_policy(gzip=True), "forward": ALL_VIEWER}, "gzip, br", "gzip"),
        (legacy(), "gzip, br", "gzip"),
        (legacy(), "br", None),
    ],
)
def test_accept_encoding_at_the_origin(deliver, origin, behavior, sent, got):
    deliver(behavior).get("/p", headers={"Accept-Encoding": sent} if sent else {})
    assert origin.got[0].header("Accept-Encoding") == got


# Host

S3_ORIGIN = {"DomainName": "b.s3.us-east-1.amazonaws.com", "S3OriginConfig": {}}


@pytest.mark.rule("CDN-HDR-10", "CDN-ORP-05", "CDN-ORP-06")
@pytest.mark.parametrize(
    ("behavior", "origin_", "host"),
    [
        ({}, {}, "web.example.com"),
        ({"forward": ALL_VIEWER}, {}, "www.example.com:8080"),
        ({"forward": ALL_BUT_HOST}, {}, "web.example.com"),
        ({"cache": cache_policy(headers="whitelist Host")}, {}, "www.example.com:8080"),
        (legacy(["Host"]), {}, "www.example.com:8080"),
        (
            {},
            {"CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "HTTPPort": 8080}},
            "web.example.com:8080",
        ),
    ],
)
def test_host_at_a_custom_origin(deliver, origin, behavior, origin_, host):
    deliver(behavior, origin=origin_).get("/p", headers={"Host": "www.example.com:8080"})
    assert origin.got[0].header("Host") == host


@pytest.mark.rule("CDN-HDR-10", "CDN-ORP-09")
@pytest.mark.parametrize(
    ("behavior", "host"),
    [({}, S3_ORIGIN["DomainName"]), ({"forward": ALL_VIEWER}, "www.example.com")],
)
def test_host_at_a_bucket(deliver, origin, behavior, host):
    bucket = {"Id": "bucket", **S3_ORIGIN}
    site = deliver(
        {"TargetOriginId": "bucket", **behavior}, origins=[bucket], at={"bucket": origin.url}
    )
    site.get("/p", headers={"Host": "www.example.com"})
    assert origin.got[0].header("Host") == host


# Origin custom headers

CUSTOM = {
    "OriginCustomHeaders": [
        {"HeaderName": "X-Secret", "HeaderValue": "s3cret"},
        {"HeaderName": "Authorization", "HeaderValue": "Bearer own"},
    ]
}


@pytest.mark.rule("CDN-OCH-01", "CDN-OCH-02", "CDN-OCH-04")
@pytest.mark.parametrize("method", ALL_METHODS)
def test_origin_custom_headers_replace_the_viewer_s(deliver, origin, method):
    site = deliver({"forward": ALL_VIEWER}, origin=CUSTOM)
    site.request(method, "/p", headers={"x-secret": "guess", "Authorization": "Basic eDp5"})
    got = origin.got[0]
    assert (got.header("X-Secret"), got.header("Authorization")) == ("s3cret", "Bearer own")


@pytest.mark.rule("CDN-OCH-02")
def test_a_key_takes_the_viewer_s_value_of_a_custom_header(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    site = deliver({"cache": cache_policy(headers="whitelist X-Secret")}, origin=CUSTOM)
    for value in ("1", "2"):
        assert site.get("/p", headers={"X-Secret": value}).x_cache == "Miss from cloudfront"
    assert [got.header("X-Secret") for got in origin.got] == ["s3cret", "s3cret"]


# CloudFront's own headers

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"


@pytest.mark.rule(
    "CDN-CFH-01", "CDN-CFH-02", "CDN-CFH-04", "CDN-CFH-05", "CDN-CFH-13", "CDN-CFH-14"
)
@pytest.mark.rule("CDN-CFH-18", "CDN-CFH-19", "CDN-CFH-31", "CDN-CFH-35", "CDN-ORP-08")
def test_cloudfront_s_headers_are_sent_when_they_are_asked_for(deliver, origin):
    asked = "CloudFront-Viewer-Header-Order CloudFront-Viewer-Header-Count"
    behaviors = {
        "/all": {"cache": CACHING_DISABLED, "forward": ALL_AND_CLOUDFRONT},
        "/order": {
            "cache": CACHING_DISABLED,
            "forward": origin_request_policy(f"whitelist {asked}"),
        },
    }
    site = deliver({}, behaviors)
    viewer = {
        "User-Agent": IPHONE,
        "x-edgeproxy-viewer-country": "de",
        "x-edgeproxy-viewer-ip": "2001:db8::7",
    }
    for path in ("/none", "/all", "/order"):
        site.get(path, headers=viewer)
    none, everything, order = origin.got
    assert not [name for name, _ in none.headers if name.lower().startswith("cloudfront-")]
    is_a = {
        kind: everything.header(f"CloudFront-Is-{kind}-Viewer")
        for kind in ("Mobile", "IOS", "Tablet", "Desktop", "SmartTV", "Android")
    }
    assert {kind for kind, value in is_a.items() if value == "true"} == {"Mobile", "IOS"}
    assert set(is_a.values()) == {"true", "false"}
    assert everything.header("CloudFront-Viewer-Country") == "DE"
    assert everything.header("CloudFront-Viewer-Country-Name") == "Germany"
    assert everything.header("CloudFront-Forwarded-Proto") == "http"
    assert everything.header("CloudFront-Viewer-Http-Version") == "1.1"
    assert re.fullmatch(r"2001:db8::7:\d+", everything.header("CloudFront-Viewer-Address") or "")
    assert everything.header("CloudFront-Viewer-City") is None
    assert order.header("CloudFront-Viewer-Header-Order") == "Host:User-Agent"
    assert order.header("CloudFront-Viewer-Header-Count") == "2"


@pytest.mark.rule("CDN-CFH-34", "CDN-KEY-31")
def test_legacy_settings_may_ask_for_them_too(deliver, origin):
    names = ["CloudFront-Viewer-Country", "CloudFront-Is-Mobile-Viewer"]
    deliver(legacy(names)).get("/p", headers={"x-edgeproxy-viewer-country": "FR"})
    assert [origin.got[0].header(name) for name in names] == ["FR", "false"]


# Bodies


@pytest.mark.rule("CDN-HDR-17", "CDN-ORP-01")
@pytest.mark.parametrize("is_chunked", [False, True])
def test_request_bodies_keep_their_framing(deliver, origin, is_chunked):
    site = deliver({})
    where = urlsplit(site.url)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=10)
    connection.request(
        "POST", "/p", body=iter([b"ab", b"c"]) if is_chunked else b"abc", encode_chunked=is_chunked
    )
    assert connection.getresponse().read() == b"from the origin"
    connection.close()
    got = origin.got[0]
    assert got.body == b"abc"
    assert got.header("Content-Length") == (None if is_chunked else "3")
    assert got.header("Transfer-Encoding") == ("chunked" if is_chunked else None)
