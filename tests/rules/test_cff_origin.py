"""Origin helpers of CloudFront Functions."""

from typing import Any

import pytest

from edgeproxy.events.cloudfront_function import check_origin_headers
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.runtimes.cloudfront_js import (
    AccessControl,
    Completed,
    CustomOriginChange,
    Failed,
    OriginGroupChange,
    RunContext,
    SelectOrigin,
    UpdateOrigin,
)
from tests.unit.runtimes.cloudfront_js.running import EVENT, JS1, RESPONSE_EVENT, run

rule = pytest.mark.rule
ORIGINS = RunContext(origin_ids=("o1", "o2"))


def call(statement: str, event: dict[str, Any] = EVENT) -> Completed | Failed:
    code = (
        f"import cf from "
        f"'cloudfront';\nfunction "
        f"handler(event) "
        f"{{ {statement} return event.request; }}"
    )
    return run(code, event=event, context=ORIGINS)


def change(statement: str) -> object:
    outcome = call(statement)
    assert isinstance(outcome, Completed), outcome
    assert outcome.result == EVENT["request"]
    return outcome.origin


@rule("CFF-ORG-01", "CFF-ORG-02")
def test_without_a_helper_there_is_no_change() -> None:
    assert change("") is None
    assert change("cf.updateRequestOrigin({});") == UpdateOrigin()


@rule("CFF-ORG-02", "CFF-ORG-03")
def test_all_members() -> None:
    assert change(
        """cf.updateRequestOrigin({
            domainName: 'o2.example', hostHeader: 'h.example', originPath: '/p',
            customHeaders: {'x-a': '1'}, connectionAttempts: 2,
            originShield: {enabled: true, region: 'us-east-1'},
            originAccessControlConfig: {
              enabled: true, signingBehavior: 'always', signingProtocol: 'sigv4', originType: 's3'},
            timeouts: {readTimeout: 120, responseCompletionTimeout: 130, keepAliveTimeout: 7,
              connectionTimeout: 3},
            customOriginConfig: {port: 8443, protocol: 'https', sslProtocols: ['TLSv1.2'],
              ipAddressType: 'dualstack'},
            sni: 's.example', allowedCertificateNames: ['c.example']});"""
    ) == UpdateOrigin(
        domain_name="o2.example",
        host_header="h.example",
        origin_path="/p",
        custom_headers={"x-a": "1"},
        connection_attempts=2,
        connection_timeout_s=3,
        read_timeout_s=120,
        response_completion_timeout_s=130,
        keepalive_timeout_s=7,
        origin_shield_region="us-east-1",
        access_control=AccessControl(True, "always", "sigv4", "s3"),
        custom_origin=CustomOriginChange(8443, "https", ("TLSv1.2",), "dualstack"),
        sni="s.example",
        allowed_certificate_names=("c.example",),
    )


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param(
            "{customHeaders: {}}", UpdateOrigin(custom_headers={}), marks=rule("CFF-ORG-06")
        ),
        pytest.param(
            "{originShield: {enabled: false}}",
            UpdateOrigin(origin_shield_region=""),
            marks=rule("CFF-ORG-10"),
        ),
        pytest.param(
            "{originAccessControlConfig: {enabled: false}}",
            UpdateOrigin(access_control=AccessControl(False)),
            marks=rule("CFF-ORG-10"),
        ),
        pytest.param(
            "{originAccessControlConfig: {enabled: true, region: 'us-east-1', signingBehavior: "
            "'always', signingProtocol: 'sigv4', originType: 's3'}}",
            UpdateOrigin(access_control=AccessControl(True, "always", "sigv4", "s3")),
            marks=rule("CFF-ORG-10"),
        ),
        pytest.param("{originPath: ''}", UpdateOrigin(origin_path=""), marks=rule("CFF-ORG-03")),
        pytest.param(
            "{originPath: '/' + 'p'.repeat(254)}",
            UpdateOrigin(origin_path="/" + "p" * 254),
            marks=rule("CFF-ORG-03"),
        ),
        pytest.param(
            "{domainName: ('a'.repeat(62) + '.').repeat(4) + 'b'}",
            UpdateOrigin(domain_name=("a" * 62 + ".") * 4 + "b"),
            marks=rule("CFF-ORG-05"),
        ),
        pytest.param(
            "{domainName: 'bb.'.repeat(34) + 's3.us-east-1.amazonaws.com'}",
            UpdateOrigin(domain_name="bb." * 34 + "s3.us-east-1.amazonaws.com"),
            marks=rule("CFF-ORG-05"),
        ),
        pytest.param(
            "{allowedCertificateNames: new Array(20).fill('a'.repeat(64))}",
            UpdateOrigin(allowed_certificate_names=("a" * 64,) * 20),
            marks=rule("CFF-ORG-03"),
        ),
        pytest.param(
            "{connectionAttempts: 3, timeouts: {readTimeout: 1, responseCompletionTimeout: 1, "
            "keepAliveTimeout: 120, connectionTimeout: 10}}",
            UpdateOrigin(
                connection_attempts=3,
                connection_timeout_s=10,
                read_timeout_s=1,
                response_completion_timeout_s=1,
                keepalive_timeout_s=120,
            ),
            marks=rule("CFF-ORG-03"),
        ),
        pytest.param(
            "{mTLSConfig: 'off'}", UpdateOrigin(is_mtls_off=True), marks=rule("CFF-ORG-03")
        ),
    ],
)
def test_values_that_are_taken(properties: str, expected: UpdateOrigin) -> None:
    assert change(f"cf.updateRequestOrigin({properties});") == expected


