"""What functions write, cut into lines, and the platform's own lines between them.

A function's output is bounded: what one invocation writes beyond 256 KB is dropped and a
platform line says so. Nothing a function writes can fill the memory or block the function.
"""

import hashlib
import math
from collections.abc import Callable
from typing import Final

from edgeproxy.clock import Clock
from edgeproxy.runtimes.invocation import LogRecord

__all__ = [
    "LARGEST_LOG",
    "InvocationLog",
    "init_report_line",
    "init_start_line",
    "report_line",
    "timeout_line",
]

LARGEST_LOG: Final = 256 * 1024
"""Bytes of output kept for one invocation; also the longest line (LR-264)."""


class InvocationLog:
    """The lines of one invocation, or of one init, in order. ``sink`` sees each at once."""

    def __init__(
        self, clock: Clock, sink: Callable[[LogRecord], None], request_id: str = ""
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._request_id = request_id
        self._records: list[LogRecord] = []
        self._pending = {"stdout": b"", "stderr": b""}
        self._room = LARGEST_LOG

    def feed(self, stream: str, data: bytes) -> None:
        """Take output of the function as it comes, in pieces of any size."""
        if self._room < 0:
            return
        data = self._pending[stream] + data
        if len(data) > self._room:
            data = data[: self._room]
            self._room = -1
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._line(stream, line)
        if self._room < 0:
            self._line(stream, rest)
            self._pending = {"stdout": b"", "stderr": b""}
            self.platform(f"Output truncated: one invocation may write {LARGEST_LOG} bytes.")
        else:
            self._pending[stream] = rest

    def _line(self, stream: str, line: bytes) -> None:
        if self._room >= 0:
            self._room -= len(line) + 1
        self._add(stream, line.decode("utf-8", "replace"))

    def platform(self, message: str) -> None:
        """Add a line of the platform's own. Output without a line end stands before it."""
        self.flush()
        self._add("platform", message)

    def explain(self, message: str) -> None:
        """Add what AWS does not tell, where its own line leaves people guessing.

        It stands with the function's output, so that it is seen where platform lines are not.
        """
        self.flush()
        self._add("stderr", f"edgeproxy: {message}")

    def _add(self, stream: str, message: str) -> None:
        record = LogRecord(self._clock.now(), self._request_id, stream, message)
        self._records.append(record)
        self._sink(record)

    def flush(self) -> None:
        """End the lines that the function left open."""
        for stream, rest in self._pending.items():
            if rest:
                self._pending[stream] = b""
                self._line(stream, rest)

    def records(self) -> tuple[LogRecord, ...]:
        """All lines so far."""
        return tuple(self._records)


def init_start_line(runtime: str, region: str) -> str:
    """The first line of a cold start (LR-250)."""
    for family in ("python", "nodejs"):
        if runtime.startswith(family):
            label = f"{family}:{runtime.removeprefix(family).removesuffix('.x')}.v1"
            break
    else:
        label = runtime
    digest = hashlib.sha256(runtime.encode()).hexdigest()
    return (
        f"INIT_START Runtime Version: {label}\t"
        f"Runtime Version ARN: arn:aws:lambda:{region}::runtime:{digest}"
    )


def init_report_line(duration_ms: float, phase: str, status: str) -> str:
    """How a failed init went (LR-256)."""
    return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"


def report_line(
    request_id: str,
    duration_ms: float,
    memory_size_mb: int,
    memory_used_mb: int,
    init_ms: float | None,
    status: str,
) -> str:
    """The last line of an invocation (LR-253, LR-255)."""
    # Whether init time is part of the billed duration is open (LR-259): as recorded, it is not.
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {math.ceil(duration_ms)} ms\tMemory Size: {memory_size_mb} MB\t"
        f"Max Memory Used: {memory_used_mb} MB\t"
    )
    if init_ms is not None:
        line += f"Init Duration: {init_ms:.2f} ms\t"
    return f"{line}Status: {status}\t" if status else line


def timeout_line(clock: Clock, request_id: str, timeout_s: float) -> str:
    """What stands after REPORT when the function was ended at its timeout (LR-257)."""
    time = clock.utc().isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{time}Z {request_id} Task timed out after {timeout_s:.2f} seconds"
