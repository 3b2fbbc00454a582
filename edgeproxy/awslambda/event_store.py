"""Accepted events in a file: what is in it outlives the process and the machine (LI-158).

SQLite is what a durable queue needs of a database: part of Python, whole after a crash, and its
exclusive lock keeps a second edge out. One thread does the work, and whatever is asked of it while
it writes is written together next: one transaction, forced to the disk once.

An event is marked before its function runs. So the next start can tell what was waiting from what
was interrupted.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias, TypeVar

from edgeproxy.errors import Place, UsageError

__all__ = ["EventStore", "QueuedEvent"]

T = TypeVar("T")

_MOST_AT_ONCE: Final = 1_000
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, qualifier TEXT NOT NULL,
  request_id TEXT NOT NULL, trace_id TEXT NOT NULL, accepted_s REAL NOT NULL, due_s REAL NOT NULL,
  failures INTEGER NOT NULL, setbacks INTEGER NOT NULL, attempts INTEGER NOT NULL,
  running INTEGER NOT NULL, condition TEXT NOT NULL, response_context BLOB NOT NULL,
  response_payload BLOB NOT NULL, payload BLOB NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event on its way. Times are the edge's, in seconds since the epoch."""

    name: str
    qualifier: str
    request_id: str
    trace_id: str
    accepted_s: float
    due_s: float
    failures: int = 0
    """How often its function has failed."""
    setbacks: int = 0
    """How often it did not reach its function since it last did."""
    attempts: int = 0
    """How often its function has run."""
    running: bool = False
    condition: str = ""
    """How it ended; empty until it did. Its record may still have to be delivered."""
    response_context: bytes = b""
    """``responseContext`` of a record, as JSON, for the last attempt."""
    response_payload: bytes = b""
    payload: bytes = b"{}"
    id: int = 0


_COLUMNS: Final = ", ".join(field.name for field in fields(QueuedEvent))
_NEW: Final = [field.name for field in fields(QueuedEvent) if field.name != "id"]
_INSERT: Final = f"INSERT INTO events ({', '.join(_NEW)}) VALUES ({', '.join('?' for _ in _NEW)})"

_Job: TypeAlias = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]


class EventStore:
    """The events in ``file``, of one event loop. Methods may raise ``sqlite3.Error``."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, interrupted_due_s: float) -> list[QueuedEvent]:
        """All events, oldest first, without what can be large.

        Those that were interrupted are due again at ``interrupted_due_s``. Raises
        :class:`UsageError`.
        """
        self._loop = asyncio.get_running_loop()
        db = await asyncio.to_thread(self._connect)
        self._thread = threading.Thread(target=self._work, args=(db,), name="events", daemon=True)
        self._thread.start()
        return await self._do(lambda db: _recovered(db, interrupted_due_s))

    async def add(self, event: QueuedEvent) -> int:
        """Keep a new event; its ID, once it is on the disk."""
        row = tuple(getattr(event, name) for name in _NEW)
        return await self._do(lambda db: db.execute(_INSERT, row).lastrowid or 0)

    async def begin(self, event_id: int) -> QueuedEvent:
        """Mark an event that is about to run, unless it has ended; the event, as it was."""

        def mark(db: sqlite3.Connection) -> QueuedEvent:
            db.execute("UPDATE events SET running = (condition = '') WHERE id = ?", (event_id,))
            row = db.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (event_id,)).fetchone()
            return replace(QueuedEvent(*row), running=False)

        return await self._do(mark)

    async def change(self, event: QueuedEvent) -> None:
        """Keep how an event stands; it does not run any more."""
        row = (
            event.due_s, event.failures, event.setbacks, event.attempts, event.condition,
            event.response_context, event.response_payload, event.id,
        )  # fmt: skip
        await self._do(
            lambda db: db.execute(
                "UPDATE events SET running = 0, due_s = ?, failures = ?, setbacks = ?,"
                " attempts = ?, condition = ?, response_context = ?, response_payload = ?"
                " WHERE id = ?",
                row,
            )
        )

    async def remove(self, event_id: int) -> None:
        """Forget an event that has ended."""
        await self._do(lambda db: db.execute("DELETE FROM events WHERE id = ?", (event_id,)))

    async def close(self) -> None:
        """Finish what was asked for and let go of the file."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    def _connect(self) -> sqlite3.Connection:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(
                self._file, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute(_TABLE)
            except sqlite3.Error:
                db.close()
                raise
        except (OSError, sqlite3.Error) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_BUSY:
                message = "another edge keeps its asynchronous events there"
            else:
                message = f"asynchronous events cannot be kept there: {error}"
            raise UsageError(
                message,
                place=Place(self._file),
                rule="LI-158",
                remedy="give this edge a --state-dir of its own that it can write",
            ) from error
        return db

    def _work(self, db: sqlite3.Connection) -> None:
        with closing(db):
            while (job := self._jobs.get()) is not None:
                jobs = [job]
                while len(jobs) < _MOST_AT_ONCE:
                    try:
                        another = self._jobs.get_nowait()
                    except Empty:
                        break
                    if another is None:
                        self._jobs.put(None)  # it ends the next round
                        break
                    jobs.append(another)
                self._tell(jobs, _done_together(db, [work for work, _ in jobs]))

    def _tell(self, jobs: list[_Job], results: list[Any] | sqlite3.Error) -> None:
        def tell() -> None:
            for number, (_, future) in enumerate(jobs):
                if future.done():
                    continue  # whoever asked was cancelled
                if isinstance(results, sqlite3.Error):
                    future.set_exception(results)
                else:
                    future.set_result(results[number])

        assert self._loop is not None
        self._loop.call_soon_threadsafe(tell)


def _done_together(
    db: sqlite3.Connection, work: list[Callable[[sqlite3.Connection], Any]]
) -> list[Any] | sqlite3.Error:
    try:
        db.execute("BEGIN IMMEDIATE")
        results = [do(db) for do in work]
        db.execute("COMMIT")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        return error
    return results


def _recovered(db: sqlite3.Connection, due_s: float) -> list[QueuedEvent]:
    db.execute(
        "UPDATE events SET running = 0, attempts = attempts + 1, setbacks = setbacks + 1, due_s = ?"
        " WHERE running",
        (due_s,),
    )
    columns = _COLUMNS.replace("response_payload, payload", "'', ''")
    return [QueuedEvent(*row) for row in db.execute(f"SELECT {columns} FROM events ORDER BY id")]
