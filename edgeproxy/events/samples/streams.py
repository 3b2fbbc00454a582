"""Sample events of streams: Kinesis, DynamoDB Streams, Apache Kafka and Data Firehose."""

from edgeproxy.events.samples.facts import (
    ACCOUNT,
    MILLISECONDS,
    REGION,
    SECONDS,
    Document,
    base64_of,
)

__all__ = [
    "dynamodb_insert",
    "dynamodb_modify",
    "dynamodb_remove",
    "firehose_transform",
    "kafka_msk",
    "kafka_self_managed",
    "kinesis_records",
]


def kinesis_records(
    data: str = "A record.",
    stream: str = "sample-stream",
    partition_key: str = "customer-17",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A batch of one record of a data stream; the data arrive as base64."""
    sequence = "49663412380942156732109847562310984756231098475623109890"
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": partition_key,
                    "sequenceNumber": sequence,
                    "data": base64_of(data),
                    "approximateArrivalTimestamp": SECONDS + 0.125,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{sequence}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{account}:role/sample-role",
                "awsRegion": region,
                "eventSourceARN": f"arn:aws:kinesis:{region}:{account}:stream/{stream}",
            }
        ]
    }


def dynamodb_insert(
    table: str = "sample-table", key: str = "17", region: str = REGION, account: str = ACCOUNT
) -> Document:
    """A new item, as a stream with new and old images tells it."""
    change = {"NewImage": _item(key, "new")}
    return _change("INSERT", table, key, change, region, account)


def dynamodb_modify(
    table: str = "sample-table", key: str = "17", region: str = REGION, account: str = ACCOUNT
) -> Document:
    """A changed item, with both its images."""
    change = {"NewImage": _item(key, "paid"), "OldImage": _item(key, "new")}
    return _change("MODIFY", table, key, change, region, account)


def dynamodb_remove(
    table: str = "sample-table", key: str = "17", region: str = REGION, account: str = ACCOUNT
) -> Document:
    """A deleted item, with its last image."""
    change = {"OldImage": _item(key, "paid")}
    return _change("REMOVE", table, key, change, region, account)


def _item(key: str, state: str) -> Document:
    return {"Id": {"N": key}, "State": {"S": state}}


def _change(
    name: str, table: str, key: str, images: Document, region: str, account: str
) -> Document:
    stream = f"arn:aws:dynamodb:{region}:{account}:table/{table}/stream/2026-01-01T00:00:00.000"
    return {
        "Records": [
            {
                "eventID": "c4ca4238a0b923820dcc509a6f75849b",
                "eventName": name,
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": region,
                "dynamodb": {
                    "ApproximateCreationDateTime": SECONDS,
                    "Keys": {"Id": {"N": key}},
                    **images,
                    "SequenceNumber": "4421584500000000017450439091",
                    "SizeBytes": 26,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
                "eventSourceARN": stream,
            }
        ]
    }


def kafka_msk(
    value: str = "A record.",
    topic: str = "sample-topic",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A batch of one record of a topic of Amazon MSK."""
    cluster = "sample-cluster/0b5d6b1e-8f0c-4d2e-9c55-7a5a1c3e4f10-2"
    return {
        "eventSource": "aws:kafka",
        "eventSourceArn": f"arn:aws:kafka:{region}:{account}:cluster/{cluster}",
        "bootstrapServers": (
            f"b-1.sample.c1.kafka.{region}.amazonaws.com:9092,"
            f"b-2.sample.c1.kafka.{region}.amazonaws.com:9092"
        ),
        "records": _kafka_records(topic, value),
    }


def kafka_self_managed(value: str = "A record.", topic: str = "sample-topic") -> Document:
    """A batch of one record of a topic of a cluster of one's own."""
    return {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": "kafka-1.example.com:9092,kafka-2.example.com:9092",
        "records": _kafka_records(topic, value),
    }


def _kafka_records(topic: str, value: str) -> Document:
    return {
        f"{topic}-0": [
            {
                "topic": topic,
                "partition": 0,
                "offset": 15,
                "timestamp": MILLISECONDS,
                "timestampType": "CREATE_TIME",
                "key": base64_of("customer-17"),
                "value": base64_of(value),
                "headers": [{"content-type": list(b"text/plain")}],
            }
        ]
    }


def firehose_transform(
    data: str = "A record.",
    stream: str = "sample-delivery-stream",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """Two records that a delivery stream wants transformed; the answer names each ``recordId``."""
    return {
        "invocationId": "2b4d1ad9-2f48-94bd-a088-767c317e994a",
        "deliveryStreamArn": f"arn:aws:firehose:{region}:{account}:deliverystream/{stream}",
        "region": region,
        "records": [
            {
                "recordId": f"4954664441453754482465{number:034}",
                "approximateArrivalTimestamp": MILLISECONDS + number,
                "data": base64_of(data),
            }
            for number in range(2)
        ],
    }
