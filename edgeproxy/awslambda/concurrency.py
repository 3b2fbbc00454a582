"""How many invocations may run at the same time: the account's limit and what is set aside of it.

A reservation is both a guarantee and a ceiling for one function; what is not reserved is shared by
all others (LI-120, LI-121). Provisioned environments belong to one version, so that nobody else can
have their share of the reservation or of the account (LI-131).

Two ceilings are AWS's and off here unless asked for (LI-134): how many invocations may begin in a
second for each that may run at the same time (LI-126, LE-LIM-10), and how fast a function may grow
(LI-127).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from edgeproxy.clock import Clock

__all__ = ["Concurrency", "InFlight", "ProvisionedUse", "Refusal"]

_OWN_FULL: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"
_ACCOUNT_FULL: Final = "ConcurrentInvocationLimitExceeded"
_OWN_RATE: Final = "ReservedFunctionInvocationRateLimitExceeded"
_ACCOUNT_RATE: Final = "FunctionInvocationRateLimitExceeded"
_GROWTH: Final = _ACCOUNT_FULL
"""UNSURE which reason AWS gives where a function grows too fast (LI-125, LI-127)."""
_GROWTH_S: Final = 10
_IDLE_S: Final = 300.0
"""After how long without work the environments of a function are gone (LR-190)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an invocation must not run (LI-125)."""

    reason: str
    retry_after_s: int | None = None
    """Where waiting helps for sure: the ceilings of time."""


@dataclass(frozen=True, slots=True)
class ProvisionedUse:
    """The provisioned environments of the version that an invocation is for."""

    running: int
    available: int
    spilled: bool
    """The invocation did not get one of them (LI-130)."""


class InFlight(NamedTuple):
    """How many invocations run: of one function, of all, and of those without reservation.

    A tuple, since one is made for every invocation.
    """

    function: int
    account: int
    unreserved: int
    claimed: int
    """What others cannot have: reserved, provisioned, or in use without either (LI-253)."""
    provisioned: ProvisionedUse | None = None


class _Rate:
    """Counts the invocations of one second, which the first of them begins."""

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def admits(self, most: int, now: float) -> bool:
        if now - self._since >= 1:
            self._since, self._count = now, 0
        if self._count >= most:
            return False
        self._count += 1
        return True


class _Growth:
    """The environments that AWS would have for a function, and how many more it may get now."""

    def __init__(self, most: int, now: float) -> None:
        self._most = most
        self._left = float(most)
        self._at = now
        self._environments = 0

    def admits(self, running: int, now: float) -> bool:
        if not running and now - self._at >= _IDLE_S:
            self._environments = 0
        # Refilled all the time; what is not used is not kept for later.
        self._left = min(self._most, self._left + (now - self._at) * self._most / _GROWTH_S)
        self._at = now
        if running < self._environments:
            return True
        if self._left < 1:
            return False
        self._left -= 1
        self._environments = running + 1
        return True

    @property
    def next_s(self) -> int:
        """In how many seconds there may be one more."""
        return max(1, math.ceil((1 - self._left) * _GROWTH_S / self._most))


class _Function:
    """What is counted of one function."""

    def __init__(self) -> None:
        self.reserved: int | None = None
        self.on_demand = 0
        self.running = 0
        """On demand, and in provisioned environments."""
        self.available: dict[str, int] = {}
        """Provisioned environments by version."""
        self.provisioned: Counter[str] = Counter()
        """Invocations that run in them."""
        self.rate = _Rate()
        self.provisioned_rates: defaultdict[str, _Rate] = defaultdict(_Rate)
        self.growth: _Growth | None = None


class Concurrency:
    """Counts invocations in flight, and those of a second of real time.

    ``request_rate`` is how many may begin in a second for each that may run at the same time,
    ``scaling_rate`` by how many environments a function may grow in ten seconds; None for any.
    """

    def __init__(
        self,
        account_limit: int,
        *,
        request_rate: int | None = None,
        scaling_rate: int | None = None,
        monotonic: Callable[[], float] = Clock.monotonic,
    ) -> None:
        self._account_limit = account_limit
        self._request_rate = request_rate
        self._scaling_rate = scaling_rate
        self._has_rates = request_rate is not None or scaling_rate is not None
        self._monotonic = monotonic
        self._functions: defaultdict[str, _Function] = defaultdict(_Function)
        self._rate = _Rate()
        self._running = 0
        self._set_aside = _SetAside(0, 0)
        self._shared = 0
        """On demand, of functions without reservation."""
        self._unreserved = 0
        """The same, with what runs in provisioned environments."""

    def reserve(self, name: str, reservation: int | None) -> None:
        """Set or, with None, lift the reservation of a function."""
        function = self._functions[name]
        comes = (reservation is None) - (function.reserved is None)
        self._shared += comes * function.on_demand
        self._unreserved += comes * function.running
        if reservation != function.reserved:
            function.rate = _Rate()
        function.reserved = reservation
        self._count_set_aside()

    def provision(self, name: str, version: str, available: int) -> None:
        """So many provisioned environments of a version can run something now."""
        self._functions[name].available[version] = available
        self._count_set_aside()

    def enter(self, name: str) -> Refusal | None:
        """Count one more invocation on demand; or the reason why it must not run (LI-125)."""
        function = self._functions[name]
        if function.reserved is not None:
            most = function.reserved
            is_full = function.on_demand >= most - sum(function.available.values())
            rate, full, too_fast = function.rate, _OWN_FULL, _OWN_RATE
        else:
            most = self._account_limit - self._set_aside.reserved
            is_full = self._shared >= most - self._set_aside.provisioned
            rate, full, too_fast = self._rate, _ACCOUNT_FULL, _ACCOUNT_RATE
        if is_full:
            return Refusal(full)
        now = self._monotonic() if self._has_rates else 0.0
        if self._request_rate is not None and not rate.admits(most * self._request_rate, now):
            return Refusal(too_fast, 1)
        if self._scaling_rate is not None:
            growth = function.growth = function.growth or _Growth(self._scaling_rate, now)
            if not growth.admits(function.on_demand, now):
                return Refusal(_GROWTH, growth.next_s)
        function.on_demand += 1
        function.running += 1
        self._running += 1
        self._shared += function.reserved is None
        self._unreserved += function.reserved is None
        return None

    def may_enter_provisioned(self, name: str, version: str) -> bool:
        """Whether another may begin in a version's provisioned environments this second."""
        if self._request_rate is None:
            return True
        function = self._functions[name]
        most = function.available[version] * self._request_rate
        return function.provisioned_rates[version].admits(most, self._monotonic())

    def enter_provisioned(self, name: str, version: str) -> None:
        """Count an invocation in a provisioned environment, which is never refused."""
        function = self._functions[name]
        function.provisioned[version] += 1
        function.running += 1
        self._running += 1
        self._unreserved += function.reserved is None

    def in_flight(self, name: str, version: str = "", *, spilled: bool = False) -> InFlight:
        """How many run now; ``version`` is one that has provisioned environments."""
        function = self._functions[name]
        aside = self._set_aside
        use = None
        if version:
            use = ProvisionedUse(
                function.provisioned[version], function.available.get(version, 0), spilled
            )
        claimed = self._shared + aside.reserved + aside.provisioned
        return InFlight(function.running, self._running, self._unreserved, claimed, use)

    def leave(self, name: str) -> None:
        """An invocation on demand has ended."""
        function = self._functions[name]
        function.on_demand -= 1
        function.running -= 1
        self._running -= 1
        self._shared -= function.reserved is None
        self._unreserved -= function.reserved is None

    def leave_provisioned(self, name: str, version: str) -> None:
        """An invocation in a provisioned environment has ended."""
        function = self._functions[name]
        function.provisioned[version] -= 1
        function.running -= 1
        self._running -= 1
        self._unreserved -= function.reserved is None

    def _count_set_aside(self) -> None:
        reserved = provisioned = 0
        for function in self._functions.values():
            if function.reserved is not None:
                reserved += function.reserved
            else:
                provisioned += sum(function.available.values())
        self._set_aside = _SetAside(reserved, provisioned)


@dataclass(frozen=True, slots=True)
class _SetAside:
    """What functions without reservation cannot have on demand."""

    reserved: int
    provisioned: int
    """Of functions without reservation."""
