"""A FastAPI app behind Mangum's published Lambda@Edge handler."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import python_packages
from tests.support.command import run
from tests.support.origin import Origin


@pytest.fixture(scope="module")
def folder(project: Callable[..., Path]) -> Path:
    return project("mangum_api", python_packages("requirements-mangum.txt"))


@pytest.fixture(scope="module")
def site(module_edge: Edge, module_origin: Origin, folder: Path) -> Site:
    return module_edge.serve(folder / "template.yaml", origins={"web": module_origin.url})


def test_paths_and_queries(site, module_origin):
    response = site.get("/items/7?q=a%26b%20c&tag=x")
    assert (response.status, response.json()) == (200, {"id": 7, "q": "a&b c", "tag": "x"})
    assert response.headers.get("Content-Type") == "application/json"
    assert response.headers.get("Content-Length") == str(len(response.body))
    assert module_origin.got == []


def test_what_fastapi_refuses(site):
    wrong = site.get("/items/seven")
    assert wrong.status == 422
    assert wrong.json()["detail"][0]["loc"] == ["path", "item_id"]
    assert (site.get("/nowhere").status, site.get("/orders").status) == (404, 405)


def test_a_json_body_is_read_and_checked(site):
    kind = {"Content-Type": "application/json"}
    good = site.post("/orders", json.dumps({"sku": "é", "count": 2}).encode(), headers=kind)
    assert (good.status, good.json()) == (201, {"ordered": {"sku": "é", "count": 2}})
    bad = site.post("/orders", b'{"sku": "a", "count": 0}', headers=kind)
    assert (bad.status, bad.json()["detail"][0]["type"]) == (422, "greater_than")


def test_a_body_of_bytes(site):
    body = bytes(range(256)) * 4
    assert site.request("PUT", "/bytes", body=body).json() == {"length": 1024, "sum": sum(body)}


def test_headers_cookies_and_the_viewers_address(site):
    sent = {"Cookie": "a=b; session=s1", "X-Client": "test", "x-edgeproxy-viewer-ip": "192.0.2.9"}
    response = site.get("/whoami", headers=sent)
    assert response.json() == {"session": "s1", "client": "test", "address": "192.0.2.9"}
    assert response.headers.get("X-App") == "fastapi"
    cookie = "session=renewed; HttpOnly; Path=/; SameSite=lax"
    assert response.headers.get_all("Set-Cookie") == [cookie]


def test_a_redirect(site):
    response = site.get("/old")
    assert (response.status, response.headers.get("Location")) == (307, "/items/1?q=new")


def test_bytes_are_base64_to_the_viewer_since_mangum_does_not_say_so_to_cloudfront(site):
    response = site.get("/pixel")
    assert base64.b64decode(response.body) == bytes(range(256))


def test_an_error_of_the_app_is_its_500(site):
    response = site.get("/broken")
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert "LookupError: no such thing" in site.console


@pytest.mark.parametrize("where", ["viewer", "origin"])
def test_it_runs_at_viewer_request_and_at_origin_request(site, where):
    response = site.get(f"/{where}/text")
    assert (response.status, response.text) == (200, f"Grüße aus {where}")
    assert response.headers.get("Content-Length") == str(len(response.body))


@pytest.mark.rule("LE-GEN-14")
def test_without_the_setting_its_length_is_refused_and_the_console_says_why(site):
    response = site.get("/bare/text")
    assert (response.status, response.x_cache) == (502, "LambdaValidationError from cloudfront")
    assert "tried to add, delete, or change a read-only header" in response.text
    assert "read-only header Content-Length [LE-GEN-14]" in site.console


def test_check_finds_that_and_nothing_else(folder):
    checked = run("check", "template.yaml", cwd=folder)
    errors = [line for line in checked.stdout.splitlines() if line.startswith("error")]
    assert checked.returncode == 1
    assert len(errors) == 1, checked.stdout
    assert "Resources.Bare" in errors[0]
    assert "Content-Length [LE-GEN-14" in errors[0]
