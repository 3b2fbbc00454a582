"""A command on a terminal of its own, and the person in front of it."""

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Screen", "on_terminal"]

_TIMEOUT_S = 30


class Screen:
    """The other side of a command's terminal: what a person sees and types."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid = pid
        self._terminal = terminal
        self.text = ""

    def wait_for(self, text: str, since: int = 0) -> str:
        """What is on the screen as soon as ``text`` is, from ``since`` on."""
        deadline = time.monotonic() + _TIMEOUT_S
        while text not in self.text[since:]:
            assert time.monotonic() < deadline, f"waited in vain for {text!r} in:\n{self.text}"
            assert self._read(1), f"the command ended without {text!r}:\n{self.text}"
        return self.text

    def _read(self, timeout_s: float) -> bool:
        if select.select([self._terminal], [], [], timeout_s)[0]:
            try:
                data = os.read(self._terminal, 65_536)
            except OSError:  # Linux's way to say that nobody has the other side open
                data = b""
            self.text += data.decode().replace("\r\n", "\n")
            return bool(data)
        return True

    def watch(self, seconds: float) -> str:
        """What appears during this time."""
        since, end = len(self.text), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)
        return self.text[since:]

    def type(self, line: str, then: str) -> None:
        """Type a line and wait for what comes of it."""
        since = len(self.text)
        os.write(self._terminal, f"{line}\n".encode())
        self.wait_for(then, since + len(line))

    def press(self, key: str) -> None:
        os.write(self._terminal, key.encode())

    def waits_for_enter(self) -> bool:
        """Whether the terminal is as a shell has it: lines are typed, and shown."""
        flags = termios.tcgetattr(self._terminal)[3]
        return flags & termios.ICANON != 0 and flags & termios.ECHO != 0

    def ended(self) -> int:
        """The exit status, once the command has ended."""
        while self._read(_TIMEOUT_S):
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return status


@contextmanager
def on_terminal(*arguments: str, cwd: Path, program: str = "") -> Iterator[Screen]:
    """A command on a terminal of its own: ``edgeproxy``, or another ``program``."""
    command = [program] if program else [sys.executable, "-m", "edgeproxy"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvp(command[0], [*command, *arguments])
    screen = Screen(pid, terminal)
    try:
        yield screen
    finally:
        if screen.pid:
            os.kill(screen.pid, signal.SIGKILL)
            os.waitpid(screen.pid, 0)
        os.close(terminal)
