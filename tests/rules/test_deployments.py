"""New code comes into service by CodeDeploy's steps: saves, the edge's clock, hooks and alarms."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from edgeproxy.awslambda.shifting import PRESETS, Routing, TrafficRouting, routing_named
from edgeproxy.errors import DefinitionError
from edgeproxy.testing import Edge, Site
from tests.support.lambda_api import RUNTIME, call, invoke, lambda_client, refused

CODE = "def handler(event, context):\n    return ['{}', context.function_version]\n"
REPORTS = """
import boto3
import os
def handler(event, context):
    assert set(event) == {"DeploymentId", "LifecycleEventHookExecutionId"}
    if os.environ["SAYS"]:
        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=os.environ["SAYS"],
        )
"""
SITE_PACKAGES = str(Path(boto3.__file__).parents[1])
CREDENTIALS = {
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "secret",
    "region_name": "us-east-1",
}


def hook(says: str) -> dict[str, Any]:
    """A function that reports with boto3 as it comes."""
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "InlineCode": REPORTS,
            "Handler": "index.handler",
            "Runtime": RUNTIME,
            "Timeout": 30,
            "Environment": {
                "Variables": {
                    "SAYS": says,
                    "PYTHONPATH": SITE_PACKAGES,
                    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                    "AWS_SECRET_ACCESS_KEY": "secret",
                }
            },
        },
    }


def sam(folder: Path, preference: dict[str, Any], **resources: Any) -> Path:
    """A function behind the alias ``live``, and its code in a file."""
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source" / "app.py").write_text(CODE.format("a"))
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "CodeUri": "source",
            "Handler": "app.handler",
            "Runtime": RUNTIME,
            "FunctionName": "api",
            "AutoPublishAlias": "live",
            "DeploymentPreference": preference,
        },
    }
    file = folder / "template.yaml"
    file.write_text(yaml.safe_dump({"Resources": {"Api": function, **resources}}))
    return file


class Stage:
    """A served definition whose code is saved anew."""

    def __init__(self, edge: Edge, file: Path, state_dir: Path | None = None) -> None:
        self.edge = edge
        self.folder = file.parent
        state_dir = state_dir or self.folder / "state"
        self.site: Site = edge.serve(file, no_reload=False, state_dir=state_dir)
        self.client = lambda_client(self.site)
        self.until(lambda: self.client.get_function(FunctionName="api:live"))
        self.until(lambda: "CodeSha256" in self.version("1") and self.is_copied())

    def is_copied(self) -> bool:
        function = self.site.running.program.account.functions["api"]
        return bool(function.published["1"].code_sha256)

    def version(self, number: str) -> Any:
        return self.client.get_function_configuration(FunctionName=f"api:{number}")

    def save(self, mark: str) -> dict[str, Any]:
        """Save other code; the deployment that this makes."""
        count = len(self.deployments)
        (self.folder / "source" / "app.py").write_text(CODE.format(mark))
        self.until(lambda: len(self.deployments) > count)
        return self.deployments[-1]

    @property
    def deployments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.asked("GET", "/api/deployments")["deployments"]
        return found

    def asked(self, method: str, path: str, body: bytes = b"") -> Any:
        answer = call(self.site, path, body, method, Content_Type="application/json")
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    @property
    def alias(self) -> tuple[str, dict[str, float]]:
        """The version that the alias names, and the weights of others."""
        found = self.client.get_alias(FunctionName="api", Name="live")
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return found["FunctionVersion"], weights

    def answers(self, count: int = 40) -> set[tuple[str, str]]:
        """Mark and version of what the alias runs."""
        return {tuple(invoke(self.client, "api", Qualifier="live")) for _ in range(count)}

    def has(self, status: str, weight: float) -> None:
        """Wait for what the newest deployment has come to."""
        self.until(
            lambda: (
                (self.deployments[-1]["status"], self.deployments[-1]["weight"]) == (status, weight)
            )
        )

    def until(self, holds: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, self.deployments


@pytest.mark.rule("LI-290", "LI-291", "LI-292", "LI-294", "LI-297")
def test_the_presets() -> None:
    canaries = {f"Canary10Percent{minutes}Minutes": minutes for minutes in (5, 10, 15, 30)}
    linear = {f"Linear10PercentEvery{m}Minute{'s' * (m > 1)}": m for m in (1, 2, 3, 10)}
    assert set(PRESETS) == {"AllAtOnce", *canaries, *linear}
    for name in PRESETS:
        assert routing_named(f"CodeDeployDefault.Lambda{name}") == PRESETS[name]
    assert list(PRESETS["AllAtOnce"].steps()) == [(0, 1)]
    for name, minutes in canaries.items():
        assert list(PRESETS[name].steps()) == [(0, 0.1), (minutes * 60, 1)]
    for name, minutes in linear.items():
        assert list(PRESETS[name].steps()) == [
            (number * minutes * 60, (number + 1) / 10) for number in range(10)
        ]


@pytest.mark.rule("LI-293")
def test_a_routing_of_ones_own() -> None:
    assert list(TrafficRouting(Routing.LINEAR, 30, 2).steps()) == [
        (0, 0.3), (120, 0.6), (240, 0.9), (360, 1)
    ]  # fmt: skip
    assert list(TrafficRouting(Routing.CANARY, 25, 7).steps()) == [(0, 0.25), (420, 1)]


@pytest.mark.rule("LI-291", "LI-294", "LI-295")
def test_a_canary(edge: Edge, tmp_path: Path) -> None:
    stage = Stage(edge, sam(tmp_path, {"Type": "Canary10Percent5Minutes"}))
    assert stage.alias == ("1", {})
    assert stage.answers(3) == {("a", "1")}
    made = stage.save("b")
    assert (made["from"], made["to"], made["config"]) == ("1", "2", "Canary10Percent5Minutes")
    stage.has("InProgress", 0.1)
    assert stage.alias == ("1", {"2": 0.1})
    seen: set[tuple[str, str]] = set()

    def both_seen() -> bool:
        seen.update(stage.answers(5))
        return len(seen) == 2

    stage.until(both_seen)
    assert seen == {("a", "1"), ("b", "2")}  # each version runs the code that it was made of
    edge.clock.advance(minutes=4)
    assert stage.alias == ("1", {"2": 0.1})
    edge.clock.advance(minutes=1)
    stage.has("Succeeded", 1)
    assert stage.alias == ("2", {})
    assert stage.answers(5) == {("b", "2")}
    assert "100% to 2" in stage.site.console


@pytest.mark.rule("LI-292", "LI-295")
def test_linear_and_newer_code_on_the_way(edge: Edge, tmp_path: Path) -> None:
    stage = Stage(edge, sam(tmp_path, {"Type": "Linear10PercentEvery1Minute"}))
    stage.save("b")
    stage.has("InProgress", 0.1)
    edge.clock.advance(minutes=3)
    stage.has("InProgress", 0.4)
    assert stage.alias == ("1", {"2": 0.4})
    again = stage.save("c")
    assert (again["from"], again["to"]) == ("1", "3")
    stage.has("InProgress", 0.1)
    first = stage.deployments[0]
    assert (first["status"], first["weight"]) == ("Stopped", 0)
    assert stage.alias == ("1", {"3": 0.1})
    edge.clock.advance(minutes=9)
    stage.has("Succeeded", 1)
    assert stage.answers(5) == {("c", "3")}


@pytest.mark.rule("LI-290", "LI-296")
def test_hooks_that_succeed(edge: Edge, tmp_path: Path) -> None:
    hooks = {"PreTraffic": {"Ref": "Before"}, "PostTraffic": {"Ref": "After"}}
    file = sam(
        tmp_path,
        {"Type": "AllAtOnce", "Hooks": hooks},
        Before=hook("Succeeded"),
        After=hook("Succeeded"),
    )
    stage = Stage(edge, file)
    stage.save("b")
    stage.has("Succeeded", 1)
    assert stage.alias == ("2", {})
    assert [tuple(each.values()) for each in stage.deployments[0]["hooks"]] == [
        ("BeforeAllowTraffic", "Before", "Succeeded"),
        ("AfterAllowTraffic", "After", "Succeeded"),
    ]


@pytest.mark.rule("LI-296", "LI-295")
@pytest.mark.parametrize("which", ["PreTraffic", "PostTraffic"])
def test_a_hook_that_fails(edge: Edge, tmp_path: Path, which: str) -> None:
    preference = {"Type": "AllAtOnce", "Hooks": {which: {"Ref": "Judge"}}}
    stage = Stage(edge, sam(tmp_path, preference, Judge=hook("Failed")))
    stage.save("b")
    stage.has("Failed", 0)
    assert stage.alias == ("1", {})
    assert stage.answers(5) == {("a", "1")}
    assert "said Failed; rolled back to 1" in stage.site.console


@pytest.mark.rule("LI-296")
def test_a_hook_that_never_reports(edge: Edge, tmp_path: Path) -> None:
    preference = {"Type": "AllAtOnce", "Hooks": {"PreTraffic": {"Ref": "Judge"}}}
    stage = Stage(edge, sam(tmp_path, preference, Judge=hook("")))
    stage.save("b")
    stage.until(lambda: stage.deployments[0]["hooks"][0]["status"] == "InProgress")
    edge.clock.advance(minutes=59)
    assert stage.deployments[0]["status"] == "InProgress"
    assert stage.alias == ("1", {})
    edge.clock.advance(minutes=1)
    stage.has("Failed", 0)
    assert "did not report in an hour" in stage.deployments[0]["why"]


@pytest.mark.rule("LI-296", "LI-295")
@pytest.mark.parametrize("by", ["control API", "CloudWatch"])
def test_an_alarm(edge: Edge, tmp_path: Path, by: str) -> None:
    preference = {"Type": "Canary10Percent30Minutes", "Alarms": [{"Ref": "Errors"}]}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "too-many"}}
    stage = Stage(edge, sam(tmp_path, preference, Errors=alarm))
    stage.save("b")
    stage.has("InProgress", 0.1)
    if by == "CloudWatch":
        url = stage.site.endpoints["control"]
        client = boto3.client("cloudwatch", endpoint_url=url, **CREDENTIALS)
        client.set_alarm_state(AlarmName="too-many", StateValue="ALARM", StateReason="test")
    else:
        stage.asked("POST", "/api/alarms/too-many", b'{"state": "ALARM"}')
    stage.has("Stopped", 0)
    assert stage.alias == ("1", {})
    assert stage.asked("GET", "/api/alarms") == {"alarms": {"too-many": "ALARM"}}
    stage.save("c")  # while the alarm lasts, nothing moves
    stage.has("Stopped", 0)
    assert stage.alias == ("1", {})


@pytest.mark.rule("LI-296")
def test_reports_that_are_refused(edge: Edge, tmp_path: Path) -> None:
    preference = {"Type": "AllAtOnce", "Hooks": {"PreTraffic": {"Ref": "Judge"}}}
    stage = Stage(edge, sam(tmp_path, preference, Judge=hook("")))
    made = stage.save("b")
    stage.until(lambda: stage.deployments[0]["hooks"][0]["status"] == "InProgress")
    deployments = stage.site.running.program.deployments
    execution = deployments.all[made["id"]].before.execution_id
    url = stage.site.endpoints["control"]
    report = boto3.client(
        "codedeploy", endpoint_url=url, **CREDENTIALS
    ).put_lifecycle_event_hook_execution_status
    right = {"deploymentId": made["id"], "lifecycleEventHookExecutionId": execution}
    for wrong, name in (
        ({"deploymentId": "d-NONE"}, "DeploymentDoesNotExistException"),
        ({"lifecycleEventHookExecutionId": "x"}, "InvalidLifecycleEventHookExecutionIdException"),
        ({"status": "Skipped"}, "InvalidLifecycleEventHookExecutionStatusException"),
    ):
        assert refused(report, **{"status": "Succeeded", **right, **wrong})[:2] == (400, name)
    assert report(status="Succeeded", **right)["lifecycleEventHookExecutionId"] == execution
    stage.has("Succeeded", 1)
    status, name, _ = refused(report, status="Failed", **right)
    assert (status, name) == (400, "LifecycleEventAlreadyCompletedException")


@pytest.mark.rule("LI-293", "LI-295", "LI-296")
def test_resources_of_code_deploy(edge: Edge, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "app.py").write_text(CODE.format("a"))
    linear = {"LinearPercentage": 50, "LinearInterval": 7}
    group = {
        "ApplicationName": {"Ref": "App"},
        "DeploymentConfigName": {"Ref": "Config"},
        "AlarmConfiguration": {"Enabled": True, "Alarms": [{"Name": "bell"}]},
        "ServiceRoleArn": "arn:aws:iam::123456789012:role/deploys",
    }
    update = {
        "ApplicationName": {"Ref": "App"},
        "DeploymentGroupName": {"Ref": "Group"},
        "BeforeAllowTrafficHook": {"Ref": "Judge"},
    }
    resources = {
        "Fn": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "api", "Runtime": RUNTIME, "Handler": "app.handler", "Code": "source",
            "Role": "arn:aws:iam::123456789012:role/runs"}},
        "V1": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}},
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
            "FunctionName": {"Ref": "Fn"}, "Name": "live",
            "FunctionVersion": {"Fn::GetAtt": ["V1", "Version"]}},
            "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": update}},
        "App": {"Type": "AWS::CodeDeploy::Application", "Properties": {
            "ComputePlatform": "Lambda"}},
        "Config": {"Type": "AWS::CodeDeploy::DeploymentConfig", "Properties": {
            "ComputePlatform": "Lambda",
            "TrafficRoutingConfig": {"Type": "TimeBasedLinear", "TimeBasedLinear": linear}}},
        "Group": {"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": group},
        "Judge": hook("Succeeded"),
    }  # fmt: skip
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump({"Resources": resources}))
    stage = Stage(edge, file)
    stage.save("b")
    stage.has("InProgress", 0.5)
    assert stage.deployments[0]["alarms"] == ["bell"]
    edge.clock.advance(minutes=7)
    stage.has("Succeeded", 1)
    assert stage.answers(3) == {("b", "2")}


def test_code_beside_the_state_folder(edge: Edge, tmp_path: Path) -> None:
    file = sam(tmp_path, {"Type": "AllAtOnce"})
    document = yaml.safe_load(file.read_text())
    document["Resources"]["Api"]["Properties"] |= {"CodeUri": ".", "Handler": "source/app.handler"}
    file.write_text(yaml.safe_dump(document))
    stage = Stage(edge, file, tmp_path / ".edgeproxy")
    stage.save("b")
    stage.has("Succeeded", 1)
    stage.save("c")
    stage.has("Succeeded", 1)
    assert [(each["from"], each["to"]) for each in stage.deployments] == [("1", "2"), ("2", "3")]
    assert stage.answers(3) == {("c", "3")}
    published = stage.site.running.program.account.functions["api"].published
    assert not any((each.spec.code_root / ".edgeproxy").exists() for each in published.values())


def test_code_that_does_not_load(edge: Edge, tmp_path: Path) -> None:
    stage = Stage(edge, sam(tmp_path, {"Type": "AllAtOnce"}))
    (tmp_path / "source" / "app.py").write_text("def handler(:\n")
    stage.until(lambda: "api does not load" in stage.site.console)
    assert f"{tmp_path}/source/app.py" in stage.site.console  # not a place in a copy
    assert stage.deployments == []
    assert stage.answers(3) == {("a", "1")}
    assert stage.save("b")["to"] == "2"


@pytest.mark.rule("LI-294")
def test_another_configuration(edge: Edge, tmp_path: Path) -> None:
    file = sam(tmp_path, {"Type": "Canary10Percent5Minutes"})
    stage = Stage(edge, file)
    document = yaml.safe_load(file.read_text())
    properties = document["Resources"]["Api"]["Properties"]
    properties["MemorySize"] = 256
    file.write_text(yaml.safe_dump(document))
    stage.until(lambda: "reloaded template.yaml" in stage.site.console)
    assert stage.deployments == []  # SAM publishes for new code only, unless told otherwise
    properties |= {"MemorySize": 512, "AutoPublishAliasAllProperties": True}
    file.write_text(yaml.safe_dump(document))
    stage.until(lambda: stage.deployments)
    stage.has("InProgress", 0.1)
    sizes = [stage.version(number)["MemorySize"] for number in ("1", "2")]
    assert sizes == [128, 512]


@pytest.mark.rule("LI-294")
def test_a_preference_that_is_off(edge: Edge, tmp_path: Path) -> None:
    file = sam(tmp_path, {"Type": "Canary10Percent5Minutes", "Enabled": False})
    site = edge.serve(file)
    definition = site.running.program.project.functions["api"]
    assert definition.deployment is None
    assert invoke(lambda_client(site), "api", Qualifier="live") == ["a", "1"]


@pytest.mark.parametrize(
    ("preference", "change", "rule", "words"),
    [
        pytest.param({"Type": "Canary10Percent5Minutes"}, {"AutoPublishAlias": None}, "LI-294",
                     "AutoPublishAlias", marks=pytest.mark.rule("LI-294")),
        pytest.param({"Type": "Canary7Percent"}, {}, "LI-294", "Canary10Percent15Minutes",
                     marks=pytest.mark.rule("LI-294")),
        pytest.param({"Type": "AllAtOnce", "Hooks": {"PreTraffic": "nobody"}}, {}, "CDN-CFG-272",
                     "nobody", marks=pytest.mark.rule("LI-296")),
    ],
)  # fmt: skip
def test_preferences_that_cannot_be(
    edge: Edge,
    tmp_path: Path,
    preference: dict[str, Any],
    change: dict[str, Any],
    rule: str,
    words: str,
) -> None:
    file = sam(tmp_path, preference)
    document = yaml.safe_load(file.read_text())
    document["Resources"]["Api"]["Properties"].update(change)
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(DefinitionError) as caught:
        edge.serve(file)
    assert caught.value.rule == rule
    assert words in str(caught.value)
