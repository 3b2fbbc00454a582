"""Where log records go: one file that grows, or files by the hour as CloudFront delivers them.

These are called in a thread. A record is written whole or not at all; ``OSError`` says not at all.
"""

import errno
import gzip
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from edgeproxy.chance import Chance
from edgeproxy.distribution.logs import LogDelivery, LogFormat
from edgeproxy.errors import UsageError
from edgeproxy.observe.log_fields import Record
from edgeproxy.observe.log_formats import delivered

__all__ = ["AppendedFile", "HourlyFiles", "inside", "require_parquet"]

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)

_LARGEST_BYTES: Final = 64 * 1024 * 1024
"""Beyond it an hour has another file."""
_LINES_AT_ONCE: Final = 200
_ROWS_AT_ONCE: Final = 20_000
"""Of a Parquet file, which is written in one go."""
_INSTALL_PYARROW: Final = "pip install 'edgeproxy[parquet]'"


class Lines(Protocol[R_contra]):
    """How records become text."""

    @property
    def head(self) -> str:
        """What a file begins with."""

    def text(self, records: Sequence[R_contra]) -> str: ...


class AppendedFile(Generic[R]):
    """A file that lines are appended to, opened by the first write or beforehand.

    When it has been moved away, a new one takes its place, and one that was emptied begins anew,
    so that tools which rotate logs need not tell anyone.
    """

    def __init__(self, path: Path, layout: Lines[R]) -> None:
        self.name = str(path)
        self.at_once = _LINES_AT_ONCE
        self._path = path
        self._layout = layout
        self._file: FileIO | None = None

    def open(self) -> FileIO:
        """The file, with the head of the log in it."""
        if self._file is not None and self._is_elsewhere(self._file):
            self.close()
        is_new = self._file is None
        if self._file is None:
            # Unbuffered: what has been written is there.
            self._file = self._path.open("ab", buffering=0)
        status = os.fstat(self._file.fileno())
        # A pipe is always empty.
        if not status.st_size and (is_new or stat.S_ISREG(status.st_mode)):
            _append(self._file, self._layout.head.encode())
        return self._file

    def write(self, records: Sequence[R]) -> None:
        _append(self.open(), self._layout.text(records).encode("utf-8", "replace"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_elsewhere(self, file: FileIO) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return True


class HourlyFiles:
    """The files of one delivery of one distribution, below ``root`` (CDN-LOG-02).

    A file of text can be read at any time: each write is a member of its own in the gzip file.
    A Parquet file is complete when it appears; each write makes one.
    """

    def __init__(self, root: Path, delivery: LogDelivery, distribution_id: str) -> None:
        self.name = str(root / delivery.resource)
        is_parquet = delivery.format is LogFormat.PARQUET
        self.at_once = _ROWS_AT_ONCE if is_parquet else _LINES_AT_ONCE
        self._root = root
        self._delivery = delivery
        self._distribution_id = distribution_id
        self._layout = delivered(delivery)
        # Names must differ from those of an earlier run, whatever its seed was.
        self._chance = Chance()
        self._path = Path()
        self._hour = ""
        self._size = 0

    def write(self, records: Sequence[Record]) -> None:
        by_hour: dict[str, list[Record]] = {}
        for record in records:
            hour = f"{datetime.fromtimestamp(record.finished, UTC):%Y-%m-%d-%H}"
            by_hour.setdefault(hour, []).append(record)
        for hour, group in by_hour.items():
            if self._delivery.format is LogFormat.PARQUET:
                self._write_parquet(self._new_path(hour, "parquet"), group)
            else:
                self._write_text(hour, group)

    def close(self) -> None:
        """Nothing is left open between writes."""

    def _write_text(self, hour: str, records: Sequence[Record]) -> None:
        text = self._layout.text(records)
        if hour != self._hour or self._size > _LARGEST_BYTES or not self._path.exists():
            self._path, self._hour, self._size = self._new_path(hour, "gz"), hour, 0
        if not self._size:
            text = self._layout.head + text
        with self._path.open("ab", buffering=0) as file:
            _append(file, gzip.compress(text.encode("ascii"), 6, mtime=0))
        self._size += len(text)

    def _write_parquet(self, path: Path, records: Sequence[Record]) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:  # A reload has brought the first delivery of this kind.
            raise OSError(errno.ENOPKG, f"pyarrow is missing: {_INSTALL_PYARROW}") from error
        rows = [self._layout.row(record) for record in records]
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        table = pa.Table.from_arrays(columns, [column_name(name) for name in self._layout.fields])
        unfinished = path.with_name(f".{path.name}")
        try:
            parquet.write_table(table, unfinished)
            unfinished.rename(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _new_path(self, hour: str, suffix: str) -> Path:
        year, month, day, hours = hour.split("-")
        folder = self._delivery.path
        for variable, value in (
            ("{DistributionId}", self._distribution_id),
            ("{distributionid}", self._distribution_id),
            ("{accountid}", self._delivery.account),
            ("{account-id}", self._delivery.account),
            ("{yyyy}", year),
            ("{MM}", month),
            ("{dd}", day),
            ("{HH}", hours),
        ):
            folder = folder.replace(variable, value)
        parts = f"{self._delivery.resource}/{folder}".split("/")
        path = self._root.joinpath(*(inside(part) for part in parts if part))
        path.mkdir(parents=True, exist_ok=True)
        return path / f"{self._distribution_id}.{hour}.{self._chance.hex(8)}.{suffix}"


def column_name(field: str) -> str:
    """A field as Athena's tables call its column: ``cs(User-Agent)`` is ``cs_user_agent``."""
    return field.lower().replace("(", "-").replace(")", "").replace("-", "_")


def require_parquet() -> None:
    """Raise :class:`UsageError` unless Parquet files can be written."""
    try:
        import pyarrow.parquet  # noqa: F401 - whether it is there
    except ImportError as error:
        raise UsageError(
            "a delivery asks for Parquet, which needs pyarrow",
            rule="CDN-LOG-05",
            remedy=_INSTALL_PYARROW,
        ) from error


def inside(part: str) -> str:
    """A part of a key or of a log group as the name of a folder; it never leads out of the root."""
    return part.replace(".", "%2E") if part in (".", "..") else part


def _append(file: FileIO, data: bytes) -> None:
    """All of ``data``, or none of it where the file can be cut back."""
    written = 0
    try:
        while written < len(data):
            written += file.write(data[written:])
    except OSError:
        with suppress(OSError):
            os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size - written)
        raise
