"""Load balancer events, answers, rules, weights and stickiness, as the reference describes them."""

import base64
from typing import Any

import orjson
import pytest

from edgeproxy.awslambda.routing import FunctionNotFound
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.entrypoints.alb import AlbDoor
from edgeproxy.entrypoints.alb_rules import match_rule
from edgeproxy.events.alb import Decoded, Malformed, decode_result, encode_event, trace_header
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Delivered, Handler, Request, Response, Viewer
from edgeproxy.loadbalancing.model import (
    AlbCondition,
    AlbFixedResponse,
    AlbForward,
    AlbListener,
    AlbRedirect,
    AlbRule,
    LoadBalancer,
    TargetGroup,
)
from edgeproxy.origins.errors import OriginFailure, OriginFailureKind
from edgeproxy.runtimes.invocation import FunctionError, InitFailed, Throttled, TimedOut
from tests.unit.entrypoints.fakes import Recording, Service, returned

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/fn/0123456789abcdef"


def event(
    *lines: tuple[str, str],
    query: str | None = None,
    body: bytes = b"",
    multi_value: bool = False,
    method: str = "GET",
    path: str = "/",
    version: str = "1.1",
) -> dict[str, Any]:
    request = Request(method, path, query, version, Headers(lines))
    payload = encode_event(ARN, request, body, multi_value=multi_value)
    assert payload is not None
    decoded: dict[str, Any] = orjson.loads(payload)
    return decoded


@pytest.mark.rule("AL-020", "AL-021", "AL-022", "AL-023", "AL-029", "AL-033")
def test_an_event_with_single_values() -> None:
    got = event(("X-MyHeader", "123"), query="key=hello", method="get", path="/a%20b")
    assert got == {
        "requestContext": {"elb": {"targetGroupArn": ARN}},
        "httpMethod": "get",
        "path": "/a%20b",
        "queryStringParameters": {"key": "hello"},
        "headers": {"x-myheader": "123"},
        "body": "",
        "isBase64Encoded": False,
    }


@pytest.mark.rule("AL-005", "AL-021", "AL-026", "AL-030")
def test_an_event_with_multiple_values() -> None:
    got = event(("X-MyHeader", "1,2"), ("x-myheader", "3"), query="k=hello", multi_value=True)
    assert got == {
        "requestContext": {"elb": {"targetGroupArn": ARN}},
        "httpMethod": "GET",
        "path": "/",
        "multiValueQueryStringParameters": {"k": ["hello"]},
        "multiValueHeaders": {"x-myheader": ["1,2", "3"]},
        "body": "",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("query", "single", "multiple"),
    [
        pytest.param(
            "&myKey=val1&myKey=val2",
            {"myKey": "val2"},
            {"myKey": ["val1", "val2"]},
            marks=pytest.mark.rule("AL-025", "AL-026"),
        ),
        pytest.param(
            "my%4Bey=%3FshowAll%3Dtrue+x",
            {"my%4Bey": "%3FshowAll%3Dtrue+x"},
            {"my%4Bey": ["%3FshowAll%3Dtrue+x"]},
            marks=pytest.mark.rule("AL-024"),
        ),
        pytest.param(None, {}, {}, marks=pytest.mark.rule("AL-027")),
        pytest.param("", {}, {}, marks=pytest.mark.rule("AL-027")),
        pytest.param("a", {"a": ""}, {"a": [""]}, marks=pytest.mark.rule("AL-028")),
    ],
)
def test_queries(query: str | None, single: dict[str, str], multiple: dict[str, list[str]]) -> None:
    assert event(query=query)["queryStringParameters"] == single
    assert event(query=query, multi_value=True)["multiValueQueryStringParameters"] == multiple


@pytest.mark.rule("AL-030")
def test_two_cookie_lines() -> None:
    lines = [("Cookie", "name1=value1"), ("Cookie", "name2=value2")]
    assert event(*lines)["headers"] == {"cookie": "name2=value2"}
    multiple = event(*lines, multi_value=True)["multiValueHeaders"]
    assert multiple == {"cookie": ["name1=value1", "name2=value2"]}


