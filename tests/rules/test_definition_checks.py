"""What AWS would refuse: each finding with its rule and the place it names."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError, UsageError
from edgeproxy.project.checks.counts import check_counts, check_package, edge_events
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.report import Severity
from tests.support.signing import Signer, ecdsa, rsa_2048
from tests.unit.project.drafts import (
    CACHING_OPTIMIZED,
    VERSION,
    function,
    load_resources,
    load_site,
    site,
)


def rule(identifier: str, *more: str) -> pytest.MarkDecorator:
    return pytest.mark.rule(identifier, *more)


def found(loaded: Loaded) -> list[tuple[str, str]]:
    """Rules and the last two steps of the places' paths."""
    return [(each.rule, ".".join(each.place.path.split(".")[-2:])) for each in loaded.findings]


CUSTOM = {"OriginProtocolPolicy": "http-only"}
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
SECOND = {"Id": "web", "DomainName": "other.example.com", "CustomOriginConfig": CUSTOM}
GROUP_MEMBERS = {"Quantity": 2, "Items": [{"OriginId": "web"}, {"OriginId": "web"}]}


CERTIFIED = {
    "ViewerCertificate": {
        "AcmCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a",
        "SslSupportMethod": "sni-only",
    }
}


def ordered(pattern: str, **more: Any) -> dict[str, Any]:
    return {
        "PathPattern": pattern,
        "TargetOriginId": "web",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": CACHING_OPTIMIZED,
        **more,
    }


def legacy(values: dict[str, Any], **ttls: int) -> dict[str, Any]:
    return {"CachePolicyId": None, "ForwardedValues": {"QueryString": False, **values}, **ttls}


def case(rule_id: str, path: str, *ids: str, **parts: Any) -> Any:
    return pytest.param(parts, (rule_id, path), marks=rule(rule_id, *ids), id=f"{rule_id}-{path}")


