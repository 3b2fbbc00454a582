"""Requests that the cache answers again: the same bytes as before, but for age, date and ID.

What the pipeline makes of a fresh object for a behavior without viewer functions follows from the
request, the object and the time alone. So it is walked through once, with marks for what changes,
and the marked places are filled in for each request after that. The record of such a request is
made by the same walk, when somebody looks at it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from edgeproxy.cache.arrivals import served
from edgeproxy.cache.entry import Entry
from edgeproxy.cache.key import CacheKey, KeysAlike, cache_key
from edgeproxy.cache.validation import look_up
from edgeproxy.distribution.forwarded import plan_of
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.distribution.model import Behavior, Distribution, EventType
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.root_object import fault_in_root_object
from edgeproxy.distribution.viewer_headers import DEVICE_NAMES, GENERATED_NAMES
from edgeproxy.edge import lookup, pipeline, policy_headers
from edgeproxy.edge.delivery import without_vain_range
from edgeproxy.edge.passage import Passage, Services, Verdict
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
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import BytesBody
from edgeproxy.http.conditions import asked_ranges
from edgeproxy.http.messages import Asked, Delivered, Repeat, Request, Response
from edgeproxy.server.writing import IllegalHead, frame

if TYPE_CHECKING:
    from edgeproxy.edge.location import EdgeLocation

__all__ = ["PreparedHeads", "RepeatableHits", "repeat_of"]

_MATTERS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"transfer-encoding",
        b"upgrade",
        b"via",
    }
)
"""What the listener, the admission and the delivery of a stored object look at."""
_CORS: Final = frozenset(
    {b"access-control-request-headers", b"access-control-request-method", b"origin"}
)
_TOLD_BY_CONNECTION: Final = frozenset(
    name
    for name in GENERATED_NAMES - DEVICE_NAMES
    if name.startswith("cloudfront-viewer-")
    and not name.endswith(("-address", "-tls", "-fingerprint", "-order", "-count"))
) | {"cloudfront-forwarded-proto"}
"""Generated headers that are the same for all requests of one address over one protocol."""

_CONDITIONS: Final = (
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
)
"""A request with one of these gets an answer that depends on values of the object's headers."""

_Marked: TypeAlias = tuple[bytes, slice | None]
"""A head with marks, and which part of the object's body is sent with it; None for all."""

_MOST_TARGETS: Final = 5_000
_MOST_PREPARED: Final = 2_000
_MOST_TEMPLATES: Final = 1_000


def repeat_of(
    location: "EdgeLocation",
    distribution: Distribution,
    services: Services,
    request: Request,
    verdict: Verdict,
) -> "RepeatableHits | None":
    """How ``request`` is answered again; None when ``verdict`` is not such a hit."""
    if verdict.stored_as is None:
        return None
    if request.method not in ("GET", "HEAD") or request.version not in ("1.1", "2.0"):
        return None
    if request.viewer.mutual_tls is not None:
        return None
    stored_as = verdict.stored_as
    depends_on = _depends_on(stored_as.behavior)
    root = distribution.default_root_object
    if depends_on is None or fault_in_root_object(root):
        return None
    kind = _Kind(stored_as.behavior, stored_as.key, request)
    return RepeatableHits(location, distribution, services, kind, depends_on)


@PreparedOnce
def _depends_on(behavior: Behavior) -> frozenset[bytes] | None:
    """The request's headers that a hit depends on; None where it depends on more than those."""
    policy = behavior.response_headers_policy
    if (
        behavior.function_for(EventType.VIEWER_REQUEST) is not None
        or behavior.function_for(EventType.VIEWER_RESPONSE) is not None
        or behavior.trusted_key_groups  # A signature's time may be over the next moment.
        or behavior.field_level_encryption is not None
        or (policy is not None and policy.server_timing.enabled)
    ):
        return None
    plan = plan_of(behavior)
    names = set(plan.key_headers)
    devices = names & DEVICE_NAMES
    if not (names & GENERATED_NAMES) <= DEVICE_NAMES | _TOLD_BY_CONNECTION:
        return None
    if devices:
        names.add("user-agent")
    if plan.keys_on_encoding:
        names.add("accept-encoding")
    if not plan.key_cookies.is_empty:
        names.add("cookie")
    cors = _CORS if policy is not None and policy.cors is not None else frozenset()
    return _MATTERS | cors | {name.encode() for name in names}


