"""What the control listener may ask of the running program, and tell it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.clock import Clock
from edgeproxy.distribution.functions import StagedFunction
from edgeproxy.distribution.model import Distribution, EventType, Origin
from edgeproxy.edge.explain import Question
from edgeproxy.edge.stored_objects import StoredObjects
from edgeproxy.exchange.model import FunctionRun
from edgeproxy.inspector.personas import Personas
from edgeproxy.runtimes.log_groups import LogGroups

if TYPE_CHECKING:
    from edgeproxy.awslambda.event_store import QueuedEvent
    from edgeproxy.loadbalancing.model import LoadBalancer

__all__ = ["Controlled", "Tested"]


@dataclass(frozen=True, slots=True)
class Tested:
    """A run of a function for somebody who looks at it, with what the edge would find in it."""

    run: FunctionRun
    result: object
    """What it returned: a JSON value."""


class Controlled(Protocol):
    """The part of the running program that the control listener may ask or tell."""

    @property
    def is_ready(self) -> bool:
        """Whether every listener accepts and has what it serves behind it."""
        ...

    @property
    def clock(self) -> Clock: ...

    @property
    def lambdas(self) -> LambdaService: ...

    @property
    def account(self) -> LambdaAccount:
        """The functions as Lambda's API has them."""
        ...

    @property
    def deployments(self) -> Deployments: ...

    @property
    def log_groups(self) -> LogGroups: ...

    @property
    def cloudfront_functions(self) -> Mapping[str, StagedFunction]:
        """The CloudFront Functions by name."""
        ...

    @property
    def connection_functions(self) -> Mapping[str, StagedFunction]:
        """The functions that judge connections, by name."""
        ...

    @property
    def target(self) -> str | None:
        """What the program was told to serve; None for the definition in its folder."""
        ...

    @property
    def authority(self) -> Path | None:
        """The certificate that HTTPS viewers must trust; None when HTTPS is not served."""
        ...

    def sample_event(self, function: str, event_type: EventType | None) -> bytes:
        """An event made up for a function, as JSON; raises ``EdgeproxyError``."""
        ...

    async def test_function(self, function: str, event: object, qualifier: str | None) -> Tested:
        """Run a function once; raises ``EdgeproxyError``."""
        ...

    def endpoints(self) -> dict[str, object]:
        """The document of ``GET /api/endpoints``."""
        ...

    async def oldest_events(self, limit: int) -> "tuple[int, list[QueuedEvent]]":
        """Asynchronous events that have not ended: how many, and the oldest."""
        ...

    def target_health(self) -> dict[str, object]:
        """Targets of load balancers and their health (AL-124)."""
        ...

    async def invalidate(self, distribution: str, paths: list[str]) -> int:
        """Drop objects; raises ``EdgeproxyError`` for an unknown distribution or a bad path."""
        ...

    @property
    def distributions(self) -> Collection[Distribution]: ...

    def mapped_to(self, origin: Origin) -> str | None:
        """Where an origin is asked instead, by an option; None where it is not."""
        ...

    @property
    def function_urls(self) -> Mapping[str, FunctionUrl]:
        """By logical ID."""
        ...

    @property
    def declared_load_balancers(self) -> "Mapping[str, LoadBalancer]":
        """By logical ID."""
        ...

    @property
    def personas(self) -> Personas: ...

    @property
    def stored(self) -> StoredObjects: ...

    async def explain(self, question: Question) -> dict[str, object]:
        """What the edge would do with that request; raises ``EdgeproxyError`` for a bad one."""
        ...
