"""Events of Lambda@Edge functions, as sections 4, 7, 8 and 9 of the reference describe them."""

from typing import Any

import orjson
import pytest

from edgeproxy.distribution.model import (
    CustomOrigin,
    EventType,
    Origin,
    OriginAccessControl,
    S3Origin,
)
from edgeproxy.events.lambda_edge import EventBody, EventContext, encode_event
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer

CONTEXT = EventContext("d111111abcdef8.cloudfront.net", "EDFDVBD6EXAMPLE", "request-id==")
CUSTOM = Origin(
    "web",
    "www.example.com",
    CustomOrigin(http_port=8080, read_timeout_s=20, keepalive_timeout_s=7),
    origin_path="/v1",
    custom_headers=Headers([("X-Secret", "s")]),
    response_completion_timeout_s=40,
)
BUCKET = Origin("files", "assets.s3.eu-west-1.amazonaws.com", S3Origin(), origin_path="/pub")


def get(*lines: tuple[str, str], path: str = "/", query: str | None = None) -> Request:
    return Request("GET", path, query, headers=Headers(lines), viewer=Viewer("203.0.113.178"))


def event(
    event_type: EventType = EventType.VIEWER_REQUEST, request: Request | None = None, **more: Any
) -> dict[str, Any]:
    records = orjson.loads(encode_event(event_type, CONTEXT, request or get(), **more))["Records"]
    assert len(records) == 1
    assert list(records[0]) == ["cf"]
    cf: dict[str, Any] = records[0]["cf"]
    return cf


@pytest.mark.rule("LE-EVT-01", "LE-EVT-02", "LE-EVT-03", "LE-EVT-04", "LE-EVT-05")
@pytest.mark.parametrize("event_type", EventType)
def test_config_is_in_every_event(event_type: EventType) -> None:
    assert event(event_type)["config"] == {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": event_type.value,
        "requestId": "request-id==",
    }


@pytest.mark.rule("LE-EVT-06", "LE-EVT-07", "LE-EVT-08")
def test_the_request_line_is_shown_undecoded() -> None:
    request = event(request=get(path="/a%20b/%C3%A9", query="a=1&b=%20&a=2"))["request"]
    assert list(request) == ["clientIp", "method", "uri", "querystring", "headers"]
    assert request["clientIp"] == "203.0.113.178"
    assert request["method"] == "GET"
    assert request["uri"] == "/a%20b/%C3%A9"
    assert request["querystring"] == "a=1&b=%20&a=2"


@pytest.mark.rule("LE-EVT-07")
@pytest.mark.parametrize("query", [None, ""])
def test_no_query_is_an_empty_string(query: str | None) -> None:
    assert event(request=get(query=query))["request"]["querystring"] == ""


@pytest.mark.rule("LE-EVT-09", "LE-EVT-10", "LE-COOK-01")
def test_one_entry_for_each_line_with_the_name_as_received() -> None:
    request = get(
        ("HOST", "a"), ("Cookie", "a=1; b=2"), ("Accept", "x, y"), ("cookie", "c=3"), ("te-St", " ")
    )
    headers = event(request=request)["request"]["headers"]
    assert headers == {
        "host": [{"key": "HOST", "value": "a"}],
        "cookie": [{"key": "Cookie", "value": "a=1; b=2"}, {"key": "cookie", "value": "c=3"}],
        "accept": [{"key": "Accept", "value": "x, y"}],
        "te-st": [{"key": "te-St", "value": " "}],
    }
    assert list(headers) == ["host", "cookie", "accept", "te-st"]


@pytest.mark.rule("LE-EVT-11", "LE-HDR-01", "LE-HDR-03")
def test_disallowed_headers_are_not_shown() -> None:
    lines = [("X-Forwarded-Proto", "https"), ("x-real-ip", "1"), ("X-Amz-Cf-Id", "i"), ("X-Te", "")]
    response = Response(200, Headers([("X-Cache", "Hit"), ("X-Edge-A", "1"), ("ETag", "e")]))
    cf = event(EventType.VIEWER_RESPONSE, get(*lines), response=response)
    assert list(cf["request"]["headers"]) == ["x-te"]
    assert list(cf["response"]["headers"]) == ["etag"]


