"""Attributes, rewrites, HTTP targets and limits of load balancers, through their real ports."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edgeproxy.testing import Edge, Site, SiteResponse
from tests.support.doors import (
    ELB,
    TELL,
    forward,
    lambda_function,
    listener,
    target_group,
    write_template,
)
from tests.support.origin import Answer, Origin, running_origin

rule = pytest.mark.rule

BALANCERS = {
    "Alb": {},
    "Ports": {
        "routing.http.xff_client_port.enabled": "true",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "true",
        "routing.http.preserve_host_header.enabled": "true",
    },
    "Kept": {
        "routing.http.xff_header_processing.mode": "preserve",
        "routing.http.xff_client_port.enabled": "true",
        "idle_timeout.timeout_seconds": "1",
    },
    "Bare": {"routing.http.xff_header_processing.mode": "remove"},
}
SECURITY = {
    "routing.http.response.server.enabled": "false",
    "routing.http.response.strict_transport_security.header_value": "max-age=9",
    "routing.http.response.access_control_allow_origin.header_value": "https://a.example",
    "routing.http.response.access_control_allow_methods.header_value": "GET",
    "routing.http.response.access_control_allow_headers.header_value": "x-a",
    "routing.http.response.access_control_allow_credentials.header_value": "true",
    "routing.http.response.access_control_expose_headers.header_value": "x-b",
    "routing.http.response.access_control_max_age.header_value": "5",
    "routing.http.response.content_security_policy.header_value": "default-src 'self'",
    "routing.http.response.x_content_type_options.header_value": "nosniff",
    "routing.http.response.x_frame_options.header_value": "DENY",
}


def attributes(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def on(balancer: str, port: int, action: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = listener(port, action)
    made["Properties"] |= {"LoadBalancerArn": {"Ref": balancer}, **more}
    return made


def listener_rule(priority: int, path: object, to: dict[str, Any], **more: Any) -> dict[str, Any]:
    config = path if isinstance(path, dict) else {"Values": [path]}
    return {
        "Type": f"{ELB}ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "Rules"},
            "Priority": priority,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": config}],
            "Actions": [to],
            **more,
        },
    }


def transform(kind: str, config: str, *rewrites: tuple[str, str]) -> dict[str, Any]:
    pairs = [{"Regex": regex, "Replace": replace} for regex, replace in rewrites]
    return {"Type": kind, config: {"Rewrites": pairs}}


SLOW = """
import time

def handler(event, context):
    time.sleep(1.5)
    return {"statusCode": 200, "body": "slow"}
"""


@pytest.fixture(scope="module")
def web() -> Iterator[Origin]:
    with running_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, web: Origin) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("alb")
    own = forward(("Group", 1))
    resources: dict[str, Any] = {
        name: {
            "Type": f"{ELB}LoadBalancer",
            "Properties": {"LoadBalancerAttributes": attributes(values)},
        }
        for name, values in BALANCERS.items()
    }
    resources["Fn"] = lambda_function(folder)
    slow = folder / "slow"
    slow.mkdir()
    (slow / "app.py").write_text(SLOW)
    resources["SlowFn"] = lambda_function(folder)
    resources["SlowFn"]["Properties"]["Code"] = "./slow"
    # What is for servers alone: none of it changes what a function's group does.
    resources["Group"] = target_group("Fn")
    resources["Group"]["Properties"]["TargetGroupAttributes"] += attributes(
        {
            "stickiness.enabled": "true",
            "stickiness.type": "lb_cookie",
            "slow_start.duration_seconds": "30",
            "deregistration_delay.timeout_seconds": "10",
            "load_balancing.algorithm.type": "least_outstanding_requests",
        }
    )
    resources["Slow"] = target_group("SlowFn")
    instances = {"TargetType": "instance", "Port": 8080, "Targets": [{"Id": "i-0123456789"}]}
    resources["Web"] = {"Type": f"{ELB}TargetGroup", "Properties": instances}
    address = urlsplit(web.url)
    targets = [{"Id": address.hostname, "Port": address.port}]
    resources["Addresses"] = {
        "Type": f"{ELB}TargetGroup",
        "Properties": {"TargetType": "ip", "Targets": targets, "HealthCheckPath": "/up?x=1"},
    }
    resources["Plain"] = on("Alb", 80, own)
    resources["Dressed"] = on("Alb", 81, own, ListenerAttributes=attributes(SECURITY))
    resources["Rules"] = on("Alb", 82, own)
    resources["ToWeb"] = on("Alb", 83, forward(("Web", 1)))
    resources["ToAddresses"] = on("Alb", 84, forward(("Addresses", 1)))
    resources["Secure"] = on("Ports", 443, own, Protocol="HTTPS")
    resources["Insecure"] = on("Ports", 80, own)
    resources["Keeping"] = on("Kept", 80, own)
    resources["Waiting"] = on("Kept", 81, forward(("Slow", 1)))
    resources["SecureKept"] = on("Kept", 443, own, Protocol="HTTPS")
    resources["Removing"] = on("Bare", 80, own)
    url = transform("url-rewrite", "UrlRewriteConfig", (r"^/dp/(\w+)/?$", "/product.php?id=$1"))
    host = transform(
        "host-header-rewrite", "HostHeaderRewriteConfig", (r"^(\w+)\.example\.com$", "$1.internal")
    )
    resources["Rewriting"] = listener_rule(1, "/dp/*", own, Transforms=[url, host])
    lost = transform("url-rewrite", "UrlRewriteConfig", ("^.*$", "nowhere"))
    resources["Losing"] = listener_rule(2, "/lost", own, Transforms=[lost])
    said = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200",
            "MessageBody": "matched"}}  # fmt: skip
    moved = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Path": "/new"}}
    resources["Moved"] = listener_rule(4, "/moved", moved)
    resources["Regex"] = listener_rule(3, {"RegexValues": [r"^/v[0-9]+/"]}, said)
    with Edge() as edge:
        template = write_template(folder, resources)
        yield edge.serve(template, origins={"Web": web.url}, https_port=0, seed=7)


def url_of(site: Site, balancer: str, port: int) -> str:
    listeners = site.endpoints["load_balancers"][balancer]["listeners"]
    return next(str(each["url"]) for each in listeners if each["port"] == port)


def ask(site: Site, where: str, path: str = "/", method: str = "GET", **more: Any) -> SiteResponse:
    """A request to ``Balancer:port``."""
    balancer, port = where.split(":")
    return site.request(method, path, url=url_of(site, balancer, int(port)), **more)


def seen(site: Site, where: str, path: str = "/", **more: Any) -> dict[str, Any]:
    """The function's event."""
    response = ask(site, where, path, **more)
    assert response.status == 200, response.text
    event: dict[str, Any] = json.loads(response.body)
    return event


