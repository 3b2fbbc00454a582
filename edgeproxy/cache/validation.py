"""May a stored object be used now, and what does the origin's answer to a revalidation mean?

Pure: the time comes in as an argument. An object is fresh, or stale, or not there. A stale one
may still be served at once (``stale-while-revalidate``, or while a failed origin is left in
peace); otherwise the origin is asked, with validators where the rules allow them.
"""

from dataclasses import replace
from typing import Final

from edgeproxy.cache.entry import Entry, Hit, Lookup, Miss, Stale, initial_age, make_entry
from edgeproxy.cache.freshness import (
    CacheRules,
    Decision,
    NotStorable,
    Storable,
    judge,
    varies_on_everything,
)
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.parts import is_table
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import EMPTY_HEADERS, Headers

__all__ = ["after_failure", "look_up", "refresh", "validators"]

# What a 304 says about these does not fit the stored body, or is about the connection.
_NOT_REFRESHED: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "keep-alive",
        "trailer",
        "transfer-encoding",
    }
)


def look_up(entry: Entry | None, now: float) -> Lookup:
    """What the stored object, if any, is good for at ``now``."""
    if entry is None:
        return Miss("nothing stored for this key")
    if now < entry.fresh_until:
        return Hit(entry.fresh_until - now, entry.because)
    over = f"expired {int(now - entry.fresh_until)} s ago ({entry.because})"
    if entry.status >= 400:
        return Miss(f"the stored error {over}")
    if now < min(entry.retry_at, entry.on_error_until):
        wait_s = int(entry.retry_at - now)
        return Stale(f"{over}; the origin failed and is asked again in {wait_s} s", True, False)
    if now < entry.while_revalidating_until:
        left_s = int(entry.while_revalidating_until - now)
        return Stale(f"{over}; stale-while-revalidate for {left_s} s more", usable=True)
    return Stale(over)


def validators(entry: Entry, rules: CacheRules) -> Headers | None:
    """The conditional headers of a revalidation (CDN-VAL-01), or None for a full fetch.

    None when cookies are forwarded (CDN-VAL-02), and for an object without ``ETag`` and
    ``Last-Modified``. Empty for ``Vary: *`` with MinTTL 0: then the viewer's own do not go to the
    origin either (CDN-TTL-25).
    """
    headers = entry.headers
    if not rules.min_ttl_s and varies_on_everything(headers):
        return EMPTY_HEADERS
    if rules.forwards_cookies:
        return None
    lines = [
        (condition, headers.get(name))
        for condition, name in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
        if name in headers
    ]
    return Headers(lines) if lines else None


def refresh(
    key: CacheKey, entry: Entry, headers: Headers, rules: CacheRules, now: float
) -> tuple[Entry, Decision]:
    """The object after the origin's 304 with ``headers``, and whether it stays stored.

    The 304's header lines replace stored ones of the same name, its Date (or ``now``) starts the
    lifetime anew (CDN-VAL-03). When it may not stay, the object is still good for this answer.
    """
    merged = entry.headers.with_set("Date", format_date(now))
    for name in dict(headers):
        if name.lower() not in _NOT_REFRESHED:
            merged = merged.with_set(name, *headers.get_all(name))
    decision = judge(200 if is_table(entry) else entry.status, merged, rules, now)
    if isinstance(decision, NotStorable):
        storable = Storable(0, decision.why, stale_if_error_s=0)
    else:
        storable = decision
    renewed = make_entry(
        key, entry.status, entry.reason, merged, entry.body, storable, now, entry.detail
    )
    return replace(renewed, initial_age_s=initial_age(headers)), decision


def after_failure(entry: Entry, status: int, rules: CacheRules, now: float) -> Entry | None:
    """The stale object that stands in for an origin that answered ``status``, or None.

    It may when the status is 5xx and ``stale-if-error`` does not end or forbid it (CDN-VAL-06,
    07, 11). The origin is left in peace for the error's caching time.
    """
    if status < 500 or now >= entry.on_error_until:
        return None
    return replace(entry, retry_at=now + rules.error_ttl_s(status))
