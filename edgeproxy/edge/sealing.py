"""The end of a request at an edge location: its result in the record and on the answer."""

from typing import Final

from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.passage import Verdict
from edgeproxy.edge.signature import Identity, signed
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.messages import Response

__all__ = ["sealed"]

_WITH_HTTP_3: Final = frozenset({"http3", "http2and3"})
_ALT_SVC: Final = 'h3=":443"; ma=86400'
"""What a distribution with HTTP/3 says of itself (CDN-RSP-11)."""

_LOGGED_AS: Final = {"LambdaLimitExceeded": "Error"}
"""Result types that ``X-Cache`` alone shows; the log has them as detailed ones (LE-ERR-14)."""


def sealed(
    distribution: Distribution,
    exchange: Exchange,
    verdict: Verdict,
    identity: Identity,
    now: float,
) -> Response:
    """The answer of ``verdict`` with CloudFront's own headers; the record gets its result."""
    logged = _LOGGED_AS.get(verdict.result_type, verdict.result_type)
    exchange.result_type = exchange.response_result_type = logged
    exchange.detailed_result_type = verdict.detail or verdict.result_type
    if verdict.outcome is not None:
        exchange.layer = verdict.layer
    response = signed(verdict.response, verdict.result_type, identity, now, exchange.id)
    if distribution.http_version in _WITH_HTTP_3:
        response = response.with_headers(response.headers.with_set("Alt-Svc", _ALT_SVC))
    return response
