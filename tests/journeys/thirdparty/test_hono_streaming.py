"""A Hono app on its published streaming adapter, behind a function URL and CloudFront."""

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import node_modules
from tests.support.command import run


@pytest.fixture(scope="module")
def folder(project: Callable[..., Path]) -> Path:
    return project("hono_stream", node_modules(), into="app/node_modules")


@pytest.fixture(scope="module")
def site(module_edge: Edge, folder: Path) -> Site:
    return module_edge.serve(folder / "template.yaml")


@pytest.fixture(params=["url", "cloudfront"])
def door(request: pytest.FixtureRequest, site: Site) -> str:
    [url] = site.endpoints["function_urls"].values()
    return str(url["url"]) if request.param == "url" else site.url


def test_lines_come_as_they_are_written(door, folder):
    go = folder / f"go-{urlsplit(door).port}"
    connection = http.client.HTTPConnection(urlsplit(door).netloc, timeout=20)
    connection.request("GET", f"/text?until={go}")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert answer.readline() == b"first\n"
    go.touch()
    assert answer.read() == b"second\n"
    connection.close()


def test_server_sent_events(site, door):
    response = site.request("GET", "/events", url=door)
    assert response.headers.get("Content-Type").startswith("text/event-stream")
    assert response.text == ("event: tick\ndata: no 1\nid: 1\n\nevent: tick\ndata: no 2\nid: 2\n\n")


def test_bytes_arrive_as_they_are(site, door):
    response = site.request("GET", "/bytes", url=door)
    assert response.body == b"".join(bytes([n]) * 65536 for n in range(16))
    assert response.headers.get("Content-Type") == "image/gif"


def test_status_and_cookies(site, door):
    response = site.request("GET", "/cookies", url=door)
    assert (response.status, response.json()) == (201, {"set": 2})
    assert response.headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]


def test_a_json_body(site, door):
    body = json.dumps({"grüße": [1, None]}).encode()
    kind = {"Content-Type": "application/json"}
    response = site.request("POST", "/echo", url=door, body=body, headers=kind)
    assert response.json() == {"got": {"grüße": [1, None]}}


def test_redirects_and_errors_have_their_status(site, door):
    moved = site.request("GET", "/moved", url=door)
    assert (moved.status, moved.headers.get("Location"), moved.body) == (302, "/text", b"")
    broken = site.request("GET", "/broken", url=door)
    assert (broken.status, broken.text) == (500, "caught: no such thing")


def test_head_has_the_headers_only(site, door):
    response = site.request("HEAD", "/cookies", url=door)
    assert (response.status, response.body) == (201, b"")


def test_check_has_nothing_against_it(folder):
    checked = run("check", "template.yaml", cwd=folder)
    assert checked.returncode == 0, checked.stdout
