"""What the control listener may ask of the running program, and tell it."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.deployments import Deployments
from edgeproxy.awslambda.service import LambdaService
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Distribution, Origin
from edgeproxy.edge.explain import Question
from edgeproxy.edge.stored_objects import StoredObjects
from edgeproxy.runtimes.log_groups import LogGroups

if TYPE_CHECKING:
    from edgeproxy.awslambda.event_store import QueuedEvent

__all__ = ["Controlled"]


class Controlled(Protocol):
    """The part of the running program that the control listener may ask or tell."""

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
    def cloudfront_functions(self) -> Collection[str]:
        """The names of the CloudFront Functions."""
        ...

    @property
    def connection_functions(self) -> Collection[str]:
        """The names of the functions that judge connections."""
        ...

    @property
    def target(self) -> str | None:
        """What the program was told to serve; None for the definition in its folder."""
        ...

    @property
    def authority(self) -> Path | None:
        """The certificate that HTTPS viewers must trust; None when HTTPS is not served."""
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
    def stored(self) -> StoredObjects: ...

    async def explain(self, question: Question) -> dict[str, object]:
        """What the edge would do with that request; raises ``EdgeproxyError`` for a bad one."""
        ...
