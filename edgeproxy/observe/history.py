"""The newest exchanges, kept for people and programs to look at.

What is kept is a copy that holds no connection open and of each body no more than its beginning:
what was seen of it. Its length and the size of the functions' logs in it bound the history's
memory.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final

from edgeproxy.exchange.model import Exchange, RepeatedHit, Step
from edgeproxy.http.body import PREVIEW_BYTES, Body, BytesBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.observe.following import Ended, Follower

__all__ = ["History", "SeenBody"]

_MAX_LOG_CHARS: Final = 32 * 1024 * 1024
"""How much of functions' logs may be kept: one invocation may write 256 KB."""
_LINE_CHARS: Final = 150
"""What a line takes besides its text; a function may write empty ones."""


_VALUES: Final = attrgetter(*(field.name for field in fields(Exchange) if field.init))
"""Of an exchange, in the order in which one is made of them."""


@dataclass(frozen=True, slots=True)
class SeenBody:
    """What is left of a body that has passed: its size and its first bytes."""

    passed: int
    preview: bytes
    length: int | None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.preview:
            yield self.preview

    async def close(self) -> None:
        return None


class History:
    """A recorder that keeps the newest ``limit`` exchanges and lets others follow along.

    With a ``limit`` of 0 nothing is kept, and no more is done for an exchange than who follows
    needs.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._table: OrderedDict[str, Exchange | RepeatedHit] = OrderedDict()
        self._newest: list[RepeatedHit] = []
        """What has yet to get a place in the table."""
        self._log_chars = 0
        self._followers: set[Follower] = set()
        self._grown = asyncio.Event()

    @property
    def keeps_any(self) -> bool:
        """Whether there is ever anything to look back at."""
        return self._limit > 0

    def ended(self, exchange: Exchange) -> None:
        if not (self._limit or self._followers):
            return
        exchange = _settled(exchange)
        kept = self._kept
        kept[exchange.id] = exchange
        self._log_chars += _log_chars(exchange)
        while len(kept) > self._limit or self._log_chars > _MAX_LOG_CHARS:
            self._drop_oldest()
        self._grown.set()
        for follower in self._followers:
            follower.ended(exchange)

    def repeated(self, hits: Sequence[RepeatedHit]) -> None:
        for follower in self._followers:
            follower.repeated(hits)
        if not self._limit:
            return
        self._newest += hits
        if len(self._newest) >= 2 * self._limit:
            del self._newest[: -self._limit]
        self._grown.set()

    @property
    def _kept(self) -> OrderedDict[str, Exchange | RepeatedHit]:
        """All that is kept, by ID. Hits get their places here when somebody looks."""
        if self._newest:
            hits, self._newest = self._newest[-self._limit :], []
            self._table.update((hit.id, hit) for hit in hits)
            while len(self._table) > self._limit:
                self._drop_oldest()
        return self._table

    def _drop_oldest(self) -> None:
        _, oldest = self._table.popitem(last=False)
        if isinstance(oldest, Exchange):
            self._log_chars -= _log_chars(oldest)

    def get(self, exchange_id: str) -> Exchange | None:
        """The exchange of that ID if it is still kept."""
        kept = self._kept.get(exchange_id)
        return None if kept is None else _shown(kept)

    def newest(self, limit: int, after: str | None = None) -> tuple[list[Exchange], str | None]:
        """Up to ``limit`` exchanges, newest first, and the ID to pass as ``after`` for more.

        ``after`` continues with those older than that exchange; when it is no longer kept, they
        are not either. The ID is None at the end.
        """
        newest_first = list(reversed(self._kept.values()))
        start = 0
        if after is not None:
            ids = (i + 1 for i, e in enumerate(newest_first) if e.id == after)
            start = next(ids, len(newest_first))
        page = [_shown(kept) for kept in newest_first[start : start + limit]]
        more = start + limit < len(newest_first)
        return page, page[-1].id if page and more else None

    def since(self, started: float) -> Iterator[Exchange]:
        """The kept exchanges that began then or later, newest first; repeated hits without steps.

        ``started`` is a time of the edge's clock.
        """
        for kept in reversed(self._kept.values()):
            if kept.started >= started:
                yield kept if isinstance(kept, Exchange) else kept.summary

    def after(self, last_id: str | None) -> tuple[list[Exchange | RepeatedHit], bool]:
        """What has ended after ``last_id``, oldest first, and whether that is all of it.

        It is not when ``last_id`` is no longer kept. After None, all that is kept.
        """
        found: list[Exchange | RepeatedHit] = []
        for kept in reversed(self._kept.values()):
            if kept.id == last_id:
                return found[::-1], True
            found.append(kept)
        return found[::-1], last_id is None

    async def wait_for(self, count: int) -> list[Exchange]:
        """The newest ``count`` exchanges, newest first, as soon as that many have ended."""
        while len(self._kept) < count:
            self._grown.clear()
            await self._grown.wait()
        return [_shown(kept) for kept in list(reversed(self._kept.values()))[:count]]

    async def follow(self, last_id: str | None = None) -> AsyncGenerator[Ended, None]:
        """Exchanges as they end, oldest first; those after ``last_id`` that are kept come first.

        A ``last_id`` that is no longer kept, or of an earlier run, is older than all that are.
        """
        follower = Follower()
        self._followers.add(follower)
        try:
            if last_id is not None:
                kept = list(self._kept.values())
                position = next((i + 1 for i, e in enumerate(kept) if e.id == last_id), 0)
                if kept[position:]:
                    yield Ended(kept[position:])
            async with aclosing(follower.follow()) as coming:
                async for ended in coming:
                    yield ended
        finally:
            self._followers.discard(follower)


def _shown(kept: Exchange | RepeatedHit) -> Exchange:
    return kept if isinstance(kept, Exchange) else _settled(kept.exchange)


def _log_chars(exchange: Exchange) -> int:
    runs = exchange.functions
    lines = (line for run in runs for line in run.log)
    return sum(len(line.message) + _LINE_CHARS for line in lines) if runs else 0


def _settled(exchange: Exchange) -> Exchange:
    """A copy with every body replaced by what was seen of it.

    A fetch that goes on after its viewer has left still writes into the original.
    """
    seen: dict[int, SeenBody] = {}
    # Field by field, since this is done for each request: ``replace`` takes three times as long.
    settled = Exchange(*_VALUES(exchange))
    settled.request = _settled_request(exchange.request, seen)
    if exchange.response is not None:
        settled.response = _settled_response(exchange.response, seen)
    settled.steps = [
        Step(
            step.name,
            step.started_s,
            step.duration_s,
            step.decision,
            _settled_message(step.before, seen),
            _settled_message(step.after, seen),
            step.function,
        )
        for step in exchange.steps
    ]
    return settled


def _settled_message(
    message: Request | Response | None, seen: dict[int, SeenBody]
) -> Request | Response | None:
    match message:
        case Request():
            return _settled_request(message, seen)
        case Response():
            return _settled_response(message, seen)
        case None:
            return None


def _settled_request(request: Request, seen: dict[int, SeenBody]) -> Request:
    body = _seen_of(request.body, seen)
    return request if body is request.body else replace(request, body=body)


def _settled_response(response: Response, seen: dict[int, SeenBody]) -> Response:
    body = _seen_of(response.body, seen)
    if body is response.body and not (response.tunnel or response.on_delivered):
        return response
    return replace(response, body=body, tunnel=None, on_delivered=None)


def _seen_of(body: Body, seen: dict[int, SeenBody]) -> Body:
    if isinstance(body, BytesBody) and len(body.data) <= PREVIEW_BYTES:
        return body  # All of it is seen.
    if id(body) not in seen:
        seen[id(body)] = SeenBody(body.passed, body.preview, body.length)
    return seen[id(body)]
