"""One execution environment: a process that loads one function and runs one event at a time.

An environment outlives its process. After a timeout, a crash or a kill the process is gone and
the folder for temporary files stays; the next invocation starts a new process within its own time
(LR-182, LR-185). Everything here is driven by callbacks of the event loop, so that an invocation
costs one future and no task.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, assert_never

import orjson

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.documents import (
    Document,
    exit_message,
    exited,
    misconfigured,
    timed_out,
    too_large,
)
from edgeproxy.runtimes.framing import Kind, encode_invocation
from edgeproxy.runtimes.interpreters import BOOTSTRAP, find_interpreter
from edgeproxy.runtimes.invocation import (
    FunctionError,
    FunctionSpec,
    InitFailed,
    Invocation,
    InvocationResult,
    LogRecord,
    Returned,
    TimedOut,
)
from edgeproxy.runtimes.logs import (
    InvocationLog,
    init_report_line,
    init_start_line,
    report_line,
    timeout_line,
)
from edgeproxy.runtimes.memory import SAMPLE_PERIOD_S, MemoryWatch
from edgeproxy.runtimes.process import Worker
from edgeproxy.runtimes.variables import variables, wrapped
from edgeproxy.runtimes.warden import Warden

__all__ = ["Environment", "Surroundings"]

_INIT_LIMIT_S: Final = 10.0
"""How long the init phase may take (LR-182)."""
_KILLED: Final = -9


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all environments of a service share. ``folder`` holds their temporary files."""

    clock: Clock
    chance: Chance
    warden: Warden
    folder: Path


@dataclass(slots=True)
class _Init:
    """A start of the process: in the init phase, or within an invocation (LR-182)."""

    started: float
    phase: str
    done: "asyncio.Future[InitFailed | None] | None" = None
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Run:
    """The invocation at hand."""

    invocation: Invocation
    result: "asyncio.Future[InvocationResult]"
    started: float
    timeout_s: float
    deadline_ms: int
    timer: asyncio.TimerHandle


