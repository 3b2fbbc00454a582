"""One invocation of a function and the closed set of ways it can end."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from edgeproxy.runtimes.log_settings import LogSettings

__all__ = [
    "FunctionError",
    "FunctionSpec",
    "InitFailed",
    "Invocation",
    "InvocationResult",
    "LogRecord",
    "Returned",
    "Throttled",
    "TimedOut",
]


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """What is needed to start an execution environment.

    Two specs that are equal may share environments. ``code_root`` is the real folder of the code
    (``LAMBDA_TASK_ROOT``); inline code has been written into a folder of its own by then.
    """

    name: str
    runtime: str
    """AWS's identifier: ``python3.12``, ``nodejs22.x``."""
    handler: str
    code_root: Path
    arn: str
    """Unqualified function ARN."""
    version: str = "$LATEST"
    timeout_s: float = 3
    memory_mb: int = 128
    environment: tuple[tuple[str, str], ...] = ()
    region: str = "us-east-1"
    log: LogSettings = LogSettings()
    edge: bool = False
    """A replica that CloudFront runs, which AWS gives a name of its own (LE-EVT-25)."""
    debug_port: int | None = None
    """Where its debugger listens. Such a function has no limits of time and one environment."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event for a function. ``payload`` is the event as JSON text in UTF-8."""

    request_id: str
    payload: bytes
    invoked_arn: str = ""
    timeout_s: float | None = None
    """Overrides the function's own timeout when shorter limits apply."""
    trace_id: str = ""
    client_context: str = ""


class LogRecord(NamedTuple):
    """One line that a function (``stdout``, ``stderr``) or the ``platform`` wrote.

    A tuple, since every invocation makes several.
    """

    time_s: float
    request_id: str
    stream: str
    message: str
    log_stream: str = ""
    """The stream of a log group that it is in: one for each execution environment."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """What every ending tells; durations in milliseconds of real time."""

    request_id: str
    duration_ms: float
    init_ms: float | None = None
    """Only when this invocation was the first of its environment (a cold start)."""
    memory_mb: int = 0
    log: tuple[LogRecord, ...] = ()
    version: str = ""
    """The version that ran."""


@dataclass(frozen=True, slots=True)
class Returned(_Ended):
    """The handler returned; ``payload`` is its JSON as the runtime encoded it."""

    payload: bytes = b"null"


@dataclass(frozen=True, slots=True)
class FunctionError(_Ended):
    """The handler raised, the process died, or the result could not be encoded.

    ``document`` is the error object that Invoke callers see: ``errorType``, ``errorMessage`` and
    the runtime's own members (LR-080 to LR-090).
    """

    document: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimedOut(_Ended):
    """The function was still running at its timeout and was ended (LR-086)."""

    document: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InitFailed(_Ended):
    """The code could not be loaded: bad handler, import error, syntax error, init timeout."""

    document: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Throttled:
    """No environment may be started: a concurrency limit is reached."""

    request_id: str
    reason: str
    """``ReservedFunctionConcurrentInvocationLimitExceeded`` or
    ``ConcurrentInvocationLimitExceeded``."""


InvocationResult: TypeAlias = Returned | FunctionError | TimedOut | InitFailed | Throttled
