"""Load balancers: listeners, rules in order, actions, target groups."""

from pathlib import Path
from typing import Any

import pytest

from edgeproxy.errors import DefinitionError
from edgeproxy.loadbalancing.model import (
    AlbCondition,
    AlbFixedResponse,
    AlbForward,
    AlbRedirect,
    AlbRewrite,
    HealthCheck,
    LoadBalancer,
)
from edgeproxy.project.loaders import Loaded
from edgeproxy.project.model import Treatment
from tests.unit.project.drafts import function, load_resources

ELB = "AWS::ElasticLoadBalancingV2::"
OK = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}


def resources(
    rules: list[dict[str, Any]] | None = None,
    default: list[dict[str, Any]] | None = None,
    group: dict[str, Any] | None = None,
    listener: dict[str, Any] | None = None,
) -> dict[str, Any]:
    listener_properties = {
        "LoadBalancerArn": {"Ref": "Alb"},
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": default or [OK],
        **(listener or {}),
    }
    group_properties = {"TargetType": "lambda", "Targets": [{"Id": {"Fn::GetAtt": ["Fn", "Arn"]}}]}
    made = {
        "Fn": function(),
        "Alb": {"Type": f"{ELB}LoadBalancer", "Properties": {"Type": "application"}},
        "Listener": {"Type": f"{ELB}Listener", "Properties": listener_properties},
        "Group": {"Type": f"{ELB}TargetGroup", "Properties": {**group_properties, **(group or {})}},
    }
    for index, rule in enumerate(rules or []):
        properties = {"ListenerArn": {"Ref": "Listener"}, "Priority": 10 - index, **rule}
        properties.setdefault("Actions", [OK])
        properties.setdefault("Conditions", [{"Field": "path-pattern", "Values": ["/a"]}])
        made[f"Rule{index}"] = {"Type": f"{ELB}ListenerRule", "Properties": properties}
    return made


def balancer(loaded: Loaded) -> LoadBalancer:
    return loaded.project.load_balancers["Alb"]


@pytest.mark.rule("AL-140")
def test_rules_are_in_order_of_priority_and_the_default_is_last(tmp_path: Path) -> None:
    [listener] = balancer(load_resources(tmp_path, resources([{}, {}, {}]))).listeners
    assert [rule.priority for rule in listener.rules] == [8, 9, 10, 50_001]
    assert listener.rules[-1].conditions == ()


@pytest.mark.rule("AL-142", "AL-145", "AL-146", "AL-147", "AL-148", "AL-149", "AL-150")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a", "/b"]}},
         AlbCondition("path-pattern", ("/a", "/b"))),
        ({"Field": "host-header", "Values": ["*.example.com"]},
         AlbCondition("host-header", ("*.example.com",))),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X", "Values": ["1"]}},
         AlbCondition("http-header", ("1",), "X")),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
         AlbCondition("http-request-method", ("GET",))),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [
            {"Key": "a", "Value": "1"}, {"Value": "2"}]}},
         AlbCondition("query-string", ("a=1", "=2"))),
        pytest.param({"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^a"]}},
         AlbCondition("host-header", (), regexes=("^a",)), marks=pytest.mark.rule("AL-151")),
        pytest.param({"Field": "path-pattern", "RegexValues": ["^/a", "b$"]},
         AlbCondition("path-pattern", (), regexes=("^/a", "b$")), marks=pytest.mark.rule("AL-151")),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}},
         AlbCondition("source-ip", ("10.0.0.0/8",))),
    ],
)  # fmt: skip
def test_conditions(condition: dict[str, Any], expected: AlbCondition, tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, resources([{"Conditions": [condition]}]))
    assert balancer(loaded).listeners[0].rules[0].conditions == (expected,)


@pytest.mark.rule("AL-141", "AL-153", "AL-154", "AL-156", "AL-170", "AL-173")
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}, AlbForward((("Group", 1),))),
        ({"Type": "forward", "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": {"Ref": "Group"}, "Weight": 3}],
            "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}},
         AlbForward((("Group", 3),), 60)),
        ({"Type": "forward", "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": {"Ref": "Group"}}],
            "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 60}}},
         AlbForward((("Group", 1),))),
        ({"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Path": "/n"}},
         AlbRedirect(302, path="/n")),
        ({"Type": "fixed-response", "FixedResponseConfig": {
            "StatusCode": "404", "ContentType": "text/html", "MessageBody": "no"}},
         AlbFixedResponse(404, "text/html", "no")),
    ],
)  # fmt: skip
def test_actions(action: dict[str, Any], expected: object, tmp_path: Path) -> None:
    login = {"Type": "authenticate-oidc", "Order": 1}
    loaded = load_resources(tmp_path, resources(default=[login, action]))
    assert balancer(loaded).listeners[0].rules[0].action == expected
    used = balancer(loaded).target_groups
    assert set(used) == ({"Group"} if isinstance(expected, AlbForward) else set())


