"""Single keys typed on the terminal that ``edgeproxy dev`` was started on.

The terminal is put into cbreak mode (keys come without Enter, and are not shown), and back into the
mode it was found in whenever somebody else uses it: at the end however that comes, while the job is
stopped (Ctrl-Z) or in the background, and while a debugger's prompt has it.
"""

import asyncio
import atexit
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["Keys"]


class Keys:
    """Calls ``pressed`` with each key typed on the terminal ``descriptor``; :meth:`start` begins.

    What comes as several characters at once is no key: text that was pasted, an arrow.
    """

    def __init__(self, descriptor: int, pressed: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._pressed = pressed
        self._found: list[Any] | None = None
        """The terminal's mode before ours, while ours holds."""
        self._wanted = False
        self._lent = False

    @classmethod
    def of_this_process(cls, pressed: Callable[[str], None]) -> "Keys | None":
        """None without a terminal, in a pipe, and in a job in the background."""
        stdin, stdout = sys.__stdin__, sys.__stdout__
        if stdin is None or stdout is None or stdin.closed or stdout.closed:
            return None
        keys = cls(stdin.fileno(), pressed)
        return keys if stdin.isatty() and stdout.isatty() and keys._in_foreground() else None

    def start(self) -> None:
        """Listen from now on; must be called in an event loop's main thread."""
        loop = asyncio.get_running_loop()
        self._wanted = True
        self._listen()
        atexit.register(self._restore)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        loop.add_signal_handler(signal.SIGCONT, self._listen)

    def stop(self) -> None:
        """Leave the terminal as it was found."""
        self._wanted = False
        self._deafen()
        atexit.unregister(self._restore)
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        loop.remove_signal_handler(signal.SIGCONT)

    def lend(self, lent: bool) -> None:
        """While ``lent``, somebody else reads the terminal."""
        self._lent = lent
        if lent:
            self._deafen()
        else:
            self._listen()

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False

    def _listen(self) -> None:
        if self._found is not None or self._lent or not self._wanted or not self._in_foreground():
            return
        self._found = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def _deafen(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._restore()

    def _restore(self) -> None:
        found, self._found = self._found, None
        # A job in the background would be stopped for it; the shell has set its own mode by then.
        if found is not None and self._in_foreground():
            with suppress(termios.error):  # The terminal is gone.
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, found)

    def _suspend(self) -> None:
        self._deafen()
        # The default: the process stops here, and goes on with SIGCONT.
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._listen()  # A process without a shell above it does not stop.

    def _read(self) -> None:
        try:
            typed = os.read(self._descriptor, 1024)
        except OSError:
            typed = b""
        if not typed:  # The terminal is gone.
            self._wanted = False
            asyncio.get_running_loop().remove_reader(self._descriptor)
        elif len(typed) == 1:
            self._pressed(typed.decode("latin-1"))
