"""An edge location that serves one distribution.

It opens the record of each request, takes out what is meant for the local edge alone, lets
:mod:`edgeproxy.edge.pipeline` tell the story, and puts CloudFront's own headers on the answer.
"""

from dataclasses import replace

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge import pipeline
from edgeproxy.edge.admission import HTTPS_PORT
from edgeproxy.edge.deployment import Choice
from edgeproxy.edge.hooked_repeats import HookedRepeat, InHand, hooked_repeat_of
from edgeproxy.edge.passage import Passage, Services
from edgeproxy.edge.repeats import RepeatableHit, repeat_of
from edgeproxy.edge.sealing import sealed
from edgeproxy.exchange.delivery import record_delivery, record_end
from edgeproxy.exchange.model import Decision, Exchange
from edgeproxy.http.local_headers import explained, wants_explanation, without_local_headers
from edgeproxy.http.messages import Delivered, Repeat, Request, Response

__all__ = ["EdgeLocation", "without_local_headers"]


class EdgeLocation:
    """A Handler for one distribution; ``distribution`` is replaced whole on reload.

    ``https_port`` is where viewers find it over TLS.
    """

    def __init__(self, distribution: Distribution, services: Services) -> None:
        self.distribution = distribution
        self.https_port = HTTPS_PORT
        self.summaries: dict[tuple[RepeatableHit, bytes], tuple[bytes, Exchange]] = {}
        """Of repeated hits, to make others of; bounded by who fills it."""
        self._services = services

    async def __call__(self, received: Request, choice: Choice | None = None) -> Response:
        """Answer one viewer request; ``choice`` is what a deployment policy made of it."""
        services, distribution = self._services, self.distribution  # A reload changes the latter.
        request = without_local_headers(received)
        exchange = Exchange(
            services.chance.request_id(),
            "distribution",
            distribution.logical_id,
            request,
            services.clock.now(),
            services.clock,
        )
        if choice is not None:
            _note_choice(exchange, choice)
        passage = Passage(distribution, services, exchange, self.https_port)
        return await self._answer(passage, request, choice, explain=wants_explanation(received))

    async def go_on(self, request: Request, hooked: HookedRepeat, in_hand: InHand) -> Response:
        """Answer a request whose function at the viewer request has run already."""
        passage = Passage(
            hooked.distribution,
            hooked.services,
            in_hand.exchange(request),
            self.https_port,
            in_hand.result,
        )
        return await self._answer(passage, request, None, hooked)

    async def _answer(
        self,
        passage: Passage,
        request: Request,
        choice: Choice | None,
        hooked: HookedRepeat | None = None,
        *,
        explain: bool = False,
    ) -> Response:
        services, distribution, exchange = passage.services, passage.distribution, passage.exchange
        try:
            verdict = await pipeline.viewer_facing(passage, request)
        except BaseException as error:
            # Its viewer has left, or the edge is closing: the record ends without an answer.
            exchange.result_type = exchange.response_result_type = "Error"
            hung_up = isinstance(error, ConnectionError)  # That of the viewer's upload.
            exchange.detailed_result_type = "ClientHungUpRequest" if hung_up else "Error"
            record_end(exchange, Delivered(0, aborted=True), services.recorder)
            raise
        response = sealed(distribution, exchange, verdict, services.identity, services.clock.now())
        if choice is None and not explain:
            about = self, distribution, services, request, verdict
            repeat: Repeat | None
            if hooked is not None:
                repeat = hooked.learn(verdict)
            else:
                repeat = repeat_of(*about) or hooked_repeat_of(*about)
            if repeat is not None:
                response = replace(response, repeat=repeat)
        if choice is not None and choice.set_cookie:
            headers = response.headers.with_added("Set-Cookie", choice.set_cookie)
            response = replace(response, headers=headers)
        if explain:
            why = verdict.why
            if choice is not None:
                why = f"{distribution.logical_id} serves: {choice.why}; {why}"
            response = explained(response, exchange.id, why)
        return record_delivery(exchange, response, services.recorder)


def _note_choice(exchange: Exchange, choice: Choice) -> None:
    with exchange.step("continuous deployment", before=exchange.request) as step:
        kind = "staging" if choice.is_staging else "primary"
        step.decision = Decision(kind, choice.why, {"distribution": exchange.name})
    if choice.is_staging:
        exchange.primary = choice.primary
