"""Streamed responses of functions as a function URL sends them (FU-080 to FU-088)."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import replace
from typing import Any, Final

from edgeproxy.awslambda.streaming import Streamed
from edgeproxy.events.function_url import Malformed, decode_metadata, head_of
from edgeproxy.exchange.model import Exchange, Recorder
from edgeproxy.http.body import EMPTY_BODY, BytesBody, StreamBody
from edgeproxy.http.messages import Response

__all__ = ["StreamRecorder", "collected_response", "streamed_response"]

_WITH_METADATA: Final = "application/vnd.awslambda.http-integration-response"
_SEPARATOR: Final = bytes(8)
_BODILESS: Final = (204, 304)
"""Statuses whose answers have no body (FU-075)."""
_METADATA_BYTES: Final = 1024 * 1024
"""More is not read for metadata; AWS states no limit."""


async def streamed_response(stream: Streamed, method: str) -> Response | Malformed:
    """The answer as soon as its head is known; its body follows while the function writes it.

    Raises :class:`StreamBroken` when the function fails before that.
    """
    chunks = aiter(stream.chunks)
    head = bytearray()
    if _tells_metadata(stream.content_type):
        async for chunk in chunks:
            head += chunk
            if _SEPARATOR in head or len(head) > _METADATA_BYTES:
                break
    response = collected_response(stream.content_type, bytes(head))
    if isinstance(response, Malformed):
        await stream.chunks.aclose()
        return response
    if method == "HEAD" or response.status in _BODILESS:
        await stream.chunks.aclose()
    assert isinstance(response.body, BytesBody)
    return replace(response, body=StreamBody(_Rest(response.body.data, chunks, stream)))


def collected_response(content_type: str, payload: bytes) -> Response | Malformed:
    """The answer out of a stream, or out of as much of it as is there (FU-081, FU-082, FU-087)."""
    if not _tells_metadata(content_type):
        response, body = head_of({"headers": {"content-type": content_type}}), payload
    else:
        # A stream without a byte has no metadata either (LR-146).
        metadata, separator, body = payload.partition(_SEPARATOR)
        if payload and not separator:
            return Malformed("FU-081", "the stream does not begin with metadata and 8 NUL bytes")
        response = decode_metadata(metadata or b"{}")
    if isinstance(response, Malformed):
        return response
    return replace(response, body=EMPTY_BODY if response.status in _BODILESS else BytesBody(body))


class StreamRecorder:
    """Passes exchanges on when the invocation that answers has ended, too."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._running: dict[str, asyncio.Task[Any]] = {}

    def wait_for(self, exchange: Exchange, outcome: "asyncio.Task[Any]") -> None:
        """An invocation goes on while its answer is sent."""
        self._running[exchange.id] = outcome

    def ended(self, exchange: Exchange) -> None:
        """The last byte was sent, or the viewer left."""
        outcome = self._running.pop(exchange.id, None)
        if outcome is None:
            self._recorder.ended(exchange)
        else:
            outcome.add_done_callback(lambda _: self._recorder.ended(exchange))


class _Rest:
    """What follows the metadata."""

    def __init__(self, first: bytes, chunks: AsyncIterable[bytes], stream: Streamed) -> None:
        self._first = first
        self._chunks = chunks
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        await self._stream.chunks.aclose()


def _tells_metadata(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == _WITH_METADATA
