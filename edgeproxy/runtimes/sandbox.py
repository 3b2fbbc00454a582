"""What an execution environment consists of on this machine: a process and a folder.

The process is started from the function's spec, watched for its memory, and ended; the folder for
temporary files stays when a process goes (LR-185). What a process does is told to the owner.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes.debugging import debugged
from edgeproxy.runtimes.interpreters import BOOTSTRAP, find_interpreter
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.memory import SAMPLE_PERIOD_S, MemoryWatch
from edgeproxy.runtimes.process import Worker, WorkerOwner
from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal
from edgeproxy.runtimes.variables import variables, wrapped
from edgeproxy.runtimes.warden import Warden

__all__ = ["Sandbox", "SandboxOwner", "Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all environments of a service share. ``folder`` holds their temporary files."""

    clock: Clock
    chance: Chance
    warden: Warden
    folder: Path
    terminal: Terminal = NO_TERMINAL


class SandboxOwner(WorkerOwner, Protocol):
    """Who is told what the process does."""

    @property
    def busy(self) -> bool:
        """Whether code runs whose memory is to be watched."""
        ...

    def memory_exceeded(self, excess: str) -> None:
        """The process used too much and has been ended; ``excess`` says how much."""


class Sandbox:
    """Holds at most one process at a time."""

    def __init__(
        self, spec: FunctionSpec, surroundings: Surroundings, log_stream: str, owner: SandboxOwner
    ) -> None:
        self._spec = spec
        self._warden = surroundings.warden
        self._log_stream = log_stream
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._tmp = surroundings.folder / surroundings.chance.hex(16)
        self._worker: Worker | None = None
        self._ending: set[asyncio.Future[None]] = set()
        self._memory = MemoryWatch(spec.memory_mb)
        self._watching: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._worker is not None and not self._worker.ended.done()

    @property
    def peak_mb(self) -> int:
        """The most memory that was seen, in whole megabytes."""
        return self._memory.peak_mb

    def launch(self) -> None:
        """Start the process. Raises ``EdgeproxyError`` and ``OSError``."""
        spec = self._spec
        self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        environ = variables(spec, self._log_stream, BOOTSTRAP, str(self._tmp), os.environ)
        interpreter = find_interpreter(spec.runtime)
        command = interpreter.command
        if spec.debug_port is not None:
            command = debugged(interpreter, spec.runtime, spec.debug_port)
        command = tuple(wrapped(command, environ, spec.code_root))
        self._worker = Worker(self._owner, command, spec.code_root, environ, self._warden)
        self.watch()

    def when_ended(self, then: Callable[[], None]) -> None:
        """Call ``then`` as soon as nothing is left of the processes before."""
        if self._ending:
            last = next(iter(self._ending))
            last.add_done_callback(lambda _: self.when_ended(then))
        else:
            then()

    def send(self, frame: bytes) -> None:
        """Send a frame to the process."""
        assert self._worker is not None
        self._worker.send(frame)

    def lend(self, descriptor: int | None) -> None:
        """Answer a process that asked for the terminal."""
        if self._worker is not None:
            self._worker.lend(descriptor)

    def look(self) -> None:
        """Take a sample of the memory now."""
        if self._worker is not None:
            self._memory.look(self._worker.pid)

    def drain(self) -> None:
        """Hand on the output that the process has written by now."""
        if self._worker is not None:
            self._worker.drain()

    def forget(self) -> None:
        """The process has ended by itself."""
        self._worker = None

    def abandon(self) -> None:
        """End the process and hear nothing more of it."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._ending.add(worker.ended)
            worker.ended.add_done_callback(self._ending.discard)
            worker.abandon()

    async def close(self) -> None:
        """End the process and remove its temporary files."""
        self.abandon()
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*self._ending)
        await asyncio.to_thread(shutil.rmtree, self._tmp, ignore_errors=True)

    def watch(self) -> None:
        """Look at the process group every now and then while code runs (LR-089)."""
        if self._watching is None:
            self._watching = self._loop.call_later(SAMPLE_PERIOD_S, self._watch)

    def _watch(self) -> None:
        self._watching = None
        worker = self._worker
        if worker is None or not self._owner.busy:
            return
        self.watch()
        worker.poll()
        if not self._memory.look(worker.pid):
            self.drain()
            self.abandon()
            self._owner.memory_exceeded(self._memory.excess)
