"""The trace header that an invocation's function sees (LI-270, LI-271).

The caller's trace and its decision to sample go on; the invocation is a segment of its own in it,
and the parent of what the function sends.
"""

from typing import Final

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock

__all__ = ["Tracing"]

_SAMPLED: Final = 0.05
"""Of the requests after the first of a second."""


class Tracing:
    """Makes those headers for all functions of a service."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._last_second = -1

    def entered(self, received: str, *, active: bool) -> str:
        """The header for an invocation whose caller has sent ``received``, or nothing.

        ``active``: the function samples where the caller has not decided (``TracingConfig``).
        """
        if not received:  # as most callers
            sampled = "1" if active and self._samples() else "0"
            drawn = self._chance.hex(40)
            root = _root(self._clock.now(), drawn[:24])
            return f"Root={root};Parent={drawn[24:]};Sampled={sampled}"
        fields = dict(map(_field, filter(str.strip, received.split(";"))))
        root = fields.pop("Root", "") or _root(self._clock.now(), self._chance.hex(24))
        sampled = fields.pop("Sampled", "")
        if sampled not in ("0", "1"):
            sampled = "1" if active and self._samples() else "0"
        fields.pop("Parent", None)
        ours = f"Root={root};Parent={self._chance.hex(16)};Sampled={sampled}"
        return ";".join([ours, *[f"{name}={value}" for name, value in fields.items()]])

    def _samples(self) -> bool:
        second = int(self._clock.now())
        if second != self._last_second:
            self._last_second = second
            return True
        return self._chance.fraction() < _SAMPLED


def _root(now: float, drawn: str) -> str:
    return f"1-{int(now):08x}-{drawn}"


def _field(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name, value