@rule("CFF-ERR-02")
@pytest.mark.parametrize(
    ("properties", "rule_id"),
    [
        pytest.param(text, rule_id, marks=rule(rule_id))
        for text, rule_id in (
            ("{domain: 'a.example'}", "CFF-ORG-03"),
            ("undefined", "CFF-ORG-03"),
            ("{originPath: 'p'}", "CFF-ORG-03"),
            ("{originPath: '/p/'}", "CFF-ORG-03"),
            ("{originPath: '/p q'}", "CFF-ORG-03"),
            ("{originPath: '/p?q'}", "CFF-ORG-03"),
            ("{originPath: '/p\\r\\nX: y'}", "CFF-ORG-03"),
            ("{originPath: '/' + 'p'.repeat(255)}", "CFF-ORG-03"),
            ("{connectionAttempts: 0}", "CFF-ORG-03"),
            ("{connectionAttempts: 4}", "CFF-ORG-03"),
            ("{connectionAttempts: '1'}", "CFF-ORG-03"),
            ("{timeouts: {readTimeout: 121}}", "CFF-ORG-03"),
            ("{timeouts: {readTimeout: 0}}", "CFF-ORG-03"),
            ("{timeouts: {keepAliveTimeout: 121}}", "CFF-ORG-03"),
            ("{timeouts: {connectionTimeout: 11}}", "CFF-ORG-03"),
            ("{timeouts: {readTimeout: 9, responseCompletionTimeout: 8}}", "CFF-ORG-03"),
            ("{timeouts: {other: 1}}", "CFF-ORG-03"),
            ("{hostHeader: 5}", "CFF-ORG-03"),
            ("{sni: ''}", "CFF-ORG-03"),
            ("{allowedCertificateNames: new Array(21).fill('a')}", "CFF-ORG-03"),
            ("{allowedCertificateNames: ['a'.repeat(65)]}", "CFF-ORG-03"),
            ("{domainName: 'a.example:8080'}", "CFF-ORG-05"),
            ("{domainName: '192.0.2.1'}", "CFF-ORG-05"),
            ("{domainName: '127.1'}", "CFF-ORG-05"),
            ("{domainName: '2001:db8::1'}", "CFF-ORG-05"),
            ("{domainName: 'https://a.example'}", "CFF-ORG-05"),
            ("{domainName: 'a.'.repeat(130) + 'example'}", "CFF-ORG-05"),
            ("{domainName: 'a'.repeat(64) + '.example'}", "CFF-ORG-05"),
            ("{domainName: ('a'.repeat(62) + '.').repeat(4) + 'bc'}", "CFF-ORG-05"),
            ("{domainName: 'b' + 'bb.'.repeat(34) + 's3.us-east-1.amazonaws.com'}", "CFF-ORG-05"),
            ("{domainName: 'Bucket.s3.us-east-1.amazonaws.com'}", "CFF-ORG-05"),
            ("{customHeaders: {'X-A': '1'}}", "CFF-ORG-06"),
            ("{customHeaders: {'x-a': {value: '1'}}}", "CFF-ORG-06"),
            ("{customHeaders: {'x-a': 'a\\r\\nb: c'}}", "CFF-ORG-06"),
            ("{customHeaders: {'x-a': 'a\\x7f'}}", "CFF-ORG-06"),
            ("{originShield: {enabled: true, region: 'us-east-1', x: 1}}", "CFF-ORG-10"),
            ("{originAccessControlConfig: {enabled: false, id: 'E1'}}", "CFF-ORG-10"),
            ("{originShield: {enabled: true}}", "CFF-ORG-10"),
            ("{originAccessControlConfig: {enabled: true}}", "CFF-ORG-10"),
            (
                (
                    "{originAccessControlConfig: {enabled: true, signingBehavior: "
                    "'sometimes', signingProtocol: 'sigv4', originType: 's3'}}"
                ),
                "CFF-ORG-10",
            ),
            (
                (
                    "{originAccessControlConfig: {enabled: true, signingBehavior: "
                    "'always', signingProtocol: 'sigv4', originType: 'oai'}}"
                ),
                "CFF-ORG-10",
            ),
            ("{customOriginConfig: {port: 80, protocol: 'http'}}", "CFF-ORG-11"),
            ("{customOriginConfig: {port: 80, protocol: 'ftp', sslProtocols: []}}", "CFF-ORG-11"),
            ("{customOriginConfig: {port: 80, sslProtocols: ['TLSv1.2']}}", "CFF-ORG-11"),
            ("{customOriginConfig: {protocol: 'http', sslProtocols: ['TLSv1.2']}}", "CFF-ORG-11"),
            (
                "{customOriginConfig: {port: true, protocol: 'http', sslProtocols: []}}",
                "CFF-ORG-11",
            ),
            (
                "{customOriginConfig: {port: 80, protocol: 'http', sslProtocols: [], path: '/'}}",
                "CFF-ORG-11",
            ),
            (
                (
                    "{customOriginConfig: {port: 80, protocol: 'http', "
                    "sslProtocols: [], ipAddressType: 'ipv4'}}"
                ),
                "CFF-ORG-11",
            ),
        )
    ],
)
def test_refused_members_are_validation_errors(properties: str, rule_id: str) -> None:
    outcome = call(f"cf.updateRequestOrigin({properties});")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.rule) == ("FunctionValidationError", rule_id)
    assert "origin rewrite" in outcome.message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("'o2'", SelectOrigin("o2"), marks=rule("CFF-ORG-14")),
        pytest.param(
            "'o2', {hostHeader: 'h.example', sni: 's.example', allowedCertificateNames: ['c']}",
            SelectOrigin("o2", "h.example", "s.example", ("c",)),
            marks=rule("CFF-ORG-14"),
        ),
    ],
)
def test_selecting(arguments: str, expected: SelectOrigin) -> None:
    assert change(f"cf.selectRequestOriginById({arguments});") == expected


