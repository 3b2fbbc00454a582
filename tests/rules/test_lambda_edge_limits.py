"""Lambda@Edge's quotas where they act at run time, through a whole edge."""

import pytest

from tests.support.delivery import raw
from tests.support.edge_functions import x_cache
from tests.support.origin import Answer

PASS = "def handler(event, context):\n    return event['Records'][0]['cf']['request']\n"


@pytest.mark.parametrize(
    ("event", "limit"),
    [
        pytest.param("viewer-request", 40 * 1024, marks=pytest.mark.rule("LE-LIM-07")),
        pytest.param("origin-request", 1024 * 1024, marks=pytest.mark.rule("LE-LIM-08")),
    ],
)
@pytest.mark.rule("LE-GEN-09", "LE-GEN-10", "CDN-QUO-16")
@pytest.mark.parametrize("encoding", ["text", "base64"])
def test_a_generated_response_has_its_size_with_headers(serve_lambda, event, limit, encoding):
    # The path says by how many bytes the response misses its limit; a line adds 4 to its text.
    generate = f"""
        import base64
        def handler(event, context):
            past = int(event["Records"][0]["cf"]["request"]["uri"][1:])
            body = b"x" * ({limit} - len("X-Header" + "value") - 4 + past)
            return {{
                "status": "200",
                "headers": {{"x-header": [{{"value": "value"}}]}},
                "bodyEncoding": "{encoding}",
                "body": (base64.b64encode(body) if "{encoding}" == "base64" else body).decode(),
            }}
    """
    site = serve_lambda({event: generate})
    fits, too_large = site.get("/0"), site.get("/1")
    assert (fits.status, len(fits.body)) == (200, limit - 17)
    assert x_cache(too_large) == (502, "LambdaValidationError")
    [run] = site.exchanges(1)[0].functions
    assert run.findings[0].rule == "LE-GEN-09"


@pytest.mark.rule("LE-ORES-05")
def test_only_a_replaced_body_of_an_origin_response_is_limited(serve_lambda, origin):
    replace = """
        def handler(event, context):
            cf = event["Records"][0]["cf"]
            response = cf["response"]
            if cf["request"]["uri"] == "/replaced":
                response["body"] = "x" * 1024 * 1024
            return response
    """
    origin.answer = Answer(body=b"y" * (2 * 1024 * 1024))
    site = serve_lambda({"origin-response": replace})
    assert len(site.get("/passed").body) == 2 * 1024 * 1024
    assert x_cache(site.get("/replaced")) == (502, "LambdaValidationError")


@pytest.mark.rule("LE-LIM-10", "LI-126", "LE-ERR-03")
def test_ten_requests_a_second_for_each_environment(serve_lambda):
    # Nothing is cached, and one after another: more than one at once would be throttled anyway.
    site = serve_lambda(
        {"viewer-request": PASS},
        options={"request_rate": 10},
        function_properties={"ReservedConcurrentExecutions": 1},
    )
    assert site.get("/").status == 200
    responses = [site.get("/") for _ in range(60)]
    assert sum(response.status == 200 for response in responses) >= 9
    throttled = [response for response in responses if response.status == 503]
    assert throttled, "60 requests took longer than 6 seconds"
    assert {response.x_cache for response in throttled} == {"LambdaLimitExceeded from cloudfront"}
    assert "throttled" in throttled[0].text
    whys = [
        step.decision.why
        for exchange in site.exchanges(60)
        for step in exchange.steps
        if step.name == "viewer-request" and step.decision.kind == "failed"
    ]
    assert all("ReservedFunctionInvocationRateLimitExceeded" in why for why in whys)


VALIDATION = "LambdaValidationError"
ID_LINE = len("X-Amz-Cf-Id: \r\n") + 56
"""What functions do not see of a request to the origin."""

LINE = b"GET /%s HTTP/1.1\r\nHost: www.example.com\r\n"


