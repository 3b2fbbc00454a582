"""The JSON shapes of the control listener, and that nothing a viewer sends breaks them."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from edgeproxy.exchange.model import Decision, Exchange, Finding, Step
from edgeproxy.http.body import Body, BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.inspector.documents import detail, iso, log_line, metric_document, summary
from edgeproxy.inspector.meanings import meaning_of
from edgeproxy.observe.history import SeenBody
from edgeproxy.observe.metrics import Metric
from edgeproxy.observe.statistics import Statistics
from tests.unit.exchange.records import exchange, line, ran


@pytest.mark.parametrize(
    ("epoch_s", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_233_032.123_9, "2026-11-21T03:50:32.123Z"),
        (1_795_233_032.999_999, "2026-11-21T03:50:32.999Z"),
    ],
)
def test_iso(epoch_s: float, text: str) -> None:
    assert iso(epoch_s) == text


def test_a_summary_has_what_the_interface_promises() -> None:
    steps = [ran(), ran(name="sign", event_type="viewer-response", error="Timeout")]
    assert summary(exchange(query="v=1", steps=steps)) == {
        "id": "A" * 54 + "==",
        "door": "distribution",
        "name": "Site",
        "method": "GET",
        "host": "site.example",
        "path": "/app.css",
        "query": "v=1",
        "status": 200,
        "result_type": "Hit",
        "detailed_result_type": "Hit",
        "layer": "",
        "origin": None,
        "cache_key": None,
        "started": "2026-11-21T03:50:32.123Z",
        "duration_ms": 250.0,
        "bytes": 321,
        "functions": [
            {
                "name": "auth",
                "event_type": "viewer-request",
                "version": None,
                "duration_ms": 1.5,
                "error": None,
            },
            {
                "name": "sign",
                "event_type": "viewer-response",
                "version": None,
                "duration_ms": 1.5,
                "error": "Timeout",
            },
        ],
    }


def test_an_answer_that_never_came_has_no_status() -> None:
    left = exchange(response=None, aborted=True)
    assert summary(left)["status"] is None
    assert detail(left)["response"] is None
    assert detail(left)["aborted"] is True


def test_a_detail_is_the_summary_with_messages_and_steps() -> None:
    before = Request("POST", "/a%20b", "x=1&x=2", headers=Headers([("a", "1"), ("A", "2")]))
    after = Response(302, Headers([("Location", "/")]), reason="Found")
    step = Step("cache", 0.001, 0.0025, Decision("Miss", "not in the cache", {"age_s": 3}))
    step.before, step.after = before, after
    done = exchange(steps=[step])
    document = detail(done)
    assert all(document[key] == value for key, value in summary(done).items())
    (shown,) = document["steps"]  # type: ignore[misc]
    assert shown == {
        "name": "cache",
        "started_ms": 1.0,
        "duration_ms": 2.5,
        "decision": {"kind": "Miss", "why": "not in the cache", "age_s": 3},
        "before": {
            "method": "POST",
            "uri": "/a%20b",
            "query": "x=1&x=2",
            "headers": [["a", "1"], ["A", "2"]],
            "body": {"size": 0, "preview": "", "encoding": "text"},
        },
        "after": {
            "status": 302,
            "reason": "Found",
            "headers": [["Location", "/"]],
            "body": {"size": 0, "preview": "", "encoding": "text"},
        },
    }


def test_a_step_in_which_a_function_ran() -> None:
    finding = Finding("LE-HDR-01", "Via is read-only", "leave it")
    document = {"errorType": "KeyError"}
    step = ran(
        request_id="request-1",
        log=(line("hello"), line("REPORT", "platform")),
        findings=(finding,),
        init_ms=40.123_4,
        memory_mb=64,
        error="Unhandled",
        error_document=document,
    )
    (shown,) = detail(exchange(steps=[step]))["steps"]  # type: ignore[misc]
    time = "2026-11-21T03:50:32.123Z"
    assert shown["function"] == {
        "name": "auth",
        "event_type": "viewer-request",
        "request_id": "request-1",
        "kind": "lambda",
        "qualifier": None,
        "version": None,
        "utilisation": None,
        "duration_ms": 1.5,
        "init_ms": 40.123,
        "memory_mb": 64,
        "error": "Unhandled",
        "error_document": document,
        "log": [
            {"time": time, "request_id": "request-1", "stream": "stdout", "message": "hello"},
            {"time": time, "request_id": "request-1", "stream": "platform", "message": "REPORT"},
        ],
        "log_data": None,
        "findings": [
            {
                "rule": "LE-HDR-01",
                "message": "Via is read-only",
                "meaning": meaning_of("LE-HDR-01"),
                "remedy": "leave it",
            }
        ],
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BytesBody(b"hello"), {"size": 5, "preview": "hello", "encoding": "text"}),
        (BytesBody(b"\xff\xfe"), {"size": 2, "preview": "//4=", "encoding": "base64"}),
        (SeenBody(7, b"so far", None), {"size": 7, "preview": "so far", "encoding": "text"}),
        (SeenBody(3, b"abc", 9), {"size": 9, "preview": "abc", "encoding": "text"}),
        # Cut inside a character: the rest of it is beyond the preview.
        (SeenBody(9, b"gr\xc3", 9), {"size": 9, "preview": "gr", "encoding": "text"}),
        (SeenBody(9, b"a\xf0\x9f\x99", 9), {"size": 9, "preview": "a", "encoding": "text"}),
        # Not cut, so not text.
        (SeenBody(3, b"gr\xc3", 3), {"size": 3, "preview": "Z3LD", "encoding": "base64"}),
        (
            SeenBody(9, b"\xffabcdef", 9),
            {"size": 9, "preview": "/2FiY2RlZg==", "encoding": "base64"},
        ),
    ],
)
def test_bodies(body: Body, expected: dict[str, object]) -> None:
    response: Any = detail(exchange(response=Response(200, body=body)))["response"]
    assert response["body"] == expected


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def test_bytes_that_are_no_text_are_shown_as_latin_1_wherever_they_stand() -> None:
    raw = b"/caf\xe9".decode("utf-8", "surrogateescape")
    headers = Headers([("Host", raw), ("X", raw)])
    step = Step("behavior", 0, decision=Decision(raw, raw, {"key": [{"value": raw}]}))
    step.after = Response(200, headers, reason=raw)
    function = ran(
        name=raw,
        error_document={raw: [raw]},
        findings=(Finding("X-1", raw, raw),),
        log=(line(raw),),
    )
    done: Exchange = exchange(
        method=raw, path=raw, query=raw, headers=headers, steps=[step, function]
    )
    document = orjson.loads(orjson.dumps(detail(done)))
    assert orjson.dumps(summary(done))
    texts = [text for text in _texts(document) if "caf" in text]
    assert len(texts) >= 18
    assert set(texts) == {"/café"}


def test_a_line_of_a_log_that_json_could_not_carry() -> None:
    assert log_line(line("a\ud800b"), "2026/11/21/stream") == {
        "time": "2026-11-21T03:50:32.123Z",
        "request_id": "request-1",
        "stream": "2026/11/21/stream",
        "message": "a\ufffdb",
    }


def test_a_metric_by_minute_when_asked() -> None:
    minutes = {60: Statistics(3, 2, 1, 2), 120: Statistics(6, 1, 6, 6)}
    dimensions = (("FunctionName", "auth"),)
    metric = Metric("AWS/Lambda", "Duration", dimensions, Statistics(9, 3, 1, 6), minutes)
    total = {
        "namespace": "AWS/Lambda",
        "name": "Duration",
        "dimensions": {"FunctionName": "auth"},
        "sum": 9,
        "count": 3,
        "min": 1,
        "max": 6,
    }
    assert metric_document(metric, 0) == total
    assert metric_document(metric, 1) == total | {
        "minutes": [{"time": "1970-01-01T00:02:00.000Z", "sum": 6, "count": 1, "min": 6, "max": 6}]
    }
