"""Asks the cache for a request's object, and says what the viewer gets from it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import CacheRules, NotStorable, Storable
from edgeproxy.cache.key import CacheKey, cache_key
from edgeproxy.edge.cloudfront_hook import FUNCTION_FAILURES as CLOUDFRONT_FAILURES
from edgeproxy.edge.delivery import shape
from edgeproxy.edge.lambda_hook import FUNCTION_FAILURES as LAMBDA_FAILURES
from edgeproxy.edge.outcomes import Scene
from edgeproxy.edge.pages import origin_error_page
from edgeproxy.edge.passage import Passage, Verdict
from edgeproxy.exchange.model import Decision
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailureKind

__all__ = ["look_up"]

_ORIGIN_FAILURES: Final = frozenset(OriginFailureKind)
_FUNCTION_FAILURES: Final = CLOUDFRONT_FAILURES | LAMBDA_FAILURES


async def look_up(
    passage: Passage,
    scene: Scene,
    request: Request,
    rules: CacheRules,
    fill: Callable[[Headers | None], Awaitable[Fetched]],
) -> Verdict:
    """The object for ``request``: from the cache, or brought by ``fill`` and kept by ``rules``."""
    with passage.exchange.step("cache", before=request) as step:
        why_not = _why_uncacheable(scene, request)
        if why_not:
            key = None
            fetched = await fill(None)
            obtained = Obtained.uncached(fetched, why_not)
        else:
            key = cache_key(passage.distribution, scene.behavior, request, scene.generated)
            obtained = await passage.services.cache.obtain(
                key,
                rules,
                fill,
                may_store=request.method != "HEAD",  # Its answer has no body (CDN-MTH-08).
            )
        obtained = _with_own_page(obtained, passage.exchange.id)
        step.decision = _decision(obtained, key)
        response = shape(request, obtained, passage.services.clock.now())
        step.after = response
    return Verdict(
        response,
        _result_type(obtained, response.status),
        obtained.detail,
        _explain(obtained),
        obtained.outcome,
    )


def _with_own_page(obtained: Obtained, request_id: str) -> Obtained:
    """CloudFront's page for a failed origin names this request, cached or not (CDN-GEN-03)."""
    if obtained.detail not in _ORIGIN_FAILURES:
        return obtained
    kept = obtained.response
    page = origin_error_page(kept.status, obtained.detail, request_id)
    return replace(obtained, response=replace(kept, body=page.body))


def _why_uncacheable(scene: Scene, request: Request) -> str:
    if request.upgrade:
        return "an upgraded connection is never cached"
    if request.method not in scene.behavior.cached_methods:
        return f"{request.method} is not among CachedMethods"
    return ""


def _result_type(obtained: Obtained, status: int) -> str:
    """The value of ``X-Cache`` (CDN-XC-01 to 10)."""
    if obtained.detail in _FUNCTION_FAILURES:
        return obtained.detail
    if obtained.detail == "MissGeneratedResponse" and obtained.outcome == "Miss":
        return "LambdaGeneratedResponse"  # LE-GEN-17 (U)
    return "Error" if status >= 400 else obtained.outcome


def _explain(obtained: Obtained) -> str:
    parts = [f"{obtained.outcome}: {obtained.lookup.why}"]
    match obtained.stored:
        case Storable(ttl_s=ttl_s, why=why):
            parts.append(f"stored for {ttl_s} s ({why})")
        case NotStorable(why=why):
            parts.append(f"not stored ({why})")
        case None:
            pass
    return "; ".join(parts)


def _decision(obtained: Obtained, key: CacheKey | None) -> Decision:
    facts: dict[str, object] = {"outcome": obtained.outcome}
    if key is not None:
        facts["key"] = [
            {"part": part.label, "value": part.value, "because": part.because} for part in key.parts
        ]
    match obtained.stored:
        case Storable(ttl_s=ttl_s, why=why):
            facts |= {"ttl_s": ttl_s, "ttl_why": why}
        case NotStorable(why=why):
            facts |= {"ttl_s": None, "ttl_why": why}
        case None:
            pass
    if obtained.age_s is not None:
        facts["age_s"] = obtained.age_s
    return Decision(obtained.outcome, obtained.lookup.why, facts)
