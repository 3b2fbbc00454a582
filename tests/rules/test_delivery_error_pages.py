"""Custom error responses, through a whole edge."""

from pathlib import Path

import pytest

from edgeproxy.testing import Edge
from tests.support.delivery import (
    CACHING_DISABLED,
    cache_policy,
    error_page,
    origin_request_policy,
    response_headers_policy,
)
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template

PAGE = Answer(headers={"Content-Type": "text/html", "ETag": '"page"'}, body=b"<h1>sorry</h1>")
FAILED = Answer(404, {"X-Error": "1", "WWW-Authenticate": "Basic"}, body=b"gone")


def failing_but(*pages: str, answer: Answer = FAILED):
    """An origin that has these pages and nothing else."""
    return lambda got: PAGE if got.target in pages else answer


def x_cache(response) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


@pytest.mark.rule("CDN-CEP-04", "CDN-CEP-11", "CDN-CEP-12", "CDN-CEP-16", "CDN-XC-04")
@pytest.mark.parametrize(("shown", "status"), [(200, 200), (404, 404), (503, 503)])
def test_the_page_comes_in_place_of_the_error(deliver, origin, shown, status):
    origin.answer = failing_but("/404.html")
    site = deliver({}, CustomErrorResponses=[error_page(404, "/404.html", shown)])
    response = site.get("/missing?x=1", headers={"If-None-Match": '"page"', "Range": "bytes=0-0"})
    assert x_cache(response) == (status, "Error")
    assert response.body == PAGE.body
    assert response.headers.get("Content-Type") == "text/html"
    assert response.headers.get("ETag") == '"page"'
    assert not {"X-Error", "WWW-Authenticate"} & set(response.headers.names())
    page = origin.got[1]
    assert (page.method, page.target) == ("GET", "/404.html")
    assert page.header("If-None-Match") is None
    assert page.header("Range") is None
    exchange = site.exchanges(1)[0]
    assert (exchange.result_type, exchange.response_result_type) == ("Error", "Error")


@pytest.mark.rule("CDN-CEP-04", "CDN-BEH-25", "CDN-RHP-01", "CDN-RHP-26")
def test_the_page_is_fetched_as_its_own_behavior_says(deliver, origin):
    items = [{"Header": "X-Default", "Value": "1", "Override": True}]
    spare = {"Id": "pages", "DomainName": "pages.example.com", "S3OriginConfig": {}}
    site = deliver(
        {"respond": response_headers_policy(CustomHeadersConfig={"Items": items})},
        {"/errors/*": {"TargetOriginId": "pages", "ViewerProtocolPolicy": "https-only"}},
        origins=[spare],
        at={"pages": origin.url, "web": "http://127.0.0.1:1"},
        origin={"ConnectionAttempts": 1},
        CustomErrorResponses=[error_page(502, "/errors/502.html", 200)],
    )
    origin.answer = PAGE
    response = site.get("/a")
    assert x_cache(response) == (200, "Error")
    assert response.headers.get("X-Default") == "1"
    assert origin.got[0].header("Host") == "pages.example.com"
    exchange = site.exchanges(1)[0]
    assert (exchange.detailed_result_type, exchange.path_pattern) == ("OriginConnectError", "*")


@pytest.mark.rule("CDN-CEP-04", "CDN-CEP-16", "CDN-S3-01", "CDN-S3-02")
@pytest.mark.parametrize(
    ("shown", "page", "text"), [(404, "404.html", "no"), (200, "index.html", "app")]
)
def test_a_bucket_s_403_becomes_the_site_s_own_answer(deliver, tmp_path, shown, page, text):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (bucket / "404.html").write_text("no")
    (bucket / "index.html").write_text("app")
    site = deliver(
        {},
        at={"web": bucket},
        CustomErrorResponses=[error_page(403, f"/{page}", shown)],
        DefaultRootObject="index.html",
    )
    response = site.get("/deep/link")
    assert (*x_cache(response), response.text) == (shown, "Error", text)
    assert response.headers.get("Content-Type") == "text/html"
    assert (*x_cache(site.get("/")), site.get("/").text)[::2] == (200, "app")


@pytest.mark.rule("CDN-CEP-08", "CDN-MTH-02", "CDN-VPP-02")
@pytest.mark.parametrize(
    "behavior", [{"AllowedMethods": ["GET", "HEAD"]}, {"ViewerProtocolPolicy": "https-only"}]
)
def test_errors_before_the_origin_have_pages_too(deliver, origin, behavior):
    origin.answer = PAGE
    site = deliver(behavior, CustomErrorResponses=[error_page(403, "/403.html", 403)])
    response = site.post("/a", b"x=1")
    assert (*x_cache(response), response.body) == (403, "Error", PAGE.body)
    assert [(got.method, got.target, got.body) for got in origin.got] == [("GET", "/403.html", b"")]


