"""Passes every exchange on to all who want to know."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from edgeproxy.exchange.model import Exchange, Recorder, RepeatedHit

__all__ = ["Hub", "ReadsRepeatedHits"]


@runtime_checkable
class ReadsRepeatedHits(Recorder, Protocol):
    """A reader who need not see the record of every repeated hit."""

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        """Some that have ended, in order."""
        ...


class Hub:
    """A recorder made of readers, told in order of arrival.

    Repeated hits are passed on together, as soon as the event loop has gone round.
    """

    def __init__(self) -> None:
        self._readers: list[Recorder] = []
        self._told_of_hits: list[Callable[[Sequence[RepeatedHit]], None]] = []
        self._waiting: list[RepeatedHit] = []

    def add(self, reader: Recorder) -> None:
        """Tell ``reader`` of every exchange from now on."""
        self._readers.append(reader)
        if isinstance(reader, ReadsRepeatedHits):
            self._told_of_hits.append(reader.repeated)
        else:
            self._told_of_hits.append(partial(_tell_one_by_one, reader))

    def ended(self, exchange: Exchange) -> None:
        self._pass_on()
        for reader in self._readers:
            reader.ended(exchange)

    def repeated(self, hit: RepeatedHit) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._pass_on)
        self._waiting.append(hit)

    def _pass_on(self) -> None:
        if not self._waiting:
            return
        hits, self._waiting = self._waiting, []
        for tell in self._told_of_hits:
            tell(hits)


def _tell_one_by_one(reader: Recorder, hits: Sequence[RepeatedHit]) -> None:
    for hit in hits:
        reader.ended(hit.exchange)
