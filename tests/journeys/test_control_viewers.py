"""Viewers with host names of their own: one for each tab of a browser."""

import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.origin import Answer, Got, Origin
from tests.support.templates import distribution_template

ANNA = {
    "name": "anna",
    "country": "DE",
    "city": "Bonn",
    "device": "mobile",
    "ip": "198.51.100.7",
    "language": "de-DE, de;q=0.5",
    "http_version": "2",
}


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def site(edge: Edge, origin: Origin) -> Site:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    return edge.serve(origin.url, https_port=0)


def host_of(url: str) -> str:
    return urlsplit(url).netloc


def test_a_viewer_is_made_listed_and_forgotten(site: Site) -> None:
    port = urlsplit(site.url).port
    status, made = call(site, "POST", "/api/viewers", ANNA)
    assert (status, made["urls"]["http"]) == (201, f"http://anna.viewer.localhost:{port}")
    secure = urlsplit(site.https_url).port
    assert made["urls"]["https"] == f"https://anna.viewer.localhost:{secure}"
    assert made["distributions"]["Default"]["http"] == made["urls"]["http"]
    assert made.items() >= ANNA.items()
    assert call(site, "GET", "/api/viewers") == (200, {"viewers": [made]})
    assert call(site, "POST", "/api/viewers", {**made, "city": None})[1]["city"] == ""
    assert call(site, "DELETE", "/api/viewers/anna")[0] == 200
    assert call(site, "DELETE", "/api/viewers/anna")[0] == 404
    assert call(site, "GET", "/api/viewers") == (200, {"viewers": []})


def test_the_edge_sees_the_viewer_and_not_its_name(site: Site, origin: Origin) -> None:
    _, made = call(site, "POST", "/api/viewers", ANNA)
    name, own = host_of(made["urls"]["http"]), host_of(site.url).replace("127.0.0.1", "localhost")
    headers = {"Host": name, "Origin": f"http://{name}", "Referer": f"http://{name}/x?{name}"}
    site.get("/page", headers=headers)
    (got,) = origin.got
    assert (got.header("Host"), got.header("Origin")) == (own, f"http://{own}")
    assert got.header("Referer") == f"http://{own}/x?{name}"
    assert got.header("Accept-Language") == ANNA["language"]
    assert got.header("X-Forwarded-For") == ANNA["ip"]
    (newest,) = site.exchanges(1)[:1]
    _, document = call(site, "GET", f"/api/exchanges/{newest.id}")
    viewer = document["viewer"]
    assert (viewer["ip"], viewer["country"], viewer["city"]) == ("198.51.100.7", "DE", "Bonn")
    assert (viewer["device"], viewer["http_version"]) == ("mobile", "2.0")
    assert document["host"] == own
    # A request that speaks for itself is heard first.
    site.get("/other", headers={**headers, "x-edgeproxy-viewer-country": "FR"})
    assert site.exchanges(1)[0].request.viewer.country == "FR"


def test_each_hit_is_that_of_its_viewer(site: Site, origin: Origin) -> None:
    _, made = call(site, "POST", "/api/viewers", {"name": "anna", "country": "DE"})
    call(site, "POST", "/api/viewers", {"name": "ben", "country": "FR"})
    host = host_of(made["urls"]["http"])
    for name in ("anna", "ben", "anna", "ben", "nobody"):
        site.get("/page", headers={"Host": host.replace("anna", name)})
    countries = [each.request.viewer.country for each in site.exchanges(5)]
    assert countries == ["", "FR", "DE", "FR", "DE"]
    # They share what is not told apart by the key; who is nobody keeps the name.
    assert len(origin.got) == 2


