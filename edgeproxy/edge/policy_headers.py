"""Puts a behavior's response headers policy on a verdict (CDN-RHP-01, CDN-RHP-25, CDN-RHP-26)."""

from dataclasses import replace

from edgeproxy.edge.outcomes import Scene
from edgeproxy.edge.passage import Passage, Verdict
from edgeproxy.edge.response_headers import ServerTimingFacts, UpstreamTimes, apply_policy
from edgeproxy.http.messages import Request

__all__ = ["put_on"]


def put_on(passage: Passage, scene: Scene, request: Request, verdict: Verdict) -> Verdict:
    """``verdict`` with the headers of the behavior's policy, if it has one."""
    policy = scene.behavior.response_headers_policy
    if policy is None:
        return verdict
    response = apply_policy(
        policy,
        request,
        verdict.response,
        timing=_timing(passage, verdict),
        chance=passage.services.chance,
    )
    return replace(verdict, response=response)


def _timing(passage: Passage, verdict: Verdict) -> ServerTimingFacts | None:
    """What Server-Timing can tell; nothing when the cache was not asked."""
    if verdict.outcome is None:
        return None
    exchange = passage.exchange
    upstream = None
    if exchange.origin_first_byte_s is not None:
        # The client does not tell name look-up and connecting apart from waiting.
        upstream = UpstreamTimes(0, 0, round(exchange.origin_first_byte_s * 1000))
    return ServerTimingFacts(
        verdict.outcome,
        passage.services.identity.pop,
        exchange.id,
        round(exchange.elapsed() * 1000),
        upstream,
    )
