"""How many invocations may run at the same time: the account's limit and functions' reservations.

A reservation is both a guarantee and a ceiling for one function; what is not reserved is shared by
all others (LI-120, LI-121). In one second ten times as many invocations may begin as may run at the
same time (LI-126, LE-LIM-10).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgeproxy.clock import Clock

__all__ = ["Concurrency", "InFlight"]

_OWN_FULL: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"
_ACCOUNT_FULL: Final = "ConcurrentInvocationLimitExceeded"
_OWN_RATE: Final = "ReservedFunctionInvocationRateLimitExceeded"
_ACCOUNT_RATE: Final = "FunctionInvocationRateLimitExceeded"
_A_SECOND_PER_ENVIRONMENT: Final = 10


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many invocations run: of one function, of all, and of those without reservation."""

    function: int
    account: int
    unreserved: int


class _Rate:
    """Counts the invocations of one second, which the first of them begins."""

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def admits(self, environments: int, now: float) -> bool:
        if now - self._since >= 1:
            self._since, self._count = now, 0
        if self._count >= environments * _A_SECOND_PER_ENVIRONMENT:
            return False
        self._count += 1
        return True


class Concurrency:
    """Counts invocations in flight, and those of a second of real time."""

    def __init__(
        self, account_limit: int, monotonic: Callable[[], float] = Clock.monotonic
    ) -> None:
        self._account_limit = account_limit
        self._monotonic = monotonic
        self._reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()
        self._shared = 0
        self._rate = _Rate()
        self._rates: dict[str, _Rate] = {}

    def reserve(self, name: str, reservation: int | None) -> None:
        """Set or, with None, lift the reservation of a function."""
        if name not in self._reserved:
            self._shared -= self._running[name]
        self._reserved.pop(name, None)
        self._rates.pop(name, None)
        if reservation is None:
            self._shared += self._running[name]
        else:
            self._reserved[name] = reservation
            self._rates[name] = _Rate()

    def enter(self, name: str) -> str | None:
        """Count one more invocation; or the reason why it must not run (LI-125)."""
        reservation = self._reserved.get(name)
        if reservation is not None:
            if self._running[name] >= reservation:
                return _OWN_FULL
            if not self._rates[name].admits(reservation, self._monotonic()):
                return _OWN_RATE
        else:
            environments = self._account_limit - sum(self._reserved.values())
            if self._shared >= environments:
                return _ACCOUNT_FULL
            if not self._rate.admits(environments, self._monotonic()):
                return _ACCOUNT_RATE
            self._shared += 1
        self._running[name] += 1
        return None

    def in_flight(self, name: str) -> InFlight:
        """How many run now."""
        return InFlight(self._running[name], self._running.total(), self._shared)

    def leave(self, name: str) -> None:
        """An invocation has ended."""
        self._running[name] -= 1
        if name not in self._reserved:
            self._shared -= 1
