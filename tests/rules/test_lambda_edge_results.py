"""Results of Lambda@Edge functions, as sections 5 to 13 of the reference judge them.

Each row hands in a message, takes the event's own JSON, changes it as a function would and looks
at what follows.
"""

import base64
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson
import pytest

from edgeproxy.distribution.model import CustomOrigin, EventType, Origin, S3Origin
from edgeproxy.events.lambda_edge import (
    Changed,
    Continue,
    EventBody,
    EventContext,
    Generated,
    Invalid,
    decode_request_result,
    decode_response_result,
    encode_event,
)
from edgeproxy.http.body import BytesBody
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request, Response, Viewer

VREQ, OREQ = EventType.VIEWER_REQUEST, EventType.ORIGIN_REQUEST
ORES, VRES = EventType.ORIGIN_RESPONSE, EventType.VIEWER_RESPONSE

Json: TypeAlias = dict[str, Any]
Edit: TypeAlias = Callable[[Json], object]

REQUEST = Request(
    "POST",
    "/p%20q",
    "a=1",
    headers=Headers(
        [
            ("Host", "d1.cloudfront.net"),
            ("Cookie", "a=1"),
            ("X-Real-IP", "10.0.0.1"),
            ("accept-encoding", "gzip"),
            ("Cookie", "b=2"),
            ("Content-Length", "3"),
            ("Via", "1.1 x"),
        ]
    ),
    viewer=Viewer("203.0.113.1"),
)
CUSTOM = Origin("web", "www.example.com", CustomOrigin())
BUCKET = Origin("files", "assets.s3.us-west-2.amazonaws.com", S3Origin())
OAI_BUCKET = Origin("files", "assets.s3.us-west-2.amazonaws.com", S3Origin("identity/E1"))
RESPONSE = Response(
    200,
    Headers(
        [
            ("Content-Type", "text/html"),
            ("Transfer-Encoding", "chunked"),
            ("Via", "1.1 o"),
            ("Set-Cookie", "a=1"),
            ("X-Cache", "Hit from the origin's own cache"),
        ]
    ),
    BytesBody(b"origin"),
    "OK",
)


def entry(value: object, key: str | None = None) -> list[Json]:
    return [{"value": value} if key is None else {"key": key, "value": value}]


def returned(
    edit: Edit,
    event_type: EventType = VREQ,
    *,
    request: Request = REQUEST,
    origin: Origin | None = None,
    body: EventBody | None = None,
    strict: bool = True,
) -> Continue | Generated | Invalid:
    """What follows when a function edits its request and returns it."""
    context = EventContext("d1.cloudfront.net", "E1", "id")
    if event_type is OREQ and origin is None:
        origin = CUSTOM
    event = encode_event(event_type, context, request, origin=origin, body=body)
    message = orjson.loads(event)["Records"][0]["cf"]["request"]
    edit(message)
    return decode_request_result(
        event_type,
        orjson.dumps(message),
        request=request,
        origin=origin,
        body=body,
        strict=strict,
    )


def answered(result: object, event_type: EventType = VREQ) -> Continue | Generated | Invalid:
    """What follows when a request function returns a value of its own."""
    payload = result if isinstance(result, bytes) else orjson.dumps(result)
    return decode_request_result(event_type, payload, request=REQUEST, origin=CUSTOM)


def changed(
    edit: Edit, event_type: EventType = ORES, response: Response = RESPONSE
) -> Changed | Invalid:
    """What follows when a function edits its response and returns it."""
    context = EventContext("d1.cloudfront.net", "E1", "id")
    event = encode_event(event_type, context, REQUEST, response=response)
    message = orjson.loads(event)["Records"][0]["cf"]["response"]
    edit(message)
    return decode_response_result(event_type, orjson.dumps(message), response=response)


def set_(**fields: object) -> Edit:
    return lambda message: message.update(fields)


def drop(*names: str) -> Edit:
    return lambda message: [message.pop(name) for name in names]


def header(name: str, value: object) -> Edit:
    return lambda message: message["headers"].update({name: value})


def without_header(name: str) -> Edit:
    return lambda message: message["headers"].pop(name)


def origin_field(name: str, value: object) -> Edit:
    return lambda message: next(iter(message["origin"].values())).update({name: value})


def nothing(message: Json) -> None:
    """Leave the message as it is."""


def rule_of(outcome: object, kind: str = "") -> str:
    assert isinstance(outcome, Invalid), outcome
    assert outcome.sentence
    assert outcome.findings[-1].message
    if kind:
        assert outcome.kind == kind
    return outcome.findings[-1].rule


def proceeding(outcome: object) -> Continue:
    assert isinstance(outcome, Continue), outcome
    return outcome


def generated(outcome: object) -> Response:
    assert isinstance(outcome, Generated), outcome
    return outcome.response


def altered(outcome: object) -> Changed:
    assert isinstance(outcome, Changed), outcome
    return outcome


def row(rule: str, *values: object, also: tuple[str, ...] = ()) -> Any:
    return pytest.param(rule, *values, marks=pytest.mark.rule(rule, *also))


# --- unchanged results --------------------------------------------------------------------------


@pytest.mark.rule("LE-RET-01", "LE-URI-09", "LE-HDR-09")
@pytest.mark.parametrize("event_type", [VREQ, OREQ])
def test_an_unchanged_request_is_the_very_same(event_type: EventType) -> None:
    outcome = proceeding(returned(nothing, event_type))
    assert outcome.request is REQUEST
    assert outcome == Continue(REQUEST)


