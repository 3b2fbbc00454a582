"""What a save brings into service, and what it does not."""

import io
from pathlib import Path

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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "code").mkdir()
        self.write("code/app.py", CODE.format(1))
        self.write("template.yaml", TEMPLATE.format(name="Fn"))
        self.text = io.StringIO()
        console = Console(self.text)
        settings = Settings(state_dir=folder / "state")
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


async def test_a_file_that_concerns_nobody(stage: Stage) -> None:
    assert await stage.save("notes.txt", "hello") == ""
