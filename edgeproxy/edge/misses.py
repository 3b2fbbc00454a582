"""Misses of behaviors that pass requests on: prepared as far as they are alike.

Where caching is off and no function runs, what goes to the origin follows from the viewer's header
lines, path and query; and what the viewer gets, from the origin's header lines and body. Both are
filled into forms (:mod:`edgeproxy.edge.miss_forms`), which the pipeline's own steps have made. The
record of such a request is made by the same steps, when somebody looks at it.

The origin is asked over a connection that waits for a request. Its answer is taken here if it is of
the plainest form (:mod:`edgeproxy.origins.plain`) and no error. For all else the pipeline tells the
story from its beginning, with an origin that has been asked already.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from edgeproxy.distribution.forwarded import forwards_cookies
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge.miss_forms import AnswerForm, MissForm, Walk, miss_form, passing
from edgeproxy.edge.passage import Begun, Services
from edgeproxy.edge.sent_bodies import Sent
from edgeproxy.exchange.delivery import complete, end_unanswered
from edgeproxy.exchange.model import Exchange, Step
from edgeproxy.http.body import EMPTY_BODY, PREVIEW_BYTES, Body, BytesBody
from edgeproxy.http.dates import format_date
from edgeproxy.http.headers import WrittenHeaders
from edgeproxy.http.messages import Asked, Delivered, Reached, Repeated, Request, Rerun, Response
from edgeproxy.origins.plain import PlainAnswer
from edgeproxy.origins.transfer import Transfer
from edgeproxy.server.writing import KEPT_ALIVE

if TYPE_CHECKING:
    from edgeproxy.edge.location import EdgeLocation

__all__ = ["PlainMiss", "PlainMisses", "RepeatableMiss"]

_MOST: Final = 2_000
"""How many sets of header lines are known; all are forgotten then."""

_Asked: TypeAlias = tuple[int, str, str, tuple[tuple[str, str], ...]]
"""The behavior, the viewer's address and protocol, and its header lines; cookies if they matter."""


class PlainMisses:
    """Those of one edge location."""

    def __init__(self, location: "EdgeLocation", services: Services) -> None:
        self._location = location
        self._services = services
        self._distribution: Distribution | None = None
        self._https_port = 0
        self._forms: dict[_Asked, MissForm | None] = {}
        self._seen: set[int] = set()
        """Hashes of what was asked: it is prepared for at its second sight."""

    def begin(
        self, distribution: Distribution, https_port: int, request: Request
    ) -> "PlainMiss | None":
        """``request``, of which the origin has been asked; None when it takes the ordinary way."""
        behaviors = passing(distribution)
        if not behaviors or request.method != "GET" or request.version != "1.1":
            return None
        behavior = match_behavior(distribution, request.path)
        viewer = request.viewer
        if (
            id(behavior) not in behaviors
            or request.body is not EMPTY_BODY
            or request.upgrade
            or viewer.mutual_tls is not None
        ):
            return None
        if distribution is not self._distribution or https_port != self._https_port:
            self._distribution, self._https_port = distribution, https_port
            self._forms.clear()
        headers = request.headers
        if "Cookie" in headers and not forwards_cookies(behavior):
            headers = headers.without("Cookie")
        asked = id(behavior), viewer.ip, viewer.scheme, tuple(headers)
        form = self._forms.get(asked)
        if form is None:
            if asked not in self._forms and self._is_seen_again(asked):
                services = self._services
                form = miss_form(distribution, behavior, https_port, services, request)
                if len(self._forms) >= _MOST:
                    self._forms.clear()
                self._forms[asked] = form
            return None
        target = form.target(request)
        transfer = self._services.origins.waiting(form.way, request) if target else None
        if transfer is None:
            return None
        return PlainMiss(form, request, target, transfer, self._location)

    def _is_seen_again(self, asked: _Asked) -> bool:
        seen = hash(asked)
        if seen in self._seen:
            return True
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen.add(seen)
        return False


class RepeatableMiss(Rerun):
    """Of a request that was prepared for."""

    __slots__ = ("_form", "_location", "_target")

    def __init__(self, miss: "PlainMiss") -> None:
        self._location = miss.location
        self._form = miss.form
        self._target = miss.target

    def begin(self, asked: Asked) -> "PlainMiss | None":
        location, form = self._location, self._form
        if location.distribution is not form.distribution or location.https_port != form.https_port:
            return None
        transfer = form.services.origins.waiting(form.way, form.request)
        return (
            None if transfer is None else PlainMiss(form, asked, self._target, transfer, location)
        )


