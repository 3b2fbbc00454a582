"""The index of the objects on disk: a table in SQLite, with how much room they take.

SQLite in WAL mode is what the disk store needs of a database: part of Python, whole after a crash,
and its exclusive lock keeps a second edge out of the folder. A transaction is not forced to the
disk: a power cut may take the last ones back, which for a cache is no loss.

The least recently used object is the first to go (CDN-TTL-24). The order of use is written with
the next change, so that a hit writes nothing. Not safe for threads: its owner takes turns.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from edgeproxy.cache.invalidation import Selection
from edgeproxy.cache.stores.packing import LAYOUT
from edgeproxy.errors import Place, UsageError

__all__ = ["Index", "Row", "in_bytes", "is_damage", "open_index"]

_COLUMNS: Final = "digest, about, file, size, sums, distribution, target, seal"
_OVERHEAD_BYTES: Final = 512
# What can be long stands last, so that whoever wants the other columns need not read it.
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS objects (
  digest BLOB PRIMARY KEY, taken INTEGER NOT NULL, used INTEGER NOT NULL, file TEXT NOT NULL,
  size INTEGER NOT NULL, seal BLOB NOT NULL, distribution TEXT NOT NULL, target BLOB NOT NULL,
  sums BLOB NOT NULL, about BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_use ON objects (used);
CREATE INDEX IF NOT EXISTS by_file ON objects (file);
CREATE INDEX IF NOT EXISTS by_target ON objects (distribution, target);
CREATE TABLE IF NOT EXISTS tags (
  distribution TEXT, tag TEXT, digest BLOB REFERENCES objects ON DELETE CASCADE,
  PRIMARY KEY (distribution, tag, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_digest ON tags (digest);
"""
_OUTDATED: Final = "DROP TABLE IF EXISTS tags; DROP TABLE objects;"


@dataclass(frozen=True, slots=True)
class Row:
    """One object: what :mod:`.packing` says about it, and the file with its body."""

    digest: bytes
    about: bytes
    file: str
    size: int
    """Bytes of the body."""
    sums: bytes
    """The checksums of the body's blocks, one after the other."""
    distribution: str
    target: bytes
    """What an invalidation by path looks at."""
    seal: bytes = b""
    """The checksum of all that stands before it."""

    def sealed(self) -> bytes:
        """The seal that belongs to this row."""
        text = f"{self.file} {self.size} ".encode()
        place = f"{self.distribution}\0".encode("utf-8", "replace") + self.target
        parts = self.digest + text + self.sums + place + self.about
        return blake2b(parts, digest_size=16).digest()

    @property
    def taken(self) -> int:
        """How much room it takes, its share of the index included."""
        index = 2 * len(self.target) + _OVERHEAD_BYTES
        return self.size + len(self.about) + len(self.sums) + index


