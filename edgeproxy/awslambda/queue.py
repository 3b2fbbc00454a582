"""The queue of asynchronous invocations: accepted events, run later, one by one, until each ended.

An event is accepted once it is on the disk (LI-150, LI-158). It is marked there before its function
runs, and how that ended is written before anything else happens: so an event whose function has
answered is not run again, whenever the process is killed. What was interrupted is due again a
second after the next start, as after any fault that is not the function's. Delays and ages are of
the edge's clock; moving it fires what is due then.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from pathlib import Path
from sqlite3 import Error as StoreFailed
from typing import Final, Protocol, TypeAlias, assert_never

import orjson

from edgeproxy.awslambda.aws_calls import DeliveryFailed
from edgeproxy.awslambda.event_store import EventStore, QueuedEvent
from edgeproxy.awslambda.lineage import MOST_PASSES, passed
from edgeproxy.awslambda.model import EventInvokeConfig, FunctionDefinition
from edgeproxy.awslambda.records import function_run, why_failed
from edgeproxy.awslambda.retries import (
    INTERRUPTED_DELAY_S,
    Again,
    Condition,
    GivenUp,
    after_failure,
    after_setback,
)
from edgeproxy.awslambda.routing import LATEST, FunctionNotFound, find_version, qualified_arn
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Decision, Exchange, Recorder
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.tasks import Tasks

__all__ = ["Count", "Delivery", "EventQueue", "Functions", "Tell"]

Tell: TypeAlias = Callable[[str], None]
_Send: TypeAlias = Callable[[], Awaitable[None]]

_AT_ONCE: Final = 50
"""How many events of one function run at the same time; a limit of concurrency may be lower."""
_FILE: Final = "events.sqlite3"


class Functions(Protocol):
    """The Lambda service as the queue needs it."""

    def definition(self, name: str) -> FunctionDefinition | None: ...

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> InvocationResult: ...


class Delivery(Protocol):
    """Tells others how events ended; raises :class:`DeliveryFailed`."""

    async def send_record(self, arn: str, event: QueuedEvent, function_arn: str) -> None: ...

    async def send_dead_letter(self, arn: str, event: QueuedEvent) -> None: ...


@dataclass(frozen=True, slots=True)
class Count:
    """A value of one of Lambda's metrics (LI-251, LI-254)."""

    metric: str
    function: str
    qualifier: str
    value: float = 1