@pytest.mark.rule("AL-001", "AL-002", "AL-005")
def test_a_target_group_of_a_function(tmp_path: Path) -> None:
    attributes = [
        {"Key": "lambda.multi_value_headers.enabled", "Value": "true"},
        {"Key": "stickiness.enabled", "Value": "true"},
    ]
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]
    loaded = load_resources(
        tmp_path, resources(default=forward, group={"TargetGroupAttributes": attributes})
    )
    group = balancer(loaded).target_groups["Group"]
    assert (group.function, group.multi_value_headers) == ("Fn", True)
    assert group.arn.startswith("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/")
    ignored = [
        line.place.path
        for line in loaded.project.report.lines
        if line.treatment is Treatment.IGNORED
    ]
    assert "Resources.Group.Properties.TargetGroupAttributes[1].Key" in ignored


@pytest.mark.parametrize("targets", [{"Targets": []}, {"Targets": None}])
def test_a_target_group_may_wait_for_its_function(targets: dict[str, Any], tmp_path: Path) -> None:
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]
    loaded = load_resources(tmp_path, resources(default=forward, group=targets))
    group = balancer(loaded).target_groups["Group"]
    assert (group.function, group.targets) == ("", ())


def test_a_target_group_of_addresses(tmp_path: Path) -> None:
    group = {
        "TargetType": "ip",
        "Port": 8080,
        "Protocol": "HTTP",
        "Targets": [{"Id": "127.0.0.1"}, {"Id": "127.0.0.2", "Port": 81}, {"Id": "i-123"}],
    }
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]
    loaded = load_resources(tmp_path, resources(default=forward, group=group))
    assert balancer(loaded).target_groups["Group"].targets == ("127.0.0.1:8080", "127.0.0.2:81")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param({"group": {"Targets": [{"Id": "a"}, {"Id": "b"}]}}, "has one target, not 2",
                     marks=pytest.mark.rule("AL-001")),
        pytest.param({"default": [{"Type": "authenticate-oidc"}]}, "no forward, redirect",
                     marks=pytest.mark.rule("AL-141")),
        pytest.param({"default": [{"Type": "forward", "TargetGroupArn": "arn:x"}]},
                     "no target group", marks=pytest.mark.rule("AL-170")),
        pytest.param({"rules": [{"Conditions": [{"Field": "colour", "Values": ["red"]}]}]},
                     "'colour'", marks=pytest.mark.rule("AL-142")),
        pytest.param({"rules": [{"Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/(a"]}}]}]},
            "no regular expression", marks=pytest.mark.rule("AL-151")),
        pytest.param({"rules": [{"Conditions": [{"Field": "source-ip", "Values": ["here"]}]}]},
                     "'here'", marks=pytest.mark.rule("AL-150")),
        pytest.param({"default": [OK, OK]}, "must be one forward",
                     marks=pytest.mark.rule("AL-141")),
        pytest.param({"default": [{**OK, "Order": 1}, {"Type": "authenticate-oidc", "Order": 2}]},
                     "the last action", marks=pytest.mark.rule("AL-141")),
        pytest.param({"group": {"Matcher": {"HttpCode": "2XX"}}}, "names no statuses",
                     marks=pytest.mark.rule("AL-122")),
        pytest.param({"rules": [{"Conditions": [{"Field": "path-pattern"}]}]},
                     "has no Values", marks=pytest.mark.rule("AL-142")),
        pytest.param({"default": [{"Type": "redirect", "RedirectConfig": {
            "StatusCode": "HTTP_307"}}]}, "'HTTP_307'", marks=pytest.mark.rule("AL-154")),
    ],
)  # fmt: skip
def test_what_cannot_be_run(parts: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=message):
        load_resources(tmp_path, resources(**parts))


