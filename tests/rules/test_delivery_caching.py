"""How long an object is served, and what is asked when it is no longer fresh: through an edge."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from edgeproxy.edge.location import EdgeLocation
from tests.support.delivery import CACHING_DISABLED, ORIGIN_CONTROLS, cache_policy, legacy
from tests.support.origin import Answer

DAY = 86_400
POLICIES = {
    "optimized": {},
    "origin": {"cache": cache_policy(0, 0, 31_536_000)},
    "between": {"cache": cache_policy(10, 20, 30)},
    "legacy": legacy(MinTTL=0, DefaultTTL=20, MaxTTL=30),
    "off": {"cache": CACHING_DISABLED},
}


def outcomes(site, path="/a", **more):
    """What comes of asking twice at once."""
    return " ".join(site.get(path, **more).x_cache.split(" ")[0] for _ in range(2))


@pytest.mark.rule(
    "CDN-TTL-02", "CDN-TTL-03", "CDN-TTL-05", "CDN-TTL-08", "CDN-TTL-20", "CDN-VAL-18"
)
@pytest.mark.parametrize(
    ("policy", "cache_control", "fresh_s"),
    [
        ("optimized", None, DAY),
        ("optimized", "max-age=60", 60),
        ("optimized", "no-store", 1),
        ("optimized", "max-age=60, s-maxage=5", 5),
        ("optimized", "no-store, max-age=60", 1),
        ("origin", None, 0),
        ("origin", "max-age=60", 60),
        ("origin", "no-store", 0),
        ("origin", "private", 0),
        ("origin", "private, max-age=60", 0),
        ("origin", "max-age=0", 0),
        ("between", None, 20),
        ("between", "max-age=1", 10),
        ("between", "max-age=25", 25),
        ("between", "max-age=99", 30),
        ("between", "private", 10),
        ("legacy", None, 20),
        ("legacy", "max-age=5", 5),
        ("legacy", "max-age=99", 30),
        ("off", "max-age=60", 0),
    ],
)
def test_how_long_an_object_is_fresh(deliver, origin, shared, policy, cache_control, fresh_s):
    origin.answer = Answer(headers={"Cache-Control": cache_control} if cache_control else {})
    site = deliver(POLICIES[policy])
    first = site.get("/a")
    assert first.headers.get("Cache-Control") == (cache_control or "")
    assert "Age" not in first.headers
    if fresh_s > 1:
        shared.clock.advance(seconds=fresh_s - 1)
        last = site.get("/a")
        assert (last.x_cache, len(origin.got)) == ("Hit from cloudfront", 1)
        assert fresh_s - 1 <= int(last.headers.get("Age")) <= fresh_s
        assert last.headers.get("Cache-Control") == (cache_control or "")
    shared.clock.advance(seconds=1)
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert len(origin.got) == 2


@pytest.mark.rule("CDN-TTL-19", "CDN-COL-03")
def test_caching_off_asks_every_time(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "ETag": '"1"'})
    assert outcomes(deliver({"cache": CACHING_DISABLED})) == "Miss Miss"
    assert [got.header("If-None-Match") for got in origin.got] == [None, None]


@pytest.mark.rule("CDN-TTL-22")
def test_a_viewer_cannot_force_a_new_fetch(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    forcing = {"Cache-Control": "no-cache, max-age=0", "Pragma": "no-cache"}
    assert outcomes(deliver({}), headers=forcing) == "Miss Hit"
    assert origin.got[0].header("Cache-Control") == "no-cache, max-age=0"
    assert origin.got[0].header("Pragma") == "no-cache"


@pytest.mark.rule("CDN-TTL-27", "CDN-KEY-37")
def test_vary_does_not_split_the_cache(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "Vary": "Accept-Language"})
    site = deliver({})
    assert site.get("/a", headers={"Accept-Language": "de"}).x_cache == "Miss from cloudfront"
    assert site.get("/a", headers={"Accept-Language": "fr"}).x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-TTL-25")
def test_vary_on_everything_is_fetched_in_full_each_time(deliver, origin):
    headers = {"Cache-Control": "max-age=60", "Vary": "*", "ETag": '"1"'}
    origin.answer = Answer(headers=headers)
    site = deliver(POLICIES["origin"])
    assert outcomes(site) == "Miss Miss"
    assert site.get("/a", headers={"If-None-Match": '"1"'}).status == 200
    assert [got.header("If-None-Match") for got in origin.got] == [None, None, None]


@pytest.mark.rule("CDN-TTL-28", "CDN-ORG-12", "CDN-XC-01", "CDN-XC-02")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_the_origin_are_stored_and_not_followed(deliver, origin, status):
    location = {"Location": "http://web.example.com/b?c", "Cache-Control": "max-age=60"}
    origin.answer = Answer(status, location, body=b"moved")
    site = deliver({})
    for outcome in ("Miss", "Hit"):
        response = site.get("/a")
        assert (response.status, response.x_cache) == (status, f"{outcome} from cloudfront")
        assert response.headers.get("Location") == "http://web.example.com/b?c"
    assert origin.targets == ["/a"]


@pytest.mark.rule("CDN-TTL-31")
def test_the_answer_to_an_authorized_request_is_cached(deliver, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    site = deliver({"cache": cache_policy(headers="whitelist Authorization")})
    assert outcomes(site, headers={"Authorization": "a"}) == "Miss Hit"
    assert site.get("/a", headers={"Authorization": "b"}).x_cache == "Miss from cloudfront"


# Revalidation

ETAG, DATE = '"v1"', "Mon, 02 Nov 2026 10:00:00 GMT"
VALIDATORS = {"ETag": ETAG, "Last-Modified": DATE}


@pytest.mark.rule("CDN-VAL-01", "CDN-VAL-03", "CDN-VAL-19", "CDN-XC-03")
@pytest.mark.parametrize("held", [["ETag"], ["Last-Modified"], ["ETag", "Last-Modified"]])
def test_a_stale_object_is_revalidated(deliver, origin, shared, held):
    validators = {name: VALIDATORS[name] for name in held}
    origin.answer = Answer(headers={"Cache-Control": "max-age=10", **validators})
    site = deliver({})
    site.get("/a")
    shared.clock.advance(seconds=11)
    origin.answer = Answer(304, {"Cache-Control": "max-age=100", **validators})
    response = site.get("/a")
    assert (response.status, response.body) == (200, b"from the origin")
    assert response.x_cache == "RefreshHit from cloudfront"
    assert "Age" not in response.headers
    asked = origin.got[1]
    assert asked.header("If-None-Match") == validators.get("ETag")
    assert asked.header("If-Modified-Since") == validators.get("Last-Modified")
    assert site.exchanges(1)[0].detailed_result_type == "RefreshHit"
    shared.clock.advance(seconds=99)
    assert site.get("/a").x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-VAL-01")
def test_the_viewer_s_own_condition_gives_way_to_the_validators(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=10", "Last-Modified": DATE})
    site = deliver({})
    site.get("/a")
    shared.clock.advance(seconds=11)
    origin.answer = Answer(200, body=b"new")
    response = site.get("/a", headers={"If-None-Match": '"mine"', "Range": "bytes=0-0"})
    assert origin.got[1].header("If-None-Match") is None
    assert origin.got[1].header("If-Modified-Since") == DATE
    assert response.body == b"new"


@pytest.mark.rule("CDN-TTL-07", "CDN-TTL-12")
@pytest.mark.parametrize("cache_control", ["no-cache", "max-age=0", "s-maxage=0, max-age=60"])
def test_an_object_that_must_be_revalidated_each_time(deliver, origin, cache_control):
    headers = {"Cache-Control": cache_control, "ETag": ETAG}

    def answer(got):
        unchanged = got.header("If-None-Match") == ETAG
        return Answer(304 if unchanged else 200, headers)

    origin.answer = answer
    assert outcomes(deliver(POLICIES["origin"])) == "Miss RefreshHit"


@pytest.mark.rule("CDN-VAL-02")
@pytest.mark.parametrize(
    "behavior", [{"cache": ORIGIN_CONTROLS}, legacy(cookies={"Forward": "all"})]
)
def test_with_cookies_nothing_is_revalidated(deliver, origin, shared, behavior):
    origin.answer = Answer(headers={"Cache-Control": "max-age=10", "ETag": ETAG})
    site = deliver(behavior)
    site.get("/a")
    shared.clock.advance(seconds=11)
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert origin.got[1].header("If-None-Match") is None


@pytest.mark.rule("CDN-VAL-04")
def test_a_new_version_replaces_the_stale_one(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=10", "ETag": ETAG})
    site = deliver({})
    site.get("/a")
    shared.clock.advance(seconds=11)
    origin.answer = Answer(headers={"Cache-Control": "max-age=10", "ETag": '"v2"'}, body=b"two")
    assert outcomes(site) == "Miss Hit"
    assert site.get("/a").body == b"two"


@pytest.mark.rule("CDN-VAL-05", "CDN-XC-04")
def test_a_client_error_replaces_the_stale_object(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=10", "ETag": ETAG})
    site = deliver({})
    site.get("/a")
    shared.clock.advance(seconds=11)
    origin.answer = Answer(404, body=b"gone")
    assert [site.get("/a").status for _ in range(2)] == [404, 404]
    assert len(origin.got) == 2
    shared.clock.advance(seconds=11)
    origin.answer = Answer(500)
    assert site.get("/a").status == 500


@pytest.mark.rule("CDN-VAL-06", "CDN-VAL-07", "CDN-VAL-08", "CDN-ERR-17")
@pytest.mark.parametrize("cache_control", ["max-age=5", "no-cache"])
@pytest.mark.parametrize("failure", [500, 503, 0])
def test_a_failed_origin_is_covered_by_the_stale_object(
    deliver, origin, shared, raw_origin, cache_control, failure
):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Control: %s\r\n\r\nold" % (
        cache_control.encode()
    )
    site = deliver({"cache": cache_policy(0, 0, 60)}, at={"web": raw_origin.url})
    site.get("/a")
    shared.clock.advance(seconds=6)
    raw_origin.says = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % failure if failure else b""
    response = site.get("/a")
    assert (response.status, response.body) == (200, b"old")
    assert response.x_cache == "Hit from cloudfront"
    asked = raw_origin.connections
    site.get("/a")
    assert raw_origin.connections == asked, "it is left in peace for the error caching time"
    shared.clock.advance(seconds=11)
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"
    assert site.get("/a").body == b"new"


@pytest.mark.rule("CDN-VAL-11", "CDN-VAL-12")
def test_stale_if_error_comes_before_error_pages_and_ends(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=5, stale-if-error=20"})
    page = {"ErrorCode": 500, "ResponsePagePath": "/500.html", "ResponseCode": 500}
    site = deliver({}, CustomErrorResponses=[page])
    site.get("/a")
    origin.answer = lambda got: Answer(500 if got.target == "/a" else 200, body=got.target.encode())
    shared.clock.advance(seconds=15)
    assert site.get("/a").body == b"from the origin"
    shared.clock.advance(seconds=15)
    response = site.get("/a")
    assert (response.status, response.body) == (500, b"/500.html")


@pytest.mark.rule("CDN-VAL-09")
def test_stale_while_revalidate_answers_at_once(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=5, stale-while-revalidate=20"})
    site = deliver({})
    site.get("/a")
    shared.clock.advance(seconds=10)
    asked = Event()

    def newer(got):
        asked.set()
        return Answer(headers={"Cache-Control": "max-age=60"}, body=b"new")

    origin.answer = newer
    assert site.get("/a").x_cache == "Hit from cloudfront"
    assert asked.wait(20)


@pytest.mark.rule("CDN-COL-01", "CDN-COL-02", "CDN-COL-03", "CDN-COL-04", "CDN-COL-05")
@pytest.mark.parametrize(
    ("behavior", "cache_control", "times"),
    [
        ({}, "max-age=60", 1),
        (POLICIES["origin"], "max-age=60", 1),
        (POLICIES["origin"], "no-store", 4),
        (POLICIES["origin"], "private", 4),
        (POLICIES["origin"], "max-age=0", 4),
        ({"cache": CACHING_DISABLED}, "max-age=60", 4),
        ({"cache": ORIGIN_CONTROLS}, "max-age=60", 4),
        (legacy(cookies={"Forward": "all"}), "max-age=60", 4),
    ],
)
def test_how_many_of_four_equal_requests_reach_the_origin(
    deliver, origin, monkeypatch, behavior, cache_control, times
):
    first, release, all_there = Event(), Event(), Event()
    arrived = []
    answer = EdgeLocation.__call__

    def counted(location, request):
        arrived.append(request)
        if len(arrived) == 4:
            all_there.set()
        return answer(location, request)

    monkeypatch.setattr(EdgeLocation, "__call__", counted)

    def slow(got):
        first.set()
        assert release.wait(20)
        return Answer(headers={"Cache-Control": cache_control})

    site = deliver(behavior)
    origin.answer = slow
    with ThreadPoolExecutor(4) as pool:
        visits = [pool.submit(site.get, "/a") for _ in range(4)]
        assert first.wait(20)
        assert all_there.wait(20)
        release.set()
        responses = [visit.result() for visit in visits]
    assert len(origin.got) == times
    assert {response.status for response in responses} == {200}
    names = sorted(response.x_cache.split(" ")[0] for response in responses)
    assert names == ["Hit"] * (4 - times) + ["Miss"] * times
