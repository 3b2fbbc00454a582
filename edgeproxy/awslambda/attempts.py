"""One attempt at an asynchronous event: may its function have it, and what follows from the answer.

Configuration, code and reservation are those of the day (LI-155, LI-157).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, assert_never

import orjson

from edgeproxy.awslambda.event_store import QueuedEvent
from edgeproxy.awslambda.lineage import MOST_PASSES, passed
from edgeproxy.awslambda.model import EventInvokeConfig, FunctionDefinition
from edgeproxy.awslambda.records import recorded
from edgeproxy.awslambda.retries import (
    Again,
    Condition,
    GivenUp,
    after_failure,
    after_setback,
    config_of,
)
from edgeproxy.awslambda.routing import LATEST, FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import EdgeproxyError
from edgeproxy.exchange.model import Recorder
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["Attempts", "Count", "Counting", "Functions"]


class Functions(Protocol):
    """The Lambda service as asynchronous invocation needs it."""

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


@dataclass(frozen=True, slots=True)
class Count:
    """A value of one of Lambda's metrics (LI-251, LI-254)."""

    metric: str
    function: str
    qualifier: str
    value: float = 1


Counting: TypeAlias = Callable[[Count], None]


class Attempts:
    """Makes attempts; ``recorder`` gets an exchange for each run of a function."""

    def __init__(
        self,
        functions: Functions,
        clock: Clock,
        chance: Chance,
        recorder: Recorder,
        count: Counting,
    ) -> None:
        self._functions = functions
        self._clock = clock
        self._chance = chance
        self._recorder = recorder
        self._count = count

    async def make(self, event: QueuedEvent) -> QueuedEvent:
        """The event after its function has had it, or after it was seen that it must not.

        It has ended if it has a condition; otherwise there will be another attempt.
        """
        age_s = max(0.0, self._clock.now() - event.accepted_s)
        self._count(Count("AsyncEventAge", event.name, event.qualifier, age_s * 1000))
        definition = self._functions.definition(event.name)
        config = config_of(definition, event.qualifier)
        if definition is None:
            return self._set_back(event, 404, config)
        if definition.reserved_concurrency == 0:
            return self._given_up(event, Condition.ZERO_RESERVED_CONCURRENCY)
        if age_s > config.max_age_s:
            return self._given_up(event, Condition.EVENT_AGE_EXCEEDED)
        trace_id, passes = passed(event.trace_id, definition.spec.arn)
        if passes > MOST_PASSES and not definition.allows_recursion:
            self._count(Count("RecursiveInvocationsDropped", event.name, event.qualifier))
            dropped = replace(event, response_context=_status(400))
            return self._given_up(dropped, Condition.RETRIES_EXHAUSTED)
        event = replace(event, trace_id=trace_id)  # those who are told pass it on
        try:
            result = await self._run(event)
        except FunctionNotFound:  # nor is there such a version
            return self._set_back(event, 404, config)
        except (EdgeproxyError, OSError):  # no process could be started, say
            return self._set_back(event, 500, config)
        return self._after(event, result, config)

    async def _run(self, event: QueuedEvent) -> InvocationResult:
        invoked = self._functions.invoke(
            event.name,
            event.payload,
            qualifier=event.qualifier,
            trace_id=event.trace_id,
            request_id=event.request_id,
        )
        return await recorded(
            invoked,
            event.name,
            event.qualifier,
            event.payload,
            self._recorder,
            self._clock,
            self._chance.uuid(),
        )

    def _after(
        self, event: QueuedEvent, result: InvocationResult, config: EventInvokeConfig
    ) -> QueuedEvent:
        match result:
            case Throttled():
                return self._set_back(event, 429, config)
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
        now = self._clock.now()
        return self._next(event, after_failure(event.failures, event.accepted_s, now, config))

    def _set_back(self, event: QueuedEvent, status: int, config: EventInvokeConfig) -> QueuedEvent:
        """It did not reach its function: none of its attempts is used up (LI-152)."""
        event = replace(
            event,
            setbacks=event.setbacks + 1,
            response_context=event.response_context if event.failures else _status(status),
        )
        now = self._clock.now()
        return self._next(event, after_setback(event.setbacks, event.accepted_s, now, config))

    def _next(self, event: QueuedEvent, follows: Again | GivenUp) -> QueuedEvent:
        match follows:
            case Again():
                return replace(event, due_s=follows.due_s)
            case GivenUp():
                return self._given_up(event, follows.condition)
            case _:
                assert_never(follows)

    def _given_up(self, event: QueuedEvent, condition: Condition) -> QueuedEvent:
        self._count(Count("AsyncEventsDropped", event.name, event.qualifier))
        return replace(event, condition=condition)


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


def _status(code: int) -> bytes:
    return b'{"statusCode":%d}' % code
