"""The operations on continuous deployment policies; those of the definition, changed live."""

from xml.etree.ElementTree import Element

from edgeproxy.distribution.deployment import (
    ContinuousDeploymentPolicy,
    SessionStickiness,
    SingleHeader,
    SingleWeight,
    Traffic,
    traffic_problems,
)
from edgeproxy.entrypoints.cloudfront_api.account import Account, DeployedPolicy
from edgeproxy.entrypoints.cloudfront_api.answers import (
    Answer,
    ApiError,
    if_match,
    invalid_argument,
)
from edgeproxy.entrypoints.cloudfront_api.calls import Call, page
from edgeproxy.entrypoints.cloudfront_api.documents import (
    Content,
    document,
    items,
    parse,
    read,
    timestamp,
)

__all__ = ["DeploymentPolicyOperations"]

_CONFIG = "ContinuousDeploymentPolicyConfig"


class DeploymentPolicyOperations:
    """Each method is one operation."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def list(self, call: Call) -> Answer:
        members: list[tuple[str, Content]] = [
            (each.policy.id, {"ContinuousDeploymentPolicy": _described(each)})
            for each in self._account.policies
        ]
        content = page(call, "ContinuousDeploymentPolicySummary", members)
        return Answer(200, document("ContinuousDeploymentPolicyList", content))

    async def get(self, call: Call) -> Answer:
        deployed = self._deployed(call)
        body = document("ContinuousDeploymentPolicy", _described(deployed))
        return Answer(200, body, {"ETag": deployed.etag})

    async def get_config(self, call: Call) -> Answer:
        deployed = self._deployed(call)
        body = document(_CONFIG, _config(deployed.policy))
        return Answer(200, body, {"ETag": deployed.etag})

    async def update(self, call: Call) -> Answer:
        deployed = self._deployed(call)
        if_match(call.if_match, deployed.etag)
        config = parse(call.body, _CONFIG)
        names = config.iterfind("{*}StagingDistributionDnsNames/{*}Items/{*}DnsName")
        policy = ContinuousDeploymentPolicy(
            deployed.policy.logical_id,
            deployed.policy.id,
            read(config, "Enabled") == "true",
            tuple(name.text or "" for name in names),
            _traffic(config.find("{*}TrafficConfig")),
        )
        self._account.changes.update_policy(policy)
        return await self.get(call)

    def _deployed(self, call: Call) -> DeployedPolicy:
        for each in self._account.policies:
            if each.policy.id == call.path["Id"]:
                return each
        there = ", ".join(
            f"{one.policy.id} ({one.policy.logical_id})" for one in self._account.policies
        )
        raise ApiError(
            404,
            "NoSuchContinuousDeploymentPolicy",
            f"The specified policy does not exist: there is {there or 'none'}.",
        )


def _described(deployed: DeployedPolicy) -> dict[str, Content]:
    return {
        "Id": deployed.policy.id,
        "LastModifiedTime": timestamp(deployed.modified_s),
        _CONFIG: _config(deployed.policy),
    }


def _config(policy: ContinuousDeploymentPolicy) -> dict[str, Content]:
    traffic: Content = None
    match policy.traffic:
        case SingleWeight(weight, stickiness):
            ttls: Content = None
            if stickiness is not None:
                ttls = {"IdleTTL": stickiness.idle_ttl_s, "MaximumTTL": stickiness.maximum_ttl_s}
            weighted: Content = {"Weight": weight, "SessionStickinessConfig": ttls}
            traffic = {"SingleWeightConfig": weighted, "Type": "SingleWeight"}
        case SingleHeader(header, value):
            named: Content = {"Header": header, "Value": value}
            traffic = {"SingleHeaderConfig": named, "Type": "SingleHeader"}
        case None:
            pass
    return {
        "StagingDistributionDnsNames": items("DnsName", policy.staging_domain_names),
        "Enabled": policy.enabled,
        "TrafficConfig": traffic,
    }


def _traffic(config: Element | None) -> Traffic | None:
    """CDN-CD-02 to CDN-CD-04."""
    if config is None:
        return None
    if read(config, "Type") == "SingleHeader":
        header = read(config, "SingleHeaderConfig/Header")
        return _sound(SingleHeader(header, read(config, "SingleHeaderConfig/Value")))
    text = read(config, "SingleWeightConfig/Weight")
    try:
        weight = float(text)
    except ValueError as error:
        raise invalid_argument(f"Weight is {text}, which is no number.") from error
    stickiness = None
    sticky = config.find("{*}SingleWeightConfig/{*}SessionStickinessConfig")
    if sticky is not None:
        stickiness = SessionStickiness(_seconds(sticky, "IdleTTL"), _seconds(sticky, "MaximumTTL"))
    return _sound(SingleWeight(weight, stickiness))


def _sound(traffic: Traffic) -> Traffic:
    for _, problem, _ in traffic_problems(traffic):
        raise invalid_argument(problem)
    return traffic


def _seconds(element: Element, name: str) -> int:
    text = read(element, name)
    if not text.isdecimal():
        raise invalid_argument(f"{name} is {text}, which is no whole number.")
    return int(text)
