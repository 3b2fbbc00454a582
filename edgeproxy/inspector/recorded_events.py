"""The event that an edge function would get for a recorded request."""

import orjson

from edgeproxy.chance import Chance
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Behavior, Distribution, EdgeFunctionKind, EventType
from edgeproxy.edge.explain import first_origin
from edgeproxy.edge.outcomes import generated_headers
from edgeproxy.edge.signature import Identity
from edgeproxy.errors import UsageError
from edgeproxy.events import cloudfront_function, lambda_edge
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins import forwarding

__all__ = ["recorded_event"]

_ORIGIN_EVENTS = (EventType.ORIGIN_REQUEST, EventType.ORIGIN_RESPONSE)
_RESPONSES = (EventType.ORIGIN_RESPONSE, EventType.VIEWER_RESPONSE)


def recorded_event(
    distribution: Distribution, exchange: Exchange, event_type: EventType, kind: EdgeFunctionKind
) -> bytes:
    """The event as JSON text, of the messages as they were at that event.

    Where no function ran then, the messages are those that one would have seen; where the origin
    was not asked, its answer is the viewer's. Of a body it has the part that is kept. Raises
    :class:`UsageError` for a request that has no answer yet to be shown.
    """
    behavior = _behavior(distribution, exchange)
    request = _request(distribution, behavior, exchange, event_type)
    response = None
    if event_type in _RESPONSES:
        response = _response(exchange, event_type)
    if kind is EdgeFunctionKind.CLOUDFRONT:
        event = cloudfront_function.viewer_event(
            event_type,
            distribution_domain_name=distribution.domain_name,
            distribution_id=distribution.id_in_events,
            is_tenant=distribution.tenant is not None,
            request_id=exchange.id,
            request=request,
            response=response,
            generated=generated_headers(behavior, request),
        )
        return orjson.dumps(event)
    association = behavior.function_for(event_type)
    body = None
    if association is not None and association.include_body:
        seen, size = request.body.preview, request.body.length
        passed = request.body.passed if size is None else size
        body = lambda_edge.EventBody(seen, truncated=len(seen) < passed)
    origin = distribution.origins.get(exchange.origin_id) or first_origin(distribution, behavior)
    return lambda_edge.encode_event(
        event_type,
        lambda_edge.EventContext(distribution.domain_name, distribution.id_in_events, exchange.id),
        request,
        response=response,
        origin=origin if event_type in _ORIGIN_EVENTS else None,
        body=body,
    )


def _behavior(distribution: Distribution, exchange: Exchange) -> Behavior:
    for behavior in distribution.all_behaviors:
        if behavior.path_pattern == exchange.path_pattern:
            return behavior
    return match_behavior(distribution, exchange.request.path)


def _request(
    distribution: Distribution, behavior: Behavior, exchange: Exchange, event_type: EventType
) -> Request:
    seen = {step.name: step.before for step in reversed(exchange.steps)}
    match event_type:
        case EventType.VIEWER_REQUEST:
            return exchange.request
        case EventType.VIEWER_RESPONSE:
            return _past_viewer_request(exchange)
        case EventType.ORIGIN_REQUEST | EventType.ORIGIN_RESPONSE:
            names = ("origin-request", "origin")
            for name in names if event_type is EventType.ORIGIN_REQUEST else reversed(names):
                if isinstance(found := seen.get(name), Request):
                    return found
            asked = seen.get("cache")
            request = asked if isinstance(asked, Request) else _past_viewer_request(exchange)
            return forwarding.origin_request(
                request,
                behavior,
                first_origin(distribution, behavior),
                generated=generated_headers(behavior, request),
                request_id=Chance(0).request_id(),
                via=Identity().via(request.version),
            )


def _past_viewer_request(exchange: Exchange) -> Request:
    """The viewer's request as the function at viewer-request left it."""
    for step in exchange.steps:
        if step.name == EventType.VIEWER_REQUEST and isinstance(step.after, Request):
            return step.after
    return exchange.request


def _response(exchange: Exchange, event_type: EventType) -> Response:
    names = {EventType.ORIGIN_RESPONSE: "origin", EventType.VIEWER_RESPONSE: "cache"}
    for step in exchange.steps:
        if step.name == event_type and isinstance(step.before, Response):
            return step.before
    for step in exchange.steps:
        if step.name == names[event_type] and isinstance(step.after, Response):
            return step.after
    if exchange.response is None:
        raise UsageError("that request has no answer that a response event could show")
    return exchange.response
