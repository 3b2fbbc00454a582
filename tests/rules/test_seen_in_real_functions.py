"""Liberties that published functions take, and what AWS makes of them, over HTTP.

Lambda@Edge in Python and in Node.js, then CloudFront Functions, which are told stricter rules.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.delivery import CACHING_DISABLED
from tests.support.origin import Origin
from tests.support.templates import distribution_template
from tests.support.viewer_functions import function

rule = pytest.mark.rule

Serve: TypeAlias = Callable[[str, dict[str, Any]], Site]

LANGUAGES = {
    "python3.12": """
        import json

        def handler(event, context):
            cf = event["Records"][0]["cf"]
            returned = json.loads('''%s''')
            sent = {} if "status" in returned else cf.get("response", cf["request"])
            headers = {**sent.get("headers", {}), **returned.get("headers", {})}
            return {**sent, **returned, **({"headers": headers} if headers else {})}
    """,
    "nodejs22.x": """
        exports.handler = async (event) => {
          const cf = event.Records[0].cf;
          const returned = JSON.parse(`%s`);
          const sent = 'status' in returned ? {} : cf.response || cf.request;
          const headers = { ...sent.headers, ...returned.headers };
          return { ...sent, ...returned, ...(Object.keys(headers).length && { headers }) };
        };
    """,
}
"""Functions that return what they got with something laid over it, or an answer of their own."""


@pytest.fixture(params=LANGUAGES)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def serve(runtime: str, shared: Edge, origin: Origin, tmp_path: Path) -> Serve:
    """Serves a distribution whose function at that event returns that."""

    def start(event_type: str, returned: dict[str, Any]) -> Site:
        source = LANGUAGES[runtime] % json.dumps(returned)
        template = distribution_template(tmp_path, {event_type: source}, runtime=runtime)
        return shared.serve(template, origins={"web": origin.url})

    return start


def findings(site: Site) -> set[str]:
    """The rules that the newest request's function was told about."""
    return {found.rule for run in site.exchanges(1)[0].functions for found in run.findings}


@pytest.mark.parametrize(
    ("event_type", "returned", "status", "body", "header"),
    [
        pytest.param(
            "viewer-request", {"status": 403, "body": "no"}, 403, b"no", None,
            marks=rule("LE-GEN-01", "LE-GEN-02"), id="integer status and no headers",
        ),
        pytest.param(
            "origin-request", {"status": 201, "headers": {}, "body": "yes"}, 201, b"yes", None,
            marks=rule("LE-GEN-02"), id="integer status at origin-request",
        ),
        pytest.param(
            "viewer-request", {"status": "302", "headers": {"location": [{"value": "/b"}]}},
            302, b"", ("Location", "/b"),
            marks=rule("LE-GEN-01", "LE-HDR-11"), id="neither key nor body",
        ),
        pytest.param(
            "viewer-request",
            {"status": "200", "headers": {"X-Frame-OPTIONS": [{"value": "DENY"}]}, "body": "a"},
            200, b"a", ("X-Frame-Options", "DENY"),
            marks=rule("LE-HDR-11", "LE-HDR-17"), id="mixed case, no key",
        ),
        pytest.param(
            "viewer-request",
            {"status": "200", "headers": {"X-Id": [{"key": "X-ID", "value": "1"}]}, "body": "a"},
            200, b"a", ("X-ID", "1"),
            marks=rule("LE-HDR-12", "LE-HDR-17"), id="mixed case with key",
        ),
        pytest.param(
            "viewer-request",
            {
                "status": "200", "httpVersion": "1.1", "isBase64Encoded": False, "statusCode": 418,
                "headers": {"x-a": [{"key": "X-A", "value": "1", "comment": "mine"}]}, "body": "a",
            },
            200, b"a", ("X-A", "1"),
            marks=rule("LE-RET-11"), id="unknown fields",
        ),
        pytest.param(
            "origin-response", {"headers": {"X-Frame-Options": [{"value": "DENY"}]}, "extra": 1},
            200, b"from the origin", ("X-Frame-Options", "DENY"),
            marks=rule("LE-HDR-11", "LE-HDR-17", "LE-RET-11"), id="origin-response",
        ),
        pytest.param(
            "viewer-response", {"headers": {"X-Frame-Options": [{"value": "DENY"}]}, "extra": 1},
            200, b"from the origin", ("X-Frame-Options", "DENY"),
            marks=rule("LE-HDR-11", "LE-HDR-17", "LE-RET-11"), id="viewer-response",
        ),
        pytest.param(
            "origin-response", {"status": 404, "headers": {}, "body": "gone"}, 404, b"gone", None,
            marks=rule("LE-ORES-02", "LE-ORES-04"), id="integer status at origin-response",
        ),
    ],
)  # fmt: skip
def test_a_response_with_liberties_is_sent(serve, event_type, returned, status, body, header):
    site = serve(event_type, returned)
    response = site.get("/")
    assert (response.status, response.body) == (status, body)
    if header:
        assert header in response.headers.lines()
    wrong_case = any(name != name.lower() for name in returned.get("headers", {}))
    assert findings(site) == ({"LE-HDR-17"} if wrong_case else set())


