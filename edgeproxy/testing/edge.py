"""An edge in a thread: served targets, their URLs, requests, the clock."""

import asyncio
import http.client
import io
import ssl
import tempfile
import threading
from collections.abc import Coroutine, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from edgeproxy.app.running import Running, loop_factory
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.headers import Headers
from edgeproxy.observe.console import Console
from edgeproxy.settings import Settings, settings_from
from edgeproxy.testing.responses import SiteResponse

__all__ = ["Edge", "EdgeClock", "Site"]

T = TypeVar("T")

_TIMEOUT_S = 60


class Edge:
    """Serves targets for tests, as a context manager. Every port is a free one of 127.0.0.1."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="edgeproxy", daemon=True)
        self._ready = threading.Event()
        self._ended: asyncio.Event | None = None
        self.sites: list[Site] = []
        self._state_dir = tempfile.TemporaryDirectory(prefix="edgeproxy-")
        self.clock = EdgeClock(self)

    def __enter__(self) -> "Edge":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        assert self._ended is not None
        try:
            for site in reversed(self.sites):
                self.call(site.running.__aexit__())
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
            self._state_dir.cleanup()

    def serve(
        self,
        target: str | Path | None = None,
        *,
        origins: Mapping[str, str | Path] | None = None,
        **options: object,
    ) -> "Site":
        """Run what ``target`` defines; its first distribution answers the site's requests.

        ``origins`` maps origin IDs or domain names to URLs or folders (``--origin``), ``options``
        are those of ``edgeproxy dev`` with ``_`` for ``-``. Raises ``EdgeproxyError``.
        """
        mapped = tuple(f"{name}={where}" for name, where in (origins or {}).items())
        values: dict[str, object] = {
            "port": 0,
            "control_port": 0,
            "state_dir": Path(self._state_dir.name),
            "origin": mapped,
            "no_reload": True,
            **options,
        }
        unknown = values.keys() - Settings.__dataclass_fields__.keys()
        if unknown:
            raise UsageError(f"there is no option {', '.join(sorted(unknown))}")
        console = io.StringIO()
        running = Running(
            None if target is None else str(target),
            settings_from({}, values),
            Console(console),
        )
        self.call(running.__aenter__())
        site = Site(self, running, console)
        self.sites.append(site)
        return site

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, run on the edge's event loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    def _run(self) -> None:
        with self._runner as runner:
            runner.run(self._until_ended())

    async def _until_ended(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._ready.set()
        await self._ended.wait()


class EdgeClock:
    """The clock of everything that an :class:`Edge` serves."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> None:
        """Move time forward: objects age, signatures expire, Date changes."""
        step = timedelta(seconds=seconds, minutes=minutes, hours=hours).total_seconds()
        for site in self._edge.sites:
            site.running.program.clock.advance(step)

    def reset(self) -> None:
        """Go back to real time; stored objects keep their times."""
        for site in self._edge.sites:
            site.running.program.clock.reset()


class Site:
    """One served target."""

    def __init__(self, edge: Edge, running: Running, console: io.StringIO) -> None:
        self.running = running
        self._edge = edge
        self._console = console

    @property
    def endpoints(self) -> dict[str, Any]:
        """Every URL, as in the endpoints file."""
        return self.running.control.endpoints()

    @property
    def url(self) -> str:
        """Where viewers reach the distribution."""
        return str(self.endpoints["viewer"])

    @property
    def https_url(self) -> str:
        """The same over TLS, when it is served with ``https_port=0``; empty otherwise."""
        urls = [one["https_url"] for one in self.endpoints["distributions"].values()]
        return urls[0] or "" if urls else ""

    @property
    def console(self) -> str:
        """What the console has shown so far: also of a request whose answer has just been read."""
        self._edge.call(self.running.catch_up())
        return self._console.getvalue()

    def get(self, path: str, **more: Any) -> SiteResponse:
        """``GET path``; see :meth:`request`."""
        return self.request("GET", path, **more)

    def post(self, path: str, body: bytes = b"", **more: Any) -> SiteResponse:
        """``POST path`` with ``body``; see :meth:`request`."""
        return self.request("POST", path, body=body, **more)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        url: str | None = None,
    ) -> SiteResponse:
        """One request over a connection of its own; redirects are not followed.

        ``path`` goes out as it is. ``url`` names another door (see :attr:`endpoints`).
        """
        door = urlsplit(url or self.url)
        lines = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in lines}
        connection = self._connect(door)
        try:
            connection.putrequest(
                method, path, skip_host="host" in names, skip_accept_encoding=True
            )
            for name, value in lines:
                connection.putheader(name, value)
            if (body or method in ("POST", "PUT", "PATCH")) and "content-length" not in names:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return SiteResponse(answer.status, Headers(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def _connect(self, door: SplitResult) -> http.client.HTTPConnection:
        host = door.hostname or ""
        if door.scheme == "http":
            return http.client.HTTPConnection(host, door.port, timeout=_TIMEOUT_S)
        trust = ssl.create_default_context(cafile=self.running.program.authority)
        return http.client.HTTPSConnection(host, door.port, timeout=_TIMEOUT_S, context=trust)

    def exchanges(self, count: int) -> list[Exchange]:
        """The newest ``count`` exchanges, newest first, once there are that many.

        An exchange is recorded when its last byte is out, which may be after the test has it.
        Access logs have them too then.
        """
        found = self._edge.call(self.running.recorded(count))
        self._edge.call(self.running.flush_logs())
        return found

    def invalidate(self, *paths: str, distribution: str = "") -> int:
        """Invalidate; the number of objects dropped.

        ``distribution`` is a logical ID or ID, needed when the target defines several.
        """
        return self._edge.call(self.running.program.invalidate(distribution, list(paths)))
