from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from edgeproxy.awslambda.event_sources.model import EventSource, EventSourceMapping
from edgeproxy.awslambda.event_sources.outcomes import NotRun
from edgeproxy.awslambda.event_sources.polling import Polling
from edgeproxy.awslambda.event_sources.records import Record
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.exchange.model import Exchange
from edgeproxy.runtimes.invocation import FunctionSpec, InvocationResult

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"


class Broken:
    """A Lambda service that cannot run its function."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def definition(self, name: str) -> FunctionDefinition | None:
        return FunctionDefinition(name, FunctionSpec(name, "python3.12", "a.b", Path(), "arn"))

    async def invoke(
        self, name: str, payload: bytes, *, qualifier: str = "", request_id: str = ""
    ) -> InvocationResult:
        raise self.error


class Seen:
    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def ended(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), FunctionNotFound("no such")])
async def test_a_batch_that_cannot_be_run_is_left_for_later(error: Exception) -> None:
    seen = Seen()
    polling = Polling(
        EventSourceMapping("uuid", EventSource.SQS, QUEUE, "f", ""),
        Broken(error),
        Clock(),
        Chance(1),
        seen,
        tell=print,
        count=print,
        send=AsyncMock(),
    )
    ended, _ = await polling.invoke([Record("1", {"body": "one"})])
    assert ended == NotRun()
    assert polling.last_result == "PROBLEM: Function call failed"
    (exchange,) = seen.exchanges
    assert exchange.response is not None
    assert exchange.response.status == 429
    decision = exchange.steps[0].decision
    assert decision is not None
    assert str(error) in decision.why