@pytest.mark.rule("LE-RET-03", "LE-ORES-03")
@pytest.mark.parametrize("event_type", [ORES, VRES])
def test_an_unchanged_response_is_the_very_same(event_type: EventType) -> None:
    outcome = altered(changed(nothing, event_type))
    assert outcome.response is RESPONSE
    assert not outcome.body_replaced


RAW = b"\xe9".decode("utf-8", "surrogateescape")


@pytest.mark.rule("LE-URI-09", "LE-HDR-23")
def test_what_a_function_leaves_alone_goes_on_byte_for_byte() -> None:
    request = Request("GET", f"/{RAW}", RAW, headers=Headers([("X-A", RAW), ("X-B", RAW)]))
    assert proceeding(returned(nothing, request=request)).request is request
    both = proceeding(returned(header("x-b", entry("é2")), request=request)).request
    assert (both.path, both.query) == (f"/{RAW}", RAW)
    assert both.headers.lines() == [("X-A", RAW), ("X-B", "é2")]
    renamed = proceeding(returned(header("x-b", entry("é", "x-B")), request=request)).request
    assert renamed.headers.lines() == [("X-A", RAW), ("x-B", RAW)]
    moved = proceeding(returned(set_(uri="/è"), request=request)).request
    assert (moved.path, moved.query) == ("/è", RAW)


# --- what may be returned -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "result", "kind"),
    [
        row("LE-RET-05", None, "json"),
        row("LE-RET-05", "text", "json"),
        row("LE-RET-05", 1, "json"),
        row("LE-RET-05", [{"uri": "/"}], "json"),
        row("LE-RET-06", {"Records": [{"cf": {}}]}, "shape"),
        row("LE-RET-07", b"{", "json"),
        row("LE-RET-07", {}, "shape"),
        row("LE-RET-07", {"statusCode": 200, "body": ""}, "shape"),
    ],
)
def test_what_is_no_result_at_all(rule: str, result: object, kind: str) -> None:
    assert rule_of(answered(result), kind) == rule
    payload = result if isinstance(result, bytes) else orjson.dumps(result)
    for event_type in (ORES, VRES):
        outcome = decode_response_result(event_type, payload, response=RESPONSE)
        assert rule_of(outcome, kind) == rule


@pytest.mark.rule("LE-RET-02")
def test_an_object_with_a_status_is_a_response() -> None:
    assert generated(answered({"status": "204", "uri": "/", "method": "GET"})).status == 204


@pytest.mark.rule("LE-RET-03")
@pytest.mark.parametrize("event_type", [ORES, VRES])
def test_response_events_take_no_request(event_type: EventType) -> None:
    outcome = decode_response_result(
        event_type, b'{"uri":"/","method":"GET","headers":{}}', response=RESPONSE
    )
    assert rule_of(outcome, "shape") == "LE-RET-03"


@pytest.mark.rule("LE-RET-08")
def test_read_only_fields_of_a_request() -> None:
    assert rule_of(returned(set_(method="GET")), "read-only") == "LE-RET-08"
    lenient = proceeding(returned(set_(method="GET"), strict=False))
    assert lenient.request is REQUEST
    assert [finding.rule for finding in lenient.findings] == ["LE-RET-08"]
    assert proceeding(returned(set_(clientIp="::1"))).request is REQUEST


@pytest.mark.rule("LE-RET-09")
def test_which_fields_may_be_missing() -> None:
    assert rule_of(returned(drop("uri")), "shape") == "LE-RET-09"
    assert rule_of(returned(drop("headers")), "shape") == "LE-RET-09"
    assert rule_of(returned(set_(uri=1)), "uri") == "LE-RET-09"
    assert proceeding(returned(drop("querystring", "method"))).request.query is None


@pytest.mark.rule("LE-RET-11")
def test_unknown_fields_are_ignored() -> None:
    assert proceeding(returned(set_(extra=[1]))).request is REQUEST
    assert altered(changed(set_(extra=[1]))).response is RESPONSE
    assert generated(answered({"status": 200, "extra": 1})).status == 200


# --- URI and query string -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        row("LE-URI-01", {"uri": "index.html"}),
        row("LE-URI-01", {"uri": ""}),
        row("LE-URI-01", {"uri": "https://e.example/"}),
        row("LE-URI-02", {"uri": "/" + "a" * 8188, "querystring": "a=1"}),
        row("LE-URI-03", {"querystring": "a=b c"}),
        row("LE-URI-03", {"querystring": "a=\n"}),
        row("LE-URI-03", {"querystring": "a#b"}),
        row("LE-URI-03", {"querystring": "a=\x7f"}),
        row("LE-URI-04", {"uri": "/a b"}),
        row("LE-URI-04", {"uri": "/a\x01"}),
        row("LE-URI-10", {"uri": "/a?b=1"}),
    ],
)
@pytest.mark.parametrize("event_type", [VREQ, OREQ])
def test_invalid_uris(rule: str, fields: Json, event_type: EventType) -> None:
    assert rule_of(returned(set_(**fields), event_type), "uri") == rule


@pytest.mark.rule("LE-URI-02")
def test_a_url_just_short_enough() -> None:
    outcome = proceeding(returned(set_(uri="/" + "a" * 8187, querystring="a=1")))
    assert len(outcome.request.path) == 8188


