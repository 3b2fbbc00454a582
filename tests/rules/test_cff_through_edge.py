"""CloudFront Functions at viewer requests and responses, through a whole edge over real sockets."""

from collections.abc import Callable

import pytest

from edgeproxy.testing import Site, SiteResponse
from tests.support.origin import Answer, Got, Origin
from tests.support.viewer_functions import function

Serve = Callable[..., Site]

ADD_X_V = function("event.response.headers['x-v'] = {value: '1'};", result="event.response")
BOTH = {"viewer-request": function(), "viewer-response": ADD_X_V}


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


def ran(site: Site, count: int) -> list[list[str]]:
    """The events whose functions ran, for each of the newest exchanges, oldest first."""
    return [[run.event_type for run in e.functions] for e in reversed(site.exchanges(count))]


def error_document(status: int, code: str = "200") -> dict[str, object]:
    """A distribution that shows its own page for an error."""
    page = {"ErrorCode": status, "ResponsePagePath": "/oops.html", "ResponseCode": code}
    return {"CustomErrorResponses": [page]}


# When they run


@pytest.mark.rule("CFF-TRIG-01", "CFF-TRIG-02", "CFF-RET-02", "CFF-RET-03", "CFF-RES-12")
def test_both_run_for_misses_and_hits(serve_cff: Serve) -> None:
    site = serve_cff(BOTH)
    for outcome in ("Miss", "Hit"):
        response = site.get("/a")
        assert x_cache(response) == (200, outcome)
        assert response.headers.get("X-V") == "1"
    assert ran(site, 2) == [["viewer-request", "viewer-response"]] * 2


@pytest.mark.rule("CFF-TRIG-03")
def test_viewer_response_does_not_run_for_an_error_of_the_origin(
    serve_cff: Serve, origin: Origin
) -> None:
    site = serve_cff(BOTH)
    origin.answer = Answer(404)
    for _ in range(2):
        response = site.get("/missing")
        assert x_cache(response) == (404, "Error")
        assert "X-V" not in response.headers
    assert ran(site, 2) == [["viewer-request"]] * 2


@pytest.mark.rule("CFF-TRIG-04")
def test_viewer_response_does_not_run_for_a_custom_error_page(
    serve_cff: Serve, origin: Origin
) -> None:
    site = serve_cff(BOTH, distribution=error_document(404))

    def answer(got: Got) -> Answer:
        return Answer(200, body=b"sorry") if got.target == "/oops.html" else Answer(404)

    origin.answer = answer
    response = site.get("/missing")
    assert (response.status, response.body) == (200, b"sorry")
    assert "X-V" not in response.headers
    assert ran(site, 1) == [["viewer-request"]]


@pytest.mark.rule("CFF-TRIG-05", "CFF-RES-01", "CFF-RES-08", "CFF-RES-11", "CFF-RES-13")
def test_a_generated_response_asks_no_origin_and_runs_no_viewer_response(
    serve_cff: Serve, origin: Origin
) -> None:
    redirect = "{statusCode: 302, statusDescription: 'Found', headers: {location: {value: '/new'}}}"
    site = serve_cff({**BOTH, "viewer-request": function(result=redirect)})
    for _ in range(2):
        response = site.get("/old")
        assert x_cache(response) == (302, "FunctionGeneratedResponse")
        assert response.headers.get("Location") == "/new"
        assert response.headers.get("Content-Length") == "0"
        assert response.headers.get("Server") == "CloudFront"
        assert "X-V" not in response.headers
        for name in ("Date", "Via", "X-Amz-Cf-Pop", "X-Amz-Cf-Id"):
            assert name in response.headers
    assert origin.got == []
    assert ran(site, 2) == [["viewer-request"]] * 2


@pytest.mark.rule("CFF-TRIG-05")
def test_the_redirect_to_https_runs_no_function(serve_cff: Serve) -> None:
    site = serve_cff(BOTH, behavior={"ViewerProtocolPolicy": "redirect-to-https"})
    assert x_cache(site.get("/a")) == (301, "Redirect")
    assert ran(site, 1) == [[]]


@pytest.mark.rule("CFF-TRIG-08", "CFF-REQ-03")
def test_a_changed_uri_feeds_the_key_and_the_origin_but_not_the_choice_of_behavior(
    serve_cff: Serve, origin: Origin
) -> None:
    other = {
        "PathPattern": "/b*",
        "TargetOriginId": "web",
        "ViewerProtocolPolicy": "https-only",
        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    }
    site = serve_cff(
        {"viewer-request": function("event.request.uri = '/b';")},
        distribution={"CacheBehaviors": [other]},
    )
    assert x_cache(site.get("/a1")) == (200, "Miss")
    assert x_cache(site.get("/a2")) == (200, "Hit")
    assert origin.targets == ["/b"]
    assert [e.path_pattern for e in site.exchanges(2)] == ["*", "*"]


