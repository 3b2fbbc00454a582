"""An edge location around the pipeline: what is for it alone, its record, its headers."""

from dataclasses import replace
from typing import Any, cast

import pytest

from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Origin
from edgeproxy.edge.hooks import Hooks
from edgeproxy.edge.location import EdgeLocation
from edgeproxy.edge.passage import Services
from edgeproxy.exchange.model import Exchange
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response
from edgeproxy.runtimes.cloudfront_js.outcome import Failed
from tests.unit.edge.scenes import SITE, Functions, Lambdas, associated, returned, scene, tiers

WHOLE = Delivered(400)


class Stage:
    """A location with an origin that remembers, and a recorder that does."""

    def __init__(self, functions: Functions | None = None) -> None:
        self.asked: list[Request] = []
        self.ended_: list[Exchange] = []
        self.failure: Exception | None = None
        clock = Clock()
        services = Services(
            tiers(clock),
            cast(Any, self),
            Hooks(Lambdas(returned(None)), functions or Functions()),
            clock,
            Chance(1),
            self,
        )
        self.location = EdgeLocation(SITE, services)

    async def fetch(self, request: Request, origin: Origin, begun: None = None) -> Response:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        return Response(200, Headers([("Content-Length", "5")]), BytesBody(b"hello"))

    def ended(self, exchange: Exchange) -> None:
        self.ended_.append(exchange)

    async def get(self, *lines: tuple[str, str]) -> Response:
        headers = Headers([("Host", "site.example"), *lines])
        return await self.location(Request("GET", "/a", headers=headers))

    def recorded(self, response: Response, delivered: Delivered = WHOLE) -> Exchange:
        """The record that the delivery of ``response`` completes."""
        assert response.on_delivered is not None
        response.on_delivered(delivered)
        return self.ended_[-1]


async def test_what_is_for_the_local_edge_goes_no_further() -> None:
    stage = Stage()
    response = await stage.get(("X-EdgeProxy-Viewer-Country", "FR"), ("x-edgeproxy-explain", "0"))
    exchange = stage.recorded(response)
    for headers in (stage.asked[0].headers, exchange.request.headers):
        assert not [name for name in headers.names() if name.startswith("x-edgeproxy")]


async def test_nothing_of_our_own_is_on_an_answer_unless_asked_for() -> None:
    stage = Stage()
    plain = await stage.get()
    assert not [name for name in plain.headers.names() if name.startswith("x-edgeproxy")]
    explained = await stage.get(("x-edgeproxy-explain", "1"))
    assert explained.headers.get("x-edgeproxy-exchange") == stage.recorded(explained).id
    assert explained.headers.get("x-edgeproxy-why").startswith("Hit: ")


async def test_the_explanation_is_one_line_of_ascii_whatever_a_function_says() -> None:
    failing = Functions(Failed("FunctionExecutionError", "Error: é\r\nSet-Cookie: a=b\x00"))
    stage = Stage(failing)
    behavior = scene(associated("viewer-request", "cloudfront")).behavior
    stage.location.distribution = replace(SITE, default_behavior=behavior)
    response = await stage.get(("x-edgeproxy-explain", "1"))
    why = response.headers.get("x-edgeproxy-why")
    assert "Set-Cookie: a=b" in why
    assert why.isascii()
    assert why.isprintable()


async def test_the_exchange_ends_when_the_answer_is_delivered() -> None:
    stage = Stage()
    response = await stage.get()
    assert stage.ended_ == []
    exchange = stage.recorded(response, Delivered(400, aborted=True))
    assert stage.ended_ == [exchange]
    assert exchange.first_byte_s is not None
    assert (exchange.bytes_sent, exchange.aborted) == (400, True)
    assert exchange.bytes_received == len("GET /a HTTP/1.1\r\nHost: site.example\r\n\r\n")
    assert exchange.response_result_type == "Miss"
    assert (exchange.result_type, exchange.detailed_result_type) == ("Error", "ClientCommError")
    assert response.headers.get("X-Amz-Cf-Id") == exchange.id


async def test_the_exchange_ends_without_an_answer_when_its_viewer_has_left() -> None:
    stage = Stage()
    stage.failure = ConnectionResetError("the viewer has left")
    with pytest.raises(ConnectionResetError):
        await stage.get()
    [exchange] = stage.ended_
    assert exchange.aborted
    assert exchange.response is None
    assert exchange.result_type == "Error"
    assert exchange.detailed_result_type == "ClientHungUpRequest"
