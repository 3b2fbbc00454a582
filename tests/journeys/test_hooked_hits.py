"""Hits behind a Lambda function at the viewer request, through the whole edge."""

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from edgeproxy.clock import Clock
from edgeproxy.edge.hooked_repeats import HookedRepeat
from edgeproxy.edge.stored_hits import RepeatedAnswer
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.dates import parse_date
from edgeproxy.http.messages import Asked, Coming, Request
from edgeproxy.observe.hub import Hub
from edgeproxy.testing import Edge, Site
from tests.journeys.test_repeated_hits import Viewer
from tests.support.origin import Answer, Origin

FUNCTION = """
import pathlib, socket
folder = pathlib.Path(__file__).parent
def handler(event, context):
    cf = event['Records'][0]['cf']
    with open(folder / 'ran', 'a') as ran:
        ran.write(cf['config']['requestId'] + '\\n')
    todo = (folder / 'todo').read_text()
    if todo == 'answer':
        return {'status': '302', 'headers': {'location': [{'value': '/elsewhere'}]}}
    if todo == 'fail':
        raise ValueError('as told')
    if todo.startswith('wait'):
        with socket.create_connection(('127.0.0.1', int(todo[5:]))) as gate:
            gate.recv(1)
    if todo == 'shout':
        cf['request']['headers']['X-Loud'] = [{'value': '1'}]
    if todo == 'talk':
        print('x' * 10_000)
    if todo.startswith('/'):
        cf['request']['uri'] = todo
    return cf['request']
"""


class Hooked:
    """A viewer of a site whose function does what it is told, and notes each of its runs."""

    def __init__(self, edge: Edge, folder: Path, origin: Origin) -> None:
        self._folder = folder
        (folder / "function.py").write_text(FUNCTION)
        self.tell("")
        function = str(folder / "function.py")
        self.site = edge.serve(origin.url, viewer_request=function)
        self.viewer = Viewer(self.site.url)

    def tell(self, todo: str) -> None:
        (self._folder / "todo").write_text(todo)

    @contextmanager
    def gate(self) -> Iterator[Callable[[], socket.socket]]:
        """What gives a connection to the function once it runs; it waits for the end of that."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(20)
            self.tell(f"wait {server.getsockname()[1]}")
            yield lambda: server.accept()[0]

    def ran(self) -> list[str]:
        """The IDs of the requests for which the function has run."""
        return (self._folder / "ran").read_text().split()

    def get(self, times: int = 1) -> list[str]:
        """What the viewer gets, in short."""
        told = []
        for _ in range(times):
            head, _ = self.viewer.get("/photo")
            result = re.search(r"\r\nX-Cache: (\w+)", head)
            told.append(f"{head[9:12]} {result and result[1]}")
        return told


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The heads of requests that took the short way."""
    heads: list[bytes] = []
    begin = HookedRepeat.begin

    def noted(repeat: HookedRepeat, asked: Asked) -> Coming | None:
        heads.append(asked.head)
        return begin(repeat, asked)

    monkeypatch.setattr(HookedRepeat, "begin", noted)
    return heads


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[RepeatedAnswer]:
    """The hits of which readers were told before there was a record."""
    hits: list[RepeatedAnswer] = []
    repeated = Hub.repeated

    def noted(hub: Hub, hit: RepeatedAnswer, **how: bool) -> None:
        hits.append(hit)
        repeated(hub, hit, **how)

    monkeypatch.setattr(Hub, "repeated", noted)
    return hits


@pytest.fixture
def hooked(edge: Edge, tmp_path: Path, origin: Origin) -> Iterator[Hooked]:
    origin.answer = Answer(200, {"Cache-Control": "max-age=60"}, b"photo")
    hooked = Hooked(edge, tmp_path, origin)
    yield hooked
    hooked.viewer.close()


def recorded(site: Site, count: int) -> list[Exchange]:
    """Oldest first."""
    return site.exchanges(count)[::-1][:count]


@pytest.mark.rule("LE-ORDER-01")
def test_the_function_runs_for_each_hit(hooked: Hooked, begun: list[bytes]) -> None:
    assert hooked.get(8) == ["200 Miss", *["200 Hit"] * 7]
    assert len(begun) == 5  # The first two hits are learned from.
    exchanges = recorded(hooked.site, 8)
    assert [exchange.id for exchange in exchanges] == hooked.ran()
    runs = [exchange.functions[0] for exchange in exchanges]
    assert len({run.request_id for run in runs}) == 8
    for exchange, run in zip(exchanges, runs, strict=True):
        names = [step.name for step in exchange.steps]
        assert names[:3] == ["behavior", "viewer-request", "cache"]
        assert (run.name, run.event_type, run.error) == ("function", "viewer-request", "")
        words = [line.message.split()[0] for line in run.log]
        assert words[-3:] == ["START", "END", "REPORT"]
        assert {line.request_id for line in run.log[-3:]} == {run.request_id}


