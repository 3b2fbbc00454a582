import socket

import pytest

from edgeproxy.errors import PortInUse, UsageError
from edgeproxy.http.messages import Request, Response
from edgeproxy.server.listener import Listener
from tests.wire.raw import connect, door, refuse


async def ok(request: Request) -> Response:
    return Response(200)


async def test_port_0_takes_a_free_one() -> None:
    async with door(ok) as listener, connect(listener) as viewer:
        assert listener.port > 0
        assert listener.url == f"http://127.0.0.1:{listener.port}"
        assert (await viewer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
        assert listener.in_flight == 0


async def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listener = Listener(ok, host="127.0.0.1", port=port, refuse=refuse, name="viewer")
        with pytest.raises(PortInUse, match=rf"viewer: port {port} .*\(.*port 0") as raised:
            await listener.start()
        assert raised.value.remedy


async def test_an_address_of_another_machine() -> None:
    listener = Listener(ok, host="192.0.2.1", port=0, refuse=refuse)
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1:0"):
        await listener.start()


async def test_stopping_frees_the_port_and_may_be_repeated() -> None:
    async with door(ok) as listener:
        port = listener.port
        await listener.stop(0)
        await listener.stop(0)
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_it_can_start_again() -> None:
    async with door(ok) as listener:
        await listener.stop(0)
        await listener.start()
        async with connect(listener) as viewer:
            assert (await viewer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
