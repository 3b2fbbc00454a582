"""Lets others follow the exchanges as they end, some at a time.

A follower takes what has come since it last looked, and looks again no sooner than a twentieth of
a second after that: so what it costs the edge does not grow with the load. When there is more than
it can take, the oldest are left out for it, repeated hits first, and it is told how many.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Exchange, RepeatedHit

__all__ = ["Ended", "Follower"]

MAX_AT_ONCE: Final = 100
"""How many repeated hits a follower gets at a time; more would not be read by anybody."""
MAX_WAITING: Final = 1000
"""How many other exchanges a slow follower may lag behind."""
PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Ended:
    """What has ended since the last time, oldest first, and how many are left out before that."""

    exchanges: Sequence[Exchange | RepeatedHit]
    left_out: int = 0


class Follower:
    """One who follows."""

    def __init__(self) -> None:
        self._records: deque[tuple[int, Exchange]] = deque()
        self._hits: deque[tuple[int, Sequence[RepeatedHit]]] = deque()
        self._number = self._left_out = self._waiting_hits = 0
        self._come = asyncio.Event()

    def ended(self, exchange: Exchange) -> None:
        """One more, with its record."""
        self._number += 1
        self._records.append((self._number, exchange))
        if len(self._records) > MAX_WAITING:
            _ = self._records.popleft()
            self._left_out += 1
        self._come.set()

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        """Some more, whose records have yet to be made."""
        self._number += 1
        self._hits.append((self._number, hits))
        self._waiting_hits += len(hits)
        while self._waiting_hits - len(self._hits[0][1]) >= MAX_AT_ONCE:
            dropped = len(self._hits.popleft()[1])
            self._waiting_hits -= dropped
            self._left_out += dropped
        self._come.set()

    async def follow(self) -> AsyncGenerator[Ended, None]:
        """What has ended, as soon as something has, and from then on at most 20 times a second."""
        while True:
            _ = await self._come.wait()
            taken_at = Clock.monotonic()
            yield self._take()
            await asyncio.sleep(max(0.0, PAUSE_S - (Clock.monotonic() - taken_at)))

    def _take(self) -> Ended:
        self._come.clear()
        hits = [(number, hit) for number, batch in self._hits for hit in batch]
        left_out = self._left_out + max(0, len(hits) - MAX_AT_ONCE)
        ended: list[tuple[int, Exchange | RepeatedHit]] = [*self._records, *hits[-MAX_AT_ONCE:]]
        ended.sort(key=lambda each: each[0])
        self._records.clear()
        self._hits.clear()
        self._left_out = self._waiting_hits = 0
        return Ended([exchange for _, exchange in ended], left_out)
