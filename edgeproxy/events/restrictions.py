"""Header names that edge functions may not see, add or change.

Tables only. All names are lower case; a name to be looked up is folded here.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from edgeproxy.distribution.model import EventType

__all__ = [
    "CFF_READ_ONLY",
    "DISALLOWED",
    "DISALLOWED_PREFIXES",
    "NOT_ADDABLE_TO_ORIGIN",
    "NOT_ADDABLE_TO_ORIGIN_PREFIXES",
    "READ_ONLY",
    "is_disallowed",
    "is_not_addable_to_origin",
]

DISALLOWED: Final[frozenset[str]] = frozenset(
    {
        # LE-HDR-01
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
        # LE-HDR-02
        "cloudfront-viewer-cert-pem",
        "client-cert",
        "client-cert-chain",
    }
)
"""Neither shown to a function nor accepted from one, in any event (LE-HDR-01, LE-HDR-02)."""

DISALLOWED_PREFIXES: Final = ("x-amz-cf-", "x-edge-")
"""Beginnings of further disallowed names (LE-HDR-03)."""

READ_ONLY: Final[Mapping[EventType, frozenset[str]]] = {
    # LE-HDR-04
    EventType.VIEWER_REQUEST: frozenset(
        {"cdn-loop", "content-length", "host", "transfer-encoding", "via"}
    ),
    # LE-HDR-05
    EventType.ORIGIN_REQUEST: frozenset(
        {
            "accept-encoding",
            "cdn-loop",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        }
    ),
    # LE-HDR-06
    EventType.ORIGIN_RESPONSE: frozenset({"transfer-encoding", "via"}),
    # LE-HDR-07
    EventType.VIEWER_RESPONSE: frozenset(
        {"content-encoding", "content-length", "transfer-encoding", "via", "warning"}
    ),
}
"""What a Lambda@Edge function sees but must hand back as it was (LE-HDR-08)."""

CFF_READ_ONLY: Final[Mapping[EventType, frozenset[str]]] = {
    # CFF-HDR-02
    EventType.VIEWER_REQUEST: frozenset(
        {"cdn-loop", "content-length", "host", "transfer-encoding", "via"}
    ),
    # CFF-HDR-03
    EventType.VIEWER_RESPONSE: frozenset({"via", "warning"}),
}
"""The same for CloudFront Functions, which run on viewer events only (CFF-HDR-04)."""

NOT_ADDABLE_TO_ORIGIN: Final[frozenset[str]] = frozenset(
    {
        "cache-control",
        "connection",
        "content-length",
        "cookie",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "request-range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-real-ip",
    }
)
"""Names no origin custom header may have (LE-ORG-13, CDN-OCH-03)."""

NOT_ADDABLE_TO_ORIGIN_PREFIXES: Final = ("x-amz-", "x-edge-")
"""Beginnings of further such names (LE-ORG-13, CDN-OCH-03)."""


# The same few hundred names come again and again.
@lru_cache(maxsize=1024)
def is_disallowed(name: str) -> bool:
    """Whether edge functions may neither see nor add a header of this name, in any case."""
    folded = name.lower()
    return folded in DISALLOWED or folded.startswith(DISALLOWED_PREFIXES)


def is_not_addable_to_origin(name: str) -> bool:
    """Whether CloudFront refuses an origin custom header of this name, in any case."""
    folded = name.lower()
    return folded in NOT_ADDABLE_TO_ORIGIN or folded.startswith(NOT_ADDABLE_TO_ORIGIN_PREFIXES)
