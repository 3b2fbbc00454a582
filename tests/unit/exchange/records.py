"""Builds finished exchanges for the tests of everything that reads them."""

from dataclasses import replace
from typing import Any

from edgeproxy.exchange.model import Exchange, FunctionRun, Step
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.runtimes.invocation import LogRecord

__all__ = ["Again", "StoppedWatch", "exchange", "line", "ran", "run"]

STARTED = 1_795_233_032.123  # 2026-11-21T03:50:32.123Z


class StoppedWatch:
    """Time that a test moves itself."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return STARTED

    def monotonic(self) -> float:
        return self.seconds


def exchange(**changes: Any) -> Exchange:
    """A plain hit over HTTP/1.1; ``changes`` are attributes of the exchange, or ``headers``,
    ``method``, ``path``, ``query`` and ``viewer`` of its request."""
    ours = ("headers", "method", "path", "query", "viewer", "version", "body")
    request = Request(
        "GET", "/app.css", headers=Headers([("Host", "site.example")]), viewer=Viewer("192.0.2.7")
    )
    request = replace(request, **{name: changes.pop(name) for name in ours if name in changes})
    made = Exchange(
        id=changes.pop("id", "A" * 54 + "=="),
        door=changes.pop("door", "distribution"),
        name=changes.pop("name", "Site"),
        request=request,
        started=STARTED,
        stopwatch=StoppedWatch(),
    )
    made.response = Response(200, Headers([("Content-Type", "text/css")]), BytesBody(b"a{}"))
    made.result_type = made.response_result_type = made.detailed_result_type = "Hit"
    made.duration_s = 0.25
    made.bytes_sent = 321
    made.bytes_received = 123
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def line(message: str, stream: str = "stdout") -> LogRecord:
    """A line of a function's log."""
    return LogRecord(STARTED, "request-1", stream, message)


def run(**changes: Any) -> FunctionRun:
    """A run of the function ``auth``."""
    return FunctionRun("auth", "viewer-request", 1.5)._replace(**changes)


def ran(**changes: Any) -> Step:
    """A step in which the function ``auth`` ran."""
    return Step("viewer-request", 0, 0.002, function=run(**changes))


class Again:
    """A repeated hit: one that differs from ``like`` in what is given here."""

    def __init__(self, like: Exchange, **differs: Any) -> None:
        self.like = like
        self.name = like.name
        self.status = 200
        self.id = differs.get("id", like.id)
        self.started = differs.get("started", like.started)
        self.duration_s = differs.get("duration_s", like.duration_s)
        self.bytes_sent = differs.get("bytes_sent", like.bytes_sent)
        self.port = differs.get("port", like.request.viewer.port)
        self.aborted = differs.get("aborted", False)
        self.is_plain = True

    @property
    def exchange(self) -> Exchange:
        """Made whole."""
        viewer = replace(self.like.request.viewer, port=self.port)
        return replace(
            self.like,
            id=self.id,
            request=replace(self.like.request, viewer=viewer),
            started=self.started,
            duration_s=self.duration_s,
            first_byte_s=self.duration_s,
            bytes_sent=self.bytes_sent,
            aborted=self.aborted,
        )

    @property
    def summary(self) -> Exchange:
        return self.exchange
