"""The four places where the user's functions run.

Each hook runs the function that the behavior associates with its event, if there is one, and
says what follows. A function error ends the request: no later event runs (LE-ERR-09).
"""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from edgeproxy.distribution.model import (
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
    Origin,
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
from edgeproxy.exchange.model import Decision, Step
from edgeproxy.http.messages import Request, Response

if TYPE_CHECKING:
    from edgeproxy.edge.cloudfront_hook import CloudFrontFunctions, CloudFrontHook, Ran
    from edgeproxy.edge.lambda_hook import Begin, Invoker, LambdaHook
    from edgeproxy.runtimes.invocation import InvocationResult

__all__ = ["Hooks"]


class Hooks:
    """Runs functions at the events of a distribution.

    What it takes to run functions of either kind is imported with the first of them.
    """

    def __init__(
        self,
        lambdas: "Invoker",
        cloudfront_functions: "CloudFrontFunctions",
        *,
        strict: bool = True,
    ) -> None:
        self._lambdas = lambdas
        self._cloudfront_functions = cloudfront_functions
        self._strict = strict

    @cached_property
    def _lambda(self) -> "LambdaHook":
        from edgeproxy.edge.lambda_hook import LambdaHook

        return LambdaHook(self._lambdas, strict=self._strict)

    @cached_property
    def _cloudfront(self) -> "CloudFrontHook":
        from edgeproxy.edge.cloudfront_hook import CloudFrontHook

        return CloudFrontHook(self._cloudfront_functions, strict=self._strict)

    async def viewer_request(self, scene: Scene, request: Request) -> RequestOutcome:
        """Before the cache is asked."""
        return await self._on_request(scene, EventType.VIEWER_REQUEST, request, None)

    async def origin_request(
        self, scene: Scene, request: Request, origin: Origin
    ) -> RequestOutcome:
        """Before ``origin`` is asked; ``request`` is what it would get."""
        return await self._on_request(scene, EventType.ORIGIN_REQUEST, request, origin)

    async def origin_response(
        self, scene: Scene, request: Request, response: Response, origin: Origin
    ) -> ResponseOutcome:
        """Before the answer of ``origin`` to ``request`` is stored."""
        return await self._on_response(scene, EventType.ORIGIN_RESPONSE, request, response, origin)

    async def viewer_response(
        self, scene: Scene, request: Request, response: Response
    ) -> ResponseOutcome:
        """Before the response goes to the viewer."""
        return await self._on_response(scene, EventType.VIEWER_RESPONSE, request, response, None)

    async def _on_request(
        self, scene: Scene, event_type: EventType, request: Request, origin: Origin | None
    ) -> RequestOutcome:
        association = scene.behavior.function_for(event_type)
        if association is None:
            return Proceed(request)
        with scene.exchange.step(event_type, before=request) as step:
            outcome: RequestOutcome
            match association.kind:
                case EdgeFunctionKind.LAMBDA:
                    outcome = await self._lambda.on_request(
                        scene, step, association, request, origin
                    )
                case EdgeFunctionKind.CLOUDFRONT:
                    outcome = self._cloudfront.on_request(scene, step, association, request)
            return _concluded(step, outcome)

    def beginning(self, association: FunctionAssociation) -> "Begin":
        """What runs a Lambda function of a viewer event."""
        return self._lambda.beginning(association)

    def run(self, scene: Scene, request: Request, event: dict[str, Any]) -> "Ran":
        """Run the CloudFront Function of the viewer request with ``event``."""
        association, clock = _at_viewer_request(scene), scene.exchange.stopwatch
        return self._cloudfront.run(scene.distribution, association, request.query, event, clock)

    def lambda_event(self, scene: Scene, request: Request) -> bytes:
        """What a Lambda function of the viewer request gets, if it gets no body."""
        return self._lambda.event(scene, _at_viewer_request(scene), request)

    def cloudfront_event(self, scene: Scene, request: Request) -> dict[str, Any]:
        """What a CloudFront Function of the viewer request gets."""
        return self._cloudfront.event(scene, _at_viewer_request(scene), request)

    def invoked(
        self, scene: Scene, request: Request, result: "InvocationResult | Ran"
    ) -> RequestOutcome:
        """As :meth:`viewer_request`, of which the function's result is there already."""
        association = _at_viewer_request(scene)
        with scene.exchange.step(EventType.VIEWER_REQUEST, before=request) as step:
            outcome: RequestOutcome
            match association.kind:
                case EdgeFunctionKind.LAMBDA:
                    returned = cast("InvocationResult", result)
                    outcome = self._lambda.judged(scene, step, association, request, returned)
                case EdgeFunctionKind.CLOUDFRONT:
                    ran = cast("Ran", result)
                    outcome = self._cloudfront.judged(scene, step, association, request, ran)
            return _concluded(step, outcome)

    async def _on_response(
        self,
        scene: Scene,
        event_type: EventType,
        request: Request,
        response: Response,
        origin: Origin | None,
    ) -> ResponseOutcome:
        association = scene.behavior.function_for(event_type)
        if association is None:
            return Changed(response)
        with scene.exchange.step(event_type, before=response) as step:
            outcome: ResponseOutcome
            match association.kind:
                case EdgeFunctionKind.LAMBDA:
                    outcome = await self._lambda.on_response(
                        scene, step, association, request, response, origin
                    )
                case EdgeFunctionKind.CLOUDFRONT:
                    outcome = self._cloudfront.on_response(
                        scene, step, association, request, response
                    )
            step.after = outcome.response
            match outcome:
                case Changed():
                    step.decision = Decision("proceed")
                case Failed():
                    step.decision = Decision("failed", outcome.why)
            if outcome.response.body is not response.body:
                await response.body.close()
        return outcome


def _at_viewer_request(scene: Scene) -> FunctionAssociation:
    association = scene.behavior.function_for(EventType.VIEWER_REQUEST)
    assert association is not None
    return association


def _concluded(step: Step, outcome: RequestOutcome) -> RequestOutcome:
    match outcome:
        case Proceed():
            step.after = outcome.request
            step.decision = Decision("proceed")
        case Answered():
            outcome = replace(outcome, response=_as_our_own(outcome.response))
            step.after = outcome.response
            step.decision = Decision("answered", outcome.why)
        case Failed():
            step.after = outcome.response
            step.decision = Decision("failed", outcome.why)
    return outcome


def _as_our_own(response: Response) -> Response:
    """A generated response is the edge's own, unless the function says otherwise (LE-GEN-15)."""
    return replace(response, headers=response.headers.with_default("Server", "CloudFront"))
