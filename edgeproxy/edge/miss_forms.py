"""What is the same for misses that are alike: forms, with places to be filled in.

A form is made by the pipeline's own steps: they are walked through with marks in place of what
changes, and where the marks come out is what is filled in later. One form is for the requests with
the same header lines from the same address, whatever their path and query; in it there is one for
each kind of answer, whatever the values of its header lines and its body.
"""

import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from edgeproxy.cache.freshness import cache_rules
from edgeproxy.distribution.forwarded import NameSet, plan_of, taken_query
from edgeproxy.distribution.model import Behavior, Distribution, Origin
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.edge import pipeline
from edgeproxy.edge.passage import Passage, Services
from edgeproxy.edge.sealing import sealed
from edgeproxy.edge.sent_bodies import Sent
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import Body
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import Headers
from edgeproxy.http.local_headers import without_local_headers
from edgeproxy.http.messages import Reached, Request, Response
from edgeproxy.origins.client import OriginClient, Way
from edgeproxy.origins.transfer import Transfer
from edgeproxy.server.writing import KEPT_ALIVE, Framing, IllegalHead, frame

__all__ = ["AnswerForm", "MissForm", "Walk", "miss_form", "passing"]

T = TypeVar("T")

_MOST_KINDS: Final = 100
"""How many kinds of answers to requests that are alike are known; all are forgotten then."""

_MARK_ID: Final = "edgeproxy-marks-the-place-of-a-request-id-in-a-message=="
_MARK_DATE: Final = 249_517_862_483.0  # A moment of the year 9876 that nobody names.
_MARK_LENGTH: Final = 98_765_432_109
_MARK_VALUE: Final = "edgeproxy-marks-value-%d-of-an-answer"
_MARKS: Final = re.compile(
    rb"(%b)|(%b)|(%d)|edgeproxy-marks-value-([0-9]{1,4})-of-an-answer"
    % (re.escape(_MARK_ID.encode()), re.escape(format_date(_MARK_DATE).encode()), _MARK_LENGTH)
)
_BY_VALUE: Final = frozenset({b"connection", b"vary", b"via"})
"""The origin's header lines whose values matter to what becomes of the answer."""

_Kind: TypeAlias = tuple[int, bytes, tuple[bytes, ...]]
"""Status, reason and the names of the header lines of an answer."""


class AnswerForm(NamedTuple):
    """``start`` and ``text`` are first line and header lines for the viewer. ``pick`` chooses what
    is filled in from the values of the origin's lines, and behind them the request ID, the date
    and the length. ``like`` is the record of such an answer."""

    start: bytes
    text: bytes
    pick: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
    like: Exchange


class MissForm:
    """What is the same for all requests with the same header lines from one address.

    ``request`` is one of them, ``way`` the one to the origin, on which ``_MARK_ID`` stands.
    """

    def __init__(
        self,
        distribution: Distribution,
        https_port: int,
        services: Services,
        request: Request,
        way: Way,
        query: NameSet,
    ) -> None:
        self.distribution = distribution
        self.https_port = https_port
        self.services = services
        self.way = way
        self.request = request
        self._query = query
        self._middle, _, self._end = way.after.partition(_MARK_ID.encode())
        self._by_value: dict[_Kind, tuple[int, ...]] = {}
        self._answers: dict[tuple[_Kind, tuple[bytes, ...]], AnswerForm | None] = {}

    def target(self, request: Request) -> str:
        """Path and query for the origin; empty where there is more to look at."""
        path = request.path
        if path == "/" and self.distribution.default_root_object:
            return ""
        query = taken_query(self._query, request.query)
        target = path if query is None else f"{path}?{query}"
        return target if target.isascii() and target.isprintable() and " " not in target else ""

    def head(self, target: str, request_id: str) -> bytes:
        """The head of a request to the origin."""
        way = self.way
        return b"".join((way.before, target.encode(), self._middle, request_id.encode(), self._end))

    def answer(
        self, status: int, reason: bytes, names: tuple[bytes, ...], values: tuple[bytes, ...]
    ) -> AnswerForm | None:
        """The form of an answer; None where it takes more than filling in."""
        kind = status, reason, names
        by_value = self._by_value.get(kind)
        if by_value is None:
            if len(self._by_value) >= _MOST_KINDS:
                self._by_value.clear()
            by_value = tuple(i for i, name in enumerate(names) if name.lower() in _BY_VALUE)
            self._by_value[kind] = by_value
        alike = kind, tuple([values[i] for i in by_value]) if by_value else ()
        form = self._answers.get(alike)
        if form is None and alike not in self._answers:
            if len(self._answers) >= _MOST_KINDS:
                self._answers.clear()
            form = self._answers[alike] = self._prepared(kind, values, by_value)
        return form

    def _prepared(
        self, kind: _Kind, values: tuple[bytes, ...], by_value: tuple[int, ...]
    ) -> AnswerForm | None:
        status, reason, names = kind
        marked = [
            (name, value if i in by_value else (_MARK_VALUE % i).encode())
            for i, (name, value) in enumerate(zip(names, values, strict=True))
        ]
        walk = Walk(self.distribution, self.https_port, self.services)
        body = Sent(_MARK_LENGTH, b"")
        response = walk.through(self.request, status, reason, marked, body, _MARK_ID, _MARK_DATE)
        try:
            framed = frame(response, method="GET", version="1.1", keep_alive=True)
        except IllegalHead:
            return None
        if not (
            response.status == status
            and response.body.length == _MARK_LENGTH
            and response.tunnel is None
            and framed.framing is Framing.LENGTH
            and framed.head.endswith(KEPT_ALIVE)
        ):
            return None
        start, end, lines = framed.head.partition(b"\r\n")
        lines = lines.removesuffix(KEPT_ALIVE).replace(b"%", b"%%")
        places = [
            len(values) + mark.lastindex - 1 if mark.lastindex < 4 else int(mark[4])
            for mark in _MARKS.finditer(lines)
            if mark.lastindex is not None
        ]
        if len(places) < 2 or max(places) >= len(values) + 3:
            return None  # Somebody has sent such marks.
        text, pick = _MARKS.sub(b"%b", lines), itemgetter(*places)
        return AnswerForm(start + end, text, pick, walk.exchange)


