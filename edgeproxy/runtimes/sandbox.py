"""What an execution environment consists of on this machine: a process and a folder.

The process is started from the function's spec, watched for its memory, and ended; the folder for
temporary files stays when a process goes (LR-185). What a process does is told to the owner.

A function that brings its own runtime finds the Runtime API here, and external extensions are
processes of their own beside it.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.runtimes.custom import custom_command, external_extensions, is_custom
from edgeproxy.runtimes.debugging import debugged
from edgeproxy.runtimes.environment_api import EnvironmentApi, EnvironmentApiOwner
from edgeproxy.runtimes.extensions_api import ShutdownReason
from edgeproxy.runtimes.framing import Kind, encode_invocation
from edgeproxy.runtimes.interpreters import BOOTSTRAP, find_interpreter, without_disabled
from edgeproxy.runtimes.invocation import FunctionSpec, Invocation
from edgeproxy.runtimes.memory import SAMPLE_PERIOD_S, MemoryWatch
from edgeproxy.runtimes.platform_events import ExtensionStarted
from edgeproxy.runtimes.process import Worker, WorkerOwner
from edgeproxy.runtimes.terminal import NO_TERMINAL, Terminal
from edgeproxy.runtimes.variables import for_extensions, variables, wrapped
from edgeproxy.runtimes.warden import Warden
from edgeproxy.runtimes.zygotes import Zygotes

__all__ = ["Sandbox", "SandboxOwner", "Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all environments of a service share. ``folder`` holds their temporary files."""

    clock: Clock
    chance: Chance
    warden: Warden
    folder: Path
    terminal: Terminal = NO_TERMINAL
    zygotes: Zygotes | None = None


_EXTERNAL_GRACE_S: Final = 2.0
"""How long processes may take to end where there are external extensions, and..."""
_INTERNAL_GRACE_S: Final = 0.5
"""...where there are internal ones only (LR-187)."""


