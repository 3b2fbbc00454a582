"""Every hit of every test is answered a second time, by the way that repeated requests take.

The answer and its record have to be the same as those of the ordinary way. So have those of misses
that were prepared for.
"""

import dataclasses
import io
import re
from collections.abc import Callable, Sequence
from typing import Final, cast
from weakref import WeakKeyDictionary

from edgeproxy.distribution.logs import LogFormat
from edgeproxy.distribution.matching import match_behavior
from edgeproxy.edge import location
from edgeproxy.edge.cloudfront_hook import Ran
from edgeproxy.edge.hooked_repeats import HookedRepeat
from edgeproxy.edge.misses import PlainMiss
from edgeproxy.edge.outcomes import Scene, generated_headers
from edgeproxy.edge.repeats import RepeatableHits
from edgeproxy.edge.stored_hits import RepeatedAnswer, StoredHits
from edgeproxy.exchange.model import Exchange, FunctionRun, HitRecorder, RepeatedHit
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Asked, Delivered, Request, Response
from edgeproxy.observe.console import Console
from edgeproxy.observe.hit_lines import HitLines
from edgeproxy.observe.log_fields import REALTIME_VALUES, STANDARD_VALUES, LogSource
from edgeproxy.observe.log_formats import Layout
from edgeproxy.runtimes.invocation import LogRecord, Returned
from edgeproxy.server.writing import frame

__all__ = [
    "checked_miss",
    "checked_twice",
    "differences",
    "prepared",
    "told_twice",
    "unchecked",
]

told_twice: list[str] = []
"""The request IDs of hits that were compared."""

prepared: list[str] = []
"""The request IDs of misses that were prepared for."""
differences: list[tuple[object, object]] = []
"""What was not the same of those; nobody would hear of an exception when an answer is out."""

_learned: WeakKeyDictionary[location.EdgeLocation, dict[str, RepeatableHits]] = WeakKeyDictionary()
_SOURCE: Final = LogSource(lambda logical_id: None, "POP")
_LAYOUTS: Final = (
    Layout(tuple(STANDARD_VALUES)),
    Layout(tuple(STANDARD_VALUES), LogFormat.JSON),
)
_LINES: Final = [HitLines(layout, _SOURCE, with_cookies=True) for layout in _LAYOUTS]
_STREAM: Final = io.StringIO()
_CONSOLES: Final = (Console(_STREAM, verbose=True), Console(_STREAM, as_json=True))
_ordinary = location.record_delivery
unchecked = PlainMiss._ended
_AGE = re.compile(rb"\r\nAge: (\d+)")


def checked_twice(exchange: Exchange, response: Response, recorder: HitRecorder) -> Response:
    """In place of ``record_delivery``: the same, and compares what ``response.repeat`` says."""
    response = _ordinary(exchange, response, recorder)
    match response.repeat:
        case RepeatableHits() as repeat:
            hits = _joined(repeat, exchange.request)
            _compare(exchange, response, hits, hits.answer)
        case HookedRepeat() as hooked:
            _compare_hooked(exchange, response, hooked)
        case _:
            pass
    return response


def _compare_hooked(exchange: Exchange, response: Response, hooked: HookedRepeat) -> None:
    said, hits = list(hooked.answers.items())[-1]
    result = _result(exchange.functions[0], said, hits.learned)
    clock = hits.services.clock

    def again(asked: Asked) -> RepeatedAnswer | None:
        return hits.after(result, asked, "", clock.now(), clock.monotonic())

    _compare(exchange, response, hits, again)
    _compare_events(exchange, hooked)


def _result(run: FunctionRun, said: bytes, learned: Returned | Ran) -> Returned | Ran:
    """That of a function that ran, and ``said`` that."""
    if isinstance(learned, Ran):
        return dataclasses.replace(learned, duration_ms=run.duration_ms)
    facts = run.duration_ms, run.init_ms, run.memory_mb, cast(Sequence[LogRecord], run.log)
    return Returned(run.request_id, *facts, run.version, run.trace_id, said)


def _compare_events(exchange: Exchange, hooked: HookedRepeat) -> None:
    """What the function got, and what it would get."""
    request, hooks = exchange.request, hooked.services.hooks
    asked = _Asked(request)
    behavior = match_behavior(hooked.distribution, request.path)
    generated = generated_headers(behavior, request)
    scene = Scene(exchange, hooked.distribution, behavior, generated)
    if exchange.functions[0].kind == "lambda":
        ours = hooked.lambda_event(asked, exchange.id)
        assert ours == hooks.lambda_event(scene, request)
    else:
        event = hooked.cloudfront_event(asked, exchange.id)
        assert event == hooks.cloudfront_event(scene, request)


def checked_miss(miss: PlainMiss, delivered: Delivered) -> None:
    """In place of ``PlainMiss._ended``: the same, and looks at the record."""
    unchecked(miss, delivered)
    record = miss.exchange
    assert record.response is not None
    summary = miss.summary
    assert summary.response is not None
    written = _framed(summary.response), _framed(record.response)
    logged, recorded = _logged(summary), _logged(record)
    told = [(logged[name], recorded[name]) for name in logged]
    differences.extend(pair for pair in (written, *told) if pair[0] != pair[1])
    prepared.append(miss.id)


