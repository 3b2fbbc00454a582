"""Why a recorded request went as it did: its cache key, its lifetime, what was forwarded.

The record says what was decided; the settings of its distribution, as they are now, say because of
what.
"""

from collections.abc import Iterator

from edgeproxy.cache.entry import Entry
from edgeproxy.cache.freshness import CacheRules, cache_rules
from edgeproxy.cache.key import CacheKey, cache_key
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    Distribution,
    LegacyCacheSettings,
)
from edgeproxy.edge.explain import cache_settings_name, first_origin
from edgeproxy.edge.explain_forwarding import forwarded
from edgeproxy.edge.outcomes import generated_headers
from edgeproxy.exchange.model import Exchange, Step
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query

__all__ = ["key_of", "reasons"]


def key_of(distribution: Distribution, exchange: Exchange) -> CacheKey | None:
    """The cache key of a recorded request; None for one that never came to the cache."""
    step = _cache_step(exchange)
    if step is None:
        return None
    behavior, request = _behavior(distribution, exchange), step.before
    assert isinstance(request, Request)
    return cache_key(distribution, behavior, request, generated_headers(behavior, request))


def reasons(
    distribution: Distribution, exchange: Exchange, stored: Entry | None, now: float
) -> dict[str, object]:
    """The reasons as a JSON document; ``stored`` is what lies under the request's key ``now``.

    ``key`` and ``not_in_key`` are empty for a request that never came to the cache.
    """
    behavior = _behavior(distribution, exchange)
    rules = cache_rules(distribution, behavior)
    document: dict[str, object] = {
        "path_pattern": behavior.path_pattern,
        "cache_settings": cache_settings_name(behavior),
        "key": [],
        "not_in_key": [],
        "ttl": {"seconds": None, "because": "", "bounds": _bounds(rules)},
        "expires_in_s": None,
        "would_hit_if": "",
        "forwarded": [],
        "withheld": [],
    }
    step = _cache_step(exchange)
    if step is None or step.decision is None:
        return document | {"would_hit_if": _before_the_cache(exchange)}
    request, facts = step.before, step.decision.facts
    assert isinstance(request, Request)
    key = facts.get("key", [])
    assert isinstance(key, list)
    known = {part["part"] for part in key}
    because = {
        "seconds": facts.get("ttl_s"),
        "because": facts.get("ttl_why", ""),
        "bounds": _bounds(rules),
    }
    expires_in_s = None if stored is None else stored.fresh_until - now
    sent = forwarded(
        request,
        behavior,
        first_origin(distribution, behavior),
        generated_headers(behavior, request),
    )
    return document | {
        "key": key,
        "not_in_key": [
            {"part": part, "value": value, "because": why}
            for part, value, why in _not_in_key(behavior, request)
            if part not in known
        ],
        "ttl": because,
        "expires_in_s": expires_in_s,
        "would_hit_if": _would_hit_if(step, expires_in_s),
        "forwarded": [*_sent(sent, exchange)],
        "passed": sent["passed"],
        "withheld": sent["withheld"],
    }


def _cache_step(exchange: Exchange) -> Step | None:
    """That of the request itself; an error page of the distribution's own has another."""
    return next((step for step in exchange.steps if step.name == "cache"), None)


def _behavior(distribution: Distribution, exchange: Exchange) -> Behavior:
    for behavior in distribution.all_behaviors:
        if behavior.path_pattern == exchange.path_pattern:
            return behavior
    return match_behavior(distribution, exchange.request.path)


def _bounds(rules: CacheRules) -> dict[str, int]:
    return {
        "min_ttl_s": rules.min_ttl_s,
        "default_ttl_s": rules.default_ttl_s,
        "max_ttl_s": rules.max_ttl_s,
    }


def _not_in_key(behavior: Behavior, request: Request) -> Iterator[tuple[str, str, str]]:
    """Each part of the request that a key may have, and why this behavior's has it not."""
    settings, name = behavior.cache, cache_settings_name(behavior)
    for header, value in request.headers:
        lower = header.lower()
        if lower != "cookie":
            why = f"{name}: headers {settings.headers.kind}"
            if lower == "accept-encoding":
                why = f"{name}: neither gzip nor Brotli is asked of origins"
            yield f"header {lower}", value, why
    for cookie, value in parse_cookies(request.headers.get_all("Cookie")):
        yield f"cookie {cookie}", value, f"{name}: cookies {settings.cookies.kind}"
    for parameter, text in parse_query(request.query or ""):
        yield f"query string {parameter}", text or "", f"{name}: {_query_kind(behavior)}"


def _query_kind(behavior: Behavior) -> str:
    match behavior.cache:
        case LegacyCacheSettings() as legacy if legacy.query_string_cache_keys:
            return "QueryStringCacheKeys"
        case LegacyCacheSettings(query_string=taken):
            return f"QueryString {str(taken).lower()}"
        case CachePolicy(query_strings=selection):
            return f"query strings {selection.kind}"


def _sent(explained: dict[str, object], exchange: Exchange) -> Iterator[dict[str, object]]:
    """The headers of the request to the origin as it was sent, or would have been for a hit."""
    headers = explained["headers"]
    assert isinstance(headers, list)
    because = {line["name"].lower(): line["because"] for line in headers}
    lines = [(line["name"], line["value"]) for line in headers]
    for step in exchange.steps:
        if step.name == "origin" and isinstance(step.before, Request):
            lines = list(step.before.headers)
            break
    for name, value in lines:
        why = because.get(name.lower(), "set by a function, or by the cache to revalidate")
        yield {"header": name, "value": value, "because": why}


def _before_the_cache(exchange: Exchange) -> str:
    if any(run.error for run in exchange.functions):
        return "the function at viewer-request had not failed: the cache was not asked"
    if any(step.name == "admission" for step in exchange.steps):
        return "the request had been admitted: the cache was not asked"
    return "the function at viewer-request had let the request go on: the cache was not asked"


def _would_hit_if(step: Step, expires_in_s: float | None) -> str:
    """What would have made it a hit, to be read after "it would have been a hit if"."""
    assert step.decision is not None
    kind, why, facts = step.decision.kind, step.decision.why, step.decision.facts
    if kind == "Hit":
        return ""
    if "ttl_s" not in facts:
        return f"this were not so: {why}"
    if facts["ttl_s"] is None:
        return f"an earlier answer could have been stored; this one was not: {facts['ttl_why']}"
    if facts["ttl_s"] == 0:
        return f"its answers had a lifetime: {facts['ttl_why']}"
    if kind == "RefreshHit" or "expired" in why:
        return f"it had come before the object expired: {why}"
    again = "" if expires_in_s is None or expires_in_s <= 0 else ", as the next one will"
    return f"a request with the same key had come up to {facts['ttl_s']} s before it{again}"
