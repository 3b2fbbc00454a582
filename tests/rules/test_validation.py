"""Revalidation, age and stale objects: the rules CDN-VAL."""

import asyncio
from dataclasses import replace

import pytest

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.entry import Hit, Stale
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import CacheRules
from edgeproxy.edge.delivery import shape
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from tests.unit.cache.scenes import (
    FLEXIBLE,
    OPTIMIZED,
    YEAR,
    Edge,
    ManualBody,
    ScriptedOrigin,
    answer,
    key,
    read,
    stream,
    text,
    with_error_ttls,
)

MODIFIED = "Sat, 21 Nov 2026 03:50:32 GMT"


async def stale(edge: Edge, *, rules: CacheRules = FLEXIBLE, **headers: str) -> ScriptedOrigin:
    """An origin whose object ``hello`` was stored with max-age=60 and has just expired."""
    control = ", ".join(filter(None, ["max-age=60", headers.pop("cache_control", "")]))
    origin = ScriptedOrigin(answer(cache_control=control, **headers))
    await edge.get(origin, rules)
    edge.clock.advance(60)
    return origin


@pytest.mark.rule("CDN-VAL-01")
@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"etag": '"1"'}, [("If-None-Match", '"1"')]),
        ({"last_modified": MODIFIED}, [("If-Modified-Since", MODIFIED)]),
        (
            {"etag": 'W/"1"', "last_modified": MODIFIED},
            [("If-None-Match", 'W/"1"'), ("If-Modified-Since", MODIFIED)],
        ),
    ],
)
async def test_a_stale_object_is_asked_for_with_its_validators(
    headers: dict[str, str], sent: list[tuple[str, str]]
) -> None:
    edge = Edge()
    origin = await stale(edge, **headers)
    await edge.get(origin)
    assert origin.asked == [None, Headers(sent)]


async def test_a_stale_object_without_validators_is_fetched_in_full() -> None:
    edge = Edge()
    origin = await stale(edge)
    assert (await edge.get(origin)).outcome == "Miss"
    assert origin.asked == [None, None]


@pytest.mark.rule("CDN-VAL-02")
async def test_no_validators_when_cookies_are_forwarded() -> None:
    edge, rules = Edge(), replace(FLEXIBLE, forwards_cookies=True)
    origin = await stale(edge, rules=rules, etag='"1"')
    assert (await edge.get(origin, rules)).outcome == "Miss"
    assert origin.asked == [None, None]


@pytest.mark.rule("CDN-VAL-03", "CDN-VAL-19")
async def test_a_304_serves_the_stored_object_and_restarts_its_lifetime() -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"', x_version="1", content_type="text/css")
    origin.then(
        answer(304, b"", cache_control="max-age=100", x_version="2", content_type="text/plain")
    )
    refreshed = await edge.get(origin)
    assert (refreshed.outcome, refreshed.response.status) == ("RefreshHit", 200)
    assert text(refreshed) == b"hello"
    assert refreshed.age_s is None
    assert refreshed.response.headers.get("X-Version") == "2"
    assert refreshed.response.headers.get("Content-Type") == "text/css"
    edge.clock.advance(99)
    hit = await edge.get(origin)
    assert (hit.outcome, hit.age_s) == ("Hit", 99)
    assert hit.response.headers.get("X-Version") == "2"
    edge.clock.advance(1)
    assert (await edge.get(origin)).outcome == "RefreshHit"


@pytest.mark.rule("CDN-VAL-03")
async def test_a_304_that_forbids_storing_serves_the_object_a_last_time() -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"')
    origin.then(answer(304, b"", cache_control="no-store"))
    assert text(await edge.get(origin)) == b"hello"
    assert len(edge.store) == 0


@pytest.mark.rule("CDN-VAL-04")
async def test_a_200_replaces_the_object() -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"')
    origin.then(answer(body=b"new", cache_control="max-age=60"))
    assert (await edge.get(origin)).outcome == "Miss"
    hit = await edge.get(origin)
    assert (hit.outcome, text(hit)) == ("Hit", b"new")