def _framed(response: Response) -> bytes:
    return frame(response, method="GET", version="1.1", keep_alive=True).head


def _joined(repeat: RepeatableHits, request: Request) -> RepeatableHits:
    """What a door knows by then: ``repeat`` as part of what was learned of requests like this."""
    told = tuple(
        (name, request.headers.get_all(name.decode())) for name in sorted(repeat.depends_on)
    )
    viewer = f"{request.viewer.scheme} {request.viewer.ip} {request.viewer.country}"
    like = repr((viewer, request.viewer.location, request.method, told))
    learned = _learned.setdefault(repeat._location, {})
    joined = repeat.joined(learned[like]) if like in learned else repeat
    assert isinstance(joined, RepeatableHits)
    learned[like] = joined
    return joined


def _compare(
    exchange: Exchange,
    response: Response,
    repeat: StoredHits,
    again: Callable[[Asked], RepeatedAnswer | None],
) -> None:
    chance = repeat.services.chance._random
    drawn = chance.getstate()
    answer = again(_Asked(exchange.request))
    chance.setstate(drawn)
    if answer is None:
        return  # It has just expired, lies in no memory, or is sent in many parts.
    assert isinstance(response.body, BytesBody)
    request = exchange.request
    framed = frame(response, method=request.method, version="1.1", keep_alive=True)
    head = answer.head.replace(answer.id.encode(), exchange.id.encode())
    ours, theirs = _AGE.search(head), _AGE.search(framed.head)
    # The second may have changed between the two.
    if ours is not None and theirs is not None and int(ours[1]) - int(theirs[1]) == 1:
        head = head.replace(ours[0], theirs[0])
    if abs(answer.started - exchange.started) < 1:
        assert _undated(head) == _undated(framed.head)
    assert bytes(answer.body) == response.body.data
    hit = _delivered(repeat, answer)
    assert _told(hit.exchange) == _told(exchange)
    for _ in range(2):  # The second is made of the first.
        assert _logged(hit.summary) == _logged(hit.exchange)
        assert hit.summary.functions == hit.exchange.functions
        if hit.is_plain:
            assert _written(hit) == _written_whole(hit.exchange)
    told_twice.append(exchange.id)


def _undated(head: bytes) -> bytes:
    return re.sub(rb"(\r\nDate: [^\r]*:)\d\d GMT", rb"\1", head)


def _delivered(repeat: StoredHits, answer: RepeatedAnswer) -> RepeatedHit:
    recorder = _Kept()
    services = repeat.services
    repeat.services = dataclasses.replace(services, recorder=recorder)
    answer.delivered(1)
    repeat.services = services
    if recorder.exchange is not None:
        assert recorder.exchange is answer.exchange
        return answer
    return recorder.hit


def _logged(exchange: Exchange) -> dict[str, str]:
    """What logs tell of it."""
    record = _SOURCE.record(exchange, with_cookies=True)
    tables = (STANDARD_VALUES, REALTIME_VALUES)
    return {name: value(record) for table in tables for name, value in table.items()}


def _written(hit: RepeatedHit) -> list[str]:
    """The lines that are made of those of other hits."""
    lines = [next(iter(lines.of([hit]))) for lines in _LINES]
    for console in _CONSOLES:
        console.repeated([hit])
    return lines + _printed()


def _written_whole(exchange: Exchange) -> list[str]:
    record = _SOURCE.record(exchange, with_cookies=True)
    for console in _CONSOLES:
        console.ended(exchange)
    return [layout.joined(layout.row(record)) for layout in _LAYOUTS] + _printed()


def _printed() -> list[str]:
    text = _STREAM.getvalue()
    _STREAM.seek(0)
    _STREAM.truncate()
    return text.splitlines()


class _Kept:
    hit: RepeatedHit

    exchange: Exchange | None = None

    def ended(self, exchange: Exchange) -> None:
        """The function has written much."""
        self.exchange = exchange

    def repeated(self, hit: RepeatedHit, *, alone: bool = True) -> None:
        self.hit = hit


def _told(exchange: Exchange) -> dict[str, object]:
    """What a record says, but for times and sizes."""
    assert exchange.response is not None
    left_out = {
        "id", "started", "stopwatch", "response", "steps", "duration_s", "first_byte_s",
        "bytes_sent", "bytes_received", "_begun",
    }  # fmt: skip
    told = {
        field.name: getattr(exchange, field.name)
        for field in dataclasses.fields(exchange)
        if field.name not in left_out
    }
    steps = []
    for step in exchange.steps:
        decision = step.decision
        assert decision is not None
        facts = {name: value for name, value in decision.facts.items() if name != "age_s"}
        why = re.sub(r"fresh for \d+ s", "fresh", decision.why)
        run = step.function
        after = step.after if isinstance(step.after, Request) else None
        steps.append((step.name, decision.kind, why, facts, step.before, after, run))
    return {**told, "steps": steps, "status": exchange.response.status}


class _Asked:
    """A request that somebody has read already."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.viewer = request.viewer
        self.head = repr((request.method, request.target, request.headers, request.viewer)).encode()
        self.target = request.target.encode("utf-8", "surrogateescape")

    def request(self) -> Request:
        return self._request
