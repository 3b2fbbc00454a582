"""Corners of events and results that no rule of the reference names."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.distribution.model import CustomOrigin, EventType, Origin
from edgeproxy.events.lambda_edge import (
    Changed,
    Continue,
    EventContext,
    Invalid,
    decode_request_result,
    decode_response_result,
    encode_event,
)
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response

CONTEXT = EventContext("d1.cloudfront.net", "E1", "id")

wire_text = st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
names = st.from_regex(r"[A-Za-z][A-Za-z-]{0,12}", fullmatch=True)
lines = st.lists(st.tuples(names, wire_text), max_size=8)


@given(path=wire_text, query=st.none() | wire_text, headers=lines)
def test_any_request_comes_back_as_the_very_same(
    path: str, query: str | None, headers: list[tuple[str, str]]
) -> None:
    request = Request("GET", f"/{path}", query, headers=Headers(headers))
    event = orjson.loads(encode_event(EventType.VIEWER_REQUEST, CONTEXT, request))
    outcome = decode_request_result(
        EventType.VIEWER_REQUEST,
        orjson.dumps(event["Records"][0]["cf"]["request"]),
        request=request,
    )
    assert isinstance(outcome, Continue)
    assert outcome.request is request


@given(headers=lines, reason=st.text(max_size=8))
def test_any_response_comes_back_as_the_very_same(
    headers: list[tuple[str, str]], reason: str
) -> None:
    response = Response(200, Headers(headers), reason=reason.encode("utf-8", "ignore").decode())
    event = orjson.loads(
        encode_event(EventType.VIEWER_RESPONSE, CONTEXT, Request("GET", "/"), response=response)
    )
    payload = orjson.dumps(event["Records"][0]["cf"]["response"])
    outcome = decode_response_result(EventType.VIEWER_RESPONSE, payload, response=response)
    assert isinstance(outcome, Changed)
    assert outcome.response is response


@given(
    payload=st.recursive(
        st.none() | st.booleans() | st.integers(-10, 700) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["status", "uri", "headers", "body", "origin", "custom", "action", "x-a"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_result_breaks_the_judge(payload: object) -> None:
    origin = Origin("web", "a.example", CustomOrigin())
    text = orjson.dumps(payload)
    for event_type in (EventType.VIEWER_REQUEST, EventType.ORIGIN_REQUEST):
        decode_request_result(event_type, text, request=Request("GET", "/"), origin=origin)
    for event_type in (EventType.ORIGIN_RESPONSE, EventType.VIEWER_RESPONSE):
        decode_response_result(event_type, text, response=Response(200))


def test_configured_values_that_aws_would_refuse_do_not_hinder_other_changes() -> None:
    origin = Origin("dev", "127.0.0.1", CustomOrigin(http_port=81, read_timeout_s=0.5))
    request = Request("GET", "/")
    event = encode_event(EventType.ORIGIN_REQUEST, CONTEXT, request, origin=origin)
    message = orjson.loads(event)["Records"][0]["cf"]["request"]
    message["origin"]["custom"]["path"] = "/v2"
    outcome = decode_request_result(
        EventType.ORIGIN_REQUEST, orjson.dumps(message), request=request, origin=origin
    )
    assert isinstance(outcome, Continue)
    assert outcome.origin is not None
    assert outcome.origin.origin_path == "/v2"
    assert outcome.origin.config == CustomOrigin(http_port=81, read_timeout_s=0.5)


def test_the_likeliest_mistake_is_named() -> None:
    outcome = decode_request_result(
        EventType.VIEWER_REQUEST, b'{"statusCode":200}', request=Request("GET", "/")
    )
    assert isinstance(outcome, Invalid)
    assert "API Gateway" in outcome.findings[-1].remedy