FORWARDED = {"X-Forwarded-For": "127.0.0.4"}


@rule("AL-050")
@pytest.mark.parametrize(
    ("where", "sent", "expected"),
    [
        ("Alb:80", FORWARDED, "127.0.0.4, 127.0.0.1"),
        ("Kept:80", FORWARDED, "127.0.0.4"),
        ("Kept:80", {}, None),
        ("Bare:80", FORWARDED, None),
    ],
)
def test_modes_of_x_forwarded_for(site: Site, where: str, sent: dict[str, str], expected) -> None:
    assert seen(site, where, headers=sent)["headers"].get("x-forwarded-for") == expected


@rule("AL-051")
@pytest.mark.parametrize(("viewer", "written"), [("192.0.2.9", "192.0.2.9:"), ("::1", "[::1]:")])
def test_the_client_s_port(site: Site, viewer: str, written: str) -> None:
    sent = {**FORWARDED, "x-edgeproxy-viewer-ip": viewer}
    earlier, _, own = seen(site, "Ports:80", headers=sent)["headers"]["x-forwarded-for"].partition(
        ", "
    )
    assert earlier == "127.0.0.4"
    assert own.startswith(written)
    assert own.removeprefix(written).isdigit()


@rule("AL-055")
def test_the_client_s_tls(site: Site) -> None:
    headers = seen(site, "Ports:443")["headers"]
    assert headers["x-amzn-tls-version"] == "TLSv1.3"
    assert headers["x-amzn-tls-cipher-suite"].startswith("TLS_")
    for where in ("Ports:80", "Kept:443"):
        assert not any(name.startswith("x-amzn-tls") for name in seen(site, where)["headers"])


@rule("AL-053", "AL-190")
def test_an_https_listener_speaks_https(site: Site) -> None:
    assert url_of(site, "Ports", 443).startswith("https://")
    headers = seen(site, "Ports:443", headers={"X-Forwarded-Proto": "http"})["headers"]
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("https", "443")


@rule("AL-056")
@pytest.mark.parametrize("where", ["Alb:82", "Ports:80"])
def test_the_host_header_is_the_client_s(site: Site, where: str) -> None:
    assert seen(site, where, headers={"Host": "shop.example"})["headers"]["host"] == "shop.example"


@rule("AL-057")
def test_invalid_header_names_are_dropped_where_asked(site: Site) -> None:
    sent = {"x_under": "1", "x.dot": "2", "X-Fine-1": "3"}
    assert not {"x_under", "x.dot"} & seen(site, "Ports:80", headers=sent)["headers"].keys()
    assert seen(site, "Ports:80", headers=sent)["headers"]["x-fine-1"] == "3"
    assert {"x_under", "x.dot"} <= seen(site, "Alb:80", headers=sent)["headers"].keys()


