"""``--log-dir``: the log groups of functions as files, a line for each of theirs.

``/aws/lambda/NAME`` is ``aws/lambda/NAME.log`` in the folder. A line begins with its time and its
log stream, as ``aws logs tail`` shows them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Final

from edgeproxy.observe.log_files import AppendedFile, inside
from edgeproxy.observe.log_writer import LogWriter
from edgeproxy.runtimes.invocation import LogRecord

__all__ = ["FunctionLogs"]

_PACE_S: Final = 0.05


class FunctionLogs:
    """Is told each line of a log group; made on the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _GroupFile] = {}
        self._writer = LogWriter(_PACE_S)

    def written(self, group: str, line: LogRecord) -> None:
        file = self._files.get(group)
        if file is None:
            # A name may be nothing but slashes.
            *folders, name = [inside(part) for part in group.split("/") if part] or ["%2F"]
            path = self._folder.joinpath(*folders, f"{name}.log")
            file = self._files[group] = _GroupFile(path, _Lines())
        self._writer.put(file, line)

    async def flush(self) -> None:
        """Wait until what has been told is in the files."""
        await self._writer.flush()

    async def close(self) -> None:
        await self._writer.close()


class _GroupFile(AppendedFile[LogRecord]):
    def open(self) -> FileIO:
        Path(self.name).parent.mkdir(parents=True, exist_ok=True)
        return super().open()


class _Lines:
    head = ""

    def text(self, records: Sequence[LogRecord]) -> str:
        return "".join(
            f"{_time(record.time_s)} {record.log_stream} {record.message}\n" for record in records
        )


def _time(time_s: float) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
