"""The operations on distributions and their invalidations."""

from typing import Final

from edgeproxy.cache.invalidation import NO_TAG, is_tag
from edgeproxy.distribution import quotas
from edgeproxy.distribution.model import Distribution
from edgeproxy.entrypoints.cloudfront_api.account import Account, Deployed, Invalidation
from edgeproxy.entrypoints.cloudfront_api.answers import (
    Answer,
    ApiError,
    if_match,
    invalid_argument,
)
from edgeproxy.entrypoints.cloudfront_api.calls import Call, page
from edgeproxy.entrypoints.cloudfront_api.distribution_config import Arns, distribution_config
from edgeproxy.entrypoints.cloudfront_api.documents import (
    Content,
    document,
    items,
    parse,
    read,
    timestamp,
)

__all__ = ["DistributionOperations"]

MAX_PATH_CHARACTERS: Final = 4_000
"""CDN-INV-09"""
_MUST_BE_ENCODED: Final = frozenset(' "<>[\\]^`{|}')
# A summary leaves these members of the configuration out.
_NOT_IN_SUMMARIES: Final = frozenset(
    {
        "CallerReference",
        "DefaultRootObject",
        "Logging",
        "ContinuousDeploymentPolicyId",
        "TenantConfig",
    }
)


class DistributionOperations:
    """Each method is one operation."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._arns = Arns(account.id)

    async def get(self, call: Call) -> Answer:
        deployed = self._deployed(call)
        distribution = deployed.distribution
        content: dict[str, Content] = {
            **self._described(deployed),
            "InProgressInvalidationBatches": 0,
            "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
            "ActiveTrustedKeyGroups": _key_groups(deployed),
            "DistributionConfig": distribution_config(distribution, self._arns),
        }
        return Answer(200, document("Distribution", content), {"ETag": deployed.etag})

    async def get_config(self, call: Call) -> Answer:
        deployed = self._deployed(call)
        content = distribution_config(deployed.distribution, self._arns)
        return Answer(200, document("DistributionConfig", content), {"ETag": deployed.etag})

    async def list(self, call: Call) -> Answer:
        summaries = [
            (deployed.distribution.id, self._summary(deployed))
            for deployed in self._account.distributions
        ]
        content = page(call, "DistributionSummary", summaries, with_marker=True)
        return Answer(200, document("DistributionList", content))

    async def promote(self, call: Call) -> Answer:
        """UpdateDistributionWithStagingConfig (CDN-CD-10); If-Match names both versions."""
        primary = self._deployed(call)
        staging_id = call.query.get("StagingDistributionId", "")
        staging = next(
            (each for each in self._account.distributions if each.distribution.id == staging_id),
            None,
        )
        if staging is None or not staging.distribution.staging:
            raise ApiError(
                404, "NoSuchDistribution", f"There is no staging distribution {staging_id!r}."
            )
        given = "".join(call.if_match.split())
        if_match(given.replace('"', ""), f"{primary.etag},{staging.etag}")
        self._account.changes.promote(primary.distribution, staging.distribution)
        return await self.get(call)

    async def create_invalidation(self, call: Call) -> Answer:
        """CDN-INV-13: a reference that was used names the earlier invalidation."""
        distribution = self._deployed(call).distribution
        batch = parse(call.body, "InvalidationBatch")
        paths = tuple(path.text or "" for path in batch.iterfind("{*}Paths/{*}Items/{*}Path"))
        reference = read(batch, "CallerReference")
        _check(paths, read(batch, "Paths/Quantity"), distribution)
        invalidations = self._account.invalidations
        status = "Completed"
        for made in invalidations.of(distribution.id):
            if made.caller_reference == reference:
                if set(made.paths) != set(paths):
                    raise ApiError(
                        400,
                        "InvalidationBatchAlreadyExists",
                        f"The CallerReference {reference} was used with other paths.",
                    )
                invalidation = made
                break
        else:
            invalidation = await invalidations.create(distribution, paths, reference)
            # It is over, but a client is told so when it looks again (CDN-INV-14).
            status = "InProgress"
        kind = "distribution" if distribution.tenant is None else "distribution-tenant"
        location = f"{call.url}/{kind}/{distribution.id}/invalidation/{invalidation.id}"
        body = document("Invalidation", _invalidation(invalidation, status))
        return Answer(201, body, {"Location": location})

    async def get_invalidation(self, call: Call) -> Answer:
        distribution = self._deployed(call).distribution
        for made in self._account.invalidations.of(distribution.id):
            if made.id == call.path["InvalidationId"]:
                return Answer(200, document("Invalidation", _invalidation(made, "Completed")))
        raise ApiError(404, "NoSuchInvalidation", "The specified invalidation does not exist.")

    async def list_invalidations(self, call: Call) -> Answer:
        made = self._account.invalidations.of(self._deployed(call).distribution.id)
        summaries: list[tuple[str, Content]] = [
            (each.id, _summary(each, "Completed")) for each in reversed(made)
        ]
        content = page(call, "InvalidationSummary", summaries, with_marker=True)
        return Answer(200, document("InvalidationList", content))

    def _deployed(self, call: Call) -> Deployed:
        tenant = call.path.get("TenantId")
        known = self._account.distributions if tenant is None else self._account.tenants
        for deployed in known:
            if deployed.distribution.id == (tenant or call.path["Id"]):
                return deployed
        there = ", ".join(
            f"{each.distribution.id} ({each.distribution.logical_id})" for each in known
        )
        what = "distribution" if tenant is None else "distribution tenant"
        raise ApiError(
            404,
            "NoSuchDistribution" if tenant is None else "EntityNotFound",
            f"The specified {what} does not exist: there is {there or 'none'}.",
        )

    def _described(self, deployed: Deployed) -> dict[str, Content]:
        distribution = deployed.distribution
        return {
            "Id": distribution.id,
            "ARN": self._arns.cloudfront("distribution", distribution.id),
            "Status": "Deployed",
            "LastModifiedTime": timestamp(deployed.modified_s),
            "DomainName": distribution.domain_name,
        }

    def _summary(self, deployed: Deployed) -> Content:
        config = distribution_config(deployed.distribution, self._arns)
        members = {name: value for name, value in config.items() if name not in _NOT_IN_SUMMARIES}
        return {**self._described(deployed), "ETag": deployed.etag, **members}


def _key_groups(deployed: Deployed) -> Content:
    groups: list[Content] = [
        {"KeyGroupId": group_id, "KeyPairIds": items("KeyPairId", [key.id for key in keys])}
        for group_id, keys in deployed.distribution.key_groups.items()
    ]
    return {"Enabled": bool(groups), **items("KeyGroup", groups)}


def _invalidation(invalidation: Invalidation, status: str) -> dict[str, Content]:
    return {
        **_summary(invalidation, status),
        "InvalidationBatch": {
            "Paths": items("Path", invalidation.paths),
            "CallerReference": invalidation.caller_reference,
        },
    }


def _summary(invalidation: Invalidation, status: str) -> dict[str, Content]:
    return {
        "Id": invalidation.id,
        "Status": status,
        "CreateTime": timestamp(invalidation.created_s),
    }


def _check(paths: tuple[str, ...], quantity: str, distribution: Distribution) -> None:
    """CDN-INV-01, CDN-INV-08, CDN-INV-09, CDN-INV-12, CDN-INV-18.

    A tag counts as a path.
    """
    if quantity != str(len(paths)):
        raise ApiError(
            400, "InconsistentQuantities", f"Quantity is {quantity}; there are {len(paths)} Items."
        )
    if not paths:
        raise invalid_argument("Your request contains no path.")
    if len(paths) > quotas.MAX_INVALIDATION_PATHS:
        raise ApiError(413, "BatchTooLarge", "Your request contains more than 3,000 paths.")
    wildcards = [path for path in paths if path.startswith("/") and path.endswith("*")]
    if len(wildcards) > quotas.MAX_INVALIDATION_WILDCARDS:
        raise ApiError(
            400,
            "TooManyInvalidationsInProgress",
            "Your request contains more than 15 paths with a wildcard.",
        )
    for path in paths:
        if path.startswith("#"):
            if not distribution.cache_tag_header:
                raise invalid_argument(f"{path}: the distribution has no CacheTagConfig.")
            if not is_tag(path[1:]):
                raise invalid_argument(f"The tag {path[1:]} {NO_TAG}.")
            continue
        if not path.startswith("/"):
            raise invalid_argument(f"The path {path} does not begin with /.")
        if len(path) > MAX_PATH_CHARACTERS:
            raise invalid_argument("A path has more than 4,000 characters.")
        if any(not "!" <= char <= "~" or char in _MUST_BE_ENCODED for char in path):
            raise invalid_argument(f"The path {path} has characters that must be URL-encoded.")
