"""Sends visitors through a running edge and counts what they see.

Visitors come in batches. In a batch each of them makes one request a round; between rounds, and
between batches, the edge's clock moves.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from typing import Final

import aiohttp
from yarl import URL

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.experiments.recognition import (
    Answer,
    Record,
    cause_of,
    is_stored_with_object,
    key_of,
    needs_steps,
)
from edgeproxy.experiments.running_edge import EdgeLost, Records, RunningEdge
from edgeproxy.experiments.statistics import certainly_off
from edgeproxy.experiments.tally import Seen, Tally
from edgeproxy.experiments.visitors import Visitor, population
from edgeproxy.tasks import Tasks

__all__ = ["Moment", "Plan", "Run", "run_experiment"]

_BATCHES: Final = 40
_BATCH: Final = range(50, 501)
"""How many visitors come together: a fortieth of all, within these bounds."""
_ANSWER_S: Final = 60
_LOOK_INTO: Final = 100
"""Of how many new visitors with an answer from the cache the whole record is looked at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much traffic, and of what kind. The same seed gives the same visitors."""

    visitors: int = 10_000
    requests: int = 5
    concurrency: int = 32
    seed: int = 1
    pause_s: float = 60
    """How much of the edge's time lies between two requests of a visitor."""
    span_s: float = 86_400
    """Over how much of the edge's time all visits are spread, if the pauses let them."""
    stops_early: bool = True
    session: tuple[str, ...] = ()
    """The paths that every visitor goes along, in order; empty: those of the experiment, at random.
    """


@dataclass(frozen=True, slots=True)
class Moment:
    """The run after some of its visitors: totals so far."""

    visitors: int
    clock: float
    """The edge's time, in seconds since the epoch."""
    by_variant: dict[str, int]
    leaks: int
    switches: int
    requests: int
    hits: int
    errors: int


@dataclass(slots=True)
class Run:
    """A run and its result, also while it is under way."""

    experiment: Experiment
    plan: Plan
    tally: Tally
    url: str = ""
    visitors: int = 0
    """How many have made all their requests."""
    moments: list[Moment] = field(default_factory=list)
    duration_s: float = 0.0
    stopped: str = ""
    """Why it ended before the last visitor; empty when it did not."""
    partial: bool = False
    """Whether it could not go on to the end."""


async def run_experiment(run: Run, control: str, tell: Callable[[Run], None]) -> None:
    """Carry out ``run`` on the edge at ``control``; ``tell`` hears after each batch.

    An edge that is lost on the way, an interruption, and an early end because of requests that
    fail make it a partial run.
    """
    began = Clock.monotonic()
    tasks = Tasks()
    try:
        async with AsyncExitStack() as stack:
            traffic = await _Traffic.over(stack, run, control, tasks)
            try:
                await traffic.pass_through(tell)
            finally:
                await traffic.turn_back()
    except EdgeLost as lost:
        if not run.url:
            raise
        run.partial, run.stopped = True, str(lost)
    except asyncio.CancelledError:
        run.partial, run.stopped = True, "it was interrupted"
    finally:
        await tasks.close()
        run.duration_s = Clock.monotonic() - began


