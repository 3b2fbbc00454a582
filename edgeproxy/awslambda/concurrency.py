"""How many invocations may run at the same time: the account's limit and functions' reservations.

A reservation is both a guarantee and a ceiling for one function; what is not reserved is shared by
all others (LI-120, LI-121).
"""

from collections import Counter
from typing import Final

__all__ = ["Concurrency"]

_OWN_FULL: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"
_ACCOUNT_FULL: Final = "ConcurrentInvocationLimitExceeded"


class Concurrency:
    """Counts invocations in flight."""

    def __init__(self, account_limit: int) -> None:
        self._account_limit = account_limit
        self._reserved: dict[str, int] = {}
        self._running: Counter[str] = Counter()
        self._shared = 0

    def reserve(self, name: str, reservation: int | None) -> None:
        """Set or, with None, lift the reservation of a function."""
        if name not in self._reserved:
            self._shared -= self._running[name]
        self._reserved.pop(name, None)
        if reservation is None:
            self._shared += self._running[name]
        else:
            self._reserved[name] = reservation

    def enter(self, name: str) -> str | None:
        """Count one more invocation; or the reason why it must not run (LI-125)."""
        reservation = self._reserved.get(name)
        if reservation is not None:
            if self._running[name] >= reservation:
                return _OWN_FULL
        elif self._shared >= self._account_limit - sum(self._reserved.values()):
            return _ACCOUNT_FULL
        else:
            self._shared += 1
        self._running[name] += 1
        return None

    def leave(self, name: str) -> None:
        """An invocation has ended."""
        self._running[name] -= 1
        if name not in self._reserved:
            self._shared -= 1
