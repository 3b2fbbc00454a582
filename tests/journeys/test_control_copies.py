"""What is made of a recorded request: sent again, as curl, test event, pytest test and HAR."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from haralyzer import HarParser

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template

MARKED = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        request["headers"]["x-marked"] = [{"key": "X-Marked", "value": "yes"}]
        return request
"""
HOSTILE = "/a'b\"$(id)`x`;&?q=<b>&r=%00"


@pytest.fixture
def site(edge: Edge, origin: Origin, tmp_path: Path) -> Site:
    origin.answer = Answer(headers={"Content-Type": "text/html", "Set-Cookie": "ab=a; Path=/"})
    template = distribution_template(tmp_path, {"viewer-request": MARKED})
    return edge.serve(template, origins={"web": origin.url}, https_port=0)


def newest(site: Site) -> str:
    return site.exchanges(1)[0].id


def text(site: Site, path: str) -> str:
    response = site.get(path, url=site.endpoints["control"])
    assert response.status == 200, response.text
    return response.text


@pytest.mark.parametrize("door", ["url", "https_url"])
def test_a_request_is_sent_again_as_it_was(site: Site, origin: Origin, door: str) -> None:
    headers = [("X-One", "1"), ("X-One", "2"), ("x-edgeproxy-viewer-country", "DE")]
    url = site.endpoints["distributions"]["Site"][door]
    site.request("POST", "/form?a=1", headers=headers, body=b"\x00body", url=url)
    first = newest(site)
    status, answer = call(site, "POST", f"/api/exchanges/{first}/again", {})
    assert (status, answer) == (200, {"id": newest(site)})
    assert answer["id"] != first
    once, again = origin.got
    assert (once.method, once.target, once.body) == (again.method, again.target, again.body)
    assert again.header("X-One") == "1, 2"
    _, document = call(site, "GET", f"/api/exchanges/{answer['id']}")
    assert document["viewer"]["country"] == "DE"
    assert document["viewer"]["scheme"] == ("https" if door == "https_url" else "http")


def test_a_request_is_edited_and_sent(site: Site, origin: Origin) -> None:
    site.get("/a")
    edits = {"method": "PUT", "url": "/b?c=%2F", "headers": [["X-Mine", "1"]], "body": "é"}
    assert call(site, "POST", f"/api/exchanges/{newest(site)}/again", edits)[0] == 200
    (*_, got) = origin.got
    assert (got.method, got.target, got.body) == ("PUT", "/b?c=%2F", "é".encode())
    assert got.header("X-Mine") == "1"
    whole = {"url": f"{site.url}?x", "body_base64": "AA==", "method": "POST"}
    assert call(site, "POST", f"/api/exchanges/{newest(site)}/again", whole)[0] == 200
    assert (origin.got[-1].target, origin.got[-1].body) == ("/?x", b"\0")


def test_what_cannot_be_sent_again(site: Site) -> None:
    site.post("/big", bytes(5000))
    big = newest(site)
    status, answer = call(site, "POST", f"/api/exchanges/{big}/again", {})
    assert (status, "only the first 4096 are kept" in answer["error"]["message"]) == (400, True)
    assert call(site, "GET", f"/api/exchanges/{big}/as/curl")[0] == 400
    assert call(site, "POST", f"/api/exchanges/{big}/again", {"body": "small"})[0] == 200
    edits: list[dict[str, Any]] = [
        {"method": 1},
        {"url": "nowhere"},
        {"url": "http://[::1"},
        {"url": "/a b\r\nX: y"},
        {"method": "GET /\r\n"},
        {"headers": ["a"]},
        {"headers": [["A", "b\r\nC: d"]]},
        {"body_base64": "?"},
        {"body_base64": 1},
    ]
    for edit in edits:
        status, answer = call(site, "POST", f"/api/exchanges/{big}/again", {"body": ""} | edit)
        assert (status, answer["error"]["code"]) == (400, "InvalidArgument"), edit
    assert call(site, "POST", "/api/exchanges/none/again", {})[0] == 404


@pytest.mark.parametrize(
    ("method", "body"), [("GET", b""), ("HEAD", b""), ("POST", b"a=1&b='x'\n@"), ("PUT", b"\0\xff")]
)
def test_a_curl_command_sends_the_same(
    site: Site, origin: Origin, method: str, body: bytes
) -> None:
    site.request(method, HOSTILE, headers=[("X-Odd", "'\"$(id)"), ("X-Empty", "")], body=body)
    command = text(site, f"/api/exchanges/{newest(site)}/as/curl")
    call(site, "DELETE", "/api/cache")
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=30, check=True)
    assert done.stdout.startswith(b"HTTP/1.1 200")
    once, again = origin.got
    assert (again.method, again.target, again.body) == (once.method, once.target, once.body)
    for name in ("X-Odd", "User-Agent", "Accept", "Content-Type"):
        assert again.header(name) == once.header(name)


def test_a_test_event_runs(site: Site) -> None:
    site.get("/page?x=1", headers={"X-Own": "<i>"})
    event = json.loads(text(site, f"/api/exchanges/{newest(site)}/as/event"))
    (record,) = event["Records"]
    assert record["cf"]["config"]["eventType"] == "viewer-request"
    assert record["cf"]["request"]["uri"] == "/page"
    assert record["cf"]["request"]["headers"]["x-own"][0]["value"] == "<i>"
    assert "x-marked" not in record["cf"]["request"]["headers"]
    for event_type, has_mark in (("origin-request", True), ("viewer-response", True)):
        path = f"/api/exchanges/{newest(site)}/as/event?event_type={event_type}"
        made = json.loads(text(site, path))["Records"][0]["cf"]
        assert made["config"]["eventType"] == event_type
        assert ("x-marked" in made["request"]["headers"]) is has_mark
        assert ("response" in made) is event_type.endswith("response")
    bad = f"/api/exchanges/{newest(site)}/as/event?event_type=no"
    assert call(site, "GET", bad)[0] == 400


def test_a_pytest_test_passes(site: Site, tmp_path: Path, origin: Origin) -> None:
    site.request("POST", HOSTILE, headers={"X-Own": "'"}, body=b"\0")
    source = text(site, f"/api/exchanges/{newest(site)}/as/pytest")
    names: dict[str, Any] = {}
    exec(source, names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))

    class Serving:
        def serve(self, target: str) -> Site:
            assert target.endswith("template.yaml")
            return site

    test(Serving())
    assert origin.got[-1].body == b"\0"


def test_an_archive_is_read_by_others(site: Site) -> None:
    site.get("/one?x=1&y=", headers={"Cookie": "ab=a; c=d"})
    one = newest(site)
    site.post("/two", b"\xff\0")
    two = newest(site)
    whole = HarParser(json.loads(text(site, "/api/har")))
    assert whole.har_data["version"] == "1.2"
    picked = HarParser(json.loads(text(site, f"/api/har?ids={two},none,{one}")))
    first, second = picked.har_data["entries"]
    assert (first["request"]["method"], second["request"]["method"]) == ("GET", "POST")
    assert first["request"]["url"] == f"{site.url}/one?x=1&y="
    assert [each["name"] for each in first["request"]["queryString"]] == ["x", "y"]
    assert [each["name"] for each in first["request"]["cookies"]] == ["ab", "c"]
    assert first["response"]["cookies"] == [{"name": "ab", "value": "a"}]
    assert first["response"]["content"]["text"] == "from the origin"
    assert second["request"]["postData"]["text"] == "/wA="
    assert all(entry["time"] >= entry["timings"]["wait"] > 0 for entry in (first, second))
    assert whole.har_data["entries"] == [first, second]