DEFAULT = "DefaultCacheBehavior"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        case("CDN-CFG-391", "DistributionConfig.Origins", config={"Origins": [SECOND, SECOND]}),
        case("CDN-CFG-391", "DistributionConfig.CacheBehaviors",
             "CDN-CFG-126", config={"CacheBehaviors": [ordered("/a"), ordered("/a")]}),
        case("CDN-CFG-391", "DistributionConfig.CustomErrorResponses", "CDN-CFG-140",
             config={"CustomErrorResponses": [{"ErrorCode": 404}, {"ErrorCode": 404}]}),
        case("CDN-CFG-391", "DistributionConfig.OriginGroups", "CDN-CFG-090",
             config={"OriginGroups": {"Items": [{
                 "Id": "web", "Members": GROUP_MEMBERS,
                 "FailoverCriteria": {"StatusCodes": {"Items": [500]}}}]}}),
        case("CDN-CFG-392", f"{DEFAULT}.AllowedMethods", "CDN-MTH-01",
             behavior={"AllowedMethods": ["GET", "HEAD", "POST"]}),
        case("CDN-CFG-392", f"{DEFAULT}.CachedMethods", "CDN-MTH-03",
             behavior={"CachedMethods": ["GET", "HEAD", "OPTIONS"]}),
        case("CDN-CFG-393", f"{DEFAULT}.MinTTL", behavior=legacy({}, MinTTL=9, DefaultTTL=5)),
        case("CDN-CFG-394", f"{DEFAULT}.MinTTL", behavior={"MinTTL": 1}),
        case("CDN-CFG-394", f"{DEFAULT}.ForwardedValues",
             behavior={"ForwardedValues": {"QueryString": True}}),
        case("CDN-CFG-394", f"{DEFAULT}.OriginRequestPolicyId", behavior=legacy(
             {}) | {"OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3"}),
        case("CDN-CFG-119", f"{DEFAULT}.MinTTL", behavior=legacy({"Headers": ["*"]}, MinTTL=1)),
        case("CDN-KEY-32", f"{DEFAULT}.ForwardedValues", behavior=legacy({"Headers": ["TE"]})),
        case("CDN-KEY-36", f"{DEFAULT}.ForwardedValues",
             behavior=legacy({"Headers": [f"X-{n}" for n in range(11)]})),
        case("CDN-MP-01", f"{DEFAULT}.CachePolicyId",
             behavior={"CachePolicyId": "CachingDisabled"}),
        case("CDN-CFG-396", "Origins[0].OriginCustomHeaders", "CDN-OCH-03",
             origin={"OriginCustomHeaders": [{"HeaderName": "X-Edge-A", "HeaderValue": "1"}]}),
        case("CDN-CFG-403", "Origins[0].OriginCustomHeaders", "CDN-OCH-05",
             origin={"OriginCustomHeaders": [
                 {"HeaderName": f"X-{n}", "HeaderValue": "1"} for n in range(31)]}),
        case("CDN-CFG-403", "Origins[0].OriginCustomHeaders", "CDN-QUO-10",
             origin={"OriginCustomHeaders": [{"HeaderName": "X", "HeaderValue": "1" * 1784}]}),
        case("CDN-CFG-402", "Origins[0].OriginPath", "CDN-CFG-062", origin={"OriginPath": "/a/"}),
        case("CDN-CFG-402", "Origins[0].OriginPath", origin={"OriginPath": "a"}),
        case("CDN-CFG-402", "DistributionConfig.DefaultRootObject", "CDN-CFG-022",
             config={"DefaultRootObject": "/index.html"}),
        case("CDN-CFG-061", "Origins[0].DomainName", origin={"DomainName": "http://example.com"}),
        case("CDN-ORG-13", "Origins[0].DomainName", origin={"DomainName": "192.0.2.1"}),
        case("CDN-CFG-064", "Origins[0].ConnectionAttempts", "CDN-ORG-02",
             origin={"ConnectionAttempts": 4}),
        case("CDN-CFG-065", "Origins[0].ConnectionTimeout", origin={"ConnectionTimeout": 11}),
        case("CDN-CFG-066", "Origins[0].ResponseCompletionTimeout", "CDN-ORG-06",
             origin={"ResponseCompletionTimeout": 29}),
        case("CDN-CFG-070", "Origins[0].CustomOriginConfig", "CDN-ORG-10",
             origin={"CustomOriginConfig": {**CUSTOM, "HTTPPort": 81}}),
        case("CDN-CFG-073", "Origins[0].CustomOriginConfig", "CDN-ORG-04",
             origin={"CustomOriginConfig": {**CUSTOM, "OriginReadTimeout": 121}}),
        case("CDN-CFG-074", "Origins[0].CustomOriginConfig", "CDN-ORG-07",
             origin={"CustomOriginConfig": {**CUSTOM, "OriginKeepaliveTimeout": 0}}),
        case("CDN-CFG-091", "Items[0].FailoverCriteria", "CDN-OG-02",
             config={"OriginGroups": {"Items": [{
                 "Id": "g", "Members": GROUP_MEMBERS,
                 "FailoverCriteria": {"StatusCodes": {"Items": [418]}}}]}}),
        case("CDN-CFG-110", "CacheBehaviors[0].PathPattern",
             config={"CacheBehaviors": [ordered("/" + "a" * 255)]}),
        case("CDN-GRP-01", "DistributionConfig.HttpVersion", config={"HttpVersion": "http1.1"},
             behavior={"GrpcConfig": {"Enabled": True}, "AllowedMethods": ALL_METHODS}),
        case("CDN-CFG-399", f"{DEFAULT}.GrpcConfig", behavior={"GrpcConfig": {"Enabled": True}}),
        case("CDN-CEP-01", "CustomErrorResponses[0].ErrorCode",
             config={"CustomErrorResponses": [{"ErrorCode": 418}]}),
        case("CDN-CEP-02", "CustomErrorResponses[0].ResponseCode",
             config={"CustomErrorResponses": [{"ErrorCode": 404, "ResponseCode": 200}]}),
        case("CDN-CEP-03", "CustomErrorResponses[0].ResponseCode",
             config={"CustomErrorResponses": [
                 {"ErrorCode": 404, "ResponseCode": 302, "ResponsePagePath": "/a"}]}),
        case("CDN-CEP-05", "CustomErrorResponses[0].ResponsePagePath", "CDN-CFG-142",
             config={"CustomErrorResponses": [
                 {"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "a"}]}),
        case("CDN-BEH-03", "DistributionConfig.Aliases",
             config={"Aliases": ["a.*.example.com"], **CERTIFIED}),
        case("CDN-CFG-403", "DistributionConfig.Aliases", "CDN-QUO-01", "CDN-CFG-021",
             config={
                 "Aliases": [f"a{n}.example.com" for n in range(101)], **CERTIFIED}),
        case("CDN-CFG-403", "DistributionConfig.CacheBehaviors", "CDN-CFG-026",
             config={"CacheBehaviors": [ordered(f"/{n}") for n in range(75)]}),
        case("CDN-CFG-391", "DistributionConfig.CacheBehaviors", "CDN-CFG-126", "CDN-BEH-14",
             config={"CacheBehaviors": [ordered("/a"), ordered("a")]}),
        case("CDN-CFG-028", "DistributionConfig.Comment", config={"Comment": "c" * 129}),
        case("CDN-CFG-143", "CustomErrorResponses[0].ErrorCachingMinTTL",
             config={"CustomErrorResponses": [{"ErrorCode": 404, "ErrorCachingMinTTL": -1}]}),
        case("CDN-CFG-069", "Origins[0].S3OriginConfig",
             origin={"CustomOriginConfig": None, "DomainName": "b.s3.amazonaws.com",
                     "S3OriginConfig": {"OriginAccessIdentity": "E127EXAMPLE51Z"}}),
        *(
            case("CDN-CFG-033", f"GeoRestriction.{place}", config={
                "Restrictions": {"GeoRestriction": {"RestrictionType": kind, "Locations": codes}}})
            for kind, codes, place in (
                ("whitelist", [], "RestrictionType"),
                ("blacklist", [], "RestrictionType"),
                ("none", ["DE"], "Locations"),
                ("whitelist", ["DE", "ZZ"], "Locations"),
            )
        ),
    ],
)  # fmt: skip
def test_distribution(parts: dict[str, Any], expected: tuple[str, str], tmp_path: Path) -> None:
    assert found(load_site(tmp_path, **parts)) == [expected]


def test_a_sound_distribution_has_no_finding(tmp_path: Path) -> None:
    behavior = {"AllowedMethods": ALL_METHODS, "GrpcConfig": {"Enabled": True}}
    assert found(load_site(tmp_path, behavior, {"Aliases": ["*.example.com"], **CERTIFIED})) == []


@pytest.mark.rule("CDN-CFG-391")
def test_the_first_of_two_equal_names_is_used(tmp_path: Path) -> None:
    other = {**SECOND, "DomainName": "second.example.com"}
    loaded = load_site(tmp_path, config={"Origins": [SECOND, other]})
    origin = loaded.project.distributions["Site"].origins["web"]
    assert origin.domain_name == "other.example.com"


# Functions


def associated(
    folder: Path,
    arn: object = None,
    event: str = "origin-request",
    include_body: bool = False,
    more: list[dict[str, Any]] | None = None,
    cloudfront: list[dict[str, Any]] | None = None,
    resources: dict[str, Any] | None = None,
    **properties: Any,
) -> Loaded:
    association = {"EventType": event, "LambdaFunctionARN": arn or {"Ref": "FnVersion"}}
    if include_body:
        association["IncludeBody"] = True
    behavior = {
        "LambdaFunctionAssociations": [association, *(more or [])],
        "FunctionAssociations": cloudfront or [],
    }
    given = {"Fn": function(**properties), "FnVersion": VERSION, **(resources or {})}
    return load_site(folder, behavior, **given)


CFF: dict[str, Any] = {
    "Type": "AWS::CloudFront::Function",
    "Properties": {
        "Name": "cff",
        "AutoPublish": True,
        "FunctionCode": "function handler(e) { return e.request; }",
        "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
    },
}
CFF_ARN = {"Fn::GetAtt": ["Cff", "FunctionARN"]}


@pytest.mark.rule("LE-ASSOC-05", "CDN-CFG-398")
@pytest.mark.parametrize(
    ("arn", "qualifier"),
    [
        ({"Fn::GetAtt": ["Fn", "Arn"]}, ""),
        ({"Fn::Sub": "${Fn.Arn}:$LATEST"}, ""),
        ({"Ref": "FnAlias"}, "1"),
    ],
)
def test_an_association_names_a_numbered_version(
    arn: object, qualifier: str, tmp_path: Path
) -> None:
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "Name": "live",
            "FunctionName": {"Ref": "Fn"},
            "FunctionVersion": {"Fn::GetAtt": ["FnVersion", "Version"]},
        },
    }
    loaded = associated(tmp_path, arn, resources={"FnAlias": alias})
    assert found(loaded) == [("LE-ASSOC-05", "LambdaFunctionAssociations[0].LambdaFunctionARN")]
    [association] = loaded.project.distributions["Site"].default_behavior.functions
    assert (association.function, association.qualifier) == ("Fn", qualifier)


@pytest.mark.rule("LE-ASSOC-05", "LE-ASSOC-12", "CDN-CFG-271")
def test_versions_are_sound_wherever_they_come_from(tmp_path: Path) -> None:
    more = [{"EventType": "origin-response", "LambdaFunctionARN": {"Fn::Sub": "${Fn.Arn}:4"}}]
    loaded = associated(tmp_path, more=more)
    assert found(loaded) == []
    assert loaded.project.functions["Fn"].versions == ("1", "4")


