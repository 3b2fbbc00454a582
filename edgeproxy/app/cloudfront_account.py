"""What the CloudFront API shows and changes: the running program as an account of AWS's."""

from collections.abc import Iterable, Sequence

from edgeproxy.app.cloudfront_functions import CloudFrontFunctionRegistry
from edgeproxy.app.invalidations import CacheInvalidations
from edgeproxy.app.key_value_stores import KeyValueStores
from edgeproxy.cache.cache import Cache
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Distribution
from edgeproxy.entrypoints.cloudfront_api.account import Deployed
from edgeproxy.project.identifiers import DEFAULT_ACCOUNT, etag

__all__ = ["CloudFrontAccount"]


class CloudFrontAccount:
    """One account: the functions, the cache and the distributions of a program."""

    def __init__(
        self,
        functions: CloudFrontFunctionRegistry,
        connection_functions: CloudFrontFunctionRegistry,
        cache: Cache,
        clock: Clock,
    ) -> None:
        self.id = DEFAULT_ACCOUNT
        self.functions = functions
        self.connection_functions = connection_functions
        self.invalidations = CacheInvalidations(cache, clock, self._tenants_of)
        self._clock = clock
        self._deployed: dict[str, Deployed] = {}

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

    def deploy(self, distributions: Iterable[Distribution]) -> None:
        """Say what serves now; what did not change keeps its ETag and its time."""
        deployed = {}
        for distribution in distributions:
            held, now = self._deployed.get(distribution.id), self._clock.now()
            if held is None or held.distribution != distribution:
                version = etag(f"distribution/{distribution.id}/{now}")
                held = Deployed(distribution, version, now)
            deployed[distribution.id] = held
        self._deployed = deployed

    def _tenants_of(self, distribution_id: str) -> list[str]:
        tenants = (each.distribution for each in self.tenants)
        return [tenant.id for tenant in tenants if tenant.id_in_events == distribution_id]
