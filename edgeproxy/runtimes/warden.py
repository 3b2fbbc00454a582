"""Makes sure that nothing outlives this process, even one that was killed without a warning.

A warden is a small process that knows every worker's process group. It sleeps on a pipe; when
the pipe ends, for whatever reason, it kills the groups and removes the folder of temporary files.
One mechanism thus serves every system and every runtime, also a function in an endless loop.

A function's child that began a session of its own has left the group. It still has the variable
that marks its worker, so on Linux, where one can look, the warden kills it when the worker ends.
Elsewhere such a child stays, and so does one that was given other variables.
"""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["MARK", "Warden"]

MARK: Final = "_EDGEPROXY_WORKER"
"""The variable that every worker has: the warden's folder, ``/``, the worker's group, ``/``."""

_SWEEPER: Final = Path(__file__).parent / "bootstrap" / "sweeper.py"


class Warden:
    """Kills the watched process groups, and removes ``folder``, when this process ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._groups: set[int] = set()
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SWEEPER), str(self.folder), MARK],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """From now on ``group`` dies with this process."""
        self._groups.add(group)
        self._write(f"+ {group}\n")

    def forget(self, group: int) -> None:
        """``group`` has ended; its number may soon be somebody else's."""
        self._groups.discard(group)
        self._write(f"- {group}\n")

    def _write(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(line.encode())
        except BrokenPipeError:
            # Somebody killed the warden: a new one takes over.
            self._process.wait()
            pipe.close()
            self._process = self._start()
            for group in self._groups:
                self._write(f"+ {group}\n")

    def close(self) -> None:
        """End the warden; it takes the groups still watched and the folder with it."""
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
        self._process.wait()
