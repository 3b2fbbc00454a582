"""The sample events, judged by the types that functions in TypeScript are written against."""

import subprocess
from pathlib import Path

import orjson
import pytest

from edgeproxy.events.samples import find_sample
from tests.journeys.thirdparty.packages import node_modules

HERE = Path(__file__).parent / "event-types"
TYPES = {
    "alb request": "aws.ALBEvent",
    "apigateway authorizer-token": "aws.APIGatewayTokenAuthorizerEvent",
    "apigateway http": "aws.APIGatewayProxyEventV2",
    "apigateway http-authorizer": "aws.APIGatewayRequestAuthorizerEventV2",
    "cloudformation create": "aws.CloudFormationCustomResourceCreateEvent",
    "cloudformation update": "aws.CloudFormationCustomResourceUpdateEvent",
    "cloudformation delete": "aws.CloudFormationCustomResourceDeleteEvent",
    "cloudwatch alarm": "aws.CloudWatchAlarmEvent",
    "cloudwatch logs": "aws.CloudWatchLogsEvent",
    "codecommit push": "aws.CodeCommitTriggerEvent",
    "codepipeline job": "aws.CodePipelineEvent",
    "cognito pre-sign-up": "aws.PreSignUpTriggerEvent",
    "cognito post-confirmation": "aws.PostConfirmationTriggerEvent",
    "cognito pre-authentication": "aws.PreAuthenticationTriggerEvent",
    "cognito post-authentication": "aws.PostAuthenticationTriggerEvent",
    "cognito pre-token-generation": "aws.PreTokenGenerationTriggerEvent",
    "cognito custom-message": "aws.CustomMessageTriggerEvent",
    "cognito migrate-user": "aws.UserMigrationTriggerEvent",
    "cognito define-auth-challenge": "aws.DefineAuthChallengeTriggerEvent",
    "cognito create-auth-challenge": "aws.CreateAuthChallengeTriggerEvent",
    "cognito verify-auth-challenge": "aws.VerifyAuthChallengeResponseTriggerEvent",
    "connect flow": "aws.ConnectContactFlowEvent",
    "dynamodb insert": "aws.DynamoDBStreamEvent",
    "dynamodb modify": "aws.DynamoDBStreamEvent",
    "dynamodb remove": "aws.DynamoDBStreamEvent",
    "eventbridge scheduled": "aws.ScheduledEvent",
    "firehose transform": "aws.FirehoseTransformationEvent",
    "function-url request": "aws.LambdaFunctionURLEvent",
    "iot authorizer": "aws.IoTCustomAuthorizerEvent",
    "kafka msk": "aws.MSKEvent",
    "kafka self-managed": "aws.SelfManagedKafkaEvent",
    "kinesis records": "aws.KinesisStreamEvent",
    "lex dialog": "aws.LexV2Event",
    "lex fulfillment": "aws.LexV2Event",
    "s3 put": "aws.S3Event",
    "secretsmanager rotate": "aws.SecretsManagerRotationEvent",
    "ses receive": "aws.SESEvent",
    "sns notification": "aws.SNSEvent",
    "sqs receive": "aws.SQSEvent",
    "sqs receive-fifo": "aws.SQSEvent",
    "alexa intent": "alexa.RequestEnvelope",
    "alexa launch": "alexa.RequestEnvelope",
    "alexa session-ended": "alexa.RequestEnvelope",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the compiler says of each event; each stands on two lines of its own file."""
    folder = tmp_path_factory.mktemp("types")
    packages = node_modules(HERE)
    (folder / "node_modules").symlink_to(packages)
    for name, type_name in TYPES.items():
        event = orjson.dumps(find_sample(*name.split()).event({})).decode()
        if name.startswith("cognito "):
            # Their responses are empty until the function fills them; the types are of full ones.
            type_name = f'Omit<{type_name}, "response"> & {{response: object}}'
        Path(folder, f"{name.replace(' ', '_')}.ts").write_text(
            'import type * as aws from "aws-lambda";\nimport type * as alexa from "ask-sdk-model";'
            f"\nexport const event: {type_name} = {event};\n"
        )
    tsc = [
        str(packages / ".bin/tsc"),
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--pretty",
        "false",
    ]
    sources = sorted(each.name for each in folder.glob("*.ts"))
    done = subprocess.run(
        [*tsc, *sources], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    said: dict[str, list[str]] = {name: [] for name in TYPES}
    for line in done.stdout.splitlines():
        file = line.partition(".ts(")[0]
        if file.replace("_", " ") in said:
            said[file.replace("_", " ")].append(line)
    assert done.returncode == 0 or any(said.values()), done.stdout + done.stderr
    return said


@pytest.mark.parametrize("name", TYPES)
def test_a_sample_has_its_type(name: str, complaints: dict[str, list[str]]) -> None:
    assert complaints[name] == []