@pytest.mark.rule("AL-193")
def test_cookie_crumbs_of_http_2_are_joined() -> None:
    lines = [("cookie", "a=1"), ("cookie", "b=2")]
    assert event(*lines, version="2.0")["headers"] == {"cookie": "a=1; b=2"}


@pytest.mark.rule("AL-032", "AL-039")
def test_connection_is_passed_on_and_transfer_encoding_is_not() -> None:
    got = event(("Connection", "keep-alive"), ("Transfer-Encoding", "chunked"), ("Expect", "100"))
    assert got["headers"] == {"connection": "keep-alive"}


@pytest.mark.parametrize(
    ("lines", "body", "text"),
    [
        pytest.param([("Content-Type", "application/json")], b'{"a":1}', '{"a":1}'),
        pytest.param([("Content-Type", "text/x-y")], b"a", "a"),
        pytest.param(
            [("Content-Type", "Text/HTML; charset=utf-8")],
            b"a",
            "a",
            marks=pytest.mark.rule("AL-035"),
        ),
        pytest.param([("Content-Type", "application/javascript")], b"a", "a"),
        pytest.param([("Content-Type", "application/xml")], b"a", "a"),
        pytest.param([("Content-Type", "application/x-www-form-urlencoded")], b"a=1", None),
        pytest.param([("Content-Type", "application/problem+json")], b"{}", None),
        pytest.param([], b"a", None),
        pytest.param([("Content-Type", "text/css"), ("Content-Encoding", "gzip")], b"\x1f", None),
    ],
)
@pytest.mark.rule("AL-034")
def test_which_bodies_are_text(lines: list[tuple[str, str]], body: bytes, text: str | None) -> None:
    got = event(*lines, body=body)
    assert got["isBase64Encoded"] is (text is None)
    assert got["body"] == (base64.b64encode(body).decode() if text is None else text)


@pytest.mark.rule("AL-054")
@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("", "Root=F"),
        ("Root=1-67891233-abc;A=b", "Self=F;Root=1-67891233-abc;A=b"),
        ("Self=1-1-1;Root=1-2-3;A=b", "Self=F;Root=1-2-3;A=b"),
        ("Root=1-2-3;" + "x" * 7168, "Root=F"),
    ],
)
def test_trace_headers(received: str, expected: str) -> None:
    assert trace_header(received, "F") == expected


# --- answers ------------------------------------------------------------------------------------


def decoded(result: object, **how: bool) -> Decoded:
    outcome = decode_result(orjson.dumps(result), **{"multi_value": False, **how})
    assert isinstance(outcome, Decoded), outcome
    return outcome


def body_of(response: Response) -> bytes:
    assert isinstance(response.body, BytesBody)
    return response.body.data


@pytest.mark.rule("AL-071")
def test_only_the_status_is_required() -> None:
    response = decoded({"statusCode": 200}).response
    assert (response.status, body_of(response), len(response.headers)) == (200, b"", 0)


@pytest.mark.rule("AL-070", "AL-075", "AL-076")
def test_a_whole_answer() -> None:
    response = decoded(
        {
            "statusCode": 201,
            "statusDescription": "201 Made It",
            "headers": {"Content-Type": "text/plain", "set-cookie": "a=1", "Set-cookie": "b=2"},
            "multiValueHeaders": {"x-a": ["1"]},
            "body": "né",
            "isBase64Encoded": False,
        }
    ).response
    assert (response.status, response.reason, body_of(response)) == (201, "Made It", "né".encode())
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert "x-a" not in response.headers


@pytest.mark.rule("AL-077", "AL-078")
def test_with_multiple_values_the_other_member_counts() -> None:
    both = {"statusCode": 200, "headers": {"x": "1"}, "multiValueHeaders": {"x": ["2", "3"]}}
    outcome = decoded(both, multi_value=True)
    assert outcome.response.headers.get_all("x") == ["2", "3"]
    assert outcome.findings == ()
    assert decoded(both).response.headers.get_all("x") == ["1"]