@pytest.mark.rule("LE-URI-10")
def test_a_question_mark_is_tolerated_when_lenient() -> None:
    outcome = proceeding(returned(set_(uri="/a?b=1"), strict=False))
    assert outcome.request.path == "/a?b=1"
    assert [finding.rule for finding in outcome.findings] == ["LE-URI-10"]


@pytest.mark.rule("LE-URI-05", "LE-URI-06")
def test_a_changed_uri_and_query() -> None:
    request = proceeding(returned(set_(uri="/b", querystring="c=%20"))).request
    assert (request.path, request.query) == ("/b", "c=%20")
    assert request.headers is REQUEST.headers
    assert proceeding(returned(set_(querystring=""))).request.query is None


# --- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "name", "value", "kind"),
    [
        row("LE-HDR-01", "x-edge-flag", entry("1"), "disallowed", also=("LE-HDR-03",)),
        row("LE-HDR-01", "Connection", entry("close"), "disallowed"),
        row("LE-HDR-01", "client-cert", entry("x"), "disallowed", also=("LE-HDR-02",)),
        row("LE-HDR-13", "x-a", {"value": "1"}, "headers"),
        row("LE-HDR-13", "x-a", "1", "headers"),
        row("LE-HDR-13", "x-a", None, "headers"),
        row("LE-HDR-13", "x-cache", None, "headers"),
        row("LE-HDR-13", "x-a", ["1"], "headers"),
        row("LE-HDR-14", "x-a", entry(1), "headers"),
        row("LE-HDR-14", "x-a", entry(None), "headers"),
        row("LE-HDR-14", "x-a", entry({}), "headers"),
        row("LE-HDR-14", "x-a", entry(True), "headers"),
        row("LE-HDR-14", "x-a", [{"key": "X-A"}], "headers"),
        row("LE-HDR-15", "x-a", entry("1\r\nX-B: 2"), "headers"),
        row("LE-HDR-15", "x-a", entry("\x00"), "headers"),
        row("LE-HDR-16", "x-a", entry("1", "x-b"), "headers"),
        row("LE-HDR-16", "x-a", entry("1", "X-A\r\nX-B"), "headers"),
        row("LE-RET-07", "x a", entry("1"), "headers"),
        row("LE-RET-07", "x-a\r\nx-b", entry("1"), "headers"),
    ],
)
def test_invalid_headers(rule: str, name: str, value: object, kind: str) -> None:
    for event_type in (VREQ, OREQ):
        assert rule_of(returned(header(name, value), event_type), kind) == rule
    for event_type in (ORES, VRES):
        assert rule_of(changed(header(name, value), event_type), kind) == rule


READ_ONLY_ROWS = [
    pytest.param(VREQ, "host", marks=pytest.mark.rule("LE-HDR-04", "LE-HDR-24", "LE-HDR-08")),
    *(
        pytest.param(VREQ, name, marks=pytest.mark.rule("LE-HDR-04", "LE-HDR-08"))
        for name in ("content-length", "transfer-encoding", "via", "cdn-loop")
    ),
    *(
        pytest.param(OREQ, name, marks=pytest.mark.rule("LE-HDR-05", "LE-HDR-08"))
        for name in (
            "accept-encoding",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
            "cdn-loop",
        )
    ),
    *(
        pytest.param(ORES, name, marks=pytest.mark.rule("LE-HDR-06", "LE-HDR-08"))
        for name in ("transfer-encoding", "via")
    ),
    *(
        pytest.param(VRES, name, marks=pytest.mark.rule("LE-HDR-07", "LE-HDR-08"))
        for name in ("warning", "via", "content-length", "content-encoding", "transfer-encoding")
    ),
]


@pytest.mark.parametrize(("event_type", "name"), READ_ONLY_ROWS)
def test_read_only_headers(event_type: EventType, name: str) -> None:
    expected = "LE-HDR-24" if name == "host" else "LE-HDR-08"
    present = Headers([(name.title(), "v")])
    if event_type in (VREQ, OREQ):

        def judge(edit: Edit, headers: Headers) -> object:
            return returned(edit, event_type, request=Request("GET", "/", headers=headers))
    else:

        def judge(edit: Edit, headers: Headers) -> object:
            return changed(edit, event_type, Response(200, headers))

    assert rule_of(judge(header(name, entry("new")), Headers()), "read-only") == expected
    assert rule_of(judge(header(name, entry("new")), present), "read-only") == expected
    assert rule_of(judge(without_header(name), present), "read-only") == expected
    assert rule_of(judge(header(name, []), present), "read-only") == expected
    same = judge(header(name, entry("v")), present)
    assert isinstance(same, Continue | Changed)


@pytest.mark.rule("LE-HDR-08")
def test_a_fresh_response_object_loses_read_only_headers() -> None:
    fresh = b'{"status":"200","headers":{}}'
    assert rule_of(decode_response_result(ORES, fresh, response=RESPONSE)) == "LE-HDR-08"


@pytest.mark.rule("LE-HDR-05", "LE-HDR-24")
def test_host_may_be_changed_in_an_origin_request() -> None:
    outcome = proceeding(returned(header("host", entry("other.example")), OREQ))
    assert outcome.request.host == "other.example"


@pytest.mark.rule("LE-HDR-10", "LE-HDR-18")
def test_other_headers_may_be_added_changed_and_deleted() -> None:
    def edit(message: Json) -> None:
        del message["headers"]["accept-encoding"]
        message["headers"]["cookie"] = [{"key": "Cookie", "value": v} for v in ("c=3", "d=4", "e")]
        message["headers"]["x-new"] = entry("n")

    outcome = proceeding(returned(edit))
    assert outcome.request.headers.lines() == [
        ("Host", "d1.cloudfront.net"),
        ("Cookie", "c=3"),
        ("X-Real-IP", "10.0.0.1"),
        ("Cookie", "d=4"),
        ("Content-Length", "3"),
        ("Via", "1.1 x"),
        ("Cookie", "e"),
        ("X-New", "n"),
    ]