@pytest.mark.rule("CDN-VAL-05")
async def test_a_4xx_replaces_the_object_for_the_error_ttl() -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"')
    origin.then(answer(404, b"gone"))
    assert (await edge.get(origin)).response.status == 404
    cached = await edge.get(origin)
    assert (cached.outcome, cached.response.status) == ("Hit", 404)
    edge.clock.advance(10)
    origin.then(answer(503, b"down"))
    assert (await edge.get(origin)).response.status == 503
    assert origin.asked[-1] is None


@pytest.mark.rule("CDN-VAL-06", "CDN-VAL-07", "CDN-VAL-08", "CDN-ERR-17")
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize(
    ("rules", "control"),
    [(FLEXIBLE, ""), (FLEXIBLE, "no-cache"), (OPTIMIZED, "no-store"), (OPTIMIZED, "private")],
)
async def test_a_stale_object_stands_in_for_a_failing_origin(
    status: int, rules: CacheRules, control: str
) -> None:
    edge = Edge()
    origin = await stale(edge, rules=rules, cache_control=control)
    edge.clock.advance(1_000_000)
    origin.then(answer(status, b"down", detail="OriginCommError"))
    for _ in range(3):
        obtained = await edge.get(origin, rules)
        assert (obtained.outcome, obtained.response.status) == ("Hit", 200)
        assert isinstance(obtained.lookup, Stale)
        assert (text(obtained), obtained.age_s) == (b"hello", 1_000_060)
    assert origin.count == 2, "asked again only after the error caching time"
    edge.clock.advance(10)
    origin.then(answer(body=b"up again"))
    assert text(await edge.get(origin, rules)) == b"up again"


@pytest.mark.rule("CDN-VAL-06")
async def test_the_error_caching_time_is_that_of_the_status() -> None:
    edge, rules = Edge(), with_error_ttls(FLEXIBLE, {503: 100})
    origin = await stale(edge, rules=rules)
    origin.then(answer(503))
    for _ in range(2):
        await edge.get(origin, rules)
        edge.clock.advance(99)
    assert origin.count == 2
    edge.clock.advance(1)
    await edge.get(origin, rules)
    assert origin.count == 3


@pytest.mark.rule("CDN-VAL-07")
async def test_stale_if_error_0_switches_stale_answers_off() -> None:
    edge = Edge()
    origin = await stale(edge, cache_control="stale-if-error=0")
    origin.then(answer(503, b"down"))
    assert text(await edge.get(origin)) == b"down"


@pytest.mark.rule("CDN-VAL-11", "CDN-VAL-12")
@pytest.mark.parametrize(("max_ttl_s", "until_s"), [(YEAR, 30), (20, 20)])
async def test_stale_if_error_ends_after_its_time(max_ttl_s: int, until_s: int) -> None:
    edge, rules = Edge(), CacheRules(0, 0, max_ttl_s, {503: 0})
    origin = ScriptedOrigin(answer(cache_control="max-age=10, stale-if-error=30"))
    await edge.get(origin, rules)
    origin.then(answer(503, b"down"))
    edge.clock.advance(10 + until_s - 1)
    assert text(await edge.get(origin, rules)) == b"hello"
    edge.clock.advance(1)
    assert text(await edge.get(origin, rules)) == b"down"


@pytest.mark.rule("CDN-VAL-11")
async def test_waiting_for_the_origin_does_not_prolong_stale_if_error() -> None:
    edge, rules = Edge(), with_error_ttls(FLEXIBLE, {503: 1000})
    origin = await stale(edge, rules=rules, cache_control="stale-if-error=30")
    origin.then(answer(503, b"down"))
    assert text(await edge.get(origin, rules)) == b"hello"
    edge.clock.advance(30)
    assert text(await edge.get(origin, rules)) == b"down"


