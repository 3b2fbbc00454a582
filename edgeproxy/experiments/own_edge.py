"""An edge of one's own for the length of an experiment: ``edgeproxy dev`` as a child process."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from watchfiles import awatch

from edgeproxy.errors import UsageError
from edgeproxy.tasks import Tasks

__all__ = ["own_edge"]

_STOP_S: Final = 10
_LOOK_AGAIN_MS: Final = 200


@asynccontextmanager
async def own_edge(target: str, seed: int, options: Sequence[str]) -> AsyncIterator[str]:
    """The control listener's URL of an edge that serves ``target`` until the block ends.

    ``options`` are those of ``edgeproxy dev``. Every port is a free one, state is thrown away.
    Raises ``UsageError`` with what the edge printed when it does not start.
    """
    tasks = Tasks()
    with tempfile.TemporaryDirectory(prefix="edgeproxy-") as folder:
        file = Path(folder) / "endpoints.json"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edgeproxy", "dev", target,
            "--seed", str(seed), *options,
            "--port", "0", "--control-port", "0", "--endpoints-file", str(file),
            "--state-dir", str(Path(folder) / "state"), "--quiet", "--no-reload",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for the run, which ends the edge.
        )  # fmt: skip
        printing = tasks.start(_printed(process), "console of the edge")
        try:
            async for _ in awatch(folder, rust_timeout=_LOOK_AGAIN_MS, yield_on_timeout=True):
                if printing.done():
                    raise UsageError(f"the edge does not start: {(await printing).strip()}")
                if file.exists():
                    break
            yield json.loads(file.read_text("utf-8"))["control"]
        finally:
            await _stop(process)
            _ = await printing


async def _printed(process: asyncio.subprocess.Process) -> str:
    """What it prints until it ends."""
    assert process.stdout is not None
    return (await process.stdout.read()).decode(errors="replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            _ = await process.wait()
    except TimeoutError:
        process.kill()