@pytest.mark.rule("LE-HDR-11")
@pytest.mark.parametrize("name", ["x-my-id", "X-MY-ID"])
def test_a_missing_key_is_made_from_the_name(name: str) -> None:
    request = proceeding(returned(header(name, entry("1")))).request
    assert request.headers.lines()[-1] == ("X-My-Id", "1")


@pytest.mark.rule("LE-HDR-12")
def test_a_given_key_keeps_its_case() -> None:
    request = proceeding(returned(header("x-my-id", entry("1", "x-MY-iD")))).request
    assert request.headers.lines()[-1] == ("x-MY-iD", "1")


@pytest.mark.rule("LE-HDR-17")
def test_names_in_mixed_case_are_folded_with_a_warning() -> None:
    outcome = proceeding(returned(header("X-Mixed", entry("1"))))
    assert outcome.request.headers.get("x-mixed") == "1"
    assert [finding.rule for finding in outcome.findings] == ["LE-HDR-17"]
    twice = proceeding(returned(header("Cookie", entry("c=3"))))
    assert twice.request.headers.get_all("cookie") == ["a=1", "b=2", "c=3"]


@pytest.mark.rule("LE-HDR-19")
def test_an_empty_array_deletes_the_header() -> None:
    assert "Cookie" not in proceeding(returned(header("cookie", []))).request.headers


@pytest.mark.rule("LE-HDR-20")
def test_cloudfront_headers_may_be_added_in_an_origin_request() -> None:
    outcome = proceeding(returned(header("cloudfront-viewer-country", entry("FR")), OREQ))
    assert outcome.request.headers.get("CloudFront-Viewer-Country") == "FR"


@pytest.mark.rule("LE-HDR-22")
def test_the_viewer_country_may_not_be_added_in_a_viewer_request() -> None:
    edit = header("cloudfront-viewer-country", entry("FR"))
    assert rule_of(returned(edit), "disallowed") == "LE-HDR-22"
    sent = Request("GET", "/", headers=Headers([("CloudFront-Viewer-Country", "DE")]))
    assert proceeding(returned(header("x-a", entry("1")), request=sent))


@pytest.mark.rule("LE-HDR-25")
def test_x_forwarded_for_is_writable() -> None:
    sent = Request("GET", "/", headers=Headers([("X-Forwarded-For", "1.2.3.4")]))
    outcome = proceeding(returned(header("x-forwarded-for", entry("::1")), OREQ, request=sent))
    assert outcome.request.headers.get("X-Forwarded-For") == "::1"


@pytest.mark.rule("LE-HDR-26")
def test_a_request_may_not_grow_past_its_limit() -> None:
    assert rule_of(returned(header("x-a", entry("a" * 32_768))), "size") == "LE-HDR-26"
    assert proceeding(returned(header("x-a", entry("a" * 32_000))))


# --- request body -------------------------------------------------------------------------------


def body(**fields: object) -> Edit:
    return set_(body=fields)


@pytest.mark.rule("LE-BODY-06")
def test_a_read_only_body_is_ignored() -> None:
    def edit(message: Json) -> None:
        message["body"]["data"] = "b3RoZXI="
        message["body"]["encoding"] = "text"

    outcome = proceeding(returned(edit, body=EventBody(b"old")))
    assert outcome.body is None
    assert [finding.rule for finding in outcome.findings] == ["LE-BODY-06"]
    assert proceeding(returned(nothing, body=EventBody(b"old"))).findings == ()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"encoding": "text", "data": "né"},
            "né".encode(),
            marks=pytest.mark.rule("LE-BODY-07", "LE-BODY-08", "LE-BODY-11"),
        ),
        pytest.param(
            {"encoding": "base64", "data": "AP8="}, b"\0\xff", marks=pytest.mark.rule("LE-BODY-08")
        ),
        pytest.param({"data": "AP8="}, b"\0\xff", marks=pytest.mark.rule("LE-BODY-08")),
        pytest.param({"data": ""}, b"", marks=pytest.mark.rule("LE-BODY-07")),
    ],
)
def test_a_replaced_body(fields: Json, expected: bytes) -> None:
    assert proceeding(returned(body(action="replace", **fields))).body == expected


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        row("LE-BODY-09", {"action": "replace", "encoding": "base64", "data": "%%%"}),
        row("LE-BODY-09", {"action": "replace", "data": "AP8"}),
        row("LE-BODY-14", {"action": "append", "data": ""}),
        row("LE-BODY-14", {"action": "replace", "encoding": "utf8", "data": ""}),
        row("LE-RET-07", {"action": "replace", "data": {"a": 1}}),
    ],
)
def test_invalid_bodies(rule: str, fields: Json) -> None:
    assert rule_of(returned(set_(body=fields)), "body") == rule


