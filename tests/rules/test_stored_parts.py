"""Parts of objects, fetched and stored by range requests, through a whole edge."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import pytest

from edgeproxy.edge import delivery
from tests.support.delivery import cache_policy, error_page
from tests.support.origin import Answer, Got

BODY = bytes(range(256)) * 4
SIZE = len(BODY)
DATE = "Mon, 02 Nov 2026 10:00:00 GMT"


@dataclass
class Ranges:
    """An origin that knows ranges and conditions."""

    body: bytes = BODY
    etag: str = '"1"'
    modified: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"Cache-Control": "max-age=60"})

    def __call__(self, got: Got) -> Answer:
        headers = {"Content-Type": "video/mp4", **self.headers}
        headers |= {"ETag": self.etag} if self.etag else {}
        headers |= {"Last-Modified": self.modified} if self.modified else {}
        if self.etag and got.header("If-None-Match") == self.etag:
            return Answer(304, headers, b"")
        version = got.header("If-Range")
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", got.header("Range") or "")
        if asked is None or version not in (None, self.etag, self.modified):
            return Answer(200, headers, self.body)
        size = len(self.body)
        first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
        last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
        if first >= size:
            return Answer(416, {"Content-Range": f"bytes */{size}"}, b"")
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return Answer(206, headers, self.body[first : last + 1])


@pytest.fixture
def site(deliver, origin):
    """A distribution in front of an origin that knows ranges."""
    origin.answer = Ranges()
    return deliver({"cache": cache_policy()})


@pytest.fixture
def ask(site):
    """The part of ``/a`` as (status, Content-Range, body, outcome)."""

    def part(span: str, **headers: str):
        response = site.get("/a", headers={"Range": f"bytes={span}", **headers})
        outcome = response.x_cache.partition(" ")[0]
        return response.status, response.headers.get("Content-Range"), response.body, outcome

    return part


def sent(origin) -> list[str | None]:
    return [got.header("Range") for got in origin.got]


@pytest.mark.rule("CDN-RNG-01", "CDN-RNG-02", "CDN-RNG-11")
@pytest.mark.parametrize(
    ("first", "later", "place"),
    [
        ("0-99", "0-99", (0, 99)),
        ("0-99", "10-19", (10, 19)),
        ("1000-", "-24", (1000, 1023)),
        ("-100", "1020-2000", (1020, 1023)),
        ("0-", "500-", (500, 1023)),
    ],
)
def test_a_part_is_stored_and_serves_what_lies_in_it(ask, origin, first, later, place):
    assert ask(first)[3] == "Miss"
    start, end = place
    content_range = f"bytes {start}-{end}/{SIZE}"
    assert ask(later) == (206, content_range, BODY[start : end + 1], "Hit")
    assert sent(origin) == [f"bytes={first}"]


@pytest.mark.rule("CDN-RNG-01", "CDN-RNG-02", "CDN-RNG-10")
def test_only_what_is_missing_is_fetched(ask, origin):
    ask("0-99")
    ask("200-299")
    assert ask("50-249") == (206, f"bytes 50-249/{SIZE}", BODY[50:250], "Miss")
    assert sent(origin)[2:] == ["bytes=100-199"]
    assert origin.got[2].header("If-Range") == '"1"'
    assert ask("0-299") == (206, f"bytes 0-299/{SIZE}", BODY[:300], "Hit")
    assert len(origin.got) == 3


@pytest.mark.rule("CDN-RNG-10")
@pytest.mark.parametrize("spans", [["0-499"], ["500-"], ["0-99", "900-"], ["300-399"]])
def test_a_request_for_the_whole_fetches_the_rest(site, ask, origin, spans):
    for span in spans:
        ask(span)
    for outcome in ("Miss", "Hit"):
        response = site.get("/a")
        assert (response.status, response.x_cache) == (200, f"{outcome} from cloudfront")
        assert response.body == BODY
        assert "Content-Range" not in response.headers
    assert len(origin.got) == len(spans) + 1
    if spans != ["300-399"]:
        assert sent(origin)[-1] not in (None, "bytes=0-1023")


@pytest.mark.rule("CDN-RNG-06", "CDN-RNG-01")
def test_several_ranges_from_stored_parts(site, ask, origin):
    ask("0-99")
    ask("500-599")
    response = site.get("/a", headers={"Range": "bytes=0-9,510-519"})
    assert (response.status, response.x_cache) == (206, "Hit from cloudfront")
    assert response.headers.get("Content-Type").startswith("multipart/byteranges; boundary=")
    assert response.body.count(b"Content-Range: bytes ") == 2
    assert b"Content-Type: video/mp4\r\nContent-Range: bytes 510-519/1024" in response.body
    assert len(origin.got) == 2


@pytest.mark.rule("CDN-RNG-02")
def test_several_ranges_that_are_not_stored_pass_through(site, origin):
    parts = b"--x\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n--x--"
    multipart = {"Content-Type": "multipart/byteranges; boundary=x", "Cache-Control": "max-age=60"}
    origin.answer = Answer(206, multipart, parts)
    for _ in range(2):
        response = site.get("/a", headers={"Range": "bytes=0-1,4-5"})
        assert (response.status, response.body) == (206, parts)
        assert response.x_cache == "Miss from cloudfront"
    assert sent(origin) == ["bytes=0-1,4-5"] * 2


@pytest.mark.rule("CDN-RNG-05", "CDN-HDR-16")
@pytest.mark.parametrize("span", ["5-9,0-2", "0-5,3-7", "7-3", "--1", "x", ""])
def test_on_a_miss_a_range_that_makes_no_sense_is_dropped(ask, origin, span):
    assert ask(span) == (200, "", BODY, "Miss")
    assert sent(origin) == [None]
    assert ask(span)[3] == "Hit"


@pytest.mark.rule("CDN-RNG-14")
def test_head_ignores_ranges_hit_or_miss(site, ask, origin):
    for stored in (False, True):
        if stored:
            ask("0-99")
        response = site.request("HEAD", "/a", headers={"Range": "bytes=0-9"})
        assert (response.status, response.headers.get("Content-Length")) == (200, str(SIZE))
        assert "Content-Range" not in response.headers
    assert sent(origin) == [None, "bytes=0-99"]


@pytest.mark.rule("CDN-RNG-14")
def test_uncached_methods_leave_ranges_to_the_origin(site, ask, origin):
    ask("0-99")
    response = site.request("POST", "/a", headers={"Range": "bytes=0-9"}, body=b"x")
    assert (response.status, response.body) == (206, BODY[:10])
    assert ask("0-99")[3] == "Hit"
    assert sent(origin) == ["bytes=0-99", "bytes=0-9"]


@pytest.mark.rule("CDN-RNG-07", "CDN-XC-04")
def test_a_range_past_the_end_of_an_object_in_parts(ask, origin):
    ask("0-99")
    status, content_range, body, outcome = ask("1024-")
    assert (status, content_range, body, outcome) == (416, "bytes */1024", b"", "Error")
    assert len(origin.got) == 1
    assert ask("0-99")[3] == "Hit"


@pytest.mark.rule("CDN-RNG-08")
@pytest.mark.parametrize("validator", ['"1"', DATE])
def test_if_range_on_stored_parts(site, ask, origin, validator):
    origin.answer = Ranges(modified=DATE)
    ask("0-99")
    assert ask("0-9", **{"If-Range": validator})[3] == "Hit"
    status, _, body, _ = ask("0-9", **{"If-Range": '"0"'})
    assert (status, body) == (200, BODY)
    assert sent(origin)[1:] == ["bytes=100-1023"]


@pytest.mark.rule("CDN-RNG-08")
def test_if_range_goes_to_the_origin_on_a_miss(ask, origin):
    assert ask("0-9", **{"If-Range": '"0"'})[:3] == (200, "", BODY)
    assert origin.got[0].header("If-Range") == '"0"'


@pytest.mark.rule("CDN-VAL-15")
def test_conditions_on_stored_parts(site, ask, origin):
    ask("0-99")
    response = site.get("/a", headers={"If-None-Match": '"1"'})
    assert (response.status, response.x_cache) == (304, "Hit from cloudfront")
    assert len(origin.got) == 1


# Versions


@pytest.mark.rule("CDN-RNG-09")
@pytest.mark.parametrize(
    "later",
    [
        Ranges(BODY[::-1], '"2"'),
        Ranges(BODY[::-1], '"1"', DATE),
        Ranges(BODY + b"!", '"1"'),
    ],
    ids=["tag", "date", "size"],
)
def test_a_part_of_another_version_drops_the_stored_ones(ask, origin, later):
    ask("0-99")
    origin.answer = later
    assert ask("300-399")[2] == later.body[300:400]
    assert ask("0-99")[2:] == (later.body[:100], "Miss")
    assert ask("0-99")[3] == "Hit"


@pytest.mark.rule("CDN-RNG-09")
def test_what_is_missing_is_not_taken_from_another_version(ask, origin):
    ask("0-99")
    later = Ranges(BODY[::-1], '"2"')
    origin.answer = later
    assert ask("50-149") == (200, "", later.body, "Miss")
    assert ask("0-99")[2:] == (later.body[:100], "Hit")
    assert sent(origin) == ["bytes=0-99", "bytes=100-149"]


@pytest.mark.rule("CDN-RNG-09")
def test_an_origin_that_ignores_if_range_is_asked_again(ask, origin):
    ask("0-99")
    later = Ranges(BODY[::-1], '"2"')

    def careless(got: Got) -> Answer:
        kept = [line for line in got.headers if line[0].lower() != "if-range"]
        return later(Got(got.method, got.target, kept, got.body))

    origin.answer = careless
    assert ask("50-149")[:3] == (206, f"bytes 50-149/{SIZE}", later.body[50:150])
    assert sent(origin)[1:] == ["bytes=100-149", "bytes=50-149"]
    assert ask("50-149")[3] == "Hit"


@pytest.mark.rule("CDN-RNG-09")
@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_parts_whose_version_nobody_can_tell_are_not_put_together(ask, origin, etag):
    origin.answer = Ranges(etag=etag)
    ask("0-99")
    ask("100-199")
    assert ask("100-149")[3] == "Hit"
    assert ask("50-149")[2:] == (BODY[50:150], "Miss")
    assert sent(origin)[2:] == ["bytes=50-149"]


@pytest.mark.rule("CDN-RNG-03")
def test_a_whole_object_takes_the_place_of_its_parts(ask, origin):
    ask("0-99")
    origin.answer = Answer(200, {"Cache-Control": "max-age=60"}, b"0123456789")
    assert ask("50-149")[:3] == (200, "", b"0123456789")
    assert ask("2-3") == (206, "bytes 2-3/10", b"23", "Hit")
    assert len(origin.got) == 2


# Lifetime


@pytest.mark.rule("CDN-RNG-02", "CDN-VAL-01", "CDN-VAL-03")
def test_stale_parts_are_revalidated(ask, origin, shared):
    ask("0-99")
    shared.clock.advance(seconds=61)
    assert ask("10-19") == (206, f"bytes 10-19/{SIZE}", BODY[10:20], "RefreshHit")
    assert origin.got[1].header("If-None-Match") == '"1"'
    assert ask("0-99")[3] == "Hit"


@pytest.mark.rule("CDN-RNG-09", "CDN-VAL-04")
def test_stale_parts_of_an_old_version_are_replaced_by_the_asked_part(ask, origin, shared):
    ask("0-99")
    shared.clock.advance(seconds=61)
    later = Ranges(BODY[::-1], '"2"')
    origin.answer = later
    assert ask("10-19") == (206, f"bytes 10-19/{SIZE}", later.body[10:20], "Miss")
    assert ask("0-99")[2:] == (later.body[:100], "Miss")


@pytest.mark.rule("CDN-VAL-06", "CDN-VAL-11", "CDN-ERR-17")
def test_stale_parts_stand_in_for_a_failed_origin(ask, origin, shared):
    ask("0-99")
    shared.clock.advance(seconds=61)
    origin.answer = Answer(503)
    assert ask("10-19") == (206, f"bytes 10-19/{SIZE}", BODY[10:20], "Hit")
    assert ask("100-109")[0] == 503


@pytest.mark.rule("CDN-VAL-09")
def test_stale_while_revalidate_of_parts(ask, origin, shared):
    origin.answer = Ranges(headers={"Cache-Control": "max-age=5, stale-while-revalidate=60"})
    ask("0-99")
    shared.clock.advance(seconds=6)
    assert ask("10-19")[2:] == (BODY[10:20], "Hit")


def test_an_error_for_one_part_leaves_the_others(ask, origin):
    ask("0-99")
    origin.answer = Answer(500)
    assert ask("50-149")[0] == 500
    assert ask("0-99")[3] == "Hit"
    origin.answer = Ranges()
    assert ask("50-149")[2] == BODY[50:150]


@pytest.mark.rule("CDN-TTL-08", "CDN-RNG-02")
def test_a_part_that_must_not_be_stored_is_not(ask, origin):
    origin.answer = Ranges(headers={"Cache-Control": "no-store"})
    for _ in range(2):
        assert ask("0-99")[2:] == (BODY[:100], "Miss")


@pytest.mark.rule("CDN-TTL-07", "CDN-RNG-02")
def test_a_part_with_no_cache_is_revalidated_each_time(ask, origin):
    origin.answer = Ranges(headers={"Cache-Control": "no-cache"})
    for outcome in ("Miss", "RefreshHit", "RefreshHit"):
        assert ask("0-99")[2:] == (BODY[:100], outcome)


@pytest.mark.rule("CDN-INV-02", "CDN-INV-05")
def test_an_invalidation_takes_all_parts(site, ask, origin):
    ask("0-99")
    ask("200-299")
    site.invalidate("/a")
    origin.answer = Ranges(BODY[::-1])
    assert ask("0-99")[2:] == (BODY[::-1][:100], "Miss")
    assert ask("200-299")[2:] == (BODY[::-1][200:300], "Miss")


# With functions, compression, other stores


@pytest.mark.rule("CDN-RNG-02", "CDN-RNG-10")
def test_functions_at_the_origin_see_what_is_fetched(serve_lambda, origin):
    origin.answer = Ranges()
    look = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        seen = request["headers"].get("range", [{"value": "none"}])[0]["value"]
        request["headers"]["x-seen"] = [{"key": "X-Seen", "value": seen}]
        return request
    """
    mark = """
    def handler(event, context):
        response = event["Records"][0]["cf"]["response"]
        response["headers"]["x-marked"] = [{"key": "X-Marked", "value": response["status"]}]
        return response
    """
    site = serve_lambda({"origin-request": look, "origin-response": mark})
    for span in ("0-99", "50-149"):
        response = site.get("/a", headers={"Range": f"bytes={span}"})
        assert (response.status, response.headers.get("X-Marked")) == (206, "206")
    assert [got.header("X-Seen") for got in origin.got] == ["bytes=0-99", "bytes=100-149"]
    response = site.get("/a", headers={"Range": "bytes=0-149"})
    assert (response.body, response.headers.get("X-Marked")) == (BODY[:150], "206")
    assert len(origin.got) == 2


