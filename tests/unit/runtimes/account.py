"""A Lambda account for tests: writes functions into a folder and runs them in real processes."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import Deployed, DeployFailed, LambdaService
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes.interpreters import BOOTSTRAP, find_interpreter
from edgeproxy.runtimes.invocation import (
    FunctionError,
    FunctionSpec,
    InitFailed,
    InvocationResult,
    Returned,
    TimedOut,
)
from edgeproxy.runtimes.variables import variables
from edgeproxy.tasks import Tasks

PYTHON = "python3.12"
NODE_22 = "nodejs22.x"
NODE_24 = "nodejs24.x"

STARTS = ["started", "forked"] if sys.platform == "linux" else ["started"]
"""How a process of Python may begin."""

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


async def until(condition: Callable[[], object], *, within_s: float = 20) -> None:
    """Wait for what only another process brings about, and nothing tells."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Account:
    """``async with Account(folder) as account``: everything is ended afterwards."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.clock = Clock()
        self.tasks = Tasks()
        self.service = LambdaService(self.clock, Chance(1), self.tasks, **options)

    async def __aenter__(self) -> Self:
        return self

    async def have_zygote(self) -> None:
        """Have functions in Python forked from now on."""
        around = self.service._in_service._around()
        assert around.zygotes is not None
        spec = FunctionSpec("f", PYTHON, "app.handler", self.folder, ARN + "f")
        environ = variables(spec, "", BOOTSTRAP, "", os.environ)
        started = around.zygotes.fork(find_interpreter(PYTHON).command, self.folder, environ)
        assert started is None
        (zygote,) = around.zygotes._by_kind.values()
        await until(lambda: zygote.is_ready)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.service.close()
        await self.tasks.close()

    def write(self, files: dict[str, str], name: str = "f") -> Path:
        root = self.folder / name
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return root

    def define(
        self,
        code: str | dict[str, str],
        *,
        runtime: str = PYTHON,
        handler: str = "app.handler",
        name: str = "f",
        reserved: int | None = None,
        versions: tuple[str, ...] = ("1",),
        aliases: dict[str, str] | None = None,
        **settings: Any,
    ) -> FunctionDefinition:
        if isinstance(code, str):
            code = {"app.py" if runtime.startswith("python") else "app.js": code}
        root = self.write(code, name)
        return FunctionDefinition(
            name,
            FunctionSpec(name, runtime, handler, root, ARN + name, **settings),
            reserved_concurrency=reserved,
            versions=versions,
            aliases=aliases or {},
        )

    async def deploy(self, code: str | dict[str, str], **settings: Any) -> Deployed | DeployFailed:
        """Write and deploy a function, and start its ``$LATEST``."""
        definition = self.define(code, **settings)
        return await self.service.deploy(definition, force=True, qualifier="")

    async def call(self, event: object = None, name: str = "f", **options: Any) -> InvocationResult:
        return await self.service.invoke(name, json.dumps(event).encode(), **options)

    async def run(
        self, code: str | dict[str, str], event: object = None, **settings: Any
    ) -> InvocationResult:
        """Deploy a function and call it once."""
        await self.deploy(code, **settings)
        return await self.call(event, name=settings.get("name", "f"))


def value_of(result: InvocationResult) -> Any:
    """The JSON value that the function returned."""
    assert isinstance(result, Returned), result
    return json.loads(result.payload)


def document_of(result: InvocationResult) -> dict[str, Any]:
    """The error document of a failed invocation."""
    assert isinstance(result, FunctionError | TimedOut | InitFailed), result
    return result.document


def messages(result: InvocationResult, stream: str = "") -> list[str]:
    """The log's lines, of one stream or of all."""
    assert isinstance(result, Returned | FunctionError | TimedOut | InitFailed)
    return [record.message for record in result.log if stream in ("", record.stream)]
