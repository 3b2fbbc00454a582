"""The warden's own process: ends what workers leave behind, and everything when its pipe ends.

Runs alone and imports nothing of edgeproxy. Its arguments are the folder of temporary files and
the name of the variable that marks workers; its input is a line for each process group that
begins (``+ group``) and ends (``- group``).
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLEAN_SWEEPS = 3
"""What is in the middle of an exec shows no mark, so one look that finds nothing is not enough."""
MOST_SWEEPS = 1000
"""What hangs inside the kernel cannot be killed."""


def end(mark: bytes) -> None:
    """Kill every process that has the mark, until there is none left."""
    clean = 0
    for _ in range(MOST_SWEEPS):
        clean = 0 if sweep(mark) else clean + 1
        if clean == CLEAN_SWEEPS:
            return


def sweep(mark: bytes) -> bool:
    """Kill what has the mark; whether there was any.

    Processes are listed in the order of their numbers, and each is killed as soon as it is seen:
    what it forked before that stands later in the list. So nobody outruns the sweep by forking.
    """
    found = False
    if sys.platform != "linux":
        return found
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and has(mark, entry.name):
                found = True
                kill(os.kill, int(entry.name))
    return found


def has(mark: bytes, pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as variables:  # noqa: PTH123 - pathlib takes memory
            return mark in variables.read()
    except OSError:
        return False  # it has ended, or belongs to somebody else


def kill(how: Callable[[int, int], None], number: int) -> None:
    try:
        how(number, signal.SIGKILL)
    except OSError:
        return  # it has ended


def main(folder: str, name: str) -> None:
    mark = f"{name}={folder}/".encode()
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        group = int(line[2:])
        if line.startswith(b"+"):
            groups.add(group)
        else:
            groups.discard(group)
            end(b"%s%d/" % (mark, group))
    for group in groups:
        kill(os.killpg, group)
    end(mark)
    import shutil  # late, since it takes memory

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