@pytest.mark.rule("CDN-CMP-18", "CDN-CMP-04")
def test_parts_are_not_compressed_and_ranges_of_what_is_count_its_bytes(deliver, origin):
    origin.answer = Ranges(headers={"Cache-Control": "max-age=60", "Content-Type": "text/html"})
    behavior = {"cache": cache_policy(gzip=True), "Compress": True}
    site = deliver(behavior)
    gzip = {"Accept-Encoding": "gzip"}
    part = site.get("/a", headers={"Range": "bytes=0-9", **gzip})
    assert (part.status, part.body) == (206, BODY[:10])
    assert "Content-Encoding" not in part.headers
    whole = site.get("/b", headers=gzip)
    assert whole.headers.get("Content-Encoding") == "gzip"
    stored = site.get("/b", headers={"Range": "bytes=0-9", **gzip})
    assert (stored.status, stored.x_cache) == (206, "Hit from cloudfront")
    assert stored.headers.get("Content-Range").startswith("bytes 0-9/")
    assert not stored.headers.get("Content-Range").endswith(f"/{SIZE}")


@pytest.mark.rule("CDN-RNG-01", "CDN-RNG-02", "CDN-RNG-10")
@pytest.mark.parametrize("options", [{"cache_store": "disk"}, {"regional_cache": "memory"}])
def test_parts_in_other_stores(deliver, origin, tmp_path, options):
    large = bytes(range(256)) * 8_000
    origin.answer = Ranges(large)
    site = deliver({}, options={**options, "state_dir": tmp_path})
    for span in ("0-999999", "1500000-"):
        first, _, last = span.partition("-")
        expected = large[int(first) : int(last or len(large)) + 1]
        for outcome in ("Miss", "Hit"):
            response = site.get("/a", headers={"Range": f"bytes={span}"})
            assert (response.status, response.body == expected) == (206, True)
            assert response.x_cache == f"{outcome} from cloudfront"
    for outcome in ("Miss", "Hit"):
        response = site.get("/a")
        assert (response.status, response.body == large) == (200, True)
        assert response.x_cache == f"{outcome} from cloudfront"
    assert sent(origin) == ["bytes=0-999999", "bytes=1500000-", "bytes=1000000-1499999"]
    site.invalidate("/a")
    assert site.get("/a", headers={"Range": "bytes=0-9"}).x_cache == "Miss from cloudfront"


