"""A small distribution, a scene in it, and functions with prepared results."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from edgeproxy.cache.cache import Cache
from edgeproxy.cache.stores.memory import MemoryStore
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import (
    Behavior,
    CachePolicy,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
    Origin,
)
from edgeproxy.edge.outcomes import Scene
from edgeproxy.edge.tiers import Tiers
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import EMPTY_BODY, Body
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.runtimes.cloudfront_js.engine import Event, RunContext
from edgeproxy.runtimes.cloudfront_js.outcome import Completed, Outcome
from edgeproxy.runtimes.invocation import InvocationResult, Returned
from edgeproxy.tasks import Tasks

__all__ = [
    "BEHAVIOR",
    "ID",
    "SITE",
    "WEB",
    "Functions",
    "Lambdas",
    "associated",
    "cache",
    "request",
    "returned",
    "scene",
    "tiers",
]

ID = "A" * 54 + "=="
WEB = Origin("web", "web.example", CustomOrigin(), "/app")
BEHAVIOR = Behavior("*", "web", CachePolicy("CachingOptimized", 1, 86_400, 31_536_000))
SITE = Distribution("Site", "E1", "d1.cloudfront.net", {"web": WEB}, BEHAVIOR)


def request(
    path: str = "/a", query: str | None = None, method: str = "GET", body: Body = EMPTY_BODY
) -> Request:
    return Request(method, path, query, headers=Headers([("Host", "site.example")]), body=body)


def scene(*functions: FunctionAssociation, generated: Mapping[str, str] = {}) -> Scene:
    """Where a request for ``SITE`` is, with these functions on its behavior."""
    behavior = replace(BEHAVIOR, functions=functions)
    clock = Clock()
    exchange = Exchange(ID, "distribution", "Site", request(), clock.now(), clock)
    return Scene(exchange, SITE, behavior, generated)


def associated(
    event_type: str, kind: str = "lambda", *, include_body: bool = False
) -> FunctionAssociation:
    """The function ``fn`` (version 1 of it, if it is a Lambda function) on an event."""
    return FunctionAssociation(
        EventType(event_type), EdgeFunctionKind(kind), "fn", "1", include_body
    )


def cache(clock: Clock) -> Cache:
    """An empty one, in memory."""
    return Cache(MemoryStore(1_000_000), clock, Tasks())


def tiers(clock: Clock) -> Tiers:
    """The caches of an edge location without a regional one."""
    return Tiers(cache(clock), cache(clock), clock)


def returned(value: object) -> Returned:
    return Returned("request-1", 1.5, payload=orjson.dumps(value))


@dataclass
class Lambdas:
    """Answers each invocation with ``result``; remembers the events and how it was called."""

    result: InvocationResult | Exception
    events: list[dict[str, object]] = field(default_factory=list)
    calls: list[tuple[str, str, float | None]] = field(default_factory=list)

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        replica_region: str = "",
    ) -> InvocationResult:
        self.calls.append((name, qualifier, timeout_s))
        self.events.append(orjson.loads(payload)["Records"][0]["cf"])
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@dataclass
class Functions:
    """Gives each run of a CloudFront Function ``outcome``, or the event's own message back."""

    outcome: Outcome | None = None
    contexts: list[RunContext] = field(default_factory=list)

    def run(self, name: str, event: Event, context: RunContext) -> Outcome:
        self.contexts.append(context)
        if self.outcome is not None:
            return self.outcome
        document = orjson.loads(event) if isinstance(event, bytes) else event
        return Completed(document.get("response", document["request"]))