def test_who_was_nobody_may_become_somebody(site: Site, origin: Origin) -> None:
    own = host_of(site.url)
    head = f"GET /page HTTP/1.1\r\nHost: anna.viewer.{own}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", urlsplit(site.url).port or 0), 20) as viewer:
        for number in range(4):
            if number == 3:
                call(site, "POST", "/api/viewers", {"name": "anna", "country": "DE"})
            viewer.sendall(head)
            answer = b""
            while not answer.endswith(b"\r\n\r\nfrom the origin"):
                received = viewer.recv(65_536)
                assert received
                answer += received
    countries = [each.request.viewer.country for each in site.exchanges(4)]
    assert countries == ["DE", "", "", ""]


def test_an_answer_leads_back_to_the_viewers_own_name(site: Site, origin: Origin) -> None:
    _, made = call(site, "POST", "/api/viewers", {"name": "anna"})
    name, own = host_of(made["urls"]["http"]), host_of(site.url).replace("127.0.0.1", "localhost")
    elsewhere = "http://localhost:1/"

    def answer(got: Got) -> Answer:
        locations = {"/own": f"http://{own}/x", "/else": elsewhere, "/rel": "/y"}
        headers = {
            "Location": locations[got.target],
            "Access-Control-Allow-Origin": f"http://{own}",
        }
        return Answer(302, headers)

    origin.answer = answer
    told = {
        path: site.get(path, headers={"Host": name}).headers for path in ("/own", "/else", "/rel")
    }
    assert told["/own"].get("Location") == f"http://{name}/x"
    assert told["/own"].get("Access-Control-Allow-Origin") == f"http://{name}"
    assert told["/else"].get("Location") == elsewhere
    assert told["/rel"].get("Location") == "/y"


def test_over_tls_and_to_https(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    template = distribution_template(
        tmp_path, behavior={"ViewerProtocolPolicy": "redirect-to-https"}
    )
    site = edge.serve(template, origins={"web": origin.url}, https_port=0)
    _, made = call(site, "POST", "/api/viewers", {"name": "anna", "country": "DE"})
    response = site.get("/a", headers={"Host": host_of(made["urls"]["http"])})
    assert response.headers.get("Location") == f"{made['urls']['https']}/a"
    host = host_of(made["urls"]["https"])
    assert site.get("/a", headers={"Host": host}, url=site.https_url).status == 200
    # Its name has a certificate of the local authority.
    context = ssl.create_default_context(cafile=site.running.program.authority)
    pem = _certificate(context, urlsplit(site.https_url), f"{host.partition(':')[0]}")
    assert ("DNS", "anna.viewer.localhost") in pem["subjectAltName"]


def test_a_viewer_of_http_1_1_is_offered_nothing_else(site: Site) -> None:
    door, host = urlsplit(site.https_url), "anna.viewer.localhost"
    context = ssl.create_default_context(cafile=site.running.program.authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    for version, agreed in (("1.1", "http/1.1"), ("any", "h2"), ("1.1", "http/1.1"), ("2", "h2")):
        call(site, "POST", "/api/viewers", {"name": "anna", "http_version": version})
        with (
            socket.create_connection((door.hostname, door.port), 60) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            assert secure.selected_alpn_protocol() == agreed


def _certificate(context: ssl.SSLContext, door: Any, name: str) -> Any:
    with (
        socket.create_connection((door.hostname, door.port), 60) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return secure.getpeercert()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": "../x"},
        {"name": "A b"},
        {"name": "<b>"},
        {"name": "a.b"},
        {"name": "-a"},
        {"name": "a" * 41},
        {"name": 1},
        {"name": "a", "country": "Germany"},
        {"name": "a", "ip": "nowhere"},
        {"name": "a", "device": "fridge"},
        {"name": "a", "http_version": "3"},
        {"name": "a", "language": "de\r\nX: y"},
        {"name": "a", "city": "\x00"},
        {"name": "a", "colour": "red"},
    ],
)
def test_what_is_no_viewer(site: Site, document: dict[str, object]) -> None:
    status, answer = call(site, "POST", "/api/viewers", document)
    assert (status, answer["error"]["code"]) == (400, "InvalidArgument")
    assert call(site, "GET", "/api/viewers") == (200, {"viewers": []})
