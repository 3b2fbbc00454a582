"""Conditions, ranges and broken bodies, through a whole edge."""

from http.client import IncompleteRead

import pytest

from tests.support.delivery import CACHING_DISABLED, cache_policy, error_page
from tests.support.origin import Answer

ETAG, DATE = '"v1"', "Mon, 02 Nov 2026 10:00:00 GMT"
LATER, EARLIER = "Tue, 03 Nov 2026 10:00:00 GMT", "Sun, 01 Nov 2026 10:00:00 GMT"
BODY = b"0123456789"
STORED = Answer(
    headers={"Cache-Control": "max-age=60", "ETag": ETAG, "Last-Modified": DATE}, body=BODY
)


@pytest.fixture
def site(deliver, origin):
    """A distribution that has the object ``/a`` stored."""
    origin.answer = STORED
    site = deliver({})
    site.get("/a")
    origin.answer = Answer(500)
    return site


# Conditions


@pytest.mark.rule("CDN-VAL-15", "CDN-XC-01", "CDN-VAL-18")
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": f"W/{ETAG}"}, 304),
        ({"If-None-Match": f'"v0", {ETAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"v0"'}, 200),
        ({"If-None-Match": '"v0"', "If-Modified-Since": DATE}, 200),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": LATER}, 304),
        ({"If-Modified-Since": EARLIER}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_condition_is_answered_from_a_fresh_object(site, method, condition, status):
    response = site.request(method, "/a", headers=condition)
    assert (response.status, response.x_cache) == (status, "Hit from cloudfront")
    assert response.headers.get("ETag") == ETAG
    assert "Age" in response.headers
    assert response.body == (BODY if (method, status) == ("GET", 200) else b"")


@pytest.mark.rule("CDN-VAL-16", "CDN-VAL-17")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-None-Match", ETAG),
        ("If-Modified-Since", DATE),
        ("If-Match", ETAG),
        ("If-Unmodified-Since", DATE),
        ("If-Range", ETAG),
    ],
)
def test_on_a_miss_the_origin_judges_the_condition(deliver, origin, name, value):
    origin.answer = Answer(304, {"ETag": ETAG})
    site = deliver({})
    response = site.get("/a", headers={name: value})
    assert (response.status, response.x_cache) == (304, "Miss from cloudfront")
    assert origin.got[0].header(name) == value
    origin.answer = STORED
    assert site.get("/a").body == BODY


@pytest.mark.rule("CDN-VAL-17", "CDN-ERR-05", "CDN-ERR-42")
def test_a_failed_precondition_is_passed_on_and_not_kept(deliver, origin):
    origin.answer = Answer(412, body=b"no")
    site = deliver({})
    response = site.get("/a", headers={"If-Match": '"other"'})
    assert (response.status, response.body) == (412, b"no")
    assert response.x_cache == "Error from cloudfront"
    origin.answer = STORED
    assert site.get("/a").status == 200


# Ranges of a stored object