# What reaches the origin

ACCEPT = [("Accept", "a/a"), ("Accept", "b/b"), ("Accept", "c/c")]


@pytest.mark.parametrize(
    ("statement", "path", "sent", "target", "lines"),
    [
        pytest.param(
            "event.request.headers['x-custom-header'] = {value: 'a b'};",
            "/", [], "/", [("X-Custom-Header", "a b")],
            id="a-new-header", marks=pytest.mark.rule("CFF-HDR-06"),
        ),
        pytest.param(
            "event.request.headers['x-b'].value += '!';",
            "/", [("x-B", "1")], "/", [("X-B", "1!")],
            id="a-changed-header", marks=pytest.mark.rule("CFF-HDR-06"),
        ),
        pytest.param(
            "event.request.headers.accept.value = 'z/z';",
            "/", ACCEPT, "/", [("Accept", "z/z, b/b, c/c")],
            id="value-of-several", marks=pytest.mark.rule("CFF-HDR-09"),
        ),
        pytest.param(
            "var a = event.request.headers.accept; a.multiValue.pop(); a.value = 'z/z';",
            "/", ACCEPT, "/", [("Accept", "a/a, b/b")],
            id="multi-value-counts", marks=pytest.mark.rule("CFF-HDR-09"),
        ),
        pytest.param(
            "delete event.request.headers.accept;",
            "/", [*ACCEPT, ("X-K", "1")], "/", [("X-K", "1")],
            id="deleted", marks=pytest.mark.rule("CFF-HDR-10"),
        ),
        pytest.param(
            "event.request.cookies.c = {value: '3'};",
            "/", [("Cookie", "A=1; b=2")], "/", [("Cookie", "A=1; b=2; c=3")],
            id="cookies-in-one-line", marks=pytest.mark.rule("CFF-COOK-03"),
        ),
        pytest.param(
            "event.request.querystring = 'b=2&a=1';", "/?a=1&b=2", [], "/?b=2&a=1", [],
            id="query-string-as-text", marks=pytest.mark.rule("CFF-QS-02"),
        ),
        pytest.param(
            "delete event.request.querystring.a; event.request.querystring.c = {value: '%20'};",
            "/?a=1&B=2", [], "/?B=2&c=%20", [],
            id="query-string-as-object",
            marks=pytest.mark.rule("CFF-QS-01", "CFF-QS-05", "CFF-EVT-11", "CFF-EVT-18"),
        ),
        pytest.param(
            "event.request.headers['x-a'] = {value: '1'};",
            "/?a&b=&c=%7e", [], "/?a&b=&c=%7e", [("X-A", "1")],
            id="untouched-query-string", marks=pytest.mark.rule("CFF-QS-06"),
        ),
    ],
)  # fmt: skip
def test_the_origin_gets_the_changed_request(
    serve_cff: Serve, origin: Origin, statement, path, sent, target, lines
) -> None:
    site = serve_cff({"viewer-request": function(statement)})
    assert site.get(path, headers=sent).status == 200
    (got,) = origin.got
    assert got.target == target
    assert [
        line for line in got.headers if line[0] in ("Accept", "Cookie") or is_x(line[0])
    ] == lines


def is_x(name: str) -> bool:
    """Whether a header is one of the test's own."""
    return name.startswith("X-") and name not in ("X-Amz-Cf-Id", "X-Forwarded-For")


# What is refused

REFUSED = {
    "CFF-RET-04": function(result="event"),
    "CFF-RET-06": function(result="undefined"),
    "CFF-RET-08": function("event.request.method = 'PUT';"),
    "CFF-RET-09": function("delete event.request.headers;"),
    "CFF-REQ-01": function("event.request.uri = 'b';"),
    "CFF-REQ-02": function("event.request.uri = '/' + 'b'.repeat(8191);"),
    "CFF-QS-04": function("event.request.querystring = 'a=b c';"),
    "CFF-HDR-01": function("event.request.headers['x-edge-flag'] = {value: '1'};"),
    "CFF-HDR-02": function("event.request.headers.host.value = 'other.example';"),
    "CFF-HDR-04": function("delete event.request.headers.host;"),
    "CFF-HDR-05": function("event.request.headers['X-Custom'] = {value: '1'};"),
    "CFF-HDR-08": function("event.request.headers['x-a'] = '1';"),
    "CFF-RES-02": function(result="{statusCode: '200'}"),
    "CFF-RES-04": function(result="{statusCode: 200, body: {encoding: 'base64', data: '%%'}}"),
    "CFF-ORG-03": function(
        "cf.updateRequestOrigin({originPath: 'p'});", head="import cf from 'cloudfront';"
    ),
    "CFF-ORG-07": function(
        "cf.updateRequestOrigin({customHeaders: {'x-edge-a': '1'}});",
        head="import cf from 'cloudfront';",
    ),
}


