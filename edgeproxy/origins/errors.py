"""Why an origin gave no usable answer."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["OriginFailure", "OriginFailureKind"]


class OriginFailureKind(StrEnum):
    """The access log's detailed result types for origin trouble (CDN-LOG-21)."""

    DNS = "OriginDnsError"
    CONNECT = "OriginConnectError"
    COMM = "OriginCommError"
    READ = "OriginReadError"
    WRITE = "OriginWriteError"
    INVALID_RESPONSE = "OriginInvalidResponseError"
    ZERO_SIZE = "OriginZeroSizeObjectError"
    HEADER_TOO_BIG = "OriginHeaderTooBigError"
    CONTENT_RANGE = "OriginContentRangeLengthError"
    TOO_LARGE = "OriginError"


@dataclass(eq=False)
class OriginFailure(Exception):
    """An origin could not be asked or gave no valid answer.

    ``status`` is what the viewer gets (CDN-ERR-30 to 40), ``why`` tells a person what happened and
    with which address, e.g. ``http://127.0.0.1:9000 refused the connection``.
    """

    kind: OriginFailureKind
    status: int
    why: str
    timed_out: bool = False
    connected: bool = False
    """A connection stood when it failed (failover distinguishes, CDN-OG-05, CDN-OG-06)."""

    def __str__(self) -> str:
        return self.why
