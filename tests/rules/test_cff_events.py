"""What CloudFront Functions see and what becomes of what they return, through the real engine."""

from typing import Any

import orjson
import pytest

from edgeproxy.distribution.model import EventType
from edgeproxy.events.cloudfront_function import (
    Changed,
    Continue,
    Decoded,
    Generated,
    Invalid,
    decode_result,
    viewer_event,
)
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer
from edgeproxy.runtimes.cloudfront_js import Completed, RunContext
from tests.unit.runtimes.cloudfront_js.running import JS2, function

rule = pytest.mark.rule
HOST = ("Host", "www.example.com")


def request(
    *lines: tuple[str, str], path: str = "/", query: str | None = None, host: bool = True
) -> Request:
    headers = Headers([HOST, *lines] if host else lines)
    return Request("GET", path, query, headers=headers, viewer=Viewer("198.51.100.11"))


def response(*lines: tuple[str, str], status: int = 200, body: bytes = b"old") -> Response:
    return Response(status, Headers(lines), BytesBody(body))


def event(
    sent: Request, answer: Response | None = None, generated: dict[str, str] | None = None
) -> dict[str, Any]:
    kind = EventType.VIEWER_RESPONSE if answer else EventType.VIEWER_REQUEST
    return viewer_event(
        kind,
        distribution_domain_name="d111111abcdef8.cloudfront.net",
        distribution_id="EDFDVBD6EXAMPLE",
        request_id="opaque",
        request=sent,
        response=answer,
        generated=generated,
    )


def apply(
    statement: str,
    sent: Request,
    answer: Response | None = None,
    *,
    generated: dict[str, str] | None = None,
    strict: bool = True,
) -> Decoded:
    """Run ``statement`` with ``request`` and ``response`` at hand; it may return for itself."""
    kind = EventType.VIEWER_RESPONSE if answer else EventType.VIEWER_REQUEST
    result = "event.response" if answer else "event.request"
    code = (
        "function handler(event) { var request = event.request, response = event.response; "
        f"{statement}\nreturn {result}; }}"
    )
    seen = event(sent, answer, generated)
    outcome = function(code, JS2).run(orjson.dumps(seen), RunContext(raw_query=sent.query))
    assert isinstance(outcome, Completed), outcome
    return decode_result(
        kind,
        outcome.result,
        request=sent,
        response=answer,
        generated=generated,
        event=seen,
        strict=strict,
    )


def passed(statement: str, sent: Request, **options: Any) -> Request:
    decoded = apply(statement, sent, **options)
    assert isinstance(decoded, Continue), decoded
    return decoded.request


def answered(statement: str, answer: Response, sent: Request | None = None) -> Response:
    decoded = apply(statement, sent or request(), answer)
    assert isinstance(decoded, Changed), decoded
    return decoded.response


def made(statement: str) -> Response:
    decoded = apply(statement, request())
    assert isinstance(decoded, Generated), decoded
    return decoded.response


def lines(message: Request | Response) -> list[tuple[str, str]]:
    return [line for line in message.headers if line != HOST]


def data(message: Response) -> bytes:
    assert isinstance(message.body, BytesBody)
    return message.body.data


# The event


@rule(
    "CFF-EVT-01", "CFF-EVT-02", "CFF-EVT-04", "CFF-EVT-05", "CFF-EVT-07", "CFF-EVT-08", "CFF-EVT-14"
)
def test_the_viewer_request_event() -> None:
    assert event(request(path="/media/index.mpd")) == {
        "version": "1.0",
        "context": {
            "distributionDomainName": "d111111abcdef8.cloudfront.net",
            "distributionId": "EDFDVBD6EXAMPLE",
            "eventType": "viewer-request",
            "requestId": "opaque",
        },
        "viewer": {"ip": "198.51.100.11"},
        "request": {
            "method": "GET",
            "uri": "/media/index.mpd",
            "querystring": {},
            "headers": {"host": {"value": "www.example.com"}},
            "cookies": {},
        },
    }


