"""What others are told of an asynchronous event that has ended, to the letter (LI-171, LI-191).

The event's own JSON and the function's stand in a record as they were, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import orjson

from edgeproxy.awslambda.event_store import QueuedEvent
from edgeproxy.awslambda.retries import Condition

__all__ = ["Message", "dead_letter", "record", "timestamp"]

_LONGEST_MESSAGE: Final = 1024
_REASONS: Final = {
    "400": "The function is in a loop of invocations.",
    "404": "Function not found.",
    "429": "Rate Exceeded.",
    "500": "The function could not be run.",
}
"""Why an event did not reach its function, by the status of such an answer."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a queue or a topic gets; attributes are pairs of type and value."""

    body: str
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def timestamp(now: float) -> str:
    """A time as records have it."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def record(event: QueuedEvent, function_arn: str, now: float) -> bytes:
    """The invocation record of an event that has ended; ``function_arn`` is qualified."""
    document: dict[str, object] = {
        "version": "1.0",
        "timestamp": timestamp(now),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": function_arn,
            "condition": event.condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": _as_it_was(event.payload),
    }
    if event.condition != Condition.ZERO_RESERVED_CONCURRENCY:  # LI-194
        if event.response_context:
            document["responseContext"] = _as_it_was(event.response_context)
        if event.response_payload:
            document["responsePayload"] = _as_it_was(event.response_payload)
    return orjson.dumps(document)


def dead_letter(event: QueuedEvent) -> Message:
    """The original event, with attributes that say what happened (LI-171 to LI-173)."""
    # UNSURE what stands there when the function never answered (LI-173): what a call would get.
    context = orjson.loads(event.response_context or b"{}")
    code = str(context.get("statusCode", 429))
    message = _REASONS.get(code) or _error_message(event.response_payload)
    cut = message.encode("utf-8", "replace")[:_LONGEST_MESSAGE].decode("utf-8", "ignore")
    attributes = {"RequestID": ("String", event.request_id), "ErrorCode": ("Number", code)}
    if cut:  # SQS and SNS take no attribute without a value.
        attributes["ErrorMessage"] = ("String", cut)
    return Message(event.payload.decode("utf-8", "replace"), attributes)


def _error_message(payload: bytes) -> str:
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""  # A custom runtime may answer with anything.
    return str(document.get("errorMessage") or "") if isinstance(document, dict) else ""


def _as_it_was(text: bytes) -> object:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode("utf-8", "replace")
    return orjson.Fragment(text)
