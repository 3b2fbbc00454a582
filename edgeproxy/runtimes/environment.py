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
from functools import partial
from typing import Any, Final, assert_never

import orjson

from edgeproxy.errors import EdgeproxyError
from edgeproxy.runtimes.deadline import Deadline
from edgeproxy.runtimes.documents import Document, exited, misconfigured, timed_out
from edgeproxy.runtimes.extensions_api import ShutdownReason
from edgeproxy.runtimes.framing import Kind
from edgeproxy.runtimes.invocation import (
    FunctionError,
    FunctionSpec,
    InitFailed,
    Invocation,
    InvocationResult,
    LogEntry,
    LogLines,
    TimedOut,
)
from edgeproxy.runtimes.logs import InvocationLog
from edgeproxy.runtimes.phases import Answer, Run, Start, answer_of, init_limit_s, parse_document
from edgeproxy.runtimes.platform_events import (
    Ended,
    Exited,
    InitEnded,
    InitStarted,
    Started,
    Status,
)
from edgeproxy.runtimes.prompting import Prompting
from edgeproxy.runtimes.sandbox import Sandbox, Surroundings
from edgeproxy.runtimes.streaming import ResponseStream

__all__ = ["Environment"]

_LONGEST_S: Final = 900.0
"""What a function sees of its time while it is debugged: the longest timeout there is."""
_KILLED: Final = -9
_PATIENCE_S: Final = 0.1
"""How long a caller's answer waits for END and REPORT, so that they are in its log."""


