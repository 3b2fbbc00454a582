"""What a save brings into service, and what it does not."""

import asyncio
import io
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.app.loading import load_target
from edgeproxy.app.program import Program
from edgeproxy.app.reload import Reloader
from edgeproxy.observe.console import Console
from edgeproxy.observe.hub import Hub
from edgeproxy.settings import Settings

TEMPLATE = """
Resources:
  {name}:
    Type: AWS::Lambda::Function
    Properties: {{Code: ./code, Handler: app.handler, Runtime: python3.12, Role: r}}
"""
CODE = "def handler(event, context): return {}\n"


class Stage:
    """A program without listeners, its reloader and its console."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        (folder / "code").mkdir()
        self.write("code/app.py", CODE.format(1))
        self.write("template.yaml", TEMPLATE.format(name="Fn"))
        self.text = io.StringIO()
        console = Console(self.text)
        settings = Settings(**{"state_dir": folder / "state", **options})
        self.program = Program(settings, Hub(), console.problem)
        target = str(folder / "template.yaml")
        self.reloader = Reloader(self.program, lambda: load_target(target, settings), console)
        self.load = lambda: load_target(target, settings)

    def write(self, name: str, text: str) -> Path:
        (self.folder / name).write_text(text)
        return self.folder / name

    async def save(self, name: str, text: str) -> str:
        """What the console says about a save."""
        before = len(self.text.getvalue())
        await self.reloader.changed([self.write(name, text)])
        return self.text.getvalue()[before:]

    async def answer(self, name: str = "Fn") -> bytes:
        await asyncio.sleep(0)  # requests come through the loop: deployments have begun by then
        result = await self.program.lambdas.invoke(name, b"{}")
        payload = getattr(result, "payload", None)
        assert isinstance(payload, bytes), result
        return payload


@pytest.fixture
async def stage(tmp_path: Path):
    stage = Stage(tmp_path)
    await stage.program.apply(stage.load())
    yield stage
    await stage.program.close()


async def test_new_code_and_broken_code(stage: Stage) -> None:
    assert await stage.answer() == b"1"
    assert "reloaded Fn in " in await stage.save("code/app.py", CODE.format(2))
    assert await stage.answer() == b"2"
    said = await stage.save("code/app.py", "def handler(:\n")
    assert "Fn does not load: Runtime.UserCodeSyntaxError" in said
    assert "reloaded" not in said
    assert await stage.answer() == b"2"


async def test_a_new_definition_and_a_broken_one(stage: Stage) -> None:
    said = await stage.save("template.yaml", TEMPLATE.format(name="Other"))
    assert "reloaded template.yaml in " in said
    assert await stage.answer("Other") == b"1"
    assert set(stage.program.project.functions) == {"Other"}
    said = await stage.save("template.yaml", "Resources: [\n")
    assert "template.yaml" in said
    assert "the last good definition goes on serving" in said
    assert await stage.answer("Other") == b"1"


async def test_a_new_definition_that_aws_would_refuse(stage: Stage) -> None:
    refused = TEMPLATE.format(name="Fn").replace("Handler", "Timeout: 901, Handler")
    said = await stage.save("template.yaml", refused)
    assert "reloaded template.yaml in " in said
    assert "AWS would refuse this definition: 1 error (`edgeproxy check` lists them)" in said
    assert "refuse" not in await stage.save("template.yaml", TEMPLATE.format(name="Fn"))


async def test_closing_while_a_deployment_is_under_way_leaves_no_process(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    slow = "import time\ntime.sleep(60)\n" + CODE.format(1)
    stage.write("code/app.py", slow)
    for pauses in (0, 1, 2, 200):
        program = Program(Settings(state_dir=tmp_path / "state"), Hub(), stage.text.write)
        await program.apply(stage.load())
        for _ in range(pauses):
            await asyncio.sleep(0.001)
        await program.close()
    assert stage.text.getvalue() == ""
    assert running_from(tmp_path) == []


async def test_a_function_that_is_removed_while_it_is_deployed_leaves_no_process(
    stage: Stage,
) -> None:
    for name in ("A", "B", "C"):
        await stage.save("template.yaml", TEMPLATE.format(name=name))
    assert await stage.answer("C") == b"1"
    deadline = time.monotonic() + 30
    while not all("AWS_LAMBDA_FUNCTION_NAME=C" in line for line in running_from(stage.folder)):
        assert time.monotonic() < deadline, running_from(stage.folder)
        await asyncio.sleep(0.01)


def running_from(folder: Path) -> list[str]:
    """The processes whose code is in ``folder``."""
    shown = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if f"LAMBDA_TASK_ROOT={folder}" in line]


async def test_what_the_program_writes_among_the_code_is_no_code(tmp_path: Path) -> None:
    code = tmp_path / "code"
    stage = Stage(tmp_path, log_dir=code / "logs", access_log=code / "access.log")
    await stage.program.apply(stage.load())
    (code / "logs").mkdir()
    assert await stage.save("code/logs/fn.log", "a line\n") == ""
    assert await stage.save("code/access.log", "a line\n") == ""
    assert "reloaded Fn in " in await stage.save("code/logs.py", "")
    await stage.program.close()


async def test_a_console_that_goes_to_a_file_among_the_code_is_no_code(stage: Stage) -> None:
    kept = os.dup(2)
    try:
        with stage.write("code/dev.log", "").open("w") as file:
            os.dup2(file.fileno(), 2)
        assert await stage.save("code/dev.log", "a line\n") == ""
    finally:
        os.dup2(kept, 2)
        os.close(kept)


async def test_code_in_a_folder_that_the_program_writes_to_is_code(tmp_path: Path) -> None:
    stage = Stage(tmp_path, state_dir=tmp_path)
    await stage.program.apply(stage.load())
    assert "reloaded Fn in " in await stage.save("code/app.py", CODE.format(2))
    await stage.program.close()


async def test_a_file_that_concerns_nobody(stage: Stage) -> None:
    assert await stage.save("notes.txt", "hello") == ""
