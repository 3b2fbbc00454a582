"""Which hits may be answered again without the pipeline, and what tells them apart."""

from typing import Final

from edgeproxy.distribution.forwarded import plan_of
from edgeproxy.distribution.model import Behavior, EventType
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.viewer_headers import DEVICE_NAMES, GENERATED_NAMES
from edgeproxy.http.body import EMPTY_BODY
from edgeproxy.http.messages import Request

__all__ = ["depends_on_of", "is_told_by_head", "may_repeat"]

_MATTERS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"proxy-connection",  # To aiohttp's parser, it is Connection.
        b"range",
        b"transfer-encoding",
        b"upgrade",
        b"via",
    }
)
"""What the listener, the admission and the delivery of a stored object look at."""
_CORS: Final = frozenset(
    {b"access-control-request-headers", b"access-control-request-method", b"origin"}
)
_TOLD_BY_CONNECTION: Final = frozenset(
    name
    for name in GENERATED_NAMES - DEVICE_NAMES
    if name.startswith("cloudfront-viewer-")
    and not name.endswith(("-address", "-tls", "-fingerprint", "-order", "-count"))
) | {"cloudfront-forwarded-proto"}
"""Generated headers that are the same for all requests of one address over one protocol."""


def may_repeat(request: Request) -> bool:
    """Whether it is a request of the kind that is answered again."""
    return (
        request.method in ("GET", "HEAD")
        and request.version in ("1.1", "2.0")
        and request.body is EMPTY_BODY  # Nobody would read it.
        and request.viewer.mutual_tls is None
    )


@PreparedOnce
def depends_on_of(behavior: Behavior) -> frozenset[bytes] | None:
    """The request's headers that a hit depends on, but for what a function at its viewer request
    looks at; None where it depends on more than those."""
    policy = behavior.response_headers_policy
    if (
        behavior.function_for(EventType.VIEWER_RESPONSE) is not None
        or behavior.trusted_key_groups  # A signature's time may be over the next moment.
        or behavior.field_level_encryption is not None
        or (policy is not None and policy.server_timing.enabled)
    ):
        return None
    plan = plan_of(behavior)
    names = set(plan.key_headers)
    devices = names & DEVICE_NAMES
    if not (names & GENERATED_NAMES) <= DEVICE_NAMES | _TOLD_BY_CONNECTION:
        return None
    if devices:
        names.add("user-agent")
    if plan.keys_on_encoding:
        names.add("accept-encoding")
    if not plan.key_cookies.is_empty:
        names.add("cookie")
    cors = _CORS if policy is not None and policy.cors is not None else frozenset()
    return _MATTERS | cors | {name.encode() for name in names}


@PreparedOnce
def is_told_by_head(behavior: Behavior) -> bool:
    """Whether the headers that its policies ask for follow from a request's head, its viewer's
    address and protocol."""
    names = {name.lower() for name in plan_of(behavior).generated}
    return names <= DEVICE_NAMES | _TOLD_BY_CONNECTION
