"""Clauses of Lambda@Edge's rules that only the whole way from viewer to origin can show."""

import base64
import json

import pytest

from edgeproxy.distribution.logs import STANDARD_FIELDS
from tests.support.command import run
from tests.support.delivery import error_page, origin_request_policy, raw
from tests.support.edge_functions import (
    EVENTS,
    REQUESTS,
    all_four,
    header,
    policies,
    ran,
    telling,
    told,
    x_cache,
)
from tests.support.origin import Answer
from tests.support.templates import distribution_template


def returning(value: str) -> str:
    return f"def handler(event, context):\n    return {value}\n"


def lines(head: bytes) -> list[bytes]:
    return head.partition(b"\r\n\r\n")[0].split(b"\r\n")


# Events


@pytest.mark.rule("LE-EVT-04")
def test_one_request_id_in_all_events_and_in_the_response(serve_lambda, tmp_path):
    log = tmp_path / "access.log"
    site = serve_lambda(all_four(), options={"access_log": log})
    response = site.get("/")
    ids = {event["config"]["requestId"] for _, event in told(site)}
    line = dict(
        zip(STANDARD_FIELDS, log.read_text("ascii").splitlines()[-1].split("\t"), strict=True)
    )
    assert ids == {response.headers.get("X-Amz-Cf-Id")} == {line["x-edge-request-id"]}


@pytest.mark.rule("LE-EVT-12")
def test_a_cloudfront_header_of_the_viewer_s_own_is_replaced_at_the_origin(serve_lambda, origin):
    site = serve_lambda(
        all_four(),
        **policies(forward=origin_request_policy("whitelist CloudFront-Viewer-Country")),
    )
    sent = {"CloudFront-Viewer-Country": "XX", "x-edgeproxy-viewer-country": "FR"}
    assert site.get("/", headers=sent).status == 200
    shown = [header(event["request"], "cloudfront-viewer-country") for _, event in told(site)]
    assert shown == [["XX"], ["FR"], ["FR"], ["XX"]]
    assert origin.got[0].header("CloudFront-Viewer-Country") == "FR"


@pytest.mark.rule("LE-EVT-13", "LE-EVT-14", "LE-HDR-25", "LE-COOK-02")
def test_origin_request_sees_what_the_origin_will_get(serve_lambda, origin):
    change = "cf['request']['headers']['x-forwarded-for'] = [{'value': '192.0.2.7'}]"
    site = serve_lambda(
        all_four(origin_request=change),
        **policies(forward=origin_request_policy("whitelist X-In", cookies="whitelist a")),
    )
    sent = {
        "Host": "www.example.com",
        "User-Agent": "mine",
        "X-In": "1",
        "X-Out": "1",
        "Cookie": "a=1; b=2",
        "x-edgeproxy-viewer-ip": "203.0.113.9",
    }
    assert site.get("/", headers=sent).status == 200
    at_origin = dict(told(site))["origin-request"]["request"]
    seen = {name: header(at_origin, name) for name in at_origin["headers"]}
    [via] = seen.pop("via")
    assert via.endswith(".cloudfront.net (CloudFront)")
    assert seen == {
        "host": ["web.example.com"],
        "user-agent": ["Amazon CloudFront"],
        "x-forwarded-for": ["203.0.113.9"],
        "x-in": ["1"],
        "cookie": ["a=1"],
    }
    [got] = origin.got
    for name, value in (("Host", "web.example.com"), ("X-Forwarded-For", "192.0.2.7")):
        assert got.header(name) == value
    assert got.header("X-Out") is None


