"""A viewer's connection that answers again by itself what its door has answered before.

What is at hand is written in the call that brings the request (:class:`Repeat`). For other answers
somebody is asked in that call (:class:`Rerun`), and they are written in the one that brings them;
what the viewer sends meanwhile is kept. When such an answer turns out to take the whole story, the
request goes to the parser like any, and the story is told from where it stands.
"""

import asyncio
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from edgeproxy.http.messages import Coming, Handler, Repeated, Response, Viewer
from edgeproxy.server.connection import READ_BYTES, Connection
from edgeproxy.server.hits import Hits, PlainRequest, Shape
from edgeproxy.server.writing import ONE_WRITE_BYTES

if TYPE_CHECKING:
    from edgeproxy.server.door import Door

__all__ = ["RepeatingConnection"]


class RepeatingConnection(Connection):
    """Requests of the forms that are known, and the bytes of their answers."""

    __slots__ = (
        "_asked_with",
        "_at_work",
        "_begun",
        "_coming",
        "_door",
        "_head",
        "_hits",
        "_sender",
        "_shape",
        "_undelivered",
    )

    def __init__(self, door: "Door", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, loop, door.limits)
        self._door = door
        self._sender = ""
        self._hits: Hits | None = None
        """What can be answered here; None at a door where nothing can."""
        self._shape: Shape | None = None
        """That of the last head which was answered at once: most viewers have but one."""
        self._at_work = False
        self._head = b""
        """Of the request that comes next, when it came by itself and in one piece."""
        self._asked_with = b""
        """The same of the request that is being answered."""
        self._coming: Coming | None = None
        """An answer that is waited for; nothing else is looked at meanwhile."""
        self._begun: Coming | None = None
        """Who answers the next request, in place of the handler."""
        self._undelivered: tuple[Repeated, int] | None = None
        """An answer that waits for the viewer to read, and its size."""

    def connection_lost(self, exc: BaseException | None) -> None:
        self._settle(aborted=True)
        super().connection_lost(exc)

    def retire(self) -> None:
        if self._coming is None:
            super().retire()
        else:
            self._last = True

    def data_received(self, data: bytes) -> None:
        if self._coming is None and self._hits is not None and self._is_idle():
            data = self._answered(data, self._hits)
            if not data:
                return
        if self._coming is None:
            super().data_received(data)
            return
        self._held += data
        if len(self._held) > READ_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def _is_idle(self) -> bool:
        """Whether no request is being answered, and nothing of one has come."""
        return not (self._at_work or self._messages or self._head_bytes or self._held) and not (
            self._paused or self._upgraded or self._deaf or self._last
        )

    def _answered(self, data: bytes, hits: Hits) -> bytes:
        """``data`` without the requests at its beginning that are answered here."""
        start = 0
        while (end := data.find(b"\r\n\r\n", start) + 4) >= 4:
            head = data if end - start == len(data) else data[start:end]
            if not self._repeat(head, hits):
                self._head = head if end == len(data) else b""
                break
            start = end
            if self._paused or self._coming is not None or self._messages:
                break
        return data[start:] if start else data

    def _repeat(self, head: bytes, hits: Hits) -> bool:
        """Answer the request with this head as one before it, if that is known."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        if hits.heads and (known := hits.heads.get((head, self._sender))) is not None:
            rerun, target = known
            if (coming := rerun.begin(self._asked(head, target))) is None:
                return False
            self._wait_for(coming, head)
            return True
        answer, last = None, self._shape
        if last is not None and (found := last.find(head, self._sender)) is not None:
            answer = found[0].answer(self._asked(head, found[1]))
        if answer is None and (answer := self._answer_in_other_shape(hits, head)) is None:
            return False
        self._write_repeated(transport, answer)
        return True

    def _answer_in_other_shape(self, hits: Hits, head: bytes) -> Repeated | None:
        for shape in hits.shapes.values():
            if shape is not self._shape and (found := shape.find(head, self._sender)) is not None:
                answer = found[0].answer(self._asked(head, found[1]))
                if answer is not None:
                    self._shape = shape
                    return answer
        return None

    def _asked(self, head: bytes, target: bytes) -> PlainRequest:
        return PlainRequest(head, target, self._viewer, self._door.viewer)

    def _wait_for(self, coming: Coming, head: bytes) -> None:
        self._door.in_flight += 1
        self._coming = coming
        self._asked_with = head
        self._deadline = math.inf
        coming.then(partial(self._arrived, coming, head))

    def _arrived(self, coming: Coming, head: bytes, answer: Repeated | None) -> None:
        """What was waited for is there; None: it takes the whole story to answer."""
        self._door.in_flight -= 1
        self._coming = None
        transport = self.transport
        if transport is None or transport.is_closing():
            if answer is not None:
                answer.delivered(0, aborted=True)
            else:
                coming.abandon()
            return
        if answer is None:
            self._begun = coming
            self._head = self._asked_with  # Unless it is to be forgotten by now.
            self._feed(head)
        else:
            self._write_repeated(transport, answer)
            if self._last:
                transport.close()
                return
        held, self._held = self._held, b""
        if held:
            transport.resume_reading()  # There may have been too much of it.
            self.data_received(held)

    def _taken_over(self) -> Handler | None:
        """Who answers the request that has come, if its story has begun already."""
        begun, self._begun = self._begun, None
        return None if begun is None else begun.ordinary

    def _abandon(self) -> None:
        """Nobody comes for the request whose story has begun."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.abandon()

    def _write_repeated(self, transport: asyncio.Transport, answer: Repeated) -> None:
        self._take_viewer()
        head, body = answer.head, answer.body
        if len(body) <= ONE_WRITE_BYTES:
            transport.write(b"".join((head, body)))
        else:
            transport.write(head)
            transport.write(body)
        self._served = True
        size = len(head) + len(body)
        if transport.is_closing():
            answer.delivered(size, aborted=True)
        elif self._paused:
            self._undelivered = answer, size
            self._allow(self._limits.write_stall_s)
        else:
            answer.delivered(size)
            self._allow(self._limits.keep_alive_s)

    def _take_viewer(self) -> Viewer:
        """Who is at the other end; the next request reuses the connection."""
        viewer = self._viewer
        if viewer.tls_protocol and viewer.tls_handshake != "connectionReused":
            self._viewer = replace(viewer, tls_handshake="connectionReused")
        return viewer

    def resume_writing(self) -> None:
        super().resume_writing()
        self._settle(aborted=False)
        if not (self._at_work or self._messages):
            self._allow(self._limits.keep_alive_s)

    def _settle(self, *, aborted: bool) -> None:
        """Tell how an answer has ended for which the viewer was too slow."""
        if self._undelivered is not None:
            (answer, size), self._undelivered = self._undelivered, None
            answer.delivered(size, aborted=aborted)

    def _learn(self, response: Response) -> None:
        """From now on requests like the one that ``response`` has answered are answered here."""
        if response.repeat is not None and self._hits is not None and self._asked_with:
            self._hits.learn(self._asked_with, response.repeat, self._sender)

    def forget(self) -> None:
        """What is being answered now is not to be repeated."""
        self._head = self._asked_with = b""
        self._shape = None
