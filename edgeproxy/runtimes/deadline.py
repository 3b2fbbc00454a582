"""A limit on how long something may take, which stands still while a person is at a prompt."""

import asyncio
from collections.abc import Callable
from typing import Final

__all__ = ["Deadline"]

_EXACT_S: Final = 0.001
"""How early an event loop may call."""


class Deadline:
    """Calls ``act`` when ``limit_s`` seconds have passed, not counting suspensions.

    Without a limit it never does. It may be started again and again, which costs next to nothing:
    hardly a deadline is ever reached, so the timer of an earlier one is left to run and looks,
    when it rings, for how long it has to go on.
    """

    __slots__ = ("_act", "_due", "_left_s", "_loop", "_timer")

    def __init__(self, limit_s: float | None, act: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._act = act
        self._timer: asyncio.TimerHandle | None = None
        self.start(limit_s)

    def start(self, limit_s: float | None) -> None:
        """Begin anew."""
        self._due: float | None = None
        self._left_s = limit_s
        if limit_s is not None:
            self._go_on(limit_s)

    def suspend(self) -> None:
        """Stop the time until :meth:`resume`."""
        if self._due is not None:
            self._left_s = max(0.0, self._due - self._loop.time())
            self._due = None

    def resume(self) -> None:
        """Let the time go on."""
        if self._due is None and self._left_s is not None:
            self._go_on(self._left_s)

    def _go_on(self, left_s: float) -> None:
        due = self._due = self._loop.time() + left_s
        if self._timer is None or self._timer.when() > due:
            self._set_timer(due)

    def cancel(self) -> None:
        """Forget about it until :meth:`start`."""
        self._due = self._left_s = None

    def close(self) -> None:
        """Forget about it for good."""
        self.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer, due = None, self._due
        if due is None:
            return
        if due - self._loop.time() > _EXACT_S:
            self._set_timer(due)
        else:
            self.cancel()
            self._act()
