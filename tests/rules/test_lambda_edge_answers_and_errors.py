"""Responses that Lambda@Edge functions make or change, and what comes of their failures."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from tests.support.delivery import raw
from tests.support.edge_functions import EVENTS, REQUESTS, all_four, ran, telling, x_cache
from tests.support.origin import Answer

RAISES = "def handler(event, context):\n    raise ValueError('no')\n"


def returning(value: str) -> str:
    return f"def handler(event, context):\n    return {value}\n"


def last_line(log: Path) -> dict[str, str]:
    return dict(
        zip(STANDARD_FIELDS, log.read_text("ascii").splitlines()[-1].split("\t"), strict=True)
    )


# Generated responses


@pytest.mark.rule("LE-GEN-11")
def test_a_response_of_viewer_request_neither_asks_nor_changes_the_cache(serve_lambda, origin):
    generate = (
        "if 'x-gen' in cf['request']['headers']: return {'status': '200', 'body': 'made',"
        " 'headers': {'cache-control': [{'value': 'max-age=60'}]}}"
    )
    site = serve_lambda({"viewer-request": telling("viewer-request", generate)})
    for sent, result, body, has_lookup in (
        ({"X-Gen": "1"}, "LambdaGeneratedResponse", b"made", False),
        ({}, "Miss", b"from the origin", True),
        ({"X-Gen": "1"}, "LambdaGeneratedResponse", b"made", False),
        ({}, "Hit", b"from the origin", True),
    ):
        response = site.get("/a", headers=sent)
        assert (x_cache(response), response.body) == ((200, result), body)
        steps = [step.name for step in site.exchanges(1)[0].steps]
        assert ("cache" in steps) == has_lookup
    assert len(origin.got) == 1


@pytest.mark.rule("LE-GEN-15")
@pytest.mark.parametrize("event", REQUESTS)
def test_a_server_header_of_the_function_s_own_stays(serve_lambda, event):
    generate = "{'status': '200', 'headers': {'server': [{'value': 'mine'}]}}"
    site = serve_lambda({event: returning(generate)})
    assert site.get("/").headers.get_all("Server") == ["mine"]


@pytest.mark.rule("LE-GEN-16")
@pytest.mark.parametrize("status", [200, 301, 403, 404, 500, 599])
def test_x_cache_of_a_response_of_viewer_request_whatever_its_status(serve_lambda, status):
    site = serve_lambda({"viewer-request": returning(f"{{'status': {status}}}")})
    assert x_cache(site.get("/")) == (status, "LambdaGeneratedResponse")


@pytest.mark.rule("LE-GEN-17", "LE-GEN-12", "CDN-XC-10")
def test_how_the_log_calls_a_response_of_origin_request(serve_lambda, tmp_path):
    log = tmp_path / "access.log"
    generate = "{'status': '200', 'headers': {'cache-control': [{'value': 'max-age=60'}]}}"
    site = serve_lambda({"origin-request": returning(generate)}, options={"access_log": log})
    for result, detail in (
        ("LambdaGeneratedResponse", "MissGeneratedResponse"),
        ("Hit", "Hit"),
    ):
        assert x_cache(site.get("/")) == (200, result)
        site.exchanges(1)
        assert last_line(log)["x-edge-detailed-result-type"] == detail


@pytest.mark.rule("LE-GEN-03", "LE-GEN-07", "LE-GEN-09", "LE-GEN-08")
@pytest.mark.parametrize(
    ("result", "at_viewer", "at_origin"),
    [
        ("{'status': '199'}", 502, 502),
        ("{'status': '200'}", 200, 200),
        ("{'status': '599'}", 599, 599),
        ("{'status': '600'}", 502, 502),
        ("{'status': '204', 'body': 'x'}", 502, 502),
        ("{'status': '204', 'body': ''}", 204, 204),
        ("{'status': '200', 'body': 'x' * 41_000}", 502, 200),
    ],
)
def test_what_either_request_event_may_answer(serve_lambda, result, at_viewer, at_origin):
    # Both are attached; the path says which one is to answer.
    made = "if cf['request']['uri'] == '/{0}': return {1}"
    site = serve_lambda({event: telling(event, made.format(event, result)) for event in REQUESTS})
    for event, status in zip(REQUESTS, (at_viewer, at_origin), strict=True):
        kind = "LambdaValidationError" if status == 502 else "LambdaGeneratedResponse"
        assert x_cache(site.get(f"/{event}")) == (status, kind)


# Changed responses


@pytest.mark.rule("LE-ORES-07")
@pytest.mark.parametrize(
    ("origin_s", "functions", "kept"),
    [("max-age=60", "max-age=5", 5), ("max-age=5", "max-age=60", 60)],
)
def test_the_cache_headers_of_origin_response_decide_the_lifetime(
    serve_lambda, origin, shared, origin_s, functions, kept
):
    change = f"cf['response']['headers']['cache-control'] = [{{'value': '{functions}'}}]"
    site = serve_lambda({"origin-response": telling("origin-response", change)})
    origin.answer = Answer(headers={"Cache-Control": origin_s})
    assert x_cache(site.get("/"))[1] == "Miss"
    shared.clock.advance(seconds=kept - 2)
    assert x_cache(site.get("/"))[1] == "Hit"
    shared.clock.advance(seconds=4)
    assert x_cache(site.get("/"))[1] == "Miss"


@pytest.mark.rule("LE-ORES-04")
@pytest.mark.parametrize("status", [204, 304])
def test_a_body_that_a_status_forbids_is_not_sent_and_spoken_of(serve_lambda, status):
    change = f"cf['response'].update(status='{status}', body='new')"
    site = serve_lambda({"origin-response": telling("origin-response", change)})
    received = raw(site, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 %d" % status)
    assert received.endswith(b"\r\n\r\n")
    [run] = site.exchanges(1)[0].functions
    assert [finding.rule for finding in run.findings] == ["LE-ORES-04"]


@pytest.mark.rule("LE-ORES-04", "LE-GEN-19")
@pytest.mark.parametrize("body", ["", "new body"])
def test_a_replaced_body_for_head_and_get(serve_lambda, body):
    change = f"cf['response']['body'] = '{body}'"
    site = serve_lambda({"origin-response": telling("origin-response", change)})
    for method, result in (("HEAD", "Miss"), ("GET", "Miss"), ("HEAD", "Hit"), ("GET", "Hit")):
        response = site.request(method, "/")
        assert x_cache(response) == (200, result)
        assert response.headers.get_all("Content-Length") == [str(len(body))]
        assert response.body == (body.encode() if method == "GET" else b"")


@pytest.mark.rule("LE-VRES-02", "LE-VRES-03")
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("status='418'", "LE-VRES-02"),
        ("body='new'", "LE-VRES-03"),
        ("body=''", "LE-VRES-03"),
        ("body='bmV3', bodyEncoding='base64'", "LE-VRES-03"),
    ],
)
def test_status_and_body_of_viewer_response_are_ignored_with_a_warning(serve_lambda, change, rule):
    site = serve_lambda(
        {"viewer-response": telling("viewer-response", f"cf['response'].update({change})")}
    )
    for result in ("Miss", "Hit"):
        response = site.get("/")
        assert (x_cache(response), response.body) == ((200, result), b"from the origin")
        [run] = site.exchanges(1)[0].functions
        assert [finding.rule for finding in run.findings] == [rule]
    assert f"[{rule}]" in site.console


# Failures


@pytest.mark.rule("LE-ERR-05", "LE-ERR-06", "LE-ERR-08", "LE-ERR-09")
@pytest.mark.parametrize("event", EVENTS)
def test_the_whole_answer_to_a_failure(serve_lambda, event):
    site = serve_lambda(all_four() | {event: RAISES})
    for method in ("GET", "HEAD", "POST"):
        response = site.request(method, f"/{method}")
        assert (response.status, response.x_cache) == (503, "LambdaExecutionError from cloudfront")
        assert ran(site) == list(EVENTS[: EVENTS.index(event) + 1])
        names = {name for name, _ in response.headers.lines()}
        assert {"Date", "Content-Length", "Via", "X-Amz-Cf-Pop", "X-Amz-Cf-Id"} <= names
        assert response.headers.get("Server") == "CloudFront"
        assert response.headers.get("Content-Type") == "text/html"
        if method == "HEAD":
            assert response.body == b""
            continue
        order = (
            r"^<!DOCTYPE HTML .*HTML 4\.01.*<TITLE>ERROR: The request could not be satisfied"
            r"</TITLE>.*<H1>503 ERROR</H1>.*<H2>The request could not be satisfied\.</H2>.*<HR.*"
            r"The Lambda function associated with the CloudFront distribution is invalid.*<HR.*"
            r"<PRE>\nGenerated by cloudfront \(CloudFront\)\nRequest ID: (\S+)\n</PRE>.*"
            r"<ADDRESS>\n</ADDRESS>"
        )
        page = re.search(order, response.text, re.DOTALL)
        assert page is not None
        assert page[1] == response.headers.get("X-Amz-Cf-Id")


@pytest.mark.rule("LE-ERR-14", "LE-ERR-04", "LE-ERR-02")
@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (RAISES, "LambdaExecutionError"),
        (
            "import time\ndef handler(event, context):\n    time.sleep(60)\n",
            "LambdaExecutionError",
        ),
        (returning("{'status': '600'}"), "LambdaValidationError"),
    ],
    ids=["raises", "sleeps", "invalid"],
)
@pytest.mark.parametrize("event", REQUESTS)
def test_how_the_log_calls_a_failure(serve_lambda, tmp_path, event, source, kind):
    log = tmp_path / "access.log"
    site = serve_lambda({event: source}, timeout=1, options={"access_log": log})
    response = site.get("/")
    assert x_cache(response) == (response.status, kind)
    site.exchanges(1)
    line = last_line(log)
    if kind == "LambdaExecutionError":
        assert line["x-edge-result-type"] == kind
    assert line["x-edge-detailed-result-type"] == kind


@pytest.mark.rule("LE-ERR-03", "LE-ERR-07")
def test_two_slow_requests_under_a_limit_of_one(serve_lambda):
    slow = (
        "import time\ndef handler(event, context):\n    time.sleep(2)\n    return {'status': 200}\n"
    )
    site = serve_lambda(
        {"viewer-request": slow}, function_properties={"ReservedConcurrentExecutions": 1}
    )
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(map(x_cache, pool.map(site.get, ("/a", "/b"))))
    assert answers == [(200, "LambdaGeneratedResponse"), (503, "LambdaLimitExceeded")]
    assert "throttled: ReservedFunctionConcurrentInvocationLimitExceeded [LI-125]" in site.console
    assert "raise its ReservedConcurrentExecutions" in site.console


@pytest.mark.rule("LE-ERR-01", "CDN-GEN-17")
@pytest.mark.parametrize(
    "source",
    [
        "exports.handler = async () => { throw new Error('no'); };",
        "exports.handler = (event, context, callback) => callback(new Error('no'));",
        "exports.handler = (event, context, callback) => callback('no');",
        "exports.handler = () => Promise.reject(new Error('no'));",
        "exports.handler = async () => process.exit(0);",
        "exports.handler = async () => { for (const all = [];;) all.push(Array(1e6).fill(1)); };",
        "exports.other = 1;",
        "exports.handler = (",
    ],
    ids=["throws", "callback", "callback-text", "rejects", "exits", "memory", "none", "syntax"],
)
def test_the_ways_to_fail_in_node(serve_lambda, source):
    site = serve_lambda({"viewer-request": source}, runtime="nodejs22.x")
    response = site.get("/")
    assert x_cache(response) == (503, "LambdaExecutionError")
    assert "invalid or doesn't have the required permissions" in response.text


# Logs

PYTHON_LOGS = """
    import logging
    def handler(event, context):
        logging.info("low")
        logging.warning("high")
        return event["Records"][0]["cf"]["request"]
"""
NODE_LOGS = """
    exports.handler = async (event) => {
      console.info("low");
      console.warn("high");
      return event.Records[0].cf.request;
    };
"""


@pytest.mark.rule("LE-LOG-02", "LE-LOG-01")
@pytest.mark.parametrize(
    ("runtime", "source"), [("python3.12", PYTHON_LOGS), ("nodejs22.x", NODE_LOGS)]
)
@pytest.mark.parametrize(("level", "told"), [("INFO", ["low", "high"]), ("WARN", ["high"])])
def test_json_logs_of_an_edge_function_by_level(serve_lambda, runtime, source, level, told):
    site = serve_lambda(
        {"viewer-request": source},
        runtime=runtime,
        function_properties={
            "FunctionName": "auth",
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": level},
        },
    )
    assert site.get("/").status == 200
    site.exchanges(1)
    group = "/aws/lambda/us-east-1.auth"
    page = site.request("GET", f"/api/logs?group={group}", url=site.endpoints["control"])
    written = [json.loads(line["message"]) for line in page.json()["lines"]]
    assert [line["message"] for line in written if "message" in line] == told
