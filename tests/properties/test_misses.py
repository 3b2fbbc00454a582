"""A miss is the same for viewer and origin whether it was prepared for or goes the ordinary way.

A header for the local edge alone keeps a request from being prepared for: so each request is sent
with one, and then without. ``EDGEPROXY_MODEL_RUNS`` sets how many programs are tried.
"""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgeproxy.clock import Clock
from edgeproxy.testing import Edge, Site
from tests.properties.test_model import RUNS, START
from tests.support.delivery import (
    ALL_VIEWER,
    CACHING_DISABLED,
    definition,
    error_page,
    legacy,
    origin_request_policy,
    response_headers_policy,
)
from tests.support.repeats import prepared
from tests.support.scripted_origin import Connection, ScriptedOrigin, running_scripted_origin

_CORS = {
    "AccessControlAllowCredentials": False,
    "AccessControlAllowHeaders": {"Items": ["x-*"]},
    "AccessControlAllowMethods": {"Items": ["GET", "HEAD"]},
    "AccessControlAllowOrigins": {"Items": ["https://a.example", "*.b.example"]},
    "OriginOverride": True,
}
_CUSTOM = {
    "Items": [
        {"Header": "X-Any", "Value": "100% %b", "Override": False},
        {"Header": "X-Percent", "Value": "%(id)b %s %", "Override": True},
    ]
}
_BEHAVIORS: dict[str, Any] = {
    "/0/*": {"cache": CACHING_DISABLED},
    "/1/*": {"cache": CACHING_DISABLED, "forward": ALL_VIEWER},
    "/2/*": {
        "cache": CACHING_DISABLED,
        "forward": origin_request_policy("whitelist Accept X-Other", "whitelist ab", "whitelist x"),
        "respond": response_headers_policy(CorsConfig=_CORS),
    },
    "/3/*": {
        "cache": CACHING_DISABLED,
        "respond": response_headers_policy(
            CustomHeadersConfig=_CUSTOM,
            RemoveHeadersConfig={"Items": [{"Header": "Date"}, {"Header": "ETag"}]},
        ),
    },
    "/4/*": legacy(["*"], cookies={"Forward": "all"}, query=True, MaxTTL=0, DefaultTTL=0),
    "/5/*": {"cache": CACHING_DISABLED, "forward": origin_request_policy("none", "all", "all")},
}
_LINES = {
    "Cache-Control": st.sampled_from(["max-age=60", "no-store"]),
    "ETag": st.sampled_from(['"1"', 'W/"1"']),
    "Content-Type": st.sampled_from(["text/html", "text/plain; charset=utf-8"]),
    "Vary": st.sampled_from(["Accept-Encoding", "Origin, Accept", "X-Other", "*"]),
    "Set-Cookie": st.sampled_from(["a=1; Path=/", "b=2\r\nSet-Cookie: c=3"]),
    "Server": st.just("own"),
    "Via": st.sampled_from(["1.1 own", "1.1 own\r\nvia: 1.0 other"]),
    "Date": st.just("Sat, 21 Nov 2026 03:50:32 GMT"),
    "Age": st.just("7"),
    "X-Percent": st.just("50% %d %b"),
    "X-Cache": st.just("Hit from elsewhere"),
    "x-amz-cf-id": st.just("another"),
    "X-Any": st.sampled_from(["", "é", "\xff", "edgeproxy-marks-value-0-of-an-answer"]),
    "Location": st.just("/elsewhere"),
    "Connection": st.sampled_from(["keep-alive", "Keep-Alive", "close", "X-Any"]),
    "Keep-Alive": st.just("timeout=5"),
    "Proxy-Any": st.just("1"),
    "Access-Control-Allow-Origin": st.just("*"),
    "Content-Encoding": st.just("gzip"),
}
_ASKED = {
    "Range": st.sampled_from(["bytes=0-3", "none"]),
    "If-None-Match": st.sampled_from(['"1"', "*"]),
    "Origin": st.sampled_from(["https://a.example", "null"]),
    "Access-Control-Request-Method": st.just("GET"),
    "Cookie": st.sampled_from(["ab=1", "ab=2; other=1", "other=1\r\nCookie: ab=3"]),
    "Accept-Encoding": st.sampled_from(["gzip", "br, gzip"]),
    "Accept": st.sampled_from(["*/*", "text/html"]),
    "User-Agent": st.sampled_from(["curl/8", "Mozilla/5.0 (iPhone) Mobile"]),
    "Via": st.sampled_from(["1.1 proxy", "1.1 x.cloudfront.net (CloudFront)"]),
    "X-Forwarded-For": st.just("192.0.2.1"),
    "X-Other": st.sampled_from(["", "a b", "edgeproxy-marks-the-place-of-a-target"]),
    "Connection": st.just("keep-alive"),
    "X-Amz-Cf-Id": st.just("mine"),
}


@dataclass(frozen=True)
class Asked:
    """Method, query and further lines of a request."""

    method: str
    query: str
    lines: str


