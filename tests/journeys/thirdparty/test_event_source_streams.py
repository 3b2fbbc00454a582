"""Streams of moto's server feed real functions."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from edgeproxy.project.identifiers import policy_id
from edgeproxy.testing import Edge
from tests.journeys.thirdparty.packages import python_packages
from tests.support.asynchronous import ACCOUNT, until
from tests.support.event_sources import Fed, put, queue, received, stream
from tests.support.moto_server import Moto, running_moto
from tests.support.ports import free_port

START = {"StartingPosition": "TRIM_HORIZON"}


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with running_moto(python_packages("requirements-moto.txt"), free_port()) as server:
        yield server


@pytest.fixture
def name(tmp_path: Path) -> str:
    """One of its own for what a test makes in the server."""
    return tmp_path.name.replace("_", "-")[-60:]


def test_records_of_a_stream(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    arn = stream(moto, name)
    put(moto, name, "a", "b", "c")
    fed = Fed(edge, tmp_path, moto, arn, StartingPosition="TRIM_HORIZON", BatchSize=2)
    assert fed.batches(2) == [["a", "b"], ["c"]]
    record = fed.events()[0]["Records"][0]
    assert record["eventSource"] == "aws:kinesis"
    assert record["eventName"] == "aws:kinesis:record"
    assert record["eventID"] == f"shardId-000000000000:{record['kinesis']['sequenceNumber']}"
    assert record["eventSourceARN"] == arn
    assert record["kinesis"]["data"] == base64.b64encode(b"a").decode()
    assert record["kinesis"]["partitionKey"] == "k"
    age = fed.metric("IteratorAge")
    assert age["count"] == 2
    assert 0 <= age["min"] <= age["max"] < 60_000


def test_a_poisoned_record_is_found_by_halves_and_told(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    arn = stream(moto, name)
    url, told_arn = queue(moto, name)
    put(moto, name, "a", "b", "boom", "d")
    fed = Fed(
        edge,
        tmp_path,
        moto,
        arn,
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": told_arn}},
    )
    assert fed.batches(6) == [
        ["a", "b", "boom", "d"],
        ["a", "b"],
        ["boom", "d"],
        ["boom"],
        ["boom"],
        ["d"],
    ]
    told = json.loads(received(moto, url)["Body"])
    poisoned = fed.events(4)[3]["Records"][0]["kinesis"]["sequenceNumber"]
    context = told["requestContext"]
    assert context["condition"] == "RetryAttemptsExhausted"
    assert context["approximateInvokeCount"] == 2
    assert context["functionArn"] == f"arn:aws:lambda:{ACCOUNT}:function:f"
    assert told["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    batch = told["KinesisBatchInfo"]
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"] == poisoned
    assert (batch["batchSize"], batch["streamArn"]) == (1, arn)
    assert batch["shardId"] == "shardId-000000000000"


def test_a_report_moves_the_checkpoint(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    arn = stream(moto, name)
    moto.client("s3").create_bucket(Bucket=name)
    put(moto, name, "a", "bad", "c")
    fed = Fed(
        edge,
        tmp_path,
        moto,
        arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{name}"}},
    )
    assert fed.batches(2) == [["a", "bad", "c"], ["bad", "c"]]
    s3 = moto.client("s3")
    (found,) = until(lambda: s3.list_objects_v2(Bucket=name).get("Contents"))
    uuid = fed.api.list_event_source_mappings()["EventSourceMappings"][0]["UUID"]
    assert found["Key"].startswith(f"aws/lambda/{uuid}/shardId-000000000000/20")
    document = json.loads(s3.get_object(Bucket=name, Key=found["Key"])["Body"].read())
    # The function itself has not failed.
    assert document["responseContext"]["functionError"] is None
    assert document["KinesisBatchInfo"]["batchSize"] == 2
    assert json.loads(document["payload"]) == fed.events(2)[1]


def test_old_records_are_given_up(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    arn = stream(moto, name)
    put(moto, name, "boom")
    fed = Fed(
        edge,
        tmp_path,
        moto,
        arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRecordAgeInSeconds=60,
    )
    fed.batches(1)
    edge.clock.advance(seconds=61)
    until(lambda: "RecordAgeExceeded: 1 records" in fed.site.console)
    edge.clock.reset()
    put(moto, name, "next")
    until(lambda: ["next"] in fed.batches(1))


def test_lanes_of_a_shard_do_not_hold_each_other_up(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    arn = stream(moto, name)
    fed = Fed(
        edge, tmp_path, moto, arn, StartingPosition="TRIM_HORIZON", ParallelizationFactor=10
    )  # fmt: skip
    put(moto, name, "boom", key="a")
    put(moto, name, "fine", key="b")
    until(lambda: ["fine"] in fed.batches(1))
    assert ["boom"] in fed.batches(1)


@pytest.mark.parametrize("position", ["LATEST", "AT_TIMESTAMP"])
def test_where_a_stream_is_begun(
    edge: Edge, tmp_path: Path, moto: Moto, name: str, position: str
) -> None:
    arn = stream(moto, name)
    put(moto, name, "before")
    more: dict[str, Any] = {"StartingPosition": position}
    if position == "AT_TIMESTAMP":
        more["StartingPositionTimestamp"] = 1_000_000_000
    fed = Fed(edge, tmp_path, moto, arn, **more)
    if position == "LATEST":

        def was_seen() -> bool:
            put(moto, name, "after")
            return fed.has_seen

        until(was_seen)
        assert all(set(batch) == {"after"} for batch in fed.batches(1))
    else:
        assert fed.batches(1) == [["before"]]


def test_changes_of_a_table(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    dynamodb = moto.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    filters = [{"Pattern": json.dumps({"eventName": ["INSERT"]})}]
    arn = f"arn:aws:dynamodb:{ACCOUNT}:table/{name}/stream/2020-01-01T00:00:00.000"
    fed = Fed(
        edge,
        tmp_path,
        moto,
        arn,
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": filters},
    )
    dynamodb.put_item(TableName=name, Item={"id": {"S": "1"}, "n": {"N": "1"}})
    dynamodb.put_item(TableName=name, Item={"id": {"S": "1"}, "n": {"N": "2"}})
    dynamodb.put_item(TableName=name, Item={"id": {"S": "2"}, "n": {"N": "1"}})
    until(lambda: [text for batch in fed.batches(1) for text in batch] == ["1", "2"])
    record = fed.events()[0]["Records"][0]
    assert record["eventSource"] == "aws:dynamodb"
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"] == {"id": {"S": "1"}, "n": {"N": "1"}}
    # The stream that there is: the definition cannot know when it was enabled.
    real = dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    assert record["eventSourceARN"] == real


def test_a_batching_window_is_on_the_edges_clock(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    arn = stream(moto, name)
    put(moto, name, "a", "b")
    fed = Fed(
        edge, tmp_path, moto, arn, StartingPosition="TRIM_HORIZON",
        MaximumBatchingWindowInSeconds=300,
    )  # fmt: skip

    def has_moved() -> bool:
        edge.clock.advance(seconds=100)
        return fed.has_seen

    until(has_moved)
    assert fed.batches(1) == [["a", "b"]]


def test_a_destination_without_an_endpoint_is_a_file(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    arn = stream(moto, name)
    put(moto, name, "boom")
    fed = Fed(
        edge, tmp_path, moto, arn, services=["Kinesis"], StartingPosition="TRIM_HORIZON",
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{ACCOUNT}:told"}},
    )  # fmt: skip
    file = fed.state / "destinations" / "sqs-told.jsonl"
    fed.batches(1)
    edge.clock.advance(seconds=120)
    told = json.loads(until(lambda: file.exists() and file.read_text()))
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] >= 1
    assert len(told["requestContext"]["requestId"]) == 36
    assert "responseContext" not in told


def test_a_restart_goes_on_where_a_stream_was_left(tmp_path: Path, moto: Moto, name: str) -> None:
    arn = stream(moto, name)
    kept = tmp_path / "state" / "stream-positions.json"

    def seen(count: int, **position: Any) -> list[Any]:
        with Edge() as edge:
            fed = Fed(edge, tmp_path, moto, arn, **(position or START))
            batches = fed.batches(count)
            until(kept.exists)
            return batches

    put(moto, name, "a", "b")
    assert seen(1) == [["a", "b"]]
    put(moto, name, "c")
    assert seen(2) == [["a", "b"], ["c"]]
    # Another stream of the same name is another stream.
    moto.client("kinesis").delete_stream(StreamName=name)
    stream(moto, name)
    put(moto, name, "new")
    assert seen(3)[2] == ["new"]
    # Whoever wants it read from elsewhere has it read from there.
    position = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_000_000_000}
    assert seen(4, **position)[3] == ["new"]


def _tumbling(edge: Edge, folder: Path, moto: Moto, name: str, **more: Any) -> Fed:
    return Fed(
        edge, folder, moto, stream(moto, name), StartingPosition="TRIM_HORIZON",
        TumblingWindowInSeconds=900, **more,
    )  # fmt: skip


def test_a_tumbling_window_keeps_a_state(edge: Edge, tmp_path: Path, moto: Moto, name: str) -> None:
    fed = _tumbling(edge, tmp_path, moto, name, BatchSize=2)
    put(moto, name, "a", "b", "c")
    first, second = fed.events(2)
    arrived = first["Records"][0]["kinesis"]["approximateArrivalTimestamp"]
    start = datetime.fromisoformat(first["window"]["start"])
    assert start.timestamp() == arrived // 900 * 900
    assert datetime.fromisoformat(first["window"]["end"]) - start == timedelta(seconds=900)
    assert first["window"]["start"].endswith("Z")
    assert (first["state"], second["state"]) == ({}, {"n": 2})
    assert first["shardId"] == "shardId-000000000000"
    assert first["eventSourceARN"] == first["Records"][0]["eventSourceARN"]
    assert not first["isFinalInvokeForWindow"]
    assert not (fed.state / "stream-positions.json").exists()  # A window is dealt with as a whole.
    edge.clock.advance(seconds=903)
    final = fed.events(3)[2]
    assert (final["Records"], final["state"]) == ([], {"n": 3})
    assert (final["isFinalInvokeForWindow"], final["isWindowTerminatedEarly"]) == (True, False)
    assert final["window"] == first["window"]
    until((fed.state / "stream-positions.json").exists)


def test_a_state_that_grows_too_large_ends_its_window(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    fed = _tumbling(edge, tmp_path, moto, name)
    put(moto, name, "huge")
    first, final = fed.events(2)
    assert final["Records"] == []
    assert (final["isFinalInvokeForWindow"], final["isWindowTerminatedEarly"]) == (True, True)
    put(moto, name, "next")
    following = fed.events(3)[2]
    assert (following["state"], following["window"]) == ({}, first["window"])
    assert not following["isWindowTerminatedEarly"]


def test_a_batch_without_a_state_has_failed(
    edge: Edge, tmp_path: Path, moto: Moto, name: str
) -> None:
    fed = _tumbling(edge, tmp_path, moto, name, MaximumRetryAttempts=1)
    put(moto, name, "stateless")
    assert fed.batches(2) == [["stateless"], ["stateless"]]
    until(lambda: "RetryAttemptsExhausted: 1 records" in fed.site.console)
    assert "f has returned no state" in fed.site.console


class _Kinesis(BaseHTTPRequestHandler):
    """A stream that has lost the record after which somebody wants to go on."""

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = 200, self._answer(self.headers["X-Amz-Target"].rpartition(".")[2], call)
        if answer is None:
            status, answer = 400, {"__type": "InvalidArgumentException", "message": "too old"}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, operation: str, call: dict[str, Any]) -> dict[str, Any] | None:
        match operation:
            case "DescribeStreamSummary":
                return {"StreamDescriptionSummary": {"StreamCreationTimestamp": 1.5}}
            case "ListShards":
                return {"Shards": [{"ShardId": "shardId-0"}]}
            case "GetShardIterator":
                lost = call["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
                return None if lost else {"ShardIterator": call["ShardIteratorType"]}
            case _:
                record = {
                    "SequenceNumber": "7", "ApproximateArrivalTimestamp": time.time(),
                    "PartitionKey": "k", "Data": base64.b64encode(b"still here").decode(),
                }  # fmt: skip
                is_start = call["ShardIterator"] == "TRIM_HORIZON"
                return {"Records": [record] if is_start else [], "NextShardIterator": "on"}

    def log_message(self, *said: Any) -> None:
        pass


def test_a_position_that_the_stream_has_lost(edge: Edge, tmp_path: Path) -> None:
    arn = f"arn:aws:kinesis:{ACCOUNT}:stream/s"
    key = f"{policy_id('M')} LATEST {arn} 1.5 shardId-0"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "stream-positions.json").write_text(json.dumps({key: "3"}))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Kinesis) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            fed = Fed(
                edge, tmp_path, Moto(url), arn, services=["Kinesis"], StartingPosition="LATEST"
            )  # fmt: skip
            assert fed.batches(1) == [["still here"]]
            assert "does not know where it was left" in fed.site.console
        finally:
            server.shutdown()
            thread.join()
