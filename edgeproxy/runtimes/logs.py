"""What functions write, cut into lines, and the platform's own lines between them.

A function's output is bounded: of what one invocation writes beyond 256 KB only the end is kept,
and a line says so. Nothing a function writes can fill the memory or block the function.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from edgeproxy.clock import Clock
from edgeproxy.runtimes.invocation import FunctionSpec, LogEntry, LogLines, LogRecord
from edgeproxy.runtimes.log_settings import LogFormat
from edgeproxy.runtimes.platform_events import Ended, PlatformEvent, Started, lines_of

__all__ = ["LARGEST_LOG", "InvocationLog", "PlatformLines"]

LARGEST_LOG: Final = 256 * 1024
"""Bytes of output kept for one invocation; also the longest line (LR-264)."""
_LAST: Final = 4096
"""Bytes kept of the end of each stream, which callers may have asked for (LI-042)."""
_STREAMS: Final = ("stdout", "stderr")
_OF_EVERY_INVOCATION: Final = (Started, Ended)


class _Told(NamedTuple):
    """A tuple, since every invocation makes two."""

    event: Started | Ended
    spec: FunctionSpec
    time_s: float
    request_id: str
    log_stream: str


class PlatformLines(_Told):
    """What tells of one event, written out when somebody reads it: most is never read."""

    __slots__ = ()

    stream = "platform"
    size = 300
    """Characters, or thereabouts."""

    def lines(self) -> tuple[LogRecord, ...]:
        return tuple(
            LogRecord(self.time_s, self.request_id, "platform", text, self.log_stream)
            for text in lines_of(self.event, self.spec, self.time_s)
        )


class InvocationLog:
    """The lines of one invocation, or of one init, in order. ``sink`` sees each at once."""

    __slots__ = (
        "_as_text", "_clock", "_ends", "_entries", "_log_stream", "_pending", "_request_id",
        "_room", "_sink", "_spec",
    )  # fmt: skip

    def __init__(
        self,
        spec: FunctionSpec,
        clock: Clock,
        sink: Callable[[LogEntry], None],
        log_stream: str,
        request_id: str = "",
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._sink = sink
        self._log_stream = log_stream
        self._request_id = request_id
        self._entries: list[LogEntry] = []
        self._pending: dict[str, bytes] = {}
        self._ends: dict[str, bytes] = {}
        self._room = LARGEST_LOG
        self._as_text = spec.log.format is LogFormat.TEXT

    def renew(self, request_id: str) -> list[LogEntry]:
        """Go on with the lines of another invocation; those that there were."""
        self.flush()
        entries, self._entries = self._entries, []
        self._request_id = request_id
        self._room = LARGEST_LOG
        return entries

    def feed(self, stream: str, data: bytes) -> None:
        """Take output of the function as it comes, in pieces of any size."""
        if self._room < 0:
            self._ends[stream] = (self._ends.get(stream, b"") + data)[-_LAST:]
            return
        data, dropped = self._pending.get(stream, b"") + data, b""
        if len(data) > self._room:
            data, dropped = data[: self._room], data[self._room :]
            self._room = -1
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._line(stream, line)
        if self._room < 0:
            self._line(stream, rest)
            self._pending = {}
            self.explain(f"output dropped: one invocation may write {LARGEST_LOG} bytes")
            self._ends[stream] = dropped[-_LAST:]
        else:
            self._pending[stream] = rest

    def _line(self, stream: str, line: bytes) -> None:
        if self._room >= 0:
            self._room -= len(line) + 1
        self._add(stream, line.decode("utf-8", "replace"), self._clock.now())

    def platform(self, message: str) -> None:
        """Add a line of the platform's own. Output without a line end stands before it."""
        self.flush()
        self._add("platform", message, self._clock.now())

    def tell(self, event: PlatformEvent) -> None:
        """Add what the function's log has of a platform event, in the function's log format."""
        now = self._clock.now()
        if self._as_text and isinstance(event, _OF_EVERY_INVOCATION):
            if self._pending or self._ends:
                self.flush()
                now = self._clock.now()
            entry = PlatformLines(event, self._spec, now, self._request_id, self._log_stream)
            self._entries.append(entry)
            self._sink(entry)
        elif texts := lines_of(event, self._spec, now):
            if self._pending or self._ends:
                self.flush()
                now = self._clock.now()
            for text in texts:
                self._add("platform", text, now)

    def explain(self, message: str) -> None:
        """Add what AWS does not tell, where its own line leaves people guessing.

        It stands with the function's output, so that it is seen where platform lines are not.
        """
        self.flush()
        self._add("stderr", f"edgeproxy: {message}", self._clock.now())

    def _add(self, stream: str, message: str, time_s: float) -> None:
        line = LogRecord(time_s, self._request_id, stream, message, self._log_stream)
        self._entries.append(line)
        self._sink(line)

    def flush(self) -> None:
        """End the lines that the function left open."""
        if not (self._pending or self._ends):
            return  # as after most invocations
        for stream in _STREAMS if self._pending else ():
            if rest := self._pending.pop(stream, b""):
                self._line(stream, rest)
        for stream in _STREAMS if self._ends else ():
            if end := self._ends.pop(stream, b""):
                lines = end.removesuffix(b"\n").split(b"\n")
                for line in lines[len(end) == _LAST :]:  # a full end cuts its first line
                    self._line(stream, line)

    def records(self) -> LogLines:
        """All lines so far."""
        return LogLines(self._entries)

    @property
    def entries(self) -> list[LogEntry]:
        """The same, some of which have yet to be written out."""
        return self._entries
