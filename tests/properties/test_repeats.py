"""A hit gets the same bytes whether the connection answers it at once or the pipeline does.

A header for the local edge alone keeps a request from being answered at once: so each request is
sent with one, and then without. ``EDGEPROXY_MODEL_RUNS`` sets how many programs are tried.
"""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgeproxy.clock import Clock
from edgeproxy.edge import repeats
from edgeproxy.testing import Edge, Site
from tests.properties.test_model import RUNS, START
from tests.support.delivery import (
    CACHING_OPTIMIZED,
    cache_policy,
    definition,
    legacy,
    response_headers_policy,
)
from tests.support.origin import Answer, Origin, running_origin

_MODIFIED = "Sat, 21 Nov 2026 03:50:32 GMT"
_CORS = {
    "AccessControlAllowCredentials": False,
    "AccessControlAllowHeaders": {"Items": ["x-*"]},
    "AccessControlAllowMethods": {"Items": ["GET", "HEAD"]},
    "AccessControlAllowOrigins": {"Items": ["https://a.example", "*.b.example"]},
    "OriginOverride": True,
}
_CUSTOM = {
    "Items": [
        {"Header": "Age", "Value": "100%", "Override": False},
        {"Header": "X-Percent", "Value": "%(id)b %s %", "Override": True},
    ]
}
_BEHAVIORS = {
    "/0/*": {"cache": CACHING_OPTIMIZED},
    "/1/*": {"cache": cache_policy(cookies="whitelist ab", query="all")},
    "/2/*": {
        "cache": cache_policy(
            headers="whitelist Origin CloudFront-Is-Mobile-Viewer CloudFront-Viewer-Country"
        ),
        "respond": response_headers_policy(CorsConfig=_CORS),
    },
    "/3/*": {
        "cache": cache_policy(gzip=True),
        "respond": response_headers_policy(
            CustomHeadersConfig=_CUSTOM,
            RemoveHeadersConfig={"Items": [{"Header": "Date"}, {"Header": "ETag"}]},
        ),
    },
    "/4/*": legacy(["Accept"], cookies={"Forward": "all"}, query=True),
    "/5/*": {
        "cache": cache_policy(query="allExcept x"),
        "respond": response_headers_policy(RemoveHeadersConfig={"Items": [{"Header": "Age"}]}),
    },
}
_ANSWERS = {
    "Cache-Control": st.sampled_from(["max-age=60", "max-age=60, stale-while-revalidate=9"]),
    "ETag": st.sampled_from(['"1"', 'W/"1"']),
    "Last-Modified": st.just(_MODIFIED),
    "Content-Type": st.sampled_from(["text/html", "text/plain; charset=utf-8"]),
    "Vary": st.sampled_from(["Accept-Encoding", "Origin, Accept"]),
    "Set-Cookie": st.just("a=1; Path=/"),
    "Server": st.just("own"),
    "Via": st.just("1.1 own"),
    "Age": st.just("7"),
    "X-Percent": st.just("50% %d"),
    "X-Any": st.text("aé%", max_size=3).map(lambda text: text.encode().decode("latin-1")),
}
_ASKED = {
    "Range": st.sampled_from(["bytes=0-3", "bytes=2-", "bytes=-2", "bytes=0-1,3-4", "bytes=99-"]),
    "If-None-Match": st.sampled_from(['"1"', '"2"', "*", 'W/"1"']),
    "If-Modified-Since": st.sampled_from([_MODIFIED, "Sat, 21 Nov 2020 03:50:32 GMT", "never"]),
    "If-Range": st.sampled_from(['"1"', '"2"', _MODIFIED]),
    "Origin": st.sampled_from(["https://a.example", "https://x.b.example", "null"]),
    "Access-Control-Request-Method": st.just("GET"),
    "Cookie": st.sampled_from(["ab=1", "ab=2; other=1", "other=1", "other=2"]),
    "Accept-Encoding": st.sampled_from(["gzip", "br, gzip", "identity", "gzip;q=0"]),
    "Accept": st.sampled_from(["*/*", "text/html"]),
    "User-Agent": st.sampled_from(["curl/8", "Mozilla/5.0 (iPhone) Mobile"]),
    "Via": st.sampled_from(["1.1 proxy", "1.1 x.cloudfront.net (CloudFront)"]),
    "X-Other": st.text("ab \t", max_size=4),
    "Connection": st.sampled_from(["keep-alive", "Keep-Alive"]),
    "Pragma": st.just("no-cache"),
    "Cache-Control": st.just("no-cache"),
}


