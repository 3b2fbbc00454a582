"""What CloudFront refuses of primary and staging distributions (CDN-CFG-401, CDN-CD)."""

from collections.abc import Iterator, Mapping
from typing import Final

from edgeproxy.distribution.deployment import ContinuousDeploymentPolicy, staging_of
from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import Place
from edgeproxy.project.checks.policies import Where
from edgeproxy.project.report import CheckFinding, Severity

__all__ = ["check_deployment", "check_pairs", "check_unknown_policy"]

# What may differ is listed in CDN-CD-12; this is the rest that has an effect here.
_SAME_ON_BOTH: Final = {
    "HttpVersion": "http_version",
    "ViewerCertificate.MinimumProtocolVersion": "minimum_protocol_version",
    "ViewerMtlsConfig": "viewer_mtls",
}


def check_deployment(distribution: Distribution, where: Where) -> Iterator[CheckFinding]:
    """One distribution, primary or staging."""
    has_policy = distribution.continuous_deployment_policy_id != ""
    if (has_policy or distribution.staging) and "3" in distribution.http_version:
        yield CheckFinding(
            "CDN-CFG-401",
            where("HttpVersion"),
            "InvalidArgument: continuous deployment does not work with HTTP/3.",
            "set HttpVersion to http2",
        )
    for origin in distribution.origins.values() if has_policy or distribution.staging else ():
        if origin.response_completion_timeout_s is not None:
            yield CheckFinding(
                "CDN-CD-09",
                where("Origins"),
                f"InvalidArgument: the origin {origin.id} has a ResponseCompletionTimeout, which "
                "continuous deployment does not work with.",
                "remove it",
            )
    if distribution.staging and distribution.aliases:
        yield CheckFinding(
            "CDN-CD-01",
            where("Aliases"),
            "InvalidArgument: viewers reach a staging distribution by the names of its primary "
            "distribution only.",
            "remove Aliases",
        )
    if distribution.staging and has_policy:
        yield CheckFinding(
            "CDN-CFG-401",
            where("ContinuousDeploymentPolicyId"),
            "A staging distribution has no policy of its own.",
            "attach the policy to the primary distribution",
            Severity.WARNING,
        )


def check_unknown_policy(policy_id: str, where: Where) -> Iterator[CheckFinding]:
    """A policy that another definition declares (CDN-CFG-038)."""
    yield CheckFinding(
        "CDN-CFG-038",
        where("ContinuousDeploymentPolicyId"),
        f"No continuous deployment policy {policy_id!r} is declared here; no request goes to a "
        "staging distribution.",
        "declare an AWS::CloudFront::ContinuousDeploymentPolicy in the same definition",
        Severity.WARNING,
    )


def check_pairs(
    distributions: Mapping[str, Distribution],
    policies: Mapping[str, ContinuousDeploymentPolicy],
    places: Mapping[str, Place],
) -> Iterator[CheckFinding]:
    """Policies with the distributions on both sides; ``places`` are those of the policies."""
    followed = set()
    for policy in policies.values():
        staging = staging_of(policy, distributions.values())
        primaries = [
            each
            for each in distributions.values()
            if each.continuous_deployment_policy_id == policy.id and not each.staging
        ]
        if staging is None:
            yield CheckFinding(
                "CDN-CFG-401",
                places[policy.id],
                f"{', '.join(policy.staging_domain_names) or 'Nothing'} is no staging distribution "
                "that is declared here; every request stays with the primary.",
                "refer to the DomainName of a distribution with Staging: true",
                Severity.WARNING,
            )
            continue
        if primaries:
            followed.add(staging.logical_id)
        for primary in primaries:
            yield from _check_pair(primary, staging, places[policy.id])
    for each in distributions.values():
        if each.staging and each.logical_id not in followed:
            yield CheckFinding(
                "CDN-CFG-401",
                Place(each.source, path=f"Resources.{each.logical_id}"),
                f"No policy of a primary distribution leads to the staging distribution "
                f"{each.logical_id}: viewers cannot reach it.",
                "attach a ContinuousDeploymentPolicy that names it to a distribution",
                Severity.WARNING,
            )


def _check_pair(
    primary: Distribution, staging: Distribution, place: Place
) -> Iterator[CheckFinding]:
    for name, attribute in _SAME_ON_BOTH.items():
        if getattr(primary, attribute) != getattr(staging, attribute):
            yield CheckFinding(
                "CDN-CD-12",
                place,
                f"{name} of {staging.logical_id} differs from that of {primary.logical_id}; a "
                "staging distribution may differ in behaviors, origins, error pages, geographic "
                "restrictions, default root object, logging and comment.",
                f"make {name} the same on both",
                Severity.WARNING,
            )