class _Traffic:
    def __init__(
        self,
        run: Run,
        session: aiohttp.ClientSession,
        edge: RunningEdge,
        records: Records | None,
    ) -> None:
        self._run = run
        self._session = session
        self._edge = edge
        self._records = records
        self._chance = Chance(run.plan.seed)
        self._now = 0.0
        self._lost: EdgeLost | None = None
        self._looked_into = 0

    @classmethod
    async def over(cls, stack: AsyncExitStack, run: Run, control: str, tasks: Tasks) -> "_Traffic":
        connector = aiohttp.TCPConnector(limit=0, ssl=False)  # The edge's certificate is its own.
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
            )
        )
        edge = RunningEdge(session, control)
        run.url = await edge.door(run.experiment.door)
        records = None
        if run.experiment.needs_records:
            records = await stack.enter_async_context(edge.records(tasks))
        return cls(run, session, edge, records)

    async def turn_back(self) -> None:
        """Leave the edge's clock as it was."""
        if self._lost is None:
            await self._edge.turn_back()

    async def pass_through(self, tell: Callable[[Run], None]) -> None:
        run, plan = self._run, self._run.plan
        visitors = population(plan.visitors, plan.seed)
        size = min(max(plan.visitors // _BATCHES, _BATCH[0]), _BATCH[-1])
        batches = ceil(plan.visitors / size)
        rest_s = max(0.0, plan.span_s / batches - plan.pause_s * plan.requests)
        self._now = await self._edge.now()
        for number in range(batches):
            batch = list(islice(visitors, size))
            self._take_sides(batch)
            for request in range(plan.requests):
                await self._round(batch, request)
                self._now = await self._edge.advance(plan.pause_s)
            self._now = await self._edge.advance(rest_s)
            for visitor in batch:
                run.tally.left(visitor)
            run.visitors += len(batch)
            self._note_moment(number, batches)
            tell(run)
            if not plan.stops_early or run.visitors == plan.visitors:
                continue
            if _fails(run):
                # What came of it says little of the sides.
                run.partial, run.stopped = True, "more requests have failed than may"
                break
            if certain := _certain(run):
                run.stopped = certain
                break

    def _take_sides(self, batch: list[Visitor]) -> None:
        """Where visitors themselves say which side they are on."""
        mark, shares = self._run.experiment.assignment, self._run.experiment.shares
        if mark.kind is MarkKind.SENT_HEADER:
            for visitor in batch:
                side = self._chance.draw(list(shares), list(shares.values()))
                visitor.sends = mark.name, mark.texts[side]

    async def _round(self, batch: list[Visitor], request: int) -> None:
        """One request of each; at most ``concurrency`` of them under way."""
        waiting = iter(batch)
        seen: list[Seen] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._run.plan.concurrency, len(batch))):
                _ = group.create_task(self._visit(waiting, request, seen))
        if self._lost is not None:
            raise self._lost
        self._run.tally.round(seen)
        await self._look_up_keys()
        await self._look_up_causes()
        if self._records is not None:
            self._records.forget()

    async def _visit(self, waiting: Iterator[Visitor], request: int, seen: list[Seen]) -> None:
        for visitor in waiting:
            path = self._path(request)
            try:
                seen.append(await self._ask(visitor, request, path))
            except EdgeLost as lost:
                self._lost = lost
            if self._lost is not None:
                return

    def _path(self, request: int) -> str:
        if session := self._run.plan.session:
            return session[request % len(session)]
        # Visitors begin with the first path, and go on where they like.
        paths = self._run.experiment.paths
        return paths[0] if request == 0 else self._chance.draw(paths, [1] * len(paths))

    async def _ask(self, visitor: Visitor, request: int, path: str) -> Seen:
        mark, where = self._run.experiment.assignment, path.partition("?")[0]
        headers = [*visitor.headers, *visitor.local_headers]
        if cookies := visitor.jar.header(where, self._now):
            headers.append(("Cookie", cookies))
        if self._records is not None:
            headers.append(("x-edgeproxy-explain", "1"))
        if visitor.sends is not None and visitor.sends[1]:
            headers.append(visitor.sends)
        by_cookie = mark.kind is MarkKind.COOKIE
        sent = visitor.jar.value(mark.name, where, self._now) if by_cookie else None
        began = Clock.monotonic()
        try:
            async with self._session.get(
                URL(self._run.url + path, encoded=True),
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await response.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError):
            duration_ms = (Clock.monotonic() - began) * 1000
            return Seen(visitor, request, path, sent, Answer(0), duration_ms)
        duration_ms = (Clock.monotonic() - began) * 1000
        lines = response.headers.getall("Set-Cookie", [])
        if lines:
            visitor.jar.store(lines, where, self._now)
        exchange_id = str(
            response.headers.get("x-edgeproxy-exchange", response.headers.get("X-Amz-Cf-Id", ""))
        )
        record = await self._record(exchange_id)
        if lines and by_cookie and sent is None:
            await self._look_into(response.headers.get("X-Cache", ""), exchange_id)
        own = visitor.sends[1] if visitor.sends is not None else None
        if by_cookie:
            own = visitor.jar.value(mark.name, where, self._now)
        answer = Answer(response.status, tuple(response.headers.items()), body, own, record)
        return Seen(visitor, request, path, sent, answer, duration_ms, exchange_id)

    async def _record(self, exchange_id: str) -> Record | None:
        """As much of the edge's record as telling the variants takes."""
        if self._records is None or not exchange_id:
            return None
        summary = await self._records.of(exchange_id)
        if needs_steps(self._run.experiment, summary):
            return await self._edge.exchange(exchange_id)
        return summary

    async def _look_into(self, x_cache: str, exchange_id: str) -> None:
        """Whether the cookie that a new visitor got was stored with an object."""
        if x_cache.startswith(("Hit", "RefreshHit")) and self._looked_into < _LOOK_INTO:
            self._looked_into += 1
            record = await self._edge.exchange(exchange_id)
            name = self._run.experiment.assignment.name
            self._run.tally.stored_cookies += is_stored_with_object(name, record)

    async def _look_up_keys(self) -> None:
        """While the edge still has the records of new examples."""
        for example in self._run.tally.examples:
            if example.kind == "leak" and example.key is None:
                example.key = key_of(await self._edge.exchange(example.exchange_id))

    async def _look_up_causes(self) -> None:
        """Why requests ended with an error, once for each problem, while the records are there."""
        tally = self._run.tally
        for problem, exchange_ids in tally.troubled.items():
            tally.causes[problem] = ""
            for exchange_id in exchange_ids:
                # No verdict needs it: an edge that is lost is told by the next request.
                with suppress(EdgeLost):
                    tally.causes[problem] = cause_of(await self._edge.exchange(exchange_id))
                if tally.causes[problem]:
                    break
        tally.troubled.clear()

    def _note_moment(self, number: int, batches: int) -> None:
        if number % ceil(batches / _BATCHES) and number != batches - 1:
            return
        tally = self._run.tally
        totals = tally.by_variant.values()
        self._run.moments.append(
            Moment(
                self._run.visitors,
                self._now,
                dict(tally.visitors),
                tally.leaked,
                tally.switches,
                sum(each.requests for each in totals),
                sum(each.hits for each in totals),
                sum(each.errors for each in totals),
            )
        )


def _fails(run: Run) -> bool:
    """Whether more requests have failed than may of all that are planned."""
    most = run.experiment.requirements.max_error_ratio
    planned = run.plan.visitors * run.plan.requests
    return most is not None and run.tally.errors > most * planned


def _certain(run: Run) -> str:
    """Why more visitors cannot change the verdict any more; empty while they can."""
    tally, must = run.tally, run.experiment.requirements
    if must.max_leaks is not None and tally.leaked > must.max_leaks:
        return "there are more leaks than may be"
    if must.max_switches is not None and tally.switches > must.max_switches:
        return "more visitors have changed sides than may"
    if must.max_unassigned is not None and tally.unassigned > must.max_unassigned:
        return "more visitors are without a variant than may be"
    if must.max_stored_cookies is not None and tally.stored_cookies > must.max_stored_cookies:
        return "visitors get cookies that are stored with objects"
    if must.share_alpha is not None and certainly_off(
        tally.visitors, run.experiment.shares, must.share_alpha
    ):
        return "the shares are certainly not the expected ones"
    return ""
