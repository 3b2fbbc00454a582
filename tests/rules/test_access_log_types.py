"""The vocabulary of result types in logs, each made by what makes it on AWS (CDN-XC, CDN-LOG-21).

``LimitExceeded``, ``CapacityExceeded`` and the like need what one machine does not have.
"""

import socket
from http.client import IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.testing import Site
from tests.support.delivery import ALL_VIEWER, raw
from tests.support.origin import Answer
from tests.support.templates import distribution_template

TYPES = ("x-edge-result-type", "x-edge-response-result-type", "x-edge-detailed-result-type")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
SLOW = {"CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "OriginReadTimeout": 1}}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def logged(deliver, log):
    return lambda *behaviors, **more: deliver(*behaviors, options={"access_log": log}, **more)


def rows(site: Site, log: Path, count: int) -> list[dict[str, str]]:
    site.exchanges(count)
    lines = log.read_text("ascii").splitlines()[2:]
    assert len(lines) == count
    return [dict(zip(STANDARD_FIELDS, line.split("\t"), strict=True)) for line in lines]


def types(site: Site, log: Path) -> tuple[str, ...]:
    """Those of the one request so far."""
    (row,) = rows(site, log, 1)
    return tuple(row[name] for name in TYPES)


@pytest.mark.rule("CDN-LOG-21")
@pytest.mark.parametrize(
    ("says", "detail"),
    [
        (b"", "OriginZeroSizeObjectError"),
        (HEAD, "OriginCommError"),
        (b"what is this?\r\n\r\n", "OriginInvalidResponseError"),
        (HEAD + b"X-Big: " + b"x" * 33_000 + b"\r\n\r\n", "OriginHeaderTooBigError"),
    ],
)
def test_origins_that_answer_badly(logged, log, raw_origin, says, detail):
    raw_origin.says = says
    site = logged({}, at={"web": raw_origin.url})
    assert site.get("/").status == 502
    assert types(site, log) == ("Error", "Error", detail)


@pytest.mark.rule("CDN-LOG-21")
def test_a_part_of_another_length(logged, log, raw_origin):
    raw_origin.says = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/20\r\n"
        b"Content-Length: 9\r\n\r\nevil-evil"
    )
    site = logged({}, at={"web": raw_origin.url})
    site.get("/", headers={"Range": "bytes=0-4"})
    assert types(site, log) == ("Error", "Error", "OriginContentRangeLengthError")


@pytest.mark.rule("CDN-LOG-21")
@pytest.mark.parametrize(
    ("where", "detail"),
    [("http://127.0.0.1:1", "OriginConnectError"), (None, "OriginDnsError")],
)
def test_origins_that_are_not_there(logged, log, where, detail):
    origin = {"DomainName": "nowhere.invalid", "ConnectionAttempts": 1}
    site = logged({}, origin=origin, at={"web": where or "http://nowhere.invalid"})
    assert site.get("/").status == 502
    assert types(site, log) == ("Error", "Error", detail)


@pytest.mark.rule("CDN-LOG-21")
def test_an_origin_that_says_nothing(logged, log, raw_origin):
    raw_origin.keep_quiet.set()
    site = logged({}, origin={**SLOW, "ConnectionAttempts": 1}, at={"web": raw_origin.url})
    assert site.get("/").status == 504
    assert types(site, log) == ("Error", "Error", "OriginCommError")


@pytest.mark.rule("CDN-ERR-40", "CDN-LOG-10", "CDN-LOG-21")
def test_a_body_that_breaks_off(logged, log, raw_origin):
    raw_origin.says = HEAD + b"\r\nhalf"
    site = logged({}, at={"web": raw_origin.url})
    with pytest.raises(IncompleteRead):
        site.get("/")
    assert types(site, log) == ("Error", "Miss", "OriginReadError")
    (row,) = rows(site, log, 1)
    assert row["sc-status"] == "200"
    assert row["sc-content-len"] == "9"


@pytest.mark.rule("CDN-LOG-10", "CDN-LOG-21", "CDN-ERR-43")
def test_a_viewer_who_leaves_in_the_middle_of_a_hit(logged, log, origin):
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"}, body=b"x" * 20_000_000)
    site = logged({})
    site.get("/")
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(1000)
    row = rows(site, log, 2)[1]
    assert tuple(row[name] for name in TYPES) == ("Error", "Hit", "ClientCommError")
    assert row["sc-status"] == "200"
    assert int(row["sc-bytes"]) > 0


@pytest.mark.rule("CDN-LOG-21", "CDN-ERR-43")
def test_a_viewer_who_leaves_while_it_sends(logged, log, raw_origin):
    raw_origin.keep_quiet.set()
    site = logged({"forward": ALL_VIEWER}, at={"web": raw_origin.url})
    where = urlsplit(site.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf")
    assert types(site, log) == ("Error", "Error", "ClientHungUpRequest")
    assert rows(site, log, 1)[0]["sc-status"] == "000"


@pytest.mark.rule("CDN-LOG-21")
@pytest.mark.parametrize(
    ("ask", "detail"),
    [
        (lambda site: site.request("DELETE", "/"), "InvalidRequestMethod"),
        (
            lambda site: site.get("/", headers={"x-edgeproxy-viewer-country": "FR"}),
            "ClientGeoBlocked",
        ),
        (
            lambda site: raw(site, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
            "InvalidRequest",
        ),
        (lambda site: site.get("/missing"), "Error"),
    ],
)
def test_requests_that_are_refused(logged, log, origin, ask, detail):
    origin.answer = lambda got: Answer(404)
    site = logged(
        {"AllowedMethods": ["GET", "HEAD"]},
        Restrictions={"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["FR"]}},
    )
    ask(site)
    assert types(site, log) == ("Error", "Error", detail)


@pytest.mark.rule("CDN-XC-10", "CDN-LOG-21")
def test_an_answer_made_at_origin_request(shared, origin, log, tmp_path):
    made = "def handler(event, context):\n    return {'status': '200', 'body': 'made'}\n"
    template = distribution_template(tmp_path, {"origin-request": made})
    site = shared.serve(template, origins={"web": origin.url}, access_log=log)
    assert site.get("/").x_cache == "LambdaGeneratedResponse from cloudfront"
    assert types(site, log) == (*["LambdaGeneratedResponse"] * 2, "MissGeneratedResponse")


@pytest.mark.rule("CDN-LOG-20")
def test_a_lambda_function_that_fails(shared, origin, log, tmp_path):
    fails = "def handler(event, context):\n    raise ValueError\n"
    template = distribution_template(tmp_path, {"viewer-request": fails})
    site = shared.serve(template, origins={"web": origin.url}, access_log=log)
    assert site.get("/").status == 503
    assert types(site, log) == ("LambdaExecutionError",) * 3
