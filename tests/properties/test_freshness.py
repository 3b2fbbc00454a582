"""The table of lifetimes, written a second time as plainly as the guide puts it (CDN-TTL)."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.cache.freshness import CacheRules, NotStorable, judge
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers

NOW = 1_800_000_000
SECONDS = st.one_of(st.integers(0, 30), st.sampled_from([3600, 86_400, 31_536_000]))
_FORBIDDING = ("no-store", "no-cache", "private")


@dataclass(frozen=True)
class Said:
    """What an origin says about the lifetime of its answer."""

    s_maxage_s: int | None
    max_age_s: int | None
    expires_in_s: int | None
    flag: str

    @property
    def headers(self) -> Headers:
        control = [self.flag] if self.flag else []
        if self.s_maxage_s is not None:
            control.append(f"S-MaxAge={self.s_maxage_s}")
        if self.max_age_s is not None:
            control.append(f"Max-Age={self.max_age_s}")
        lines = [("Date", format_date(NOW))]
        if control:
            lines.append(("Cache-Control", ", ".join(control)))
        if self.expires_in_s is not None:
            lines.append(("Expires", format_date(NOW + self.expires_in_s)))
        return Headers(lines)

    @property
    def asked_s(self) -> int | None:
        """The seconds asked for; of several ways to ask the first in AWS's order counts."""
        for seconds in (self.s_maxage_s, self.max_age_s, self.expires_in_s):
            if seconds is not None:
                return max(0, seconds)
        return None


@st.composite
def frames(draw: st.DrawFn) -> CacheRules:
    """MinTTL, DefaultTTL and MaxTTL in the order that AWS insists on."""
    least, default, most = sorted(draw(st.tuples(SECONDS, SECONDS, SECONDS.filter(bool))))
    return CacheRules(least, default, most)


said = st.builds(
    Said,
    st.none() | SECONDS,
    st.none() | SECONDS,
    st.none() | SECONDS | SECONDS.map(int.__neg__),
    st.sampled_from(["", "public", "must-revalidate", *_FORBIDDING]),
)


def lifetime(status: int, answer: Said, rules: CacheRules) -> int | None:
    """The seconds an answer is fresh; None when it is not stored at all."""
    decision = judge(status, answer.headers, rules, NOW)
    return None if isinstance(decision, NotStorable) else decision.ttl_s


@pytest.mark.rule(
    "CDN-TTL-01", "CDN-TTL-02", "CDN-TTL-03", "CDN-TTL-04", "CDN-TTL-05", "CDN-TTL-06"
)
@given(st.sampled_from([200, 204, 301, 302, 307]), said, frames())
def test_the_table_of_lifetimes(status: int, answer: Said, rules: CacheRules) -> None:
    expected: int | None
    if answer.flag in _FORBIDDING:
        expected = rules.min_ttl_s
        if not rules.min_ttl_s and answer.flag != "no-cache":
            expected = None
    elif answer.asked_s is None:
        expected = max(rules.min_ttl_s, rules.default_ttl_s)
    else:
        expected = min(max(answer.asked_s, rules.min_ttl_s), rules.max_ttl_s)
    assert lifetime(status, answer, rules) == expected


@pytest.mark.rule("CDN-ERR-03", "CDN-ERR-04", "CDN-ERR-06", "CDN-ERR-07", "CDN-ERR-08")
@given(st.integers(400, 599), said, frames(), st.none() | SECONDS)
def test_the_table_of_error_lifetimes(
    status: int, answer: Said, rules: CacheRules, error_ttl_s: int | None
) -> None:
    if error_ttl_s is not None:
        rules = replace(rules, error_ttls={status: error_ttl_s})
    forbidden = answer.flag in _FORBIDDING
    always = status in {404, 414, 500, 501, 502, 503, 504}
    has_age = answer.s_maxage_s is not None or answer.max_age_s is not None
    cached = always or (status in {400, 403, 405, 412, 415} and has_age)
    if not cached or (forbidden and status in {404, 414, 501}):
        expected = 0
    else:
        asked = 0 if forbidden else answer.asked_s or 0
        expected = min(max(10 if error_ttl_s is None else error_ttl_s, asked), rules.max_ttl_s)
    assert (lifetime(status, answer, rules) or 0) == expected


@given(said, frames(), SECONDS)
def test_a_greater_min_ttl_never_shortens_a_lifetime(
    answer: Said, rules: CacheRules, more_s: int
) -> None:
    min_ttl_s = min(rules.min_ttl_s + more_s, rules.default_ttl_s)
    raised = lifetime(200, answer, replace(rules, min_ttl_s=min_ttl_s))
    assert (raised or 0) >= (lifetime(200, answer, rules) or 0)
