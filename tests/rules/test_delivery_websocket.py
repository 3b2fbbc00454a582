"""WebSocket and long answers, through a whole edge to a real origin."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from edgeproxy.distribution.logs import STANDARD_FIELDS
from edgeproxy.testing import Edge, Site
from tests.support.delivery import (
    ALL_METHODS,
    ALL_VIEWER,
    CACHING_DISABLED,
    cache_policy,
    legacy,
    origin_request_policy,
)
from tests.support.templates import distribution_template

Deliver = Callable[..., Site]


class Chat:
    """A WebSocket origin: says everything back; knows the requests it got."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        socket = web.WebSocketResponse(protocols=("chat",), autoping=False)
        if not socket.can_prepare(request):
            return web.Response(status=426, text="only WebSocket here")
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                if message.data == "bye":
                    await socket.close(code=4000, message=b"as you wish")
                else:
                    await socket.send_str(message.data.upper())
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            elif message.type is aiohttp.WSMsgType.PING:
                await socket.pong(message.data)
        return socket


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    chat = Chat()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", chat.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    chat.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield chat
    await runner.cleanup()


@pytest.fixture
async def viewer() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


SEC = "Sec-WebSocket-"
LISTED = origin_request_policy(
    f"whitelist {SEC}Key {SEC}Version {SEC}Protocol {SEC}Extensions {SEC}Accept"
)


@pytest.mark.rule("CDN-WS-01", "CDN-WS-02", "CDN-WS-04", "CDN-XC-02")
@pytest.mark.parametrize(
    "behavior",
    [
        {"cache": CACHING_DISABLED, "forward": ALL_VIEWER},
        {"cache": CACHING_DISABLED, "forward": LISTED},
        {"forward": LISTED},
        {"cache": cache_policy(headers=f"whitelist {SEC}Key {SEC}Version {SEC}Protocol")},
        legacy(["*"]),
    ],
    ids=["all viewer", "listed", "in a caching behavior", "in the key", "legacy all"],
)
async def test_messages_flow_both_ways(
    deliver: Deliver, chat: Chat, viewer: aiohttp.ClientSession, behavior: dict[str, object]
) -> None:
    site = deliver(behavior, at={"web": chat.url})
    async with viewer.ws_connect(f"{site.url}/room?x=1", protocols=["chat"]) as socket:
        assert socket.protocol == "chat"
        for text in ("hello", "x" * 100_000):
            await socket.send_str(text)
            assert await socket.receive_str() == text.upper()
        await socket.send_bytes(bytes(range(256)) * 1000)
        assert await socket.receive_bytes() == bytes(range(256)) * 1000
        await socket.ping(b"there?")
        await socket.send_str("bye")
        closing = await socket.receive()
        assert (closing.type, closing.data, closing.extra) == (
            aiohttp.WSMsgType.CLOSE, 4000, "as you wish",
        )  # fmt: skip
    assert len(chat.requests) == 1
    exchange = (await asyncio.to_thread(site.exchanges, 1))[0]
    assert exchange.response is not None
    assert (exchange.response.status, exchange.result_type) == (101, "Miss")


@pytest.mark.rule("CDN-WS-02", "CDN-WS-03")
@pytest.mark.parametrize("behavior", [{}, {"cache": CACHING_DISABLED}], ids=["caching", "off"])
async def test_without_the_headers_the_origin_sees_a_plain_get(
    deliver: Deliver, chat: Chat, viewer: aiohttp.ClientSession, behavior: dict[str, object]
) -> None:
    site = deliver(behavior, at={"web": chat.url})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await viewer.ws_connect(f"{site.url}/room")
    assert refused.value.status == 426
    assert "Upgrade" not in chat.requests[0].headers


