"""Sample events of services that watch, build and orchestrate an account."""

import base64
import gzip

import orjson

from edgeproxy.events.samples.facts import (
    ACCOUNT,
    MILLISECONDS,
    REGION,
    TIME,
    TIME_MS,
    Document,
    Json,
)

__all__ = [
    "cloudformation_create",
    "cloudformation_delete",
    "cloudformation_update",
    "cloudwatch_alarm",
    "cloudwatch_logs",
    "codecommit_push",
    "codepipeline_job",
    "config_change",
    "config_scheduled",
    "eventbridge_event",
    "eventbridge_scheduled",
    "secretsmanager_rotate",
    "stepfunctions_callback",
    "stepfunctions_task",
]


def eventbridge_event(
    source: str = "com.example.orders",
    detail_type: str = "OrderPlaced",
    detail: Json = '{"order": "17"}',
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """An event of an application that a rule matched."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": TIME,
        "region": region,
        "resources": [],
        "detail": orjson.loads(detail),
    }


def eventbridge_scheduled(
    rule: str = "sample-rule", region: str = REGION, account: str = ACCOUNT
) -> Document:
    """A rule with a schedule is due."""
    event = eventbridge_event("aws.events", "Scheduled Event", "{}", region, account)
    return event | {"resources": [f"arn:aws:events:{region}:{account}:rule/{rule}"]}


def cloudwatch_logs(
    message: str = "ERROR something failed",
    group: str = "/sample/application",
    stream: str = "instance-17",
    account: str = ACCOUNT,
) -> Document:
    """A log event that a subscription filter matched; the data are gzip in base64."""
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": account,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["sample-filter"],
        "logEvents": [
            {
                "id": "39847562109847562310984756231098475623109847562310984756",
                "timestamp": MILLISECONDS,
                "message": message,
            }
        ],
    }
    packed = gzip.compress(orjson.dumps(data), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode("ascii")}}


def cloudwatch_alarm(
    name: str = "sample-alarm",
    state: str = "ALARM",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """An alarm on a metric changed to ``state``."""
    moment = TIME_MS.replace("Z", "+0000")
    metric = {
        "namespace": "AWS/Lambda",
        "name": "Errors",
        "dimensions": {"FunctionName": "sample-function"},
    }
    return {
        "source": "aws.cloudwatch",
        "alarmArn": f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
        "accountId": account,
        "time": moment,
        "region": region,
        "alarmData": {
            "alarmName": name,
            "state": {
                "value": state,
                "reason": "Threshold Crossed: 1 datapoint [3.0] was greater than 0.0.",
                "reasonData": '{"version":"1.0","statistic":"Sum","period":60,"threshold":0.0}',
                "timestamp": moment,
            },
            "previousState": {
                "value": "INSUFFICIENT_DATA",
                "reason": "Unchecked: Initial alarm creation",
                "timestamp": moment,
            },
            "configuration": {
                "description": "A sample alarm",
                "metrics": [
                    {
                        "id": "6c1f2a3b-4d5e-6f70-8192-a3b4c5d6e7f8",
                        "metricStat": {"metric": metric, "period": 60, "stat": "Sum"},
                        "returnData": True,
                    }
                ],
            },
        },
    }


def cloudformation_create(region: str = REGION, account: str = ACCOUNT) -> Document:
    """A stack creates a custom resource."""
    token = f"arn:aws:lambda:{region}:{account}:function:sample-function"
    stack = f"{account}:stack/sample/0b9d6b43-6f0d-4d5c-8a53-9b4e1f7c2d20"
    return {
        "RequestType": "Create",
        "ServiceToken": token,
        "ResponseURL": "https://cloudformation-custom-resource-response.example.com/answer",
        "StackId": f"arn:aws:cloudformation:{region}:{stack}",
        "RequestId": "5d478078-13e9-baf0-464a-7ef285ecc786",
        "ResourceType": "Custom::Sample",
        "LogicalResourceId": "Sample",
        "ResourceProperties": {"ServiceToken": token, "Size": "2"},
    }


def cloudformation_update(region: str = REGION, account: str = ACCOUNT) -> Document:
    """A stack changes a custom resource's property."""
    event = cloudformation_create(region, account)
    return event | {
        "RequestType": "Update",
        "PhysicalResourceId": "sample-17",
        "OldResourceProperties": {**event["ResourceProperties"], "Size": "1"},
    }


def cloudformation_delete(region: str = REGION, account: str = ACCOUNT) -> Document:
    """A stack deletes a custom resource."""
    event = cloudformation_create(region, account)
    return event | {"RequestType": "Delete", "PhysicalResourceId": "sample-17"}


def codecommit_push(
    repository: str = "sample-repository",
    branch: str = "main",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A push to a branch of a repository with a trigger."""
    commit = "5c4ef1049f1d27deadbeeff313e0730018be182b"
    return {
        "Records": [
            {
                "awsRegion": region,
                "codecommit": {"references": [{"commit": commit, "ref": f"refs/heads/{branch}"}]},
                "customData": "sample",
                "eventId": "5a824061-17ca-46a9-bbf9-114edeadbeef",
                "eventName": "ReferenceChanges",
                "eventPartNumber": 1,
                "eventSource": "aws:codecommit",
                "eventSourceARN": f"arn:aws:codecommit:{region}:{account}:{repository}",
                "eventTime": TIME_MS.replace("Z", "+0000"),
                "eventTotalParts": 1,
                "eventTriggerConfigId": "5a824061-17ca-46a9-bbf9-114edeadbeef",
                "eventTriggerName": "sample-trigger",
                "eventVersion": "1.0",
                "userIdentityARN": f"arn:aws:iam::{account}:user/writer",
            }
        ]
    }


def codepipeline_job(
    function: str = "sample-function",
    parameters: str = "sample",
    bucket: str = "sample-bucket",
    account: str = ACCOUNT,
) -> Document:
    """A pipeline's action invokes a function."""
    location = {"bucketName": bucket, "objectKey": "sample/source/17.zip"}
    artifact = {
        "name": "source",
        "revision": None,
        "location": {"type": "S3", "s3Location": location},
    }
    configuration = {"FunctionName": function, "UserParameters": parameters}
    return {
        "CodePipeline.job": {
            "id": "11111111-abcd-1111-abcd-111111abcdef",
            "accountId": account,
            "data": {
                "actionConfiguration": {"configuration": configuration},
                "inputArtifacts": [artifact],
                "outputArtifacts": [],
                "artifactCredentials": {
                    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                    "secretAccessKey": "sample-secret",
                    "sessionToken": "sample-token",
                },
            },
        }
    }


def config_change(
    rule: str = "sample-rule",
    bucket: str = "sample-bucket",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A resource changed that a rule of AWS Config evaluates."""
    item = {
        "configurationItemCaptureTime": TIME_MS,
        "awsAccountId": account,
        "configurationItemStatus": "ResourceDiscovered",
        "resourceId": bucket,
        "ARN": f"arn:aws:s3:::{bucket}",
        "awsRegion": region,
        "availabilityZone": "Regional",
        "resourceType": "AWS::S3::Bucket",
        "tags": {},
        "relationships": [],
        "configuration": {"name": bucket},
    }
    invoking = {
        "configurationItem": item,
        "messageType": "ConfigurationItemChangeNotification",
        "notificationCreationTime": TIME_MS,
        "recordVersion": "1.3",
    }
    return _config(rule, invoking, region, account)


def config_scheduled(
    rule: str = "sample-rule", region: str = REGION, account: str = ACCOUNT
) -> Document:
    """A rule of AWS Config evaluates at regular times."""
    invoking = {
        "awsAccountId": account,
        "notificationCreationTime": TIME_MS,
        "messageType": "ScheduledNotification",
        "recordVersion": "1.0",
    }
    return _config(rule, invoking, region, account)


def _config(rule: str, invoking: Document, region: str, account: str) -> Document:
    return {
        "version": "1.0",
        "invokingEvent": orjson.dumps(invoking).decode(),
        "ruleParameters": '{"size":"small"}',
        "resultToken": "U2FtcGxlUmVzdWx0VG9rZW4=",
        "eventLeftScope": False,
        "executionRoleArn": f"arn:aws:iam::{account}:role/config-role",
        "configRuleArn": f"arn:aws:config:{region}:{account}:config-rule/config-rule-0a1b2c",
        "configRuleName": rule,
        "configRuleId": "config-rule-0a1b2c",
        "accountId": account,
    }


def secretsmanager_rotate(
    step: str = "createSecret",
    secret: str = "sample-secret",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A step of a secret's rotation: createSecret, setSecret, testSecret or finishSecret."""
    return {
        "Step": step,
        "SecretId": f"arn:aws:secretsmanager:{region}:{account}:secret:{secret}-a1b2c3",
        "ClientRequestToken": "550e8400-e29b-41d4-a716-446655440000",
    }


def stepfunctions_task(payload: Json = '{"order": "17"}') -> Document:
    """A task of a state machine: the event is the state's input."""
    document: Document = orjson.loads(payload)
    return document


def stepfunctions_callback(
    payload: Json = '{"order": "17"}', token: str = "U2FtcGxlVGFza1Rva2Vu"
) -> Document:
    """A task that waits for its token, as AWS's examples hand it on."""
    return {"input": orjson.loads(payload), "token": token}
