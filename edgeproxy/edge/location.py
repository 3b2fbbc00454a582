"""An edge location that serves one distribution.

It opens the record of each request, takes out what is meant for the local edge alone, lets
:mod:`edgeproxy.edge.pipeline` tell the story, and puts CloudFront's own headers on the answer.
"""

from dataclasses import replace

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge import pipeline
from edgeproxy.edge.admission import HTTPS_PORT
from edgeproxy.edge.deployment import Choice
from edgeproxy.edge.hooked_repeats import HookedRepeat, hooked_repeat_of
from edgeproxy.edge.misses import PlainMisses
from edgeproxy.edge.passage import Begun, Passage, Services
from edgeproxy.edge.repeats import repeat_of
from edgeproxy.edge.sealing import sealed
from edgeproxy.edge.stored_hits import PreparedHeads
from edgeproxy.exchange.delivery import end_unanswered, record_delivery
from edgeproxy.exchange.model import Decision, Exchange
from edgeproxy.http.local_headers import explained, wants_explanation, without_local_headers
from edgeproxy.http.messages import Repeat, Request, Rerun, Response

__all__ = ["EdgeLocation", "without_local_headers"]


class EdgeLocation:
    """A Handler for one distribution; ``distribution`` is replaced whole on reload.

    ``https_port`` is where viewers find it over TLS.
    """

    def __init__(self, distribution: Distribution, services: Services) -> None:
        self.distribution = distribution
        self.https_port = HTTPS_PORT
        self.heads = PreparedHeads()
        self.in_hand = 0
        """Hits whose functions run."""
        self._services = services
        self._misses = PlainMisses(self, services)

    async def __call__(self, received: Request, choice: Choice | None = None) -> Response:
        """Answer one viewer request; ``choice`` is what a deployment policy made of it."""
        distribution = self.distribution  # A reload changes it.
        miss = None
        if choice is None:
            miss = self._misses.begin(distribution, self.https_port, received)
        if miss is None:
            return await self.tell(distribution, received, choice)
        try:
            answer = await miss.answer()
        except BaseException as error:
            miss.ended_by(error)
            raise
        return await miss.ordinary(received) if answer is None else answer

    async def tell(
        self,
        distribution: Distribution,
        received: Request,
        choice: Choice | None = None,
        begun: Begun | None = None,
        hooked: HookedRepeat | None = None,
    ) -> Response:
        """Answer a request by the whole story, of which ``begun`` has happened already.

        ``hooked`` is who learns from the answer how such requests are answered again.
        """
        services = self._services
        explain = wants_explanation(received)
        request = without_local_headers(received)
        if begun is None:
            exchange = Exchange(
                services.chance.request_id(),
                "distribution",
                distribution.logical_id,
                request,
                services.clock.now(),
                services.clock,
            )
            passage = Passage(distribution, services, exchange, self.https_port)
        else:
            exchange = begun.exchange
            passage = Passage(distribution, services, exchange, self.https_port, begun)
        if choice is not None:
            _note_choice(exchange, choice)
        try:
            verdict = await pipeline.viewer_facing(passage, request)
        except BaseException as error:
            end_unanswered(exchange, error, services.recorder)
            raise
        response = sealed(distribution, exchange, verdict, services.identity, services.clock.now())
        if choice is None and not explain:
            repeat: Repeat | Rerun | None
            if hooked is not None:
                repeat = hooked.learn(verdict)
            else:
                about = self, distribution, services, request, verdict
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
        recorded = record_delivery(exchange, response, services.recorder)
        if services.overlay is not None and response.status >= 400:
            return services.overlay(exchange, request, recorded)
        return recorded


def _note_choice(exchange: Exchange, choice: Choice) -> None:
    with exchange.step("continuous deployment", before=exchange.request) as step:
        kind = "staging" if choice.is_staging else "primary"
        step.decision = Decision(kind, choice.why, {"distribution": exchange.name})
    if choice.is_staging:
        exchange.primary = choice.primary
