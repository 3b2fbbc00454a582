"""The caches of an edge as people see them: what lies there, and the switch that turns them off."""

from collections.abc import Callable, Collection

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.tiers import Tiers

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

    async def clear(self) -> int:
        """Drop the objects of all distributions; how many there were."""
        ids = [each.id for each in self._distributions()]
        return sum([await self._tiers.invalidate(each, ["/*"]) for each in ids])
