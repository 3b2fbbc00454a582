"""What Lambda's API has made, after the proxy was killed."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import yaml

from tests.support.command import Command, dev
from tests.support.lambda_api import ROLE, RUNTIME, arn, package

FILES = {
    "index.py": """
import os
from inside import LAYER
def handler(event, context):
    return [LAYER, os.environ["MARK"], context.function_version, context.invoked_function_arn]
"""
}
LAYER = {"python/inside.py": "LAYER = 'layer'\n"}


def _client(command: Command) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=command.endpoints["lambda_api"],
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )


def _returned(client: Any, qualifier: str) -> Any:
    return json.load(client.invoke(FunctionName="f", Qualifier=qualifier)["Payload"])


def _make(client: Any) -> str:
    """A function with everything that the API gives to one; its URL."""
    layer = client.publish_layer_version(
        LayerName="shared", Content={"ZipFile": package(files=LAYER)}
    )
    client.create_function(
        FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="index.handler", Timeout=7,
        Code={"ZipFile": package(files=FILES)}, Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"MARK": "one"}}, Tags={"team": "edge"}, Publish=True,
        LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"},
        EphemeralStorage={"Size": 1024},
    )  # fmt: skip
    client.update_function_configuration(
        FunctionName="f", Environment={"Variables": {"MARK": "two"}}
    )
    client.publish_version(FunctionName="f", Description="second")
    client.create_alias(
        FunctionName="f", Name="live", FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}},
    )  # fmt: skip
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    client.add_permission(
        FunctionName="f", Qualifier="live", StatementId="s", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )  # fmt: skip
    client.create_event_source_mapping(
        EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q", FunctionName="f:live", BatchSize=3,
        Tags={"team": "edge"},
    )  # fmt: skip
    url: str = client.create_function_url_config(
        FunctionName="f", Qualifier="live", AuthType="NONE", InvokeMode="BUFFERED",
        Cors={"AllowOrigins": ["https://example.com"], "MaxAge": 5},
    )["FunctionUrl"]  # fmt: skip
    return url


def _seen(client: Any) -> dict[str, Any]:
    """All that the API shows of it."""
    answers = {
        "function": client.get_function(FunctionName="f"),
        "alias": client.get_alias(FunctionName="f", Name="live"),
        "versions": client.list_versions_by_function(FunctionName="f"),
        "concurrency": client.get_function_concurrency(FunctionName="f"),
        "events": client.get_function_event_invoke_config(FunctionName="f"),
        "recursion": client.get_function_recursion_config(FunctionName="f"),
        "policy": client.get_policy(FunctionName="f", Qualifier="live"),
        "url": client.get_function_url_config(FunctionName="f", Qualifier="live"),
        "layers": client.list_layers(),
        "mappings": client.list_event_source_mappings(FunctionName="f:live"),
    }
    answers["url"].pop("FunctionUrl")  # its port may be another one
    answers["function"].pop("Code")
    for answer in answers.values():
        del answer["ResponseMetadata"]
    return answers


def test_a_killed_proxy_forgets_nothing_that_the_api_has_made(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": {}}))
    with dev("template.yaml", cwd=tmp_path) as command:
        client = _client(command)
        _make(client)
        before = _seen(client)
        command.process.kill()
        command.process.wait(10)
    # Environment variables stand in it.
    assert (tmp_path / ".edgeproxy" / "lambda.json").stat().st_mode & 0o077 == 0
    with dev("template.yaml", cwd=tmp_path) as command:
        client = _client(command)
        assert _seen(client) == before
        assert _returned(client, "1") == ["layer", "one", "1", f"{arn('f')}:1"]
        assert _returned(client, "$LATEST") == ["layer", "two", "$LATEST", f"{arn('f')}:$LATEST"]
        assert _returned(client, "live") == ["layer", "two", "2", f"{arn('f')}:live"]
        url = client.get_function_url_config(FunctionName="f", Qualifier="live")["FunctionUrl"]
        with urllib.request.urlopen(url) as answer:
            assert json.load(answer)[2] == "2"
        client.delete_function_url_config(FunctionName="f", Qualifier="live")
        # Numbers go on where they were.
        client.update_function_configuration(FunctionName="f", Timeout=8)
        assert client.publish_version(FunctionName="f")["Version"] == "3"
        client.delete_function(FunctionName="f")
        command.process.kill()
        command.process.wait(10)
    with dev("template.yaml", cwd=tmp_path) as command:
        assert _client(command).list_functions()["Functions"] == []


def test_a_file_that_is_not_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": {}}))
    (tmp_path / ".edgeproxy").mkdir()
    (tmp_path / ".edgeproxy" / "lambda.json").write_text('{"functions": 3}')
    with dev("template.yaml", cwd=tmp_path) as command:
        assert command.process.wait(20) != 0
        console = command.wait_for("lambda.json")
    assert "the functions made over Lambda's API cannot be read" in console
    assert "Traceback" not in console
