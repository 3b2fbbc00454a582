"""Requests behind a function at the viewer request that the cache answers again.

The function runs each time. When it says what it has said before of a request with the very same
bytes, the same follows, and the rest is a repeated hit (:mod:`edgeproxy.edge.repeats`). Whatever
else it says goes through the pipeline together with the request: no function runs twice for one.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from edgeproxy.awslambda.records import function_run
from edgeproxy.distribution.model import (
    Behavior,
    Distribution,
    EdgeFunctionKind,
    EventType,
    FunctionAssociation,
)
from edgeproxy.edge.outcomes import Proceed, Scene, generated_headers
from edgeproxy.edge.passage import Services, Verdict
from edgeproxy.edge.repeats import (
    RepeatableHit,
    RepeatedAnswer,
    depends_on_of,
    is_told_by_head,
    may_repeat,
)
from edgeproxy.exchange.delivery import record_end
from edgeproxy.exchange.model import Exchange, FunctionRun, Step
from edgeproxy.http.messages import Asked, Delivered, Request, Response, Waiting
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    LogLines,
    Returned,
    Throttled,
    TimedOut,
)

if TYPE_CHECKING:
    from edgeproxy.edge.cloudfront_hook import Ran
    from edgeproxy.edge.location import EdgeLocation

__all__ = ["HookedRepeat", "InHand", "hooked_repeat_of"]

_MARK_ID: Final = "edgeproxy-marks-the-place-of-a-request-id-in-an-event=="
_MARK: Final = _MARK_ID.encode()
_MOST_ANSWERS: Final = 8
"""Of one request: what a function says may change with every moment."""
_MOST_LOG_CHARS: Final = 4096
"""Of what a function may write for its record to wait until somebody reads it."""


def hooked_repeat_of(
    location: "EdgeLocation",
    distribution: Distribution,
    services: Services,
    request: Request,
    verdict: Verdict,
) -> "HookedRepeat | None":
    """How ``request`` is answered again; None when it is not by such a function and a hit."""
    stored_as = verdict.stored_as
    if stored_as is None or stored_as.result is None or not may_repeat(request):
        return None
    behavior = stored_as.behavior
    association = behavior.function_for(EventType.VIEWER_REQUEST)
    if (
        association is None
        or association.include_body
        or depends_on_of(behavior) is None
        or not (association.kind is EdgeFunctionKind.LAMBDA or is_told_by_head(behavior))
    ):
        return None
    return HookedRepeat(location, distribution, services, behavior, association).learn(verdict)


class HookedRepeat:
    """A :class:`edgeproxy.http.messages.Repeat` of requests with one and the same head."""

    __slots__ = (
        "_association",
        "_behavior",
        "_event",
        "_like",
        "_parts",
        "answers",
        "distribution",
        "location",
        "services",
    )

    depends_on: Final = None

    def __init__(
        self,
        location: "EdgeLocation",
        distribution: Distribution,
        services: Services,
        behavior: Behavior,
        association: FunctionAssociation,
    ) -> None:
        self.location = location
        self.distribution = distribution
        self.services = services
        self._behavior = behavior
        self._association = association
        self._like: tuple[Scene, Request] | None = None
        self._parts: list[bytes] = []
        """The event of a Lambda function before and after the request's ID."""
        self._event: dict[str, Any] | None = None
        """That of a CloudFront Function."""
        self.answers: dict[bytes, _HookedHit] = {}
        """By what the function says."""

    def learn(self, verdict: Verdict) -> "HookedRepeat | None":
        """This has followed from what the function said; None when it may not be so again."""
        stored_as = verdict.stored_as
        if stored_as is None or stored_as.result is None:
            return None
        said = _said(stored_as.result)
        if said is None:
            return None
        self.answers.pop(said, None)
        if len(self.answers) >= _MOST_ANSWERS:
            del self.answers[next(iter(self.answers))]
        self.answers[said] = _HookedHit(
            self.location,
            self.distribution,
            self.services,
            stored_as.digest,
            self._association,
            stored_as.result,
        )
        return self

    def answer(self, asked: Asked) -> None:
        return None

    def begin(self, asked: Asked, waiting: Waiting) -> bool:
        if self.location.distribution is not self.distribution:
            return False
        services = self.services
        clock, hooks = services.clock, services.hooks
        now, begun = clock.now(), clock.monotonic()
        exchange_id = services.chance.request_id()
        if self._association.kind is EdgeFunctionKind.LAMBDA:
            then = partial(self._ended, asked, exchange_id, now, begun, waiting)
            return hooks.begin(self._association, self.lambda_event(asked, exchange_id), then)
        scene, request = self._about(asked)
        ran = hooks.run(scene, request, self.cloudfront_event(asked, exchange_id))
        self._ended(asked, exchange_id, now, begun, waiting, ran)
        return True

    def _about(self, asked: Asked) -> tuple[Scene, Request]:
        """Such a request, and where it is; its record has a mark in place of the ID."""
        if self._like is None:
            request = asked.request()
            exchange = Exchange(_MARK_ID, "distribution", "", request, 0, self.services.clock)
            generated = generated_headers(self._behavior, request)
            self._like = Scene(exchange, self.distribution, self._behavior, generated), request
        return self._like

    def lambda_event(self, asked: Asked, exchange_id: str) -> bytes:
        """What a Lambda function gets."""
        parts = self._parts
        if not parts:
            event = self.services.hooks.lambda_event(*self._about(asked))
            # What a viewer may have sent stands behind it.
            parts = self._parts = event.split(_MARK, 1)
        return exchange_id.encode().join(parts)

    def cloudfront_event(self, asked: Asked, exchange_id: str) -> dict[str, Any]:
        """What a CloudFront Function gets."""
        event = self._event
        if event is None:
            event = self._event = self.services.hooks.cloudfront_event(*self._about(asked))
        return event | {"context": event["context"] | {"requestId": exchange_id}}

    def _ended(
        self,
        asked: Asked,
        exchange_id: str,
        started: float,
        begun: float,
        waiting: Waiting,
        result: "InvocationResult | Ran | None",
    ) -> None:
        said = None if result is None else _said(result)
        if said is not None and (hit := self.answers.get(said)) is not None:
            answer = hit.answered(asked, exchange_id, started, begun, result)
            if answer is not None:
                waiting.repeated(answer)
                return
        waiting.continued(InHand(self, asked, exchange_id, started, begun, result))


