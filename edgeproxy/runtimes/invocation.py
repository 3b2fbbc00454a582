"""One invocation of a function and the closed set of ways it can end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, overload

from edgeproxy.runtimes.log_settings import LogSettings

__all__ = [
    "FunctionError",
    "FunctionSpec",
    "InitFailed",
    "Invocation",
    "InvocationResult",
    "LogEntry",
    "LogLines",
    "LogRecord",
    "ResponseFlow",
    "ResponseSink",
    "Returned",
    "Throttled",
    "TimedOut",
    "initialization_type",
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
    opt: Path | None = None
    """What lies in ``/opt``: the function's layers, one over the other (LR-300)."""
    command: tuple[str, ...] = ()
    """The command of a container image, which speaks the Runtime API itself."""
    dead_letter_arn: str = ""
    """The queue or topic for events that it could not process (LI-170)."""
    traced: bool = False
    """It samples requests whose caller has not decided: ``Active`` tracing (LI-271)."""
    provisioned: bool = False
    """Its environments are started ahead of traffic (LI-129)."""
    debug_port: int | None = None
    """Where its debugger listens. Such a function has no limits of time and one environment."""


def initialization_type(spec: FunctionSpec) -> str:
    """Why its environments are started, in AWS's words."""
    return "provisioned-concurrency" if spec.provisioned else "on-demand"


class ResponseFlow(Protocol):
    """Where a streamed response comes from; it can be held back."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class ResponseSink(Protocol):
    """Who takes a response while it is still made.

    Nothing is told of a response that is not streamed, nor of a failure: the result tells.
    """

    def started(self, content_type: str, flow: ResponseFlow) -> None: ...

    def data(self, chunk: bytes) -> None: ...

    def ended(self) -> None:
        """The response is complete."""


class Invocation(NamedTuple):
    """One event for a function. ``payload`` is the event as JSON text in UTF-8.

    A tuple, since one is made for every event.
    """

    request_id: str
    payload: bytes
    invoked_arn: str = ""
    timeout_s: float | None = None
    """Overrides the function's own timeout when shorter limits apply."""
    trace_id: str = ""
    client_context: str = ""
    cognito_identity: str = ""
    """The caller's, as JSON text."""
    tenant_id: str = ""
    content_type: str = "application/json"
    sink: ResponseSink | None = None
    """Gets a streamed response, which is then not in the result."""
    extensions_took: Callable[[float], None] = lambda milliseconds: None
    """Is told how long extensions went on after the runtime had answered (LI-252)."""


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

    def lines(self) -> "tuple[LogRecord, ...]":
        return (self,)

    @property
    def size(self) -> int:
        return len(self.message)


class LogEntry(Protocol):
    """Lines of a log; how many characters they have is known before they are read."""

    @property
    def size(self) -> int: ...

    @property
    def stream(self) -> str:
        """That of all its lines."""
        ...

    def lines(self) -> tuple[LogRecord, ...]: ...


class LogLines(Sequence[LogRecord]):
    """The lines of some entries, written out at the first look."""

    __slots__ = ("_entries", "_lines")

    def __init__(self, entries: Iterable[LogEntry]) -> None:
        self._entries = tuple(entries)
        self._lines: tuple[LogRecord, ...] | None = None

    def _all(self) -> tuple[LogRecord, ...]:
        if self._lines is None:
            self._lines = tuple([line for entry in self._entries for line in entry.lines()])
        return self._lines

    @property
    def size(self) -> int:
        """Characters, as of the entries."""
        return sum([entry.size for entry in self._entries])

    def written(self) -> Iterator[LogRecord]:
        """Those that are not the platform's."""
        for entry in self._entries:
            if entry.stream != "platform":
                yield from entry.lines()

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> LogRecord: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[LogRecord, ...]: ...

    def __getitem__(self, index: int | slice) -> LogRecord | tuple[LogRecord, ...]:
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        return self._all() == (other._all() if isinstance(other, LogLines) else other)

    def __hash__(self) -> int:
        return hash(self._all())


@dataclass(frozen=True, slots=True)
class _Ended:
    """What every ending tells; durations in milliseconds of real time."""

    request_id: str
    duration_ms: float
    init_ms: float | None = None
    """Only when this invocation was the first of its environment (a cold start)."""
    memory_mb: int = 0
    log: Sequence[LogRecord] = ()
    version: str = ""
    """The version that ran."""
    trace_id: str = ""
    """The trace header that the function saw."""


@dataclass(frozen=True, slots=True)
class Returned(_Ended):
    """The handler returned; ``payload`` is its JSON as the runtime encoded it."""

    payload: bytes = b"null"
    content_type: str = ""
    """Of a streamed response, empty for any other."""


@dataclass(frozen=True, slots=True)
class FunctionError(_Ended):
    """The handler raised, the process died, or the result could not be encoded.

    ``document`` is the error object that Invoke callers see: ``errorType``, ``errorMessage`` and
    the runtime's own members (LR-080 to LR-090). A runtime's own ``body`` is passed on as it is
    (LR-093); it is empty where the platform wrote the document.
    """

    document: dict[str, object] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class TimedOut(_Ended):
    """The function was still running at its timeout and was ended (LR-086)."""

    document: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InitFailed(_Ended):
    """The code could not be loaded: bad handler, import error, syntax error, init timeout."""

    document: dict[str, object] = field(default_factory=dict)
    body: bytes = b""
    """As of :class:`FunctionError`."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """No environment may be started: a concurrency limit is reached."""

    request_id: str
    reason: str
    """As AWS spells it (LI-125)."""
    retry_after_s: int | None = None
    """When it may be tried again, where that is known: a ceiling is one of time."""


InvocationResult: TypeAlias = Returned | FunctionError | TimedOut | InitFailed | Throttled
