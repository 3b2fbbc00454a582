"""Misses that are prepared for, and what they come to when something is not as prepared."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import BytesBody
from edgeproxy.server.http1 import ViewerConnection
from edgeproxy.testing import Edge, Site
from tests.support.delivery import CACHING_DISABLED, definition, error_page
from tests.support.repeats import prepared
from tests.support.scripted_origin import Connection, ScriptedOrigin, running_scripted_origin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Any: 1\r\n\r\nok"


class Stage:
    """An origin that says what it is told to, and an edge that has prepared for it.

    After three requests the edge location is prepared, after six so is the connection.
    """

    def __init__(self, site: Site, origin: ScriptedOrigin, times: int = 3) -> None:
        self.site = site
        self.origin = origin
        self.total = 0
        for _ in range(times):
            self.asked()
        assert self.record.result_type == "Miss"  # All of them have ended.
        self.prepared = len(prepared)

    def asked(self, path: str = "/a") -> tuple[int, str]:
        """Status and ``X-Cache``."""
        self.total += 1
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
        return self.records(0)[0]

    def records(self, others: int) -> list[Exchange]:
        """Those of all that were asked, with so many whom others asked, newest first."""
        return self.site.exchanges(self.total + others)

    @contextmanager
    def viewer(self) -> Iterator[tuple[socket.socket, bytes]]:
        """A connection, and the head that is known."""
        where = urlsplit(self.site.url)
        head = f"GET /a HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
        with socket.create_connection((where.hostname, where.port or 0), timeout=20) as viewer:
            yield viewer, head

    @property
    def was_prepared(self) -> bool:
        """Whether one more was since this was last asked."""
        before, self.prepared = self.prepared, len(prepared)
        return self.prepared > before


def _ok(connection: Connection) -> None:
    connection.say(OK)


def _closed(connection: Connection) -> None:
    connection.socket.close()


@pytest.fixture(params=[3, 6])
def stage(edge: Edge, request: pytest.FixtureRequest) -> Iterator[Stage]:
    with running_scripted_origin(_ok) as origin:
        site = edge.serve(origin.url, quiet=True, cache_policy="CachingDisabled")
        yield Stage(site, origin, request.param)


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
    response = stage.records(1)[0].response
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


def _known(stage: Stage, viewer: socket.socket, head: bytes) -> None:
    """Have the connection of ``viewer`` know ``head``."""
    for _ in range(4):
        viewer.sendall(head)
        assert _answers(viewer, 1)


def _answers(viewer: socket.socket, count: int) -> list[bytes]:
    received = b""
    while received.count(b"\r\n\r\nok") < count:
        more = viewer.recv(65_536)
        assert more, "the edge has closed the connection"
        received += more
    return re.findall(rb"(?s)HTTP/1\.1 200 OK\r\n.+?\r\n\r\nok", received)


def test_requests_that_come_together_are_answered_in_their_order(stage: Stage) -> None:
    def numbered(connection: Connection) -> None:
        number = len(stage.origin.requests)
        connection.say(OK.replace(b"X-Any: 1", b"X-Any: %d" % number))

    with stage.viewer() as (viewer, head):
        _known(stage, viewer, head)
        stage.origin.script = numbered
        first = len(stage.origin.requests) + 1
        other = head.replace(b"/a", b"/other")
        viewer.sendall(head + head + other + head)
        numbers = [int(answer.split(b"X-Any: ")[1][:3]) for answer in _answers(viewer, 4)]
    assert numbers == list(range(first, first + 4))
    paths = [sent.split()[1] for _, sent in stage.origin.requests[-4:]]
    assert paths == [b"/a", b"/a", b"/other", b"/a"]


def test_more_than_is_kept_for_later_comes_when_there_is_room(stage: Stage) -> None:
    asked, goes_on = Event(), Event()

    def held(connection: Connection) -> None:
        asked.set()
        assert goes_on.wait(20)
        stage.origin.script = _ok
        connection.say(OK)

    with stage.viewer() as (viewer, head):
        _known(stage, viewer, head)
        stage.origin.script = held
        viewer.sendall(head)
        assert asked.wait(20)
        long = head.replace(b"\r\n\r\n", b"\r\nX-Long: %b\r\n\r\n" % (b"x" * 9_000))
        sending = Thread(target=viewer.sendall, args=(long * 20,))
        sending.start()
        goes_on.set()
        assert len(_answers(viewer, 21)) == 21
        sending.join()


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Queue[int]:
    """The ports of viewers of whom the edge has heard that they have left."""
    ports, ordinary = Queue[int](), ViewerConnection.connection_lost

    def lost(connection: ViewerConnection, error: BaseException | None) -> None:
        ordinary(connection, error)
        ports.put(connection._viewer.port)

    monkeypatch.setattr(ViewerConnection, "connection_lost", lost)
    return ports


@pytest.mark.parametrize("answer", [OK, OK.replace(b"200", b"500")])
def test_a_viewer_that_leaves_meanwhile(stage: Stage, left: Queue[int], answer: bytes) -> None:
    asked, goes_on = Event(), Event()

    def held(connection: Connection) -> None:
        asked.set()
        assert goes_on.wait(20)
        stage.origin.script = _ok
        connection.say(answer)

    with stage.viewer() as (viewer, head):
        port = viewer.getsockname()[1]
        _known(stage, viewer, head)
        stage.origin.script = held
        viewer.sendall(head)
        assert asked.wait(20)
    while left.get(timeout=20) != port:
        pass  # Another one, who asked before.
    goes_on.set()
    record = stage.records(5)[0]
    assert record.aborted
    assert record.result_type == "Error"
    assert stage.asked() == (200, "Miss from cloudfront")


def test_metrics_count_it_as_a_miss(stage: Stage) -> None:
    stage.asked()
    assert stage.record.result_type == "Miss"
    text = stage.site.get("/metrics", url=stage.site.endpoints["control"]).text
    assert stage.was_prepared
    for name, value in {
        "requests_count": stage.total,
        "cachehitrate_sum": 0,
        "originlatency_count": stage.total,
        "bytesdownloaded_count": stage.total,
    }.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"aws_cloudfront_{name}{{")]
        assert float(line.split()[-1]) == value


@pytest.mark.parametrize("times", [3, 6])
def test_an_origin_that_says_nothing_is_waited_for_as_ever(
    edge: Edge, tmp_path: Path, times: int
) -> None:
    config = {"OriginProtocolPolicy": "http-only", "OriginReadTimeout": 1}
    path = tmp_path / "template.json"
    path.write_text(
        json.dumps(
            definition(
                {"cache": CACHING_DISABLED},
                origin={"CustomOriginConfig": config, "ConnectionAttempts": 1},
            )
        )
    )
    with running_scripted_origin(_ok) as origin:
        stage = Stage(edge.serve(path, origins={"web": origin.url}), origin, times)
        stage.says(lambda connection: None)
        assert stage.asked() == (504, "Error from cloudfront")
        assert stage.record.detailed_result_type == "OriginCommError"
        assert not stage.was_prepared