class SandboxOwner(WorkerOwner, EnvironmentApiOwner, Protocol):
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
        self._clock = surroundings.clock
        self._custom = is_custom(spec)
        self._extensions = external_extensions(spec.opt)
        self._api: EnvironmentApi | None = None
        if self._custom or self._extensions:
            self._api = EnvironmentApi(spec, surroundings.chance, owner)
        self._warden = surroundings.warden
        self._zygotes = surroundings.zygotes
        self._log_stream = log_stream
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._tmp = surroundings.folder / surroundings.chance.hex(16)
        self._worker: Worker | None = None
        self._beside: list[Worker] = []
        self._runtime_idle = False
        self._ending: set[asyncio.Future[None]] = set()
        self.memory = MemoryWatch(spec.memory_mb)
        self._watching: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._worker is not None and not self._worker.ended.done()

    async def open(self) -> None:
        """Get ready for processes that call an API."""
        if self._api is not None:
            await self._api.open()

    @property
    def alone(self) -> bool:
        """Whether the runtime is one of ours, and nothing else has a say in when work ends."""
        return self._api is None

    @property
    def idle(self) -> bool:
        """Whether runtime and extensions have all asked for their next event."""
        api = self._api
        if api is None:
            return self._runtime_idle
        runtime_idle = api.runtime.idle if self._custom else self._runtime_idle
        return runtime_idle and api.extensions.idle

    @property
    def waits(self) -> bool:
        """Whether the runtime waits to be started, all external extensions having registered."""
        api = self._api
        return api is not None and self._worker is None and api.extensions.registered

    def extensions(self) -> list[ExtensionStarted]:
        """How far extensions have come that have registered."""
        return self._api.extensions.started() if self._api is not None else []

    def runtime_is_idle(self) -> None:
        """A runtime of ours has loaded the function, or answered."""
        self._runtime_idle = True

    def launch(self) -> None:
        """Start the process, or what comes before it. Raises ``EdgeproxyError``, ``OSError``."""
        self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._runtime_idle = False
        if self._api is not None:
            self._api.runtime.restart()
            self._api.extensions.restart(path.name for path in self._extensions)
            environ = for_extensions(self._variables())
            for path in self._extensions:
                owner = _Beside(path.name, self._owner)
                worker = Worker(
                    owner, (str(path),), path.parent, environ, self._warden, framed=False
                )
                self._beside.append(worker)
        if not self._extensions:
            self.launch_runtime()

    def launch_runtime(self) -> None:
        """Start the process itself. Raises ``EdgeproxyError`` and ``OSError``."""
        spec, environ = self._spec, self._variables()
        zygotes = None
        if self._custom:
            command = custom_command(spec)
        else:
            interpreter = find_interpreter(spec.runtime)
            command = interpreter.command
            if spec.debug_port is not None:
                command = debugged(interpreter, spec.runtime, spec.debug_port)
            command = without_disabled(command, environ.get("NODE_OPTIONS", ""))
            command = tuple(wrapped(command, environ, spec.code_root))
            # Whatever stands around our bootstrap for Python wants a process of its own.
            if spec.runtime.startswith("python") and command == interpreter.command:
                zygotes = self._zygotes
        self._worker = Worker(
            self._owner,
            command,
            spec.code_root,
            environ,
            self._warden,
            framed=not self._custom,
            zygotes=zygotes,
        )
        self.watch()

    def _variables(self) -> dict[str, str]:
        address = self._api.address if self._api is not None else ""
        tmp = str(self._tmp)
        return variables(self._spec, self._log_stream, BOOTSTRAP, tmp, os.environ, address)

    def when_ended(self, then: Callable[[], None]) -> None:
        """Call ``then`` as soon as nothing is left of the processes before."""
        if self._ending:
            last = next(iter(self._ending))
            last.add_done_callback(lambda _: self.when_ended(then))
        else:
            then()

    def hand_over(self, invocation: Invocation, deadline_ms: int, arn: str) -> None:
        """Give the runtime its next event."""
        self._runtime_idle = False
        if self._api is not None:
            self._api.extensions.invoke(invocation, deadline_ms, arn)
            if self._custom:
                self._api.runtime.hand_over(invocation, deadline_ms, arn)
                return
        assert self._worker is not None
        self._worker.send(
            encode_invocation(
                invocation.request_id,
                deadline_ms,
                self._clock.offset_s,
                arn,
                invocation.trace_id,
                invocation.tenant_id,
                invocation.client_context,
                invocation.payload,
            )
        )

    def pause(self) -> None:
        """Let a runtime of ours wait before it answers more."""
        if self._worker is not None:
            self._worker.pause()

    def resume(self) -> None:
        """Let it go on."""
        if self._worker is not None:
            self._worker.resume()

    def lend(self, descriptor: int | None) -> None:
        """Answer a process that asked for the terminal."""
        if self._worker is not None:
            self._worker.lend(descriptor)

    def look(self) -> None:
        """Take a sample of the memory now."""
        if self._worker is not None:
            self.memory.look(*self._pids(self._worker))

    def _pids(self, worker: Worker) -> list[int]:
        """Of all that count for the memory: extensions take theirs from the function's."""
        return [one.pid for one in (worker, *self._beside) if not one.ended.done()]

    def drain(self) -> None:
        """Hand on the output that the process has written by now."""
        if self._worker is not None:
            self._worker.drain()

    def forget(self) -> None:
        """The process has ended by itself."""
        self._worker = None

    def abandon(self, reason: ShutdownReason = ShutdownReason.FAILURE) -> None:
        """End the process and hear nothing more of it. Extensions are told why, and end later."""
        worker, self._worker = self._worker, None
        beside, self._beside = self._beside, []
        for ending in (worker, *beside):
            if ending is not None and not ending.ended.done():
                self._ending.add(ending.ended)
                ending.ended.add_done_callback(self._ending.discard)
        grace_s = self._tell_extensions(reason, external=bool(beside))
        leaving = _Leaving(self._owner)
        for extension in beside:
            extension.leave(leaving, grace_s, ask=False)
        if worker is not None and grace_s and reason is ShutdownReason.SPINDOWN:
            worker.leave(leaving, grace_s, ask=True)
        elif worker is not None:
            worker.abandon()

    def _tell_extensions(self, reason: ShutdownReason, *, external: bool) -> float:
        """Announce the end; how long it may take (LR-187)."""
        if self._api is None or not self._api.extensions.any:
            return 0
        grace_s = _EXTERNAL_GRACE_S if external else _INTERNAL_GRACE_S
        now = self._clock.now() - self._clock.offset_s
        self._api.extensions.shut_down(reason, int((now + grace_s) * 1000))
        return grace_s

    async def close(self) -> None:
        """End the process and remove its temporary files."""
        self.abandon(ShutdownReason.SPINDOWN)
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*self._ending)
        if self._api is not None:
            await self._api.close()
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
        if not self.memory.look(*self._pids(worker)):
            self.drain()
            self.abandon()
            self._owner.memory_exceeded(self.memory.excess)


class _Beside:
    """Hears what an external extension does."""

    def __init__(self, name: str, owner: SandboxOwner) -> None:
        self._name = name
        self._owner = owner

    def frame_received(self, kind: Kind, body: bytes) -> None:
        raise AssertionError("extensions have no channel")

    def output_received(self, stream: str, data: bytes) -> None:
        self._owner.output_received(stream, data)

    def worker_ended(self, status: int) -> None:
        self._owner.extension_failed("Extension.Crash", self._name)


class _Leaving:
    """Hears the last words of processes that are to end."""

    def __init__(self, owner: SandboxOwner) -> None:
        self.frame_received = lambda kind, body: None
        self.output_received = owner.output_received

    def worker_ended(self, status: int) -> None:
        """As it should."""