@pytest.mark.rule("LE-BODY-10")
@pytest.mark.parametrize(
    ("event_type", "encoding", "limit"),
    [
        (VREQ, "text", 40_960),
        (OREQ, "text", 1_048_576),
        (VREQ, "base64", 54_476),
        (OREQ, "base64", 1_394_604),
    ],
)
def test_size_of_a_replaced_body(event_type: EventType, encoding: str, limit: int) -> None:
    fits = body(action="replace", encoding=encoding, data="A" * limit)
    assert proceeding(returned(fits, event_type))
    more = body(action="replace", encoding=encoding, data="A" * (limit + 4))
    assert rule_of(returned(more, event_type), "body") == "LE-BODY-10"


# --- origin -------------------------------------------------------------------------------------

NEW_CUSTOM = {
    "customHeaders": {"x-k": entry("v")},
    "domainName": "b.example",
    "keepaliveTimeout": 5,
    "path": "/v2",
    "port": 8443,
    "protocol": "https",
    "readTimeout": 10,
    "responseCompletionTimeout": 20,
    "sslProtocols": ["TLSv1.2", "TLSv1.1"],
}
NEW_S3 = {
    "authMethod": "none",
    "customHeaders": {},
    "domainName": "other.s3.eu-west-1.amazonaws.com",
    "path": "/x",
    "region": "",
}


@pytest.mark.rule("LE-ORG-01")
def test_only_an_origin_request_changes_the_origin() -> None:
    assert proceeding(returned(set_(origin={"custom": NEW_CUSTOM}))) == Continue(REQUEST)


@pytest.mark.rule("LE-ORG-02", "LE-ORG-04")
@pytest.mark.parametrize("before", [CUSTOM, BUCKET, OAI_BUCKET])
def test_any_origin_may_become_a_custom_origin(before: Origin) -> None:
    outcome = proceeding(returned(set_(origin={"custom": NEW_CUSTOM}), OREQ, origin=before))
    assert outcome.request is REQUEST
    new = outcome.origin
    assert new is not None
    assert (new.id, new.domain_name, new.origin_path) == (before.id, "b.example", "/v2")
    assert new.custom_headers.lines() == [("X-K", "v")]
    assert new.response_completion_timeout_s == 20
    assert new.config == CustomOrigin("https-only", 80, 8443, ("TLSv1.2", "TLSv1.1"), 10, 5)


@pytest.mark.rule("LE-ORG-04", "LE-ORG-14")
@pytest.mark.parametrize("before", [CUSTOM, BUCKET, OAI_BUCKET])
def test_any_origin_may_become_an_s3_origin(before: Origin) -> None:
    new = proceeding(returned(set_(origin={"s3": NEW_S3}), OREQ, origin=before)).origin
    assert new is not None
    assert new.domain_name == "other.s3.eu-west-1.amazonaws.com"
    assert new.config == S3Origin()


@pytest.mark.rule("LE-ORG-14")
def test_the_access_identity_is_kept_between_s3_origins() -> None:
    new = proceeding(returned(origin_field("path", "/x"), OREQ, origin=OAI_BUCKET)).origin
    assert new is not None
    assert new.config == S3Origin("identity/E1")


@pytest.mark.rule("LE-ORG-09")
def test_no_completion_timeout_restores_the_default() -> None:
    before = Origin("web", "a.example", CustomOrigin(), response_completion_timeout_s=50)
    for value in ({"responseCompletionTimeout": 0}, {}):
        custom = {k: v for k, v in NEW_CUSTOM.items() if k != "responseCompletionTimeout"}
        edit = set_(origin={"custom": {**custom, **value}})
        new = proceeding(returned(edit, OREQ, origin=before)).origin
        assert new is not None
        assert new.response_completion_timeout_s is None


@pytest.mark.rule("LE-ORG-19")
def test_a_missing_origin_stays() -> None:
    assert proceeding(returned(drop("origin"), OREQ)) == Continue(REQUEST)


@pytest.mark.rule("LE-RET-07")
def test_missing_fields_of_an_origin_are_reported() -> None:
    edit = set_(origin={"custom": {"domainName": "b.example", "protocol": "https"}})
    outcome = proceeding(returned(edit, OREQ, origin=BUCKET))
    assert outcome.origin is not None
    assert isinstance(outcome.origin.config, CustomOrigin)
    assert outcome.origin.config.https_port == 443
    assert {finding.rule for finding in outcome.findings} >= {"LE-RET-07"}


@pytest.mark.rule("LE-ORG-15")
def test_the_host_header_does_not_follow_the_origin() -> None:
    outcome = proceeding(returned(origin_field("domainName", "b.example"), OREQ))
    assert outcome.request.host == "d1.cloudfront.net"
    assert [finding.rule for finding in outcome.findings] == ["LE-ORG-15"]

    def with_host(message: Json) -> None:
        origin_field("domainName", "b.example")(message)
        header("host", entry("b.example"))(message)

    assert proceeding(returned(with_host, OREQ)).findings == ()


@pytest.mark.rule("LE-ORG-16")
def test_a_bucket_wants_its_own_host() -> None:
    outcome = proceeding(returned(set_(origin={"s3": NEW_S3}), OREQ))
    assert [finding.rule for finding in outcome.findings] == ["LE-ORG-16"]


