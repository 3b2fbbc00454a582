"""Watches an experiment in the traffic that there is: shares, each visitor's path, leaks.

A visitor is a viewer that somebody plays, else whoever has the same address and ``User-Agent``. One
that was put on a side counts for no share. Everything kept is bounded: of visitors that are too
many, those who were away longest are forgotten, and are new when they come again.
"""

import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import brotli

from edgeproxy.exchange.model import Exchange, Step
from edgeproxy.exchange.text import carried
from edgeproxy.experiments.forcing import PUTS_THERE
from edgeproxy.experiments.model import Experiment, MarkKind
from edgeproxy.experiments.recognition import Answer, Key, Record
from edgeproxy.experiments.statistics import certainly_off, interval_of
from edgeproxy.experiments.tally import Example, Seen, Tally, Totals
from edgeproxy.experiments.visitors import CookieJar, Visitor
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request, Response

__all__ = ["Leak", "Watch"]

_VISITORS: Final = 20_000
_PATHS: Final = 200
"""Of how many visitors the path is kept."""
_STATIONS: Final = 40
_LEAKS: Final = 50
_SHOWN: Final = 50
_BODY_BYTES: Final = 65_536
_LOOKED_INTO: Final = ("cache", "origin-request", "origin")
_ALPHA: Final = 0.005
"""How improbable counts are under right shares that are said to be wrong."""

_Who: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leak:
    """An answer made for one side that a visitor of the other got."""

    time: float
    who: str
    example: Example


@dataclass(frozen=True, slots=True)
class _Station:
    """One request of a visitor."""

    time: float
    path: str
    status: int
    result_type: str
    variant: str | None
    leaked_from: str | None
    switched: bool
    exchange: str


@dataclass(slots=True)
class _Path:
    who: str
    visitor: Visitor
    forced: bool
    stations: deque[_Station]


class Watch:
    """What has been seen of one experiment at the door with the logical ID ``door``."""

    def __init__(self, experiment: Experiment, door: str) -> None:
        self.experiment = experiment
        self.door = door
        self.leaks: deque[Leak] = deque(maxlen=_LEAKS)
        self.cookies: dict[str, str] = {}
        """By variant those of the newest visitor on it, where the assignment only shows it."""
        self._tally = Tally(experiment)
        self._visitors: OrderedDict[_Who, Visitor] = OrderedDict()
        self._paths: OrderedDict[_Who, _Path] = OrderedDict()
        self._seen = 0

    def take(self, exchanges: Iterable[Exchange]) -> None:
        """Count requests, in the order in which they ended."""
        own = [each for each in exchanges if self._concerns(each)]
        seen = [self._seen_in(each) for each in own]
        for exchange, (request, found) in zip(own, self._tally.follow(seen), strict=True):
            self._note(exchange, request, found)

    def _concerns(self, exchange: Exchange) -> bool:
        # A function's name may be that of a door.
        return exchange.door != "invoke" and (exchange.primary or exchange.name) == self.door

    def summary(self) -> dict[str, Any]:
        """Shares, counts and what is wrong, as JSON."""
        tally, shares = self._tally, self.experiment.shares
        assigned = tally.assigned
        return {
            "visitors": self._seen,
            "assigned": assigned,
            "unassigned": self._seen - assigned,
            "undeclared": carried(dict(tally.unexpected)),
            "switches": tally.switches,
            "leaks": tally.leaked,
            "leaks_by_sides": [
                {"made_for": carried(made_for), "got_by": got_by, "responses": count}
                for (made_for, got_by), count in sorted(tally.leaks.items())
            ],
            "requests": sum(each.requests for each in tally.by_variant.values()),
            "shares_are_off": certainly_off(tally.visitors, shares, _ALPHA),
            "variants": [self._variant(name, assigned) for name in shares],
        }

    def paths(self) -> list[dict[str, Any]]:
        """The newest visitors with their newest requests, oldest request first, as JSON."""
        newest = list(reversed(self._paths.values()))[:_SHOWN]
        return [
            {
                "visitor": carried(each.who),
                "variant": each.visitor.seen,
                "forced": each.forced,
                "stations": [_shown(station) for station in each.stations],
            }
            for each in newest
        ]

    def _variant(self, name: str, assigned: int) -> dict[str, Any]:
        visitors = self._tally.visitors[name]
        totals = self._tally.by_variant.get(name, Totals())
        interval = interval_of(visitors, assigned)
        return {
            "name": name,
            "expected_share": self.experiment.shares[name],
            "visitors": visitors,
            "share": visitors / assigned if assigned else None,
            "share_low": interval.low,
            "share_high": interval.high,
            "requests": totals.requests,
            "hits": totals.hits,
            "errors": totals.errors,
        }

    def _seen_in(self, exchange: Exchange) -> Seen:
        mark, request = self.experiment.assignment, exchange.request
        sent = own = None
        match mark.kind:
            case MarkKind.COOKIE:
                lines = request.headers.get_all("Cookie")
                sent = dict(parse_cookies(lines)).get(mark.name)
                own = _cookies_after(exchange).value(mark.name, request.path, exchange.started)
            case MarkKind.SENT_HEADER:
                own = request.headers.get(mark.name)
            case _:
                pass
        return Seen(
            self._visitor(exchange),
            1,
            request.target,
            sent,
            self._answer(exchange, own),
            exchange.duration_s * 1000,
            exchange.id,
        )

    def _answer(self, exchange: Exchange, own: str | None) -> Answer:
        response, record = exchange.response, _record_of(exchange)
        if response is None:
            return Answer(0, own=own, record=record)
        marks = (self.experiment.assignment, self.experiment.exposure)
        reads_body = any(mark and mark.kind is MarkKind.BODY for mark in marks)
        body = _text_of(response) if reads_body else ""
        return Answer(response.status, tuple(response.headers.lines()), body, own, record)

    def _visitor(self, exchange: Exchange) -> Visitor:
        who, variant = self._who(exchange)
        visitor = self._visitors.get(who)
        if visitor is None:
            viewer = exchange.request.viewer
            number = len(self._visitors)
            visitor = Visitor(number, viewer.ip, viewer.country, "", ())
            if variant is None:
                self._seen += 1
            else:  # It is on that side whatever the shares are, and nobody's switch.
                visitor.variant = visitor.seen = variant
                visitor.switched = True
            self._visitors[who] = visitor
            if len(self._visitors) > _VISITORS:
                _ = self._visitors.popitem(last=False)
        self._visitors.move_to_end(who)
        return visitor

    def _who(self, exchange: Exchange) -> tuple[_Who, str | None]:
        """What a visitor is known by, and the side of this experiment that they were put on."""
        viewer = exchange.request.viewer
        played = viewer.played
        if played is None:
            return (viewer.ip, exchange.request.headers.get("User-Agent")), None
        if played.experiment != self.experiment.name:
            return (played.name,), None
        return (played.name, played.variant, "forced"), played.variant

    def _note(self, exchange: Exchange, seen: Seen, found: list[Example]) -> None:
        who, forced = self._who(exchange)
        leak = next((each for each in found if each.kind == "leak"), None)
        station = _Station(
            exchange.started,
            seen.path,
            seen.answer.status,
            exchange.result_type,
            seen.visitor.seen,
            None if leak is None else leak.other,
            any(each.kind == "switch" for each in found),
            exchange.id,
        )
        path = self._paths.get(who)
        if path is None:
            path = _Path(who[0], seen.visitor, forced is not None, deque(maxlen=_STATIONS))
            self._paths[who] = path
            if len(self._paths) > _PATHS:
                _ = self._paths.popitem(last=False)
        path.stations.append(station)
        if forced is None and self.experiment.assignment.kind not in PUTS_THERE:
            self._note_cookies(exchange, seen.visitor.seen)
        self._paths.move_to_end(who)
        if leak is not None:
            leak.key = _key_of(exchange)
            self.leaks.append(Leak(exchange.started, path.who, leak))

    def _note_cookies(self, exchange: Exchange, variant: str | None) -> None:
        cookies = _cookies_after(exchange).header(exchange.request.path, exchange.started)
        if cookies and variant is not None:
            self.cookies[variant] = cookies