@pytest.mark.rule("AL-077")
def test_single_headers_under_multiple_values_are_lost() -> None:
    result = {"statusCode": 200, "headers": {"x": "1"}}
    strict = decoded(result, multi_value=True)
    assert len(strict.response.headers) == 0
    assert [finding.rule for finding in strict.findings] == ["AL-077"]
    lenient = decoded(result, multi_value=True, strict=False)
    assert lenient.response.headers.get("x") == "1"


@pytest.mark.rule("AL-079")
def test_base64_bodies() -> None:
    result = {"statusCode": 200, "isBase64Encoded": True, "body": "iVBORw0KGgo="}
    assert body_of(decoded(result).response) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.rule("AL-080")
def test_hop_by_hop_headers_are_ignored() -> None:
    headers = {"Connection": "close", "Transfer-Encoding": "x", "Content-Length": "9", "X-A": "1"}
    response = decoded({"statusCode": 200, "headers": headers}).response
    assert response.headers.lines() == [("X-A", "1")]


@pytest.mark.rule("AL-084")
@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body(status: int) -> None:
    assert body_of(decoded({"statusCode": status, "body": "x"}).response) == b""


@pytest.mark.rule("AL-105")
def test_the_function_s_own_error_is_passed_on() -> None:
    assert decoded({"statusCode": 500, "body": "x"}).response.status == 500


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        pytest.param(rule, result, marks=pytest.mark.rule(rule))
        for rule, result in [
            ("AL-072", {"message": "hi"}),
            ("AL-072", "text"),
            ("AL-072", None),
            ("AL-072", {"statusCode": "200"}),
            ("AL-072", {"statusCode": 600}),
            ("AL-072", {"statusCode": None}),
            ("AL-073", {"statusCode": 200, "body": None}),
            ("AL-073", {"statusCode": 200, "headers": None}),
            ("AL-073", {"statusCode": 200, "multiValueHeaders": None}),
            ("AL-073", {"statusCode": 200, "statusDescription": None}),
            ("AL-074", {"statusCode": 200, "headers": {"x": True}, "body": ""}),
            ("AL-074", {"statusCode": 200, "headers": {"x": 1}}),
            ("AL-074", {"statusCode": 200, "headers": {"x": "a\r\nb: c"}}),
            ("AL-074", {"statusCode": 200, "headers": []}),
            ("AL-075", {"statusCode": 200, "statusDescription": "OK"}),
            ("AL-075", {"statusCode": 200, "statusDescription": "200"}),
            ("AL-070", {"statusCode": 200, "body": {"a": 1}}),
            ("AL-079", {"statusCode": 200, "isBase64Encoded": True, "body": "%"}),
            ("AL-083", {"statusCode": 200, "headers": {"x": "a" * 32768}}),
            ("AL-085", {"statusCode": 100}),
        ]
    ],
)
def test_malformed_answers(rule: str, result: object) -> None:
    outcome = decode_result(orjson.dumps(result), multi_value=False)
    assert isinstance(outcome, Malformed)
    assert outcome.rule == rule


@pytest.mark.rule("AL-074")
def test_values_that_are_no_strings() -> None:
    many = decode_result(b'{"statusCode":200,"multiValueHeaders":{"x":"1"}}', multi_value=True)
    assert isinstance(many, Malformed)
    lenient = decoded({"statusCode": 200, "headers": {"x": 1}}, strict=False)
    assert lenient.response.headers.get("x") == "1"


# --- listener rules -----------------------------------------------------------------------------


def rule(priority: int, *conditions: AlbCondition) -> AlbRule:
    return AlbRule(priority, conditions, AlbFixedResponse(200, body=str(priority)))


def where(field: str, *values: str, name: str = "") -> AlbCondition:
    return AlbCondition(field, values, name)


def matches(condition: AlbCondition, request: Request) -> bool:
    listener = AlbListener(80, "HTTP", (rule(1, condition), rule(50_001)))
    return match_rule(listener, request).priority == 1


def get(path: str = "/", query: str | None = None, ip: str = "192.0.2.7", **lines: str) -> Request:
    headers = Headers((name.replace("_", "-"), value) for name, value in lines.items())
    return Request("GET", path, query, headers=headers, viewer=Viewer(ip))