@rule("LE-HDR-11", "LE-HDR-17", "LE-RET-11")
@pytest.mark.parametrize("event_type", ["viewer-request", "origin-request"])
def test_a_request_with_liberties_passes(serve, origin, event_type):
    headers = {"X-Mixed-CASE": [{"value": "1"}], "x-mine": [{"value": "2"}]}
    site = serve(event_type, {"headers": headers, "extra": {"a": None}, "httpVersion": "1.1"})
    assert site.get("/a").body == b"from the origin"
    assert {("X-Mixed-Case", "1"), ("X-Mine", "2")} <= set(origin.got[0].headers)
    assert findings(site) == {"LE-HDR-17"}


@pytest.mark.parametrize(
    ("statement", "seen"),
    [
        pytest.param(
            "request.querystring = 'b=2&a=%20&b=1&c'", "/a?b=2&a=%20&b=1&c",
            marks=rule("CFF-QS-02"), id="query as a string",
        ),
        pytest.param(
            "request.querystring = ''", "/a", marks=rule("CFF-QS-02"), id="empty query string"
        ),
        pytest.param(
            "request.querystring = Object.keys(request.querystring).sort().join('&')", "/a?x&y",
            marks=rule("CFF-QS-02"), id="sorted query string",
        ),
        pytest.param(
            "request.querystring.z = {value: '3', note: 1}; request.mine = 1", "/a?y=2&x=1&z=3",
            marks=rule("CFF-QS-01"), id="unknown fields",
        ),
    ],
)  # fmt: skip
def test_a_request_of_a_cloudfront_function(serve_cff, origin, statement, seen):
    code = function("var request = event.request;", statement)
    behavior = {"CachePolicyId": CACHING_DISABLED}
    assert serve_cff({"viewer-request": code}, behavior=behavior).get("/a?y=2&x=1").status == 200
    assert origin.targets == [seen]


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        pytest.param("{statusCode: 403}", 403, b"", marks=rule("CFF-RES-01"), id="status alone"),
        pytest.param(
            "{statusCode: 200, body: 'a', version: '1.1', headers: {}, cookies: {}}", 200, b"a",
            marks=rule("CFF-RES-01", "CFF-RES-03"), id="unknown field, empty parts",
        ),
        pytest.param(
            "{statusCode: '200'}", 502, None,
            marks=rule("CFF-RES-02", "CFF-ERR-02"), id="status as text",
        ),
        pytest.param(
            "{statusCode: 200, headers: {'X-A': {value: '1'}}}", 502, None,
            marks=rule("CFF-HDR-05", "CFF-ERR-02"), id="mixed case",
        ),
    ],
)  # fmt: skip
def test_a_response_of_a_cloudfront_function(serve_cff, origin, result, status, body):
    response = serve_cff({"viewer-request": function(result=result)}).get("/a")
    assert response.status == status
    if body is None:
        assert response.x_cache == "FunctionValidationError from cloudfront"
    else:
        assert response.body == body
    assert origin.got == []


@rule("CFF-JS2-02", "CFF-JS2-03")
def test_async_arrow_functions_at_the_top_level(serve_cff, origin):
    head = "const first = async (text) => text;\nconst twice = async (t) => { return t + t; };"
    code = (
        f"{head}\nasync function handler(event) {{\n  const one = await first('/x');\n"
        "  event.request.uri = await twice(one);\n  return event.request;\n}\n"
    )
    assert serve_cff({"viewer-request": code}).get("/a").status == 200
    assert origin.targets == ["/x/x"]