@pytest.mark.rule("LE-ASSOC-02", "CDN-CFG-391")
def test_one_function_per_event_type(tmp_path: Path) -> None:
    more = [{"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "FnVersion"}}]
    assert found(associated(tmp_path, more=more)) == [
        ("LE-ASSOC-02", "DefaultCacheBehavior.LambdaFunctionAssociations")
    ]


@pytest.mark.rule("LE-ASSOC-02", "CFF-ASSOC-02")
def test_one_function_of_either_kind_per_event_type(tmp_path: Path) -> None:
    cloudfront = [{"EventType": "viewer-request", "FunctionARN": CFF_ARN}]
    loaded = associated(
        tmp_path, event="viewer-request", cloudfront=cloudfront, resources={"Cff": CFF}
    )
    assert found(loaded) == [
        ("LE-ASSOC-02", "DefaultCacheBehavior.FunctionAssociations"),
        ("LE-ASSOC-03", "DefaultCacheBehavior.LambdaFunctionAssociations"),
    ]


@pytest.mark.rule("LE-ASSOC-03", "CFF-ASSOC-03", "CDN-CFG-122")
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("viewer-response", [("LE-ASSOC-03", "DefaultCacheBehavior.LambdaFunctionAssociations")]),
        ("origin-request", []),
    ],
)
def test_both_kinds_on_viewer_events(
    event: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    cloudfront = [{"EventType": "viewer-request", "FunctionARN": CFF_ARN}]
    loaded = associated(tmp_path, event=event, cloudfront=cloudfront, resources={"Cff": CFF})
    assert found(loaded) == expected


@pytest.mark.rule("LE-ASSOC-04")
def test_kinds_are_judged_per_behavior(tmp_path: Path) -> None:
    lambda_only = [{"EventType": "viewer-request", "LambdaFunctionARN": {"Ref": "FnVersion"}}]
    loaded = load_site(
        tmp_path,
        {"FunctionAssociations": [{"EventType": "viewer-request", "FunctionARN": CFF_ARN}]},
        {"CacheBehaviors": [ordered("/a", LambdaFunctionAssociations=lambda_only)]},
        Fn=function(),
        FnVersion=VERSION,
        Cff=CFF,
    )
    assert found(loaded) == []


@pytest.mark.rule("CFF-ASSOC-01")
def test_a_cloudfront_function_on_an_origin_event_does_not_run(tmp_path: Path) -> None:
    associations = [{"EventType": "origin-request", "FunctionARN": CFF_ARN}]
    loaded = load_site(tmp_path, {"FunctionAssociations": associations}, Cff=CFF)
    assert found(loaded) == [("CFF-ASSOC-01", "FunctionAssociations[0].EventType")]
    assert loaded.project.distributions["Site"].default_behavior.functions == ()


@pytest.mark.rule("CDN-CFG-398", "LE-ASSOC-07")
def test_include_body_on_a_response_event(tmp_path: Path) -> None:
    loaded = associated(tmp_path, event="origin-response", include_body=True)
    assert found(loaded) == [("CDN-CFG-398", "DefaultCacheBehavior.LambdaFunctionAssociations")]


@pytest.mark.rule("LE-ASSOC-06")
def test_a_function_of_another_region(tmp_path: Path) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:Fn:1"
    assert found(associated(tmp_path, arn)) == [("LE-ASSOC-06", "Fn.Properties")]


@pytest.mark.rule("LE-ASSOC-06", "CFF-ASSOC-10")
def test_a_function_of_another_account(tmp_path: Path) -> None:
    loaded = associated(
        tmp_path,
        "arn:aws:lambda:us-east-1:999999999999:function:Fn:1",
        cloudfront=[
            {
                "EventType": "viewer-request",
                "FunctionARN": "arn:aws:cloudfront::999999999999:function/cff",
            }
        ],
        resources={"Cff": CFF},
    )
    assert found(loaded) == [
        ("LE-ASSOC-06", "LambdaFunctionAssociations[0].LambdaFunctionARN"),
        ("CFF-ASSOC-10", "FunctionAssociations[0].FunctionARN"),
    ]


@pytest.mark.rule("LE-ASSOC-01", "LE-LIM-04")
def test_each_behavior_can_carry_all_four_triggers(tmp_path: Path) -> None:
    events = ("viewer-request", "origin-request", "origin-response", "viewer-response")
    triggers = [{"EventType": event, "LambdaFunctionARN": {"Ref": "FnVersion"}} for event in events]
    loaded = load_site(
        tmp_path,
        {"LambdaFunctionAssociations": triggers},
        {"CacheBehaviors": [ordered("/a", LambdaFunctionAssociations=triggers)]},
        Fn=function(MemorySize=128),
        FnVersion=VERSION,
    )
    assert found(loaded) == []
    site = loaded.project.distributions["Site"]
    for behavior in site.all_behaviors:
        assert [each.event_type for each in behavior.functions] == list(events)


@pytest.mark.rule("LE-ASSOC-09")
def test_container_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        associated(
            tmp_path, PackageType="Image", Code={"ImageUri": "r"}, Runtime=None, Handler=None
        )
    assert raised.value.rule == "LE-ASSOC-09"
    assert raised.value.place.path == "Resources.Fn.Properties.PackageType"


@pytest.mark.rule("LE-ASSOC-09")
def test_provisioned_concurrency_of_an_alias(tmp_path: Path) -> None:
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "Name": "live",
            "FunctionName": {"Ref": "Fn"},
            "FunctionVersion": {"Fn::GetAtt": ["FnVersion", "Version"]},
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1},
        },
    }
    loaded = associated(tmp_path, resources={"FnAlias": alias})
    assert found(loaded) == [("LE-ASSOC-09", "Properties.ProvisionedConcurrencyConfig")]


@pytest.mark.rule("LE-ASSOC-08")
@pytest.mark.parametrize(
    ("services", "is_found"),
    [
        ("lambda.amazonaws.com", True),
        (["lambda.amazonaws.com", "edgelambda.amazonaws.com"], False),
        (["edgelambda.amazonaws.com"], True),
        ([{"Fn::Sub": "lambda.${AWS::URLSuffix}"}, "edgelambda.amazonaws.com"], False),
    ],
)
def test_the_role_trusts_both_services(services: object, is_found: bool, tmp_path: Path) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": services}}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Statement": [statement]}},
    }
    for reference in ({"Fn::GetAtt": ["Role", "Arn"]}, {"Fn::Sub": "${Role.Arn}"}):
        loaded = associated(tmp_path, Role=reference, resources={"Role": role})
        assert found(loaded) == ([("LE-ASSOC-08", "Properties.Role")] if is_found else [])


