"""Events and results of function URLs, as sections 2 and 3 of the reference describe them."""

import base64
from typing import Any

import orjson
import pytest

from edgeproxy.events.function_url import Malformed, UrlContext, decode_result, encode_event
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer

HOST = "abc.lambda-url.us-east-1.on.aws"
CONTEXT = UrlContext("abc", "id-1", "Root=1-2-3", 1681837307.25)


def event(
    *lines: tuple[str, str],
    method: str = "GET",
    path: str = "/",
    query: str | None = None,
    body: bytes = b"",
    context: UrlContext = CONTEXT,
) -> dict[str, Any]:
    headers = Headers([("Host", HOST), *lines])
    request = Request(method, path, query, headers=headers, viewer=Viewer("203.0.113.9"))
    decoded: dict[str, Any] = orjson.loads(encode_event(context, request, body))
    return decoded


def answer(result: object) -> Response:
    response = decode_result(orjson.dumps(result))
    assert isinstance(response, Response), response
    return response


def body_of(response: Response) -> bytes:
    assert isinstance(response.body, BytesBody)
    return response.body.data


def rule_of(result: object, *, strict: bool = True) -> str:
    outcome = decode_result(orjson.dumps(result), strict=strict)
    assert isinstance(outcome, Malformed), outcome
    assert outcome.why
    return outcome.rule


@pytest.mark.rule("FU-020", "FU-022", "FU-026", "FU-031", "FU-035", "FU-038", "FU-039")
def test_a_plain_request() -> None:
    got = event()
    headers = got.pop("headers")
    assert headers["host"] == HOST
    assert got == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": HOST,
            "domainPrefix": "abc",
            "http": {
                "method": "GET",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "",
            },
            "requestId": "id-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "18/Apr/2023:17:01:47 +0000",
            "timeEpoch": 1681837307250,
        },
        "isBase64Encoded": False,
    }


@pytest.mark.rule("FU-021", "FU-022", "FU-023", "FU-025")
def test_paths_stay_raw_and_parameters_are_decoded() -> None:
    got = event(
        ("ExTrA-HeadErs", "With WeiRd CapS"),
        path="/pa2%Fth/1",
        query="q=query&multiQuery=foo&multiQuery=%2Fbar",
    )
    assert got["rawPath"] == got["requestContext"]["http"]["path"] == "/pa2%Fth/1"
    assert got["rawQueryString"] == "q=query&multiQuery=foo&multiQuery=%2Fbar"
    assert got["queryStringParameters"] == {"q": "query", "multiQuery": "foo,/bar"}
    assert got["headers"]["extra-headers"] == "With WeiRd CapS"


@pytest.mark.rule("FU-024")
def test_parameters_without_value_and_with_plus() -> None:
    assert event(query="a&b=1+2")["queryStringParameters"] == {"a": "", "b": "1 2"}


@pytest.mark.rule("FU-025")
def test_repeated_headers_are_joined() -> None:
    assert event(("Header2", "h1"), ("header2", "h2"))["headers"]["header2"] == "h1,h2"


@pytest.mark.rule("FU-026", "FU-027")
def test_cookies_are_split_and_stay_in_the_headers() -> None:
    got = event(("Cookie", "foo=bar; hello=hello"))
    assert got["cookies"] == ["foo=bar", "hello=hello"]
    assert got["headers"]["cookie"] == "foo=bar; hello=hello"


@pytest.mark.rule("FU-028")
def test_hop_by_hop_headers_are_left_out() -> None:
    got = event(("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"), ("TE", "trailers"))
    assert not {"connection", "x-hop", "te"} & set(got["headers"])


@pytest.mark.rule("FU-029")
def test_headers_of_the_service() -> None:
    headers = event(("X-Forwarded-Proto", "http"))["headers"]
    del headers["host"]
    assert headers == {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        "x-amzn-tls-version": "TLSv1.3",
        "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
        "x-amzn-trace-id": "Root=1-2-3",
    }


