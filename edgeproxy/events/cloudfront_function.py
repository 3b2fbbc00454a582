"""Messages to and from the event object of CloudFront Functions (CFF-EVT to CFF-RES).

Pure: :func:`viewer_event` builds what a function sees, :func:`decode_result` judges what it returns
and applies it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgeproxy.distribution.model import EventType
from edgeproxy.events.cloudfront_fields import Refused, shown_request, shown_response
from edgeproxy.events.cloudfront_result import Decoder
from edgeproxy.events.restrictions import is_disallowed, is_not_addable_to_origin
from edgeproxy.exchange.model import Finding
from edgeproxy.http.messages import Request, Response

__all__ = [
    "Changed",
    "Continue",
    "Decoded",
    "Generated",
    "Invalid",
    "check_origin_headers",
    "decode_result",
    "viewer_event",
]


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with this request. Of the generated headers it holds only those that were changed."""

    request: Request
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """Answer the viewer with this; no cache, no origin (CFF-RES-08)."""

    response: Response
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """Send this instead. With a new body the old one is still open: its owner closes it."""

    response: Response
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Invalid:
    """The result cannot be used: HTTP 502, ``FunctionValidationError`` (CFF-ERR-02)."""

    findings: tuple[Finding, ...]


Decoded: TypeAlias = Continue | Generated | Changed | Invalid


def viewer_event(
    event_type: EventType,
    *,
    distribution_domain_name: str,
    distribution_id: str,
    request_id: str,
    request: Request,
    response: Response | None = None,
    generated: Mapping[str, str] | None = None,
    is_tenant: bool = False,
) -> dict[str, Any]:
    """The event object. ``response`` is needed for viewer-response only (CFF-EVT-05).

    For a tenant the domain name is its connection group's endpoint (CFF-EVT-03). ``generated`` are
    the CloudFront-* headers that the behavior's policies ask for; they replace what the viewer sent
    under these names (CFF-EVT-16).
    """
    event: dict[str, Any] = {
        "version": "1.0",
        "context": {
            "endpoint" if is_tenant else "distributionDomainName": distribution_domain_name,
            "distributionId": distribution_id,
            "eventType": event_type.value,
            "requestId": request_id,
        },
        "viewer": {"ip": request.viewer.ip},
        "request": shown_request(request, generated or {}),
    }
    if response is not None:
        event["response"] = shown_response(response)
    return event


def decode_result(
    event_type: EventType,
    result: object,
    *,
    request: Request,
    response: Response | None = None,
    generated: Mapping[str, str] | None = None,
    event: Mapping[str, Any] | None = None,
    strict: bool = True,
) -> Decoded:
    """What becomes of ``result``, the value that the handler of that event returned.

    The other arguments are those that :func:`viewer_event` got, and ``event`` is what it made of
    them; who does not have it any more leaves it out. Without ``strict``, rules that AWS
    leaves open are read kindly and leave a finding: CFF-RET-08, CFF-RET-09, CFF-HDR-08, LE-URI-10.
    """
    findings: list[Finding] = []
    decoder = Decoder(findings, strict)
    try:
        fields = _checked_shape(event_type, result)
        if event_type is EventType.VIEWER_RESPONSE:
            if response is None:
                raise ValueError("a viewer-response result needs the response")
            sent = event["response"] if event else shown_response(response)
            return Changed(decoder.changed(fields, sent, response), tuple(findings))
        if "statusCode" in fields:
            return Generated(decoder.generated(fields), tuple(findings))
        generated = generated or {}
        sent = event["request"] if event else shown_request(request, generated)
        return Continue(decoder.request(fields, sent, request, generated), tuple(findings))
    except Refused as refused:
        return Invalid((refused.finding, *findings))


def check_origin_headers(custom_headers: Mapping[str, str], request: Request) -> list[Finding]:
    """What is wrong with the ``customHeaders`` of an origin change (CFF-ORG-07).

    ``request`` is the one the function returned; any finding makes its result invalid.
    """
    findings = []
    for name in custom_headers:
        if is_disallowed(name) or is_not_addable_to_origin(name):
            why = "CloudFront does not let origin requests have a custom header of this name"
        elif name in request.headers:
            why = "the request has a header of this name"
        else:
            continue
        message = f'The origin rewrite is invalid: customHeaders["{name}"]: {why}.'
        findings.append(Finding("CFF-ORG-07", message, "Use another name."))
    return findings


def _checked_shape(event_type: EventType, result: object) -> dict[str, Any]:
    returned = "the response" if event_type is EventType.VIEWER_RESPONSE else "the request"
    if not isinstance(result, dict):
        kind = {type(None): "nothing", list: "an array", str: "a string"}.get(type(result))
        raise Refused(
            "CFF-RET-06",
            f"The function returned an invalid value: {kind or 'no object'}.",
            f"Return {returned} object.",
        )
    if not result.keys().isdisjoint(("context", "request", "response")):
        raise Refused(
            "CFF-RET-04",
            "The function returned an invalid value: the whole event.",
            f"Return {returned} object, for example event.{returned.removeprefix('the ')}.",
        )
    if event_type is EventType.VIEWER_RESPONSE and "statusCode" not in result:
        raise Refused(
            "CFF-RET-03",
            "The function returned an invalid value: response.statusCode is missing.",
            "A viewer-response function returns event.response.",
        )
    return result
