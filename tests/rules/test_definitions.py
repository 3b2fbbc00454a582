"""How definitions are read: shapes, defaults, references, code, and what cannot be run."""

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.distribution.model import (
    CachePolicy,
    CustomOrigin,
    LegacyCacheSettings,
    S3Origin,
    SelectionKind,
)
from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project.loaders import Loaded, LoadOptions, load
from edgeproxy.project.model import Treatment
from tests.support.signing import Signer, ecdsa
from tests.unit.project.drafts import (
    CACHING_OPTIMIZED,
    VERSION,
    function,
    load_resources,
    load_site,
    load_text,
    only_distribution,
    refusal,
    site,
)

CONFIG: dict[str, Any] = {
    "CallerReference": "x",
    "Comment": "",
    "Enabled": True,
    "Origins": {
        "Quantity": 1,
        "Items": [
            {
                "Id": "app",
                "DomainName": "app.example.com",
                "CustomOriginConfig": {
                    "HTTPPort": 80,
                    "HTTPSPort": 443,
                    "OriginProtocolPolicy": "https-only",
                },
            }
        ],
    },
    "DefaultCacheBehavior": {
        "TargetOriginId": "app",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": CACHING_OPTIMIZED,
    },
}


def report(loaded: Loaded, path: str) -> tuple[Treatment, str]:
    """What the report says about the property whose path ends so."""
    [line] = [each for each in loaded.project.report.lines if each.place.path.endswith(path)]
    return line.treatment, line.why


# DistributionConfig


@pytest.mark.rule("CDN-CFG-001")
@pytest.mark.parametrize(
    "document",
    [
        CONFIG,
        {"ETag": "E", "DistributionConfig": CONFIG},
        {"Distribution": {"Id": "E2", "DomainName": "d2.cloudfront.net",
                          "DistributionConfig": CONFIG}},
        {"DistributionConfigWithTags": {"DistributionConfig": CONFIG, "Tags": {"Items": []}}},
    ],
    ids=["bare", "get-distribution-config", "get-distribution", "with tags"],
)  # fmt: skip
def test_shapes_of_the_api(document: dict[str, Any], tmp_path: Path) -> None:
    distribution = only_distribution(load_text(tmp_path, json.dumps(document), "d.json"))
    assert distribution.logical_id == "Default"
    assert distribution.origins["app"].domain_name == "app.example.com"
    assert (distribution.id == "E2") == ("Distribution" in document)


@pytest.mark.rule("CDN-CFG-002")
def test_a_quantity_that_is_wrong(tmp_path: Path) -> None:
    document = {**CONFIG, "Aliases": {"Quantity": 2, "Items": ["a.example.com"]}}
    with pytest.raises(DefinitionError, match="Quantity is 2, Items has 1") as caught:
        load_text(tmp_path, json.dumps(document), "d.json")
    assert caught.value.rule == "CDN-CFG-002"


@pytest.mark.rule("CDN-CFG-250")
def test_the_smallest_definition_is_the_same_in_both_languages(tmp_path: Path) -> None:
    api = only_distribution(load_text(tmp_path, json.dumps(CONFIG), "d.json"))
    cfn = only_distribution(
        load_text(
            tmp_path,
            """
            Resources:
              Site:
                Type: AWS::CloudFront::Distribution
                Properties:
                  DistributionConfig:
                    Enabled: true
                    Origins:
                      - Id: app
                        DomainName: app.example.com
                        CustomOriginConfig: {OriginProtocolPolicy: https-only}
                    DefaultCacheBehavior:
                      TargetOriginId: app
                      ViewerProtocolPolicy: redirect-to-https
                      CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
            """,
        )
    )
    assert (api.origins, api.default_behavior) == (cfn.origins, cfn.default_behavior)