@pytest.mark.rule("CDN-CEP-18")
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_the_page_is_for_all_methods(deliver, origin, method):
    origin.answer = failing_but("/404.html")
    site = deliver({}, CustomErrorResponses=[error_page(404, "/404.html", 404)])
    response = site.request(method, "/a", body=b"x" if method in ("POST", "PUT") else b"")
    assert x_cache(response) == (404, "Error")
    assert response.headers.get("ETag") == '"page"'
    assert response.body == (b"" if method == "HEAD" else PAGE.body)
    assert [got.method for got in origin.got] == [method, "GET"]


@pytest.mark.rule("CDN-CEP-06", "CDN-CEP-07")
@pytest.mark.parametrize("status", [403, 500])
def test_a_page_that_cannot_be_had_shows_its_own_failure(deliver, origin, status):
    origin.answer = lambda got: Answer(404 if got.target == "/a" else status, body=b"as it came")
    pages = [error_page(404, "/404.html", 200), error_page(status, "/other.html", 200)]
    response = deliver({}, CustomErrorResponses=pages).get("/a")
    assert (*x_cache(response), response.body) == (status, "Error", b"as it came")
    assert origin.targets == ["/a", "/404.html"]


@pytest.mark.rule("CDN-CEP-06", "CDN-GEN-15")
def test_a_page_whose_origin_is_away(deliver, origin):
    origin.answer = FAILED
    away = {
        "Id": "away",
        "DomainName": "away.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        "ConnectionAttempts": 1,
    }
    site = deliver(
        {},
        {"/errors/*": {"TargetOriginId": "away"}},
        origins=[away],
        at={"away": "http://127.0.0.1:1"},
        CustomErrorResponses=[error_page(404, "/errors/404.html", 200)],
    )
    response = site.get("/a")
    assert x_cache(response) == (502, "Error")
    assert "wasn't able to connect to the origin" in response.text


@pytest.mark.rule("CDN-CEP-10")
@pytest.mark.parametrize(
    ("status", "connection"),
    [
        *((status, "close") for status in (400, 405, 414, 416, 500, 501)),
        *((status, "keep-alive") for status in (403, 404, 502, 503, 504)),
    ],
)
def test_after_some_pages_the_connection_is_closed(deliver, origin, status, connection):
    origin.answer = failing_but("/page.html", answer=Answer(status))
    site = deliver({}, CustomErrorResponses=[error_page(status, "/page.html", 200)])
    response = site.get("/a")
    assert (response.status, response.headers.get("Connection")) == (200, connection)


@pytest.mark.rule("CDN-CEP-09", "CDN-CEP-15", "CDN-ERR-06")
@pytest.mark.parametrize("regional", ["off", "memory"])
def test_page_and_error_are_kept_for_the_error_s_time(deliver, origin, shared, regional):
    origin.answer = failing_but("/404.html")
    pages = [error_page(404, "/404.html", 404, ttl=20)]
    site = deliver({}, options={"regional_cache": regional}, CustomErrorResponses=pages)
    for wait_s, asked in ((0, 1), (19, 1), (2, 2)):
        shared.clock.advance(seconds=wait_s)
        assert site.get("/a").body == PAGE.body
        assert origin.targets == ["/a", "/404.html"] * asked


@pytest.mark.rule("CDN-CEP-09")
def test_a_page_of_another_behavior_is_kept_as_that_behavior_says(deliver, origin, shared):
    origin.answer = failing_but("/errors/404.html")
    site = deliver(
        {},
        {"/errors/*": {"cache": cache_policy(0, 100, 100)}},
        CustomErrorResponses=[error_page(404, "/errors/404.html", 404, ttl=5)],
    )
    for wait_s in (0, 50, 40):
        shared.clock.advance(seconds=wait_s)
        site.get("/a")
    assert origin.targets == ["/a", "/errors/404.html", "/a", "/a"]


@pytest.mark.rule("CDN-CEP-09", "CDN-INV-16")
def test_an_invalidation_of_the_page_brings_the_new_one(deliver, origin):
    origin.answer = failing_but("/404.html")
    site = deliver({}, CustomErrorResponses=[error_page(404, "/404.html", 404)])
    site.get("/a")
    assert site.invalidate("/404.html") == 1
    origin.answer = lambda got: Answer(body=b"new") if got.target == "/404.html" else FAILED
    assert site.get("/a").body == b"new"
    assert origin.targets == ["/a", "/404.html", "/404.html"]


