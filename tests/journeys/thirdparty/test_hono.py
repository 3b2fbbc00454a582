"""A Hono app on its published Lambda@Edge adapter, asked as a browser would."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site
from tests.journeys.thirdparty.packages import node_modules
from tests.support.command import run
from tests.support.origin import Answer, Origin


@pytest.fixture(scope="module")
def folder(project: Callable[..., Path]) -> Path:
    return project("hono_site", node_modules(), into="app/node_modules")


@pytest.fixture(scope="module")
def site(module_edge: Edge, module_origin: Origin, folder: Path) -> Site:
    return module_edge.serve(folder / "template.yaml", origins={"web": module_origin.url})


@pytest.fixture
def origin(module_origin: Origin) -> Origin:
    module_origin.got.clear()
    module_origin.answer = Answer()
    return module_origin


def test_routes_parameters_and_queries(site, origin):
    response = site.get("/hello/Ad%C3%A8le?page=2&tag=a&tag=b%26c")
    assert response.status == 200
    assert response.json() == {"name": "Adèle", "page": "2", "tags": ["a", "b&c"]}
    assert response.headers.get("Content-Type") == "application/json"
    assert response.headers.get("X-Served-By") == "hono"
    assert response.x_cache == "LambdaGeneratedResponse from cloudfront"
    assert response.headers.get("Content-Length") == str(len(response.body))
    assert origin.got == []


def test_text_is_utf_8(site):
    response = site.get("/html")
    assert response.text == "<p>Grüße</p>"
    assert response.headers.get("Content-Type") == "text/html; charset=UTF-8"


def test_bytes_arrive_as_they_are(site):
    response = site.get("/pixel.gif")
    assert response.body == bytes(range(256))
    assert response.headers.get("Content-Type") == "image/gif"


def test_redirects_and_empty_answers(site):
    moved = site.get("/old")
    assert (moved.status, moved.headers.get("Location")) == (301, "/hello/world")
    empty = site.get("/nothing")
    assert (empty.status, empty.body) == (204, b"")


def test_unknown_paths_and_errors_are_the_apps(site):
    missing = site.get("/nowhere")
    assert (missing.status, missing.text) == (404, "nobody lives at /nowhere")
    broken = site.get("/broken")
    assert (broken.status, broken.text) == (500, "caught: no such thing")


def test_head_has_the_headers_only(site):
    response = site.request("HEAD", "/html")
    assert (response.status, response.body) == (200, b"")
    assert response.headers.get("X-Served-By") == "hono"


def test_cookies(site):
    first = site.get("/visits")
    assert first.text == "visit 1"
    assert first.headers.get_all("Set-Cookie") == [
        "visits=1; Path=/; HttpOnly",
        "theme=dark%20blue; Path=/",
        "stale=; Max-Age=0; Path=/",
    ]
    assert site.get("/visits", headers={"Cookie": "a=b; visits=4"}).text == "visit 5"


def test_a_json_body(site):
    sent = {"grüße": [1, None, "x"]}
    response = site.post(
        "/json", json.dumps(sent).encode(), headers={"Content-Type": "application/json"}
    )
    assert (response.status, response.json()) == (201, {"got": sent})


def test_a_form_with_a_file(site):
    body = b"\r\n".join(
        [
            b'--b\r\nContent-Disposition: form-data; name="name"\r\n',
            b'Ada\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"',
            b"Content-Type: application/octet-stream\r\n",
            b"\x00\xff\r\n\r\n--b--\r\n",
        ]
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    response = site.post("/form", body, headers=kind)
    assert response.text == "Ada sent a.bin of 4 bytes"


def test_a_body_of_bytes_there_and_back(site):
    body = bytes(range(256)) * 100
    assert site.request("PUT", "/bytes", body=body).body == body[::-1]


def test_a_streamed_answer_is_sent_whole(site):
    assert site.get("/stream").text == "one\ntwo\nthree\n"


@pytest.mark.rule("LE-GEN-14")
def test_hono_s_stream_text_names_the_transfer_encoding_which_cloudfront_refuses(site):
    response = site.get("/stream-text")
    assert (response.status, response.x_cache) == (502, "LambdaValidationError from cloudfront")
    assert "read-only header Transfer-Encoding [LE-GEN-14]" in site.console


def test_the_app_lets_a_request_pass(site, origin):
    response = site.get("/from-origin/page?x=1", headers={"X-Mine": "kept"})
    assert (response.status, response.body) == (200, b"from the origin")
    assert response.x_cache == "Miss from cloudfront"
    assert origin.targets == ["/page?x=1"]
    assert (origin.got[0].header("X-User"), origin.got[0].header("X-Mine")) == ("hono", "kept")


def test_middleware_stands_before_the_origin(site, origin):
    refused = site.get("/members/list")
    assert (refused.status, refused.text) == (401, "Unauthorized")
    assert refused.headers.get("WWW-Authenticate") == 'Basic realm="Secure Area"'
    assert origin.got == []
    credentials = base64.b64encode(b"ada:engine").decode()
    admitted = site.get("/members/list", headers={"Authorization": f"Basic {credentials}"})
    assert admitted.body == b"from the origin"
    assert origin.targets == ["/members/list"]


def test_an_error_given_to_the_callback_is_the_functions_error(site):
    response = site.get("/refused")
    assert (response.status, response.x_cache) == (503, "LambdaExecutionError from cloudfront")
    assert "refused by the app" in site.console


def test_check_has_nothing_against_it(folder):
    checked = run("check", "template.yaml", cwd=folder)
    assert checked.returncode == 0, checked.stdout


def test_an_answer_made_at_origin_request_is_cached(site, origin):
    first, second = site.get("/cached/time"), site.get("/cached/time")
    assert first.json() == {
        "event": "origin-request", "id": first.headers.get("X-Amz-Cf-Id")
    }  # fmt: skip
    assert second.x_cache == "Hit from cloudfront"
    assert second.body == first.body
    assert origin.got == []