class EventQueue:
    """The events of all functions. Nothing is opened before the first event."""

    def __init__(
        self,
        functions: Functions,
        delivery: Delivery,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        state_dir: Path,
        tell: Tell,
    ) -> None:
        """``recorder`` gets an exchange for each attempt; ``tell`` hears of lost records."""
        self._functions = functions
        self._delivery = delivery
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._file = state_dir / _FILE
        self._tell = tell
        self.counted: Callable[[Count], None] = lambda count: None
        """Told of what the metrics of asynchronous invocation count."""
        self._store: EventStore | None = None
        self._opening = asyncio.Lock()
        self._work = Tasks()
        self._waiting: list[tuple[float, int, str]] = []
        """A heap of when, which, and whose."""
        self._ready: dict[str, deque[int]] = {}
        self._running: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._unwatch: Callable[[], None] = lambda: None

    async def submit(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> None:
        """Accept an event, given as JSON in UTF-8: it is on the disk then (LI-150).

        Raises :class:`UsageError` when it cannot be kept.
        """
        store = self._store or await self._open()
        now = self._clock.now()
        request_id = request_id or self._chance.uuid()
        trace_id = trace_id or f"Root=1-{int(now):08x}-{self._chance.hex(24)}"
        event = QueuedEvent(name, qualifier, request_id, trace_id, now, now, payload=payload)
        try:
            event_id = await store.add(event)
        except StoreFailed as error:
            raise UsageError(
                f"the event cannot be kept in {self._file}: {error}",
                rule="LI-158",
                remedy="make room for it, or give another --state-dir",
            ) from error
        self.counted(Count("AsyncEventsReceived", name, qualifier))
        self._make_ready(event_id, name)

    async def resume(self) -> None:
        """Go on with what an earlier process has left; it is told if that cannot be had."""
        if self._store is None and self._file.exists():
            try:
                await self._open()
            except UsageError as error:
                self._tell(str(error))

    @property
    def is_waiting(self) -> bool:
        """Whether there are events and none of them runs: all wait for their time."""
        return bool(self._waiting) and not self._running.total()

    def note_recursion(self, name: str, qualifier: str) -> None:
        """Count an invocation that was dropped to end a loop (LI-231)."""
        self.counted(Count("RecursiveInvocationsDropped", name, qualifier))

    async def close(self) -> None:
        """Stop. What runs is interrupted, and due again at the next start."""
        self._unwatch()
        await self._work.close()
        if self._store is not None:
            await self._store.close()

    async def _open(self) -> EventStore:
        async with self._opening:
            if self._store is None:
                store = EventStore(self._file)
                for event in await store.open(self._clock.now() + INTERRUPTED_DELAY_S):
                    heappush(self._waiting, (event.due_s, event.id, event.name))
                loop = asyncio.get_running_loop()

                def moved() -> None:
                    # Whoever moves the clock may do so in another thread.
                    loop.call_soon_threadsafe(self._changed.set)

                self._unwatch = self._clock.watch(moved)
                _ = self._work.start(self._fire(), "asynchronous events")
                self._store = store
        return self._store

    async def _fire(self) -> None:
        """Make events ready as they become due."""
        while True:
            self._changed.clear()
            while self._waiting and self._waiting[0][0] <= self._clock.now():
                _, event_id, name = heappop(self._waiting)
                self._make_ready(event_id, name)
            delay_s = self._waiting[0][0] - self._clock.now() if self._waiting else None
            try:
                async with asyncio.timeout(delay_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _make_ready(self, event_id: int, name: str) -> None:
        self._ready.setdefault(name, deque()).append(event_id)
        self._start_ready(name)

    def _start_ready(self, name: str) -> None:
        ready = self._ready[name]
        while ready and self._running[name] < _AT_ONCE:
            self._running[name] += 1
            _ = self._work.start(self._take(ready.popleft(), name), f"event of {name}")

    async def _take(self, event_id: int, name: str) -> None:
        """One attempt at an event, and what follows from it."""
        assert self._store is not None
        try:
            event = await self._store.begin(event_id)
            if not event.condition:
                event = await self._attempted(event)
                if event.condition and not self._targets(event):
                    await self._store.remove(event_id)
                    return
                await self._store.change(event)
            if event.condition:
                await self._deliver(event)
                await self._store.remove(event_id)
            else:
                heappush(self._waiting, (event.due_s, event_id, name))
                self._changed.set()
        finally:
            self._running[name] -= 1
            self._start_ready(name)

    async def _attempted(self, event: QueuedEvent) -> QueuedEvent:
        """The event after its function has had it, or after it was seen that it must not."""
        now, config = self._clock.now(), self._config(event)
        definition = self._functions.definition(event.name)
        self.counted(
            Count("AsyncEventAge", event.name, event.qualifier, (now - event.accepted_s) * 1000)
        )
        if definition is None:
            return self._after_setback(event, config)
        if definition.reserved_concurrency == 0:
            return self._given_up(event, Condition.ZERO_RESERVED_CONCURRENCY)
        if now - event.accepted_s > config.max_age_s:
            return self._given_up(event, Condition.EVENT_AGE_EXCEEDED)
        trace_id, passes = passed(event.trace_id, definition.spec.arn)
        if passes > MOST_PASSES and not definition.allows_recursion:
            self.note_recursion(event.name, event.qualifier)
            return self._given_up(event, Condition.RETRIES_EXHAUSTED)
        event = replace(event, trace_id=trace_id)
        try:
            result = await self._run(event)
        except FunctionNotFound:
            return self._after_setback(event, config)
        return self._after(event, result, config)

    async def _run(self, event: QueuedEvent) -> InvocationResult:
        path = f"/2015-03-31/functions/{event.name}/invocations"
        exchange = Exchange(
            self._chance.uuid(),
            "invoke",
            event.name,
            Request("POST", path, body=BytesBody(event.payload)),
            self._clock.now(),
            self._clock,
        )
        with exchange.step("function", before=exchange.request) as step:
            result = await self._functions.invoke(
                event.name,
                event.payload,
                qualifier=event.qualifier,
                trace_id=event.trace_id,
                request_id=event.request_id,
            )
            step.function = function_run(event.name, "event", result, qualifier=event.qualifier)
            step.decision = _decision(event.name, result)
        exchange.response = Response(429 if isinstance(result, Throttled) else 200)
        exchange.duration_s = exchange.elapsed()
        self._recorder.ended(exchange)
        return result

    def _after(
        self, event: QueuedEvent, result: InvocationResult, config: EventInvokeConfig
    ) -> QueuedEvent:
        match result:
            case Throttled():
                context = orjson.dumps({"statusCode": 429})
                event = replace(event, response_context=event.response_context or context)
                return self._after_setback(event, config)
            case Returned():
                ended = _answered(event, result.version, result.payload)
                return replace(ended, condition=Condition.SUCCESS)
            case FunctionError() | InitFailed():
                answer = result.body or orjson.dumps(result.document)
            case TimedOut():
                answer = orjson.dumps(result.document)
            case _:
                assert_never(result)
        event = _answered(event, result.version, answer, "Unhandled")
        event = replace(event, failures=event.failures + 1, setbacks=0)
        return self._next(event, after_failure(event.failures, *self._times(event), config))

    def _after_setback(self, event: QueuedEvent, config: EventInvokeConfig) -> QueuedEvent:
        event = replace(event, setbacks=event.setbacks + 1)
        return self._next(event, after_setback(event.setbacks, *self._times(event), config))

    def _times(self, event: QueuedEvent) -> tuple[float, float]:
        return event.accepted_s, self._clock.now()

    def _next(self, event: QueuedEvent, follows: Again | GivenUp) -> QueuedEvent:
        match follows:
            case Again():
                return replace(event, due_s=follows.due_s)
            case GivenUp():
                return self._given_up(event, follows.condition)
            case _:
                assert_never(follows)

    def _given_up(self, event: QueuedEvent, condition: Condition) -> QueuedEvent:
        self.counted(Count("AsyncEventsDropped", event.name, event.qualifier))
        return replace(event, condition=condition)

    def _config(self, event: QueuedEvent) -> EventInvokeConfig:
        definition = self._functions.definition(event.name)
        configs = definition.event_invoke if definition is not None else {}
        return configs.get(event.qualifier or LATEST, EventInvokeConfig())

    def _targets(self, event: QueuedEvent) -> list[tuple[str, _Send]]:
        """Who is to be told how an event ended: the metric for when that fails, and how to tell."""
        definition = self._functions.definition(event.name)
        if definition is None:
            return []
        config = self._config(event)
        has_failed = event.condition != Condition.SUCCESS
        found: list[tuple[str, _Send]] = []
        if arn := config.on_failure if has_failed else config.on_success:
            own = qualified_arn(definition.spec.arn, event.qualifier or LATEST)
            found.append(
                (
                    "DestinationDeliveryFailures",
                    lambda: self._delivery.send_record(arn, event, own),
                )
            )
        if has_failed and (queue := _dead_letter_arn(definition, event.qualifier)):
            found.append(
                ("DeadLetterErrors", lambda: self._delivery.send_dead_letter(queue, event))
            )
        return found

    async def _deliver(self, event: QueuedEvent) -> None:
        """Tell all; who cannot be told is not told again (LI-174, LI-197)."""
        for metric, send in self._targets(event):
            try:
                await send()
            except DeliveryFailed as error:
                self.counted(Count(metric, event.name, event.qualifier))
                self._tell(f"{metric}: an event of {event.name} is lost: {error}")


def _answered(event: QueuedEvent, version: str, answer: bytes, error: str = "") -> QueuedEvent:
    context = {"statusCode": 200, "executedVersion": version or LATEST}
    if error:
        context["functionError"] = error
    return replace(
        event,
        attempts=event.attempts + 1,
        response_context=orjson.dumps(context),
        response_payload=answer,
    )


def _dead_letter_arn(definition: FunctionDefinition, qualifier: str) -> str:
    """That of the version behind ``qualifier`` (LI-170)."""
    try:
        version = find_version(definition, qualifier)
    except FunctionNotFound:
        version = LATEST
    return definition.frozen.get(version, definition.spec).dead_letter_arn


def _decision(name: str, result: InvocationResult) -> Decision:
    match result:
        case Returned():
            return Decision("answered")
        case FunctionError() | TimedOut() | InitFailed():
            return Decision("failed", why_failed(name, result))
        case Throttled():
            return Decision("throttled", f"{name}: {result.reason}")
        case _:
            assert_never(result)
