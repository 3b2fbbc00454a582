"""Whether an origin's answer may be stored, and for how long it is fresh.

The behavior's TTLs frame what the origin's headers say (CDN-TTL); answers from 400 on have rules
of their own, led by ``ErrorCachingMinTTL`` (CDN-ERR). Pure: the time comes in as an argument, the
result carries its reason in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

from edgeproxy.cache.directives import CacheControl, parse_cache_control
from edgeproxy.cache.invalidation import tags_in
from edgeproxy.distribution.forwarded import forwards_cookies
from edgeproxy.distribution.model import (
    Behavior,
    Distribution,
    LegacyCacheSettings,
    SelectionKind,
)
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.http.dates import parse_date
from edgeproxy.http.headers import Headers

__all__ = [
    "CacheRules",
    "Decision",
    "NotStorable",
    "Storable",
    "cache_rules",
    "error_page_rules",
    "judge",
    "varies_on_everything",
]

_DEFAULT_ERROR_TTL_S: Final = 10
_S3_ERROR_TTL_S: Final = 1

# CDN-ERR-03. 410 is named by one sentence only (U): it is passed on and not cached (CDN-ERR-15).
_ERRORS_ALWAYS_CACHED: Final = frozenset({404, 414, 500, 501, 502, 503, 504})
_ERRORS_CACHED_BY_AGE: Final = frozenset({400, 403, 405, 412, 415})
_ERRORS_THAT_HEED_DIRECTIVES: Final = frozenset({404, 414, 501})

# The answer depends on the viewer's own condition or range, which no cache key holds.
_ANSWERS_TO_ONE_VIEWER: Final = {
    206: "206 is a part of the object, for the viewer's own range",
    304: "304 answers the viewer's own condition (CDN-VAL-16)",
    412: "412 answers the viewer's own condition",
    416: "416 answers the viewer's own range (CDN-RNG-07)",
}


@dataclass(frozen=True, slots=True)
class CacheRules:
    """What a behavior says about caching; times in seconds."""

    min_ttl_s: int
    default_ttl_s: int
    max_ttl_s: int
    error_ttls: Mapping[int, int] = field(default_factory=dict)
    """``ErrorCachingMinTTL`` by status, for the statuses that have an entry."""
    forwards_cookies: bool = False
    is_s3: bool = False
    forwards_all_headers: bool = False
    """The legacy header list is ``*``: nothing is cached (CDN-KEY-30)."""
    tag_header: str = ""
    """The header in which the origin names cache tags (CDN-INV-17)."""

    @property
    def disabled(self) -> bool:
        """Caching is off: nothing is stored, nothing collapsed (CDN-TTL-19, CDN-KEY-30)."""
        return self.forwards_all_headers or not (
            self.max_ttl_s or self.default_ttl_s or self.min_ttl_s
        )

    @property
    def why_disabled(self) -> str:
        """The reason for :attr:`disabled`, in words."""
        if self.forwards_all_headers:
            return "caching is off: all headers are forwarded (legacy setting *)"
        return "caching is off: MinTTL, DefaultTTL and MaxTTL are 0"

    @property
    def may_collapse(self) -> bool:
        """Whether one fetch may serve several waiting viewers (CDN-COL-03, CDN-COL-04)."""
        return not (self.disabled or self.forwards_cookies)

    def error_ttl_s(self, status: int) -> int:
        """``ErrorCachingMinTTL`` of ``status`` (CDN-ERR-01, CDN-ERR-02, CDN-ERR-10)."""
        default = _S3_ERROR_TTL_S if self.is_s3 and not self.min_ttl_s else _DEFAULT_ERROR_TTL_S
        return self.error_ttls.get(status, default)


@dataclass(frozen=True, slots=True)
class Storable:
    """The answer may be stored: fresh for ``ttl_s`` seconds, because of ``why``.

    ``stale_while_revalidate_s`` and ``stale_if_error_s`` count from the end of the fresh time and
    are already cut to MaxTTL; None in the latter sets no limit (CDN-VAL-06).
    """

    ttl_s: int
    why: str
    stale_while_revalidate_s: int = 0
    stale_if_error_s: int | None = None
    hidden: tuple[str, ...] = ()
    """Headers that the stored object goes without (CDN-TTL-11)."""
    releases: bool = False
    """Viewers who wait for this fetch must each ask the origin (CDN-COL-05)."""
    tags: tuple[str, ...] = ()
    """The object's cache tags, in small letters (CDN-INV-17)."""


