"""What origins are told of a viewer's TLS, from real handshakes."""

import re
import socket
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgeproxy.distribution.tls_fingerprints import ja3_fingerprint, ja4_fingerprint
from edgeproxy.server import client_hello as module
from edgeproxy.testing import Site
from tests.support.delivery import CACHING_DISABLED, origin_request_policy

NAMES = ["CloudFront-Viewer-JA3-Fingerprint", "CloudFront-Viewer-JA4-Fingerprint"]
TLS = "CloudFront-Viewer-TLS"


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def asking(deliver):
    """A site whose origin is told all about TLS."""
    forward = origin_request_policy(f"whitelist {' '.join(NAMES)} {TLS}")
    return lambda: deliver(
        {"cache": CACHING_DISABLED, "forward": forward}, options={"https_port": 0}
    )


def hello_of(context: ssl.SSLContext, name: str | None) -> bytes:
    """The ClientHello that a Python program sends, without its random numbers."""
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()[5:]  # after the record's head


def trusting(site: Site) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=site.running.program.authority)


@pytest.mark.rule("CDN-CFH-16", "CDN-CFH-17", "CDN-CFH-30", "CDN-KEY-17")
def test_fingerprints_are_those_of_the_viewer_s_own_hello(asking, origin):
    site = asking()
    site.get("/", url=site.https_url)
    site.get("/", headers=dict.fromkeys(NAMES, "forged"))  # over HTTP there is no fingerprint
    hello = hello_of(trusting(site), "127.0.0.1")
    over_tls, in_clear = origin.got
    assert [over_tls.header(name) for name in NAMES] == [
        ja3_fingerprint(hello),
        ja4_fingerprint(hello),
    ]
    assert [in_clear.header(name) for name in (*NAMES, TLS)] == [None] * 3


@pytest.mark.rule("CDN-CFH-16", "CDN-CFH-17")
def test_programs_differ(asking, origin):
    site = asking()
    port = urlsplit(site.https_url).port
    connection = HTTPSConnection("localhost", port, context=trusting(site), timeout=10)
    for _ in range(2):  # the second request comes over the same connection
        connection.request("GET", "/")
        connection.getresponse().read()
    connection.close()
    old = trusting(site)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = HTTPSConnection("127.0.0.1", port, context=old, timeout=10)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()
    first, second, last = ([got.header(name) for name in NAMES] for got in origin.got)
    assert first == second != last
    assert re.fullmatch(r"t13d\d{4}00_[0-9a-f]{12}_[0-9a-f]{12}", str(first[1]))
    assert re.fullmatch(r"t12i\d{4}00_[0-9a-f]{12}_[0-9a-f]{12}", str(last[1]))


def test_where_python_tells_no_hello_there_are_no_fingerprints(asking, origin, monkeypatch):
    monkeypatch.setattr(module, "_CALLBACK", "_gone")
    site = asking()
    assert site.get("/", url=site.https_url).status == 200
    assert [origin.got[0].header(name) for name in NAMES] == [None, None]
    assert origin.got[0].header(TLS)


def test_a_hello_is_kept_only_where_a_policy_asks_for_it(deliver, origin):
    site = deliver(
        {"cache": CACHING_DISABLED, "forward": origin_request_policy(f"whitelist {TLS}")},
        options={"https_port": 0},
    )
    site.get("/", url=site.https_url)
    (exchange,) = site.exchanges(1)
    assert exchange.request.viewer.client_hello == b""


@pytest.mark.rule("CDN-CFH-15")
def test_how_a_request_came_by_its_tls(asking, origin):
    site = asking()
    where = urlsplit(site.https_url)
    context = trusting(site)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose session is there after the handshake
    session = None
    for _ in range(2):
        plain = socket.create_connection((where.hostname, where.port), timeout=10)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
            for _ in range(2):
                tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = b""
                while b"from the origin" not in answer:
                    answer += tls.recv(65536)
            session = tls.session
            version, cipher = tls.version(), tls.cipher()[0]
    told = [str(got.header(TLS)).split(":") for got in origin.got]
    assert {(first, second) for first, second, _ in told} == {(version, cipher)}
    assert [third for *_, third in told] == [
        "fullHandshake", "connectionReused", "sessionResumed", "connectionReused",
    ]  # fmt: skip
