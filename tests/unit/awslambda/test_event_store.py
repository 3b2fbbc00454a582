import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.awslambda.event_store import EventStore, QueuedEvent
from edgeproxy.errors import UsageError

EVENT = QueuedEvent("f", "live", "r-1", "Root=1", 100.0, 101.5, payload=b'{"a": 1}')


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    store = EventStore(tmp_path / "state" / "events.sqlite3")
    await store.open(0)
    yield store
    await store.close()


async def reopened(store: EventStore, tmp_path: Path, due_s: float) -> list[QueuedEvent]:
    await store.close()
    later = EventStore(tmp_path / "state" / "events.sqlite3")
    try:
        return await later.open(due_s)
    finally:
        await later.close()


@pytest.mark.rule("LI-158")
async def test_what_was_added_is_there_after_a_restart(store: EventStore, tmp_path: Path) -> None:
    first = await store.add(EVENT)
    second = await store.add(replace(EVENT, request_id="r-2"))
    gone = await store.add(EVENT)
    await store.remove(gone)
    found = await reopened(store, tmp_path, 500)
    assert [(event.id, event.request_id, event.due_s) for event in found] == [
        (first, "r-1", 101.5),
        (second, "r-2", 101.5),
    ]


@pytest.mark.rule("LI-158")
async def test_what_was_interrupted_is_due_later_and_counts_as_run(
    store: EventStore, tmp_path: Path
) -> None:
    event_id = await store.add(EVENT)
    assert await store.begin(event_id) == replace(EVENT, id=event_id)
    (event,) = await reopened(store, tmp_path, 500)
    assert (event.due_s, event.attempts, event.setbacks, event.failures) == (500, 1, 1, 0)


async def test_what_has_ended_is_not_run_again_but_told(store: EventStore, tmp_path: Path) -> None:
    event_id = await store.add(EVENT)
    ended = replace(
        await store.begin(event_id), condition="Success", attempts=1, response_payload=b"[1]"
    )
    await store.change(ended)
    assert await store.begin(event_id) == ended
    (event,) = await reopened(store, tmp_path, 500)
    assert (event.condition, event.due_s, event.attempts) == ("Success", 101.5, 1)


async def test_a_change_is_whole(store: EventStore) -> None:
    event_id = await store.add(EVENT)
    changed = replace(
        EVENT, id=event_id, due_s=7, failures=1, setbacks=2, attempts=3,
        response_context=b"{}", response_payload=b"[]",
    )  # fmt: skip
    await store.change(changed)
    assert await store.begin(event_id) == changed


async def test_one_failure_does_not_stop_the_store(store: EventStore) -> None:
    without_name = replace(EVENT, name=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        await store.add(without_name)
    assert await store.add(EVENT)


async def test_what_comes_together_is_written_together_and_has_its_own_result(
    store: EventStore,
) -> None:
    ids = await asyncio.gather(*(store.add(EVENT) for _ in range(2_500)))
    assert len(set(ids)) == 2_500


async def test_a_second_edge_is_kept_out(store: EventStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another edge") as error:
        await EventStore(tmp_path / "state" / "events.sqlite3").open(0)
    assert "--state-dir" in error.value.remedy


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be kept"):
        await EventStore(tmp_path / "file" / "events.sqlite3").open(0)