@pytest.mark.parametrize(
    ("condition", "request_", "expected"),
    [
        pytest.param(condition, request, expected, marks=pytest.mark.rule(*rules))
        for rules, condition, request, expected in [
            (
                ("AL-145",),
                where("host-header", "*.example.com"),
                get(host="T.Example.com"),
                True,
            ),
            (("AL-145",), where("host-header", "*.example.com"), get(host="example.com"), False),
            (("AL-146",), where("path-pattern", "/img/*"), get("/img/a/b.jpg"), True),
            (("AL-146",), where("path-pattern", "/img/*"), get("/img"), False),
            (("AL-146",), where("path-pattern", "/IMG/*"), get("/img/a"), False),
            (("AL-144",), where("path-pattern", "/a?c"), get("/abc"), True),
            (("AL-144",), where("path-pattern", "/a?c"), get("/ac"), False),
            (("AL-144",), where("path-pattern", "/a.c"), get("/abc"), False),
            (("AL-142",), where("path-pattern", "/a", "/b"), get("/b"), True),
            (
                ("AL-147",),
                where("http-header", "beta*", name="X-Variant"),
                get(x_variant="BETA1"),
                True,
            ),
            (("AL-147",), where("http-header", "*", name="X-Variant"), get(), False),
            (("AL-148",), where("http-request-method", "GET"), get(), True),
            (("AL-148",), where("http-request-method", "get", "G*"), get(), False),
            (("AL-149",), where("query-string", "v=BETA*"), get(query="a=1&V=beta2"), True),
            (("AL-149",), where("query-string", "v=1"), get(query="w=1"), False),
            (("AL-149",), where("query-string", "=1"), get(query="w=1"), True),
            (("AL-144",), where("query-string", r"v=\*"), get(query="v=*"), True),
            (("AL-144",), where("query-string", r"v=\*"), get(query="v=a"), False),
            (("AL-150",), where("source-ip", "192.0.2.0/24"), get(), True),
            (
                ("AL-150",),
                where("source-ip", "198.51.100.0/24"),
                get(x_forwarded_for="198.51.100.1"),
                False,
            ),
            (("AL-150",), where("source-ip", "2001:db8::/32"), get(ip="2001:db8::1"), True),
        ]
    ],
)
def test_conditions(condition: AlbCondition, request_: Request, expected: bool) -> None:
    assert matches(condition, request_) is expected


@pytest.mark.rule("AL-147")
def test_repeated_headers_are_tried_in_turn() -> None:
    request = Request("GET", "/", headers=Headers([("X-V", "a"), ("X-V", "b")]))
    assert matches(where("http-header", "b", name="x-v"), request)


@pytest.mark.rule("AL-140", "AL-142")
def test_the_first_rule_that_holds_in_full_wins() -> None:
    listener = AlbListener(
        80,
        "HTTP",
        (
            rule(10, where("path-pattern", "/api/*"), where("http-request-method", "POST")),
            rule(20, where("path-pattern", "/api/*")),
            rule(30, where("http-header", "beta*", name="x-variant")),
            rule(50_001),
        ),
    )
    assert match_rule(listener, get("/api/x", x_variant="BETA1")).priority == 20
    assert match_rule(listener, get("/", x_variant="BETA1")).priority == 30
    assert match_rule(listener, get("/")).priority == 50_001


# --- the door -----------------------------------------------------------------------------------

GROUPS = {
    name: TargetGroup(name, f"{ARN}/{name}", function)
    for name, function in [("Blue", "blue"), ("Green", "green"), ("Empty", "")]
}


