"""The call behind the charts: the last minutes step by step."""

from collections import Counter
from collections.abc import Iterable

from aiohttp import web

from edgeproxy.exchange.model import Exchange
from edgeproxy.exchange.text import carried
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request
from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import answered, number
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.observe.charts import MINUTES_KEPT, STEP_S, Charts, Point
from edgeproxy.observe.history import History

__all__ = ["ChartCalls"]

_PERCENTILES = (50, 95, 99)
_MOST_VARIANTS = 20


class ChartCalls:
    """Reads what has been counted; variants are those of the requests that are kept."""

    def __init__(self, controlled: Controlled, charts: Charts, history: History) -> None:
        self._controlled = controlled
        self._charts = charts
        self._history = history

    def routes(self) -> list[web.RouteDef]:
        """``/api/charts``."""
        return [web.get("/api/charts", self._points)]

    async def _points(self, request: web.Request) -> web.Response:
        minutes = number(request, "minutes", 5, MINUTES_KEPT)
        points, since_s = self._charts.newest(minutes)
        last = self._controlled.clock.now() - since_s
        first = last - (len(points) - 1) * STEP_S
        document: dict[str, object] = {
            "step_s": STEP_S,
            "points": [
                {"t": documents.iso(first + at * STEP_S), **_point(point)}
                for at, point in enumerate(points)
            ],
        }
        if cookie := request.query.get("cookie"):
            document["variants"] = carried(self._variants(cookie, first))
        return answered(document)

    def _variants(self, cookie: str, since: float) -> list[dict[str, object]]:
        """How many of the kept requests have each value of a cookie, as the cache saw them."""
        counts = Counter(
            dict(parse_cookies(_seen(each).headers.get_all("Cookie"))).get(cookie)
            for each in self._history.since(since)
        )
        return [
            {"name": value, "count": count} for value, count in counts.most_common(_MOST_VARIANTS)
        ]


def _seen(exchange: Exchange) -> Request:
    """The request that the cache was asked, with what a function at viewer-request put there."""
    for step in exchange.steps:
        if step.name == "cache" and isinstance(step.before, Request):
            return step.before
    return exchange.request


def _point(point: Point) -> dict[str, object]:
    parts: dict[str, list[tuple[float, int]]] = {
        "total": [],
        "edge": [],
        "function": [],
        "origin": [],
    }
    for weight, total_s, function_s, origin_s in point.samples:
        parts["total"].append((total_s, weight))
        parts["edge"].append((max(0.0, total_s - (function_s or 0) - (origin_s or 0)), weight))
        if function_s is not None:
            parts["function"].append((function_s, weight))
        if origin_s is not None:
            parts["origin"].append((origin_s, weight))
    return {
        "requests": point.requests,
        "hits": point.hits,
        "errors": point.errors,
        "client_errors": point.client_errors,
        **{name: _percentiles(samples) for name, samples in parts.items()},
    }


def _percentiles(samples: Iterable[tuple[float, int]]) -> dict[str, float] | None:
    """In milliseconds; None where there is no sample."""
    ordered = sorted(samples)
    if not ordered:
        return None
    whole = sum(weight for _, weight in ordered)
    found: dict[str, float] = {}
    for percentile in _PERCENTILES:
        below = 0
        for seconds, weight in ordered:
            below += weight
            if below >= whole * percentile / 100:
                found[f"p{percentile}"] = round(seconds * 1000, 3)
                break
    return found
