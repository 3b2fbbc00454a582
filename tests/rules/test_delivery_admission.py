"""What is answered before the cache is asked, and how methods are treated after that."""

import pytest

from tests.support.delivery import (
    ALL_METHODS,
    CACHING_DISABLED,
    cache_policy,
    error_page,
    raw,
    response_headers_policy,
)
from tests.support.origin import Answer

FRESH = Answer(headers={"Cache-Control": "max-age=60"})
WRITING = ["DELETE", "PATCH", "POST", "PUT"]
READ_ONLY = {"AllowedMethods": ["GET", "HEAD"]}
GET_HEAD_OPTIONS = ["GET", "HEAD", "OPTIONS"]


# Viewer protocol policy


@pytest.mark.rule("CDN-VPP-01", "CDN-VPP-02", "CDN-VPP-03", "CDN-GEN-11", "CDN-XC-04")
@pytest.mark.parametrize(("policy", "status"), [("allow-all", 200), ("https-only", 403)])
def test_http_is_served_or_refused(deliver, origin, policy, status):
    response = deliver({"ViewerProtocolPolicy": policy}).get("/")
    assert response.status == status
    assert len(origin.got) == (status == 200)
    if status == 403:
        assert "\nBad request.\n" in response.text
        assert response.x_cache == "Error from cloudfront"


@pytest.mark.rule("CDN-VPP-04", "CDN-VPP-05", "CDN-VPP-07", "CDN-VPP-08", "CDN-VPP-09", "CDN-XC-05")
@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 301), ("HEAD", 301), *((method, 307) for method in ["OPTIONS", *WRITING])],
)
def test_the_redirect_to_https(deliver, origin, method, status):
    site = deliver({"ViewerProtocolPolicy": "redirect-to-https"})
    response = site.request(method, "/a%20b//c?x=%2F&y", headers={"Host": "www.example.com:8080"})
    assert response.status == status
    assert response.x_cache == "Redirect from cloudfront"
    headers = response.headers
    assert headers.get("Location") == "https://www.example.com:8080/a%20b//c?x=%2F&y"
    assert headers.get("Server") == "CloudFront"
    assert headers.get("Content-Type") == "text/html"
    assert headers.get("Connection") == "keep-alive"
    for name in ("Via", "X-Amz-Cf-Pop", "X-Amz-Cf-Id", "Date"):
        assert headers.get(name)
    if status == 301:
        assert headers.get("Content-Length") == "167"
    if method != "HEAD":
        assert response.body.startswith(b"<html>\r\n<head><title>%d " % status)
    assert origin.got == []
    exchange = site.exchanges(1)[0]
    assert (exchange.result_type, exchange.detailed_result_type) == ("Redirect", "Redirect")