class Index:
    """The rows in ``file``, which together take at most ``max_bytes``.

    Methods that make objects leave return the names of the files to remove. Every method may raise
    ``sqlite3.Error``; nothing has changed then.
    """

    def __init__(self, file: Path, max_bytes: int, reserved: int = 0) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._reserved = reserved
        self._touched: dict[bytes, int] = {}
        self._db = sqlite3.connect(file, timeout=0, check_same_thread=False)
        # A name that is no text any more must not keep the rest from being read.
        self._db.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            (layout,) = self._db.execute("PRAGMA user_version").fetchone()
            outdated = (
                "DROP TABLE IF EXISTS tags; DROP TABLE objects;"
                if layout not in (0, LAYOUT)
                else ""
            )
            self._db.executescript(
                f"BEGIN IMMEDIATE; {outdated} {_TABLE} PRAGMA user_version = {LAYOUT}; COMMIT"
            )
            self._taken, self._uses = self._db.execute(
                "SELECT coalesce(sum(taken), 0), coalesce(max(used), 0) FROM objects"
            ).fetchone()
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Write what is not written yet, and let go of the file."""
        with closing(self._db), self._db:
            self._write_uses()

    def renewed(self) -> "Index":
        """An empty one in the place of this one, which is damaged."""
        self._db.close()
        _unlink(self._file)
        return Index(self._file, self._max_bytes, self._reserved)

    @property
    def taken(self) -> int:
        """How many of ``max_bytes`` are taken, by what is being written as well."""
        taken: int = self._taken
        return taken + self._reserved

    def files(self) -> set[str]:
        """The names of the files of all objects."""
        return {name for (name,) in self._db.execute("SELECT file FROM objects")}

    def find(self, digest: bytes) -> Row | None:
        """The object under ``digest``, which is used hereby."""
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE digest = ?", (digest,)
        ).fetchone()
        if found is None:
            return None
        self._uses += 1
        self._touched[digest] = self._uses
        return Row(*found)

    def listed(
        self, distribution: str, prefix: str, after: tuple[str, bytes], most: int
    ) -> list[Row]:
        """The first ``most`` objects behind ``after`` whose targets begin with ``prefix``."""
        first = in_bytes(prefix)
        behind = first[:-1] + bytes([first[-1] + 1])  # No byte of UTF-8 is the last there is.
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE distribution = ? AND target >= ? AND target < ?"
            " AND (target, digest) > (?, ?) ORDER BY target, digest LIMIT ?",
            (distribution, first, behind, in_bytes(after[0]), after[1], most),
        )
        return [Row(*each) for each in found]

    def count(self, distributions: Sequence[str]) -> int:
        """How many objects these distributions have."""
        return sum(
            self._db.execute(
                "SELECT count(*) FROM objects WHERE distribution = ?", (each,)
            ).fetchone()[0]
            for each in distributions
        )

    def put(self, row: Row, tags: tuple[str, ...] = ()) -> list[str]:
        """Keep ``row``, in place of what was there; its own file is removed if it is too large."""
        with self._db:
            removed, freed = self._remove("digest", row.digest)
            fits = row.taken + self._reserved <= self._max_bytes
            if fits:
                others, freed_more = self._make_room(row.taken - freed)
                removed, freed = removed + others, freed + freed_more
                self._uses += 1
                self._db.execute(
                    "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (row.digest, row.taken, self._uses, row.file, row.size, row.sealed(),
                     row.distribution, row.target, row.sums, row.about),
                )  # fmt: skip
                self._db.executemany(
                    "INSERT INTO tags VALUES (?, ?, ?)",
                    [(row.distribution, tag, row.digest) for tag in tags],
                )
        self._taken += (row.taken if fits else 0) - freed
        return [name for name in removed if name != row.file] if fits else [*removed, row.file]

    def remove(self, digests: Iterable[bytes]) -> list[str]:
        """Forget these objects, as far as they are there."""
        with self._db:
            gone = [self._remove("digest", digest) for digest in digests]
        self._taken -= sum(freed for _, freed in gone)
        return [file for files, _ in gone for file in files]

    def drop(self, selection: Selection, most: int) -> tuple[list[str], list[bytes]]:
        """Forget at most ``most`` objects that it names; their files and digests."""
        found: dict[bytes, tuple[str, int]] = {}
        for condition, values in _conditions(selection):
            if len(found) >= most:
                break
            found |= {
                digest: (file, taken)
                for digest, file, taken in self._db.execute(
                    f"SELECT digest, file, taken FROM objects WHERE {condition} LIMIT ?",
                    (*values, most - len(found)),
                )
            }
        with self._db:
            self._db.executemany(
                "DELETE FROM objects WHERE digest = ?", [(each,) for each in found]
            )
        self._taken -= sum(taken for _, taken in found.values())
        return [file for file, _ in found.values()], list(found)

    def remove_file(self, file: str) -> list[str]:
        """Forget the object whose body is in ``file``, if it is there."""
        with self._db:
            removed, freed = self._remove("file", file)
        self._taken -= freed
        return removed

    def reserve(self, size: int) -> list[str] | None:
        """Have ``size`` bytes free for a body under way; None when there cannot be so many."""
        if self._reserved + size > self._max_bytes:
            return None
        with self._db:
            removed, freed = self._make_room(size)
        self._taken -= freed
        self._reserved += size
        return removed

    def release(self, size: int) -> None:
        """Give a reservation back."""
        self._reserved -= size

    def _make_room(self, size: int) -> tuple[list[str], int]:
        """Remove the least recently used objects until ``size`` bytes more fit."""
        self._write_uses()
        removed: list[str] = []
        freed = 0
        while self.taken - freed + size > self._max_bytes:
            (digest,) = self._db.execute(
                "SELECT digest FROM objects ORDER BY used LIMIT 1"
            ).fetchone()
            files, room = self._remove("digest", digest)
            removed, freed = removed + files, freed + room
        return removed, freed

    def _remove(self, column: str, value: bytes | str) -> tuple[list[str], int]:
        """Remove what has ``value`` there: the files, and how much room they took."""
        found = self._db.execute(
            f"SELECT file, taken FROM objects WHERE {column} = ?", (value,)
        ).fetchall()
        self._db.execute(f"DELETE FROM objects WHERE {column} = ?", (value,))
        return [file for file, _ in found], sum(taken for _, taken in found)

    def _write_uses(self) -> None:
        self._db.executemany(
            "UPDATE objects SET used = ? WHERE digest = ?",
            [(used, digest) for digest, used in self._touched.items()],
        )
        self._touched.clear()


def _conditions(selection: Selection) -> Iterator[tuple[str, tuple[str | bytes, ...]]]:
    """What the rows of a selection have in common, each in a form that an index answers."""
    distribution = selection.distribution_id
    for target in selection.exact:
        yield "distribution = ? AND target = ?", (distribution, in_bytes(target))
    for prefix in selection.prefixes:
        first = in_bytes(prefix)
        behind = first[:-1] + bytes([first[-1] + 1])  # No byte of UTF-8 is the last there is.
        yield "distribution = ? AND target >= ? AND target < ?", (distribution, first, behind)
    for tag in selection.tags:
        yield (
            "digest IN (SELECT digest FROM tags WHERE distribution = ? AND tag = ?)",
            (distribution, tag),
        )


def in_bytes(target: str) -> bytes:
    """A target as it stands in the index."""
    return target.encode("utf-8", "surrogatepass")


def open_index(file: Path, max_bytes: int) -> tuple[Index, bool]:
    """The index in ``file``, and whether a damaged one had to make way for a new one.

    Raises ``OSError``, and :class:`UsageError` when another edge has it open or SQLite cannot open
    it.
    """
    try:
        try:
            return Index(file, max_bytes), False
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            _unlink(file)
            return Index(file, max_bytes), True
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise UsageError(
                "another edge keeps its objects there",
                place=Place(file.parent),
                remedy="give this one a --state-dir of its own, or --cache-store memory",
            ) from error
        raise UsageError(f"cannot be opened: {error}", place=Place(file)) from error


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is no whole database any more."""
    # Errors that Python's module raises itself have no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _unlink(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
