"""The newest lines of the log, by log group, as CloudWatch Logs would have them.

Memory is bounded: a group keeps its newest 1000 lines, and fewer when they are long (4 MB; whether
they are is looked at with every further one). There are as many groups as functions and
distributions.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from edgeproxy.runtimes.invocation import LogEntry, LogRecord

__all__ = ["LINES_KEPT", "LogGroups", "NewestLines"]

LINES_KEPT: Final = 1000
_CHARACTERS_KEPT: Final = 4 * 1024 * 1024
_CHARACTERS_UNSEEN: Final = _CHARACTERS_KEPT // 4


class NewestLines:
    """Lines in the order of arrival; the oldest make room."""

    def __init__(self) -> None:
        self._lines: deque[LogEntry] = deque(maxlen=LINES_KEPT)
        self._unseen = 0

    def add(self, line: LogEntry) -> None:
        self._lines.append(line)
        self._unseen += line.size
        if self._unseen > _CHARACTERS_UNSEEN:
            self._make_room()

    def _make_room(self) -> None:
        self._unseen = 0
        size = sum(line.size for line in self._lines)
        while size > _CHARACTERS_KEPT:
            size -= self._lines.popleft().size

    def newest(self, limit: int) -> list[LogRecord]:
        """The newest ``limit`` lines, oldest first."""
        self._make_room()
        if limit <= 0:
            return []
        entries = list(self._lines)[-limit:]
        return [line for entry in entries for line in entry.lines()][-min(limit, LINES_KEPT) :]


class LogGroups:
    """All log groups that something was written to."""

    def __init__(self) -> None:
        self._groups: dict[str, NewestLines] = {}
        self.on_written: Callable[[str, LogRecord], None] | None = None
        """Is told each line and its group."""

    def write(self, group: str, line: LogEntry) -> None:
        lines = self._groups.get(group)
        if lines is None:
            lines = self._groups[group] = NewestLines()
        lines.add(line)
        if self.on_written is not None:
            for each in line.lines():
                self.on_written(group, each)

    def names(self) -> list[str]:
        """The names of all groups, sorted."""
        return sorted(self._groups)

    def newest(self, group: str, limit: int) -> list[LogRecord]:
        """The newest ``limit`` lines of a group, oldest first; none of an unknown one."""
        lines = self._groups.get(group)
        return lines.newest(limit) if lines is not None else []
