"""What an edge location would do with a request, without doing it."""

from dataclasses import dataclass

from edgeproxy.cache.cache import Cache
from edgeproxy.cache.freshness import CacheRules, NotStorable, Storable, cache_rules, judge
from edgeproxy.cache.key import CacheKey, cache_key
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    Distribution,
    EventType,
    LegacyCacheSettings,
    Origin,
)
from edgeproxy.edge.admission import Refused, admit
from edgeproxy.edge.delivery import without_vain_range
from edgeproxy.edge.explain_forwarding import forwarded
from edgeproxy.edge.lookup import SWITCHED_OFF, why_uncacheable, with_default_root_object
from edgeproxy.edge.outcomes import generated_headers
from edgeproxy.http.headers import EMPTY_HEADERS
from edgeproxy.http.messages import Request, Response

__all__ = ["Question", "cache_settings_name", "explain", "first_origin"]


@dataclass(frozen=True, slots=True)
class Question:
    """What ``explain`` is asked: ``url`` is a whole URL or a path.

    ``answer`` is an answer that the origin might give; only its status and headers count.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    answer: Response | None = None


async def explain(
    distribution: Distribution,
    request: Request,
    now: float,
    *,
    cache: Cache | None = None,
    answer: Response | None = None,
) -> dict[str, object]:
    """Behavior, functions, cache key, TTLs and what the origin would get, as a JSON document.

    ``now``, in seconds since 1970, decides about signatures. With ``cache`` it says what lies there
    for the request, with ``answer`` what would become of such an answer of the origin. Functions
    are not run: what they would change is not in the document.
    """
    behavior = match_behavior(distribution, request.path)
    document: dict[str, object] = {
        "distribution": {
            "logical_id": distribution.logical_id,
            "id": distribution.id,
            "domain_name": distribution.domain_name,
        },
        "behavior": {
            "path_pattern": behavior.path_pattern,
            "default": behavior is distribution.default_behavior,
            "target_origin_id": behavior.target_origin_id,
            "cache_policy": cache_settings_name(behavior),
            "origin_request_policy": getattr(behavior.origin_request_policy, "name", None),
            "response_headers_policy": getattr(behavior.response_headers_policy, "name", None),
        },
        "functions": [
            {"event_type": f.event_type, "kind": f.kind, "name": f.function}
            for event_type in EventType
            if (f := behavior.function_for(event_type)) is not None
        ],
    }
    admission = admit(distribution, behavior, request, "explained", now)
    if isinstance(admission, Refused):
        refusal = {"status": admission.response.status, "why": admission.why}
        return {**document, "admitted": False, "refused": refusal}
    document["admitted"] = True
    request = without_vain_range(with_default_root_object(distribution, request))
    generated = generated_headers(behavior, request)
    rules = cache_rules(distribution, behavior)
    document["cache"] = await _cache(
        rules, cache_key(distribution, behavior, request, generated), behavior, request, cache
    )
    if answer is not None:
        document["answer"] = _judged(answer, rules, now)
    origin = first_origin(distribution, behavior)
    document["origin"] = {"id": origin.id, "domain_name": origin.domain_name}
    document["forwarded"] = forwarded(request, behavior, origin, generated)
    return document


async def _cache(
    rules: CacheRules, key: CacheKey, behavior: Behavior, request: Request, cache: Cache | None
) -> dict[str, object]:
    why_not = why_uncacheable(behavior, request) or (rules.disabled and rules.why_disabled)
    if not why_not and cache is not None and not cache.is_on:
        why_not = SWITCHED_OFF
    if why_not:
        return {"cacheable": False, "why": why_not}
    return {
        "cacheable": True,
        "key": [
            {"part": part.label, "value": part.value, "because": part.because} for part in key.parts
        ],
        "min_ttl_s": rules.min_ttl_s,
        "default_ttl_s": rules.default_ttl_s,
        "max_ttl_s": rules.max_ttl_s,
        "ttl_source": _ttl_source(behavior),
        "collapses_requests": rules.may_collapse,
        "now": None if cache is None else await _found(cache, key, request),
    }


async def _found(cache: Cache, key: CacheKey, request: Request) -> dict[str, object]:
    """What a viewer would get of the cache right now."""
    asked = request.headers if request.method == "GET" else EMPTY_HEADERS
    entry, lookup = await cache.look(key, asked, has_body=request.method != "HEAD")
    found: dict[str, object] = {"lookup": type(lookup).__name__, "why": lookup.why}
    if entry is not None:
        found |= {"status": entry.status, "stored_at": entry.stored_at}
    return found


def _judged(answer: Response, rules: CacheRules, now: float) -> dict[str, object]:
    match judge(answer.status, answer.headers, rules, now):
        case Storable(ttl_s=ttl_s, why=why) as storable:
            return {
                "stored": True,
                "ttl_s": ttl_s,
                "why": why,
                "stale_while_revalidate_s": storable.stale_while_revalidate_s,
                "stale_if_error_s": storable.stale_if_error_s,
            }
        case NotStorable(why=why):
            return {"stored": False, "why": why}


def cache_settings_name(behavior: Behavior) -> str:
    """The name of the cache policy, or of the older settings in its place."""
    match behavior.cache:
        case CachePolicy(name=name):
            return name
        case LegacyCacheSettings():
            return "ForwardedValues"


def _ttl_source(behavior: Behavior) -> str:
    settings = behavior.cache
    return (
        f"the origin's Cache-Control or Expires, held between MinTTL {settings.min_ttl_s} and "
        f"MaxTTL {settings.max_ttl_s}; DefaultTTL {settings.default_ttl_s} when it sends neither "
        f"({cache_settings_name(behavior)})"
    )


def first_origin(distribution: Distribution, behavior: Behavior) -> Origin:
    """The origin that is asked first where no function chooses another."""
    group = distribution.origin_groups.get(behavior.target_origin_id)
    return distribution.origins[group.primary if group else behavior.target_origin_id]
