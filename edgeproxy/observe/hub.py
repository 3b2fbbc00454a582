"""Passes every exchange on to all who want to know."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol, runtime_checkable

from edgeproxy.exchange.model import Exchange, Recorder, RepeatedHit

__all__ = ["Hub", "ReadsRepeatedHits"]


_PAUSE_S: Final = 0.01
"""How long a repeated hit may wait for others, and..."""
_MOST: Final = 64
"""...for how many of them."""


@runtime_checkable
class ReadsRepeatedHits(Recorder, Protocol):
    """A reader who need not see the record of every repeated hit."""

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        """Some that have ended, in order."""
        ...


class Hub:
    """A recorder made of readers, told in order of arrival.

    Repeated hits are passed on together: to be told of one by one would cost more than to answer
    them. Who looks at what readers have to say calls :meth:`catch_up` before.
    """

    def __init__(self) -> None:
        self._readers: list[Recorder] = []
        self._told_of_hits: list[Callable[[Sequence[RepeatedHit]], None]] = []
        self._waiting: list[RepeatedHit] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, reader: Recorder) -> None:
        """Tell ``reader`` of every exchange from now on."""
        self._readers.append(reader)
        if isinstance(reader, ReadsRepeatedHits):
            self._told_of_hits.append(reader.repeated)
        else:
            self._told_of_hits.append(partial(_tell_one_by_one, reader))

    def ended(self, exchange: Exchange) -> None:
        self.catch_up()
        for reader in self._readers:
            reader.ended(exchange)

    def repeated(self, hit: RepeatedHit) -> None:
        self._waiting.append(hit)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE_S, self._ring)
        if len(self._waiting) >= _MOST:
            self.catch_up()

    def _ring(self) -> None:
        self._timer = None
        self.catch_up()

    def catch_up(self) -> None:
        """Tell the readers of all that has ended up to now."""
        if not self._waiting:
            return
        hits, self._waiting = self._waiting, []
        for tell in self._told_of_hits:
            tell(hits)


def _tell_one_by_one(reader: Recorder, hits: Sequence[RepeatedHit]) -> None:
    for hit in hits:
        reader.ended(hit.exchange)
