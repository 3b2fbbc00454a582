"""The control listener, over its real socket."""

import json
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.errors import UsageError
from edgeproxy.testing import Edge, Site
from tests.support.command import dev
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template

LOGGING = """
    def handler(event, context):
        print("looking at", event["Records"][0]["cf"]["request"]["uri"])
        return event["Records"][0]["cf"]["request"]
"""


@pytest.fixture
def site(edge: Edge, origin: Origin, tmp_path: Path) -> Site:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/plain"})
    template = distribution_template(tmp_path, {"viewer-request": LOGGING})
    return edge.serve(template, origins={"web": origin.url})


def call(site: Site, method: str, path: str, document: object = None, **headers: str) -> Any:
    """Status and JSON of a call to the control listener."""
    body = b"" if document is None else json.dumps(document).encode()
    lines = {"Content-Type": "application/json"} if body else {}
    response = site.request(
        method, path, headers=lines | headers, body=body, url=site.endpoints["control"]
    )
    return response.status, response.json()


def test_an_edge_that_starts_is_not_healthy_yet(site: Site):
    site.running.control.is_ready = False
    status, document = call(site, "GET", "/healthz")
    assert (status, document["error"]["code"]) == (503, "NotReady")


def test_health_and_endpoints(site: Site):
    assert call(site, "GET", "/healthz")[0] == 200
    status, document = call(site, "GET", "/api/endpoints")
    assert (status, document) == (200, site.endpoints)
    assert document["viewer"] == document["distributions"]["Site"]["url"]
    assert document["distributions"]["Site"]["id"].startswith("E")


def test_an_exchange_tells_every_step(site: Site):
    response = site.get("/a?x=1", headers={"x-edgeproxy-explain": "1"})
    site.exchanges(1)
    _, listing = call(site, "GET", "/api/exchanges?limit=5")
    (summary,) = listing["exchanges"]
    assert listing["next"] is None
    assert summary["id"] == response.headers.get("x-edgeproxy-exchange")
    assert summary | {"duration_ms": 0, "started": "", "bytes": 0, "functions": []} == {
        "id": response.headers.get("X-Amz-Cf-Id"),
        "door": "distribution",
        "name": "Site",
        "method": "GET",
        "host": site.url.removeprefix("http://"),
        "path": "/a",
        "query": "x=1",
        "status": 200,
        "result_type": "Miss",
        "detailed_result_type": "Miss",
        "layer": "EDGE",
        "origin": "web",
        "cache_key": site.exchanges(1)[0].cache_key.hex(),
        "started": "",
        "duration_ms": 0,
        "bytes": 0,
        "functions": [],
    }
    _, detail = call(site, "GET", f"/api/exchanges/{summary['id']}")
    steps = {step["name"]: step for step in detail["steps"]}
    assert list(steps) == ["behavior", "viewer-request", "cache", "origin"]
    function = steps["viewer-request"]["function"]
    assert "looking at /a" in [line["message"].strip() for line in function["log"]]
    assert steps["cache"]["decision"]["kind"] == "Miss"
    assert steps["cache"]["decision"]["ttl_s"] == 60
    assert steps["origin"]["after"]["body"]["preview"] == "from the origin"
    assert ["X-Amz-Cf-Id", summary["id"]] in steps["origin"]["before"]["headers"]


def test_pages_of_exchanges(site: Site):
    for number in range(5):
        site.get(f"/{number}")
    site.exchanges(5)
    _, first = call(site, "GET", "/api/exchanges?limit=3")
    assert [e["path"] for e in first["exchanges"]] == ["/4", "/3", "/2"]
    _, second = call(site, "GET", f"/api/exchanges?limit=3&after={first['next']}")
    assert [e["path"] for e in second["exchanges"]] == ["/1", "/0"]
    assert second["next"] is None


def test_the_clock_moves_objects_towards_expiry(site: Site, origin: Origin):
    site.get("/a")
    assert site.get("/a").x_cache == "Hit from cloudfront"
    status, clock = call(site, "POST", "/api/clock", {"advance_s": 120})
    assert (status, clock["offset_s"]) == (200, 120)
    assert site.get("/a").x_cache == "Miss from cloudfront"
    assert call(site, "DELETE", "/api/clock")[1]["offset_s"] == 0
    hit = site.get("/a")
    assert hit.x_cache == "Hit from cloudfront"
    assert int(hit.headers.get("Age")) >= 0
    assert len(origin.got) == 2


def test_invalidation(site: Site, origin: Origin):
    site.get("/a/1")
    site.get("/a/2")
    answer = call(site, "POST", "/api/invalidations", {"distribution": "Site", "paths": ["/a/*"]})
    assert answer == (201, {"paths": ["/a/*"], "dropped": 2})
    assert site.get("/a/1").x_cache == "Miss from cloudfront"


def test_functions_logs_and_metrics(site: Site):
    site.get("/a")
    site.exchanges(1)
    _, functions = call(site, "GET", "/api/functions")
    (function,) = functions["functions"]
    name = function["name"]
    assert function["environments"]["idle"] + function["environments"]["busy"] >= 1
    _, logs = call(site, "GET", f"/api/functions/{name}/logs?limit=10")
    messages = [line["message"] for line in logs["lines"]]
    assert any("looking at /a" in message for message in messages)
    assert any(message.startswith("REPORT RequestId: ") for message in messages)
    _, metrics = call(site, "GET", "/api/metrics")
    counted = {(m["namespace"], m["name"]): m["sum"] for m in metrics["metrics"]}
    assert counted["AWS/Lambda", "Invocations"] == 1
    assert counted["AWS/CloudFront", "Requests"] == 1
    text = site.get("/metrics", url=site.endpoints["control"]).text
    assert f'aws_lambda_invocations_sum{{FunctionName="{name}"}} 1' in text


