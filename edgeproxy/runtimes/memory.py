"""How much memory a process group uses.

Sampling must be cheap, since it goes on while functions run. The leader's own figure is one small
file; the whole group is looked at when the leader has children, and every tenth time in case it
lost some to another parent.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["SAMPLE_PERIOD_S", "MemoryWatch", "Usage", "sample"]

SAMPLE_PERIOD_S: Final = 0.05 if sys.platform == "linux" else 0.5

_INTERPRETER_MB: Final = 64
"""What an interpreter takes before any code is loaded, and..."""
_LEAST_ROOM_MB: Final = 64
"""...what a function has beyond that, however small its memory setting."""
_MOST_PROCESSES: Final = 1024
"""Processes of one environment (LR-192)."""
_THOROUGH_EVERY: Final = 10
_MEGABYTE: Final = 1024 * 1024

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident bytes and number of processes of a group."""

    resident: int
    processes: int


class MemoryWatch:
    """Holds a process group against a function's memory setting (LR-089)."""

    def __init__(self, memory_mb: int) -> None:
        self._size_mb = memory_mb
        self._limit_mb = max(memory_mb, _INTERPRETER_MB + _LEAST_ROOM_MB)
        self._peak = 0
        self._looks = 0
        self.excess = ""
        """What was too much when the group last might not go on, in words."""

    @property
    def peak_mb(self) -> int:
        """The most that was seen, in whole megabytes."""
        return -(-self._peak // _MEGABYTE)

    def look(self, leader: int) -> bool:
        """Take a sample; whether the group may go on."""
        self._looks += 1
        usage = sample(leader, thorough=self._looks % _THOROUGH_EVERY == 0)
        if usage is None:
            return True
        self._peak = max(self._peak, usage.resident)
        if usage.processes > _MOST_PROCESSES:
            self.excess = f"{usage.processes} processes, over Lambda's limit of {_MOST_PROCESSES}"
        elif usage.resident > self._limit_mb * _MEGABYTE:
            self.excess = f"{self.peak_mb} MB, over its MemorySize of {self._size_mb} MB"
            if self._limit_mb > self._size_mb:
                self.excess += f" and the {self._limit_mb} MB that are allowed here at least"
        else:
            return True
        return False


def sample(leader: int, *, thorough: bool) -> Usage | None:
    """What the group of ``leader`` uses now; None when it is gone."""
    if sys.platform != "linux":
        return _listed(leader)
    resident = _resident(leader)
    if resident is None:
        return None
    if not thorough and not _has_children(leader):
        return Usage(resident, 1)
    others = [pid for pid in _members(leader) if pid != leader]
    return Usage(resident + sum(_proportional(pid) for pid in others), 1 + len(others))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        return b""  # the process has ended in the meantime


def _resident(pid: int) -> int | None:
    fields = _read(_PROC / str(pid) / "statm").split()
    return int(fields[1]) * _PAGE if fields else None


def _has_children(pid: int) -> bool:
    return bool(_read(_PROC / str(pid) / "task" / str(pid) / "children"))


def _members(group: int) -> list[int]:
    found = []
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal():
            # The command's name stands in parentheses and may hold any character.
            fields = _read(Path(entry.path, "stat")).rpartition(b")")[2].split()
            if len(fields) > 2 and int(fields[2]) == group and fields[0] != b"Z":
                found.append(int(entry.name))
    return found


def _proportional(pid: int) -> int:
    """A process's memory with shared pages counted once over all who share them."""
    for line in _read(_PROC / str(pid) / "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(pid) or 0


def _listed(group: int) -> Usage | None:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True, check=False
    ).stdout
    sizes = [
        int(fields[1]) * 1024
        for line in listing.splitlines()
        if len(fields := line.split()) == 2 and fields[0] == str(group)
    ]
    return Usage(sum(sizes), len(sizes)) if sizes else None
