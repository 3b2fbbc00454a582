"""The last minutes, as the charts have them, and the stream of requests that are under way."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.origin import Answer, Got, Origin
from tests.support.templates import distribution_template

ASSIGN = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        if "cookie" not in request["headers"]:
            request["headers"]["cookie"] = [{"key": "Cookie", "value": "ab=b"}]
        return request
"""


@pytest.fixture
def site(edge: Edge, origin: Origin, tmp_path: Path) -> Site:
    def answer(got: Got) -> Answer:
        status = int(got.target[1:4]) if got.target[1:4].isdigit() else 200
        return Answer(status, {"Cache-Control": "max-age=60"})

    origin.answer = answer
    template = distribution_template(tmp_path, {"viewer-request": ASSIGN})
    return edge.serve(template, origins={"web": origin.url})


def test_requests_hits_errors_and_times(site: Site) -> None:
    for path in ("/a", "/a", "/a", "/404", "/503"):
        site.get(path)
    site.exchanges(5)
    status, document = call(site, "GET", "/api/charts?minutes=1")
    points = document["points"]
    assert (status, document["step_s"], len(points)) == (200, 5, 12)
    sums = {
        name: sum(point[name] for point in points)
        for name in ("requests", "hits", "errors", "client_errors")
    }
    assert sums == {"requests": 5, "hits": 2, "errors": 1, "client_errors": 1}
    busy = [point for point in points if point["requests"]]
    for point in busy:
        assert 0 < point["function"]["p50"] <= point["total"]["p99"]
        assert point["edge"]["p50"] < point["total"]["p99"]
    assert any(point["origin"] for point in busy)
    quiet = [point for point in points if not point["requests"]]
    assert {(p["total"], p["edge"], p["function"], p["origin"]) for p in quiet} == {(None,) * 4}
    assert [point["t"] for point in points] == sorted(point["t"] for point in points)


def test_repeated_hits_are_counted(edge: Edge, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    site = edge.serve(origin.url)
    for _ in range(10):
        site.get("/a")
    site.exchanges(10)
    _, document = call(site, "GET", "/api/charts")
    points = document["points"]
    assert (sum(p["requests"] for p in points), sum(p["hits"] for p in points)) == (10, 9)


def test_the_share_of_each_variant(site: Site) -> None:
    for cookie in ("ab=a", "ab=a; x=1", "ab=<i>", None, "x=1"):
        site.get("/a", headers={} if cookie is None else {"Cookie": cookie})
    site.exchanges(5)
    _, document = call(site, "GET", "/api/charts?cookie=ab")
    shares = {each["name"]: each["count"] for each in document["variants"]}
    assert shares == {"a": 2, "<i>": 1, "b": 1, None: 1}
    assert "variants" not in call(site, "GET", "/api/charts")[1]


@pytest.mark.parametrize("minutes", ["0", "16", "x"])
def test_minutes_are_bounded(site: Site, minutes: str) -> None:
    assert call(site, "GET", f"/api/charts?minutes={minutes}")[0] == 400


@contextmanager
def stream(site: Site, query: str = "", last: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    """The events of the stream, from then on when its head has come."""
    control = urlsplit(site.endpoints["control"])
    with socket.create_connection((control.hostname, control.port), 60) as connection:
        lines = [f"GET /api/exchanges/stream{query} HTTP/1.1", "Host: localhost"]
        lines += [f"Last-Event-ID: {last}"] if last else []
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        file = connection.makefile("rb")
        while file.readline().strip() != b": following":
            pass

        def events() -> Iterator[dict[str, Any]]:
            for line in file:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

        yield events()


def test_the_stream_has_every_request_in_order(site: Site) -> None:
    with stream(site, "?from=now") as events:
        for number in range(20):
            site.get(f"/{number}")
        seen = [next(events) for _ in range(20)]
    assert [each["path"] for each in seen] == [f"/{number}" for number in range(20)]
    assert all(each["functions"] for each in seen)
    for how in ({"query": f"?from={seen[16]['id']}"}, {"last": seen[16]["id"]}):
        with stream(site, **how) as events:
            assert [next(events)["path"] for _ in range(3)] == ["/17", "/18", "/19"]


def test_repeated_hits_in_the_stream(edge: Edge, origin: Origin) -> None:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    site = edge.serve(origin.url)
    site.get("/a")
    site.exchanges(1)
    with stream(site) as events:
        for _ in range(5):
            site.get("/a")
        seen = [next(events) for _ in range(5)]
    assert {(each["result_type"], each["status"]) for each in seen} == {("Hit", 200)}
    assert len({each["id"] for each in seen}) == 5
    kept = {each.id for each in site.exchanges(6)}
    assert {each["id"] for each in seen} < kept
