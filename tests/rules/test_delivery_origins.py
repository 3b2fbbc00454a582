"""Origins and origin groups as the definition has them, through a whole edge."""

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import load
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.model import Treatment
from edgeproxy.testing import Edge, Site
from tests.support.delivery import ALL_VIEWER, CACHING_DISABLED, RawOrigin, definition
from tests.support.origin import Answer, Origin, running_origin
from tests.unit.origins.certificates import server_context, trusting

Deliver = Callable[..., Site]

SPARE = {
    "Id": "spare",
    "DomainName": "spare.example.com",
    "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
}


def group(**more: Any) -> dict[str, Any]:
    item = {
        "Id": "group",
        "Members": {"Quantity": 2, "Items": [{"OriginId": "web"}, {"OriginId": "spare"}]},
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        **more,
    }
    return {"Quantity": 1, "Items": [item]}


@pytest.mark.rule("CDN-BEH-24", "CDN-OG-01")
@pytest.mark.parametrize(("target", "answers"), [("spare", b"spare"), ("group", b"web")])
def test_a_behavior_s_target_is_an_origin_or_a_group(
    deliver: Deliver, origin: Origin, target: str, answers: bytes
) -> None:
    origin.answer = Answer(body=b"web")
    with running_origin() as spare:
        spare.answer = Answer(body=b"spare")
        site = deliver(
            {"TargetOriginId": target},
            at={"spare": spare.url},
            origins=[SPARE],
            OriginGroups=group(),
        )
        assert site.get("/").body == answers


@pytest.mark.rule("CDN-BEH-24")
@pytest.mark.parametrize("target", [None, "other", ["web", "spare"]])
def test_a_behavior_needs_exactly_one_target(deliver: Deliver, target: object) -> None:
    with pytest.raises(DefinitionError, match="TargetOriginId"):
        deliver({"TargetOriginId": target}, origins=[SPARE])


@pytest.mark.rule("CDN-OG-14")
def test_media_quality_is_not_measured(deliver: Deliver, origin: Origin) -> None:
    origin.answer = Answer(503, body=b"web")
    with running_origin() as spare:
        spare.answer = Answer(body=b"spare")
        site = deliver(
            {"TargetOriginId": "group"},
            at={"spare": spare.url},
            origins=[SPARE],
            OriginGroups=group(SelectionCriteria="media-quality-based"),
        )
        assert site.get("/").body == b"spare"
        assert len(origin.got) == 1
    [line] = [
        line
        for line in site.running.program.project.report.lines
        if line.place.path.endswith("SelectionCriteria")
    ]
    assert (line.treatment, line.why) == (
        Treatment.APPROXIMATED,
        "the members are always tried in order",
    )


