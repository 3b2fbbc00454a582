"""The terminal that edgeproxy was started on, lent to one function at a time.

``breakpoint()`` in a Python function wants a person. The worker cannot have the terminal from the
start: it leads a session of its own, and there are many of them. So it asks when it needs it and
gets a descriptor; others wait for their turn. Without a terminal, or in the background, the
function meets an empty standard input, as on AWS.
"""

import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["NO_TERMINAL", "Terminal"]


class Terminal:
    """Lends ``descriptor``, an open terminal, or nothing when it is None.

    ``lent`` hears True when the terminal goes to a function and False when it is free again.
    """

    def __init__(self, descriptor: int | None, lent: Callable[[bool], None] = lambda _: None):
        self._descriptor = descriptor
        self._lent = lent
        self._is_out = False
        self._holder: object = None
        self._waiting: deque[tuple[object, Callable[[int | None], None]]] = deque()

    @classmethod
    def of_this_process(cls, lent: Callable[[bool], None] = lambda _: None) -> "Terminal":
        """The terminal on standard input, if that is one. It stays open until the process ends."""
        stdin = sys.__stdin__
        if stdin is None or stdin.closed or not stdin.isatty():
            return NO_TERMINAL
        try:
            return cls(os.open(os.ttyname(stdin.fileno()), os.O_RDWR | os.O_NOCTTY), lent)
        except OSError:
            return NO_TERMINAL

    @property
    def is_lent(self) -> bool:
        """Whether a function has it: a person is at a prompt."""
        return self._is_out

    def ask(self, who: object, lend: Callable[[int | None], None]) -> None:
        """Call ``lend`` with the descriptor when it is the turn of ``who``, with None if never."""
        if self._descriptor is None or not _in_foreground(self._descriptor):
            lend(None)
        elif self._holder in (None, who):
            self._holder = who
            self._tell(True)
            lend(self._descriptor)
        else:
            self._waiting.append((who, lend))

    def give_back(self, who: object) -> None:
        """``who`` has done with the terminal, or does not wait for it any more."""
        if self._waiting:
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not who)
        if self._holder is not who:
            return
        self._holder = None
        while self._waiting and self._holder is None:
            self.ask(*self._waiting.popleft())
        self._tell(self._holder is not None)

    def _tell(self, is_out: bool) -> None:
        if is_out is not self._is_out:
            self._is_out = is_out
            self._lent(is_out)


def _in_foreground(descriptor: int) -> bool:
    """Whether what is typed is meant for this process and not for the shell that started it."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True  # a terminal that no shell controls


NO_TERMINAL: Final = Terminal(None)
"""For all who have none."""
