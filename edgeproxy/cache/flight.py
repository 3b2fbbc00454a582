"""One fetch on its way, what its viewers get from it, and the viewers who wait.

The viewer who set a flight off is its leader. Others who ask for the same key before the head of
the answer is there wait for it; each gets a body of its own, or hears that the answer was for the
leader alone and asks the origin itself (CDN-COL-01, CDN-COL-05).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from edgeproxy.cache.collecting import CollectingBody
from edgeproxy.cache.entry import Entry, Hit, Lookup, Miss
from edgeproxy.cache.fetched import Fetched, Layer, Outcome
from edgeproxy.cache.freshness import CacheRules, Decision
from edgeproxy.cache.key import CacheKey
from edgeproxy.cache.parts import Gap, Partial
from edgeproxy.http.headers import EMPTY_HEADERS, Headers
from edgeproxy.http.messages import Response

__all__ = ["Errand", "Flight", "Landing", "Obtained", "Outcome", "landed"]


@dataclass(frozen=True, slots=True)
class Obtained:
    """What the cache has for a request.

    ``response`` has no ``Age`` added; its body is for this caller, to be read or closed.
    ``age_s`` is set when the answer came out of the cache. ``stored`` is what was decided about
    storing a fetched answer, None when nothing was fetched. ``entry`` is the whole stored object,
    when the answer is made from one. ``layer`` is the cache behind this one that had the object or
    asked the origin; ``received_at`` when the origin's answer came, for one who joined later.
    """

    lookup: Lookup
    outcome: Outcome
    response: Response
    age_s: int | None = None
    stored: Decision | None = None
    detail: str = ""
    entry: Entry | None = None
    layer: Layer | None = None
    received_at: float | None = None

    @property
    def is_object(self) -> bool:
        """Whether it is the object itself, also one on its way: this very request did not reach an
        origin, so that its conditions and ranges have yet to be looked at."""
        return self.entry is not None or isinstance(self.lookup, Hit)

    @classmethod
    def uncached(cls, fetched: Fetched, why: str) -> "Obtained":
        """A fetched answer that the cache has nothing to do with."""
        return cls(Miss(why), "Miss", fetched.response, detail=fetched.detail, layer=fetched.layer)


@dataclass(frozen=True, slots=True)
class Errand:
    """What a request wants of the origin."""

    key: CacheKey
    rules: CacheRules
    lookup: Lookup
    asked: Headers = EMPTY_HEADERS
    """The viewer's own headers, as far as they ask for ranges."""
    stale: Entry | None = None
    """What the origin may confirm, and what may stand in for it."""
    conditions: Headers | None = None
    """What the origin is asked with in place of the viewer's own conditions and ranges."""
    partial: Partial | None = None
    """The stored parts, of an object of which there are parts only."""
    gap: Gap | None = None
    """What the stored parts lack, when only that is asked for."""

    @property
    def identity(self) -> tuple[bytes, str, str]:
        """Who has the same may wait for the same answer."""
        return self.key.digest, self.asked.get("Range"), self.asked.get("If-Range")

    @property
    def sent(self) -> Headers:
        """What the origin is asked with."""
        return self.asked if self.conditions is None else self.conditions

    @property
    def table(self) -> Entry | None:
        """The entry that lists the stored parts."""
        return None if self.partial is None else self.partial.table

    def shown(self, entry: Entry) -> Entry:
        """``entry`` as it is served."""
        return entry if self.partial is None else self.partial.shown(entry)


Landing: TypeAlias = asyncio.Future[Obtained | None]


class Flight:
    """One fetch that fills the store, and the viewers who wait for it."""

    __slots__ = (
        "collecting",
        "doomed",
        "errand",
        "have_left",
        "identity",
        "join",
        "leader",
        "waiters",
    )

    def __init__(self, errand: Errand, leader: Landing | None) -> None:
        self.errand = errand
        self.identity = errand.identity
        self.leader = leader
        """The viewer who set it off; None for a revalidation in the background."""
        self.waiters: list[Landing] = []
        self.have_left: list[Callable[[], bool] | None] = []
        """For each viewer who waited, whether they are gone; None for one who stays."""
        self.join: Callable[[], Obtained | None] | None = None
        """Once the answer's head is there: the answer for one more viewer."""
        self.collecting: CollectingBody | None = None
        self.doomed = False
        """The object was invalidated meanwhile and must not be stored."""

    @property
    def waiting(self) -> list[Landing]:
        """Who still waits."""
        everybody = self.waiters if self.leader is None else [self.leader, *self.waiters]
        return [landing for landing in everybody if not landing.done()]

    @property
    def is_deserted(self) -> bool:
        """Whether all viewers who waited are gone."""
        if self.leader is None:
            return False
        return not self.waiting or all(left is not None and left() for left in self.have_left)

    async def joined(
        self, errand: Errand, has_left: Callable[[], bool] | None = None
    ) -> Obtained | None:
        """The answer for one more viewer, or None: that viewer must ask the origin."""
        if self.join is not None:
            return self.join()
        landing: Landing = asyncio.get_running_loop().create_future()
        self.waiters.append(landing)
        self.have_left.append(has_left)
        obtained = await landed(landing)
        if obtained is None or self.collecting is None or self.collecting.keeping:
            return obtained
        if errand.identity == self.identity:
            return obtained
        # Who wants a part does not wait until all before it has gone by.
        await obtained.response.body.close()
        return None

    def hand_out(
        self, lead: Callable[[], Obtained], join: Callable[[], Obtained | None] | None
    ) -> None:
        """Give the answer to all who wait; without ``join`` all but the leader go on their own."""
        self.join = join
        for landing in self.waiting:
            if landing is self.leader:
                landing.set_result(lead())
            else:
                landing.set_result(None if join is None else join())

    def doom(self) -> None:
        """What it brings is not to be stored; who waits still gets it."""
        self.doomed = True
        if self.collecting is not None:
            self.collecting.stop_keeping()


async def landed(landing: Landing) -> Obtained | None:
    """Wait for the answer; a viewer who leaves just when it comes leaves no body open."""
    try:
        return await landing
    except asyncio.CancelledError:
        if not landing.cancelled() and landing.exception() is None:
            obtained = landing.result()
            if obtained is not None:
                await obtained.response.body.close()
        raise
