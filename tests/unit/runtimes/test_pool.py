import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes import pool
from edgeproxy.runtimes.environment import Environment
from edgeproxy.runtimes.invocation import FunctionSpec, Invocation, InvocationResult
from edgeproxy.runtimes.pool import STARTING_AT_ONCE, Pool
from edgeproxy.runtimes.sandbox import Surroundings
from edgeproxy.runtimes.warden import Warden
from edgeproxy.tasks import Tasks
from tests.unit.runtimes.account import until


class Stage:
    def __init__(self, folder: Path) -> None:
        (folder / "app.py").write_text("handler = lambda e, c: e")
        self.warden = Warden(folder / "scratch")
        self.tasks = Tasks()
        self.ended: list[InvocationResult] = []
        self.pool = Pool(
            FunctionSpec("f", "python3.12", "app.handler", folder, "arn"),
            Surroundings(Clock(), Chance(1), self.warden, folder / "scratch"),
            self.tasks,
            lambda record: None,
            self.ended.append,
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.pool.close()
    await stage.tasks.close()
    stage.warden.close()


async def test_an_environment_comes_back_by_itself(stage: Stage) -> None:
    first = await stage.pool.acquire()
    assert stage.pool.counts() == (0, 1, 0)
    result = await first.begin(Invocation("one", b"1"))
    assert stage.ended == [result]
    assert stage.pool.counts() == (1, 0, 0)
    assert await stage.pool.acquire() is first


async def test_who_waits_gets_what_becomes_free(stage: Stage) -> None:
    first = await stage.pool.acquire()
    # The turn for a new environment comes later than the end of this invocation.
    waiting = asyncio.ensure_future(stage.pool.acquire())
    await asyncio.sleep(0)
    running = first.begin(Invocation("one", b"1"))
    environment = await waiting
    await running
    await environment.begin(Invocation("two", b"2"))
    assert len(stage.ended) == 2


async def test_one_that_is_starting_serves_who_waits(stage: Stage) -> None:
    started = asyncio.ensure_future(stage.pool.load())
    await asyncio.sleep(0)
    environment = await stage.pool.acquire()
    assert await started is None
    assert stage.pool.counts() == (0, 1, 0)
    await environment.begin(Invocation("one", b"1"))


async def test_who_stops_waiting_takes_none(stage: Stage) -> None:
    waiting = asyncio.ensure_future(stage.pool.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await stage.pool.load() is None
    await until(lambda: stage.pool.counts()[1] == 0)
    assert stage.pool.counts()[0] >= 1


@pytest.mark.rule("LR-190")
async def test_idle_environments_are_ended(stage: Stage) -> None:
    await stage.pool.load()
    stage.pool.discard_idle(Clock.monotonic() - 60)
    assert stage.pool.counts() == (1, 0, 0)
    stage.pool.discard_idle(Clock.monotonic() + 60)
    assert stage.pool.counts() == (0, 0, 0)


@pytest.mark.rule("LR-191")
async def test_a_retired_pool_finishes_what_runs(stage: Stage) -> None:
    environment = await stage.pool.acquire()
    running = environment.begin(Invocation("one", b"1"))
    stage.pool.retire()
    assert not stage.pool.has_ended
    assert (await running).request_id == "one"
    await stage.pool.close()
    assert stage.pool.has_ended


async def obtained(stage: Stage, count: int) -> list[Environment]:
    """Environments for as many invocations that begin together; each then has one."""
    got: list[Environment] = []
    for _ in range(count):
        stage.pool.obtain(lambda environment: got.extend([environment] if environment else []))
    await until(lambda: len(got) == count)
    return got


async def ran(environments: list[Environment]) -> None:
    for environment in environments:
        await environment.begin(Invocation("one", b"1"))


async def test_brief_invocations_take_one_environment_after_the_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_PAUSE_S", 3600)  # Who lets go is the test.
    more = STARTING_AT_ONCE + 3
    await ran(await obtained(stage, more))
    assert stage.pool.counts() == (more, 0, 0)
    stage.pool._least_ms = 0.1
    got: list[Environment | None] = []
    for _ in range(more):
        stage.pool.obtain(got.append)
    assert len(got) == STARTING_AT_ONCE
    first = got[0]
    assert first is not None
    await first.begin(Invocation("two", b"2"))
    assert got[STARTING_AT_ONCE] is first
    monkeypatch.setattr(pool, "_LONGEST_PAUSE_S", 3600)
    stage.pool._let_go()
    assert len(got) == STARTING_AT_ONCE + 1
    # Nobody is made to wait for what takes its time.
    stage.pool._let_go()
    assert len(set(got)) == more - 1


async def test_who_had_no_time_to_look_lets_nobody_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_PAUSE_S", 3600)  # Who lets go is the test.
    monkeypatch.setattr(pool, "_LONGEST_PAUSE_S", 3600)
    more = STARTING_AT_ONCE + 1
    await ran(await obtained(stage, more))
    stage.pool._least_ms = 0.1
    got: list[Environment | None] = []
    for _ in range(more):
        stage.pool.obtain(got.append)
    stage.pool._rings -= 3 * 3600  # As if the event loop had been busy when it should ring.
    stage.pool._let_go()
    assert len(got) == STARTING_AT_ONCE
    stage.pool._let_go()  # It was on time.
    assert len(got) == more


async def test_long_invocations_wait_for_nobody(stage: Stage) -> None:
    more = STARTING_AT_ONCE + 3
    await ran(await obtained(stage, more))
    stage.pool._least_ms = 1.1
    got: list[Environment | None] = []
    for _ in range(more):
        stage.pool.obtain(got.append)
    assert len(set(got)) == more


async def test_who_waits_hears_of_the_end(stage: Stage) -> None:
    await ran(await obtained(stage, STARTING_AT_ONCE + 1))
    stage.pool._least_ms = 0.1
    got: list[Environment | None] = []
    for _ in range(STARTING_AT_ONCE + 1):
        stage.pool.obtain(got.append)
    await stage.pool.close()
    assert got[STARTING_AT_ONCE:] == [None]
