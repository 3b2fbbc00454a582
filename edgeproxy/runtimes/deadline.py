"""A limit on how long something may take, which stands still while a person is at a prompt."""

import asyncio
from collections.abc import Callable

__all__ = ["Deadline"]


class Deadline:
    """Calls ``act`` when ``limit_s`` seconds have passed, not counting suspensions.

    Without a limit it never does.
    """

    __slots__ = ("_act", "_left_s", "_loop", "_timer")

    def __init__(self, limit_s: float | None, act: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._act = act
        self._left_s = limit_s
        self._timer: asyncio.TimerHandle | None = None
        self.resume()

    def suspend(self) -> None:
        """Stop the time until :meth:`resume`."""
        if self._timer is not None:
            self._left_s = max(0.0, self._timer.when() - self._loop.time())
            self.cancel()

    def resume(self) -> None:
        """Let the time go on."""
        if self._timer is None and self._left_s is not None:
            self._timer = self._loop.call_later(self._left_s, self._act)

    def cancel(self) -> None:
        """Forget about it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