@pytest.mark.parametrize(
    ("rule", "origin"),
    [
        row("LE-ORG-03", {"custom": NEW_CUSTOM, "s3": NEW_S3}),
        row("LE-ORG-03", {}),
        row("LE-ORG-03", None),
        row("LE-RET-07", {"custom": "b.example"}),
        *(
            row(rule, {"custom": {**NEW_CUSTOM, name: value}})
            for rule, name, value in [
                ("LE-ORG-05", "domainName", ""),
                ("LE-ORG-05", "domainName", None),
                ("LE-ORG-05", "domainName", "b.example:80"),
                ("LE-ORG-05", "domainName", "192.0.2.1"),
                ("LE-ORG-05", "domainName", "192.0.2.1."),
                ("LE-ORG-05", "domainName", "127.1"),
                ("LE-ORG-05", "domainName", "2130706433"),
                ("LE-ORG-05", "domainName", "::1"),
                ("LE-ORG-05", "domainName", ".".join(["a" * 60] * 5)),
                ("LE-ORG-06", "path", "v2"),
                ("LE-ORG-06", "path", "/v2/"),
                ("LE-ORG-06", "path", "/"),
                ("LE-ORG-06", "path", "/a b"),
                ("LE-ORG-06", "path", "/" + "a" * 255),
                ("LE-ORG-06", "path", "/a%2"),
                ("LE-ORG-07", "port", 81),
                ("LE-ORG-07", "port", 1023),
                ("LE-ORG-07", "port", 65536),
                ("LE-ORG-07", "port", "443"),
                ("LE-ORG-07", "port", True),
                ("LE-ORG-07", "protocol", "ftp"),
                ("LE-ORG-08", "keepaliveTimeout", 0),
                ("LE-ORG-08", "keepaliveTimeout", 121),
                ("LE-ORG-08", "readTimeout", 0),
                ("LE-ORG-08", "readTimeout", 121),
                ("LE-ORG-08", "readTimeout", "30"),
                ("LE-ORG-09", "responseCompletionTimeout", 9),
                ("LE-ORG-10", "sslProtocols", ["TLSv1.4"]),
                ("LE-ORG-10", "sslProtocols", "TLSv1.2"),
            ]
        ),
        row("LE-ORG-05", {"s3": {**NEW_S3, "domainName": "Upper.s3.amazonaws.com"}}),
        row("LE-ORG-05", {"s3": {**NEW_S3, "domainName": "a" * 62 + "." + "b" * 62 + ".com"}}),
        row("LE-ORG-05", {"s3": {**NEW_S3, "domainName": ""}}),
        row("LE-ORG-06", {"s3": {**NEW_S3, "path": "x"}}),
        row("LE-ORG-06", {"s3": {**NEW_S3, "path": "/x/"}}),
        row("LE-ORG-06", {"s3": {**NEW_S3, "path": "/"}}),
        row("LE-ORG-08", {"s3": {**NEW_S3, "readTimeout": 0}}),
        row("LE-ORG-08", {"s3": {**NEW_S3, "readTimeout": 121}}),
        row("LE-ORG-14", {"s3": {**NEW_S3, "authMethod": "origin-access-identity"}}),
        row("LE-ORG-14", {"s3": {**NEW_S3, "authMethod": "oac"}}),
    ],
)
def test_invalid_origins(rule: str, origin: object) -> None:
    assert rule_of(returned(set_(origin=origin), OREQ), "origin") == rule


LONG_NAME = ".".join(["a" * 62] * 4)  # 251 characters


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        pytest.param(kind, name, value, marks=pytest.mark.rule(rule))
        for rule, kind, name, value in [
            ("LE-ORG-05", "custom", "domainName", f"{LONG_NAME}.b"),
            ("LE-ORG-05", "custom", "domainName", "1.example"),
            ("LE-ORG-05", "s3", "domainName", f"{'a' * 60}.{'b' * 46}.s3.amazonaws.com"),
            ("LE-ORG-06", "custom", "path", ""),
            ("LE-ORG-06", "custom", "path", "/" + "a" * 254),
            ("LE-ORG-06", "custom", "path", "/a//b/%C3%A9"),
            ("LE-ORG-06", "s3", "path", ""),
            ("LE-ORG-06", "s3", "path", "/" + "a" * 300),
            ("LE-ORG-06", "s3", "path", "/a b"),
            *(("LE-ORG-07", "custom", "port", port) for port in (80, 443, 1024, 65_535)),
            *(("LE-ORG-07", "custom", "protocol", name) for name in ("http", "https")),
            *(("LE-ORG-08", "custom", "keepaliveTimeout", seconds) for seconds in (1, 120)),
            ("LE-ORG-08", "custom", "readTimeout", 1),
            ("LE-ORG-08", "s3", "readTimeout", 1),
            ("LE-ORG-08", "s3", "readTimeout", 120),
            ("LE-ORG-09", "custom", "responseCompletionTimeout", 10),
            ("LE-ORG-10", "custom", "sslProtocols", ["TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3"]),
        ]
    ],
)
def test_origins_that_are_just_right(kind: str, name: str, value: object) -> None:
    fields = {**(NEW_CUSTOM if kind == "custom" else NEW_S3), name: value}
    assert proceeding(returned(set_(origin={kind: fields}), OREQ)).origin is not None


@pytest.mark.rule("LE-ORG-14")
def test_an_access_identity_needs_a_region() -> None:
    outcome = returned(origin_field("region", ""), OREQ, origin=OAI_BUCKET)
    assert rule_of(outcome, "origin") == "LE-ORG-14"


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        row("LE-ORG-11", "x-edge-a"),
        row("LE-ORG-11", "connection"),
        row("LE-ORG-13", "cache-control"),
        row("LE-ORG-13", "X-Amz-Date"),
    ],
)
def test_names_no_custom_header_may_have(rule: str, name: str) -> None:
    edit = origin_field("customHeaders", {name: entry("1")})
    assert rule_of(returned(edit, OREQ), "disallowed") == rule


