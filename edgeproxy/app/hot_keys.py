"""What the keys of ``edgeproxy dev`` do: a browser, the cache, reload, the end."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Protocol

from edgeproxy.app.keys import Keys
from edgeproxy.edge.stored_objects import StoredObjects
from edgeproxy.observe.console import Console
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["HELP", "HotKeys", "Served"]

HELP: Final = "keys: o page, i inspector, c clear cache, x cache off/on, r reload, q quit"


class Served(Protocol):
    """What runs, as the keys see it."""

    @property
    def page_url(self) -> str:
        """Where a person looks first."""
        ...

    @property
    def inspector_url(self) -> str: ...

    @property
    def stored(self) -> StoredObjects: ...

    async def reload(self) -> None:
        """Load the definition and the code of all functions anew."""
        ...


class HotKeys:
    """Turns keys into deeds, one at a time; ``stop`` ends the program."""

    def __init__(self, console: Console, stop: Callable[[], None]) -> None:
        self._console = console
        self._stop = stop
        self._keys: Keys | None = None
        self._tasks = Tasks()
        self._turns = asyncio.Lock()
        self._served: Served | None = None

    @classmethod
    def of_this_process(
        cls, settings: Settings, console: Console, stop: Callable[[], None]
    ) -> "HotKeys":
        """Those of the terminal; none where a program reads the console, or nobody does."""
        hot_keys = cls(console, stop)
        if not settings.quiet and settings.log_format == "text":
            hot_keys._keys = Keys.of_this_process(hot_keys.pressed)
        return hot_keys

    @property
    def told(self) -> str:
        """What there is to press; empty for nothing."""
        return HELP if self._keys is not None else ""

    def lend(self, lent: bool) -> None:
        """While ``lent``, a debugger's prompt has the terminal."""
        self._console.hold(lent)
        if self._keys is not None:
            self._keys.lend(lent)

    @contextmanager
    def at_terminal(self) -> Iterator[None]:
        """The terminal gives its keys during the block."""
        if self._keys is None:
            yield
            return
        self._keys.start()
        try:
            yield
        finally:
            self._keys.stop()

    @asynccontextmanager
    async def of(self, served: Served) -> AsyncIterator[None]:
        """The keys act on ``served`` during the block."""
        self._served = served
        try:
            yield
        finally:
            self._served = None
            await self._tasks.close()

    def pressed(self, key: str) -> None:
        """Do what ``key`` stands for; any other key does nothing."""
        if self._served is not None:
            _ = self._tasks.start(self._do(key, self._served), f"key {key}")

    async def _do(self, key: str, served: Served) -> None:
        tell = self._console.notice
        async with self._turns:
            match key:
                case "q":
                    self._stop()
                case "h" | "?":
                    tell(HELP)
                case "o":
                    await self.open(served.page_url)
                case "i":
                    await self.open(served.inspector_url)
                case "c":
                    count = await served.stored.clear()
                    tell(f"cache cleared: {count} {'object' if count == 1 else 'objects'}")
                case "x":
                    served.stored.switch(on=not served.stored.is_on)
                    off = "cache off: every request goes to its origin (x: on again)"
                    tell("cache on" if served.stored.is_on else off)
                case "r":
                    await served.reload()
                case _:
                    pass

    async def open(self, url: str) -> None:
        """Show ``url`` in the user's browser, or say where it is."""
        import webbrowser

        if not _has_browser() or not await asyncio.to_thread(webbrowser.open, url):
            self._console.notice(f"there is no browser to open here: {url}")


def _has_browser() -> bool:
    """Not so without a screen: a browser of the terminal's would take the terminal away."""
    if sys.platform == "darwin" or os.environ.get("BROWSER"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
