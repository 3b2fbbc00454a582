"""Calls about the edge itself: its doors, its clock, what it would do with a request."""

from aiohttp import web

from edgeproxy.edge.explain import Question
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Response
from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import Problem, answered, number, object_of, pairs
from edgeproxy.inspector.controlled import Controlled

__all__ = ["EdgeCalls"]


class EdgeCalls:
    """What is asked of the running program as a whole."""

    def __init__(self, controlled: Controlled) -> None:
        self._controlled = controlled

    def routes(self) -> list[web.RouteDef]:
        """Health, endpoints, waiting events, explanations and the clock."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/api/endpoints", self._endpoints),
            web.get("/api/target-health", self._target_health),
            web.get("/api/events", self._events),
            web.post("/api/explain", self._explain),
            web.get("/api/clock", self._clock),
            web.post("/api/clock", self._advance),
            web.delete("/api/clock", self._reset),
        ]

    async def _healthz(self, request: web.Request) -> web.Response:
        if not self._controlled.is_ready:
            raise Problem(503, "NotReady", "the edge is starting")
        return answered({"status": "ok"})

    async def _endpoints(self, request: web.Request) -> web.Response:
        return answered(self._controlled.endpoints())

    async def _target_health(self, request: web.Request) -> web.Response:
        return answered(self._controlled.target_health())

    async def _events(self, request: web.Request) -> web.Response:
        count, events = await self._controlled.oldest_events(number(request, "limit", 50))
        return answered({"count": count, "events": [documents.event(event) for event in events]})

    async def _explain(self, request: web.Request) -> web.Response:
        body = await object_of(request)
        url = body.get("url")
        method = body.get("method", "GET")
        headers = pairs(body.get("headers", []), "headers")
        if not isinstance(url, str) or not isinstance(method, str):
            raise Problem.argument("url and method must be strings")
        answer = None
        if "answer" in body:
            match body["answer"]:
                case {"status": int(status), "headers": lines} if 100 <= status <= 999:
                    answer = Response(status, Headers(pairs(lines, "headers of answer")))
                case _:
                    raise Problem.argument("answer must be an object with a status and headers")
        return answered(await self._controlled.explain(Question(url, method, headers, answer)))

    async def _clock(self, request: web.Request) -> web.Response:
        clock = self._controlled.clock
        return answered({"now": documents.iso(clock.now()), "offset_s": clock.offset_s})

    async def _advance(self, request: web.Request) -> web.Response:
        seconds = (await object_of(request)).get("advance_s")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise Problem.argument("advance_s must be a number of seconds")
        try:
            self._controlled.clock.advance(seconds)
        except ValueError as error:
            raise Problem.argument(str(error)) from error
        return await self._clock(request)

    async def _reset(self, request: web.Request) -> web.Response:
        self._controlled.clock.reset()
        return await self._clock(request)
