"""Lambda@Edge events out of messages, and messages out of what functions returned.

The shapes are AWS's to the letter, the order of the keys included. The messages handed to a
``decode_…`` function are handed out again where the function changed nothing, so an unchanged
result costs little more than reading it.
"""

import base64
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from edgeproxy.distribution.model import EventType, Origin
from edgeproxy.events.lambda_edge_headers import header_map, json_type, shown
from edgeproxy.events.lambda_edge_judgement import (
    Changed,
    Continue,
    Generated,
    Invalid,
    InvalidKind,
    Refused,
)
from edgeproxy.events.lambda_edge_origin import origin_object
from edgeproxy.events.lambda_edge_request import judge_request
from edgeproxy.events.lambda_edge_response import (
    judge_generated,
    judge_origin_response,
    judge_viewer_response,
    status_description,
)
from edgeproxy.exchange.model import Finding
from edgeproxy.http.messages import Request, Response

__all__ = [
    "Changed",
    "Continue",
    "EventBody",
    "EventContext",
    "Generated",
    "Invalid",
    "InvalidKind",
    "decode_request_result",
    "decode_response_result",
    "encode_event",
]


@dataclass(frozen=True, slots=True)
class EventContext:
    """The read-only ``config`` of an event (LE-EVT-02)."""

    distribution_domain_name: str
    """The ``….cloudfront.net`` name, whatever name the viewer used (LE-EVT-05)."""
    distribution_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class EventBody:
    """What a request function with IncludeBody sees of the body (LE-BODY-01, LE-BODY-05)."""

    data: bytes
    truncated: bool = False


def encode_event(
    event_type: EventType,
    context: EventContext,
    request: Request,
    *,
    response: Response | None = None,
    origin: Origin | None = None,
    body: EventBody | None = None,
) -> bytes:
    """The event as JSON text: ``origin`` in origin events, ``response`` in response events."""
    message: dict[str, Any] = {
        "clientIp": request.viewer.ip,
        "method": request.method,
        "uri": shown(request.path),
        "querystring": shown(request.query or ""),
        "headers": header_map(request.headers),
    }
    if body is not None:
        message["body"] = {
            "inputTruncated": body.truncated,
            "action": "read-only",
            "encoding": "base64",
            "data": base64.b64encode(body.data).decode("ascii"),
        }
    if origin is not None:
        message["origin"] = origin_object(origin, request.viewer.scheme)
    cf: dict[str, Any] = {
        "config": {
            "distributionDomainName": context.distribution_domain_name,
            "distributionId": context.distribution_id,
            "eventType": event_type.value,
            "requestId": context.request_id,
        },
        "request": message,
    }
    if response is not None:
        cf["response"] = {
            "status": str(response.status),
            "statusDescription": status_description(response),
            "headers": header_map(response.headers),
        }
    return orjson.dumps({"Records": [{"cf": cf}]})


def decode_request_result(
    event_type: EventType,
    payload: bytes,
    *,
    request: Request,
    origin: Origin | None = None,
    body: EventBody | None = None,
    strict: bool = True,
) -> Continue | Generated | Invalid:
    """What follows from the result of a viewer-request or origin-request function.

    ``request``, ``origin`` and ``body`` are what the event was made of. Lenient is the second
    reading of LE-RET-08 and LE-URI-10.
    """
    notes: list[Finding] = []
    try:
        result = _object(payload)
        if "status" in result:  # LE-RET-02
            return judge_generated(event_type, result, notes)
        if "uri" not in result or "headers" not in result:
            rule = "LE-RET-09" if "uri" in result or "headers" in result else "LE-RET-07"
            _refuse_shape(result, rule, "neither a request with 'uri' and 'headers' nor a response")
        exposed = None if body is None else body.data
        return judge_request(event_type, result, request, origin, exposed, notes, strict=strict)
    except Refused as refused:
        return Invalid(refused.kind, (*notes, refused.finding))


def decode_response_result(
    event_type: EventType, payload: bytes, *, response: Response
) -> Changed | Invalid:
    """What follows from the result of an origin-response or viewer-response function.

    ``response`` is what the event was made of. What a function does to the request in its event
    has no effect (LE-URI-05).
    """
    notes: list[Finding] = []
    try:
        result = _object(payload)
        if "status" not in result:  # LE-RET-03
            rule = "LE-RET-03" if "uri" in result else "LE-RET-07"
            _refuse_shape(result, rule, "no response, which would have a 'status'")
        if event_type is EventType.ORIGIN_RESPONSE:
            return judge_origin_response(result, response, notes)
        return judge_viewer_response(result, response, notes)
    except Refused as refused:
        return Invalid(refused.kind, (*notes, refused.finding))


def _object(payload: bytes) -> dict[str, Any]:
    try:
        result = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Refused(
            InvalidKind.JSON,
            "LE-RET-07",
            f"the result is not valid JSON: {error}",
            "return plain objects, arrays, strings, numbers and booleans, and neither NaN nor "
            "Infinity",
        ) from error
    if not isinstance(result, dict):
        raise Refused(
            InvalidKind.JSON,
            "LE-RET-05",
            f"the result must be a JSON object, not {json_type(result)}",
            "return the request or the response on every path of the function; in Node.js the "
            "function has to be async, or to hand it to its callback",
        )
    return result


def _refuse_shape(result: dict[str, Any], rule: str, what: str) -> NoReturn:
    """Refuse an object that is neither of what may be returned, with the likeliest reason."""
    remedy = "return Records[0].cf.request or .response of the event, or a response of your own"
    if "Records" in result:
        rule = "LE-RET-06"
    elif "statusCode" in result:
        remedy = "'statusCode' belongs to API Gateway; the field is called 'status' here"
    found = ", ".join(map(repr, result)) or "no field at all"
    raise Refused(InvalidKind.SHAPE, rule, f"the result is {what}; it has {found}", remedy)
