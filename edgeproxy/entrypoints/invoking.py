"""What the doors that run functions share: the call, and its record in the exchange."""

from dataclasses import replace
from typing import Protocol, assert_never

from edgeproxy.exchange.model import Exchange, Finding, FunctionRun, Recorder
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["Invoker", "function_run", "record_delivery", "why_failed"]


class Invoker(Protocol):
    """The Lambda service as the doors need it."""

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        trace_id: str = "",
        client_context: str = "",
        request_id: str = "",
    ) -> InvocationResult:
        """Run a function on an event given as JSON text in UTF-8."""
        ...


def function_run(
    name: str,
    event_type: str,
    result: InvocationResult,
    findings: tuple[Finding, ...] = (),
    *,
    usable: bool = True,
) -> FunctionRun:
    """The record of one invocation; not ``usable`` when the door refused what it returned."""
    match result:
        case Throttled():
            return FunctionRun(name, event_type, 0, "Throttled", request_id=result.request_id)
        case Returned():
            error, document = "" if usable else "Validation", None
        case FunctionError():
            error, document = "Unhandled", result.document
        case TimedOut():
            error, document = "Timeout", result.document
        case InitFailed():
            error, document = "InitError", result.document
        case _:
            assert_never(result)
    return FunctionRun(
        name,
        event_type,
        result.duration_ms,
        error,
        result.init_ms,
        result.memory_mb,
        result.request_id,
        result.log,
        findings,
        document,
    )


def why_failed(name: str, result: FunctionError | TimedOut | InitFailed) -> str:
    """One line on a failed function, for people."""
    kind, message = result.document.get("errorType"), result.document.get("errorMessage")
    return f"{name} failed: {kind}: {message}"


def record_delivery(
    exchange: Exchange, request: Request, response: Response, recorder: Recorder
) -> Response:
    """``response``, whose delivery completes the exchange and hands it to ``recorder``."""
    exchange.response = response
    exchange.first_byte_s = exchange.elapsed()
    earlier = response.on_delivered

    def ended(delivered: Delivered) -> None:
        if earlier is not None:
            earlier(delivered)
        exchange.duration_s = exchange.elapsed()
        exchange.bytes_sent = delivered.bytes_sent
        exchange.bytes_received = _head_bytes(request) + request.body.passed
        exchange.aborted = delivered.aborted
        recorder.ended(exchange)

    return replace(response, on_delivered=ended)


def _head_bytes(request: Request) -> int:
    """The request line and the header lines as HTTP/1.1 spells them."""
    lines = sum(len(name) + len(value) + 4 for name, value in request.headers)
    return len(request.method) + len(request.target) + len("  HTTP/1.1\r\n\r\n") + lines
