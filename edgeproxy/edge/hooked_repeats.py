"""Requests behind a function at the viewer request that the cache answers again.

The function runs each time. When it says what it has said before of a request with the very same
bytes, the same follows: the hit is answered as others are (:mod:`edgeproxy.edge.stored_hits`).
Whatever else it says goes through the pipeline together with the request: no function runs twice
for one.
"""

import asyncio
from collections.abc import Callable
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
from edgeproxy.edge.passage import Begun, Services, Verdict
from edgeproxy.edge.repeatable import depends_on_of, is_told_by_head, may_repeat
from edgeproxy.edge.stored_hits import Kind, RepeatedAnswer, StoredHits
from edgeproxy.exchange.delivery import end_unanswered
from edgeproxy.exchange.model import Exchange, Finding, FunctionRun, Step
from edgeproxy.http.messages import Asked, Repeated, Request, Rerun, Response
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
    from edgeproxy.edge.lambda_hook import Begin
    from edgeproxy.edge.location import EdgeLocation

__all__ = ["HookedHits", "HookedRepeat", "hooked_repeat_of"]

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
    if stored_as is None or stored_as.result is None:
        return None
    if not may_repeat(request) or request.version != "1.1":
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


class HookedRepeat(Rerun):
    """Of requests with one and the same head."""

    __slots__ = (
        "_begin",
        "_behavior",
        "_event",
        "_like",
        "_parts",
        "answers",
        "association",
        "distribution",
        "location",
        "services",
    )

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
        self.association = association
        self._like: tuple[Scene, Request] | None = None
        self._parts: list[bytes] = []
        """The event of a Lambda function before and after the request's ID."""
        self._begin: Begin | None = None
        self._event: dict[str, Any] | None = None
        """That of a CloudFront Function."""
        self.answers: dict[bytes, HookedHits] = {}
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
        self.answers[said] = HookedHits(
            self.location,
            self.distribution,
            self.services,
            stored_as.key.digest,
            self.association,
            stored_as.result,
        )
        return self

    def begin(self, asked: Asked) -> "InHand | None":
        if self.location.distribution is not self.distribution:
            return None
        hooks = self.services.hooks
        in_hand = InHand(self, asked)
        if self.association.kind is EdgeFunctionKind.LAMBDA:
            if self._begin is None:
                self._begin = hooks.beginning(self.association)
            event = self.lambda_event(asked, in_hand.id)
            self.location.in_hand += 1
            if self._begin(event, in_hand.ran):
                return in_hand
            self.location.in_hand -= 1
            return None
        scene, request = self._about(asked)
        in_hand.ended(hooks.run(scene, request, self.cloudfront_event(asked, in_hand.id)))
        return in_hand

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


class HookedHits(StoredHits):
    """The hits that follow from a result like ``learned``."""

    __slots__ = ("_association", "_digest", "_findings", "_kind", "learned")

    def __init__(
        self,
        location: "EdgeLocation",
        distribution: Distribution,
        services: Services,
        digest: bytes,
        association: FunctionAssociation,
        learned: "Returned | Ran",
    ) -> None:
        super().__init__(location, distribution, services)
        self._digest = digest
        self._association = association
        self._findings: tuple[Finding, ...] = ()
        """What there is to say of such a result, whoever has returned it."""
        self._kind = Kind({}, 1, has_templates=False)
        self.learned = learned

    def after(
        self, result: Any, asked: Asked, exchange_id: str, started: float, begun: float
    ) -> RepeatedAnswer | None:
        """The answer to a request that began then, of which the function has now said this."""
        now = self.services.clock.now()
        return self.answered(
            self._kind, self._digest, asked, now, begun, exchange_id, result, started
        )

    def run_of(self, hit: RepeatedAnswer) -> FunctionRun:
        run, said = _run_of(self._association, hit.result), self._findings
        return run._replace(findings=(*run.findings, *said)) if said else run

    def ended(self, hit: RepeatedAnswer) -> None:
        if _is_quiet(hit.result):
            self.services.recorder.repeated(hit, alone=not self._location.in_hand)
        else:
            self.services.recorder.ended(hit.exchange)

    def _after_function(self, scene: Scene, request: Request, result: Any) -> Request:
        result = result or self.learned
        outcome = self.services.hooks.invoked(scene, request, result)
        assert isinstance(outcome, Proceed)  # as it was when this was learned
        step = scene.exchange.steps[-1]
        step.duration_s = result.duration_ms / 1000
        assert step.function is not None
        own = len(_run_of(self._association, result).findings)
        self._findings = step.function.findings[own:]
        return outcome.request


def _run_of(association: FunctionAssociation, result: Any) -> FunctionRun:
    if association.kind is EdgeFunctionKind.CLOUDFRONT:
        from edgeproxy.edge.cloudfront_hook import run_of

        return run_of(association, result)
    return function_run(
        association.function, association.event_type, result, qualifier=association.qualifier
    )


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
    """A request whose function runs: an :class:`edgeproxy.http.messages.Coming`."""

    __slots__ = (
        "_arrived",
        "_asked",
        "_begun",
        "_has_ended",
        "_hooked",
        "_result",
        "_started",
        "id",
    )

    def __init__(self, hooked: HookedRepeat, asked: Asked) -> None:
        services = hooked.services
        self._hooked = hooked
        self._asked = asked
        self._started = services.clock.now()
        self._begun = services.clock.monotonic()
        self.id = services.chance.request_id()
        self._has_ended = False
        self._result: InvocationResult | Ran | None = None
        self._arrived: Callable[[Repeated | None], None] | None = None

    def ran(self, result: "InvocationResult | None") -> None:
        """As :meth:`ended`, of a function that has taken its time."""
        self._hooked.location.in_hand -= 1
        self.ended(result)

    def ended(self, result: "InvocationResult | Ran | None") -> None:
        """The function has come to this; None when it could not run."""
        self._has_ended = True
        self._result = result
        arrived, self._arrived = self._arrived, None  # It refers to this in turn.
        if arrived is not None:
            arrived(self._answer())

    def then(self, arrived: Callable[[Repeated | None], None]) -> None:
        if self._has_ended:
            arrived(self._answer())
        else:
            self._arrived = arrived

    def _answer(self) -> RepeatedAnswer | None:
        """That which has followed before; None if the function says something new."""
        result = self._result
        said = None if result is None else _said(result)
        hits = None if said is None else self._hooked.answers.get(said)
        if hits is None:
            return None
        return hits.after(result, self._asked, self.id, self._started, self._begun)

    async def ordinary(self, request: Request) -> Response:
        hooked = self._hooked
        begun = Begun(self._exchange(request), result=self._result)
        return await hooked.location.tell(hooked.distribution, request, begun=begun, hooked=hooked)

    def abandon(self) -> None:
        exchange = self._exchange(self._asked.request())
        if self._result is not None:
            association = self._hooked.association
            run = _run_of(association, self._result)
            exchange.steps.append(Step(association.event_type, 0, function=run))
        end_unanswered(exchange, asyncio.CancelledError(), self._hooked.services.recorder)

    def _exchange(self, request: Request) -> Exchange:
        """The record, as far as it goes."""
        services, name = self._hooked.services, self._hooked.distribution.logical_id
        exchange = Exchange(self.id, "distribution", name, request, self._started, services.clock)
        exchange.backdate(self._begun)
        return exchange
