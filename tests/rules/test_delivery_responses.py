"""What a viewer gets: headers, X-Cache, response headers policies, through a whole edge."""

import re

import pytest

from tests.support.delivery import (
    CACHING_DISABLED,
    CORS,
    ORIGIN_CONTROLS,
    cache_policy,
    error_page,
    legacy,
    origin_request_policy,
    response_headers_policy,
)
from tests.support.origin import Answer

FRESH = {"Cache-Control": "max-age=60"}
VIA = r"1\.1 [0-9a-f]{32}\.cloudfront\.net \(CloudFront\)"


@pytest.mark.rule("CDN-RSP-01", "CDN-RSP-02", "CDN-RSP-03", "CDN-HDR-08")
def test_cloudfront_s_own_headers_are_on_every_response(deliver, origin):
    origin.answer = Answer(headers={**FRESH, "Via": "1.1 nginx"})
    site = deliver({}, {"/secret": {"ViewerProtocolPolicy": "https-only"}})
    ids = set()
    for path in ("/p", "/p", "/secret"):
        headers = site.get(path).headers
        request_id = headers.get("X-Amz-Cf-Id")
        assert re.fullmatch(r"[A-Za-z0-9_-]{54}==", request_id)
        ids.add(request_id)
        assert re.fullmatch(r"[A-Z]{3}[0-9]+-[A-Z][0-9]+", headers.get("X-Amz-Cf-Pop"))
        own = VIA if path == "/secret" else f"1.1 nginx, {VIA}"
        assert re.fullmatch(own, headers.get("Via"))
        assert headers.get_all("X-Cache") == [headers.get("X-Cache")]
        assert site.exchanges(1)[0].id == request_id
    assert len(ids) == 3


@pytest.mark.rule("CDN-RSP-01", "CDN-XC-02")
def test_a_chain_s_inner_headers_are_replaced(deliver, origin):
    inner = deliver({})
    response = deliver({}, at={"web": inner.url}).get("/p")
    for name in ("X-Cache", "X-Amz-Cf-Pop", "X-Amz-Cf-Id"):
        assert len(response.headers.get_all(name)) == 1
    assert len(re.findall(VIA, response.headers.get("Via"))) == 2


COOKIES = {"Set-Cookie": "a=1; Path=/", **FRESH}


@pytest.mark.rule("CDN-RSP-04", "CDN-RSP-05", "CDN-TTL-32")
@pytest.mark.parametrize(
    ("behavior", "kept"),
    [
        ({}, False),
        ({"cache": cache_policy(cookies="whitelist other")}, True),
        ({"cache": cache_policy(cookies="all")}, True),
        ({"forward": origin_request_policy(cookies="whitelist other")}, True),
        (legacy(), False),
        (legacy(cookies={"Forward": "all"}), True),
    ],
)
def test_set_cookie_passes_when_cookies_do_and_is_replayed(deliver, origin, behavior, kept):
    origin.answer = Answer(headers=COOKIES)
    site = deliver(behavior)
    for outcome in ("Miss", "Hit"):
        response = site.get("/p")
        assert response.x_cache == f"{outcome} from cloudfront"
        assert response.headers.get_all("Set-Cookie") == (["a=1; Path=/"] if kept else [])


@pytest.mark.rule("CDN-TTL-11")
def test_a_header_that_no_cache_names_is_not_stored(deliver, origin):
    headers = {"Set-Cookie": "a=1", "Cache-Control": 'max-age=60, no-cache="Set-Cookie"'}
    origin.answer = Answer(headers=headers)
    site = deliver({"cache": cache_policy(cookies="all")})
    assert site.get("/p").headers.get("Set-Cookie") == "a=1"
    second = site.get("/p")
    assert (second.x_cache, "Set-Cookie" in second.headers) == ("Hit from cloudfront", False)


@pytest.mark.rule("CDN-RSP-06", "CDN-RSP-12", "CDN-RSP-13")
def test_headers_of_the_connection_go_and_all_others_stay(deliver, origin):
    passed = {
        **FRESH,
        "ETag": 'W/"1"',
        "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT",
        "Expires": "Mon, 02 Nov 2026 10:00:00 GMT",
        "Content-Disposition": "attachment",
        "Location": "/other",
        "WWW-Authenticate": "Basic",
        "x-amz-meta-thing": "1",
        "X-Unknown": "1",
    }
    hop = {
        "Trailer": "X-T",
        "Upgrade": "h2c",
        "Keep-Alive": "timeout=5",
        "Proxy-Authenticate": "Basic",
        "Proxy-Connection": "keep-alive",
    }
    origin.answer = Answer(headers={**passed, **hop})
    site = deliver({})
    for _ in range(2):
        headers = site.get("/p").headers
        assert {name: headers.get(name) for name in passed} == passed
        assert not [name for name in hop if name in headers]
        assert "Content-Type" not in headers


