"""Sample events of S3: notifications, through EventBridge, batch operations, Object Lambda."""

from urllib.parse import quote, quote_plus

from edgeproxy.events.samples.facts import ACCOUNT, REGION, TIME, TIME_MS, Document

__all__ = ["s3_batch", "s3_delete", "s3_eventbridge", "s3_object_lambda", "s3_put"]

_BUCKET = "sample-bucket"
_KEY = "photos/red cat.jpg"
_ETAG = "d41d8cd98f00b204e9800998ecf8427e"
_SEQUENCER = "0066F2A1B4C8D1E3A7"


def s3_put(bucket: str = _BUCKET, key: str = _KEY, region: str = REGION) -> Document:
    """An object was put into a bucket; its key is encoded as in a form."""
    what = {"size": 1024, "eTag": _ETAG, "sequencer": _SEQUENCER}
    return _notification("ObjectCreated:Put", bucket, key, what, region)


def s3_delete(bucket: str = _BUCKET, key: str = _KEY, region: str = REGION) -> Document:
    """An object of a bucket without versions was deleted."""
    return _notification("ObjectRemoved:Delete", bucket, key, {"sequencer": _SEQUENCER}, region)


def _notification(name: str, bucket: str, key: str, what: Document, region: str) -> Document:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": region,
                "eventTime": TIME_MS,
                "eventName": name,
                "userIdentity": {"principalId": "AWS:AROAEXAMPLEWRITER0001:writer"},
                "requestParameters": {"sourceIPAddress": "198.51.100.178"},
                "responseElements": {
                    "x-amz-request-id": "7R5MPLE0Q3ST1D00",
                    "x-amz-id-2": "c2FtcGxlIGV4dGVuZGVkIHJlcXVlc3QgSUQ=",
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "sample-notification",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A1EXAMPLEOWNER"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {"key": quote_plus(key, safe="/"), **what},
                },
            }
        ]
    }


def s3_eventbridge(
    bucket: str = _BUCKET, key: str = _KEY, region: str = REGION, account: str = ACCOUNT
) -> Document:
    """An object was created, as EventBridge tells it; its key is not encoded."""
    return {
        "version": "0",
        "id": "2d4eba74-fd51-3966-4bfa-b013c9da8ff1",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": account,
        "time": TIME,
        "region": region,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1024, "etag": _ETAG, "sequencer": _SEQUENCER},
            "request-id": "7R5MPLE0Q3ST1D00",
            "requester": account,
            "source-ip-address": "198.51.100.178",
            "reason": "PutObject",
        },
    }


def s3_batch(bucket: str = _BUCKET, key: str = _KEY) -> Document:
    """A task of a batch operations job (schema 2.0)."""
    return {
        "invocationSchemaVersion": "2.0",
        "invocationId": "U2FtcGxlSW52b2NhdGlvbg==",
        "job": {
            "id": "0f1c2a3b-4d5e-4f60-8a7b-9c0d1e2f3a4b",
            "userArguments": {"size": "small"},
        },
        "tasks": [
            {
                "taskId": "U2FtcGxlVGFzaw==",
                "s3Bucket": bucket,
                "s3Key": quote_plus(key, safe="/"),
                "s3VersionId": None,
            }
        ],
    }


def s3_object_lambda(
    key: str = _KEY,
    access_point: str = "sample-access-point",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A GetObject request at an Object Lambda access point."""
    path = quote(key)
    host = f"{access_point}-{account}"
    url = f"https://{host}.s3-accesspoint.{region}.amazonaws.com/{path}?X-Amz-SignedHeaders=host"
    user = f"https://{host}.s3-object-lambda.{region}.amazonaws.com"
    return {
        "xAmzRequestId": "1a5ed718-5f53-471d-b6fe-5cf62d88d02a",
        "getObjectContext": {
            "inputS3Url": url,
            "outputRoute": "io-use1-001",
            "outputToken": "U2FtcGxlT3V0cHV0VG9rZW4=",
        },
        "configuration": {
            "accessPointArn": (
                f"arn:aws:s3-object-lambda:{region}:{account}:accesspoint/{access_point}"
            ),
            "supportingAccessPointArn": f"arn:aws:s3:{region}:{account}:accesspoint/{access_point}",
            "payload": "{}",
        },
        "userRequest": {
            "url": f"{user}/{path}",
            "headers": {"Host": user.removeprefix("https://"), "Accept-Encoding": "identity"},
        },
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLEREADER0001",
            "arn": f"arn:aws:iam::{account}:user/reader",
            "accountId": account,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "reader",
        },
        "protocolVersion": "1.00",
    }
