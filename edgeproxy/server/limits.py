"""What one viewer, one connection and one request may cost; one place for every number.

Sizes are CloudFront's unless a door says otherwise. Times that CloudFront has but does not
document (CDN-REQ-10) are ours.
"""

import math
from dataclasses import dataclass
from typing import Final

from edgeproxy.distribution import quotas

__all__ = ["MAX_BODY_BYTES", "MAX_HEAD_BYTES", "MAX_URL_BYTES", "Limits"]

MAX_HEAD_BYTES: Final = quotas.MAX_HEAD_BYTES
"""Request line and headers; more is answered with 494 (CDN-REQ-01)."""
MAX_URL_BYTES: Final = quotas.MAX_URL_BYTES
"""The request target; more is answered with 414 (CDN-REQ-02)."""
MAX_BODY_BYTES: Final = quotas.MAX_REQUEST_BODY_BYTES
"""A declared request body; more is answered with 413 (CDN-REQ-05)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a listener waits for a viewer, in seconds; then it cuts the connection.

    And what it lets a viewer send, in bytes.
    """

    head_timeout_s: float = 30.0
    """From the first byte of a head (for a new connection: from the handshake) to its last."""
    keep_alive_s: float = 60.0
    """Between the end of a response and the first byte of the next request."""
    read_stall_s: float = 60.0
    """For the next bytes of a request body that somebody is waiting for."""
    write_stall_s: float = 120.0
    """Without the viewer taking a single byte of what is waiting for it."""
    tells_of_waiting: bool = False
    """Whether 408 is the answer when a request does not come in time."""
    linger_s: float = 2.0
    """For the rest of a body nobody read, or for the viewer's goodbye, after a response."""
    tunnel_idle_s: float = 600.0
    """Without bytes from the far end of a tunnel (CDN-WS-04)."""
    tunnel_goodbye_s: float = 10.0
    """For the far end's last bytes once the viewer has closed its half of a tunnel."""
    lifetime_s: float = math.inf
    """A request that comes later on its connection is the last one there."""
    max_url_bytes: int = MAX_URL_BYTES
    max_field_bytes: int = MAX_HEAD_BYTES
    """One header line."""
    max_head_bytes: int = MAX_HEAD_BYTES
