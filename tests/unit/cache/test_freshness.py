from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.cache.freshness import CacheRules, NotStorable, Storable, judge, varies_on_everything
from edgeproxy.http.headers import Headers

NOW = 1_800_000_000.0

seconds = st.integers(0, 1000)
directives = st.lists(
    st.sampled_from(["no-store", "no-cache", "private", "public", "must-revalidate"])
    | st.builds(
        "{}={}".format,
        st.sampled_from(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]),
        st.integers(-10, 2000),
    )
).map(", ".join)


@st.composite
def rules(draw: st.DrawFn) -> CacheRules:
    low, middle, high = sorted(draw(st.tuples(seconds, seconds, seconds)))
    return CacheRules(low, middle, high, draw(st.dictionaries(st.integers(400, 599), seconds)))


@given(st.integers(100, 599), directives, rules())
def test_no_lifetime_leaves_the_frame_of_the_behavior(
    status: int, control: str, frame: CacheRules
) -> None:
    match judge(status, Headers([("Cache-Control", control)]), frame, NOW):
        case NotStorable(why):
            assert why
        case Storable() as storable:
            assert storable.why
            assert storable.ttl_s <= frame.max_ttl_s
            assert status >= 400 or storable.ttl_s >= frame.min_ttl_s
            assert storable.ttl_s + storable.stale_while_revalidate_s <= frame.max_ttl_s
            assert (storable.stale_if_error_s or 0) <= frame.max_ttl_s


def test_only_a_star_of_its_own_varies_on_everything() -> None:
    assert varies_on_everything(Headers([("Vary", "Accept"), ("Vary", "Cookie, *")]))
    assert not varies_on_everything(Headers([("Vary", "X-*")]))
    assert not varies_on_everything(Headers())
