"""Asks the cache for a request's object, and says what the viewer gets from it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

from edgeproxy.cache.cache import Obtained
from edgeproxy.cache.entry import Hit
from edgeproxy.cache.fetched import Layer, Outcome
from edgeproxy.cache.freshness import CacheRules, NotStorable, Storable
from edgeproxy.cache.freshness import Decision as Stored
from edgeproxy.cache.key import CacheKey, cache_key
from edgeproxy.distribution.model import Behavior, Distribution
from edgeproxy.edge.delivery import shape
from edgeproxy.edge.outcomes import FUNCTION_FAILURES, Scene
from edgeproxy.edge.pages import origin_error_page
from edgeproxy.edge.passage import Passage, StoredAs, Verdict
from edgeproxy.edge.tiers import LAYER_NAMES, Asked, FillAsked
from edgeproxy.exchange.model import Decision, Exchange, Step
from edgeproxy.http.body import EMPTY_BODY
from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailureKind

__all__ = ["SWITCHED_OFF", "found", "look_up", "why_uncacheable", "with_default_root_object"]

SWITCHED_OFF: Final = "the cache is switched off"

_ORIGIN_FAILURES: Final = frozenset(OriginFailureKind)

_Key: TypeAlias = CacheKey | Callable[[], CacheKey] | None


async def look_up(
    passage: Passage,
    scene: Scene,
    request: Request,
    rules: CacheRules,
    fill: FillAsked,
) -> Verdict:
    """The object for ``request``: from the cache, or brought by ``fill`` and kept by ``rules``."""
    with passage.exchange.step("cache", before=request) as step:
        why_not = why_uncacheable(scene.behavior, request)
        key: _Key = None
        if why_not:
            obtained = Obtained.uncached(await fill(None, None), why_not)
        elif rules.disabled or not passage.services.tiers.is_on:
            # Only the record has a use for its key: it is made when somebody reads that.
            keyed = request if request.body is EMPTY_BODY else replace(request, body=EMPTY_BODY)
            key = partial(cache_key, scene.distribution, scene.behavior, keyed, scene.generated)
            why_not = rules.why_disabled if rules.disabled else SWITCHED_OFF
            obtained = Obtained.uncached(await fill(None, None), why_not)
        else:
            key = cache_key(scene.distribution, scene.behavior, request, scene.generated)
            asked = Asked(request, key, rules)
            obtained = await passage.services.tiers.obtain(
                passage.exchange, asked, partial(fill, asked)
            )
        now = passage.services.clock.now()
        return found(scene, step, request, key, obtained, now)


def found(
    scene: Scene,
    step: Step,
    request: Request,
    key: _Key,
    obtained: Obtained,
    now: float,
) -> Verdict:
    """What the viewer gets of what the cache has; ``key`` is None for what is not cacheable."""
    if isinstance(key, CacheKey):
        scene.exchange.cache_key = key.digest
    obtained = _with_own_page(obtained, scene.exchange.id)
    entry = obtained.entry
    facts = partial(
        _facts,
        key,
        obtained.outcome,
        obtained.layer,
        obtained.stored,
        obtained.age_s,
        None if entry is None else (entry.fresh_until - entry.stored_at, entry.because),
    )
    step.decision = Decision(obtained.outcome, obtained.lookup.why, facts)
    response = shape(request, obtained, now)
    step.after = response
    looked_up = obtained.lookup
    is_stored = isinstance(looked_up, Hit) and not looked_up.collapsed and obtained.entry
    is_plain = is_stored and response.status < 400
    return Verdict(
        response,
        _result_type(obtained, response.status),
        _detail(obtained, response.status),
        partial(_explain, obtained, scene.exchange, now),
        obtained.outcome,
        obtained.layer or Layer.EDGE,
        StoredAs(key.digest, scene.behavior) if isinstance(key, CacheKey) and is_plain else None,
    )


def _with_own_page(obtained: Obtained, request_id: str) -> Obtained:
    """CloudFront's page for a failed origin names this request, cached or not (CDN-GEN-03)."""
    if obtained.detail not in _ORIGIN_FAILURES:
        return obtained
    kept = obtained.response
    page = origin_error_page(kept.status, obtained.detail, request_id)
    return replace(obtained, response=replace(kept, body=page.body))