@pytest.mark.rule("CDN-RNG-01", "CDN-RNG-11", "CDN-XC-01")
@pytest.mark.parametrize(
    ("asked", "got", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_part_of_a_stored_object(site, origin, asked, got, content_range):
    response = site.get("/a", headers={"Range": asked})
    assert (response.status, response.x_cache) == (206, "Hit from cloudfront")
    assert response.body == got
    assert response.headers.get("Content-Range") == content_range
    assert response.headers.get("Content-Length") == str(len(got))
    assert len(origin.got) == 1


@pytest.mark.rule("CDN-RNG-05")
@pytest.mark.parametrize(
    "asked", ["bytes=5-9,0-2", "bytes=0-5,3-7", "bytes=7-3", "lines=0-1", "bytes=--1", "bytes=x"]
)
def test_a_range_that_makes_no_sense_gives_the_whole_object(site, asked):
    response = site.get("/a", headers={"Range": asked})
    assert (response.status, response.body) == (200, BODY)


@pytest.mark.rule("CDN-RNG-06")
def test_several_ranges_of_a_stored_object(site):
    response = site.get("/a", headers={"Range": "bytes=0-1,4-5"})
    assert response.status == 206
    kind, _, boundary = response.headers.get("Content-Type").partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert response.body.count(b"--" + boundary.encode()) == 3
    assert b"Content-Range: bytes 0-1/10\r\n\r\n01\r\n" in response.body
    assert b"Content-Range: bytes 4-5/10\r\n\r\n45\r\n" in response.body


@pytest.mark.rule("CDN-RNG-07", "CDN-XC-04")
def test_a_range_past_the_end_of_a_stored_object(site):
    response = site.get("/a", headers={"Range": "bytes=10-"})
    assert (response.status, response.x_cache) == (416, "Error from cloudfront")
    assert response.headers.get("Content-Range") == "bytes */10"
    assert site.get("/a").status == 200


@pytest.mark.rule("CDN-RNG-07", "CDN-CEP-01", "CDN-CEP-10")
def test_a_range_past_the_end_may_have_an_error_page(deliver, origin):
    origin.answer = STORED
    site = deliver({}, CustomErrorResponses=[error_page(416, "/416.html", 416)])
    site.get("/a")
    response = site.get("/a", headers={"Range": "bytes=10-"})
    assert (response.status, response.body) == (416, BODY)
    assert response.headers.get("Connection") == "close"


@pytest.mark.rule("CDN-RNG-08")
@pytest.mark.parametrize(
    ("validator", "status"),
    [(ETAG, 206), (DATE, 206), ('"v0"', 200), (f"W/{ETAG}", 200), (LATER, 200)],
)
def test_if_range_on_a_hit(site, validator, status):
    response = site.get("/a", headers={"Range": "bytes=0-1", "If-Range": validator})
    assert response.status == status


# Ranges on a miss


@pytest.mark.rule("CDN-RNG-02", "CDN-HDR-16", "CDN-RNG-08")
def test_on_a_miss_the_origin_gets_the_range(deliver, origin):
    part = {"Content-Range": "bytes 0-1/10", "ETag": ETAG, "Cache-Control": "max-age=60"}
    origin.answer = Answer(206, part, body=b"01")
    site = deliver({})
    response = site.get("/a", headers={"Range": "bytes=0-1", "If-Range": ETAG})
    assert (response.status, response.body) == (206, b"01")
    assert response.headers.get("Content-Range") == "bytes 0-1/10"
    assert (origin.got[0].header("Range"), origin.got[0].header("If-Range")) == ("bytes=0-1", ETAG)
    origin.answer = STORED
    assert site.get("/a").body == BODY, "a part never stands for the whole object"


@pytest.mark.rule("CDN-RNG-03", "CDN-RNG-04")
@pytest.mark.parametrize("chunked", [False, True])
def test_an_origin_that_ignores_the_range(deliver, origin, chunked):
    origin.answer = Answer(headers=STORED.headers, body=BODY, chunked=chunked)
    site = deliver({})
    asked = {"Range": "bytes=0-1"}
    response = site.get("/a", headers=asked)
    assert (response.status, response.body) == (200, BODY)
    response = site.get("/a", headers=asked)
    assert (response.status, response.x_cache) == (206, "Hit from cloudfront")
    assert len(origin.got) == 1


@pytest.mark.rule("CDN-RNG-12", "CDN-LOG-21")
def test_a_part_that_contradicts_its_length_is_502(deliver, origin):
    origin.answer = Answer(206, {"Content-Range": "bytes 0-4/10"}, body=b"01")
    site = deliver({})
    assert site.get("/a", headers={"Range": "bytes=0-4"}).status == 502
    assert site.exchanges(1)[0].detailed_result_type == "OriginContentRangeLengthError"


@pytest.mark.rule("CDN-RNG-07", "CDN-ERR-15")
def test_416_by_the_origin_is_not_cached(deliver, origin):
    origin.answer = Answer(416, {"Cache-Control": "max-age=60"})
    site = deliver({})
    assert site.get("/a", headers={"Range": "bytes=99-"}).status == 416
    origin.answer = STORED
    assert site.get("/a").status == 200


@pytest.mark.rule("CDN-TTL-19", "CDN-RNG-02")
def test_with_caching_off_ranges_pass_through(deliver, origin):
    origin.answer = Answer(206, {"Content-Range": "bytes 0-1/10"}, body=b"01")
    site = deliver({"cache": CACHING_DISABLED})
    for _ in range(2):
        assert site.get("/a", headers={"Range": "bytes=0-1"}).status == 206
    assert len(origin.got) == 2


# Bodies that break off


@pytest.mark.rule("CDN-VAL-20", "CDN-ERR-40")
@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ids=["length", "chunked"],
)
def test_a_body_that_breaks_off_reaches_the_viewer_and_is_not_stored(deliver, raw_origin, head):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + head
    site = deliver({}, at={"web": raw_origin.url})
    for asked in (1, 2):
        with pytest.raises(IncompleteRead) as broken:
            site.get("/a")
        assert broken.value.partial == b"half"
        assert raw_origin.connections == asked
    assert site.exchanges(1)[0].aborted


@pytest.mark.rule("CDN-VAL-21")
def test_a_body_that_ends_with_the_connection_is_stored(deliver, raw_origin):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nperhaps all"
    site = deliver({}, at={"web": raw_origin.url})
    for outcome in ("Miss", "Hit"):
        response = site.get("/a")
        assert (response.body, response.x_cache) == (b"perhaps all", f"{outcome} from cloudfront")
    assert raw_origin.connections == 1


@pytest.mark.rule("CDN-RSP-07")
def test_a_chunked_body_is_chunked_for_the_viewer(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"}, body=BODY, chunked=True)
    site = deliver({})
    first, second = site.get("/a"), site.get("/a")
    assert first.headers.get("Transfer-Encoding") == "chunked"
    assert (first.body, second.body) == (BODY, BODY)


@pytest.mark.rule("CDN-KEY-11", "CDN-RNG-11")
def test_a_range_is_keyed_only_by_a_policy_that_lists_it(deliver, origin):
    origin.answer = STORED
    site = deliver({"cache": cache_policy(headers="whitelist Range")})
    site.get("/a")
    assert site.get("/a", headers={"Range": "bytes=0-1"}).x_cache == "Miss from cloudfront"
