"""The access log of real requests."""

import re
import socket
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.testing import Edge, Site
from tests.support.delivery import error_page, raw
from tests.support.origin import Answer
from tests.support.templates import distribution_template

FRESH = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/css"}, body=b"p{}")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def logging(deliver, log):
    """Serves a distribution that writes an access log."""

    def start(*arguments: object, **more: object) -> Site:
        return deliver(*arguments, options={"access_log": log}, **more)

    return start


def lines(site: Site, log: Path, count: int) -> list[dict[str, str]]:
    """The fields of the last lines, once that many requests have ended."""
    site.exchanges(count)
    rows = log.read_text("ascii").splitlines()[2:]
    assert len(rows) == count
    return [dict(zip(STANDARD_FIELDS, row.split("\t"), strict=True)) for row in rows]


@pytest.mark.rule("CDN-LOG-01", "CDN-LOG-03", "CDN-LOG-20")
def test_every_field_of_a_line(logging, log, origin):
    origin.answer = FRESH
    site = logging({}, Logging={"IncludeCookies": True})
    sent = {
        "Host": "www.example.com",
        "Referer": "https://a.example/x",
        "User-Agent": "My Browser/1 {x}",
        "Cookie": "a=1; b=2",
        "X-Forwarded-For": "198.51.100.7",
        "x-edgeproxy-viewer-ip": "203.0.113.9",
    }
    response = site.get("/a%20b/~c?x=1&y='", headers=sent)
    fields = lines(site, log, 1)[0]
    head, names = log.read_text().splitlines()[:2]
    assert (head, names) == ("#Version: 1.0", f"#Fields: {' '.join(STANDARD_FIELDS)}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", fields["date"])
    assert re.fullmatch(r"\d\d:\d\d:\d\d", fields["time"])
    assert fields["cs(Host)"].endswith(".cloudfront.net")
    for name in ("time-taken", "time-to-first-byte"):
        assert re.fullmatch(r"\d+\.\d{3}", fields[name])
    for name in ("sc-bytes", "cs-bytes", "c-port"):
        assert int(fields[name]) > 0
    expected = {
        "x-edge-location": response.headers.get("X-Amz-Cf-Pop"),
        "c-ip": "203.0.113.9",
        "cs-method": "GET",
        "cs-uri-stem": "/a%2520b/%7Ec",
        "sc-status": "200",
        "cs(Referer)": "https://a.example/x",
        "cs(User-Agent)": "My%20Browser/1%20%7Bx%7D",
        "cs-uri-query": "x=1&y=%27",
        "cs(Cookie)": "a=1;%20b=2",
        "x-edge-result-type": "Miss",
        "x-edge-response-result-type": "Miss",
        "x-edge-detailed-result-type": "Miss",
        "x-edge-request-id": response.headers.get("X-Amz-Cf-Id"),
        "x-host-header": "www.example.com",
        "cs-protocol": "http",
        "cs-protocol-version": "HTTP/1.1",
        "x-forwarded-for": "198.51.100.7",
        "ssl-protocol": "-",
        "ssl-cipher": "-",
        "fle-status": "-",
        "fle-encrypted-fields": "-",
        "sc-content-type": "text/css",
        "sc-content-len": "3",
        "sc-range-start": "-",
        "sc-range-end": "-",
    }
    assert {name: fields[name] for name in expected} == expected


@pytest.mark.rule(
    "CDN-LOG-09", "CDN-LOG-20", "CDN-LOG-21", "CDN-VPP-07", "CDN-GEO-02", "CDN-VAL-03"
)
def test_result_types(logging, log, origin, shared: Edge):
    def answer(got):
        if got.target == "/missing":
            return Answer(404)
        if got.header("If-None-Match"):
            return Answer(304)
        return Answer(headers={"Cache-Control": "max-age=5", "ETag": '"1"'})

    origin.answer = answer
    dead = {
        "Id": "dead",
        "DomainName": "dead.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        "ConnectionAttempts": 1,
    }
    site = logging(
        {"AllowedMethods": ["GET", "HEAD"]},
        {
            "/https/*": {"ViewerProtocolPolicy": "redirect-to-https"},
            "/dead/*": {"TargetOriginId": "dead"},
        },
        origins=[dead],
        at={"dead": "http://127.0.0.1:1"},
        CustomErrorResponses=[error_page(404, "/index.html", 200)],
        Restrictions={"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["FR"]}},
    )
    french = {"x-edgeproxy-viewer-country": "FR"}
    site.get("/a")
    site.get("/a", headers={"Range": "bytes=2-4"})
    shared.clock.advance(seconds=6)
    site.get("/a")
    site.get("/https/a")
    site.post("/a")
    site.get("/a", headers=french)
    site.get("/missing")
    site.get("/dead/a")
    rows = lines(site, log, 8)
    names = ("sc-status", "x-edge-result-type", "x-edge-detailed-result-type")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("200", "Miss", "Miss"),
        ("206", "Hit", "Hit"),
        ("200", "RefreshHit", "RefreshHit"),
        ("301", "Redirect", "Redirect"),
        ("403", "Error", "InvalidRequestMethod"),
        ("403", "Error", "ClientGeoBlocked"),
        ("200", "Error", "Error"),
        ("502", "Error", "OriginConnectError"),
    ]
    assert (rows[1]["sc-range-start"], rows[1]["sc-range-end"]) == ("2", "4")
    assert [row["x-edge-response-result-type"] for row in rows] == [
        row["x-edge-result-type"] for row in rows
    ]


