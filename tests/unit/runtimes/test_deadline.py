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
