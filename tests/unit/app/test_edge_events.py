"""Sample events are AWS's, and results are judged by the event alone."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from edgeproxy.app.edge_events import (
    Trigger,
    find_trigger,
    judge_cloudfront_result,
    judge_result,
    sample_event,
)
from edgeproxy.chance import Chance
from edgeproxy.clock import Clock
from edgeproxy.distribution.model import Distribution, EdgeFunctionKind, EventType
from tests.support.tenants import MULTI_TENANT
from tests.support.tenants import tenant as tenant_of_site
from tests.unit.project.drafts import VERSION, function, load_site, only_distribution

LAMBDA = EdgeFunctionKind.LAMBDA
S3 = {"DomainName": "bucket.s3.eu-west-1.amazonaws.com", "S3OriginConfig": {}}


@pytest.fixture(params=["custom", "s3"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Distribution:
    association = {
        "EventType": "origin-request",
        "LambdaFunctionARN": {"Ref": "FnVersion"},
        "IncludeBody": True,
    }
    origin = {**S3, "CustomOriginConfig": None} if request.param == "s3" else {"OriginPath": "/v1"}
    methods = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    return only_distribution(
        load_site(
            tmp_path,
            {"LambdaFunctionAssociations": [association], "AllowedMethods": methods},
            origin=origin,
            Fn=function(),
            FnVersion=VERSION,
        )
    )


def made(site: Distribution, event_type: EventType) -> dict[str, Any]:
    trigger = Trigger(site, site.default_behavior, event_type)
    event: dict[str, Any] = orjson.loads(sample_event(trigger, LAMBDA, Clock(), Chance(1)))
    return event


def test_a_functions_own_trigger_is_found(site: Distribution) -> None:
    trigger = find_trigger([site], LAMBDA, "Fn", None)
    assert trigger == Trigger(site, site.default_behavior, EventType.ORIGIN_REQUEST)
    assert find_trigger([site], LAMBDA, "Fn", EventType.VIEWER_REQUEST) is None
    assert find_trigger([site], EdgeFunctionKind.CLOUDFRONT, "Fn", None) is None


@pytest.mark.parametrize(
    ("event_type", "change", "refused"),
    [
        (EventType.VIEWER_REQUEST, {"body": {"data": "é", "inputTruncated": False}}, False),
        (
            EventType.ORIGIN_REQUEST,
            {"origin": {"custom": {"domainName": "a.example", "readTimeout": "b"}}},
            True,
        ),
        (EventType.ORIGIN_RESPONSE, {"status": "²"}, False),
    ],
)
def test_an_event_made_by_hand_may_hold_anything(
    site: Distribution, event_type: EventType, change: dict[str, Any], refused: bool
) -> None:
    event = made(site, event_type)
    cf = event["Records"][0]["cf"]
    message = cf.get("response") or cf["request"]
    message.update(change)
    _, is_refused = judge_result(event, orjson.dumps(message))
    assert is_refused is refused


@pytest.mark.parametrize("event_type", list(EventType))
def test_what_is_returned_unchanged_is_sound(site: Distribution, event_type: EventType) -> None:
    event = made(site, event_type)
    cf = event["Records"][0]["cf"]
    result = cf.get("response") or cf["request"]
    assert judge_result(event, orjson.dumps(result)) == ((), False)


@pytest.mark.parametrize(
    ("event_type", "change", "rule"),
    [
        (EventType.VIEWER_REQUEST, {"uri": "no-slash"}, "LE-URI-01"),
        (EventType.ORIGIN_REQUEST, {"origin": {"custom": {}, "s3": {}}}, "LE-ORG-03"),
        (EventType.ORIGIN_RESPONSE, {"status": "600"}, "LE-ORES-02"),
        (EventType.VIEWER_RESPONSE, {"headers": {}}, "LE-HDR-08"),
    ],
)
def test_what_cloudfront_refuses(
    site: Distribution, event_type: EventType, change: dict[str, Any], rule: str
) -> None:
    event = made(site, event_type)
    cf = event["Records"][0]["cf"]
    result = {**(cf.get("response") or cf["request"]), **change}
    findings, is_refused = judge_result(event, orjson.dumps(result))
    assert (findings[-1].rule, is_refused) == (rule, True)


def test_the_origin_and_the_body_of_the_event_count(site: Distribution) -> None:
    event = made(site, EventType.ORIGIN_REQUEST)
    request = event["Records"][0]["cf"]["request"]
    assert request["method"] == "POST"
    assert request["body"]["encoding"] == "base64"
    replaced = {**request, "body": {**request["body"], "action": "replace", "data": "%%%"}}
    findings, is_refused = judge_result(event, orjson.dumps(replaced))
    assert (findings[-1].rule, is_refused) == ("LE-BODY-09", True)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {"a": 1},
        {"Records": [{"s3": {}}]},
        {"Records": [{"cf": {"config": {"eventType": "other"}, "request": {}}}]},
        {"Records": [{"cf": {"config": {"eventType": "viewer-response"},
                             "request": {"method": "GET", "uri": "/", "headers": {}}}}]},
    ],
)  # fmt: skip
def test_other_events_are_not_judged(event: object) -> None:
    assert judge_result(event, b"null") == ((), False)


@pytest.mark.parametrize(
    "more",
    [
        {"body": {"data": "%", "inputTruncated": False}, "origin": {"custom": {"domainName": "a"}}},
        {"body": 1, "origin": 1, "headers": {"a": 1, "b": [1], "c": [{}]}},
        {"origin": {"custom": {"domainName": "a", "sslProtocols": 1, "customHeaders": 1}}},
    ],
)
def test_odd_events_are_no_fault_of_the_result(more: dict[str, Any]) -> None:
    request = {"method": "GET", "uri": "/", "headers": {}, "querystring": "", **more}
    cf = {"config": {"eventType": "origin-request"}, "request": request}
    result = {"uri": "/", "headers": {}, "method": "GET", "querystring": ""}
    findings, _ = judge_result({"Records": [{"cf": cf}]}, orjson.dumps(result))
    assert all(finding.rule for finding in findings)


VIEWER_EVENTS = (EventType.VIEWER_REQUEST, EventType.VIEWER_RESPONSE)


def made_for_cloudfront(site: Distribution, event_type: EventType) -> dict[str, Any]:
    trigger = Trigger(site, site.default_behavior, event_type)
    kind = EdgeFunctionKind.CLOUDFRONT
    event: dict[str, Any] = orjson.loads(sample_event(trigger, kind, Clock(), Chance(1)))
    return event


@pytest.mark.parametrize("event_type", VIEWER_EVENTS)
def test_what_a_cloudfront_function_hands_back_is_sound(
    site: Distribution, event_type: EventType
) -> None:
    event = made_for_cloudfront(site, event_type)
    assert judge_cloudfront_result(event, event.get("response") or event["request"]) == ((), False)


@pytest.mark.parametrize(
    ("event_type", "change", "rules"),
    [
        (EventType.VIEWER_REQUEST, {"method": "PUT"}, ["CFF-RET-08"]),
        (EventType.VIEWER_REQUEST, {"headers": {}}, ["CFF-HDR-02"]),
        (
            EventType.VIEWER_REQUEST,
            {"uri": "/a", "querystring": "?a b"},
            ["CFF-QS-03", "CFF-QS-04"],
        ),
        (EventType.VIEWER_RESPONSE, {"statusCode": "200"}, ["CFF-RES-02"]),
        (EventType.VIEWER_RESPONSE, {"body": {}}, ["CFF-RES-04"]),
    ],
)
def test_what_cloudfront_refuses_of_a_cloudfront_function(
    site: Distribution, event_type: EventType, change: dict[str, Any], rules: list[str]
) -> None:
    event = made_for_cloudfront(site, event_type)
    result = {**(event.get("response") or event["request"]), **change}
    findings, is_refused = judge_cloudfront_result(event, result)
    assert ([finding.rule for finding in findings], is_refused) == (rules, True)


@pytest.mark.parametrize("event_type", VIEWER_EVENTS)
@pytest.mark.parametrize(
    "part", [None, {}, {"headers": {"a": "1"}}, {"headers": {"a": {}}}, {"headers": 1}]
)
def test_an_event_that_lacks_something_is_not_judged(
    site: Distribution, event_type: EventType, part: dict[str, Any] | None
) -> None:
    event = made_for_cloudfront(site, event_type)
    name = "response" if "response" in event else "request"
    event[name] = {**event[name], **part} if part else part
    assert judge_cloudfront_result(event, None) == ((), False)
    assert judge_cloudfront_result([], None) == ((), False)


@pytest.mark.rule("CFF-EVT-03")
def test_the_sample_event_of_a_tenant_has_its_endpoint(tmp_path: Path) -> None:
    tenant = only_distribution(
        load_site(tmp_path, config=MULTI_TENANT, Acme=tenant_of_site("acme.test", {"name": "acme"}))
    )
    assert tenant.tenant is not None
    trigger = Trigger(tenant, tenant.default_behavior, EventType.VIEWER_REQUEST)
    cloudfront: dict[str, Any] = orjson.loads(
        sample_event(trigger, EdgeFunctionKind.CLOUDFRONT, Clock(), Chance(1))
    )
    assert cloudfront["context"]["endpoint"] == tenant.domain_name
    assert "distributionDomainName" not in cloudfront["context"]
    at_edge = made(tenant, EventType.VIEWER_REQUEST)["Records"][0]["cf"]["config"]
    ids = (cloudfront["context"]["distributionId"], at_edge["distributionId"])
    assert ids == (tenant.tenant.distribution_id,) * 2