def test_explain(site: Site):
    status, answer = call(site, "POST", "/api/explain", {"url": "/a?x=1"})
    assert status == 200
    assert answer["behavior"]["path_pattern"] == "*"
    assert answer["functions"][0]["event_type"] == "viewer-request"
    assert answer["cache"]["key"]
    assert answer["forwarded"]["target"] == "/a?x=1"


@pytest.mark.parametrize(
    ("method", "path", "document", "status", "code"),
    [
        ("GET", "/api/exchanges/nothing", None, 404, "NoSuchExchange"),
        ("GET", "/api/exchanges?limit=many", None, 400, "InvalidArgument"),
        pytest.param(
            "GET", f"/api/exchanges?limit={'9' * 5000}", None, 400, "InvalidArgument", id="digits"
        ),
        ("GET", "/api/functions/nothing/logs", None, 404, "NoSuchFunction"),
        ("POST", "/api/clock", {"advance_s": -1}, 400, "InvalidArgument"),
        ("POST", "/api/clock", {"advance_s": "soon"}, 400, "InvalidArgument"),
        ("POST", "/api/clock", ["advance_s"], 400, "InvalidArgument"),
        ("POST", "/api/invalidations", {"paths": []}, 400, "InvalidArgument"),
        ("POST", "/api/invalidations", {"paths": ["a"]}, 400, "InvalidArgument"),
        (
            "POST",
            "/api/invalidations",
            {"distribution": "None", "paths": ["/"]},
            400,
            "InvalidArgument",
        ),
        ("POST", "/api/explain", {"url": "http://[::1"}, 400, "InvalidArgument"),
        ("POST", "/api/explain", {"url": "a.css"}, 400, "InvalidArgument"),
        ("POST", "/api/explain", {"url": "/", "headers": ["a"]}, 400, "InvalidArgument"),
        ("POST", "/api/explain", {"url": "/", "answer": {"status": 1}}, 400, "InvalidArgument"),
        (
            "POST",
            "/api/explain",
            {"url": "/", "answer": {"status": 200, "headers": {"a": "b"}}},
            400,
            "InvalidArgument",
        ),
        (
            "POST",
            "/api/explain",
            {"url": "/", "headers": [["x-edgeproxy-viewer-ip", "nowhere"]]},
            400,
            "InvalidArgument",
        ),
        ("GET", "/nothing", None, 404, "NotFound"),
    ],
)
def test_errors_are_documents(site, method, path, document, status, code):
    answer = call(site, method, path, document)
    assert answer[0] == status
    assert answer[1]["error"]["code"] == code
    assert answer[1]["error"]["message"]


def test_other_sites_are_refused(site: Site):
    foreign = ("attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example:80")
    for host in (*foreign, "123456789012.attacker.example", "1.127.0.0.1"):
        assert call(site, "GET", "/api/endpoints", Host=host)[0] == 403
    own = ("localhost", "edge.localhost:8081", "127.0.0.1:8081", "[::1]", "[::1]:8081")
    for host in (*own, "123456789012.127.0.0.1:8081"):
        assert call(site, "GET", "/api/endpoints", Host=host)[0] == 200
    origin = {"Origin": "http://attacker.example"}
    assert call(site, "POST", "/api/clock", {"advance_s": 1}, **origin)[0] == 403
    form = {"Content-Type": "text/plain"}
    assert call(site, "POST", "/api/clock", {"advance_s": 1}, **form)[0] == 415


def test_a_name_that_is_allowed(edge: Edge, tmp_path: Path):
    site = edge.serve(tmp_path, control_name=("Edge.test",))
    for host in ("edge.test", "edge.test:8081"):
        assert call(site, "GET", "/api/endpoints", Host=host)[0] == 200
    assert call(site, "GET", "/api/endpoints", Host="other.test")[0] == 403


@pytest.mark.parametrize(("history", "kept"), [(2, ["/3", "/2"]), (0, [])])
def test_as_many_requests_are_kept_as_asked_for(edge: Edge, tmp_path: Path, history, kept):
    site = edge.serve(tmp_path, history=history)
    for number in range(4):
        site.get(f"/{number}")
    until(lambda: counted(site) == 4)
    _, listing = call(site, "GET", "/api/exchanges")
    assert [each["path"] for each in listing["exchanges"]] == kept


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline


def counted(site: Site) -> float:
    """How many requests the charts know of, which are told after the history is."""
    _, charts = call(site, "GET", "/api/charts?minutes=1")
    return sum(point["requests"] for point in charts["points"])


@pytest.mark.parametrize("history", [-1, 100_001])
def test_the_history_is_bounded(edge: Edge, tmp_path: Path, history: int):
    with pytest.raises(UsageError, match="--history"):
        edge.serve(tmp_path, history=history)


def test_leaving_the_stream_of_exchanges_leaves_no_trace(tmp_path: Path):
    (tmp_path / "site").mkdir()
    with dev("site", cwd=tmp_path) as command:
        control, viewer = (urlsplit(command.endpoints[name]) for name in ("control", "viewer"))
        for number in range(10):
            with ExitStack() as stack:
                stream, *others = (
                    stack.enter_context(socket.create_connection((url.hostname, url.port), 10))
                    for url in (control, *[viewer] * 20)
                )
                stream.sendall(b"GET /api/exchanges/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                received = b""
                while b": following" not in received:
                    received += stream.recv(4096)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                for other in others:
                    other.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
                stream.close()
                for other in others:
                    assert other.recv(4096)
        console = command.wait_for("/9 ")
        assert command.stop() == 0
        assert "Traceback" not in command.console, console
