"""Misses that are prepared for, and what they come to when something is not as prepared."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import BytesBody
from edgeproxy.testing import Edge, Site
from tests.support.delivery import CACHING_DISABLED, definition, error_page
from tests.support.repeats import prepared
from tests.support.scripted_origin import Connection, ScriptedOrigin, running_scripted_origin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Any: 1\r\n\r\nok"


class Stage:
    """An origin that says what it is told to, and an edge that has prepared for it."""

    def __init__(self, site: Site, origin: ScriptedOrigin) -> None:
        self.site = site
        self.origin = origin
        self._asked = 0
        for _ in range(3):
            self.asked()
        assert self.record.result_type == "Miss"  # All of them have ended.
        self.prepared = len(prepared)

    def asked(self, path: str = "/a") -> tuple[int, str]:
        """Status and ``X-Cache``."""
        self._asked += 1
        answer = self.site.get(path)
        return answer.status, answer.x_cache

    def says(self, what: bytes | Callable[[Connection], None]) -> None:
        """From now on; after that it says OK if it is a function that has been called once."""

        def once(connection: Connection) -> None:
            self.origin.script = _ok
            assert callable(what)
            what(connection)

        self.origin.script = once if callable(what) else lambda connection: connection.say(what)

    @property
    def record(self) -> Exchange:
        return self.site.exchanges(self._asked)[0]

    @property
    def was_prepared(self) -> bool:
        """Whether one more was since this was last asked."""
        before, self.prepared = self.prepared, len(prepared)
        return self.prepared > before


def _ok(connection: Connection) -> None:
    connection.say(OK)


def _closed(connection: Connection) -> None:
    connection.socket.close()


@pytest.fixture
def stage(edge: Edge) -> Iterator[Stage]:
    with running_scripted_origin(_ok) as origin:
        yield Stage(edge.serve(origin.url, quiet=True, cache_policy="CachingDisabled"), origin)


def test_it_is_recorded_as_ever(stage: Stage) -> None:
    ordinary = stage.site.exchanges(1)[-1]
    assert stage.asked("/b?x=1") == (200, "Miss from cloudfront")
    record = stage.record
    assert stage.was_prepared
    assert record.request.target == "/b?x=1"
    assert [step.name for step in record.steps] == [step.name for step in ordinary.steps]
    asked = record.steps[-1].before
    assert asked is not None
    assert asked.headers.get("X-Amz-Cf-Id") == record.id
    assert record.response is not None
    assert record.response.headers.get("X-Amz-Cf-Id") == record.id
    assert record.response.headers.get("X-Any") == "1"
    assert isinstance(record.response.body, BytesBody)
    assert record.response.body.data == b"ok"
    assert record.origin_domain_name == ordinary.origin_domain_name
    assert record.first_byte_s is not None
    assert record.origin_first_byte_s is not None
    assert 0 < record.origin_first_byte_s <= record.first_byte_s <= record.duration_s
    assert stage.origin.requests[-1][1].startswith(b"GET /b?x=1 HTTP/1.1\r\n")


def test_of_a_large_body_the_record_keeps_the_beginning(stage: Stage) -> None:
    stage.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000)
    assert stage.site.get("/a").body == b"x" * 9000
    response = stage.site.exchanges(4)[0].response
    assert response is not None
    assert (response.body.length, response.body.preview) == (9000, b"x" * 4096)
    assert stage.was_prepared


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
    ],
)
def test_an_error_takes_the_ordinary_way_and_is_asked_for_once(stage: Stage, answer: bytes) -> None:
    asked = len(stage.origin.requests)
    stage.says(answer)
    assert stage.asked() == (int(answer[9:12]), "Error from cloudfront")
    record = stage.record
    assert record.result_type == "Error"
    assert [step.name for step in record.steps] == ["behavior", "cache", "origin"]
    head = stage.origin.requests[-1][1].decode()
    assert f"\r\nX-Amz-Cf-Id: {record.id}\r\n" in head
    assert len(stage.origin.requests) == asked + 1
    assert not stage.was_prepared


def test_an_error_page_is_fetched_after_it(edge: Edge, tmp_path: Path) -> None:
    template = definition(
        {"cache": CACHING_DISABLED},
        CustomErrorResponses=[error_page(404, "/page", 200)],
    )
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))

    def script(connection: Connection) -> None:
        is_page = origin.requests[-1][1].startswith(b"GET /page ")
        missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
        connection.say(OK if is_page or b" /a " in origin.requests[-1][1] else missing)

    with running_scripted_origin(script) as origin:
        stage = Stage(edge.serve(path, origins={"web": origin.url}), origin)
        assert stage.asked("/none") == (200, "Error from cloudfront")
        targets = [head.split()[1] for _, head in origin.requests[-2:]]
        assert targets == [b"/none", b"/page"]


def test_a_connection_that_the_origin_ends_is_replaced_by_another(stage: Stage) -> None:
    stage.says(_closed)
    assert stage.asked() == (200, "Miss from cloudfront")
    assert stage.record.result_type == "Miss"


def test_an_answer_that_breaks_off_in_its_head_is_an_error(stage: Stage) -> None:
    def broken(connection: Connection) -> None:
        connection.say(OK[:30])
        connection.socket.close()

    stage.says(broken)
    assert stage.asked() == (502, "Error from cloudfront")
    assert stage.record.detailed_result_type == "OriginCommError"


def test_without_a_connection_that_waits_it_takes_the_ordinary_way(stage: Stage) -> None:
    stage.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    assert stage.asked() == (200, "Miss from cloudfront")
    stage.says(OK)
    assert stage.asked() == (200, "Miss from cloudfront")
    assert not stage.was_prepared
    assert stage.asked() == (200, "Miss from cloudfront")
    assert stage.record.result_type == "Miss"
    assert stage.was_prepared


def test_metrics_count_it_as_a_miss(stage: Stage) -> None:
    stage.asked()
    assert stage.record.result_type == "Miss"
    text = stage.site.get("/metrics", url=stage.site.endpoints["control"]).text
    assert stage.was_prepared
    for name, value in {
        "requests_count": 4,
        "cachehitrate_sum": 0,
        "originlatency_count": 4,
        "bytesdownloaded_count": 4,
    }.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"aws_cloudfront_{name}{{")]
        assert float(line.split()[-1]) == value
