"""The record of one request: timed steps, each with its decision and the message before and after.

The engine writes an :class:`Exchange` and hands it to a :class:`Recorder` at the end; access log,
metrics, console, inspector and tests only read it. Messages are immutable, so "before" and
"after" are references, not copies.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from edgeproxy.http.messages import Reached, Request, Response

__all__ = [
    "Decision",
    "Exchange",
    "Finding",
    "FunctionRun",
    "HitRecorder",
    "LogLine",
    "Recorder",
    "RepeatedHit",
    "Step",
    "Stopwatch",
]


class Stopwatch(Protocol):
    """The part of the clock that a record needs."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and the reason in words.

    ``found`` are the facts, or a function that finds them when somebody reads them.
    """

    kind: str
    why: str = ""
    found: Mapping[str, object] | Callable[[], Mapping[str, object]] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, object]:
        """JSON values for programs."""
        return self.found() if callable(self.found) else self.found


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of AWS that something broke, in AWS's words, with the remedy."""

    rule: str
    message: str
    remedy: str = ""


class LogLine(Protocol):
    """One line of a function's log; ``stream`` is ``stdout``, ``stderr`` or ``platform``."""

    @property
    def time_s(self) -> float: ...

    @property
    def request_id(self) -> str: ...

    @property
    def stream(self) -> str: ...

    @property
    def message(self) -> str: ...


class FunctionRun(NamedTuple):
    """One run of a function inside an exchange; durations in milliseconds, memory in MB.

    A tuple, since every run makes one.
    """

    name: str
    event_type: str
    duration_ms: float
    error: str = ""
    """Empty for success, else the kind of failure: ``Unhandled``, ``Timeout``, ``InitError``,
    ``Throttled`` or ``Validation``."""
    init_ms: float | None = None
    memory_mb: int = 0
    request_id: str = ""
    log: Sequence[LogLine] = ()
    findings: tuple[Finding, ...] = ()
    error_document: object = None
    """What the runtime reported: ``{"errorType", "errorMessage", …}``, or None."""
    kind: Literal["lambda", "cloudfront"] = "lambda"
    qualifier: str = ""
    """How the caller named the version: a number, an alias, or nothing."""
    version: str = ""
    """The version that ran; empty for a CloudFront Function."""
    utilisation: int | None = None
    """Compute utilisation of a CloudFront Function in percent (CFF-LIM-03)."""
    trace_id: str = ""
    """The trace header that a Lambda function saw (LI-271)."""
    log_data: str = ""
    """What a CloudFront Function gave to ``cf.logCustomData``, URL-encoded (CFF-HLP-02)."""


@dataclass(slots=True)
class Step:
    """One step of an exchange. Times are seconds since the exchange began."""

    name: str
    started_s: float
    duration_s: float = 0.0
    decision: Decision | None = None
    before: Request | Response | None = None
    after: Request | Response | None = None
    function: FunctionRun | None = None


