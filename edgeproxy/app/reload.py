"""Brings a save into service: new function code, or a new definition.

A save that cannot be used is explained on the console, and what ran before goes on running.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from watchfiles import DefaultFilter, awatch

from edgeproxy.app.greeting import refused
from edgeproxy.app.program import Program
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.errors import EdgeproxyError
from edgeproxy.observe.console import Console
from edgeproxy.project.loaders.options import Loaded
from edgeproxy.settings import Settings
from edgeproxy.tasks import Tasks

__all__ = ["Reloader"]

_DEBOUNCE_MS: Final = 50
_STEP_MS: Final = 10
"""An editor's save is several events in a row; they are taken together when this long is quiet."""


class Reloader:
    """Watches the files behind a program and applies what changes."""

    def __init__(self, program: Program, load: Callable[[], Loaded], console: Console) -> None:
        self._program = program
        self._load = load
        self._console = console
        self._tasks = Tasks()
        self._watched: set[Path] = set()
        self._stop = asyncio.Event()
        self._written = _written(program.settings)
        self._turns = asyncio.Lock()

    def start(self, loaded: Loaded) -> None:
        """Watch the files of ``loaded`` from now on."""
        self._watched = _watched(loaded)
        _ = self._tasks.start(self._watch(), "watch files")

    async def stop(self) -> None:
        self._stop.set()
        await self._tasks.close()

    async def _watch(self) -> None:
        while not self._stop.is_set():
            folders = {path if path.is_dir() else path.parent for path in self._watched}
            existing = [folder for folder in folders if folder.is_dir()]
            watched = set(self._watched)
            async for changes in awatch(
                *existing,
                watch_filter=_OwnFiles(watched),
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._stop,
                recursive=True,
                ignore_permission_denied=True,
            ):
                async with self._turns:
                    await self.changed({Path(name) for _, name in changes})
                if self._watched != watched:
                    break  # The new definition names other files: watch those.
            else:
                return

    async def changed(self, paths: Iterable[Path]) -> None:
        """Take over the change of these files."""
        changed = {path.resolve() for path in paths if not _is_console(path)}
        project = self._program.project
        definition_files = set(map(Path.resolve, project.sources)) | {
            source.resolve()
            for source in (
                *(function.source for function in project.cloudfront_functions.values()),
                *(store.source for store in project.key_value_stores.values()),
            )
            if source is not None
        }
        started = self._program.clock.monotonic()
        if changed & definition_files:
            await self._reload_definition(changed & definition_files, started)
        functions = [
            definition
            for definition in self._program.project.functions.values()
            if any(_concerns(definition, path, self._written) for path in changed)
        ]
        for definition in functions:
            if await self._program.deploy(definition, changed=True):
                self._tell_reloaded(definition.name, started)

    async def everything(self) -> None:
        """Take over the definition and all code as they are, changed or not."""
        async with self._turns:
            started = self._program.clock.monotonic()
            if (loaded := await self._apply()) is None:
                return
            for definition in self._program.project.functions.values():
                await self._program.deploy(definition, changed=True)
            self._tell_reloaded("everything", started, refused(loaded))

    async def _reload_definition(self, files: set[Path], started: float) -> None:
        if (loaded := await self._apply()) is not None:
            names = ", ".join(sorted(file.name for file in files))
            self._tell_reloaded(names, started, refused(loaded))

    async def _apply(self) -> Loaded | None:
        """Load the definition; None when it cannot be used, which the console then says."""
        try:
            loaded = self._load()
            await self._program.apply(loaded)
        except (EdgeproxyError, OSError) as error:  # A file may vanish while it is being saved.
            self._console.problem(f"{error}\n    the last good definition goes on serving")
            return None
        self._watched = _watched(loaded)
        return loaded

    def _tell_reloaded(self, what: str, started: float, more: Iterable[str] = ()) -> None:
        took_ms = (self._program.clock.monotonic() - started) * 1000
        self._console.notice("\n".join((f"reloaded {what} in {took_ms:.0f} ms", *more)))


class _OwnFiles(DefaultFilter):
    """Lets through the files that were asked for, and what lies in the folders asked for."""

    ignore_dirs = (*DefaultFilter.ignore_dirs, ".edgeproxy")

    def __init__(self, watched: set[Path]) -> None:
        super().__init__()
        self._files = {str(path.resolve()) for path in watched if not path.is_dir()}
        self._folders = [f"{path.resolve()}/" for path in watched if path.is_dir()]

    def __call__(self, change: object, path: str) -> bool:
        resolved = str(Path(path).resolve())
        if resolved in self._files:
            return True
        is_inside = any(resolved.startswith(folder) for folder in self._folders)
        return is_inside and super().__call__(change, path)  # type: ignore[arg-type]


def _watched(loaded: Loaded) -> set[Path]:
    project = loaded.project
    paths = set(project.sources)
    for definition in project.functions.values():
        paths.update(definition.watch)
    for function in project.cloudfront_functions.values():
        if function.source is not None:
            paths.add(function.source)
    for store in project.key_value_stores.values():
        if store.source is not None:
            paths.add(store.source)
    return paths


def _written(settings: Settings) -> list[Path]:
    """Files and folders that a program writes itself."""
    paths = (
        settings.state_dir,
        settings.access_log,
        settings.endpoints_file,
        settings.log_dir,
        settings.realtime_logs,
        settings.standard_logs,
    )
    return [path.resolve() for path in paths if path is not None]


def _is_console(path: Path) -> bool:
    """Whether standard output or error goes to that file: what is told there is no change."""
    with suppress(OSError):  # the file is gone, or the program has no such output
        found = path.stat()
        return any(os.path.samestat(found, os.fstat(output)) for output in (1, 2))
    return False


def _concerns(definition: FunctionDefinition, path: Path, written: Iterable[Path]) -> bool:
    """Whether ``path`` is code of the function; what the program writes among it is none."""
    around = {path, *path.parents}
    own = [folder for folder in written if folder in around]
    return any(
        folder in around and not any(folder in each.parents for each in own)
        for folder in map(Path.resolve, definition.watch)
    )