@pytest.mark.rule("CDN-ORG-09")
@pytest.mark.parametrize("first", ["http", "https"])
def test_with_match_viewer_an_object_is_fetched_once(
    deliver: Deliver, shared: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    tls = server_context(tmp_path, "localhost")
    with (
        trusting(tmp_path / "localhost.pem", monkeypatch),
        running_origin() as plain,
        running_origin(tls) as secure,
    ):
        origins = {"http": plain, "https": secure}
        for origin in origins.values():
            origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
        config = {
            "OriginProtocolPolicy": "match-viewer",
            "HTTPPort": urlsplit(plain.url).port,
            "HTTPSPort": urlsplit(secure.url).port,
            "OriginSSLProtocols": ["TLSv1.2"],
        }
        path = tmp_path / "template.json"
        site_origin = {"DomainName": "localhost", "CustomOriginConfig": config}
        path.write_text(json.dumps(definition(origin=site_origin)))
        site = shared.serve(path, https_port=0)
        urls = {"http": site.url, "https": site.https_url}
        other = "https" if first == "http" else "http"
        missed = site.request("GET", "/a", url=urls[first])
        hit = site.request("GET", "/a", url=urls[other])
        assert (missed.x_cache, hit.x_cache) == ("Miss from cloudfront", "Hit from cloudfront")
        assert (len(origins[first].got), len(origins[other].got)) == (1, 0)


@pytest.mark.rule("CDN-VAL-13")
def test_a_stale_object_waits_for_all_attempts(
    deliver: Deliver, raw_origin: RawOrigin, shared: Edge
) -> None:
    config = {"OriginProtocolPolicy": "http-only", "OriginReadTimeout": 1}
    site = deliver(
        origin={"ConnectionAttempts": 2, "CustomOriginConfig": config},
        at={"web": raw_origin.url},
    )
    raw_origin.says = (
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60, stale-if-error=600\r\n"
        b"Content-Length: 3\r\n\r\nold"
    )
    assert site.get("/").body == b"old"
    shared.clock.advance(seconds=61)
    raw_origin.keep_quiet.set()
    response = site.get("/")
    assert (response.body, response.x_cache) == (b"old", "Hit from cloudfront")
    assert raw_origin.connections == 3
    [exchange] = site.exchanges(1)
    assert exchange.duration_s >= 2


@pytest.mark.rule("CDN-ORG-02", "CDN-ERR-32")
def test_a_handshake_that_stalls_is_no_connection(deliver: Deliver, raw_origin: RawOrigin) -> None:
    raw_origin.keep_quiet.set()
    site = deliver(
        {"TargetOriginId": "group"},
        origin={"ConnectionAttempts": 2, "ConnectionTimeout": 1},
        at={"web": raw_origin.url.replace("http:", "https:"), "spare": "https://127.0.0.1:1"},
        origins=[{**SPARE, "ConnectionAttempts": 1}],
        OriginGroups=group(FailoverCriteria={"StatusCodes": {"Quantity": 1, "Items": [504]}}),
    )
    response = site.get("/")
    assert (response.status, response.x_cache) == (504, "Error from cloudfront")
    [exchange] = site.exchanges(1)
    assert exchange.detailed_result_type == "OriginConnectError"
    assert exchange.duration_s >= 2
    assert raw_origin.connections == 2


@pytest.mark.rule("CDN-RSP-16")
def test_viewers_share_connections_to_the_origin(deliver: Deliver) -> None:
    callers: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            callers.append(self.client_address)
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Negotiate")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        site = deliver(
            {"cache": CACHING_DISABLED, "forward": ALL_VIEWER},
            at={"web": f"http://127.0.0.1:{server.server_port}"},
        )
        one, other = (http.client.HTTPConnection(*_address(site), timeout=20) for _ in range(2))
        for viewer in (one, other):
            viewer.request("GET", "/", headers={"Authorization": "Negotiate abc"})
            answer = viewer.getresponse()
            answer.read()
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Negotiate")
        one.close()
        other.close()
        server.shutdown()
        thread.join()
    assert len(callers) == 2
    assert len(set(callers)) == 1, "what one viewer has proved there, the other would be taken for"


@pytest.mark.rule("CDN-WS-07")
def test_websocket_needs_http_1(deliver: Deliver) -> None:
    site = deliver({"cache": CACHING_DISABLED, "forward": ALL_VIEWER}, options={"https_port": 0})
    context = ssl.create_default_context(cafile=site.running.program.authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    host, port = _address(site, site.https_url)
    with (
        socket.create_connection((host, port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        assert connection.selected_alpn_protocol() == "http/1.1"
        lines = ("CONNECT /chat HTTP/1.1", "Host: site.example", ":protocol: websocket", "", "")
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 40")


LIMITS = [
    ("ConnectionAttempts", "CDN-QUO-05", 1, 3),
    ("ConnectionTimeout", "CDN-QUO-05", 1, 10),
    ("OriginReadTimeout", "CDN-QUO-06", 1, 120),
    ("OriginKeepaliveTimeout", "CDN-QUO-06", 1, 120),
]


@pytest.mark.parametrize(
    ("name", "value", "is_taken"),
    [
        pytest.param(name, value, is_taken, marks=pytest.mark.rule(rule))
        for name, rule, least, most in LIMITS
        for value, is_taken in ((least - 1, False), (least, True), (most, True), (most + 1, False))
    ],
)
def test_the_limits_of_attempts_and_timeouts(
    tmp_path: Path, name: str, value: int, is_taken: bool
) -> None:
    config: dict[str, Any] = {"OriginProtocolPolicy": "http-only"}
    origin: dict[str, Any] = {"CustomOriginConfig": config}
    (config if name.startswith("Origin") else origin)[name] = value
    path = tmp_path / "template.json"
    path.write_text(json.dumps(definition(origin=origin)))
    loaded = load(str(path), LoadOptions())
    assert (not loaded.findings) == is_taken


def _address(site: Site, url: str = "") -> tuple[str, int]:
    door = urlsplit(url or site.url)
    assert door.hostname is not None
    assert door.port is not None
    return door.hostname, door.port
