"""Primary and staging distributions in definitions: what is read, and what AWS would refuse."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.deployment import SessionStickiness, SingleHeader, SingleWeight
from edgeproxy.errors import DefinitionError
from edgeproxy.project.checks.counts import check_counts
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.report import Severity
from tests.unit.project.drafts import load_resources, site

POLICY = {"ContinuousDeploymentPolicyId": {"Ref": "Policy"}}
HEADER = {"Header": "aws-cf-cd-next", "Value": "1"}


def policy(*, enabled: bool = True, staging: str = "Next", **traffic: Any) -> dict[str, Any]:
    config = {
        "Enabled": enabled,
        "StagingDistributionDnsNames": [{"Fn::GetAtt": [staging, "DomainName"]}],
        **(traffic or {"TrafficConfig": {"Type": "SingleHeader", "SingleHeaderConfig": HEADER}}),
    }
    return {
        "Type": "AWS::CloudFront::ContinuousDeploymentPolicy",
        "Properties": {"ContinuousDeploymentPolicyConfig": config},
    }


def pair(
    primary: dict[str, Any] | None = None,
    staging: dict[str, Any] | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """A primary distribution, a staging distribution and the policy between them."""
    return {
        "Site": site(config={**POLICY, **(primary or {})}),
        "Next": site(config={"Staging": True, **(staging or {})}),
        "Policy": policy(),
        **parts,
    }


def found(loaded: Loaded) -> list[tuple[str, str, Severity]]:
    return [(each.rule, each.place.path.split(".")[-1], each.severity) for each in loaded.findings]


ERROR, WARNING = Severity.ERROR, Severity.WARNING


@pytest.mark.rule("CDN-CFG-219", "CDN-CFG-220", "CDN-CFG-037", "CDN-CFG-038")
@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        ({}, SingleHeader("aws-cf-cd-next", "1")),
        ({"Type": "SingleHeader", "SingleHeaderPolicyConfig": HEADER},
         SingleHeader("aws-cf-cd-next", "1")),
        ({"TrafficConfig": {"Type": "SingleWeight", "SingleWeightConfig": {"Weight": "0.1"}}},
         SingleWeight(0.1)),
        ({"Type": "SingleWeight", "SingleWeightPolicyConfig": {
            "Weight": 0.15, "SessionStickinessConfig": {"IdleTTL": 300, "MaximumTTL": 3600}}},
         SingleWeight(0.15, SessionStickiness(300, 3600))),
    ],
)  # fmt: skip
def test_a_pair_as_it_is_read(traffic: dict[str, Any], expected: Any, tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, pair(Policy=policy(**traffic)))
    assert found(loaded) == []
    project = loaded.project
    primary, staging = project.distributions["Site"], project.distributions["Next"]
    assert (primary.staging, staging.staging) == (False, True)
    assert list(project.public_distributions) == ["Site"]
    read = project.continuous_deployment_policies[primary.continuous_deployment_policy_id]
    assert (read.logical_id, read.enabled, read.traffic) == ("Policy", True, expected)
    assert read.staging_domain_names == (staging.domain_name,)
    ignored = [line for line in project.report.lines if line.treatment == "ignored"]
    assert ignored == []


def weighted(weight: float, **sticky: int) -> dict[str, Any]:
    config: dict[str, Any] = {"Weight": weight}
    if sticky:
        config["SessionStickinessConfig"] = sticky
    return {"TrafficConfig": {"Type": "SingleWeight", "SingleWeightConfig": config}}


def by_header(header: str, value: str = "1") -> dict[str, Any]:
    config = {"Header": header, "Value": value}
    return {"TrafficConfig": {"Type": "SingleHeader", "SingleHeaderConfig": config}}


LONGEST = "aws-cf-cd-" + "x" * 246


@pytest.mark.parametrize(
    ("traffic", "places"),
    [
        pytest.param(weighted(0.15), [], marks=pytest.mark.rule("CDN-CD-02", "CDN-CFG-400")),
        pytest.param(weighted(0), [], marks=pytest.mark.rule("CDN-CD-02", "CDN-CFG-400")),
        pytest.param(weighted(0.16), ["Weight"],
                     marks=pytest.mark.rule("CDN-CD-02", "CDN-CFG-400")),
        pytest.param(weighted(-0.1), ["Weight"],
                     marks=pytest.mark.rule("CDN-CD-02", "CDN-CFG-400")),
        pytest.param(by_header("x-next"), ["Header"],
                     marks=pytest.mark.rule("CDN-CD-03", "CDN-CFG-400")),
        pytest.param(by_header(LONGEST, "v" * 1783), [], marks=pytest.mark.rule("CDN-CD-03")),
        pytest.param(by_header(LONGEST + "x"), ["Header"], marks=pytest.mark.rule("CDN-CD-03")),
        pytest.param(by_header(LONGEST, "v" * 1784), ["Value"],
                     marks=pytest.mark.rule("CDN-CD-03")),
        pytest.param(weighted(0.1, IdleTTL=300, MaximumTTL=3600), [],
                     marks=pytest.mark.rule("CDN-CD-04", "CDN-CFG-400")),
        pytest.param(weighted(0.1, IdleTTL=299, MaximumTTL=3600), ["IdleTTL"],
                     marks=pytest.mark.rule("CDN-CD-04", "CDN-CFG-400")),
        pytest.param(weighted(0.1, IdleTTL=300, MaximumTTL=3601), ["IdleTTL"],
                     marks=pytest.mark.rule("CDN-CD-04", "CDN-CFG-400")),
        pytest.param(weighted(0.1, IdleTTL=400, MaximumTTL=399), ["IdleTTL"],
                     marks=pytest.mark.rule("CDN-CD-04", "CDN-CFG-400")),
    ],
)  # fmt: skip
def test_bounds_of_a_policy(traffic: dict[str, Any], places: list[str], tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, pair(Policy=policy(**traffic)))
    assert found(loaded) == [("CDN-CFG-400", place, ERROR) for place in places]


def test_a_policy_has_one_kind_of_traffic(tmp_path: Path) -> None:
    both = {**weighted(0.1)["TrafficConfig"], "SingleHeaderConfig": HEADER}
    with pytest.raises(DefinitionError, match="one kind of traffic"):
        load_resources(tmp_path, pair(Policy=policy(TrafficConfig=both)))


COMPLETING = {
    "Origins": [
        {
            "Id": "web",
            "DomainName": "web.example.com",
            "ResponseCompletionTimeout": 60,
            "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        }
    ]
}
CERTIFIED = {
    "Aliases": ["next.example.com"],
    "ViewerCertificate": {
        "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a",
        "SslSupportMethod": "sni-only",
    },
}
DNS_NAMES = "StagingDistributionDnsNames"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(pair({"HttpVersion": "http2and3"}, {"HttpVersion": "http2and3"}),
                     [("CDN-CFG-401", "HttpVersion", ERROR)] * 2,
                     marks=pytest.mark.rule("CDN-CD-09", "CDN-CFG-401")),
        pytest.param(pair(COMPLETING), [("CDN-CD-09", "Origins", ERROR)],
                     marks=pytest.mark.rule("CDN-CD-09")),
        pytest.param(pair(staging=COMPLETING), [("CDN-CD-09", "Origins", ERROR)],
                     marks=pytest.mark.rule("CDN-CD-09")),
        pytest.param(pair(staging=CERTIFIED), [("CDN-CD-01", "Aliases", ERROR)],
                     marks=pytest.mark.rule("CDN-CD-01")),
        pytest.param(pair(staging=POLICY),
                     [("CDN-CFG-401", "ContinuousDeploymentPolicyId", WARNING)],
                     marks=pytest.mark.rule("CDN-CFG-401")),
        pytest.param(pair({"ContinuousDeploymentPolicyId": "elsewhere"}),
                     [("CDN-CFG-038", "ContinuousDeploymentPolicyId", WARNING),
                      ("CDN-CFG-401", "Next", WARNING)],
                     marks=pytest.mark.rule("CDN-CFG-038", "CDN-CFG-401", "CDN-CD-01")),
        pytest.param(pair(staging={"Staging": False}), [("CDN-CFG-401", DNS_NAMES, WARNING)],
                     marks=pytest.mark.rule("CDN-CFG-401")),
        pytest.param(pair(staging={"HttpVersion": "http1.1"}), [("CDN-CD-12", DNS_NAMES, WARNING)],
                     marks=pytest.mark.rule("CDN-CD-12")),
    ],
)  # fmt: skip
def test_pairs_that_do_not_fit(
    resources: dict[str, Any], expected: list[tuple[str, str, Severity]], tmp_path: Path
) -> None:
    assert sorted(found(load_resources(tmp_path, resources))) == sorted(expected)


@pytest.mark.rule("CDN-QUO-20")
def test_how_many_an_account_has(tmp_path: Path) -> None:
    staging = {f"Next{n}": site(config={"Staging": True}) for n in range(21)}
    policies = {f"P{n}": policy(staging="Next0") for n in range(21)}
    findings = list(check_counts(load_resources(tmp_path, {**staging, **policies}).project))
    assert [(each.rule, each.message) for each in findings] == [
        ("CDN-QUO-20", "21 staging distributions; the quota is 20."),
        ("CDN-QUO-20", "21 continuous deployment policies; the quota is 20."),
    ]
    del staging["Next20"], policies["P20"]
    assert list(check_counts(load_resources(tmp_path, {**staging, **policies}).project)) == []