@pytest.mark.rule("LE-COOK-01", "LE-EVT-09", "LE-EVT-10")
def test_lines_are_neither_merged_nor_split(serve_lambda, origin):
    site = serve_lambda({"viewer-request": telling("viewer-request")})
    head = (
        b"GET /a HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=2\r\ncookie: c=3\r\nX-tEst: 1, 2\r\n"
        b"x-TEST: 3\r\nConnection: close\r\n\r\n"
    )
    assert raw(site, head).startswith(b"HTTP/1.1 200")
    headers = told(site)[0][1]["request"]["headers"]
    assert headers["cookie"] == [
        {"key": "Cookie", "value": "a=1; b=2"},
        {"key": "cookie", "value": "c=3"},
    ]
    assert headers["x-test"] == [
        {"key": "X-tEst", "value": "1, 2"},
        {"key": "x-TEST", "value": "3"},
    ]


@pytest.mark.rule("LE-URI-08", "LE-URI-09", "LE-HDR-23", "LE-EVT-08")
@pytest.mark.parametrize("changes", [False, True])
def test_bytes_that_are_not_utf_8(serve_lambda, raw_origin, changes):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    change = "cf['request']['headers']['x-b'][0]['value'] += '!'" if changes else ""
    site = serve_lambda({"origin-request": telling("origin-request", change)}, at=raw_origin.url)
    head = (
        b"GET /a HTTP/1.1\r\nHost: a\r\nX-A: caf\xe9\r\nX-B: caf\xe9\r\nConnection: close\r\n\r\n"
    )
    assert raw(site, head).startswith(b"HTTP/1.1 200")
    seen = told(site)[0][1]["request"]
    assert header(seen, "x-a") == header(seen, "x-b") == ["caf\xe9"]
    sent = lines(raw_origin.heads[0])
    assert b"X-A: caf\xe9" in sent
    assert (b"X-B: caf\xc3\xa9!" if changes else b"X-B: caf\xe9") in sent


# Headers and bodies


@pytest.mark.rule("LE-HDR-11", "LE-HDR-12", "LE-HDR-18", "LE-HDR-10")
def test_the_case_and_the_order_of_lines_at_the_origin(serve_lambda, raw_origin):
    raw_origin.says = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    change = (
        "cf['request']['headers'].update({'x-my-id': [{'value': '1'}, {'value': '2'}],"
        " 'x-given': [{'key': 'x-GIVEN', 'value': '3'}]}); del cf['request']['headers']['x-gone']"
    )
    site = serve_lambda({"origin-request": telling("origin-request", change)}, at=raw_origin.url)
    assert site.get("/", headers={"X-Gone": "1"}).status == 200
    ours = [line for line in lines(raw_origin.heads[0]) if line.lower().startswith(b"x-")]
    assert [line for line in ours if not line.startswith((b"X-Amz", b"X-Forwarded"))] == [
        b"X-My-Id: 1",
        b"X-My-Id: 2",
        b"x-GIVEN: 3",
    ]


@pytest.mark.rule("LE-BODY-05", "LE-BODY-06", "LE-BODY-02")
@pytest.mark.parametrize(("event", "limit"), [(REQUESTS[0], 40 * 1024), (REQUESTS[1], 1024 * 1024)])
@pytest.mark.parametrize("past", [None, 0, 1])
def test_how_much_of_a_body_is_shown(serve_lambda, origin, event, limit, past):
    look = (
        "import base64; body = cf['request']['body'];"
        " cf['request']['headers']['x-seen'] ="
        " [{'value': f\"{len(base64.b64decode(body['data']))} {body['inputTruncated']}\"}]"
    )
    site = serve_lambda({event: telling(event, look)}, include_body=True)
    if past is None:
        assert site.get("/").status == 200
        assert origin.got[0].header("X-Seen") == "0 False"
        return
    body = b"x" * (limit + past)
    assert site.post("/", body).status == 200
    assert origin.got[0].header("X-Seen") == f"{limit} {past == 1}"
    assert origin.got[0].body == body


