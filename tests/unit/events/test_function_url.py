"""Corners of function URL events that no rule of the reference names."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from edgeproxy.events.function_url import UrlContext, encode_event
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

CONTEXT = UrlContext("abc", "id", "Root=1-2-3", 0)

wire_text = st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@given(path=wire_text, query=wire_text, value=wire_text, body=st.binary(max_size=20))
def test_any_request_makes_an_event(path: str, query: str, value: str, body: bytes) -> None:
    headers = Headers([("X-A", value), ("Cookie", value), ("Content-Type", "text/plain")])
    event = orjson.loads(encode_event(CONTEXT, Request("PUT", path, query, headers=headers), body))
    assert event["rawPath"]


def test_the_domain_name_has_no_port() -> None:
    for host, name in [("abc.localhost:8082", "abc.localhost"), ("[::1]", "[::1]")]:
        request = Request("GET", "/", headers=Headers([("Host", host)]))
        event = orjson.loads(encode_event(CONTEXT, request, b""))
        assert event["requestContext"]["domainName"] == name
