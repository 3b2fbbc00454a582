"""Queues of moto's server feed real functions; mappings over the API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge
from tests.journeys.thirdparty.packages import python_packages
from tests.support.asynchronous import ACCOUNT, until
from tests.support.event_sources import Fed, left, queue, received
from tests.support.moto_server import Moto, running_moto
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with running_moto(python_packages("requirements-moto.txt"), free_port()) as server:
        yield server


@pytest.fixture
def name(tmp_path: Path) -> str:
    """One of its own for what a test makes in the server."""
    return tmp_path.name.replace("_", "-")[-60:]


def test_messages_go_to_the_function_and_out_of_the_queue(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, name)
    fed = Fed(edge, tmp_path, moto, arn)
    moto.client("sqs").send_message(
        QueueUrl=url,
        MessageBody="hällo",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "x"}},
    )
    (record,) = fed.events()[0]["Records"]
    assert record["body"] == "hällo"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == arn
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"] == {
        "kind": {
            "stringValue": "x",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "String",
        }
    }
    until(lambda: left(moto, url) == (0, 0))


def test_what_fails_comes_again_and_then_goes_to_the_dead_letters(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    dead_url, dead_arn = queue(moto, f"{name}-d")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = queue(moto, name, VisibilityTimeout="1", RedrivePolicy=policy)
    fed = Fed(edge, tmp_path, moto, arn)
    moto.client("sqs").send_message(QueueUrl=url, MessageBody="boom")
    assert fed.batches(2) == [["boom"], ["boom"]]
    assert received(moto, dead_url)["Body"] == "boom"
    assert "visibility timeout: 1 seconds is less than Function timeout: 3" in fed.site.console


def test_items_that_the_function_names_stay(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, name, VisibilityTimeout="60")
    sqs = moto.client("sqs")
    for body in ("good", "bad", "well"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    fed = Fed(
        edge, tmp_path, moto, arn, FunctionResponseTypes=["ReportBatchItemFailures"]
    )  # fmt: skip
    fed.batches(1)
    until(lambda: left(moto, url) == (0, 1))


def test_a_window_gathers_up_to_the_batch_size(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, name)
    fed = Fed(edge, tmp_path, moto, arn, BatchSize=12, MaximumBatchingWindowInSeconds=300)
    for number in range(14):
        moto.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
    assert len(fed.batches(1)[0]) == 12  # full before its window ends
    until(lambda: left(moto, url) == (0, 2))
    edge.clock.advance(seconds=300)
    assert len(fed.batches(2)[1]) == 2


def test_filtered_messages_are_dropped(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    url, arn = queue(moto, name)
    filters = [{"Pattern": json.dumps({"body": {"n": [{"numeric": [">", 1]}]}})}]
    fed = Fed(edge, tmp_path, moto, arn, FilterCriteria={"Filters": filters})
    for body in ("plain", '{"n": 1}', '{"n": 2}'):
        moto.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert fed.batches(1) == [['{"n": 2}']]
    until(lambda: left(moto, url) == (0, 0))


def test_a_group_of_a_fifo_queue_keeps_its_order(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, f"{name}.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    fed = Fed(edge, tmp_path, moto, arn, BatchSize=1)
    for body in "abc":
        moto.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
    assert fed.batches(3) == [["a"], ["b"], ["c"]]
    attributes = fed.events()[0]["Records"][0]["attributes"]
    assert attributes["MessageGroupId"] == "g"


def test_no_more_batches_at_once_than_allowed(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, name, VisibilityTimeout="60")
    for number in range(6):
        moto.client("sqs").send_message(QueueUrl=url, MessageBody=f"slow {number}")
    scaling = {"MaximumConcurrency": 2}
    fed = Fed(edge, tmp_path, moto, arn, BatchSize=1, ScalingConfig=scaling)
    runs = fed.slow(6)
    at_once = [sum(began <= start < ended for began, ended in runs) for start, _ in runs]
    assert max(at_once) == 2


def test_groups_of_a_fifo_queue_run_beside_each_other(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, f"{name}.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for number in "123":
        for group in "ab":
            moto.client("sqs").send_message(
                QueueUrl=url, MessageBody=f"slow {group}{number}", MessageGroupId=group
            )
    fed = Fed(edge, tmp_path, moto, arn, BatchSize=1)
    texts = [text for batch in fed.batches(6) for text in batch]
    for group in "ab":
        own = [text for text in texts if text.startswith(f"slow {group}")]
        assert own == [f"slow {group}{number}" for number in "123"]
    runs = fed.slow(6)
    at_once = [sum(began <= start < ended for began, ended in runs) for start, _ in runs]
    assert max(at_once) == 2


def test_a_batch_of_messages_fits_into_an_invocation(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    url, arn = queue(moto, name, VisibilityTimeout="60")
    for _ in range(26):
        moto.client("sqs").send_message(QueueUrl=url, MessageBody="x" * 250_000)
    fed = Fed(edge, tmp_path, moto, arn, BatchSize=100, MaximumBatchingWindowInSeconds=2)
    until(lambda: left(moto, url) == (0, 0))
    first, *others = [len(batch) for batch in fed.batches(2)]
    assert first == 23
    assert first + sum(others) == 26


def test_a_throttled_batch_waits(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    url, arn = queue(moto, name, VisibilityTimeout="60")
    moto.client("sqs").send_message(
        QueueUrl=url,
        MessageBody="a",
        MessageAttributes={"raw": {"DataType": "Binary", "BinaryValue": b"\0\xff"}},
    )
    fed = Fed(edge, tmp_path, moto, arn, limit=0)
    until(lambda: (found := fed.metric("Throttles")) and found["sum"] >= 2)
    assert not fed.has_seen
    fed.api.delete_function_concurrency(FunctionName="f")
    record = fed.events()[0]["Records"][0]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"] == {
        "raw": {
            "binaryValue": "AP8=",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "Binary",
        }
    }
    until(lambda: left(moto, url) == (0, 0))


# Mappings


def test_mappings_over_the_api(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    url, arn = queue(moto, name)
    fed = Fed(edge, tmp_path, moto, "")
    made = fed.api.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="f", BatchSize=1, Enabled=False
    )
    uuid = made["UUID"]
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert made["FunctionArn"] == f"arn:aws:lambda:{ACCOUNT}:function:f"
    assert (made["State"], made["BatchSize"]) == ("Disabled", 1)
    assert fed.api.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    sqs = moto.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="a")
    fed.api.update_event_source_mapping(UUID=uuid, Enabled=True, BatchSize=5)
    assert fed.batches(1) == [["a"]]
    found = fed.api.get_event_source_mapping(UUID=uuid)
    assert (found["State"], found["BatchSize"]) == ("Enabled", 5)
    listed = fed.api.list_event_source_mappings(FunctionName="f", EventSourceArn=arn)
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [uuid]
    other = fed.api.list_event_source_mappings(EventSourceArn=f"{arn}-other")
    assert other["EventSourceMappings"] == []
    assert fed.api.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    with pytest.raises(fed.api.exceptions.ResourceNotFoundException):
        fed.api.get_event_source_mapping(UUID=uuid)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
        ({"BatchSize": 10_001}, "at 'batchSize' failed to satisfy constraint: Member must have"),
        ({"EventSourceArn": ""}, "Unrecognized event source."),
        ({"FunctionName": "none"}, "Function does not exist"),
        ({"StartingPosition": "x"}, "satisfy enum value set: .LATEST, AT_TIMESTAMP,"),
        ({"DestinationConfig": {"OnFailure": {"Destination": "q"}}}, "Unsupported Destination"),
        (
            {"EventSourceArn": f"arn:aws:kinesis:{ACCOUNT}:stream/s"},
            "Value null at 'startingPosition' failed to satisfy",
        ),
        ({"StartingPosition": "LATEST"}, "not for queues"),
        ({"ParallelizationFactor": 2}, "not for queues"),
        ({"ScalingConfig": {"MaximumConcurrency": 2000}}, "out of range"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern def"),
    ],
)
def test_what_aws_takes_not(
    edge: Edge, tmp_path: Path, moto: Moto, members: dict[str, Any], told: str
) -> None:
    fed = Fed(edge, tmp_path, moto, "")
    given = {"EventSourceArn": f"arn:aws:sqs:{ACCOUNT}:q", "FunctionName": "f", **members}
    api = fed.api.create_event_source_mapping
    with pytest.raises(Exception, match=told):
        api(**given)


def test_a_mapping_exists_once(edge: Edge, tmp_path: Path, moto: Moto) -> None:
    fed = Fed(edge, tmp_path, moto, "", services=())
    for service, path, more, text in (
        ("sqs", "q", {}, 'An event source mapping with SQS arn (" {} ") and function (" f ")'),
        (
            "kinesis", "stream/s", {"StartingPosition": "LATEST"},
            'The event source arn (" {} ") and function (" f ") provided mapping',
        ),
    ):  # fmt: skip
        arn = f"arn:aws:{service}:{ACCOUNT}:{path}"
        made = fed.api.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", **more)
        with pytest.raises(fed.api.exceptions.ResourceConflictException) as error:
            fed.api.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", **more)
        assert error.value.response["message"] == (
            f"{text.format(arn)} already exists. Please update or delete the existing mapping with "
            f"UUID {made['UUID']}"
        )


def _shown(answer: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in answer.items()
        if name not in {"ResponseMetadata", "LastModified", "UUID", "EventSourceMappingArn"}
    }


def test_what_the_api_shows_of_a_queue_and_of_a_stream(
    edge: Edge, tmp_path: Path, moto: Moto
) -> None:
    api = Fed(edge, tmp_path, moto, "", services=()).api
    function = f"arn:aws:lambda:{ACCOUNT}:function:f"
    arn = f"arn:aws:sqs:{ACCOUNT}:q"
    queues = {
        "BatchSize": 10, "EventSourceArn": arn, "FunctionArn": function,
        "FunctionResponseTypes": [], "MaximumBatchingWindowInSeconds": 0,
        "StateTransitionReason": "USER_INITIATED",
    }  # fmt: skip
    made = api.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", Enabled=False)
    assert _shown(made) == {**queues, "State": "Disabled"}
    changed = api.update_event_source_mapping(UUID=made["UUID"], Enabled=True)
    assert _shown(changed) == {**queues, "State": "Enabling"}
    assert _shown(api.get_event_source_mapping(UUID=made["UUID"])) == {**queues, "State": "Enabled"}
    metrics = {"MetricsConfig": {"Metrics": ["EventCount"]}}
    changed = api.update_event_source_mapping(UUID=made["UUID"], **metrics)
    assert _shown(changed) == {**queues, **metrics, "State": "Updating"}

    arn = f"arn:aws:kinesis:{ACCOUNT}:stream/s"
    streams = {
        "BatchSize": 100, "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}}, "EventSourceArn": arn, "FunctionArn": function,
        "FunctionResponseTypes": [], "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0, "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1, "ParallelizationFactor": 1, "StartingPosition": "LATEST",
        "StateTransitionReason": "User action", "TumblingWindowInSeconds": 0,
    }  # fmt: skip
    made = api.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="f", StartingPosition="LATEST",
        FilterCriteria={"Filters": []},
    )  # fmt: skip
    assert _shown(made) == {**streams, "State": "Creating"}
    uuid = made["UUID"]
    assert _shown(api.get_event_source_mapping(UUID=uuid)) == {**streams, "State": "Enabled"}
    changed = api.update_event_source_mapping(UUID=uuid, BatchSize=5)
    assert _shown(changed) == {**streams, "BatchSize": 5, "State": "Updating"}
    changed = api.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert changed["State"] == "Disabling"
    assert api.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    assert api.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"


def test_tags_of_a_mapping(edge: Edge, tmp_path: Path, moto: Moto) -> None:
    api = Fed(edge, tmp_path, moto, "", services=()).api
    source = f"arn:aws:sqs:{ACCOUNT}:q"
    made = api.create_event_source_mapping(
        EventSourceArn=source, FunctionName="f", Tags={"a": "1", "b": "2"}
    )
    arn = made["EventSourceMappingArn"]
    api.tag_resource(Resource=arn, Tags={"c": "3"})
    api.untag_resource(Resource=arn, TagKeys=["a"])
    assert api.list_tags(Resource=arn)["Tags"] == {"b": "2", "c": "3"}
    api.delete_event_source_mapping(UUID=made["UUID"])
    with pytest.raises(api.exceptions.ResourceNotFoundException, match="mapping not found"):
        api.list_tags(Resource=arn)


def test_a_mapping_without_an_endpoint_is_told(edge: Edge, tmp_path: Path, moto: Moto) -> None:
    fed = Fed(edge, tmp_path, moto, f"arn:aws:sqs:{ACCOUNT}:q", services=())
    until(lambda: "give --aws-endpoint SQS=URL" in fed.site.console)


def test_a_queue_may_come_later(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    fed = Fed(edge, tmp_path, moto, f"arn:aws:sqs:{ACCOUNT}:{name}")
    until(lambda: "cannot be read, it is tried again" in fed.site.console)
    url, _ = queue(moto, name)
    moto.client("sqs").send_message(QueueUrl=url, MessageBody="a")
    assert fed.batches(1) == [["a"]]
    assert "can be read again" in fed.site.console


def test_an_endpoint_that_dies_is_asked_again(edge: Edge, tmp_path: Path, name: str) -> None:
    port, packages = free_port(), python_packages("requirements-moto.txt")
    with running_moto(packages, port) as moto:
        _, arn = queue(moto, name)
        fed = Fed(edge, tmp_path, moto, arn)
    until(lambda: "cannot be read, it is tried again" in fed.site.console)
    with running_moto(packages, port) as moto:
        url, _ = queue(moto, name)
        moto.client("sqs").send_message(QueueUrl=url, MessageBody="again")
        assert fed.batches(1) == [["again"]]
        assert fed.site.console.count("it is tried again") == 1
