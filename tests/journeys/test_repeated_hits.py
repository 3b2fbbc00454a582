"""Hits that a connection answers at once, through the whole edge."""

import gc
import json
import re
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.cache.entry import Entry
from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.http.messages import Response
from edgeproxy.testing import Edge, Site
from tests.support.delivery import definition, origin_request_policy, running_raw_origin
from tests.support.origin import Answer, Origin


class Viewer:
    """A connection that stays open."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        where = urlsplit(url)
        self._host = where.netloc
        self._socket = socket.create_connection((where.hostname, where.port), timeout=20)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname="localhost")
        self._file = self._socket.makefile("rb")

    def get(self, path: str, *lines: str) -> tuple[str, bytes]:
        """Head and body of the answer, which has a length."""
        head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {self._host}", *lines, "", ""])
        self._socket.sendall(head.encode())
        told = b"".join(iter(self._file.readline, b"\r\n")).decode()
        length = re.search(r"\r\nContent-Length: (\d+)\r\n", told)
        return told, self._file.read(int(length[1])) if length is not None else b""

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def serve(edge: Edge, folder: Path, url: str, template: Any = None, **options: Any) -> Site:
    path = folder / "template.json"
    path.write_text(json.dumps(template or definition()))
    return edge.serve(path, origins={"web": url}, **options)


def logged(log: Path, field: str) -> list[str]:
    at = STANDARD_FIELDS.index(field)
    lines = log.read_text().splitlines()
    return [line.split("\t")[at] for line in lines if not line.startswith("#")]


def test_a_date_far_away_stays_as_it_is(edge: Edge, tmp_path: Path, origin: Origin) -> None:
    far = "Fri, 31 Dec 9999 23:59:59 GMT"
    origin.answer = Answer(200, {"Expires": far, "Date": "Sat, 21 Nov 2026 03:50:32 GMT"})
    viewer = Viewer(serve(edge, tmp_path, origin.url).url)
    for _ in range(4):
        assert f"\r\nExpires: {far}\r\n" in viewer.get("/")[0]
    viewer.close()


def test_a_connection_ends_as_an_old_proxy_says(edge: Edge, tmp_path: Path, origin: Origin) -> None:
    origin.answer = Answer(200, {"Cache-Control": "max-age=60"})
    viewer = Viewer(serve(edge, tmp_path, origin.url).url)
    for says in ("keep-alive", "keep-alive", "keep-alive", "close"):
        head, _ = viewer.get("/", f"Proxy-Connection: {says}")
        assert f"\r\nConnection: {says}\r\n" in head
    viewer.close()


def test_an_object_without_headers_is_replaced(edge: Edge, tmp_path: Path) -> None:
    with running_raw_origin() as origin:
        log = tmp_path / "log"
        site = serve(edge, tmp_path, origin.url, access_log=log)
        viewer = Viewer(site.url)
        for asked, body in ((5, b"one"), (10, b"another")):
            origin.says = b"HTTP/1.1 200 OK\r\n\r\n" + body
            assert site.get("/").body == body
            for _ in range(4):
                assert viewer.get("/")[1] == body
            _ = site.exchanges(asked)
            lines = logged(log, "sc-content-len")
            assert lines[-4:] == [str(len(body))] * 4
            assert site.invalidate("/*") == 1
        viewer.close()


def test_records_of_hits_keep_no_bodies(edge: Edge, tmp_path: Path, origin: Origin) -> None:
    origin.answer = Answer(200, {"Cache-Control": "max-age=60"}, b"0123456789" * 100_000)
    site = serve(edge, tmp_path, origin.url)
    viewer = Viewer(site.url)
    for _ in range(4):
        assert len(viewer.get("/whole")[1]) == 1_000_000
    for _ in range(3):
        head, body = viewer.get("/whole", "Range: bytes=5-5004")
        assert (head[9:12], len(body)) == ("206", 5000)
    viewer.close()
    part, *_, whole, _, _, _ = site.exchanges(7)
    for exchange, size, beginning in ((part, 5000, b"567890"), (whole, 1_000_000, b"012345")):
        response = exchange.response
        assert isinstance(response, Response)
        assert (response.body.length, response.body.passed) == (size, size)
        assert len(response.body.preview) == 4096
        assert response.body.preview.startswith(beginning)
        after = exchange.steps[-1].after
        assert isinstance(after, Response)
        assert after.body.preview == response.body.preview
    site.invalidate("/*")
    gc.collect()
    held = [one for one in gc.get_objects() if isinstance(one, Entry) and one.path == "/whole"]
    assert [one for one in held if isinstance(one.body, bytes) and len(one.body) > 10_000] == []


@pytest.mark.rule("CDN-CFH-15")
def test_a_first_request_that_is_no_hit_any_more_has_shaken_hands(
    edge: Edge, tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    origin.answer = Answer(200, {"Cache-Control": "max-age=60"})
    forward = origin_request_policy(headers="whitelist CloudFront-Viewer-TLS")
    template = definition({"forward": forward})
    log = tmp_path / "log"
    site = serve(edge, tmp_path, origin.url, template, https_port=0, access_log=log)
    for asked, version in ((4, ssl.TLSVersion.TLSv1_3), (8, ssl.TLSVersion.TLSv1_2)):
        tls = ssl.create_default_context(cafile=site.running.program.authority)
        tls.check_hostname = False
        tls.maximum_version = version
        viewer = Viewer(site.https_url, tls)
        for _ in range(4):
            _ = viewer.get("/")
        viewer.close()
        _ = site.exchanges(asked)
        told = origin.got[-1].header("CloudFront-Viewer-TLS") or ""
        assert told.startswith(f"{version.name.replace('_', '.')}:")
        assert told.endswith(":fullHandshake")
        assert logged(log, "ssl-protocol")[-4:] == [version.name.replace("_", ".")] * 4
        edge.clock.advance(seconds=100)
