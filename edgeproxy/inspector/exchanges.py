"""Calls about exchanges: the newest, one of them, and all of them as they end."""

from contextlib import aclosing, suppress

import orjson
from aiohttp import ClientConnectionError, web

from edgeproxy.exchange.model import Exchange
from edgeproxy.exchange.text import carried
from edgeproxy.inspector import documents
from edgeproxy.inspector.calls import Problem, answered, number
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.observe.history import History

__all__ = ["ExchangeCalls"]


class ExchangeCalls:
    """Reads the history."""

    def __init__(self, controlled: Controlled, history: History) -> None:
        self._controlled = controlled
        self._history = history

    def routes(self) -> list[web.RouteDef]:
        """Those under ``/api/exchanges``."""
        return [
            web.get("/api/exchanges", self._newest),
            web.get("/api/exchanges/stream", self._stream),
            web.get("/api/exchanges/{id}", self._one),
        ]

    async def _newest(self, request: web.Request) -> web.Response:
        limit = number(request, "limit", 50)
        page, following = self._history.newest(limit, request.query.get("after"))
        return answered({"exchanges": [documents.summary(e) for e in page], "next": following})

    async def _one(self, request: web.Request) -> web.Response:
        exchange = self._found(request)
        why = await self._controlled.stored.reasons(exchange)
        return answered({**documents.detail(exchange), "why": carried(why)})

    def _found(self, request: web.Request) -> Exchange:
        exchange = self._history.get(request.match_info["id"])
        if exchange is None:
            raise Problem.no_exchange()
        return exchange

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        # A client that leaves is the ordinary end of a stream.
        with suppress(ConnectionError, ClientConnectionError):
            # The head must leave before the first event, or a client waits for its connection.
            await response.write(b": following\n\n")
            last = request.headers.get("Last-Event-ID")
            async with aclosing(self._history.follow(last)) as ended:
                async for exchange in ended:
                    data = orjson.dumps(documents.summary(exchange))
                    await response.write(b"id: %s\ndata: %s\n\n" % (exchange.id.encode(), data))
        return response