@dataclass(frozen=True, slots=True)
class NotStorable:
    """The answer must not be stored, because of ``why``."""

    why: str


Decision: TypeAlias = Storable | NotStorable


def cache_rules(distribution: Distribution, behavior: Behavior) -> CacheRules:
    """The cache rules of one behavior, error lifetimes of its distribution included."""
    return _rules_of(distribution)(behavior)


@PreparedOnce
def _rules_of(distribution: Distribution) -> PreparedOnce[Behavior, CacheRules]:
    return PreparedOnce(partial(_cache_rules, distribution))


def _cache_rules(distribution: Distribution, behavior: Behavior) -> CacheRules:
    settings = behavior.cache
    target = behavior.target_origin_id
    group = distribution.origin_groups.get(target)
    return CacheRules(
        settings.min_ttl_s,
        settings.default_ttl_s,
        settings.max_ttl_s,
        {
            status: custom.error_caching_min_ttl_s
            for status, custom in distribution.custom_error_responses.items()
        },
        forwards_cookies=forwards_cookies(behavior),
        is_s3=distribution.origins[group.primary if group else target].is_s3,
        forwards_all_headers=isinstance(settings, LegacyCacheSettings)
        and settings.headers.kind is SelectionKind.ALL,
        tag_header=distribution.cache_tag_header,
    )


def error_page_rules(
    distribution: Distribution,
    page_behavior: Behavior,
    status: int,
    error_headers: Headers,
    rules: CacheRules,
    now: float,
) -> CacheRules:
    """The rules for storing a custom error page (CDN-CEP-09).

    Under the default behavior the page lives as long as the error of ``status`` that it stands
    for, whatever the page's own headers say; ``rules`` are those the error was judged by. Another
    behavior's own TTLs decide.
    """
    page_rules = cache_rules(distribution, page_behavior)
    if page_rules.disabled or page_behavior is not distribution.default_behavior:
        return page_rules
    ttl_s, _ = _error_lifetime(
        status, error_headers, parse_cache_control(error_headers), rules, now
    )
    return replace(page_rules, min_ttl_s=ttl_s, default_ttl_s=ttl_s, max_ttl_s=ttl_s)


def judge(status: int, headers: Headers, rules: CacheRules, now: float) -> Decision:
    """Whether an answer of the origin may be stored, for how long, and why."""
    decision = _judge(status, headers, rules, now)
    if isinstance(decision, Storable) and (tags := tags_in(headers, rules.tag_header)):
        return replace(decision, tags=tags)
    return decision


def _judge(status: int, headers: Headers, rules: CacheRules, now: float) -> Decision:
    if rules.disabled:
        return NotStorable(rules.why_disabled)
    if status >= 400:
        return _judge_error(status, headers, rules, now)
    if status < 200 or status in _ANSWERS_TO_ONE_VIEWER:
        return NotStorable(_ANSWERS_TO_ONE_VIEWER.get(status, f"{status} is not a final answer"))
    directives = parse_cache_control(headers)
    if not rules.min_ttl_s:
        if directives.no_store or directives.private:
            # CDN-TTL-09 (U): no copy of a private answer is kept.
            return NotStorable(f"{directives.forbidding} with MinTTL 0")
        if directives.no_cache:
            return _storable(0, "no-cache with MinTTL 0", directives, rules, revalidates=True)
        if varies_on_everything(headers):
            return _storable(0, "Vary: * with MinTTL 0", directives, rules, revalidates=True)
    elif directives.forbidding:
        why = f"MinTTL {rules.min_ttl_s} (origin said {directives.forbidding})"
        return _storable(rules.min_ttl_s, why, directives, rules)
    asked = _asked_lifetime(headers, directives, now)
    if asked is None:
        # CDN-TTL-02: MaxTTL does not cut this one.
        ttl_s = max(rules.min_ttl_s, rules.default_ttl_s)
        setting = "DefaultTTL" if ttl_s == rules.default_ttl_s else "MinTTL"
        return _storable(ttl_s, f"{setting} {ttl_s} (no caching header)", directives, rules)
    seconds, why = asked
    if seconds < rules.min_ttl_s:
        return _storable(rules.min_ttl_s, f"MinTTL {rules.min_ttl_s} ({why})", directives, rules)
    if seconds > rules.max_ttl_s:
        return _storable(rules.max_ttl_s, f"MaxTTL {rules.max_ttl_s} ({why})", directives, rules)
    return _storable(seconds, why, directives, rules)


