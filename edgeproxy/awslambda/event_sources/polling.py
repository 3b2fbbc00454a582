"""What pollers of queues and of streams share: invoking the function, waiting, telling."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

import orjson

from edgeproxy.awslambda.aws_calls import DeliveryFailed
from edgeproxy.awslambda.event_sources.model import EventSourceMapping
from edgeproxy.awslambda.event_sources.outcomes import Outcome, outcome
from edgeproxy.awslambda.event_sources.records import Document, Record
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.records import recorded
from edgeproxy.awslambda.routing import qualified_arn
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import EdgeproxyError
from edgeproxy.exchange.model import Recorder
from edgeproxy.runtimes.invocation import InvocationResult, Returned, Throttled

__all__ = ["LARGEST_EVENT", "Functions", "Polling", "Send", "backoff_s", "event"]

LARGEST_EVENT: Final = 6_000_000
"""Bytes of records in a batch: what fits into an invocation, with room for what is around them."""
_SHORTEST_S: Final = 0.25
_LONGEST_S: Final = 30.0

Send: TypeAlias = Callable[[str, Document, str, str, bytes], Awaitable[None]]
"""As of :meth:`edgeproxy.awslambda.event_sources.discards.Discards.send`."""
_T = TypeVar("_T")


class Functions(Protocol):
    """The Lambda service as pollers need it."""

    def definition(self, name: str) -> FunctionDefinition | None: ...

    async def invoke(
        self, name: str, payload: bytes, *, qualifier: str = "", request_id: str = ""
    ) -> InvocationResult: ...


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures in a row; AWS does not tell its own delays."""
    return float(min(_SHORTEST_S * 2 ** min(failures, 10), _LONGEST_S))


@dataclass(slots=True)
class Polling:
    """One mapping's work: what it runs with, and how its last batch ended."""

    mapping: EventSourceMapping
    functions: Functions
    clock: Clock
    chance: Chance
    recorder: Recorder
    tell: Callable[[str], None]
    count: Callable[[str, str, str, float], None]
    """Takes a value of a metric: name, function, qualifier, value."""
    send: Send
    last_result: str = "No records processed"

    async def invoke(
        self, batch: Sequence[Record], more: Document | None = None
    ) -> tuple[Outcome, InvocationResult]:
        """Have the function deal with a batch; ``more`` is what its event has beside records."""
        mapping = self.mapping
        payload = event(batch, more)
        result = await recorded(
            self._invoked(payload),
            mapping.function,
            mapping.qualifier,
            payload,
            self.recorder,
            self.clock,
            self.chance.uuid(),
        )
        ended = outcome(result, [each.id for each in batch], partial=mapping.partial)
        is_well = isinstance(result, Returned)
        self.last_result = "OK" if is_well else "PROBLEM: Function call failed"
        return ended, result

    async def _invoked(self, payload: bytes) -> InvocationResult:
        request_id = self.chance.uuid()
        try:
            return await self.functions.invoke(
                self.mapping.function,
                payload,
                qualifier=self.mapping.qualifier,
                request_id=request_id,
            )
        except (EdgeproxyError, OSError) as error:  # There is nothing that could run it.
            return Throttled(request_id, str(error))

    @property
    def function_arn(self) -> str:
        definition = self.functions.definition(self.mapping.function)
        arn = definition.spec.arn if definition is not None else self.mapping.function
        return qualified_arn(arn, self.mapping.qualifier)

    async def asked(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """What ``call`` gives, as often as it takes: trouble is told once, and when it is over."""
        failures = 0
        while True:
            try:
                answer = await call()
            except DeliveryFailed as error:
                if not failures:
                    self.tell(f"{self.mapping.arn} cannot be read, it is tried again: {error}")
                    self.last_result = f"PROBLEM: {error.message}"
                await asyncio.sleep(backoff_s(failures))
                failures += 1
            else:
                if failures:
                    self.tell(f"{self.mapping.arn} can be read again")
                return answer

    async def until(self, time_s: float) -> None:
        """Wait until the edge's clock says so."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()

        def moved() -> None:
            # Whoever moves the clock may do so in another thread.
            loop.call_soon_threadsafe(changed.set)

        unwatch = self.clock.watch(moved)
        try:
            while (left_s := time_s - self.clock.now()) > 0:
                changed.clear()
                try:
                    async with asyncio.timeout(left_s):
                        await changed.wait()
                except TimeoutError:
                    pass
        finally:
            unwatch()


def event(batch: Sequence[Record], more: Document | None = None) -> bytes:
    """The event of a batch."""
    return orjson.dumps({"Records": [each.document for each in batch], **(more or {})})
