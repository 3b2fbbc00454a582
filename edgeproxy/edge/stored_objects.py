"""The caches of an edge as people see them: what lies there, and the switch that turns them off."""

from collections.abc import Callable, Collection

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.reasons import key_of, reasons
from edgeproxy.edge.tiers import Tiers
from edgeproxy.exchange.model import Exchange

__all__ = ["StoredObjects"]


class StoredObjects:
    """Looks into ``tiers`` from outside; ``switched`` is called when the switch was moved."""

    def __init__(
        self,
        tiers: Tiers,
        distributions: Callable[[], Collection[Distribution]],
        switched: Callable[[], None],
    ) -> None:
        self._tiers = tiers
        self._distributions = distributions
        self._switched = switched

    @property
    def is_on(self) -> bool:
        """Whether the caches are asked and filled at all."""
        return self._tiers.is_on

    def switch(self, *, on: bool) -> None:
        """Off: every request goes to its origin; what is stored is found again when it is on."""
        self._tiers.switch(on=on)
        self._switched()

    async def reasons(self, exchange: Exchange) -> dict[str, object] | None:
        """Why a recorded request went as it did; None when its distribution is gone."""
        named = [each for each in self._distributions() if each.logical_id == exchange.name]
        if exchange.door != "distribution" or not named:
            return None
        key = key_of(named[0], exchange)
        stored = None if key is None else await self._tiers.edge.kept(key.digest)
        return reasons(named[0], exchange, stored, self._tiers.clock.now())

    async def clear(self) -> int:
        """Drop the objects of all distributions; how many there were."""
        ids = [each.id for each in self._distributions()]
        return sum([await self._tiers.invalidate(each, ["/*"]) for each in ids])