@pytest.mark.rule("CDN-LOG-08")
def test_a_response_made_at_the_edge(shared: Edge, origin, log, tmp_path: Path):
    made = "def handler(event, context):\n    return {'status': '200', 'body': 'made'}\n"
    template = distribution_template(tmp_path, {"viewer-request": made})
    site = shared.serve(template, origins={"web": origin.url}, access_log=log)
    site.get("/a")
    assert lines(site, log, 1)[0]["x-edge-result-type"] == "LambdaGeneratedResponse"


@pytest.mark.rule("CDN-ERR-40")
def test_a_body_that_breaks_off_is_an_error_after_all(logging, log, raw_origin):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    site = logging({}, at={"web": raw_origin.url})
    raw(site, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    row = lines(site, log, 1)[0]
    assert row["x-edge-result-type"] == "Error"
    assert row["x-edge-response-result-type"] == "Miss"


@pytest.mark.rule("CDN-ERR-43", "CDN-LOG-21")
def test_a_viewer_that_leaves_before_the_answer(logging, log, origin):
    asked, release = Event(), Event()

    def slow(got):
        asked.set()
        assert release.wait(20)
        return FRESH

    origin.answer = slow
    site = logging({})
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(20)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""  # the edge knows that we are gone
    release.set()
    row = lines(site, log, 1)[0]
    assert (row["sc-status"], row["sc-bytes"]) == ("000", "0")
    assert row["x-edge-result-type"] == "Error"
    assert row["x-edge-detailed-result-type"] in ("ClientCommError", "ClientHungUpRequest")


LONG = b"x" * 5000


def until_closed(site: Site, data: bytes) -> bytes:
    """Everything that comes back for ``data``, whose last request closes the connection."""
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.rule("CDN-LOG-03")
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"GET /a HTTP/1.1\r\n", b""),
        (b"GET /\xc3\xbc?q=\xc3\xbc HTTP/1.1\r\nCookie: a=\xff\r\n", b""),
        (b"HEAD /a HTTP/1.1\r\nUser-Agent: Z\xc3\xbcrich \"100%\"\r\n", b""),
        (b"POST /read HTTP/1.1\r\nContent-Length: 5000\r\n", LONG),
        # Nobody reads what these send: the method is refused, or a GET with a body.
        (b"POST /refused/a HTTP/1.1\r\nContent-Length: 5000\r\n", LONG),
        (b"GET /a HTTP/1.1\r\nContent-Length: 3\r\n", b"abc"),
    ],
)  # fmt: skip
def test_bytes_are_those_on_the_wire(logging, log, origin, head, body):
    origin.answer = FRESH
    allowed = {"AllowedMethods": ["GET", "HEAD"]}
    site = logging({}, {"/refused/*": allowed}, Logging={"IncludeCookies": True})
    sent = head + b"Host: www.example.com\r\nConnection: close\r\n\r\n" + body
    received = until_closed(site, sent)
    fields = lines(site, log, 1)[0]
    assert int(fields["cs-bytes"]) == len(sent)
    assert int(fields["sc-bytes"]) == len(received)
    if b"\xff" in head:
        assert (fields["cs-uri-stem"], fields["cs-uri-query"]) == ("/%C3%BC", "q=%C3%BC")
        assert fields["cs(Cookie)"] == "a=%FF"
    if b"100%" in head:
        assert fields["cs(User-Agent)"] == "Z%C3%BCrich%20%22100%25%22"


def test_each_request_of_a_connection_has_its_own_line(logging, log, origin):
    origin.answer = FRESH
    site = logging({})
    first = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    second = b"GET /22 HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /22 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    received = until_closed(site, first + second + last)
    rows = lines(site, log, 3)
    assert [row["cs-uri-stem"] for row in rows] == ["/1", "/22", "/22"]
    assert [int(row["cs-bytes"]) for row in rows] == [len(first), len(second), len(last)]
    assert sum(int(row["sc-bytes"]) for row in rows) == len(received)
    assert [row["x-edge-result-type"] for row in rows] == ["Miss", "Miss", "Hit"]
    assert len({row["c-port"] for row in rows}) == 1
    assert len({row["x-edge-request-id"] for row in rows}) == 3
