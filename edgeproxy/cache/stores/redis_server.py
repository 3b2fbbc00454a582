"""A Redis or Valkey server, as one that may be away: asked while it can be, tried again after.

What is lost, refused or back is told once.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from edgeproxy.cache.stores import redis_scripts
from edgeproxy.cache.stores.redis_keys import PREFIX
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError

__all__ = ["RedisServer", "Scripts"]

_TIMEOUT_S: Final = 1.0
_CONNECTIONS: Final = 64
_WRITE_AGAIN_S: Final = 5.0
T = TypeVar("T")


class _Script(Protocol):
    async def __call__(self, *, args: list[bytes | str | int]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Scripts:
    """What runs on the server (:mod:`.redis_scripts`)."""

    get: _Script
    put: _Script
    remove: _Script
    note: _Script
    drop_all: _Script
    sweep: _Script


class RedisServer:
    """The server at ``url``; ``tell`` hears of one that cannot be used or written, and when it can.

    Raises ``UsageError`` for what is no URL of a server, and without the client library.
    """

    def __init__(self, url: str, tell: Callable[[str], None]) -> None:
        self._url = url
        self._tell = tell
        self.is_up = False
        self._told_down = False
        self._told_setup = False
        self._refused_at: float | None = None
        try:
            from redis import asyncio as client
            from redis import exceptions
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise UsageError(
                f"{self.name}: Redis needs a client library",
                remedy="pip install 'edgeproxy[redis]'",
            ) from error
        # With RuntimeError uvloop says that the connection which is written to has just ended.
        self.failures: tuple[type[Exception], ...] = (exceptions.RedisError, OSError, RuntimeError)
        self._losses: tuple[type[Exception], ...] = (
            exceptions.ConnectionError, exceptions.TimeoutError, OSError, RuntimeError
        )  # fmt: skip
        try:
            where = urlsplit(url)
            if where.scheme != "unix" and not re.fullmatch("/?[0-9]*", where.path):
                raise ValueError(f"{where.path!r} is not the number of a database")
            pool = client.BlockingConnectionPool.from_url(
                url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
                max_connections=_CONNECTIONS,
                timeout=_TIMEOUT_S,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
            pool.connection_class(**pool.connection_kwargs)  # Refuses options it does not know.
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"{self.name} is not the URL of a Redis server: {error}",
                remedy="such as redis://localhost:6379/0",
            ) from error
        # Its own types leave open whether texts or bytes come back, and when a command has run.
        self.client: Any = client.Redis(connection_pool=pool)
        texts = (
            redis_scripts.GET, redis_scripts.PUT, redis_scripts.REMOVE,
            redis_scripts.NOTE, redis_scripts.DROP_ALL, redis_scripts.SWEEP,
        )  # fmt: skip
        self.scripts = Scripts(
            *(cast(_Script, self.client.register_script(text)) for text in texts)
        )

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    async def run(self, script: _Script, *arguments: bytes | str | int) -> Any:
        """What a script answers. Raises one of ``failures``."""
        encoded = [a.encode("utf-8", "surrogatepass") if isinstance(a, str) else a
                   for a in arguments]  # fmt: skip
        return await script(args=[PREFIX, *encoded])

    async def ask(self, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """What the server answers; ``otherwise`` when it cannot be asked."""
        if not self.is_up:
            return otherwise
        try:
            return await work()
        except self._losses as error:
            self.lost(error)
        except self.failures as error:
            self._refused(error)
        return otherwise

    async def write(self, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
        """The same for what changes something; ``otherwise`` also while it takes nothing."""
        if not self._writable:
            return otherwise
        refused_at = self._refused_at
        result = await self.ask(work, otherwise)
        if refused_at is not None and self._refused_at == refused_at and self.is_up:
            self._refused_at = None
            self._tell(f"{self.name} keeps objects again")
        return result

    def lost(self, error: Exception) -> None:
        """It cannot be used until :meth:`found`."""
        self.is_up = False
        if not self._told_down:
            self._told_down = True
            self._tell(
                f"{self.name} cannot be used: {str(error).rstrip('.') or 'no answer'}; the edge "
                "goes on without, and tries again each second"
            )

    def _refused(self, error: Exception) -> None:
        if self._refused_at is None:
            self._tell(
                f"{self.name} does not keep objects: {error}; the edge goes on without storing: "
                "give the server more maxmemory and an evicting maxmemory-policy, or a primary "
                "that may be written"
            )
        self._refused_at = Clock.monotonic()

    async def found(self) -> None:
        """It can be used from now on."""
        if not self._told_setup:
            self._told_setup = True
            await self._tell_of_setup()
        self.is_up = True
        if self._told_down:
            self._told_down = False
            self._tell(f"{self.name} can be used again")

    async def _tell_of_setup(self) -> None:
        about = await self.client.info("memory")
        if not about.get("maxmemory"):
            self._tell(f"{self.name} has no maxmemory: objects leave only when they expire")
        elif about.get("maxmemory_policy") == "noeviction":
            self._tell(
                f"{self.name} has the maxmemory-policy noeviction: when it is full, nothing "
                "more is stored; volatile-lru makes room"
            )

    async def close(self) -> None:
        self.is_up = False
        await self.client.aclose(close_connection_pool=True)

    @property
    def _writable(self) -> bool:
        refused = self._refused_at
        return self.is_up and (refused is None or Clock.monotonic() > refused + _WRITE_AGAIN_S)
