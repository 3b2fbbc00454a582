"""The cache over the control listener: the switch, and what is dropped."""

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.origin import Answer, Origin

KEPT = {"Cache-Control": "max-age=60", "Content-Type": "text/plain"}


@pytest.fixture
def site(edge: Edge, origin: Origin) -> Site:
    origin.answer = Answer(headers=KEPT)
    return edge.serve(origin.url)


@pytest.mark.parametrize("regional", ["off", "memory"])
def test_the_switch(edge: Edge, origin: Origin, regional: str) -> None:
    origin.answer = Answer(headers=KEPT)
    site = edge.serve(origin.url, regional_cache=regional)
    assert call(site, "GET", "/api/cache/switch") == (200, {"enabled": True})
    site.get("/a")
    # Often enough that the connection itself would answer.
    assert {site.get("/a").x_cache for _ in range(4)} == {"Hit from cloudfront"}

    off = call(site, "POST", "/api/cache/switch", {"enabled": False})
    assert off == (200, {"enabled": False})
    assert {site.get("/a").x_cache for _ in range(3)} == {"Miss from cloudfront"}
    assert {site.get("/b").x_cache for _ in range(2)} == {"Miss from cloudfront"}
    assert len(origin.got) == 6
    (newest,) = site.exchanges(1)[:1]
    _, detail = call(site, "GET", f"/api/exchanges/{newest.id}")
    (decision,) = (s["decision"] for s in detail["steps"] if s["name"] == "cache")
    assert (decision["kind"], decision["why"]) == ("Miss", "the cache is switched off")
    explained = site.get("/a", headers={"x-edgeproxy-explain": "1"})
    assert "the cache is switched off" in (explained.headers.get("x-edgeproxy-why") or "")
    _, explanation = call(site, "POST", "/api/explain", {"url": "/a"})
    assert explanation["cache"] == {"cacheable": False, "why": "the cache is switched off"}

    assert call(site, "POST", "/api/cache/switch", {"enabled": True})[1] == {"enabled": True}
    assert site.get("/a").x_cache == "Hit from cloudfront"  # It was there all the time.
    assert site.get("/b").x_cache == "Miss from cloudfront"  # It was not put while it was off.


@pytest.mark.parametrize("enabled", ["false", 0, None, {}])
def test_the_switch_is_a_boolean(site: Site, enabled: object) -> None:
    status, answer = call(site, "POST", "/api/cache/switch", {"enabled": enabled})
    assert (status, answer["error"]["code"]) == (400, "InvalidArgument")
    assert call(site, "GET", "/api/cache/switch")[1] == {"enabled": True}


def test_everything_is_dropped(site: Site, origin: Origin) -> None:
    for path in ("/a", "/b?x=1", "/c"):
        site.get(path)
    assert call(site, "DELETE", "/api/cache") == (200, {"dropped": 3})
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert len(origin.got) == 4
