"""CloudFront Functions in whole requests: when they run, what they see, change and answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.aws import cloudfront
from tests.support.delivery import cache_policy, raw
from tests.support.origin import Answer, Got, Origin, running_origin
from tests.support.viewer_functions import function, viewer_functions_template

Serve = Callable[..., Site]

GET = b"GET /a HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n"
NO_POLICY = {"OriginRequestPolicyId": {"Ref": "AWS::NoValue"}}
ADD_X_V = function("event.response.headers['x-v'] = {value: '1'};", result="event.response")
BOTH = {"viewer-request": function(), "viewer-response": ADD_X_V}
EVENTS = ["viewer-request", "viewer-response"]
ASSOCIATED = "The CloudFront function associated with the CloudFront distribution"
INVALID = "The CloudFront function returned an invalid value"


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


def ran(site: Site, requests: int = 1) -> list[str]:
    """The events whose functions ran for the last of so many requests."""
    return [run.event_type for run in site.exchanges(requests)[0].functions]


def logged(site: Site, requests: int = 1) -> list[str]:
    return [line.message for run in site.exchanges(requests)[0].functions for line in run.log]


# When they run


@pytest.mark.rule("CFF-TRIG-01", "CFF-TRIG-02")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_they_run_for_every_method(serve_cff: Serve, method: str) -> None:
    site = serve_cff(BOTH)
    assert site.request(method, "/a").headers.get("X-V") == "1"
    assert ran(site) == EVENTS


@pytest.mark.rule("CFF-TRIG-02", "CFF-RES-12")
def test_they_run_for_what_is_not_modified_and_for_a_part(serve_cff: Serve, origin: Origin) -> None:
    site = serve_cff(BOTH)
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "ETag": '"1"'})
    site.get("/a")
    asked = (({"If-None-Match": '"1"'}, 304), ({"Range": "bytes=0-3"}, 206))
    for requests, (sent, status) in enumerate(asked, 2):
        response = site.get("/a", headers=sent)
        assert (x_cache(response), response.headers.get("X-V")) == ((status, "Hit"), "1")
        assert ran(site, requests) == EVENTS


@pytest.mark.rule("CFF-TRIG-03")
@pytest.mark.parametrize(
    ("status", "runs"),
    [(204, True), (301, True), (399, True), (400, False), (404, False), (500, False)],
)
def test_400_is_the_line_for_viewer_response(
    serve_cff: Serve, origin: Origin, status: int, runs: bool
) -> None:
    site = serve_cff(BOTH)
    origin.answer = Answer(status)
    response = site.get("/a")
    assert (response.status, "X-V" in response.headers) == (status, runs)
    assert ran(site) == (EVENTS if runs else EVENTS[:1])


@pytest.mark.rule("CFF-TRIG-04", "CFF-TRIG-05")
def test_the_fetch_of_an_error_page_runs_no_function(serve_cff: Serve, origin: Origin) -> None:
    page = {"ErrorCode": 404, "ResponsePagePath": "/oops.html", "ResponseCode": "200"}
    site = serve_cff(
        {**BOTH, "viewer-request": function("console.log(event.request.uri);")},
        distribution={"CustomErrorResponses": [page]},
    )

    def answer(got: Got) -> Answer:
        return Answer(200, body=b"sorry") if got.target == "/oops.html" else Answer(404)

    origin.answer = answer
    assert site.get("/missing").body == b"sorry"
    assert origin.targets == ["/missing", "/oops.html"]
    assert (ran(site), logged(site)) == (EVENTS[:1], ["/missing"])
    # The page itself is an object like any other.
    assert site.get("/oops.html").headers.get("X-V") == "1"
    assert (ran(site, 2), logged(site, 2)) == (EVENTS, ["/oops.html"])


@pytest.mark.rule("CFF-TRIG-06")
def test_failover_runs_nothing_again(shared: Edge, origin: Origin, tmp_path: Path) -> None:
    origins = [
        {
            "Id": name,
            "DomainName": f"{name}.example.com",
            "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        }
        for name in ("web", "spare")
    ]
    members = {"Quantity": 2, "Items": [{"OriginId": "web"}, {"OriginId": "spare"}]}
    group = {
        "Id": "both",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        "Members": members,
    }
    path = viewer_functions_template(
        tmp_path,
        BOTH,
        behavior={"TargetOriginId": "both", "AllowedMethods": ["GET", "HEAD"]},
        distribution={
            "Origins": origins,
            "OriginGroups": {"Quantity": 1, "Items": [group]},
        },
    )
    origin.answer = Answer(503)
    with running_origin() as spare:
        site = shared.serve(path, origins={"web": origin.url, "spare": spare.url})
        assert site.get("/a").body == b"from the origin"
        assert (origin.targets, spare.targets) == (["/a"], ["/a"])
    assert ran(site) == EVENTS


# What they see


@pytest.mark.rule("CFF-EVT-02", "CFF-EVT-14")
def test_the_context_names_the_distribution_and_no_body_is_seen(serve_cff: Serve) -> None:
    show = "console.log(JSON.stringify(event));"
    site = serve_cff({e: function(show, result=f"event.{e[7:]}") for e in EVENTS})
    site.post("/a", b"secret", headers={"Content-Type": "text/plain"})
    (distribution,) = site.endpoints["distributions"].values()
    for event_type, line in zip(EVENTS, logged(site), strict=True):
        event = json.loads(line)
        assert event["context"] == {
            "distributionDomainName": distribution["domain_name"],
            "distributionId": distribution["id"],
            "eventType": event_type,
            "requestId": site.exchanges(1)[0].id,
        }
        assert event["request"]["method"] == "POST"
        assert "body" not in event["request"]
        assert "body" not in event.get("response", {})
        assert "secret" not in line


@pytest.mark.rule("CFF-EVT-16")
def test_headers_of_cloudfront_that_the_cache_policy_names(serve_cff: Serve) -> None:
    names = "CloudFront-Viewer-Country CloudFront-Is-Mobile-Viewer"
    show = "console.log(JSON.stringify(event.request.headers));"
    site = serve_cff(
        {e: function(show, result=f"event.{e[7:]}") for e in EVENTS},
        resources={"Cache": cache_policy(headers=f"whitelist {names}")},
        behavior={"CachePolicyId": {"Ref": "Cache"}, **NO_POLICY},
    )
    site.get("/a", headers={"x-edgeproxy-viewer-country": "FR"})
    for line in logged(site):
        headers = json.loads(line)
        assert headers["cloudfront-viewer-country"] == {"value": "FR"}
        assert headers["cloudfront-is-mobile-viewer"] == {"value": "false"}
        assert "cloudfront-is-tablet-viewer" not in headers


@pytest.mark.rule("CFF-RT-03")
def test_time_stands_still_in_a_request(serve_cff: Serve) -> None:
    code = function(
        "var before = Date.now(), sum = 0;",
        "for (var i = 0; i < 100000; i++) { sum += i; }",
        "console.log(Date.now() - before);",
    )
    site = serve_cff({"viewer-request": code})
    site.get("/a")
    (run,) = site.exchanges(1)[0].functions
    assert run.duration_ms > 1
    assert logged(site) == ["0"]


# What they change


@pytest.mark.rule("CFF-REQ-03")
def test_policies_choose_from_what_was_changed(serve_cff: Serve, origin: Origin) -> None:
    site = serve_cff(
        {
            "viewer-request": function(
                "var r = event.request;",
                "r.headers['x-in'] = {value: r.uri.slice(1)};",
                "r.headers['x-out'] = {value: r.uri};",
                "r.cookies['in'] = {value: '1'};",
                "r.cookies.out = {value: r.uri};",
                "r.querystring['in'] = {value: '1'};",
                "r.querystring.out = {value: r.uri};",
                "r.uri = '/same';",
            )
        },
        resources={
            "Cache": cache_policy(
                headers="whitelist x-in", cookies="whitelist in", query="whitelist in"
            )
        },
        behavior={"CachePolicyId": {"Ref": "Cache"}, **NO_POLICY},
    )
    seen = [x_cache(site.get(path))[1] for path in ("/a", "/b", "/b?x=1")]
    assert seen == ["Miss", "Miss", "Hit"]  # by X-In alone
    for got, value in zip(origin.got, ("a", "b"), strict=True):
        assert got.target == "/same?in=1"
        assert (got.header("x-in"), got.header("x-out")) == (value, None)
        assert got.header("cookie") == "in=1"


@pytest.mark.rule("CFF-EVT-21")
@pytest.mark.parametrize(("changes", "sent_on"), [(False, "caf\xe9"), (True, "caf\xc3\xa9!")])
def test_headers_that_are_not_utf_8(
    serve_cff: Serve, origin: Origin, changes: bool, sent_on: str
) -> None:
    change = "event.request.headers['x-a'].value += '!';" if changes else ""
    code = function("console.log(event.request.headers['x-a'].value);", change)
    site = serve_cff({"viewer-request": code})
    raw(site, GET.replace(b"\r\n\r\n", b"\r\nX-A: caf\xe9\r\n\r\n"))
    assert logged(site) == ["caf\xe9"]
    assert origin.got[0].header("x-a") == sent_on  # Each byte as one character.


@pytest.mark.rule("CFF-HDR-06")
def test_only_ascii_letters_are_capitalised(serve_cff: Serve) -> None:
    code = function(
        "event.response.headers['\\u00e9t\\u00e9-a-\\u00e9'] = {value: '1'};",
        result="event.response",
    )
    received = raw(serve_cff({"viewer-response": code}), GET)
    assert "\r\nété-A-é: 1\r\n".encode() in received


@pytest.mark.rule("CFF-HDR-04", "CFF-TEST-04")
def test_a_changed_host_is_refused_in_production_alone(serve_cff: Serve) -> None:
    site = serve_cff(
        {"viewer-request": function("event.request.headers.host.value = 'other.example';")}
    )
    assert x_cache(site.get("/a")) == (502, "FunctionValidationError")
    client: Any = cloudfront(site.endpoints["cloudfront_api"])
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": "198.51.100.1"},
        "request": {
            "method": "GET",
            "uri": "/a",
            "querystring": {},
            "headers": {"host": {"value": "www.example.com"}},
            "cookies": {},
        },
    }
    name = "CffViewerRequest"
    result = client.test_function(
        Name=name,
        IfMatch=client.describe_function(Name=name, Stage="LIVE")["ETag"],
        Stage="LIVE",
        EventObject=json.dumps(event).encode(),
    )["TestResult"]
    assert result["FunctionErrorMessage"] == ""
    output = json.loads(result["FunctionOutput"])
    assert output["request"]["headers"]["host"] == {"value": "other.example"}


# Responses


@pytest.mark.rule("CFF-RES-01")
@pytest.mark.parametrize(
    ("description", "line"),
    [
        (", statusDescription: 'Found'", b"302 Found"),
        (", statusDescription: 'Over there'", b"302 Over there"),
        ("", b"302 Found"),
    ],
)
def test_the_status_line(serve_cff: Serve, description: str, line: bytes) -> None:
    result = f"{{statusCode: 302{description}, headers: {{location: {{value: '/new'}}}}}}"
    received = raw(serve_cff({"viewer-request": function(result=result)}), GET)
    assert received.startswith(b"HTTP/1.1 " + line + b"\r\n")
    assert b"\r\nLocation: /new\r\n" in received
    assert b"\r\nContent-Length: 0\r\n" in received


@pytest.mark.rule("CFF-RES-04", "CFF-ERR-02", "CFF-ERR-08")
@pytest.mark.parametrize(
    "body",
    [
        "{encoding: 'base64', data: '%%'}",
        "{encoding: 'base64', data: 'aGk'}",
        "{encoding: 'TEXT', data: 'hi'}",
        "{data: 'hi'}",
        "{}",
        "7",
    ],
)
def test_a_body_that_cannot_be_read(serve_cff: Serve, origin: Origin, body: str) -> None:
    site = serve_cff(
        {"viewer-response": function(f"event.response.body = {body};", result="event.response")}
    )

    def is_answered_from_cache() -> bool:
        asked = len(origin.targets)
        response = site.get("/a")
        assert x_cache(response) == (502, "FunctionValidationError")
        assert f"{INVALID}: response.body" in response.text
        return len(origin.targets) == asked

    assert not is_answered_from_cache()
    # What the origin sent is stored all the same, though maybe after the error page has left.
    assert any(is_answered_from_cache() for _ in range(50))


@pytest.mark.rule("CFF-ERR-06", "CDN-GEN-17")
@pytest.mark.parametrize(
    ("statement", "status", "sentence"),
    [
        (
            "throw new Error('no');",
            503,
            f"{ASSOCIATED} is invalid or could not run.",
        ),
        (
            "event.request.uri = '<a>';",
            502,
            f"{INVALID}: request.uri: it must be a string that begins with /.",
        ),
    ],
)
def test_the_error_page(serve_cff: Serve, statement: str, status: int, sentence: str) -> None:
    response = serve_cff({"viewer-request": function(statement)}).get("/a")
    assert (response.status, response.headers.get("Content-Type")) == (status, "text/html")
    lines = response.text.splitlines()
    assert lines[0].startswith('<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01')
    shape = [
        "<TITLE>ERROR: The request could not be satisfied</TITLE>",
        f"<H1>{status} ERROR</H1>",
        "<H2>The request could not be satisfied.</H2>",
        '<HR noshade size="1px">',
        sentence,
        '<BR clear="all">',
        '<HR noshade size="1px">',
        "<PRE>",
        "Generated by cloudfront (CloudFront)",
        f"Request ID: {response.headers.get('X-Amz-Cf-Id')}",
        "</PRE>",
        "<ADDRESS>",
        "</ADDRESS>",
    ]
    rest = iter(lines)
    assert [line for line in shape if line not in rest] == []


# Limits


@pytest.mark.rule("CFF-LIM-04")
def test_a_long_run_now_and_then_does_not_fail_its_request(serve_cff: Serve) -> None:
    code = function(
        "if (event.request.uri === '/long') {",
        "  for (var i = 0, sum = 0; i < 100000; i++) { sum += i; }",
        "}",
    )
    site = serve_cff({"viewer-request": code})
    for path in ("/long", "/short", "/long", "/long"):
        assert site.get(path).status == 200
    assert site.exchanges(4)[0].functions[0].utilisation == 100
