"""The event that a function would get for a recorded request."""

import orjson

from edgeproxy.chance import Chance
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Behavior, Distribution, EdgeFunctionKind, EventType
from edgeproxy.edge.explain import first_origin
from edgeproxy.edge.outcomes import generated_headers
from edgeproxy.edge.signature import Identity
from edgeproxy.errors import UsageError
from edgeproxy.events import alb, cloudfront_function, function_url, lambda_edge
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.headers import EMPTY_HEADERS
from edgeproxy.http.local_headers import without_local_headers
from edgeproxy.http.messages import Request, Response
from edgeproxy.inspector.again import whole_body
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.origins import forwarding

__all__ = ["invocation_event", "recorded_event"]

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


def invocation_event(controlled: Controlled, exchange: Exchange) -> bytes:
    """The event of a function behind a function URL or a load balancer, or that was invoked.

    Raises :class:`UsageError` where there was no such event, or not all of it is kept.
    """
    match exchange.door:
        case "invoke":
            return whole_body(exchange.request.body)
        case "function-url" if (url := controlled.function_urls.get(exchange.name)) is not None:
            request = without_local_headers(exchange.request)
            answered = exchange.response.headers if exchange.response else EMPTY_HEADERS
            trace_id = answered.get("X-Amzn-Trace-Id")
            context = function_url.UrlContext(url.url_id, exchange.id, trace_id, exchange.started)
            return function_url.encode_event(context, request, whole_body(request.body))
        case "alb" if balancer := controlled.declared_load_balancers.get(exchange.name):
            for step in exchange.steps:
                if step.name == "function" and isinstance(step.before, Request):
                    group = balancer.target_groups[_target_group(exchange)]
                    event = alb.encode_event(
                        group.arn,
                        step.before,
                        whole_body(step.before.body),
                        multi_value=group.multi_value_headers,
                    )
                    if event is not None:
                        return event
    raise UsageError("that request had no event of a function, or what it was for is gone")


def _target_group(exchange: Exchange) -> str:
    decision = exchange.steps[0].decision
    return "" if decision is None else str(decision.facts.get("target_group", ""))


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
