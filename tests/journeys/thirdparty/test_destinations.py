"""Records of asynchronous invocations in queues, topics, buses and buckets of moto's server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge
from tests.journeys.thirdparty.packages import python_packages
from tests.support.asynchronous import ACCOUNT, Queue, event_invoke, function, until
from tests.support.moto_server import Moto, running_moto
from tests.support.ports import free_port


class Aws:
    """moto's server, and a queue ``inbox`` that shows what anything delivers."""

    def __init__(self, moto: Moto) -> None:
        self.url = moto.url
        self.client = moto.client
        self._inbox = self.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
        self.inbox_arn = f"arn:aws:sqs:{ACCOUNT}:inbox"

    def received(self) -> dict[str, Any]:
        """The next message, once there is one."""
        sqs = self.client("sqs")

        def receive() -> Any:
            return sqs.receive_message(
                QueueUrl=self._inbox, MessageAttributeNames=["All"], AttributeNames=["All"]
            ).get("Messages")

        message: dict[str, Any] = until(receive)[0]
        sqs.delete_message(QueueUrl=self._inbox, ReceiptHandle=message["ReceiptHandle"])
        return message


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running_moto(python_packages("requirements-moto.txt"), free_port()) as moto:
        yield Aws(moto)


def _serve(
    edge: Edge, folder: Path, aws: Aws, success: str = "", failure: str = "", dead: str = ""
) -> Queue:
    config = {"DeadLetterConfig": {"TargetArn": dead}} if dead else {}
    resources = {
        "f": function(**config),
        "C": event_invoke("f", success, failure, MaximumRetryAttempts=0),
    }
    endpoints = tuple(f"{name}={aws.url}" for name in ("SQS", "SNS", "EventBridge", "S3"))
    return Queue(edge, folder, resources, aws_endpoint=endpoints)


@pytest.mark.rule("LI-171", "LI-175", "LI-195", "LI-273")
def test_a_queue_gets_the_record_and_the_event(edge: Edge, tmp_path: Path, aws: Aws) -> None:
    queue = _serve(edge, tmp_path, aws, failure=aws.inbox_arn, dead=aws.inbox_arn)
    request_id = queue.submit({"fail": "böse\n"})
    record, dead = aws.received(), aws.received()
    body = json.loads(record["Body"])
    assert body["requestContext"]["requestId"] == request_id
    assert "MessageAttributes" not in record
    assert record["Attributes"]["AWSTraceHeader"].startswith("Root=1-")
    assert json.loads(dead["Body"]) == {"fail": "böse\n"}
    values = {
        name: (each["DataType"], each["StringValue"])
        for name, each in dead["MessageAttributes"].items()
    }
    assert values == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "böse\n"),
    }


@pytest.mark.rule("LI-171", "LI-195")
def test_a_topic_passes_both_on(edge: Edge, tmp_path: Path, aws: Aws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="told")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=aws.inbox_arn)
    queue = _serve(edge, tmp_path, aws, failure=topic, dead=topic)
    request_id = queue.submit({"fail": "a&b=c+d%"})
    record, dead = json.loads(aws.received()["Body"]), json.loads(aws.received()["Body"])
    assert json.loads(record["Message"])["requestContext"]["requestId"] == request_id
    assert json.loads(dead["Message"]) == {"fail": "a&b=c+d%"}
    assert dead["MessageAttributes"]["ErrorMessage"] == {"Type": "String", "Value": "a&b=c+d%"}
    assert dead["MessageAttributes"]["ErrorCode"] == {"Type": "Number", "Value": "200"}


@pytest.mark.rule("LI-195")
@pytest.mark.parametrize(
    ("event", "outcome"), [({"n": 1}, "Success"), ({"fail": "boom"}, "Failure")]
)
def test_a_bus_makes_an_event_of_it(
    edge: Edge, tmp_path: Path, aws: Aws, event: dict[str, Any], outcome: str
) -> None:
    events = aws.client("events")
    bus = events.create_event_bus(Name=f"bus-{outcome}")["EventBusArn"]
    events.put_rule(Name="all", EventBusName=f"bus-{outcome}", EventPattern='{"source":["lambda"]}')
    targets = [{"Id": "1", "Arn": aws.inbox_arn}]
    events.put_targets(Rule="all", EventBusName=f"bus-{outcome}", Targets=targets)
    queue = _serve(edge, tmp_path, aws, bus, bus)
    queue.submit(event)
    got = json.loads(aws.received()["Body"])
    assert (got["source"], got["detail-type"]) == (
        "lambda",
        f"Lambda Function Invocation Result - {outcome}",
    )
    assert got["resources"] == [bus, f"arn:aws:lambda:{ACCOUNT}:function:f:$LATEST"]
    assert got["detail"]["requestPayload"] == event


@pytest.mark.rule("LI-196")
def test_a_bucket_gets_an_object(edge: Edge, tmp_path: Path, aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    queue = _serve(edge, tmp_path, aws, failure="arn:aws:s3:::kept")
    request_id = queue.submit({"fail": "boom"})
    (found,) = until(lambda: s3.list_objects_v2(Bucket="kept").get("Contents"))
    assert found["Key"].startswith("aws/lambda/async/f/20")
    day, time_and_id = found["Key"].removeprefix("aws/lambda/async/f/").rsplit("/", 1)
    assert time_and_id.startswith(day.replace("/", "-") + "T")
    body = json.loads(s3.get_object(Bucket="kept", Key=found["Key"])["Body"].read())
    assert body["requestContext"]["requestId"] == request_id


@pytest.mark.rule("LI-174", "LI-197")
def test_what_is_not_there_is_a_delivery_failure(edge: Edge, tmp_path: Path, aws: Aws) -> None:
    missing = f"arn:aws:sqs:{ACCOUNT}:missing"
    queue = _serve(edge, tmp_path, aws, failure=missing, dead=missing)
    queue.submit({"fail": "boom"})
    until(lambda: queue.metric("DeadLetterErrors") == 1)
    assert queue.metric("DestinationDeliveryFailures") == 1
    assert "SQS answered 4" in queue.site.console