@dataclass(slots=True)
class Exchange:
    """Everything about one request, from the first byte to the last.

    ``result_type`` is what the access log calls ``x-edge-result-type``: until the answer is sent
    that of ``response_result_type``, which ``X-Cache`` shows too; it has a name of its own for an
    exceeded limit (LE-ERR-14). Doors other than a distribution leave them empty.
    """

    id: str
    door: str
    """``distribution``, ``function-url``, ``alb`` or ``invoke``."""
    name: str
    """The logical ID of the distribution, URL, load balancer, or the function's name."""
    request: Request
    started: float
    """The edge's time at the start, seconds since the epoch."""
    stopwatch: Stopwatch
    response: Response | None = None
    result_type: str = ""
    response_result_type: str = ""
    detailed_result_type: str = ""
    layer: str = ""
    """The cache that had the object or asked the origin: ``EDGE``, ``REC`` or ``Origin Shield``."""
    path_pattern: str = ""
    cache_key: bytes = b""
    """The digest of the key by which a cache was asked; empty where none was."""
    steps: list[Step] = field(default_factory=list)
    duration_s: float = 0.0
    first_byte_s: float | None = None
    bytes_sent: int = 0
    """Bytes of head and body written to the viewer."""
    bytes_received: int = 0
    aborted: bool = False
    """The viewer left before the last byte."""
    fle_status: str = ""
    """``fle-status`` of the access log; empty where nothing looked at the request's form."""
    fle_encrypted_fields: int = 0
    primary: str = ""
    """The logical ID of the primary distribution whose policy sent the request to this one."""
    origin_id: str = ""
    origin_domain_name: str = ""
    """Of the origin that was asked last."""
    origin_reached: Reached | None = None
    """How long the origin took that answered."""
    origin_first_byte_s: float | None = None
    origin_last_byte_s: float | None = None
    """When the last byte of the origin's answer was there; None while it is not."""
    _begun: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._begun = self.stopwatch.monotonic()

    def backdate(self, begun: float) -> None:
        """The request began at that moment of the stopwatch's monotonic time."""
        self._begun = begun

    def step(
        self, name: str, before: Request | Response | None = None
    ) -> AbstractContextManager[Step]:
        """Time a step; the block sets its decision and the message after it."""
        step = Step(name, self.elapsed(), before=before)
        self.steps.append(step)
        return _Timing(self, step)

    def why(self) -> str:
        """What the steps decided, in one line; first the code that an access log has for it."""
        decisions = [step.decision for step in self.steps if step.decision is not None]
        codes = [str(each.facts["reason"]) for each in decisions if "reason" in each.facts]
        reasons = [": ".join(filter(None, (each.kind, each.why))) for each in decisions]
        return "; ".join(codes + reasons)

    def elapsed(self) -> float:
        """Seconds of real time since the exchange began."""
        return self.stopwatch.monotonic() - self._begun

    @property
    def functions(self) -> list[FunctionRun]:
        """The functions that ran, in order."""
        return [step.function for step in self.steps if step.function is not None]


class _Timing(AbstractContextManager[Step]):
    """Ends a step with its block; a generator would take several times as long to do so."""

    __slots__ = ("_exchange", "_step")

    def __init__(self, exchange: Exchange, step: Step) -> None:
        self._exchange = exchange
        self._step = step

    def __enter__(self) -> Step:
        return self._step

    def __exit__(self, *problem: object) -> None:
        self._step.duration_s = self._exchange.elapsed() - self._step.started_s


class RepeatedHit(Protocol):
    """A GET or HEAD that was answered like one before it: by an object at the edge location, or
    by an origin as a miss.

    There may be very many: the record of one is made when somebody looks at it.
    """

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str:
        """The logical ID of the distribution."""
        ...

    @property
    def status(self) -> int: ...

    @property
    def started(self) -> float: ...

    @property
    def duration_s(self) -> float: ...

    @property
    def bytes_sent(self) -> int: ...

    @property
    def cache_key(self) -> bytes:
        """The digest of the object's key; empty for a miss."""
        ...

    @property
    def missed_s(self) -> float | None:
        """Of a miss, how long its viewer waited for the first byte."""
        ...

    @property
    def aborted(self) -> bool: ...

    @property
    def is_plain(self) -> bool:
        """Whether :attr:`like` is worth asking for: others are like it."""
        ...

    @property
    def port(self) -> int:
        """The viewer's."""
        ...

    @property
    def run(self) -> FunctionRun | None:
        """The run of the function at its viewer request, if there is one."""
        ...

    @property
    def exchange(self) -> Exchange: ...

    @property
    def like(self) -> Exchange:
        """The record, without its steps, of a hit that was not aborted.

        It is the same for all hits which differ in nothing but what the other properties tell.
        """
        ...

    @property
    def summary(self) -> Exchange:
        """The record without its steps; the answer's head in it may be that of an earlier one."""
        ...


class Recorder(Protocol):
    """Who wants to know about exchanges. Called on the event loop; must not block or raise."""

    def ended(self, exchange: Exchange) -> None:
        """The last byte was sent, or the viewer left."""
        ...


class HitRecorder(Recorder, Protocol):
    """A recorder that also takes hits whose records have yet to be made."""

    def repeated(self, hit: RepeatedHit, *, alone: bool = True) -> None:
        """The last byte was sent, or the viewer left; if not ``alone``, others are to follow at
        once whose readers may be told of them together."""
        ...
