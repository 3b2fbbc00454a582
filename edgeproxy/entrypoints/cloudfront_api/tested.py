"""The event and the output of ``TestFunction``.

Only the event is looked at. What the function makes of it is not validated: header names, forbidden
headers and the like fail on a distribution, not in a test (CFF-TEST-04).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from edgeproxy.distribution.model import EventType
from edgeproxy.entrypoints.cloudfront_api.answers import invalid_argument
from edgeproxy.runtimes.cloudfront_js.outcome import Failed, Outcome

__all__ = ["MAX_EVENT_BYTES", "check_event", "output"]

MAX_EVENT_BYTES: Final = 40_960
"""CFF-LIM-07"""
_VIEWER_EVENTS: Final = (EventType.VIEWER_REQUEST, EventType.VIEWER_RESPONSE)


def check_event(event: bytes) -> EventType:
    """The event type of an event object, which may leave most of its context out (CFF-TEST-03)."""
    if len(event) > MAX_EVENT_BYTES:
        raise invalid_argument(
            f"The event object has {len(event)} bytes; the limit is {MAX_EVENT_BYTES}."
        )
    try:
        document = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise invalid_argument(f"The event object is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise invalid_argument("The event object is not a JSON object.")
    messages = [document[name] for name in ("request", "response") if name in document]
    if not messages:
        raise invalid_argument("The event object has neither request nor response.")
    for message in messages:
        headers = message.get("headers", {}) if isinstance(message, dict) else None
        if not isinstance(headers, dict):
            raise invalid_argument("The event object's messages and headers must be objects.")
        for name in headers:
            if name != name.lower():
                raise invalid_argument(f"The header name {name!r} must be lower case.")
    context = document.get("context")
    named = context.get("eventType") if isinstance(context, dict) else None
    if named is not None and named not in _VIEWER_EVENTS:
        raise invalid_argument(f"The event type {named!r} is none of {', '.join(_VIEWER_EVENTS)}.")
    if named is not None:
        return EventType(named)
    return EventType.VIEWER_RESPONSE if "response" in document else EventType.VIEWER_REQUEST


def output(outcome: Outcome, event_type: EventType) -> tuple[str, str]:
    """``FunctionOutput`` and ``FunctionErrorMessage``; one of them is empty.

    A generated response shows its cookies even if it has none (CFF-TEST-02). Origin changes are
    neither checked nor shown (CFF-ORG-22).
    """
    if isinstance(outcome, Failed) and outcome.result is None:
        place = outcome.location
        return "", f"{outcome.message} ({place})" if place else outcome.message
    result = outcome.result
    if not isinstance(result, dict):
        return "", "The function returned an invalid value: it is not an object."
    if event_type is EventType.VIEWER_REQUEST and "statusCode" in result:
        result = {"cookies": {}, **result}
    elif event_type is EventType.VIEWER_REQUEST:
        return _json({"request": result}), ""
    return _json({"response": result}), ""


def _json(document: Mapping[str, Any]) -> str:
    # JavaScript's strings may hold half a character, which only the standard library writes.
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