class Stage:
    """A listener with one rule, its functions and its HTTP targets."""

    def __init__(self, action: Any, *, port: int = 80, protocol: str = "HTTP") -> None:
        self.service = Service(
            returned({"statusCode": 200, "body": "ok"}),
            {name: returned({"statusCode": 200, "body": name}) for name in ("blue", "green")},
        )
        self.recording = Recording()
        self.clock = Clock()
        self.targets: dict[str, Response | OriginFailure] = {}
        self.received: list[Request] = []
        listener = AlbListener(port, protocol, (AlbRule(50_001, (), action),))
        groups = {
            **GROUPS,
            "Multi": TargetGroup("Multi", ARN, "blue", multi_value_headers=True),
            "Web": TargetGroup("Web", ARN, targets=("127.0.0.1:9000",)),
        }
        self.door = AlbDoor(
            LoadBalancer("Alb", "alb-1.elb.amazonaws.com", (listener,), groups),
            listener,
            self.service,
            self.clock,
            Chance(7),
            self.recording,
            target=self._target,
        )

    def _target(self, address: str) -> Handler:
        async def handler(request: Request) -> Response:
            self.received.append(request)
            answer = self.targets[address]
            if isinstance(answer, OriginFailure):
                raise answer
            return answer

        return handler

    async def __call__(
        self,
        *lines: tuple[str, str],
        method: str = "GET",
        path: str = "/",
        query: str | None = None,
        body: bytes = b"",
        upgrade: str = "",
    ) -> Response:
        response = await self.door(
            Request(
                method,
                path,
                query,
                headers=Headers([("Host", "h"), *lines]),
                body=BytesBody(body),
                viewer=Viewer("127.0.0.1"),
                upgrade=upgrade,
            )
        )
        assert response.on_delivered is not None
        response.on_delivered(Delivered(0))
        return response

    @property
    def reason(self) -> object:
        decision = self.recording.ended_[-1].steps[-1].decision
        assert decision is not None
        return decision.facts.get("reason")


def to(*groups: tuple[str, int], stickiness_s: int | None = None) -> AlbForward:
    return AlbForward(groups, stickiness_s)


BLUE = to(("Blue", 1))


@pytest.mark.rule("AL-031", "AL-050", "AL-053", "AL-054")
async def test_headers_the_load_balancer_adds() -> None:
    stage = Stage(BLUE, port=443, protocol="HTTPS")
    await stage(("X-Forwarded-Proto", "http"), ("X-Forwarded-For", "127.0.0.4"))
    headers = stage.service.event["headers"]
    assert headers["host"] == "h"
    assert headers["x-forwarded-for"] == "127.0.0.4, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-port"] == "443"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert stage.service.calls[-1][2] == headers["x-amzn-trace-id"]
    await stage(("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678"))
    trace = stage.service.event["headers"]["x-amzn-trace-id"]
    assert trace.startswith("Self=1-")
    assert trace.endswith(";Root=1-67891233-abcdef012345678912345678")


@pytest.mark.rule("AL-052")
async def test_too_many_forwarders() -> None:
    stage = Stage(BLUE)
    assert (await stage(("X-Forwarded-For", ", ".join(["1.1.1.1"] * 31)))).status == 463
    assert (await stage(("X-Forwarded-For", ", ".join(["1.1.1.1"] * 30)))).status == 200


@pytest.mark.rule("AL-005")
async def test_the_target_group_s_setting_chooses_the_form() -> None:
    stage = Stage(to(("Multi", 1)))
    stage.service.answers["blue"] = returned(
        {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": "ok"}
    )
    response = await stage()
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert stage.service.event["multiValueHeaders"]["host"] == ["h"]


@pytest.mark.rule("AL-081")
async def test_headers_of_every_answer() -> None:
    response = await Stage(BLUE)()
    assert response.headers.get("Server") == "awselb/2.0"
    assert response.headers.get("Date").endswith(" GMT")


@pytest.mark.rule("AL-084")
async def test_head_has_the_headers_alone() -> None:
    response = await Stage(BLUE)(method="HEAD")
    assert body_of(response) == b""
    assert response.headers.get("Content-Length") == "4"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(FunctionError("r", 1), "LambdaUnhandled", marks=pytest.mark.rule("AL-100")),
        pytest.param(TimedOut("r", 1), "LambdaUnhandled", marks=pytest.mark.rule("AL-100")),
        pytest.param(InitFailed("r", 1), "LambdaUnhandled", marks=pytest.mark.rule("AL-100")),
        pytest.param(
            Throttled("r", "limit"), "LambdaThrottling", marks=pytest.mark.rule("AL-100", "AL-101")
        ),
        pytest.param(
            returned({"message": "hi"}),
            "LambdaInvalidResponse",
            marks=pytest.mark.rule("AL-072", "AL-100"),
        ),
        pytest.param(
            returned({"statusCode": 200, "body": "a" * 1_048_577}),
            "LambdaResponseTooLarge",
            marks=pytest.mark.rule("AL-082", "AL-100"),
        ),
        pytest.param(
            FunctionNotFound("gone"), "LambdaResourceNotFound", marks=pytest.mark.rule("AL-100")
        ),
    ],
)
@pytest.mark.rule("AL-106")
async def test_failures_of_functions(answer: Any, reason: str) -> None:
    stage = Stage(BLUE)
    stage.service.answers.clear()
    stage.service.answer = answer
    response = await stage()
    assert response.status == 502
    assert response.headers.get("Content-Type") == "text/html"
    assert stage.reason == reason


