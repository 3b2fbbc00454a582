"""How a run of a CloudFront Function can end, and the lines of its log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from edgeproxy.runtimes.cloudfront_js.origin import OriginChange

__all__ = [
    "Completed",
    "Failed",
    "FailureKind",
    "Location",
    "Notice",
    "Outcome",
    "cut_logs",
    "format_log",
    "told_utilisation",
]

MAX_LOG_BYTES: Final = 10 * 1024
"""CFF-LIM-05."""

FailureKind: TypeAlias = Literal[
    "FunctionExecutionError", "FunctionValidationError", "FunctionThrottledError"
]
"""The word before ``from cloudfront`` in ``X-Cache`` (CFF-ERR-01 to 03)."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the function's code, or in what that was compiled from; both count from 1."""

    line: int
    column: int
    file: str = ""
    """Empty for code that comes from no file."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that works here but not as written, with the rule and the remedy."""

    rule: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler ended. Whether its ``result`` is valid, the event's decoder decides."""

    result: object
    """The returned value after a round trip through JSON; None also for ``undefined``."""
    origin: OriginChange | None = None
    logs: tuple[str, ...] = ()
    utilisation: int = 0
    """Compute utilisation in percent, 0 to 100 (CFF-LIM-03)."""
    custom_log: str = ""
    """Value of the ``…-log-data`` field of the access log, URL-encoded (CFF-HLP-02)."""
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The run gave nothing that can be used. ``rule`` is empty for the function's own errors."""

    kind: FailureKind
    message: str
    logs: tuple[str, ...] = ()
    location: Location | None = None
    utilisation: int = 0
    rule: str = ""
    notices: tuple[Notice, ...] = ()
    result: object = None
    """What the handler returned when only its origin change was refused, which a test does not look
    at (CFF-ORG-22)."""


Outcome: TypeAlias = Completed | Failed


def told_utilisation(percent: int) -> str:
    """What a compute utilisation bodes, empty while it is comfortable (CFF-LIM-04)."""
    if percent > 70:
        return "CloudFront is likely to throttle a function that runs as long as this"
    if percent > 50:
        return "this comes close to the longest time that a function may run"
    return ""


def format_log(request_id: str, distribution_id: str, logs: Sequence[str]) -> list[str]:
    """The lines as in the function's log group; none for a run that logged nothing (CFF-LOG-02)."""
    if not logs:
        return []
    lines = [f"START DistributionID: {distribution_id}", *logs, "END"]
    return [f"{request_id} {line}" for line in lines]


def cut_logs(logs: Sequence[str]) -> tuple[str, ...]:
    """The first 10 KB of a run's output (CFF-LIM-05)."""
    kept = []
    room = MAX_LOG_BYTES
    for line in logs:
        data = line.encode("utf-8", "replace")
        if len(data) > room:
            kept.append(data[:room].decode("utf-8", "ignore"))
            break
        kept.append(line)
        room -= len(data)
    return tuple(kept)
