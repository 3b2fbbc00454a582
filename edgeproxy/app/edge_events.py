"""Events for ``edgeproxy invoke``: sample ones, and what CloudFront would say of a result.

A test of a function alone judges nothing (LE-ERR-15); that a result would not pass at the edge is
said beside it.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from edgeproxy.app.samples import first_origin, sample_request, sample_response
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import (
    Behavior,
    CustomOrigin,
    Distribution,
    EdgeFunctionKind,
    EventType,
    Origin,
    S3Origin,
)
from edgeproxy.edge.outcomes import generated_headers
from edgeproxy.edge.signature import Identity
from edgeproxy.events import cloudfront_function, lambda_edge
from edgeproxy.exchange.model import Finding
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.origins import forwarding

__all__ = [
    "Trigger",
    "find_trigger",
    "judge_cloudfront_result",
    "judge_result",
    "sample_connection",
    "sample_event",
]

_RESPONSES: Final = (EventType.ORIGIN_RESPONSE, EventType.VIEWER_RESPONSE)
_ORIGIN_EVENTS: Final = (EventType.ORIGIN_REQUEST, EventType.ORIGIN_RESPONSE)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Where and when a function runs."""

    distribution: Distribution
    behavior: Behavior
    event_type: EventType


def find_trigger(
    distributions: Iterable[Distribution],
    kind: EdgeFunctionKind,
    function: str,
    event_type: EventType | None,
) -> Trigger | None:
    """The first association of the function, with ``event_type`` the first one on that event."""
    for distribution in distributions:
        for behavior in distribution.all_behaviors:
            for each in behavior.functions:
                is_it = (each.kind, each.function) == (kind, function)
                if is_it and event_type in (None, each.event_type):
                    return Trigger(distribution, behavior, each.event_type)
    return None


def sample_event(trigger: Trigger, kind: EdgeFunctionKind, clock: Clock, chance: Chance) -> bytes:
    """An event as JSON text, made of what the behavior's settings tell."""
    distribution, behavior = trigger.distribution, trigger.behavior
    event_type = trigger.event_type
    request, request_id = sample_request(distribution, behavior), chance.request_id()
    origin, generated = first_origin(distribution, behavior), generated_headers(behavior, request)
    response = None
    if event_type in _RESPONSES:
        response = sample_response(origin, request.path, clock.now())
    if kind is EdgeFunctionKind.CLOUDFRONT:
        event = cloudfront_function.viewer_event(
            event_type,
            distribution_domain_name=distribution.domain_name,
            distribution_id=distribution.id_in_events,
            is_tenant=distribution.tenant is not None,
            request_id=request_id,
            request=request,
            response=response,
            generated=generated,
        )
        return orjson.dumps(event)
    if event_type in _ORIGIN_EVENTS:
        request = forwarding.origin_request(
            request,
            behavior,
            origin,
            generated=generated,
            request_id=request_id,
            via=Identity().via(request.version),
        )
    association = behavior.function_for(event_type)
    body = None
    if association is not None and association.include_body:
        body = lambda_edge.EventBody(request.body.preview)
    return lambda_edge.encode_event(
        event_type,
        lambda_edge.EventContext(distribution.domain_name, distribution.id_in_events, request_id),
        request,
        response=response,
        origin=origin if event_type in _ORIGIN_EVENTS else None,
        body=body,
    )


def sample_connection() -> dict[str, object]:
    """The event of a connection function, for a viewer with a certificate (CFF-CONN-03)."""
    leaf = {
        "serialNumber": "4a:3f:5c:92:d1:e8:7b:6c",
        "issuer": "O=Example, CN=Example CA",
        "subject": "O=Example, CN=client.example.com",
        "validity": {"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2027-01-01T00:00:00Z"},
        "sha256Fingerprint": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "san": "DNS:client.example.com",
        "sanHex": "30148212636c69656e742e6578616d706c652e636f6d",
        "spki": "",
        "ocspEndpoint": "",
    }
    return {
        "clientIp": "198.51.100.11",
        "endpoint": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "connectionId": "NpvTe1925xfj24a67sPQr7ae42BIq03FGhJJKfrQYWZcWZFp96SIIg==",
        "clientCertificate": {"certificates": {"leaf": leaf, "intermediates": []}},
    }


