"""Sample events of the services that invoke functions, by service and kind.

The documents are AWS's in form and made up in content. Each is made by a function whose arguments
are the parameters that a user may choose, whose defaults are their values otherwise, and whose
docstring says when the service sends it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, get_type_hints

import orjson

from edgeproxy.errors import UsageError
from edgeproxy.events.samples import (
    conversations,
    identity,
    operations,
    queues,
    storage,
    streams,
    web,
)
from edgeproxy.events.samples.facts import Document, Json

__all__ = ["SAMPLES", "Sample", "find_sample", "kinds_of"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One kind of event of a service."""

    service: str
    kind: str
    make: Callable[..., Document]

    @property
    def meaning(self) -> str:
        """When the service sends it: a sentence."""
        return " ".join((self.make.__doc__ or "").split())

    @property
    def parameters(self) -> dict[str, str]:
        """What may be chosen, each with the value that it has otherwise."""
        signature = inspect.signature(self.make)
        return {each.name: each.default for each in signature.parameters.values()}

    def event(self, chosen: Mapping[str, str]) -> Document:
        """The document; UsageError for a parameter that it lacks, or whose value is not JSON."""
        hints = get_type_hints(self.make, include_extras=True)
        for name, value in chosen.items():
            if name not in self.parameters:
                raise UsageError(
                    f"{self.service} {self.kind} has no parameter {name!r}",
                    remedy=_choice(self.parameters),
                )
            if hints[name] == Json:
                try:
                    orjson.loads(value)
                except orjson.JSONDecodeError as error:
                    raise UsageError(
                        f"the parameter {name} of {self.service} {self.kind} is not JSON: {error}",
                        remedy=f"for instance {name}={self.parameters[name]}",
                    ) from error
        return self.make(**chosen)


def find_sample(service: str, kind: str) -> Sample:
    """The sample of that name; UsageError says which there are."""
    kinds = kinds_of(service)
    if kind not in kinds:
        raise UsageError(f"{service} has no event {kind!r}", remedy=_choice(kinds))
    return kinds[kind]


def kinds_of(service: str) -> Mapping[str, Sample]:
    """A service's samples by kind; UsageError says which services there are."""
    if service not in SAMPLES:
        raise UsageError(f"no service is called {service!r}", remedy=_choice(SAMPLES))
    return SAMPLES[service]


def _choice(names: Mapping[str, object]) -> str:
    return f"there is {', '.join(names)}"


_MAKERS: Final[dict[str, dict[str, Callable[..., Document]]]] = {
    "alb": {"request": web.alb_request},
    "alexa": {
        "intent": conversations.alexa_intent,
        "launch": conversations.alexa_launch,
        "session-ended": conversations.alexa_session_ended,
    },
    "apigateway": {
        "request": web.apigateway_request,
        "authorizer-token": web.apigateway_authorizer_token,
        "authorizer-request": web.apigateway_authorizer_request,
        "http": web.apigateway_http,
        "http-authorizer": web.apigateway_http_authorizer,
        "websocket-connect": web.apigateway_websocket_connect,
        "websocket-message": web.apigateway_websocket_message,
    },
    "appsync": {"resolver": web.appsync_resolver},
    "cloudformation": {
        "create": operations.cloudformation_create,
        "update": operations.cloudformation_update,
        "delete": operations.cloudformation_delete,
    },
    "cloudwatch": {
        "alarm": operations.cloudwatch_alarm,
        "logs": operations.cloudwatch_logs,
    },
    "codecommit": {"push": operations.codecommit_push},
    "codepipeline": {"job": operations.codepipeline_job},
    "cognito": {
        "pre-sign-up": identity.cognito_pre_sign_up,
        "post-confirmation": identity.cognito_post_confirmation,
        "pre-authentication": identity.cognito_pre_authentication,
        "post-authentication": identity.cognito_post_authentication,
        "pre-token-generation": identity.cognito_pre_token_generation,
        "custom-message": identity.cognito_custom_message,
        "migrate-user": identity.cognito_migrate_user,
        "define-auth-challenge": identity.cognito_define_auth_challenge,
        "create-auth-challenge": identity.cognito_create_auth_challenge,
        "verify-auth-challenge": identity.cognito_verify_auth_challenge,
    },
    "config": {"change": operations.config_change, "scheduled": operations.config_scheduled},
    "connect": {"flow": conversations.connect_flow},
    "dynamodb": {
        "insert": streams.dynamodb_insert,
        "modify": streams.dynamodb_modify,
        "remove": streams.dynamodb_remove,
    },
    "eventbridge": {
        "event": operations.eventbridge_event,
        "scheduled": operations.eventbridge_scheduled,
    },
    "firehose": {"transform": streams.firehose_transform},
    "function-url": {"request": web.function_url_request},
    "iot": {"rule": conversations.iot_rule, "authorizer": conversations.iot_authorizer},
    "kafka": {"msk": streams.kafka_msk, "self-managed": streams.kafka_self_managed},
    "kinesis": {"records": streams.kinesis_records},
    "lex": {
        "dialog": conversations.lex_dialog,
        "fulfillment": conversations.lex_fulfillment,
    },
    "mq": {"activemq": queues.mq_activemq, "rabbitmq": queues.mq_rabbitmq},
    "s3": {
        "put": storage.s3_put,
        "delete": storage.s3_delete,
        "eventbridge": storage.s3_eventbridge,
        "batch": storage.s3_batch,
        "object-lambda": storage.s3_object_lambda,
    },
    "secretsmanager": {"rotate": operations.secretsmanager_rotate},
    "ses": {"receive": queues.ses_receive},
    "sns": {"notification": queues.sns_notification},
    "sqs": {"receive": queues.sqs_receive, "receive-fifo": queues.sqs_receive_fifo},
    "stepfunctions": {
        "task": operations.stepfunctions_task,
        "callback": operations.stepfunctions_callback,
    },
}

SAMPLES: Final = {
    service: {kind: Sample(service, kind, make) for kind, make in kinds.items()}
    for service, kinds in _MAKERS.items()
}
"""Every sample, by service and kind."""
