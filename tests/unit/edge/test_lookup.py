"""What X-Cache says about each way an object came to be."""

from dataclasses import replace
from typing import Any, cast

import pytest

from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import cache_rules
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.lookup import look_up
from edgeproxy.edge.passage import Passage, Services, Verdict
from edgeproxy.edge.tiers import Asked
from edgeproxy.exchange.model import Decision
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from tests.unit.cache.scenes import answer
from tests.unit.edge.scenes import (
    BEHAVIOR,
    SITE,
    Functions,
    Lambdas,
    request,
    returned,
    scene,
    tiers,
)
from tests.unit.entrypoints.fakes import Recording


class Stage:
    """A cache and a filler that gives ``fetched``."""

    def __init__(self) -> None:
        clock = Clock()
        hooks = Hooks(Lambdas(returned(None)), Functions())
        self.services = Services(
            tiers(clock), cast(Any, None), hooks, clock, Chance(1), Recording()
        )
        self.fills = 0

    async def ask(self, fetched: Fetched, asked: Request | None = None) -> tuple[Verdict, Decision]:
        where = scene()

        async def fill(asked: Asked | None, conditions: Headers | None) -> Fetched:
            self.fills += 1
            return fetched

        passage = Passage(SITE, self.services, where.exchange)
        rules = cache_rules(SITE, BEHAVIOR)
        verdict = await look_up(passage, where, asked or request(), rules, fill)
        await verdict.response.body.close()
        [step] = where.exchange.steps
        assert step.decision is not None
        return verdict, step.decision


@pytest.mark.rule("CDN-XC-01", "CDN-XC-02")
async def test_a_miss_then_a_hit() -> None:
    stage = Stage()
    fresh = answer(cache_control="max-age=60")
    miss, decision = await stage.ask(fresh)
    assert (miss.result_type, miss.outcome, decision.facts["ttl_s"]) == ("Miss", "Miss", 60)
    assert miss.why.startswith("Miss: nothing stored for this key; stored for 60 s (")
    hit, decision = await stage.ask(fresh)
    assert (hit.result_type, stage.fills) == ("Hit", 1)
    assert decision.facts["age_s"] == 0
    key = decision.facts["key"]
    assert isinstance(key, list)
    assert all(part["because"] for part in key)


@pytest.mark.parametrize(
    ("fetched", "result_type"),
    [
        pytest.param(answer(404), "Error", marks=pytest.mark.rule("CDN-XC-04")),
        pytest.param(
            answer(detail="MissGeneratedResponse"),
            "LambdaGeneratedResponse",
            marks=pytest.mark.rule("LE-GEN-17"),
        ),
        pytest.param(
            replace(answer(503, detail="LambdaExecutionError"), may_store=False),
            "LambdaExecutionError",
            marks=pytest.mark.rule("CDN-XC-08"),
        ),
        pytest.param(
            replace(answer(502, detail="OriginConnectError"), may_store=False),
            "Error",
            marks=pytest.mark.rule("CDN-XC-04"),
        ),
    ],
)
async def test_what_a_filler_brings(fetched: Fetched, result_type: str) -> None:
    verdict, _ = await Stage().ask(fetched)
    assert verdict.result_type == result_type


@pytest.mark.rule("LE-GEN-12", "LE-GEN-17")
async def test_a_generated_response_is_a_plain_hit_the_next_time() -> None:
    stage = Stage()
    generated = answer(cache_control="max-age=60", detail="MissGeneratedResponse")
    await stage.ask(generated)
    verdict, _ = await stage.ask(generated)
    assert (verdict.result_type, stage.fills) == ("Hit", 1)


@pytest.mark.rule("CDN-MTH-04", "CDN-XC-02")
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
async def test_methods_that_are_not_cached(method: str) -> None:
    stage = Stage()
    for number in (1, 2):
        verdict, decision = await stage.ask(
            answer(cache_control="max-age=60"), request(method=method)
        )
        assert (verdict.result_type, stage.fills) == ("Miss", number)
        assert f"{method} is not among CachedMethods" in verdict.why
        assert "key" not in decision.facts


@pytest.mark.rule("CDN-MTH-08")
async def test_the_answer_to_head_is_not_the_object() -> None:
    stage = Stage()
    await stage.ask(answer(body=b"", cache_control="max-age=60"), request(method="HEAD"))
    verdict, _ = await stage.ask(answer(cache_control="max-age=60"))
    assert (verdict.result_type, stage.fills) == ("Miss", 2)
