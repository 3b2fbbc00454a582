"""Answers and requests that only bytes can spell, through a whole edge."""

import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.delivery import ALL_VIEWER, cache_policy, raw
from tests.support.origin import Answer
from tests.support.templates import distribution_template

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"


@pytest.mark.rule("CDN-RSP-04", "CDN-RSP-12")
def test_several_lines_of_one_name_stay_apart_and_in_order(deliver, raw_origin):
    raw_origin.says = OK + b"Set-Cookie: a=1\r\nX-A: 1\r\nset-cookie: b=2, c\r\nX-A: 2\r\n\r\nok"
    site = deliver({"cache": cache_policy(cookies="all")}, at={"web": raw_origin.url})
    for outcome in ("Miss", "Hit"):
        response = site.get("/a")
        assert response.x_cache == f"{outcome} from cloudfront"
        assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2, c"]
        assert response.headers.get_all("X-A") == ["1", "2"]


@pytest.mark.rule("CDN-RSP-14", "CDN-RSP-15")
@pytest.mark.parametrize(
    ("before", "status"), [(CONTINUE, 200), (HINTS, 200), (CONTINUE + CONTINUE, 502)]
)
def test_answers_before_the_answer(deliver, raw_origin, before, status):
    raw_origin.says = before + OK + b"\r\nok"
    site = deliver({}, at={"web": raw_origin.url})
    answer = raw(site, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Early Hints" not in answer
    assert b"Link:" not in answer


@pytest.mark.rule("CDN-REQ-09")
def test_expect_is_answered_once_and_goes_no_further(deliver, origin):
    site = deliver({"forward": ALL_VIEWER})
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(
            b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert connection.recv(100) == CONTINUE
        connection.sendall(b"abc")
        rest = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert b"100 Continue" not in rest
    got = origin.got[0]
    assert (got.body, got.header("Expect")) == (b"abc", None)


@pytest.mark.rule("CDN-RNG-01", "CDN-VAL-03")
def test_part_of_a_stale_object_that_is_still_right(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=5", "ETag": '"1"'}, body=b"0123")
    site = deliver({})
    site.get("/a")
    shared.clock.advance(seconds=6)
    origin.answer = Answer(304, {"ETag": '"1"'})
    response = site.get("/a", headers={"Range": "bytes=1-2"})
    assert (response.status, response.body) == (206, b"12")
    assert response.x_cache == "RefreshHit from cloudfront"
    assert origin.got[1].header("Range") is None


@pytest.mark.rule("CDN-RHP-25", "LE-ORDER-07")
def test_viewer_response_sees_the_policy_s_headers(shared, origin, tmp_path):
    look = """
    def handler(event, context):
        response = event["Records"][0]["cf"]["response"]
        seen = response["headers"]["x-content-type-options"][0]["value"]
        response["headers"]["x-seen"] = [{"value": seen}]
        del response["headers"]["x-frame-options"]
        return response
    """
    security = "67f7725c-6f97-4210-82d7-5512b31e9d03"
    template = distribution_template(
        tmp_path, {"viewer-response": look}, behavior={"ResponseHeadersPolicyId": security}
    )
    site = shared.serve(template, origins={"web": origin.url})
    for _ in range(2):
        headers = site.get("/a").headers
        assert headers.get("X-Seen") == "nosniff"
        assert "X-Frame-Options" not in headers
        assert "Referrer-Policy" in headers


@pytest.mark.rule("CDN-ERR-38", "CDN-RSP-07")
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/2 200\r\ncontent-length: 2\r\n\r\nok",
        b"ICY 200 OK\r\n\r\nok",
    ],
)
def test_an_answer_that_breaks_the_rules_is_502(deliver, raw_origin, head):
    raw_origin.says = head
    site = deliver({}, origin={"ConnectionAttempts": 1}, at={"web": raw_origin.url})
    response = site.get("/a")
    assert (response.status, response.x_cache) == (502, "Error from cloudfront")
    assert site.exchanges(1)[0].detailed_result_type == "OriginInvalidResponseError"


@pytest.mark.rule("CDN-RSP-12", "CDN-VAL-21")
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 Quite fine\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: \xc3\xbc \xff\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_odd_answers_that_are_answers(deliver, raw_origin, head):
    raw_origin.says = head
    site = deliver({}, at={"web": raw_origin.url})
    first, second = (raw(site, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(2))
    for answer in (first, second):
        assert int(answer.split(b" ")[1]) in (200, 299)
        assert b"ok" in answer
        if b"X-A" in head:
            assert b"X-A: \xc3\xbc \xff\r\n" in answer


@pytest.mark.rule("CDN-KEY-02", "CDN-VER-04")
def test_the_viewer_s_http_version_is_not_in_the_key(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"}, chunked=True)
    site = deliver({})
    old = raw(site, b"GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
    assert b"chunked" not in old
    assert old.endswith(b"\r\n\r\nfrom the origin")
    assert site.get("/a").x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-HDR-03", "CDN-HDR-05", "CDN-HDR-07", "CDN-VER-03")
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_the_whole_head_that_an_origin_gets(deliver, raw_origin, version):
    raw_origin.says = OK + b"\r\nok"
    site = deliver({}, at={"web": raw_origin.url})
    answer = raw(
        site,
        b"GET /a/../b?c HTTP/%s\r\nHost: www.example.com\r\nAccept: */*\r\nPragma: x\r\n\r\n"
        % version,
    )
    request_id = re.search(rb"X-Amz-Cf-Id: (.+)\r\n", answer)
    assert request_id is not None
    lines = raw_origin.heads[0].splitlines()
    assert lines[0] == b"GET /a/../b HTTP/1.1"
    via = rb"Via: %s [0-9a-f]{32}\.cloudfront\.net \(CloudFront\)" % re.escape(version)
    assert [line for line in lines[1:] if not re.fullmatch(via, line)] == [
        b"Host: web.example.com",
        b"Pragma: x",
        b"User-Agent: Amazon CloudFront",
        b"X-Forwarded-For: 127.0.0.1",
        b"X-Amz-Cf-Id: " + request_id[1],
        b"Connection: Keep-Alive",
    ]
    assert len(lines) == 8
