"""An invocation in the record of a request, whichever door or edge event it ran for."""

from typing import assert_never

from edgeproxy.exchange.model import Finding, FunctionRun
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["function_run", "why_failed"]


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


def _throttled(result: Throttled) -> Finding:
    limit = "its ReservedConcurrentExecutions"
    if not result.reason.startswith("Reserved"):
        limit = "--account-concurrency"
    remedy = f"raise {limit}, or send fewer requests at the same time"
    return Finding("LI-125", f"throttled: {result.reason}", remedy)


def why_failed(name: str, result: FunctionError | TimedOut | InitFailed) -> str:
    """One line on a failed function, for people."""
    kind, message = result.document.get("errorType"), result.document.get("errorMessage")
    return f"{name} failed: {kind}: {message}"