# At the same time


@pytest.mark.rule("CDN-COL-01", "CDN-COL-02", "CDN-RNG-02")
def test_those_who_wait_for_the_same_range_share_one_fetch(site, ask, origin):
    together = Barrier(5, timeout=20)
    answer = Ranges()

    def slow(got: Got) -> Answer:
        together.wait()
        return answer(got)

    origin.answer = slow

    def one(span: str):
        return ask(span)

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(one, span) for span in ["0-9", "20-29", "40-49", "60-69"] * 2]
        together.wait()
        got = [each.result() for each in asking]
    for index, first in enumerate([0, 20, 40, 60] * 2):
        assert got[index][2] == BODY[first : first + 10]
    assert sorted(sent(origin)) == ["bytes=0-9", "bytes=20-29", "bytes=40-49", "bytes=60-69"]
    assert sorted(each[3] for each in got) == ["Hit"] * 4 + ["Miss"] * 4


# Large objects


@pytest.mark.rule("CDN-VAL-23", "CDN-QUO-03")
def test_an_answer_beyond_the_cacheable_maximum_is_an_error(deliver, origin, monkeypatch):
    monkeypatch.setattr(delivery, "MAX_CACHEABLE_RESPONSE_BYTES", SIZE - 1)
    origin.answer = Ranges()
    site = deliver({}, CustomErrorResponses=[error_page(502, ttl=0)])
    response = site.get("/a")
    assert (response.status, response.x_cache) == (502, "Error from cloudfront")
    assert site.exchanges(1)[0].detailed_result_type == "OriginError"
    origin.answer = Ranges(BODY[:-1])
    assert site.get("/a").body == BODY[:-1]


@pytest.mark.rule("CDN-VAL-23", "CDN-QUO-03")
def test_with_caching_off_it_streams_through(deliver, origin, monkeypatch):
    monkeypatch.setattr(delivery, "MAX_CACHEABLE_RESPONSE_BYTES", SIZE - 1)
    origin.answer = Ranges()
    site = deliver({"cache": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"})
    assert site.get("/a").body == BODY
    site = deliver({})
    assert site.request("POST", "/a", body=b"x").body == BODY


@pytest.mark.rule("CDN-RNG-13")
def test_an_object_beyond_the_maximum_is_cached_in_parts(deliver, origin, monkeypatch):
    monkeypatch.setattr(delivery, "MAX_CACHEABLE_RESPONSE_BYTES", 600)
    origin.answer = Ranges()
    site = deliver({})
    for outcome in ("Miss", "Hit"):
        for span, part in (("0-511", BODY[:512]), ("512-1023", BODY[512:])):
            response = site.get("/a", headers={"Range": f"bytes={span}"})
            assert (response.status, response.body) == (206, part)
            assert response.x_cache == f"{outcome} from cloudfront"
    assert len(origin.got) == 2
