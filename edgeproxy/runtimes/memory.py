"""How much memory the processes of an environment use, and how many there are.

Sampling must be cheap, since it goes on while functions run. The worker's own figure is one small
file. Its children are looked at when it has any, and every tenth time in case it lost some to
another parent: they share its session, or bear its mark. All workers share one look at the
machine's processes.
"""

import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from edgeproxy.clock import Clock
from edgeproxy.runtimes.warden import MARK

__all__ = ["SAMPLE_PERIOD_S", "MemoryWatch", "Usage", "sample"]

SAMPLE_PERIOD_S: Final = 0.05 if sys.platform == "linux" else 0.5

_INTERPRETER_MB: Final = 64
"""What an interpreter takes before any code is loaded, and..."""
_LEAST_ROOM_MB: Final = 64
"""...what a function has beyond that, however small its memory setting."""
_MOST_PROCESSES: Final = 1024
"""Processes and threads of one environment (LR-192)."""
_MOST_MEASURED: Final = 32
"""Of more children than these only so many are measured at a time, and stand for the others."""
_THOROUGH_EVERY: Final = 10
_THOROUGH_PERIOD_S: Final = _THOROUGH_EVERY * SAMPLE_PERIOD_S
_MEGABYTE: Final = 1024 * 1024

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MARKED: Final = re.compile(rb"(?:\A|\0)" + MARK.encode() + rb"=[^\0]*/(\d+)/")


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident bytes of a worker and its children, and the number of processes and threads."""

    resident: int
    processes: int


class MemoryWatch:
    """Holds workers and their children against a function's memory setting (LR-089)."""

    def __init__(self, memory_mb: int) -> None:
        self._size_mb = memory_mb
        self._limit_mb = max(memory_mb, _INTERPRETER_MB + _LEAST_ROOM_MB)
        self._peak = 0
        self._looks = 0
        self.peak_mb = 0
        """The most that was seen, in whole megabytes."""
        self.excess = ""
        """What was too much when they last might not go on, in words."""

    def look(self, *leaders: int) -> bool:
        """Take a sample of what several workers use together; whether they may go on."""
        self._looks += 1
        thorough = self._looks % _THOROUGH_EVERY == 0
        resident = processes = 0
        for leader in leaders:
            if (usage := sample(leader, thorough=thorough)) is not None:
                resident += usage.resident
                processes += usage.processes
        self._peak = max(self._peak, resident)
        self.peak_mb = -(-self._peak // _MEGABYTE)
        if processes > _MOST_PROCESSES:
            self.excess = (
                f"{processes} processes and threads, over Lambda's limit of {_MOST_PROCESSES}"
            )
        elif resident > self._limit_mb * _MEGABYTE:
            self.excess = f"{self.peak_mb} MB, over its MemorySize of {self._size_mb} MB"
            if self._limit_mb > self._size_mb:
                self.excess += f" and the {self._limit_mb} MB that are allowed here at least"
        else:
            return True
        return False


def sample(leader: int, *, thorough: bool) -> Usage | None:
    """What the worker ``leader`` and its children use now; None when it is gone."""
    if sys.platform != "linux":
        return _listing.of(leader)
    resident = _resident(leader)
    if resident is None:
        return None
    has_children = _has_children(leader)
    if not thorough and not has_children:
        return Usage(resident, 1)
    threads = _census.of(leader, SAMPLE_PERIOD_S if has_children else _THOROUGH_PERIOD_S)
    children = sorted(threads.keys() - {leader})
    measured = children[:: len(children) // _MOST_MEASURED + 1]
    for_each = sum(map(_proportional, measured)) / max(len(measured), 1)
    return Usage(resident + int(for_each * len(children)), sum(threads.values()))


class _Census:
    """The processes of each worker and the number of their threads, as last seen."""

    def __init__(self) -> None:
        self._seen_at = -_THOROUGH_PERIOD_S
        self._workers: dict[int, dict[int, int]] = {}

    def of(self, leader: int, oldest_s: float) -> dict[int, int]:
        now = Clock.monotonic()
        if now - self._seen_at >= oldest_s or leader not in self._workers:
            self._look()
            self._seen_at = now
        return self._workers.get(leader, {})

    def _look(self) -> None:
        self._workers = defaultdict(dict)
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal():
                # The command's name stands in parentheses and may hold any character.
                fields = _read(f"{entry.path}/stat").rpartition(b")")[2].split()
                if len(fields) > 17 and fields[0] != b"Z":
                    marked = _MARKED.search(_read(f"{entry.path}/environ"))
                    leader = int(marked[1] if marked else fields[3])
                    self._workers[leader][int(entry.name)] = int(fields[17])


_census: Final = _Census()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - called very often
            return file.read()
    except (OSError, ValueError):
        return b""  # the process has ended in the meantime


def _resident(pid: int) -> int | None:
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if fields else None


def _has_children(pid: int) -> bool:
    return bool(_read(f"/proc/{pid}/task/{pid}/children"))


def _proportional(pid: int) -> int:
    """A process's memory with shared pages counted once over all who share them."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(pid) or 0


class _Listing:
    """What the processes of each group use, as ``ps`` has last told: it takes its time."""

    def __init__(self) -> None:
        self._seen_at = -SAMPLE_PERIOD_S
        self._groups: dict[int, Usage] = {}

    def of(self, group: int) -> Usage | None:
        now = Clock.monotonic()
        if now - self._seen_at >= SAMPLE_PERIOD_S or group not in self._groups:
            self._look()
            self._seen_at = now
        return self._groups.get(group)

    def _look(self) -> None:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True, check=False
        ).stdout
        sizes: defaultdict[int, list[int]] = defaultdict(list)
        for fields in map(str.split, listing.splitlines()):
            if len(fields) == 2:
                sizes[int(fields[0])].append(int(fields[1]) * 1024)
        self._groups = {group: Usage(sum(each), len(each)) for group, each in sizes.items()}


_listing: Final = _Listing()
