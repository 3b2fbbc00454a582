"""Origin groups: what leads a request on to the second origin (CDN-OG).

The primary is tried first for every request (CDN-OG-07), and each member is asked with its own
origin path, custom headers and functions (CDN-OG-11, CDN-OG-13): sending is the edge's business.
"""

from collections.abc import Collection
from typing import Final

from edgeproxy.http.messages import Request
from edgeproxy.origins.errors import OriginFailureKind

__all__ = ["failover_status", "may_fail_over"]

_METHODS: Final = ("GET", "HEAD")
_NO_CONNECTION: Final = frozenset({OriginFailureKind.DNS, OriginFailureKind.CONNECT})


def failover_status(status: int, kind: str) -> int:
    """The code that must be configured for an answer, or a failure, to start failover.

    No connection counts as 503, whatever the viewer would get (CDN-OG-05); all else as its
    status, which for a response timeout is 504 (CDN-OG-06). ``kind`` is that of the failure.
    """
    return 503 if kind in _NO_CONNECTION else status


def may_fail_over(request: Request, cached_methods: Collection[str]) -> bool:
    """Reading methods only, and no WebSocket handshake (CDN-OG-03, 04 and 15).

    ``cached_methods`` are the behavior's: OPTIONS fails over only when it is among them.
    """
    if request.upgrade:
        return False
    if request.method == "OPTIONS":
        return "OPTIONS" in cached_methods
    return request.method in _METHODS