@pytest.mark.rule("LE-LIM-14", "CDN-QUO-02", "CDN-REQ-01", "LE-TRIG-16")
@pytest.mark.parametrize(("past", "status"), [(0, b"200"), (1, b"494")])
def test_a_request_has_at_most_32768_bytes_without_its_body(serve_lambda, past, status):
    site = serve_lambda({"viewer-request": PASS})
    before = LINE % b"" + b"X-Long: "
    after = b"\r\nConnection: close\r\n\r\n"
    head = before + b"x" * (32_768 - len(before) - len(after) + past) + after
    assert raw(site, head).startswith(b"HTTP/1.1 " + status)
    seen, _ = site.running.history.newest(10)
    assert [len(exchange.functions) for exchange in seen] == [1] * (1 - past)


@pytest.mark.rule("LE-LIM-14", "CDN-QUO-02", "CDN-REQ-04", "LE-ORES-10")
@pytest.mark.parametrize(("past", "status"), [(0, 200), (1, 502)])
def test_an_origin_response_has_at_most_32768_bytes_without_its_body(
    serve_lambda, origin, past, status
):
    rest = len("HTTP/1.1 200 OK\r\nX-Long: \r\nContent-Length: 15\r\n\r\n")
    origin.answer = Answer(headers={"X-Long": "x" * (32_768 - rest + past)})
    site = serve_lambda(
        {
            "origin-response": "def handler(event, context):\n"
            "    return event['Records'][0]['cf']['response']\n"
        }
    )
    assert site.get("/").status == status
    [exchange] = site.exchanges(1)
    assert len(exchange.functions) == (status == 200)
    assert (exchange.detailed_result_type == "OriginHeaderTooBigError") == (status == 502)


@pytest.mark.rule("LE-LIM-15", "CDN-QUO-02", "CDN-REQ-02", "LE-TRIG-16")
@pytest.mark.parametrize(("past", "status"), [(0, b"200"), (1, b"414")])
def test_a_url_has_at_most_8192_bytes(serve_lambda, origin, past, status):
    site = serve_lambda({"viewer-request": PASS})
    path = b"p" * 4000 + b"?" + b"q" * (8_192 - 1 - 4001 + past)
    assert raw(site, LINE % path + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 " + status)
    assert len(origin.got) == (1 - past)


@pytest.mark.rule("LE-LIM-15", "LE-URI-02")
@pytest.mark.parametrize(("past", "status"), [(-1, 200), (0, 502)])
@pytest.mark.parametrize("event", ["viewer-request", "origin-request"])
def test_what_a_function_makes_of_a_url_is_shorter_than_8192(serve_lambda, event, past, status):
    grow = f"""
        def handler(event, context):
            request = event["Records"][0]["cf"]["request"]
            request["uri"] = "/" + "p" * 4095
            request["querystring"] = "q" * (8192 - 4096 + {past})
            return request
    """
    assert serve_lambda({event: grow}).get("/").status == status


@pytest.mark.rule("LE-LIM-14", "LE-HDR-26")
@pytest.mark.parametrize("event", ["viewer-request", "origin-request"])
@pytest.mark.parametrize(("past", "result"), [(0, (200, "Miss")), (1, (502, VALIDATION))])
def test_what_a_function_adds_to_a_request_counts_too(serve_lambda, event, past, result):
    grow = f"""
        def handler(event, context):
            request = event["Records"][0]["cf"]["request"]
            size = len(request["method"] + request["uri"] + "  HTTP/1.1") + 4 + len("X-Long: ") + 2
            for lines in request["headers"].values():
                size += sum(len(line["key"] + line["value"]) + 4 for line in lines)
            size += {ID_LINE} if "via" in request["headers"] else 0
            request["headers"]["x-long"] = [{{"value": "x" * (32768 - size + {past})}}]
            return request
    """
    site = serve_lambda({event: grow})
    assert x_cache(site.get("/")) == result
