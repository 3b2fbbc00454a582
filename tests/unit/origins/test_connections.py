import asyncio

from edgeproxy.http.body import read_at_most
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response
from tests.unit.origins.certificates import server_context, trusting
from tests.unit.origins.raw_origin import (
    OK,
    Visit,
    answers_all,
    client,
    custom_origin,
    raw_origin,
)

HOST = Headers([("Host", "www.example.com")])


async def fetched(response: Response) -> bytes:
    return await read_at_most(response.body, 2**24)


async def test_a_body_read_to_its_end_leaves_the_connection_to_the_next_request() -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await visit.send(b"1\r\na\r\n0\r\n\r\n")

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        for _ in range(3):
            response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
            assert await fetched(response) == b"a"
    assert origin.connections == 1


async def test_a_stale_idle_connection_is_replaced_without_anyone_noticing() -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        if visit.number == 1:
            await visit.reader.readuntil(b"\r\n\r\n")  # the next request arrives and gets nothing
            return
        await visit.until_gone()

    async with raw_origin(script) as origin, client({"web": origin.url}) as sender:
        for _ in range(2):
            response = await sender.fetch(
                Request("GET", "/", headers=HOST), custom_origin(connection_attempts=1)
            )
            assert await fetched(response) == b"ok"
    assert origin.connections == 2


async def test_what_cannot_be_sent_twice_gets_a_connection_of_its_own() -> None:
    async with raw_origin(answers_all) as origin, client({"web": origin.url}) as sender:
        for method in ("GET", "POST", "GET"):
            response = await sender.fetch(Request(method, "/", headers=HOST), custom_origin())
            assert await fetched(response) == b"ok"
    assert origin.connections == 2


async def test_a_name_is_looked_up_for_a_new_connection_alone() -> None:
    reached = []
    async with (
        raw_origin(answers_all) as origin,
        client({"web": f"http://localhost:{origin.port}"}) as sender,
    ):
        for _ in range(2):
            response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
            assert await fetched(response) == b"ok"
            reached.append(response.reached)
    new, reused = reached
    assert new.look_up_s > 0
    assert new.connect_s is not None
    assert reused.look_up_s == 0
    assert reused.connect_s is None


async def test_closing_does_not_wait_for_an_idle_tls_connection(tmp_path, monkeypatch) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        visit.writer.write(OK)
        # It does not say goodbye either: it reads nothing any more.
        visit.writer.transport.pause_reading()
        deaf.set()
        try:
            await asyncio.Event().wait()
        finally:
            visit.writer.transport.abort()

    deaf = asyncio.Event()
    tls = server_context(tmp_path, "www.example.com")
    with trusting(tmp_path / "www.example.com.pem", monkeypatch):
        async with (
            raw_origin(script, tls=tls) as origin,
            asyncio.timeout(20),
            client({"web": origin.url}) as sender,
        ):
            response = await sender.fetch(Request("GET", "/", headers=HOST), custom_origin())
            assert await fetched(response) == b"ok"
            await deaf.wait()