@rule("AL-081", "AL-086")
@pytest.mark.parametrize("what", [None, {"statusCode": 200, "headers": {"Server": "own",
                         "X-Frame-Options": "SAMEORIGIN"}}, {"message": "no answer"}])  # fmt: skip
def test_headers_of_a_listener_s_attributes(site: Site, what: object) -> None:
    headers = {} if what is None else {TELL: json.dumps(what)}
    answer = ask(site, "Alb:81", headers=headers).headers
    assert "Server" not in answer
    for key, value in SECURITY.items():
        if key.endswith("header_value"):
            name = key.split(".")[3].replace("_", "-")
            assert answer.get_all(name) == [value]


@rule("AL-006")
def test_attributes_for_servers_do_not_touch_functions(site: Site) -> None:
    response = ask(site, "Alb:80")
    assert (response.status, response.headers.get_all("Set-Cookie")) == (200, [])


@rule("AL-007", "AL-191")
def test_the_idle_timeout_is_the_client_s_and_not_the_function_s(site: Site) -> None:
    door = urlsplit(url_of(site, "Kept", 81))
    with socket.create_connection((door.hostname, door.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"slow"):
            data = client.recv(4096)
            assert data
            answer += data
        began = time.monotonic()
        assert client.recv(1) == b""
        assert 0.5 < time.monotonic() - began < 5


@rule("AL-102", "AL-103", "AL-191")
@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"],
)
def test_a_request_that_stops_half_way_is_told_so(site: Site, begun: bytes) -> None:
    door = urlsplit(url_of(site, "Kept", 81))
    with socket.create_connection((door.hostname, door.port), timeout=10) as client:
        client.sendall(begun)
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"<center><h1>408 Request Time-out</h1></center>" in answer


@rule("AL-023", "AL-152")
def test_rewrites(site: Site) -> None:
    event = seen(site, "Alb:82", "/dp/B09/", headers={"Host": "shop.example.com"})
    assert (event["path"], event["queryStringParameters"]) == ("/product.php", {"id": "B09"})
    assert event["headers"]["host"] == "shop.internal"
    untouched = seen(site, "Alb:82", "/dp/B09/more?a=1", headers={"Host": "example.org"})
    assert (untouched["path"], untouched["headers"]["host"]) == ("/dp/B09/more", "example.org")
    assert ask(site, "Alb:82", "/lost").status == 500


@rule("AL-151")
def test_regular_expressions(site: Site) -> None:
    assert ask(site, "Alb:82", "/v12/x").body == b"matched"
    assert seen(site, "Alb:82", "/V12/x")["path"] == "/V12/x"


@pytest.mark.parametrize("port", [83, 84])
def test_http_targets(site: Site, web: Origin, port: int) -> None:
    web.answer = Answer(201, {"X-Own": "1", "Connection": "close"}, b"from a server")
    response = ask(site, f"Alb:{port}", "/a?b=%20", "POST", headers={"Host": "h"}, body=b"in")
    assert (response.status, response.body) == (201, b"from a server")
    assert response.headers.get("X-Own") == "1"
    got = next(got for got in reversed(web.got) if got.method == "POST")
    assert (got.target, got.header("Host"), got.body) == ("/a?b=%20", "h", b"in")
    assert got.header("X-Forwarded-For") == "127.0.0.1"
    assert got.header("X-Forwarded-Port") == str(port)
    assert str(got.header("X-Amzn-Trace-Id")).startswith("Root=1-")


def test_http_targets_are_checked(site: Site, web: Origin) -> None:
    checks = [got for got in web.got if got.header("User-Agent") == "ELB-HealthChecker/2.0"]
    assert {got.target for got in checks} == {"/", "/up?x=1"}
    assert "no origin has the ID" not in site.console


@rule("AL-102")
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: " % n + b"a" * 15_000 + b"\r\n"
         for n in range(3)), 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 17_000 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: " % n + b"a" * 15_000 + b"\r\n"
         for n in range(5)), 400),
        (b"GET /" + b"a" * 16_000 + b" HTTP/1.1\r\nHost: a\r\n", 200),
        (b"GET /" + b"a" * 16_500 + b" HTTP/1.1\r\nHost: a\r\n", 414),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n", 505),
        (b"GET / XTTP/1.1\r\nHost: a\r\n", 400),
    ],
)  # fmt: skip
def test_heads_that_are_too_large_or_not_understood(site: Site, head: bytes, status: int) -> None:
    assert raw_status(site, head + b"Connection: close\r\n\r\n") == status


