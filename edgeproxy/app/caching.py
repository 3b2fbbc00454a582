"""The cache that the settings ask for, and the stores that can be chosen."""

from collections.abc import Callable
from typing import Final

from edgeproxy.cache.cache import Cache
from edgeproxy.cache.stores import Store
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["cache_from", "cache_in", "store_in"]

_FOLDER: Final = "cache"


def cache_from(
    settings: Settings, clock: Clock, tasks: Tasks, tell: Callable[[str], None]
) -> Cache:
    """A cache over the store of ``--cache-store``, to be opened; ``tell`` hears of its trouble."""
    return cache_in(settings.cache_store, settings, clock, tasks, tell)


def cache_in(
    choice: str,
    settings: Settings,
    clock: Clock,
    tasks: Tasks,
    tell: Callable[[str], None],
    *,
    option: str = "--cache-store",
) -> Cache:
    """A cache over :func:`store_in`; errors name ``option``. Raises :class:`UsageError`."""
    try:
        store = store_in(choice, settings, tasks, tell)
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", remedy=error.remedy) from error
    if isinstance(store, MemoryStore):
        return Cache(store, clock, tasks)
    # Its objects do not lie in memory, so that only the store's own bounds count. One that turns
    # out to be too large must not have driven out all others by then.
    max_bytes = _max_bytes(settings)
    return Cache(
        store, clock, tasks, max_object_bytes=max_bytes, max_unannounced_bytes=max_bytes // 4
    )


def store_in(choice: str, settings: Settings, tasks: Tasks, tell: Callable[[str], None]) -> Store:
    """The store that ``memory``, ``disk`` or a URL such as ``redis://localhost`` names.

    ``--cache-size-mb`` bounds what lies in memory or on disk, and one object at a server. Raises
    :class:`UsageError`.
    """
    match choice:
        case "memory":
            return MemoryStore(_max_bytes(settings))
        case "disk":
            from edgeproxy.cache.stores.disk import DiskStore

            return DiskStore(settings.state_dir / _FOLDER, _max_bytes(settings), tell)
        case url:
            from edgeproxy.cache.stores.redis import RedisStore

            return RedisStore(url, _max_bytes(settings), tell, tasks)


def _max_bytes(settings: Settings) -> int:
    return settings.cache_size_mb * 1024 * 1024
