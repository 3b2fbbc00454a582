"""What CloudFront Functions make of responses, through a whole edge over real sockets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.origin import Answer, Got, Origin
from tests.support.viewer_functions import function

Serve = Callable[..., Site]
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


def at_response(*statements: str) -> dict[str, str]:
    return {"viewer-response": function(*statements, result="event.response")}


def generating(response: str) -> dict[str, str]:
    return {"viewer-request": function(result=response)}


def custom_page(status: int) -> dict[str, object]:
    page = {"ErrorCode": status, "ResponsePagePath": "/oops.html", "ResponseCode": "200"}
    return {"CustomErrorResponses": [page]}


# Viewer response


@pytest.mark.rule("CFF-RES-05", "CFF-RES-06", "CFF-RES-12")
@pytest.mark.parametrize(
    ("statement", "status", "body"),
    [
        ("event.response.statusCode = 201;", 201, b"from the origin"),
        ("event.response.statusCode = 201; event.response.body = 'hi';", 201, b"hi"),
        ("event.response.body = '';", 200, b""),
        ("event.response.body = {encoding: 'text', data: ''};", 200, b""),
        ("event.response.body = {encoding: 'base64', data: 'aGk='};", 200, b"hi"),
        ("event.response.statusCode = 404; event.response.body = 'gone';", 404, b"gone"),
    ],
)
def test_status_and_body_may_be_changed(
    serve_cff: Serve, statement: str, status: int, body: bytes
) -> None:
    site = serve_cff(at_response(statement))
    outcomes = []
    while "Hit" not in outcomes and len(outcomes) < 100:
        response = site.get("/")
        found_status, outcome = x_cache(response)
        assert (found_status, response.body) == (status, body)
        assert response.headers.get("Content-Length") == str(len(body))
        outcomes.append(outcome)
    assert outcomes[0] == "Miss"
    # An object whose body no viewer reads is stored when it has come, with nobody waiting for it.
    assert outcomes[-1] == "Hit"


@pytest.mark.rule("CFF-RES-10")
def test_the_status_of_a_function_brings_no_custom_error_page(
    serve_cff: Serve, origin: Origin
) -> None:
    changed = at_response("event.response.statusCode = 404; event.response.body = 'gone';")
    generated = generating("event.request.uri === '/no' ? {statusCode: 404} : event.request")
    site = serve_cff(changed | generated, distribution=custom_page(404))
    assert (site.get("/").status, site.get("/").body) == (404, b"gone")
    response = site.get("/no")
    assert x_cache(response) == (404, "FunctionGeneratedResponse")
    assert response.body == b""
    assert origin.targets == ["/"]


@pytest.mark.rule("CFF-RES-07")
def test_a_replaced_body_with_the_old_encoding_is_warned_about(
    serve_cff: Serve, origin: Origin
) -> None:
    origin.answer = Answer(headers={"Content-Encoding": "br"})
    site = serve_cff(at_response("event.response.body = 'hi';"))
    response = site.get("/")
    assert response.headers.get("Content-Encoding") == "br"
    assert response.headers.get_all("Content-Length") == ["2"]
    (run,) = site.exchanges(1)[0].functions
    assert [finding.rule for finding in run.findings] == ["CFF-RES-07"]
    assert run.error == ""


@pytest.mark.rule("CFF-RES-09")
def test_what_viewer_response_does_is_not_cached(serve_cff: Serve) -> None:
    copy = "event.response.headers['x-n'] = event.request.headers['x-n'];"
    site = serve_cff(at_response(copy))
    for number, outcome in (("1", "Miss"), ("2", "Hit")):
        response = site.get("/", headers={"X-N": number})
        assert (x_cache(response), response.headers.get("X-N")) == ((200, outcome), number)


@pytest.mark.rule("CFF-EVT-17")
def test_viewer_response_sees_the_request_as_viewer_request_left_it(serve_cff: Serve) -> None:
    site = serve_cff(
        {"viewer-request": function("event.request.headers['x-a'] = {value: '1'};")}
        | at_response("event.response.headers['x-b'] = event.request.headers['x-a'];")
    )
    assert site.get("/").headers.get("X-B") == "1"


@pytest.mark.rule("CFF-COOK-02")
def test_a_cookie_more(serve_cff: Serve, origin: Origin) -> None:
    origin.answer = Answer(headers={"Set-Cookie": "o=1; Path=/x", "Cache-Control": "no-cache"})
    add = "event.response.cookies.s = {value: '1', attributes: 'Secure; Path=/'};"
    # Cookies come from the origin only where they are forwarded to it.
    site = serve_cff(at_response(add), behavior={"CachePolicyId": CACHING_DISABLED})
    cookies = ["o=1; Path=/x", "s=1; Secure; Path=/"]
    assert site.get("/").headers.get_all("Set-Cookie") == cookies


@pytest.mark.rule("CFF-HDR-06", "CFF-HDR-07")
def test_new_headers_are_capitalised_and_may_be_several_lines(serve_cff: Serve) -> None:
    site = serve_cff(
        at_response(
            "event.response.headers['x-many-lines'] = "
            "{value: 'a', multiValue: [{value: 'a'}, {value: 'b'}]};"
        )
    )
    lines = [line for line in site.get("/").headers if line[0].lower() == "x-many-lines"]
    assert lines == [("X-Many-Lines", "a"), ("X-Many-Lines", "b")]


@pytest.mark.rule("CFF-QS-08")
def test_viewer_response_cannot_change_the_query_string(serve_cff: Serve) -> None:
    site = serve_cff(at_response("event.request.querystring = {z: {value: '1'}};"))
    assert site.get("/?a=1").status == 200
    assert site.exchanges(1)[0].request.query == "a=1"


@pytest.mark.rule("CFF-RES-05")
def test_a_body_that_is_not_used_leaves_the_connection_to_the_origin_usable(
    serve_cff: Serve, origin: Origin
) -> None:
    def answer(got: Got) -> Answer:
        return Answer(body=b"x" * 3_000_000)

    origin.answer = answer
    site = serve_cff(
        at_response("event.response.body = 'hi';"), behavior={"CachePolicyId": CACHING_DISABLED}
    )
    for _ in range(3):
        assert site.get("/").body == b"hi"
    assert len(origin.got) == 3


# Generated responses


@pytest.mark.rule("CFF-RES-03", "CFF-RES-13", "CFF-RES-11")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("'h\\u00e9'", "hé".encode()),
        ("{encoding: 'text', data: 'hi'}", b"hi"),
        ("{encoding: 'base64', data: 'aGk='}", b"hi"),
    ],
)
def test_a_generated_body(serve_cff: Serve, body: str, expected: bytes) -> None:
    site = serve_cff(generating(f"{{statusCode: 200, body: {body}}}"))
    response = site.get("/")
    assert (x_cache(response), response.body) == ((200, "FunctionGeneratedResponse"), expected)
    assert response.headers.get_all("Content-Length") == [str(len(expected))]
    head = site.request("HEAD", "/")
    assert head.status == 200
    assert head.headers.get("Content-Length") == str(len(expected))


@pytest.mark.rule("CFF-RES-08", "CFF-RES-11")
@pytest.mark.parametrize("status", [200, 301, 403, 503])
def test_a_generated_response_skips_the_cache(
    serve_cff: Serve, origin: Origin, status: int
) -> None:
    site = serve_cff(
        generating(f"event.request.headers['x-on'] ? {{statusCode: {status}}} : event.request")
    )
    assert x_cache(site.get("/")) == (200, "Miss")
    response = site.get("/", headers={"X-On": "1"})
    assert x_cache(response) == (status, "FunctionGeneratedResponse")
    assert "Age" not in response.headers
    assert x_cache(site.get("/")) == (200, "Hit")
    assert origin.targets == ["/"]


@pytest.mark.rule("CFF-RES-14")
def test_a_response_headers_policy_applies_to_a_generated_response(serve_cff: Serve) -> None:
    security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03"
    site = serve_cff(
        generating("{statusCode: 200}"), behavior={"ResponseHeadersPolicyId": security_headers}
    )
    assert site.get("/").headers.get("X-Content-Type-Options") == "nosniff"


@pytest.mark.rule("CFF-RES-15")
def test_a_long_generated_body_is_sent_and_warned_about(serve_cff: Serve) -> None:
    site = serve_cff(generating("{statusCode: 200, body: 'x'.repeat(50000)}"))
    assert len(site.get("/").body) == 50_000
    assert [f.rule for f in site.exchanges(1)[0].functions[0].findings] == ["CFF-RES-15"]


@pytest.mark.rule("CFF-COOK-02", "CFF-RES-01")
def test_generated_cookies(serve_cff: Serve) -> None:
    site = serve_cff(
        generating(
            "{statusCode: 200, cookies: {a: {value: '1'}, b: {value: '2', attributes: 'Path=/'}}}"
        )
    )
    assert site.get("/").headers.get_all("Set-Cookie") == ["a=1", "b=2; Path=/"]


# From options


@pytest.mark.rule("CFF-RET-01")
def test_functions_that_options_name(shared: Edge, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "in.js").write_text(function("event.request.uri = '/rewritten';"))
    (tmp_path / "out.js").write_text(
        function("event.response.headers['x-v'] = {value: '1'};", result="event.response")
    )
    site = shared.serve(
        origin.url,
        viewer_request_cff=str(tmp_path / "in.js"),
        viewer_response_cff=str(tmp_path / "out.js"),
    )
    assert site.get("/").headers.get("X-V") == "1"
    assert origin.targets == ["/rewritten"]
    assert [run.name for run in site.exchanges(1)[0].functions] == ["in", "out"]


@pytest.mark.rule("CFF-LOG-01")
def test_what_a_function_logs_is_on_the_console_and_in_the_record(serve_cff: Serve) -> None:
    site = serve_cff(
        {"viewer-request": function("console.log('looking at ' + event.request.uri);")}
    )
    site.get("/a")
    (run,) = site.exchanges(1)[0].functions
    assert [line.message for line in run.log] == ["looking at /a"]
    assert "CffViewerRequest: looking at /a" in site.console