@rule("CFF-ORG-14")
def test_selecting_overrides_no_more() -> None:
    outcome = call("cf.selectRequestOriginById('o2', {originPath: '/x'});")
    assert isinstance(outcome, Failed)
    assert outcome.rule == "CFF-ORG-14"


@rule("CFF-ORG-15")
@pytest.mark.parametrize(
    "statement",
    [
        "cf.selectRequestOriginById('o3');",
        (
            "cf.createRequestOriginGroup({originIds: "
            ""
            ""
            "['o1', 'o3'], "
            "failoverCriteria: {statusCodes: [500]}});"
        ),
        (
            "cf.createRequestOriginGroup({originIds: "
            ""
            ""
            "[{originId: 'o3'}, {originId: "
            "'o1'}], failoverCriteria: {statusCodes: [500]}});"
        ),
    ],
)
def test_an_unknown_origin_fails_at_the_call(statement: str) -> None:
    outcome = call(statement)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message) == (
        "FunctionExecutionError",
        'Error: Origin "o3" was not found in the distribution',
    )


GROUP = "originIds: [{originId: 'o1'}, {originId: 'o2'}]"


@rule("CFF-ORG-16", "CFF-ORG-17")
@pytest.mark.parametrize("ids", [GROUP, "originIds: ['o1', 'o2']"])
def test_an_origin_group(ids: str) -> None:
    group = (
        f"cf.createRequestOriginGroup({{{ids}, failoverCriteria: {{statusCodes: [500, 503]}}}});"
    )
    assert change(group) == OriginGroupChange(
        (SelectOrigin("o1"), SelectOrigin("o2")), frozenset({500, 503})
    )