@pytest.mark.rule("LE-ASSOC-09", "LR-306")
@pytest.mark.parametrize(
    ("properties", "path"),
    [
        ({"VpcConfig": {"SubnetIds": ["s"]}}, "Properties.VpcConfig"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:::q"}}, "Properties.DeadLetterConfig"),
        ({"Environment": {"Variables": {"AA": "1"}}}, "Environment.Variables"),
        ({"Layers": ["arn:aws:lambda:us-east-1:1:layer:l:1"]}, "Properties.Layers"),
        ({"TracingConfig": {"Mode": "Active"}}, "Properties.TracingConfig"),
        ({"Architectures": ["arm64"]}, "Properties.Architectures"),
        pytest.param({"EphemeralStorage": {"Size": 513}}, "EphemeralStorage.Size",
                     marks=rule("LE-LIM-16")),
        ({"KmsKeyArn": "arn:aws:kms:::k"}, "Properties.KmsKeyArn"),
        ({"RuntimeManagementConfig": {"UpdateRuntimeOn": "Manual"}},
         "RuntimeManagementConfig.UpdateRuntimeOn"),
    ],
)  # fmt: skip
def test_features_that_lambda_at_edge_refuses(
    properties: dict[str, Any], path: str, tmp_path: Path
) -> None:
    assert found(associated(tmp_path, **properties)) == [("LE-ASSOC-09", path)]


@pytest.mark.rule("LE-ASSOC-09")
def test_provisioned_concurrency(tmp_path: Path) -> None:
    properties = {
        "FunctionName": {"Ref": "Fn"},
        "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1},
    }
    version = {"Type": "AWS::Lambda::Version", "Properties": properties}
    loaded = associated(tmp_path, resources={"FnVersion": version})
    assert found(loaded) == [("LE-ASSOC-09", "Properties.ProvisionedConcurrencyConfig")]


@pytest.mark.rule("LE-ASSOC-09")
def test_features_that_say_nothing_or_run_elsewhere_are_fine(tmp_path: Path) -> None:
    harmless: dict[str, Any] = {
        "VpcConfig": {},
        "Layers": [],
        "TracingConfig": {"Mode": "PassThrough"},
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "MemorySize": 10_240,
        "ReservedConcurrentExecutions": 5,
        "RuntimeManagementConfig": {"UpdateRuntimeOn": "Auto"},
    }
    assert found(associated(tmp_path, **harmless)) == []
    fn = function(Layers=["l"], Timeout=900)
    assert found(load_resources(tmp_path, {"Fn": fn})) == []


@pytest.mark.rule("LE-ASSOC-10")
def test_a_runtime_that_is_neither_node_nor_python(tmp_path: Path) -> None:
    assert found(associated(tmp_path, Runtime="java21")) == [("LE-ASSOC-10", "Properties.Runtime")]


@pytest.mark.parametrize("runtime", ["nodejs8.x", "python3.99", "ruby", "Python3.12", "nodejs21.x"])
@rule("LR-341", "LE-ASSOC-10")
def test_runtimes_that_lambda_does_not_have(tmp_path: Path, runtime: str) -> None:
    place = "Properties.Runtime"
    loaded = associated(tmp_path, Runtime=runtime)
    assert sorted(found(loaded)) == [("LE-ASSOC-10", place), ("LR-341", place)]
    assert all(finding.remedy for finding in loaded.findings)


@pytest.mark.parametrize("runtime", ["nodejs10.x", "nodejs18.x", "python3.6", "python3.8"])
@rule("LE-ASSOC-10")
def test_retired_runtimes_are_a_warning(tmp_path: Path, runtime: str) -> None:
    loaded = associated(tmp_path, Runtime=runtime)
    assert found(loaded) == [("LE-ASSOC-10", "Properties.Runtime")]
    assert loaded.findings[0].severity is Severity.WARNING


@pytest.mark.parametrize("runtime", ["nodejs20.x", "nodejs26.x", "python3.10", "python3.15"])
@rule("LR-340")
def test_runtimes_are_taken_by_their_pattern(tmp_path: Path, runtime: str) -> None:
    assert found(associated(tmp_path, Runtime=runtime)) == []


@pytest.mark.parametrize(
    ("event", "properties", "expected"),
    [
        pytest.param("viewer-request", {"Timeout": 31}, ("LE-LIM-01", "Properties.Timeout"),
                     marks=rule("LE-LIM-01")),
        pytest.param("origin-request", {"Timeout": 31}, ("LE-LIM-02", "Properties.Timeout"),
                     marks=rule("LE-LIM-02")),
        pytest.param("origin-request", {"MemorySize": 10_241},
                     ("LE-LIM-04", "Properties.MemorySize"), marks=rule("LE-LIM-04")),
        pytest.param("origin-request", {"MemorySize": 127},
                     ("LE-LIM-04", "Properties.MemorySize"), marks=rule("LE-LIM-04")),
        pytest.param("viewer-request", {"MemorySize": 256}, ("LE-LIM-03", "Properties.MemorySize"),
                     marks=rule("LE-LIM-03")),
    ],
)  # fmt: skip
def test_limits(
    event: str, properties: dict[str, Any], expected: tuple[str, str], tmp_path: Path
) -> None:
    assert found(associated(tmp_path, event=event, **properties)) == [expected]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({"Timeout": 901}, [("LR-184", "Properties.Timeout")], marks=rule("LR-184")),
        pytest.param({"Timeout": 0}, [("LR-184", "Properties.Timeout")], marks=rule("LR-184")),
        pytest.param({"Timeout": 900}, [], marks=rule("LR-184")),
        pytest.param({"MemorySize": 127}, [("LE-LIM-04", "Properties.MemorySize")],
                     marks=rule("LR-320")),
        pytest.param({"EphemeralStorage": {"Size": 511}},
                     [("LR-320", "EphemeralStorage.Size")], marks=rule("LR-320")),
        pytest.param({"EphemeralStorage": {"Size": 10_240}, "MemorySize": 10_240}, [],
                     marks=rule("LR-320")),
    ],
)  # fmt: skip
def test_limits_of_any_function(
    properties: dict[str, Any], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert found(load_site(tmp_path, {}, {}, Fn=function(**properties))) == expected


@pytest.mark.rule("LR-168")
@pytest.mark.parametrize("name", ["A", "1A", "_A", "A-B", "AWS_REGION", "_HANDLER"])
def test_names_of_variables(tmp_path: Path, name: str) -> None:
    variables = {"Variables": {"GOOD_1": "x", name: "x"}}
    loaded = associated(tmp_path, event="origin-request", Environment=variables)
    (finding,) = [each for each in loaded.findings if each.rule == "LR-168"]
    assert finding.place.path.endswith("Properties.Environment.Variables")
    assert finding.severity is Severity.ERROR
    assert name in finding.message
    assert "GOOD_1" not in finding.message


@pytest.mark.rule("LE-LIM-03", "CDN-CFG-399", "CDN-GRP-02")
def test_what_aws_takes_after_all_is_a_warning(tmp_path: Path) -> None:
    loaded = associated(tmp_path, event="viewer-request", MemorySize=256)
    assert [each.severity for each in loaded.findings] == [Severity.WARNING]
    grpc = load_site(
        tmp_path,
        {
            "AllowedMethods": ALL_METHODS,
            "GrpcConfig": {"Enabled": True},
            "LambdaFunctionAssociations": [
                {"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "FnVersion"}}
            ],
        },
        Fn=function(),
        FnVersion=VERSION,
    )
    assert [(each.rule, each.severity) for each in grpc.findings] == [
        ("CDN-CFG-399", Severity.WARNING)
    ]


@pytest.mark.rule("CDN-GRP-01", "CDN-CFG-399")
def test_grpc_needs_post(tmp_path: Path) -> None:
    (finding,) = load_site(tmp_path, {"GrpcConfig": {"Enabled": True}}).findings
    assert (finding.rule, finding.severity) == ("CDN-CFG-399", Severity.ERROR)
    assert "POST" in finding.message


@pytest.mark.rule("CDN-CFG-277")
@pytest.mark.parametrize(
    ("handler", "is_found"),
    [("index.handler", False), ("app.handler", True), ("handler", True)],
)
def test_the_handlers_file_is_there(handler: str, is_found: bool, tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, {"Fn": function(Handler=handler)})
    assert found(loaded) == ([("CDN-CFG-277", "Properties.Handler")] if is_found else [])


# CloudFront Functions, stores and policies


HANDLER = "function handler(event) { return event.request; }"


def cff(runtime: str = "cloudfront-js-2.0", stores: int = 0, **properties: Any) -> dict[str, Any]:
    config = {
        "Comment": "",
        "Runtime": runtime,
        "KeyValueStoreAssociations": [{"KeyValueStoreARN": {"Fn::GetAtt": ["Kvs", "Arn"]}}]
        * stores,
    }
    given = {**CFF["Properties"], "FunctionConfig": config, **properties}
    return {
        "Cff": {"Type": "AWS::CloudFront::Function", "Properties": given},
        "Kvs": {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "kvs"}},
    }


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(cff(Name="a b"), ("CFF-ASSOC-06", "Properties.Name"),
                     marks=rule("CFF-ASSOC-06", "CDN-CFG-210")),
        pytest.param(cff(FunctionCode=HANDLER.ljust(10_241)),
                     ("CFF-LIM-01", "Properties.FunctionCode"),
                     marks=rule("CFF-LIM-01", "CDN-QUO-14")),
        pytest.param(cff(stores=2), ("CFF-ASSOC-07", "Properties.FunctionConfig"),
                     marks=rule("CFF-ASSOC-07", "CDN-QUO-15")),
        pytest.param(cff("cloudfront-js-1.0", 1), ("CFF-KVS-01", "Properties.FunctionConfig"),
                     marks=rule("CFF-KVS-01")),
        pytest.param(cff(stores=1), None, marks=rule("CFF-KVS-01", "CFF-ASSOC-07")),
        pytest.param(cff(FunctionCode=HANDLER.ljust(10_240)), None, marks=rule("CFF-LIM-01")),
        pytest.param(cff(FunctionCode="function main(e) { return e; }"),
                     ("CFF-RET-01", "Properties.FunctionCode"), marks=rule("CFF-RET-01")),
        pytest.param(cff(FunctionConfig={"Runtime": "cloudfront-js-2.0"}),
                     ("CFF-ASSOC-07", "Properties.FunctionConfig"), marks=rule("CFF-ASSOC-07")),
        pytest.param(cff(AutoPublish=False), ("CFF-ASSOC-04", "Properties.AutoPublish"),
                     marks=rule("CFF-ASSOC-04")),
    ],
)  # fmt: skip
def test_cloudfront_functions(
    resources: dict[str, Any], expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    assert found(load_resources(tmp_path, resources)) == ([expected] if expected else [])


@pytest.mark.rule("CFF-KVS-09", "CDN-QUO-15")
@pytest.mark.parametrize(
    ("key", "value", "count"), [("k" * 513, "v", 1), ("k", "v" * 1025, 1), ("k", "v", 0)]
)
def test_key_value_stores(key: str, value: str, count: int, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    file.write_text(f'{{"data": [{{"key": "{key}", "value": "{value}"}}]}}')
    loaded = load_resources(tmp_path, cff(), key_value_stores={"kvs": file})
    assert [each.rule for each in loaded.findings] == ["CFF-KVS-09"] * count


NONE = {
    "EnableAcceptEncodingGzip": False,
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}


def cache_policy(ttls: tuple[int, int, int] = (0, 1, 2), **keyed: Any) -> dict[str, Any]:
    given = {name: value for name, value in {**NONE, **keyed}.items() if value is not None}
    config = {
        "Name": "p",
        "MinTTL": ttls[0],
        "DefaultTTL": ttls[1],
        "MaxTTL": ttls[2],
        "ParametersInCacheKeyAndForwardedToOrigin": given,
    }
    return {"Type": "AWS::CloudFront::CachePolicy", "Properties": {"CachePolicyConfig": config}}


def request_policy(**config: Any) -> dict[str, Any]:
    given = {"Name": "p", **NONE, **config}
    del given["EnableAcceptEncodingGzip"]
    return {
        "Type": "AWS::CloudFront::OriginRequestPolicy",
        "Properties": {"OriginRequestPolicyConfig": given},
    }


def response_policy(**config: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFront::ResponseHeadersPolicy",
        "Properties": {"ResponseHeadersPolicyConfig": {"Name": "p", **config}},
    }


HEADERS = "HeadersConfig"
KEYED = "CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin"
TIMING = ("CDN-CFG-199", "ResponseHeadersPolicyConfig.ServerTimingHeadersConfig")
CORS = {
    "AccessControlAllowCredentials": True,
    "AccessControlAllowOrigins": {"Items": ["https://example.com"]},
    "AccessControlAllowHeaders": {"Items": ["*"]},
    "AccessControlAllowMethods": {"Items": ["GET"]},
    "OriginOverride": True,
}


def security(name: str, **values: Any) -> dict[str, Any]:
    return response_policy(SecurityHeadersConfig={name: {"Override": True, **values}})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(cache_policy((0, 5, 2)), ("CDN-CFG-393", "CachePolicyConfig.MinTTL"),
                     marks=rule("CDN-CFG-393")),
        pytest.param(cache_policy((3, 2, 5)), ("CDN-CFG-393", "CachePolicyConfig.MinTTL"),
                     marks=rule("CDN-CFG-393")),
        *(
            pytest.param(cache_policy(EnableAcceptEncodingGzip=has_flag, HeadersConfig={
                "HeaderBehavior": "whitelist", "Headers": [name]}),
                expected and (expected, KEYED), marks=rule(expected or "CDN-HDR-01"))
            for expected, has_flag, names in (
                ("CDN-KEY-26", True, ["Accept-Encoding"]),
                ("CDN-KEY-17", False, ["CloudFront-Viewer-ASN"]),
                ("CDN-HDR-01", False, [
                    "Cache-Control", "connection", "Content-Length", "Cookie", "Max-Forwards",
                    "Pragma", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
                    "Request-Range", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                    "X-Amz-Cf-Id", "X-Edge-Any", "X-Forwarded-Proto", "X-Real-IP"]),
                (None, False, [
                    "Accept", "Accept-Encoding", "Authorization", "Content-MD5", "Content-Type",
                    "Date", "Expect", "From", "Host", "If-Match", "Origin", "Range", "Referer",
                    "User-Agent", "Via", "Warning", "X-Forwarded-For", "X-HTTP-Method-Override",
                    "CloudFront-Viewer-Country", "X-Any"]),
            )
            for name in names
        ),
        pytest.param(cache_policy(EnableAcceptEncodingGzip=None), ("CDN-CFG-173", KEYED),
                     marks=rule("CDN-CFG-173")),
        *(
            pytest.param(response_policy(ServerTimingHeadersConfig={
                "Enabled": True, "SamplingRate": rate}), expected, marks=rule("CDN-CFG-199"))
            for rate, expected in ((0, None), (100, None), (-1, TIMING), (100.1, TIMING))
        ),
        pytest.param(cache_policy((0, 0, 0), EnableAcceptEncodingGzip=True),
                     ("CDN-CFG-177", "CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin"),
                     marks=rule("CDN-CFG-177")),
        pytest.param(cache_policy((0, 0, 0)), None, marks=rule("CDN-CFG-177")),
        pytest.param(cache_policy(HeadersConfig={"HeaderBehavior": "whitelist"}),
                     ("CDN-CFG-395", "HeadersConfig.HeaderBehavior"), marks=rule("CDN-CFG-395")),
        pytest.param(cache_policy(CookiesConfig={"CookieBehavior": "none", "Cookies": ["a"]}),
                     ("CDN-CFG-395", "CookiesConfig.Cookies"), marks=rule("CDN-CFG-395")),
        pytest.param(
            cache_policy(QueryStringsConfig={
                "QueryStringBehavior": "whitelist", "QueryStrings": [f"q{n}" for n in range(11)]}),
            ("CDN-CFG-403", "QueryStringsConfig.QueryStrings"),
            marks=rule("CDN-CFG-403", "CDN-QUO-07")),
        pytest.param(
            cache_policy(CookiesConfig={"CookieBehavior": "whitelist", "Cookies": ["c" * 1025]}),
            ("CDN-CFG-403", "Properties.CachePolicyConfig"),
            marks=rule("CDN-CFG-403", "CDN-QUO-07")),
        pytest.param(
            request_policy(HeadersConfig={"HeaderBehavior": "whitelist",
                                          "Headers": ["Authorization"]}),
            ("CDN-CFG-397", "HeadersConfig.Headers"), marks=rule("CDN-CFG-397")),
        pytest.param(
            request_policy(HeadersConfig={"HeaderBehavior": "allExcept",
                                          "Headers": ["Authorization"]}),
            None, marks=rule("CDN-CFG-397")),
        pytest.param(response_policy(RemoveHeadersConfig={"Items": [{"Header": "Via"}]}),
                     ("CDN-CFG-396", "ResponseHeadersPolicyConfig.RemoveHeadersConfig"),
                     marks=rule("CDN-CFG-396", "CDN-RHP-23")),
        pytest.param(response_policy(RemoveHeadersConfig={"Items": [{"Header": "X-Amz-Cf-Pop"}]}),
                     ("CDN-CFG-396", "ResponseHeadersPolicyConfig.RemoveHeadersConfig"),
                     marks=rule("CDN-CFG-396", "CDN-RHP-23")),
        pytest.param(response_policy(RemoveHeadersConfig={"Items": [{"Header": "Server"}]}), None,
                     marks=rule("CDN-CFG-396")),
        pytest.param(response_policy(CorsConfig=CORS),
                     ("CDN-RHP-17", "ResponseHeadersPolicyConfig.CorsConfig"),
                     marks=rule("CDN-RHP-17")),
        *(
            pytest.param(
                response_policy(CorsConfig={**CORS, "AccessControlAllowCredentials": False,
                                            "AccessControlAllowOrigins": {"Items": [entry]}}),
                expected, marks=rule("CDN-RHP-11"), id=entry)
            for expected, entries in {
                None: ("*", "*.example.org", "http://*.example.org", "http://example.org:*",
                       "example.org:1*3", "null"),
                ("CDN-RHP-11", "ResponseHeadersPolicyConfig.CorsConfig"): (
                    "example.*", "exa*mple.org", "*example.org", "www.*.example.org", "http*://a.b"),
            }.items()
            for entry in entries
        ),
        pytest.param(
            response_policy(CorsConfig={**CORS, "AccessControlAllowCredentials": False,
                                        "AccessControlAllowOrigins": {"Items": ["a" * 1784]}}),
            ("CDN-CFG-403", "ResponseHeadersPolicyConfig.CorsConfig"),
            marks=rule("CDN-CFG-403", "CDN-QUO-11")),
        pytest.param(
            response_policy(CustomHeadersConfig={"Items": [
                {"Header": f"X-{n}", "Value": "", "Override": True} for n in range(11)]}),
            ("CDN-CFG-403", "ResponseHeadersPolicyConfig.CustomHeadersConfig"),
            marks=rule("CDN-CFG-403", "CDN-RHP-21", "CDN-QUO-09")),
        pytest.param(security("ContentSecurityPolicy", ContentSecurityPolicy="a" * 1784),
                     ("CDN-CFG-403", "ResponseHeadersPolicyConfig.SecurityHeadersConfig"),
                     marks=rule("CDN-CFG-403", "CDN-RHP-20", "CDN-QUO-11")),
        pytest.param(security("XSSProtection", Protection=True, ModeBlock=True, ReportUri="/r"),
                     ("CDN-RHP-19", "XSSProtection.ReportUri"), marks=rule("CDN-RHP-19")),
    ],
)  # fmt: skip
def test_policies(policy: dict[str, Any], expected: tuple[str, str] | None, tmp_path: Path) -> None:
    assert found(load_resources(tmp_path, {"P": policy})) == ([expected] if expected else [])