class _Kind:
    """Hits of one behavior by requests that differ in their targets alone."""

    __slots__ = ("behavior", "has_conditions", "heads", "keys")

    def __init__(self, behavior: Behavior, key: CacheKey, request: Request) -> None:
        self.behavior = behavior
        self.keys = KeysAlike(behavior, key)
        self.has_conditions = any(name in request.headers for name in _CONDITIONS)
        self.heads: dict[bytes, PreparedHead] = {}
        """Of answers, by the object's head; :class:`PreparedHeads` sees that they are not many."""


class PreparedHeads:
    """What is known of heads of answers at an edge location; bounded."""

    def __init__(self) -> None:
        self._kinds: list[_Kind] = []
        """An item for each head."""
        self.templates: dict[tuple[object, ...], Template | None] = {}
        """None where the values of headers matter."""
        self.likes: dict[tuple[object, ...], Exchange] = {}
        """Records to make others of, by the head of the request and that of its answer."""

    def keep(self, kind: _Kind, head: bytes, prepared: PreparedHead) -> None:
        """From now on answers of ``kind`` with objects of that ``head`` have this one."""
        if len(self._kinds) >= _MOST_PREPARED:
            for each in self._kinds:
                each.heads.clear()
            self._kinds.clear()
        self._kinds.append(kind)
        kind.heads[head] = prepared


