"""An edge location that serves one distribution.

It opens the record of each request, takes out what is meant for the local edge alone, lets
:mod:`edgeproxy.edge.pipeline` tell the story, and puts CloudFront's own headers on the answer.
"""

from dataclasses import replace
from typing import Final

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge import pipeline
from edgeproxy.edge.admission import HTTPS_PORT
from edgeproxy.edge.passage import Passage, Services, Verdict
from edgeproxy.edge.signature import LOCAL_PREFIX, signed
from edgeproxy.exchange.delivery import record_delivery, record_end
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Delivered, Request, Response

__all__ = ["EdgeLocation", "without_local_headers"]

_WITH_HTTP_3: Final = frozenset({"http3", "http2and3"})
_ALT_SVC: Final = 'h3=":443"; ma=86400'
"""What a distribution with HTTP/3 says of itself (CDN-RSP-11)."""

_LOGGED_AS: Final = {"LambdaLimitExceeded": "Error"}
"""Result types that ``X-Cache`` alone shows; the log has them as detailed ones (LE-ERR-14)."""


class EdgeLocation:
    """A Handler for one distribution; ``distribution`` is replaced whole on reload.

    ``https_port`` is where viewers find it over TLS.
    """

    def __init__(self, distribution: Distribution, services: Services) -> None:
        self.distribution = distribution
        self.https_port = HTTPS_PORT
        self._services = services

    async def __call__(self, received: Request) -> Response:
        """Answer one viewer request."""
        services, distribution = self._services, self.distribution  # A reload changes the latter.
        explain = received.headers.get(f"{LOCAL_PREFIX}explain") == "1"
        request = without_local_headers(received)
        exchange = Exchange(
            services.chance.request_id(),
            "distribution",
            distribution.logical_id,
            request,
            services.clock.now(),
            services.clock,
        )
        try:
            verdict = await pipeline.viewer_facing(
                Passage(distribution, services, exchange, self.https_port), request
            )
        except BaseException:
            # Its viewer has left, or the edge is closing: the record ends without an answer.
            exchange.result_type = exchange.response_result_type = "Error"
            exchange.detailed_result_type = "Error"
            record_end(exchange, Delivered(0, aborted=True), services.recorder)
            raise
        logged = _LOGGED_AS.get(verdict.result_type, verdict.result_type)
        exchange.result_type = exchange.response_result_type = logged
        exchange.detailed_result_type = verdict.detail or verdict.result_type
        response = signed(
            verdict.response,
            verdict.result_type,
            services.identity,
            services.clock.now(),
            exchange.id,
        )
        if distribution.http_version in _WITH_HTTP_3:
            response = replace(response, headers=response.headers.with_set("Alt-Svc", _ALT_SVC))
        if explain:
            response = _explained(exchange, verdict, response)
        return record_delivery(exchange, response, services.recorder)


def without_local_headers(request: Request) -> Request:
    """``request`` without the headers that are for the local edge alone."""
    local = [name for name in request.headers.names() if name.startswith(LOCAL_PREFIX)]
    return replace(request, headers=request.headers.without(*local)) if local else request


def _explained(exchange: Exchange, verdict: Verdict, response: Response) -> Response:
    # It may quote what a function said: one line of visible ASCII, whatever that was.
    why = verdict.why.encode("unicode_escape").decode("ascii")
    headers = response.headers.with_set(f"{LOCAL_PREFIX}exchange", exchange.id)
    return replace(response, headers=headers.with_set(f"{LOCAL_PREFIX}why", why))
