import asyncio

from edgeproxy.http.body import read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from tests.unit.origins.raw_origin import OK, Visit, client, custom_origin, raw_origin

GET = Request("GET", "/", headers=Headers([("Host", "www.example.com")]))
SILENCE_S = 0.4


async def test_a_slow_reader_is_not_the_origins_silence() -> None:
    body = bytes(2_000_000)

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin(read_timeout_s=SILENCE_S))
        await asyncio.sleep(SILENCE_S * 2)
        assert await read_at_most(response.body, len(body)) == body


async def test_each_request_of_a_connection_has_the_whole_time() -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await asyncio.sleep(SILENCE_S * 0.6)
            await visit.send(OK)

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        for _ in range(3):
            response = await sender.fetch(GET, custom_origin(read_timeout_s=SILENCE_S))
            assert await read_at_most(response.body, 2) == b"ok"
            await asyncio.sleep(SILENCE_S * 0.6)
    assert origin.connections == 1


async def test_closing_the_client_ends_a_body_that_is_being_read() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK.removesuffix(b"k"))
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        response = await sender.fetch(GET, custom_origin())
        reading = asyncio.ensure_future(read_at_most(response.body, 2))
        await asyncio.sleep(0)
        await sender.close()
        _ = await asyncio.wait([reading], timeout=20)
        assert reading.done()
        assert reading.exception() is not None
