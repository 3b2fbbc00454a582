"""Background work has an owner: its failure is reported, and it ends with its owner."""

import asyncio
import logging

import pytest

from edgeproxy.tasks import Tasks


async def test_the_result_can_be_awaited() -> None:
    tasks = Tasks()

    async def work() -> int:
        return 42

    task = tasks.start(work(), "answer")
    assert task.get_name() == "answer"
    assert await task == 42


async def test_a_failure_is_logged_under_the_task_s_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Tasks()

    async def work() -> None:
        raise RuntimeError("the disk is gone")

    task = tasks.start(work(), "write log")
    await asyncio.wait([task])
    await tasks.close()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "background task write log failed"
    assert "the disk is gone" in caplog.text


async def test_closing_cancels_and_waits(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    cleaned_up = False

    async def work() -> None:
        nonlocal cleaned_up
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up = True

    task = tasks.start(work(), "wait")
    await asyncio.sleep(0)
    await tasks.close()
    assert cleaned_up
    assert task.cancelled()
    assert not caplog.records


async def test_closing_also_ends_what_a_task_starts_at_its_end() -> None:
    tasks = Tasks()
    started: list[asyncio.Task[bool]] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            started.append(tasks.start(asyncio.Event().wait(), "last words"))

    _ = tasks.start(work(), "work")
    await asyncio.sleep(0)
    await tasks.close()
    assert started[0].cancelled()


async def test_a_task_may_close_its_owner() -> None:
    tasks = Tasks()
    other = tasks.start(asyncio.Event().wait(), "other")
    closer = tasks.start(tasks.close(), "closer")
    await closer
    assert other.cancelled()
