"""How far a shard has been dealt with, when records of it end in another order than they came."""

from collections import deque
from collections.abc import Iterable

__all__ = ["Progress"]


class Progress:
    """``position`` is the last record before which none is left."""

    def __init__(self, position: str = "") -> None:
        self.position = position
        self._open: deque[str] = deque()
        self._ended: set[str] = set()

    def begin(self, record: str) -> None:
        self._open.append(record)

    def end(self, records: Iterable[str]) -> None:
        self._ended.update(records)
        while self._open and self._open[0] in self._ended:
            self.position = self._open.popleft()
            self._ended.remove(self.position)