@pytest.mark.rule("LE-ORG-12")
def test_a_name_is_either_a_request_header_or_a_custom_header() -> None:
    edit = origin_field("customHeaders", {"x-k": entry("1")})
    sent = Request("GET", "/", headers=Headers([("X-K", "1")]))
    assert rule_of(returned(edit, OREQ, request=sent), "origin") == "LE-ORG-12"
    configured = Origin("web", "a.example", CustomOrigin(), custom_headers=Headers([("X-K", "1")]))
    added = header("x-k", entry("2"))
    assert rule_of(returned(added, OREQ, origin=configured), "origin") == "LE-ORG-12"
    assert proceeding(returned(header("x-a", entry("2")), OREQ, request=sent, origin=configured))


# --- generated responses ------------------------------------------------------------------------


@pytest.mark.rule("LE-GEN-01", "LE-GEN-04")
def test_a_generated_response() -> None:
    response = generated(
        answered(
            {
                "status": "302",
                "statusDescription": "Over There",
                "headers": {"location": entry("https://e.example/")},
            }
        )
    )
    assert (response.status, response.reason) == (302, "Over There")
    assert response.headers.lines() == [("Location", "https://e.example/")]
    assert response.body.length == 0


@pytest.mark.rule("LE-GEN-01", "LE-GEN-02", "LE-GEN-04", "LE-GEN-18")
def test_everything_but_the_status_is_optional() -> None:
    response = generated(answered({"status": 404}))
    assert (response.status, response.reason) == (404, "Not Found")
    assert response.headers.lines() == []


@pytest.mark.rule("LE-GEN-03")
@pytest.mark.parametrize("status", ["199", "600", 0, 100, "OK", "", None, True, 200.5, "2000"])
def test_invalid_statuses(status: object) -> None:
    assert rule_of(answered({"status": status}), "status") == "LE-GEN-03"


def body_of(response: Response) -> bytes:
    assert isinstance(response.body, BytesBody)
    return response.body.data


@pytest.mark.rule("LE-GEN-05", "LE-GEN-06")
def test_bodies_of_generated_responses() -> None:
    assert body_of(generated(answered({"status": 200, "body": "hé"}))) == "hé".encode()
    encoded = {"status": 200, "body": "AP8=", "bodyEncoding": "base64"}
    assert body_of(generated(answered(encoded))) == b"\0\xff"


@pytest.mark.parametrize(
    ("rule", "result", "kind"),
    [
        row("LE-GEN-05", {"status": 200, "body": {"a": 1}}, "body"),
        row("LE-GEN-05", {"status": 200, "body": None}, "body"),
        row("LE-GEN-06", {"status": 200, "body": "%", "bodyEncoding": "base64"}, "body"),
        row("LE-GEN-06", {"status": 200, "body": "", "bodyEncoding": "gzip"}, "body"),
        row("LE-GEN-07", {"status": "204", "body": "x"}, "body"),
        row("LE-GEN-13", {"status": 200, "headers": {"x-cache": entry("Hit")}}, "disallowed"),
        row("LE-GEN-14", {"status": 200, "headers": {"content-length": entry("1")}}, "read-only"),
        row(
            "LE-GEN-14",
            {"status": 200, "headers": {"Transfer-Encoding": entry("chunked")}},
            "read-only",
        ),
        row("LE-HDR-13", {"status": 200, "headers": {"x-a": "1"}}, "headers"),
        row("LE-RET-07", {"status": 200, "headers": []}, "shape"),
        row("LE-RET-07", {"status": 200, "statusDescription": "a\r\nX-B: 1"}, "shape"),
    ],
)
def test_invalid_generated_responses(rule: str, result: Json, kind: str) -> None:
    assert rule_of(answered(result), kind) == rule
    if rule != "LE-GEN-07":
        assert rule_of(answered(result, OREQ), kind) == rule


@pytest.mark.rule("LE-GEN-08")
def test_statuses_that_have_no_body() -> None:
    assert rule_of(answered({"status": 204, "body": "x"}, OREQ), "body") == "LE-GEN-08"
    assert generated(answered({"status": 204, "body": ""})).status == 204
    for status in (205, 304):
        outcome = answered({"status": status, "body": "x"}, OREQ)
        assert body_of(generated(outcome)) == b""
        assert isinstance(outcome, Generated)
        assert [finding.rule for finding in outcome.findings] == ["LE-GEN-08"]


@pytest.mark.rule("LE-GEN-09")
@pytest.mark.parametrize(("event_type", "limit"), [(VREQ, 40_960), (OREQ, 1_048_576)])
def test_size_of_a_generated_response(event_type: EventType, limit: int) -> None:
    headers = {"x-a": entry("b")}
    size_of_headers = len("X-A: b\r\n")
    fits = {"status": 200, "headers": headers, "body": "a" * (limit - size_of_headers)}
    assert generated(answered(fits, event_type))
    more = {"status": 200, "headers": headers, "body": "a" * limit}
    assert rule_of(answered(more, event_type), "body") == "LE-GEN-09"


@pytest.mark.rule("LE-GEN-10")
def test_a_base64_body_is_measured_decoded() -> None:
    data = base64.b64encode(bytes(40_960)).decode()
    assert generated(answered({"status": 200, "body": data, "bodyEncoding": "base64"}))


@pytest.mark.rule("LE-HDR-18")
def test_several_cookies_of_a_generated_response() -> None:
    headers = {"set-cookie": [{"value": "a=1"}, {"value": "b=2"}]}
    response = generated(answered({"status": 200, "headers": headers}))
    assert response.headers.lines() == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