@pytest.mark.rule("LE-COOK-03")
def test_each_set_cookie_is_an_entry() -> None:
    response = Response(200, Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    cf = event(EventType.ORIGIN_RESPONSE, response=response)
    assert [line["value"] for line in cf["response"]["headers"]["set-cookie"]] == ["a=1", "b=2"]


@pytest.mark.rule("LE-URI-08", "LE-HDR-23")
@pytest.mark.parametrize(
    ("wire", "shown"),
    [(b"/caf\xc3\xa9", "/café"), (b"/caf\xe9", "/café"), (b"/\xff\xc3\xa9", "/ÿÃ©")],
)
def test_what_is_not_utf_8_is_taken_as_iso_8859_1(wire: bytes, shown: str) -> None:
    text = wire.decode("utf-8", "surrogateescape")
    request = event(request=get(("X-Name", text), path=text, query=text))["request"]
    assert request["uri"] == shown
    assert request["querystring"] == shown
    assert request["headers"]["x-name"][0]["value"] == shown


@pytest.mark.rule("LE-EVT-16", "LE-EVT-17", "LE-EVT-20")
def test_a_custom_origin() -> None:
    request = event(EventType.ORIGIN_REQUEST, get(("X-A", "1")), origin=CUSTOM)["request"]
    assert request["origin"] == {
        "custom": {
            "customHeaders": {"x-secret": [{"key": "X-Secret", "value": "s"}]},
            "domainName": "www.example.com",
            "keepaliveTimeout": 7,
            "path": "/v1",
            "port": 8080,
            "protocol": "http",
            "readTimeout": 20,
            "responseCompletionTimeout": 40,
            "sslProtocols": ["TLSv1.2"],
        }
    }
    assert list(request["headers"]) == ["x-a"]


@pytest.mark.rule("LE-EVT-17")
@pytest.mark.parametrize(
    ("policy", "scheme", "protocol", "port"),
    [
        ("http-only", "https", "http", 8080),
        ("https-only", "http", "https", 8443),
        ("match-viewer", "http", "http", 8080),
        ("match-viewer", "https", "https", 8443),
    ],
)
def test_protocol_and_port_of_a_custom_origin(
    policy: str, scheme: Any, protocol: str, port: int
) -> None:
    origin = Origin("web", "a.example", CustomOrigin(policy, 8080, 8443))
    request = Request("GET", "/", viewer=Viewer("::1", scheme=scheme))
    custom = event(EventType.ORIGIN_REQUEST, request, origin=origin)["request"]["origin"]["custom"]
    assert (custom["protocol"], custom["port"]) == (protocol, port)


@pytest.mark.rule("LE-EVT-16", "LE-EVT-18")
def test_an_s3_origin() -> None:
    origin = Origin("files", BUCKET.domain_name, S3Origin("origin-access-identity/E1"))
    request = event(EventType.ORIGIN_RESPONSE, origin=origin)["request"]
    assert request["origin"] == {
        "s3": {
            "authMethod": "origin-access-identity",
            "customHeaders": {},
            "domainName": "assets.s3.eu-west-1.amazonaws.com",
            "path": "",
            "region": "eu-west-1",
            "readTimeout": 30,
            "responseCompletionTimeout": 0,
        }
    }


@pytest.mark.rule("LE-EVT-19")
def test_origin_access_control_shows_as_none() -> None:
    origin = Origin(
        "files", "b.s3.amazonaws.com", S3Origin(), access_control=OriginAccessControl("E2")
    )
    s3 = event(EventType.ORIGIN_REQUEST, origin=origin)["request"]["origin"]["s3"]
    assert s3["authMethod"] == "none"


@pytest.mark.rule("LE-EVT-21", "LE-EVT-22")
def test_a_response_has_text_for_its_status_and_no_body() -> None:
    cf = event(EventType.ORIGIN_RESPONSE, response=Response(404, Headers([("Age", "1")])))
    assert list(cf) == ["config", "request", "response"]
    assert cf["response"] == {
        "status": "404",
        "statusDescription": "Not Found",
        "headers": {"age": [{"key": "Age", "value": "1"}]},
    }


@pytest.mark.rule("LE-EVT-21")
def test_the_reason_of_the_origin_is_shown() -> None:
    response = Response(200, reason="Fine")
    cf = event(EventType.ORIGIN_RESPONSE, response=response)
    assert cf["response"]["statusDescription"] == "Fine"


@pytest.mark.rule("LE-BODY-01")
def test_there_is_no_body_unless_it_was_asked_for() -> None:
    assert "body" not in event()["request"]


@pytest.mark.rule("LE-BODY-03", "LE-BODY-04")
def test_a_body_is_base64_also_when_it_is_text() -> None:
    request = event(body=EventBody(b"text", truncated=True))["request"]
    assert request["body"] == {
        "inputTruncated": True,
        "action": "read-only",
        "encoding": "base64",
        "data": "dGV4dA==",
    }


@pytest.mark.rule("LE-BODY-02")
def test_an_empty_body_is_shown_as_empty() -> None:
    assert event(body=EventBody(b""))["request"]["body"]["data"] == ""
