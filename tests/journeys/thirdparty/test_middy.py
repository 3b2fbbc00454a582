"""middy's middlewares in Node.js, unchanged, at every door."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import node_modules

_PROJECT = Path(__file__).parent / "projects/middy_door"
_JSON = {"Content-Type": "application/json", "X-Client": "test"}


@pytest.fixture(scope="module")
def site(module_edge: Edge, project: Callable[..., Path]) -> Site:
    folder = project("middy_door", node_modules(_PROJECT), into="app/node_modules")
    return module_edge.serve(folder / "template.yaml")


@pytest.fixture(params=["single", "url"])
def url(request: pytest.FixtureRequest, site: Site) -> str:
    """Where it is; middy does not know load balancers' headers of several values."""
    if request.param == "url":
        return str(site.endpoints["function_urls"]["WebUrl"]["url"])
    return str(site.endpoints["load_balancers"]["Alb"]["listeners"][0]["url"])


def test_bodies_are_parsed_and_serialised(site, url):
    response = site.post("/", '{"name": "é"}'.encode(), headers=_JSON, url=url)
    assert response.status == 201
    assert response.headers.get("Content-Type") == "application/json"
    told = response.json()
    assert (told["got"], told["client"], len(told["id"])) == ({"name": "é"}, "test", 36)


def test_cors_is_the_middleware_s(site, url):
    headers = {**_JSON, "Origin": "https://shop.example"}
    response = site.post("/", b"{}", headers=headers, url=url)
    assert response.headers.get_all("Access-Control-Allow-Origin") == ["https://shop.example"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/teapot", b"{}", 418, "short and stout"),
        ("/broken", b"{}", 500, "something went wrong"),
        ("/", b"{", 415, "malformed JSON"),
    ],
)
def test_errors_are_answers(site, url, path, body, status, text):
    response = site.post(path, body, headers=_JSON, url=url)
    assert response.status == status
    assert text in response.text
