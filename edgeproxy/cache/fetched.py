"""What a fill brings to the cache."""

from dataclasses import dataclass

from edgeproxy.http.messages import Response

__all__ = ["Fetched"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer of an origin (or of an origin-request function), or the edge's own error for it.

    ``may_store`` is False for answers that no rule allows to store, such as a function's error
    (LE-ERR-11). ``detail`` is the detailed result type for the log when it is not the plain one
    (``OriginConnectError``, ``MissGeneratedResponse``); it is kept with a stored object. An
    origin's own answer has none.
    """

    response: Response
    may_store: bool = True
    detail: str = ""

    @property
    def is_edge_made(self) -> bool:
        """Not an origin's own answer, but a function's or an error's page."""
        return bool(self.detail)