@rule("CFF-EVT-02", "CFF-EVT-05", "CFF-EVT-10", "CFF-EVT-13", "CFF-EVT-14", "CFF-EVT-15")
def test_the_viewer_response_event() -> None:
    answer = response(
        ("Content-Type", "text/html"),
        ("Set-Cookie", "ID=id1; Secure; Path=/"),
        ("Set-Cookie", "two=a; Path=/"),
        ("Set-Cookie", "two=b;Path=/x"),
        ("Set-Cookie", "bare=c=d"),
    )
    seen = event(request(), answer)
    assert seen["context"]["eventType"] == "viewer-response"
    assert seen["response"] == {
        "statusCode": 200,
        "statusDescription": "OK",
        "headers": {"content-type": {"value": "text/html"}},
        "cookies": {
            "ID": {"value": "id1", "attributes": "Secure; Path=/"},
            "two": {
                "value": "a",
                "attributes": "Path=/",
                "multiValue": [
                    {"value": "a", "attributes": "Path=/"},
                    {"value": "b", "attributes": "Path=/x"},
                ],
            },
            "bare": {"value": "c=d"},
        },
    }


@pytest.mark.parametrize(
    ("sent", "part", "expected"),
    [
        pytest.param(
            request(("Accept", "a/a"), ("ACCEPT", "b/b"), ("accept", "c/c"), host=False),
            "headers",
            {
                "accept": {
                    "value": "a/a",
                    "multiValue": [{"value": "a/a"}, {"value": "b/b"}, {"value": "c/c"}],
                }
            },
            marks=rule("CFF-EVT-09", "CFF-EVT-12"),
        ),
        pytest.param(
            request(("Accept", "a/a, b/b"), host=False),
            "headers",
            {"accept": {"value": "a/a, b/b"}},
            marks=rule("CFF-EVT-12"),
        ),
        pytest.param(
            request(("X-\u00c9t\u00c9", "1"), host=False),
            "headers",
            {"x-\u00c9t\u00c9": {"value": "1"}},
            marks=rule("CFF-EVT-09"),
        ),
        pytest.param(
            request(("Connection", "close"), ("X-Edge-A", "1"), ("X-Real-Ip", "1"), host=False),
            "headers",
            {},
            marks=rule("CFF-EVT-20"),
        ),
        pytest.param(
            request(("Cookie", "A=1; b=2"), ("Cookie", "A=3"), host=False),
            "headers",
            {},
            marks=rule("CFF-EVT-10"),
        ),
        pytest.param(
            request(("Cookie", "A=1; b=%41"), ("Cookie", "A=3")),
            "cookies",
            {
                "A": {"value": "1", "multiValue": [{"value": "1"}, {"value": "3"}]},
                "b": {"value": "%41"},
            },
            marks=rule("CFF-EVT-11", "CFF-EVT-18", "CFF-COOK-01"),
        ),
        pytest.param(
            request(query="ID=42&NoValue&empty=&m=1&m=2%2C3"),
            "querystring",
            {
                "ID": {"value": "42"},
                "NoValue": {"value": ""},
                "empty": {"value": ""},
                "m": {"value": "1", "multiValue": [{"value": "1"}, {"value": "2%2C3"}]},
            },
            marks=rule("CFF-EVT-11", "CFF-EVT-12", "CFF-EVT-18", "CFF-EVT-19"),
        ),
        pytest.param(request(query=""), "querystring", {}, marks=rule("CFF-EVT-08")),
        pytest.param(request(path="/\udce9\udcff"), "uri", "/éÿ", marks=rule("CFF-EVT-21")),
        pytest.param(request(path="/é€"), "uri", "/é€", marks=rule("CFF-EVT-21")),
        pytest.param(
            request(("X-A", "caf\udce9"), host=False),
            "headers",
            {"x-a": {"value": "café"}},
            marks=rule("CFF-EVT-21"),
        ),
    ],
)
def test_parts_of_the_request(sent: Request, part: str, expected: object) -> None:
    assert event(sent)["request"][part] == expected


