"""The parts of the decoder that no rule of AWS speaks about."""

from typing import Any

import orjson
import pytest

from edgeproxy.distribution.model import EventType
from edgeproxy.events.cloudfront_function import (
    Changed,
    Continue,
    Invalid,
    decode_result,
    viewer_event,
)
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


ANY_CASE = Headers([("host", "h"), ("X-a", "1"), ("Via", "v"), ("x-A", "2"), ("Cookie", "a=1")])
SPELLED = [("Host", "h"), ("X-A", "1"), ("X-A", "2"), ("Via", "v"), ("Cookie", "a=1")]
GENERATED = {"CloudFront-Viewer-Country": "DE"}


def about(request: Request, response: Response | None = None, **options: Any) -> dict[str, Any]:
    kind = EventType.VIEWER_RESPONSE if response else EventType.VIEWER_REQUEST
    return viewer_event(
        kind,
        distribution_domain_name="d.cloudfront.net",
        distribution_id="E",
        request_id="r",
        request=request,
        response=response,
        **options,
    )


@pytest.mark.parametrize("changed", [False, True])
def test_a_request_is_the_same_whether_or_not_the_function_changed_another_part(
    changed: bool,
) -> None:
    sent = Request("GET", "/", headers=ANY_CASE.with_added("cloudfront-viewer-country", "XX"))
    event = about(sent, generated=GENERATED)
    result = orjson.loads(orjson.dumps(event["request"])) | ({"uri": "/b"} if changed else {})
    decoded = decode_result(
        EventType.VIEWER_REQUEST, result, request=sent, generated=GENERATED, event=event
    )
    assert isinstance(decoded, Continue)
    assert decoded.request.headers.lines() == SPELLED


@pytest.mark.parametrize("changed", [False, True])
def test_a_response_is_the_same_whether_or_not_the_function_changed_another_part(
    changed: bool,
) -> None:
    answer = Response(200, ANY_CASE.without("Cookie").with_added("set-cookie", "a=1; Path=/"))
    event = about(Request("GET", "/"), answer)
    result = event["response"] | ({"statusCode": 201} if changed else {})
    decoded = decode_result(
        EventType.VIEWER_RESPONSE, result, request=Request("GET", "/"), response=answer, event=event
    )
    assert isinstance(decoded, Changed)
    assert decoded.response.headers.lines() == [*SPELLED[:-1], ("Set-Cookie", "a=1; Path=/")]


def test_what_is_spelled_as_cloudfront_does_goes_on_as_the_very_same_message() -> None:
    sent, answer = Request("GET", "/", headers=Headers(SPELLED[:2])), Response(204)
    event = about(sent, answer)
    request = decode_result(EventType.VIEWER_REQUEST, event["request"], request=sent)
    response = decode_result(
        EventType.VIEWER_RESPONSE, event["response"], request=sent, response=answer
    )
    assert isinstance(request, Continue)
    assert isinstance(response, Changed)
    assert request.request is sent
    assert response.response is answer


def test_a_request_that_is_too_long_as_it_came_is_refused_as_it_came() -> None:
    sent = Request("GET", "/" + "a" * 8191)
    decoded = decode_result(EventType.VIEWER_REQUEST, about(sent)["request"], request=sent)
    assert isinstance(decoded, Invalid)
    assert decoded.findings[0].rule == "CFF-REQ-02"


def test_an_origins_reason_phrase_may_hold_any_byte() -> None:
    answer = Response(200, reason="caf\udce9")
    event = about(Request("GET", "/"), answer)
    result = orjson.loads(orjson.dumps(event))["response"]
    assert result["statusDescription"] == "café"
    decoded = decode_result(
        EventType.VIEWER_RESPONSE, result, request=Request("GET", "/"), response=answer
    )
    assert isinstance(decoded, Changed)
    assert decoded.response.reason == answer.reason


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