def miss_form(
    distribution: Distribution,
    behavior: Behavior,
    https_port: int,
    services: Services,
    request: Request,
) -> MissForm | None:
    """The form of requests like ``request``; None where nothing can be prepared."""
    if (
        distribution.geo_restriction.restriction_type != "none"
        or not cache_rules(distribution, behavior).disabled
        or without_local_headers(request) is not request
    ):
        return None
    walk = Walk(distribution, https_port, services)
    walk.through(request, 200, b"", [], Sent(0, b""), _MARK_ID, _MARK_DATE)
    way = None if walk.asked is None else services.origins.way(*walk.asked)
    if way is None or way.after.count(_MARK_ID.encode()) != 1:
        return None
    query = plan_of(behavior).query
    return MissForm(distribution, https_port, services, request, way, query)


@PreparedOnce
def passing(distribution: Distribution) -> frozenset[int]:
    """The identities of the behaviors in which nothing but header lines, path and query counts."""
    return frozenset(id(each) for each in distribution.all_behaviors if _passes_on(each))


def _passes_on(behavior: Behavior) -> bool:
    policy, plan = behavior.response_headers_policy, plan_of(behavior)
    return not (
        behavior.cache.max_ttl_s
        or behavior.functions
        or behavior.trusted_key_groups
        or behavior.field_level_encryption is not None
        or plan.generated
        or (behavior.compress and plan.codings)
        or (policy is not None and policy.server_timing.enabled)
    )


class Walk:
    """The pipeline's steps for a request whose origin answers at once, after ``first_byte_s``.

    It stands in for the origins, and for the clock that times the steps.
    """

    def __init__(
        self,
        distribution: Distribution,
        https_port: int,
        services: Services,
        first_byte_s: float = 0.0,
    ) -> None:
        self._distribution = distribution
        self._https_port = https_port
        self._services = services
        self._first_byte_s = first_byte_s
        self._elapsed_s = 0.0
        self._now = 0.0
        self._answer = Response(200)
        self.asked: tuple[Request, Origin] | None = None
        """What the origin was asked."""
        self.exchange: Exchange

    def through(
        self,
        request: Request,
        status: int,
        reason: bytes,
        lines: list[tuple[bytes, bytes]],
        body: Body,
        request_id: str,
        now: float,
    ) -> Response:
        """What the viewer gets for an answer of the origin."""
        distribution, services = self._distribution, self._services
        texts = [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in lines]
        reached = Reached(self._first_byte_s)
        self._answer = Response(status, Headers(texts), body, reason.decode(), reached=reached)
        self._now = now
        name = distribution.logical_id
        self.exchange = Exchange(request_id, "distribution", name, request, now, self)
        staged = replace(services, origins=cast(OriginClient, self))
        passage = Passage(distribution, staged, self.exchange, self._https_port)
        verdict = _finished(pipeline.viewer_facing(passage, request))
        return sealed(distribution, self.exchange, verdict, services.identity, now)

    async def fetch(self, request: Request, origin: Origin, begun: Transfer | None) -> Response:
        self.asked = request, origin
        self._elapsed_s = self._first_byte_s
        return self._answer

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_s


def _finished(steps: Coroutine[Any, Any, T]) -> T:
    """The result of steps that wait for nothing."""
    try:
        steps.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    raise AssertionError("there is nothing to wait for")
