import asyncio

import pytest

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Tunnel
from edgeproxy.origins import tunnel as tunnel_module
from tests.unit.origins.raw_origin import OriginClient, Visit, client, custom_origin, raw_origin

HANDSHAKE = Request(
    "GET",
    "/",
    headers=Headers([("Host", "www.example.com"), ("Sec-WebSocket-Key", "x")]),
    upgrade="websocket",
)
MOST_UNREAD = 2**17
SWITCHED = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def opened(sender: OriginClient) -> Tunnel:
    response = await sender.fetch(HANDSHAKE, custom_origin())
    assert response.tunnel is not None
    return response.tunnel


async def test_the_origins_close_ends_the_iteration() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED + b"last words")

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        assert b"".join([chunk async for chunk in tunnel]) == b"last words"
        await tunnel.close()


async def test_the_origins_reset_ends_the_iteration() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED)
        await visit.reader.read(1)
        visit.reset()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        await tunnel.send(b"x")
        assert [chunk async for chunk in tunnel] == []
        await tunnel.close()


async def test_sending_to_an_origin_that_is_gone_fails() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED)

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        assert [chunk async for chunk in tunnel] == []
        with pytest.raises(ConnectionError):
            await tunnel.send(b"x")
        await tunnel.close()


async def test_closing_ends_a_waiting_iteration_and_the_connection() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED)
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        reading = asyncio.create_task(anext(aiter(tunnel), b"end"))
        await asyncio.sleep(0)
        await tunnel.close()
        await tunnel.close()
        assert await asyncio.wait_for(reading, 20) == b"end"
        await asyncio.wait_for(origin.gone.wait(), 20)


@pytest.mark.rule("CDN-WS-04", "CDN-QUO-19")
async def test_an_origin_that_is_silent_for_too_long_ends_the_tunnel(monkeypatch) -> None:
    assert tunnel_module.IDLE_LIMIT_S == 600
    monkeypatch.setattr(tunnel_module, "IDLE_LIMIT_S", 1)

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED)
        for _ in range(4):  # longer than the limit altogether
            await asyncio.sleep(0.3)
            await visit.send(b"tick")
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        await tunnel.send(b"bytes to the origin do not count")
        assert b"".join([chunk async for chunk in tunnel]) == b"tick" * 4
        await tunnel.close()
        await asyncio.wait_for(origin.gone.wait(), 20)


async def test_an_origin_that_talks_faster_than_it_is_heard_has_to_wait() -> None:
    sent = 0

    async def script(visit: Visit) -> None:
        nonlocal sent
        await visit.request()
        await visit.send(SWITCHED)
        for _ in range(100):
            await visit.send(bytes(1_000_000))
            sent += 1_000_000

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        size = 0
        most_ahead = 0
        async for chunk in tunnel:
            size += len(chunk)
            most_ahead = max(most_ahead, sent - size)
            await asyncio.sleep(0)
        assert size == 100_000_000
        assert most_ahead < 50_000_000
        await tunnel.close()


async def test_an_origin_that_had_to_wait_may_not_be_silent_for_longer(monkeypatch) -> None:
    monkeypatch.setattr(tunnel_module, "IDLE_LIMIT_S", 0.2)
    paused = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(SWITCHED)
        await visit.send(bytes(MOST_UNREAD + 1))  # Its last piece is the one too many.
        paused.set()
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        tunnel = await opened(sender)
        await asyncio.wait_for(paused.wait(), 20)
        async with asyncio.timeout(20):
            assert len(b"".join([chunk async for chunk in tunnel])) == MOST_UNREAD + 1
        await tunnel.close()
