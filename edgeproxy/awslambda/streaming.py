"""A streamed response on its way from a function to a caller, first bytes first.

A caller who is slow holds the function back, so that memory stays flat; one who leaves does not
end it (FU-088). Beyond the first six megabytes two go through in a second (FU-080, LR-151).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from edgeproxy.errors import EdgeproxyError
from edgeproxy.runtimes.invocation import (
    FunctionError,
    InitFailed,
    InvocationResult,
    ResponseFlow,
    ResponseSink,
    Returned,
    Throttled,
    TimedOut,
)
from edgeproxy.tasks import Tasks

__all__ = ["StreamBroken", "Streamed", "streamed"]

_HELD_BYTES: Final = 1024 * 1024
"""What waits for a slow caller before the function has to wait."""
_AT_ONCE_BYTES: Final = 6 * 1024 * 1024
_BYTES_PER_S: Final = 2 * 1024 * 1024


class StreamBroken(ConnectionError):
    """The function has failed after it began to answer, as ``result`` tells."""

    def __init__(self, result: FunctionError | TimedOut | InitFailed | Throttled | None) -> None:
        super().__init__("the function failed while it answered")
        self.result = result


@dataclass(frozen=True, slots=True)
class Streamed:
    """A function that has begun to answer.

    ``chunks`` is read once, and closed by who does not read all of it; it raises
    :class:`StreamBroken`. ``outcome`` is what the invocation ends with, maybe after the last chunk.
    """

    content_type: str
    chunks: "_Chunks"
    outcome: "asyncio.Task[InvocationResult | EdgeproxyError]"


async def streamed(
    tasks: Tasks, invoke: Callable[[ResponseSink], Awaitable[InvocationResult]]
) -> Streamed | InvocationResult:
    """Run an invocation; return at the first byte of a streamed response, else when it has ended.

    Raises what ``invoke`` raises. A caller who is cancelled leaves the function running.
    """
    chunks = _Chunks()
    outcome = tasks.start(_outcome(invoke, chunks), "streamed invocation")
    outcome.add_done_callback(chunks.over)
    try:
        await chunks.begun
    except asyncio.CancelledError:
        await chunks.aclose()
        raise
    if chunks.has_begun:
        return Streamed(chunks.content_type, chunks, outcome)
    result = outcome.result()
    if isinstance(result, EdgeproxyError):
        raise result
    return result


async def _outcome(
    invoke: Callable[[ResponseSink], Awaitable[InvocationResult]], sink: ResponseSink
) -> InvocationResult | EdgeproxyError:
    try:
        return await invoke(sink)
    except EdgeproxyError as error:
        return error


class _Chunks:
    """The sink of one response, and its one reader's source."""

    def __init__(self) -> None:
        self.content_type = ""
        self.has_begun = False
        self.begun = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._flow: ResponseFlow | None = None
        self._is_complete = False
        self._is_over = False
        self._has_left = False
        self._failure: FunctionError | TimedOut | InitFailed | Throttled | None = None

    # What the function does

    def started(self, content_type: str, flow: ResponseFlow) -> None:
        """A stream: there will be bytes, or its end."""
        self.content_type = content_type
        self._flow = flow

    def data(self, chunk: bytes) -> None:
        """The next bytes."""
        if self._has_left:
            return
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes >= _HELD_BYTES and self._flow is not None:
            self._flow.pause()
        self._begin()

    def ended(self) -> None:
        """There are no more."""
        self._is_complete = True
        self._begin()

    def over(self, outcome: "asyncio.Task[InvocationResult | EdgeproxyError]") -> None:
        """The invocation has ended."""
        self._is_over = True
        if not outcome.cancelled() and outcome.exception() is None:
            result = outcome.result()
            if not isinstance(result, Returned | EdgeproxyError):
                self._failure = result
        self._news.set()
        if not self.begun.done():
            self.begun.set_result(None)

    def _begin(self) -> None:
        self.has_begun = True
        self._news.set()
        if not self.begun.done():
            self.begun.set_result(None)

    # What the caller does

    async def __aiter__(self) -> AsyncIterator[bytes]:
        passed = 0
        due_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            while self._held:
                chunk = self._held.popleft()
                passed += len(chunk)
                if (beyond := passed - _AT_ONCE_BYTES) > 0:
                    due_s = max(due_s, loop.time()) + min(beyond, len(chunk)) / _BYTES_PER_S
                    await asyncio.sleep(due_s - loop.time())
                self._held_bytes -= len(chunk)
                if self._held_bytes < _HELD_BYTES // 2 and self._flow is not None:
                    self._flow.resume()
                yield chunk
            if self._is_complete or self._has_left:
                return
            if self._is_over:
                raise StreamBroken(self._failure)
            self._news.clear()
            await self._news.wait()

    async def aclose(self) -> None:
        """The caller leaves: the function goes on and nobody gets what it writes."""
        self._has_left = True
        self._held.clear()
        self._held_bytes = 0
        self._news.set()
        if self._flow is not None:
            self._flow.resume()
