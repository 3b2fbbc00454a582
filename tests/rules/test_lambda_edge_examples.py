"""The worked examples of the Lambda@Edge reference, through a whole edge over real sockets."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.origin import Answer, Got, Origin
from tests.support.templates import distribution_template

PASS_REQUEST = """
def handler(event, context):
    return event["Records"][0]["cf"]["request"]
"""
PASS_RESPONSE = """
def handler(event, context):
    return event["Records"][0]["cf"]["response"]
"""


def request_function(*lines: str) -> str:
    """A function that changes ``request`` with these lines and returns it."""
    body = "\n    ".join(lines)
    return (
        "def handler(event, context):\n"
        '    request = event["Records"][0]["cf"]["request"]\n'
        f"    {body}\n"
        "    return request\n"
    )


def response_function(*lines: str) -> str:
    """A function that changes ``response`` with these lines and returns it."""
    body = "\n    ".join(lines)
    return (
        "def handler(event, context):\n"
        '    response = event["Records"][0]["cf"]["response"]\n'
        f"    {body}\n"
        "    return response\n"
    )


def returning(value: str) -> str:
    """A function that returns the value of a Python expression."""
    return f"def handler(event, context):\n    return {value}\n"


@pytest.fixture
def serve(edge: Edge, origin: Origin, tmp_path: Path):
    """Serves a distribution with these functions in front of the origin."""
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})

    def start(functions: dict[str, str], **template: object) -> Site:
        path = distribution_template(tmp_path, functions, **template)
        return edge.serve(path, origins={"web": origin.url})

    return start


def ran(site: Site, count: int) -> list[list[str]]:
    """The events whose functions ran, for each of the newest exchanges, oldest first."""
    exchanges = reversed(site.exchanges(count))
    return [[run.event_type for run in exchange.functions] for exchange in exchanges]


def x_cache(response: SiteResponse) -> tuple[int, str]:
    return response.status, response.x_cache.removesuffix(" from cloudfront")


ALL_FOUR = {
    "viewer-request": PASS_REQUEST,
    "origin-request": PASS_REQUEST,
    "origin-response": PASS_RESPONSE,
    "viewer-response": PASS_RESPONSE,
}


@pytest.mark.rule(
    "LE-TRIG-01", "LE-TRIG-04", "LE-TRIG-05", "LE-TRIG-06", "LE-TRIG-07", "LE-TRIG-20", "LE-RET-01"
)
def test_a_miss_runs_all_four_and_a_hit_only_the_viewer_events(serve):
    site = serve(ALL_FOUR)
    assert x_cache(site.get("/a?x=1")) == (200, "Miss")
    assert x_cache(site.get("/a?x=1")) == (200, "Hit")
    assert ran(site, 2) == [
        ["viewer-request", "origin-request", "origin-response", "viewer-response"],
        ["viewer-request", "viewer-response"],
    ]


@pytest.mark.rule("LE-TRIG-08", "LE-TRIG-13")
def test_an_error_of_the_origin_runs_no_viewer_response_and_from_the_cache_only_viewer_request(
    serve, origin
):
    site = serve(ALL_FOUR)
    origin.answer = Answer(404)
    assert x_cache(site.get("/missing")) == (404, "Error")
    assert x_cache(site.get("/missing")) == (404, "Error")
    assert ran(site, 2) == [
        ["viewer-request", "origin-request", "origin-response"],
        ["viewer-request"],
    ]


@pytest.mark.rule("LE-TRIG-11")
def test_a_redirect_of_the_origin_runs_viewer_response(serve, origin):
    site = serve(ALL_FOUR)
    origin.answer = Answer(302, {"Location": "/b"})
    assert site.get("/a").status == 302
    assert ran(site, 1)[0][-1] == "viewer-response"


@pytest.mark.rule("LE-ORDER-03", "CDN-KEY-01")
def test_a_uri_changed_at_viewer_request_is_the_cache_key(serve, origin):
    site = serve({"viewer-request": request_function('request["uri"] = "/b"')})
    assert x_cache(site.get("/a")) == (200, "Miss")
    assert x_cache(site.get("/b")) == (200, "Hit")
    assert origin.targets == ["/b"]


@pytest.mark.rule("LE-ORDER-02", "LE-URI-06", "CDN-BEH-23")
def test_a_changed_uri_selects_neither_behavior_nor_origin(edge, origin, tmp_path):
    template = distribution_template(
        tmp_path,
        {"viewer-request": request_function('request["uri"] = "/api/x"')},
        distribution={
            "Origins": [
                {
                    "Id": name,
                    "DomainName": f"{name}.example.com",
                    "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
                }
                for name in ("web", "api")
            ],
            "CacheBehaviors": [
                {
                    "PathPattern": "/api/*",
                    "TargetOriginId": "api",
                    "ViewerProtocolPolicy": "allow-all",
                    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                }
            ],
        },
    )
    unreachable = "http://127.0.0.1:1"
    site = edge.serve(template, origins={"web": origin.url, "api": unreachable})
    assert site.get("/home").status == 200
    assert origin.targets == ["/api/x"]


@pytest.mark.rule("LE-ORDER-04", "LE-URI-07")
def test_a_uri_changed_at_origin_request_leaves_the_key_alone(serve, origin):
    site = serve({"origin-request": request_function('request["uri"] = "/v2/a"')})
    assert x_cache(site.get("/a")) == (200, "Miss")
    assert x_cache(site.get("/a")) == (200, "Hit")
    assert origin.targets == ["/v2/a"]


@pytest.mark.rule(
    "LE-GEN-01", "LE-GEN-11", "LE-GEN-15", "LE-GEN-16", "LE-HDR-11", "LE-TRIG-09", "CDN-XC-06"
)
def test_a_response_generated_at_viewer_request_is_sent_at_once(serve, origin):
    redirect = returning(
        '{"status": "302", "headers": {"location": [{"value": "https://e.example/"}]}}'
    )
    site = serve({"viewer-request": redirect, "viewer-response": PASS_RESPONSE})
    for _ in range(2):
        response = site.get("/x")
        assert x_cache(response) == (302, "LambdaGeneratedResponse")
        assert ("Location", "https://e.example/") in response.headers.lines()
        assert response.headers.get("Server") == "CloudFront"
    assert origin.got == []
    assert ran(site, 2) == [["viewer-request"], ["viewer-request"]]


@pytest.mark.rule("LE-GEN-12", "LE-GEN-17", "LE-TRIG-06", "LE-TRIG-10", "LE-EVT-24")
def test_a_response_generated_at_origin_request_is_cached(serve, origin):
    generated = returning(
        '{"status": "200", "headers": {"cache-control": [{"value": "max-age=60"}]}, "body": "hi"}'
    )
    site = serve(
        {
            "origin-request": generated,
            "origin-response": PASS_RESPONSE,
            "viewer-response": response_function(
                'response["headers"]["x-age"] = [{"value": str("age" in response["headers"])}]'
            ),
        }
    )
    first, second = site.get("/x"), site.get("/x")
    assert first.body == second.body == b"hi"
    assert x_cache(first) == (200, "LambdaGeneratedResponse")
    assert x_cache(second) == (200, "Hit")
    assert "Age" in second.headers
    assert (first.headers.get("X-Age"), second.headers.get("X-Age")) == ("False", "True")
    assert ran(site, 2) == [["origin-request", "viewer-response"], ["viewer-response"]]
    assert origin.got == []


INVALID_VIEWER_REQUEST = {
    "LE-GEN-07": returning('{"status": "204", "body": "x"}'),
    "LE-GEN-09": returning('{"status": "200", "body": "x" * 41000}'),
    "LE-GEN-03": returning('{"status": "600"}'),
    "LE-RET-05": "def handler(event, context):\n    pass\n",
    "LE-RET-06": "def handler(event, context):\n    return event\n",
    "LE-HDR-24": request_function('request["headers"]["host"][0]["value"] = "other.example"'),
    "LE-HDR-01": request_function('request["headers"]["x-edge-flag"] = [{"value": "1"}]'),
    "LE-URI-03": request_function('request["querystring"] = "a=b c"'),
    "LE-HDR-13": request_function('request["headers"]["x-a"] = {"value": "1"}'),
    "LE-GEN-14": returning(
        '{"status": "200", "headers": {"content-length": [{"value": "1"}]}, "body": "x"}'
    ),
    "LE-HDR-22": request_function(
        'request["headers"]["cloudfront-viewer-country"] = [{"value": "FR"}]'
    ),
    "LE-URI-01": request_function('request["uri"] = "b"'),
}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, id=rule, marks=pytest.mark.rule(rule, "LE-ERR-02", "CDN-XC-08"))
        for rule, source in INVALID_VIEWER_REQUEST.items()
    ],
)
def test_an_invalid_result_is_502(serve, origin, request, source):
    site = serve({"viewer-request": source})
    response = site.get("/")
    assert x_cache(response) == (502, "LambdaValidationError")
    assert "502 ERROR" in response.text
    assert origin.got == []
    run = site.exchanges(1)[0].functions[0]
    assert run.error == "Validation"
    assert run.findings[-1].rule
    assert run.findings[-1].remedy or run.findings[-1].message


@pytest.mark.rule("LE-ERR-01", "LE-ERR-12", "LE-RET-10", "CDN-XC-08")
def test_a_function_that_raises_is_503_with_the_page_that_names_the_request(serve):
    site = serve({"viewer-request": 'def handler(event, context):\n    raise ValueError("no")\n'})
    response = site.get("/")
    assert x_cache(response) == (503, "LambdaExecutionError")
    assert response.headers.get("Content-Type") == "text/html"
    assert "503 ERROR" in response.text
    assert f"Request ID: {response.headers.get('X-Amz-Cf-Id')}" in response.text
    assert len(site.exchanges(1)[0].functions) == 1
    assert "ValueError" in site.console


@pytest.mark.rule("LE-ERR-09", "LE-ERR-11")
def test_an_error_at_origin_response_discards_the_answer_and_is_not_cached(serve, origin):
    site = serve({"origin-response": "def handler(event, context):\n    raise KeyError\n"})
    for _ in range(2):
        response = site.get("/")
        assert x_cache(response) == (503, "LambdaExecutionError")
        assert b"from the origin" not in response.body
    assert len(origin.got) == 2


@pytest.mark.rule("LE-HDR-05", "LE-ORG-15")
def test_host_may_be_changed_at_origin_request(serve, origin):
    change = request_function('request["headers"]["host"][0]["value"] = "other.example"')
    assert serve({"origin-request": change}).get("/").status == 200
    assert origin.got[0].header("Host") == "other.example"


@pytest.mark.rule("LE-EVT-09", "LE-EVT-11", "LE-HDR-03")
def test_disallowed_headers_are_not_in_the_event(serve):
    names = returning(
        '{"status": "200", "body": ",".join(sorted('
        'event["Records"][0]["cf"]["request"]["headers"]))}'
    )
    site = serve({"viewer-request": names})
    sent = {"X-Forwarded-Proto": "https", "X-Real-IP": "1.2.3.4", "X-Test": "y", "X-Edge-Q": "1"}
    seen = site.get("/", headers=sent).text.split(",")
    assert "x-test" in seen
    assert not {"x-forwarded-proto", "x-real-ip", "x-edge-q"} & set(seen)


@pytest.mark.rule("LE-HDR-06", "LE-HDR-08")
def test_dropping_transfer_encoding_at_origin_response_is_502(serve, origin):
    origin.answer = Answer(chunked=True)
    fresh = returning('{"status": "200", "headers": {}}')
    assert x_cache(serve({"origin-response": fresh}).get("/")) == (502, "LambdaValidationError")


@pytest.mark.rule("LE-ORES-01", "LE-ORES-04", "LE-ORES-07", "LE-ORES-08", "LE-ORDER-05")
def test_origin_response_makes_a_good_answer_of_an_error(serve, origin):
    site = serve({"origin-response": response_function('response.update(status=200, body="ok")')})
    origin.answer = Answer(404, body=b"gone")
    first, second = site.get("/missing"), site.get("/missing")
    assert (first.status, first.body, first.headers.get("Content-Length")) == (200, b"ok", "2")
    assert x_cache(second) == (200, "Hit")
    assert second.body == b"ok"
    assert len(origin.got) == 1


@pytest.mark.rule("LE-ORES-03")
def test_origin_response_without_a_body_field_passes_the_body(serve):
    site = serve(
        {"origin-response": response_function('response["headers"]["x-a"] = [{"value": "1"}]')}
    )
    response = site.get("/")
    assert (response.body, response.headers.get("X-A")) == (b"from the origin", "1")


@pytest.mark.rule("LE-TRIG-08")
def test_viewer_response_does_not_touch_a_404(serve, origin):
    site = serve(
        {"viewer-response": response_function('response["headers"]["x-v"] = [{"value": "1"}]')}
    )
    origin.answer = Answer(404)
    assert "X-V" not in site.get("/missing").headers


@pytest.mark.rule("LE-VRES-02")
def test_viewer_response_cannot_change_the_status(serve):
    site = serve({"viewer-response": response_function('response["status"] = "418"')})
    assert site.get("/ok").status == 200
    assert [f.rule for f in site.exchanges(1)[0].functions[0].findings] == ["LE-VRES-02"]


@pytest.mark.rule("LE-VRES-01", "LE-VRES-04", "LE-ORDER-05")
def test_what_viewer_response_does_is_not_cached(serve):
    counting = """
        count = 0

        def handler(event, context):
            global count
            count += 1
            response = event["Records"][0]["cf"]["response"]
            response["headers"]["x-n"] = [{"value": str(count)}]
            return response
    """
    site = serve({"viewer-response": counting})
    first, second = site.get("/ok"), site.get("/ok")
    assert x_cache(second) == (200, "Hit")
    assert first.headers.get("X-N") != second.headers.get("X-N")


@pytest.mark.rule("LE-BODY-07", "LE-BODY-08", "LE-BODY-12")
def test_a_replaced_body_reaches_the_origin_with_its_length(serve, origin):
    replace = request_function(
        'request["body"].update(action="replace", encoding="text", data="new")'
    )
    site = serve({"origin-request": replace}, include_body=True)
    assert site.post("/p", b"old").status == 200
    assert origin.got[0].body == b"new"
    assert origin.got[0].header("Content-Length") == "3"


@pytest.mark.rule("LE-BODY-01", "LE-BODY-03", "LE-BODY-04", "LE-BODY-05", "LE-BODY-06")
def test_a_long_body_is_seen_cut_and_passed_whole(serve, origin):
    look = request_function(
        "import base64",
        'seen = len(base64.b64decode(request["body"]["data"]))',
        'cut = request["body"]["inputTruncated"]',
        'request["headers"]["x-seen"] = [{"value": f"{seen} {cut}"}]',
        'request["body"]["data"] = "changed"',
    )
    site = serve({"viewer-request": look}, include_body=True)
    body = b"0123456789" * 10_240
    assert site.post("/p", body).status == 200
    assert origin.got[0].header("X-Seen") == "40960 True"
    assert origin.got[0].body == body


@pytest.mark.rule("LE-BODY-01", "LE-BODY-11")
def test_a_body_can_be_replaced_without_include_body(serve, origin):
    replace = request_function(
        'assert "body" not in request',
        'request["body"] = {"action": "replace", "encoding": "text", "data": "z"}',
    )
    assert serve({"viewer-request": replace}).post("/p", b"old").status == 200
    assert origin.got[0].body == b"z"


@pytest.mark.rule("LE-BODY-09")
def test_a_replacement_that_is_not_base64_is_502(serve):
    replace = request_function(
        'request["body"].update(action="replace", encoding="base64", data="%%%")'
    )
    site = serve({"origin-request": replace}, include_body=True)
    assert x_cache(site.post("/p", b"old")) == (502, "LambdaValidationError")


@pytest.mark.rule("LE-ORG-01", "LE-ORG-02", "LE-ORG-15")
def test_origin_request_sends_to_an_origin_that_is_not_configured(edge, origin, tmp_path):
    change = request_function('request["origin"]["custom"]["domainName"] = "two.example.com"')
    template = distribution_template(tmp_path, {"origin-request": change})
    unreachable = "http://127.0.0.1:1"
    site = edge.serve(template, origins={"web": unreachable, "two.example.com": origin.url})
    assert site.get("/", headers={"Host": "viewer.example"}).status == 200
    assert origin.got[0].header("Host") == "viewer.example"


@pytest.mark.rule("LE-ORG-03")
def test_two_origins_at_once_are_502(serve):
    both = request_function(
        'request["origin"]["s3"] = {"domainName": "b.s3.amazonaws.com", "path": "",'
        ' "authMethod": "none", "customHeaders": {}, "region": ""}'
    )
    assert x_cache(serve({"origin-request": both}).get("/")) == (502, "LambdaValidationError")


@pytest.mark.rule("LE-ORG-12")
def test_a_custom_header_that_the_request_has_too_is_502(serve):
    clash = request_function(
        'request["origin"]["custom"]["customHeaders"]["x-k"] = [{"key": "X-K", "value": "2"}]'
    )
    site = serve({"origin-request": clash})
    assert x_cache(site.get("/", headers={"X-K": "1"})) == (502, "LambdaValidationError")


@pytest.mark.rule("LE-HDR-18", "LE-COOK-03")
def test_two_cookies_are_two_lines_in_order(serve):
    cookies = returning(
        '{"status": "200", "headers": {"set-cookie": [{"value": "a=1"}, {"value": "b=2"}]}}'
    )
    assert serve({"viewer-request": cookies}).get("/").headers.get_all("Set-Cookie") == [
        "a=1",
        "b=2",
    ]


@pytest.mark.rule("LE-ERR-04", "LE-LIM-01")
def test_a_function_that_sleeps_past_its_timeout_is_503(serve):
    site = serve(
        {"viewer-request": "import time\ndef handler(event, context):\n    time.sleep(60)\n"},
        timeout=1,
    )
    assert x_cache(site.get("/")) == (503, "LambdaExecutionError")
    exchange = site.exchanges(1)[0]
    assert exchange.functions[0].error == "Timeout"
    assert 0.9 < exchange.duration_s < 20


@pytest.mark.rule("LE-TRIG-02", "CDN-VPP-04", "CDN-VPP-07", "CDN-VPP-08", "CDN-XC-05")
def test_the_redirect_to_https_runs_no_function(serve, origin):
    site = serve(ALL_FOUR, behavior={"ViewerProtocolPolicy": "redirect-to-https"})
    response = site.get("/a?b=1", headers={"Host": "www.example.com"})
    assert x_cache(response) == (301, "Redirect")
    assert response.headers.get("Location") == "https://www.example.com/a?b=1"
    assert origin.got == []
    assert ran(site, 1) == [[]]


@pytest.mark.rule("LE-TRIG-16", "CDN-MTH-02")
def test_a_refused_method_runs_no_function(serve, origin):
    site = serve(ALL_FOUR, behavior={"AllowedMethods": ["GET", "HEAD"]})
    response = site.post("/a", b"x")
    assert x_cache(response) == (403, "Error")
    assert "supports only cachable requests" in response.text
    assert ran(site, 1) == [[]]
    assert origin.got == []


@pytest.mark.rule("LE-TRIG-14", "LE-ORG-20", "LE-EVT-16", "CDN-OG-01", "CDN-OG-11")
def test_failover_runs_the_origin_events_for_each_member(edge, origin, tmp_path):
    note = request_function(
        'name = request["origin"]["custom"]["domainName"]',
        'request["headers"]["x-origin"] = [{"value": name}]',
    )
    origins = [
        {
            "Id": name,
            "DomainName": f"{name}.example.com",
            "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
        }
        for name in ("one", "two")
    ]
    group = {
        "Id": "pair",
        "FailoverCriteria": {"StatusCodes": {"Quantity": 1, "Items": [503]}},
        "Members": {"Quantity": 2, "Items": [{"OriginId": "one"}, {"OriginId": "two"}]},
    }
    template = distribution_template(
        tmp_path,
        {"origin-request": note, "origin-response": PASS_RESPONSE},
        behavior={"TargetOriginId": "pair"},
        distribution={"Origins": origins, "OriginGroups": {"Quantity": 1, "Items": [group]}},
    )

    def answer(got: Got) -> Answer:
        return Answer(503 if got.header("X-Origin") == "one.example.com" else 200)

    origin.answer = answer
    site = edge.serve(template, origins={"one": origin.url, "two": origin.url})
    assert site.get("/").status == 200
    assert [got.header("X-Origin") for got in origin.got] == ["one.example.com", "two.example.com"]
    assert ran(site, 1) == [
        ["origin-request", "origin-response", "origin-request", "origin-response"]
    ]


@pytest.mark.rule(
    "LE-EVT-01", "LE-EVT-02", "LE-EVT-03", "LE-EVT-04", "LE-EVT-05", "LE-EVT-06", "LE-EVT-07"
)
def test_the_event_that_a_real_function_gets(serve):
    site = serve(
        {"viewer-request": returning('{"status": "200", "body": __import__("json").dumps(event)}')}
    )
    response = site.get(
        "/p%20q", headers={"Host": "www.example.com", "x-edgeproxy-viewer-ip": "203.0.113.9"}
    )
    cf = json.loads(response.body)["Records"][0]["cf"]
    assert cf["config"]["eventType"] == "viewer-request"
    assert cf["config"]["distributionDomainName"].endswith(".cloudfront.net")
    assert cf["config"]["requestId"] == response.headers.get("X-Amz-Cf-Id")
    request = cf["request"]
    assert request["clientIp"] == "203.0.113.9"
    assert (request["method"], request["uri"], request["querystring"]) == ("GET", "/p%20q", "")
    assert request["headers"]["host"] == [{"key": "Host", "value": "www.example.com"}]
    assert not any(name.startswith("x-edgeproxy") for name in request["headers"])


@pytest.mark.rule("LE-TRIG-18", "CDN-COL-01")
def test_collapsed_misses_run_the_origin_events_once(edge, origin, tmp_path):
    template = distribution_template(
        tmp_path,
        ALL_FOUR,
        behavior={"OriginRequestPolicyId": "bf0718e1-ba1e-49d1-88b1-f726733018ae"},
    )
    site = edge.serve(template, origins={"web": origin.url})
    site.get("/warm")
    asked, release = Event(), Event()

    def slow(got: Got) -> Answer:
        asked.set()
        assert release.wait(20)
        return Answer(headers={"Cache-Control": "max-age=60"})

    origin.answer = slow
    start = Barrier(6)

    def visit() -> int:
        start.wait()
        return site.get("/one").status

    with ThreadPoolExecutor(6) as pool:
        visits = [pool.submit(visit) for _ in range(6)]
        assert asked.wait(20)
        release.set()
        assert [visit.result() for visit in visits] == [200] * 6
    assert origin.targets.count("/one") == 1
    events = ran(site, 6)
    ran_in_all = [event for one in events for event in one]
    for event, times in zip(ALL_FOUR, (6, 1, 1, 6), strict=True):
        assert ran_in_all.count(event) == times