class RepeatableHits:
    """A :class:`edgeproxy.http.messages.Repeat`, for as long as the distribution stays as it is.

    It looks for the object each time: one that has expired or was invalidated is not served.
    """

    __slots__ = (
        "_at_hand",
        "_distribution",
        "_kinds",
        "_known",
        "_location",
        "_root",
        "depends_on",
        "name",
        "services",
    )

    def __init__(
        self,
        location: "EdgeLocation",
        distribution: Distribution,
        services: Services,
        kind: _Kind,
        depends_on: frozenset[bytes],
    ) -> None:
        self._location = location
        self._distribution = distribution
        self.services = services
        # A behavior is asked for here once such a request has gone through all that it demands.
        self._kinds = {id(kind.behavior): kind}
        self._known: dict[bytes, tuple[_Kind, bytes]] = {}
        """Of targets that were asked for lately."""
        self._at_hand = services.tiers.edge.at_hand
        self._root = f"/{distribution.default_root_object}"
        self.depends_on = depends_on
        self.name = distribution.logical_id

    def joined(self, earlier: Repeat) -> Repeat:
        if (
            not isinstance(earlier, RepeatableHits)
            or earlier._distribution is not self._distribution
        ):
            return self
        for behavior, kind in self._kinds.items():
            earlier._kinds.setdefault(behavior, kind)
        return earlier

    def answer(self, asked: Asked) -> "RepeatedAnswer | None":
        """The answer to ``asked``; None: ask the handler."""
        location, services = self._location, self.services
        if location.distribution is not self._distribution:
            return None
        clock = services.clock
        now, begun = clock.now(), clock.monotonic()
        known = self._known.get(asked.target) or self._look_at(asked.target)
        if known is None:
            return None
        kind, digest = known
        entry = self._at_hand(digest, now)
        if entry is None or not isinstance(entry.body, bytes):
            return None
        prepared = kind.heads.get(entry.head)
        if prepared is None or not prepared.is_of(entry):
            prepared = self._prepare(kind, asked, entry, now)
            if prepared is None:
                return None
        exchange_id = services.chance.request_id()
        before, after = prepared.around_id(entry.age_s(now), now)
        head = b"%b%b%b" % (before, exchange_id.encode(), after)
        body: bytes | memoryview = entry.body
        if prepared.part is not None:
            body = memoryview(body)[prepared.part]
        kept = prepared.kept(entry)
        return RepeatedAnswer(
            self, prepared, exchange_id, digest, asked, kept, head, body, now, begun
        )

    def _look_at(self, target: bytes) -> tuple[_Kind, bytes] | None:
        """The kind of a hit on ``target``, and the digest of its key; None while not known."""
        path, mark, query = target.decode("ascii").partition("?")
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

    def record(self, hit: "RepeatedAnswer") -> Exchange:
        """The record of one request, as the pipeline would have written it."""
        request = hit.asked.request()
        exchange = self._exchange(hit.id, request, hit.started)
        response = self._walk(exchange, request, hit.entry, hit.started, hit.started)
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
        if len(known) >= _MOST_PREPARED:
            known.clear()
        known[key] = like
        return like

    def _exchange(self, exchange_id: str, request: Request, now: float) -> Exchange:
        return Exchange(exchange_id, "distribution", self.name, request, now, _Instant(now))

    def _prepare(self, kind: _Kind, asked: Asked, entry: Entry, now: float) -> PreparedHead | None:
        """Make the head of answers with ``entry``; None when it is no answer for this way."""
        assert isinstance(entry.body, bytes)
        if entry.status >= 400:  # It would be made in vain.
            return None
        made = None if kind.has_conditions else self._by_template(kind, asked, entry, now)
        if made is None and (made := self._marked(asked.request(), entry, now)) is None:
            return None
        prepared = PreparedHead(*made, entry)
        self._location.heads.keep(kind, entry.head, prepared)
        return prepared

    def _by_template(self, kind: _Kind, asked: Asked, entry: Entry, now: float) -> _Marked | None:
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
        response = self._walk(exchange, request, aged, now, MARK_DATE)
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
        self, exchange: Exchange, request: Request, entry: Entry, now: float, date: float
    ) -> Response:
        """What the pipeline does for an object that is there and needs no function."""
        passage = Passage(self._distribution, self.services, exchange)
        scene = pipeline.set_scene(passage, request)
        exchange.path_pattern = scene.behavior.path_pattern
        asked = without_vain_range(lookup.with_default_root_object(self._distribution, request))
        with exchange.step("cache", before=asked) as step:
            key = cache_key(self._distribution, scene.behavior, asked, scene.generated)
            obtained = served(entry, look_up(entry, now), now)
            verdict = lookup.found(scene, step, asked, key, obtained, now)
        verdict = policy_headers.put_on(passage, scene, request, verdict)
        return sealed(self._distribution, exchange, verdict, self.services.identity, date)


class RepeatedAnswer:
    """One answer of a :class:`RepeatableHit`, and the record of its request."""

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
        "head",
        "id",
        "name",
        "prepared",
        "started",
        "status",
    )

    def __init__(
        self,
        hits: RepeatableHits,
        prepared: PreparedHead,
        exchange_id: str,
        cache_key: bytes,
        asked: Asked,
        entry: Entry,
        head: bytes,
        body: bytes | memoryview,
        started: float,
        begun: float,
    ) -> None:
        self._hits = hits
        self.prepared = prepared
        self._begun = begun
        self._exchange: Exchange | None = None
        self.id = exchange_id
        self.cache_key = cache_key
        self.name = hits.name
        self.status = prepared.status
        self.asked = asked
        self.entry = entry
        self.head = head
        self.body = body
        self.started = started
        self.duration_s = 0.0
        self.bytes_sent = 0
        self.aborted = False

    missed_s: Final = None
    is_plain: Final = True

    @property
    def exchange(self) -> Exchange:
        """The record; made at the first look."""
        if self._exchange is None:
            self._exchange = self._hits.record(self)
        return self._exchange

    @property
    def port(self) -> int:
        return self.asked.viewer.port

    @property
    def like(self) -> Exchange:
        """That of an answer which differs in times, size, ID and the viewer's port alone."""
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
            steps=[],
        )

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        services = self._hits.services
        self.duration_s = services.clock.monotonic() - self._begun
        self.bytes_sent = bytes_sent
        self.aborted = aborted
        self.head = self.body = b""
        services.recorder.repeated(self)


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