def judge_result(event: object, payload: bytes) -> tuple[tuple[Finding, ...], bool]:
    """What CloudFront would say of a Lambda@Edge function's result, and whether it refuses it.

    Nothing, for an event that is not one of Lambda@Edge.
    """
    match event:
        case {
            "Records": [
                {
                    "cf": {
                        "config": {"eventType": str(name)},
                        "request": {"method": str(), "uri": str(), "headers": dict()} as asked,
                    } as cf
                }
            ]
        } if name in list(EventType):
            pass
        case _:
            return (), False
    event_type = EventType(name)
    judged: object
    if event_type in _RESPONSES:
        match cf.get("response"):
            case {"status": str(status), "headers": dict(headers)} if status.isdecimal():
                response = Response(int(status), _headers(headers))
            case _:
                return (), False
        judged = lambda_edge.decode_response_result(event_type, payload, response=response)
    else:
        request = Request(
            asked["method"],
            asked["uri"],
            asked.get("querystring") or None,
            headers=_headers(asked["headers"]),
            viewer=Viewer(str(asked.get("clientIp", "")), scheme="https"),
        )
        judged = lambda_edge.decode_request_result(
            event_type,
            payload,
            request=request,
            origin=_origin(asked.get("origin")),
            body=_body(asked.get("body")),
        )
    findings: tuple[Finding, ...] = getattr(judged, "findings", ())
    return findings, isinstance(judged, lambda_edge.Invalid)


def judge_cloudfront_result(event: Any, result: object) -> tuple[tuple[Finding, ...], bool]:
    """The same of a CloudFront Function's result.

    Nothing, for an event that lacks a part: what was never there cannot have been changed.
    """
    match event:
        case {
            "context": {"eventType": ("viewer-request" | "viewer-response") as name},
            "request": {
                "method": str(method),
                "uri": str(uri),
                "querystring": dict(query),
                "headers": dict(headers),
                "cookies": dict(cookies),
            },
            **rest,
        } if _are_fields(query, headers, cookies):
            request, response = Request(method, uri), None
        case _:
            return (), False
    if name == EventType.VIEWER_RESPONSE:
        match rest.get("response"):
            case {
                "statusCode": int(status),
                "statusDescription": str(reason),
                "headers": dict(headers),
                "cookies": dict(cookies),
            } if _are_fields(headers, cookies):
                response = Response(status, reason=reason)
            case _:
                return (), False
    judged = cloudfront_function.decode_result(
        EventType(name), result, request=request, response=response, event=event
    )
    if isinstance(judged, cloudfront_function.Invalid):
        refusal, *noted = judged.findings
        return (*noted, refusal), True
    return judged.findings, False


def _are_fields(*parts: Mapping[str, object]) -> bool:
    return all(
        isinstance(field, dict) and isinstance(field.get("value"), str)
        for part in parts
        for field in part.values()
    )


def _headers(given: Mapping[str, Any]) -> Headers:
    return Headers(
        (str(entry.get("key", name)), str(entry.get("value", "")))
        for name, entries in given.items()
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    )


def _body(given: object) -> lambda_edge.EventBody | None:
    match given:
        case {"data": str(data), "inputTruncated": bool(truncated)}:
            try:
                return lambda_edge.EventBody(base64.b64decode(data), truncated)
            except ValueError:
                return None
        case _:
            return None


def _origin(given: object) -> Origin | None:
    """The origin that an event shows; fields that are not there have the usual values."""
    match given:
        case {"custom": {"domainName": str(name)} as fields}:
            scheme, usual = fields.get("protocol", "https"), CustomOrigin()
            port = _number(fields, "port", 443 if scheme == "https" else 80)
            protocols = fields.get("sslProtocols")
            config: CustomOrigin | S3Origin = CustomOrigin(
                f"{scheme}-only",
                http_port=port if scheme == "http" else 80,
                https_port=port if scheme == "https" else 443,
                ssl_protocols=tuple(protocols)
                if isinstance(protocols, list)
                else usual.ssl_protocols,
                read_timeout_s=_number(fields, "readTimeout", usual.read_timeout_s),
                keepalive_timeout_s=_number(fields, "keepaliveTimeout", usual.keepalive_timeout_s),
            )
        case {"s3": {"domainName": str(name)} as fields}:
            is_identity = fields.get("authMethod") == "origin-access-identity"
            config = S3Origin("sample" if is_identity else "", _number(fields, "readTimeout", 30))
        case _:
            return None
    headers = fields.get("customHeaders")
    custom = _headers(headers) if isinstance(headers, dict) else EMPTY_HEADERS
    return Origin("origin", name, config, str(fields.get("path", "")), custom)


def _number(fields: Mapping[str, Any], name: str, usual: float) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else int(usual)