IN_CLOUDFORMATION = {
    "Comment": "", "Enabled": False, "Staging": False, "HttpVersion": "http2and3",
    "IPV6Enabled": False, "PriceClass": "PriceClass_100", "WebACLId": "",
    "DefaultRootObject": "index.html", "Aliases": ["a.example.com", "b.example.com"],
    "Origins": [
        {
            "Id": "app", "DomainName": "app.example.com", "OriginPath": "/v1",
            "ConnectionAttempts": 2, "ConnectionTimeout": 4, "ResponseCompletionTimeout": 60,
            "OriginCustomHeaders": [{"HeaderName": "X-A", "HeaderValue": "1"}],
            "OriginShield": {"Enabled": True, "OriginShieldRegion": "eu-west-1"},
            "CustomOriginConfig": {
                "HTTPPort": 8080, "HTTPSPort": 8443, "OriginProtocolPolicy": "match-viewer",
                "OriginSSLProtocols": ["TLSv1.1", "TLSv1.2"], "OriginReadTimeout": 20,
                "OriginKeepaliveTimeout": 6,
            },
        },
        {
            "Id": "bucket", "DomainName": "b.s3.eu-west-1.amazonaws.com",
            "OriginAccessControlId": "E1",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        },
        {
            "Id": "inside", "DomainName": "vpc.example.com",
            "VpcOriginConfig": {"VpcOriginId": "vo", "OriginReadTimeout": 9},
        },
    ],
    "OriginGroups": {"Quantity": 1, "Items": [{
        "Id": "both", "SelectionCriteria": "default",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 2, "Items": [500, 404]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "app"}, {"OriginId": "bucket"}]},
    }]},
    "DefaultCacheBehavior": {
        "TargetOriginId": "both", "ViewerProtocolPolicy": "https-only", "Compress": True,
        "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
        "CachedMethods": ["GET", "HEAD", "OPTIONS"],
        "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        "OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3",
        "ResponseHeadersPolicyId": "67f7725c-6f97-4210-82d7-5512b31e9d03",
        "TrustedKeyGroups": ["one", "two"], "GrpcConfig": {"Enabled": False},
    },
    "CacheBehaviors": [{
        "PathPattern": "/old/*", "TargetOriginId": "inside", "ViewerProtocolPolicy": "allow-all",
        "MinTTL": 1, "DefaultTTL": 2, "MaxTTL": 3,
        "ForwardedValues": {
            "QueryString": True, "QueryStringCacheKeys": ["q"], "Headers": ["X-B"],
            "Cookies": {"Forward": "whitelist", "WhitelistedNames": ["c"]},
        },
    }],
    "CustomErrorResponses": [{
        "ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/e", "ErrorCachingMinTTL": 7,
    }],
    "Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", "Locations": ["DE"]}},
    "ViewerCertificate": {
        "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a",
        "SslSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021",
    },
    "Logging": {"Bucket": "l.s3.amazonaws.com", "Prefix": "p/", "IncludeCookies": True},
}  # fmt: skip
IN_THE_API = {
    "OriginCustomHeaders": "CustomHeaders",
    "OriginSSLProtocols": "OriginSslProtocols",
    "AcmCertificateArn": "ACMCertificateArn",
    "SslSupportMethod": "SSLSupportMethod",
    "IPV6Enabled": "IsIPV6Enabled",
}


def as_the_api_writes(value: Any) -> Any:
    """A part of ``IN_CLOUDFORMATION`` under the API's names, with counted lists."""
    if isinstance(value, list):
        return {"Quantity": len(value), "Items": [as_the_api_writes(each) for each in value]}
    if not isinstance(value, dict):
        return value
    if "Items" in value:
        return as_the_api_writes(value["Items"])
    parts = {IN_THE_API.get(name, name): as_the_api_writes(each) for name, each in value.items()}
    if "CachedMethods" in parts:
        parts["AllowedMethods"]["CachedMethods"] = parts.pop("CachedMethods")
    if "TrustedKeyGroups" in parts:
        parts["TrustedKeyGroups"]["Enabled"] = True
    if "Locations" in parts:
        parts |= parts.pop("Locations")
    return parts