class _HookedHit(RepeatableHit):
    """The hit that follows from a result like ``learned``."""

    __slots__ = ("_association", "_learned")

    def __init__(
        self,
        location: "EdgeLocation",
        distribution: Distribution,
        services: Services,
        digest: bytes,
        association: FunctionAssociation,
        learned: "Returned | Ran",
    ) -> None:
        super().__init__(location, distribution, services, digest, frozenset())
        self._association = association
        self._learned = learned

    def run_of(self, result: Any) -> FunctionRun | None:
        association = self._association
        if association.kind is EdgeFunctionKind.CLOUDFRONT:
            from edgeproxy.edge.cloudfront_hook import run_of

            return run_of(association, result)
        return function_run(
            association.function,
            association.event_type,
            result,
            qualifier=association.qualifier,
        )

    def summary(self, hit: RepeatedAnswer) -> Exchange:
        exchange = super().summary(hit)
        if not exchange.steps:
            step = Step(self._association.event_type, 0, function=hit.run)
            exchange.steps.append(step)
        return exchange

    def ended(self, hit: RepeatedAnswer) -> None:
        if _is_quiet(hit.result):
            super().ended(hit)
        else:
            self._services.recorder.ended(hit.exchange)

    def _after_function(self, scene: Scene, request: Request, result: Any) -> Request:
        result = result or self._learned
        outcome = self._services.hooks.invoked(scene, request, result)
        assert isinstance(outcome, Proceed)  # as it was when this was learned
        scene.exchange.steps[-1].duration_s = result.duration_ms / 1000
        return outcome.request


def _said(result: "InvocationResult | Ran") -> bytes | None:
    """What the function has returned; None for what is different each time."""
    match result:
        case Returned():
            return result.payload
        case FunctionError() | TimedOut() | InitFailed() | Throttled():
            return None
        case _:
            return result.said


def _is_quiet(result: Any) -> bool:
    """Whether so little was written that its record may wait until somebody reads it."""
    if isinstance(result, Returned):
        return isinstance(result.log, LogLines) and result.log.size <= _MOST_LOG_CHARS
    return not (result.outcome.logs or result.outcome.notices)


class InHand:
    """A request whose function has run, and said something that is new."""

    __slots__ = ("_asked", "_hooked", "begun", "exchange_id", "result", "started")

    def __init__(
        self,
        hooked: HookedRepeat,
        asked: Asked,
        exchange_id: str,
        started: float,
        begun: float,
        result: "InvocationResult | Ran | None",
    ) -> None:
        self._hooked = hooked
        self._asked = asked
        self.exchange_id = exchange_id
        self.started = started
        self.begun = begun
        self.result = result

    def exchange(self, request: Request) -> Exchange:
        """The record, as far as it goes."""
        services, name = self._hooked.services, self._hooked.distribution.logical_id
        exchange = Exchange(
            self.exchange_id, "distribution", name, request, self.started, services.clock
        )
        exchange.backdate(self.begun)
        return exchange

    async def handler(self, request: Request) -> Response:
        request = replace(request, viewer=self._asked.request().viewer)
        return await self._hooked.location.go_on(request, self._hooked, self)

    def abandoned(self) -> None:
        exchange = self.exchange(self._asked.request())
        exchange.result_type = exchange.response_result_type = "Error"
        exchange.detailed_result_type = "Error"
        record_end(exchange, Delivered(0, aborted=True), self._hooked.services.recorder)
