"""The cache that the settings ask for."""

from collections.abc import Callable
from typing import Final

from edgeproxy.cache.cache import Cache
from edgeproxy.cache.stores.disk import DiskStore
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.clock import Clock
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["cache_from"]

_FOLDER: Final = "cache"


def cache_from(
    settings: Settings, clock: Clock, tasks: Tasks, tell: Callable[[str], None]
) -> Cache:
    """A cache over the store of ``--cache-store``, to be opened; ``tell`` hears of its trouble."""
    max_bytes = settings.cache_size_mb * 1024 * 1024
    if settings.cache_store == "memory":
        return Cache(MemoryStore(max_bytes), clock, tasks)
    store = DiskStore(settings.state_dir / _FOLDER, max_bytes, tell)
    # Its objects do not lie in memory, so that only the store's own bounds count. One that turns
    # out to be too large must not have driven out all others by then.
    return Cache(
        store, clock, tasks, max_object_bytes=max_bytes, max_unannounced_bytes=max_bytes // 4
    )
