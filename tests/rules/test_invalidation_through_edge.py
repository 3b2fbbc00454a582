"""Invalidations as one makes them: by tag, over the API, of rewritten paths; through an edge."""

import urllib.request
from functools import partial

import pytest

from edgeproxy.cache.invalidation import is_tag, tags_in
from edgeproxy.errors import UsageError
from edgeproxy.http.headers import Headers
from tests.support.aws import cloudfront, refused
from tests.support.command import Command, dev, run
from tests.support.origin import Answer

TAGGED = {"CacheTagConfig": {"HeaderName": "X-Tags"}}


def tagged(*lines: str) -> Answer:
    return Answer(headers={"Cache-Control": "max-age=600", "X-Tags": ", ".join(lines)})


def is_hit(site, path):
    return site.get(path).x_cache == "Hit from cloudfront"


@pytest.mark.rule("CDN-INV-17", "CDN-CFG-039")
def test_a_tag_takes_every_object_that_was_stored_with_it(deliver, origin):
    tags = {"/tv": "product:tv,Brand:Acme", "/radio": "brand:acme", "/index": "home", "/none": ""}
    origin.answer = lambda got: tagged(tags[got.target])
    site = deliver(**TAGGED)
    for path in tags:
        assert site.get(path).headers.get("X-Tags") == tags[path]
    assert site.invalidate("#brand:acme") == 2
    assert [path for path in tags if is_hit(site, path)] == ["/index", "/none"]
    assert site.invalidate("#home", "/none", "#product:tv") == 3
    assert site.invalidate("#unknown") == 0


@pytest.mark.rule("CDN-INV-17")
def test_tags_survive_a_revalidation_and_new_ones_replace_them(deliver, origin, shared):
    origin.answer = Answer(headers={"Cache-Control": "max-age=5", "ETag": '"1"', "X-Tags": "old"})
    site = deliver(**TAGGED)
    site.get("/a")
    origin.answer = Answer(304, headers={"Cache-Control": "max-age=5"})
    shared.clock.advance(seconds=10)
    assert site.get("/a").x_cache == "RefreshHit from cloudfront"
    assert site.invalidate("#old") == 1
    origin.answer = tagged("new")
    site.get("/a")
    assert (site.invalidate("#old"), site.invalidate("#new")) == (0, 1)


@pytest.mark.rule("CDN-INV-17")
def test_without_a_tag_header_there_are_no_tags(deliver, origin):
    origin.answer = tagged("red")
    site = deliver()
    site.get("/a")
    with pytest.raises(UsageError, match="has no CacheTagConfig"):
        site.invalidate("#red")
    assert is_hit(site, "/a")


@pytest.mark.rule("CDN-INV-18")
def test_what_is_a_tag(deliver, origin):
    longest = "x" * 256
    origin.answer = tagged("RED", "a b", "!~*", longest, longest + "x", "caf\u00e9")
    site = deliver(**TAGGED)
    for item, count in (("#red", 1), ("#Red", 0), (f"#{longest}", 1), ("#!~*", 1), ("#!*", 0)):
        site.get("/a")
        if count == 0:
            site.invalidate("/*")
        assert site.invalidate(item) == count
    for wrong in ("#a b", f"#{longest}x", "#", "#a,b", "#caf\u00e9"):
        with pytest.raises(UsageError, match="visible ASCII"):
            site.invalidate(wrong)
    assert not any(map(is_tag, ("", "a,b", "a b", "\x7f", "\x20")))


@pytest.mark.rule("CDN-INV-18")
def test_an_object_has_fifty_tags_and_no_more():
    named = [f"T{number}" for number in range(60)]
    lines = [("X-Tags", ",".join(named[:30])), ("x-tags", " , ".join(named[30:]))]
    assert tags_in(Headers(lines), "X-Tags") == tuple(name.lower() for name in named[:50])


@pytest.mark.rule("CDN-INV-17", "CDN-INV-18", "CDN-QUO-12")
def test_tags_over_the_api(deliver, origin):
    origin.answer = tagged("red")
    site = deliver(**TAGGED)
    client = cloudfront(site.endpoints["cloudfront_api"])
    (declared,) = site.endpoints["distributions"].values()
    config = client.get_distribution_config(Id=declared["id"])["DistributionConfig"]
    assert config["CacheTagConfig"] == {"HeaderName": "X-Tags"}

    def create(*items):
        batch = {"Paths": {"Quantity": len(items), "Items": items}, "CallerReference": str(items)}
        return {"DistributionId": declared["id"], "InvalidationBatch": batch}

    site.get("/a")
    site.get("/b")
    made = client.create_invalidation(**create("#RED", "/b"))["Invalidation"]
    assert made["InvalidationBatch"]["Paths"]["Items"] == ["#RED", "/b"]
    assert not is_hit(site, "/a")
    assert not is_hit(site, "/b")
    # A tag counts as a path, and never as a wildcard.
    client.create_invalidation(**create(*[f"#{number}*" for number in range(20)]))
    many = [f"#{number}" for number in range(3_001)]
    assert refused(client.create_invalidation, **create(*many)) == (413, "BatchTooLarge")
    for wrong in ("#a b", "#", "#" + "x" * 257):
        answer = refused(client.create_invalidation, **create(wrong))
        assert answer == (400, "InvalidArgument")


@pytest.mark.rule("CDN-INV-10")
def test_the_path_that_a_function_rewrote_is_the_one_to_invalidate(tmp_path, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=600"})
    code = "function handler(event) { event.request.uri = '/new'; return event.request; }"
    (tmp_path / "rewrite.js").write_text(code)
    with dev(origin.url, "--viewer-request-cff", "rewrite.js", cwd=tmp_path) as command:
        x_cache = partial(x_cache_of, command.endpoints["viewer"] + "/old")
        assert x_cache() == "Miss from cloudfront"
        assert invalidated(command, "/old") == "0 objects dropped"
        assert x_cache() == "Hit from cloudfront"
        assert invalidated(command, "/new", "/old") == "1 object dropped"
        assert x_cache() == "Miss from cloudfront"


def x_cache_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as response:
        return str(response.headers["X-Cache"])


def invalidated(command: Command, *items: str) -> str:
    done = run("invalidate", *items, "--control", command.endpoints["control"])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