@pytest.mark.rule("CDN-CFG-250", "CDN-CFG-002", "CDN-CFG-003")
def test_a_definition_of_all_parts_is_the_same_in_both_languages(tmp_path: Path) -> None:
    cloudformation = load_resources(tmp_path, {"Default": {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": IN_CLOUDFORMATION}}})  # fmt: skip
    text = json.dumps({"CallerReference": "x", **as_the_api_writes(IN_CLOUDFORMATION)})
    api = load_text(tmp_path, text, "distribution.json")
    one, other = only_distribution(cloudformation), only_distribution(api)
    assert replace(one, source=None) == replace(other, source=None)
    assert not [each.why for each in api.project.report.lines if "does not know" in each.why]
    group = one.origin_groups["both"]
    assert (group.primary, group.status_codes) == ("app", frozenset({500, 404}))
    assert one.origins["app"].custom_headers.get("X-A") == "1"
    assert one.default_behavior.cached_methods == ("GET", "HEAD", "OPTIONS")
    assert one.default_behavior.trusted_key_groups == ("one", "two")
    assert one.geo_restriction.locations == {"DE"}


@pytest.mark.rule("CDN-CFG-251", "CDN-CFG-064", "CDN-CFG-065", "CDN-CFG-070", "CDN-CFG-114")
def test_defaults(tmp_path: Path) -> None:
    distribution = only_distribution(load_site(tmp_path))
    origin, behavior = distribution.origins["web"], distribution.default_behavior
    assert isinstance(origin.config, CustomOrigin)
    assert (origin.config.http_port, origin.config.https_port) == (80, 443)
    assert (origin.config.read_timeout_s, origin.config.keepalive_timeout_s) == (30, 5)
    assert (origin.connection_attempts, origin.connection_timeout_s) == (3, 10)
    assert behavior.allowed_methods == behavior.cached_methods == ("GET", "HEAD")
    assert not behavior.compress
    assert distribution.http_version == "http2"


@pytest.mark.rule("CDN-CFG-008")
def test_a_file_may_define_several_distributions(tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, {"A": site(), "B": site()})
    ids = {each.id for each in loaded.project.distributions.values()}
    assert len(ids) == 2


@pytest.mark.rule("CDN-CFG-042")
@pytest.mark.parametrize(
    ("legacy", "kind"),
    [
        ({"CustomOrigin": {"DNSName": "o.example.com", "OriginProtocolPolicy": "http-only",
                           "OriginSSLProtocols": ["TLSv1"]}}, CustomOrigin),
        ({"S3Origin": {"DNSName": "o.example.com", "OriginAccessIdentity": ""}}, S3Origin),
    ],
)  # fmt: skip
def test_legacy_forms(legacy: dict[str, Any], kind: type, tmp_path: Path) -> None:
    loaded = load_site(tmp_path, config={"Origins": None, "CNAMEs": ["a.example.com"], **legacy})
    distribution = only_distribution(loaded)
    assert distribution.origins["web"].domain_name == "o.example.com"
    assert isinstance(distribution.origins["web"].config, kind)
    assert distribution.aliases == ("a.example.com",)
    assert report(loaded, ".CNAMEs")[0] is Treatment.APPROXIMATED


@pytest.mark.rule("CDN-CFG-078", "CDN-CFG-069", "CDN-CFG-077", "CDN-ORG-14")
@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ({"S3OriginConfig": {}, "DomainName": "plain.example.com"}, S3Origin),
        ({"DomainName": "b.s3.eu-west-1.amazonaws.com"}, S3Origin),
        ({"DomainName": "b.s3.amazonaws.com"}, S3Origin),
        ({"VpcOriginConfig": {"VpcOriginId": "vo_1", "OriginReadTimeout": 7}}, CustomOrigin),
    ],
)
def test_kinds_of_origins(origin: dict[str, Any], kind: type, tmp_path: Path) -> None:
    loaded = load_site(tmp_path, origin={"CustomOriginConfig": None, **origin})
    assert isinstance(only_distribution(loaded).origins["web"].config, kind)


@pytest.mark.rule("CDN-CFG-078")
@pytest.mark.parametrize("host", ["example.com", "b.s3-website-us-east-1.amazonaws.com"])
def test_an_origin_of_no_kind(host: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="neither S3OriginConfig nor CustomOriginConfig"):
        load_site(tmp_path, origin={"CustomOriginConfig": None, "DomainName": host})


def group(**changes: Any) -> dict[str, Any]:
    values = {
        "Id": "g",
        "Members": {"Items": [{"OriginId": "web"}, {"OriginId": "web"}]},
        "FailoverCriteria": {"StatusCodes": {"Items": [500]}},
        **changes,
    }
    return {"OriginGroups": {"Items": [values]}}


@pytest.mark.parametrize(
    ("parts", "path", "message"),
    [
        pytest.param({"behavior": {"TargetOriginId": "no"}}, "TargetOriginId", "'no'",
                     marks=pytest.mark.rule("CDN-CFG-390")),
        pytest.param({"behavior": {"CachePolicyId": "no"}}, "CachePolicyId", "no policy",
                     marks=pytest.mark.rule("CDN-MP-03")),
        pytest.param({"behavior": {"CachePolicyId": None}}, "DefaultCacheBehavior", "neither",
                     marks=pytest.mark.rule("CDN-CFG-120")),
        pytest.param({"behavior": {"ViewerProtocolPolicy": "http"}}, "ViewerProtocolPolicy",
                     "not a value", marks=pytest.mark.rule("CDN-CFG-009", "CDN-CFG-112")),
        pytest.param({"behavior": {"Compress": "maybe"}}, "Compress", "true or false",
                     marks=pytest.mark.rule("CDN-CFG-114")),
        pytest.param({"config": {"HttpVersion": "http4"}}, "HttpVersion", "not a value",
                     marks=pytest.mark.rule("CDN-CFG-009", "CDN-CFG-035")),
        pytest.param({"config": {"Origins": []}}, "DistributionConfig", "Origins is missing",
                     marks=pytest.mark.rule("CDN-CFG-023")),
        pytest.param({"config": {"DefaultCacheBehavior": None}}, "DistributionConfig",
                     "DefaultCacheBehavior is missing", marks=pytest.mark.rule("CDN-CFG-025")),
        pytest.param({"config": {"CacheBehaviors": [{"TargetOriginId": "web"}]}},
                     "CacheBehaviors[0]", "PathPattern is missing",
                     marks=pytest.mark.rule("CDN-CFG-110")),
        pytest.param({"config": group(Members={"Items": [{"OriginId": "web"}]})},
                     "Members", "has 1 members", marks=pytest.mark.rule("CDN-CFG-092")),
        pytest.param({"config": group(Members={"Items": [{"OriginId": "web"},
                                                         {"OriginId": "no"}]})},
                     "OriginId", "'no'", marks=pytest.mark.rule("CDN-CFG-390")),
        pytest.param({"config": group(SelectionCriteria="best")}, "SelectionCriteria",
                     "not a value", marks=pytest.mark.rule("CDN-CFG-093")),
        pytest.param({"origin": {"CustomOriginConfig": {"OriginProtocolPolicy": "ftp"}}},
                     "OriginProtocolPolicy", "not a value", marks=pytest.mark.rule("CDN-CFG-071")),
        pytest.param({"origin": {"CustomOriginConfig": {"OriginProtocolPolicy": "http-only",
                                                        "OriginSSLProtocols": ["TLSv9"]}}},
                     "OriginSSLProtocols", "'TLSv9'", marks=pytest.mark.rule("CDN-CFG-072")),
        pytest.param({"behavior": {"FunctionAssociations": [
            {"EventType": "viewer-request", "FunctionARN": "arn:x"}]}},
            "FunctionARN", "no CloudFront Function", marks=pytest.mark.rule("CDN-CFG-122")),
        pytest.param({"behavior": {"LambdaFunctionAssociations": [
            {"EventType": "viewer-requests", "LambdaFunctionARN": "f:1"}]}},
            "EventType", "not a value", marks=pytest.mark.rule("CDN-CFG-121")),
        pytest.param({"behavior": {"LambdaFunctionAssociations": [
            {"EventType": "viewer-request",
             "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:x:1"}]}},
            "LambdaFunctionARN", "no Lambda function", marks=pytest.mark.rule("CDN-CFG-272")),
    ],
)  # fmt: skip
def test_what_cannot_be_run(parts: dict[str, Any], path: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_site(tmp_path, **parts)
    assert message in caught.value.message
    assert caught.value.place.path.endswith(path)
    assert caught.value.place.line
    assert caught.value.remedy


@pytest.mark.rule("CDN-CFG-094")
def test_a_group_may_be_the_target_of_a_behavior_with_all_methods(tmp_path: Path) -> None:
    methods = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    loaded = load_site(tmp_path, {"TargetOriginId": "g", "AllowedMethods": methods}, group())
    assert loaded.findings == ()


@pytest.mark.rule("CDN-CFG-143")
def test_error_caching_time_without_a_value_is_ten_seconds(tmp_path: Path) -> None:
    loaded = load_site(tmp_path, config={"CustomErrorResponses": [{"ErrorCode": 404}]})
    assert only_distribution(loaded).custom_error_responses[404].error_caching_min_ttl_s == 10


@pytest.mark.rule("CDN-TTL-17", "CDN-CFG-119")
def test_legacy_ttls(tmp_path: Path) -> None:
    loaded = load_site(
        tmp_path, {"CachePolicyId": None, "ForwardedValues": {"QueryString": "false"}}
    )
    cache = only_distribution(loaded).default_behavior.cache
    assert isinstance(cache, LegacyCacheSettings)
    assert (cache.min_ttl_s, cache.default_ttl_s, cache.max_ttl_s) == (0, 86_400, 31_536_000)


@pytest.mark.rule("CDN-TTL-18", "CDN-CFG-171", "CDN-CFG-172")
@pytest.mark.parametrize(
    ("ttls", "expected"),
    [
        ({"MinTTL": 1}, (1, 86_400, 31_536_000)),
        ({"MinTTL": 90_000}, (90_000, 90_000, 31_536_000)),
        ({"MinTTL": 0, "DefaultTTL": 40_000_000}, (0, 40_000_000, 40_000_000)),
    ],
)
def test_ttls_of_a_cache_policy(
    ttls: dict[str, int], expected: tuple[int, int, int], tmp_path: Path
) -> None:
    keyed = {
        "EnableAcceptEncodingGzip": True,
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }
    config = {"Name": "p", **ttls, "ParametersInCacheKeyAndForwardedToOrigin": keyed}
    policy = {"Type": "AWS::CloudFront::CachePolicy", "Properties": {"CachePolicyConfig": config}}
    loaded = load_site(tmp_path, {"CachePolicyId": {"Ref": "P"}}, P=policy)
    cache = only_distribution(loaded).default_behavior.cache
    assert isinstance(cache, CachePolicy)
    assert (cache.min_ttl_s, cache.default_ttl_s, cache.max_ttl_s) == expected


@pytest.mark.rule("CDN-CFG-118", "CDN-KEY-30")
def test_all_headers_of_the_legacy_settings(tmp_path: Path) -> None:
    values = {"QueryString": True, "Headers": ["*"], "Cookies": {"Forward": "all"}}
    loaded = load_site(tmp_path, {"CachePolicyId": None, "ForwardedValues": values})
    cache = only_distribution(loaded).default_behavior.cache
    assert isinstance(cache, LegacyCacheSettings)
    assert (cache.headers.kind, cache.cookies.kind) == (SelectionKind.ALL, SelectionKind.ALL)


@pytest.mark.rule("CDN-CFG-123", "CDN-CFG-217")
def test_trusted_signers_and_unknown_groups_take_the_keys_of_options(tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text(Signer("K1", ecdsa()).pem)
    signers = {"Enabled": True, "Quantity": 1, "Items": ["self"]}
    behavior = {"TrustedSigners": signers, "TrustedKeyGroups": ["group-1"]}
    distribution = only_distribution(
        load_resources(tmp_path, {"Site": site(behavior)}, public_keys={"K1": pem})
    )
    assert distribution.default_behavior.trusted_key_groups == ("group-1", "self")
    assert [key.id for key in distribution.key_groups["group-1"]] == ["K1"]
    assert [key.id for key in distribution.key_groups["self"]] == ["K1"]


@pytest.mark.rule("CDN-CFG-217")
def test_a_public_key_answers_to_its_logical_id_and_to_a_mapping(tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    mapped, declared = (Signer(name, ecdsa()).pem for name in ("K9", "Key"))
    pem.write_text(mapped)
    key = {"PublicKeyConfig": {"Name": "k", "CallerReference": "1", "EncodedKey": declared}}
    groups = {"KeyGroupConfig": {"Name": "g", "Items": [{"Ref": "Key"}, "K9"]}}
    resources = {
        "Key": {"Type": "AWS::CloudFront::PublicKey", "Properties": key},
        "Group": {"Type": "AWS::CloudFront::KeyGroup", "Properties": groups},
    }
    behavior = {"TrustedKeyGroups": [{"Ref": "Group"}]}
    distribution = only_distribution(
        load_resources(tmp_path, {"Site": site(behavior), **resources}, public_keys={"K9": pem})
    )
    [members] = distribution.key_groups.values()
    by_id = {each.id: each.encoded_key for each in members}
    assert by_id["Key"] == declared
    assert by_id["K9"] == mapped
    assert len(by_id) == 3


# Functions


@pytest.mark.rule("CDN-CFG-276")
def test_inline_code_is_the_module_index(tmp_path: Path) -> None:
    loaded = load_resources(
        tmp_path, {"Py": function(), "Js": function(Runtime="nodejs22.x", Code={"ZipFile": "x"})}
    )
    functions = loaded.project.functions
    assert (functions["Py"].spec.code_root / "index.py").is_file()
    assert (functions["Js"].spec.code_root / "index.js").read_text() == "x"
    assert functions["Py"].inline
    assert functions["Py"].spec.code_root.is_relative_to(tmp_path / "state")
    again = load_resources(tmp_path, {"Other": function()}).project.functions["Other"]
    assert again.spec.code_root == functions["Py"].spec.code_root


@pytest.mark.rule("CDN-CFG-273", "CDN-CFG-276")
def test_a_folder_and_a_zip_file_beside_the_template(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "index.py").write_text("def handler(e, c): return e")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.write(tmp_path / "src" / "index.py", "index.py")
    functions = load_resources(
        tmp_path, {"Folder": function(Code="src"), "Zip": function(Code="code.zip")}
    ).project.functions
    assert functions["Folder"].spec.code_root == tmp_path / "src"
    assert functions["Folder"].watch == (tmp_path / "src",)
    assert (functions["Zip"].spec.code_root / "index.py").is_file()
    assert functions["Zip"].watch == (tmp_path / "code.zip",)


@pytest.mark.parametrize(
    ("properties", "path", "message"),
    [
        pytest.param({"Code": "gone"}, "Code", "there is no folder or zip file",
                     marks=pytest.mark.rule("CDN-CFG-273")),
        pytest.param({"Code": None}, "Properties", "Code is missing"),
        pytest.param({"Handler": None}, "Properties", "Handler is missing"),
        pytest.param({"Runtime": None}, "Properties", "Runtime is missing"),
        pytest.param({"Timeout": "soon"}, "Timeout", "expected a whole number"),
        pytest.param({"Environment": {"Variables": ["A"]}}, "Variables", "expected a mapping"),
    ],
)  # fmt: skip
def test_functions_that_cannot_be_read(
    properties: dict[str, Any], path: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_resources(tmp_path, {"Fn": function(**properties)})
    assert message in caught.value.message
    assert caught.value.place.path.split(".")[-1] == path


ELSEWHERE = [
    pytest.param({"S3Bucket": "b", "S3Key": "k.zip"}, marks=pytest.mark.rule("CDN-CFG-276")),
    pytest.param({"ImageUri": "123.dkr.ecr/x"}, marks=pytest.mark.rule("CDN-CFG-273")),
]


@pytest.mark.parametrize("code", ELSEWHERE)
def test_code_that_is_not_here_leaves_the_function_out(
    code: dict[str, str], tmp_path: Path
) -> None:
    loaded = load_resources(tmp_path, {"Fn": function(Code=code)})
    assert loaded.project.functions == {}
    assert any("cannot" in line.why for line in loaded.project.report.lines)


@pytest.mark.parametrize("code", ELSEWHERE)
def test_code_that_is_not_here_is_an_error_for_whoever_needs_it(
    code: dict[str, str], tmp_path: Path
) -> None:
    associations = [{"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "V"}}]
    with pytest.raises(DefinitionError) as caught:
        load_site(
            tmp_path,
            {"LambdaFunctionAssociations": associations},
            Fn=function(Code=code),
            V=VERSION,
        )
    assert caught.value.place.path.startswith("Resources.Fn.Properties.Code")
    assert caught.value.remedy


@pytest.mark.rule("CDN-CFG-272")
def test_an_alias_that_is_not_declared(tmp_path: Path) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:Fn:blue"
    behavior = {
        "LambdaFunctionAssociations": [{"EventType": "origin-request", "LambdaFunctionARN": arn}]
    }
    with pytest.raises(DefinitionError, match="has no alias 'blue'"):
        load_site(tmp_path, behavior, Fn=function())


def sam(folder: Path, functions: str, **options: Any) -> Loaded:
    text = f"Transform: AWS::Serverless-2016-10-31\nResources:\n{functions}"
    return load_text(folder, text, **options)


@pytest.mark.rule("CDN-CFG-273")
def test_a_missing_code_uri(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="CodeUri is missing") as caught:
        sam(
            tmp_path,
            "  Fn:\n    Type: AWS::Serverless::Function\n"
            "    Properties: {Handler: a.b, Runtime: python3.12}\n",
        )
    assert refusal(caught.value) == "Resources.Fn.Properties:5"


SAM_FUNCTION = """
  Fn:
    Type: AWS::Serverless::Function
    {extra}
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.12
"""


@pytest.mark.rule("CDN-CFG-274")
@pytest.mark.parametrize("name", ["Fn.Version", "Fn.Alias"])
def test_version_and_alias_need_auto_publish_alias(name: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def handler(e, c): ...")
    text = SAM_FUNCTION.replace("    {extra}\n", "")
    text += f"      Environment: {{Variables: {{V: !Ref {name}}}}}\n"
    with pytest.raises(DefinitionError, match="exists only with AutoPublishAlias") as caught:
        sam(tmp_path, text)
    assert caught.value.rule == "CDN-CFG-274"
    text += "      AutoPublishAlias: live\n"
    environment = dict(sam(tmp_path, text).project.functions["Fn"].spec.environment)
    assert environment["V"].endswith(":1" if name == "Fn.Version" else ":live")


@pytest.mark.rule("CDN-CFG-275")
def test_build_output_is_preferred_while_it_is_newer(tmp_path: Path) -> None:
    build = tmp_path / ".aws-sam" / "build"
    for folder in (tmp_path / "src", build / "Fn"):
        folder.mkdir(parents=True)
        (folder / "app.py").write_text("def handler(e, c): ...")
    stamp = build / "template.yaml"
    stamp.write_text("")
    text = SAM_FUNCTION.replace("    {extra}\n", "")
    os.utime(tmp_path / "src" / "app.py", (1000, 1000))
    os.utime(stamp, (2000, 2000))
    built = sam(tmp_path, text).project.functions["Fn"]
    assert built.spec.code_root == build / "Fn"
    assert tmp_path / "src" in built.watch
    os.utime(tmp_path / "src" / "app.py", (3000, 3000))
    assert sam(tmp_path, text).project.functions["Fn"].spec.code_root == tmp_path / "src"


@pytest.mark.rule("CDN-CFG-278")
def test_bundled_sources_need_their_build_output(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.ts").write_text("")
    text = SAM_FUNCTION.replace("{extra}", "Metadata: {BuildMethod: esbuild}")
    with pytest.raises(DefinitionError, match="no build output") as caught:
        sam(tmp_path, text)
    assert caught.value.remedy == "run sam build"
    build = tmp_path / ".aws-sam" / "build"
    (build / "Fn").mkdir(parents=True)
    (build / "Fn" / "app.py").write_text("def handler(e, c): ...")
    (build / "template.yaml").write_text("")
    os.utime(build / "template.yaml", (1, 1))
    assert sam(tmp_path, text).project.functions["Fn"].spec.code_root == build / "Fn"


@pytest.mark.rule("CDN-CFG-279")
def test_code_of_a_cloudfront_function_goes_through_sub(tmp_path: Path) -> None:
    def loaded(code: object) -> str:
        properties = {
            "Name": "f",
            "AutoPublish": True,
            "FunctionCode": code,
            "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
        }
        resource = {"Type": "AWS::CloudFront::Function", "Properties": properties}
        return load_resources(tmp_path, {"F": resource}).project.cloudfront_functions["f"].code

    assert loaded({"Fn::Sub": "`${AWS::Region} ${!name}`"}) == "`us-east-1 ${name}`"
    with pytest.raises(DefinitionError, match="cannot replace"):
        loaded({"Fn::Sub": "`${a + b}`"})
    with pytest.raises(DefinitionError, match="macros run inside AWS"):
        loaded({"Fn::Transform": {"Name": "AWS::Include"}})


@pytest.mark.rule("CDN-CFG-213")
@pytest.mark.parametrize("publish", [{}, {"AutoPublish": False}])
def test_unpublished_code_runs_all_the_same(publish: dict[str, Any], tmp_path: Path) -> None:
    properties = {
        "Name": "f",
        "FunctionCode": "x",
        "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-1.0"},
        **publish,
    }
    resource = {"Type": "AWS::CloudFront::Function", "Properties": properties}
    loaded = load_resources(tmp_path, {"F": resource})
    assert loaded.project.cloudfront_functions["f"].code == "x"


@pytest.mark.rule("CDN-CFG-212")
def test_an_unknown_runtime_of_a_cloudfront_function(tmp_path: Path) -> None:
    properties = {
        "Name": "f",
        "FunctionCode": "x",
        "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-3.0"},
    }
    resource = {"Type": "AWS::CloudFront::Function", "Properties": properties}
    with pytest.raises(DefinitionError, match=r"cloudfront-js-3\.0"):
        load_resources(tmp_path, {"F": resource})


STORE = {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "store"}}


@pytest.mark.rule("CDN-CFG-214")
@pytest.mark.parametrize("name", ["store", "Kvs"])
def test_a_store_is_loaded_by_name_or_logical_id(name: str, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"data": [{"key": "a", "value": "1"}, {"key": "b", "value": {"c": 2}}]}')
    loaded = load_resources(tmp_path, {"Kvs": STORE}, key_value_stores={name: file})
    assert loaded.project.key_value_stores["store"].data == {"a": "1", "b": '{"c":2}'}
    assert file in loaded.project.sources


@pytest.mark.rule("CDN-CFG-214")
@pytest.mark.parametrize("text", ["{}", '{"data": {}}', '{"data": [{"key": "a"}]}', "[1]"])
def test_a_file_that_is_no_import_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text(text)
    with pytest.raises(DefinitionError, match="not a key-value store's import file"):
        load_resources(tmp_path, {"Kvs": STORE}, key_value_stores={"store": file})


def test_an_import_file_has_no_key_twice(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"data": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}')
    with pytest.raises(DefinitionError, match="the key 'a' is there twice"):
        load_resources(tmp_path, {"Kvs": STORE}, key_value_stores={"store": file})


def test_a_store_that_is_not_declared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="declares no key-value store 'other'"):
        load_resources(tmp_path, {"Kvs": STORE}, key_value_stores={"other": tmp_path})


# Function URLs


def url(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Url",
        "Properties": {"TargetFunctionArn": {"Ref": "Fn"}, "AuthType": "NONE", **properties},
    }


@pytest.mark.rule("FU-001", "CDN-CFG-281")
def test_a_function_url_as_origin_is_served_by_the_same_project(tmp_path: Path) -> None:
    domain = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Url", "FunctionUrl"]}]}]}
    loaded = load_site(tmp_path, origin={"DomainName": domain}, Fn=function(), Url=url())
    host = only_distribution(loaded).origins["web"].domain_name
    made = loaded.project.function_urls["Url"]
    assert host == f"{made.url_id}.lambda-url.us-east-1.on.aws"
    assert loaded.origins[host] == "function-url:Url"


@pytest.mark.rule("FU-006")
@pytest.mark.parametrize(
    ("properties", "path", "how"),
    [
        ({"AuthType": "AWS_IAM"}, "AuthType", "--iam enforce"),
    ],
)
def test_what_function_urls_approximate(
    properties: dict[str, Any], path: str, how: str, tmp_path: Path
) -> None:
    loaded = load_resources(tmp_path, {"Fn": function(), "Url": url(**properties)})
    treatment, why = report(loaded, f"Url.Properties.{path}")
    assert treatment is Treatment.APPROXIMATED
    assert how in why


@pytest.mark.rule("FU-006")
@pytest.mark.parametrize("mode", ["BUFFERED", "RESPONSE_STREAM"])
def test_both_invoke_modes_are_honoured(mode: str, tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, {"Fn": function(), "Url": url(InvokeMode=mode)})
    assert loaded.project.function_urls["Url"].invoke_mode == mode
    assert report(loaded, "Url.Properties.InvokeMode")[0] is Treatment.HONOURED


@pytest.mark.rule("FU-002", "FU-006")
@pytest.mark.parametrize(
    "properties", [{"AuthType": "SOME"}, {"InvokeMode": "FAST"}, {"Qualifier": "1"}]
)
def test_function_urls_that_aws_does_not_know(properties: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DefinitionError):
        load_resources(tmp_path, {"Fn": function(), "Url": url(**properties)})


@pytest.mark.rule("FU-003")
def test_a_function_url_of_an_alias(tmp_path: Path) -> None:
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "Name": "live",
            "FunctionName": {"Ref": "Fn"},
            "FunctionVersion": "1",
            "RoutingConfig": {
                "AdditionalVersionWeights": [{"FunctionVersion": "2", "FunctionWeight": 0.25}]
            },
        },
    }
    loaded = load_resources(
        tmp_path,
        {
            "Fn": function(),
            "FnVersion": VERSION,
            "Live": alias,
            "ByRef": url(TargetFunctionArn={"Ref": "Live"}),
            "ByQualifier": url(Qualifier="live"),
        },
    )
    assert {each.qualifier for each in loaded.project.function_urls.values()} == {"live"}
    definition = loaded.project.functions["Fn"]
    assert definition.aliases == {"live": "1"}
    assert definition.weights == {"live": {"2": 0.25}}
    assert "2" in definition.versions
    assert report(loaded, "FunctionWeight")[0] is Treatment.HONOURED


# TARGET


@pytest.mark.rule("CDN-CFG-309")
def test_a_cdk_app_must_be_synthesised_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cdk.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        load(None)
    assert "cdk synth" in caught.value.remedy
    with pytest.raises(DefinitionError) as named:
        load("cdk.json", LoadOptions())
    assert "cdk synth" in named.value.remedy


@pytest.mark.rule("CDN-CFG-009")
def test_unknown_properties_are_reported_and_do_no_harm(tmp_path: Path) -> None:
    loaded = load_site(tmp_path, {"Brandnew": 1})
    assert report(loaded, ".Brandnew") == (
        Treatment.IGNORED,
        "edgeproxy does not know this property",
    )


@pytest.mark.rule("CDN-CFG-029")
def test_logging_says_where_it_goes(tmp_path: Path) -> None:
    treatment, why = report(load_site(tmp_path, config={"Logging": {"Bucket": "b"}}), ".Logging")
    assert treatment is Treatment.APPROXIMATED
    assert "--standard-logs" in why


@pytest.mark.parametrize(
    ("parts", "path", "word"),
    [
        pytest.param({"config": {name: value}}, name, word, marks=pytest.mark.rule(rule))
        for name, value, word, rule in (
            ("WebACLId", "arn", "firewall", "CDN-CFG-034"),
            ("PriceClass", "PriceClass_100", "no effect", "CDN-CFG-030"),
            ("Comment", "x", "no effect", "CDN-CFG-028"),
            ("IPV6Enabled", True, "address", "CDN-CFG-036"),
            ("ContinuousDeploymentPolicyId", "p", "not declared", "CDN-CFG-038"),
            ("AnycastIpListId", "a", "no effect", "CDN-CFG-041"),
        )
    ]
    + [
        pytest.param({"behavior": {name: value}}, name, word, marks=pytest.mark.rule(rule))
        for name, value, word, rule in (
            ("FieldLevelEncryptionId", "f", "configuration", "CDN-CFG-124"),
            ("RealtimeLogConfigArn", "arn", "not declared", "CDN-CFG-124"),
            ("SmoothStreaming", True, "Smooth", "CDN-CFG-124"),
        )
    ]
    + [
        pytest.param({"config": {"ViewerCertificate": {"AcmCertificateArn": "arn"}}},
                     "AcmCertificateArn", "local authority", marks=pytest.mark.rule("CDN-CFG-154")),
    ],
)  # fmt: skip
def test_what_is_ignored_says_why(
    parts: dict[str, Any], path: str, word: str, tmp_path: Path
) -> None:
    loaded = load_site(tmp_path, **parts)
    lines = [
        line
        for line in loaded.project.report.lines
        if line.place.path.endswith(path) and line.treatment is Treatment.IGNORED
    ]
    assert [word in line.why for line in lines] == [True]