def _record_of(exchange: Exchange) -> Record:
    """As much of the document of a request as telling the variants takes."""
    return {
        "origin": exchange.origin_id or None,
        "asked": {"domain_name": exchange.origin_domain_name},
        "result_type": exchange.result_type,
        "cache_key": exchange.cache_key.hex() or None,
        "functions": [{"name": run.name, "version": run.version} for run in exchange.functions],
        "request": _request(exchange.request),
        "steps": [_step(step) for step in exchange.steps if step.name in _LOOKED_INTO],
    }


def _step(step: Step) -> Record:
    return {
        "name": step.name,
        "before": _request(step.before) if isinstance(step.before, Request) else None,
    }


def _request(request: Request) -> Record:
    return {"uri": request.path, "headers": list(request.headers)}


def _key_of(exchange: Exchange) -> Key:
    """The parts of the key by which the cache was asked."""
    for step in exchange.steps:
        if step.name == "cache" and step.decision is not None:
            parts: Any = step.decision.facts.get("key", ())
            return tuple((part["part"], part["value"]) for part in parts)
    return ()


def _cookies_after(exchange: Exchange) -> CookieJar:
    """The cookies that a visitor has once the answer has come."""
    request, response, jar = exchange.request, exchange.response, CookieJar()
    sent = parse_cookies(request.headers.get_all("Cookie"))
    lines = [f"{name}={value}; Path=/" for name, value in sent]
    lines += response.headers.get_all("Set-Cookie") if response is not None else []
    jar.store(lines, request.path, exchange.started)
    return jar


def _text_of(response: Response) -> str:
    """What is kept of a body, as text; of a compressed one, what that part of it holds."""
    data, encoding = response.body.preview, response.headers.get("Content-Encoding").lower()
    try:
        if encoding == "gzip":
            data = zlib.decompressobj(wbits=31).decompress(data, _BODY_BYTES)
        elif encoding == "br":
            data = brotli.Decompressor().process(data, output_buffer_limit=_BODY_BYTES)
    except (zlib.error, brotli.error):
        return ""
    return data[:_BODY_BYTES].decode(errors="replace")


def _shown(station: _Station) -> dict[str, Any]:
    return {
        "time": _iso(station.time),
        "path": carried(station.path),
        "status": station.status or None,
        "result_type": station.result_type,
        "variant": station.variant,
        "made_for": carried(station.leaked_from),
        "switched": station.switched,
        "exchange": station.exchange,
    }


def _iso(epoch_s: float) -> str:
    text = datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
