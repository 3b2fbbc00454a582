"""Calls that make something of a recorded request: send it again, take it away in some form."""

import base64
import binascii
from urllib.parse import urlsplit

from aiohttp import web

from edgeproxy.distribution.model import Distribution, EdgeFunctionKind, EventType
from edgeproxy.errors import UsageError
from edgeproxy.exchange.model import Exchange
from edgeproxy.exchange.text import carried
from edgeproxy.inspector.again import Edited, door_of, send_again, viewer_headers, whole_body
from edgeproxy.inspector.calls import Problem, answered, number, object_of, pairs
from edgeproxy.inspector.controlled import Controlled
from edgeproxy.inspector.exports import curl_command, pytest_test
from edgeproxy.inspector.har import har
from edgeproxy.inspector.recorded_events import recorded_event
from edgeproxy.observe.history import History

__all__ = ["CopyCalls", "event_type_of", "served"]


class CopyCalls:
    """Of one request or, as an archive, of several."""

    def __init__(self, controlled: Controlled, history: History) -> None:
        self._controlled = controlled
        self._history = history

    def routes(self) -> list[web.RouteDef]:
        """Those below ``/api/exchanges/ID``, and ``/api/har``."""
        return [
            web.post("/api/exchanges/{id}/again", self._again),
            web.get("/api/exchanges/{id}/as/curl", self._curl),
            web.get("/api/exchanges/{id}/as/event", self._event),
            web.get("/api/exchanges/{id}/as/pytest", self._pytest),
            web.get("/api/har", self._har),
        ]

    async def _again(self, request: web.Request) -> web.Response:
        exchange, edited = self._found(request), await _edited(request)
        door = door_of(exchange, self._controlled.endpoints())
        new_id = await send_again(exchange, edited, door, self._controlled.authority)
        return answered({"id": new_id})

    async def _curl(self, request: web.Request) -> web.Response:
        exchange = self._found(request)
        whole_body(exchange.request.body)
        door = door_of(exchange, self._controlled.endpoints())
        viewer = viewer_headers(exchange.request.viewer)
        return _text(curl_command(exchange.request, door, self._controlled.authority, viewer))

    async def _event(self, request: web.Request) -> web.Response:
        """As a Lambda@Edge function gets it; ``function`` may name a CloudFront Function."""
        exchange = self._found(request)
        distribution = served(self._controlled, exchange)
        used = exchange.functions
        event_type = event_type_of(request, used[0].event_type if used else "viewer-request")
        function = request.query.get("function", "")
        is_own = function in self._controlled.cloudfront_functions
        kind = EdgeFunctionKind.CLOUDFRONT if is_own else EdgeFunctionKind.LAMBDA
        event = recorded_event(distribution, exchange, event_type, kind)
        return web.Response(body=event, content_type="application/json")

    async def _pytest(self, request: web.Request) -> web.Response:
        exchange = self._found(request)
        whole_body(exchange.request.body)
        return _text(pytest_test(exchange, self._controlled.target))

    async def _har(self, request: web.Request) -> web.Response:
        if "ids" in request.query:
            ids = request.query["ids"].split(",")
            exchanges = [self._history.get(each) for each in ids]
            archive = har(each for each in exchanges if each is not None)
        else:
            archive = har(self._history.newest(number(request, "limit", 1000))[0])
        answer = answered(archive)
        answer.headers["Content-Disposition"] = 'attachment; filename="edgeproxy.har"'
        return answer

    def _found(self, request: web.Request) -> Exchange:
        exchange = self._history.get(request.match_info["id"])
        if exchange is None:
            raise Problem.no_exchange()
        return exchange


def served(controlled: Controlled, exchange: Exchange) -> Distribution:
    """The distribution that a request was for. Raises :class:`UsageError` when there is none."""
    for distribution in controlled.distributions:
        if exchange.door == "distribution" and distribution.logical_id == exchange.name:
            return distribution
    raise UsageError("only requests to a distribution have events of edge functions")


def event_type_of(request: web.Request, otherwise: str) -> EventType:
    """The ``event_type`` of a call. Raises :class:`Problem`."""
    text = request.query.get("event_type") or otherwise
    try:
        return EventType(text)
    except ValueError as error:
        raise Problem.argument(f"event_type must be one of {', '.join(EventType)}") from error


async def _edited(request: web.Request) -> Edited:
    body = await object_of(request)
    method, url, text = body.get("method"), body.get("url"), body.get("body")
    for name, value in (("method", method), ("url", url), ("body", text)):
        if not isinstance(value, str | None):
            raise Problem.argument(f"{name} must be a string")
    headers = None
    if body.get("headers") is not None:
        headers = pairs(body["headers"], "headers")
    assert isinstance(method, str | None)
    assert isinstance(url, str | None)
    assert isinstance(text, str | None)
    data = None if text is None else text.encode("utf-8", "surrogatepass")
    match body.get("body_base64"):
        case None:
            pass
        case str(encoded):
            try:
                data = base64.b64decode(encoded, validate=True)
            except binascii.Error as error:
                raise Problem.argument(f"body_base64 is not base64: {error}") from error
        case _:
            raise Problem.argument("body_base64 must be a string")
    return Edited(method, None if url is None else _target(url), headers, data)


def _target(url: str) -> str:
    """Path and query of a URL; the door that it is sent to is that of the record."""
    if not url.startswith("/"):
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Problem.argument(f"url is not a URL: {error}") from error
        if not parts.netloc:
            raise Problem.argument("url must be a whole URL or begin with /")
        url = url.partition("#")[0].partition("://")[2][len(parts.netloc) :]
        url = url if url.startswith("/") else f"/{url}"
    return url


def _text(text: str) -> web.Response:
    return web.Response(text=str(carried(text)), content_type="text/plain")
