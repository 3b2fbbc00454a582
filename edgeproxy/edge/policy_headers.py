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
    reached = exchange.origin_reached
    upstream = None
    if reached is not None:
        # However quick, a new connection is not told as 0, which is a reused one (CDN-ST-08).
        connect_s = reached.connect_s
        connect_ms = 0 if connect_s is None else max(1, round(connect_s * 1000))
        upstream = UpstreamTimes(
            round(reached.look_up_s * 1000), connect_ms, round(reached.first_byte_s * 1000)
        )
    return ServerTimingFacts(
        verdict.outcome,
        passage.services.identity.pop,
        exchange.id,
        round(exchange.elapsed() * 1000),
        upstream,
        verdict.layer,
    )
