"""The machine: a core that serves and one that asks, what processes cost, and what it all is."""

import os
import platform
import shutil
import socket
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

__all__ = [
    "busy",
    "cores",
    "cpu_s",
    "described",
    "free_port",
    "memory_mb",
    "missing",
    "pinned",
    "tool",
]

_PACKAGES: Final = {"nginx": "nginx", "varnishd": "varnish", "wrk": "wrk"}
_VERSION_OPTION: Final = {"nginx": "-v", "varnishd": "-V", "wrk": "-v"}
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@cache
def cores() -> tuple[int, int]:
    """The core of the servers, and that of whoever asks them; one and the same if need be."""
    # Remembered, since who asks will restrict itself to its own.
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pinned(core: int) -> list[str]:
    """What stands before a command that shall run on one core, with all its processes."""
    return ["taskset", "--cpu-list", str(core)]


def tool(name: str) -> str | None:
    """Where a program is, also if only root has its folder in the path."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")


def missing() -> list[str]:
    """What to say of each program that is not there."""
    return [
        f"no {name}: apt-get install {package}"
        for name, package in _PACKAGES.items()
        if tool(name) is None
    ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
    return port


def cpu_s(process: int) -> float:
    """CPU time so far of a process, its descendants, and those of them that have ended."""
    return sum(_ticks(each) for each in _tree(process)) / _TICKS


def memory_mb(process: int) -> float:
    """Resident memory of a process, without its descendants."""
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * _PAGE_BYTES / 1024 / 1024


def _tree(process: int) -> list[int]:
    found = [process]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def _ticks(process: int) -> int:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return 0  # it has ended meanwhile, and counts with its parent
    # The command's name stands in parentheses and may hold spaces.
    return sum(map(int, stat.rpartition(")")[2].split()[11:15]))


def busy() -> str:
    """How much the machine had to do in the last five minutes, whoever asked for it."""
    return f"a load average of {os.getloadavg()[1]:.1f}"


def described() -> list[str]:
    """Processor, system, and the versions of all that takes part."""
    info = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    serving, asking = cores()
    lines = [
        f"{len(names)} x {names[0]}" if names else f"{os.cpu_count()} x {platform.machine()}",
        f"{memory_kb / 1024**2:.0f} GB of memory, {platform.system()} {platform.release()}",
        f"servers on core {serving}, wrk and the origin on core {asking}",
        f"{platform.python_implementation()} {platform.python_version()}",
    ]
    for package in ("aiohttp", "uvloop"):
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"no {package}")
    for name in _PACKAGES:
        if path := tool(name):
            said = subprocess.run(
                [path, _VERSION_OPTION[name]], capture_output=True, text=True, check=False
            )
            lines.append((said.stdout + said.stderr).splitlines()[0].strip())
    return lines + missing()
