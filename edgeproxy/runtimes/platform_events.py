"""What the platform tells in a function's log, as plain text or as JSON.

An environment says what has happened; the function's ``LoggingConfig`` decides what is read of it.
As text an init that went well is only a field of the first REPORT. As JSON each event is an object
of its own with a level, and those below the function's ``SystemLogLevel`` are left out.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias, assert_never

from edgeproxy.runtimes.documents import exit_message
from edgeproxy.runtimes.invocation import FunctionSpec, initialization_type
from edgeproxy.runtimes.log_settings import LEVELS, LogFormat

__all__ = [
    "Ended",
    "Exited",
    "ExtensionStarted",
    "InitEnded",
    "InitStarted",
    "PlatformEvent",
    "Started",
    "Status",
    "lines_of",
    "runtime_version",
]


class Status(StrEnum):
    """How an init or an invocation ended (LR-282)."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class InitStarted:
    """A process is started. ``phase`` is ``init``, or ``invoke`` within an invocation."""

    phase: str


@dataclass(frozen=True, slots=True)
class InitEnded:
    """The code has loaded, or has not."""

    phase: str
    duration_ms: float
    status: Status = Status.SUCCESS
    error_type: str = ""


@dataclass(frozen=True, slots=True)
class ExtensionStarted:
    """How far an extension has come that registered, when init ends, and what it wants to hear."""

    name: str
    state: str
    events: tuple[str, ...]


class Started(NamedTuple):
    """An invocation begins; ``trace_id`` is its trace header.

    A tuple, as is :class:`Ended`, since every invocation makes both.
    """

    request_id: str
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Exited:
    """The process has ended when it should not; ``code`` as a worker tells it."""

    request_id: str
    code: int
    error_type: str


class Ended(NamedTuple):
    """An invocation is over. ``handled``: the runtime itself reported the error and lives on."""

    request_id: str
    duration_ms: float
    memory_mb: int
    init_ms: float | None = None
    status: Status = Status.SUCCESS
    error_type: str = ""
    handled: bool = False
    trace_id: str = ""


PlatformEvent: TypeAlias = InitStarted | InitEnded | ExtensionStarted | Started | Exited | Ended


def lines_of(event: PlatformEvent, spec: FunctionSpec, time_s: float) -> Sequence[str]:
    """The lines of the log that tell ``event``; ``time_s`` is the edge's time."""
    if spec.log.format is LogFormat.TEXT:
        return _texts(event, spec, time_s)
    time = _iso(time_s)
    shown = LEVELS.index(spec.log.system_level)
    documents = [
        {"time": time, "type": f"platform.{kind}", "record": record}
        for level, kind, record in _records(event, spec)
        if LEVELS.index(level) >= shown
    ]
    return [json.dumps(document, separators=(",", ":")) for document in documents]


def _texts(event: PlatformEvent, spec: FunctionSpec, time_s: float) -> Sequence[str]:
    match event:
        case Started():
            return (f"START RequestId: {event.request_id} Version: {spec.version}",)
        case Ended():
            end, report = f"END RequestId: {event.request_id}", _report(event, spec)
            if event.status is not Status.TIMEOUT:
                return (end, report)
            # Whether newer runtimes write it is open (LR-257): here it stands after REPORT.
            time, seconds = _iso(time_s), f"{event.duration_ms / 1000:.2f}"
            late = f"{time} {event.request_id} Task timed out after {seconds} seconds"
            return (end, report, late)
        case InitStarted():
            version, arn = runtime_version(spec)
            return [f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}"]
        case InitEnded(status=Status.SUCCESS):
            return []
        case ExtensionStarted(name, state, events):
            return [f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]"]
        case InitEnded():
            line = f"INIT_REPORT Init Duration: {event.duration_ms:.2f} ms\tPhase: {event.phase}\t"
            return [line + _status(event.status, event.error_type)]
        case Exited():
            return [exit_message(event.request_id, event.code), event.error_type]
        case _:
            assert_never(event)