def test_network_load_balancers_and_foreign_listeners_are_ignored_aloud(tmp_path: Path) -> None:
    made = resources(listener={"LoadBalancerArn": "arn:of:another"})
    made["Nlb"] = {"Type": f"{ELB}LoadBalancer", "Properties": {"Type": "network"}}
    loaded = load_resources(tmp_path, made)
    assert set(loaded.project.load_balancers) == {"Alb"}
    why = {line.place.path: line.why for line in loaded.project.report.lines}
    assert "only application" in why["Resources.Nlb.Properties.Type"]
    assert "not declared here" in why["Resources.Listener.Properties.LoadBalancerArn"]


def test_a_load_balancer_as_origin_is_served_by_the_same_project(tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, resources())
    [host] = [host for host, name in loaded.stand_ins.items() if name == "Alb"]
    assert loaded.origins[host] == "load-balancer:Alb"
    assert balancer(loaded).dns_name == host


def test_a_load_balancer_without_listeners_serves_no_origin(tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, {"Alb": {"Type": f"{ELB}LoadBalancer"}})
    assert balancer(loaded).listeners == ()
    assert loaded.origins == {}


def path(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "Values": list(values)}


def header(name: str, *values: str) -> dict[str, Any]:
    config = {"HttpHeaderName": name, "Values": list(values)}
    return {"Field": "http-header", "HttpHeaderConfig": config}


def redirect(**config: str) -> list[dict[str, Any]]:
    return [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}]


def fixed(**config: str) -> list[dict[str, Any]]:
    return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", **config}}]


def to_groups(count: int = 1, weight: int = 1, duration: int = 1) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": {"Ref": "Group"}, "Weight": weight}] * count
    sticky = {"Enabled": True, "DurationSeconds": duration}
    config = {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}
    return [{"Type": "forward", "ForwardConfig": config}]


def conditions(*given: dict[str, Any]) -> dict[str, Any]:
    return {"rules": [{"Conditions": list(given)}]}


HTTPS = {"Protocol": "HTTPS", "Port": 443}


@pytest.mark.parametrize(
    ("parts", "rules"),
    [
        pytest.param(parts, rules, marks=pytest.mark.rule(rule))
        for rule, parts, rules in [
            ("AL-140", {"rules": [{"Priority": 50_001}]}, ["AL-140"]),
            ("AL-140", {"rules": [{"Priority": 50_000}]}, []),
            ("AL-141", {"default": [{"Type": "authenticate-oidc"}, OK]}, ["AL-141"]),
            ("AL-141", {"default": [{"Type": "jwt-validation"}, OK], "listener": HTTPS}, []),
            ("AL-142", conditions(path("/a"), path("/b")), ["AL-142"]),
            ("AL-142", conditions(header("X", "a"), header("X", "b"), path("/a")), []),
            ("AL-143", conditions(path("/1", "/2", "/3", "/4")), ["AL-143"]),
            ("AL-143", conditions(header("A", "1", "2", "3"), header("B", "1", "2", "3")),
             ["AL-143"]),
            ("AL-143", conditions(header("A", "1", "2", "3"), header("B", "1", "2")), []),
            ("AL-143", conditions(path("/******")), ["AL-143"]),
            ("AL-143", conditions(path("/*****")), []),
            ("AL-143", conditions(path("/" + "a" * 128)), ["AL-143"]),
            ("AL-143", conditions(path("/" + "a" * 127)), []),
            ("AL-143", conditions(header("a" * 41, "1")), ["AL-143"]),
            ("AL-143", conditions(header("a" * 40, "1")), []),
            ("AL-147", conditions(header("Host", "a")), ["AL-147"]),
            ("AL-151", conditions({"Field": "path-pattern", "RegexValues": ["a" * 129]}),
             ["AL-143"]),
            ("AL-153", {"default": fixed(StatusCode="302")}, ["AL-153"]),
            ("AL-153", {"default": fixed(MessageBody="a" * 1025)}, ["AL-153"]),
            ("AL-153", {"default": fixed(StatusCode="404", MessageBody="a" * 1024)}, []),
            ("AL-154", {"default": redirect(Query="a=b")}, ["AL-154"]),
            ("AL-154", {"default": redirect(Path="/b")}, []),
            ("AL-154", {"default": redirect(Protocol="HTTP"), "listener": HTTPS}, ["AL-154"]),
            ("AL-170", {"default": to_groups(weight=1000)}, ["AL-170"]),
            ("AL-170", {"default": to_groups(count=6)}, ["AL-170"]),
            ("AL-170", {"default": to_groups(count=5, weight=999)}, []),
            ("AL-173", {"default": to_groups(duration=604_801)}, ["AL-173"]),
            ("AL-173", {"default": to_groups(duration=604_800)}, []),
            ("AL-122", {"group": {"HealthCheckIntervalSeconds": 4}}, ["AL-122"]),
            ("AL-122", {"group": {"HealthCheckTimeoutSeconds": 121}}, ["AL-122"]),
            ("AL-122", {"group": {"HealthyThresholdCount": 1}}, ["AL-122"]),
            ("AL-122", {"group": {"UnhealthyThresholdCount": 11}}, ["AL-122"]),
            ("AL-122", {"group": {"Matcher": {"HttpCode": "200-500"}}}, ["AL-122"]),
        ]
    ],
)  # fmt: skip
def test_what_aws_refuses(parts: dict[str, Any], rules: list[str], tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, resources(**parts))
    found = [finding.rule for finding in loaded.findings]
    assert [rule for rule in found if rule != "AL-004"] == rules


