"""Reads how asynchronous invocations of a function end: configurations and dead-letter queues.

``AWS::Lambda::EventInvokeConfig`` is for a function and a qualifier; SAM's ``EventInvokeConfig`` is
for the alias that it publishes, if it does. SAM makes the queue or topic that is not named.
"""

from collections.abc import Iterator

from edgeproxy.awslambda.model import EventInvokeConfig, is_fifo, takes_dead_letters
from edgeproxy.awslambda.routing import LATEST
from edgeproxy.project.identifiers import Identity, parse_function_arn
from edgeproxy.project.loaders.catalogue import Catalogue, LambdaFunction
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.report import CheckFinding

__all__ = ["dead_letter_arn", "read_event_invoke_config", "read_serverless_event_invoke"]

_MADE_BY_SAM = {"SQS": ("sqs", "Queue"), "SNS": ("sns", "Topic")}
_TYPES = ("SQS", "SNS", "Lambda", "EventBridge", "S3Bucket")


def dead_letter_arn(properties: Section) -> str:
    """The target of ``DeadLetterConfig``, with SAM ``DeadLetterQueue``; empty for none (LI-170)."""
    config = properties.section("DeadLetterConfig|DeadLetterQueue")
    if config is None:
        return ""
    arn = config.text("TargetArn", "")
    kind = config.choice("Type", ("SQS", "SNS"), "").lower()
    service = _service(arn)
    if arn and (not takes_dead_letters(arn) or kind not in ("", service)):
        raise config.error(
            "TargetArn",
            f"{arn} is no target of a dead-letter queue",
            rule="LI-170",
            remedy="the ARN of a standard SQS queue or SNS topic, which is not FIFO",
        )
    config.finish()
    return arn


def read_event_invoke_config(resource: Resource, catalogue: Catalogue) -> None:
    """Add a configuration to its function (LI-155)."""
    properties = resource.properties
    function, arn = catalogue.lambda_function(properties, "FunctionName", need_code=False)
    qualifier = properties.text("Qualifier", arn.qualifier) or LATEST
    function.note_qualifier(
        properties,
        "Qualifier",
        qualifier,
        rule="LI-155",
        remedy="name a version, an alias or $LATEST",
    )
    function.event_invoke[qualifier] = _config(properties, function, catalogue)
    properties.finish()


def read_serverless_event_invoke(
    resource: Resource, template: Template, catalogue: Catalogue
) -> None:
    """The same for ``EventInvokeConfig`` of a SAM function."""
    config = resource.properties.section("EventInvokeConfig")
    if config is None:
        return
    function = catalogue.lambda_functions[template.physical_name(resource.logical_id)]
    qualifier = resource.properties.text("AutoPublishAlias", "") or LATEST
    identity = template.identity_of(resource.logical_id)
    function.event_invoke[qualifier] = _config(
        config, function, catalogue, f"{resource.logical_id}EventInvokeConfig", identity
    )
    config.finish()


def _config(
    config: Section,
    function: LambdaFunction,
    catalogue: Catalogue,
    made: str = "",
    identity: Identity | None = None,
) -> EventInvokeConfig:
    """``made`` begins the names of what SAM makes."""
    arns = {"OnSuccess": "", "OnFailure": ""}
    if (destinations := config.section("DestinationConfig")) is not None:
        for name in arns:
            if (destination := destinations.section(name)) is not None:
                arns[name] = _destination(destination, f"{made}{name}", identity)
                destination.found(_refused(destination, name, arns[name], function, catalogue))
                destination.finish()
        destinations.finish()
    return EventInvokeConfig(
        _between(config, "MaximumRetryAttempts", 0, 2, EventInvokeConfig().retries, "LI-151"),
        _between(
            config, "MaximumEventAgeInSeconds", 60, 21_600, EventInvokeConfig().max_age_s, "LI-153"
        ),
        arns["OnSuccess"],
        arns["OnFailure"],
    )


def _destination(destination: Section, made: str, identity: Identity | None) -> str:
    if identity is None:
        return destination.text("Destination", "")
    kind = destination.choice("Type", _TYPES)
    arn = destination.text("Destination", "")
    if not arn and kind in _MADE_BY_SAM:
        service, suffix = _MADE_BY_SAM[kind]
        return identity.arn(service, f"{made}{suffix}")
    if not arn:
        raise destination.error(
            "Destination",
            f"a destination of the type {kind} has to be named",
            rule="LI-190",
            remedy="give its ARN; only queues and topics are made by SAM",
        )
    return arn


def _between(config: Section, name: str, least: int, most: int, default: int, rule: str) -> int:
    value = config.integer(name, default)
    if not least <= value <= most:
        raise config.error(name, f"{value} is out of range", rule=rule, remedy=f"{least} to {most}")
    return value


def _service(arn: str) -> str:
    parts = arn.split(":")
    return parts[2] if len(parts) > 5 else ""


def _refused(
    destination: Section, name: str, arn: str, function: LambdaFunction, catalogue: Catalogue
) -> Iterator[CheckFinding]:
    """What AWS does not take as a destination (LI-190, LI-198)."""
    place = destination.place("Destination")
    service = _service(arn)
    if service == "lambda":
        target = parse_function_arn(arn)
        if target is not None and target.name == function.definition.name:
            message = "You can't specify the function as a destination for itself."
            yield CheckFinding("LI-198", place, message, "name another function")
        elif target is None or target.name not in catalogue.lambda_functions:
            message = f"The destination ARN {arn} is invalid."
            yield CheckFinding("LI-198", place, message, "name a function of this definition")
    elif is_fifo(arn):
        message = f"{arn} is FIFO, and destinations are standard queues and topics"
        yield CheckFinding("LI-190", place, message, "name one that is not FIFO")
    elif service == "s3" and name == "OnSuccess":
        message = "an S3 bucket is told of failures only"
        yield CheckFinding("LI-190", place, message, "name a queue, a topic, a bus or a function")
    elif arn and service not in ("sqs", "sns", "events", "s3"):
        message = f"{arn} is no destination of an asynchronous invocation"
        remedy = "a function, an SQS queue, an SNS topic, an event bus or an S3 bucket"
        yield CheckFinding("LI-190", place, message, remedy)