@pytest.mark.rule("CDN-RSP-08")
@pytest.mark.parametrize(
    ("behavior", "vary"),
    [
        ({}, "Accept-Encoding, Cookie, Origin"),
        (
            {"cache": cache_policy(headers="whitelist Accept")},
            "Accept, Accept-Encoding, Cookie, Origin",
        ),
        (
            {"cache": cache_policy(headers="whitelist CloudFront-Is-Mobile-Viewer")},
            "Accept-Encoding, Cookie, User-Agent, Origin",
        ),
    ],
)
def test_vary_keeps_only_what_can_matter(deliver, origin, behavior, vary):
    everything = "Accept, Accept-Encoding, Cookie, User-Agent, X-Other, Origin"
    origin.answer = Answer(headers={**FRESH, "Vary": everything})
    assert deliver(behavior).get("/p").headers.get("Vary") == vary


@pytest.mark.rule("CDN-RSP-09", "CDN-RSP-10")
def test_server_and_date(deliver, origin, shared):
    origin.answer = Answer(headers={**FRESH, "Server": "nginx", "Date": "yesterday"})
    site = deliver({}, {"/secret": {"ViewerProtocolPolicy": "https-only"}})
    for _ in range(2):
        headers = site.get("/p").headers
        assert (headers.get("Server"), headers.get("Date")) == ("nginx", "yesterday")
    origin.answer = Answer(headers=FRESH)
    headers = site.get("/q").headers
    assert ("Server" in headers, headers.get("Date") != "") == (False, True)
    assert site.get("/secret").headers.get("Server") == "CloudFront"


@pytest.mark.rule("CDN-RSP-11", "CDN-GEN-01")
@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("http2", ""),
        ("http1.1", ""),
        ("http3", 'h3=":443"; ma=86400'),
        ("http2and3", 'h3=":443"; ma=86400'),
    ],
)
def test_http_3_is_announced(deliver, origin, version, says):
    site = deliver({}, {"/secret": {"ViewerProtocolPolicy": "https-only"}}, HttpVersion=version)
    for path in ("/p", "/p", "/secret"):
        assert site.get(path).headers.get("Alt-Svc") == says


# Response headers policies


def custom(*lines: tuple[str, str, bool], remove: tuple[str, ...] = (), **more: object):
    items = [{"Header": name, "Value": value, "Override": o} for name, value, o in lines]
    config = {"CustomHeadersConfig": {"Items": items}, **more}
    if remove:
        config["RemoveHeadersConfig"] = {"Items": [{"Header": name} for name in remove]}
    return response_headers_policy(**config)


@pytest.mark.rule("CDN-RHP-01", "CDN-RHP-02", "CDN-RHP-03", "CDN-RHP-21", "CDN-TTL-21")
def test_a_policy_changes_what_viewers_get_and_not_what_is_stored(deliver, origin, shared):
    origin.answer = Answer(headers={**FRESH, "X-Keep": "origin", "X-Gone": "origin", "X-Both": "1"})
    policy = custom(
        ("X-Keep", "policy", False),
        ("X-New", "policy", False),
        ("X-Both", "policy", False),
        ("Cache-Control", "max-age=1", True),
        remove=("X-Gone", "X-Both"),
    )
    site = deliver({"respond": policy})
    for wait_s, outcome in ((0, "Miss"), (30, "Hit")):
        shared.clock.advance(seconds=wait_s)
        response = site.get("/p")
        assert response.x_cache == f"{outcome} from cloudfront"
        names = ("X-Keep", "X-New", "X-Both", "X-Gone", "Cache-Control")
        assert [response.headers.get(name) for name in names] == [
            "origin", "policy", "policy", "", "max-age=1",
        ]  # fmt: skip


@pytest.mark.rule("CDN-RHP-24", "CDN-RSP-09")
def test_removing_server_and_date_brings_cloudfront_s(deliver, origin):
    origin.answer = Answer(headers={"Server": "nginx", "Date": "yesterday"})
    headers = deliver({"respond": custom(remove=("Server", "Date"))}).get("/p").headers
    assert headers.get("Server") == "CloudFront"
    assert headers.get("Date").endswith(" GMT")


@pytest.mark.rule("CDN-RHP-01", "CDN-RHP-26")
@pytest.mark.parametrize(
    ("answer", "path"),
    [(Answer(500), "/p"), (Answer(404), "/p"), (Answer(301), "/p"), (Answer(), "/secret/x")],
)
def test_a_policy_is_for_errors_too(deliver, origin, answer, path):
    origin.answer = answer
    behavior = {"respond": custom(("X-Policy", "1", True))}
    site = deliver(behavior, {"/secret/*": {**behavior, "ViewerProtocolPolicy": "https-only"}})
    for _ in range(2):
        assert site.get(path).headers.get("X-Policy") == "1"


