"""Why a request went as it did, and the distribution that made it so, over the control listener."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template

COOKIE = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        if request["uri"] == "/own":
            return {"status": "200", "body": "made here"}
        return request
"""
LEGACY = {
    "CachePolicyId": None,
    "OriginRequestPolicyId": None,
    "ForwardedValues": {
        "QueryString": True,
        "QueryStringCacheKeys": ["page"],
        "Cookies": {"Forward": "whitelist", "WhitelistedNames": ["ab"]},
        "Headers": ["Accept-Language"],
    },
    "MinTTL": 10,
    "DefaultTTL": 100,
    "MaxTTL": 1000,
}


@pytest.fixture
def site(edge: Edge, origin: Origin, tmp_path: Path) -> Site:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/html"})
    behavior = {key: value for key, value in LEGACY.items() if value is not None}
    template = distribution_template(tmp_path, {"viewer-request": COOKIE}, behavior=behavior)
    text = template.read_text().split("\n")
    gone = ("CachePolicyId:", "OriginRequestPolicyId:")
    template.write_text("\n".join(line for line in text if not line.strip().startswith(gone)))
    return edge.serve(template, origins={"web": origin.url})


def why(site: Site) -> Any:
    """The reasons of the newest request."""
    (newest,) = site.exchanges(1)[:1]
    status, document = call(site, "GET", f"/api/exchanges/{newest.id}")
    assert status == 200
    return document["why"]


def parts(listed: list[dict[str, str]]) -> dict[str, tuple[str, str]]:
    return {each["part"]: (each["value"], each["because"]) for each in listed}


def test_a_miss_and_a_hit(site: Site) -> None:
    headers = {"Cookie": "ab=a; other=<b>", "Accept-Language": "de", "X-Own": "1"}
    site.get("/page?page=2&utm=x", headers=headers)
    missed = why(site)
    key, rest = parts(missed["key"]), parts(missed["not_in_key"])
    assert key["path"] == ("/page", "always in the key")
    assert key["cookie ab"] == ("a", "ForwardedValues: cookies whitelist")
    assert key["header accept-language"] == ("de", "ForwardedValues: headers whitelist")
    assert key["query string page"] == ("2", "ForwardedValues: QueryStringCacheKeys")
    assert rest["cookie other"] == ("<b>", "ForwardedValues: cookies whitelist")
    assert rest["query string utm"] == ("x", "ForwardedValues: QueryStringCacheKeys")
    assert rest["header x-own"] == ("1", "ForwardedValues: headers whitelist")
    assert not key.keys() & rest.keys()
    bounds = {"min_ttl_s": 10, "default_ttl_s": 100, "max_ttl_s": 1000}
    assert missed["ttl"] == {"seconds": 60, "because": "max-age=60", "bounds": bounds}
    assert 0 < missed["expires_in_s"] <= 60
    assert "same key" in missed["would_hit_if"]
    sent = {each["header"].lower(): each for each in missed["forwarded"]}
    assert sent["cookie"]["value"] == "ab=a"
    assert sent["accept-language"]["because"] == "ForwardedValues: headers"
    assert "x-amz-cf-id" in sent
    assert {"part": "cookie other", "because": "no setting names it"} in missed["withheld"]

    for _ in range(3):  # The connection itself answers the last of them.
        site.get("/page?page=2&utm=y", headers=headers)
    hit = why(site)
    assert hit["ttl"] == missed["ttl"]
    assert parts(hit["key"]) == key
    assert hit["would_hit_if"] == ""


def test_what_would_have_made_it_a_hit(edge: Edge, site: Site, origin: Origin) -> None:
    site.get("/a")
    edge.clock.advance(seconds=61)
    site.get("/a")
    assert "before the object expired" in why(site)["would_hit_if"]
    origin.answer = Answer(headers={"Cache-Control": "private"})
    edge.clock.advance(seconds=61)
    site.get("/b")
    told = why(site)
    assert told["ttl"]["seconds"] == 10
    assert "MinTTL" in told["ttl"]["because"]
    call(site, "POST", "/api/cache/switch", {"enabled": False})
    site.get("/b")
    assert "the cache is switched off" in why(site)["would_hit_if"]


def test_a_request_that_never_came_to_the_cache(site: Site) -> None:
    site.get("/own")
    told = why(site)
    assert (told["key"], told["forwarded"]) == ([], [])
    assert "viewer-request" in told["would_hit_if"]


def test_who_asked_and_which_origin(site: Site) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Mobile/15E148"
    site.get("/a", headers={"User-Agent": phone, "x-edgeproxy-viewer-country": "DE"})
    (newest,) = site.exchanges(1)[:1]
    _, document = call(site, "GET", f"/api/exchanges/{newest.id}")
    viewer = document["viewer"]
    assert (viewer["device"], viewer["country"], viewer["http_version"]) == ("mobile", "DE", "1.1")
    assert document["asked"]["id"] == "web"
    assert document["asked"]["first_byte_ms"] > 0
    (run,) = document["functions"]
    (step,) = [step for step in document["steps"] if step["name"] == "viewer-request"]
    assert (step["function"]["name"], step["function"]["kind"]) == (run["name"], "lambda")
    assert step["function"]["version"]


def test_the_distribution(site: Site, origin: Origin) -> None:
    status, document = call(site, "GET", "/api/distributions")
    (shown,) = document["distributions"]
    assert (status, shown["logical_id"], shown["url"]) == (200, "Site", site.url)
    (behavior,) = shown["behaviors"]
    assert (behavior["path_pattern"], behavior["default"], behavior["origin"]) == ("*", True, "web")
    assert behavior["legacy_cache_settings"]["query_string_cache_keys"] == ["page"]
    assert behavior["cache_policy"] is None
    (function,) = behavior["functions"]
    assert (function["event_type"], function["kind"]) == ("viewer-request", "lambda")
    (web,) = shown["origins"]
    assert (web["domain_name"], web["mapped_to"]) == ("web.example.com", origin.url)