@pytest.mark.rule("AL-152")
def test_transforms(tmp_path: Path) -> None:
    pair = {"Regex": "^/a/(.*)$", "Replace": "/$1"}
    url = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [pair]}}
    loaded = load_resources(tmp_path, resources([{"Transforms": [url]}]))
    rewrite = AlbRewrite("url-rewrite", "^/a/(.*)$", "/$1")
    assert balancer(loaded).listeners[0].rules[0].rewrites == (rewrite,)


FORWARD = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]


@pytest.mark.rule("AL-120", "AL-122")
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({}, None),
        ({"HealthCheckPath": "/ping"}, None),
        ({"HealthCheckEnabled": True}, HealthCheck("/", 35, 30, 5, 2, ((200, 200),))),
        ({"HealthCheckEnabled": "true", "HealthCheckPath": "/ping",
          "HealthCheckIntervalSeconds": 60, "HealthCheckTimeoutSeconds": 2,
          "HealthyThresholdCount": 3, "UnhealthyThresholdCount": 4,
          "Matcher": {"HttpCode": "200,202, 300-310"}},
         HealthCheck("/ping", 60, 2, 3, 4, ((200, 200), (202, 202), (300, 310)))),
        ({"TargetType": "ip", "Targets": []}, HealthCheck(interval_s=30, timeout_s=5)),
        ({"TargetType": "ip", "Targets": [], "HealthCheckPort": "81"},
         HealthCheck(interval_s=30, timeout_s=5, port=81)),
        ({"TargetType": "ip", "Targets": [], "HealthCheckEnabled": False}, None),
    ],
)  # fmt: skip
def test_health_checks(group: dict[str, Any], expected: object, tmp_path: Path) -> None:
    loaded = load_resources(tmp_path, resources(default=FORWARD, group=group))
    assert balancer(loaded).target_groups["Group"].health_check == expected


@pytest.mark.rule("AL-006", "AL-191", "AL-192")
def test_attributes_that_are_told(tmp_path: Path) -> None:
    made = resources(default=FORWARD)
    keys = {
        "idle_timeout.timeout_seconds": "4001",
        "client_keep_alive.seconds": "60",
        "routing.http.desync_mitigation_mode": "monitor",
        "access_logs.s3.enabled": "true",
    }
    made["Alb"]["Properties"]["LoadBalancerAttributes"] = [
        {"Key": key, "Value": value} for key, value in keys.items()
    ]
    draining = {"Key": "deregistration_delay.timeout_seconds", "Value": "9"}
    made["Group"]["Properties"]["TargetGroupAttributes"] = [draining]
    loaded = load_resources(tmp_path, made)
    found = [finding.rule for finding in loaded.findings]
    assert [rule for rule in found if rule != "AL-004"] == ["AL-191"]
    assert balancer(loaded).attributes.keep_alive_s == 60
    treated = {line.place.path: line.treatment for line in loaded.project.report.lines}
    attribute = "Resources.Alb.Properties.LoadBalancerAttributes"
    assert treated[f"{attribute}[1].Value"] is Treatment.HONOURED
    assert treated[f"{attribute}[2].Value"] is Treatment.APPROXIMATED
    assert treated[f"{attribute}[3].Value"] is Treatment.IGNORED
    group = "Resources.Group.Properties.TargetGroupAttributes[0].Value"
    assert treated[group] is Treatment.IGNORED
