"""A Lambda@Edge function at one of the four events: event out, result judged, step written."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Protocol, TypeAlias, assert_never

from edgeproxy.awslambda.records import function_run, why_failed
from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.distribution.model import EventType, FunctionAssociation, Origin
from edgeproxy.distribution.quotas import (
    MAX_EDGE_FUNCTION_S,
    MAX_ORIGIN_REQUEST_BODY_SHOWN_BYTES,
    MAX_VIEWER_REQUEST_BODY_SHOWN_BYTES,
)
from edgeproxy.edge.outcomes import (
    Answered,
    Changed,
    Failed,
    Proceed,
    RequestOutcome,
    ResponseOutcome,
    Scene,
)
from edgeproxy.edge.pages import error_page
from edgeproxy.events import lambda_edge
from edgeproxy.exchange.model import Finding, FunctionRun, Step
from edgeproxy.http.body import BytesBody, peek
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    Returned,
    Throttled,
    TimedOut,
)

__all__ = ["Begin", "Invoker", "LambdaHook", "replica_region"]

Begin: TypeAlias = Callable[[bytes, Callable[[InvocationResult | None], None]], bool]
"""Runs a function with a payload, if nothing has to be waited for, and calls back with its result;
False: nothing has happened."""

BODY_LIMIT: Final = {
    EventType.VIEWER_REQUEST: MAX_VIEWER_REQUEST_BODY_SHOWN_BYTES,
    EventType.ORIGIN_REQUEST: MAX_ORIGIN_REQUEST_BODY_SHOWN_BYTES,
}
"""How much of a body a function sees (LE-BODY-05)."""

# The visible sentences of the error pages (LE-ERR-07, CDN-GEN-17).
_INVALID_FUNCTION: Final = (
    "The Lambda function associated with the CloudFront distribution is invalid or doesn't have "
    "the required permissions."
)
_THROTTLED: Final = "The Lambda function associated with the CloudFront distribution was throttled."


class Invoker(Protocol):
    """Runs Lambda functions."""

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        replica_region: str = "",
    ) -> InvocationResult: ...

    def begin(
        self,
        name: str,
        payload: bytes,
        then: Callable[[InvocationResult | None], None],
        *,
        qualifier: str = "",
        timeout_s: float | None = None,
        replica_region: str = "",
    ) -> bool: ...


def replica_region(origin: Origin | None) -> str:
    """The Region that runs a function; ``origin`` is None for a viewer event.

    At origin events it is that of Origin Shield, where there is one (LE-ORDER-09). Else it would
    be the one nearest to the edge location; a local one takes the Region that functions are made
    in, where their resources are likely to be (LE-EVT-25).
    """
    return (origin.origin_shield_region if origin is not None else "") or "us-east-1"


_VIEWER_REGION: Final = replica_region(None)


class LambdaHook:
    """Runs Lambda@Edge functions and reads their results as CloudFront does."""

    def __init__(self, lambdas: Invoker, *, strict: bool) -> None:
        self._lambdas = lambdas
        self._strict = strict

    async def on_request(
        self,
        scene: Scene,
        step: Step,
        association: FunctionAssociation,
        request: Request,
        origin: Origin | None,
    ) -> RequestOutcome:
        """A viewer request (``origin`` is None) or an origin request."""
        body = None
        if association.include_body:
            data, truncated, whole = await peek(request.body, BODY_LIMIT[association.event_type])
            request = replace(request, body=whole)
            body = lambda_edge.EventBody(data, truncated)
        payload = lambda_edge.encode_event(
            association.event_type, _context(scene), request, origin=origin, body=body
        )
        result = await self._invoke(association, payload, origin)
        return self.judged(scene, step, association, request, result, origin, body)

    def event(self, scene: Scene, association: FunctionAssociation, request: Request) -> bytes:
        """What the function of a viewer request gets, if it gets no body."""
        return lambda_edge.encode_event(association.event_type, _context(scene), request)

    def beginning(self, association: FunctionAssociation) -> Begin:
        """What runs the function of a viewer event."""
        return partial(
            self._lambdas.begin,
            association.function,
            qualifier=association.qualifier,
            timeout_s=MAX_EDGE_FUNCTION_S,
            replica_region=_VIEWER_REGION,
        )

    def judged(
        self,
        scene: Scene,
        step: Step,
        association: FunctionAssociation,
        request: Request,
        result: InvocationResult,
        origin: Origin | None = None,
        body: lambda_edge.EventBody | None = None,
    ) -> RequestOutcome:
        """What follows from the result of a function that got ``request``."""
        if not isinstance(result, Returned):
            return _failed(scene, step, association, result)
        judged = lambda_edge.decode_request_result(
            association.event_type,
            result.payload,
            request=request,
            origin=origin,
            body=body,
            strict=self._strict,
        )
        match judged:
            case lambda_edge.Continue():
                step.function = _run(association, result, judged.findings)
                changed = _with_body(judged.request, judged.body)
                return Proceed(changed, judged.origin, result=result)
            case lambda_edge.Generated():
                step.function = _run(association, result, judged.findings)
                why = f"{association.function} generated the response"
                return Answered(judged.response, "LambdaGeneratedResponse", why)
            case lambda_edge.Invalid():
                return _invalid(scene, step, association, result, judged)
            case _:
                assert_never(judged)

    async def on_response(
        self,
        scene: Scene,
        step: Step,
        association: FunctionAssociation,
        request: Request,
        response: Response,
        origin: Origin | None,
    ) -> ResponseOutcome:
        """An origin response or a viewer response (``origin`` is None)."""
        payload = lambda_edge.encode_event(
            association.event_type, _context(scene), request, response=response, origin=origin
        )
        result = await self._invoke(association, payload, origin)
        if not isinstance(result, Returned):
            return _failed(scene, step, association, result)
        judged = lambda_edge.decode_response_result(
            association.event_type, result.payload, response=response
        )
        match judged:
            case lambda_edge.Changed():
                step.function = _run(association, result, judged.findings)
                return Changed(judged.response)
            case lambda_edge.Invalid():
                return _invalid(scene, step, association, result, judged)
            case _:
                assert_never(judged)

    async def _invoke(
        self, association: FunctionAssociation, payload: bytes, origin: Origin | None
    ) -> InvocationResult:
        try:
            return await self._lambdas.invoke(
                association.function,
                payload,
                qualifier=association.qualifier,
                timeout_s=MAX_EDGE_FUNCTION_S,
                replica_region=replica_region(origin),
            )
        except FunctionNotFound as error:  # a reload has removed it under this request
            kind, message = "ResourceNotFoundException", str(error)
            document: dict[str, object] = {"errorType": kind, "errorMessage": message}
            return InitFailed("", 0, document=document)


def _context(scene: Scene) -> lambda_edge.EventContext:
    return lambda_edge.EventContext(
        scene.distribution.domain_name, scene.distribution.id_in_events, scene.exchange.id
    )


def _with_body(request: Request, body: bytes | None) -> Request:
    """``request`` with a replaced body and the length that goes with it (LE-BODY-12)."""
    if body is None:
        return request
    headers = request.headers.without("Transfer-Encoding").with_set(
        "Content-Length", str(len(body))
    )
    return replace(request, headers=headers, body=BytesBody(body))


def _run(
    association: FunctionAssociation,
    result: InvocationResult,
    findings: tuple[Finding, ...] = (),
    *,
    usable: bool = True,
) -> FunctionRun:
    return function_run(
        association.function,
        association.event_type,
        result,
        findings,
        usable=usable,
        qualifier=association.qualifier,
    )


def _failed(
    scene: Scene,
    step: Step,
    association: FunctionAssociation,
    result: FunctionError | TimedOut | InitFailed | Throttled,
) -> Failed:
    """A function that gave no result (LE-ERR-01, LE-ERR-03, LE-ERR-04)."""
    name, request_id = association.function, scene.exchange.id
    step.function = _run(association, result)
    if isinstance(result, Throttled):
        page = error_page(503, _THROTTLED, request_id)
        return Failed(page, "LambdaLimitExceeded", f"{name}: {result.reason}")
    page = error_page(503, _INVALID_FUNCTION, request_id)
    return Failed(page, "LambdaExecutionError", why_failed(name, result))


def _invalid(
    scene: Scene,
    step: Step,
    association: FunctionAssociation,
    result: Returned,
    judged: lambda_edge.Invalid,
) -> Failed:
    """A result that CloudFront refuses (LE-ERR-02)."""
    step.function = _run(association, result, judged.findings, usable=False)
    page = error_page(502, judged.sentence, scene.exchange.id)
    why = "; ".join(finding.message for finding in judged.findings)
    return Failed(page, "LambdaValidationError", f"{association.function}: {why}")
