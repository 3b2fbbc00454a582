"""Invalidations of the running cache, and the record of those that were made."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from edgeproxy.cache.invalidation import NO_TAG, is_tag
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.tiers import Tiers
from edgeproxy.errors import UsageError
from edgeproxy.project.identifiers import invalidation_id

if TYPE_CHECKING:
    from edgeproxy.entrypoints.cloudfront_api.account import Invalidation

__all__ = ["CacheInvalidations"]

_KEPT: Final = 1000
"""Of each distribution; AWS forgets none."""


class CacheInvalidations:
    """Drops objects at once; what is asked for over the API is noted with an ID.

    ``tenants_of`` gives the IDs of a multi-tenant distribution's tenants.
    """

    def __init__(
        self, tiers: Tiers, clock: Clock, tenants_of: Callable[[str], Sequence[str]]
    ) -> None:
        self._tiers = tiers
        self._clock = clock
        self._tenants_of = tenants_of
        self._made: defaultdict[str, deque[Invalidation]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def of(self, distribution_id: str) -> "Sequence[Invalidation]":
        """The newest invalidations of a distribution, oldest first."""
        return self._made[distribution_id]

    async def create(
        self, distribution: Distribution, paths: Sequence[str], caller_reference: str
    ) -> "Invalidation":
        """Drop the objects now and note it."""
        from edgeproxy.entrypoints.cloudfront_api.account import Invalidation

        # First of all, since a client that leaves ends it here: what is noted has been done.
        await self.drop(distribution, paths)
        now = self._clock.now()
        key = f"{distribution.id}/{caller_reference}/{now}"
        invalidation = Invalidation(invalidation_id(key), now, caller_reference, tuple(paths))
        self._made[distribution.id].append(invalidation)
        return invalidation

    async def drop(self, distribution: Distribution, paths: Sequence[str]) -> int:
        """Drop objects of a distribution, by paths and by tags (``#tag``); the number dropped.

        Those of a multi-tenant distribution are its tenants'. ``/`` also names the default root
        object, and the reverse (CDN-INV-11). Raises :class:`UsageError` for a path without its
        leading slash, and for what cannot be a tag here.
        """
        for path in paths:
            _check(distribution, path)
        root = f"/{distribution.default_root_object}"
        wanted = list(paths)
        if distribution.default_root_object and ("/" in paths or root in paths):
            wanted += ["/", root]
        shared = distribution.is_multi_tenant
        ids = self._tenants_of(distribution.id) if shared else [distribution.id]
        return sum([await self._tiers.invalidate(each, wanted) for each in ids])


def _check(distribution: Distribution, item: str) -> None:
    if item.startswith("/"):
        return
    if not item.startswith("#"):
        raise UsageError(
            f"{item!r} does not begin with /", rule="CDN-INV-01", remedy=f"try /{item}"
        )
    if not distribution.cache_tag_header:
        raise UsageError(
            f"{item!r} is a cache tag; {distribution.logical_id} has no CacheTagConfig",
            rule="CDN-INV-17",
            remedy="name the header with the tags in CacheTagConfig.HeaderName",
        )
    if not is_tag(item[1:]):
        raise UsageError(f"{item!r}: the tag {NO_TAG}", rule="CDN-INV-18")