PEM = Signer("K", ecdsa()).pem


def public_key(pem: str = PEM) -> dict[str, Any]:
    config = {"Name": "k", "CallerReference": "1", "EncodedKey": pem}
    return {"Type": "AWS::CloudFront::PublicKey", "Properties": {"PublicKeyConfig": config}}


def key_group(*items: Any) -> dict[str, Any]:
    config = {"Name": "g", "Items": list(items)}
    return {"Type": "AWS::CloudFront::KeyGroup", "Properties": {"KeyGroupConfig": config}}


@pytest.mark.rule("CDN-CFG-403", "CDN-CFG-216", "CDN-QUO-13", "CDN-SGN-24")
def test_keys_of_a_group(tmp_path: Path) -> None:
    resources = {f"K{n}": public_key() for n in range(6)}
    resources["G"] = key_group(*({"Ref": f"K{n}"} for n in range(6)))
    assert found(load_resources(tmp_path, resources)) == [("CDN-CFG-403", "KeyGroupConfig.Items")]


@pytest.mark.rule("CDN-CFG-403", "CDN-QUO-13", "CDN-SGN-24")
def test_groups_of_a_behavior(tmp_path: Path) -> None:
    groups = {f"G{n}": key_group({"Ref": "K"}) for n in range(5)}
    behavior = {"TrustedKeyGroups": [{"Ref": name} for name in groups]}
    loaded = load_site(tmp_path, behavior, K=public_key(), **groups)
    assert found(loaded) == [("CDN-CFG-403", f"{DEFAULT}.TrustedKeyGroups")]


