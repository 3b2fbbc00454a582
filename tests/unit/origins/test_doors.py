import asyncio
from collections.abc import AsyncIterator

import pytest

from edgeproxy.distribution.model import CustomOrigin, Origin
from edgeproxy.http.body import StreamBody
from edgeproxy.http.messages import Request, Response
from edgeproxy.origins.doors import ask_door
from edgeproxy.origins.errors import OriginFailure

ORIGIN = Origin("api", "api.example.com", CustomOrigin(read_timeout_s=1), connection_attempts=1)


class Door:
    """Reads the request, and answers when told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, request: Request) -> Response:
        self.bodies.append(b"".join([chunk async for chunk in request.body]))
        await self.answers.wait()
        return Response(204)


async def test_time_stands_still_while_somebody_debugs() -> None:
    door = Door()
    at_prompt = True

    def is_debugging() -> bool:
        nonlocal at_prompt
        was, at_prompt = at_prompt, False
        if was:
            asyncio.get_running_loop().call_later(0.1, door.answers.set)
        return was

    assert (await ask_door(door, Request("GET", "/"), ORIGIN, is_debugging)).status == 204
    assert not at_prompt, "the time was over once"


async def test_time_counts_when_the_request_has_been_read() -> None:
    door = Door()
    loop = asyncio.get_running_loop()
    rest = asyncio.Event()

    class Slow:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"a"
            await rest.wait()
            yield b"b"

        async def aclose(self) -> None:
            """Nothing is held."""

    loop.call_later(1.2, rest.set)
    began = loop.time()
    with pytest.raises(OriginFailure, match=r"api.example.com sent nothing for 1 s") as failed:
        await ask_door(door, Request("POST", "/", body=StreamBody(Slow())), ORIGIN, lambda: False)
    assert (failed.value.status, door.bodies) == (504, [b"ab"])
    assert loop.time() - began >= 2
