"""Load balancers through their real ports, with real Python and Node.js functions."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.doors import (
    ELB,
    KINDS,
    TELL,
    forward,
    lambda_function,
    listener,
    target_group,
    write_template,
)


def listener_rule(
    priority: int, conditions: list[dict[str, Any]], action: dict[str, Any]
) -> dict[str, Any]:
    return {
        "Type": f"{ELB}ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "Rules"},
            "Priority": priority,
            "Conditions": conditions,
            "Actions": [action],
        },
    }


PORTS = {"Python": 80, "Node": 81, "PythonMulti": 82, "NodeMulti": 83, "Off": 84, "Rules": 85,
         "Weighted": 86}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A load balancer with a listener for each kind of test."""
    folder = tmp_path_factory.mktemp("alb")
    resources: dict[str, Any] = {"Alb": {"Type": f"{ELB}LoadBalancer", "Properties": {}}}
    for kind in KINDS:
        name = f"{kind.capitalize()}Function"
        resources[name] = lambda_function(folder, kind)
        for suffix, multi_value in (("", False), ("Multi", True)):
            group = f"{kind.capitalize()}{suffix}"
            resources[f"{group}Group"] = target_group(name, multi_value)
            resources[group] = listener(PORTS[group], forward((f"{group}Group", 1)))
    resources["OffFunction"] = lambda_function(folder, ReservedConcurrentExecutions=0)
    resources["OffGroup"] = target_group("OffFunction")
    resources["Off"] = listener(PORTS["Off"], forward(("OffGroup", 1)))
    resources["Weighted"] = listener(
        PORTS["Weighted"], forward(("PythonGroup", 10), ("NodeGroup", 20), stickiness_s=1000)
    )
    down = {
        "Type": "fixed-response",
        "FixedResponseConfig": {
            "StatusCode": "503", "ContentType": "text/plain", "MessageBody": "down",
        },
    }  # fmt: skip
    moved = {
        "Type": "redirect",
        "RedirectConfig": {
            "Protocol": "HTTPS", "Port": "443", "Path": "/#{path}", "StatusCode": "HTTP_301",
        },
    }  # fmt: skip
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}
    variant = {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": "x-variant", "Values": ["beta*"]},
    }
    moving = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/moved*"]}}
    resources["Rules"] = listener(PORTS["Rules"], down)
    resources["Rule10"] = listener_rule(10, [path], forward(("PythonGroup", 1)))
    resources["Rule20"] = listener_rule(20, [variant], forward(("NodeGroup", 1)))
    resources["Rule30"] = listener_rule(30, [moving], moved)
    empty = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/empty"]}}
    lambda_kind = {"Type": f"{ELB}TargetGroup", "Properties": {"TargetType": "lambda"}}
    resources["EmptyGroup"] = lambda_kind
    resources["Rule40"] = listener_rule(40, [empty], forward(("EmptyGroup", 1)))
    with Edge() as edge:
        yield edge.serve(write_template(folder, resources), seed=7)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Python and Node.js, one after the other."""
    return str(request.param).capitalize()


def url(site: Site, name: str) -> str:
    listeners = site.endpoints["load_balancers"]["Alb"]["listeners"]
    return next(str(each["url"]) for each in listeners if each["port"] == PORTS[name])


def ask(site: Site, name: str, path: str = "/", method: str = "GET", **more: Any) -> SiteResponse:
    """A request to the listener of that logical ID."""
    return site.request(method, path, url=url(site, name), **more)


def told(site: Site, name: str, value: object, **more: Any) -> SiteResponse:
    """The answer when the function returns ``value``."""
    return ask(site, name, headers={TELL: json.dumps(value)}, **more)


def event_of(response: SiteResponse) -> dict[str, Any]:
    assert response.status == 200, response.text
    document: dict[str, Any] = json.loads(response.body)
    return document


def reason(site: Site) -> object:
    """The code of the access log for the newest failure."""
    decision = site.exchanges(1)[0].steps[-1].decision
    assert decision is not None
    return decision.facts.get("reason")


@pytest.mark.rule("AL-020", "AL-021", "AL-029", "AL-031", "AL-033", "AL-053", "AL-054")
def test_the_event_with_single_values(site: Site, kind: str) -> None:
    event = event_of(ask(site, kind, "/?key=hello", headers={"X-MyHeader": "123"}))
    assert set(event) == {
        "requestContext", "httpMethod", "path", "queryStringParameters", "headers", "body",
        "isBase64Encoded",
    }  # fmt: skip
    assert event["requestContext"]["elb"]["targetGroupArn"].startswith("arn:aws:elastic")
    assert event["queryStringParameters"] == {"key": "hello"}
    headers = event["headers"]
    assert (headers["x-myheader"], headers["x-forwarded-proto"]) == ("123", "http")
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-port"] == str(PORTS[kind])
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert (event["body"], event["isBase64Encoded"]) == ("", False)


@pytest.mark.rule("AL-005", "AL-021", "AL-026", "AL-030")
def test_the_event_with_multiple_values(site: Site, kind: str) -> None:
    headers = [("X-MyHeader", "123"), ("Cookie", "name1=value1"), ("Cookie", "name2=value2")]
    event = event_of(ask(site, f"{kind}Multi", "/?&k=1&k=2&key=hello", headers=headers))
    assert event["multiValueQueryStringParameters"] == {"k": ["1", "2"], "key": ["hello"]}
    assert event["multiValueHeaders"]["x-myheader"] == ["123"]
    assert event["multiValueHeaders"]["cookie"] == ["name1=value1", "name2=value2"]
    assert not event.keys() & {"headers", "queryStringParameters"}


@pytest.mark.rule("AL-024", "AL-025", "AL-030")
def test_single_values_keep_the_last(site: Site, kind: str) -> None:
    headers = [("Cookie", "name1=value1"), ("Cookie", "name2=value2")]
    event = event_of(ask(site, kind, "/?&k=1&k=%3FshowAll%3Dtrue", headers=headers))
    assert event["queryStringParameters"] == {"k": "%3FshowAll%3Dtrue"}
    assert event["headers"]["cookie"] == "name2=value2"


ZIPPED = gzip.compress(b'{"a":1}', mtime=0)


@pytest.mark.rule("AL-034", "AL-035")
@pytest.mark.parametrize(
    ("headers", "body", "is_base64"),
    [
        ({"Content-Type": "Application/JSON; charset=utf-8"}, b'{"a":1}', False),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, ZIPPED, True),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1", True),
        ({"Content-Type": "text/css"}, b"a{}", False),
        ({}, b"a", True),
    ],
)
def test_bodies(site: Site, kind: str, headers: dict[str, str], body: bytes, is_base64) -> None:
    event = event_of(ask(site, kind, "/", "POST", headers=headers, body=body))
    assert event["isBase64Encoded"] is is_base64
    seen = base64.b64decode(event["body"]) if is_base64 else event["body"].encode()
    assert seen == body


@pytest.mark.rule("AL-037")
def test_a_body_over_a_megabyte_is_413(site: Site) -> None:
    response = ask(site, "Python", "/", "POST", body=b"x" * (1024 * 1024 + 1))
    assert response.status == 413
    assert site.exchanges(1)[0].functions == []
    assert reason(site) == "LambdaRequestTooLarge"


PNG = {"statusCode": 200, "isBase64Encoded": True, "headers": {"Content-Type": "image/png"},
       "body": "iVBORw0KGgo="}  # fmt: skip
COOKIES = {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": "ok"}


@pytest.mark.parametrize(
    ("listener_suffix", "value", "status", "body", "header"),
    [
        pytest.param("", {"statusCode": 200}, 200, b"", None, marks=pytest.mark.rule("AL-071")),
        pytest.param("", PNG, 200, b"\x89PNG\r\n\x1a\n", ("Content-Type", ["image/png"]),
                     marks=pytest.mark.rule("AL-070", "AL-079")),
        pytest.param("Multi", COOKIES, 200, b"ok", ("Set-Cookie", ["a=1", "b=2"]),
                     marks=pytest.mark.rule("AL-077", "AL-005")),
        pytest.param("", COOKIES, 200, b"ok", ("Set-Cookie", []),
                     marks=pytest.mark.rule("AL-076")),
        pytest.param("Multi", {"statusCode": 200, "headers": {"X-A": "1"}, "body": "ok"}, 200,
                     b"ok", ("X-A", []), marks=pytest.mark.rule("AL-077")),
        pytest.param("", {"statusCode": 500, "body": "own"}, 500, b"own", None,
                     marks=pytest.mark.rule("AL-105")),
    ],
)  # fmt: skip
def test_results(site: Site, kind: str, listener_suffix, value, status, body, header) -> None:
    response = told(site, f"{kind}{listener_suffix}", value)
    assert (response.status, response.body) == (status, body)
    assert response.headers.get("Server") == "awselb/2.0"
    if header is not None:
        assert response.headers.get_all(header[0]) == header[1]


PAGE_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)


@pytest.mark.rule("AL-100", "AL-103")
@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param({"message": "hi"}, "LambdaInvalidResponse", marks=pytest.mark.rule("AL-072")),
        pytest.param("hi", "LambdaInvalidResponse", marks=pytest.mark.rule("AL-072")),
        pytest.param({"statusCode": 200, "body": None}, "LambdaInvalidResponse",
                     marks=pytest.mark.rule("AL-073")),
        pytest.param({"statusCode": 200, "headers": {"x": True}, "body": ""},
                     "LambdaInvalidResponse", marks=pytest.mark.rule("AL-074")),
        pytest.param({"statusCode": 200, "isBase64Encoded": True, "body": "%"},
                     "LambdaInvalidResponse", marks=pytest.mark.rule("AL-079")),
        pytest.param({"statusCode": 101}, "LambdaInvalidResponse",
                     marks=pytest.mark.rule("AL-085")),
    ],
)  # fmt: skip
def test_a_malformed_answer_is_502(site: Site, kind: str, value: object, code: str) -> None:
    response = told(site, kind, value)
    assert (response.status, response.body) == (502, PAGE_502)
    assert response.headers.get("Content-Type") == "text/html"
    assert reason(site) == code


@pytest.mark.rule("AL-100", "AL-105")
def test_a_function_that_raises_is_502(site: Site, kind: str) -> None:
    response = ask(site, kind, headers={TELL: "throw"})
    assert (response.status, response.body) == (502, PAGE_502)
    assert reason(site) == "LambdaUnhandled"
    assert ask(site, kind).status == 200


@pytest.mark.rule("AL-101", "AL-003")
def test_a_throttled_function_is_502(site: Site) -> None:
    assert ask(site, "Off").status == 502
    assert reason(site) == "LambdaThrottling"


@pytest.mark.rule("AL-050", "AL-054")
def test_forwarded_headers_are_extended(site: Site, kind: str) -> None:
    trace = "Root=1-67891233-abcdef012345678912345678"
    headers = {"X-Forwarded-For": "127.0.0.4", "X-Amzn-Trace-Id": trace}
    event = event_of(ask(site, kind, headers=headers))
    assert event["headers"]["x-forwarded-for"] == "127.0.0.4, 127.0.0.1"
    assert event["headers"]["x-amzn-trace-id"].startswith("Self=1-")
    assert event["headers"]["x-amzn-trace-id"].endswith(f";{trace}")


@pytest.mark.rule("AL-084")
def test_head_has_no_body(site: Site, kind: str) -> None:
    response = told(site, kind, {"statusCode": 200, "body": "body123"}, method="HEAD")
    assert (response.status, response.body) == (200, b"")
    assert response.headers.get("Content-Length") == "7"


@pytest.mark.rule("AL-140", "AL-142", "AL-146", "AL-147")
@pytest.mark.parametrize(
    ("path", "headers", "group"),
    [
        ("/api/x", {"X-Variant": "BETA1"}, "PythonGroup"),
        ("/other", {"X-Variant": "BETA1"}, "NodeGroup"),
    ],
)
def test_the_first_rule_that_matches(site: Site, path: str, headers, group: str) -> None:
    assert ask(site, "Rules", path, headers=headers).status == 200
    decision = site.exchanges(1)[0].steps[0].decision
    assert decision is not None
    assert decision.facts["target_group"] == group


@pytest.mark.rule("AL-153")
def test_a_fixed_response(site: Site) -> None:
    response = ask(site, "Rules")
    assert (response.status, response.body) == (503, b"down")
    assert response.headers.get("Content-Type") == "text/plain"
    assert site.exchanges(1)[0].functions == []


@pytest.mark.rule("AL-154", "AL-155", "AL-156")
def test_a_redirect(site: Site) -> None:
    response = ask(site, "Rules", "/moved?b=1", headers={"Host": "h"})
    assert (response.status, response.headers.get("Location")) == (301, "https://h:443/moved?b=1")


@pytest.mark.rule("AL-170", "AL-173", "AL-174")
def test_weights_and_stickiness(site: Site) -> None:
    groups = []
    for _ in range(60):
        first = ask(site, "Weighted")
        cookies = {
            name: value.partition(";")[0]
            for name, _, value in (
                line.partition("=") for line in first.headers.get_all("Set-Cookie")
            )
        }
        assert set(cookies) == {"AWSALBTG", "AWSALBTGCORS"}
        again = ask(site, "Weighted", headers={"Cookie": f"AWSALBTG={cookies['AWSALBTG']}"})
        arns = {event_of(r)["requestContext"]["elb"]["targetGroupArn"] for r in (first, again)}
        assert len(arns) == 1
        groups += arns
    shares = sorted(groups.count(arn) for arn in set(groups))
    assert len(shares) == 2
    assert 10 <= shares[0] <= 30


@pytest.mark.rule("AL-100", "AL-103")
def test_a_target_group_without_a_function(site: Site) -> None:
    response = ask(site, "Rules", "/empty", headers={"x-edgeproxy-explain": "1"})
    assert (response.status, len(response.body)) == (503, 162)
    assert "EmptyGroup has no target" in str(response.headers.get("x-edgeproxy-why"))


@pytest.mark.rule("AL-102", "AL-103")
def test_what_is_no_request_gets_the_page_of_a_load_balancer(site: Site) -> None:
    bad = {"x-edgeproxy-viewer-ip": "nowhere"}
    response = ask(site, "Python", headers=bad)
    assert response.status == 400
    assert b"<center><h1>400 Bad Request</h1></center>\r\n" in response.body
    assert response.headers.get("Server") == "awselb/2.0"
    assert "X-Cache" not in response.headers
    why = response.headers.get("x-edgeproxy-why")
    assert why == "x-edgeproxy-viewer-ip is not an IP address"


@pytest.mark.rule("AL-102")
def test_too_many_bytes_of_headers_are_a_bad_request(site: Site) -> None:
    response = ask(site, "Python", headers={"X-Long": "a" * 70_000})
    assert (response.status, response.headers.get("Server")) == (400, "awselb/2.0")
