"""The headers that CloudFront puts on every response (CDN-RSP-01 to 03, CDN-RSP-10)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.edge.pages import error_page
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.local_headers import LOCAL_PREFIX
from edgeproxy.http.messages import Response, reason_phrase

__all__ = ["Identity", "refusals", "signed", "told"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one edge location from another in headers and logs."""

    pop: str = "SEA19-C1"
    via_host: str = "0" * 32 + ".cloudfront.net"

    def via(self, version: str) -> str:
        """The edge's own entry in a ``Via`` header."""
        return f"{version} {self.via_host} (CloudFront)"


def signed(
    response: Response, result_type: str, identity: Identity, now: float, request_id: str
) -> Response:
    """``response`` with ``X-Cache``, ``Via``, ``X-Amz-Cf-Pop`` and ``X-Amz-Cf-Id``.

    ``Date`` is added when the origin sent none; an origin's ``Via`` stays in front.
    """
    lines = response.headers.as_multidict()
    if "Date" not in lines:
        lines.add("Date", format_date(now))
    lines["X-Cache"] = f"{result_type} from cloudfront"
    earlier: list[str] = lines.popall("Via", [])
    lines.add("Via", ", ".join([*earlier, identity.via("1.1")]))
    lines["X-Amz-Cf-Pop"] = identity.pop
    lines["X-Amz-Cf-Id"] = request_id
    return response.with_headers(Headers.adopted(lines))


def refusals(
    identity: Identity, clock: Clock, chance: Chance, tell: Callable[[str], None]
) -> Callable[[int, str, str], Response]:
    """Builds the pages for requests that never reach a distribution.

    They are malformed or too large (CDN-REQ-01, CDN-REQ-02, CDN-REQ-08), or name an unknown host
    (CDN-BEH-04). The page says ``Bad request.`` and keeps the detail to itself: ``tell`` gets it,
    and who sends a bad header meant for the local edge.
    """

    def refuse(status: int, reason: str, detail: str) -> Response:
        if status in (501, 505):  # Only load balancers tell these from other errors of syntax.
            status, reason = 400, reason_phrase(400)
        request_id = chance.request_id()
        page = replace(error_page(status, "Bad request.", request_id), reason=reason)
        page = signed(page, "Error", identity, clock.now(), request_id)
        return told(page, detail, tell)

    return refuse


def told(page: Response, detail: str, tell: Callable[[str], None]) -> Response:
    """``page`` for a refused request, whose ``detail`` goes to ``tell``.

    The viewer sees it only if it is about a header meant for the local edge.
    """
    if page.status != 500:  # The listener itself reports what went wrong inside.
        tell(f"{page.status} {detail}")
    if detail.startswith(LOCAL_PREFIX):
        return page.with_headers(page.headers.with_set(f"{LOCAL_PREFIX}why", detail))
    return page
