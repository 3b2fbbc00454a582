"""What the CloudFront API shows and changes: the running program as an account of AWS's."""

from collections.abc import Iterable, Sequence

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.continuous_deployment import DefinitionChanges
from edgeproxy.app.invalidations import CacheInvalidations
from edgeproxy.app.key_value_stores import KeyValueStores
from edgeproxy.clock import Clock
from edgeproxy.distribution.deployment import ContinuousDeploymentPolicy
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.tiers import Tiers
from edgeproxy.entrypoints.cloudfront_api.account import Deployed, DeployedPolicy
from edgeproxy.project.identifiers import DEFAULT_ACCOUNT, etag

__all__ = ["CloudFrontAccount"]


class CloudFrontAccount:
    """One account: the functions, the cache and the distributions of a program."""

    def __init__(
        self,
        functions: CloudFrontFunctionRegistry,
        connection_functions: CloudFrontFunctionRegistry,
        tiers: Tiers,
        clock: Clock,
        changes: DefinitionChanges,
    ) -> None:
        self.id = DEFAULT_ACCOUNT
        self.functions = functions
        self.connection_functions = connection_functions
        self.invalidations = CacheInvalidations(tiers, clock, self._tenants_of)
        self._clock = clock
        self.changes = changes
        self._deployed: dict[str, Deployed] = {}
        self._policies: dict[str, DeployedPolicy] = {}

    @property
    def stores(self) -> KeyValueStores:
        return self.functions.stores

    @property
    def distributions(self) -> Sequence[Deployed]:
        """In the order of the definition."""
        return [each for each in self._deployed.values() if each.distribution.tenant is None]

    @property
    def tenants(self) -> Sequence[Deployed]:
        return [each for each in self._deployed.values() if each.distribution.tenant is not None]

    @property
    def policies(self) -> Sequence[DeployedPolicy]:
        return list(self._policies.values())

    def deploy(
        self,
        distributions: Iterable[Distribution],
        policies: Iterable[ContinuousDeploymentPolicy] = (),
    ) -> None:
        """Say what serves now; what did not change keeps its ETag and its time."""
        deployed = {}
        for distribution in distributions:
            held, now = self._deployed.get(distribution.id), self._clock.now()
            if held is None or held.distribution != distribution:
                version = etag(f"distribution/{distribution.id}/{now}")
                held = Deployed(distribution, version, now)
            deployed[distribution.id] = held
        self._deployed = deployed
        now = self._clock.now()
        held_policies = {}
        for policy in policies:
            known = self._policies.get(policy.id)
            if known is None or known.policy != policy:
                known = DeployedPolicy(policy, etag(f"policy/{policy.id}/{now}"), now)
            held_policies[policy.id] = known
        self._policies = held_policies

    def _tenants_of(self, distribution_id: str) -> list[str]:
        tenants = (each.distribution for each in self.tenants)
        return [tenant.id for tenant in tenants if tenant.id_in_events == distribution_id]