@rule("CFF-EVT-16")
def test_headers_that_the_policies_ask_for() -> None:
    sent = request(("CloudFront-Viewer-Country", "XX"))
    headers = event(sent, generated={"CloudFront-Viewer-Country": "DE"})["request"]["headers"]
    assert headers["cloudfront-viewer-country"] == {"value": "DE"}
    assert "cloudfront-viewer-country" not in event(request())["request"]["headers"]


# The request that goes on


@rule("CFF-RET-02", "CFF-QS-06", "CFF-EVT-21")
def test_what_is_not_changed_goes_on_byte_for_byte() -> None:
    sent = request(
        ("X-Latin", "caf\udce9"),
        ("Cookie", "a=1;b=2"),
        ("Cookie", "c"),
        ("Connection", "keep-alive"),
        path="/a\udce9",
        query="b&2=&&a=1&1",
    )
    same = passed("", sent)
    assert (same.path, same.query, same.method) == (sent.path, sent.query, sent.method)
    assert same.headers.lines() == sent.headers.lines()


@rule("CFF-REQ-03", "CFF-EVT-21", "CFF-EVT-07")
def test_a_new_uri() -> None:
    changed = passed("request.uri = '/b/\\u00e9%20';", request(path="/a", query="q=1"))
    assert (changed.path, changed.query) == ("/b/é%20", "q=1")


@pytest.mark.parametrize(
    ("statement", "raw", "expected"),
    [
        pytest.param(
            "request.querystring = 'b=2&a=1';", "a=1&b=2", "b=2&a=1", marks=rule("CFF-QS-02")
        ),
        pytest.param("request.querystring = '';", "a=1", None, marks=rule("CFF-QS-02")),
        pytest.param(
            "request.querystring.c = {value: '3'};",
            "b=2&a=1",
            "b=2&a=1&c=3",
            marks=rule("CFF-QS-01", "CFF-QS-05"),
        ),
        pytest.param(
            "delete request.querystring.a;",
            "a=1&b=2&a=3",
            "b=2",
            marks=rule("CFF-QS-01", "CFF-HDR-10"),
        ),
        pytest.param(
            "request.querystring.a.value = 'x';",
            "a=1&b=2&a=3",
            "a=x&a=3&b=2",
            marks=rule("CFF-QS-01", "CFF-HDR-09"),
        ),
        pytest.param("request.querystring = {};", "a=1", None, marks=rule("CFF-QS-01")),
        pytest.param(
            "var q = request.querystring; request.querystring = {};"
            "Object.keys(q).sort().forEach(function (n) { request.querystring[n] = q[n]; });",
            "b=2&c&a=1",
            "a=1&b=2&c=",
            marks=rule("CFF-QS-05"),
        ),
        pytest.param(
            "request.headers['x-a'] = {value: '1'};",
            "b=1&10=x&007=y&2&4294967295=z&0=",
            "b=1&10=x&007=y&2&4294967295=z&0=",
            marks=rule("CFF-QS-06"),
        ),
        pytest.param(
            "request.querystring.x = {value: '%20+'};", None, "x=%20+", marks=rule("CFF-QS-01")
        ),
        pytest.param(
            "request.querystring = request.rawQueryString() + '&z';",
            "b&a",
            "b&a&z",
            marks=rule("CFF-QS-07"),
        ),
    ],
)
def test_a_new_query_string(statement: str, raw: str | None, expected: str | None) -> None:
    assert passed(statement, request(query=raw)).query == expected


@rule("CFF-QS-03")
def test_a_leading_question_mark_is_taken_literally_with_a_warning() -> None:
    decoded = apply("request.querystring = '?a=1';", request())
    assert isinstance(decoded, Continue)
    assert decoded.request.query == "?a=1"
    assert [finding.rule for finding in decoded.findings] == ["CFF-QS-03"]


ACCEPT = request(("Accept", "a/a"), ("Accept", "b/b"), ("Accept", "c/c"))


