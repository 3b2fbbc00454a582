"""Doors open once, keep their port over reloads, and close together."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from edgeproxy.app import doors as module
from edgeproxy.app.doors import Doors
from edgeproxy.app.geo_database import GeoDatabases
from edgeproxy.app.viewers import viewer_from
from edgeproxy.errors import PortInUse
from edgeproxy.http.body import BytesBody
from edgeproxy.http.messages import Handler, Request, Response
from edgeproxy.settings import Settings

whoever = viewer_from(Settings(), GeoDatabases(()))


def refuse(status: int, reason: str, detail: str) -> Response:
    return Response(status, body=BytesBody(detail.encode()))


def says(text: str) -> Handler:
    async def handler(request: Request) -> Response:
        viewer = request.viewer
        return Response(200, body=BytesBody(f"{text} {viewer.ip} {viewer.country}".encode()))

    return handler


async def get(url: str, head: str = "") -> str:
    """The last line of the answer to a GET, and its status."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n".encode())
    lines = (await reader.read()).decode().split("\r\n")
    writer.close()
    await writer.wait_closed()
    return f"{lines[0].split()[1]} {lines[-1]}"


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    doors = Doors("127.0.0.1", refuse, whoever, 0)
    yield doors
    await doors.close_others(())


@pytest.fixture
def neighbours() -> Iterator[tuple[socket.socket, int]]:
    """A port that is taken, the next one being free a moment ago."""
    while True:
        taken = socket.create_server(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with socket.socket() as following:
            try:
                following.bind(("127.0.0.1", port + 1))
                break
            except (OSError, OverflowError):
                taken.close()
    yield taken, port
    taken.close()


class TestOpening:
    async def test_a_free_port(self, doors: Doors) -> None:
        url = await doors.open("site", says("one"), "site")
        assert await get(url) == "200 one 127.0.0.1 "

    async def test_the_same_key_keeps_its_port_and_gets_the_new_handler(self, doors: Doors) -> None:
        first = await doors.open("site", says("one"), "site")
        second = await doors.open("site", says("two"), "site")
        assert first == second
        assert await get(first) == "200 two 127.0.0.1 "

    async def test_a_port_that_was_asked_for_and_is_taken(
        self, doors: Doors, neighbours: tuple[socket.socket, int]
    ) -> None:
        with pytest.raises(PortInUse, match=f"--port: port {neighbours[1]}"):
            await doors.open("viewer", says("one"), "--port", neighbours[1])
        # Nothing is remembered of it.
        await doors.open("viewer", says("one"), "--port", 0)

    async def test_the_next_free_port_is_taken_otherwise(
        self, neighbours: tuple[socket.socket, int]
    ) -> None:
        doors = Doors("127.0.0.1", refuse, whoever, neighbours[1])
        url = await doors.open("site", says("one"), "site")
        assert int(url.rpartition(":")[2]) > neighbours[1]
        await doors.close_others(())

    async def test_any_port_when_those_are_all_taken(
        self, monkeypatch: pytest.MonkeyPatch, neighbours: tuple[socket.socket, int]
    ) -> None:
        monkeypatch.setattr(module, "_PORTS_TO_TRY", 1)
        doors = Doors("127.0.0.1", refuse, whoever, neighbours[1])
        assert await get(await doors.open("site", says("one"), "site")) == "200 one 127.0.0.1 "
        await doors.close_others(())

    async def test_any_port_beyond_the_last_one(self) -> None:
        doors = Doors("127.0.0.1", refuse, whoever, 65536)
        assert await get(await doors.open("site", says("one"), "site")) == "200 one 127.0.0.1 "
        await doors.close_others(())

    async def test_a_door_may_have_pages_of_its_own(self, doors: Doors) -> None:
        def own(status: int, reason: str, detail: str) -> Response:
            return Response(status, body=BytesBody(b"own page"))

        shared = await doors.open("site", says("one"), "site")
        special = await doors.open("alb", says("two"), "alb", refuse=own)
        bad = "x-edgeproxy-viewer-country: nowhere\r\n"
        assert await get(shared, bad) == "400 x-edgeproxy-viewer-country is not a country code"
        assert await get(special, bad) == "400 own page"


class TestClosing:
    async def test_all_but_those_wanted(self, doors: Doors) -> None:
        kept = await doors.open("kept", says("kept"), "kept")
        closed = await doors.open("closed", says("closed"), "closed")
        await doors.close_others(["kept", "unknown"])
        assert await get(kept) == "200 kept 127.0.0.1 "
        with pytest.raises(ConnectionRefusedError):
            await get(closed)

    async def test_doors_with_requests_in_flight_share_the_time_of_grace(
        self, doors: Doors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "GRACE_S", 1)
        begun = asyncio.Semaphore(0)

        async def forever(request: Request) -> Response:
            begun.release()
            await asyncio.Event().wait()
            raise AssertionError

        urls = [await doors.open(key, forever, key) for key in "abcd"]
        requests = [asyncio.create_task(get(url)) for url in urls]
        for _ in urls:
            await begun.acquire()
        started = asyncio.get_running_loop().time()
        await doors.close_others(())
        took_s = asyncio.get_running_loop().time() - started
        await asyncio.gather(*requests, return_exceptions=True)
        assert took_s < 3
