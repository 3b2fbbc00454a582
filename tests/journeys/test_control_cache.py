"""The cache over the control listener: the switch, and what is dropped."""

from pathlib import Path

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


def test_what_is_stored(edge: Edge, origin: Origin) -> None:
    origin.answer = Answer(headers={**KEPT, "Content-Type": "text/<b>"})
    site = edge.serve(origin.url, cache_policy="UseOriginCacheControlHeaders")
    host = site.url.removeprefix("http://")
    for cookie, times in (("ab=a", 5), ("ab=<b>", 1)):
        for _ in range(times):
            site.get("/page", headers={"Cookie": cookie, "Host": host})
    site.get("/<script>alert(1)</script>")
    site.exchanges(7)
    status, document = call(site, "GET", "/api/cache")
    assert (status, document["count"], document["next"]) == (200, 3, None)
    assert 0 < document["bytes"] < document["max_bytes"]
    hostile, page = document["objects"]
    assert hostile["path"] == "/<script>alert(1)</script>"
    assert (page["distribution"], page["path"], page["query"]) == ("Default", "/page", None)
    cookies = {
        part["value"]: (variant, part["because"])
        for variant in page["variants"]
        for part in variant["key"]
        if part["part"] == "cookie ab"
    }
    assert cookies.keys() == {"a", "<b>"}
    variant, because = cookies["a"]
    assert because == "UseOriginCacheControlHeaders: cookies all"
    assert variant["hits"] == 4
    assert (variant["layer"], variant["status"], variant["bytes"]) == ("EDGE", 200, 15)
    assert (variant["content_type"], variant["ttl_s"]) == ("text/<b>", 60)
    assert 0 < variant["expires_in_s"] <= 60

    _, some = call(site, "GET", "/api/cache?path=/pa&limit=1")
    _, rest = call(site, "GET", f"/api/cache?path=/pa&limit=1&after={some['next']}")
    ids = [each["objects"][0]["variants"][0]["id"] for each in (some, rest)]
    assert set(ids) == {each["id"] for each in page["variants"]}
    assert rest["next"] is None

    assert call(site, "DELETE", f"/api/cache/{variant['id']}") == (200, {"dropped": 1})
    assert call(site, "DELETE", f"/api/cache/{variant['id']}")[0] == 404
    headers = {"Cookie": "ab=a", "Host": host}
    assert site.get("/page", headers=headers).x_cache == "Miss from cloudfront"
    headers["Cookie"] = "ab=<b>"
    assert site.get("/page", headers=headers).x_cache == "Hit from cloudfront"


def test_parts_are_one_object(site: Site, origin: Origin) -> None:
    headers = {**KEPT, "ETag": '"1"', "Content-Range": "bytes 2-4/15"}
    origin.answer = Answer(206, headers, b"cde")
    site.get("/a", headers={"Range": "bytes=2-4"})
    _, document = call(site, "GET", "/api/cache")
    (found,) = document["objects"]
    (variant,) = found["variants"]
    assert (variant["status"], variant["bytes"]) == (206, 3)
    assert call(site, "DELETE", f"/api/cache/{variant['id']}")[0] == 200
    assert call(site, "GET", "/api/cache")[1]["count"] == 0


def test_every_layer_is_listed(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    origin.answer = Answer(headers=KEPT)
    site = edge.serve(origin.url, regional_cache="memory", cache_store="disk", state_dir=tmp_path)
    site.get("/a")
    site.exchanges(1)
    _, document = call(site, "GET", "/api/cache?distribution=Default")
    (found,) = document["objects"]
    assert [variant["layer"] for variant in found["variants"]] == ["EDGE", "REC"]
    assert call(site, "GET", "/api/cache?distribution=Other")[1]["objects"] == []
    assert call(site, "DELETE", f"/api/cache/{found['variants'][0]['id']}")[0] == 200
    assert call(site, "GET", "/api/cache")[1]["objects"] == []


@pytest.mark.parametrize("after", ["x", "e30=", "WzFd", "%00", "WyJhIiwgImIiLCAieHgiXQ=="])
def test_a_place_is_what_an_earlier_page_has_given(site: Site, after: str) -> None:
    status, answer = call(site, "GET", f"/api/cache?after={after}")
    assert (status, answer["error"]["code"]) == (400, "InvalidArgument")
    assert call(site, "DELETE", "/api/cache/no-number")[0] == 400