@pytest.mark.parametrize(
    ("statement", "sent", "expected"),
    [
        pytest.param(
            "request.headers['x-custom-header'] = {value: 'a b'};",
            request(),
            [("X-Custom-Header", "a b")],
            marks=rule("CFF-HDR-06"),
        ),
        pytest.param(
            "",
            request(("x-a", "1"), ("X-LOUD", "2")),
            [("X-A", "1"), ("X-Loud", "2")],
            marks=rule("CFF-HDR-06"),
        ),
        pytest.param(
            "request.headers['\\u00e9t\\u00e9-a-\\u00df'] = {value: '1'};",
            request(),
            [("été-A-ß", "1")],
            marks=rule("CFF-HDR-06"),
        ),
        pytest.param(
            "request.headers['x-a'] = {multiValue: [{value: '1'}, {value: '2'}]};",
            request(),
            [("X-A", "1"), ("X-A", "2")],
            marks=rule("CFF-HDR-07"),
        ),
        pytest.param(
            "request.headers.accept.value = 'z/z';",
            ACCEPT,
            [("Accept", "z/z"), ("Accept", "b/b"), ("Accept", "c/c")],
            marks=rule("CFF-HDR-09"),
        ),
        pytest.param(
            "request.headers.accept.multiValue.pop(); request.headers.accept.value = 'z/z';",
            ACCEPT,
            [("Accept", "a/a"), ("Accept", "b/b")],
            marks=rule("CFF-HDR-09"),
        ),
        pytest.param(
            "delete request.headers.accept.multiValue;",
            ACCEPT,
            [("Accept", "a/a")],
            marks=rule("CFF-HDR-09"),
        ),
        pytest.param("delete request.headers.accept;", ACCEPT, [], marks=rule("CFF-HDR-10")),
        pytest.param(
            "request.headers['x-a'] = {value: '\\u20ac'};",
            request(),
            [("X-A", "€")],
            marks=rule("CFF-EVT-21"),
        ),
        pytest.param(
            "request.cookies.c = {value: '3'};",
            request(("Cookie", "a=1"), ("X-B", "1"), ("Cookie", "b=2")),
            [("Cookie", "a=1; b=2; c=3"), ("X-B", "1")],
            marks=rule("CFF-COOK-03"),
        ),
        pytest.param(
            "delete request.cookies.a;",
            request(("Cookie", "a=1")),
            [],
            marks=rule("CFF-HDR-10", "CFF-COOK-01"),
        ),
        pytest.param(
            "request.cookies.a.value = '9';",
            request(("Cookie", "a=1; b=2; a=3")),
            [("Cookie", "a=9; a=3; b=2")],
            marks=rule("CFF-HDR-09", "CFF-COOK-01"),
        ),
        pytest.param(
            "request.cookies.n = {value: 'x'};",
            request(),
            [("Cookie", "n=x")],
            marks=rule("CFF-COOK-03"),
        ),
    ],
)
def test_changed_headers_and_cookies(
    statement: str, sent: Request, expected: list[tuple[str, str]]
) -> None:
    assert lines(passed(statement, sent)) == expected


@rule("CFF-EVT-20")
def test_headers_that_functions_do_not_see_stay() -> None:
    sent = request(("Upgrade", "websocket"), ("X-A", "1"), ("Connection", "Upgrade"))
    changed = passed("request.headers = {host: request.headers.host};", sent)
    assert lines(changed) == [("Upgrade", "websocket"), ("Connection", "Upgrade")]


@rule("CFF-HDR-11")
def test_a_cookie_header_is_merged_with_the_cookies() -> None:
    decoded = apply("request.headers.cookie = {value: 'b=2'};", request(("Cookie", "a=1")))
    assert isinstance(decoded, Continue)
    assert lines(decoded.request) == [("Cookie", "a=1; b=2")]
    assert [finding.rule for finding in decoded.findings] == ["CFF-HDR-11"]


@rule("CFF-EVT-16")
def test_generated_headers_come_back_only_when_changed() -> None:
    generated = {"CloudFront-Viewer-Country": "DE", "CloudFront-Is-Mobile-Viewer": "false"}
    assert lines(passed("", request(), generated=generated)) == []
    changed = passed(
        "request.headers['cloudfront-viewer-country'].value = 'FR';", request(), generated=generated
    )
    assert [value for _, value in lines(changed)] == ["FR"]


