"""What the caches of an edge location do together, apart from answering."""

from edgeproxy.cache.invalidation import invalidation
from edgeproxy.edge.tiers import Asked, Tiers, revalidating
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from tests.unit.cache.scenes import FLEXIBLE, ScriptedOrigin, StandingClock, answer, key
from tests.unit.edge.scenes import cache, request, scene


class Stage:
    """Two edge locations with one regional cache, and an origin."""

    def __init__(self) -> None:
        clock = StandingClock()
        regional = cache(clock)
        self.near, self.far = (Tiers(cache(clock), cache(clock), clock, regional) for _ in range(2))
        self.origin = ScriptedOrigin(answer(cache_control="max-age=60"))

    async def get(self, tiers: Tiers, path: str) -> str:
        """The outcome for a viewer."""
        asked = Asked(request(path), key(path), FLEXIBLE)
        obtained = await tiers.obtain(scene().exchange, asked, self.origin)
        await obtained.response.body.close()
        return obtained.outcome


async def test_the_count_is_that_of_the_cache_with_most_of_the_objects() -> None:
    stage = Stage()
    for path in ("/a/1", "/a/2"):
        await stage.get(stage.near, path)
    await stage.get(stage.far, "/a/1")
    assert await stage.far.invalidate("E1", ["/a/*"]) == 2


async def test_what_another_edge_dropped_is_forgotten_by_the_edge_alone() -> None:
    stage = Stage()
    for tiers in (stage.near, stage.far):
        await stage.get(tiers, "/a")
    await stage.far.forget(invalidation("E1", ["/a"]))
    assert stage.far.regional is not None
    kept, _ = await stage.far.regional.look(key("/a"))
    dropped, _ = await stage.far.edge.look(key("/a"))
    assert (kept is not None, dropped) == (True, None)


def test_a_cache_s_own_conditions_replace_all_of_the_viewer_s() -> None:
    lines = [("Range", "bytes=0-1"), ("If-Match", "x"), ("Accept", "*/*")]
    asked = revalidating(Headers(lines), Headers([("If-None-Match", '"1"')]))
    assert list(asked) == [("Accept", "*/*"), ("If-None-Match", '"1"')]
    assert list(revalidating(Headers(lines[:2]), EMPTY_HEADERS)) == []