class PlainMiss:
    """One such request, of which the origin is asked; its answer and its record.

    It is also what a connection waits for, and writes: :class:`edgeproxy.http.messages.Coming` and
    :class:`edgeproxy.http.messages.Repeated`.
    """

    cache_key: Final = b""
    is_plain: Final = False
    run: Final = None

    __slots__ = (
        "_answered",
        "_asked",
        "_delivered",
        "_exchange",
        "_filled",
        "_first_byte_s",
        "_plain",
        "_seen",
        "_written",
        "begun",
        "duration_s",
        "form",
        "id",
        "location",
        "missed_s",
        "started",
        "target",
        "transfer",
    )

    def __init__(
        self,
        form: MissForm,
        asked: Request | Asked,
        target: str,
        transfer: Transfer,
        location: "EdgeLocation",
    ) -> None:
        services = form.services
        self.form = form
        self._asked = asked
        self.target = target
        """Path and query for the origin."""
        self.location = location
        self._exchange: Exchange | None = None
        self._plain: PlainAnswer
        self._filled: AnswerForm
        self._written: bytes
        self._seen: Body
        self.id = services.chance.request_id()
        self.started = services.clock.now()
        self.begun = services.clock.monotonic()
        self.transfer = transfer
        transfer.begin(form.head(target, self.id))

    async def answer(self) -> Response | None:
        """The answer; None when it takes the ordinary way from here on."""
        plain = await self.transfer.plain()
        if plain is None or not self._fill(plain):
            return None
        return Response(
            plain.status,
            self._headers,
            BytesBody(plain.body),
            plain.reason.decode(),
            on_delivered=self._ended,
            repeat=RepeatableMiss(self),
        )

    def then(self, arrived: Callable[[Repeated | None], None]) -> None:
        """Have ``arrived`` called with the answer; with None, it is for :meth:`ordinary`."""

        def answered(plain: PlainAnswer | None) -> None:
            arrived(self if plain is not None and self._fill(plain) else None)

        self.transfer.plain_then(answered)

    async def ordinary(self, request: Request) -> Response:
        """The answer by the whole story."""
        self._asked = request
        begun = Begun(self.opened(), asked=self.transfer)
        return await self.location.tell(self.form.distribution, request, begun=begun)

    def abandon(self) -> None:
        """The viewer has left before there was an answer to fill in."""
        self.transfer.close()
        self.ended_by(asyncio.CancelledError())

    def ended_by(self, error: BaseException) -> None:
        """There is no answer because of ``error``."""
        end_unanswered(self.opened(), error, self.form.services.recorder)

    def _fill(self, plain: PlainAnswer) -> bool:
        """Make the viewer's answer of the origin's; False where that takes more."""
        status, reason, names, values, data = plain
        form = self.form.answer(status, reason, names, values) if status < 400 else None
        if form is None:
            return False
        clock = self.form.services.clock
        self._first_byte_s = self.missed_s = clock.monotonic() - self.begun
        self._answered = now = clock.now()
        self.transfer.finish()
        del self.transfer  # The record goes on without it.
        told = (*values, self.id.encode(), _date(int(now)), b"%d" % len(data))
        self._plain, self._filled = plain, form
        self._written = form.text % form.pick(told)
        return True

    @property
    def head(self) -> bytes:
        """The whole head for a viewer whose connection stays open."""
        return b"%b%b%b" % (self._filled.start, self._written, KEPT_ALIVE)

    @property
    def body(self) -> bytes:
        return self._plain.body

    @property
    def _headers(self) -> WrittenHeaders:
        return WrittenHeaders(self._written, len(self._plain.body))

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        """The last byte was sent, or the viewer left."""
        self._ended(Delivered(bytes_sent, aborted))

    def _ended(self, delivered: Delivered) -> None:
        services = self.form.services
        self.duration_s = services.clock.monotonic() - self.begun
        self._delivered = delivered
        data = self._plain.body
        if len(data) > PREVIEW_BYTES:  # Records keep no more of it than its beginning.
            self._plain = self._plain._replace(body=b"")
            self._seen = Sent(len(data), data[:PREVIEW_BYTES])
        else:
            self._seen = BytesBody(data)
        services.recorder.repeated(self)

    @property
    def request(self) -> Request:
        """The viewer's."""
        if not isinstance(self._asked, Request):
            self._asked = self._asked.request()
        return self._asked

    @property
    def name(self) -> str:
        """The logical ID of the distribution."""
        return self.form.distribution.logical_id

    @property
    def status(self) -> int:
        return self._plain.status

    @property
    def bytes_sent(self) -> int:
        return self._delivered.bytes_sent

    @property
    def aborted(self) -> bool:
        return self._delivered.aborted

    @property
    def port(self) -> int:
        return self.request.viewer.port

    @property
    def like(self) -> Exchange:
        return self.summary

    @property
    def exchange(self) -> Exchange:
        """The record; made at the first look."""
        if self._exchange is None:
            self._exchange = self._recorded()
        return self._exchange

    @property
    def summary(self) -> Exchange:
        """The record without its steps, but for the origin's own times."""
        if self._delivered.aborted:
            return self.exchange
        exchange, like, first_byte_s = self.opened(), self._filled.like, self._first_byte_s
        headers = WrittenHeaders(self._written, self._seen.length or 0)
        response = Response(self.status, headers, self._seen, self._plain.reason.decode())
        exchange.response = response
        exchange.steps.append(Step("origin", 0.0, first_byte_s, after=response))
        exchange.result_type = exchange.response_result_type = like.result_type
        exchange.detailed_result_type = like.detailed_result_type
        exchange.layer, exchange.path_pattern = like.layer, like.path_pattern
        exchange.origin_id, exchange.origin_domain_name = like.origin_id, like.origin_domain_name
        exchange.origin_reached = Reached(first_byte_s)
        exchange.origin_first_byte_s = exchange.origin_last_byte_s = first_byte_s
        exchange.first_byte_s = self.missed_s
        complete(exchange, self._delivered, self.duration_s)
        return exchange

    def opened(self) -> Exchange:
        """The record as the ordinary way begins it."""
        clock = self.form.services.clock
        exchange = Exchange(self.id, "distribution", self.name, self.request, self.started, clock)
        exchange.backdate(self.begun)
        return exchange

    def _recorded(self) -> Exchange:
        form, (status, reason, names, values, data) = self.form, self._plain
        walk = Walk(form.distribution, form.https_port, form.services, self._first_byte_s)
        lines = list(zip(names, values, strict=True))
        response = walk.through(
            self.request, status, reason, lines, BytesBody(data), self.id, self._answered
        )
        exchange, body = walk.exchange, self._seen
        for step in exchange.steps:
            if isinstance(step.after, Response):
                step.after = replace(step.after, body=body)
        exchange.started = self.started
        exchange.response = replace(response, body=body)
        exchange.first_byte_s = self.missed_s
        complete(exchange, self._delivered, self.duration_s)
        return exchange


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return format_date(second).encode()