@pytest.mark.rule("LE-ERR-11")
async def test_a_functions_error_is_neither_stored_nor_covered_by_a_stale_object() -> None:
    edge = Edge()
    origin = await stale(edge)
    origin.then(replace(answer(503, b"function error"), may_store=False))
    for _ in range(2):
        assert text(await edge.get(origin)) == b"function error"
    assert origin.count == 3


@pytest.mark.rule("CDN-VAL-09")
async def test_stale_while_revalidate_serves_at_once_and_revalidates_once() -> None:
    edge = Edge()
    origin = await stale(edge, cache_control="stale-while-revalidate=30", etag='"1"')
    origin.then(answer(body=b"new", cache_control="max-age=60"))
    origin.gate.clear()
    for _ in range(3):
        obtained = await edge.get(origin)
        assert (obtained.outcome, text(obtained), obtained.age_s) == ("Hit", b"hello", 60)
        await edge.settle()
    assert origin.asked == [None, Headers([("If-None-Match", '"1"')])]
    origin.gate.set()
    await edge.settle()
    obtained = await edge.get(origin)
    assert isinstance(obtained.lookup, Hit)
    assert text(obtained) == b"new"


@pytest.mark.rule("CDN-VAL-09")
async def test_one_background_revalidation_although_requests_are_not_collapsed() -> None:
    edge, rules = Edge(), replace(FLEXIBLE, forwards_cookies=True)
    origin = await stale(edge, rules=rules, cache_control="stale-while-revalidate=30")
    origin.gate.clear()
    for _ in range(3):
        await edge.get(origin, rules)
        await edge.settle()
    assert origin.count == 2
    origin.gate.set()
    await edge.settle()


async def test_a_background_answer_that_may_not_be_stored_is_closed() -> None:
    edge, body = Edge(), ManualBody(length=5)
    origin = await stale(edge, cache_control="stale-while-revalidate=30")
    origin.then(answer(body=body, cache_control="no-store"))
    await edge.get(origin)
    await edge.settle()
    assert body.closed


@pytest.mark.rule("CDN-VAL-09")
async def test_after_the_window_the_viewer_waits() -> None:
    edge = Edge()
    origin = await stale(edge, cache_control="stale-while-revalidate=30")
    origin.then(answer(body=b"new"))
    edge.clock.advance(30)
    assert text(await edge.get(origin)) == b"new"


@pytest.mark.rule("CDN-VAL-10")
async def test_the_max_ttl_bounds_the_whole_age_under_stale_while_revalidate() -> None:
    edge, rules = Edge(), CacheRules(0, 0, 70)
    origin = await stale(edge, rules=rules, cache_control="stale-while-revalidate=30")
    edge.clock.advance(10)
    origin.then(answer(body=b"new"))
    assert text(await edge.get(origin, rules)) == b"new"


@pytest.mark.rule("CDN-VAL-14")
@pytest.mark.parametrize(
    ("if_error", "later"),
    [("stale-if-error=100", b"hello"), ("stale-if-error=0", b"down"), ("", b"hello")],
)
async def test_when_the_background_fetch_fails_stale_if_error_governs(
    if_error: str, later: bytes
) -> None:
    edge = Edge()
    origin = await stale(edge, cache_control=f"stale-while-revalidate=30, {if_error}")
    origin.then(answer(503, b"down"))
    assert text(await edge.get(origin)) == b"hello"
    await edge.settle()
    assert text(await edge.get(origin)) == later
    assert origin.count == 2


