"""What a fill brings to the cache: from an origin, or from a cache that is nearer to it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from edgeproxy.http.messages import Response

__all__ = ["Fetched", "Layer", "Outcome"]

Outcome: TypeAlias = Literal["Hit", "RefreshHit", "Miss"]


class Layer(StrEnum):
    """The caches between viewer and origin, as ``Server-Timing`` calls them (CDN-ST-07)."""

    EDGE = "EDGE"
    REGIONAL = "REC"
    SHIELD = "Origin Shield"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer of an origin (or of an origin-request function), or the edge's own error for it.

    ``may_store`` is False for answers that no rule allows to store, such as a function's error
    (LE-ERR-11). ``detail`` is the detailed result type for the log when it is not the plain one
    (``OriginConnectError``, ``MissGeneratedResponse``); it is kept with a stored object. An
    origin's own answer has none.

    A cache nearer to the origin answers like an origin, with its ``outcome``; ``received_at`` is
    when it got the object, so that lifetime and age go on. ``layer`` is the cache that had the
    object or asked the origin, None for the one that this is brought to.
    """

    response: Response
    may_store: bool = True
    detail: str = ""
    outcome: Outcome = "Miss"
    received_at: float | None = None
    layer: Layer | None = None

    @property
    def is_edge_made(self) -> bool:
        """Not an origin's own answer, but a function's or an error's page."""
        return bool(self.detail)
