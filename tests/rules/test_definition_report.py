"""Nothing of a definition is dropped silently: every property has a line of the report above it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.project.loaders import load
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.model import ReportLine, Treatment
from tests.unit.project.drafts import VERSION, function, load_resources, load_site, site

ARN = {"Fn::GetAtt": ["Kvs", "Arn"]}
STORE = {"KeyValueStoreAssociations": [{"KeyValueStoreARN": ARN}]}
NO_NAMES = {
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}
CORS = {
    "AccessControlAllowOrigins": {"Items": ["https://a.example"]},
    "AccessControlAllowHeaders": {"Items": ["x"]},
    "AccessControlAllowMethods": {"Items": ["GET"]},
    "AccessControlExposeHeaders": {"Items": ["x"]},
    "AccessControlAllowCredentials": False,
    "OriginOverride": True,
}
SECURITY = {
    "XSSProtection": {"Override": True, "Protection": True},
    "FrameOptions": {"Override": True, "FrameOption": "DENY"},
    "ReferrerPolicy": {"Override": True, "ReferrerPolicy": "origin"},
    "ContentSecurityPolicy": {"Override": True, "ContentSecurityPolicy": "a"},
    "ContentTypeOptions": {"Override": True},
    "StrictTransportSecurity": {"Override": True, "AccessControlMaxAgeSec": 1},
}
WEIGHT = {"Weight": 0.1, "SessionStickinessConfig": {"IdleTTL": 300, "MaximumTTL": 300}}
BEHAVIOR = {
    "LambdaFunctionAssociations": [
        {"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "Version"}}
    ],
    "FunctionAssociations": [
        {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["Cff", "FunctionARN"]}}
    ],
    "GrpcConfig": {"Enabled": False},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 1, "Items": [{"Ref": "Keys"}]},
}
LEGACY = {
    "PathPattern": "/legacy",
    "TargetOriginId": "web",
    "ViewerProtocolPolicy": "allow-all",
    "AllowedMethods": {
        "Quantity": 2,
        "Items": ["GET", "HEAD"],
        "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
    },
    "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "none"}},
}
CONFIG = {
    "CacheBehaviors": [LEGACY],
    "CustomErrorResponses": [{"ErrorCode": 404}],
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none"}},
    "Logging": {"Bucket": "b.s3.amazonaws.com"},
    "CacheTagConfig": {"HeaderName": "X-Tags"},
    "ViewerMtlsConfig": {
        "Mode": "required",
        "TrustStoreConfig": {"TrustStoreId": {"Fn::GetAtt": ["Trust", "Id"]}},
    },
    "OriginGroups": {
        "Quantity": 1,
        "Items": [
            {
                "Id": "group",
                "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [500]}},
                "Members": {"Quantity": 2, "Items": [{"OriginId": "web"}, {"OriginId": "web"}]},
            }
        ],
    },
}
ORIGIN = {
    "OriginCustomHeaders": [{"HeaderName": "X-A", "HeaderValue": "1"}],
    "OriginShield": {"Enabled": True, "OriginShieldRegion": "us-east-1"},
    "CustomOriginConfig": {
        "OriginProtocolPolicy": "https-only",
        "OriginMtlsConfig": {"ClientCertificateArn": "arn"},
    },
    "OriginAccessControlId": {"Fn::GetAtt": ["Access", "Id"]},
}


def cloudfront(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::CloudFront::{kind}", "Properties": properties}


def everything() -> dict[str, Any]:
    """A resource of each kind that is read for distributions and functions."""
    return {
        "Cache": cloudfront("CachePolicy", CachePolicyConfig={
            "Name": "c", "MinTTL": 0, "DefaultTTL": 1, "MaxTTL": 2,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": False, **NO_NAMES}}),
        "Forward": cloudfront(
            "OriginRequestPolicy", OriginRequestPolicyConfig={"Name": "f", **NO_NAMES}),
        "Respond": cloudfront("ResponseHeadersPolicy", ResponseHeadersPolicyConfig={
            "Name": "r", "CorsConfig": CORS, "SecurityHeadersConfig": SECURITY,
            "CustomHeadersConfig": {"Items": [{"Header": "a", "Value": "b", "Override": True}]},
            "RemoveHeadersConfig": {"Items": [{"Header": "c"}]},
            "ServerTimingHeadersConfig": {"Enabled": True, "SamplingRate": 1}}),
        "Cff": cloudfront(
            "Function", Name="cff", AutoPublish=True, FunctionCode="function handler(event) {}",
            FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0", **STORE}),
        "Connect": cloudfront(
            "ConnectionFunction", Name="connect", ConnectionFunctionCode="function x() {}",
            ConnectionFunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"}),
        "Kvs": cloudfront("KeyValueStore", Name="kvs", ImportSource={
            "SourceType": "S3", "SourceArn": "arn:aws:s3:::b/k"}),
        "Keys": cloudfront("KeyGroup", KeyGroupConfig={"Name": "k", "Items": ["K1"]}),
        "Key": cloudfront("PublicKey", PublicKeyConfig={
            "Name": "k", "CallerReference": "r", "EncodedKey": "no key"}),
        "Access": cloudfront("OriginAccessControl", OriginAccessControlConfig={
            "Name": "a", "SigningProtocol": "sigv4", "SigningBehavior": "always",
            "OriginAccessControlOriginType": "mediastore"}),
        "Identity": cloudfront("CloudFrontOriginAccessIdentity",
                               CloudFrontOriginAccessIdentityConfig={"Comment": ""}),
        "Log": cloudfront("RealtimeLogConfig", Name="l", SamplingRate=1, Fields=["timestamp"],
                          EndPoints=[{"StreamType": "Kinesis", "KinesisStreamConfig": {}}]),
        "Deploy": cloudfront(
            "ContinuousDeploymentPolicy", ContinuousDeploymentPolicyConfig={
                "Enabled": False, "StagingDistributionDnsNames": ["d.cloudfront.net"],
                "TrafficConfig": {"Type": "SingleWeight", "SingleWeightConfig": WEIGHT}}),
        "Trust": cloudfront("TrustStore", Name="t", CaCertificatesBundleSource={
            "CaCertificatesBundleS3Location": {"Bucket": "b", "Key": "k", "Region": "r"}}),
        "Fn": function(
            Environment={"Variables": {"A": "1"}}, LoggingConfig={"LogFormat": "Text"},
            VpcConfig={"SubnetIds": []}, EphemeralStorage={"Size": 512}),
        "Stored": function(Code={"S3Bucket": "b", "S3Key": "k"}),
        "Sam": {"Type": "AWS::Serverless::Function", "Properties": {
            "Handler": "a.b", "Runtime": "python3.12", "CodeUri": {"Bucket": "b", "Key": "k"}}},
        "Version": VERSION,
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {
            "FunctionName": {"Ref": "Fn"}, "Name": "live", "FunctionVersion": "1",
            "RoutingConfig": {"AdditionalVersionWeights": []}}},
        "Url": {"Type": "AWS::Lambda::Url", "Properties": {
            "TargetFunctionArn": {"Ref": "Fn"}, "AuthType": "NONE",
            "Cors": {"AllowOrigins": ["*"]}}},
        "Site": site(BEHAVIOR, CONFIG, ORIGIN),
    }  # fmt: skip


def mappings(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All mappings that are no intrinsic function, with their paths."""
    if isinstance(value, dict) and not {"Ref", "Fn::GetAtt"} & value.keys():
        yield path, value
        for name, inner in value.items():
            yield from mappings(inner, f"{path}.{name}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from mappings(inner, f"{path}[{index}]")


def unnoticed(paths: list[str], lines: tuple[ReportLine, ...]) -> list[str]:
    """Those of which the report says nothing, nor that it ignores what they stand in."""
    noted = {line.place.path: line.treatment for line in lines}

    def is_noted(path: str) -> bool:
        above = {each for each in noted if path.startswith((f"{each}.", f"{each}["))}
        # A weight of an alias, for example, is approximated with all that is in it.
        given_up = any(noted[each] is not Treatment.HONOURED for each in above)
        return given_up or noted.get(path) is Treatment.IGNORED

    return [path for path in paths if not is_noted(path)]


@pytest.mark.rule("CDN-CFG-009")
def test_a_made_up_property_is_noticed_wherever_it_stands(tmp_path: Path) -> None:
    resources = everything()
    paths = []
    for name, resource in resources.items():
        for path, mapping in list(mappings(resource["Properties"], f"Resources.{name}.Properties")):
            if not path.endswith(".Variables"):  # There every name is one.
                mapping["MadeUp"] = "x"
                paths.append(f"{path}.MadeUp")
    assert len(paths) > 80
    assert unnoticed(paths, load_resources(tmp_path, resources).project.report.lines) == []


@pytest.mark.rule("CDN-CFG-009")
def test_a_made_up_property_of_what_the_aws_cli_prints(tmp_path: Path) -> None:
    shown = {
        "ETag": "E1",
        "Distribution": {
            "Id": "E1",
            "ARN": "arn",
            "DomainName": "d1.cloudfront.net",
            "DistributionConfig": {
                "CallerReference": "x",
                **site({"TrustedSigners": {"Enabled": False, "Quantity": 0}})["Properties"][
                    "DistributionConfig"
                ],
            },
        },
    }
    paths = []
    for path, mapping in list(mappings(shown, "")):
        mapping["MadeUp"] = "x"
        paths.append(f"{path}.MadeUp".lstrip("."))
    file = tmp_path / "distribution.json"
    file.write_text(json.dumps(shown))
    assert unnoticed(paths, load(file, LoadOptions()).project.report.lines) == []


@pytest.mark.rule("CDN-CFG-078")
def test_an_origin_of_two_kinds_says_which_decides(tmp_path: Path) -> None:
    loaded = load_site(tmp_path, origin={"S3OriginConfig": {"OriginAccessIdentity": ""}})
    assert [each.rule for each in loaded.findings] == ["CDN-CFG-078"]
    (line,) = (
        each for each in loaded.project.report.lines if each.place.path.endswith("S3OriginConfig")
    )
    assert (line.treatment, line.why) == (Treatment.IGNORED, "CustomOriginConfig decides")


@pytest.mark.rule("CDN-CFG-123")
def test_signers_that_are_not_enabled_are_ignored_and_said_to_be(tmp_path: Path) -> None:
    loaded = load_site(
        tmp_path, {"TrustedSigners": {"Enabled": False, "Quantity": 1, "Items": ["self"]}}
    )
    (distribution,) = loaded.project.distributions.values()
    assert distribution.default_behavior.trusted_key_groups == ()
    (line,) = (
        each for each in loaded.project.report.lines if each.place.path.endswith("TrustedSigners")
    )
    assert (line.treatment, line.why) == (Treatment.IGNORED, "Enabled is false")
