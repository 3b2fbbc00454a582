"""``edgeproxy dev``: a program with a console, a control listener and reload, until a signal."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgeproxy.app.control import ControlListener
from edgeproxy.app.debugging import Debugging, how_to_attach
from edgeproxy.app.endpoints import EndpointsFile
from edgeproxy.app.greeting import greeting
from edgeproxy.app.hot_keys import HotKeys
from edgeproxy.app.loading import load_target
from edgeproxy.app.local_apis import with_endpoints
from edgeproxy.app.network import from_here
from edgeproxy.app.program import Program
from edgeproxy.app.reload import Reloader
from edgeproxy.app.sources import source_of
from edgeproxy.edge.stored_objects import StoredObjects
from edgeproxy.exchange.model import Exchange
from edgeproxy.inspector.api import Observed
from edgeproxy.observe.charts import Charts
from edgeproxy.observe.console import Console
from edgeproxy.observe.edge_logs import EdgeLogs
from edgeproxy.observe.history import History
from edgeproxy.observe.hit_counts import HitCounts
from edgeproxy.observe.hub import Hub
from edgeproxy.observe.metrics import Metrics
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal
from edgeproxy.server.inside_aiohttp import missing_from_aiohttp
from edgeproxy.settings import Settings

if TYPE_CHECKING:
    from edgeproxy.app.request_logs import Log, RequestLog

__all__ = ["LogToConsole", "Running", "loop_factory", "run_until_signal"]


def run_until_signal(target: str | None, settings: Settings) -> int:
    """Run what ``target`` defines until SIGINT or SIGTERM; the exit status.

    Raises ``EdgeproxyError`` when it cannot start.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(target, settings))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop when it is installed, else None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run(target: str | None, settings: Settings) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    console = Console(
        sys.stdout,
        as_json=settings.log_format == "json",
        verbose=settings.verbose,
        quiet=settings.quiet,
    )
    hot_keys = HotKeys.of_this_process(settings, console, stopping.set)
    terminal = Terminal.of_this_process(hot_keys.lend)
    log = LogToConsole(console)
    logging.getLogger().addHandler(log)
    try:
        with hot_keys.at_terminal():
            async with (
                Running(target, settings, console, terminal, keys=hot_keys.told) as running,
                hot_keys.of(running),
            ):
                if settings.open:
                    await hot_keys.open(running.page_url)
                await stopping.wait()
    finally:
        logging.getLogger().removeHandler(log)
    return 0


