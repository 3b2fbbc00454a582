"""The connections of one listener, and how they come to their end."""

import asyncio
from contextlib import suppress
from typing import Protocol

__all__ = ["OpenConnections"]


class _Connection(Protocol):
    def retire(self) -> None:
        """Finish the request under way, then close; close at once when there is none."""
        ...

    def cut(self) -> None:
        """Close without waiting for anybody."""
        ...

    def forget(self) -> None:
        """What is being answered now is not to be repeated."""
        ...


class OpenConnections:
    """Who is connected, and what is at work for them."""

    def __init__(self) -> None:
        self._open: set[_Connection] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def opened(self, connection: _Connection) -> None:
        """A viewer has connected."""
        self._open.add(connection)

    def closed(self, connection: _Connection) -> None:
        """The connection is gone; its handler may still be at work."""
        self._open.discard(connection)
        self._changed.set()

    def runs(self, task: "asyncio.Task[None]") -> None:
        """A connection has something at work."""
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._changed.set()

    def forget(self) -> None:
        """From now on every request goes to the handler first."""
        for connection in self._open:
            connection.forget()

    async def close(self, grace_s: float) -> None:
        """Let requests in flight finish for up to ``grace_s``, then cut every connection."""
        for connection in list(self._open):
            connection.retire()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._all_gone()
        for connection in list(self._open):
            connection.cut()
        for task in list(self._running):
            task.cancel()
        await self._all_gone()

    async def _all_gone(self) -> None:
        while self._open or self._running:
            self._changed.clear()
            await self._changed.wait()
