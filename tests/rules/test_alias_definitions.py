"""Weights and provisioned concurrency in each language of definitions (LI-105, LI-129)."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, LoadOptions, load
from edgeproxy.project.model import Treatment
from tests.support.doors import lambda_function
from tests.support.terraform import constant, plan, refers, resource

CONFIG = {"ProvisionedConcurrentExecutions": 3}


def version(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Version",
        "Properties": {"FunctionName": {"Ref": "Fn"}, **properties},
    }


def alias(number: object = "1", **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": {"Ref": "Fn"},
            "Name": "live",
            "FunctionVersion": number,
            **properties,
        },
    }


def load_template(folder: Path, resources: dict[str, Any], **function: Any) -> Loaded:
    file = folder / "template.yaml"
    resources = {"Fn": lambda_function(folder, FunctionName="f", **function), **resources}
    file.write_text(yaml.safe_dump({"Resources": resources}))
    return load(file, LoadOptions(state_dir=folder / "state"))


def load_file(file: Path, document: object) -> FunctionDefinition:
    (file.parent / "app.py").write_text("def handler(event, context): return event\n")
    file.write_text(yaml.safe_dump(document) if file.suffix == ".yml" else json.dumps(document))
    (definition,) = load(
        file, LoadOptions(state_dir=file.parent / "state")
    ).project.functions.values()
    return definition


def treatment(loaded: Loaded, ending: str) -> set[Treatment]:
    return {each.treatment for each in loaded.project.report.lines if ending in str(each.place)}


@pytest.mark.rule("LI-129")
def test_cloudformation(tmp_path: Path) -> None:
    loaded = load_template(
        tmp_path,
        {
            "V1": version(ProvisionedConcurrencyConfig=CONFIG),
            "V2": version(),
            "Live": alias(
                {"Fn::GetAtt": ["V2", "Version"]},
                ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 2},
            ),
        },
    )
    assert loaded.project.functions["f"].provisioned == {"1": 3, "live": 2}
    assert treatment(loaded, "ProvisionedConcurrentExecutions") == {Treatment.HONOURED}


@pytest.mark.rule("LI-129")
def test_sam(tmp_path: Path) -> None:
    properties = {
        "CodeUri": ".", "Handler": "app.handler", "Runtime": "python3.12",
        "AutoPublishAlias": "live", "ProvisionedConcurrencyConfig": CONFIG,
    }  # fmt: skip
    document = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Fn": {"Type": "AWS::Serverless::Function", "Properties": properties}},
    }
    assert load_file(tmp_path / "template.yml", document).provisioned == {"live": 3}
    del properties["AutoPublishAlias"]
    with pytest.raises(DefinitionError) as caught:
        load_file(tmp_path / "template.yml", document)
    assert (caught.value.rule, "AutoPublishAlias" in caught.value.remedy) == ("LI-129", True)


@pytest.mark.rule("LI-129")
def test_the_serverless_framework(tmp_path: Path) -> None:
    document = {
        "service": "shop",
        "provider": {"name": "aws", "runtime": "python3.12"},
        "functions": {"f": {"handler": "app.handler", "provisionedConcurrency": 3, "url": True}},
    }
    file = tmp_path / "serverless.yml"
    definition = load_file(file, document)
    assert definition.provisioned == {"provisioned": 3}
    assert definition.aliases == {"provisioned": "1"}
    (url,) = load(file, LoadOptions(state_dir=tmp_path / "state")).project.function_urls.values()
    assert url.qualifier == "provisioned"


@pytest.mark.rule("LI-105", "LI-129")
def test_terraform(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return event\n")
    function = resource(
        "aws_lambda_function.f",
        {
            "function_name": "f", "handler": "app.handler", "runtime": "python3.12",
            "publish": True, "filename": "f.zip", "package_type": "Zip",
        },
        {"filename": constant("f.zip")},
        {"arn": True, "qualified_arn": True, "version": True},
    )  # fmt: skip
    live = resource(
        "aws_lambda_alias.live",
        {
            "name": "live", "function_name": "f",
            "routing_config": [{"additional_version_weights": {"2": 0.25}}],
        },
        {"name": constant("live"), "function_version": refers("aws_lambda_function.f.version")},
        {"function_version": True},
    )  # fmt: skip
    provisioned = resource(
        "aws_lambda_provisioned_concurrency_config.live",
        {"function_name": "f", "qualifier": "live", "provisioned_concurrent_executions": 3},
        {"qualifier": refers("aws_lambda_alias.live.name")},
    )
    definition = load_file(tmp_path / "plan.json", plan(function, live, provisioned))
    assert definition.provisioned == {"live": 3}
    assert definition.weights == {"live": {"2": 0.25}}


def routing(*weights: tuple[str, float]) -> dict[str, Any]:
    listed = [{"FunctionVersion": number, "FunctionWeight": weight} for number, weight in weights]
    return {"RoutingConfig": {"AdditionalVersionWeights": listed}}


@pytest.mark.parametrize(
    ("resources", "rule", "told"),
    [
        pytest.param(*case, marks=pytest.mark.rule(case[1]))
        for case in (
            (
                {"Live": alias("1", **routing(("2", 0.1), ("3", 0.1)))},
                "LI-105",
                "cannot be greater than 1",
            ),
            ({"Live": alias("1", **routing(("1", 0.1)))}, "LI-106", "Invalid function version 1."),
            ({"Live": alias("$LATEST", **routing(("1", 0.1)))}, "LI-106", "$LATEST is not"),
            ({"Live": alias("1", **routing(("2", 1.5)))}, "LI-106", "1.5 of 2 is no weight"),
            (
                {"Live": alias("$LATEST", ProvisionedConcurrencyConfig=CONFIG)},
                "LI-133",
                "unpublished function versions",
            ),
            (
                {
                    "V1": version(ProvisionedConcurrencyConfig=CONFIG),
                    "Live": alias("1", ProvisionedConcurrencyConfig=CONFIG),
                },
                "LI-132",
                "version 1 has provisioned concurrency already",
            ),
            (
                {
                    "V1": version(ProvisionedConcurrencyConfig=CONFIG),
                    "V2": version(ProvisionedConcurrencyConfig=CONFIG),
                },
                "LI-131",
                "should not be greater than the reservedConcurrentExecution",
            ),
            (
                {
                    "V1": version(
                        ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 0}
                    )
                },
                "LI-129",
                "0 is less than 1",
            ),
        )
    ],
)
def test_what_aws_refuses(resources: dict[str, Any], rule: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_template(tmp_path, resources, ReservedConcurrentExecutions=5)
    assert caught.value.rule == rule
    assert told in str(caught.value)
    assert caught.value.remedy