@dataclass(frozen=True)
class Asked:
    """A request, as bytes but for its target."""

    method: str
    query: str
    lines: str


def _some(table: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional=table)


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    lines = list(draw(_some(_ASKED)).items())
    spell = draw(st.sampled_from([str, str.lower, str.upper]))
    colon = draw(st.sampled_from([": ", ":", ":  "]))
    text = "".join(
        f"{spell(name)}{colon}{value}\r\n" for name, value in draw(st.permutations(lines))
    )
    query = draw(st.sampled_from(["", "?", "?x=1", "?x=2&y", "?y=%25"]))
    return Asked(draw(st.sampled_from(["GET", "GET", "HEAD"])), query, text)


class Connection:
    """One that stays open, and what it has to say."""

    def __init__(self, site: Site) -> None:
        where = urlsplit(site.url)
        self._host = f"Host: {where.netloc}\r\n"
        self._socket = socket.create_connection((where.hostname, where.port), timeout=20)
        self._file = self._socket.makefile("rb")

    def ask(self, asked: Asked, path: str, *, at_once: bool) -> tuple[bytes, bytes]:
        """Head, with its request ID made the same for all, and body."""
        local = "" if at_once else "X-Edgeproxy-Of-Its-Own: 1\r\n"
        first = f"{asked.method} {path}{asked.query} HTTP/1.1\r\n"
        self._socket.sendall(f"{first}{self._host}{local}{asked.lines}\r\n".encode())
        head = b"".join(iter(self._file.readline, b"\r\n"))
        status = head[9:12]
        assert status < b"500", head
        length = re.search(rb"\r\nContent-Length: (\d+)", head, re.IGNORECASE)
        has_body = asked.method != "HEAD" and status not in (b"204", b"304")
        body = self._file.read(int(length[1])) if has_body and length is not None else b""
        named = re.sub(rb"\r\nX-Amz-Cf-Id: [^\r]{56}\r\n", b"\r\nX-Amz-Cf-Id: \r\n", head)
        assert named != head
        return named, re.sub(rb"Request ID: \S+", b"", body)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running


@pytest.fixture(scope="module")
def site(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    template = tmp_path_factory.mktemp("repeats") / "template.json"
    template.write_text(json.dumps(definition(behaviors=_BEHAVIORS)))
    with pytest.MonkeyPatch.context() as patch, Edge() as edge:
        patch.setattr(Clock, "now", lambda clock: START + clock.offset_s)
        yield edge.serve(template, origins={"web": origin.url})


def test_at_once_or_not(site: Site, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = []
    ordinary = repeats.RepeatedAnswer.delivered

    def delivered(answer: repeats.RepeatedAnswer, sent: int, *, aborted: bool = False) -> None:
        answered.append(answer.status)
        ordinary(answer, sent, aborted=aborted)

    monkeypatch.setattr(repeats.RepeatedAnswer, "delivered", delivered)
    places = iter(range(1_000_000))
    connection = Connection(site)

    @example(0, {}, b"0123456789", [Asked("GET", "", "Range: bytes=0-3\r\nIf-None-Match: 0\r\n")])
    @example(0, {"ETag": '"1"'}, b"", [Asked("GET", "", 'If-None-Match: "1"\r\n')])
    @settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.integers(0, len(_BEHAVIORS) - 1),
        _some(_ANSWERS),
        st.sampled_from([b"", b"0123456789", b"%s" * 50_000]),
        st.lists(requests(), min_size=1, max_size=6),
    )
    def run(behavior: int, headers: dict[str, str], body: bytes, program: list[Asked]) -> None:
        origin.answer = Answer(200, headers, body)
        path = f"/{behavior}/{next(places)}"
        for asked in program * 2:
            _ = connection.ask(asked, path, at_once=False)
            expected = connection.ask(asked, path, at_once=False)
            for _ in range(3):
                assert connection.ask(asked, path, at_once=True) == expected

    run()
    connection.close()
    statuses = set(answered)
    assert statuses == {200, 206, 304}
    assert len(answered) > RUNS
