"""Corners of load balancer events that no rule of the reference names."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.events.alb import Malformed, decode_result, encode_event
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request


@given(
    query=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    body=st.binary(max_size=20),
    multi_value=st.booleans(),
)
def test_any_text_makes_an_event(query: str, value: str, body: bytes, multi_value: bool) -> None:
    request = Request("PUT", "/", query, headers=Headers([("X-A", value)]))
    payload = encode_event("arn", request, body, multi_value=multi_value)
    assert payload is not None
    assert orjson.loads(payload)["isBase64Encoded"] is bool(body)


def test_an_answer_that_is_no_json_is_malformed() -> None:
    assert isinstance(decode_result(b"{", multi_value=False), Malformed)
