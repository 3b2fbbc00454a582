"""Traces that go to an OpenTelemetry collector, decoded there with the official messages."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from edgeproxy.errors import UsageError
from edgeproxy.testing import Edge, Site
from tests.support.collector import Collector, running_collector
from tests.support.doors import lambda_function, write_template
from tests.support.ports import free_port

rule = pytest.mark.rule

ROOT = "1-67891233-abcdef012345678912345678"
TRACE = ROOT.replace("-", "")[1:]
PARENT = "53995c3f42cd8ad8"
TELL_TRACE = """
import os

def handler(event, context):
    if event["rawPath"] == "/broken":
        raise ValueError("no")
    return {"statusCode": 200, "body": os.environ["_X_AMZN_TRACE_ID"]}
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


class Traced:
    """A function URL whose spans go to a collector."""

    def __init__(self, site: Site, collector: Collector) -> None:
        self._site = site
        self._collector = collector
        self._url = site.endpoints["function_urls"]["Url"]["url"]

    def get(self, path: str, **headers: str) -> tuple[str, list[Span]]:
        """The body of the answer, and the spans of the request, the outermost last."""
        lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
        response = self._site.request("GET", path, url=self._url, headers=lines)
        self._site.exchanges(1)  # waits until the collector has it
        spans = sorted(self._collector.spans, key=lambda span: span.kind == Span.SPAN_KIND_SERVER)
        self._collector.spans.clear()
        return response.text, spans


@pytest.fixture
def traced(shared: Edge, tmp_path: Path, collector: Collector) -> Traced:
    resources: dict[str, Any] = {
        "Fn": lambda_function(tmp_path, FunctionName="trace"),
        "Url": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": "trace", "AuthType": "NONE"},
        },
    }
    (tmp_path / "python/app.py").write_text(TELL_TRACE)
    path = write_template(tmp_path, resources)
    return Traced(shared.serve(path, otlp_endpoint=collector.url), collector)


def attributes(span: Span) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value")))
        for each in span.attributes
    }


@rule("LI-271")
def test_a_request_and_its_function(traced: Traced, collector: Collector) -> None:
    seen, (function, request) = traced.get("/a?b=c")
    fields = dict(field.split("=") for field in seen.split(";"))
    # The function's own segment is the parent of what it traces itself.
    assert function.span_id.hex() == fields["Parent"]
    assert function.trace_id.hex() == fields["Root"].replace("-", "")[1:]
    assert (function.trace_id, function.parent_span_id) == (request.trace_id, request.span_id)
    assert not request.parent_span_id
    assert collector.services == {"edgeproxy"}
    told = attributes(request)
    asked = (told["http.request.method"], told["url.path"], told["url.query"])
    assert asked == ("GET", "/a", "b=c")
    assert (told["http.response.status_code"], told["edgeproxy.door"]) == (200, "function-url")
    told = attributes(function)
    assert (told["faas.name"], told["faas.version"]) == ("trace", "$LATEST")
    assert request.start_time_unix_nano <= function.start_time_unix_nano
    assert function.end_time_unix_nano <= request.end_time_unix_nano


@rule("LI-270", "LI-271")
def test_the_caller_s_x_ray_trace_goes_on(traced: Traced) -> None:
    header = f"Root={ROOT};Parent={PARENT};Sampled=1"
    seen, (function, request) = traced.get("/", X_Amzn_Trace_Id=header)
    assert seen.startswith(f"Root={ROOT};Parent={function.span_id.hex()};Sampled=1")
    assert {span.trace_id.hex() for span in (function, request)} == {TRACE}
    assert request.parent_span_id.hex() == PARENT


def test_a_w3c_trace_goes_on_and_the_function_s_is_linked(traced: Traced) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    seen, (function, request) = traced.get("/", traceparent=f"00-{trace}-{PARENT}-01")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (trace, PARENT)
    assert (function.trace_id.hex(), function.parent_span_id) == (trace, request.span_id)
    (link,) = function.links
    assert f"Root=1-{link.trace_id.hex()[:8]}-{link.trace_id.hex()[8:]};" in seen


def test_a_function_that_fails(traced: Traced) -> None:
    _, (function, request) = traced.get("/broken")
    assert {span.status.code for span in (function, request)} == {Status.STATUS_CODE_ERROR}
    assert attributes(function)["error.type"] == "Unhandled"
    assert "ValueError" in attributes(function)["edgeproxy.decision.why"]


def test_requests_go_on_without_a_collector(
    shared: Edge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "index.html").write_text("here")
    with caplog.at_level(logging.WARNING):
        site = shared.serve(tmp_path, otlp_endpoint=f"http://127.0.0.1:{free_port()}")
        assert [site.get("/index.html").text for _ in range(3)] == ["here"] * 3
        site.exchanges(3)
    assert any("export" in record.getMessage().lower() for record in caplog.records)


@pytest.mark.parametrize("endpoint", ["localhost:4317", "grpc://localhost:4317"])
def test_a_collector_that_cannot_be_asked(shared: Edge, tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(UsageError, match="not a URL of HTTP"):
        shared.serve(tmp_path, otlp_endpoint=endpoint)