@rule("CFF-ORG-16", "CFF-ORG-17")
def test_an_origin_group_with_overrides() -> None:
    group = (
        "{originIds: [{originId: 'o1', originOverrides: {hostHeader: 'h.example'}}, "
        "{originId: 'o2'}], "
        "selectionCriteria: 'media-quality-score', failoverCriteria: {statusCodes: [404]}}"
    )
    assert change(f"cf.createRequestOriginGroup({group});") == OriginGroupChange(
        (SelectOrigin("o1", "h.example"), SelectOrigin("o2")),
        frozenset({404}),
        "media-quality-score",
    )


@pytest.mark.parametrize(
    ("group", "rule_id"),
    [
        pytest.param(text, rule_id, marks=rule(rule_id))
        for text, rule_id in (
            ("{originIds: ['o1'], failoverCriteria: {statusCodes: [500]}}", "CFF-ORG-16"),
            (
                "{originIds: ['o1', 'o2', 'o1'], failoverCriteria: {statusCodes: [500]}}",
                "CFF-ORG-16",
            ),
            ("{failoverCriteria: {statusCodes: [500]}}", "CFF-ORG-16"),
            (
                (
                    "{originIds: [{originId: 'o1', hostHeader: 'h.example'}, 'o2'], "
                    "failoverCriteria: {statusCodes: [500]}}"
                ),
                "CFF-ORG-16",
            ),
            (f"{{{GROUP}, failoverCriteria: {{statusCodes: [500], codes: []}}}}", "CFF-ORG-17"),
            (f"{{{GROUP}}}", "CFF-ORG-17"),
            (f"{{{GROUP}, failoverCriteria: {{statusCodes: []}}}}", "CFF-ORG-17"),
            (f"{{{GROUP}, failoverCriteria: {{statusCodes: [200]}}}}", "CFF-ORG-17"),
            (
                (
                    f"{{{GROUP}, failoverCriteria: {{statusCodes: [500]}}, "
                    "selectionCriteria: 'media-quality-based'}"
                ),
                "CFF-ORG-17",
            ),
        )
    ],
)
def test_a_wrong_origin_group(group: str, rule_id: str) -> None:
    outcome = call(f"cf.createRequestOriginGroup({group});")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.rule) == ("FunctionValidationError", rule_id)


@rule("CFF-ORG-01")
@pytest.mark.parametrize(
    "statement",
    [
        "cf.updateRequestOrigin({});",
        "cf.selectRequestOriginById('o1');",
        "cf.createRequestOriginGroup({});",
    ],
)
def test_helpers_work_in_viewer_request_only(statement: str) -> None:
    outcome = call(statement, RESPONSE_EVENT)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "FunctionExecutionError"
    assert "viewer-request" in outcome.message


@rule("CFF-ORG-01")
def test_helpers_need_runtime_2() -> None:
    outcome = run("import cf from 'cloudfront';\nfunction handler(event) {}", JS1)
    assert isinstance(outcome, Failed)


@rule("CFF-ORG-18")
def test_the_misnamed_sample_does_not_work() -> None:
    outcome = call("cf.overrideRequestOrigin('o2');")
    assert isinstance(outcome, Failed)
    assert outcome.message == "TypeError: not a function"


@rule("CFF-ORG-21")
def test_the_last_call_wins() -> None:
    statement = "cf.updateRequestOrigin({connectionAttempts: 9}); cf.selectRequestOriginById('o2');"
    assert change(statement) == SelectOrigin("o2")


@rule("CFF-ORG-02")
def test_later_changes_to_the_argument_do_not_count() -> None:
    statement = "var p = {originPath: '/a'}; cf.updateRequestOrigin(p); p.originPath = '/b';"
    assert change(statement) == UpdateOrigin(origin_path="/a")


@rule("CFF-ORG-07")
def test_custom_headers_that_cannot_be() -> None:
    request = Request("GET", "/", headers=Headers([("X-There", "1")]))
    for name in ("x-edge-a", "cache-control", "x-there", "x-amz-b", "connection"):
        assert [finding.rule for finding in check_origin_headers({name: "1"}, request)] == [
            "CFF-ORG-07"
        ]
    assert check_origin_headers({"x-new": "1", "authorization": "a"}, request) == []