@pytest.mark.rule("CDN-WS-05")
@pytest.mark.parametrize("policy", ["https-only", "redirect-to-https"])
async def test_the_viewer_protocol_policy_holds_for_handshakes(
    deliver: Deliver, chat: Chat, viewer: aiohttp.ClientSession, policy: str
) -> None:
    site = deliver({"ViewerProtocolPolicy": policy, "forward": ALL_VIEWER}, at={"web": chat.url})
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        f"{SEC}Key": "dGhlIHNhbXBsZSBub25jZQ==",
        f"{SEC}Version": "13",
    }
    url = f"{site.url}/room"
    async with viewer.get(url, headers=handshake, allow_redirects=False) as response:
        assert response.status == (403 if policy == "https-only" else 301)
    assert chat.requests == []


@pytest.mark.rule("CDN-WS-06", "CDN-LOG-20")
async def test_the_log_line_comes_when_the_connection_ends(
    deliver: Deliver, chat: Chat, viewer: aiohttp.ClientSession, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    site = deliver({"forward": ALL_VIEWER}, at={"web": chat.url}, options={"access_log": log})
    async with viewer.ws_connect(f"{site.url}/room") as socket:
        await socket.send_str("hello" * 2000)
        await socket.receive_str()
        assert len(log.read_text().splitlines()) == 2, "only the head of the file"
    await asyncio.to_thread(site.exchanges, 1)
    fields = dict(zip(STANDARD_FIELDS, log.read_text().splitlines()[2].split("\t"), strict=True))
    assert (fields["sc-status"], fields["cs-protocol"]) == ("101", "ws")
    assert (fields["x-edge-result-type"], fields["cs-uri-stem"]) == ("Miss", "/room")
    assert int(fields["sc-bytes"]) > 10_000
    assert int(fields["cs-bytes"]) > 10_000


@pytest.mark.rule("CDN-WS-09")
async def test_request_functions_run_on_the_handshake_and_response_functions_do_not(
    shared: Edge, chat: Chat, viewer: aiohttp.ClientSession, tmp_path: Path
) -> None:
    rewrite = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        request["uri"] = "/stage" + request["uri"]
        return request
    """
    fail = "def handler(event, context):\n    raise ValueError\n"
    functions = {"viewer-request": rewrite, "origin-request": rewrite, "viewer-response": fail}
    path = distribution_template(tmp_path, functions, behavior={"AllowedMethods": ALL_METHODS})
    site = shared.serve(path, origins={"web": chat.url})
    async with viewer.ws_connect(f"{site.url}/room") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"
    assert chat.requests[0].path == "/stage/stage/room"


@pytest.mark.rule("CDN-ERR-31")
async def test_a_handshake_with_an_origin_that_is_away_is_502(
    deliver: Deliver, viewer: aiohttp.ClientSession
) -> None:
    site = deliver(
        {"forward": ALL_VIEWER}, at={"web": "http://127.0.0.1:1"}, origin={"ConnectionAttempts": 1}
    )
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await viewer.ws_connect(f"{site.url}/room")
    assert refused.value.status == 502


@pytest.mark.rule("CDN-WS-08", "CDN-RNG-15")
@pytest.mark.parametrize("behavior", [{}, {"cache": CACHING_DISABLED}], ids=["caching", "off"])
async def test_server_sent_events_come_one_by_one(
    deliver: Deliver, viewer: aiohttp.ClientSession, behavior: dict[str, object]
) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(3):
            await response.write(f"data: {number}\n\n".encode())
            assert await heard.get() == number
        return response

    application = web.Application()
    application.router.add_get("/events", events)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    where = web.TCPSite(runner, "127.0.0.1", 0)
    await where.start()
    site = deliver(behavior, at={"web": f"http://127.0.0.1:{runner.addresses[0][1]}"})
    try:
        async with viewer.get(f"{site.url}/events") as response:
            for number in range(3):
                assert await response.content.readuntil(b"\n\n") == f"data: {number}\n\n".encode()
                heard.put_nowait(number)
            assert await response.content.read() == b""
    finally:
        await runner.cleanup()
