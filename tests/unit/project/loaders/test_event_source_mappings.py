"""Event source mappings of every language, as the one value they load to."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeproxy.awslambda.event_sources.model import EventSource, EventSourceMapping
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import load
from edgeproxy.project.model import Project, Treatment
from tests.support import terraform

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t"


def _code(folder: Path) -> None:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "app.py").write_text("def handler(event, context): pass\n")


def _load(folder: Path, resources: dict[str, Any]) -> Project:
    _code(folder)
    file = folder / "template.yaml"
    sam = {"Transform": "AWS::Serverless-2016-10-31"}
    file.write_text(yaml.safe_dump({**sam, "Resources": resources}))
    return load(file).project


def _function(kind: str = "Lambda", **more: Any) -> dict[str, Any]:
    code = "CodeUri" if kind == "Serverless" else "Code"
    given = {"Runtime": "python3.12", "Handler": "app.handler", code: "code", **more}
    return {"Type": f"AWS::{kind}::Function", "Properties": given}


def _mapping(**properties: Any) -> dict[str, Any]:
    given = {"FunctionName": {"Ref": "F"}, "EventSourceArn": QUEUE, **properties}
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": given}


def _only(project: Project) -> EventSourceMapping:
    (kept,) = project.event_source_mappings
    return kept.mapping


def test_cloudformation(tmp_path: Path) -> None:
    resources = {
        "F": _function(),
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q.fifo", "FifoQueue": True}},
        "M": _mapping(
            EventSourceArn={"Fn::GetAtt": ["Q", "Arn"]},
            BatchSize=5,
            Enabled=False,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 3},
            FilterCriteria={"Filters": [{"Pattern": '{"body": ["x"]}'}]},
        ),
    }
    mapping = _only(_load(tmp_path, resources))
    assert (mapping.source, mapping.name, mapping.function) == (EventSource.SQS, "q.fifo", "F")
    assert (mapping.batch_size, mapping.enabled, mapping.partial) == (5, False, True)
    assert (mapping.most_at_once, mapping.patterns) == (3, ('{"body": ["x"]}',))
    assert mapping.is_fifo


def test_events_of_sam_are_for_the_alias(tmp_path: Path) -> None:
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "t"}}
    change = {
        "Type": "DynamoDB",
        "Properties": {
            "Stream": {"Fn::GetAtt": ["T", "StreamArn"]},
            "StartingPosition": "LATEST",
            "MaximumRetryAttempts": 2,
            "BisectBatchOnFunctionError": True,
            "TumblingWindowInSeconds": 60,
            "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": QUEUE}},
        },
    }
    function = _function("Serverless", AutoPublishAlias="live", Events={"Change": change})
    mapping = _only(_load(tmp_path, {"F": function, "T": table}))
    assert (mapping.source, mapping.name, mapping.qualifier) == (EventSource.DYNAMODB, "t", "live")
    assert (mapping.starting_position, mapping.retries, mapping.bisect) == ("LATEST", 2, True)
    assert (mapping.tumbling_s, mapping.on_failure) == (60, QUEUE)


def test_events_of_the_serverless_framework(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): pass\n")
    events = [
        {"sqs": {"arn": QUEUE, "filterPatterns": [{"body": ["x"]}], "maximumConcurrency": 2}},
        {"stream": STREAM},
        {"stream": {"arn": STREAM + "2", "batchWindow": 7, "destinations": {"onFailure": QUEUE}}},
    ]
    file = tmp_path / "serverless.yml"
    function = {"handler": "app.handler", "events": events}
    provider = {"name": "aws", "runtime": "python3.12"}
    service = {"service": "s", "provider": provider, "functions": {"f": function}}
    file.write_text(yaml.safe_dump(service))
    queue, stream, other = (each.mapping for each in load(file).project.event_source_mappings)
    assert queue.function == "s-dev-f"
    assert (queue.batch_size, queue.most_at_once, queue.patterns) == (10, 2, ('{"body":["x"]}',))
    assert (stream.arn, stream.starting_position) == (STREAM, "TRIM_HORIZON")
    assert (other.window_s, other.on_failure) == (7, QUEUE)


def test_terraform(tmp_path: Path) -> None:
    _code(tmp_path)
    given = {
        "function_name": "f",
        "runtime": "python3.12",
        "handler": "app.handler",
        "filename": "code",
    }
    mapping = {
        "batch_size": 4,
        "starting_position": "TRIM_HORIZON",
        "filter_criteria": [{"filter": [{"pattern": '{"partitionKey": ["x"]}'}]}],
        "destination_config": [{"on_failure": [{"destination_arn": QUEUE}]}],
    }
    document = terraform.plan(
        terraform.resource("aws_lambda_function.f", given),
        terraform.resource("aws_kinesis_stream.s", {"name": "s"}, unknown={"arn": True}),
        terraform.resource(
            "aws_lambda_event_source_mapping.m",
            mapping,
            {
                "function_name": terraform.refers("aws_lambda_function.f.arn"),
                "event_source_arn": terraform.refers("aws_kinesis_stream.s.arn"),
            },
            {"function_name": True, "event_source_arn": True},
        ),
    )
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    found = _only(load(file).project)
    assert (found.function, found.arn, found.batch_size) == ("f", STREAM, 4)
    assert (found.patterns, found.on_failure) == (('{"partitionKey": ["x"]}',), QUEUE)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"BatchSize": 20}, "Maximum batch window in seconds must be greater than 0"),
        ({"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}, "out of range"),
        ({"EventSourceArn": STREAM}, "Value null at 'startingPosition'"),
        ({"EventSourceArn": TABLE, "StartingPosition": "AT_TIMESTAMP"}, "no starting position"),
        ({"MaximumRetryAttempts": 1}, "not for queues"),
        ({"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}}, "Invalid filter"),
        (
            {
                "EventSourceArn": STREAM,
                "StartingPosition": "LATEST",
                "FilterCriteria": {"Filters": [{"Pattern": '{"data": ["plain"]}'}]},
            },
            "Invalid filter",
        ),
        ({"FunctionResponseTypes": ["Other"]}, "no response type"),
        ({"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}, "Unsupported Destination"),
    ],
)
def test_what_aws_refuses_is_told_with_its_place(
    tmp_path: Path, properties: dict[str, Any], told: str
) -> None:
    with pytest.raises(DefinitionError, match=told) as error:
        _load(tmp_path, {"F": _function(), "M": _mapping(**properties)})
    assert error.value.place.line is not None
    assert error.value.remedy


def test_what_is_not_polled_is_reported(tmp_path: Path) -> None:
    kafka = "arn:aws:kafka:us-east-1:123456789012:cluster/c/1"
    project = _load(tmp_path, {"F": _function(), "K": _mapping(EventSourceArn=kafka)})
    assert project.event_source_mappings == ()
    ignored = [line.why for line in project.report.lines if line.treatment is Treatment.IGNORED]
    assert any("is not polled here" in why for why in ignored)


def test_terraforms_configuration_of_asynchronous_invocations(tmp_path: Path) -> None:
    _code(tmp_path)
    given = {
        "function_name": "f",
        "runtime": "python3.12",
        "handler": "app.handler",
        "filename": "code",
    }
    config = {
        "function_name": "f",
        "maximum_retry_attempts": 0,
        "maximum_event_age_in_seconds": 60,
        "destination_config": [{"on_failure": [{"destination": QUEUE}], "on_success": []}],
    }
    document = terraform.plan(
        terraform.resource("aws_lambda_function.f", given),
        terraform.resource("aws_lambda_function_event_invoke_config.c", config),
    )
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(document))
    found = load(file).project.functions["f"].event_invoke["$LATEST"]
    assert (found.retries, found.max_age_s, found.on_failure) == (0, 60, QUEUE)
