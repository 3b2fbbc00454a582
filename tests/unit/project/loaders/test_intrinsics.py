"""Intrinsic functions, seen through an environment variable of a function."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders import LoadOptions, load
from edgeproxy.project.loaders.references import APIS
from tests.unit.project.drafts import function, load_site, load_text, only_distribution

TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Stage": {"Type": "String", "Default": "dev"},
        "Size": {"Type": "Number", "Default": 3},
        "Zones": {"Type": "CommaDelimitedList", "Default": "x, y"},
        "Secret": {"Type": "String"},
        "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/host"},
        "Lost": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/lost"},
    },
    "Mappings": {"M": {"dev": {"Host": "dev.example.com"}}},
    "Conditions": {
        "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
        "IsProd": {"Fn::Not": [{"Condition": "IsDev"}]},
        "Both": {"Fn::And": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
        "Either": {"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
        "Loop": {"Condition": "Loop"},
        "Wrong": "yes",
    },
}
RESOURCES: dict[str, Any] = {
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "files"}},
    "Queue": {"Type": "AWS::SQS::Queue"},
    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "news"}},
    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "t"}},
    "Database": {"Type": "AWS::RDS::DBInstance"},
    "Api": {"Type": "AWS::ApiGateway::RestApi"},
    "Parameter": {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "/app/host", "Value": {"Fn::Sub": "${Stage}.internal"}},
    },
    "Selfish": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Selfish"}}},
}


def value_of(expression: object, folder: Path, **options: Any) -> str:
    fn = function(Environment={"Variables": {"V": expression}})
    text = json.dumps({**TEMPLATE, "Resources": {**RESOURCES, "Fn": fn}}, indent=1)
    loaded = load_text(folder, text, "template.json", **options)
    return dict(loaded.project.functions["Fn"].spec.environment)["V"]


@pytest.mark.rule("CDN-CFG-005", "CDN-CFG-006", "CDN-CFG-007")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "Size"}, "3"),
        ({"Ref": "Stored"}, "dev.internal"),
        ({"Ref": "AWS::AccountId"}, "123456789012"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "template"),
        ({"Ref": "AWS::NoValue"}, ""),
        ({"Ref": "Bucket"}, "files"),
        ({"Ref": "Queue"}, "https://sqs.us-east-1.amazonaws.com/123456789012/Queue"),
        ({"Ref": "Table"}, "t"),
        ({"Ref": "Fn"}, "Fn"),
        ({"Fn::GetAtt": ["Fn", "Arn"]}, "arn:aws:lambda:us-east-1:123456789012:function:Fn"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:aws:s3:::files"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:123456789012:Queue"),
        ({"Ref": "Topic"}, "arn:aws:sns:us-east-1:123456789012:news"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:aws:dynamodb:us-east-1:123456789012:table/t"),
        ({"Fn::GetAtt": ["Bucket", "DomainName"]}, "files.s3.amazonaws.com"),
        ({"Fn::GetAtt": ["Bucket", "WebsiteURL"]},
         "http://files.s3-website-us-east-1.amazonaws.com"),
        ({"Fn::Sub": "${Stage}-${Bucket.Arn}-${!Kept}-${AWS::Region}"},
         "dev-arn:aws:s3:::files-${Kept}-us-east-1"),
        ({"Fn::Sub": ["${a}${Stage}", {"a": {"Ref": "Size"}}]}, "3dev"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}, 1]]}, "a-dev-1"),
        ({"Fn::Join": ["", {"Ref": "Zones"}]}, "xy"),
        ({"Fn::Select": [1, {"Ref": "Zones"}]}, "y"),
        ({"Fn::Select": ["1", {"Fn::Split": ["/", "a/b"]}]}, "b"),
        ({"Fn::Select": [2, {"Fn::GetAZs": ""}]}, "us-east-1c"),
        ({"Fn::FindInMap": ["M", {"Ref": "Stage"}, "Host"]}, "dev.example.com"),
        ({"Fn::FindInMap": ["M", "no", "Host", {"DefaultValue": "d"}]}, "d"),
        ({"Fn::If": ["IsDev", "yes", "no"]}, "yes"),
        ({"Fn::If": ["IsProd", "yes", {"Ref": "Stage"}]}, "dev"),
        ({"Fn::If": ["Both", "yes", "no"]}, "no"),
        ({"Fn::If": ["Either", "yes", "no"]}, "yes"),
        ({"Fn::Base64": "abc"}, "YWJj"),
        ({"Fn::Length": {"Ref": "Zones"}}, "2"),
        ({"Fn::ToJsonString": {"a": [{"Ref": "Stage"}], "b": {"Ref": "AWS::NoValue"}}},
         '{"a":["dev"]}'),
    ],
)  # fmt: skip
def test_values(expression: object, expected: str, tmp_path: Path) -> None:
    assert value_of(expression, tmp_path) == expected


@pytest.mark.rule("CDN-CFG-006")
@pytest.mark.parametrize(
    ("expression", "message", "remedy"),
    [
        ({"Ref": "Nothing"}, "declares no 'Nothing'", "a parameter or a resource"),
        ({"Ref": "Secret"}, "the parameter Secret has no value", "give Secret a Default"),
        ({"Ref": "Lost"}, "lies in Parameter Store", "a parameter of type String"),
        ({"Ref": "AWS::Nothing"}, "AWS::Nothing has no value here", ""),
        ({"Ref": ["a"]}, "Ref has arguments", ""),
        ({"Ref": "Selfish"}, "refers to itself", ""),
        ({"Fn::GetAtt": ["Bucket", "Colour"]}, "has no attribute Colour", "it has Arn"),
        ({"Fn::GetAtt": "Bucket"}, "has no attribute ", ""),
        ({"Fn::Sub": "${a b}"}, "cannot replace ${a b}", "${!a b}"),
        ({"Fn::Sub": 5}, "Fn::Sub has arguments", ""),
        ({"Fn::Sub": ["${a}", []]}, "Fn::Sub has arguments", ""),
        ({"Fn::Join": ["-"]}, "Fn::Join has arguments", ""),
        ({"Fn::Join": ["-", [{"a": 1}]]}, "Fn::Join has arguments", ""),
        ({"Fn::Select": [9, ["a"]]}, "cannot take item 9 of 1", ""),
        ({"Fn::Split": ["", "a"]}, "Fn::Split has arguments", ""),
        ({"Fn::FindInMap": ["N", "a", "b"]}, "'N' is not among the template's Mappings", ""),
        ({"Fn::FindInMap": ["M", "no", "Host"]}, "the mapping M has no no / Host", ""),
        ({"Fn::If": ["Unknown", 1, 2]}, "'Unknown' is not among the template's Conditions", ""),
        ({"Fn::If": ["Wrong", 1, 2]}, "a condition has arguments", ""),
        ({"Fn::If": ["Loop", 1, 2]}, "refers to itself", ""),
        ({"Fn::ImportValue": "other"}, "no stack read here exports 'other'", "with a Default"),
        ({"Fn::Cidr": ["a", 1, 2]}, "Fn::Cidr cannot be resolved here", "address range"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "Fn::Transform cannot be", "macros run"),
        ({"Fn::Brandnew": 1}, "Fn::Brandnew cannot be resolved here", "write the value"),
        ({"Fn::Equals": [1, 1]}, "Fn::Equals cannot be resolved here", ""),
    ],
)
def test_what_cannot_be_resolved_names_the_property(
    expression: object, message: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(DefinitionError) as caught:
        value_of(expression, tmp_path)
    assert message in str(caught.value)
    assert remedy in caught.value.remedy
    assert caught.value.place.file == tmp_path / "template.json"
    assert caught.value.place.path


def test_parameters_can_be_overridden(tmp_path: Path) -> None:
    assert value_of({"Ref": "Secret"}, tmp_path, parameters={"Secret": "s"}) == "s"


def test_account_and_region_come_from_the_environment(tmp_path: Path) -> None:
    arn = {"Fn::GetAtt": ["Fn", "Arn"]}
    made = value_of(arn, tmp_path, identity=Identity("999999999999", "eu-west-1"))
    assert made == "arn:aws:lambda:eu-west-1:999999999999:function:Fn"


@pytest.mark.rule("CDN-CFG-280")
def test_a_resource_that_is_not_run_has_a_stand_in_that_is_reported(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "Resources": {
                **RESOURCES,
                "Fn": function(
                    Environment={
                        "Variables": {"H": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}}
                    }
                ),
            }
        }
    )
    loaded = load_text(tmp_path, text, "template.json")
    host = dict(loaded.project.functions["Fn"].spec.environment)["H"]
    assert host.endswith(".endpoint-address.invalid")
    assert loaded.stand_ins[host] == "Database"
    assert any(host in line.why for line in loaded.project.report.lines)


@pytest.mark.rule("CDN-CFG-280")
def test_an_api_as_origin_is_known_by_its_logical_id(tmp_path: Path) -> None:
    domain = {"Fn::Sub": "${Api}.execute-api.${AWS::Region}.amazonaws.com"}
    loaded = load_site(tmp_path, origin={"DomainName": domain}, Api={"Type": APIS[0]})
    host = only_distribution(loaded).origins["web"].domain_name
    assert host.endswith(".execute-api.us-east-1.amazonaws.com")
    assert loaded.stand_ins[host] == "Api"


def test_unused_functions_may_be_anything(tmp_path: Path) -> None:
    resources = {
        "Fn": function(Tags={"Fn::Brandnew": 1}),
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Fn::Cidr": ["a"]}}},
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": resources}))
    assert "Fn" in load(file, LoadOptions(state_dir=tmp_path)).project.functions
