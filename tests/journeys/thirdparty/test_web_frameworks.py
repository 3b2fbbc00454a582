"""Flask on apig-wsgi, FastAPI on Mangum, Express on serverless-http and Fastify, at every door."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.journeys.thirdparty.packages import node_modules, python_packages
from tests.support.command import run

_PROJECTS = Path(__file__).parent / "projects"
_EXPRESS, _FASTIFY = _PROJECTS / "express_door", _PROJECTS / "fastify_door"

APPS = ("flask", "fastapi", "express", "fastify")
DOORS = ("single", "multi", "url")
"""Target groups without and with multi-value headers, and a function URL."""
EVERYWHERE = [*((app, door) for app in APPS for door in DOORS), ("fastify", "stream")]
"""One function URL streams."""


class App:
    """One app at one door."""

    def __init__(self, name: str, door: str, site: Site) -> None:
        self.name = name
        self.door = door
        if door in ("url", "stream"):
            name = "WebUrl" if door == "url" else "StreamUrl"
            self._url = site.endpoints["function_urls"][name]["url"]
        else:
            listeners = site.endpoints["load_balancers"]["Alb"]["listeners"]
            self._url = listeners[DOORS.index(door)]["url"]
        self._site = site

    def ask(self, method: str, path: str, **more: Any) -> SiteResponse:
        return self._site.request(method, path, url=self._url, **more)

    def get(self, path: str, **more: Any) -> SiteResponse:
        return self.ask("GET", path, **more)


@pytest.fixture(scope="module")
def folders(project: Callable[..., Path]) -> dict[str, Path]:
    return {
        "flask": project("flask_door", python_packages("requirements-flask.txt")),
        "fastapi": project("fastapi_door", python_packages("requirements-mangum.txt")),
        "express": project("express_door", node_modules(_EXPRESS), into="app/node_modules"),
        "fastify": project("fastify_door", node_modules(_FASTIFY), into="app/node_modules"),
    }


@pytest.fixture(scope="module")
def sites(module_edge: Edge, folders: dict[str, Path]) -> dict[str, Site]:
    return {name: module_edge.serve(at / "template.yaml") for name, at in folders.items()}


@pytest.fixture(params=EVERYWHERE, ids="-".join)
def app(request: pytest.FixtureRequest, sites: dict[str, Site]) -> App:
    name, door = request.param
    return App(name, door, sites[name])


def test_paths_queries_and_the_host(app):
    response = app.get("/items/7?q=a%26b&q=c", headers={"Host": "shop.example"})
    # Without multiple values the last one counts.
    values = ["c"] if app.door == "single" else ["a&b", "c"]
    assert response.json() == {"number": 7, "q": values, "host": "shop.example"}
    assert str(response.headers.get("Content-Type")).startswith("application/json")


@pytest.mark.rule("AL-005", "AL-076", "AL-077")
def test_cookies(app):
    response = app.get("/login")
    assert (response.status, response.text) == (200, "hello")
    names = [line.partition("=")[0] for line in response.headers.get_all("Set-Cookie")]
    # One header of a name is all that single values allow. serverless-http and Fastify leave
    # cookies to the other member altogether; Mangum spells the second one SeT-CoOkIe, or the like.
    single = {"flask": ["theme"], "fastapi": ["session", "theme"], "express": []}.get(app.name, [])
    assert names == (single if app.door == "single" else ["session", "theme"])
    assert app.get("/whoami", headers={"Cookie": "a=b; session=s1"}).json()["cookies"] in (
        {"a": "b", "session": "s1"},
        "a=b; session=s1",
    )


@pytest.mark.rule("AL-031", "AL-053")
def test_the_scheme_is_that_of_the_door(app):
    scheme = app.get("/whoami").json()["scheme"]
    assert scheme == ("http" if app.door in ("single", "multi") else "https")


@pytest.mark.rule("AL-034")
def test_forms(app):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    got = app.ask("POST", "/form", headers=kind, body=b"a=1&b=%C3%A9").json()
    assert got in ({"a": ["1"], "b": ["é"]}, {"a": "1", "b": "é"})


@pytest.mark.rule("AL-034", "AL-079")
def test_bytes_there_and_back(app):
    kind = {"Content-Type": "application/octet-stream"}
    response = app.ask("PUT", "/bytes", headers=kind, body=bytes(range(256)))
    assert (response.status, response.body) == (201, bytes(reversed(range(256))))


@pytest.mark.rule("AL-080")
def test_the_app_s_own_connection_and_content_length(app):
    response = app.get("/framing")
    assert (response.body, response.headers.get("X-Kept")) == (b"12345", "yes")
    length = [] if app.door == "stream" else ["5"]
    assert response.headers.get_all("Content-Length") == length
    assert response.headers.get_all("Connection") == ["keep-alive"]


def test_redirects_and_errors(app):
    moved = app.get("/old")
    assert (moved.status, moved.headers.get("Location")) == (302, "/items/1?q=new")
    assert (app.get("/nowhere").status, app.get("/broken").status) == (404, 500)


@pytest.mark.rule("AL-084")
def test_head_has_no_body(app):
    response = app.ask("HEAD", "/login")
    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize("name", APPS)
def test_check_has_nothing_against_them(folders, name):
    checked = run("check", "template.yaml", cwd=folders[name])
    assert checked.returncode == 0, checked.stdout