@rule("AL-192")
@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(site: Site, head: bytes) -> None:
    assert raw_status(site, head) == 400


def raw_status(site: Site, head: bytes) -> int:
    door = urlsplit(url_of(site, "Alb", 80))
    with socket.create_connection((door.hostname, door.port), timeout=10) as client:
        client.sendall(head)
        return int(client.recv(4096).split()[1])


@rule("AL-106")
def test_the_reason_is_told_to_who_asks(site: Site) -> None:
    sent = {"x-edgeproxy-explain": "1", TELL: "{}"}
    response = ask(site, "Alb:80", headers=sent)
    assert response.status == 502
    assert response.headers.get("x-edgeproxy-why").startswith("LambdaInvalidResponse; forward: ")
    assert response.headers.get("x-edgeproxy-exchange") == site.exchanges(1)[0].id
    assert "x-edgeproxy-why" not in ask(site, "Alb:80", headers={TELL: "{}"}).headers
    event = seen(site, "Alb:80", headers={"x-edgeproxy-explain": "1"})
    assert not any(name.startswith("x-edgeproxy") for name in event["headers"])


PING = """
import json

def handler(event, context):
    print(json.dumps(event))
    return {"statusCode": 200, "body": ""}
"""


@rule("AL-121", "AL-123", "AL-124", "AL-125")
def test_a_function_s_health_checks_are_invocations_in_its_log(tmp_path: Path) -> None:
    made: dict[str, Any] = {
        "Alb": {"Type": f"{ELB}LoadBalancer", "Properties": {}},
        "Fn": lambda_function(tmp_path),
        "Group": target_group("Fn"),
        "Off": target_group("Fn"),
        "Both": on("Alb", 80, forward(("Group", 1), ("Off", 1))),
    }
    (tmp_path / "python/app.py").write_text(PING)
    made["Group"]["Properties"] |= {"HealthCheckEnabled": True, "HealthCheckPath": "/ping"}
    with Edge() as edge:
        site = edge.serve(write_template(tmp_path, made))
        control = site.endpoints["control"]
        deadline = time.monotonic() + 20
        health: Any = {}
        while health.get("Group", {}).get("Fn", {}).get("state") != "healthy":
            assert time.monotonic() < deadline
            health = site.request("GET", "/api/target-health", url=control).json()["Alb"]  # type: ignore[index]
        off = health["Off"]["Fn"]
        assert (off["state"], off["reason"]) == ("unavailable", "Target.HealthCheckDisabled")
        logs: Any = site.request("GET", "/api/functions/Fn/logs", url=control).json()
        messages = [line["message"] for line in logs["lines"]]
        [event] = [json.loads(text) for text in messages if text.startswith("{")]
        assert (event["path"], event["httpMethod"]) == ("/ping", "GET")
        assert event["headers"] == {"user-agent": "ELB-HealthChecker/2.0"}
        assert any("Billed Duration" in text for text in messages)
        assert "target group Group: Fn is healthy" in site.console


def counts(site: Site) -> dict[str, float]:
    document: Any = site.request("GET", "/api/metrics", url=site.endpoints["control"]).json()
    return {
        each["name"]: each["sum"]
        for each in document["metrics"]
        if each["namespace"] == "AWS/ApplicationELB"
        and each["dimensions"] == {"LoadBalancer": "Alb"}
    }


@rule("AL-104", "AL-105")
@pytest.mark.parametrize(
    ("where", "path", "told", "counted"),
    [
        ("Alb:80", "/", {"statusCode": 200}, {"RequestCount", "HTTPCode_Target_2XX_Count"}),
        ("Alb:80", "/", {"statusCode": 500}, {"RequestCount", "HTTPCode_Target_5XX_Count"}),
        ("Alb:80", "/", {}, {"RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count",
                             "LambdaUserError"}),
        ("Alb:82", "/v1/a", None, {"HTTP_Fixed_Response_Count"}),
        ("Alb:82", "/moved", None, {"HTTP_Redirect_Count", "HTTPCode_ELB_3XX_Count"}),
        ("Alb:83", "/", None, {"RequestCount", "HTTPCode_Target_2XX_Count"}),
    ],
)  # fmt: skip
def test_metrics(site: Site, where: str, path: str, told, counted: set[str]) -> None:
    before = counts(site)
    ask(site, where, path, headers={} if told is None else {TELL: json.dumps(told)})
    site.exchanges(1)
    after = counts(site)
    grown = {name for name, total in after.items() if total != before.get(name, 0)}
    assert grown - {"LambdaTargetProcessedBytes"} == counted
    assert ("LambdaTargetProcessedBytes" in grown) is (where == "Alb:80")
    assert all(after[name] - before.get(name, 0) == 1 for name in counted)
