"""How much of a thing a definition may have: the quota itself, and one more (CDN-QUO)."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.project.checks.counts import check_counts
from tests.support.signing import Signer, ecdsa
from tests.unit.project.drafts import CACHING_OPTIMIZED, load_resources, site

CUSTOM = {"OriginProtocolPolicy": "http-only"}
CERTIFIED = {
    "ViewerCertificate": {
        "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a",
        "SslSupportMethod": "sni-only",
    }
}
PEM = Signer("K", ecdsa()).pem
Resources = dict[str, Any]


def behavior(**more: Any) -> Resources:
    return {
        "TargetOriginId": "web",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": CACHING_OPTIMIZED,
        **more,
    }


def behaviors(count: int) -> Resources:
    more = [behavior(PathPattern=f"/{n}") for n in range(count - 1)]
    return {"Site": site(config={"CacheBehaviors": more})}


def origins(count: int) -> Resources:
    listed = [
        {"Id": f"o{n}" if n else "web", "DomainName": "a.example.com", "CustomOriginConfig": CUSTOM}
        for n in range(count)
    ]
    return {"Site": site(config={"Origins": listed})}


def origin_groups(count: int) -> Resources:
    groups = [
        {
            "Id": f"g{n}",
            "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [500]}},
            "Members": {"Quantity": 2, "Items": [{"OriginId": "web"}, {"OriginId": "o1"}]},
        }
        for n in range(count)
    ]
    resources = origins(2)
    config = resources["Site"]["Properties"]["DistributionConfig"]
    config["OriginGroups"] = {"Quantity": count, "Items": groups}
    return resources


def aliases(count: int) -> Resources:
    return {
        "Site": site(config={"Aliases": [f"a{n}.example.com" for n in range(count)], **CERTIFIED})
    }


def origin_headers(*pairs: tuple[str, str]) -> Resources:
    lines = [{"HeaderName": name, "HeaderValue": value} for name, value in pairs]
    return {"Site": site(origin={"OriginCustomHeaders": lines})}


def total_of_origin_headers(count: int) -> Resources:
    """Headers with that many characters in all."""
    long = [(f"X-{n}", "v" * 1021) for n in range(9)]  # 1,024 each
    return origin_headers(*long, ("X-9", "v" * (count - 9 * 1024 - 3)))


def response_policy(**config: Any) -> Resources:
    return {
        "P": {
            "Type": "AWS::CloudFront::ResponseHeadersPolicy",
            "Properties": {"ResponseHeadersPolicyConfig": {"Name": "p", **config}},
        }
    }


def policy_headers(count: int) -> Resources:
    lines = [{"Header": f"X-{n}", "Value": "", "Override": True} for n in range(count)]
    return response_policy(CustomHeadersConfig={"Items": lines})


def content_security(characters: int) -> Resources:
    value = {"ContentSecurityPolicy": "a" * characters, "Override": True}
    return response_policy(SecurityHeadersConfig={"ContentSecurityPolicy": value})


def cors_origin(characters: int) -> Resources:
    cors = {
        "AccessControlAllowCredentials": False,
        "AccessControlAllowHeaders": {"Items": ["X-A"]},
        "AccessControlAllowMethods": {"Items": ["GET"]},
        "AccessControlAllowOrigins": {"Items": ["a" * (characters - 4) + ".com"]},
        "OriginOverride": True,
    }
    return response_policy(CorsConfig=cors)


def function_code(size: int) -> Resources:
    code = "function handler(event) { return event.request; }".ljust(size)
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    properties = {"Name": "f", "FunctionCode": code, "FunctionConfig": config, "AutoPublish": True}
    return {"F": {"Type": "AWS::CloudFront::Function", "Properties": properties}}


def key_group(keys: int) -> Resources:
    config = {"Name": "k", "CallerReference": "1", "EncodedKey": PEM}
    key = {"Type": "AWS::CloudFront::PublicKey", "Properties": {"PublicKeyConfig": config}}
    group = {"Name": "g", "Items": [{"Ref": f"K{n}"} for n in range(keys)]}
    return {
        **{f"K{n}": key for n in range(keys)},
        "G": {"Type": "AWS::CloudFront::KeyGroup", "Properties": {"KeyGroupConfig": group}},
    }


def key_groups(count: int) -> Resources:
    resources = key_group(1)
    group = resources.pop("G")
    groups = {f"G{n}": group for n in range(count)}
    trusted = [{"Ref": name} for name in groups]
    return {**resources, **groups, "Site": site({"TrustedKeyGroups": trusted})}


def row(rule: str, name: str, quota: int, make: Any, finding: str = "CDN-CFG-403") -> Any:
    return pytest.param(quota, make, finding, marks=pytest.mark.rule(rule), id=name)


@pytest.mark.parametrize(
    ("quota", "make", "rule"),
    [
        row("CDN-QUO-01", "behaviors", 75, behaviors),
        row("CDN-QUO-01", "origins", 100, origins),
        row("CDN-QUO-01", "origin groups", 10, origin_groups),
        row("CDN-QUO-01", "aliases", 100, aliases),
        row("CDN-QUO-09", "policy headers", 10, policy_headers),
        row("CDN-QUO-09", "origin headers", 30,
            lambda n: origin_headers(*((f"X-{i}", "1") for i in range(n)))),
        row("CDN-QUO-10", "header name", 256, lambda n: origin_headers(("X" * n, "1"))),
        row("CDN-QUO-10", "header value", 1783, lambda n: origin_headers(("X", "1" * n))),
        row("CDN-QUO-10", "headers in all", 10_240, total_of_origin_headers),
        row("CDN-QUO-11", "content security", 1783, content_security),
        row("CDN-QUO-11", "CORS origin", 1783, cors_origin),
        row("CDN-QUO-13", "key groups", 4, key_groups),
        row("CDN-QUO-13", "keys of a group", 5, key_group),
        row("CDN-QUO-14", "function", 10_240, function_code, "CFF-LIM-01"),
    ],
)  # fmt: skip
def test_the_quota_and_one_more(quota: int, make: Any, rule: str, tmp_path: Path) -> None:
    assert load_resources(tmp_path, make(quota)).findings == ()
    [finding] = load_resources(tmp_path, make(quota + 1)).findings
    assert finding.rule == rule


@pytest.mark.rule("CDN-QUO-15")
@pytest.mark.parametrize(("count", "is_fine"), [(10, True), (11, False)])
def test_functions_of_a_key_value_store(count: int, is_fine: bool, tmp_path: Path) -> None:
    resources: Resources = {
        "Kvs": {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "kvs"}},
        "Free": function_code(100)["F"],
    }
    for n in range(count):
        one = function_code(100)["F"]
        one["Properties"]["Name"] = f"f{n}"
        arn = {"KeyValueStoreARN": {"Fn::GetAtt": ["Kvs", "Arn"]}}
        one["Properties"]["FunctionConfig"]["KeyValueStoreAssociations"] = [arn]
        resources[f"F{n}"] = one
    findings = list(check_counts(load_resources(tmp_path, resources).project))
    message = "11 functions with the key-value store kvs; the quota is 10."
    expected = [] if is_fine else [("CDN-QUO-15", message)]
    assert [(each.rule, each.message) for each in findings] == expected


@pytest.mark.rule("CDN-QUO-15")
@pytest.mark.parametrize(
    ("key", "value", "keys", "is_fine"),
    [
        (512, 1, 1, True),
        (513, 1, 1, False),
        (8, 1024, 1, True),
        (8, 1025, 1, False),
        (8, 1016, 5120, True),  # 5 MB exactly
        (8, 1017, 5120, False),
    ],
)
def test_sizes_of_a_key_value_store(
    key: int, value: int, keys: int, is_fine: bool, tmp_path: Path
) -> None:
    file = tmp_path / "data.json"
    entries = [{"key": f"{n:0{key}}", "value": "v" * value} for n in range(keys)]
    file.write_text(json.dumps({"data": entries}))
    store = {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "kvs"}}
    loaded = load_resources(tmp_path, {"Kvs": store}, key_value_stores={"kvs": file})
    assert [each.rule for each in loaded.findings] == ([] if is_fine else ["CFF-KVS-09"])
