import asyncio

from edgeproxy.runtimes.deadline import Deadline


async def test_it_calls_when_the_time_has_passed() -> None:
    passed = asyncio.Event()
    Deadline(0.01, passed.set)
    async with asyncio.timeout(5):
        await passed.wait()


async def test_suspended_time_does_not_count() -> None:
    loop = asyncio.get_running_loop()
    passed = asyncio.Event()
    started = loop.time()
    deadline = Deadline(0.1, passed.set)
    deadline.suspend()
    deadline.suspend()
    pause = asyncio.Event()
    loop.call_later(0.3, pause.set)
    await pause.wait()
    assert not passed.is_set()
    deadline.resume()
    deadline.resume()
    async with asyncio.timeout(5):
        await passed.wait()
    assert loop.time() - started >= 0.39


async def test_without_a_limit_or_cancelled_it_never_calls() -> None:
    calls: list[str] = []
    endless = Deadline(None, lambda: calls.append("endless"))
    endless.suspend()
    endless.resume()
    cancelled = Deadline(0.01, lambda: calls.append("cancelled"))
    cancelled.cancel()
    later = asyncio.Event()
    Deadline(0.05, later.set)
    await later.wait()
    assert calls == []


async def test_started_anew_it_counts_from_then() -> None:
    loop = asyncio.get_running_loop()
    passed = asyncio.Event()
    deadline = Deadline(0.05, passed.set)
    started = loop.time()
    deadline.start(0.2)
    async with asyncio.timeout(5):
        await passed.wait()
    assert loop.time() - started >= 0.19
    passed.clear()
    deadline.start(60)
    deadline.start(0.01)
    async with asyncio.timeout(5):
        await passed.wait()


async def test_cancelled_or_closed_it_never_calls_unless_started_again() -> None:
    calls: list[str] = []
    passed = asyncio.Event()
    deadline = Deadline(0.01, lambda: calls.append("cancelled"))
    deadline.cancel()
    deadline.resume()
    closed = Deadline(0.01, lambda: calls.append("closed"))
    closed.close()
    later = Deadline(0.05, passed.set)
    await passed.wait()
    assert calls == []
    passed.clear()
    later.cancel()
    later.start(0.01)
    async with asyncio.timeout(5):
        await passed.wait()
