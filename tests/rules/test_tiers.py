"""Several edge locations, the regional edge cache they share, and Origin Shield."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from edgeproxy.chance import Chance
from edgeproxy.distribution import model
from edgeproxy.distribution.model import (
    CachePolicy,
    Distribution,
    FunctionAssociation,
    OriginGroup,
)
from edgeproxy.distribution.response_headers import ResponseHeadersPolicy, ServerTiming
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.location import EdgeLocation
from edgeproxy.edge.passage import Services
from edgeproxy.edge.tiers import Tiers
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import BytesBody
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.project.model import Treatment
from edgeproxy.testing import Site
from tests.support.origin import Origin
from tests.unit.cache.scenes import StandingClock
from tests.unit.edge.scenes import (
    BEHAVIOR,
    SITE,
    WEB,
    Functions,
    Lambdas,
    associated,
    cache,
    returned,
)

FAR, NEAR = "eu-central-1", "us-east-1"
"""A Region of Origin Shield elsewhere, and that of the regional edge cache."""

FLEXIBLE = CachePolicy("Flexible", 0, 86_400, 31_536_000)
UNCHANGED = Response(304)
DOWN = OriginFailure(OriginFailureKind.CONNECT, 502, "it refused the connection")


def ok(cache_control: str = "max-age=60", body: bytes = b"0123456789", **more: str) -> Response:
    """An answer with an ETag for its body."""
    etag = f'"{body.decode()}"'
    lines = [("Content-Type", "text/plain"), ("Cache-Control", cache_control), ("ETag", etag)]
    lines += [(name.replace("_", "-"), value) for name, value in more.items()]
    lines.append(("Content-Length", str(len(body))))
    return Response(200, Headers(lines), BytesBody(body))


def part(first: int, last: int) -> Response:
    """A part of the same object."""
    whole = ok()
    body = b"0123456789"[first : last + 1]
    headers = whole.headers.with_set("Content-Range", f"bytes {first}-{last}/10")
    headers = headers.with_set("Content-Length", str(len(body)))
    return Response(206, headers, BytesBody(body))


def site(
    shield: str = "", *functions: FunctionAssociation, cached: tuple[str, ...] = ("GET", "HEAD")
) -> Distribution:
    """A distribution whose origin has Origin Shield in a Region."""
    behavior = replace(
        BEHAVIOR,
        cache=FLEXIBLE,
        functions=functions,
        allowed_methods=("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"),
        cached_methods=cached,
        response_headers_policy=ResponseHeadersPolicy(
            "timed", server_timing=ServerTiming(True, 100)
        ),
    )
    web = replace(WEB, origin_shield_region=shield)
    return replace(SITE, origins={"web": web}, default_behavior=behavior)


def grouped(shields: Mapping[str, str]) -> Distribution:
    """The same with a group of the origins ``web`` and ``spare``."""
    plain = site()
    origins = {
        name: replace(WEB, id=name, domain_name=f"{name}.example", origin_shield_region=region)
        for name, region in shields.items()
    }
    group = OriginGroup("group", "web", "spare", frozenset({404, 503}))
    behavior = replace(plain.default_behavior, target_origin_id="group")
    return replace(
        plain, origins=origins, origin_groups={"group": group}, default_behavior=behavior
    )


@dataclass
class Seen:
    """What a viewer got, and what the log says of it."""

    response: Response
    body: bytes
    exchange: Exchange

    @property
    def told(self) -> tuple[str, str]:
        """X-Cache, and the detailed result type of the log."""
        x_cache = self.response.headers.get("X-Cache").removesuffix(" from cloudfront")
        return x_cache, self.exchange.detailed_result_type

    @property
    def layers(self) -> list[str]:
        """The layers that Server-Timing names."""
        metrics = self.response.headers.get("Server-Timing").split(",")
        return [metric for metric in metrics if "-layer;" in metric]

    @property
    def age(self) -> str:
        return self.response.headers.get("Age")


class Edge:
    """One edge location: a cache of its own before those that it shares."""

    def __init__(self, region: "Region") -> None:
        self.tiers = Tiers(cache(region.clock), region.shields, region.clock, region.regional)
        self._ended: list[Exchange] = []
        services = Services(
            self.tiers,
            cast(Any, region.origin),
            Hooks(region.lambdas, Functions()),
            region.clock,
            Chance(1),
            self,
        )
        self._location = EdgeLocation(region.distribution, services)

    def ended(self, exchange: Exchange) -> None:
        self._ended.append(exchange)

    async def ask(self, method: str = "GET", path: str = "/a", **headers: str) -> Seen:
        lines = [("Host", "site.example"), ("x-edgeproxy-explain", "1")]
        lines += [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = await self._location(Request(method, path, headers=Headers(lines)))
        body = b"".join([chunk async for chunk in response.body])
        assert response.on_delivered is not None
        response.on_delivered(Delivered(len(body)))
        return Seen(response, body, self._ended[-1])


@dataclass
class Origins:
    """Answers in the order given, repeating the last, or by origin ID; remembers the requests."""

    answers: list[Response | Exception | Mapping[str, Response | Exception]]
    asked: list[tuple[str, Request]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self, request: Request, origin: model.Origin, begun: None = None) -> Response:
        self.asked.append((origin.id, request))
        await self.gate.wait()
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = given[origin.id] if isinstance(given, Mapping) else given
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def look_up(self, origin: model.Origin, viewer_scheme: str) -> None:
        """Every name resolves."""

    def then(self, *answers: Response | Exception | Mapping[str, Response | Exception]) -> None:
        self.answers = list(answers)


class Region:
    """Edge locations with one origin, and what lies between; the clock stands still."""

    def __init__(
        self,
        distribution: Distribution,
        *answers: Response | Exception | Mapping[str, Response | Exception],
        regional: bool = True,
        lambdas: Lambdas | None = None,
    ) -> None:
        self.clock = StandingClock()
        self.distribution = distribution
        self.lambdas = lambdas or Lambdas(AssertionError("no function is associated"))
        self.origin = Origins(list(answers))
        self.origin.gate.set()
        self.shields = cache(self.clock)
        self.regional = cache(self.clock) if regional else None
        self.near, self.far = Edge(self), Edge(self)

    @property
    def count(self) -> int:
        """How often the origin was asked."""
        return len(self.origin.asked)


async def idle() -> None:
    """Until nothing runs that needs no outside event."""
    for _ in range(50):
        await asyncio.sleep(0)


class TestRegionalEdgeCache:
    @pytest.mark.rule("CDN-ST-07")
    async def test_it_answers_the_misses_of_all_edge_locations(self) -> None:
        region = Region(site(), ok())
        miss = await region.near.ask()
        hit = await region.far.ask()
        again = await region.far.ask()
        assert miss.told == ("Miss", "Miss")
        assert miss.layers == ['cdn-upstream-layer;desc="REC"']
        assert hit.told == ("Hit", "Hit")
        assert hit.layers == ['cdn-hit-layer;desc="REC"']
        assert again.layers == ['cdn-hit-layer;desc="EDGE"']
        assert [seen.body for seen in (miss, hit, again)] == [b"0123456789"] * 3
        assert region.count == 1

    async def test_what_answered_is_told_in_words_too(self) -> None:
        region = Region(site(), ok())
        seen = [await region.near.ask(), await region.far.ask(), await region.far.ask()]
        assert [
            each.response.headers.get("x-edgeproxy-why").partition(":")[0] for each in seen
        ] == [
            "Miss by regional edge cache",
            "Hit in regional edge cache",
            "Hit",
        ]
        names = [step.name for step in seen[0].exchange.steps]
        assert names == ["behavior", "cache", "regional edge cache", "origin"]

    async def test_the_cache_behind_gives_its_reason_first(self) -> None:
        region = Region(site(), ok("max-age=1, stale-if-error=60"))
        await region.near.ask()
        region.clock.advance(3)
        region.origin.then(DOWN)
        seen = await region.near.ask()
        assert seen.response.headers.get("x-edgeproxy-why") == (
            "Hit in regional edge cache: expired 2 s ago (max-age=1); the origin failed with 502, "
            "the stale object stands in; at the edge: expired 2 s ago (max-age=1); "
            "stored for 0 s (max-age=1)"
        )

    @pytest.mark.rule("CDN-VAL-18")
    async def test_age_and_lifetime_go_on(self) -> None:
        region = Region(site(), ok(Age="7"))
        await region.near.ask()
        region.clock.advance(40)
        assert (await region.far.ask()).age == "47"
        region.clock.advance(19)
        assert (await region.far.ask()).age == "66"
        assert region.count == 1
        region.clock.advance(2)
        assert (await region.far.ask()).told == ("Miss", "Miss"), "61 s after the origin sent it"

    async def test_expires_counts_from_the_origin_s_answer_too(self) -> None:
        region = Region(site(), ok(""))
        now = region.clock.now()
        region.origin.then(ok("", Expires=format_date(now + 60)))
        await region.near.ask()
        region.clock.advance(59)
        assert (await region.far.ask()).told == ("Hit", "Hit")
        region.clock.advance(2)
        await region.far.ask()
        assert region.count == 2

    @pytest.mark.rule("CDN-VAL-03")
    async def test_one_revalidation_serves_all(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        await region.far.ask()
        region.clock.advance(61)
        region.origin.then(UNCHANGED)
        assert (await region.near.ask()).told == ("RefreshHit", "RefreshHit")
        region.clock.advance(10)
        late = await region.far.ask()
        assert (late.told, late.age, late.body) == (("Hit", "Hit"), "10", b"0123456789")
        assert region.origin.asked[-1][1].headers.get("If-None-Match") == '"0123456789"'
        assert region.count == 2
        region.clock.advance(51)
        await region.far.ask()
        assert region.count == 3, "the new lifetime began when the origin answered"

    async def test_an_edge_location_that_has_the_object_alone_still_revalidates_it(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        assert region.regional is not None
        await region.regional.invalidate(SITE.id, ["/*"])
        region.clock.advance(61)
        region.origin.then(UNCHANGED)
        seen = await region.near.ask()
        assert (seen.told, seen.body) == (("RefreshHit", "RefreshHit"), b"0123456789")

    @pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
    async def test_methods_that_write_go_past_it(self, method: str) -> None:
        region = Region(site(), ok())
        seen = await region.near.ask(method)
        assert seen.layers == ['cdn-upstream-layer;desc="EDGE"']
        assert (await region.far.ask(method)).told == ("Miss", "Miss")
        assert region.count == 2

    async def test_options_goes_past_it_although_it_is_cached(self) -> None:
        region = Region(site(cached=("GET", "HEAD", "OPTIONS")), ok())
        await region.near.ask("OPTIONS")
        assert (await region.near.ask("OPTIONS")).told == ("Hit", "Hit")
        assert (await region.far.ask("OPTIONS")).told == ("Miss", "Miss")

    async def test_what_caching_is_off_for_goes_past_it(self) -> None:
        distribution = site()
        off = replace(distribution.default_behavior, cache=CachePolicy("Off", 0, 0, 0))
        region = Region(replace(distribution, default_behavior=off), ok())
        assert (await region.near.ask()).layers == ['cdn-upstream-layer;desc="EDGE"']
        assert (await region.far.ask()).told == ("Miss", "Miss")

    async def test_a_head_request_finds_what_get_has_stored(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        head = await region.far.ask("HEAD")
        assert (head.told, head.body) == (("Hit", "Hit"), b"")
        assert head.response.headers.get("Content-Length") == "10"
        assert (await region.far.ask()).body == b"0123456789"
        assert region.count == 1

    @pytest.mark.rule("CDN-RNG-01")
    async def test_a_range_of_what_it_has_whole(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        part = await region.far.ask(Range="bytes=2-4")
        assert (part.response.status, part.body) == (206, b"234")
        assert part.response.headers.get("Content-Range") == "bytes 2-4/10"
        assert part.told == ("Hit", "Hit")
        assert (await region.far.ask()).body == b"0123456789"
        assert region.count == 1

    @pytest.mark.rule("CDN-RNG-02", "CDN-RNG-10")
    async def test_parts_of_an_object(self) -> None:
        region = Region(site(), part(0, 3))
        assert (await region.near.ask(Range="bytes=0-3")).body == b"0123"
        region.clock.advance(10)
        stored = await region.far.ask(Range="bytes=1-2")
        assert (stored.response.status, stored.body, stored.age) == (206, b"12", "10")
        assert stored.told == ("Hit", "Hit")
        region.origin.then(part(4, 9))
        whole = await region.far.ask()
        assert (whole.response.status, whole.body) == (200, b"0123456789")
        assert region.origin.asked[-1][1].headers.get("Range") == "bytes=4-9"
        assert (await region.near.ask()).body == b"0123456789"
        assert region.count == 2

    async def test_a_condition_that_it_can_answer(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        seen = await region.far.ask(If_None_Match='"0123456789"')
        assert (seen.response.status, seen.told) == (304, ("Hit", "Hit"))
        assert (await region.far.ask()).body == b"0123456789"
        assert region.count == 1

    @pytest.mark.rule("CDN-ERR-02", "CDN-XC-04")
    async def test_errors_are_kept_for_all_for_as_long_as_for_one(self) -> None:
        region = Region(site(), Response(404))
        assert (await region.near.ask()).told[0] == "Error"
        region.clock.advance(9)
        assert (await region.far.ask()).told[0] == "Error"
        assert region.count == 1
        region.clock.advance(2)
        region.origin.then(ok())
        assert (await region.far.ask()).told == ("Miss", "Miss")

    async def test_a_failed_origin_is_kept_with_its_detailed_result_type(self) -> None:
        region = Region(site(), DOWN)
        for edge in (region.near, region.far):
            seen = await edge.ask()
            assert (seen.response.status, seen.told) == (502, ("Error", "OriginConnectError"))
            assert seen.exchange.id.encode() in seen.body
        assert region.count == 1

    async def test_a_function_s_error_is_stored_nowhere(self) -> None:
        lambdas = Lambdas(returned({"status": "not a status"}))
        region = Region(site("", associated("origin-request")), ok(), lambdas=lambdas)
        for edge in (region.near, region.near, region.far):
            assert (await edge.ask()).told == ("LambdaValidationError", "LambdaValidationError")
        assert len(lambdas.events) == 3

    @pytest.mark.rule("LE-ORDER-01")
    async def test_functions_of_origin_events_run_behind_it(self) -> None:
        lambdas = Lambdas(returned({"status": "200", "body": "made"}))
        region = Region(site("", associated("origin-request")), ok(), lambdas=lambdas)
        first, second = await region.near.ask(), await region.far.ask()
        assert (first.told[1], second.told[1]) == ("MissGeneratedResponse", "Hit")
        assert (first.body, second.body) == (b"made", b"made")
        assert len(lambdas.events) == 1

    @pytest.mark.rule("CDN-VAL-06")
    async def test_a_stale_object_of_the_region_stands_in_for_a_failed_origin(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        region.clock.advance(61)
        region.origin.then(DOWN)
        for edge in (region.far, region.far, region.near):
            seen = await edge.ask()
            assert (seen.told, seen.body, seen.age) == (("Hit", "Hit"), b"0123456789", "61")
        assert region.count == 2, "the origin is left in peace for ten seconds"
        region.clock.advance(11)
        region.origin.then(ok(body=b"new"))
        assert (await region.far.ask()).body == b"new"

    async def test_a_stale_object_of_the_edge_stands_in_when_the_region_has_the_error(self) -> None:
        region = Region(site(), ok())
        await region.near.ask()
        region.clock.advance(61)
        assert region.regional is not None
        await region.regional.invalidate(SITE.id, ["/*"])
        region.origin.then(Response(503))
        assert (await region.far.ask()).response.status == 503
        assert (await region.near.ask()).body == b"0123456789"
        assert region.count == 2

    async def test_stale_while_revalidate(self) -> None:
        region = Region(site(), ok("max-age=60, stale-while-revalidate=60"))
        await region.near.ask()
        region.clock.advance(61)
        region.origin.then(ok("max-age=60, stale-while-revalidate=60", b"new"))
        stale = await region.far.ask()
        assert (stale.told, stale.body, stale.age) == (("Hit", "Hit"), b"0123456789", "61")
        await idle()
        bodies: list[bytes] = []
        for _ in range(5):
            bodies.append((await region.near.ask()).body)
            bodies.append((await region.far.ask()).body)
            await idle()
        assert bodies[-2:] == [b"new", b"new"]
        assert region.count == 2

    @pytest.mark.rule("CDN-COL-01")
    async def test_misses_of_all_edge_locations_are_one_request(self) -> None:
        region = Region(site(), ok(Age="5"))
        region.origin.gate.clear()
        asking = [asyncio.create_task(edge.ask()) for edge in (region.near, region.far)]
        await idle()
        region.origin.gate.set()
        first, second = await asyncio.gather(*asking)
        assert (first.told, second.told) == (("Miss", "Miss"), ("Hit", "Hit"))
        assert (second.body, second.age) == (b"0123456789", "5")
        assert region.count == 1
        region.clock.advance(50)
        assert (await region.far.ask()).age == "55"

    @pytest.mark.rule("CDN-INV-02")
    async def test_an_invalidation_drops_the_object_in_all(self) -> None:
        region = Region(site(FAR), ok())
        for edge in (region.near, region.far):
            await edge.ask()
            await edge.ask(path="/b")
        assert await region.near.tiers.invalidate(SITE.id, ["/a"]) == 1
        region.origin.then(ok(body=b"new"))
        assert (await region.near.ask()).body == b"new"
        assert (await region.near.ask(path="/b")).told == ("Hit", "Hit")


@pytest.mark.rule("CDN-CFG-068", "CDN-OSH-02", "CDN-OSH-06")
@pytest.mark.parametrize("enabled", [True, False])
def test_the_definition_switches_origin_shield_on(
    deliver: Callable[..., Site], origin: Origin, enabled: bool
) -> None:
    shield = {"Enabled": enabled, "OriginShieldRegion": FAR}
    site = deliver(origin={"OriginShield": shield})
    assert site.get("/").x_cache == "Miss from cloudfront"
    [exchange] = site.exchanges(1)
    names = [step.name for step in exchange.steps]
    assert ("Origin Shield" in names) == enabled
    assert exchange.layer == ("Origin Shield" if enabled else "EDGE")
    lines = [
        line.treatment
        for line in site.running.program.project.report.lines
        if "OriginShield" in line.place.path
    ]
    assert set(lines) == {Treatment.HONOURED}


class TestOriginShield:
    @pytest.mark.rule("CDN-OSH-01", "CDN-OSH-02", "CDN-XC-12", "CDN-LOG-21")
    @pytest.mark.parametrize("regional", [False, True])
    async def test_a_hit_is_told_by_the_log_alone(self, regional: bool) -> None:
        region = Region(site(FAR), ok(), regional=regional)
        miss = await region.near.ask()
        if region.regional is not None:
            await region.regional.invalidate(SITE.id, ["/*"])
        region.clock.advance(10)
        hit = await region.far.ask()
        again = await region.far.ask()
        assert (miss.told, miss.exchange.result_type) == (("Miss", "Miss"), "Miss")
        assert miss.layers == ['cdn-upstream-layer;desc="Origin Shield"']
        assert (hit.told, hit.exchange.result_type) == (("Miss", "OriginShieldHit"), "Miss")
        assert hit.layers == ['cdn-hit-layer;desc="Origin Shield"']
        assert (hit.body, hit.age) == (b"0123456789", "10")
        assert again.told == ("Hit", "Hit")
        assert region.count == 1

    @pytest.mark.rule("CDN-OSH-01")
    async def test_misses_of_all_edge_locations_meet_there(self) -> None:
        region = Region(site(FAR), ok(), regional=False)
        region.origin.gate.clear()
        asking = [asyncio.create_task(edge.ask()) for edge in (region.near, region.far)]
        await idle()
        region.origin.gate.set()
        assert [seen.body for seen in await asyncio.gather(*asking)] == [b"0123456789"] * 2
        assert region.count == 1

    @pytest.mark.rule("CDN-OSH-02")
    @pytest.mark.parametrize("regional", [False, True])
    async def test_in_the_region_of_the_regional_cache_it_is_that_cache(
        self, regional: bool
    ) -> None:
        region = Region(site(NEAR), ok(), regional=regional)
        await region.near.ask()
        hit = await region.far.ask()
        assert hit.told == ("Hit", "Hit")
        assert hit.layers == ['cdn-hit-layer;desc="REC"']
        assert [step.name for step in hit.exchange.steps].count("regional edge cache") == 1
        assert region.count == 1

    async def test_a_refreshed_object_and_an_error_have_their_usual_values(self) -> None:
        region = Region(site(FAR), ok(), regional=False)
        await region.near.ask()
        region.clock.advance(61)
        region.origin.then(UNCHANGED)
        assert (await region.far.ask()).told == ("RefreshHit", "RefreshHit")
        region.origin.then(Response(404))
        await region.near.ask(path="/none")
        assert (await region.far.ask(path="/none")).told == ("Error", "Error")
        assert region.count == 3

    @pytest.mark.rule("CDN-OSH-03")
    @pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE", "OPTIONS"])
    async def test_what_is_not_cached_passes_through(self, method: str) -> None:
        region = Region(site(FAR), ok())
        for edge in (region.near, region.far):
            seen = await edge.ask(method)
            assert seen.told == ("Miss", "Miss")
            assert seen.layers == ['cdn-upstream-layer;desc="Origin Shield"']
        assert region.count == 2

    @pytest.mark.rule("CDN-OSH-03")
    async def test_with_caching_off_everything_passes_through(self) -> None:
        distribution = site(FAR)
        off = replace(distribution.default_behavior, cache=CachePolicy("Off", 0, 0, 0))
        region = Region(replace(distribution, default_behavior=off), ok())
        for edge in (region.near, region.far):
            assert (await edge.ask()).told == ("Miss", "Miss")
        assert region.count == 2

    @pytest.mark.rule("CDN-OSH-04", "LE-ORDER-09")
    async def test_functions_of_origin_events_run_behind_it(self) -> None:
        lambdas = Lambdas(returned({"status": "200", "body": "made"}))
        region = Region(site(FAR, associated("origin-request")), ok(), lambdas=lambdas)
        assert (await region.near.ask()).body == b"made"
        assert (await region.far.ask()).body == b"made"
        assert len(lambdas.events) == 1

    @pytest.mark.rule("CDN-OSH-05", "CDN-OG-07", "CDN-OG-13")
    async def test_failover_asks_the_shield_of_one_origin_and_then_that_of_the_other(self) -> None:
        distribution = grouped({"web": FAR, "spare": "ap-south-1"})
        answers = {"web": Response(404), "spare": ok()}
        region = Region(distribution, answers, regional=False)
        first, second = await region.near.ask(), await region.far.ask()
        assert (first.body, second.body) == (b"0123456789", b"0123456789")
        assert second.told == ("Miss", "OriginShieldHit")
        names = [step.name for step in second.exchange.steps][2:]
        assert names == ["Origin Shield", "origin", "failover", "Origin Shield"]
        assert [name for name, _ in region.origin.asked] == ["web", "spare", "web"]

    @pytest.mark.rule("CDN-OG-17")
    @pytest.mark.parametrize("failing", [Response(503), DOWN])
    async def test_a_stale_object_in_a_shield_waits_for_both_origins(
        self, failing: Response | Exception
    ) -> None:
        distribution = grouped({"web": FAR, "spare": FAR})
        region = Region(distribution, {"web": ok(), "spare": ok(body=b"spare")}, regional=False)
        for edge in (region.near, region.far):
            await edge.ask()
        region.clock.advance(61)
        region.origin.then({"web": failing, "spare": ok(body=b"spare")})
        assert (await region.near.ask()).body == b"spare"
        region.origin.then({"web": failing, "spare": Response(503)})
        await region.shields.invalidate(SITE.id, ["/*"])
        assert (await region.far.ask()).body == b"0123456789"

    @pytest.mark.rule("CDN-VAL-06", "CDN-ERR-16")
    async def test_a_stale_object_in_a_shield_stands_in_for_an_origin_that_is_down(self) -> None:
        region = Region(site(FAR), ok(), regional=False)
        await region.near.ask()
        region.clock.advance(61)
        region.origin.then(DOWN)
        for _ in range(2):
            assert (await region.far.ask()).body == b"0123456789"
            assert (await region.far.ask(path="/none")).response.status == 502
        assert region.count == 3, "the origin is left in peace for ten seconds"

    @pytest.mark.rule("CDN-VAL-14")
    async def test_a_revalidation_that_fails_behind_a_shield_is_no_news(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        region = Region(site(FAR), ok("max-age=60, stale-while-revalidate=60"), regional=False)
        await region.near.ask()
        region.clock.advance(61)
        region.origin.then(DOWN)
        assert (await region.far.ask()).body == b"0123456789"
        await idle()
        assert region.count == 2
        assert not caplog.records

    @pytest.mark.rule("CDN-OSH-05")
    async def test_an_origin_without_one_is_asked_by_each_edge_location(self) -> None:
        distribution = grouped({"web": FAR, "spare": ""})
        answers = {"web": Response(404), "spare": ok()}
        region = Region(distribution, answers, regional=False)
        for edge in (region.near, region.far):
            assert (await edge.ask()).told == ("Miss", "Miss")
        assert [name for name, _ in region.origin.asked] == ["web", "spare"] * 2
