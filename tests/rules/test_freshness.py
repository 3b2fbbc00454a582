"""How long an origin's answer is fresh: the rules CDN-TTL as a table."""

import pytest

from edgeproxy.cache.freshness import (
    CacheRules,
    Decision,
    NotStorable,
    Storable,
    cache_rules,
    error_page_rules,
    judge,
)
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CacheSettings,
    CustomErrorResponse,
    CustomOrigin,
    Distribution,
    LegacyCacheSettings,
    Origin,
    OriginGroup,
    S3Origin,
    Selection,
    SelectionKind,
)
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from tests.unit.cache.scenes import (
    DISABLED,
    FLEXIBLE,
    OPTIMIZED,
    YEAR,
    Edge,
    ScriptedOrigin,
    answer,
    text,
)

NOW = 1_800_000_000.0
FRAMED = CacheRules(10, 60, 100)
NARROW = CacheRules(0, 60, 100)


def decide(rules: CacheRules, *lines: tuple[str, str], status: int = 200) -> Decision:
    return judge(status, Headers(lines), rules, NOW)


def expires(seconds: float) -> list[tuple[str, str]]:
    return [("Date", format_date(NOW - 500)), ("Expires", format_date(NOW - 500 + seconds))]


def rule(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.rule(*ids)


CC = "Cache-Control"


@pytest.mark.parametrize(
    ("rules", "lines", "ttl_s"),
    [
        pytest.param(NARROW, [(CC, "max-age=20, s-maxage=30")], 30, marks=rule("CDN-TTL-01")),
        pytest.param(NARROW, [(CC, "max-age=20"), *expires(50)], 20, marks=rule("CDN-TTL-01")),
        pytest.param(NARROW, [(CC, "max-age=0"), *expires(50)], 0, marks=rule("CDN-TTL-01")),
        pytest.param(NARROW, [], 60, marks=rule("CDN-TTL-02")),
        pytest.param(FRAMED, [("Date", format_date(NOW))], 60, marks=rule("CDN-TTL-02")),
        pytest.param(CacheRules(0, 200, 100), [], 200, marks=rule("CDN-TTL-02")),
        pytest.param(CacheRules(70, 60, 100), [], 70, marks=rule("CDN-TTL-02")),
        pytest.param(FRAMED, [(CC, "max-age=50")], 50, marks=rule("CDN-TTL-03")),
        pytest.param(FRAMED, [(CC, "max-age=5")], 10, marks=rule("CDN-TTL-03")),
        pytest.param(FRAMED, [(CC, "max-age=500")], 100, marks=rule("CDN-TTL-03")),
        pytest.param(FRAMED, [(CC, "s-maxage=500")], 100, marks=rule("CDN-TTL-03")),
        pytest.param(FRAMED, expires(50), 50, marks=rule("CDN-TTL-04")),
        pytest.param(FRAMED, expires(5), 10, marks=rule("CDN-TTL-04")),
        pytest.param(FRAMED, expires(500), 100, marks=rule("CDN-TTL-04")),
        pytest.param(NARROW, expires(-5), 0, marks=rule("CDN-TTL-04")),
        pytest.param(NARROW, [("Expires", "0")], 0, marks=rule("CDN-TTL-04")),
        pytest.param(NARROW, [("Expires", format_date(NOW + 30))], 30, marks=rule("CDN-TTL-04")),
        pytest.param(FRAMED, [(CC, "no-cache")], 10, marks=rule("CDN-TTL-05")),
        pytest.param(FRAMED, [(CC, "no-store, max-age=50")], 10, marks=rule("CDN-TTL-05")),
        pytest.param(FRAMED, [(CC, "private")], 10, marks=rule("CDN-TTL-05")),
        pytest.param(NARROW, [(CC, "no-cache")], 0, marks=rule("CDN-TTL-06", "CDN-TTL-07")),
        pytest.param(NARROW, [(CC, "no-store")], None, marks=rule("CDN-TTL-06", "CDN-TTL-08")),
        pytest.param(NARROW, [(CC, "private")], None, marks=rule("CDN-TTL-06", "CDN-TTL-09")),
        pytest.param(NARROW, [(CC, "no-cache, max-age=50")], 0, marks=rule("CDN-TTL-10")),
        pytest.param(NARROW, [(CC, "max-age=50, no-store")], None, marks=rule("CDN-TTL-10")),
        pytest.param(NARROW, [(CC, "private, s-maxage=50")], None, marks=rule("CDN-TTL-10")),
        pytest.param(
            NARROW, [(CC, 'no-cache="Set-Cookie", max-age=50')], 50, marks=rule("CDN-TTL-11")
        ),
        pytest.param(
            NARROW, [(CC, 'private="Set-Cookie", max-age=50')], 50, marks=rule("CDN-TTL-11")
        ),
        pytest.param(NARROW, [(CC, "max-age=0")], 0, marks=rule("CDN-TTL-12")),
        pytest.param(NARROW, [(CC, "s-maxage=0, max-age=50")], 0, marks=rule("CDN-TTL-12")),
        pytest.param(
            NARROW,
            [(CC, "must-revalidate, proxy-revalidate, immutable, no-transform, max-age=50")],
            50,
            marks=rule("CDN-TTL-13"),
        ),
        pytest.param(NARROW, [(CC, "public,foo=bar , MAX-AGE=50")], 50, marks=rule("CDN-TTL-14")),
        pytest.param(NARROW, [(CC, "public"), (CC, "max-age=50")], 50, marks=rule("CDN-TTL-14")),
        pytest.param(NARROW, [(CC, "max-age=5o")], 60, marks=rule("CDN-TTL-14")),
        pytest.param(NARROW, [(CC, 'x="max-age=5", max-age=50')], 50, marks=rule("CDN-TTL-14")),
        pytest.param(NARROW, [(CC, "max-age=-5")], 0, marks=rule("CDN-TTL-15")),
        pytest.param(
            CacheRules(0, 0, 3_153_600_000),
            [(CC, "max-age=" + "9" * 5_000)],
            3_153_600_000,
            marks=rule("CDN-TTL-15"),
        ),
        pytest.param(NARROW, [("Pragma", "no-cache")], 60, marks=rule("CDN-TTL-23")),
        pytest.param(NARROW, [("Vary", "*"), (CC, "max-age=50")], 0, marks=rule("CDN-TTL-25")),
        pytest.param(FRAMED, [("Vary", "*"), (CC, "max-age=50")], 50, marks=rule("CDN-TTL-26")),
        pytest.param(
            NARROW, [("Vary", "Cookie"), (CC, "max-age=50")], 50, marks=rule("CDN-TTL-27")
        ),
        pytest.param(
            NARROW, [("Set-Cookie", "a=b"), (CC, "max-age=50")], 50, marks=rule("CDN-TTL-32")
        ),
    ],
)
def test_the_lifetime_of_an_answer(
    rules: CacheRules, lines: list[tuple[str, str]], ttl_s: int | None
) -> None:
    decision = decide(rules, *lines)
    assert (decision.ttl_s if isinstance(decision, Storable) else None) == ttl_s


@pytest.mark.rule("CDN-TTL-28")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_lives_as_long_as_a_200_would(status: int) -> None:
    assert decide(NARROW, (CC, "max-age=50"), status=status) == decide(NARROW, (CC, "max-age=50"))
    assert decide(NARROW, (CC, "no-store"), status=status) == decide(NARROW, (CC, "no-store"))


@pytest.mark.rule("CDN-TTL-29")
def test_an_error_does_not_follow_the_default_ttl() -> None:
    assert decide(NARROW) == Storable(60, "DefaultTTL 60 (no caching header)")
    decision = decide(NARROW, status=404)
    assert isinstance(decision, Storable)
    assert decision.ttl_s == 10


@pytest.mark.rule("CDN-TTL-19", "CDN-ERR-12")
@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_all_ttls_zero_turn_caching_off(status: int) -> None:
    assert DISABLED.disabled
    assert not DISABLED.may_collapse
    decision = decide(DISABLED, (CC, "max-age=50"), status=status)
    assert decision == NotStorable("caching is off: MinTTL, DefaultTTL and MaxTTL are 0")


@pytest.mark.parametrize("status", [101, 206, 304])
def test_what_is_not_a_whole_answer_is_not_stored(status: int) -> None:
    assert isinstance(decide(NARROW, (CC, "max-age=50"), status=status), NotStorable)


@pytest.mark.parametrize(
    ("rules", "lines", "why"),
    [
        (NARROW, [(CC, "max-age=50")], "max-age=50"),
        (OPTIMIZED, [(CC, "no-store")], "MinTTL 1 (origin said no-store)"),
        (FRAMED, [(CC, "max-age=5")], "MinTTL 10 (max-age=5)"),
        (FRAMED, [(CC, "s-maxage=500")], "MaxTTL 100 (s-maxage=500)"),
        (NARROW, expires(50), "Expires in 50 s"),
        (NARROW, [("Expires", "soon")], "Expires is not a date"),
        (NARROW, [(CC, "no-store")], "no-store with MinTTL 0"),
    ],
)
def test_the_decision_says_what_decided(
    rules: CacheRules, lines: list[tuple[str, str]], why: str
) -> None:
    assert decide(rules, *lines).why == why


@pytest.mark.rule("CDN-COL-05")
@pytest.mark.parametrize(
    ("lines", "releases"),
    [
        ([(CC, "no-cache")], True),
        ([(CC, "max-age=0")], True),
        ([(CC, "s-maxage=0, max-age=50")], True),
        ([(CC, "max-age=0, s-maxage=50")], False),
        ([(CC, "max-age=50")], False),
        ([], False),
    ],
)
def test_which_answers_release_those_who_wait(lines: list[tuple[str, str]], releases: bool) -> None:
    decision = decide(NARROW, *lines)
    assert isinstance(decision, Storable)
    assert decision.releases is releases
    framed = decide(FRAMED, *lines)
    assert isinstance(framed, Storable)
    assert not framed.releases


def test_stale_windows_are_cut_to_the_max_ttl() -> None:
    decision = decide(NARROW, (CC, "max-age=70, stale-while-revalidate=50, stale-if-error=500"))
    assert decision == Storable(70, "max-age=70", stale_while_revalidate_s=30, stale_if_error_s=100)


@pytest.mark.parametrize("line", [(CC, "no-cache"), ("Vary", "*")])
def test_what_each_request_must_revalidate_is_not_served_stale_meanwhile(
    line: tuple[str, str],
) -> None:
    decision = decide(NARROW, line, (CC, "stale-while-revalidate=50"))
    assert isinstance(decision, Storable)
    assert decision.stale_while_revalidate_s == 0


# The rules of a behavior ---------------------------------------------------------------------


def distribution(cache: CacheSettings, *, s3: bool = False) -> tuple[Distribution, Behavior]:
    behavior = Behavior("*", "web", cache)
    made = Distribution(
        "Site",
        "E1",
        "d1.cloudfront.net",
        {"web": Origin("web", "example.org", S3Origin() if s3 else CustomOrigin())},
        behavior,
        custom_error_responses={404: CustomErrorResponse(404, 30)},
    )
    return made, behavior


def policy(min_ttl_s: int, default_ttl_s: int, max_ttl_s: int) -> CachePolicy:
    return CachePolicy("p", min_ttl_s, default_ttl_s, max_ttl_s)


@pytest.mark.rule("CDN-TTL-17")
def test_legacy_settings_without_ttls() -> None:
    rules = cache_rules(*distribution(LegacyCacheSettings(query_string=False)))
    assert (rules.min_ttl_s, rules.default_ttl_s, rules.max_ttl_s) == (0, 86_400, YEAR)


@pytest.mark.rule("CDN-KEY-30")
def test_forwarding_all_headers_turns_caching_off() -> None:
    settings = LegacyCacheSettings(query_string=False, headers=Selection(SelectionKind.ALL))
    rules = cache_rules(*distribution(settings))
    assert rules.disabled
    assert rules.why_disabled == "caching is off: all headers are forwarded (legacy setting *)"


@pytest.mark.rule("CDN-ERR-01", "CDN-ERR-02")
def test_error_ttls_come_from_the_distribution() -> None:
    rules = cache_rules(*distribution(policy(0, 0, YEAR)))
    assert rules.error_ttl_s(404) == 30
    assert rules.error_ttl_s(500) == 10


@pytest.mark.rule("CDN-ERR-10")
def test_s3_errors_are_held_for_one_second() -> None:
    rules = cache_rules(*distribution(policy(0, 0, YEAR), s3=True))
    assert rules.error_ttl_s(500) == 1
    assert rules.error_ttl_s(404) == 30
    assert cache_rules(*distribution(policy(1, 1, YEAR), s3=True)).error_ttl_s(500) == 10


def test_an_origin_group_counts_as_its_primary() -> None:
    made, _ = distribution(policy(0, 0, YEAR), s3=True)
    group = OriginGroup("both", "web", "web", frozenset({500}))
    behavior = Behavior("*", "both", policy(0, 0, YEAR))
    grouped = Distribution(
        made.logical_id,
        made.id,
        made.domain_name,
        made.origins,
        behavior,
        origin_groups={"both": group},
    )
    assert cache_rules(grouped, behavior).is_s3


@pytest.mark.rule("CDN-COL-04")
def test_forwarded_cookies_forbid_collapsing() -> None:
    settings = LegacyCacheSettings(query_string=False, cookies=Selection(SelectionKind.ALL))
    rules = cache_rules(*distribution(settings))
    assert rules.forwards_cookies
    assert not rules.may_collapse


@pytest.mark.rule("CDN-CEP-09")
@pytest.mark.parametrize(
    ("error_lines", "ttl_s"),
    [([], 30), ([(CC, "max-age=50")], 50), ([(CC, "max-age=5")], 30), ([(CC, "no-store")], 30)],
)
def test_an_error_page_lives_as_long_as_its_error(
    error_lines: list[tuple[str, str]], ttl_s: int
) -> None:
    made, behavior = distribution(policy(0, 0, YEAR))
    rules = cache_rules(made, behavior)
    page = error_page_rules(made, behavior, 404, Headers(error_lines), rules, NOW)
    assert judge(200, Headers([(CC, "max-age=7")]), page, NOW).why.startswith("M")
    decision = judge(200, Headers([(CC, "no-store")]), page, NOW)
    assert isinstance(decision, Storable)
    assert decision.ttl_s == ttl_s


@pytest.mark.rule("CDN-CEP-09")
def test_an_error_page_of_another_behavior_follows_that_behavior() -> None:
    made, behavior = distribution(policy(0, 0, YEAR))
    other = Behavior("/errors/*", "web", policy(5, 6, 7))
    page = error_page_rules(made, other, 404, Headers(), cache_rules(made, behavior), NOW)
    assert (page.min_ttl_s, page.default_ttl_s, page.max_ttl_s) == (5, 6, 7)


# In the cache --------------------------------------------------------------------------------


@pytest.mark.rule("CDN-TTL-03", "CDN-TTL-30")
async def test_an_object_is_fresh_for_its_lifetime_whatever_the_settings_become() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60"))
    assert (await edge.get(origin)).outcome == "Miss"
    edge.clock.advance(59)
    assert (await edge.get(origin, CacheRules(0, 1, 2))).outcome == "Hit"
    edge.clock.advance(1)
    assert (await edge.get(origin)).outcome == "Miss"
    assert origin.count == 2


@pytest.mark.rule("CDN-TTL-07")
async def test_no_cache_is_revalidated_by_each_request() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="no-cache", etag='"1"'), answer(304))
    outcomes = [(await edge.get(origin)).outcome for _ in range(3)]
    assert outcomes == ["Miss", "RefreshHit", "RefreshHit"]