@pytest.mark.rule("CDN-VPP-05", "CDN-VPP-06", "CDN-VER-04")
@pytest.mark.parametrize(("version", "status"), [("1.0", b"403"), ("1.1", b"307")])
def test_writing_over_http_1_0_is_not_redirected(deliver, version, status):
    site = deliver({"ViewerProtocolPolicy": "redirect-to-https"})
    answer = raw(site, f"POST / HTTP/{version}\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer.split(b" ")[1] == status


@pytest.mark.rule("CDN-VPP-07", "CDN-RHP-27")
def test_the_redirect_takes_no_policy_headers(deliver):
    items = [{"Header": "X-Policy", "Value": "1", "Override": True}]
    policy = response_headers_policy(CustomHeadersConfig={"Items": items})
    site = deliver({"ViewerProtocolPolicy": "redirect-to-https", "respond": policy})
    assert "X-Policy" not in site.get("/").headers


# Methods


@pytest.mark.rule("CDN-MTH-01", "CDN-MTH-02", "CDN-GEN-12", "CDN-LOG-21")
@pytest.mark.parametrize("allowed", [["GET", "HEAD"], GET_HEAD_OPTIONS, ALL_METHODS])
def test_allowed_methods(deliver, origin, allowed):
    site = deliver({"AllowedMethods": allowed})
    for method in ALL_METHODS:
        response = site.request(method, f"/{method}")
        assert response.status == (200 if method in allowed else 403), method
        if method not in allowed:
            assert "not configured to allow the HTTP request method" in response.text
            assert "supports only cachable requests" in response.text
            exchange = site.exchanges(1)[0]
            assert exchange.detailed_result_type == "InvalidRequestMethod"
    assert [got.method for got in origin.got] == [m for m in ALL_METHODS if m in allowed]


@pytest.mark.rule("CDN-MTH-03", "CDN-XC-02", "CDN-COL-06")
@pytest.mark.parametrize("method", WRITING)
def test_writing_is_never_cached(deliver, origin, method):
    origin.answer = FRESH
    site = deliver({})
    for _ in range(2):
        assert site.request(method, "/a").x_cache == "Miss from cloudfront"
    assert [got.method for got in origin.got] == [method] * 2


@pytest.mark.rule("CDN-MTH-11", "CDN-MTH-03")
@pytest.mark.parametrize("method", WRITING)
def test_writing_leaves_the_cached_object_alone(deliver, origin, method):
    origin.answer = FRESH
    site = deliver({})
    site.get("/a")
    site.request(method, "/a")
    assert site.get("/a").x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-MTH-04")
def test_options_goes_to_the_origin_when_it_is_not_cached(deliver, origin):
    origin.answer = FRESH
    site = deliver({"CachedMethods": ["GET", "HEAD"]})
    for _ in range(2):
        assert site.request("OPTIONS", "/a").x_cache == "Miss from cloudfront"
    assert len(origin.got) == 2


@pytest.mark.rule("CDN-MTH-05", "CDN-KEY-16")
def test_a_cached_options_answer_is_an_object_of_its_own(deliver, origin):
    origin.answer = lambda got: Answer(headers=FRESH.headers, body=got.method.encode())
    site = deliver({"CachedMethods": GET_HEAD_OPTIONS})
    for method in ("OPTIONS", "GET"):
        assert site.request(method, "/a").x_cache == "Miss from cloudfront"
    for method in ("OPTIONS", "GET"):
        again = site.request(method, "/a")
        assert (again.x_cache, again.text) == ("Hit from cloudfront", method)


@pytest.mark.rule("CDN-MTH-06")
def test_preflights_are_kept_apart_only_by_a_key_that_says_so(deliver, origin):
    origin.answer = FRESH
    cached = {"CachedMethods": GET_HEAD_OPTIONS}
    asking = "whitelist Origin Access-Control-Request-Method Access-Control-Request-Headers"
    behaviors = {"/apart/*": {**cached, "cache": cache_policy(headers=asking)}}
    site = deliver(cached, behaviors)
    for folder, second in (("/together", "Hit"), ("/apart", "Miss")):
        for who, outcome in (("https://a.example", "Miss"), ("https://b.example", second)):
            response = site.request("OPTIONS", f"{folder}/x", headers={"Origin": who})
            assert response.x_cache == f"{outcome} from cloudfront"
    assert all(got.header("Access-Control-Request-Method") is None for got in origin.got)


@pytest.mark.rule("CDN-MTH-07", "CDN-RNG-14", "CDN-XC-01")
def test_a_cached_object_answers_head(deliver, origin):
    origin.answer = FRESH
    site = deliver({})
    site.get("/a")
    response = site.request("HEAD", "/a", headers={"Range": "bytes=0-1"})
    assert (response.status, response.x_cache, response.body) == (200, "Hit from cloudfront", b"")
    assert response.headers.get("Content-Length") == str(len(FRESH.body))
    assert len(origin.got) == 1


@pytest.mark.rule("CDN-MTH-08")
def test_the_answer_to_head_serves_no_get(deliver, origin):
    origin.answer = FRESH
    site = deliver({})
    assert site.request("HEAD", "/a").headers.get("Content-Length") == str(len(FRESH.body))
    response = site.get("/a")
    assert (response.x_cache, response.body) == ("Miss from cloudfront", FRESH.body)
    assert [got.method for got in origin.got] == ["HEAD", "GET"]


@pytest.mark.rule("CDN-MTH-09", "CDN-ORG-03", "CDN-ORG-05", "CDN-ERR-35")
@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("DELETE", 1), ("GET", 2)])
def test_only_reading_is_repeated_after_a_timeout(deliver, raw_origin, method, times):
    raw_origin.keep_quiet.set()
    config = {"OriginProtocolPolicy": "http-only", "OriginReadTimeout": 1}
    site = deliver(
        {},
        origin={"CustomOriginConfig": config, "ConnectionAttempts": 2},
        at={"web": raw_origin.url},
    )
    response = site.request(method, "/")
    assert (response.status, response.x_cache) == (504, "Error from cloudfront")
    assert raw_origin.connections == times
    assert site.exchanges(1)[0].detailed_result_type == "OriginCommError"


