"""An edge location that serves one distribution.

It opens the record of each request, takes out what is meant for the local edge alone, lets
:mod:`edgeproxy.edge.pipeline` tell the story, and puts CloudFront's own headers on the answer.
"""

from dataclasses import replace
from typing import Final

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge import pipeline
from edgeproxy.edge.passage import Passage, Services, Verdict
from edgeproxy.edge.signature import signed
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Delivered, Request, Response

__all__ = ["LOCAL_HEADER_PREFIX", "EdgeLocation"]

LOCAL_HEADER_PREFIX: Final = "x-edgeproxy-"
"""Request headers with this beginning are for the local edge and go no further."""


class EdgeLocation:
    """A Handler for one distribution; ``distribution`` is replaced whole on reload."""

    def __init__(self, distribution: Distribution, services: Services) -> None:
        self.distribution = distribution
        self._services = services

    async def __call__(self, received: Request) -> Response:
        """Answer one viewer request."""
        services = self._services
        explain = received.headers.get(f"{LOCAL_HEADER_PREFIX}explain") == "1"
        request = _without_local_headers(received)
        exchange = Exchange(
            services.chance.request_id(),
            "distribution",
            self.distribution.logical_id,
            request,
            services.clock.now(),
            services.clock,
        )
        services.recorder.begun(exchange)
        verdict = await pipeline.viewer_facing(
            Passage(self.distribution, services, exchange), request
        )
        exchange.result_type = exchange.response_result_type = verdict.result_type
        exchange.detailed_result_type = verdict.detail or verdict.result_type
        response = signed(
            verdict.response,
            verdict.result_type,
            services.identity,
            services.clock.now(),
            exchange.id,
        )
        if explain:
            response = _explained(exchange, verdict, response)
        exchange.response = response
        exchange.first_byte_s = exchange.elapsed()

        def ended(delivered: Delivered) -> None:
            exchange.duration_s = exchange.elapsed()
            exchange.bytes_sent = delivered.bytes_sent
            exchange.bytes_received = _size_of_head(request) + request.body.passed
            exchange.aborted = delivered.aborted
            services.recorder.ended(exchange)

        return replace(response, on_delivered=ended)


def _without_local_headers(request: Request) -> Request:
    local = [name for name in request.headers.names() if name.startswith(LOCAL_HEADER_PREFIX)]
    return replace(request, headers=request.headers.without(*local)) if local else request


def _explained(exchange: Exchange, verdict: Verdict, response: Response) -> Response:
    # It may quote what a function said: one line of visible ASCII, whatever that was.
    why = verdict.why.encode("unicode_escape").decode("ascii")
    headers = response.headers.with_set(f"{LOCAL_HEADER_PREFIX}exchange", exchange.id)
    return replace(response, headers=headers.with_set(f"{LOCAL_HEADER_PREFIX}why", why))


def _size_of_head(request: Request) -> int:
    """The bytes of the request line and the header lines, as HTTP/1.1 spells them."""
    lines = sum(len(name) + len(value) + 4 for name, value in request.headers)
    return len(request.method) + len(request.target) + len("  HTTP/1.1\r\n\r\n") + lines
