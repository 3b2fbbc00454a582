"""One viewer's connection on aiohttp's public interface alone, as far as bytes and time go.

:mod:`edgeproxy.server.plain` answers. Its rules are those of :mod:`edgeproxy.server.connection`
as far as they can be had; where aiohttp reads, it alone knows where one request ends and the next
begins.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from edgeproxy.http.messages import Viewer
from edgeproxy.server.reading import connected_viewer
from edgeproxy.server.websocket import FromViewer

if TYPE_CHECKING:
    from edgeproxy.server.plain import PlainDoor

__all__ = ["PlainConnection"]

_READ_BYTES: Final = 64 * 1024
_MOST_OF_A_HEAD: Final = 1024 * 1024
"""Between two requests: a head, and what of its body comes before the handler is at work."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class PlainConnection(web.RequestHandler):
    """One viewer's connection.

    Its own attributes have no underscore, so that none can be one that aiohttp keeps to itself.
    """

    __slots__ = (
        "at_work",
        "continue_due",
        "deaf",
        "door",
        "end_of_life",
        "gone",
        "head_bytes",
        "incoming",
        "limits",
        "out",
        "sent",
        "timer",
        "told_when_gone",
        "viewer",
    )

    def __init__(self, door: "PlainDoor", server: web.Server) -> None:
        limits = door.limits
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=limits.keep_alive_s,
            access_log=None,  # type: ignore[arg-type]
            max_line_size=limits.max_url_bytes,
            max_field_size=limits.max_field_bytes,
            max_headers=limits.max_head_bytes,
            lingering_time=0,  # :meth:`linger` does.
            read_bufsize=_READ_BYTES,
            auto_decompress=False,
        )
        self.door = door
        self.limits = limits
        self.viewer = Viewer("")
        self.end_of_life = loop.time() + limits.lifetime_s
        self.at_work = False
        self.deaf = False
        self.head_bytes = 0
        self.sent = 0
        self.continue_due = False
        self.out: AbstractStreamWriter | None = None
        self.incoming: FromViewer | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.gone = asyncio.Event()
        self.told_when_gone: Callable[[], object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(0)  # Who waits until all is out hears of it.
        self.door.opened(self)
        self.viewer = connected_viewer(transport)
        if self.door.admit is not None:
            admitted = self.door.admit(transport.get_extra_info("ssl_object"), self.viewer)
            if admitted is None:
                self.deaf = True
                self.cut()
            else:
                self.viewer = admitted
        self.allow(self.limits.head_timeout_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.door.closed(self)
        self.gone.set()
        self.allow_any_time()
        if self.incoming is not None:
            self.incoming.lost(ConnectionResetError("the viewer has left"))
        super().connection_lost(exc)
        if self.told_when_gone is not None:
            self.told_when_gone()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The viewer closed its half: it has left, unless a tunnel may still speak to it."""
        if self.incoming is None:
            return False
        self.incoming.feed_eof()
        return not self.viewer.tls_protocol  # TLS has no half-closed state.

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        if not self.at_work:
            if self.timer is None:
                self.allow(self.limits.head_timeout_s)
            self.head_bytes += len(data)
            if self.head_bytes > _MOST_OF_A_HEAD:
                self.cut()
                return
        super().data_received(data)

    def retire(self) -> None:
        """Finish the request under way, then close; close at once when there is none."""
        if self.transport is not None and (self.deaf or not (self.at_work or self.head_bytes)):
            self.transport.close()

    def forget(self) -> None:
        """Nothing to do: every request goes to the handler."""

    def cut(self) -> None:
        """Close without waiting for anybody."""
        if self.transport is not None:
            self.transport.abort()

    # --- time --------------------------------------------------------------------------------

    def allow(self, seconds: float) -> None:
        """The viewer has ``seconds`` for its head, or to take a byte of what waits for it."""
        self.allow_any_time()
        if self.transport is not None:
            unsent = self.transport.get_write_buffer_size()
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(seconds, self.ring, seconds, unsent)

    def allow_any_time(self) -> None:
        """Nothing waits for the viewer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def has_lived_its_time(self) -> bool:
        """Whether the request that comes now is the connection's last."""
        return asyncio.get_running_loop().time() > self.end_of_life

    def ring(self, seconds: float, unsent: int) -> None:
        """The time is up."""
        if self.transport is None or self.transport.get_write_buffer_size() == unsent:
            self.cut()
        else:
            self.allow(seconds)

    # --- bytes ------------------------------------------------------------------------------

    @property
    def read_stall_s(self) -> float:
        return self.limits.read_stall_s

    def expect_body(self) -> None:
        """Somebody wants the request body: say so to a viewer that waits for it (CDN-REQ-09)."""
        if self.continue_due:
            self.continue_due = False
            if self.transport is not None:
                self.transport.write(_CONTINUE)

    def has_left(self) -> bool:
        """Whether the viewer is gone, or is being let go."""
        return self.transport is None or self.transport.is_closing()

    def when_gone(self, told: Callable[[], object] | None) -> None:
        self.told_when_gone = told

    def write(self, data: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the viewer has left")
        self.sent += len(data)
        transport.write(data)

    async def drained(self) -> None:
        if self.out is None or self.transport is None or not self.transport.get_write_buffer_size():
            return
        self.allow(self.limits.write_stall_s)
        try:
            await self.out.drain()
        finally:
            self.allow_any_time()
        if self.transport is None:
            raise ConnectionResetError("the viewer has left")

    async def linger(self) -> None:
        """Before the end: closing on unread bytes would destroy an answer that is under way."""
        self.deaf = True
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof() and not self.door.closing:
            transport.write_eof()
            transport.resume_reading()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.limits.linger_s):
                    await self.gone.wait()
