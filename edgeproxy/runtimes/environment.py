"""One execution environment: a process that loads one function and runs one event at a time.

An environment outlives its process. After a timeout, a crash or a kill the process is gone and
the folder for temporary files stays; the next invocation starts a new process within its own time
(LR-182, LR-185). Everything here is driven by callbacks of the event loop, so that an invocation
costs one future and no task.

Limits of time stand still while a person is at a debugger's prompt; a function that was started
for a debugger has none.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, assert_never

import orjson

from edgeproxy.errors import EdgeproxyError
from edgeproxy.runtimes.deadline import Deadline
from edgeproxy.runtimes.documents import Document, exited, misconfigured, timed_out, too_large
from edgeproxy.runtimes.framing import Kind, encode_invocation
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
from edgeproxy.runtimes.logs import InvocationLog
from edgeproxy.runtimes.platform_events import (
    Ended,
    Exited,
    InitEnded,
    InitStarted,
    Started,
    Status,
)
from edgeproxy.runtimes.sandbox import Sandbox, Surroundings

__all__ = ["Environment"]

_INIT_LIMIT_S: Final = 10.0
"""How long the init phase may take (LR-182)."""
_LONGEST_S: Final = 900.0
"""What a function sees of its time while it is debugged: the longest timeout there is."""
_KILLED: Final = -9


@dataclass(slots=True)
class _Init:
    """A start of the process: in the init phase, or within an invocation (LR-182)."""

    started: float
    phase: str
    done: "asyncio.Future[InitFailed | None] | None" = None
    deadline: Deadline | None = None


@dataclass(slots=True)
class _Run:
    """The invocation at hand."""

    invocation: Invocation
    result: "asyncio.Future[InvocationResult]"
    started: float
    timeout_s: float
    deadline_ms: int
    deadline: Deadline


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
        self._terminal = surroundings.terminal
        self._freed = freed
        self._loop = asyncio.get_running_loop()
        day = self._clock.utc().strftime("%Y/%m/%d")
        self._log_stream = f"{day}/[{spec.version}]{self._chance.hex(32)}"
        self._new_log = partial(InvocationLog, spec, self._clock, sink, self._log_stream)
        self._sandbox = Sandbox(spec, surroundings, self._log_stream, self)
        self._ready = False
        self._init: _Init | None = None
        self._run: _Run | None = None
        self._log = self._new_log()
        self._init_ms: float | None = None
        self._earlier: tuple[LogRecord, ...] = ()
        self.idle_since = self._clock.monotonic()

    @property
    def warm(self) -> bool:
        """Whether there is a process that has loaded the code."""
        return self._ready and self._sandbox.running

    @property
    def busy(self) -> bool:
        """Whether it loads code or runs an invocation."""
        return self._init is not None or self._run is not None

    async def start(self) -> InitFailed | None:
        """Run the init phase; how it failed, if it did. A failed environment can still be used:
        its first invocation runs init again."""
        done: asyncio.Future[InitFailed | None] = self._loop.create_future()
        self._launch(_Init(self._clock.monotonic(), "init", done))
        return await done

    def begin(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Run one event. Cancelling the future does not end the function."""
        clock = self._clock
        debugged = self._spec.debug_port is not None
        timeout_s = _LONGEST_S if debugged else self._spec.timeout_s
        if invocation.timeout_s is not None and not debugged:
            timeout_s = min(timeout_s, invocation.timeout_s)
        run = self._run = _Run(
            invocation,
            self._loop.create_future(),
            clock.monotonic(),
            timeout_s,
            # The function compares its deadline with real time.
            int((clock.now() - clock.offset_s + timeout_s) * 1000),
            Deadline(None if debugged else timeout_s, self._time_is_up),
        )
        self._log.flush()
        # Shown with this result: init, or the late end of what the function did not wait for.
        self._earlier = self._log.records()
        self._log = self._new_log(invocation.request_id)
        self._log.tell(Started(invocation.request_id))
        if self.warm:
            self._send(run)
        else:
            self._launch(_Init(run.started, "invoke"))
        return run.result

    async def close(self) -> None:
        """End the process and remove its temporary files. A running invocation fails."""
        self._abandon()
        document = exited(self._request_id(), _KILLED)
        if self._init is not None:
            self._init_failed(self._init, document)
        elif self._run is not None:
            ending = partial(FunctionError, document=document)
            self._finish(self._run, ending, Status.ERROR, "Runtime.ExitError")
        await self._sandbox.close()

    # Init

    def _launch(self, init: _Init) -> None:
        self._abandon()
        self._init = init
        debugged = self._spec.debug_port is not None
        if init.phase == "init" and not debugged:
            init.deadline = Deadline(_INIT_LIMIT_S, self._init_time_is_up)
        self._log.tell(InitStarted(init.phase))
        if debugged:  # the process before may still hold the debugger's port
            self._sandbox.when_ended(partial(self._start_process, init))
        else:
            self._start_process(init)

    def _start_process(self, init: _Init) -> None:
        if self._init is not init:
            return
        try:
            self._sandbox.launch()
        except (EdgeproxyError, OSError) as error:
            is_ours = isinstance(error, EdgeproxyError)
            kind = "Runtime.InvalidEntrypoint" if is_ours else "Runtime.InvalidWorkingDir"
            self._init_failed(init, misconfigured(self._request_id(), kind, str(error)))

    def _request_id(self) -> str:
        return self._run.invocation.request_id if self._run else self._chance.uuid()

    def _init_time_is_up(self) -> None:
        if (init := self._init) is not None:
            document = timed_out(self._request_id(), _INIT_LIMIT_S)
            self._init_failed(init, document, Status.TIMEOUT)

    def _init_ended(self, init: _Init) -> float:
        self._init = None
        if init.deadline is not None:
            init.deadline.cancel()
        return (self._clock.monotonic() - init.started) * 1000

    def _initialised(self, init: _Init) -> None:
        duration_ms = self._init_ended(init)
        self._ready = True
        self._sandbox.drain()
        self._log.tell(InitEnded(init.phase, duration_ms))
        self._sandbox.look()
        if self._run is not None:
            self._send(self._run)
        else:
            self._init_ms = duration_ms
            self._end_init_phase(init, None)

    def _init_failed(self, init: _Init, document: Document, status: Status = Status.ERROR) -> None:
        duration_ms = self._init_ended(init)
        self._drain_and_abandon()
        error_type = str(document["errorType"]) if status is Status.ERROR else ""
        self._log.tell(InitEnded(init.phase, duration_ms, status, error_type))
        if self._run is not None:
            self._finish(self._run, partial(InitFailed, document=document), status, error_type)
        else:
            failed = InitFailed("", duration_ms, document=document, log=self._log.records())
            self._end_init_phase(init, failed)

    def _end_init_phase(self, init: _Init, failed: InitFailed | None) -> None:
        self._settle()
        self._log.flush()
        self.idle_since = self._clock.monotonic()
        if init.done is not None and not init.done.done():
            init.done.set_result(failed)

    # Invocation

    def _send(self, run: _Run) -> None:
        invocation = run.invocation
        self._sandbox.send(
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
        self._sandbox.watch()

    def _time_is_up(self) -> None:
        if (run := self._run) is None:
            return
        self._drain_and_abandon()
        if (init := self._init) is not None:
            duration_ms = self._init_ended(init)
            self._log.tell(InitEnded(init.phase, duration_ms, Status.TIMEOUT))
        document = timed_out(run.invocation.request_id, run.timeout_s)
        self._finish(run, partial(TimedOut, document=document), Status.TIMEOUT)

    def _finish(
        self,
        run: _Run,
        ending: Callable[..., InvocationResult],
        status: Status = Status.SUCCESS,
        error_type: str = "",
        *,
        handled: bool = False,
    ) -> None:
        """Complete the invocation: last lines, result, and the environment is free again.

        ``handled``: the runtime itself reported the error.
        """
        run.deadline.cancel()
        self._settle()
        request_id = run.invocation.request_id
        if status is Status.TIMEOUT:
            duration_ms = run.timeout_s * 1000  # as recent reports show it (LR-257)
        else:
            duration_ms = (self._clock.monotonic() - run.started) * 1000
        memory_mb = min(self._sandbox.peak_mb, self._spec.memory_mb)  # AWS gives no more
        init_ms, self._init_ms = self._init_ms, None
        log = self._log
        log.tell(Ended(request_id, duration_ms, memory_mb, init_ms, status, error_type, handled))
        # What the function writes between two invocations belongs to the one before.
        self._log = self._new_log(request_id)
        self._run = None
        self.idle_since = self._clock.monotonic()
        result = ending(
            request_id=request_id,
            duration_ms=duration_ms,
            init_ms=init_ms,
            memory_mb=memory_mb,
            log=self._earlier + log.records(),
            version=self._spec.version,
        )
        self._freed(self, result)
        if not run.result.done():
            run.result.set_result(result)

    def _finish_with_error(self, run: _Run, document: Document) -> None:
        ending = partial(FunctionError, document=document)
        self._finish(run, ending, Status.ERROR, str(document["errorType"]), handled=True)

    # What the worker does

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """The worker sent a frame. One that nobody waits for is dropped."""
        init, run = self._init, self._run
        if kind is Kind.PROMPT:
            self._prompt_opens()
        elif kind is Kind.PROMPT_OVER:
            self._prompt_closes(keeps=body == b"1")
        elif init is not None:
            if kind is Kind.READY:
                self._initialised(init)
            elif kind is Kind.INIT_ERROR:
                self._init_failed(init, orjson.loads(body))
        elif run is not None:
            match kind:
                case Kind.RESULT:
                    self._finish(run, partial(Returned, payload=body))
                case Kind.ERROR:
                    self._finish_with_error(run, orjson.loads(body))
                case Kind.FATAL:
                    self._drain_and_abandon()
                    ending = partial(FunctionError, document=orjson.loads(body))
                    self._finish(run, ending, Status.ERROR, "Runtime.ExitError")
                case Kind.TOO_LARGE:
                    self._finish_with_error(run, too_large())
                case Kind.READY | Kind.INIT_ERROR:
                    pass
                case _:
                    assert_never(kind)

    def output_received(self, stream: str, data: bytes) -> None:
        """The function wrote something."""
        self._log.feed(stream, data)

    def worker_ended(self, status: int) -> None:
        """The process has ended by itself (LR-087, LR-088)."""
        self._sandbox.forget()
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
        self._log.tell(Exited(request_id, status, error_type))
        if init is not None:
            self._init_failed(init, document)
        elif run is not None:
            self._finish(run, partial(FunctionError, document=document), Status.ERROR, error_type)

    def memory_exceeded(self, excess: str) -> None:
        """The process has been ended for its memory (LR-089)."""
        self._died(_KILLED, "Runtime.OutOfMemory", f"ended at {excess}")

    def _settle(self) -> None:
        """Take what was written so far. A prompt that was left open is over."""
        self._sandbox.drain()
        self._terminal.give_back(self)

    def _abandon(self) -> None:
        self._ready = False
        self._terminal.give_back(self)
        self._sandbox.abandon()

    def _drain_and_abandon(self) -> None:
        self._sandbox.drain()
        self._abandon()

    # A person at a prompt

    def _prompt_opens(self) -> None:
        for deadline in self._deadlines():
            deadline.suspend()
        self._terminal.ask(self, self._lend)

    def _lend(self, descriptor: int | None) -> None:
        self._sandbox.lend(descriptor)
        if descriptor is None:
            self._prompt_closes(keeps=False)

    def _prompt_closes(self, *, keeps: bool) -> None:
        """The code goes on; it keeps the terminal when the next prompt is a step away."""
        for deadline in self._deadlines():
            deadline.resume()
        if not keeps:
            self._terminal.give_back(self)

    def _deadlines(self) -> list[Deadline]:
        found = [phase.deadline for phase in (self._init, self._run) if phase is not None]
        return [deadline for deadline in found if deadline is not None]
