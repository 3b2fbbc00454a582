from dataclasses import replace
from pathlib import Path

import pytest

from edgeproxy.awslambda.attempts import Attempts, Count
from edgeproxy.awslambda.event_records import dead_letter
from edgeproxy.awslambda.event_store import QueuedEvent
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Exchange
from edgeproxy.runtimes.invocation import FunctionSpec, InvocationResult


class Broken:
    """A Lambda service that cannot run its function."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def definition(self, name: str) -> FunctionDefinition | None:
        return FunctionDefinition(name, FunctionSpec(name, "python3.12", "a.b", Path(), "arn"))

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        trace_id: str = "",
        request_id: str = "",
    ) -> InvocationResult:
        raise self.error


class Nobody:
    def ended(self, exchange: Exchange) -> None: ...


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(28, "No space left on device"), "500"),
        (UsageError("no interpreter"), "500"),
        (FunctionNotFound("no such version"), "404"),
    ],
)
@pytest.mark.rule("LI-152", "LI-173")
async def test_what_keeps_a_function_from_running_uses_up_no_attempt(
    error: Exception, code: str
) -> None:
    clock, counts = Clock(), list[Count]()
    attempts = Attempts(Broken(error), clock, Chance(1), Nobody(), counts.append)
    event = QueuedEvent("f", "", "r-1", "Root=1", clock.now(), clock.now())
    tried = await attempts.make(event)
    assert (tried.condition, tried.attempts, tried.setbacks) == ("", 0, 1)
    assert tried.due_s == pytest.approx(clock.now() + 1, abs=0.5)
    late = await attempts.make(replace(tried, accepted_s=clock.now() - 21_599.9))
    assert (late.condition, late.attempts) == ("EventAgeExceeded", 0)
    assert dead_letter(late).attributes["ErrorCode"] == ("Number", code)
    assert [count.metric for count in counts][-1] == "AsyncEventsDropped"


async def test_no_age_is_negative() -> None:
    clock, counts = Clock(), list[Count]()
    attempts = Attempts(Broken(OSError()), clock, Chance(1), Nobody(), counts.append)
    later = clock.now() + 1000  # of a clock that has gone back since
    await attempts.make(QueuedEvent("f", "", "r-1", "Root=1", later, later))
    assert counts == [Count("AsyncEventAge", "f", "", 0)]