@pytest.mark.rule("CDN-CFG-215", "CDN-SGN-08")
@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        (Signer("K", rsa_2048()).pem, ""),
        (PEM, ""),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key in PEM"),
        ("ssh-rsa AAAA", "no public key in PEM"),
        ("Schl\xfcssel", "no public key in PEM"),
        (Signer("K", rsa_2048(bits=3072)).pem, "neither an RSA key of 2048 bits nor"),
    ],
)
def test_which_keys_cloudfront_takes(pem: str, problem: str, tmp_path: Path) -> None:
    group = {"Ref": "G"}
    loaded = load_site(
        tmp_path, {"TrustedKeyGroups": [group]}, Key=public_key(pem), G=key_group({"Ref": "Key"})
    )
    [keys] = loaded.project.distributions["Site"].key_groups.values()
    assert bool(keys) is not bool(problem)
    expected = [
        ("CDN-CFG-215", Severity.ERROR, f"the key Key is {problem}"),
        ("CDN-CFG-123", Severity.WARNING, "No public key of"),
    ]
    for finding, (rule_id, severity, words) in zip(
        loaded.findings, expected if problem else [], strict=True
    ):
        assert (finding.rule, finding.severity) == (rule_id, severity)
        assert words in finding.message
        assert "--public-key" in finding.remedy
    file = tmp_path / "key.pem"
    file.write_text(pem, "latin-1")
    given = {"public_keys": {"Key": file}}
    resources = {"Site": site({"TrustedKeyGroups": [group]}), "Key": public_key("mapped")}
    resources["G"] = key_group({"Ref": "Key"})
    if problem:
        with pytest.raises(DefinitionError, match=r"key\.pem"):
            load_resources(tmp_path, resources, **given)
    else:
        assert found(load_resources(tmp_path, resources, **given)) == []