@pytest.mark.rule("CDN-TTL-08", "CDN-TTL-09")
@pytest.mark.parametrize("directive", ["no-store", "private"])
async def test_a_forbidden_answer_is_fetched_each_time(directive: str) -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control=directive, etag='"1"'))
    obtained = [await edge.get(origin) for _ in range(2)]
    assert [one.outcome for one in obtained] == ["Miss", "Miss"]
    assert isinstance(obtained[1].stored, NotStorable)
    assert origin.asked == [None, None]


@pytest.mark.rule("CDN-TTL-05")
async def test_a_min_ttl_overrules_no_store() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="no-store"))
    await edge.get(origin, OPTIMIZED)
    assert (await edge.get(origin, OPTIMIZED)).outcome == "Hit"
    edge.clock.advance(1)
    assert (await edge.get(origin, OPTIMIZED)).outcome == "Miss"


@pytest.mark.rule("CDN-TTL-11")
async def test_a_named_header_is_left_out_of_the_stored_object() -> None:
    edge = Edge()
    origin = ScriptedOrigin(
        answer(cache_control='max-age=60, no-cache="Set-Cookie, X-B"', set_cookie="a", x_b="b")
    )
    first, second = await edge.get(origin), await edge.get(origin)
    assert first.response.headers.get("Set-Cookie") == "a"
    assert second.outcome == "Hit"
    assert "Set-Cookie" not in second.response.headers
    assert "X-B" not in second.response.headers


