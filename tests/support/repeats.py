"""Every hit of every test is answered a second time, by the way that repeated requests take.

The answer and its record have to be the same as those of the ordinary way. So have those of misses
that were prepared for.
"""

import dataclasses
import io
import re
from typing import Final
from weakref import WeakKeyDictionary

from edgeproxy.distribution.logs import LogFormat
from edgeproxy.edge import location
from edgeproxy.edge.misses import PlainMiss
from edgeproxy.edge.repeats import RepeatableHits, RepeatedAnswer
from edgeproxy.exchange.model import Exchange, HitRecorder, RepeatedHit
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.observe.console import Console
from edgeproxy.observe.hit_lines import HitLines
from edgeproxy.observe.log_fields import REALTIME_VALUES, STANDARD_VALUES, LogSource
from edgeproxy.observe.log_formats import Layout
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
    if isinstance(response.repeat, RepeatableHits):
        _compare(exchange, response, _joined(response.repeat, exchange.request))
    return response


def checked_miss(miss: PlainMiss, delivered: Delivered) -> None:
    """In place of ``PlainMiss._ended``: the same, and looks at the record."""
    unchecked(miss, delivered)
    record = miss.exchange
    assert record.response is not None
    summary = miss.summary
    assert summary.response is not None
    written = _written(summary.response), _written(record.response)
    logged, recorded = _logged(summary), _logged(record)
    told = [(logged[name], recorded[name]) for name in logged]
    differences.extend(pair for pair in (written, *told) if pair[0] != pair[1])
    prepared.append(miss.id)


def _written(response: Response) -> bytes:
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


def _compare(exchange: Exchange, response: Response, repeat: RepeatableHits) -> None:
    chance = repeat.services.chance._random
    drawn = chance.getstate()
    answer = repeat.answer(_Asked(exchange.request))
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
    assert _logged(hit.summary) == _logged(hit.exchange)
    for _ in range(2):
        assert _written(hit) == _written_whole(hit.exchange)
    told_twice.append(exchange.id)


def _undated(head: bytes) -> bytes:
    return re.sub(rb"(\r\nDate: [^\r]*:)\d\d GMT", rb"\1", head)


def _delivered(repeat: RepeatableHits, answer: RepeatedAnswer) -> RepeatedHit:
    recorder = _Kept()
    services = repeat.services
    repeat.services = dataclasses.replace(services, recorder=recorder)
    answer.delivered(1)
    repeat.services = services
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

    def ended(self, exchange: Exchange) -> None:
        raise AssertionError("it is a repeated hit")

    def repeated(self, hit: RepeatedHit) -> None:
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
        steps.append((step.name, decision.kind, why, facts, step.before))
    return {**told, "steps": steps, "status": exchange.response.status}


class _Asked:
    """A request that somebody has read already."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.viewer = request.viewer
        self.head = repr((request.method, request.target, request.headers, request.viewer)).encode()
        self.target = request.target.encode()

    def request(self) -> Request:
        return self._request
