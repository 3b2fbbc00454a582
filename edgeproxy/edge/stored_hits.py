"""Objects that are at hand, as answers: the same bytes as the pipeline's, without the pipeline.

What the pipeline makes of a fresh object follows from the request, the object and the time alone,
once the function at the viewer request has spoken. So it is walked through once, with marks for
what changes, and the marked places are filled in for each request after that. The record of such a
request is made by the same walk, when somebody looks at it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from edgeproxy.cache.arrivals import served
from edgeproxy.cache.entry import Entry
from edgeproxy.cache.key import cache_key
from edgeproxy.cache.validation import look_up
from edgeproxy.distribution.model import Distribution
from edgeproxy.edge import lookup, pipeline, policy_headers
from edgeproxy.edge.delivery import without_vain_range
from edgeproxy.edge.outcomes import Scene
from edgeproxy.edge.passage import Passage, Services
from edgeproxy.edge.prepared_heads import (
    MARK_AGE,
    MARK_DATE,
    MARK_ID,
    PreparedHead,
    Template,
    marked,
    mattering,
    with_marks,
)
from edgeproxy.edge.sealing import sealed
from edgeproxy.edge.sent_bodies import Left
from edgeproxy.exchange.delivery import complete
from edgeproxy.exchange.model import Exchange, FunctionRun, Step
from edgeproxy.http.body import BytesBody
from edgeproxy.http.conditions import asked_ranges
from edgeproxy.http.messages import Asked, Delivered, Request, Response
from edgeproxy.server.writing import IllegalHead, frame

if TYPE_CHECKING:
    from edgeproxy.edge.location import EdgeLocation

__all__ = ["MOST_HEADS", "Heads", "Kind", "PreparedHeads", "RepeatedAnswer", "StoredHits"]

_Marked: TypeAlias = tuple[bytes, slice | None]
"""A head with marks, and which part of the object's body is sent with it; None for all."""

MOST_HEADS: Final = 2_000
_MOST_TEMPLATES: Final = 1_000

Heads: TypeAlias = dict[tuple["Kind", bytes], PreparedHead]
"""What is sent before the body, by the object's head."""


class Kind:
    """Hits that differ in their objects alone, and the table for the heads of their answers."""

    __slots__ = ("has_templates", "heads", "most_heads")

    def __init__(self, heads: Heads, most_heads: int, *, has_templates: bool) -> None:
        self.heads = heads
        self.most_heads = most_heads
        self.has_templates = has_templates
        """Whether one answer serves as the model of others."""


class PreparedHeads:
    """What is known of heads of answers at an edge location; bounded."""

    def __init__(self) -> None:
        self.of_objects: Heads = {}
        self.templates: dict[tuple[object, ...], Template | None] = {}
        """None where the values of headers matter."""
        self.likes: dict[tuple[object, ...], Exchange] = {}
        """Records to make others of, by the head of the request and that of its answer."""


