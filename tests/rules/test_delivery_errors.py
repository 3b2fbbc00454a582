"""Errors of the origin and for want of one: status, page, detailed type, how long they are kept."""

import re

import pytest

from tests.support.delivery import CACHING_DISABLED, cache_policy, error_page
from tests.support.origin import Answer

DEAD = "http://127.0.0.1:1"
QUICK = {"ConnectionAttempts": 1}


def timing_out(seconds: int = 1, **more: object) -> dict[str, object]:
    """An origin that is given up after so many seconds."""
    config = {"OriginProtocolPolicy": "http-only", "OriginReadTimeout": seconds}
    return {**QUICK, "CustomOriginConfig": config, **more}


def detail(site) -> str:
    return site.exchanges(1)[0].detailed_result_type


# What an origin's own errors become


@pytest.mark.rule("CDN-ERR-03", "CDN-ERR-14", "CDN-ERR-42", "CDN-XC-04", "CDN-ERR-01")
@pytest.mark.parametrize("status", [404, 414, 500, 501, 502, 503, 504])
def test_errors_that_are_always_kept_for_ten_seconds(deliver, origin, shared, status):
    origin.answer = Answer(status, {"X-Mine": "1"}, body=b"no")
    site = deliver({})
    for wait_s, asked in ((0, 1), (9, 1), (2, 2)):
        shared.clock.advance(seconds=wait_s)
        response = site.get("/a")
        assert (response.status, response.body) == (status, b"no")
        assert response.headers.get("X-Mine") == "1"
        assert response.x_cache == "Error from cloudfront"
        assert len(origin.got) == asked
    assert detail(site) == "Error"


@pytest.mark.rule("CDN-ERR-04", "CDN-ERR-05", "CDN-ERR-15")
@pytest.mark.parametrize("status", [400, 401, 403, 405, 409, 410, 412, 415, 416, 429, 451])
@pytest.mark.parametrize("max_age", [None, 60])
def test_errors_that_are_kept_if_the_origin_says_so_or_never(deliver, origin, status, max_age):
    origin.answer = Answer(status, {"Cache-Control": f"max-age={max_age}"} if max_age else {})
    site = deliver({})
    for _ in range(2):
        assert site.get("/a").status == status
    kept = max_age and status in (400, 403, 405, 412, 415)
    assert len(origin.got) == (1 if kept else 2)


@pytest.mark.rule("CDN-ERR-06")
@pytest.mark.parametrize(
    ("minimum", "cache_control", "kept_s"),
    [
        (30, "max-age=5", 30),
        (5, "max-age=30", 30),
        (5, "s-maxage=20, max-age=30", 20),
        (5, "max-age=999", 50),
    ],
)
@pytest.mark.parametrize("regional", ["off", "memory"])
def test_how_long_an_error_is_kept(
    deliver, origin, shared, minimum, cache_control, kept_s, regional
):
    origin.answer = Answer(404, {"Cache-Control": cache_control})
    entry = error_page(404, ttl=minimum)
    site = deliver(
        {"cache": cache_policy(0, 10, 50)},
        options={"regional_cache": regional},
        CustomErrorResponses=[entry],
    )
    for wait_s, asked in ((0, 1), (kept_s - 1, 1), (2, 2)):
        shared.clock.advance(seconds=wait_s)
        site.get("/a")
        assert len(origin.got) == asked


@pytest.mark.rule("CDN-ERR-07", "CDN-ERR-08")
@pytest.mark.parametrize("directive", ["no-store", "no-cache", "private"])
@pytest.mark.parametrize(
    ("status", "asked"), [(404, 2), (414, 2), (501, 2), (500, 1), (502, 1), (503, 1), (504, 1)]
)
def test_directives_against_caching_an_error(deliver, origin, status, asked, directive):
    origin.answer = Answer(status, {"Cache-Control": directive})
    site = deliver({})
    for _ in range(2):
        site.get("/a")
    assert len(origin.got) == asked