@pytest.mark.rule("CDN-VAL-15")
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ([("If-None-Match", '"1"')], 304),
        ([("If-None-Match", 'W/"1"')], 304),
        ([("If-None-Match", '"0", "1"')], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", '"2"')], 200),
        ([("If-None-Match", '"2"'), ("If-Modified-Since", MODIFIED)], 200),
        ([("If-Modified-Since", MODIFIED)], 304),
        ([("If-Modified-Since", "Sat, 21 Nov 2026 03:50:33 GMT")], 304),
        ([("If-Modified-Since", "Sat, 21 Nov 2026 03:50:31 GMT")], 200),
        ([("If-Modified-Since", "yesterday")], 200),
        ([("If-Match", '"2"')], 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_fresh_object_answers_the_viewers_condition(
    condition: list[tuple[str, str]], status: int, method: str
) -> None:
    edge = Edge()
    origin = ScriptedOrigin(
        answer(etag='"1"', last_modified=MODIFIED, content_type="text/css", vary="Cookie")
    )
    await edge.get(origin)
    obtained = await edge.get(origin)
    response = shape(Request(method, "/a", headers=Headers(condition)), obtained, edge.clock.now())
    assert (obtained.outcome, response.status) == ("Hit", status)
    if status == 304:
        assert await read(response.body) == b""
        assert "Content-Type" not in response.headers
        assert response.headers.get("ETag") == '"1"'
        assert response.headers.get("Vary") == "Cookie"
        assert response.headers.get("Age") == "0"


@pytest.mark.rule("CDN-VAL-16")
async def test_a_304_to_the_viewers_own_condition_is_passed_on_and_stores_nothing() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(304, b"", etag='"9"', cache_control="max-age=60"))
    obtained = await edge.get(origin)
    assert (obtained.outcome, obtained.response.status) == ("Miss", 304)
    assert len(edge.store) == 0


@pytest.mark.rule("CDN-VAL-16")
async def test_such_a_304_leaves_a_stale_object_without_validators_alone() -> None:
    edge = Edge()
    origin = await stale(edge)
    origin.then(answer(304, b"", etag='"9"'))
    assert (await edge.get(origin)).response.status == 304
    origin.then(answer(503))
    assert text(await edge.get(origin)) == b"hello"


@pytest.mark.rule("CDN-VAL-17")
async def test_a_412_is_passed_on() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(412, b"changed"))
    assert (await edge.get(origin)).response.status == 412
    assert len(edge.store) == 0


async def aged(edge: Edge, origin: ScriptedOrigin) -> tuple[Obtained, str | None]:
    obtained = await edge.get(origin)
    response = shape(Request("GET", "/a"), obtained, edge.clock.now())
    return obtained, response.headers.joined("Age")


@pytest.mark.rule("CDN-VAL-18")
async def test_age_counts_whole_seconds_on_hits_only() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    assert (await aged(edge, origin))[1] is None
    assert (await aged(edge, origin))[1] == "0"
    edge.clock.advance(5.9)
    assert (await aged(edge, origin))[1] == "5"


@pytest.mark.rule("CDN-VAL-18")
async def test_the_origins_own_age_is_passed_on_and_added() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60", age="100"))
    assert (await aged(edge, origin))[1] == "100"
    edge.clock.advance(5)
    assert (await aged(edge, origin))[1] == "105"


@pytest.mark.rule("CDN-VAL-19")
async def test_a_revalidated_answer_has_no_age() -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"')
    origin.then(answer(304, b""))
    obtained, age = await aged(edge, origin)
    assert (obtained.outcome, age) == ("RefreshHit", None)


async def test_no_age_is_negative_after_the_clock_went_back() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    edge.clock.advance(3600)
    await edge.get(origin)
    edge.clock.reset()
    obtained, age = await aged(edge, origin)
    assert (obtained.outcome, age) == ("Hit", "0")


@pytest.mark.rule("CDN-VAL-20")
@pytest.mark.parametrize("ending", ["short", "broken"])
async def test_a_body_that_breaks_off_reaches_the_viewer_but_is_not_stored(ending: str) -> None:
    edge = Edge()
    body = ManualBody(length=10)
    body.give(b"hello", None if ending == "short" else ConnectionResetError("origin gone"))
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    obtained = await edge.cache.obtain(key(), FLEXIBLE, origin)
    arrived = b""
    with pytest.raises(Exception, match=r"5 of 10 bytes arrived|origin gone"):
        async for chunk in obtained.response.body:
            arrived += chunk
    assert arrived == b"hello"
    await edge.settle()
    assert len(edge.store) == 0
    assert body.closed


