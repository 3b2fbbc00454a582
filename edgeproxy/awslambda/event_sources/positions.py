"""How far shards have been dealt with, kept in a file so that a restart goes on from there.

It is written in a thread, once for all that changed during the write before. What a crash keeps out
of it comes again.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson

from edgeproxy.tasks import Tasks

__all__ = ["Positions"]


class Positions:
    """Sequence numbers of the last records that are done with, by mapping, stream and shard."""

    def __init__(self, file: Path, tell: Callable[[str], None]) -> None:
        self._file = file
        self._tell = tell
        self._is_told = False
        self._tasks = Tasks()
        self._writing: asyncio.Task[None] | None = None
        self._is_written = True
        self._known = self._read()

    def get(self, key: str) -> str:
        """Empty for a shard of which nothing was dealt with."""
        return self._known.get(key, "")

    def put(self, key: str, position: str) -> None:
        """Keep a position; one that cannot be written is told once, and known until the end."""
        if not position or self._known.get(key) == position:
            return
        self._known[key] = position
        self._is_written = False
        if self._writing is None:
            self._writing = self._tasks.start(self._write(), "write stream positions")

    async def close(self) -> None:
        """Wait until all is in the file."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while not self._is_written:
            self._is_written = True
            data = orjson.dumps(self._known, option=orjson.OPT_INDENT_2)
            try:
                await asyncio.to_thread(self._replace, data)
            except OSError as error:
                if not self._is_told:
                    self._is_told = True
                    self._tell(f"{self._file} cannot be written: {error.strerror}")
        self._writing = None

    def _replace(self, data: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(self._file)

    def _read(self) -> dict[str, str]:
        try:
            found = orjson.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, orjson.JSONDecodeError) as error:
            self._tell(f"{self._file} cannot be read, streams are begun anew: {error}")
            return {}
        return found if isinstance(found, dict) else {}
