"""Requests that the cache answers again: the same bytes as before, but for age, date and ID.

What the pipeline makes of a fresh object for a behavior without viewer functions follows from the
request, the object and the time alone. So it is walked through once, with marks for what changes,
and the marked places are filled in for each request after that. The record of such a request is
made by the same walk, when somebody looks at it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edgeproxy.cache.arrivals import served
from edgeproxy.cache.entry import Entry
from edgeproxy.cache.key import cache_key
from edgeproxy.cache.validation import look_up
from edgeproxy.distribution.forwarded import plan_of
from edgeproxy.distribution.model import Behavior, Distribution, EventType
from edgeproxy.distribution.prepared import PreparedOnce
from edgeproxy.distribution.viewer_headers import DEVICE_NAMES, GENERATED_NAMES
from edgeproxy.edge import lookup, pipeline, policy_headers
from edgeproxy.edge.delivery import without_vain_range
from edgeproxy.edge.outcomes import Scene
from edgeproxy.edge.passage import Passage, Services, Verdict
from edgeproxy.edge.sealing import sealed
from edgeproxy.edge.sent_bodies import Left, without_body
from edgeproxy.exchange.delivery import complete
from edgeproxy.exchange.model import Exchange, FunctionRun
from edgeproxy.http.body import BytesBody
from edgeproxy.http.conditions import asked_ranges
from edgeproxy.http.dates import format_date
from edgeproxy.http.messages import Asked, Delivered, Request, Response, Waiting
from edgeproxy.server.writing import IllegalHead, frame

if TYPE_CHECKING:
    from edgeproxy.edge.location import EdgeLocation

__all__ = [
    "RepeatableHit",
    "RepeatedAnswer",
    "depends_on_of",
    "is_told_by_head",
    "may_repeat",
    "repeat_of",
]

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

_MOST_SUMMARIES: Final = 2_000

_MARK_ID: Final = "edgeproxy-marks-the-place-of-a-request-id-in-an-answer=="
_MARK: Final = _MARK_ID.encode()
_MARK_AGE: Final = 98_765_432_109
_AGE: Final = b"\r\nAge: %d"
_DATE: Final = b"\r\nDate: %b"
_MARK_DATE: Final = 249_517_862_483.0  # A moment of the year 9876 that nobody names.


def repeat_of(
    location: "EdgeLocation",
    distribution: Distribution,
    services: Services,
    request: Request,
    verdict: Verdict,
) -> "RepeatableHit | None":
    """How ``request`` is answered again; None when ``verdict`` is not such a hit."""
    if verdict.stored_as is None or not may_repeat(request):
        return None
    if verdict.stored_as.behavior.function_for(EventType.VIEWER_REQUEST) is not None:
        return None
    depends_on = depends_on_of(verdict.stored_as.behavior)
    if depends_on is None:
        return None
    return RepeatableHit(location, distribution, services, verdict.stored_as.digest, depends_on)


def may_repeat(request: Request) -> bool:
    """Whether it is a request of the kind that is answered again."""
    return (
        request.method in ("GET", "HEAD")
        and request.version == "1.1"
        and request.viewer.mutual_tls is None
    )


@PreparedOnce
def depends_on_of(behavior: Behavior) -> frozenset[bytes] | None:
    """The request's headers that a hit depends on, but for what a function at its viewer request
    looks at; None where it depends on more than those."""
    policy = behavior.response_headers_policy
    if (
        behavior.function_for(EventType.VIEWER_RESPONSE) is not None
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


@PreparedOnce
def is_told_by_head(behavior: Behavior) -> bool:
    """Whether the headers that its policies ask for follow from a request's head, its viewer's
    address and protocol."""
    names = {name.lower() for name in plan_of(behavior).generated}
    return names <= DEVICE_NAMES | _TOLD_BY_CONNECTION


class RepeatableHit:
    """A :class:`edgeproxy.http.messages.Repeat` of one request, for as long as nothing changes.

    It asks for the object each time: one that has expired, was invalidated or replaced is not
    served. Of the object its head, what that became, and the beginning of its body are kept.
    """

    __slots__ = (
        "_after",
        "_age_s",
        "_before",
        "_digest",
        "_distribution",
        "_form",
        "_head",
        "_is_dated",
        "_kept",
        "_location",
        "_part",
        "_second",
        "_services",
        "depends_on",
        "status",
    )

    def __init__(
        self,
        location: "EdgeLocation",
        distribution: Distribution,
        services: Services,
        digest: bytes,
        depends_on: frozenset[bytes],
    ) -> None:
        self._location = location
        self._distribution = distribution
        self._services = services
        self._digest = digest
        self.depends_on = depends_on
        self._head: bytes | None = None
        """The object's, of which ``_form`` was made; an object that replaces it has another."""
        self._kept: Entry  # The object as records need it: they may outlast it.
        self._form = b""
        """The answer's head, to be filled in."""
        self._is_dated = False
        """The object has no ``Date``, so that answers have that of the moment."""
        self._before = self._after = b""
        """What stands around the ID, at this age and in this second."""
        self._age_s = self._second = -1
        self._part: slice | None = None
        self.status = 0

    @property
    def name(self) -> str:
        """The logical ID of the distribution."""
        return self._distribution.logical_id

    def answer(self, asked: Asked) -> "RepeatedAnswer | None":
        """The answer to ``asked``; None: ask the handler."""
        clock = self._services.clock
        return self.answered(asked, "", clock.now(), clock.monotonic(), None)

    def answered(
        self, asked: Asked, exchange_id: str, now: float, begun: float, result: object
    ) -> "RepeatedAnswer | None":
        """The answer to a request that began then, and has an ID already or gets one."""
        services = self._services
        if self._location.distribution is not self._distribution:
            return None
        entry = services.tiers.edge.at_hand(self._digest, now)
        if entry is None or not isinstance(entry.body, bytes):
            return None
        # The head of an object without headers is the same as that of others.
        is_known = entry.head is self._head and entry.head
        if not is_known and not self._learn(asked.request(), entry, now):
            return None
        age_s, second = entry.age_s(now), int(now) if self._is_dated else 0
        if age_s != self._age_s or second != self._second:
            self._age_s, self._second = age_s, second
            told = {b"age": _AGE % age_s, b"date": _DATE % format_date(now).encode()}
            self._before, self._after = (self._form % told).split(_MARK, 1)
        exchange_id = exchange_id or services.chance.request_id()
        head = b"%b%b%b" % (self._before, exchange_id.encode(), self._after)
        body: bytes | memoryview = entry.body
        if self._part is not None:
            body = memoryview(body)[self._part]
        return RepeatedAnswer(self, exchange_id, asked, self._kept, head, body, now, begun, result)

    def begin(self, asked: Asked, waiting: Waiting) -> bool:
        return False

    def record(self, hit: "RepeatedAnswer") -> Exchange:
        """The record of one request, as the pipeline would have written it."""
        request = hit.asked.request()
        exchange = self._exchange(hit.id, request, hit.started)
        response = self._walk(exchange, request, hit.entry, hit.started, hit.started, hit.result)
        if isinstance(left := hit.entry.body, Left):
            response = replace(response, body=left.sent)
            exchange.steps[-1].after = response
        exchange.response = response
        exchange.first_byte_s = hit.duration_s
        complete(exchange, Delivered(hit.bytes_sent, hit.aborted), hit.duration_s)
        return exchange

    def summary(self, hit: "RepeatedAnswer") -> Exchange:
        """The record without its steps; its answer's head may be that of an earlier one."""
        if hit.aborted:
            return self.record(hit)
        known = self._location.summaries
        head, like = known.get((self, hit.asked.head), (b"", None))
        if like is None or head is not hit.entry.head or not head:
            if len(known) >= _MOST_SUMMARIES:
                known.clear()
            like = self.record(hit)
            known[self, hit.asked.head] = hit.entry.head, like
            return like
        request, viewer, told = like.request, hit.asked.viewer, like.request.viewer
        connection = told.port, told.tls_protocol, told.tls_cipher
        if (viewer.port, viewer.tls_protocol, viewer.tls_cipher) != connection:
            viewer = replace(viewer, ip=told.ip, country=told.country, location=told.location)
            request = replace(request, viewer=viewer)
        exchange = self._exchange(hit.id, request, hit.started)
        exchange.response = like.response
        exchange.result_type = exchange.response_result_type = like.result_type
        exchange.detailed_result_type = like.detailed_result_type
        exchange.layer = like.layer
        exchange.path_pattern = like.path_pattern
        exchange.duration_s = exchange.first_byte_s = hit.duration_s
        exchange.bytes_sent = hit.bytes_sent
        exchange.bytes_received = like.bytes_received
        return exchange

    def ended(self, hit: "RepeatedAnswer") -> None:
        """The answer was delivered, or its viewer left."""
        self._services.recorder.repeated(hit)

    @property
    def monotonic(self) -> Callable[[], float]:
        return self._services.clock.monotonic

    def _exchange(self, exchange_id: str, request: Request, now: float) -> Exchange:
        name = self._distribution.logical_id
        return Exchange(exchange_id, "distribution", name, request, now, _Instant(now))

    def _learn(self, request: Request, entry: Entry, now: float) -> bool:
        """Make the form of the answer that ``entry`` is; False when it cannot be one."""
        marked = replace(entry, stored_at=now, initial_age_s=_MARK_AGE)
        exchange = self._exchange(_MARK_ID, request, now)
        response = self._walk(exchange, request, marked, now, _MARK_DATE, None)
        if not isinstance(response.body, BytesBody) or response.tunnel is not None:
            return False
        try:
            framed = frame(response, method=request.method, version="1.1", keep_alive=True)
        except IllegalHead:
            return False
        if not framed.keep_alive:
            return False
        form = framed.head.replace(b"%", b"%%")
        age, date = _AGE % _MARK_AGE, _DATE % format_date(_MARK_DATE).encode()
        if form.count(_MARK) != 1 or form.count(age) > 1 or form.count(date) > 1:
            return False
        self._is_dated = date in form
        form = form.replace(age, b"%(age)b").replace(date, b"%(date)b")
        part: slice | None = None
        if response.body.data is not entry.body:
            part = _part(request, entry, response)
            if part is None:
                return False
        self._head, self._form, self._part = entry.head, form, part
        self._kept = without_body(entry, response.body)
        self._age_s = -1
        self.status = response.status
        return True

    def _walk(
        self,
        exchange: Exchange,
        request: Request,
        entry: Entry,
        now: float,
        date: float,
        result: object,
    ) -> Response:
        """What the pipeline does for an object that is there and needs no function."""
        passage = Passage(self._distribution, self._services, exchange)
        scene = pipeline.set_scene(passage, request)
        exchange.path_pattern = scene.behavior.path_pattern
        request = self._after_function(scene, request, result)
        asked = without_vain_range(lookup.with_default_root_object(self._distribution, request))
        with exchange.step("cache", before=asked) as step:
            key = cache_key(self._distribution, scene.behavior, asked, scene.generated)
            obtained = served(entry, look_up(entry, now), now)
            verdict = lookup.found(scene, step, asked, key, obtained, now)
        verdict = policy_headers.put_on(passage, scene, request, verdict)
        return sealed(self._distribution, exchange, verdict, self._services.identity, date)

    def _after_function(self, scene: Scene, request: Request, result: object) -> Request:
        """What the function at the viewer request made of ``request``."""
        return request

    def run_of(self, result: object) -> FunctionRun | None:
        """The run of that function."""
        return None


