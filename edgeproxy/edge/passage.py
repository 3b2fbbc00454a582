"""One request's way through an edge location: what it needs to have at hand, and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edgeproxy.cache.fetched import Layer, Outcome
from edgeproxy.cache.key import CacheKey
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Behavior, Distribution
from edgeproxy.edge.admission import HTTPS_PORT
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.signature import Identity
from edgeproxy.edge.tiers import Tiers
from edgeproxy.exchange.model import Exchange, HitRecorder
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.client import OriginClient
from edgeproxy.origins.transfer import Transfer

if TYPE_CHECKING:
    from edgeproxy.edge.cloudfront_hook import Ran
    from edgeproxy.runtimes.invocation import InvocationResult, Returned

__all__ = ["Begun", "Passage", "Services", "StoredAs", "Verdict"]


@dataclass(frozen=True, slots=True)
class Services:
    """What all edge locations of a process share."""

    tiers: Tiers
    origins: OriginClient
    hooks: Hooks
    clock: Clock
    chance: Chance
    recorder: HitRecorder
    identity: Identity = Identity()
    overlay: Callable[[Exchange, Request, Response], Response] | None = None
    """What a viewer gets in place of an answer that is an error, if not that."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What has happened of a request before its story is told."""

    exchange: Exchange
    """Its record, which has begun when the request did."""
    asked: Transfer | None = None
    """The origin has been asked."""
    result: "InvocationResult | Ran | None" = None
    """What the function at the viewer request has come to."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A request inside a distribution."""

    distribution: Distribution
    services: Services
    exchange: Exchange
    https_port: int = HTTPS_PORT
    begun: Begun | None = None


class StoredAs(NamedTuple):
    """The key of an object, and the behavior by whose settings it was made.

    ``result`` is that of the function at the viewer request, if there is one.
    """

    key: CacheKey
    behavior: Behavior
    result: "Returned | Ran | None" = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the viewer gets, before CloudFront's own headers.

    ``result_type`` is the value of ``X-Cache`` without its suffix; ``detail`` is the detailed
    result type when it differs. ``reason`` says why, in words or by a function that finds them.
    ``outcome`` is what came of asking the cache, None when it was not asked; ``layer`` is the
    cache that had the object or asked the origin.
    """

    response: Response
    result_type: str
    detail: str = ""
    reason: str | Callable[[], str] = ""
    outcome: Outcome | None = None
    layer: Layer = Layer.EDGE
    stored_as: StoredAs | None = None
    """Where it was, when a fresh stored object is the answer, or a part of it."""

    @property
    def why(self) -> str:
        """The reason in words."""
        return self.reason if isinstance(self.reason, str) else self.reason()