def test_whatever_it_says_counts(hooked: Hooked) -> None:
    told: list[str] = []
    for todo in ("", "/other", "answer", "fail", "talk", "/other", ""):
        hooked.tell(todo)
        told += hooked.get(3)
    assert told == [
        *("200 Miss", "200 Hit", "200 Hit"),
        *("200 Miss", "200 Hit", "200 Hit"),
        *["302 LambdaGeneratedResponse"] * 3,
        *["503 LambdaExecutionError"] * 3,
        *["200 Hit"] * 9,
    ]
    exchanges = recorded(hooked.site, len(told))
    assert [exchange.id for exchange in exchanges] == hooked.ran()
    errors = [exchange.functions[0].error for exchange in exchanges]
    assert errors == [""] * 9 + ["Unhandled"] * 3 + [""] * 9
    talked = [exchange.functions[0].log[-3].message for exchange in exchanges[12:15]]
    assert talked == ["x" * 10_000] * 3


@pytest.mark.rule("CDN-VAL-18", "LE-ORDER-01")
def test_the_cache_is_asked_when_the_function_has_ended(hooked: Hooked, edge: Edge) -> None:
    hooked.get(3)
    told = []
    with hooked.gate() as running, ThreadPoolExecutor(1) as pool:
        for seconds, moved in ((30, 30), (29, 59), (2, 61)):
            answer = pool.submit(hooked.viewer.get, "/photo")
            with running():
                edge.clock.advance(seconds=seconds)
            head, _ = answer.result()
            date = parse_date(re.search(r"\r\nDate: ([^\r]*)", head)[1])  # type: ignore[index]
            assert date is not None
            assert abs(date - moved - Clock().now()) < 20
            age = re.search(r"\r\nAge: (\d+)", head)
            told.append(age and int(age[1]) // 10)
    assert told == [3, 5, None]
    decisions = [hit.steps[-1].decision for hit in recorded(hooked.site, 6)[3:5]]
    assert [made and made.facts["age_s"] // 10 for made in decisions] == [3, 5]  # type: ignore[operator]


def test_a_head_request_with_a_body_is_not_taken_for_two(
    hooked: Hooked, begun: list[bytes]
) -> None:
    hooked.get()
    where = urlsplit(hooked.site.url)
    head = f"HEAD /photo HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 3\r\n\r\n"
    with hooked.gate() as running:
        for _ in range(3):
            place = (where.hostname, where.port or 0)
            with socket.create_connection(place, timeout=20) as viewer:
                viewer.sendall(head.encode())
                with running():
                    viewer.sendall(b"abc")
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    received = viewer.recv(65_536)
                    assert received
                    answer += received
                assert answer.startswith(b"HTTP/1.1 200 ")
    assert begun == []


@pytest.mark.rule("LE-HDR-17")
def test_what_is_wrong_with_a_result_is_in_each_record(
    hooked: Hooked, told: list[RepeatedAnswer]
) -> None:
    hooked.tell("shout")
    assert hooked.get(6) == ["200 Miss", *["200 Hit"] * 5]
    exchanges = recorded(hooked.site, 6)
    findings = [exchange.functions[0].findings for exchange in exchanges]
    assert [[each.rule for each in found] for found in findings] == [["LE-HDR-17"]] * 6
    assert [hit.summary.functions[0].findings for hit in told] == findings[3:]


def test_an_object_that_is_gone_is_fetched_again(hooked: Hooked) -> None:
    assert hooked.get(5)[-1] == "200 Hit"
    assert hooked.site.invalidate("/*") == 1
    assert hooked.get(3) == ["200 Miss", "200 Hit", "200 Hit"]
    assert len(hooked.ran()) == 8


def test_metrics_count_these_runs(hooked: Hooked) -> None:
    hooked.get(10)
    _ = hooked.site.exchanges(10)
    with urlopen(f"{hooked.site.endpoints['control']}/metrics") as answer:
        metrics = answer.read().decode()
    for metric in (
        'aws_lambda_invocations_sum{FunctionName="function"} 10',
        'aws_lambda_errors_sum{FunctionName="function"} 0',
        'aws_lambda_concurrentexecutions_count{FunctionName="function"} 10',
    ):
        assert f"\n{metric}" in metrics
    assert re.search(r"\naws_cloudfront_requests_sum\{.*\} 10\n", metrics)
    assert re.search(r"\naws_cloudfront_lambda5xxerrorrate_count\{.*\} 10\n", metrics)


CLOUDFRONT_FUNCTION = """
function handler(event) {
    if (Date.now() > %d) {
        console.log('late');
        event.request.uri = '/later';
    }
    return event.request;
}
"""


def test_a_cloudfront_function_runs_for_each_hit(
    edge: Edge, tmp_path: Path, origin: Origin
) -> None:
    origin.answer = Answer(200, {"Cache-Control": "max-age=86400"}, b"photo")
    function = tmp_path / "function.js"
    function.write_text(CLOUDFRONT_FUNCTION % ((Clock().now() + 1800) * 1000))
    site = edge.serve(origin.url, viewer_request_cff=str(function))
    viewer = Viewer(site.url)

    def get(times: int) -> list[str]:
        found = [re.search(r"\r\nX-Cache: (\w+)", viewer.get("/")[0]) for _ in range(times)]
        return [result[1] if result else "" for result in found]

    assert get(5) == ["Miss", *["Hit"] * 4]
    edge.clock.advance(hours=1)
    assert get(5) == ["Miss", *["Hit"] * 4]
    viewer.close()
    exchanges = recorded(site, 10)
    runs = [exchange.functions[0] for exchange in exchanges]
    assert [run.request_id for run in runs] == [exchange.id for exchange in exchanges]
    assert [[line.message for line in run.log] for run in runs] == [[]] * 5 + [["late"]] * 5
    changed = [exchange.steps[1].after for exchange in exchanges]
    assert [request.path for request in changed if isinstance(request, Request)] == (
        ["/"] * 5 + ["/later"] * 5
    )
    with urlopen(f"{site.endpoints['control']}/metrics") as answer:
        metrics = answer.read().decode()
    assert re.search(r"\naws_cloudfront_functioninvocations_sum\{[^}]*\} 10\n", metrics)
    group = "/aws/cloudfront/function/function"
    url = f"{site.endpoints['control']}/api/logs?group={quote(group, safe='')}"
    with urlopen(url) as answer:
        logged = answer.read().decode()
    assert logged.count("late") == 5


PRINTING = {
    "viewer_request": """
import json
def handler(event, context):
    print(json.dumps(event))
    return event['Records'][0]['cf']['request']
""",
    "viewer_request_cff": """
function handler(event) {
    console.log(JSON.stringify(event));
    return event.request;
}
""",
}
ODD = rb"""GET /a%%20b/%%FF?x=1&x=%%C3%%A4&&y&=z HTTP/1.1
Host: %b
accept:  text/html;q=0.9, */*
X-Empty:
X-Latin: caf\xe9 \xff
X-Utf8: \xc3\xa4
COOKIE: a=1; b="2"; a=3;c
x-Percent: %%s %%(x)b 100%%
X-Quote: "\"\u0041"
X-Mark: edgeproxy-marks-the-place-of-a-request-id-in-an-event==
Accept-Encoding: br , gzip

"""


@pytest.mark.parametrize("option", PRINTING)
def test_the_event_is_the_same_each_time(
    edge: Edge, tmp_path: Path, origin: Origin, option: str, begun: list[bytes]
) -> None:
    origin.answer = Answer(200, {"Cache-Control": "max-age=60"}, b"photo")
    file = tmp_path / ("f.js" if option.endswith("cff") else "f.py")
    file.write_text(PRINTING[option])
    options: dict[str, Any] = {option: str(file)}
    site = edge.serve(origin.url, **options)
    where = urlsplit(site.url)
    asked = ODD % where.netloc.encode()
    asked = asked.replace(b"\n", b"\r\n").replace(rb"\xe9", b"\xe9").replace(rb"\xff", b"\xff")
    asked = asked.replace(rb"\xc3\xa4", "ä".encode()).replace(b", */*", b",\t*/*\t ")
    with socket.create_connection((where.hostname, where.port), timeout=20) as viewer:
        for _ in range(6):
            viewer.sendall(asked)
            received = b""
            while not received.endswith(b"\r\n\r\nphoto"):
                received += viewer.recv(65_536)
                assert received
    exchanges = recorded(site, 6)
    told = set()
    for exchange in exchanges:
        stdout = [line for line in exchange.functions[0].log if line.stream == "stdout"]
        text = stdout[-1].message
        assert text.count(exchange.id) == 1
        told.add(text.replace(exchange.id, "ID"))
    assert len(told) == 1
    assert begun == [asked] * 3
    assert [exchange.result_type for exchange in exchanges] == ["Miss", *["Hit"] * 5]
