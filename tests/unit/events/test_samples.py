"""The sample events, judged by the models of Powertools for AWS Lambda."""

import pytest
from aws_lambda_powertools.utilities.parser import models
from pydantic import BaseModel

from edgeproxy.errors import UsageError
from edgeproxy.events.samples import SAMPLES, Sample, find_sample

MODELS: dict[str, type[BaseModel]] = {
    "alb request": models.AlbModel,
    "apigateway request": models.APIGatewayProxyEventModel,
    "apigateway authorizer-token": models.ApiGatewayAuthorizerToken,
    "apigateway authorizer-request": models.ApiGatewayAuthorizerRequest,
    "apigateway http": models.APIGatewayProxyEventV2Model,
    "apigateway http-authorizer": models.ApiGatewayAuthorizerRequestV2,
    "apigateway websocket-connect": models.APIGatewayWebSocketConnectEventModel,
    "apigateway websocket-message": models.APIGatewayWebSocketMessageEventModel,
    "appsync resolver": models.AppSyncResolverEventModel,
    "cloudformation create": models.CloudFormationCustomResourceCreateModel,
    "cloudformation update": models.CloudFormationCustomResourceUpdateModel,
    "cloudformation delete": models.CloudFormationCustomResourceDeleteModel,
    "cloudwatch logs": models.CloudWatchLogsModel,
    "dynamodb insert": models.DynamoDBStreamModel,
    "dynamodb modify": models.DynamoDBStreamModel,
    "dynamodb remove": models.DynamoDBStreamModel,
    "eventbridge event": models.EventBridgeModel,
    "eventbridge scheduled": models.EventBridgeModel,
    "firehose transform": models.KinesisFirehoseModel,
    "function-url request": models.LambdaFunctionUrlModel,
    "kafka msk": models.KafkaMskEventModel,
    "kafka self-managed": models.KafkaSelfManagedEventModel,
    "kinesis records": models.KinesisDataStreamModel,
    "s3 put": models.S3Model,
    "s3 delete": models.S3Model,
    "s3 eventbridge": models.S3EventNotificationEventBridgeModel,
    "s3 batch": models.S3BatchOperationModel,
    "s3 object-lambda": models.S3ObjectLambdaEvent,
    "ses receive": models.SesModel,
    "sns notification": models.SnsModel,
    "sqs receive": models.SqsModel,
    "sqs receive-fifo": models.SqsModel,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_sample_is_what_powertools_expects(name: str) -> None:
    MODELS[name].model_validate(find_sample(*name.split()).event({}))


@pytest.mark.parametrize(
    "sample", [sample for kinds in SAMPLES.values() for sample in kinds.values()]
)
def test_every_parameter_is_in_the_event(sample: Sample) -> None:
    """Another value gives another event, and every sample says what it is."""
    usual = sample.event({})
    for name, value in sample.parameters.items():
        other = '{"other": true}' if value.startswith("{") else f"{value}0"
        assert sample.event({name: other}) != usual, name
    assert sample.meaning.endswith(".")


def test_what_is_derived_from_a_parameter() -> None:
    models.SqsModel.model_validate(find_sample("sqs", "receive").event({"body": "grüße"}))
    (record,) = models.KinesisDataStreamModel.model_validate(
        find_sample("kinesis", "records").event({"data": "grüße"})
    ).Records
    assert record.kinesis.data == "grüße".encode()
    logs = models.CloudWatchLogsModel.model_validate(
        find_sample("cloudwatch", "logs").event({"message": "grüße"})
    )
    assert logs.awslogs.decoded_data.logEvents[0].message == "grüße"
    (sqs,) = find_sample("sqs", "receive").event({"body": "hello"})["Records"]
    assert sqs["md5OfBody"] == "5d41402abc4b2a76b9719d911017c592"
    (put,) = find_sample("s3", "put").event({"key": "a b/ü.txt"})["Records"]
    assert put["s3"]["object"]["key"] == "a+b/%C3%BC.txt"


@pytest.mark.parametrize(
    ("service", "kind", "chosen", "message"),
    [
        ("sqss", "receive", {}, "no service is called 'sqss'"),
        ("sqs", "recieve", {}, "sqs has no event 'recieve' (there is receive, receive-fifo)"),
        ("sqs", "receive", {"boddy": ""}, "no parameter 'boddy' (there is body, queue, "),
        ("eventbridge", "event", {"detail": "{"}, "parameter detail of eventbridge event is not"),
    ],
)
def test_what_cannot_be_made(service: str, kind: str, chosen: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as told:
        find_sample(service, kind).event(chosen)
    assert message in str(told.value)
