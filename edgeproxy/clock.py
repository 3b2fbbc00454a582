"""The edge's clock, the only reader of time in the project.

It runs at the speed of real time and can be moved forward, so that a test sees an object expire
without waiting. It drives Date, Age, freshness, signature expiry, event age and log times. Real
waits (timeouts, durations) use :meth:`Clock.monotonic`, which nobody can move.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

__all__ = ["Clock"]

# Dates have four digits in HTTP and elsewhere; what expires later than now still needs one.
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


class Clock:
    """Wall-clock time in seconds since the epoch, plus an offset that only grows until reset."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._watchers: list[Callable[[], None]] = []

    def watch(self, moved: Callable[[], None]) -> Callable[[], None]:
        """Have ``moved`` called, in any thread, whenever time is moved; the result ends that."""
        self._watchers.append(moved)
        return lambda: self._watchers.remove(moved)

    @property
    def offset_s(self) -> float:
        """How far the edge's time is ahead of real time, in seconds."""
        return self._offset_s

    def now(self) -> float:
        """The edge's time: seconds since the epoch, with fractions."""
        return time.time() + self._offset_s

    def utc(self) -> datetime:
        """The edge's time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> None:
        """Move the edge's time forward. Raises ``ValueError`` for a negative or absurd step."""
        if not seconds >= 0:
            raise ValueError("the clock only moves forward; a reset goes back to real time")
        if self.now() + seconds > _LATEST:
            raise ValueError("the clock ends with the year 9000")
        self._offset_s += seconds
        self._moved()

    def reset(self) -> None:
        """Go back to real time. What was stored under the later time keeps its times."""
        self._offset_s = 0.0
        self._moved()

    def _moved(self) -> None:
        for moved in list(self._watchers):
            moved()

    monotonic: Final = staticmethod(time.perf_counter)
    """Seconds of real time for measuring durations; never moved by anyone."""