@rule("CFF-EVT-17")
def test_the_response_event_shows_the_request_as_it_was_returned() -> None:
    sent = passed("request.headers['x-a'] = {value: '1'};", request())
    answer = answered("response.headers['x-a'] = request.headers['x-a'];", response(), sent)
    assert lines(answer) == [("X-A", "1")]


@pytest.mark.parametrize(
    ("statement", "rule_id", "named"),
    [
        pytest.param(statement, rule_id, named, marks=rule(rule_id, "CFF-ERR-02"))
        for statement, rule_id, named in (
            ("return event;", "CFF-RET-04", "whole event"),
            ("return;", "CFF-RET-06", "nothing"),
            ("return null;", "CFF-RET-06", "nothing"),
            ("return 'text';", "CFF-RET-06", "string"),
            ("return 5;", "CFF-RET-06", "no object"),
            ("return [request];", "CFF-RET-06", "array"),
            ("request.method = 'POST';", "CFF-RET-08", "method"),
            ("delete request.headers;", "CFF-RET-09", "headers"),
            ("return {};", "CFF-RET-09", "headers"),
            ("request.uri = 'a';", "CFF-REQ-01", "uri"),
            ("request.uri = '';", "CFF-REQ-01", "uri"),
            ("request.uri = 5;", "CFF-REQ-01", "uri"),
            ("request.uri = '/' + 'a'.repeat(8191);", "CFF-REQ-02", "uri"),
            ("request.uri = '/'; request.querystring = 'a'.repeat(8190);", "CFF-REQ-02", "uri"),
            ("request.uri = '/a b';", "LE-URI-04", "uri"),
            ("request.uri = '/a\\r\\nx: y';", "LE-URI-04", "uri"),
            ("request.uri = '/a?b';", "LE-URI-10", "question mark"),
            ("request.querystring = 'a=b c';", "CFF-QS-04", "querystring"),
            ("request.querystring = 'a#b';", "CFF-QS-04", "querystring"),
            ("request.querystring = 'a\\u0001b';", "CFF-QS-04", "querystring"),
            ("request.querystring = 'a\\tb';", "CFF-QS-04", "querystring"),
            ("request.querystring = 'a\\u007f';", "CFF-QS-04", "querystring"),
            ("request.querystring.a = {value: '1#2'};", "CFF-QS-04", "querystring"),
            ("request.querystring.a = {value: '\\n'};", "LE-HDR-15", "querystring"),
            ("request.querystring['a b'] = {value: '1'};", "CFF-QS-04", "querystring"),
            ("request.headers['x-edge-a'] = {value: '1'};", "CFF-HDR-01", "x-edge-a"),
            ("request.headers.connection = {value: 'close'};", "CFF-HDR-01", "connection"),
            ("request.headers.host.value = 'other';", "CFF-HDR-02", "host"),
            ("delete request.headers.host;", "CFF-HDR-02", "host"),
            ("request.headers.via = {value: '1.1 me'};", "CFF-HDR-02", "via"),
            ("request.headers['content-length'] = {value: '1'};", "CFF-HDR-02", "content-length"),
            (
                "request.headers['transfer-encoding'] = {value: 'x'};",
                "CFF-HDR-02",
                "transfer-encoding",
            ),
            ("request.headers['cdn-loop'] = {value: 'x'};", "CFF-HDR-02", "cdn-loop"),
            (
                "request.headers['X-Custom'] = {value: '1'};",
                "CFF-HDR-05",
                "request.headers['X-Custom']",
            ),
            ("request.headers['x a'] = {value: '1'};", "CFF-HDR-05", "x a"),
            ("request.headers[''] = {value: '1'};", "CFF-HDR-05", "headers['']"),
            ("request.headers = [];", "CFF-HDR-07", "request.headers"),
            ("request.headers['x-a'] = {multiValue: {}};", "CFF-HDR-07", "x-a"),
            ("request.cookies = 'a=1';", "CFF-HDR-07", "request.cookies"),
            ("request.querystring = 5;", "CFF-HDR-07", "request.querystring"),
            ("request.headers['x-a'] = '1';", "CFF-HDR-08", "x-a"),
            ("request.headers['x-a'] = {value: 1};", "CFF-HDR-08", "x-a"),
            ("request.headers['x-a'] = {};", "CFF-HDR-08", "x-a"),
            ("request.headers['x-a'] = {value: null};", "CFF-HDR-08", "x-a"),
            ("request.headers['x-a'] = [{value: '1'}];", "CFF-HDR-08", "x-a"),
            ("request.headers['x-a'] = {multiValue: ['1']};", "CFF-HDR-08", "multiValue[0]"),
            ("request.headers['x-a'] = {value: 'a\\r\\nb: c'};", "LE-HDR-15", "x-a"),
            ("request.headers['x-a'] = {value: '\\ud800'};", "LE-HDR-15", "x-a"),
            ("request.cookies.a = {value: 'a\\nb'};", "LE-HDR-15", "cookies['a']"),
            ("request.cookies['a\\r\\nb'] = {value: '1'};", "LE-HDR-15", "cookies"),
            ("return {statusCode: '302'};", "CFF-RES-02", "statusCode"),
            ("return {statusCode: 199};", "CFF-RES-02", "statusCode"),
            ("return {statusCode: 600};", "CFF-RES-02", "statusCode"),
            ("return {statusCode: 200.5};", "CFF-RES-02", "statusCode"),
            ("return {statusCode: true};", "CFF-RES-02", "statusCode"),
            ("return {statusCode: 200, statusDescription: 5};", "CFF-RES-01", "statusDescription"),
            (
                "return {statusCode: 200, statusDescription: 'a\\r\\nb'};",
                "CFF-RES-01",
                "statusDescription",
            ),
            (
                "return {statusCode: 200, body: {encoding: 'base64', data: '%%'}};",
                "CFF-RES-04",
                "body",
            ),
            ("return {statusCode: 200, body: {encoding: 'gzip', data: ''}};", "CFF-RES-04", "body"),
            ("return {statusCode: 200, body: {encoding: 'text', data: 5}};", "CFF-RES-04", "body"),
            ("return {statusCode: 200, body: 5};", "CFF-RES-04", "body"),
            (
                "return {statusCode: 200, headers: {Location: {value: '/'}}};",
                "CFF-HDR-05",
                "response.headers['Location']",
            ),
            (
                "return {statusCode: 200, headers: {'x-cache': {value: '/'}}};",
                "CFF-HDR-01",
                "x-cache",
            ),
            (
                (
                    "return {statusCode: 200, cookies: {a: {value: "
                    "'1', attributes: 'Path=/\\r\\nx: y'}}};"
                ),
                "LE-HDR-15",
                "attributes",
            ),
        )
    ],
)
def test_results_that_are_invalid(statement: str, rule_id: str, named: str) -> None:
    decoded = apply(statement, request())
    assert isinstance(decoded, Invalid), decoded
    assert decoded.findings[0].rule == rule_id
    assert named in decoded.findings[0].message