@pytest.mark.rule("LE-BODY-10", "LE-BODY-08")
@pytest.mark.parametrize(
    ("event", "encoding", "limit"),
    [
        (REQUESTS[0], "text", 40 * 1024),
        (REQUESTS[1], "text", 1024 * 1024),
        (REQUESTS[0], "base64", int(53.2 * 1024) // 4 * 4),
        (REQUESTS[1], "base64", int(1.33 * 1024 * 1024) // 4 * 4),
    ],
)
def test_how_large_a_replacement_may_be(serve_lambda, origin, event, encoding, limit):
    # The path says by how much the data misses its limit; base64 has four characters at a time.
    replace = (
        "size = LIMIT + int(cf['request']['uri'][1:]);"
        " cf['request']['body'] = {'action': 'replace', 'encoding': 'ENCODING', 'data': 'A' * size}"
    )
    replace = replace.replace("LIMIT", str(limit)).replace("ENCODING", encoding)
    site = serve_lambda({event: telling(event, replace)})
    assert site.post("/0", b"old").status == 200
    sent = b"A" * limit
    assert origin.got[0].body == (sent if encoding == "text" else base64.b64decode(sent))
    assert x_cache(site.post("/4", b"old")) == (502, "LambdaValidationError")


# Origins


@pytest.mark.rule("LE-ORG-01", "LE-ORG-11", "LE-ORG-06", "LE-URI-07", "LE-EVT-20")
def test_what_the_origin_gets_from_a_changed_origin_object(serve_lambda, origin):
    own = {"HeaderName": "X-Own", "HeaderValue": "configured"}
    web = {
        "Id": "web",
        "DomainName": "web.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        "OriginPath": "/v1",
        "OriginCustomHeaders": [own],
    }
    change = (
        "custom = cf['request']['origin']['custom']; custom['path'] = '/v2';"
        " custom['customHeaders'] = {'x-new': [{'value': '1'}]}"
    )
    site = serve_lambda(
        {
            "origin-request": telling("origin-request", change),
            "origin-response": telling(EVENTS[2]),
        },
        distribution={"Origins": [web]},
    )
    assert site.get("/a").status == 200
    seen = dict(told(site))
    before = seen["origin-request"]["request"]
    assert before["origin"]["custom"]["path"] == "/v1"
    assert before["origin"]["custom"]["customHeaders"] == {
        "x-own": [{"key": "X-Own", "value": "configured"}]
    }
    assert "x-own" not in before["headers"]
    after = seen["origin-response"]["request"]["origin"]["custom"]
    assert after["path"] == "/v2"
    [got] = origin.got
    assert (got.target, got.header("X-New"), got.header("X-Own")) == ("/v2/a", "1", None)


@pytest.mark.rule("LE-ORG-04", "LE-ORG-02", "LE-ORG-16")
def test_from_a_custom_origin_to_a_bucket(shared, tmp_path):
    bucket = "assets.s3.eu-west-1.amazonaws.com"
    folder = tmp_path / "bucket"
    folder.mkdir()
    (folder / "a.txt").write_text("in the bucket")
    change = (
        f"cf['request']['origin'] = {{'s3': {{'domainName': '{bucket}', 'region': '',"
        " 'authMethod': 'none', 'path': '', 'customHeaders': {}}};"
        f" cf['request']['headers']['host'] = [{{'value': '{bucket}'}}]"
    )
    path = distribution_template(tmp_path, {"origin-request": telling("origin-request", change)})
    site = shared.serve(path, origins={bucket: folder, "web": "http://127.0.0.1:1"})
    assert site.get("/a.txt").body == b"in the bucket"


# Generated and changed responses


@pytest.mark.rule("LE-GEN-01", "LE-GEN-04", "LE-GEN-15", "LE-GEN-18", "LE-GEN-02")
@pytest.mark.parametrize("event", REQUESTS)
@pytest.mark.parametrize(
    ("result", "status_line", "length"),
    [
        ("{'status': 404}", b"HTTP/1.1 404 Not Found", b"0"),
        (
            "{'status': '200', 'statusDescription': 'Fine so far'}",
            b"HTTP/1.1 200 Fine so far",
            b"0",
        ),
        ("{'status': '200', 'body': 'caf\\u00e9'}", b"HTTP/1.1 200 OK", b"5"),
        ("{'status': '200', 'body': '/w==', 'bodyEncoding': 'base64'}", b"HTTP/1.1 200 OK", b"1"),
    ],
)
def test_a_generated_response_on_the_wire(serve_lambda, event, result, status_line, length):
    site = serve_lambda({event: returning(result)})
    received = raw(site, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    first, *rest = lines(received)
    assert first == status_line
    named = {line.partition(b":")[0]: line.partition(b": ")[2] for line in rest}
    assert {name for name in named if name != b"Connection"} == {
        b"Content-Length",
        b"Date",
        b"Server",
        b"X-Cache",
        b"Via",
        b"X-Amz-Cf-Pop",
        b"X-Amz-Cf-Id",
    }
    assert (named[b"Server"], named[b"Content-Length"]) == (b"CloudFront", length)
    assert len(received.partition(b"\r\n\r\n")[2]) == int(length)


@pytest.mark.rule("LE-TRIG-10", "LE-GEN-12")
@pytest.mark.parametrize(("status", "runs"), [(200, True), (304, True), (404, False), (500, False)])
def test_viewer_response_after_a_response_of_origin_request(serve_lambda, status, runs):
    site = serve_lambda(all_four() | {"origin-request": returning(f"{{'status': {status}}}")})
    assert site.get("/").status == status
    assert ran(site) == ["viewer-request", "origin-request", *(["viewer-response"] if runs else [])]


@pytest.mark.rule("LE-ORES-04", "LE-ORES-06", "LE-ORES-01")
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("body", ["", "new"])
def test_a_replaced_body_has_its_own_length_however_the_origin_sent_it(
    serve_lambda, origin, chunked, body
):
    origin.answer = Answer(headers={"Content-Encoding": "x-own"}, body=b"old body", chunked=chunked)
    site = serve_lambda(
        {"origin-response": telling("origin-response", f"cf['response']['body'] = '{body}'")}
    )
    response = site.get("/")
    assert (response.status, response.body) == (200, body.encode())
    assert response.headers.get_all("Content-Length") == [str(len(body))]
    assert "Transfer-Encoding" not in response.headers
    assert response.headers.get("Content-Encoding") == "x-own"


@pytest.mark.rule("LE-ORES-01", "LE-ORES-02", "LE-ORES-08")
def test_origin_response_makes_a_redirect_of_an_error(serve_lambda, origin):
    origin.answer = Answer(404)
    change = (
        "cf['response'] = {'status': 302, 'statusDescription': 'Over there',"
        " 'headers': {**cf['response']['headers'], 'location': [{'value': '/b'}]}}"
    )
    site = serve_lambda({"origin-response": telling("origin-response", change)})
    received = raw(site, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert lines(received)[0] == b"HTTP/1.1 302 Over there"
    assert b"Location: /b" in lines(received)


@pytest.mark.rule("LE-HDR-07", "LE-HDR-08", "LE-ERR-09", "LE-VRES-03")
@pytest.mark.parametrize("name", ["content-length", "content-encoding", "via", "warning"])
def test_viewer_response_leaves_read_only_headers_alone(serve_lambda, name):
    change = f"cf['response']['headers']['{name}'] = [{{'value': '5'}}]"
    site = serve_lambda({"viewer-response": telling("viewer-response", change)})
    response = site.get("/")
    assert x_cache(response) == (502, "LambdaValidationError")
    assert b"from the origin" not in response.body


@pytest.mark.rule("LE-URI-05", "LE-ORG-01")
def test_changes_of_the_request_in_response_events_have_no_effect(serve_lambda, origin):
    change = "cf['request']['uri'] = '/other'; cf['request'].pop('origin', None)"
    site = serve_lambda(all_four(origin_response=change, viewer_response=change))
    assert x_cache(site.get("/a")) == (200, "Miss")
    assert x_cache(site.get("/a")) == (200, "Hit")
    assert origin.targets == ["/a"]
    assert dict(told(site))["viewer-response"]["request"]["uri"] == "/a"


# Errors


@pytest.mark.rule("LE-ERR-14", "LE-ERR-03", "LE-ERR-10", "CDN-GEN-17")
def test_a_throttled_function_in_the_log_and_without_an_error_page(serve_lambda, origin, tmp_path):
    log = tmp_path / "access.log"
    site = serve_lambda(
        {"viewer-request": telling("viewer-request")},
        function_properties={"ReservedConcurrentExecutions": 0},
        distribution={"CustomErrorResponses": [error_page(503, "/503.html", 200)]},
        options={"access_log": log},
    )
    response = site.get("/")
    assert x_cache(response) == (503, "LambdaLimitExceeded")
    assert "was throttled" in response.text
    assert origin.got == []
    site.exchanges(1)
    line = dict(
        zip(STANDARD_FIELDS, log.read_text("ascii").splitlines()[-1].split("\t"), strict=True)
    )
    assert line["x-edge-result-type"] == line["x-edge-response-result-type"] == "Error"
    assert line["x-edge-detailed-result-type"] == "LambdaLimitExceeded"


@pytest.mark.rule("LE-ERR-10")
@pytest.mark.parametrize("event", EVENTS)
def test_an_error_page_for_functions_that_fail(serve_lambda, origin, event):
    origin.answer = lambda got: Answer(body=b"sorry" if got.target == "/503.html" else b"object")
    fails = "if cf['request']['uri'] == '/a': raise ValueError('no')"
    site = serve_lambda(
        {event: telling(event, fails)},
        distribution={"CustomErrorResponses": [error_page(503, "/503.html", 200)]},
    )
    response = site.get("/a")
    assert (response.status, response.body) == (200, b"sorry")


@pytest.mark.rule("LE-ERR-11", "LE-ERR-12", "LE-ERR-13", "LE-ERR-09")
@pytest.mark.parametrize("event", ["origin-request", "origin-response"])
def test_a_failure_at_the_origin_is_neither_repeated_nor_kept(serve_lambda, origin, event):
    site = serve_lambda(all_four() | {event: "def handler(event, context):\n    raise KeyError\n"})
    for asked in (1, 2):
        assert x_cache(site.get("/")) == (503, "LambdaExecutionError")
        assert ran(site)[-1] == event
        assert len(origin.got) == (asked if event == "origin-response" else 0)


@pytest.mark.rule("LE-RET-08", "LE-RET-11", "LE-ORG-19", "LE-RET-09")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("cf['request']['method'] = 'POST'", 502),
        ("cf['request']['clientIp'] = '192.0.2.1'", 200),
        ("cf['request']['unknown'] = {'a': 1}", 200),
        ("del cf['request']['origin']", 200),
        ("del cf['request']['querystring']", 200),
        ("del cf['request']['headers']", 502),
        ("del cf['request']['uri']", 502),
    ],
)
def test_fields_that_are_changed_added_or_left_out(serve_lambda, origin, change, status):
    site = serve_lambda({"origin-request": telling("origin-request", change)})
    assert site.get("/a?b=1").status == status
    if status == 200:
        [got] = origin.got
        assert got.target == ("/a" if "querystring" in change else "/a?b=1")
        assert got.header("X-Forwarded-For") == "127.0.0.1"


@pytest.mark.rule("LE-ERR-15")
def test_invoking_a_function_by_itself_judges_no_result(tmp_path):
    (tmp_path / "hook.py").write_text(returning("{'status': 999, 'body': 'x' * 2_000_000}"))
    done = run("invoke", "hook.py", "--event", "-", cwd=tmp_path, stdin="{}")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, 999)