@pytest.mark.rule("FU-030")
def test_a_list_of_forwarders_is_extended() -> None:
    headers = event(("X-Forwarded-For", "198.51.100.1"))["headers"]
    assert headers["x-forwarded-for"] == "198.51.100.1, 203.0.113.9"


@pytest.mark.parametrize(
    ("media_type", "text"),
    [
        pytest.param("application/json", True, marks=pytest.mark.rule("FU-032", "FU-033")),
        pytest.param("text/csv; charset=utf-8", True, marks=pytest.mark.rule("FU-033")),
        pytest.param("Application/JavaScript", True, marks=pytest.mark.rule("FU-033")),
        pytest.param("application/xml", True, marks=pytest.mark.rule("FU-033")),
        pytest.param("application/problem+json", True, marks=pytest.mark.rule("FU-033")),
        pytest.param("image/svg+xml", True, marks=pytest.mark.rule("FU-033")),
        pytest.param("idk", False, marks=pytest.mark.rule("FU-032", "FU-033")),
        pytest.param("multipart/form-data; boundary=b", False, marks=pytest.mark.rule("FU-032")),
        pytest.param("application/x-www-form-urlencoded", False, marks=pytest.mark.rule("FU-033")),
        pytest.param("", False, marks=pytest.mark.rule("FU-033")),
    ],
)
def test_which_bodies_are_text(media_type: str, text: bool) -> None:
    got = event(("Content-Type", media_type), method="POST", body=b"<idk/>")
    assert got["isBase64Encoded"] is not text
    assert got["body"] == ("<idk/>" if text else "PGlkay8+")


@pytest.mark.rule("FU-034")
def test_text_that_is_not_utf_8_is_base64() -> None:
    got = event(("Content-Type", "text/plain"), method="POST", body=b"\xe9")
    assert (got["body"], got["isBase64Encoded"]) == ("6Q==", True)


@pytest.mark.rule("FU-036", "FU-042")
def test_with_iam_the_owner_is_named_and_the_authorization_hidden() -> None:
    context = UrlContext("abc", "id", "t", 0, "123456789012")
    got = event(("Authorization", "AWS4-…"), ("X-Amz-Date", "d"), context=context)
    assert got["requestContext"]["accountId"] == "123456789012"
    assert "authorization" not in got["headers"]
    assert got["headers"]["x-amz-date"] == "d"
    assert "authorization" in event(("Authorization", "Basic x"))["headers"]


@pytest.mark.rule("FU-038")
def test_http_2_shows_as_http_1_1() -> None:
    request = Request("GET", "/", version="2.0")
    got = orjson.loads(encode_event(CONTEXT, request, b""))
    assert got["requestContext"]["http"]["protocol"] == "HTTP/1.1"


# --- results ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "body"),
    [
        pytest.param(
            {"hello": "world"}, b'{"hello":"world"}', marks=pytest.mark.rule("FU-061", "FU-062")
        ),
        pytest.param(["hello", 3, True], b'["hello",3,true]', marks=pytest.mark.rule("FU-062")),
        pytest.param("hello", b"hello", marks=pytest.mark.rule("FU-063")),
        pytest.param(3.1, b"3.1", marks=pytest.mark.rule("FU-064")),
        pytest.param(True, b"true", marks=pytest.mark.rule("FU-064")),
        pytest.param(None, b"null", marks=pytest.mark.rule("FU-064")),
    ],
)
def test_results_without_a_status(result: object, body: bytes) -> None:
    response = answer(result)
    assert response.status == 200
    assert response.headers.get("Content-Type") == "application/json"
    assert body_of(response) == body


@pytest.mark.rule("FU-062")
def test_blanks_of_python_s_json_are_taken_out() -> None:
    response = decode_result(b'{"hello": "world"}')
    assert isinstance(response, Response)
    assert body_of(response) == b'{"hello":"world"}'