class RepeatedAnswer:
    """One answer of a :class:`RepeatableHit`, and the record of its request."""

    __slots__ = (
        "_begun",
        "_exchange",
        "_hit",
        "aborted",
        "asked",
        "body",
        "bytes_sent",
        "duration_s",
        "entry",
        "head",
        "id",
        "result",
        "started",
    )

    def __init__(
        self,
        hit: RepeatableHit,
        exchange_id: str,
        asked: Asked,
        entry: Entry,
        head: bytes,
        body: bytes | memoryview,
        started: float,
        begun: float,
        result: object,
    ) -> None:
        self.result = result
        """Of the function at the viewer request, if there is one."""
        self._hit = hit
        self._begun = begun
        self._exchange: Exchange | None = None
        self.id = exchange_id
        self.asked = asked
        self.entry = entry
        self.head = head
        self.body = body
        self.started = started
        self.duration_s = 0.0
        self.bytes_sent = 0
        self.aborted = False

    @property
    def name(self) -> str:
        return self._hit.name

    @property
    def status(self) -> int:
        return self._hit.status

    @property
    def run(self) -> FunctionRun | None:
        return None if self.result is None else self._hit.run_of(self.result)

    @property
    def exchange(self) -> Exchange:
        """The record; made at the first look."""
        if self._exchange is None:
            self._exchange = self._hit.record(self)
        return self._exchange

    @property
    def summary(self) -> Exchange:
        """What lines of logs need of the record."""
        return self._hit.summary(self)

    def delivered(self, bytes_sent: int, *, aborted: bool = False) -> None:
        self.duration_s = self._hit.monotonic() - self._begun
        self.bytes_sent = bytes_sent
        self.aborted = aborted
        self.head = self.body = b""
        self._hit.ended(self)


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
