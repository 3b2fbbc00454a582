"""What is kept of a metric's values: sum, count, least, largest and, where asked for, percentiles.

For percentiles values are sorted into classes whose bounds grow by two percent, so that a million
of them take no more memory than a hundred, and a percentile is right within one percent.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["PERCENTILES", "Statistics"]

PERCENTILES: Final = (50, 90, 95, 99)
"""Those that are told."""

_CLASSES_PER_E: Final = 1 / math.log(1.02)


@dataclass(slots=True)
class Statistics:
    """What there is to know of a number of values, in the metric's own unit."""

    sum: float = 0
    count: int = 0
    min: float = float("inf")
    max: float = float("-inf")
    spread: dict[int, int] | None = None
    """How many values there are of each class; None where percentiles are not wanted."""

    def add(self, value: float) -> None:
        self.sum += value
        self.count += 1
        # Several times in every request, and min() and max() take several times as long.
        if value < self.min:
            self.min = value
        if value > self.max:
            self.max = value

    def add_all(self, values: Sequence[float]) -> None:
        """One or more."""
        self.sum += sum(values)
        self.count += len(values)
        self.min = min(self.min, *values)
        self.max = max(self.max, *values)

    def add_measured(self, value: float) -> None:
        """Add a value of which percentiles are wanted; it is not negative."""
        self.add(value)
        spread = self.spread
        if spread is None:
            spread = self.spread = {}
        # What is nothing stands in a class of its own, below a millionth.
        kind = math.floor(math.log(max(value, 1e-6)) * _CLASSES_PER_E)
        spread[kind] = spread.get(kind, 0) + 1

    def merge(self, other: "Statistics") -> None:
        self.sum += other.sum
        self.count += other.count
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        if other.spread is not None:
            mine = self.spread = self.spread or {}
            for kind, count in other.spread.items():
                mine[kind] = mine.get(kind, 0) + count

    def with_each(self, value: float) -> "Statistics":
        """Those of as many values that are all ``value``."""
        return Statistics(self.count * value, self.count, value, value)

    def percentiles(self) -> Iterable[tuple[int, float]]:
        """Each of :data:`PERCENTILES` and the value at it; nothing where they are not kept."""
        classes = sorted(self.spread.items()) if self.spread else []
        for percentile in PERCENTILES if classes else ():
            below, wanted = 0, percentile / 100 * self.count
            for kind, count in classes:
                below += count
                if below >= wanted:
                    middle = math.exp((kind + 0.5) / _CLASSES_PER_E)
                    yield percentile, min(max(middle, self.min), self.max)
                    break