def _iso(time_s: float) -> str:
    time = datetime.fromtimestamp(time_s, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _report(event: Ended, spec: FunctionSpec) -> str:
    """The last line of an invocation (LR-253, LR-255)."""
    line = (
        f"REPORT RequestId: {event.request_id}\tDuration: {event.duration_ms:.2f} ms\t"
        f"Billed Duration: {_billed_ms(event)} ms\tMemory Size: {spec.memory_mb} MB\t"
        f"Max Memory Used: {event.memory_mb} MB\t"
    )
    if event.init_ms is not None:
        line += f"Init Duration: {event.init_ms:.2f} ms\t"
    if event.status is not Status.SUCCESS and not event.handled:
        line += f"{_status(event.status, event.error_type)}\t"
    if trace := _sampled(event.trace_id):
        # AWS's samples show it in a line of its own, or not (LR-254): here it has one.
        root, segment = trace["Root"], trace["Parent"]
        line += f"\nXRAY TraceId: {root}\tSegmentId: {segment}\tSampled: true\t"
    return line


def _sampled(trace_id: str) -> Mapping[str, str]:
    """The fields of a trace header that is sampled, else none."""
    if "Sampled=1" not in trace_id:
        return {}  # as in almost every invocation
    fields = dict(field.partition("=")[::2] for field in trace_id.split(";"))
    return fields if fields.get("Sampled") == "1" else {}


def _tracing(trace_id: str) -> Mapping[str, object]:
    """The trace in a record of a sampled invocation (LR-281)."""
    trace = _sampled(trace_id)
    if not trace:
        return {}
    kind = {"spanId": trace["Parent"], "type": "X-Amzn-Trace-Id", "value": trace_id}
    return {"tracing": kind}


def _status(status: Status, error_type: str) -> str:
    return f"Status: {status}" + (f"\tError Type: {error_type}" if error_type else "")


def _billed_ms(event: Ended) -> int:
    # Whether init time is part of the billed duration is open (LR-259): as recorded, it is not.
    return math.ceil(event.duration_ms)


def _records(
    event: PlatformEvent, spec: FunctionSpec
) -> list[tuple[str, str, Mapping[str, object]]]:
    """Level, type and record of each event that AWS makes of this one (LR-281)."""
    match event:
        case InitStarted():
            version, arn = runtime_version(spec)
            record: dict[str, object] = {
                "initializationType": initialization_type(spec),
                "phase": event.phase,
                "runtimeVersion": version,
                "runtimeVersionArn": arn,
                "functionName": spec.name,
                "functionVersion": spec.version,
            }
            return [("INFO", "initStart", record)]
        case InitEnded():
            kind = initialization_type(spec)
            done = {"initializationType": kind, "phase": event.phase, **_outcome(event)}
            report = {**done, "metrics": {"durationMs": round(event.duration_ms, 3)}}
            level = "DEBUG" if event.status is Status.SUCCESS else "WARN"
            return [(level, "initRuntimeDone", done), (level, "initReport", report)]
        case ExtensionStarted(name, state, events):
            return [("INFO", "extension", {"name": name, "state": state, "events": events})]
        case Started():
            record = {"requestId": event.request_id, "version": spec.version}
            return [("INFO", "start", {**record, **_tracing(event.trace_id)})]
        case Exited():
            return []  # what follows tells it
        case Ended():
            duration_ms = round(event.duration_ms, 3)
            metrics: dict[str, object] = {
                "durationMs": duration_ms,
                "billedDurationMs": _billed_ms(event),
                "memorySizeMB": spec.memory_mb,
                "maxMemoryUsedMB": event.memory_mb,
            }
            if event.init_ms is not None:
                metrics["initDurationMs"] = round(event.init_ms, 3)
            tracing = _tracing(event.trace_id)
            ended = {"requestId": event.request_id, **_outcome(event), **tracing}
            well = event.status is Status.SUCCESS
            done = {**ended, "metrics": {"durationMs": duration_ms}}
            return [
                ("DEBUG" if well else "WARN", "runtimeDone", done),
                ("INFO" if well else "WARN", "report", {**ended, "metrics": metrics}),
            ]
        case _:
            assert_never(event)


def _outcome(event: InitEnded | Ended) -> dict[str, object]:
    outcome: dict[str, object] = {"status": event.status}
    return outcome | {"errorType": event.error_type} if event.error_type else outcome


def runtime_version(spec: FunctionSpec) -> tuple[str, str]:
    """Version and version ARN of the runtime (LR-250)."""
    label = spec.runtime
    for family in ("python", "nodejs", "provided."):
        if label.startswith(family):
            label = f"{family.rstrip('.')}:{label.removeprefix(family).removesuffix('.x')}.v1"
            break
    digest = hashlib.sha256(spec.runtime.encode()).hexdigest()
    return label, f"arn:aws:lambda:{spec.region}::runtime:{digest}"