@pytest.mark.rule("CFF-ERR-02")
@pytest.mark.parametrize(
    "code",
    [pytest.param(code, id=rule, marks=pytest.mark.rule(rule)) for rule, code in REFUSED.items()],
)
def test_an_invalid_result_is_502(serve_cff: Serve, origin: Origin, code: str) -> None:
    site = serve_cff({"viewer-request": code})
    response = site.get("/")
    assert x_cache(response) == (502, "FunctionValidationError")
    assert "502 ERROR" in response.text
    assert origin.got == []
    (run,) = site.exchanges(1)[0].functions
    assert run.error == "Validation"


@pytest.mark.rule("CFF-ERR-06")
@pytest.mark.parametrize(
    ("rule_id", "named"),
    [
        ("CFF-HDR-05", "request.headers['X-Custom']: names of headers must be in lower case"),
        ("CFF-HDR-02", "request.headers['host']"),
        ("CFF-RES-04", "response.body"),
        ("CFF-ORG-03", "The origin rewrite is invalid"),
        ("CFF-ORG-07", "The origin rewrite is invalid"),
    ],
)
def test_page_and_record_name_what_is_invalid(serve_cff: Serve, rule_id: str, named: str) -> None:
    site = serve_cff({"viewer-request": REFUSED[rule_id]})
    assert f"The CloudFront function returned an invalid value: {named}" in site.get("/").text
    (run,) = site.exchanges(1)[0].functions
    assert rule_id in [finding.rule for finding in run.findings]
    assert named in site.console


FAILING = {
    "throws": "throw new Error('no');",
    "rejects": "return Promise.reject(new Error('no'));",
    "set-timeout": "setTimeout(function () {}, 1);",
    "eval": "eval('1');",
    "function-constructor": "new Function('1');",
    "endless": "while (true) {}",
    "memory": "var a = ['x']; while (true) { a = a.concat(a); }",
    "not-a-function": "event.nothing();",
}


@pytest.mark.rule("CFF-ERR-01", "CFF-ERR-06", "CFF-RT-01", "CFF-RT-02", "CFF-LIM-02")
@pytest.mark.parametrize("statement", FAILING.values(), ids=FAILING)
def test_a_failing_run_is_503(serve_cff: Serve, origin: Origin, statement: str) -> None:
    site = serve_cff(
        {"viewer-request": function(f"if (event.request.uri === '/bad') {{ {statement} }}")}
    )
    response = site.get("/bad")
    assert x_cache(response) == (503, "FunctionExecutionError")
    assert "503 ERROR" in response.text
    assert f"Request ID: {response.headers.get('X-Amz-Cf-Id')}" in response.text
    assert origin.got == []
    assert x_cache(site.get("/good")) == (200, "Miss")


@pytest.mark.rule("CFF-JS1-02", "CFF-JS2-12", "CFF-ERR-04")
def test_syntax_of_2_0_in_1_0_loads_and_fails_each_request(serve_cff: Serve) -> None:
    site = serve_cff({"viewer-request": function("const x = 1;")}, runtime="cloudfront-js-1.0")
    assert x_cache(site.get("/")) == (503, "FunctionExecutionError")


@pytest.mark.rule("CFF-JS2-04")
def test_await_in_an_argument_list_is_a_syntax_error(serve_cff: Serve) -> None:
    code = (
        "async function g() { return 1; }\nfunction f(x) { return x; }\n"
        "async function handler(event) {\n  f(await g());\n  return event.request;\n}\n"
    )
    assert x_cache(serve_cff({"viewer-request": code}).get("/")) == (503, "FunctionExecutionError")


@pytest.mark.rule("CFF-ERR-08")
def test_an_error_at_viewer_response_discards_the_answer(serve_cff: Serve) -> None:
    site = serve_cff({"viewer-response": function("throw new Error('no');")})
    for _ in range(2):
        response = site.get("/")
        assert x_cache(response) == (503, "FunctionExecutionError")
        assert b"from the origin" not in response.body


@pytest.mark.rule("CFF-ERR-02", "CFF-HDR-03")
def test_a_read_only_header_at_viewer_response_is_502(serve_cff: Serve) -> None:
    change = function("event.response.headers.via = {value: 'me'};", result="event.response")
    assert x_cache(serve_cff({"viewer-response": change}).get("/")) == (
        502,
        "FunctionValidationError",
    )
