"""A CloudFront Function at a viewer event: event in, result judged, step written."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, assert_never

import orjson

from edgeproxy.distribution.model import Distribution, FunctionAssociation
from edgeproxy.edge.origin_choice import judge_change
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
from edgeproxy.events import cloudfront_function
from edgeproxy.events.lambda_edge_headers import shown
from edgeproxy.exchange.model import Finding, FunctionRun, Step, Stopwatch
from edgeproxy.http.messages import Request, Response
from edgeproxy.runtimes.cloudfront_js.engine import Event, RunContext, Tenant
from edgeproxy.runtimes.cloudfront_js.origin import OriginChange, UpdateOrigin
from edgeproxy.runtimes.cloudfront_js.outcome import Completed, Outcome
from edgeproxy.runtimes.invocation import LogRecord

__all__ = ["CloudFrontFunctions", "CloudFrontHook", "Ran", "run_of"]

_STATUS: Final = {
    "FunctionExecutionError": 503,
    "FunctionThrottledError": 503,
    "FunctionValidationError": 502,
}
"""The status of each kind of failure (CDN-XC-09)."""

# The visible sentences of the error pages (CFF-ERR-06).
_COULD_NOT_RUN: Final = (
    "The CloudFront function associated with the CloudFront distribution is invalid or could not "
    "run."
)
_INVALID_VALUE: Final = "The CloudFront function returned an invalid value: "


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of a function: what came of ``event``, and when it had."""

    outcome: Outcome
    event: dict[str, Any]
    duration_ms: float
    time_s: float

    @property
    def said(self) -> bytes | None:
        """What the function returned, if that is all that it did."""
        outcome = self.outcome
        if not isinstance(outcome, Completed) or outcome.origin is not None:
            return None
        try:
            return orjson.dumps(outcome.result)
        except orjson.JSONEncodeError:  # no text for half a character
            return None


def run_of(association: FunctionAssociation, ran: Ran) -> FunctionRun:
    """The record of a run."""
    result, request_id = ran.outcome, ran.event["context"]["requestId"]
    return FunctionRun(
        association.function,
        association.event_type,
        ran.duration_ms,
        request_id=request_id,
        log=tuple([LogRecord(ran.time_s, request_id, "stdout", line) for line in result.logs]),
        findings=tuple([Finding(n.rule, n.message, n.remedy) for n in result.notices]),
        kind="cloudfront",
        utilisation=result.utilisation,
        log_data=result.custom_log if isinstance(result, Completed) else "",
    )


class CloudFrontFunctions(Protocol):
    """Runs CloudFront Functions, in this process and without waiting."""

    def run(self, name: str, event: Event, context: RunContext) -> Outcome: ...


