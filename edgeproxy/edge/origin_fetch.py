"""One request to one origin, and its record in the exchange."""

from edgeproxy.distribution.model import Origin
from edgeproxy.edge.passage import Passage
from edgeproxy.exchange.delivery import timed
from edgeproxy.exchange.model import Decision
from edgeproxy.http.messages import Reached, Request, Response
from edgeproxy.origins.errors import OriginFailure

__all__ = ["fetch", "resolve"]


async def fetch(
    passage: Passage, request: Request, origin: Origin, *, is_grpc: bool = False
) -> Response:
    """The answer of ``origin``, asked by ``request``. Raises :class:`OriginFailure`."""
    exchange = passage.exchange
    with exchange.step("origin", before=request) as step:
        # Only the first one that is asked has been asked before.
        begun = None if exchange.origin_id or passage.begun is None else passage.begun.asked
        exchange.origin_id, exchange.origin_domain_name = origin.id, origin.domain_name
        try:
            origins = passage.services.origins
            if is_grpc:
                answer = await origins.call(request, origin)
            else:
                answer = await origins.fetch(request, origin, begun)
            response = timed(exchange, answer)
        except OriginFailure as failure:
            step.decision = Decision(failure.kind, failure.why, {"origin": origin.id})
            raise
        except ConnectionError as error:
            step.decision = Decision("request broke off", str(error), {"origin": origin.id})
            raise
        first_byte_s = exchange.origin_first_byte_s = exchange.elapsed()
        exchange.origin_reached = response.reached or Reached(first_byte_s - step.started_s)
        step.after = response
        step.decision = Decision("answered", response.why, {"origin": origin.id})
    return response


async def resolve(passage: Passage, request: Request, origin: Origin) -> None:
    """Look the origin's name up: without one there is nothing to run a function for (LE-ORDER-06).

    Raises :class:`OriginFailure`.
    """
    try:
        await passage.services.origins.look_up(origin, request.viewer.scheme)
    except OriginFailure as failure:
        exchange = passage.exchange
        exchange.origin_id, exchange.origin_domain_name = origin.id, origin.domain_name
        with exchange.step("origin", before=request) as step:
            step.decision = Decision(failure.kind, failure.why, {"origin": origin.id})
        raise
