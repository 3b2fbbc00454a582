"""Editors' sides of two debuggers: the Debug Adapter Protocol and the Node.js inspector."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

__all__ = ["AdapterClient", "Inspector", "inspector"]

_TIMEOUT_S = 30


class AdapterClient:
    """Attaches to a Python function as VS Code does."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self._file = self._connection.makefile("rwb")
        self._numbers = itertools.count(1)
        self._unread: list[dict[str, Any]] = []

    def __enter__(self) -> "AdapterClient":
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()
        self._connection.close()

    def attach(self, file: str, line: int) -> None:
        """Attach with one breakpoint."""
        self.request("initialize", adapterID="debugpy", linesStartAt1=True, pathFormat="path")
        attached = self._send("attach", {"justMyCode": True})
        self.event("initialized")
        self.request("setBreakpoints", source={"path": file}, breakpoints=[{"line": line}])
        self.request("configurationDone")
        self._answer(attached)

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The body of the answer to a request."""
        return self._answer(self._send(command, arguments))

    def event(self, name: str) -> dict[str, Any]:
        """The body of the next event of that name."""
        return self._next(lambda message: message.get("event") == name)

    def _send(self, command: str, arguments: dict[str, Any]) -> int:
        number = next(self._numbers)
        text = json.dumps(
            {"seq": number, "type": "request", "command": command, "arguments": arguments}
        ).encode()
        self._file.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        self._file.flush()
        return number

    def _answer(self, number: int) -> dict[str, Any]:
        return self._next(lambda message: message.get("request_seq") == number)

    def _next(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while (found := next(filter(is_wanted, self._unread), None)) is None:
            self._unread.append(self._read())
        self._unread.remove(found)
        assert found.get("success", True), found
        body: dict[str, Any] = found.get("body") or {}
        return body

    def _read(self) -> dict[str, Any]:
        size = 0
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        assert size, "the debugger has hung up"
        message: dict[str, Any] = json.loads(self._file.read(size))
        return message


class Inspector:
    """Attaches to a Node.js function as Chrome does."""

    def __init__(self, channel: aiohttp.ClientWebSocketResponse) -> None:
        self._channel = channel
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command."""
        number = next(self._numbers)
        await self._channel.send_json({"id": number, "method": method, "params": parameters})
        while (message := await self._read()).get("id") != number:
            self._events.append(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def event(self, method: str) -> dict[str, Any]:
        """The parameters of the next event of that name."""
        while True:
            for event in self._events:
                if event.get("method") == method:
                    self._events.remove(event)
                    parameters: dict[str, Any] = event["params"]
                    return parameters
            self._events.append(await self._read())

    async def _read(self) -> dict[str, Any]:
        async with asyncio.timeout(_TIMEOUT_S):
            message: dict[str, Any] = await self._channel.receive_json()
        return message


@asynccontextmanager
async def inspector(port: int) -> AsyncIterator[Inspector]:
    """A connection to the inspector on ``port``."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            (target,) = await answer.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"]) as channel:
            yield Inspector(channel)