class LogToConsole(logging.Handler):
    """Shows what goes wrong inside; it may quote what viewers sent, which the console defuses."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.problem(self.format(record))


class Running:
    """Everything that runs, as an asynchronous context manager.

    Entering it raises ``EdgeproxyError`` when something cannot start; whatever had been opened by
    then is closed again.
    """

    def __init__(
        self,
        target: str | None,
        settings: Settings,
        console: Console,
        terminal: Terminal = NO_TERMINAL,
        *,
        keys: str = "",
    ) -> None:
        """``keys`` is what the greeting says of keys that can be pressed."""
        self._target = target
        self._settings = settings
        self._console = console
        self._keys = keys
        self._stack = AsyncExitStack()
        self.history = History(settings.history)
        self._logs: list[Log] = []
        self._hub = Hub()
        self.program = Program(settings, self._hub, console.problem, terminal, console.notice)
        self._debugging = Debugging(settings)
        program = self.program
        metrics = Metrics(program.distribution_id, program.url_target)
        program.lambdas.on_entered = lambda name, qualifier, in_flight: metrics.entered(
            name, qualifier, in_flight, program.clock.now()
        )
        program.lambdas.on_extensions = lambda name, qualifier, took_ms: metrics.counted(
            "PostRuntimeExtensionsDuration", name, qualifier, took_ms, program.clock.now()
        )
        program.event_sources.counted = lambda name, function, qualifier, value: metrics.counted(
            name, function, qualifier, value, program.clock.now()
        )
        program.events.counted = lambda count: metrics.counted(
            count.metric, count.function, count.qualifier, count.value, program.clock.now()
        )
        logs = EdgeLogs(program.log_groups, program.distribution_id, program.chance.uuid())
        observed = Observed(self.history, metrics, HitCounts(), Charts())
        for reader in (metrics, logs, self.history, observed.hits, observed.charts, console):
            self._hub.add(reader)
        self.control = ControlListener(self.program, observed, self._hub.catch_up, target)
        console.source_of = lambda run: source_of(program.project, run)
        self._reloader = Reloader(self.program, self._load, console)

    async def __aenter__(self) -> "Running":
        settings = self._settings
        async with AsyncExitStack() as stack:
            loaded = self._load()
            if settings.log_dir is not None:
                from edgeproxy.app.request_logs import function_logs

                written = function_logs(settings.log_dir, self.program)
                stack.push_async_callback(written.close)
                self._logs.append(written)
            for log in self._open_logs(loaded):
                stack.push_async_callback(log.close)
                self._logs.append(log)
                self._hub.add(log)
            stack.callback(self._hub.catch_up)
            stack.push_async_callback(self.program.close)
            stack.push_async_callback(self.control.stop)
            await self.control.start(settings.control_host, settings.control_port)
            if self.program.overlay is not None:
                self.program.overlay.inspector = self.control.url
            await self.program.apply(self._with_endpoints(loaded))
            self.control.is_ready = True
            if settings.endpoints_file is not None:
                file = EndpointsFile(settings.endpoints_file)
                stack.callback(file.remove)
                file.write(self.control.endpoints())
            self._console.notice(
                greeting(
                    loaded,
                    self.control.endpoints(),
                    settings,
                    self.program.authority,
                    self._keys,
                )
            )
            if missing := missing_from_aiohttp():
                from edgeproxy.server.plain import what_is_lost

                self._console.notice(what_is_lost(missing))
            if attaching := how_to_attach(loaded.project.functions.values()):
                self._console.notice("\n".join(attaching))
            if not settings.no_reload:
                stack.push_async_callback(self._reloader.stop)
                self._reloader.start(loaded)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *problem: object) -> None:
        await self._stack.aclose()

    @property
    def page_url(self) -> str:
        """Where a person looks first: the first door, else the inspector."""
        endpoints: dict[str, Any] = self.control.endpoints()
        doors = (*endpoints["distributions"].values(), *endpoints["function_urls"].values())
        return next((from_here(door["url"]) for door in doors if door["url"]), self.inspector_url)

    @property
    def inspector_url(self) -> str:
        return from_here(f"{self.control.url}/")

    @property
    def stored(self) -> StoredObjects:
        return self.program.stored

    async def reload(self) -> None:
        """Load the definition and the code of all functions anew."""
        await self._reloader.everything()

    def _load(self) -> Loaded:
        loaded = load_target(self._target, self._settings)
        return self._with_endpoints(
            replace(loaded, project=self._debugging.applied_to(loaded.project))
        )

    def _with_endpoints(self, loaded: Loaded) -> Loaded:
        if not (url := self.control.url):
            return loaded  # the listener has no port yet
        return replace(loaded, project=with_endpoints(loaded.project, self._settings, url))

    def _open_logs(self, loaded: Loaded) -> Iterator["RequestLog"]:
        settings = self._settings
        if (
            settings.access_log
            or settings.standard_logs
            or settings.realtime_logs
            or settings.otlp_endpoint
        ):
            from edgeproxy.app.request_logs import request_logs

            yield from request_logs(settings, self.program, loaded)

    async def recorded(self, count: int) -> list[Exchange]:
        """As :meth:`History.wait_for`, with all that has ended by now."""
        self._hub.catch_up()
        return await self.history.wait_for(count)

    async def catch_up(self) -> None:
        """Wait until all readers know of the answers whose last byte is out."""
        await asyncio.sleep(0)  # Whoever has written the last byte tells of it in the same turn.
        self._hub.catch_up()

    async def flush_logs(self) -> None:
        """Wait until all that has been recorded is in the files of the logs."""
        self._hub.catch_up()
        for log in self._logs:
            await log.flush()
