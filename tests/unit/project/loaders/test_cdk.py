"""CDK output: assemblies, assets, stacks that refer to each other."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, LoadOptions, load
from tests.unit.project.drafts import function, site


def assembly(folder: Path, stacks: dict[str, dict[str, Any]]) -> Path:
    artifacts = {
        name: {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/unknown-region",
            "properties": {"templateFile": f"{name}.template.json"},
        }
        for name in stacks
    }
    for name, template in stacks.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template))
    (folder / "cdk.out").write_text("{}")
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def loaded(folder: Path) -> Loaded:
    return load(folder, LoadOptions(state_dir=folder / "state"))


@pytest.mark.rule("CDN-CFG-300", "CDN-CFG-008")
def test_two_stacks_with_one_logical_id(tmp_path: Path) -> None:
    template = {"Resources": {"Site": site()}}
    with pytest.raises(DefinitionError, match="Dev and Prod both declare Site") as caught:
        loaded(assembly(tmp_path, {"Dev": template, "Prod": template}))
    assert "Prod.template.json" in caught.value.remedy


@pytest.mark.rule("CDN-CFG-300")
def test_an_assembly_without_stacks(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="holds no stack"):
        loaded(assembly(tmp_path, {}))


@pytest.mark.rule("CDN-CFG-301", "CDN-CFG-302")
def test_a_single_template_finds_the_assets_beside_it(tmp_path: Path) -> None:
    (tmp_path / "asset.a").mkdir()
    (tmp_path / "asset.a" / "index.py").write_text("")
    destination = {"current": {"bucketName": "b", "objectKey": "a.zip"}}
    files = {"a": {"source": {"path": "asset.a", "packaging": "zip"}, "destinations": destination}}
    (tmp_path / "S.assets.json").write_text(json.dumps({"files": files}))
    code = {"S3Bucket": {"Fn::Sub": "b-${AWS::Region}"}, "S3Key": "a.zip"}
    template = {"Resources": {"Fn": function(Code=code)}}
    (tmp_path / "S.template.json").write_text(json.dumps(template))
    assert loaded(tmp_path / "S.template.json").project.functions["Fn"].spec.code_root == (
        tmp_path / "asset.a"
    )


@pytest.mark.rule("CDN-CFG-303")
def test_metadata_names_the_folder_first(tmp_path: Path) -> None:
    for name in ("asset.meta", "asset.none"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.py").write_text("")
    fn = function(Code={"S3Bucket": "b", "S3Key": "unknown.zip"})
    fn["Metadata"] = {"aws:asset:path": "asset.meta", "aws:asset:property": "Code"}
    project = loaded(assembly(tmp_path, {"S": {"Resources": {"Fn": fn}}})).project
    assert project.functions["Fn"].spec.code_root == tmp_path / "asset.meta"


@pytest.mark.rule("CDN-CFG-306")
def test_a_reader_whose_writer_is_missing(tmp_path: Path) -> None:
    resources = {
        "Reader": {
            "Type": "Custom::CrossRegionStringParameterReader",
            "Properties": {"ParameterName": "/cdk/EdgeFunctionArn/x"},
        },
        "Site": site(
            {
                "LambdaFunctionAssociations": [
                    {
                        "EventType": "origin-request",
                        "LambdaFunctionARN": {"Fn::GetAtt": ["Reader", "FunctionArn"]},
                    }
                ]
            }
        ),
    }
    with pytest.raises(DefinitionError, match="lies in Parameter Store"):
        loaded(assembly(tmp_path, {"S": {"Resources": resources}}))


def test_a_broken_manifest_is_no_traceback(tmp_path: Path) -> None:
    assembly(tmp_path, {})
    (tmp_path / "manifest.json").write_text('{"artifacts": {"A": {"type": 5}}}')
    with pytest.raises(DefinitionError):
        loaded(tmp_path)


@pytest.mark.parametrize("nested", ["", ".", ".."])
def test_an_assembly_that_contains_itself(nested: str, tmp_path: Path) -> None:
    assembly(tmp_path, {})
    artifact = {"type": "cdk:cloud-assembly", "properties": {"directoryName": nested}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"A": artifact}}))
    with pytest.raises(DefinitionError, match="contains itself"):
        loaded(tmp_path)
