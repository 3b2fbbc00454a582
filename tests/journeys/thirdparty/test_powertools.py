"""Powertools for AWS Lambda (Python), unchanged: resolvers at every door, Logger and Metrics."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.journeys.thirdparty.packages import python_packages

DOORS = ("single", "multi", "url")


class Shop:
    """The routes at one door."""

    def __init__(self, door: str, site: Site) -> None:
        self.door = door
        self.site = site
        listeners = site.endpoints["load_balancers"]["Alb"]["listeners"]
        urls = {"url": site.endpoints["function_urls"]["UrlUrl"]["url"]}
        urls |= dict(zip(("single", "multi"), (each["url"] for each in listeners), strict=True))
        self._url = urls[door]

    def ask(self, method: str, path: str, **more: Any) -> SiteResponse:
        return self.site.request(method, path, url=self._url, **more)

    @property
    def function(self) -> str:
        return next(
            name
            for name in self.site.running.program.project.functions
            if ("ByAlb" in name) == (self.door != "url")
        )


@pytest.fixture(scope="module")
def site(module_edge: Edge, project: Callable[..., Path]) -> Site:
    folder = project("powertools_door", python_packages("requirements-powertools.txt"))
    return module_edge.serve(folder / "template.yaml")


@pytest.fixture(params=DOORS)
def shop(request: pytest.FixtureRequest, site: Site) -> Shop:
    return Shop(request.param, site)


def test_routes_and_queries(shop):
    response = shop.ask("GET", "/items/7?q=a%26b&q=c")
    # Without multiple values the last one counts.
    values = ["c"] if shop.door == "single" else ["a&b", "c"]
    assert (response.status, response.json()) == (200, {"number": "7", "q": values})
    assert response.headers.get("Content-Type") == "application/json"
    assert shop.ask("GET", "/items/0?q=").json() == {"statusCode": 404, "message": "no such item"}
    assert shop.ask("GET", "/nowhere").status == 404


def test_cookies(shop):
    lines = shop.ask("GET", "/login").headers.get_all("Set-Cookie")
    both = ["session=s1; Secure", "theme=dark; Secure"]
    # The resolver itself gives up all but the last where a header has one value.
    assert lines == (both[1:] if shop.door == "single" else both)


def test_bodies(shop):
    response = shop.ask("PUT", "/bytes", body=b"abc")
    assert (response.status, response.body) == (201, b"cba")
    kind = {"Content-Type": "application/json"}
    sent = json.dumps({"name": "é"}).encode()
    assert shop.ask("POST", "/json", body=sent, headers=kind).json() == {"name": "é"}


def test_cors_of_the_resolver(site):
    origin = {"Origin": "https://shop.example"}
    got = Shop("url", site).ask("GET", "/items/1?q=", headers=origin)
    assert got.headers.get("Access-Control-Allow-Origin") == "https://shop.example"
    preflight = Shop("url", site).ask("OPTIONS", "/items/1?q=", headers=origin)
    assert preflight.status == 204
    assert "GET" in preflight.headers.get("Access-Control-Allow-Methods")


def test_its_logger_and_metrics_write_json(shop):
    shop.ask("GET", "/items/41?q=")
    shop.site.exchanges(1)
    control = shop.site.endpoints["control"]
    path = f"/api/functions/{shop.function}/logs?limit=1000"
    lines = shop.site.request("GET", path, url=control).json()["lines"]
    documents = [json.loads(each["message"]) for each in lines if each["message"].startswith("{")]
    told = [each for each in documents if each.get("number") == "41"]
    assert told[-1]["service"] == "shop"
    assert told[-1]["function_memory_size"] == "128"
    assert told[-1]["function_request_id"] in {each["request_id"] for each in lines}
    counted = [each for each in documents if "Asked" in each]
    (metrics,) = counted[-1]["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "Shop"
    assert any(each.get("ColdStart") == [1.0] for each in documents)
