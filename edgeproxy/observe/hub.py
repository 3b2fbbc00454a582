"""Passes every exchange on to all who want to know."""

from edgeproxy.exchange.model import Exchange, Recorder

__all__ = ["Hub"]


class Hub:
    """A recorder made of recorders, told in order of arrival."""

    def __init__(self) -> None:
        self._readers: list[Recorder] = []

    def add(self, reader: Recorder) -> None:
        """Tell ``reader`` of every exchange from now on."""
        self._readers.append(reader)

    def ended(self, exchange: Exchange) -> None:
        for reader in self._readers:
            reader.ended(exchange)
