"""Accepted events in a file: what is in it outlives the process and the machine (LI-158).

SQLite is what a durable queue needs of a database: part of Python, whole after a crash, and its
exclusive lock keeps a second edge out. One thread does the work, and whatever is asked of it while
it writes is written together next: one transaction, forced to the disk once.

An event is marked before its function runs. So the next start can tell what was waiting from what
was interrupted. A new event is refused when it cannot be written; what has happened to an accepted
one is written as soon as it can be, since forgetting it would run a function again.
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

from edgeproxy.awslambda.retries import INTERRUPTED_DELAY_S, LONGEST_DELAY_S
from edgeproxy.errors import Place, UsageError

__all__ = ["EventStore", "QueuedEvent", "Tell", "Waiting"]

T = TypeVar("T")
Tell: TypeAlias = Callable[[str], None]
Waiting: TypeAlias = tuple[float, int, str]
"""When an event is due, its ID, and the name of its function."""

_MOST_AT_ONCE: Final = 1_000
_TRY_AGAIN_S: Final = 1.0
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
_BRIEF: Final = _COLUMNS.replace("response_payload, payload", "x'', x''")
"""The columns without what can be large."""
_NEW: Final = [field.name for field in fields(QueuedEvent) if field.name != "id"]
_INSERT: Final = f"INSERT INTO events ({', '.join(_NEW)}) VALUES ({', '.join('?' for _ in _NEW)})"

_Job: TypeAlias = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]


class EventStore:
    """The events in ``file``, of one event loop. ``tell`` hears of a disk that takes nothing."""

    def __init__(self, file: Path, tell: Tell) -> None:
        self._file = file
        self._tell_user = tell
        self._is_failing = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, now_s: float) -> list[Waiting]:
        """All events. Those that were interrupted are due again a little later than ``now_s``.

        Raises :class:`UsageError`.
        """
        self._loop = asyncio.get_running_loop()
        db, waiting = await asyncio.to_thread(self._connect, now_s)
        self._thread = threading.Thread(target=self._work, args=(db,), name="events", daemon=True)
        self._thread.start()
        return waiting

    async def add(self, event: QueuedEvent) -> int:
        """Keep a new event; its ID, once it is on the disk. Raises ``sqlite3.Error``."""
        row = tuple(getattr(event, name) for name in _NEW)
        return await self._do(lambda db: db.execute(_INSERT, row).lastrowid or 0)

    async def oldest(self, limit: int) -> tuple[int, list[QueuedEvent]]:
        """How many events there are, and the oldest, without what can be large."""

        def read(db: sqlite3.Connection) -> tuple[int, list[QueuedEvent]]:
            (count,) = db.execute("SELECT count(*) FROM events").fetchone()
            rows = db.execute(f"SELECT {_BRIEF} FROM events ORDER BY id LIMIT ?", (limit,))
            return count, [QueuedEvent(*row) for row in rows]

        return await self._insist(read)

    async def begin(self, event_id: int) -> QueuedEvent:
        """Mark an event that is about to run, unless it has ended; the event, as it was."""

        def mark(db: sqlite3.Connection) -> QueuedEvent:
            db.execute("UPDATE events SET running = (condition = '') WHERE id = ?", (event_id,))
            row = db.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (event_id,)).fetchone()
            return replace(QueuedEvent(*row), running=False)

        return await self._insist(mark)

    async def change(self, event: QueuedEvent) -> None:
        """Keep how an event stands; it does not run any more."""
        row = (
            event.due_s, event.failures, event.setbacks, event.attempts, event.condition,
            event.response_context, event.response_payload, event.id,
        )  # fmt: skip
        await self._insist(
            lambda db: db.execute(
                "UPDATE events SET running = 0, due_s = ?, failures = ?, setbacks = ?,"
                " attempts = ?, condition = ?, response_context = ?, response_payload = ?"
                " WHERE id = ?",
                row,
            )
        )

    async def remove(self, event_id: int) -> None:
        """Forget an event that has ended."""
        await self._insist(lambda db: db.execute("DELETE FROM events WHERE id = ?", (event_id,)))

    async def close(self) -> None:
        """Finish what was asked for and let go of the file."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    async def _insist(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Do it now, or as soon as the disk lets it be done."""
        while True:
            try:
                result = await self._do(job)
            except sqlite3.Error as error:
                if not self._is_failing:
                    self._is_failing = True
                    self._tell_user(f"asynchronous events wait, since {self._file} fails: {error}")
                await asyncio.sleep(_TRY_AGAIN_S)
            else:
                self._is_failing = False
                return result

    async def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    def _connect(self, now_s: float) -> tuple[sqlite3.Connection, list[Waiting]]:
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
                waiting = _recovered(db, now_s)
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
        return db, waiting

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


def _recovered(db: sqlite3.Connection, now_s: float) -> list[Waiting]:
    # Marking begins before running: the attempt may not have come that far, and counts.
    db.execute(
        "UPDATE events SET running = 0, attempts = attempts + 1, setbacks = setbacks + 1, due_s = ?"
        " WHERE running",
        (now_s + INTERRUPTED_DELAY_S,),
    )
    # No delay is longer: what is due later was written under a clock that had been moved forward.
    db.execute("UPDATE events SET due_s = ?1 WHERE due_s > ?1", (now_s + LONGEST_DELAY_S,))
    return db.execute("SELECT due_s, id, name FROM events ORDER BY id").fetchall()
