import asyncio
from pathlib import Path

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.framing import Kind
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.sandbox import Sandbox, Surroundings
from edgeproxy.runtimes.warden import Warden


class Owner:
    busy = True

    def __init__(self) -> None:
        self.ready = asyncio.Event()

    def frame_received(self, kind: Kind, body: bytes) -> None:
        assert kind is Kind.READY
        self.ready.set()

    def output_received(self, stream: str, data: bytes) -> None:
        raise AssertionError(data)

    def worker_ended(self, status: int) -> None:
        raise AssertionError(status)

    def memory_exceeded(self, excess: str) -> None:
        raise AssertionError(excess)


async def test_a_process_comes_and_goes_and_its_folder_goes_last(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("handler = lambda e, c: e")
    scratch = tmp_path / "scratch"
    warden, owner = Warden(scratch), Owner()
    surroundings = Surroundings(Clock(), Chance(1), warden, scratch)
    spec = FunctionSpec("f", "python3.12", "app.handler", tmp_path, "arn")
    sandbox = Sandbox(spec, surroundings, "stream", owner)
    assert not sandbox.running
    sandbox.launch()
    async with asyncio.timeout(20):
        await owner.ready.wait()
        sandbox.look()
        assert sandbox.running
        assert sandbox.memory.peak_mb > 0
        assert len(list(scratch.iterdir())) == 1
        sandbox.abandon()
        assert not sandbox.running
        gone = asyncio.Event()
        sandbox.when_ended(gone.set)
        assert not gone.is_set()
        await gone.wait()
    assert len(list(scratch.iterdir())) == 1
    await sandbox.close()
    assert list(scratch.iterdir()) == []
    warden.close()


async def test_a_runtime_that_is_not_there_is_said(tmp_path: Path) -> None:
    warden = Warden(tmp_path / "scratch")
    surroundings = Surroundings(Clock(), Chance(1), warden, tmp_path / "scratch")
    spec = FunctionSpec("f", "java21", "app.handler", tmp_path, "arn")
    with pytest.raises(DefinitionError, match="java21"):
        Sandbox(spec, surroundings, "stream", Owner()).launch()
    warden.close()
