"""Function URLs through their real ports, with real Python and Node.js functions."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.doors import KINDS, TELL, lambda_function, write_template

CORS = {
    "AllowOrigins": ["https://a.example"],
    "AllowMethods": ["GET"],
    "AllowHeaders": ["x-t"],
    "MaxAge": 300,
}


def url_of(function: str, **properties: Any) -> dict[str, Any]:
    properties = {"TargetFunctionArn": {"Ref": function}, "AuthType": "NONE", **properties}
    return {"Type": "AWS::Lambda::Url", "Properties": properties}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Function URLs only: no distribution."""
    folder = tmp_path_factory.mktemp("urls")
    resources = {
        **{kind.capitalize(): lambda_function(folder, kind) for kind in KINDS},
        **{f"{kind.capitalize()}Url": url_of(kind.capitalize()) for kind in KINDS},
        "Shared": lambda_function(folder),
        "SharedUrl": url_of("Shared", Cors=CORS),
        "Off": lambda_function(folder, ReservedConcurrentExecutions=0),
        "OffUrl": url_of("Off"),
        "Streaming": lambda_function(folder),
        "StreamingUrl": url_of("Streaming", InvokeMode="RESPONSE_STREAM"),
        "Hung": lambda_function(
            folder,
            Timeout=1,
            Runtime="nodejs22.x",
            Handler="index.handler",
            Code={"ZipFile": "exports.handler = async () => { for (;;); };"},
        ),
        "HungUrl": url_of("Hung"),
        "Versioned": lambda_function(folder),
        "V1": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Versioned"}},
        },
        "V2": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Versioned"}},
        },
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": "Versioned"},
                "FunctionVersion": {"Fn::GetAtt": ["V2", "Version"]},
            },
        },
        "LiveUrl": url_of("Versioned", Qualifier="live"),
    }
    with Edge() as edge:
        yield edge.serve(write_template(folder, resources), https_port=0)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Python and Node.js, one after the other."""
    return str(request.param).capitalize()


def ask(site: Site, name: str, path: str = "/", method: str = "GET", **more: Any) -> SiteResponse:
    """A request to a function URL, by the logical ID of its function."""
    url = site.endpoints["function_urls"][f"{name}Url"]["url"]
    return site.request(method, path, url=url, **more)


def told(site: Site, name: str, value: object, **more: Any) -> SiteResponse:
    """The answer when the function returns ``value``."""
    return ask(site, name, headers={TELL: json.dumps(value)}, **more)


def event_of(response: SiteResponse) -> dict[str, Any]:
    assert response.status == 200, response.text
    document: dict[str, Any] = json.loads(response.body)
    return document


@pytest.mark.rule("FU-001", "FU-009")
def test_the_endpoints(site: Site) -> None:
    urls = site.endpoints["function_urls"]
    assert urls["PythonUrl"]["function"] == "Python"
    assert all(url["url"].endswith("/") for url in urls.values())
    assert len({url["url"] for url in urls.values()}) == len(urls)


@pytest.mark.rule("FU-004")
def test_the_same_over_https(site: Site, kind: str) -> None:
    url = site.endpoints["function_urls"][f"{kind}Url"]["https_url"]
    assert url.startswith("https://")
    event = event_of(site.request("GET", "/a", url=url))
    assert (event["rawPath"], event["requestContext"]["http"]["protocol"]) == ("/a", "HTTP/1.1")


def test_headers_for_the_local_edge_go_no_further(site: Site, kind: str) -> None:
    for name in (kind, "Streaming"):
        asked = {"x-edgeproxy-explain": "1", "x-edgeproxy-viewer-ip": "192.0.2.7"}
        response = ask(site, name, headers=asked)
        assert response.headers.get("x-edgeproxy-exchange") == site.exchanges(1)[0].id
        event = event_of(response)
        assert not [each for each in event["headers"] if each.startswith("x-edgeproxy-")]
        assert event["requestContext"]["http"]["sourceIp"] == "192.0.2.7"
    response = told(site, kind, {"statusCode": "none"})
    assert "x-edgeproxy-why" not in response.headers
    wrong = {TELL: '{"statusCode": "none"}', "x-edgeproxy-explain": "1"}
    why = ask(site, kind, headers=wrong).headers.get("x-edgeproxy-why")
    assert why == f"failed: {kind}: statusCode is 'none'"


@pytest.mark.rule("FU-009")
def test_any_port_serves_the_function_url_that_the_host_names(site: Site, kind: str) -> None:
    own = event_of(ask(site, kind))["requestContext"]["apiId"]
    for domain in ("localhost:1234", "on.aws"):
        host = f"{own}.lambda-url.us-east-1.{domain}"
        context = event_of(ask(site, "Shared", headers={"Host": host}))["requestContext"]
        assert context["apiId"] == context["domainPrefix"] == own
        assert context["domainName"] == host.partition(":")[0]
    assert site.exchanges(1)[0].name == f"{kind}Url"


@pytest.mark.rule("FU-007")
def test_a_host_of_no_function_url(site: Site) -> None:
    response = ask(site, "Python", headers={"Host": f"{'a' * 32}.lambda-url.us-east-1.on.aws"})
    assert (response.status, response.body) == (403, b'{"Message":null}')
    assert response.headers.get("Content-Type") == "application/json"
    assert response.headers.get("x-amzn-ErrorType") == "AccessDeniedException"
    assert response.headers.get("x-amzn-RequestId")


@pytest.mark.rule("FU-020", "FU-031", "FU-035", "FU-036", "FU-038", "FU-028", "FU-029")
def test_the_least_event(site: Site, kind: str) -> None:
    event = event_of(ask(site, kind, headers={"User-Agent": "test"}))
    assert set(event) == {
        "version", "routeKey", "rawPath", "rawQueryString", "headers", "requestContext",
        "isBase64Encoded",
    }  # fmt: skip
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/")
    assert (event["rawQueryString"], event["isBase64Encoded"]) == ("", False)
    context = event["requestContext"]
    assert context["http"] == {
        "method": "GET",
        "path": "/",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert context["accountId"] == "anonymous"
    assert context["apiId"] == context["domainPrefix"]
    headers = event["headers"]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("https", "443")
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "connection" not in headers


@pytest.mark.rule("FU-021", "FU-022", "FU-023", "FU-025", "FU-032")
def test_path_query_and_json_body(site: Site, kind: str) -> None:
    response = ask(
        site,
        kind,
        "/pa2%Fth/1?q=query&multiQuery=foo&multiQuery=%2Fbar",
        "POST",
        headers=[
            ("Content-Type", "application/json"),
            ("ExTrA-HeadErs", "With WeiRd CapS"),
            ("Header2", "h1"),
            ("Header2", "h2"),
        ],
        body=b'{"a": 1}',
    )
    event = event_of(response)
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/pa2%Fth/1"
    assert event["rawQueryString"] == "q=query&multiQuery=foo&multiQuery=%2Fbar"
    assert event["queryStringParameters"] == {"q": "query", "multiQuery": "foo,/bar"}
    assert event["headers"]["extra-headers"] == "With WeiRd CapS"
    assert event["headers"]["header2"] == "h1,h2"
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)


@pytest.mark.rule("FU-026", "FU-027")
def test_cookies(site: Site, kind: str) -> None:
    event = event_of(ask(site, kind, headers={"Cookie": "foo=bar; hello=hello"}))
    assert event["cookies"] == ["foo=bar", "hello=hello"]
    assert event["headers"]["cookie"] == "foo=bar; hello=hello"


@pytest.mark.rule("FU-032", "FU-033", "FU-034")
@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        ("idk", b"<idk/>", True),
        ("multipart/form-data; boundary=x", b"--x\r\n\xff\r\n--x--", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("text/plain; charset=utf-8", "hé".encode(), False),
        ("text/plain", b"\xff", True),
        ("application/problem+json", b"{}", False),
    ],
)
def test_bodies(site: Site, kind: str, content_type: str, body: bytes, is_base64: bool) -> None:
    event = event_of(
        ask(site, kind, "/", "POST", headers={"Content-Type": content_type}, body=body)
    )
    assert event["isBase64Encoded"] is is_base64
    seen = base64.b64decode(event["body"]) if is_base64 else event["body"].encode()
    assert seen == body


JSON = "application/json"


@pytest.mark.parametrize(
    ("value", "status", "content_type", "body"),
    [
        pytest.param({"hello": "world"}, 200, JSON, b'{"hello":"world"}',
                     marks=pytest.mark.rule("FU-061", "FU-062")),
        pytest.param("hello", 200, JSON, b"hello", marks=pytest.mark.rule("FU-063")),
        pytest.param(["hello", 3, True], 200, JSON, b'["hello",3,true]',
                     marks=pytest.mark.rule("FU-062")),
        pytest.param(3, 200, JSON, b"3", marks=pytest.mark.rule("FU-064")),
        pytest.param(None, 200, JSON, b"null", marks=pytest.mark.rule("FU-064")),
        pytest.param({"statusCode": 200, "body": "body123"}, 200, JSON, b"body123",
                     marks=pytest.mark.rule("FU-060", "FU-065")),
        pytest.param({"statusCode": "418", "body": "i'm a teapot"}, 418, JSON, b"i'm a teapot",
                     marks=pytest.mark.rule("FU-066")),
        pytest.param({"statusCode": 200}, 200, JSON, b"", marks=pytest.mark.rule("FU-067")),
        pytest.param(
            {"statusCode": 200, "isBase64Encoded": True, "body": "iVBORw0KGgo=",
             "headers": {"content-type": "image/png"}},
            200, "image/png", b"\x89PNG\r\n\x1a\n", marks=pytest.mark.rule("FU-068"),
        ),
        pytest.param({"statusCode": 200, "isBase64Encoded": True, "body": "%%"}, 502, None,
                     b"Internal Server Error", marks=pytest.mark.rule("FU-068")),
        pytest.param({"statusCode": 999}, 502, None, b"Internal Server Error",
                     marks=pytest.mark.rule("FU-074")),
        pytest.param({"statusCode": 200, "headers": []}, 502, None, b"Internal Server Error",
                     marks=pytest.mark.rule("FU-074")),
        pytest.param({"statusCode": 200, "body": {"a": 1}}, 502, None, b"Internal Server Error",
                     marks=pytest.mark.rule("FU-067")),
    ],
)  # fmt: skip
def test_results(site: Site, kind: str, value, status, content_type, body) -> None:
    response = told(site, kind, value)
    assert (response.status, response.body) == (status, body)
    assert response.headers.get("Content-Length") == str(len(body))
    if content_type is not None:
        assert response.headers.get_all("Content-Type") == [content_type]


@pytest.mark.rule("FU-060", "FU-069", "FU-070", "FU-072", "FU-040")
def test_a_full_response(site: Site, kind: str) -> None:
    response = told(
        site,
        kind,
        {
            "statusCode": 201,
            "headers": {"My-Custom-Header": "Custom Value"},
            "multiValueHeaders": {"x-not": ["1"]},
            "cookies": ["a=1; Max-Age=60", "b=2"],
            "body": "x",
        },
    )
    assert (response.status, response.body) == (201, b"x")
    assert response.headers.get("my-custom-header") == "Custom Value"
    assert response.headers.get_all("set-cookie") == ["a=1; Max-Age=60", "b=2"]
    assert "x-not" not in response.headers
    for name in ("date", "x-amzn-requestid", "x-amzn-trace-id"):
        assert name in response.headers
    run = site.exchanges(1)[0].functions[0]
    assert response.headers.get("x-amzn-requestid") == run.request_id


@pytest.mark.rule("FU-075")
def test_head_and_204_have_no_body(site: Site, kind: str) -> None:
    response = told(site, kind, {"statusCode": 200, "body": "body123"}, method="HEAD")
    assert (response.status, response.body) == (200, b"")
    assert response.headers.get("Content-Length") == "7"
    response = told(site, kind, {"statusCode": 204, "body": ""})
    assert (response.status, response.body) == (204, b"")


@pytest.mark.rule("FU-120", "FU-121", "FU-130")
def test_a_function_that_raises(site: Site, kind: str) -> None:
    response = ask(site, kind, headers={TELL: "throw"})
    assert (response.status, response.body) == (502, b"Internal Server Error")
    run = site.exchanges(1)[0].functions[0]
    assert run.error == "Unhandled"
    assert any("a secret" in line.message for line in run.log)
    assert ask(site, kind).status == 200


@pytest.mark.rule("FU-124")
def test_a_timeout_is_502(site: Site) -> None:
    response = ask(site, "Hung")
    assert (response.status, response.body) == (502, b"Internal Server Error")


@pytest.mark.rule("FU-122", "FU-123")
def test_no_concurrency_is_429(site: Site) -> None:
    for _ in range(2):
        response = ask(site, "Off")
        assert response.status == 429
        assert response.headers.get("x-amzn-ErrorType") == "TooManyRequestsException"


@pytest.mark.rule("FU-041", "FU-125")
def test_a_request_of_more_than_six_megabytes_is_413(site: Site) -> None:
    response = ask(site, "Python", "/", "POST", body=b"x" * (5 * 1024 * 1024))
    assert response.status == 413  # base64 makes more than 6 MB of it
    assert site.exchanges(1)[0].functions == []


@pytest.mark.rule("FU-002")
def test_a_url_of_an_alias_runs_its_version(site: Site) -> None:
    assert ask(site, "Live").status == 200
    (run,) = site.exchanges(1)[0].functions
    assert any(f"START RequestId: {run.request_id} Version: 2" in line.message for line in run.log)


@pytest.mark.rule("FU-084", "FU-085", "FU-060")
def test_a_buffered_handler_behind_a_streaming_url(site: Site) -> None:
    response = told(site, "Streaming", {"statusCode": 201, "headers": {"x-a": "b"}, "body": "hi"})
    assert (response.status, response.body) == (201, b"hi")
    assert response.headers.get("x-a") == "b"
    assert response.headers.get("transfer-encoding") == "chunked"
    assert response.headers.get("content-length") == ""


PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-t"}


@pytest.mark.rule("FU-100b", "FU-100c", "FU-100d")
def test_a_preflight_does_not_run_the_function(site: Site) -> None:
    response = ask(
        site, "Shared", method="OPTIONS", headers={"Origin": "https://a.example", **PREFLIGHT}
    )
    assert (response.status, response.body) == (200, b"")
    assert response.headers.get("Access-Control-Allow-Origin") == "https://a.example"
    assert response.headers.get("Access-Control-Allow-Methods") == "GET"
    assert response.headers.get("Access-Control-Allow-Headers") == "x-t"
    assert response.headers.get("Access-Control-Max-Age") == "300"
    assert site.exchanges(1)[0].functions == []


@pytest.mark.rule("FU-100e")
def test_a_preflight_from_elsewhere(site: Site) -> None:
    response = ask(
        site, "Shared", method="OPTIONS", headers={"Origin": "https://b.example", **PREFLIGHT}
    )
    assert "Access-Control-Allow-Origin" not in response.headers
    assert site.exchanges(1)[0].functions == []


@pytest.mark.rule("FU-100f", "FU-100g")
def test_headers_of_both_the_function_and_the_service(site: Site) -> None:
    value = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}
    headers = {TELL: json.dumps(value), "Origin": "https://a.example"}
    response = ask(site, "Shared", headers=headers)
    allowed = response.headers.get_all("Access-Control-Allow-Origin")
    assert sorted(allowed) == ["*", "https://a.example"]
    assert told(site, "Shared", value).headers.get_all("Access-Control-Allow-Origin") == ["*"]


@pytest.mark.rule("FU-100h", "FU-005")
def test_without_cors_options_runs_the_function(site: Site, kind: str) -> None:
    event = event_of(
        ask(site, kind, method="OPTIONS", headers={"Origin": "https://a.example", **PREFLIGHT})
    )
    assert event["requestContext"]["http"]["method"] == "OPTIONS"


def test_what_is_no_request_gets_no_page_of_cloudfront(site: Site) -> None:
    response = ask(site, "Python", headers={"x-edgeproxy-viewer-ip": "nowhere"})
    assert (response.status, json.loads(response.body)) == (400, {"message": "Bad Request"})
    assert response.headers.get("x-amzn-requestid")
    assert "Server" not in response.headers
    assert "X-Cache" not in response.headers


def test_too_many_bytes_of_headers_have_a_status_with_a_phrase(site: Site) -> None:
    response = ask(site, "Python", headers={"X-Long": "a" * 70_000})
    message = {"message": "Request Header Fields Too Large"}
    assert (response.status, json.loads(response.body)) == (431, message)


@pytest.mark.rule("FU-127")
def test_more_than_ten_kilobytes_of_headers_are_refused(site: Site) -> None:
    assert ask(site, "Python", headers={"X-Long": "x" * 9_000}).status == 200
    refused = ask(site, "Python", headers={"X-Long": "x" * 10_240})
    assert refused.status == 431
    assert refused.headers.get("x-amzn-requestid")


@pytest.mark.rule("FU-129")
def test_a_websocket_handshake_is_a_request_like_any_other(site: Site) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    response = ask(site, "Python", headers=handshake)
    event = event_of(response)
    assert event["requestContext"]["http"]["method"] == "GET"
    assert "upgrade" not in event["headers"]
    assert "upgrade" not in response.headers
