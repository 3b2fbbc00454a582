"""A small HTTP server for the processes of one execution environment.

Runtimes and extensions call it over loopback: few connections, few requests, some of which are
answered only when there is work to do. Bodies are handed on as they come, trailers included, since
a streamed response tells its failure in a trailer (LR-147).
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, cast

import h11

from edgeproxy.runtimes.api_call import JSON, Call, Headers, error_body

__all__ = ["ApiServer"]

_LARGEST_HEAD: Final = 2 * 1024 * 1024
"""Bytes; the cause of an error for X-Ray may take one megabyte of it (LR-204)."""


class ApiServer:
    """Listens on a free port of loopback from :meth:`open` on; ``called`` gets each request."""

    def __init__(self, called: Callable[[Call], None]) -> None:
        self._called = called
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self.address = ""

    async def open(self) -> None:
        """Start to listen; ``address`` is then ``host:port``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._called, self._connections), "127.0.0.1", 0
        )
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._server is not None:
            self._server.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.ended for connection in connections))


class _Connection(asyncio.Protocol):
    def __init__(self, called: Callable[[Call], None], all_of_them: "set[_Connection]") -> None:
        self._called = called
        self._all = all_of_them
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        self._call: Call | None = None
        self._paused = False
        self._transport: asyncio.Transport
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not of the class
        self._all.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._all.discard(self)
        self.ended.set_result(None)
        self._cut()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> None:
        if self._http.their_state is h11.SEND_BODY:
            self._refuse(error_body("HTTP request detected as truncated", "TruncatedHTTPRequest"))

    def abort(self) -> None:
        self._transport.abort()

    def pause(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
            self._read()

    def _read(self) -> None:
        try:
            while not self._paused and not self._transport.is_closing():
                event = self._http.next_event()
                match event:
                    case h11.Request():
                        self._begin(event)
                    case h11.Data():
                        if self._call is not None:
                            self._call.on_data(bytes(event.data))
                    case h11.EndOfMessage():
                        if self._call is not None:
                            self._call.on_end(_texts(event.headers))
                    case _:  # nothing more for now
                        return
        except h11.RemoteProtocolError as error:
            self._refuse(error_body(str(error), "InvalidRequestFormat"))

    def _begin(self, request: h11.Request) -> None:
        self._call = Call(
            self, request.method.decode(), request.target.decode(), _texts(request.headers)
        )
        self._called(self._call)
        if self._http.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))

    def answer(self, call: Call, status: int, body: bytes, headers: Headers) -> None:
        if call is not self._call or self._transport.is_closing():
            return
        self._call = None
        fields = [(name.encode(), value.encode()) for name, value in headers]
        fields.append((b"Content-Length", b"%d" % len(body)))
        self._send(h11.Response(status_code=status, headers=fields))
        self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            asyncio.get_running_loop().call_soon(self._read)
        else:
            self._transport.close()

    def _send(self, event: h11.Event) -> None:
        self._transport.write(self._http.send(event) or b"")

    def _refuse(self, body: bytes) -> None:
        """Answer what is not HTTP, or only a part of it."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            call = self._call or Call(self, "", "", {})
            self._cut()
            self._call = call
            self.answer(call, 400, body, JSON)
        self._transport.close()

    def _cut(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.on_cut()


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in headers}