def _some(table: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    lines = st.fixed_dictionaries({}, optional=table).map(lambda found: list(found.items()))
    return lines.flatmap(st.permutations).map(
        lambda found: "".join(f"{name}: {value}\r\n" for name, value in found)
    )


_REQUESTS = st.builds(
    Asked,
    st.sampled_from(["GET", "GET", "GET", "HEAD", "DELETE"]),
    st.sampled_from(["", "?", "?x=1", "?x=2&y", "?y=%25"]),
    _some(_ASKED),
)
_STATUSES = st.sampled_from(
    ["200 OK", "200 OK", "200 Fine", "201 ", "302 Found", "304 Not Modified", "404 Not Found"]
)


def _answer(status: str, lines: str, body: bytes, framing: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\n{lines}".encode("utf-8" if "é" in lines else "latin-1")
    if status.startswith("304"):
        return head + b"\r\n"
    if framing == "chunked":
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + b"%b: %d\r\n\r\n%b" % (framing.encode(), len(body), body)


_ANSWERS = st.builds(
    _answer,
    _STATUSES,
    _some(_LINES),
    st.sampled_from([b"0123456789", b"%s" * 5_000]),
    st.sampled_from(["Content-Length", "content-length", "chunked"]),
)


class Viewer:
    """A connection that stays open, or is opened anew."""

    def __init__(self, site: Site) -> None:
        self._where = urlsplit(site.url)
        self._socket: socket.socket | None = None

    def ask(self, asked: Asked, path: str, *, ordinary: bool) -> tuple[bytes, bytes]:
        """Head, without its request ID, and body."""
        local = "X-Edgeproxy-Of-Its-Own: 1\r\n" if ordinary else ""
        first = f"{asked.method} {path}{asked.query} HTTP/1.1\r\nHost: {self._where.netloc}\r\n"
        if self._socket is None:
            self._socket = socket.create_connection(
                (self._where.hostname, self._where.port or 0), timeout=20
            )
        self._socket.sendall(f"{first}{local}{asked.lines}\r\n".encode())
        with self._socket.makefile("rb") as file:
            lines = [file.readline()]
            while lines[-1] not in (b"\r\n", b""):
                lines.append(file.readline())
            assert lines.pop(), "the connection was closed"
            head = b"".join(lines)
            length = re.search(rb"\r\nContent-Length: (\d+)", head, re.IGNORECASE)
            if asked.method == "HEAD" or head[9:12] == b"304":
                body = b""
            elif length is not None:
                body = file.read(int(length[1]))
            else:
                body = b"".join(iter(file.readline, b"0\r\n")) + file.readline()
        if b"\r\nConnection: close" in head:
            self.close()
        return _nameless(head), re.sub(rb"Request ID: \S+", b"", body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _nameless(head: bytes) -> bytes:
    named = re.sub(rb"(?m)^X-Amz-Cf-Id: [^\r]{56}\r$", b"", head)
    assert named != head
    return named


@pytest.fixture(scope="module")
def says() -> list[bytes]:
    """What the origin answers."""
    return [b""]


@pytest.fixture(scope="module")
def origin(says: list[bytes]) -> Iterator[ScriptedOrigin]:
    def answer(connection: Connection) -> None:
        connection.say(says[0])
        if b"\r\nConnection: close\r\n" in says[0].partition(b"\r\n\r\n")[0] + b"\r\n":
            connection.socket.close()

    with running_scripted_origin(answer) as running:
        yield running


@pytest.fixture(scope="module")
def site(origin: ScriptedOrigin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    template = tmp_path_factory.mktemp("misses") / "template.json"
    headers = [{"HeaderName": "X-Own", "HeaderValue": "50%"}]
    template.write_text(
        json.dumps(
            definition(
                behaviors=_BEHAVIORS,
                origin={"OriginPath": "/app", "OriginCustomHeaders": headers},
                CustomErrorResponses=[error_page(404, "/9/page", 200, 0)],
            )
        )
    )
    with pytest.MonkeyPatch.context() as patch, Edge() as edge:
        patch.setattr(Clock, "now", lambda clock: START + clock.offset_s)
        yield edge.serve(template, origins={"web": origin.url})


def test_prepared_or_not(site: Site, origin: ScriptedOrigin, says: list[bytes]) -> None:
    before = len(prepared)
    viewer = Viewer(site)

    @example(0, [_answer("200 OK", "X-Any: \xff\r\n", b"ok", "Content-Length")], [])
    @settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.integers(0, len(_BEHAVIORS) - 1),
        st.lists(_ANSWERS, min_size=1, max_size=2),
        st.lists(_REQUESTS, max_size=2),
    )
    def run(behavior: int, answers: list[bytes], program: list[Asked]) -> None:
        for asked in [Asked("GET", "", ""), *program]:
            for answer in answers:
                says[0] = answer
                # At its second sight it is prepared for, whatever its path; then come two sights
                # of the same bytes, and after them the connection knows it.
                for path, times in ((f"/{behavior}/a", 6), (f"/{behavior}/%20;b", 1)):
                    expected = viewer.ask(asked, path, ordinary=True)
                    sent = _nameless(origin.requests[-1][1])
                    for _ in range(times):
                        assert viewer.ask(asked, path, ordinary=False) == expected
                        assert _nameless(origin.requests[-1][1]) == sent

    run()
    viewer.close()
    assert len(prepared) - before > RUNS