@rule("CFF-REQ-02")
def test_8191_characters_are_just_short_enough() -> None:
    assert len(passed("request.uri = '/' + 'a'.repeat(8190);", request()).target) == 8191
    assert len(passed("request.querystring = 'a'.repeat(8189);", request()).target) == 8191


@rule("CFF-HDR-04")
def test_read_only_headers_returned_as_they_were_are_fine() -> None:
    sent = request(("Via", "1.1 a"), ("via", "1.0 b"), ("Content-Length", "0"))
    assert (
        len(lines(passed("request.headers = JSON.parse(JSON.stringify(request.headers));", sent)))
        == 3
    )
    decoded = apply("request.headers.via.multiValue.pop();", sent)
    assert isinstance(decoded, Invalid)


@pytest.mark.parametrize(
    ("statement", "rule_id"),
    [
        pytest.param(
            "request.method = 'POST';", "CFF-RET-08", marks=rule("CFF-RET-08", "CFF-EVT-06")
        ),
        pytest.param("delete request.headers;", "CFF-RET-09", marks=rule("CFF-RET-09")),
        pytest.param("delete request.uri;", "CFF-RET-09", marks=rule("CFF-RET-09")),
        pytest.param("request.headers['x-a'] = '1';", "CFF-HDR-08", marks=rule("CFF-HDR-08")),
        pytest.param("request.uri = '/a?b';", "LE-URI-10", marks=rule("LE-URI-10")),
    ],
)
def test_the_lenient_reading_leaves_a_finding(statement: str, rule_id: str) -> None:
    decoded = apply(statement, request(path="/p"), strict=False)
    assert isinstance(decoded, Continue)
    assert [finding.rule for finding in decoded.findings] == [rule_id]
    assert decoded.request.method == "GET"
    assert decoded.request.headers.get("host") == HOST[1]
    assert decoded.request.path.startswith("/")