@pytest.mark.rule("CDN-RHP-04", "CDN-RHP-06", "CDN-RHP-07", "CDN-RHP-10", "CDN-MP-01")
@pytest.mark.parametrize(
    ("origin_says", "asked", "allowed"),
    [
        ({}, True, "*"),
        ({}, False, ""),
        ({"Access-Control-Allow-Methods": "GET"}, True, ""),
        ({"Access-Control-Allow-Origin": "https://b.example"}, True, "https://b.example"),
    ],
)
def test_simple_cors(deliver, origin, origin_says, asked, allowed):
    origin.answer = Answer(headers=origin_says)
    headers = {"Origin": "https://a.example"} if asked else {}
    response = deliver({"respond": CORS}).get("/p", headers=headers)
    assert response.headers.get("Access-Control-Allow-Origin") == allowed


WITH_PREFLIGHT = "5cc3b908-e619-4b99-88e5-2cf7f45965bd"


@pytest.mark.rule("CDN-RHP-08", "CDN-RHP-09", "CDN-MP-01")
def test_preflights_reach_the_origin_and_get_the_headers(deliver, origin):
    site = deliver({"respond": WITH_PREFLIGHT})
    asking = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    preflight = site.request("OPTIONS", "/p", headers=asking).headers
    assert [got.method for got in origin.got] == ["OPTIONS"]
    allowed = set(preflight.get("Access-Control-Allow-Methods").split(", "))
    assert allowed == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
    simple = site.get("/p", headers={"Origin": "https://a.example"}).headers
    assert simple.get("Access-Control-Allow-Origin") == "*"
    assert "Access-Control-Allow-Methods" not in simple


@pytest.mark.rule("CDN-ST-02", "CDN-ST-03", "CDN-ST-05", "CDN-ST-06", "CDN-ST-09")
def test_server_timing_tells_what_the_cache_did(deliver, origin):
    origin.answer = Answer(headers={**FRESH, "Server-Timing": "db;dur=5"})
    config = {"Enabled": True, "SamplingRate": 0}
    site = deliver({"respond": response_headers_policy(ServerTimingHeadersConfig=config)})
    asking = {"Pragma": "server-timing"}
    first, second = site.get("/p", headers=asking), site.get("/p", headers=asking)
    for response, kind in ((first, "miss"), (second, "hit")):
        timing = response.headers.joined("Server-Timing") or ""
        metrics = [metric.partition(";")[0].strip() for metric in timing.split(",")]
        assert f"cdn-cache-{kind}" in metrics
        assert f'cdn-rid;desc="{response.headers.get("X-Amz-Cf-Id")}"' in timing
        assert ("db" in metrics) == (kind == "miss")
        assert metrics[-1] == "cdn-downstream-fbl"
    assert "cdn-" not in (site.get("/p").headers.joined("Server-Timing") or "")


# X-Cache


@pytest.mark.rule("CDN-XC-01", "CDN-XC-02", "CDN-XC-04", "CDN-ERR-14", "CDN-LOG-20")
@pytest.mark.parametrize(
    ("behavior", "method", "answer", "expected"),
    [
        ({}, "GET", Answer(200), "Miss Hit"),
        ({}, "GET", Answer(301), "Miss Hit"),
        ({}, "GET", Answer(204), "Miss Hit"),
        ({}, "GET", Answer(404), "Error Error"),
        ({}, "GET", Answer(403), "Error Error"),
        ({}, "GET", Answer(502), "Error Error"),
        ({}, "POST", Answer(200), "Miss Miss"),
        ({}, "POST", Answer(500), "Error Error"),
        ({}, "OPTIONS", Answer(200), "Miss Miss"),
        ({"cache": CACHING_DISABLED}, "GET", Answer(200), "Miss Miss"),
        ({"cache": ORIGIN_CONTROLS}, "GET", Answer(200), "Miss Miss"),
    ],
)
def test_x_cache(deliver, origin, behavior, method, answer, expected):
    origin.answer = answer
    site = deliver(behavior)
    seen = [site.request(method, "/p").x_cache.split(" ")[0] for _ in range(2)]
    assert " ".join(seen) == expected
    types = [exchange.result_type for exchange in reversed(site.exchanges(2))]
    assert types == seen


@pytest.mark.rule("CDN-XC-04", "CDN-LOG-09", "CDN-CEP-11")
def test_x_cache_of_an_error_made_good(deliver, origin):
    origin.answer = lambda got: Answer(404 if got.target == "/p" else 200)
    site = deliver({}, CustomErrorResponses=[error_page(404, "/index.html", 200)])
    for _ in range(2):
        response = site.get("/p")
        assert (response.status, response.x_cache) == (200, "Error from cloudfront")
    assert site.get("/index.html").x_cache == "Hit from cloudfront"
