"""Traces of requests for a collector that speaks OTLP over HTTP (``--otlp-endpoint``).

A request is a span, each of its steps a span in it. It belongs to the trace that its caller names
in ``traceparent`` or ``X-Amzn-Trace-Id``, else to the one that its first Lambda function saw. The
span of a function has the ID that the function saw as its parent, so that what the function traces
itself hangs below it (LI-271). Only who wants traces imports this module: it needs the extra
``otel``.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from edgeproxy.chance import Chance
from edgeproxy.exchange.model import Exchange, FunctionRun, Step
from edgeproxy.http.messages import Request

__all__ = ["Traces"]

_PATIENCE_S: Final = 1.0
"""For one answer of the collector, and for what is left at the end."""
_ROOT: Final = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})\s*(?:;|$)")
_PARENT: Final = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})\s*(?:;|$)")


class Traces:
    """A recorder; spans are sent from a thread of their own.

    ``endpoint`` is the collector's URL, below which ``/v1/traces`` is. A collector that does not
    answer costs its spans, and the log of the program says so.
    """

    def __init__(self, endpoint: str, chance: Chance) -> None:
        self._exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_PATIENCE_S)
        self._ids = _Ids(chance)
        self._provider = TracerProvider(
            ALWAYS_ON,
            Resource.create({SERVICE_NAME: "edgeproxy"}),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._processor = BatchSpanProcessor(self._exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("edgeproxy")

    def ended(self, exchange: Exchange) -> None:
        runs = [run for run in exchange.functions if run.trace_id]
        caller = _caller(exchange.request)
        if caller is None:
            named = exchange.request.headers.get("X-Amzn-Trace-Id")
            self._ids.trace = _trace_of(named) or (_trace_of(runs[0].trace_id) if runs else 0)
        span = self._tracer.start_span(
            f"{exchange.request.method} {exchange.name}",
            caller,
            SpanKind.SERVER,
            _of_exchange(exchange),
            start_time=_ns(exchange.started),
        )
        self._ids.trace = 0
        if exchange.response is None or exchange.response.status >= 500:
            span.set_status(StatusCode.ERROR)
        for step in exchange.steps:
            self._add(step, exchange.started, span)
        span.end(_ns(exchange.started + exchange.duration_s))

    def _add(self, step: Step, began: float, parent: Span) -> None:
        run, links = step.function, []
        if run is not None and run.trace_id:
            seen = _context(run.trace_id)
            self._ids.span = seen.span_id
            if seen.trace_id != parent.get_span_context().trace_id:
                links.append(Link(seen))
        span = self._tracer.start_span(
            step.name,
            set_span_in_context(parent, Context()),
            SpanKind.INTERNAL,
            {**_of_step(step), **(_of_run(run) if run is not None else {})},
            links,
            _ns(began + step.started_s),
        )
        if run is not None and run.error:
            span.set_status(StatusCode.ERROR, run.error)
        span.end(_ns(began + step.started_s + step.duration_s))

    async def flush(self) -> None:
        """Wait until what has been recorded is with the collector, or is lost."""
        await asyncio.to_thread(self._processor.force_flush)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        # After that the exporter gives up what it is about.
        giving_up = loop.call_later(_PATIENCE_S, self._exporter.shutdown)
        await asyncio.to_thread(self._processor.shutdown)
        giving_up.cancel()


class _Ids(IdGenerator):
    """IDs that functions have seen where there are any, else new ones."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self.trace = 0
        self.span = 0

    def generate_trace_id(self) -> int:
        return self.trace or int(self._chance.hex(32), 16)

    def generate_span_id(self) -> int:
        chosen, self.span = self.span, 0
        return chosen or int(self._chance.hex(16), 16)


def _caller(request: Request) -> Context | None:
    """The span that sent the request, if it names one."""
    headers = {
        name: request.headers.get(name)
        for name in ("traceparent", "tracestate")
        if name in request.headers
    }
    if headers:
        found = TraceContextTextMapPropagator().extract(headers, Context())
        return found or None
    context = _context(request.headers.get("X-Amzn-Trace-Id"))
    return set_span_in_context(NonRecordingSpan(context), Context()) if context.is_valid else None


def _context(trace_id: str) -> SpanContext:
    """What a trace header names; it is not valid when that is not a span of a trace."""
    parent = _PARENT.search(trace_id)
    span_id = int(parent[1], 16) if parent is not None else 0
    return SpanContext(_trace_of(trace_id), span_id, is_remote=True, trace_flags=TraceFlags(1))


def _trace_of(trace_id: str) -> int:
    root = _ROOT.search(trace_id)
    return int(root[1] + root[2], 16) if root is not None else 0


def _of_exchange(exchange: Exchange) -> Mapping[str, AttributeValue]:
    request = exchange.request
    attributes: dict[str, AttributeValue] = {
        "http.request.method": request.method,
        "url.path": request.path,
        "server.address": request.host,
        "client.address": request.viewer.ip,
        "edgeproxy.exchange": exchange.id,
        "edgeproxy.door": exchange.door,
    }
    if request.query:
        attributes["url.query"] = request.query
    if exchange.response is not None:
        attributes["http.response.status_code"] = exchange.response.status
    if exchange.result_type:
        attributes["edgeproxy.result_type"] = exchange.result_type
    return attributes


def _of_step(step: Step) -> Mapping[str, AttributeValue]:
    if step.decision is None:
        return {}
    return {
        "edgeproxy.decision": step.decision.kind,
        "edgeproxy.decision.why": step.decision.why,
    }


def _of_run(run: FunctionRun) -> Mapping[str, AttributeValue]:
    """In the names of OpenTelemetry's conventions, where they have any."""
    attributes: dict[str, AttributeValue] = {
        "faas.name": run.name,
        "faas.invocation_id": run.request_id,
        "faas.coldstart": run.init_ms is not None,
        "edgeproxy.event_type": run.event_type,
    }
    if run.version:
        attributes["faas.version"] = run.version
    if run.error:
        attributes["error.type"] = run.error
    return attributes


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
