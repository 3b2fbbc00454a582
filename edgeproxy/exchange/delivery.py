"""How the record of a request ends: with the delivery of its answer, or without an answer."""

from dataclasses import replace

from edgeproxy.exchange.model import Exchange, Recorder
from edgeproxy.http.messages import Delivered, Request, Response

__all__ = ["record_delivery", "record_end"]


def record_delivery(exchange: Exchange, response: Response, recorder: Recorder) -> Response:
    """``response``, whose delivery completes the exchange and hands it to ``recorder``."""
    exchange.response = response
    exchange.first_byte_s = exchange.elapsed()
    earlier = response.on_delivered

    def ended(delivered: Delivered) -> None:
        if earlier is not None:
            earlier(delivered)
        record_end(exchange, delivered, recorder)

    return replace(response, on_delivered=ended)


def record_end(exchange: Exchange, delivered: Delivered, recorder: Recorder) -> None:
    """Complete the exchange and hand it to ``recorder``."""
    request = exchange.request
    exchange.duration_s = exchange.elapsed()
    exchange.bytes_sent = delivered.bytes_sent
    exchange.bytes_received = _head_bytes(request) + request.body.passed
    exchange.aborted = delivered.aborted
    recorder.ended(exchange)


def _head_bytes(request: Request) -> int:
    """The request line and the header lines as HTTP/1.1 spells them."""
    lines = sum(len(name) + len(value) + 4 for name, value in request.headers)
    return len(request.method) + len(request.target) + len("  HTTP/1.1\r\n\r\n") + lines
