"""Which errors are stored, and for how long: the rules CDN-ERR-01 to 18."""

import pytest

from edgeproxy.cache.freshness import CacheRules, Decision, NotStorable, Storable, judge
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import (
    FLEXIBLE,
    OPTIMIZED,
    Edge,
    ScriptedOrigin,
    answer,
    text,
    with_error_ttls,
)

NOW = 1_800_000_000.0
FRAMED = with_error_ttls(CacheRules(0, 60, 1000), {404: 20, 500: 0, 503: 5000})


def decide(status: int, control: str = "", rules: CacheRules = FRAMED) -> Decision:
    lines = [("Cache-Control", control)] if control else []
    return judge(status, Headers(lines), rules, NOW)


def ttl_s(decision: Decision) -> int | None:
    return decision.ttl_s if isinstance(decision, Storable) else None


@pytest.mark.rule("CDN-ERR-03")
@pytest.mark.parametrize("status", [404, 414, 500, 501, 502, 503, 504])
def test_errors_that_are_always_cached(status: int) -> None:
    assert ttl_s(decide(status, rules=FLEXIBLE)) == 10


@pytest.mark.rule("CDN-ERR-04", "CDN-ERR-05")
@pytest.mark.parametrize("status", [400, 403, 405, 412, 415])
def test_errors_cached_only_with_an_age(status: int) -> None:
    assert ttl_s(decide(status)) is None
    assert ttl_s(decide(status, "public")) is None
    assert ttl_s(decide(status, "max-age=60")) == 60
    assert ttl_s(decide(status, "s-maxage=60")) == 60
    expires = Headers([("Expires", format_date(NOW + 60))])
    assert isinstance(judge(status, expires, FRAMED, NOW), NotStorable)


@pytest.mark.rule("CDN-ERR-03", "CDN-ERR-15", "CDN-RNG-07")
@pytest.mark.parametrize(
    "status", [401, 402, 406, 408, 409, 410, 411, 413, 416, 429, 451, 505, 599]
)
def test_errors_that_are_passed_on_and_not_cached(status: int) -> None:
    assert ttl_s(decide(status, "max-age=60")) is None


@pytest.mark.rule("CDN-ERR-06")
@pytest.mark.parametrize(
    ("status", "control", "expected"),
    [
        (404, "", 20),
        (404, "max-age=5", 20),
        (404, "max-age=60", 60),
        (404, "max-age=60, s-maxage=5", 20),
        (404, "s-maxage=60, max-age=5", 60),
        (404, "max-age=5000", 1000),
        (503, "", 1000),
    ],
)
def test_the_lifetime_of_an_error(status: int, control: str, expected: int) -> None:
    assert ttl_s(decide(status, control)) == expected


@pytest.mark.rule("CDN-ERR-06")
def test_expires_counts_for_errors() -> None:
    headers = Headers([("Date", format_date(NOW)), ("Expires", format_date(NOW + 60))])
    assert ttl_s(judge(404, headers, FRAMED, NOW)) == 60


@pytest.mark.rule("CDN-ERR-07", "CDN-ERR-11")
@pytest.mark.parametrize("status", [404, 410, 414, 501])
@pytest.mark.parametrize("control", ["no-store", "no-cache", "private", "max-age=60, private"])
@pytest.mark.parametrize("rules", [FRAMED, OPTIMIZED, CacheRules(0, 0, 100, is_s3=True)])
def test_errors_that_heed_directives(status: int, control: str, rules: CacheRules) -> None:
    assert ttl_s(decide(status, control, rules)) is None


@pytest.mark.rule("CDN-ERR-08")
@pytest.mark.parametrize("control", ["no-store", "no-cache", "private", "max-age=60, no-store"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_errors_that_ignore_directives(status: int, control: str) -> None:
    assert ttl_s(decide(status, control, with_error_ttls(FRAMED, {status: 30}))) == 30


@pytest.mark.rule("CDN-ERR-08")
def test_an_error_cached_by_its_age_ignores_directives_too() -> None:
    assert ttl_s(decide(403, "max-age=60, no-store", FLEXIBLE)) == 10


@pytest.mark.rule("CDN-ERR-09")
async def test_an_error_ttl_of_0_keeps_errors_from_being_reused() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(500))
    for _ in range(2):
        obtained = await edge.get(origin, FRAMED)
    assert origin.count == 2
    assert obtained.stored == NotStorable("ErrorCachingMinTTL 0 for 500")


@pytest.mark.rule("CDN-ERR-01", "CDN-ERR-14")
async def test_a_cached_error_is_served_without_the_origin() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(404, b"not here"))
    await edge.get(origin)
    edge.clock.advance(9)
    obtained = await edge.get(origin)
    assert (obtained.outcome, obtained.response.status, text(obtained)) == ("Hit", 404, b"not here")
    edge.clock.advance(1)
    obtained = await edge.get(origin)
    assert obtained.outcome == "Miss"
    assert obtained.lookup.why.startswith("the stored error expired")
    assert origin.count == 2


@pytest.mark.rule("CDN-ERR-10")
async def test_an_s3_error_is_held_for_a_second() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(503))
    rules = CacheRules(0, 0, 100, is_s3=True)
    await edge.get(origin, rules)
    await edge.get(origin, rules)
    edge.clock.advance(1)
    await edge.get(origin, rules)
    assert origin.count == 2


@pytest.mark.rule("CDN-ERR-13", "CDN-INV-16")
async def test_an_invalidation_removes_a_cached_error() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(404))
    await edge.get(origin)
    assert await edge.cache.invalidate("E1", ["/a"]) == 1
    origin.then(answer())
    assert (await edge.get(origin)).response.status == 200


@pytest.mark.rule("CDN-ERR-16")
async def test_the_edges_own_error_for_an_unreachable_origin_is_cached_with_its_detail() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(504, b"no origin", detail="OriginCommError"))
    await edge.get(origin)
    obtained = await edge.get(origin)
    assert (obtained.outcome, obtained.response.status) == ("Hit", 504)
    assert obtained.detail == "OriginCommError"


async def test_the_detail_of_a_good_answer_belongs_to_its_miss_alone() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="max-age=60", detail="MissGeneratedResponse"))
    assert (await edge.get(origin)).detail == "MissGeneratedResponse"
    assert (await edge.get(origin)).detail == ""


async def test_a_stored_error_never_stands_in_for_a_failing_origin() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(404, b"not here", etag='"1"'))
    await edge.get(origin)
    edge.clock.advance(10)
    origin.then(answer(503, b"down"))
    assert text(await edge.get(origin)) == b"down"
    assert origin.asked == [None, None]
