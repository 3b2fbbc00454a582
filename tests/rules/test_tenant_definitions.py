"""How tenants are read, and what AWS refuses about them (CDN-CFG-041)."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.model import S3Origin
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.model import Treatment
from edgeproxy.project.report import Severity
from tests.support.tenants import MULTI_TENANT, group, multi_tenant, parameter, tenant
from tests.unit.project.drafts import (
    CACHING_OPTIMIZED,
    load_resources,
    load_site,
    load_text,
    only_distribution,
    refusal,
    site,
)

pytestmark = pytest.mark.rule("CDN-CFG-041")

ACME = tenant("acme.test", {"name": "acme"})


def found(loaded: Loaded) -> list[tuple[str, str, Severity]]:
    """Rule, property and severity of each finding."""
    return [(each.rule, each.place.path, each.severity) for each in loaded.findings]


def remedies(loaded: Loaded) -> str:
    return " | ".join(f"{each.message} {each.remedy}" for each in loaded.findings)


def ignored(loaded: Loaded, name: str) -> str:
    (line,) = [
        each for each in loaded.project.report.lines
        if each.place.path.endswith(f".{name}") and each.treatment is not Treatment.HONOURED
    ]  # fmt: skip
    return line.why


def test_references_to_tenants_and_groups(tmp_path: Path) -> None:
    names = {
        "tenant": {"Fn::GetAtt": ["Acme", "Id"]},
        "tenant-arn": {"Fn::GetAtt": ["Acme", "Arn"]},
        "tenant-ref": {"Ref": "Acme"},
        "group": {"Ref": "Group"},
        "group-arn": {"Fn::GetAtt": ["Group", "Arn"]},
        "endpoint": {"Fn::GetAtt": ["Group", "RoutingEndpoint"]},
    }
    headers = [{"HeaderName": key, "HeaderValue": value} for key, value in names.items()]
    told = site(origin={"OriginCustomHeaders": headers})
    in_group = tenant("acme.test", {"name": "a"}, ConnectionGroupId={"Fn::GetAtt": ["Group", "Id"]})
    loaded = load_resources(
        tmp_path,
        {"Told": told, "Site": site(config=MULTI_TENANT), "Acme": in_group, "Group": group()},
    )
    assert loaded.findings == ()
    acme = loaded.project.distributions["Acme"]
    got = dict(loaded.project.distributions["Told"].origins["web"].custom_headers)
    assert got["tenant"] == got["tenant-ref"] == acme.id
    assert got["tenant-arn"] == f"arn:aws:cloudfront::123456789012:distribution-tenant/{acme.id}"
    assert got["group-arn"].endswith(f":connection-group/{got['group']}")
    assert got["endpoint"] == acme.domain_name


def test_tenants_without_a_group_share_the_default_one(tmp_path: Path) -> None:
    config = site(config=MULTI_TENANT)
    other = tenant("b.test", {"name": "b"})
    elsewhere = tenant("c.test", {"name": "c"}, ConnectionGroupId="cg_elsewhere")
    loaded = load_resources(
        tmp_path, {"Site": config, "Acme": ACME, "Other": other, "Elsewhere": elsewhere}
    )
    endpoints = [each.domain_name for each in loaded.project.distributions.values()]
    assert endpoints[0] == endpoints[1] != endpoints[2]
    assert endpoints[2] in ignored(loaded, "ConnectionGroupId")


def test_a_required_parameter_has_no_default(tmp_path: Path) -> None:
    config = multi_tenant(parameter("name", "preset", required=True), path="")
    loaded = load_site(tmp_path, config=config, Acme=tenant("acme.test"))
    assert found(loaded) == [
        ("CDN-CFG-041", "Resources.Acme.Properties.Parameters", Severity.ERROR)
    ]
    assert "required parameter name has no value" in remedies(loaded)
    assert only_distribution(loaded).origins["web"].domain_name == "{{name}}.example.com"


def test_a_bucket_named_by_a_parameter_is_a_bucket(tmp_path: Path) -> None:
    config = multi_tenant(parameter("name", required=True), path="")
    config["Origins"] = [{"Id": "web", "DomainName": "{{name}}.files.s3.us-east-1.amazonaws.com"}]
    origin = only_distribution(load_site(tmp_path, config=config, Acme=ACME)).origins["web"]
    assert origin.domain_name == "acme.files.s3.us-east-1.amazonaws.com"
    assert isinstance(origin.config, S3Origin)


def test_what_of_a_tenant_is_not_honoured(tmp_path: Path) -> None:
    customizations = {
        "WebAcl": {"Action": "disable"},
        "Certificate": {"Arn": "arn:aws:acm:us-east-1:123456789012:certificate/1"},
    }
    acme = tenant(
        "acme.test",
        {"name": "acme"},
        Customizations=customizations,
        ManagedCertificateRequest={"ValidationTokenHost": "cloudfront"},
    )
    loaded = load_site(tmp_path, config=MULTI_TENANT, Acme=acme, Group=group(Ipv6Enabled=True))
    assert loaded.findings == ()
    assert "firewall" in ignored(loaded, "WebAcl")
    assert "local authority" in ignored(loaded, "Certificate")
    assert "local authority" in ignored(loaded, "ManagedCertificateRequest")
    assert "address" in ignored(loaded, "Ipv6Enabled")


def test_a_tenant_without_a_distribution(tmp_path: Path) -> None:
    acme = tenant("acme.test", DistributionId="EUNKNOWN")
    with pytest.raises(DefinitionError) as caught:
        load_site(tmp_path, config=MULTI_TENANT, Acme=acme)
    assert caught.value.rule == "CDN-CFG-041"
    assert refusal(caught.value).startswith("Resources.Acme.Properties.DistributionId:")
    assert "declare the multi-tenant distribution" in caught.value.remedy


def test_a_tenant_of_a_standard_distribution(tmp_path: Path) -> None:
    loaded = load_site(tmp_path, Acme=tenant("acme.test"))
    place = "Resources.Acme.Properties.DistributionId"
    assert found(loaded) == [("CDN-CFG-041", place, Severity.ERROR)]
    assert "set ConnectionMode of Site to tenant-only" in remedies(loaded)
    assert list(loaded.project.distributions) == ["Site"]


def test_a_multi_tenant_distribution_without_tenants(tmp_path: Path) -> None:
    loaded = load_site(tmp_path, config=MULTI_TENANT)
    assert found(loaded) == [("CDN-CFG-041", "Resources.Site", Severity.WARNING)]
    assert loaded.project.distributions == {}
    config = {**MULTI_TENANT, "CallerReference": "one"}
    text = json.dumps(site(config=config)["Properties"]["DistributionConfig"])
    alone = load_text(tmp_path, text, "d.json")
    assert found(alone) == [("CDN-CFG-041", "ConnectionMode", Severity.WARNING)]
    assert alone.project.distributions == {}


@pytest.mark.parametrize(
    ("parameters", "properties", "name", "said"),
    [
        pytest.param({"name": "a", "colour": "red"}, {}, "Parameters",
                     "no parameter colour. it defines name, theme", id="unknown"),
        pytest.param({"name": "a" * 257}, {}, "Parameters", "257 characters", id="long value"),
        pytest.param({"name": "a", "a b": "c"}, {}, "Parameters",
                     "'a b' cannot be a parameter's name", id="name"),
        pytest.param({"name": "a"}, {"Domains": []}, "Domains", "at least one domain", id="domain"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_tenant(
    parameters: dict[str, str], properties: dict[str, Any], name: str, said: str, tmp_path: Path
) -> None:
    acme = tenant("acme.test", parameters, **properties)
    loaded = load_site(tmp_path, config=MULTI_TENANT, Acme=acme)
    assert {each[:2] for each in found(loaded)} == {
        ("CDN-CFG-041", f"Resources.Acme.Properties.{name}")
    }
    assert said in remedies(loaded)


@pytest.mark.parametrize(
    ("config", "name", "said"),
    [
        pytest.param(multi_tenant(parameter("name", "a")), "Origins[0].OriginPath",
                     "parameter theme is not defined", id="undefined"),
        pytest.param({**MULTI_TENANT, "ConnectionMode": "direct"}, "TenantConfig",
                     "a standard distribution cannot have TenantConfig", id="standard"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit(
    config: dict[str, Any], name: str, said: str, tmp_path: Path
) -> None:
    loaded = load_site(tmp_path, config=config)
    place = f"Resources.Site.Properties.DistributionConfig.{name}"
    assert ("CDN-CFG-041", place, Severity.ERROR) in found(loaded)
    assert said in remedies(loaded)


def test_an_optional_parameter_without_any_value(tmp_path: Path) -> None:
    config = multi_tenant(parameter("name"), path="")
    loaded = load_site(tmp_path, config=config, Acme=tenant("acme.test"))
    place = "Resources.Acme.Properties.Parameters"
    assert found(loaded) == [("CDN-CFG-041", place, Severity.WARNING)]
    assert "{{name}} stays as it is written" in remedies(loaded)


@pytest.mark.rule("CDN-CFG-403")
def test_quotas(tmp_path: Path) -> None:
    names = "abcdef"
    config = multi_tenant(
        *(parameter(name, "x") for name in names), domain="{{a}}{{b}}{{c}}.test", path=""
    )
    domains = [f"d{number}.test" for number in range(101)]
    loaded = load_site(tmp_path, config=config, Acme=tenant("", Domains=domains))
    assert [each.message for each in loaded.findings] == [
        "6 parameters; the quota is 5.",
        "3 parameters in a field; the quota is 2.",
        "101 domains; the quota is 100.",
    ]


LEGACY = {"QueryString": False}
OAI = "origin-access-identity/cloudfront/E1"


@pytest.mark.parametrize(
    ("parts", "path", "remedy"),
    [
        pytest.param({"config": {name: value}}, name, remedy, id=name)
        for name, value, remedy in (
            ("Aliases", ["a.test"], "Domains"),
            ("AnycastIpListId", "a", "connection group"),
            ("ContinuousDeploymentPolicyId", "p", "remove it"),
            ("IPV6Enabled", True, "connection group"),
            ("Logging", {"Bucket": "b"}, "standard logging v2"),
            ("PriceClass", "PriceClass_100", "remove it"),
            ("Staging", True, "remove it"),
            ("WebACLId", "a1b2c3", "AWS WAF V2"),
        )
    ]
    + [
        pytest.param({"behavior": {name: value}}, f"DefaultCacheBehavior.{name}", remedy, id=name)
        for name, value, remedy in (
            ("DefaultTTL", 1, "cache policy"),
            ("ForwardedValues", LEGACY, "cache policy"),
            ("MaxTTL", 1, "cache policy"),
            ("MinTTL", 0, "cache policy"),
            ("SmoothStreaming", True, "remove it"),
            ("TrustedSigners", ["self"], "TrustedKeyGroups"),
        )
    ]
    + [
        pytest.param({"config": {"ViewerCertificate": {name: value}}}, f"ViewerCertificate.{name}",
                     remedy, id=name)
        for name, value, remedy in (
            ("IamCertificateId", "i", "AWS Certificate Manager"),
            ("SslSupportMethod", "vip", "sni-only"),
            ("MinimumProtocolVersion", "SSLv3", "TLSv1.2_2021"),
        )
    ]
    + [
        pytest.param({"config": {"Origins": [{
            "Id": "web", "DomainName": "b.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": OAI},
        }]}}, "Origins[0].S3OriginConfig.OriginAccessIdentity", "OriginAccessControlId", id="OAI"),
        pytest.param({"config": {"CacheBehaviors": [{
            "PathPattern": "/a", "TargetOriginId": "web", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": CACHING_OPTIMIZED, "MinTTL": 1,
        }]}}, "CacheBehaviors[0].MinTTL", "cache policy", id="further behavior"),
    ],
)  # fmt: skip
def test_what_multi_tenant_distributions_cannot_have(
    parts: dict[str, Any], path: str, remedy: str, tmp_path: Path
) -> None:
    given = {**parts, "config": {**MULTI_TENANT, **parts.get("config", {})}}
    loaded = load_site(tmp_path, **given, Acme=ACME)
    said = [
        each.remedy
        for each in loaded.findings
        if each.rule == "CDN-CFG-041" and each.place.path.endswith(f".{path}")
    ]
    assert len(said) == 1
    assert remedy in said[0]


def test_what_the_api_writes_out_is_no_setting(tmp_path: Path) -> None:
    config = {
        **MULTI_TENANT,
        "Aliases": {"Quantity": 0},
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "PriceClass": "PriceClass_All",
        "IPV6Enabled": False,
        "Staging": False,
        "WebACLId": "",
    }
    behavior = {"TrustedSigners": {"Enabled": False, "Quantity": 0}, "SmoothStreaming": False}
    assert found(load_site(tmp_path, behavior, config, Acme=ACME)) == []
