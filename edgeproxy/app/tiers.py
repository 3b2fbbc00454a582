"""The caches that the settings ask for: the edge location's, the regional one, Origin Shield's."""

from collections.abc import Callable

from edgeproxy.app.caching import cache_from, cache_in
from edgeproxy.cache.invalidation import Selection
from edgeproxy.clock import Clock
from edgeproxy.edge.tiers import Tiers
from edgeproxy.errors import UsageError
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["tiers_from"]


def tiers_from(
    settings: Settings, clock: Clock, tasks: Tasks, tell: Callable[[str], None]
) -> Tiers:
    """All caches, to be opened; ``tell`` hears of a store's trouble.

    All Origin Shields share one in memory, whatever the options say: it is empty until a definition
    has a shield. Raises :class:`edgeproxy.errors.UsageError`.
    """
    edge = cache_from(settings, clock, tasks, tell)
    shields = cache_in("memory", settings, clock, tasks, tell)
    if settings.regional_cache == "off":
        return Tiers(edge, shields, clock)
    choice = settings.regional_cache
    if choice != "memory" and ("://" not in choice or choice == settings.cache_store):
        raise UsageError(
            # Its value is not told: there may be a password in it.
            "--regional-cache is no place for a cache of its own",
            remedy="off, memory, or the URL of a Redis database that --cache-store does not name",
        )
    regional = cache_in(choice, settings, clock, tasks, tell, option="--regional-cache")
    tiers = Tiers(edge, shields, clock, regional)

    def heard(selection: Selection | None) -> None:
        if selection is None:
            tell(
                "invalidations that other edges made over the regional cache were missed: what "
                "they named may still lie in this edge; invalidate it here too"
            )
        else:
            _ = tasks.start(tiers.forget(selection), "invalidation of another edge")

    regional.listen(heard)
    return tiers
