"""CloudFront's account as the API needs it: what can be read there, and what can be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgeproxy.distribution.deployment import ContinuousDeploymentPolicy
from edgeproxy.distribution.functions import CloudFrontFunction, Stage, StagedFunction
from edgeproxy.distribution.model import Distribution

if TYPE_CHECKING:
    from edgeproxy.runtimes.cloudfront_js.kvs import KeyValues
    from edgeproxy.runtimes.cloudfront_js.outcome import Outcome

__all__ = [
    "Account",
    "Changes",
    "Deployed",
    "DeployedPolicy",
    "Functions",
    "Invalidation",
    "Invalidations",
    "Store",
    "Stores",
]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A distribution that serves, and since when it is as it is (seconds since the epoch)."""

    distribution: Distribution
    etag: str
    modified_s: float


@dataclass(frozen=True, slots=True)
class DeployedPolicy:
    """A continuous deployment policy, and since when it is as it is."""

    policy: ContinuousDeploymentPolicy
    etag: str
    modified_s: float


@dataclass(frozen=True, slots=True)
class Invalidation:
    """An invalidation that has been carried out."""

    id: str
    created_s: float
    caller_reference: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """A key-value store as a resource; ``etag`` is the resource's, not that of the contents."""

    values: "KeyValues"
    etag: str
    modified_s: float
    comment: str = ""


class Functions(Protocol):
    """The account's CloudFront Functions. Methods that take a name expect one that is there."""

    @property
    def all(self) -> Mapping[str, StagedFunction]: ...

    def save(self, function: CloudFrontFunction) -> StagedFunction:
        """Make this the function's DEVELOPMENT stage."""
        ...

    def publish(self, name: str) -> StagedFunction:
        """Copy DEVELOPMENT to LIVE: the next viewer request runs it (CFF-ASSOC-05)."""
        ...

    def delete(self, name: str) -> None: ...

    def test(self, name: str, stage: Stage, event: bytes) -> "Outcome":
        """Run that stage once, without log or metrics."""
        ...


class Stores(Protocol):
    """The account's key-value stores, by name."""

    @property
    def all(self) -> Mapping[str, Store]: ...

    def create(self, name: str, comment: str) -> Store: ...

    def describe(self, name: str, comment: str) -> Store:
        """Give a store that is there another comment."""
        ...

    def delete(self, name: str) -> None: ...


class Invalidations(Protocol):
    """Invalidations of the running cache, by the distribution's ID, oldest first."""

    def of(self, distribution_id: str) -> Sequence[Invalidation]: ...

    async def create(
        self, distribution: Distribution, paths: Sequence[str], caller_reference: str
    ) -> Invalidation:
        """Drop the objects now and note it."""
        ...


class Changes(Protocol):
    """What can be changed of distributions and policies that are there."""

    def update_policy(self, policy: ContinuousDeploymentPolicy) -> None:
        """Go by ``policy`` in place of the one with its ID."""
        ...

    def promote(self, primary: Distribution, staging: Distribution) -> None:
        """Give the primary the staging distribution's configuration (CDN-CD-10)."""
        ...


class Account(Protocol):
    """Everything that belongs to one account."""

    @property
    def id(self) -> str:
        """Twelve digits."""
        ...

    @property
    def distributions(self) -> Sequence[Deployed]: ...

    @property
    def tenants(self) -> Sequence[Deployed]:
        """Distribution tenants; the multi-tenant distributions are among ``distributions``."""
        ...

    @property
    def policies(self) -> Sequence[DeployedPolicy]:
        """Continuous deployment policies."""
        ...

    @property
    def changes(self) -> Changes: ...

    @property
    def functions(self) -> Functions: ...

    @property
    def connection_functions(self) -> Functions: ...

    @property
    def stores(self) -> Stores: ...

    @property
    def invalidations(self) -> Invalidations: ...
