"""A function that queues and streams of moto's server feed, and what it was given."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import yaml

from edgeproxy.testing import Edge, Site
from tests.support.asynchronous import ACCOUNT, until
from tests.support.moto_server import Moto

__all__ = ["Fed", "left", "put", "queue", "received", "stream"]

CODE = """
import base64, json, time
def handler(event, context):
    records = event["Records"]
    began = time.time()
    def text(record):
        if "kinesis" in record:
            return base64.b64decode(record["kinesis"]["data"]).decode()
        if "dynamodb" in record:
            return record["dynamodb"]["Keys"]["id"]["S"]
        return record["body"]
    def name(record):
        inner = record.get("kinesis") or record.get("dynamodb")
        if inner is None:
            return record["messageId"]
        return inner.get("sequenceNumber") or inner["SequenceNumber"]
    with open(SEEN, "a") as file:
        file.write(json.dumps([list(map(text, records)), event]) + "\\n")
    if any("boom" in text(record) for record in records):
        raise Exception("boom")
    if any("slow" in text(record) for record in records):
        time.sleep(0.3)
        with open(SEEN + ".slow", "a") as file:
            file.write(json.dumps([began, time.time()]) + "\\n")
    bad = [{"itemIdentifier": name(each)} for each in records if "bad" in text(each)]
    answer = {"batchItemFailures": bad}
    if "window" in event and "stateless" not in map(text, records):
        answer["state"] = {"n": event["state"].get("n", 0) + len(records)}
        if "huge" in map(text, records):
            answer["state"]["huge"] = "x" * 1_100_000
    return answer
"""


class Fed:
    """A function ``f`` that is fed as ``properties`` say, and what it was given."""

    def __init__(
        self,
        edge: Edge,
        folder: Path,
        moto: Moto,
        arn: str,
        *,
        services: Sequence[str] = ("SQS", "SNS", "S3", "Kinesis", "DynamoDB"),
        limit: int | None = None,
        **more: Any,
    ) -> None:
        """``services`` are had from moto; ``limit`` is the function's reserved concurrency."""
        self.state = folder / "state"
        self._seen = folder / "seen.jsonl"
        (folder / "code").mkdir(exist_ok=True)
        (folder / "code" / "app.py").write_text(f"SEEN = {str(self._seen)!r}\n{CODE}")
        given: dict[str, Any] = {"Runtime": "python3.12", "Handler": "app.handler", "Code": "code"}
        if limit is not None:
            given["ReservedConcurrentExecutions"] = limit
        resources: dict[str, Any] = {"f": {"Type": "AWS::Lambda::Function", "Properties": given}}
        if arn:
            mapping = {"FunctionName": {"Ref": "f"}, "EventSourceArn": arn, **more}
            resources["M"] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}
        template = folder / "template.yaml"
        template.write_text(yaml.safe_dump({"Resources": resources}))
        self.site: Site = edge.serve(
            template,
            state_dir=self.state,
            aws_endpoint=tuple(f"{service}={moto.url}" for service in services),
        )
        self.api = boto3.client(
            "lambda",
            endpoint_url=self.site.endpoints["control"],
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )

    def batches(self, count: int) -> list[Any]:
        """The texts of each batch, once there are ``count``."""
        return [texts for texts, _ in self._lines(count)]

    @property
    def has_seen(self) -> bool:
        return self._seen.exists()

    def events(self, count: int = 1) -> list[Any]:
        return [event for _, event in self._lines(count)]

    def _lines(self, count: int) -> list[Any]:
        def lines() -> list[str] | None:
            found = self._seen.read_text().split("\n")[:-1] if self.has_seen else []
            return found if len(found) >= count else None

        return [json.loads(line) for line in until(lines)]

    def slow(self, count: int) -> list[tuple[float, float]]:
        """From when to when each of so many slow batches ran."""
        file = self._seen.with_name(self._seen.name + ".slow")

        def lines() -> list[str] | None:
            found = file.read_text().split("\n")[:-1] if file.exists() else []
            return found if len(found) >= count else None

        return [tuple(json.loads(line)) for line in until(lines)]

    def metric(self, name: str) -> Any:
        text = self.site.get("/api/metrics", url=self.site.endpoints["control"]).text
        for metric in json.loads(text)["metrics"]:
            if metric["name"] == name and metric["dimensions"] == {"FunctionName": "f"}:
                return metric
        return None


def queue(moto: Moto, name: str, **attributes: str) -> tuple[str, str]:
    made = moto.client("sqs").create_queue(QueueName=name, Attributes=attributes)
    return made["QueueUrl"], f"arn:aws:sqs:{ACCOUNT}:{name}"


def left(moto: Moto, url: str) -> tuple[int, int]:
    """How many messages can be had, and how many are being dealt with."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = moto.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return int(found["Attributes"][names[0]]), int(found["Attributes"][names[1]])


def stream(moto: Moto, name: str) -> str:
    kinesis = moto.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    return f"arn:aws:kinesis:{ACCOUNT}:stream/{name}"


def put(moto: Moto, stream: str, *texts: str, key: str = "k") -> None:
    records = [{"Data": text.encode(), "PartitionKey": key} for text in texts]
    moto.client("kinesis").put_records(StreamName=stream, Records=records)


def received(moto: Moto, url: str) -> Any:
    sqs = moto.client("sqs")
    return until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))[0]
