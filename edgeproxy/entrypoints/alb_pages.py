"""The pages that a load balancer makes itself (AL-103)."""

from typing import Final

from edgeproxy.exchange.model import Decision, Step
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response, reason_phrase

__all__ = ["page", "refuse"]

_TITLES: Final = {
    408: "Request Time-out",
    413: "Request Entity Too Large",
    463: "",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
"""What pages say where it is not the standard phrase."""


def refuse(step: Step, status: int, why: str, reason: str = "") -> Response:
    """The load balancer's own answer; ``reason`` is the access log's code for it (AL-106)."""
    step.decision = Decision("failed", why, {"reason": reason} if reason else {})
    return page(status)


def page(status: int) -> Response:
    """The page for ``status``, without a date."""
    title = f"{status} {_TITLES.get(status, reason_phrase(status))}".rstrip()
    text = (
        "<html>\r\n"
        f"<head><title>{title}</title></head>\r\n"
        "<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n"
        "</body>\r\n"
        "</html>\r\n"
    )
    headers = Headers([("Server", "awselb/2.0"), ("Content-Type", "text/html")])
    return Response(status, headers, BytesBody(text.encode("ascii")))