# --- origin response ----------------------------------------------------------------------------


@pytest.mark.rule("LE-ORES-01", "LE-ORES-04", "LE-ORES-06")
def test_an_origin_response_may_be_replaced() -> None:
    def edit(message: Json) -> None:
        message.update(status=404, statusDescription="Gone Away", body="new")
        message["headers"]["x-a"] = entry("1")

    outcome = altered(changed(edit))
    response = outcome.response
    assert (response.status, response.reason, body_of(response)) == (404, "Gone Away", b"new")
    assert response.headers.get("X-A") == "1"
    assert response.headers.get("Content-Length") == "3"
    assert "Transfer-Encoding" not in response.headers
    assert response.headers.get("X-Cache")
    assert outcome.body_replaced


@pytest.mark.rule("LE-ORES-03")
def test_without_a_body_the_origin_s_passes() -> None:
    outcome = altered(changed(set_(status="404")))
    assert outcome.response.status == 404
    assert outcome.response.body is RESPONSE.body
    assert not outcome.body_replaced


@pytest.mark.rule("LE-ORES-04")
def test_an_empty_body_removes_the_origin_s() -> None:
    outcome = altered(changed(set_(body="")))
    assert body_of(outcome.response) == b""
    assert outcome.body_replaced
    assert rule_of(changed(set_(body={"a": 1})), "body") == "LE-ORES-04"


@pytest.mark.rule("LE-ORES-01")
def test_a_binary_body_of_an_origin_response() -> None:
    outcome = altered(changed(set_(body="AP8=", bodyEncoding="base64")))
    assert body_of(outcome.response) == b"\0\xff"


@pytest.mark.rule("LE-ORES-02")
@pytest.mark.parametrize("status", ["199", 600, "x", None])
def test_invalid_statuses_of_an_origin_response(status: object) -> None:
    assert rule_of(changed(set_(status=status)), "status") == "LE-ORES-02"


@pytest.mark.rule("LE-ORES-05")
def test_size_of_a_replaced_origin_response() -> None:
    bare = Response(200)
    assert altered(changed(set_(body="a" * 1_048_576), response=bare))
    over = changed(set_(body="a" * 1_048_577), response=bare)
    assert rule_of(over, "body") == "LE-ORES-05"


@pytest.mark.rule("LE-ORES-06")
def test_text_under_the_origin_s_content_encoding_is_reported() -> None:
    response = Response(200, Headers([("Content-Encoding", "gzip")]))
    outcome = altered(changed(set_(body="text"), response=response))
    assert outcome.response.headers.get("Content-Encoding") == "gzip"
    assert [finding.rule for finding in outcome.findings] == ["LE-ORES-06"]


def test_missing_headers_count_as_none() -> None:
    outcome = altered(changed(drop("headers"), response=Response(200, Headers([("X-A", "1")]))))
    assert outcome.response.headers.lines() == []


# --- viewer response ----------------------------------------------------------------------------


@pytest.mark.rule("LE-VRES-01", "LE-COOK-03")
def test_a_viewer_response_may_change_its_headers() -> None:
    edit = header("set-cookie", [{"value": "a=1"}, {"value": "b=2"}])
    response = altered(changed(edit, VRES)).response
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert response.body is RESPONSE.body


@pytest.mark.rule("LE-VRES-02")
def test_a_viewer_response_cannot_change_its_status() -> None:
    outcome = altered(changed(set_(status="418"), VRES))
    assert outcome.response is RESPONSE
    assert [finding.rule for finding in outcome.findings] == ["LE-VRES-02"]
    assert altered(changed(set_(status=200), VRES)).findings == ()


@pytest.mark.rule("LE-VRES-02")
def test_a_viewer_response_cannot_change_its_description() -> None:
    outcome = altered(changed(set_(statusDescription="Fine"), VRES))
    assert outcome.response is RESPONSE
    assert [finding.rule for finding in outcome.findings] == ["LE-VRES-02"]
    assert altered(changed(drop("statusDescription"), VRES)).findings == ()


@pytest.mark.rule("LE-RET-07")
@pytest.mark.parametrize("name", ["status", "statusDescription"])
@pytest.mark.parametrize("value", [None, {}, ["200"], 200.5])
def test_fields_of_a_viewer_response_have_their_types(name: str, value: object) -> None:
    assert rule_of(changed(set_(**{name: value}), VRES), "shape") == "LE-RET-07"


@pytest.mark.rule("LE-VRES-03")
def test_a_viewer_response_cannot_change_its_body() -> None:
    outcome = altered(changed(set_(body="new"), VRES))
    assert outcome.response is RESPONSE
    assert [finding.rule for finding in outcome.findings] == ["LE-VRES-03"]


@pytest.mark.rule("LE-ERR-07")
def test_viewers_are_told_the_kinds_apart() -> None:
    outcomes = [
        answered(None),
        answered({"status": 200, "headers": {"x-a": "1"}}),
        returned(header("via", entry("1"))),
        returned(header("x-cache", entry("1"))),
        returned(set_(uri="a")),
        answered({"status": 200, "body": 1}),
        returned(set_(origin={}), OREQ),
    ]
    sentences = [outcome.sentence for outcome in outcomes if isinstance(outcome, Invalid)]
    assert len(set(sentences)) == len(outcomes)
    assert "invalid origin configuration" in sentences[-1]