@pytest.mark.rule("AL-103")
@pytest.mark.parametrize(
    ("action", "status", "size"), [(BLUE, 502, 122), (to(("Empty", 1)), 503, 162)]
)
async def test_generated_pages(action: Any, status: int, size: int) -> None:
    stage = Stage(action)
    stage.service.answers["blue"] = FunctionError("r", 1)
    response = await stage()
    assert response.status == status
    assert len(body_of(response)) == size
    assert body_of(response).count(b"\r\n") == 6


@pytest.mark.rule("AL-037", "AL-100")
async def test_too_large_bodies() -> None:
    stage = Stage(BLUE)
    assert (await stage(method="POST", body=b"a" * 1_048_577)).status == 413
    assert stage.reason == "LambdaRequestTooLarge"
    assert stage.service.calls == []
    assert (await stage(method="POST", body=b"a" * 1_048_576)).status == 200


@pytest.mark.rule("AL-038")
async def test_functions_take_no_web_sockets() -> None:
    stage = Stage(BLUE)
    assert (await stage(upgrade="websocket")).status == 400
    assert stage.reason == "LambdaWebsocketNotSupported"


@pytest.mark.rule("AL-036")
@pytest.mark.parametrize(
    ("lines", "body"),
    [([("X-A", "\udce9")], b""), ([("Content-Type", "text/plain")], b"\xe9")],
)
async def test_text_that_is_not_utf_8(lines: list[tuple[str, str]], body: bytes) -> None:
    stage = Stage(BLUE)
    assert (await stage(*lines, method="POST", body=body)).status == 400
    assert stage.reason == "LambdaBadRequest"


@pytest.mark.rule("AL-022", "AL-102")
async def test_trace_is_refused() -> None:
    assert (await Stage(BLUE)(method="TRACE")).status == 405


@pytest.mark.rule("AL-153")
async def test_fixed_responses() -> None:
    stage = Stage(AlbFixedResponse(503, "text/plain", "down"))
    response = await stage()
    assert (response.status, body_of(response)) == (503, b"down")
    assert response.headers.get("Content-Type") == "text/plain"
    assert stage.service.calls == []


@pytest.mark.rule("AL-154", "AL-155", "AL-156")
@pytest.mark.parametrize(
    ("redirect", "location"),
    [
        (AlbRedirect(301, protocol="HTTPS", port="443"), "https://h:443/a/b?c=1"),
        (AlbRedirect(302, host="new.#{host}", path="/x/#{path}"), "http://new.h:80/x/a/b?c=1"),
        (AlbRedirect(302, path="/", query=""), "http://h:80/"),
        (AlbRedirect(302, query="from=#{path}&#{query}"), "http://h:80/a/b?from=a/b&c=1"),
    ],
)
async def test_redirects(redirect: AlbRedirect, location: str) -> None:
    response = await Stage(redirect)(path="/a/b", query="c=1")
    assert (response.status, response.headers.get("Location")) == (redirect.status, location)


# --- weights and stickiness ---------------------------------------------------------------------


