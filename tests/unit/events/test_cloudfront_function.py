"""The parts of the decoder that no rule of AWS speaks about."""

import pytest

from edgeproxy.distribution.model import EventType
from edgeproxy.events.cloudfront_function import Changed, Continue, decode_result
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Request, Response


def test_everything_else_about_a_request_is_kept() -> None:
    sent = Request("GET", "/", upgrade="websocket", version="2.0", headers=Headers([("Host", "h")]))
    result = {"uri": "/x", "headers": {"host": {"value": "h"}}, "querystring": {}, "cookies": {}}
    decoded = decode_result(EventType.VIEWER_REQUEST, {"method": "GET", **result}, request=sent)
    assert isinstance(decoded, Continue)
    assert (decoded.request.upgrade, decoded.request.version) == ("websocket", "2.0")
    assert decoded.request.viewer is sent.viewer
    assert decoded.request.body is sent.body


def test_the_hook_for_the_delivery_is_kept() -> None:
    told: list[Delivered] = []
    answer = Response(200, on_delivered=told.append)
    decoded = decode_result(
        EventType.VIEWER_RESPONSE, {"statusCode": 200}, request=Request("GET", "/"), response=answer
    )
    assert isinstance(decoded, Changed)
    assert decoded.response.on_delivered is answer.on_delivered


def test_a_viewer_response_needs_its_response() -> None:
    with pytest.raises(ValueError, match="needs the response"):
        decode_result(EventType.VIEWER_RESPONSE, {"statusCode": 200}, request=Request("GET", "/"))