class Environment:
    """Runs invocations of one version of a function, one at a time.

    ``sink`` sees each log line at once; ``freed`` is told each result as soon as the environment
    can take another invocation, before the caller gets it.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        surroundings: Surroundings,
        sink: Callable[[LogRecord], None],
        freed: Callable[["Environment", InvocationResult], None],
    ) -> None:
        self._spec = spec
        self._clock = surroundings.clock
        self._chance = surroundings.chance
        self._warden = surroundings.warden
        self._sink = sink
        self._freed = freed
        self._loop = asyncio.get_running_loop()
        day = self._clock.utc().strftime("%Y/%m/%d")
        self._log_stream = f"{day}/[{spec.version}]{self._chance.hex(32)}"
        self._tmp = surroundings.folder / self._chance.hex(16)
        self._worker: Worker | None = None
        self._ready = False
        self._ending: set[asyncio.Future[None]] = set()
        self._init: _Init | None = None
        self._run: _Run | None = None
        self._log = InvocationLog(self._clock, sink)
        self._init_ms: float | None = None
        self._init_log: tuple[LogRecord, ...] = ()
        self._memory = MemoryWatch(spec.memory_mb)
        self._watching: asyncio.TimerHandle | None = None
        self.idle_since = self._clock.monotonic()

    @property
    def warm(self) -> bool:
        """Whether there is a process that has loaded the code."""
        return self._ready and self._worker is not None and not self._worker.ended.done()

    async def start(self) -> InitFailed | None:
        """Run the init phase; how it failed, if it did. A failed environment can still be used:
        its first invocation runs init again."""
        done: asyncio.Future[InitFailed | None] = self._loop.create_future()
        self._launch(_Init(self._clock.monotonic(), "init", done))
        return await done

    def begin(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Run one event. Cancelling the future does not end the function."""
        clock = self._clock
        timeout_s = self._spec.timeout_s
        if invocation.timeout_s is not None:
            timeout_s = min(timeout_s, invocation.timeout_s)
        run = self._run = _Run(
            invocation,
            self._loop.create_future(),
            clock.monotonic(),
            timeout_s,
            # The function compares its deadline with real time.
            int((clock.now() - clock.offset_s + timeout_s) * 1000),
            self._loop.call_later(timeout_s, self._time_is_up),
        )
        self._log.flush()
        self._log = InvocationLog(clock, self._sink, invocation.request_id)
        self._log.platform(
            f"START RequestId: {invocation.request_id} Version: {self._spec.version}"
        )
        if self.warm:
            self._send(run)
        else:
            self._launch(_Init(run.started, "invoke"))
        return run.result

    async def close(self) -> None:
        """End the process and remove its temporary files. A running invocation fails."""
        self._abandon()
        if (run := self._run) is not None:
            self._finish(
                run,
                partial(FunctionError, document=exited(run.invocation.request_id, _KILLED)),
                "error\tError Type: Runtime.ExitError",
            )
        elif self._init is not None:
            self._init_failed(self._init, exited("", _KILLED), "error")
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*self._ending)
        await asyncio.to_thread(shutil.rmtree, self._tmp, ignore_errors=True)

    # Init

    def _launch(self, init: _Init) -> None:
        spec = self._spec
        self._abandon()
        self._init = init
        if init.phase == "init":
            init.timer = self._loop.call_later(_INIT_LIMIT_S, self._init_time_is_up)
        self._log.platform(init_start_line(spec.runtime, spec.region))
        request_id = self._request_id()
        try:
            self._tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
            environ = variables(spec, self._log_stream, BOOTSTRAP, str(self._tmp), os.environ)
            command = wrapped(find_interpreter(spec.runtime).command, environ, spec.code_root)
            self._worker = Worker(self, command, spec.code_root, environ, self._warden)
        except DefinitionError as error:
            document = misconfigured(request_id, "Runtime.InvalidEntrypoint", str(error))
            self._init_failed(init, document, "error")
        except OSError as error:
            document = misconfigured(request_id, "Runtime.InvalidWorkingDir", str(error))
            self._init_failed(init, document, "error")
        else:
            self._keep_watch()

    def _request_id(self) -> str:
        return self._run.invocation.request_id if self._run else self._chance.uuid()

    def _init_time_is_up(self) -> None:
        if (init := self._init) is not None:
            self._init_failed(init, timed_out(self._request_id(), _INIT_LIMIT_S), "timeout")

    def _init_ended(self, init: _Init) -> float:
        self._init = None
        if init.timer is not None:
            init.timer.cancel()
        return (self._clock.monotonic() - init.started) * 1000

    def _initialised(self, init: _Init) -> None:
        duration_ms = self._init_ended(init)
        self._ready = True
        if self._worker is not None:
            self._memory.look(self._worker.pid)
        if self._run is not None:
            self._send(self._run)
        else:
            self._init_ms = duration_ms
            self._end_init_phase(init, None)

    def _init_failed(self, init: _Init, document: Document, status: str) -> None:
        duration_ms = self._init_ended(init)
        self._drain_and_abandon()
        if status == "error":
            status = f"error\tError Type: {document['errorType']}"
        self._log.platform(init_report_line(duration_ms, init.phase, status))
        if self._run is not None:
            self._finish(self._run, partial(InitFailed, document=document), status)
        else:
            failed = InitFailed("", duration_ms, document=document, log=self._log.records())
            self._end_init_phase(init, failed)

    def _end_init_phase(self, init: _Init, failed: InitFailed | None) -> None:
        if self._worker is not None:
            self._worker.drain()
        self._log.flush()
        self._init_log = self._log.records()
        self.idle_since = self._clock.monotonic()
        if init.done is not None and not init.done.done():
            init.done.set_result(failed)

    # Invocation

    def _send(self, run: _Run) -> None:
        invocation = run.invocation
        assert self._worker is not None
        self._worker.send(
            encode_invocation(
                invocation.request_id,
                run.deadline_ms,
                self._clock.offset_s,
                invocation.invoked_arn or self._spec.arn,
                invocation.trace_id,
                invocation.client_context,
                invocation.payload,
            )
        )
        self._keep_watch()

    def _time_is_up(self) -> None:
        if (run := self._run) is None:
            return
        self._drain_and_abandon()
        if (init := self._init) is not None:
            duration_ms = self._init_ended(init)
            self._log.platform(init_report_line(duration_ms, init.phase, "timeout"))
        document = timed_out(run.invocation.request_id, run.timeout_s)
        self._finish(run, partial(TimedOut, document=document), "timeout")

    def _finish(self, run: _Run, ending: Callable[..., InvocationResult], status: str = "") -> None:
        """Complete the invocation: last lines, result, and the environment is free again."""
        run.timer.cancel()
        if self._worker is not None:
            self._worker.drain()
        request_id = run.invocation.request_id
        if status == "timeout":
            duration_ms = run.timeout_s * 1000  # as recent reports show it (LR-257)
        else:
            duration_ms = (self._clock.monotonic() - run.started) * 1000
        memory_mb = self._memory.peak_mb
        init_ms, init_log = self._init_ms, self._init_log
        self._init_ms, self._init_log = None, ()
        log = self._log
        log.platform(f"END RequestId: {request_id}")
        size_mb = self._spec.memory_mb
        log.platform(report_line(request_id, duration_ms, size_mb, memory_mb, init_ms, status))
        if status == "timeout":
            log.platform(timeout_line(self._clock, request_id, run.timeout_s))
        # What the function writes between two invocations belongs to the one before.
        self._log = InvocationLog(self._clock, self._sink, request_id)
        self._run = None
        self.idle_since = self._clock.monotonic()
        result = ending(
            request_id=request_id,
            duration_ms=duration_ms,
            init_ms=init_ms,
            memory_mb=memory_mb,
            log=init_log + log.records(),
        )
        self._freed(self, result)
        if not run.result.done():
            run.result.set_result(result)

    # What the worker does

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """The worker sent a frame. One that nobody waits for is dropped."""
        init, run = self._init, self._run
        if init is not None:
            if kind is Kind.READY:
                self._initialised(init)
            elif kind is Kind.INIT_ERROR:
                self._init_failed(init, orjson.loads(body), "error")
        elif run is not None:
            match kind:
                case Kind.RESULT:
                    self._finish(run, partial(Returned, payload=body))
                case Kind.ERROR:
                    self._finish(run, partial(FunctionError, document=orjson.loads(body)))
                case Kind.FATAL:
                    self._drain_and_abandon()
                    document = orjson.loads(body)
                    status = "error\tError Type: Runtime.ExitError"
                    self._finish(run, partial(FunctionError, document=document), status)
                case Kind.TOO_LARGE:
                    self._finish(run, partial(FunctionError, document=too_large()))
                case Kind.READY | Kind.INIT_ERROR:
                    pass
                case _:
                    assert_never(kind)

    def output_received(self, stream: str, data: bytes) -> None:
        """The function wrote something."""
        self._log.feed(stream, data)

    def worker_ended(self, status: int) -> None:
        """The process has ended by itself (LR-087, LR-088)."""
        self._worker = None
        how = f"exited with status {status}" if status >= 0 else f"was ended by signal {-status}"
        self._died(status, "Runtime.ExitError", f"the process {how} while it had work to do")

    def _died(self, status: int, error_type: str, why: str) -> None:
        self._ready = False
        init, run = self._init, self._run
        if init is None and run is None:
            return
        request_id = self._request_id()
        document = exited(request_id, status)
        self._log.explain(why)
        self._log.platform(exit_message(request_id, status))
        self._log.platform(error_type)
        if init is not None:
            self._init_failed(init, document, "error")
        elif run is not None:
            status_text = f"error\tError Type: {error_type}"
            self._finish(run, partial(FunctionError, document=document), status_text)

    def _abandon(self) -> None:
        worker, self._worker, self._ready = self._worker, None, False
        if worker is not None:
            self._ending.add(worker.ended)
            worker.ended.add_done_callback(self._ending.discard)
            worker.abandon()

    def _drain_and_abandon(self) -> None:
        if self._worker is not None:
            self._worker.drain()
        self._abandon()

    # Memory

    def _keep_watch(self) -> None:
        if self._watching is None:
            self._watching = self._loop.call_later(SAMPLE_PERIOD_S, self._watch)

    def _watch(self) -> None:
        """Look at the process group every now and then while code runs (LR-089)."""
        self._watching = None
        worker = self._worker
        if worker is None or (self._run is None and self._init is None):
            return
        self._keep_watch()
        worker.poll()
        if not self._memory.look(worker.pid):
            self._drain_and_abandon()
            why = f"ended at {self._memory.excess}"
            self._died(_KILLED, "Runtime.OutOfMemory", why)
