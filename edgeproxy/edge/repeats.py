"""Requests that the cache answers again: the same bytes as before, but for age, date and ID.

Requests to behaviors without viewer functions that differ in their targets alone are of one kind:
behavior and key are worked out from the target, and the object under that key is the answer.
"""

from typing import TYPE_CHECKING, Final

from edgeproxy.cache.key import CacheKey, KeysAlike
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Behavior, Distribution, EventType
from edgeproxy.distribution.root_object import fault_in_root_object
from edgeproxy.edge.passage import Services, Verdict
from edgeproxy.edge.repeatable import depends_on_of, may_repeat
from edgeproxy.edge.stored_hits import MOST_HEADS, Kind, PreparedHeads, RepeatedAnswer, StoredHits
from edgeproxy.http.messages import Asked, Repeat, Request

if TYPE_CHECKING:
    from edgeproxy.edge.location import EdgeLocation

__all__ = ["RepeatableHits", "repeat_of"]

_CONDITIONS: Final = (
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
)
"""A request with one of these gets an answer that depends on values of the object's headers."""

_MOST_TARGETS: Final = 5_000


def repeat_of(
    location: "EdgeLocation",
    distribution: Distribution,
    services: Services,
    request: Request,
    verdict: Verdict,
) -> "RepeatableHits | None":
    """How ``request`` is answered again; None when ``verdict`` is not such a hit."""
    stored_as = verdict.stored_as
    if stored_as is None or not may_repeat(request):
        return None
    behavior = stored_as.behavior
    if behavior.function_for(EventType.VIEWER_REQUEST) is not None:
        return None
    depends_on = depends_on_of(behavior)
    if depends_on is None or fault_in_root_object(distribution.default_root_object):
        return None
    kind = _Alike(behavior, stored_as.key, request, location.heads)
    return RepeatableHits(location, distribution, services, kind, depends_on)


class _Alike(Kind):
    """Hits of one behavior by requests that differ in their targets alone."""

    __slots__ = ("behavior", "keys")

    def __init__(
        self, behavior: Behavior, key: CacheKey, request: Request, heads: PreparedHeads
    ) -> None:
        has_conditions = any(name in request.headers for name in _CONDITIONS)
        super().__init__(heads.of_objects, MOST_HEADS, has_templates=not has_conditions)
        self.behavior = behavior
        self.keys = KeysAlike(behavior, key)


class RepeatableHits(StoredHits):
    """A :class:`edgeproxy.http.messages.Repeat`."""

    __slots__ = ("_kinds", "_known", "_root", "depends_on")

    def __init__(
        self,
        location: "EdgeLocation",
        distribution: Distribution,
        services: Services,
        kind: _Alike,
        depends_on: frozenset[bytes],
    ) -> None:
        super().__init__(location, distribution, services)
        # A behavior is asked for here once such a request has gone through all that it demands.
        self._kinds = {id(kind.behavior): kind}
        self._known: dict[bytes, tuple[Kind, bytes]] = {}
        """Of targets that were asked for lately."""
        self._root = f"/{distribution.default_root_object}"
        self.depends_on = depends_on

    def joined(self, earlier: Repeat) -> Repeat:
        if (
            not isinstance(earlier, RepeatableHits)
            or earlier._distribution is not self._distribution
        ):
            return self
        for behavior, kind in self._kinds.items():
            earlier._kinds.setdefault(behavior, kind)
        return earlier

    def answer(self, asked: Asked) -> RepeatedAnswer | None:
        """The answer to ``asked``; None: ask the handler."""
        if self._location.distribution is not self._distribution:
            return None
        clock = self.services.clock
        now, begun = clock.now(), clock.monotonic()
        known = self._known.get(asked.target) or self._look_at(asked.target)
        return None if known is None else self.answered(*known, asked, now, begun)

    def _look_at(self, target: bytes) -> tuple[Kind, bytes] | None:
        """The kind of a hit on ``target``, and the digest of its key; None while not known."""
        path, mark, query = target.decode("utf-8", "surrogateescape").partition("?")
        kind = self._kinds.get(id(match_behavior(self._distribution, path)))
        if kind is None:
            return None
        if path == "/":
            path = self._root
        found = kind, kind.keys.digest(path, query if mark else None)
        if len(self._known) >= _MOST_TARGETS:
            self._known.clear()
        self._known[target] = found
        return found
