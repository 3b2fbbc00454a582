"""Looks up the names of origins, and keeps each answer for a few seconds.

CloudFront resolves an origin's name before an origin-request function runs, and connects after it
(LE-ORDER-06). One short memory serves both, and all connections: on a warm path nobody is asked.
Its seconds are real ones, since the names of the world do not age with the edge's clock.
"""

import socket
from asyncio import Task, shield
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from cachetools import TTLCache

from edgeproxy.clock import Clock
from edgeproxy.tasks import Tasks

__all__ = ["Names", "timed_look_ups"]

_KEPT_S: Final = 10
_MOST_NAMES: Final = 1024
_look_ups: Final[ContextVar[list[float] | None]] = ContextVar("look-ups", default=None)


@contextmanager
def timed_look_ups() -> Iterator[list[float]]:
    """How long each look-up takes that is made inside, in seconds."""
    taken: list[float] = []
    token = _look_ups.set(taken)
    try:
        yield taken
    finally:
        _look_ups.reset(token)


class Names(AbstractResolver):
    """What aiohttp's connectors ask for addresses. Has to be closed.

    Who asks for the same name at the same time waits for the same answer. A failure is told to
    all of them, as ``OSError``, and not kept.
    """

    def __init__(self) -> None:
        self._resolver: AbstractResolver | None = None
        self._tasks = Tasks()
        self._answers: TTLCache[tuple[str, int], Task[list[ResolveResult] | OSError]] = TTLCache(
            _MOST_NAMES, _KEPT_S, timer=Clock.monotonic
        )

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of ``host``. Raises ``OSError``."""
        began = Clock.monotonic()
        answer = self._answers.get((host, port))
        if answer is None:
            answer = self._tasks.start(self._ask(host, port, family), f"look up {host}")
            self._answers[host, port] = answer
        found = await shield(answer)
        if isinstance(found, OSError):
            raise OSError(*found.args) from found
        if (taken := _look_ups.get()) is not None:
            taken.append(Clock.monotonic() - began)
        return found

    async def _ask(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[ResolveResult] | OSError:
        if self._resolver is None:  # It belongs to an event loop, so it is not made before.
            self._resolver = DefaultResolver()
        try:
            return await self._resolver.resolve(host, port, family)
        except OSError as error:
            failure = error
        except UnicodeError as error:  # A label is empty or too long.
            failure = OSError(str(error))
        self._answers.pop((host, port), None)
        return failure

    async def close(self) -> None:
        """End what is being looked up."""
        await self._tasks.close()
        if self._resolver is not None:
            await self._resolver.close()