def with_default_root_object(distribution: Distribution, request: Request) -> Request:
    """``/`` is served as the default root object, after the viewer-request function (CDN-ROOT)."""
    if request.path != "/" or not distribution.default_root_object:
        return request
    return replace(request, path=f"/{distribution.default_root_object}")


def why_uncacheable(behavior: Behavior, request: Request) -> str:
    """Why the cache is not asked for such a request; empty when it is."""
    if request.upgrade:
        return "an upgraded connection is never cached"
    if request.method not in behavior.cached_methods:
        return f"{request.method} is not among CachedMethods"
    return ""


def _result_type(obtained: Obtained, status: int) -> str:
    """The value of ``X-Cache`` (CDN-XC-01 to 10)."""
    if obtained.detail in FUNCTION_FAILURES:
        return obtained.detail
    if obtained.detail == "MissGeneratedResponse" and obtained.outcome == "Miss":
        return "LambdaGeneratedResponse"  # LE-GEN-17 (U)
    if status >= 400:
        return "Error"
    # A hit in Origin Shield has no value of its own (CDN-XC-12); the log tells (CDN-OSH-02).
    return "Miss" if _is_shield_hit(obtained) else obtained.outcome


def _detail(obtained: Obtained, status: int) -> str:
    if status < 400 and _is_shield_hit(obtained):
        return "OriginShieldHit"
    return obtained.detail


def _is_shield_hit(obtained: Obtained) -> bool:
    return obtained.layer is Layer.SHIELD and obtained.outcome == "Hit"


def _explain(obtained: Obtained, exchange: Exchange, now: float) -> str:
    parts = [f"{obtained.outcome}: {obtained.lookup.why}"]
    if obtained.layer is not None:
        name = LAYER_NAMES[obtained.layer]
        how = f"{obtained.outcome} {'by' if obtained.outcome == 'Miss' else 'in'} {name}"
        # Who waited for another viewer's request has asked no cache behind this one.
        steps = [step for step in exchange.steps if step.name == name]
        parts = [f"{how}: {step.decision.why}" for step in steps[-1:] if step.decision]
        parts.append(f"{'at the edge' if parts else how}: {obtained.lookup.why}")
    match obtained.stored:
        case Storable(ttl_s=ttl_s, why=why):
            # Its lifetime began when a cache behind this one got it.
            since = obtained.entry.stored_at if obtained.entry else obtained.received_at
            if since is not None:
                ttl_s -= max(0, int(now - since))
            parts.append(f"stored for {max(0, ttl_s)} s ({why})")
        case NotStorable(why=why):
            parts.append(f"not stored ({why})")
        case None:
            pass
    return "; ".join(parts)


def _facts(
    key: _Key,
    outcome: Outcome,
    layer: Layer | None,
    stored: Stored | None,
    age_s: int | None,
    lifetime: tuple[float, str] | None,
) -> dict[str, object]:
    """For the record; it does not hold on to the object itself.

    ``lifetime`` is that of the object which is the answer, in seconds, and what decided it.
    """
    facts: dict[str, object] = {"outcome": outcome, "layer": layer or Layer.EDGE}
    if key is not None:
        parts = key.parts if isinstance(key, CacheKey) else key().parts
        facts["key"] = [
            {"part": part.label, "value": part.value, "because": part.because} for part in parts
        ]
    match stored:
        case Storable(ttl_s=ttl_s, why=why):
            facts |= {"ttl_s": ttl_s, "ttl_why": why}
        case NotStorable(why=why):
            facts |= {"ttl_s": None, "ttl_why": why}
        case None if lifetime is not None:
            facts |= {"ttl_s": int(lifetime[0]), "ttl_why": lifetime[1]}
        case None:
            pass
    if age_s is not None:
        facts["age_s"] = age_s
    return facts