class CloudFrontHook:
    """Runs CloudFront Functions and reads their results as CloudFront does."""

    def __init__(self, functions: CloudFrontFunctions, *, strict: bool) -> None:
        self._functions = functions
        self._strict = strict

    def on_request(
        self, scene: Scene, step: Step, association: FunctionAssociation, request: Request
    ) -> RequestOutcome:
        """A viewer request."""
        event = _event(scene, association, request, None)
        ran = self.run(scene.distribution, association, request.query, event, _clock(scene))
        return self.judged(scene, step, association, request, ran)

    def judged(
        self,
        scene: Scene,
        step: Step,
        association: FunctionAssociation,
        request: Request,
        ran: Ran,
    ) -> RequestOutcome:
        """What follows from a run of a function that got ``request``."""
        event = ran.event
        result = self._noted(scene, step, association, ran)
        if isinstance(result, Failed):
            return result
        judged = cloudfront_function.decode_result(
            association.event_type,
            result.result,
            request=request,
            generated=scene.generated,
            event=event,
            strict=self._strict,
        )
        match judged:
            case cloudfront_function.Continue():
                if refused := _refused_origin(scene, result.origin, judged.request):
                    return _invalid(scene, step, association, refused)
                _add_findings(step, judged.findings)
                kept = ran if result.origin is None else None
                return Proceed(judged.request, origin_change=result.origin, result=kept)
            case cloudfront_function.Generated():
                _add_findings(step, judged.findings)
                why = f"{association.function} generated the response"
                return Answered(judged.response, "FunctionGeneratedResponse", why)
            case cloudfront_function.Invalid():
                return _invalid(scene, step, association, judged.findings)
            case cloudfront_function.Changed():
                raise AssertionError("a viewer request has no response to change")
            case _:
                assert_never(judged)

    def on_response(
        self,
        scene: Scene,
        step: Step,
        association: FunctionAssociation,
        request: Request,
        response: Response,
    ) -> ResponseOutcome:
        """A viewer response."""
        event = _event(scene, association, request, response)
        ran = self.run(scene.distribution, association, request.query, event, _clock(scene))
        result = self._noted(scene, step, association, ran)
        if isinstance(result, Failed):
            return result
        judged = cloudfront_function.decode_result(
            association.event_type,
            result.result,
            request=request,
            response=response,
            generated=scene.generated,
            event=event,
            strict=self._strict,
        )
        match judged:
            case cloudfront_function.Changed():
                _add_findings(step, judged.findings)
                return Changed(judged.response)
            case cloudfront_function.Invalid():
                return _invalid(scene, step, association, judged.findings)
            case cloudfront_function.Continue() | cloudfront_function.Generated():
                raise AssertionError("a viewer response returns a response")
            case _:
                assert_never(judged)

    def event(
        self, scene: Scene, association: FunctionAssociation, request: Request
    ) -> dict[str, Any]:
        """What the function of a viewer request gets."""
        return _event(scene, association, request, None)

    def run(
        self,
        distribution: Distribution,
        association: FunctionAssociation,
        query: str | None,
        event: dict[str, Any],
        clock: Stopwatch,
    ) -> Ran:
        """Run a function; ``query`` is the raw one of the request."""
        started = clock.monotonic()
        context = RunContext(
            query and shown(query), distribution.origins, tenant=_tenant(distribution)
        )
        outcome = self._functions.run(association.function, event, context)
        return Ran(outcome, event, (clock.monotonic() - started) * 1000, clock.now())

    def _noted(
        self, scene: Scene, step: Step, association: FunctionAssociation, ran: Ran
    ) -> Completed | Failed:
        result, run = ran.outcome, run_of(association, ran)
        step.function = run
        if isinstance(result, Completed):
            return result
        if result.kind == "FunctionValidationError":
            return _invalid(scene, step, association, (Finding(result.rule, result.message),))
        place = result.location
        message = f"{result.message} ({place})" if place else result.message
        step.function = run._replace(
            error="Throttled" if result.kind == "FunctionThrottledError" else "Unhandled",
            error_document={"errorType": result.kind, "errorMessage": message},
        )
        page = error_page(_STATUS[result.kind], _COULD_NOT_RUN, scene.exchange.id)
        return Failed(page, result.kind, f"{association.function} failed: {message}")


def _clock(scene: Scene) -> Stopwatch:
    return scene.exchange.stopwatch


def _tenant(distribution: Distribution) -> Tenant | None:
    tenant = distribution.tenant
    return Tenant(distribution.id, tenant.parameters) if tenant is not None else None


def _event(
    scene: Scene, association: FunctionAssociation, request: Request, response: Response | None
) -> dict[str, Any]:
    return cloudfront_function.viewer_event(
        association.event_type,
        distribution_domain_name=scene.distribution.domain_name,
        distribution_id=scene.distribution.id_in_events,
        is_tenant=scene.distribution.tenant is not None,
        request_id=scene.exchange.id,
        request=request,
        response=response,
        generated=scene.generated,
    )


def _refused_origin(
    scene: Scene, change: OriginChange | None, request: Request
) -> tuple[Finding, ...]:
    if change is None:
        return ()
    if finding := judge_change(scene.distribution, scene.behavior, change):
        return (finding,)
    if not isinstance(change, UpdateOrigin) or not change.custom_headers:
        return ()
    return tuple(cloudfront_function.check_origin_headers(change.custom_headers, request))


def _add_findings(step: Step, findings: tuple[Finding, ...], error: str = "") -> None:
    assert step.function is not None
    if findings:
        step.function = step.function._replace(
            findings=(*step.function.findings, *findings), error=error
        )


def _invalid(
    scene: Scene, step: Step, association: FunctionAssociation, findings: tuple[Finding, ...]
) -> Failed:
    _add_findings(step, findings, "Validation")
    # What the decoder says begins in its own words; the page names what is invalid in AWS's.
    named = findings[0].message.removeprefix("The function returned an invalid value: ")
    page = error_page(502, _INVALID_VALUE + named, scene.exchange.id)
    why = "; ".join(finding.message for finding in findings)
    return Failed(page, "FunctionValidationError", f"{association.function}: {why}")
