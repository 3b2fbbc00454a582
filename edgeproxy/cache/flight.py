"""One fetch on its way, what its viewers get from it, and the viewers who wait.

The viewer who set a flight off is its leader. Others who ask for the same key before the head of
the answer is there wait for it; each gets a body of its own, or hears that the answer was for the
leader alone and asks the origin itself (CDN-COL-01, CDN-COL-05).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edgeproxy.cache.collecting import CollectingBody
from edgeproxy.cache.entry import Entry, Lookup, Miss
from edgeproxy.cache.fetched import Fetched
from edgeproxy.cache.freshness import CacheRules, Decision
from edgeproxy.cache.key import CacheKey
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response

__all__ = ["Errand", "Flight", "Landing", "Obtained", "Outcome", "landed"]

Outcome: TypeAlias = Literal["Hit", "RefreshHit", "Miss"]


@dataclass(frozen=True, slots=True)
class Obtained:
    """What the cache has for a request.

    ``response`` has no ``Age`` added; its body is for this caller, to be read or closed.
    ``age_s`` is set when the answer came out of the cache. ``stored`` is what was decided about
    storing a fetched answer, None when nothing was fetched. ``entry`` is the whole stored object,
    when the answer is made from one.
    """

    lookup: Lookup
    outcome: Outcome
    response: Response
    age_s: int | None = None
    stored: Decision | None = None
    detail: str = ""
    entry: Entry | None = None

    @classmethod
    def uncached(cls, fetched: Fetched, why: str) -> "Obtained":
        """A fetched answer that the cache has nothing to do with."""
        return cls(Miss(why), "Miss", fetched.response, detail=fetched.detail)


@dataclass(frozen=True, slots=True)
class Errand:
    """What a request wants of the origin."""

    key: CacheKey
    rules: CacheRules
    lookup: Lookup
    stale: Entry | None
    validators: Headers | None


Landing: TypeAlias = asyncio.Future[Obtained | None]


class Flight:
    """One fetch that fills the store, and the viewers who wait for it."""

    __slots__ = ("collecting", "doomed", "errand", "join", "leader", "waiters")

    def __init__(self, errand: Errand, leader: Landing | None) -> None:
        self.errand = errand
        self.leader = leader
        """The viewer who set it off; None for a revalidation in the background."""
        self.waiters: list[Landing] = []
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

    async def joined(self) -> Obtained | None:
        """The answer for one more viewer, or None: that viewer must ask the origin."""
        if self.join is not None:
            return self.join()
        landing: Landing = asyncio.get_running_loop().create_future()
        self.waiters.append(landing)
        return await landed(landing)

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