class StoredHits:
    """Answers with a distribution's objects, for as long as it stays as it is.

    An object is looked for each time: one that has expired or was invalidated is not served.
    """

    __slots__ = ("_distribution", "_location", "name", "services")

    def __init__(
        self, location: "EdgeLocation", distribution: Distribution, services: Services
    ) -> None:
        self._location = location
        self._distribution = distribution
        self.services = services
        self.name = distribution.logical_id

    def answered(
        self,
        kind: Kind,
        digest: bytes,
        asked: Asked,
        now: float,
        begun: float,
        exchange_id: str = "",
        result: object = None,
        started: float | None = None,
    ) -> "RepeatedAnswer | None":
        """The answer to a request that began then; None when the object is not at hand.

        ``result`` is that of the function at its viewer request; then it has an ID already, and
        had ``started`` before the function.
        """
        services = self.services
        entry = services.tiers.edge.at_hand(digest, now)
        if entry is None or not isinstance(entry.body, bytes):
            return None
        prepared = kind.heads.get((kind, entry.head))
        if prepared is None or not prepared.is_of(entry):
            prepared = self._prepare(kind, asked, entry, now)
            if prepared is None:
                return None
        if not exchange_id:
            exchange_id = services.chance.request_id()
        before, after = prepared.around_id(entry.age_s(now), now)
        head = b"%b%b%b" % (before, exchange_id.encode(), after)
        body: bytes | memoryview = entry.body
        if prepared.part is not None:
            body = memoryview(body)[prepared.part]
        kept, times = prepared.kept(entry), (now, begun, now if started is None else started)
        return RepeatedAnswer(
            self, prepared, exchange_id, digest, asked, kept, head, body, times, result
        )

    def record(self, hit: "RepeatedAnswer") -> Exchange:
        """The record of one request, as the pipeline would have written it."""
        request = hit.asked.request()
        exchange = self._exchange(hit.id, request, hit.started)
        response = self._walk(exchange, request, hit.entry, hit.found, hit.found, hit.result)
        if isinstance(left := hit.entry.body, Left):
            response = replace(response, body=left.sent)
            exchange.steps[-1].after = response
        exchange.response = response
        exchange.first_byte_s = hit.duration_s
        complete(exchange, Delivered(hit.bytes_sent, hit.aborted), hit.duration_s)
        return exchange

    def like(self, hit: "RepeatedAnswer") -> Exchange:
        """The record, without its steps, of an answer that differs in little from this one."""
        known, prepared, viewer = self._location.heads.likes, hit.prepared, hit.asked.viewer
        key = (prepared, hit.asked.head, viewer.tls_protocol, viewer.tls_cipher)
        if (like := known.get(key)) is not None:
            return like
        if prepared.like is None:
            prepared.like = replace(self.record(hit), steps=[])
        like = replace(prepared.like, request=hit.asked.request(), cache_key=hit.cache_key)
        complete(like, Delivered(hit.bytes_sent), hit.duration_s)
        if len(known) >= MOST_HEADS:
            known.clear()
        known[key] = like
        return like

    def _exchange(self, exchange_id: str, request: Request, now: float) -> Exchange:
        return Exchange(exchange_id, "distribution", self.name, request, now, _Instant(now))

    def _prepare(self, kind: Kind, asked: Asked, entry: Entry, now: float) -> PreparedHead | None:
        """Make the head of answers with ``entry``; None when it is no answer for this way."""
        assert isinstance(entry.body, bytes)
        if entry.status >= 400:  # It would be made in vain.
            return None
        made = self._by_template(kind, asked, entry, now) if kind.has_templates else None
        if made is None and (made := self._marked(asked.request(), entry, now)) is None:
            return None
        prepared = PreparedHead(*made, entry)
        if len(kind.heads) >= kind.most_heads:
            kind.heads.clear()
        kind.heads[kind, entry.head] = prepared
        return prepared

    def _by_template(self, kind: Kind, asked: Asked, entry: Entry, now: float) -> _Marked | None:
        size = len(entry.body)
        names, values = mattering(entry.head)
        like = kind, entry.status, entry.reason, entry.detail, not size, names
        templates = self._location.heads.templates
        if like not in templates:
            if len(templates) >= _MOST_TEMPLATES:
                templates.clear()
            templates[like] = self._template(asked.request(), entry, values, now)
        if (template := templates[like]) is None or (head := template.filled(values, size)) is None:
            return None
        return head, template.part

    def _template(
        self, request: Request, entry: Entry, values: Sequence[bytes], now: float
    ) -> Template | None:
        """What makes heads of such answers; None if this one is not as the pipeline makes it."""
        made = self._marked(request, replace(entry, head=with_marks(entry.head)), now)
        own = self._marked(request, entry, now)
        if made is None or own is None:
            return None
        template = Template.of(*made, len(entry.body))
        if template is None or template.filled(values, len(entry.body)) != own[0]:
            return None
        return template

    def _marked(self, request: Request, entry: Entry, now: float) -> _Marked | None:
        """The head of the answer that ``entry`` is, with marks; None when it cannot be one."""
        exchange = self._exchange(MARK_ID, request, now)
        aged = replace(entry, stored_at=now, initial_age_s=MARK_AGE)
        response = self._walk(exchange, request, aged, now, MARK_DATE, None)
        if not isinstance(response.body, BytesBody) or response.tunnel is not None:
            return None
        if response.status >= 400:  # The distribution may have a page of its own for it.
            return None
        try:
            framed = frame(response, method=request.method, version="1.1", keep_alive=True)
        except IllegalHead:
            return None
        head = marked(framed.head) if framed.keep_alive else None
        if head is None:
            return None
        if response.body.data is entry.body:
            return head, None
        part = _part(request, entry, response)
        return None if part is None else (head, part)

    def _walk(
        self,
        exchange: Exchange,
        request: Request,
        entry: Entry,
        now: float,
        date: float,
        result: object,
    ) -> Response:
        """What the pipeline does for an object that is there."""
        passage = Passage(self._distribution, self.services, exchange)
        scene = pipeline.set_scene(passage, request)
        exchange.path_pattern = scene.behavior.path_pattern
        request = self._after_function(scene, request, result)
        asked = without_vain_range(lookup.with_default_root_object(self._distribution, request))
        with exchange.step("cache", before=asked) as step:
            key = cache_key(self._distribution, scene.behavior, asked, scene.generated)
            obtained = served(entry, look_up(entry, now), now)
            verdict = lookup.found(scene, step, asked, key, obtained, now)
        verdict = policy_headers.put_on(passage, scene, request, verdict)
        return sealed(self._distribution, exchange, verdict, self.services.identity, date)

    def _after_function(self, scene: Scene, request: Request, result: object) -> Request:
        """What the function at the viewer request made of ``request``, if there is one."""
        return request

    def run_of(self, hit: "RepeatedAnswer") -> FunctionRun:
        """The run of that function."""
        raise NotImplementedError

    def ended(self, hit: "RepeatedAnswer") -> None:
        """An answer behind a function was delivered, or its viewer left."""
        raise NotImplementedError