@pytest.mark.rule("CDN-ERR-09", "CDN-ERR-12", "CDN-CEP-02")
@pytest.mark.parametrize(
    ("behavior", "entries"),
    [({}, [error_page(404, ttl=0)]), ({"cache": CACHING_DISABLED}, [])],
)
def test_when_errors_are_not_kept(deliver, origin, behavior, entries):
    origin.answer = Answer(404)
    site = deliver(behavior, CustomErrorResponses=entries)
    for _ in range(2):
        site.get("/a")
    assert len(origin.got) == 2


@pytest.mark.rule("CDN-S3-02", "CDN-S3-17")
def test_errors_of_a_bucket(deliver, tmp_path):
    (tmp_path / "bucket").mkdir()
    bucket = {"DomainName": "b.s3.us-east-1.amazonaws.com", "S3OriginConfig": {}}
    origins = [{"Id": "bucket", **bucket}]
    site = deliver(
        {"TargetOriginId": "bucket"}, origins=origins, at={"bucket": tmp_path / "bucket"}
    )
    response = site.get("/nothing")
    assert response.status == 403
    assert "<Code>AccessDenied</Code>" in response.text
    assert response.headers.get("Server") == "AmazonS3"


@pytest.mark.rule("CDN-ERR-10")
@pytest.mark.parametrize(("min_ttl", "kept_s"), [(0, 1), (1, 10)])
def test_how_long_errors_of_a_bucket_are_kept(deliver, origin, shared, min_ttl, kept_s):
    bucket = {"DomainName": "b.s3.us-east-1.amazonaws.com", "S3OriginConfig": {}}
    site = deliver(
        {"TargetOriginId": "bucket", "cache": cache_policy(min_ttl)},
        origins=[{"Id": "bucket", **bucket}],
        at={"bucket": origin.url},
    )
    origin.answer = Answer(404)
    for wait_s, asked in ((0, 1), (0, 1), (kept_s, 2)):
        shared.clock.advance(seconds=wait_s)
        site.get("/a")
        assert len(origin.got) == asked


# What CloudFront says in an origin's place

ADVICE = "We can't connect to the server for this app or website at this time."


@pytest.mark.rule("CDN-GEN-01", "CDN-GEN-02", "CDN-GEN-03", "CDN-GEN-04", "CDN-GEN-05")
def test_the_page_in_every_particular(deliver):
    response = deliver({}, origin=QUICK, at={"web": DEAD}).get("/")
    headers = response.headers
    assert headers.get("Server") == "CloudFront"
    assert headers.get("Content-Type") == "text/html"
    assert headers.get("Content-Length") == str(len(response.body))
    assert headers.get("Connection") == "keep-alive"
    assert response.x_cache == "Error from cloudfront"
    for name in ("Date", "Via", "X-Amz-Cf-Pop", "X-Amz-Cf-Id"):
        assert headers.get(name)
    text = response.text
    assert text.startswith('<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http')
    assert "\r" not in text
    assert not text.endswith("\n")
    for part in (
        '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">',
        "<TITLE>ERROR: The request could not be satisfied</TITLE>",
        "<H1>502 ERROR</H1>",
        "<H2>The request could not be satisfied.</H2>",
        '<HR noshade size="1px">',
        ADVICE,
        f"Generated by cloudfront (CloudFront)\nRequest ID: {headers.get('X-Amz-Cf-Id')}\n",
    ):
        assert part in text


@pytest.mark.rule("CDN-GEN-06")
def test_head_gets_the_page_s_headers(deliver):
    response = deliver({}, origin=QUICK, at={"web": DEAD}).request("HEAD", "/")
    assert (response.status, response.body) == (502, b"")
    assert int(response.headers.get("Content-Length")) > 500


