from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes.environment import Environment, Surroundings
from edgeproxy.runtimes.invocation import FunctionSpec, Invocation, InvocationResult, Returned
from edgeproxy.runtimes.warden import Warden

CODE = "import os\nhandler = lambda e, c: [e, os.getpid()]"


class Stage:
    def __init__(self, folder: Path) -> None:
        (folder / "app.py").write_text(CODE)
        self.warden = Warden(folder / "scratch")
        surroundings = Surroundings(Clock(), Chance(1), self.warden, folder / "scratch")
        spec = FunctionSpec("f", "python3.12", "app.handler", folder, "arn")
        self.lines: list[str] = []
        self.freed: list[InvocationResult] = []
        self.environment = Environment(
            spec,
            surroundings,
            lambda record: self.lines.append(record.message),
            lambda environment, result: self.freed.append(result),
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.environment.close()
    stage.warden.close()


@pytest.mark.rule("LR-180")
async def test_init_then_invocations(stage: Stage) -> None:
    environment = stage.environment
    assert not environment.warm
    assert await environment.start() is None
    assert environment.warm
    result = await environment.begin(Invocation("one", b"1"))
    assert isinstance(result, Returned)
    assert result.init_ms is not None
    assert result.init_ms > 0
    assert stage.freed == [result]
    assert [line.split()[0] for line in stage.lines] == ["INIT_START", "START", "END", "REPORT"]


@pytest.mark.rule("LR-182")
async def test_an_invocation_starts_the_process_if_need_be(stage: Stage) -> None:
    result = await stage.environment.begin(Invocation("one", b"1"))
    assert isinstance(result, Returned)
    assert result.init_ms is None


async def test_the_environment_is_free_before_the_caller_knows(stage: Stage) -> None:
    first = stage.environment.begin(Invocation("one", b"1"))
    order: list[str] = []
    first.add_done_callback(lambda _: order.append(f"caller after {len(stage.freed)}"))
    await first
    assert order == ["caller after 1"]


async def test_closing_fails_what_runs(stage: Stage) -> None:
    running = stage.environment.begin(Invocation("one", b"1"))
    await stage.environment.close()
    result = await running
    assert not isinstance(result, Returned)
    await stage.environment.close()