@pytest.mark.rule("CDN-CFG-123", "CDN-CFG-217")
def test_signers_whose_keys_are_not_here(tmp_path: Path) -> None:
    behavior = {"TrustedSigners": ["self"], "TrustedKeyGroups": [{"Ref": "G"}, "elsewhere"]}
    resources = {"G": key_group("K9", {"Ref": "Key"}), "Key": public_key()}
    loaded = load_site(tmp_path, behavior, **resources)
    assert found(loaded) == [
        ("CDN-CFG-217", "KeyGroupConfig.Items"),
        ("CDN-CFG-123", f"{DEFAULT}.TrustedKeyGroups"),
        ("CDN-CFG-123", f"{DEFAULT}.TrustedSigners"),
    ]
    assert all(each.severity is Severity.WARNING for each in loaded.findings)
    assert "K9" in loaded.findings[0].remedy
    file = tmp_path / "k9.pem"
    file.write_text(PEM)
    parts = {"Site": site(behavior), **resources, "H": key_group("K9")}
    assert found(load_resources(tmp_path, parts, public_keys={"K8": file, "K9": file})) == []


def test_a_key_that_nothing_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(PEM)
    with pytest.raises(UsageError, match="--public-key: no behavior asks for signatures"):
        load_resources(tmp_path, {"Site": site()}, public_keys={"K9": file})


@pytest.mark.rule("AL-140")
def test_priorities_of_listener_rules(tmp_path: Path) -> None:
    elb = "AWS::ElasticLoadBalancingV2::"
    action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
    rule_properties = {
        "ListenerArn": {"Ref": "L"},
        "Priority": 1,
        "Conditions": [{"Field": "path-pattern", "Values": ["/a"]}],
        "Actions": [action],
    }
    resources = {
        "Alb": {"Type": f"{elb}LoadBalancer"},
        "L": {
            "Type": f"{elb}Listener",
            "Properties": {"LoadBalancerArn": {"Ref": "Alb"}, "DefaultActions": [action]},
        },
        "R1": {"Type": f"{elb}ListenerRule", "Properties": rule_properties},
        "R2": {"Type": f"{elb}ListenerRule", "Properties": rule_properties},
    }
    assert found(load_resources(tmp_path, resources)) == [("AL-140", "Properties.Priority")]


# Counts and sizes


def distributions(count: int, association: dict[str, Any]) -> dict[str, Any]:
    return {f"Site{n}": site(association) for n in range(count)}