# Responses


@rule("CFF-RES-01", "CFF-RET-02", "CFF-RET-05", "CFF-RES-08")
def test_a_generated_redirect() -> None:
    answer = made(
        "return {statusCode: 302, "
        "statusDescription: 'Found', "
        "headers: {location: {value: '/new'}}};"
    )
    assert (answer.status, answer.reason, lines(answer), data(answer)) == (
        302,
        "Found",
        [("Location", "/new")],
        b"",
    )


@rule("CFF-RES-01", "CFF-RES-02")
@pytest.mark.parametrize("status", [200, 204, 599])
def test_a_status_is_enough(status: int) -> None:
    answer = made(f"return {{statusCode: {status}}};")
    assert (answer.status, answer.reason, lines(answer)) == (status, "", [])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("'h\\u20ac'", "h€".encode(), marks=rule("CFF-RES-03")),
        pytest.param("{encoding: 'text', data: 'hi'}", b"hi", marks=rule("CFF-RES-03")),
        pytest.param(
            "{encoding: 'base64', data: '/9gA'}", b"\xff\xd8\x00", marks=rule("CFF-RES-03")
        ),
        pytest.param("''", b"", marks=rule("CFF-RES-05")),
        pytest.param("{encoding: 'text', data: ''}", b"", marks=rule("CFF-RES-05")),
        pytest.param("{data: ''}", b"", marks=rule("CFF-RES-05")),
    ],
)
def test_bodies(body: str, expected: bytes) -> None:
    assert data(made(f"return {{statusCode: 200, body: {body}}};")) == expected
    assert data(answered(f"response.body = {body};", response())) == expected


@rule("CFF-RES-15")
def test_a_body_of_40_kb_is_no_finding() -> None:
    decoded = apply("return {statusCode: 200, body: 'x'.repeat(40960)};", request())
    assert isinstance(decoded, Generated)
    assert decoded.findings == ()


@rule("CFF-RES-07", "CFF-RES-15")
def test_findings_about_a_generated_body() -> None:
    decoded = apply(
        "return {statusCode: 200, headers: {'content-length': "
        "{value: '1'}}, body: 'x'.repeat(40961)};",
        request(),
    )
    assert isinstance(decoded, Generated)
    assert lines(decoded.response) == []
    assert [finding.rule for finding in decoded.findings] == ["CFF-RES-07", "CFF-RES-15"]


@rule("CFF-COOK-02")
def test_response_cookies_are_one_line_each() -> None:
    answer = made(
        "return {statusCode: 200, cookies: {a: {value: '1'}, "
        "b: {value: '2', attributes: 'Secure; Path=/'}, "
        "c: {value: 'x', multiValue: [{value: '3'}, {value: '4', attributes: 'Path=/x'}]}}};"
    )
    assert answer.headers.get_all("set-cookie") == [
        "a=1",
        "b=2; Secure; Path=/",
        "c=3",
        "c=4; Path=/x",
    ]