@pytest.mark.rule("FU-060", "FU-065")
def test_a_full_response_without_headers() -> None:
    response = answer({"statusCode": 200, "body": "body123"})
    assert response.headers.lines() == [("content-type", "application/json")]
    assert body_of(response) == b"body123"


@pytest.mark.rule("FU-060", "FU-067")
@pytest.mark.parametrize("members", [{}, {"headers": None, "cookies": None, "body": None}])
def test_members_that_are_not_there(members: dict[str, None]) -> None:
    response = answer({"statusCode": 200, **members})
    assert response.headers.lines() == [("content-type", "application/json")]
    assert body_of(response) == b""


@pytest.mark.rule("FU-066")
def test_a_status_may_be_text() -> None:
    response = answer({"statusCode": "418", "body": "i'm a teapot"})
    assert (response.status, body_of(response)) == (418, b"i'm a teapot")


@pytest.mark.rule("FU-060", "FU-069", "FU-070")
def test_headers_and_cookies() -> None:
    response = answer(
        {
            "statusCode": 201,
            "headers": {"My-Custom-Header": "Custom Value", "set-cookie": "c=3", "Set-cookie": "d"},
            "multiValueHeaders": {"x-a": ["1"]},
            "cookies": ["a=1; Max-Age=60", "b=2"],
            "body": "x",
        }
    )
    assert response.status == 201
    assert response.headers.get("my-custom-header") == "Custom Value"
    assert response.headers.get_all("Set-Cookie") == ["c=3", "d", "a=1; Max-Age=60", "b=2"]
    assert "x-a" not in response.headers


@pytest.mark.rule("FU-068")
def test_base64_bodies() -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    headers = {"content-type": "image/png"}
    response = answer({"statusCode": 200, "isBase64Encoded": True, "headers": headers, "body": png})
    assert body_of(response) == b"\x89PNG\r\n\x1a\n"
    assert rule_of({"statusCode": 200, "isBase64Encoded": True, "body": "%"}) == "FU-068"


@pytest.mark.rule("FU-067")
def test_a_body_that_is_no_string() -> None:
    assert body_of(answer({"statusCode": 200})) == b""
    result = {"statusCode": 200, "body": {"a": 1}}
    assert rule_of(result) == "FU-067"
    lenient = decode_result(orjson.dumps(result), strict=False)
    assert isinstance(lenient, Response)
    assert body_of(lenient) == b'{"a":1}'


@pytest.mark.rule("FU-071")
def test_header_values_that_are_no_strings() -> None:
    headers = answer({"statusCode": 200, "headers": {"x-n": 1, "x-b": True}}).headers
    assert (headers.get("x-n"), headers.get("x-b")) == ("1", "true")


@pytest.mark.rule("FU-073")
def test_headers_of_the_front_end_are_renamed_or_dropped() -> None:
    headers = answer(
        {
            "statusCode": 401,
            "headers": {"WWW-Authenticate": "Basic", "Content-Length": "9", "Upgrade": "x"},
        }
    ).headers
    assert headers.lines() == [
        ("x-amzn-remapped-www-authenticate", "Basic"),
        ("x-amzn-remapped-content-length", "9"),
        ("content-type", "application/json"),
    ]


@pytest.mark.rule("FU-074")
@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "abc"},
        {"statusCode": 600},
        {"statusCode": 99},
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"x": None}},
        {"statusCode": 200, "headers": {"x": "1\r\ny: 2"}},
        {"statusCode": 200, "headers": {"x y": "1"}},
        {"statusCode": 200, "cookies": "a=1"},
    ],
)
def test_malformed_responses(result: object) -> None:
    assert rule_of(result) == "FU-074"


@pytest.mark.rule("FU-075")
@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body(status: int) -> None:
    assert body_of(answer({"statusCode": status, "body": "x"})) == b""


def test_a_result_that_is_no_json_is_malformed() -> None:
    assert isinstance(decode_result(b"{"), Malformed)