class RepeatedAnswer:
    """One such answer, and the record of its request."""

    __slots__ = (
        "_begun",
        "_exchange",
        "_hits",
        "aborted",
        "asked",
        "body",
        "bytes_sent",
        "cache_key",
        "duration_s",
        "entry",
        "found",
        "head",
        "id",
        "name",
        "prepared",
        "result",
        "started",
        "status",
    )

    def __init__(
        self,
        hits: StoredHits,
        prepared: PreparedHead,
        exchange_id: str,
        cache_key: bytes,
        asked: Asked,
        entry: Entry,
        head: bytes,
        body: bytes | memoryview,
        times: tuple[float, float, float],
        result: object,
    ) -> None:
        self._hits = hits
        self.prepared = prepared
        self._exchange: Exchange | None = None
        self.id = exchange_id
        self.cache_key = cache_key
        self.name = hits.name
        self.status = prepared.status
        self.asked = asked
        self.entry = entry
        self.head = head
        self.body = body
        self.found, self._begun, self.started = times
        """When the object was there; when the request began, by the stopwatch and the clock."""
        self.duration_s = 0.0
        self.bytes_sent = 0
        self.aborted = False
        self.result = result
        """Of the function at the viewer request, if there is one."""

    missed_s: Final = None

    @property
    def is_plain(self) -> bool:
        return self.result is None

    @property
    def port(self) -> int:
        return self.asked.viewer.port

    @property
    def run(self) -> FunctionRun | None:
        return None if self.result is None else self._hits.run_of(self)

    @property
    def exchange(self) -> Exchange:
        """The record; made at the first look."""
        if self._exchange is None:
            self._exchange = self._hits.record(self)
        return self._exchange

    @property
    def like(self) -> Exchange:
        return self._hits.like(self)

    @property
    def summary(self) -> Exchange:
        """What lines of logs need of the record."""
        if self.aborted:
            return self.exchange
        like, viewer = self.like, self.asked.viewer
        request = like.request
        if viewer.port != request.viewer.port:
            request = replace(request, viewer=replace(request.viewer, port=viewer.port))
        return replace(
            like,
            id=self.id,
            request=request,
            started=self.started,
            duration_s=self.duration_s,
            first_byte_s=self.duration_s,
            bytes_sent=self.bytes_sent,
            steps=[] if (run := self.run) is None else [Step(run.event_type, 0, function=run)],
        )

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        services = self._hits.services
        self.duration_s = services.clock.monotonic() - self._begun
        self.bytes_sent = bytes_sent
        self.aborted = aborted
        self.head = self.body = b""
        if self.result is None:
            services.recorder.repeated(self)
        else:
            self._hits.ended(self)


class _Instant:
    """A stopwatch that stands still: a walk through the pipeline afterwards takes no time."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return 0.0


def _part(request: Request, entry: Entry, response: Response) -> slice | None:
    """Where in the object's body that of ``response`` is; None when it is not one part of it."""
    if response.body.length == 0:
        return slice(0, 0)
    if response.status != 206:
        return None
    match asked_ranges(request.headers, entry.headers, len(entry.body)):
        case (part,):
            return slice(part.first, part.last + 1)
        case _:
            return None