@pytest.mark.rule("CDN-ERR-31", "CDN-GEN-03", "CDN-GEN-15", "CDN-ERR-16", "CDN-LOG-21")
def test_refused_connections_are_502_and_kept(deliver, shared):
    site = deliver({}, origin=QUICK, at={"web": DEAD})
    for _ in range(2):
        response = site.get("/a")
        assert (response.status, response.x_cache) == (502, "Error from cloudfront")
        assert "\nCloudFront wasn't able to connect to the origin.\n" in response.text
        assert f"Request ID: {response.headers.get('X-Amz-Cf-Id')}\n" in response.text
        assert detail(site) == "OriginConnectError"
    assert [step.name for step in site.exchanges(1)[0].steps].count("origin") == 0


@pytest.mark.rule("CDN-ERR-30", "CDN-GEN-14")
def test_an_unknown_origin_name_is_502(deliver):
    site = deliver({}, origin=QUICK, at={"web": "http://nowhere.invalid"})
    response = site.get("/")
    assert response.status == 502
    assert "\nCloudFront wasn't able to resolve the origin domain name.\n" in response.text
    assert detail(site) == "OriginDnsError"


@pytest.mark.rule("CDN-ERR-33")
def test_an_origin_that_speaks_no_tls_is_502(deliver, raw_origin):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    url = raw_origin.url.replace("http:", "https:")
    site = deliver({}, origin=QUICK, at={"web": url})
    response = site.get("/")
    assert (response.status, detail(site)) == (502, "OriginConnectError")


@pytest.mark.rule("CDN-ERR-35", "CDN-GEN-16", "CDN-ORG-04")
def test_an_origin_that_says_nothing_is_504(deliver, raw_origin):
    raw_origin.keep_quiet.set()
    site = deliver({}, origin=timing_out(), at={"web": raw_origin.url})
    response = site.get("/")
    assert (response.status, detail(site)) == (504, "OriginCommError")
    assert "CloudFront attempted to establish a connection with the origin" in response.text
    assert site.get("/").status == 504
    assert raw_origin.connections == 1


@pytest.mark.rule("CDN-ERR-36", "CDN-ORG-06")
def test_the_completion_timeout_is_504(deliver, raw_origin):
    raw_origin.keep_quiet.set()
    origin = {**timing_out(1), "ConnectionAttempts": 3, "ResponseCompletionTimeout": 2}
    site = deliver({}, origin=origin, at={"web": raw_origin.url})
    assert site.get("/").status == 504
    assert raw_origin.connections == 2


BIG = b"HTTP/1.1 200 OK\r\nX-Big: " + b"x" * 33_000 + b"\r\n\r\n"


@pytest.mark.rule("CDN-ERR-37", "CDN-ERR-38", "CDN-ERR-39", "CDN-REQ-04", "CDN-LOG-21")
@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        (b"", "OriginZeroSizeObjectError"),
        (b"HTTP/1.1 200 OK\r\nContent-", "OriginCommError|OriginReadError"),
        (b"what is this?\r\n\r\n", "OriginInvalidResponseError"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "OriginInvalidResponseError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "OriginInvalidResponseError"),
        (BIG, "OriginHeaderTooBigError"),
    ],
    ids=["nothing", "half a head", "no status line", "no header line", "no length", "too big"],
)
def test_an_answer_that_is_none_is_502(deliver, raw_origin, said, kinds):
    raw_origin.says = said
    site = deliver({}, origin=QUICK, at={"web": raw_origin.url})
    response = site.get("/")
    assert (response.status, response.x_cache) == (502, "Error from cloudfront")
    assert re.fullmatch(kinds, detail(site))


# Origin groups


def group(*codes: int) -> dict[str, object]:
    """Two origins, ``web`` and ``spare``, and the behavior that uses them."""
    members = [{"OriginId": "web"}, {"OriginId": "spare"}]
    group = {
        "Id": "pair",
        "FailoverCriteria": {"StatusCodes": {"Quantity": len(codes), "Items": list(codes)}},
        "Members": {"Quantity": 2, "Items": members},
    }
    spare = {
        "Id": "spare",
        "DomainName": "spare.example.com",
        "OriginPath": "/spare",
        "OriginCustomHeaders": [{"HeaderName": "X-Member", "HeaderValue": "spare"}],
        **timing_out(),
    }
    return {"origins": [spare], "OriginGroups": {"Quantity": 1, "Items": [group]}}