class Environment:
    """Runs invocations of one version of a function, one at a time.

    ``sink`` sees each log line at once; ``freed`` is told each result as soon as the environment
    can take another invocation, before the caller gets it.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        surroundings: Surroundings,
        sink: Callable[[LogEntry], None],
        freed: Callable[["Environment", InvocationResult], None],
        lost: Callable[["Environment"], None] = lambda environment: None,
    ) -> None:
        """``lost`` is told when the process ends while it has nothing to do."""
        self.spec = spec
        self._clock = surroundings.clock
        self._chance = surroundings.chance
        self._freed = freed
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        day = self._clock.utc().strftime("%Y/%m/%d")
        self._log_stream = f"{day}/[{spec.version}]{self._chance.hex(32)}"
        self._sandbox = Sandbox(spec, surroundings, self._log_stream, self)
        self._prompt = Prompting(surroundings.terminal, self._sandbox.lend, self._deadlines)
        self._ready = False
        self._init: Start | None = None
        self._run: Run | None = None
        self._limit = Deadline(None, self._time_is_up)
        self._log = InvocationLog(spec, self._clock, sink, self._log_stream)
        self._init_ms: float | None = None
        self._earlier: list[LogEntry] = []
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
        await self._sandbox.open()
        self._launch(Start(self._clock.monotonic(), "init", done))
        return await done

    def begin(self, invocation: Invocation) -> "asyncio.Future[InvocationResult]":
        """Run one event. Cancelling the future does not end the function."""
        ended: asyncio.Future[InvocationResult] = self._loop.create_future()
        self.run(invocation, partial(_settle, ended))
        return ended

    def run(self, invocation: Invocation, then: Callable[[InvocationResult], None]) -> None:
        """Run one event and call ``then`` with its result."""
        clock, spec = self._clock, self.spec
        if spec.debug_port is not None:
            timeout_s = _LONGEST_S
        else:
            timeout_s = spec.timeout_s
            if invocation.timeout_s is not None:
                timeout_s = min(timeout_s, invocation.timeout_s)
            self._limit.start(timeout_s)
        run = self._run = Run(
            invocation,
            then,
            clock.monotonic(),
            timeout_s,
            # The function compares its deadline with real time.
            int((clock.now() - clock.offset_s + timeout_s) * 1000),
            self._limit,
        )
        # Shown with this result: init, or the late end of what the function did not wait for.
        self._earlier = self._log.renew(invocation.request_id)
        self._log.tell(Started(invocation.request_id, invocation.trace_id))
        if self.warm:
            self._send(run)
        else:
            self._launch(Start(run.started, "invoke"))

    async def close(self) -> None:
        """End the process and remove its temporary files. A running invocation fails."""
        self._abandon(ShutdownReason.SPINDOWN)
        self._fail(exited(self._request_id(), _KILLED), "Runtime.ExitError")
        self._limit.close()
        await self._sandbox.close()

    # Init

    def _launch(self, init: Start) -> None:
        self._abandon()
        self._init = init
        debugged = self.spec.debug_port is not None
        if init.phase == "init" and not debugged:
            init.deadline = Deadline(init_limit_s(self.spec), self._init_time_is_up)
        self._log.tell(InitStarted(init.phase))
        # Processes before may still hold the debugger's port; extensions end in their own time.
        if debugged or not self._sandbox.alone:
            self._sandbox.when_ended(partial(self._start_process, init))
        else:
            self._start_process(init)

    def _start_process(self, init: Start) -> None:
        if self._init is init:
            self._try(init, self._sandbox.launch)

    def _try(self, init: Start, launch: Callable[[], None]) -> None:
        try:
            launch()
        except (EdgeproxyError, OSError) as error:
            is_ours = isinstance(error, EdgeproxyError)
            kind = "Runtime.InvalidEntrypoint" if is_ours else "Runtime.InvalidWorkingDir"
            self._init_failed(init, misconfigured(self._request_id(), kind, str(error)))

    def _request_id(self) -> str:
        return self._run.invocation.request_id if self._run else self._chance.uuid()

    def _init_time_is_up(self) -> None:
        if (init := self._init) is not None:
            document = timed_out(self._request_id(), init_limit_s(self.spec))
            self._init_failed(init, document, Status.TIMEOUT)

    def _init_ended(self, init: Start) -> float:
        self._init = None
        if init.deadline is not None:
            init.deadline.close()
        for extension in self._sandbox.extensions():
            self._log.tell(extension)
        return (self._clock.monotonic() - init.started) * 1000

    def _initialised(self, init: Start) -> None:
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

    def _init_failed(
        self,
        init: Start,
        document: Document,
        status: Status = Status.ERROR,
        body: bytes = b"",
    ) -> None:
        duration_ms = self._init_ended(init)
        self._drain_and_abandon()
        error_type = str(document.get("errorType", "")) if status is Status.ERROR else ""
        self._log.tell(InitEnded(init.phase, duration_ms, status, error_type))
        ending = partial(InitFailed, document=document, body=body)
        if self._run is not None:
            self._finish(self._run, Answer(ending, status, error_type))
        else:
            failed = InitFailed("", duration_ms, log=self._log.records(), document=document)
            self._end_init_phase(init, failed)

    def _end_init_phase(self, init: Start, failed: InitFailed | None) -> None:
        self._settle()
        self._log.flush()
        self.idle_since = self._clock.monotonic()
        if init.done is not None and not init.done.done():
            init.done.set_result(failed)

    # Invocation

    def _send(self, run: Run) -> None:
        arn = run.invocation.invoked_arn or self.spec.arn
        self._sandbox.hand_over(run.invocation, run.deadline_ms, arn)
        self._sandbox.watch()

    def _time_is_up(self) -> None:
        if (run := self._run) is None:
            return
        self._drain_and_abandon(ShutdownReason.TIMEOUT)
        if (init := self._init) is not None:
            duration_ms = self._init_ended(init)
            self._log.tell(InitEnded(init.phase, duration_ms, Status.TIMEOUT))
        document = timed_out(run.invocation.request_id, run.timeout_s)
        self._finish(run, Answer(partial(TimedOut, document=document), Status.TIMEOUT))

    def _finish(self, run: Run, answer: Answer) -> None:
        """Complete the invocation: last lines, result, and the environment is free again."""
        run.deadline.cancel()
        if run.stream is not None:
            run.stream.close()
        self._settle()
        now, request_id = self._clock.monotonic(), run.invocation.request_id
        if run.answered is not None:
            run.invocation.extensions_took((now - run.answered) * 1000)
        if answer.status is Status.TIMEOUT:
            duration_ms = run.timeout_s * 1000  # as recent reports show it (LR-257)
        else:
            duration_ms = (now - run.started) * 1000
        memory_mb = self._memory_mb
        how = (answer.status, answer.error_type, answer.handled, run.invocation.trace_id)
        self._log.tell(Ended(request_id, duration_ms, memory_mb, self._init_ms, *how))
        facts = self._facts(run, duration_ms, memory_mb)
        self._init_ms = None
        # What the function writes between two invocations belongs to the one before.
        self._log.renew(request_id)
        self._run = None
        self.idle_since = now
        result = answer.ending(**facts)
        self._freed(self, result)
        if not run.told:
            # Whatever happened since the runtime has answered: the caller gets the answer.
            given = run.answer
            run.told = True
            run.then(given.ending(**facts) if given is not None else result)

    def _answer_early(self, run: Run) -> None:
        """Do not keep the caller waiting while work goes on; END and REPORT come later."""
        if run.answer is None or run.told:
            return
        self._sandbox.drain()
        duration_ms = (self._clock.monotonic() - run.started) * 1000
        run.told = True
        run.then(run.answer.ending(**self._facts(run, duration_ms, self._memory_mb)))

    def _facts(self, run: Run, duration_ms: float, memory_mb: int) -> dict[str, Any]:
        """What every result tells."""
        return {
            "request_id": run.invocation.request_id,
            "duration_ms": duration_ms,
            "init_ms": self._init_ms,
            "memory_mb": memory_mb,
            "log": LogLines((*self._earlier, *self._log.entries)),
            "version": self.spec.version,
            "trace_id": run.invocation.trace_id,
        }

    @property
    def _memory_mb(self) -> int:
        return min(self._sandbox.memory.peak_mb, self.spec.memory_mb)  # AWS gives no more

    # What the worker does

    def frame_received(self, kind: Kind, body: bytes) -> None:
        """The worker sent a frame. One that nobody waits for is dropped."""
        init, run = self._init, self._run
        if kind is Kind.PROMPT:
            self._prompt.opens()
        elif kind is Kind.PROMPT_OVER:
            self._prompt.closes(keeps=body == b"1")
        elif init is not None:
            if kind is Kind.READY:
                self._sandbox.runtime_is_idle()
                self.moved()
            elif kind is Kind.INIT_ERROR:
                self._init_failed(init, orjson.loads(body))
        elif run is not None:
            match kind:
                case Kind.STREAM:
                    sink = run.invocation.sink
                    run.stream = ResponseStream(sink, body.decode(), self._sandbox)
                case Kind.CHUNK | Kind.STREAM_END:
                    if run.stream is not None and kind is Kind.CHUNK:
                        run.stream.data(body)
                    elif run.stream is not None:
                        self.streamed(run.stream)
                case Kind.RESULT | Kind.ERROR | Kind.TOO_LARGE:
                    self._sandbox.runtime_is_idle()
                    if run.answer is None:
                        self.answered(kind, body)
                    else:
                        self.moved()
                case Kind.FATAL:
                    self._drain_and_abandon()
                    self._finish(run, answer_of(kind, body))
                case Kind.READY | Kind.INIT_ERROR:
                    pass
                case _:
                    assert_never(kind)

    def streamed(self, stream: ResponseStream) -> None:
        """The runtime has answered with ``stream``, which is complete."""
        if stream.fits:
            self.answered(Kind.RESULT, stream.complete(), content_type=stream.content_type)
        else:
            self.answered(Kind.TOO_LARGE, b"")

    def answered(
        self, kind: Kind, body: bytes, error_type: str = "", content_type: str = ""
    ) -> None:
        """The runtime has answered; the invocation lasts until all ask for the next (LR-216)."""
        if (run := self._run) is None:
            return
        answer = answer_of(kind, body, error_type, content_type)
        if self._sandbox.idle:
            self._finish(run, answer)
        else:
            run.answer, run.answered = answer, self._clock.monotonic()
            self._loop.call_later(_PATIENCE_S, self._answer_early, run)

    def broke_off(self, error_type: str, message: str) -> None:
        """The runtime's answer cannot be used (LR-210)."""
        if (run := self._run) is not None:
            document = misconfigured(run.invocation.request_id, error_type, message)
            run.answer = Answer(partial(FunctionError, document=document), Status.ERROR, error_type)
            self._loop.call_later(_PATIENCE_S, self._answer_early, run)

    def moved(self) -> None:
        """Runtime or extension has come a step further: start the runtime, or end the phase."""
        if (init := self._init) is not None:
            if self._sandbox.waits:
                self._try(init, self._sandbox.launch_runtime)
            elif self._sandbox.idle:
                self._initialised(init)
        elif (run := self._run) is not None and run.answer is not None and self._sandbox.idle:
            self._finish(run, run.answer)

    def init_error(self, body: bytes, error_type: str) -> None:
        """A custom runtime could not start (LR-206)."""
        if (init := self._init) is not None:
            document = {"errorType": error_type, **parse_document(body)}
            self._init_failed(init, document, body=body)

    def extension_failed(self, error_type: str, name: str) -> None:
        """An external extension is gone, or an extension has reported an error (LR-233)."""
        document = misconfigured(self._request_id(), error_type, f"extension {name} has failed")
        if self._init is None:
            self._drain_and_abandon()
        self._fail(document, error_type)

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
        if not self.busy:
            self._lost(self)
            return
        request_id = self._request_id()
        document = exited(request_id, status)
        self._log.explain(why)
        self._log.tell(Exited(request_id, status, error_type))
        self._fail(document, error_type)

    def _fail(self, document: Document, error_type: str) -> None:
        """End what is going on with an error of the platform's own."""
        if (init := self._init) is not None:
            self._init_failed(init, document)
        elif (run := self._run) is not None:
            ending = partial(FunctionError, document=document)
            self._finish(run, Answer(ending, Status.ERROR, error_type))

    def memory_exceeded(self, excess: str) -> None:
        """The process has been ended for its memory (LR-089)."""
        self._died(_KILLED, "Runtime.OutOfMemory", f"ended at {excess}")

    def _settle(self) -> None:
        """Take what was written so far. A prompt that was left open is over."""
        self._sandbox.drain()
        self._prompt.end()

    def _abandon(self, reason: ShutdownReason = ShutdownReason.FAILURE) -> None:
        self._ready = False
        self._prompt.end()
        self._sandbox.abandon(reason)

    def _drain_and_abandon(self, reason: ShutdownReason = ShutdownReason.FAILURE) -> None:
        self._sandbox.drain()
        self._abandon(reason)

    def _deadlines(self) -> list[Deadline]:
        found = [phase.deadline for phase in (self._init, self._run) if phase is not None]
        return [deadline for deadline in found if deadline is not None]


def _settle(ended: "asyncio.Future[InvocationResult]", result: InvocationResult) -> None:
    if not ended.done():
        ended.set_result(result)
