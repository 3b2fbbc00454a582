"""How the record of a request ends: with the delivery of its answer, or without an answer."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import chain

from edgeproxy.exchange.model import Exchange, Recorder
from edgeproxy.http.body import Body, BytesBody
from edgeproxy.http.messages import Delivered, Request, Response

__all__ = ["complete", "end_unanswered", "record_delivery", "record_end", "timed"]


def record_delivery(exchange: Exchange, response: Response, recorder: Recorder) -> Response:
    """``response``, whose delivery completes the exchange and hands it to ``recorder``."""
    exchange.response = response
    exchange.first_byte_s = exchange.elapsed()
    earlier = response.on_delivered

    def ended(delivered: Delivered) -> None:
        if earlier is not None:
            earlier(delivered)
        record_end(exchange, delivered, recorder)

    return Response(
        response.status,
        response.headers,
        response.body,
        response.reason,
        response.tunnel,
        ended,
        response.why,
        response.reached,
        response.repeat,
        response.trailers,
    )


def record_end(exchange: Exchange, delivered: Delivered, recorder: Recorder) -> None:
    """Complete the exchange and hand it to ``recorder``."""
    complete(exchange, delivered, exchange.elapsed())
    recorder.ended(exchange)


def end_unanswered(exchange: Exchange, error: BaseException, recorder: Recorder) -> None:
    """Its viewer has left, or the edge is closing: the record ends without an answer."""
    exchange.result_type = exchange.response_result_type = "Error"
    hung_up = isinstance(error, ConnectionError)  # That of the viewer's upload.
    exchange.detailed_result_type = "ClientHungUpRequest" if hung_up else "Error"
    record_end(exchange, Delivered(0, aborted=True), recorder)


def complete(exchange: Exchange, delivered: Delivered, duration_s: float) -> None:
    """Note how an exchange of ``duration_s`` has ended."""
    request = exchange.request
    exchange.duration_s = duration_s
    exchange.bytes_sent = delivered.bytes_sent
    exchange.bytes_received = _head_bytes(request) + max(request.body.passed, delivered.received)
    exchange.aborted = delivered.aborted
    if delivered.aborted and exchange.result_type and exchange.response is not None:
        exchange.result_type = "Error"
        exchange.detailed_result_type = _why_aborted(exchange, delivered)


def timed(exchange: Exchange, response: Response) -> Response:
    """``response`` of an origin, whose last byte sets the exchange's ``origin_last_byte_s``."""
    if isinstance(response.body, BytesBody):
        exchange.origin_last_byte_s = exchange.elapsed()
        return response
    return replace(response, body=_TimedBody(exchange, response.body))


class _TimedBody:
    """A body as it is. Over, it lets go of the exchange, which holds it in turn: neither then has
    to wait for the garbage collector."""

    __slots__ = ("_body", "_exchange")

    def __init__(self, exchange: Exchange, body: Body) -> None:
        self._exchange: Exchange | None = exchange
        self._body = body

    @property
    def length(self) -> int | None:
        return self._body.length

    @property
    def preview(self) -> bytes:
        return self._body.preview

    @property
    def passed(self) -> int:
        return self._body.passed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk
        if self._exchange is not None:
            self._exchange.origin_last_byte_s = self._exchange.elapsed()

    async def close(self) -> None:
        self._exchange = None
        await self._body.close()


def _why_aborted(exchange: Exchange, delivered: Delivered) -> str:
    """The detailed result type (CDN-ERR-40, CDN-ERR-43).

    Of viewers who share an origin's answer that breaks off, one has asked the origin.
    """
    if not delivered.broken:
        return "ClientCommError"
    return "OriginReadError" if exchange.origin_id else "AbortedOrigin"


def _head_bytes(request: Request) -> int:
    """The request line and the header lines as HTTP/1.1 spells them."""
    texts = "".join([request.method, request.target, *chain.from_iterable(request.headers)])
    size = len(texts) if texts.isascii() else len(texts.encode("utf-8", "surrogateescape"))
    return size + len("  HTTP/1.1\r\n\r\n") + len(": \r\n") * len(request.headers)