PAIR = {"TargetOriginId": "pair"}


@pytest.mark.rule("CDN-OG-01", "CDN-OG-07", "CDN-OG-08", "CDN-OG-09", "CDN-OG-13")
@pytest.mark.parametrize("regional", ["off", "memory"])
def test_the_secondary_answers_for_the_primary(deliver, origin, regional):
    def answer(got):
        return Answer(200 if got.header("X-Member") else 503, {"Cache-Control": "max-age=60"})

    origin.answer = answer
    options = {"regional_cache": regional}
    site = deliver(PAIR, at={"spare": origin.url}, options=options, **group(503))
    assert [site.get("/a").x_cache.split(" ")[0] for _ in range(2)] == ["Miss", "Hit"]
    assert site.get("/b").status == 200
    assert origin.targets == ["/a", "/spare/a", "/b", "/spare/b"]
    assert origin.got[1].header("Host") == "spare.example.com"
    assert site.exchanges(1)[0].origin_id == "spare"


@pytest.mark.rule("CDN-OG-09", "CDN-CEP-17")
def test_the_error_page_is_for_the_secondary_s_error(deliver, origin):
    origin.answer = lambda got: Answer(
        200 if got.target == "/e" else 404 if got.header("X-Member") else 500
    )
    pages = [error_page(404, "/e", 200), error_page(500, "/500.html", 500)]
    site = deliver(
        PAIR, {"/e": {}}, at={"spare": origin.url}, CustomErrorResponses=pages, **group(500)
    )
    assert site.get("/a").status == 200
    assert origin.targets == ["/a", "/spare/a", "/e"]


@pytest.mark.rule("CDN-OG-05", "CDN-OG-06", "CDN-OG-10", "CDN-OG-02")
@pytest.mark.parametrize(
    ("codes", "failing", "status"),
    [
        ([500], "refuses", 502),
        ([500, 503], "refuses", 200),
        ([503], "says nothing", 504),
        ([504], "says nothing", 200),
        ([404, 503], 500, 500),
        ([404, 503], 404, 200),
    ],
)
def test_what_leads_to_the_secondary(deliver, origin, raw_origin, codes, failing, status):
    if failing == "says nothing":
        raw_origin.keep_quiet.set()
    elif isinstance(failing, int):
        raw_origin.says = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % failing
    primary = DEAD if failing == "refuses" else raw_origin.url
    at = {"web": primary, "spare": origin.url}
    site = deliver(PAIR, origin=timing_out(), at=at, **group(*codes))
    assert site.get("/a").status == status
    assert len(origin.got) == (status == 200)


@pytest.mark.rule("CDN-OG-03", "CDN-OG-04")
@pytest.mark.parametrize(
    ("method", "cached", "status"),
    [
        ("HEAD", ["GET", "HEAD"], 200),
        ("OPTIONS", ["GET", "HEAD"], 503),
        ("OPTIONS", ["GET", "HEAD", "OPTIONS"], 200),
        ("POST", ["GET", "HEAD"], 503),
        ("DELETE", ["GET", "HEAD", "OPTIONS"], 503),
    ],
)
def test_methods_that_fail_over(deliver, origin, method, cached, status):
    origin.answer = lambda got: Answer(200 if got.header("X-Member") else 503)
    behavior = {**PAIR, "CachedMethods": cached}
    site = deliver(behavior, at={"spare": origin.url}, **group(503))
    assert site.request(method, "/a").status == status


@pytest.mark.rule("CDN-OG-17", "CDN-VAL-06")
def test_a_revalidation_fails_over_too_and_then_the_stale_object_serves(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=5", "ETag": '"1"'})
    site = deliver(PAIR, at={"spare": origin.url}, **group(503))
    site.get("/a")
    shared.clock.advance(seconds=6)
    origin.answer = Answer(503)
    assert (site.get("/a").status, origin.targets) == (200, ["/a", "/a", "/spare/a"])
    assert origin.got[2].header("If-None-Match") == '"1"'