@pytest.mark.rule("CDN-CEP-14", "CDN-CFH-20")
def test_the_page_s_origin_may_learn_what_failed(deliver, origin):
    origin.answer = failing_but("/errors/404.html")
    asking = origin_request_policy("whitelist CloudFront-Error-Uri CloudFront-Error-Args")
    site = deliver(
        {"cache": cache_policy(query="all")},
        {"/errors/*": {"cache": CACHING_DISABLED, "forward": asking}},
        CustomErrorResponses=[error_page(404, "/errors/404.html", 404)],
    )
    spoof = {"CloudFront-Error-Uri": "/spoofed"}
    site.get("/a/b?c=d", headers=spoof)
    site.get("/e", headers=spoof)
    told = [
        (got.header("CloudFront-Error-Uri"), got.header("CloudFront-Error-Args"))
        for got in origin.got
    ]
    assert told == [(None, None), ("/a/b", "c=d"), (None, None), ("/e", None)]


@pytest.mark.rule("CDN-CEP-08", "LE-ERR-10", "LE-GEN-20", "LE-TRIG-03")
@pytest.mark.parametrize(
    ("event", "source", "page"),
    [
        ("viewer-request", "raise ValueError", True),
        ("viewer-request", "return made", False),
        ("origin-request", "return made if cf['request']['uri'] == '/a' else cf['request']", True),
        ("viewer-response", "raise ValueError", True),
    ],
)
def test_pages_for_what_functions_do(
    shared: Edge, origin: Origin, tmp_path: Path, event: str, source: str, page: bool
):
    origin.answer = PAGE
    source = f"""
    made = {{"status": "503", "body": "made"}}

    def handler(event, context):
        cf = event["Records"][0]["cf"]
        {source}
    """
    path = distribution_template(
        tmp_path,
        {event: source},
        distribution={"CustomErrorResponses": [error_page(503, "/503.html", 500)]},
    )
    site = shared.serve(path, origins={"web": origin.url})
    response = site.get("/a")
    assert response.status == (500 if page else 503)
    assert (response.body == PAGE.body) is page
    assert ("/503.html" in origin.targets) is page


@pytest.mark.rule("LE-TRIG-03", "LE-TRIG-09", "LE-TRIG-17", "CDN-CEP-04")
def test_which_functions_see_the_fetch_of_the_page(shared: Edge, origin: Origin, tmp_path: Path):
    origin.answer = failing_but("/404.html")
    passing = (
        "def handler(event, context):\n    cf = event['Records'][0]['cf']\n    return cf['{}']\n"
    )
    template = distribution_template(
        tmp_path,
        {
            "viewer-request": passing.format("request"),
            "origin-request": passing.format("request"),
            "origin-response": passing.format("response"),
            "viewer-response": passing.format("response"),
        },
        distribution={"CustomErrorResponses": [error_page(404, "/404.html", 200)]},
    )
    site = shared.serve(template, origins={"web": origin.url})
    for _ in range(2):
        assert site.get("/a").status == 200
    again, first = ([run.event_type for run in e.functions] for e in site.exchanges(2))
    assert first == [
        "viewer-request", "origin-request", "origin-response", "origin-request", "origin-response",
    ]  # fmt: skip
    assert again == ["viewer-request"]


@pytest.mark.rule("CDN-CEP-13")
def test_a_malformed_request_gets_the_plain_400(deliver, origin):
    site = deliver({}, CustomErrorResponses=[error_page(400, "/400.html", 200)])
    response = site.get("/", headers={"Content-Length": "-1"})
    assert x_cache(response) == (400, "Error")
    assert "Bad request." in response.text
    assert origin.got == []


@pytest.mark.rule("CDN-CEP-04")
def test_the_page_comes_in_place_of_an_object_that_has_become_an_error(deliver, origin):
    site = deliver({}, CustomErrorResponses=[error_page(404, "/404.html", 200, ttl=60)])
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"}, body=b"object")
    assert [site.get("/a").x_cache.partition(" ")[0] for _ in range(3)] == ["Miss", "Hit", "Hit"]
    origin.answer = failing_but("/404.html")
    site.invalidate("/a")
    for _ in range(3):  # The error is in the cache after the first.
        response = site.get("/a")
        assert x_cache(response) == (200, "Error")
        assert response.body == PAGE.body
    assert [got.target for got in origin.got].count("/a") == 2
