"""Stand-ins for what the doors are given: a service with prepared answers, a recorder's memory."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Request
from edgeproxy.runtimes.invocation import InvocationResult, ResponseSink, Returned

__all__ = ["Recording", "Service", "returned"]


def returned(value: object) -> Returned:
    return Returned("request-1", 1.5, payload=orjson.dumps(value))


@dataclass
class Service:
    """Answers every invocation with ``answer`` (or what it holds for that function)."""

    answer: InvocationResult | Exception = field(default_factory=lambda: returned("ok"))
    answers: dict[str, InvocationResult] = field(default_factory=dict)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """(function, qualifier, trace ID) of each invocation."""
    events: list[dict[str, Any]] = field(default_factory=list)

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        trace_id: str = "",
        client_context: str = "",
        request_id: str = "",
        sink: ResponseSink | None = None,
        request: Request | None = None,
    ) -> InvocationResult:
        self.calls.append((name, qualifier, trace_id))
        self.events.append(orjson.loads(payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answers.get(name, self.answer)

    @property
    def event(self) -> dict[str, Any]:
        return self.events[-1]


@dataclass
class Recording:
    """A recorder that keeps what it is told."""

    ended_: list[Exchange] = field(default_factory=list)

    def ended(self, exchange: Exchange) -> None:
        self.ended_.append(exchange)