@rule("CFF-COOK-02", "CFF-RET-03")
def test_a_cookie_is_added_to_those_of_the_origin() -> None:
    answer = response(("Set-Cookie", "o=1;HttpOnly"), ("X-A", "1"))
    changed = answered("response.cookies.s = {value: '1', attributes: 'Secure; Path=/'};", answer)
    assert lines(changed) == [
        ("Set-Cookie", "o=1; HttpOnly"),
        ("Set-Cookie", "s=1; Secure; Path=/"),
        ("X-A", "1"),
    ]
    assert lines(answered("", answer)) == lines(answer)


@rule("CFF-HDR-11")
def test_a_set_cookie_header_is_merged() -> None:
    decoded = apply(
        "response.headers['set-cookie'] = {value: 'b=2'};",
        request(),
        response(("Set-Cookie", "a=1")),
    )
    assert isinstance(decoded, Changed)
    assert decoded.response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert [finding.rule for finding in decoded.findings] == ["CFF-HDR-11"]


@rule("CFF-RES-05")
def test_without_a_body_the_original_passes() -> None:
    answer = response(("Content-Length", "3"))
    changed = answered("response.headers['x-a'] = {value: '1'};", answer)
    assert changed.body is answer.body
    assert lines(changed) == [("Content-Length", "3"), ("X-A", "1")]


@rule("CFF-RES-05", "CFF-RES-06")
def test_status_and_body_may_change() -> None:
    changed = answered(
        "response.statusCode = 201; response.body = 'hi';",
        response(("Content-Length", "3"), ("ETag", '"1"')),
    )
    assert (changed.status, changed.reason, data(changed)) == (201, "", b"hi")
    assert lines(changed) == [("Etag", '"1"')]


@rule("CFF-RES-06")
def test_a_reason_of_the_origin_stays_with_its_status() -> None:
    answer = Response(200, reason="Fine")
    assert answered("", answer).reason == "Fine"
    assert answered("response.statusCode = 202;", answer).reason == ""
    assert answered("response.statusDescription = 'Odd';", answer).reason == "Odd"


@rule("CFF-RES-07")
def test_a_content_encoding_that_no_longer_fits_is_pointed_out() -> None:
    decoded = apply("response.body = 'hi';", request(), response(("Content-Encoding", "gzip")))
    assert isinstance(decoded, Changed)
    assert [finding.rule for finding in decoded.findings] == ["CFF-RES-07"]


@rule("CFF-HDR-03")
def test_the_headers_of_the_body_may_be_corrected() -> None:
    answer = response(
        ("Content-Encoding", "gzip"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked")
    )
    statement = "response.headers = {}; response.body = 'hi';"
    assert lines(answered(statement, answer)) == []


@pytest.mark.parametrize(
    ("statement", "rule_id"),
    [
        pytest.param(
            "response.headers.warning = {value: '199'};", "CFF-HDR-03", marks=rule("CFF-HDR-03")
        ),
        pytest.param(
            "delete response.headers.via;", "CFF-HDR-03", marks=rule("CFF-HDR-03", "CFF-HDR-04")
        ),
        pytest.param(
            "response.headers['x-amz-cf-id'] = {value: '1'};",
            "CFF-HDR-01",
            marks=rule("CFF-HDR-01"),
        ),
        pytest.param(
            "response.headers['X-A'] = {value: '1'};", "CFF-HDR-05", marks=rule("CFF-HDR-05")
        ),
        pytest.param("return request;", "CFF-RET-03", marks=rule("CFF-RET-03")),
        pytest.param("return {statusCode: 1e3};", "CFF-RES-02", marks=rule("CFF-RES-02")),
        pytest.param("return event;", "CFF-RET-04", marks=rule("CFF-RET-04")),
    ],
)
def test_viewer_responses_that_are_invalid(statement: str, rule_id: str) -> None:
    decoded = apply(statement, request(), response(("Via", "1.1 x")))
    assert isinstance(decoded, Invalid), decoded
    assert decoded.findings[0].rule == rule_id


@rule("CFF-QS-08")
def test_viewer_response_cannot_change_the_query_string() -> None:
    sent = request(query="a=1")
    changed = answered(
        "response.headers['x-q'] = request.querystring.a; request.querystring = 'b';",
        response(),
        sent,
    )
    assert lines(changed) == [("X-Q", "1")]