@pytest.mark.rule("CDN-TTL-12")
async def test_max_age_0_is_stored_and_revalidated_at_once() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(cache_control="max-age=0", etag='"1"'), answer(304))
    await edge.get(origin)
    obtained = await edge.get(origin)
    assert obtained.outcome == "RefreshHit"
    assert text(obtained) == b"hello"


@pytest.mark.rule("CDN-TTL-19", "CDN-ERR-12")
@pytest.mark.parametrize("status", [200, 500])
async def test_with_caching_off_every_request_goes_to_the_origin(status: int) -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(status, cache_control="max-age=60"))
    for _ in range(2):
        obtained = await edge.get(origin, DISABLED)
        assert obtained.outcome == "Miss"
        assert obtained.lookup.why == "caching is off: MinTTL, DefaultTTL and MaxTTL are 0"
    assert origin.count == 2
    assert len(edge.store) == 0


@pytest.mark.rule("CDN-TTL-20")
async def test_hits_carry_the_origins_own_caching_headers() -> None:
    rules = CacheRules(10, 10, 10)
    edge, origin = Edge(), ScriptedOrigin(answer(cache_control="max-age=60", expires="never"))
    await edge.get(origin, rules)
    hit = await edge.get(origin, rules)
    assert hit.outcome == "Hit"
    assert hit.response.headers.get("Cache-Control") == "max-age=60"
    assert hit.response.headers.get("Expires") == "never"