LAMBDA_ASSOCIATION = {
    "LambdaFunctionAssociations": [
        {"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "FnVersion"}}
    ]
}
CFF_ASSOCIATION = {
    "FunctionAssociations": [{"EventType": "viewer-request", "FunctionARN": CFF_ARN}]
}


def counted(loaded: Loaded) -> list[tuple[str, str]]:
    return [(each.rule, each.place.path) for each in check_counts(loaded.project)]


@pytest.mark.rule("LE-LIM-12", "LE-LIM-13")
@pytest.mark.parametrize(
    ("count", "expected"), [(500, []), (501, [("LE-LIM-12", ""), ("LE-LIM-13", "Fn")])]
)
def test_distributions_with_lambda_at_edge(
    count: int, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    sites = distributions(count, LAMBDA_ASSOCIATION)
    loaded = load_resources(tmp_path, {"Fn": function(), "FnVersion": VERSION, **sites})
    assert counted(loaded) == expected


@pytest.mark.rule("CFF-LIM-06")
@pytest.mark.parametrize(("count", "expected"), [(100, []), (101, [("CFF-LIM-06", "cff")])])
def test_distributions_of_a_cloudfront_function(
    count: int, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    loaded = load_resources(tmp_path, {"Cff": CFF, **distributions(count, CFF_ASSOCIATION)})
    assert counted(loaded) == expected


@pytest.mark.rule("CFF-LIM-06")
@pytest.mark.parametrize(("count", "expected"), [(100, []), (101, [("CFF-LIM-06", "")])])
def test_cloudfront_functions_of_an_account(
    count: int, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    functions = {f"Cff{n}": cff(Name=f"cff{n}")["Cff"] for n in range(count)}
    assert counted(load_resources(tmp_path, functions)) == expected


@pytest.mark.rule("LE-LIM-11", "CDN-QUO-17")
@pytest.mark.parametrize(
    ("count", "expected"), [(100, []), (101, [("LE-LIM-11", "DistributionConfig.CacheBehaviors")])]
)
def test_lambda_at_edge_functions_of_a_distribution(
    count: int, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    resources: dict[str, Any] = {}
    behaviors: list[dict[str, Any]] = []
    for number in range(count):
        resources[f"Fn{number}"] = function()
        version = {"Type": "AWS::Lambda::Version"}
        resources[f"V{number}"] = version | {"Properties": {"FunctionName": {"Ref": f"Fn{number}"}}}
        event = ("origin-request", "origin-response")[number % 2]
        trigger = {"EventType": event, "LambdaFunctionARN": {"Ref": f"V{number}"}}
        if number % 2:
            behaviors[-1]["LambdaFunctionAssociations"].append(trigger)
        else:
            behaviors.append(ordered(f"/{number}", LambdaFunctionAssociations=[trigger]))
    loaded = load_site(tmp_path, config={"CacheBehaviors": behaviors}, **resources)
    assert found(loaded) == expected


@pytest.mark.parametrize(
    ("event", "rule_id"),
    [
        pytest.param("viewer-request", "LE-LIM-05", marks=rule("LE-LIM-05", "CDN-QUO-17")),
        pytest.param("origin-request", "LE-LIM-06", marks=rule("LE-LIM-06", "CDN-QUO-17")),
    ],
)
def test_a_package_of_more_than_50_mb_zipped(event: str, rule_id: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "index.py").write_text("def handler(event, context):\n    return event\n")
    (code / "zeros").write_bytes(bytes(60 * 1024 * 1024))  # Large, and next to nothing zipped.
    loaded = associated(tmp_path, event=event, Code="code")
    definition = loaded.project.functions["Fn"]
    events = edge_events(loaded.project)["Fn"]
    assert list(check_package(definition, events)) == []
    (code / "noise").write_bytes(Random(1).randbytes(51 * 1024 * 1024))
    assert [each.rule for each in check_package(definition, events)] == [rule_id]


@pytest.mark.rule("CDN-CFG-028", "CDN-CFG-033", "CDN-CFG-143", "CDN-CFG-069")
def test_what_is_just_in_range(tmp_path: Path) -> None:
    config = {
        "Comment": "c" * 128,
        "CustomErrorResponses": [{"ErrorCode": 404, "ErrorCachingMinTTL": 0}],
        "Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["de"]}},
    }
    bucket = {
        "CustomOriginConfig": None,
        "DomainName": "b.s3.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": "origin-access-identity/cloudfront/E127"},
    }
    loaded = load_site(tmp_path, config=config, origin=bucket)
    assert found(loaded) == []
    assert loaded.project.distributions["Site"].geo_restriction.locations == {"DE"}


@pytest.mark.rule("CDN-CFG-009", "CDN-CFG-030")
@pytest.mark.parametrize("name", ["PriceClass_100", "PriceClass_200", "PriceClass_All", "None"])
def test_price_classes(name: str, tmp_path: Path) -> None:
    assert found(load_site(tmp_path, config={"PriceClass": name})) == []
    with pytest.raises(DefinitionError, match="not a value that AWS knows"):
        load_site(tmp_path, config={"PriceClass": f"{name}_"})


@pytest.mark.rule("CDN-CFG-110")
def test_the_default_behavior_has_no_pattern(tmp_path: Path) -> None:
    loaded = load_site(tmp_path, {"PathPattern": "/a"})
    site = loaded.project.distributions["Site"]
    assert site.default_behavior.path_pattern == "*"
    lines = {line.place.path.split(".")[-1]: line for line in loaded.project.report.lines}
    assert lines["PathPattern"].treatment == "ignored"


@pytest.mark.rule("CDN-CFG-395", "CDN-CFG-174", "CDN-CFG-175", "CDN-CFG-176")
@pytest.mark.rule("CDN-CFG-180", "CDN-CFG-181", "CDN-CFG-182")
@pytest.mark.parametrize("make", [cache_policy, request_policy])
@pytest.mark.parametrize("kind", ["Header", "Cookie", "QueryString"])
def test_which_selections_list_names(make: Any, kind: str, tmp_path: Path) -> None:
    is_cache = make is cache_policy
    if kind == "Header":
        listing = ["whitelist"] if is_cache else ["whitelist", "allExcept", "allViewer+"]
        others = ["none"] if is_cache else ["none", "allViewer"]
        refused = ["all", "allViewer", "allExcept"] if is_cache else ["all"]
    else:
        listing, others, refused = ["whitelist", "allExcept"], ["none", "all"], ["allViewer"]
    for short in (*listing, *others, *refused):
        behavior = short.replace("+", "AndWhitelistCloudFront")
        for names in ([], ["CloudFront-Viewer-Country"]):
            selection = {f"{kind}Behavior": behavior, **({f"{kind}s": names} if names else {})}
            resources = {"P": make(**{f"{kind}sConfig": selection})}
            if short in refused:
                with pytest.raises(DefinitionError, match=f"{behavior!r} is not a value"):
                    load_resources(tmp_path, resources)
                continue
            place = f"{kind}s" if names else f"{kind}Behavior"
            wrong = [("CDN-CFG-395", f"{kind}sConfig.{place}")]
            is_right = bool(names) == (short in listing)
            assert found(load_resources(tmp_path, resources)) == ([] if is_right else wrong)


@pytest.mark.rule("CDN-CFG-170", "CDN-CFG-171", "CDN-CFG-172")
def test_what_a_cache_policy_must_have(tmp_path: Path) -> None:
    for name in ("Name", "MinTTL"):
        policy = cache_policy()
        del policy["Properties"]["CachePolicyConfig"][name]
        with pytest.raises(DefinitionError, match=f"{name} is missing"):
            load_resources(tmp_path, {"P": policy})
    for name in ("DefaultTTL", "MaxTTL"):
        policy = cache_policy((0, 86_400, 31_536_000))
        del policy["Properties"]["CachePolicyConfig"][name]
        assert found(load_resources(tmp_path, {"P": policy})) == [
            ("CDN-CFG-172", "Properties.CachePolicyConfig")
        ]


@pytest.mark.rule("CDN-CFG-170")
@pytest.mark.parametrize("policy", [cache_policy(), request_policy(), response_policy()])
def test_names_of_policies_are_unique(policy: dict[str, Any], tmp_path: Path) -> None:
    (part,) = policy["Properties"]
    other = {**policy, "Properties": {part: {**policy["Properties"][part], "Name": "q"}}}
    assert found(load_resources(tmp_path, {"P": policy, "Q": other})) == []
    assert found(load_resources(tmp_path, {"P": policy, "Q": policy})) == [
        ("CDN-CFG-170", f"{part}.Name")
    ]
    kinds = {"C": cache_policy(), "R": request_policy(), "H": response_policy()}
    assert found(load_resources(tmp_path, kinds)) == []


@pytest.mark.rule("CDN-CFG-214")
def test_two_stores_of_one_name_are_an_error(tmp_path: Path) -> None:
    store = {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": "kvs"}}
    with pytest.raises(DefinitionError, match="another one is named 'kvs'") as caught:
        load_resources(tmp_path, {"One": store, "Two": store})
    assert (caught.value.rule, caught.value.place.path) == (
        "CDN-CFG-214",
        "Resources.Two.Properties.Name",
    )


@pytest.mark.rule("CDN-CFG-190", "CDN-CFG-191", "CDN-CFG-196", "CDN-CFG-197", "CDN-CFG-198")
@pytest.mark.parametrize(
    ("config", "message"),
    [
        *(
            ({"CorsConfig": {key: value for key, value in CORS.items() if key != name}}, name)
            for name in CORS
        ),
        ({"CorsConfig": {**CORS, "AccessControlAllowMethods": {"Items": ["TRACE"]}}}, "TRACE"),
        ({"SecurityHeadersConfig": {"XSSProtection": {"Override": True}}}, "Protection"),
        ({"SecurityHeadersConfig": {"XSSProtection": {"Protection": True}}}, "Override"),
        (
            {"SecurityHeadersConfig": {"StrictTransportSecurity": {"Override": True}}},
            "AccessControlMaxAgeSec",
        ),
        ({"CustomHeadersConfig": {"Items": [{"Header": "a", "Override": True}]}}, "Value"),
        ({"CustomHeadersConfig": {"Items": [{"Header": "a", "Value": "b"}]}}, "Override"),
        ({"RemoveHeadersConfig": {"Items": [{}]}}, "Header"),
    ],
)
def test_what_a_response_headers_policy_must_have(
    config: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DefinitionError, match=message):
        load_resources(tmp_path, {"P": response_policy(**config)})


@pytest.mark.rule("CDN-CFG-218")
def test_an_access_control_has_a_name(tmp_path: Path) -> None:
    config = {
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }
    control = {
        "Type": "AWS::CloudFront::OriginAccessControl",
        "Properties": {"OriginAccessControlConfig": config},
    }
    assert [each.rule for each in load_resources(tmp_path, {"Oac": control}).findings] == [
        "CDN-CFG-218"
    ]


@pytest.mark.parametrize(
    ("cors", "rule_id", "name"),
    [
        pytest.param({name: [f"v{number}" for number in range(most + 1)]}, "FU-100", name,
                     marks=rule("FU-100"))
        for name, most in {"AllowOrigins": 100, "AllowMethods": 6, "AllowHeaders": 100,
                           "ExposeHeaders": 100}.items()
    ] + [
        pytest.param({"MaxAge": 86_401}, "FU-100", "MaxAge", marks=rule("FU-100")),
        pytest.param({"MaxAge": -1}, "FU-100", "MaxAge", marks=rule("FU-100")),
        pytest.param({"AllowMethods": ["GET", "OPTIONS"]}, "FU-100a", "AllowMethods",
                     marks=rule("FU-100a")),
    ],
)  # fmt: skip
def test_cors_settings_of_a_function_url(
    cors: dict[str, Any], rule_id: str, name: str, tmp_path: Path
) -> None:
    def rules(cors: dict[str, Any]) -> list[tuple[str, str]]:
        properties = {"TargetFunctionArn": {"Ref": "Fn"}, "AuthType": "AWS_IAM", "Cors": cors}
        url = {"Type": "AWS::Lambda::Url", "Properties": properties}
        return found(load_resources(tmp_path, {"Fn": function(), "Url": url}))

    assert rules(cors) == [(rule_id, f"Cors.{name}")]
    just_right = [f"v{number}" for number in range(6)]
    assert rules({"AllowMethods": just_right, "AllowHeaders": ["*"] * 100, "MaxAge": 0}) == []
    assert rules({"AllowOrigins": ["*"], "AllowMethods": ["*", "DELETE"], "MaxAge": 86_400}) == []
