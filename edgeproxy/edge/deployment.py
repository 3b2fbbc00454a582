"""Which requests for a primary distribution its staging distribution serves (CDN-CD).

A policy goes by a header, or draws by weight. With session stickiness the draw is made once for a
viewer, and a cookie says how it came out; the edge's clock says how long that holds. AWS does not
name its cookie (CDN-CD-05, U): this one is the stand-in's own, taken out before anybody sees it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from edgeproxy.distribution.deployment import (
    ContinuousDeploymentPolicy,
    SessionStickiness,
    SingleHeader,
    SingleWeight,
)
from edgeproxy.http.cookies import format_cookies, parse_cookies
from edgeproxy.http.messages import Request

__all__ = ["COOKIE", "Choice", "choose", "without_session"]

COOKIE: Final = "edgeproxy-cd"
_SESSION: Final = re.compile(r"([ps])\.(\w+)\.(\d{1,12})\.(\d{1,12})")


@dataclass(frozen=True, slots=True)
class Choice:
    """Who serves a request that came to ``primary`` (a logical ID), and why.

    ``set_cookie`` keeps the viewer there; it is empty without stickiness.
    """

    primary: str
    is_staging: bool
    why: str
    set_cookie: str = ""


def choose(
    policy: ContinuousDeploymentPolicy,
    primary: str,
    request: Request,
    draw: Callable[[], float],
    now: float,
    epoch: str,
) -> Choice:
    """By the policy's traffic; ``draw`` gives a number from 0 up to 1.

    Sessions of another ``epoch`` than the present one are over (CDN-CD-06).
    """
    traffic = policy.traffic
    if not policy.enabled or traffic is None:
        return Choice(primary, False, f"the policy {policy.logical_id} is off")
    if isinstance(traffic, SingleHeader):
        # CDN-CD-03 (I): the value compares exactly.
        has = traffic.value in request.headers.get_all(traffic.header)
        return Choice(primary, has, f"{traffic.header} is {'' if has else 'not '}as configured")
    stickiness = traffic.stickiness
    if stickiness is None:
        is_staging, why = _drawn(traffic, draw)
        return Choice(primary, is_staging, why)
    session = _session(request, epoch, stickiness, int(now))
    if session is None:
        is_staging, why = _drawn(traffic, draw)
        started = int(now)
    else:
        (is_staging, started), why = session, "the viewer's session is there"
    cookie = _set_cookie(is_staging, epoch, started, int(now), stickiness)
    return Choice(primary, is_staging, why, cookie)


def without_session(request: Request) -> Request:
    """``request`` without the cookie of its session."""
    lines = request.headers.get_all("Cookie")
    if not any(COOKIE in line for line in lines):
        return request
    others = [(name, value) for name, value in parse_cookies(lines) if name != COOKIE]
    headers = request.headers.without("Cookie")
    if others:
        headers = headers.with_set("Cookie", format_cookies(others))
    return replace(request, headers=headers)


def _drawn(traffic: SingleWeight, draw: Callable[[], float]) -> tuple[bool, str]:
    is_staging = draw() < traffic.weight
    return is_staging, f"drawn with weight {traffic.weight:g} for staging"


def _session(
    request: Request, epoch: str, stickiness: SessionStickiness, now: int
) -> tuple[bool, int] | None:
    """Whether the viewer's session is on staging and when it began, if it still holds."""
    for name, value in parse_cookies(request.headers.get_all("Cookie")):
        found = _SESSION.fullmatch(value) if name == COOKIE else None
        if found is not None and found[2] == epoch:
            started, seen = int(found[3]), int(found[4])
            if now - seen < stickiness.idle_ttl_s and now - started < stickiness.maximum_ttl_s:
                return found[1] == "s", started
    return None


def _set_cookie(
    is_staging: bool, epoch: str, started: int, now: int, stickiness: SessionStickiness
) -> str:
    left = min(stickiness.idle_ttl_s, stickiness.maximum_ttl_s - max(0, now - started))
    value = f"{'s' if is_staging else 'p'}.{epoch}.{started}.{now}"
    return f"{COOKIE}={value}; Path=/; Max-Age={left}; HttpOnly"
