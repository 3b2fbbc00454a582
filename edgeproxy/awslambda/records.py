"""An invocation in the record of a request, whichever door or edge event it ran for."""

from collections.abc import Awaitable
from typing import assert_never

from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Decision, Exchange, Finding, FunctionRun, Recorder
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["function_run", "recorded", "why_failed"]


def function_run(
    name: str,
    event_type: str,
    result: InvocationResult,
    findings: tuple[Finding, ...] = (),
    *,
    usable: bool = True,
    qualifier: str = "",
) -> FunctionRun:
    """The record of one invocation; not ``usable`` when its caller refused what it returned."""
    match result:
        case Throttled():
            return FunctionRun(
                name,
                event_type,
                0,
                "Throttled",
                request_id=result.request_id,
                findings=(_throttled(result),),
                qualifier=qualifier,
            )
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
        qualifier=qualifier,
        version=result.version,
        trace_id=result.trace_id,
    )


async def recorded(
    invoked: Awaitable[InvocationResult],
    name: str,
    qualifier: str,
    payload: bytes,
    recorder: Recorder,
    clock: Clock,
    exchange_id: str,
) -> InvocationResult:
    """What a run comes to that no door has asked for; ``recorder`` gets an exchange of it."""
    path = f"/2015-03-31/functions/{name}/invocations"
    request = Request("POST", path, body=BytesBody(payload))
    exchange = Exchange(exchange_id, "invoke", name, request, clock.now(), clock)
    with exchange.step("function", before=request) as step:
        result = await invoked
        step.function = function_run(name, "event", result, qualifier=qualifier)
        match result:
            case Returned():
                step.decision = Decision("answered")
            case FunctionError() | TimedOut() | InitFailed():
                step.decision = Decision("failed", why_failed(name, result))
            case Throttled():
                step.decision = Decision("throttled", f"{name}: {result.reason}")
            case _:
                assert_never(result)
    exchange.response = Response(429 if isinstance(result, Throttled) else 200)
    exchange.duration_s = exchange.elapsed()
    recorder.ended(exchange)
    return result


def _throttled(result: Throttled) -> Finding:
    if result.retry_after_s is not None:  # a ceiling of time
        limit = "--request-rate" if "Rate" in result.reason else "--scaling-rate"
        remedy = f"raise {limit}, or send fewer requests a second"
    else:
        is_own = result.reason.startswith("Reserved")
        limit = "its ReservedConcurrentExecutions" if is_own else "--account-concurrency"
        remedy = f"raise {limit}, or send fewer requests at the same time"
    return Finding("LI-125", f"throttled: {result.reason}", remedy)


def why_failed(name: str, result: FunctionError | TimedOut | InitFailed) -> str:
    """One line on a failed function, for people."""
    kind, message = result.document.get("errorType"), result.document.get("errorMessage")
    return f"{name} failed: {kind}: {message}"