@pytest.mark.rule("AL-170", "AL-172")
async def test_weights() -> None:
    stage = Stage(to(("Blue", 10), ("Green", 20)))
    for _ in range(3000):
        response = await stage()
        assert "Set-Cookie" not in response.headers
    blue = sum(name == "blue" for name, _, _ in stage.service.calls)
    assert 900 < blue < 1100


@pytest.mark.rule("AL-171")
async def test_weight_0_gets_nothing() -> None:
    stage = Stage(to(("Blue", 0), ("Green", 1)))
    assert {body_of(await stage()) for _ in range(20)} == {b"green"}
    assert (await Stage(to(("Blue", 0)))()).status == 503


@pytest.mark.rule("AL-177")
async def test_there_is_no_failover_between_groups() -> None:
    stage = Stage(to(("Empty", 1), ("Blue", 1)))
    assert {(await stage()).status for _ in range(30)} == {200, 503}


STICKY = to(("Blue", 10), ("Green", 10), stickiness_s=1000)


def cookies_of(response: Response) -> dict[str, str]:
    pairs = (line.partition(";")[0] for line in response.headers.get_all("Set-Cookie"))
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.rule("AL-173", "AL-174", "AL-175", "AL-178")
async def test_a_client_stays_with_its_group() -> None:
    stage = Stage(STICKY)
    for _ in range(10):
        first = await stage()
        plain, cors = first.headers.get_all("Set-Cookie")
        assert "; Expires=" in plain
        assert plain.endswith("; Path=/")
        assert "Max-Age" not in plain
        assert cors.endswith("; Path=/; SameSite=None; Secure")
        cookies = cookies_of(first)
        assert list(cookies) == ["AWSALBTG", "AWSALBTGCORS"]
        assert cookies["AWSALBTG"] == cookies["AWSALBTGCORS"]
        for name, value in cookies.items():
            again = await stage(("Cookie", f"other=1; {name}={value}"))
            assert body_of(again) == body_of(first)
            assert "AWSALBTG" in cookies_of(again)


@pytest.mark.rule("AL-176")
async def test_a_cookie_that_no_longer_counts() -> None:
    stage = Stage(STICKY)
    cookie = cookies_of(await stage())["AWSALBTG"]

    async def groups(value: str, to_: Stage = stage) -> set[bytes]:
        return {body_of(await to_(("Cookie", f"AWSALBTG={value}"))) for _ in range(30)}

    assert len(await groups(cookie)) == 1
    content, _, signature = cookie.partition(".")
    assert len(await groups(f"{content}x.{signature}")) == 2
    assert len(await groups(f"{content}.é")) == 2
    assert len(await groups("nonsense")) == 2
    assert await groups(cookie, Stage(to(("Green", 1), stickiness_s=9))) == {b"green"}
    stage.clock.advance(1001)
    assert len(await groups(cookie)) == 2


@pytest.mark.rule("AL-179")
async def test_the_function_sees_the_cookie() -> None:
    stage = Stage(STICKY)
    await stage(("Cookie", "AWSALBTG=x"))
    assert stage.service.event["headers"]["cookie"] == "AWSALBTG=x"


# --- plain HTTP targets -------------------------------------------------------------------------


async def test_an_http_target_is_asked() -> None:
    stage = Stage(to(("Web", 1)))
    headers = Headers([("Server", "own"), ("Date", "then")])
    stage.targets["127.0.0.1:9000"] = Response(200, headers, BytesBody(b"web"))
    response = await stage(path="/x")
    assert body_of(response) == b"web"
    assert response.headers.get_all("Server") == ["own"]
    [request] = stage.received
    assert request.path == "/x"
    assert request.headers.get("X-Forwarded-For") == "127.0.0.1"


@pytest.mark.parametrize(("timed_out", "status"), [(False, 502), (True, 504)])
async def test_an_http_target_that_fails(timed_out: bool, status: int) -> None:
    stage = Stage(to(("Web", 1)))
    stage.targets["127.0.0.1:9000"] = OriginFailure(
        OriginFailureKind.CONNECT, 502, "refused", timed_out
    )
    response = await stage()
    assert response.status == status
    if timed_out:
        assert len(body_of(response)) == 132