@pytest.mark.rule("CDN-VAL-21")
async def test_a_body_that_ends_with_its_connection_is_stored() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(body=stream([b"hel", b"lo"]), cache_control="max-age=60"))
    await edge.get(origin)
    await edge.settle()
    hit = await edge.get(origin)
    assert (hit.outcome, text(hit)) == ("Hit", b"hello")


@pytest.mark.rule("CDN-VAL-22")
async def test_a_viewer_who_leaves_during_the_transfer_does_not_cancel_it() -> None:
    edge, body = Edge(), ManualBody(length=10)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    obtained = await edge.cache.obtain(key(), FLEXIBLE, origin)
    body.give(b"hello")
    async for _ in obtained.response.body:
        break
    await obtained.response.body.close()
    body.give(b"world", None)
    await edge.settle()
    hit = await edge.get(origin)
    assert (hit.outcome, text(hit)) == ("Hit", b"helloworld")


@pytest.mark.rule("CDN-VAL-22")
async def test_a_viewer_who_leaves_before_the_transfer_starts_leaves_nothing_stored() -> None:
    edge, body = Edge(), ManualBody(length=5)
    origin = ScriptedOrigin(answer(body=body, cache_control="max-age=60"))
    origin.gate.clear()
    viewer = asyncio.create_task(edge.get(origin))
    await edge.settle()
    viewer.cancel()
    await edge.settle()
    origin.gate.set()
    await edge.settle()
    assert len(edge.store) == 0
    assert body.closed


async def test_head_uses_a_stored_object_and_stores_none() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(body=b"", cache_control="max-age=60"))
    assert (await edge.get(origin, may_store=False)).outcome == "Miss"
    assert len(edge.store) == 0
    origin.then(answer(cache_control="max-age=60", etag='"1"'))
    await edge.get(origin)
    assert (await edge.get(origin, may_store=False)).outcome == "Hit"
    edge.clock.advance(60)
    origin.then(answer(304, b"", cache_control="max-age=60"))
    assert (await edge.get(origin, may_store=False)).outcome == "RefreshHit"
    assert (await edge.get(origin)).outcome == "Hit"


@pytest.mark.parametrize("late", [answer(503), answer(304, b"")])
async def test_a_late_answer_about_an_old_object_leaves_the_new_one_alone(late: Fetched) -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"')
    slow = ScriptedOrigin(late)
    slow.gate.clear()
    asking = asyncio.create_task(edge.get(slow, may_store=False))
    await edge.settle()
    origin.then(answer(body=b"new", cache_control="max-age=60"))
    assert text(await edge.get(origin)) == b"new"
    slow.gate.set()
    assert text(await asking) == b"hello"
    hit = await edge.get(origin)
    assert (hit.outcome, text(hit)) == ("Hit", b"new")


@pytest.mark.rule("CDN-VAL-04")
async def test_a_new_version_that_may_not_be_stored_ends_the_old_one() -> None:
    edge = Edge()
    origin = await stale(edge, etag='"1"')
    origin.then(answer(body=b"new", cache_control="no-store"))
    assert (await edge.get(origin)).outcome == "Miss"
    origin.then(answer(503))
    assert (await edge.get(origin)).response.status == 503


async def test_what_a_function_forbids_to_store_is_not_stored() -> None:
    edge = Edge()
    fetched: Fetched = replace(answer(cache_control="max-age=60"), may_store=False)
    obtained = await edge.get(ScriptedOrigin(fetched))
    assert isinstance(obtained.response.body, BytesBody)
    assert len(edge.store) == 0
