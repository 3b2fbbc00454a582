"""What the last minutes were like, in steps of five seconds: requests, hits, errors, how long.

Of times a sample is kept, each with the number of requests that it stands for: a batch of repeated
hits gives one for each kind of them, and of very many every second one goes. So a busy edge takes
no more memory than a quiet one, and a repeated hit costs next to nothing of its own.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Exchange, RepeatedHit

__all__ = ["STEP_S", "Charts", "Point", "Took"]

STEP_S: Final = 5
MINUTES_KEPT: Final = 15
_MOST_SAMPLES: Final = 300


Took: TypeAlias = tuple[int, float, float | None, float | None]
"""How many requests took how long, in seconds: at all, in functions, at the origin."""


@dataclass(slots=True)
class Point:
    """One step. ``errors`` are answers of 5xx and none at all, ``client_errors`` those of 4xx."""

    number: int
    requests: int = 0
    hits: int = 0
    errors: int = 0
    client_errors: int = 0
    samples: list[Took] = field(default_factory=list)
    seen: int = 0
    stride: int = 1
    """Of so many samples one is kept, and stands for the others."""

    def sample(self, took: Took) -> None:
        """Keep how long one or more requests took, or have them stood for."""
        self.seen += 1
        if self.seen % self.stride:
            return
        self.samples.append(took)
        if len(self.samples) >= _MOST_SAMPLES:
            del self.samples[::2]
            self.stride *= 2


class Charts:
    """A reader of exchanges. Its steps are of real time, whatever the edge's clock says."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=MINUTES_KEPT * 60 // STEP_S)

    def ended(self, exchange: Exchange) -> None:
        point = self._now()
        point.requests += 1
        status = 0 if exchange.response is None else exchange.response.status
        point.hits += exchange.result_type in ("Hit", "RefreshHit")
        point.errors += not status or status >= 500
        point.client_errors += 400 <= status < 500
        function_s = origin_s = None
        for step in exchange.steps:
            if step.function is not None:
                function_s = (function_s or 0.0) + step.duration_s
            elif step.name == "origin":
                origin_s = (origin_s or 0.0) + step.duration_s
        point.sample((1, exchange.duration_s, function_s, origin_s))

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        point = self._now()
        point.requests += len(hits)
        kinds: dict[tuple[bool, bool], tuple[int, RepeatedHit]] = {}
        for hit in hits:
            kind = hit.is_plain, hit.missed_s is None
            point.hits += kind[1]
            kinds[kind] = kinds.get(kind, (0, hit))[0] + 1, hit
        for count, last in kinds.values():
            function_s = None if (run := last.run) is None else run.duration_ms / 1000
            point.sample((count, last.duration_s, function_s, last.missed_s))

    def newest(self, minutes: int) -> tuple[list[Point], float]:
        """The steps of the last minutes, oldest first, and how many seconds ago the last began.

        Steps without any request are there as well.
        """
        now_s = Clock.monotonic()
        last = int(now_s) // STEP_S
        known = {point.number: point for point in self._points}
        numbers = range(last - minutes * 60 // STEP_S + 1, last + 1)
        return [known.get(each) or Point(each) for each in numbers], now_s - last * STEP_S

    def _now(self) -> Point:
        number = int(Clock.monotonic()) // STEP_S
        if not self._points or self._points[-1].number != number:
            self._points.append(Point(number))
        return self._points[-1]
