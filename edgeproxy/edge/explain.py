"""What an edge location would do with a request, without doing it."""

from collections.abc import Mapping
from dataclasses import replace

from edgeproxy.cache.freshness import cache_rules
from edgeproxy.cache.key import cache_key
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
from edgeproxy.edge.outcomes import generated_headers
from edgeproxy.edge.signature import Identity
from edgeproxy.http.messages import Request
from edgeproxy.origins.forwarding import origin_request, with_custom_headers

__all__ = ["explain"]


def explain(distribution: Distribution, request: Request, now: float) -> dict[str, object]:
    """Behavior, functions, cache key, TTLs and what the origin would get, as a JSON document.

    ``now``, in seconds since 1970, decides about signatures. Functions are not run: what they would
    change is not in the answer.
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
            "target_origin_id": behavior.target_origin_id,
            "cache_policy": _cache_settings_name(behavior),
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
    generated = generated_headers(behavior, request)
    document["cache"] = _cache(distribution, behavior, request, generated)
    origin = _first_origin(distribution, behavior)
    sent = with_custom_headers(
        origin_request(
            request,
            behavior,
            origin,
            generated=generated,
            request_id="<request id>",
            via=Identity().via(request.version),
        ),
        origin,
    )
    sent = replace(sent, path=origin.origin_path + sent.path)
    document["forwarded"] = {
        "origin": origin.id,
        "domain_name": origin.domain_name,
        "method": sent.method,
        "target": sent.target,
        "headers": [[name, value] for name, value in sent.headers],
    }
    return document


def _cache(
    distribution: Distribution, behavior: Behavior, request: Request, generated: Mapping[str, str]
) -> dict[str, object]:
    rules = cache_rules(distribution, behavior)
    if request.method not in behavior.cached_methods:
        return {"cacheable": False, "why": f"{request.method} is not among CachedMethods"}
    if rules.disabled:
        return {"cacheable": False, "why": rules.why_disabled}
    key = cache_key(distribution, behavior, request, generated)
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
    }


def _cache_settings_name(behavior: Behavior) -> str:
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
        f"({_cache_settings_name(behavior)})"
    )


def _first_origin(distribution: Distribution, behavior: Behavior) -> Origin:
    group = distribution.origin_groups.get(behavior.target_origin_id)
    return distribution.origins[group.primary if group else behavior.target_origin_id]
