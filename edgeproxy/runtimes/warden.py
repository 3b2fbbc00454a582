"""Makes sure that nothing outlives this process, even one that was killed without a warning.

A warden is a tiny shell process that knows every worker's process group. It sleeps on a pipe; when
the pipe ends, for whatever reason, it kills the groups and removes the folder of temporary files.
One mechanism thus serves every system and every runtime, also a function in an endless loop.

A function's child that began a session of its own has left the group. It still has the variable
that marks its worker, so on Linux, where one can look, the warden kills it when the worker ends.
Elsewhere such a child stays, and so does one that was given other variables.
"""

import contextlib
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["MARK", "Warden"]

MARK: Final = "_EDGEPROXY_WORKER"
"""The variable that every worker has: the warden's folder, ``/``, the worker's group, ``/``."""

_SCRIPT: Final = """
end_marked() {
  # What is killed may have had another child, and one in the middle of an exec shows no mark.
  for round in 1 2 3; do
    found=
    for file in $(grep -lsF -- "$1" /proc/[0-9]*/environ </dev/null); do
      file=${file#/proc/} found="$found ${file%/environ}"
    done
    [ -z "$found" ] || kill -9 $found
  done
}
mark=$2=$1/
groups=
while read -r sign group; do
  kept=
  for known in $groups; do [ "$known" = "-$group" ] || kept="$kept $known"; done
  groups=$kept
  if [ "$sign" = - ]; then end_marked "$mark$group/"; else groups="$groups -$group"; fi
done
[ -z "$groups" ] || { kill -9 $groups; end_marked "$mark"; }
exec rm -rf -- "$1"
"""


class Warden:
    """Kills the watched process groups, and removes ``folder``, when this process ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._groups: set[int] = set()
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "sh", str(self.folder), MARK],
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