AUTHORIZED = {"Authorization": "Basic eDp5"}


@pytest.mark.rule("CDN-HDR-30", "CDN-HDR-31", "CDN-MTH-10", "CDN-ORP-07")
@pytest.mark.parametrize(
    ("behavior", "passed"),
    [
        ({}, ["OPTIONS", "PUT", "POST", "PATCH", "DELETE"]),
        ({"CachedMethods": GET_HEAD_OPTIONS}, ["PUT", "POST", "PATCH", "DELETE"]),
        ({"cache": cache_policy(headers="whitelist Authorization")}, ALL_METHODS),
        (
            {
                "cache": cache_policy(headers="whitelist Authorization"),
                "CachedMethods": GET_HEAD_OPTIONS,
            },
            [method for method in ALL_METHODS if method != "OPTIONS"],
        ),
        (
            {"cache": CACHING_DISABLED, "forward": "216adef6-5c7f-47e4-b989-5492eafa07d3"},
            ALL_METHODS,
        ),
    ],
)
def test_which_methods_pass_authorization_on(deliver, origin, behavior, passed):
    site = deliver(behavior)
    for method in ALL_METHODS:
        site.request(method, f"/{method}", headers=AUTHORIZED)
    assert [got.method for got in origin.got if got.header("Authorization")] == passed


# Bodies


@pytest.mark.rule("CDN-REQ-06", "CDN-GEN-11")
@pytest.mark.parametrize("framing", ["Content-Length: 1", "Transfer-Encoding: chunked"])
def test_a_get_with_a_body_is_refused(deliver, origin, framing):
    site = deliver({})
    answer = raw(
        site, f"GET / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n1\r\nx\r\n0\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"\nBad request.\n" in answer
    assert origin.got == []


@pytest.mark.rule("CDN-REQ-07")
def test_a_get_of_length_zero_is_served(deliver, origin):
    assert deliver({}).get("/", headers={"Content-Length": "0"}).status == 200
    assert len(origin.got) == 1


# Geographic restriction


def restricted(kind: str, *countries: str) -> dict[str, object]:
    restriction = {"RestrictionType": kind, "Locations": list(countries)}
    return {"Restrictions": {"GeoRestriction": restriction}}


@pytest.mark.rule("CDN-GEO-01", "CDN-GEO-02", "CDN-GEO-03", "CDN-GEN-13", "CDN-CFH-35")
@pytest.mark.parametrize(
    ("kind", "admitted"),
    [("whitelist", {"DE", "FR", ""}), ("blacklist", {"US", ""}), ("none", {"DE", "FR", "US", ""})],
)
def test_geographic_restriction(deliver, origin, kind, admitted):
    site = deliver({}, **restricted(kind, *(["DE", "FR"] if kind != "none" else [])))
    for country in ("DE", "FR", "US", ""):
        headers = {"x-edgeproxy-viewer-country": country} if country else {}
        response = site.get("/", headers=headers)
        assert response.status == (200 if country in admitted else 403), country
        if response.status == 403:
            assert "block access from your country" in response.text
            assert response.x_cache == "Error from cloudfront"
            assert site.exchanges(1)[0].detailed_result_type == "ClientGeoBlocked"


@pytest.mark.rule("CDN-GEO-04", "CDN-CEP-08", "CDN-ERR-18", "CDN-GEO-05")
def test_the_error_page_of_a_blocked_country_is_kept_for_ten_seconds(deliver, origin, shared):
    site = deliver(
        {},
        CustomErrorResponses=[error_page(403, "/sorry.html", 403)],
        **restricted("blacklist", "FR"),
    )
    french = {"x-edgeproxy-viewer-country": "FR", "X-Forwarded-For": "198.51.100.1"}
    for wait_s, asked in ((0, 1), (9, 1), (2, 2)):
        shared.clock.advance(seconds=wait_s)
        response = site.get("/a", headers=french)
        assert (response.status, response.body) == (403, b"from the origin")
        assert origin.targets == ["/sorry.html"] * asked
    assert site.get("/a").status == 200


@pytest.mark.rule("CDN-ERR-18", "CDN-MTH-02")
def test_a_refusal_is_not_cached(deliver, origin):
    site = deliver(READ_ONLY)
    assert site.post("/a").status == 403
    assert site.get("/a").x_cache == "Miss from cloudfront"
