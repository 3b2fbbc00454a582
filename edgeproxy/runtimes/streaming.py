"""A response that a runtime makes in pieces, on its way to whoever takes it (LR-147, LR-149)."""

from typing import Final

from edgeproxy.runtimes.framing import LARGEST_RESULT
from edgeproxy.runtimes.invocation import ResponseFlow, ResponseSink

__all__ = ["LARGEST_STREAM", "ResponseStream"]

LARGEST_STREAM: Final = 200 * 1024 * 1024
"""Bytes of a streamed response (LR-151, LR-323)."""


class ResponseStream:
    """Pieces go to the sink; without one they are kept for a caller who waits for all of them.

    It is the flow that the sink can hold back, until :meth:`close`.
    """

    def __init__(self, sink: ResponseSink | None, content_type: str, flow: ResponseFlow) -> None:
        self._sink = sink
        self._flow: ResponseFlow | None = flow
        self._body = bytearray()
        self._size = 0
        self._limit = LARGEST_RESULT if sink is None else LARGEST_STREAM
        self.content_type = content_type
        if sink is not None:
            sink.started(content_type, self)

    def data(self, chunk: bytes) -> None:
        """The next piece. What is over the limit goes nowhere."""
        self._size += len(chunk)
        if not self.fits:
            return
        if self._sink is not None:
            self._sink.data(chunk)
        else:
            self._body += chunk

    @property
    def fits(self) -> bool:
        """Whether it is within the limit so far."""
        return self._size <= self._limit

    def complete(self) -> bytes:
        """All pieces were there; what no sink took."""
        if self._sink is not None:
            self._sink.ended()
        return bytes(self._body)

    def close(self) -> None:
        """However it ended: nothing holds the runtime back any more."""
        self.resume()
        self._flow = None

    def pause(self) -> None:
        """Let the runtime wait before it writes more."""
        if self._flow is not None:
            self._flow.pause()

    def resume(self) -> None:
        """Let it write on."""
        if self._flow is not None:
            self._flow.resume()