@pytest.mark.rule("CDN-TTL-25")
async def test_vary_star_is_fetched_in_full_each_time_but_stands_in_for_a_failed_origin() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(vary="*", etag='"1"', cache_control="max-age=60"))
    for _ in range(2):
        assert (await edge.get(origin)).outcome == "Miss"
    assert origin.asked == [None, Headers()], "not even the viewer's own conditions"
    origin.then(answer(503))
    assert (await edge.get(origin)).response.status == 200


@pytest.mark.rule("CDN-TTL-26")
async def test_vary_star_under_a_min_ttl_is_cached() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(vary="*", etag='"1"', cache_control="max-age=60"), answer(304))
    await edge.get(origin, OPTIMIZED)
    assert (await edge.get(origin, OPTIMIZED)).outcome == "Hit"
    edge.clock.advance(60)
    assert (await edge.get(origin, OPTIMIZED)).outcome == "RefreshHit"


@pytest.mark.rule("CDN-TTL-28")
async def test_a_redirect_is_stored() -> None:
    edge = Edge()
    origin = ScriptedOrigin(answer(301, b"", location="/b", cache_control="max-age=60"))
    await edge.get(origin)
    hit = await edge.get(origin)
    assert (hit.outcome, hit.response.status) == ("Hit", 301)
    assert hit.response.headers.get("Location") == "/b"


@pytest.mark.rule("CDN-TTL-32")
async def test_set_cookie_is_stored_and_replayed() -> None:
    edge, origin = Edge(), ScriptedOrigin(answer(set_cookie="a=b", cache_control="max-age=60"))
    await edge.get(origin, FLEXIBLE)
    hit = await edge.get(origin, FLEXIBLE)
    assert (hit.outcome, hit.response.headers.get("Set-Cookie")) == ("Hit", "a=b")
