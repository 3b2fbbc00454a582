import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.awslambda.event_store import EventStore, QueuedEvent, Waiting
from edgeproxy.errors import UsageError
from tests.unit.runtimes.account import until

EVENT = QueuedEvent("f", "live", "r-1", "Root=1", 100.0, 101.5, payload=b'{"a": 1}')


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def store(tmp_path: Path, told: list[str]) -> AsyncIterator[EventStore]:
    store = EventStore(tmp_path / "state" / "events.sqlite3", told.append)
    await store.open(0)
    yield store
    await store.close()


async def reopened(
    store: EventStore, tmp_path: Path, now_s: float = 100
) -> tuple[list[Waiting], list[QueuedEvent]]:
    await store.close()
    later = EventStore(tmp_path / "state" / "events.sqlite3", print)
    try:
        waiting = await later.open(now_s)
        return waiting, (await later.oldest(10))[1]
    finally:
        await later.close()


@pytest.mark.rule("LI-158")
async def test_what_was_added_is_there_after_a_restart(store: EventStore, tmp_path: Path) -> None:
    first = await store.add(EVENT)
    second = await store.add(replace(EVENT, request_id="r-2"))
    gone = await store.add(EVENT)
    await store.remove(gone)
    waiting, events = await reopened(store, tmp_path)
    assert waiting == [(101.5, first, "f"), (101.5, second, "f")]
    assert [event.request_id for event in events] == ["r-1", "r-2"]


@pytest.mark.rule("LI-158")
async def test_what_was_interrupted_is_due_later_and_counts_as_run(
    store: EventStore, tmp_path: Path
) -> None:
    event_id = await store.add(EVENT)
    assert await store.begin(event_id) == replace(EVENT, id=event_id)
    ((due_s, _, _),), (event,) = await reopened(store, tmp_path, 500)
    assert (due_s, event.due_s) == (501, 501)
    assert (event.attempts, event.setbacks, event.failures) == (1, 1, 0)


async def test_one_that_was_to_run_at_once_is_marked_from_the_start(
    store: EventStore, tmp_path: Path
) -> None:
    await store.add(replace(EVENT, running=True))
    _, (event,) = await reopened(store, tmp_path)
    assert (event.attempts, event.running) == (1, False)


async def test_what_has_ended_is_not_run_again_but_told(store: EventStore, tmp_path: Path) -> None:
    event_id = await store.add(EVENT)
    ended = replace(
        await store.begin(event_id), condition="Success", attempts=1, response_payload=b"[1]"
    )
    await store.change(ended)
    assert await store.begin(event_id) == ended
    ((due_s, _, _),), (event,) = await reopened(store, tmp_path)
    assert (event.condition, due_s, event.attempts) == ("Success", 101.5, 1)


async def test_nothing_waits_for_a_time_of_a_clock_that_was_moved(
    store: EventStore, tmp_path: Path
) -> None:
    await store.add(replace(EVENT, due_s=1e9))
    ((due_s, _, _),), _ = await reopened(store, tmp_path)
    assert due_s == 400  # the longest delay there is, from now


async def test_a_change_is_whole(store: EventStore) -> None:
    event_id = await store.add(EVENT)
    changed = replace(
        EVENT, id=event_id, due_s=7, failures=1, setbacks=2, attempts=3,
        response_context=b"{}", response_payload=b"[]",
    )  # fmt: skip
    await store.change(changed)
    assert await store.begin(event_id) == changed


async def test_a_list_is_without_what_can_be_large(store: EventStore) -> None:
    event_id = await store.add(EVENT)
    await store.add(EVENT)
    assert await store.oldest(1) == (2, [replace(EVENT, id=event_id, payload=b"")])


async def test_one_failure_does_not_stop_the_store(store: EventStore) -> None:
    without_name = replace(EVENT, name=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        await store.add(without_name)
    assert await store.add(EVENT)


@pytest.mark.rule("LI-158")
async def test_a_full_disk_refuses_what_is_new_and_forgets_nothing(
    store: EventStore, tmp_path: Path, told: list[str]
) -> None:
    event_id = await store.add(EVENT)
    full = (tmp_path / "state" / "events.sqlite3-wal").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, before[1]))
    try:
        with pytest.raises(sqlite3.Error):
            await store.add(EVENT)
        ended = asyncio.ensure_future(store.change(replace(EVENT, id=event_id, attempts=1)))
        await until(lambda: told)
        assert not ended.done()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    await ended
    assert (await store.begin(event_id)).attempts == 1
    assert len(told) == 1
    assert "asynchronous events wait" in told[0]


async def test_what_comes_together_is_written_together_and_has_its_own_result(
    store: EventStore,
) -> None:
    ids = await asyncio.gather(*(store.add(EVENT) for _ in range(2_500)))
    assert len(set(ids)) == 2_500


async def test_a_second_edge_is_kept_out(store: EventStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another edge") as error:
        await EventStore(tmp_path / "state" / "events.sqlite3", print).open(0)
    assert "--state-dir" in error.value.remedy


async def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite3").write_bytes(b"no database " * 100)
    with pytest.raises(UsageError, match="cannot be kept"):
        await EventStore(tmp_path / "events.sqlite3", print).open(0)


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be kept"):
        await EventStore(tmp_path / "file" / "events.sqlite3", print).open(0)