def varies_on_everything(headers: Headers) -> bool:
    """``Vary: *`` (CDN-TTL-25)."""
    return "*" in map(str.strip, (headers.joined("Vary") or "").split(","))


def _storable(
    ttl_s: int, why: str, directives: CacheControl, rules: CacheRules, revalidates: bool = False
) -> Storable:
    while_s, if_error_s = directives.stale_while_revalidate_s or 0, directives.stale_if_error_s
    zero_age = directives.age is not None and directives.age[1] == 0 and ttl_s == 0
    return Storable(
        ttl_s,
        why,
        # MaxTTL counts the whole age here (CDN-VAL-10). An object that each request must
        # revalidate is not served stale meanwhile.
        0 if revalidates else max(0, min(while_s, rules.max_ttl_s - ttl_s)),
        None if if_error_s is None else min(if_error_s, rules.max_ttl_s),
        directives.hidden,
        releases=revalidates or zero_age,
    )


def _asked_lifetime(
    headers: Headers, directives: CacheControl, now: float
) -> tuple[int, str] | None:
    """What the origin's headers ask for and how they say it (CDN-TTL-01, CDN-TTL-04)."""
    if directives.age is not None:
        name, seconds = directives.age
        return seconds, f"{name}={seconds}"
    if "Expires" not in headers:
        return None
    expires = parse_date(headers.get("Expires"))
    if expires is None:
        return 0, "Expires is not a date"
    date = parse_date(headers.get("Date"))
    seconds = int(expires - (now if date is None else date))
    return (seconds, f"Expires in {seconds} s") if seconds > 0 else (0, "Expires is past")


def _judge_error(status: int, headers: Headers, rules: CacheRules, now: float) -> Decision:
    directives = parse_cache_control(headers)
    if status in _ERRORS_CACHED_BY_AGE and directives.age is None:
        return NotStorable(f"{status} without max-age or s-maxage")
    if status not in _ERRORS_CACHED_BY_AGE | _ERRORS_ALWAYS_CACHED:
        return NotStorable(_ANSWERS_TO_ONE_VIEWER.get(status, f"{status} is never cached"))
    if status in _ERRORS_THAT_HEED_DIRECTIVES and directives.forbidding:
        return NotStorable(f"{status} with {directives.forbidding}")
    ttl_s, why = _error_lifetime(status, headers, directives, rules, now)
    if ttl_s == 0:
        return NotStorable(why)
    return Storable(ttl_s, why, stale_if_error_s=0, hidden=directives.hidden)


def _error_lifetime(
    status: int, headers: Headers, directives: CacheControl, rules: CacheRules, now: float
) -> tuple[int, str]:
    """CDN-ERR-06 and CDN-ERR-08."""
    ttl_s = rules.error_ttl_s(status)
    why = f"ErrorCachingMinTTL {ttl_s} for {status}"
    asked = None if directives.forbidding else _asked_lifetime(headers, directives, now)
    if asked is not None and asked[0] > ttl_s:
        ttl_s, why = asked
    if ttl_s > rules.max_ttl_s:
        return rules.max_ttl_s, f"MaxTTL {rules.max_ttl_s} ({why})"
    return ttl_s, why
