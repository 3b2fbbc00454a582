"""CloudFront Functions over the API: stages, versions, tests, and what the edge then runs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edgeproxy.testing import Site
from tests.support.aws import cloudfront, refused
from tests.support.origin import Origin
from tests.support.viewer_functions import function

NAME = "CffViewerRequest"
MARK = "event.request.headers['x-mark'] = {{value: '{}'}};"
EVENT = {
    "version": "1.0",
    "context": {"eventType": "viewer-request"},
    "viewer": {"ip": "198.51.100.1"},
    "request": {"method": "GET", "uri": "/a", "headers": {}, "cookies": {}, "querystring": {}},
}


def marking(mark: str) -> str:
    return function(MARK.format(mark))


@pytest.fixture
def site(serve_cff: Callable[..., Site]) -> Site:
    return serve_cff({"viewer-request": marking("definition")})


@pytest.fixture
def client(site: Site) -> Any:
    return cloudfront(site.endpoints["cloudfront_api"])


def etag(client: Any, name: str, stage: str = "DEVELOPMENT") -> str:
    text: str = client.describe_function(Name=name, Stage=stage)["ETag"]
    return text


def config(comment: str = "", runtime: str = "cloudfront-js-2.0", *arns: str) -> dict[str, Any]:
    associated = {"Quantity": len(arns), "Items": [{"KeyValueStoreARN": arn} for arn in arns]}
    more = {"KeyValueStoreAssociations": associated} if arns else {}
    return {"Comment": comment, "Runtime": runtime, **more}


def create(client: Any, name: str, code: str = "", **more: Any) -> Any:
    return client.create_function(
        Name=name,
        FunctionConfig=more.get("config", config("mine")),
        FunctionCode=(code or marking("api")).encode(),
    )


def run_test(client: Any, name: str, event: Any = EVENT, **more: Any) -> dict[str, Any]:
    stage = more.get("Stage", "DEVELOPMENT")
    result: dict[str, Any] = client.test_function(
        Name=name,
        IfMatch=etag(client, name, stage),
        EventObject=json.dumps(event).encode(),
        **more,
    )["TestResult"]
    return result


def output(result: dict[str, Any]) -> Any:
    assert result["FunctionErrorMessage"] == ""
    return json.loads(result["FunctionOutput"])


@pytest.mark.rule("CFF-ASSOC-04", "CFF-ASSOC-05")
def test_only_what_is_published_serves(site: Site, client: Any, origin: Origin) -> None:
    def served() -> str | None:
        site.get(f"/{len(origin.got)}")
        return origin.got[-1].header("x-mark")

    assert served() == "definition"
    updated = client.update_function(
        Name=NAME,
        IfMatch=etag(client, NAME),
        FunctionConfig=config("newer"),
        FunctionCode=marking("api").encode(),
    )
    assert updated["FunctionSummary"]["FunctionMetadata"]["Stage"] == "DEVELOPMENT"
    assert updated["FunctionSummary"]["Status"] == "UNPUBLISHED"
    assert served() == "definition"
    codes = {
        stage: client.get_function(Name=NAME, Stage=stage)["FunctionCode"].read()
        for stage in ("DEVELOPMENT", "LIVE")
    }
    assert codes == {"DEVELOPMENT": marking("api").encode(), "LIVE": marking("definition").encode()}
    published = client.publish_function(Name=NAME, IfMatch=updated["ETag"])["FunctionSummary"]
    assert published["FunctionMetadata"]["Stage"] == "LIVE"
    assert published["Status"] == "DEPLOYED"
    assert published["FunctionConfig"]["Comment"] == "newer"
    assert served() == "api"


@pytest.mark.rule("CFF-ASSOC-04", "CFF-ASSOC-06", "CFF-ASSOC-07", "CDN-CFG-210", "CDN-CFG-212")
def test_a_function_made_over_the_api(client: Any) -> None:
    made = create(client, "a-New_1")
    summary = made["FunctionSummary"]
    arn = "arn:aws:cloudfront::123456789012:function/a-New_1"
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["Location"].endswith(f"/2020-05-31/function/{arn}")
    assert summary["FunctionMetadata"]["FunctionARN"] == arn
    assert summary["FunctionMetadata"]["Stage"] == "DEVELOPMENT"
    assert summary["FunctionConfig"] == config("mine")
    assert summary["Status"] == "UNPUBLISHED"
    described = client.describe_function(Name="a-New_1")
    assert described["FunctionSummary"] == summary
    assert described["ETag"] == made["ETag"]
    assert refused(client.describe_function, Name="a-New_1", Stage="LIVE")[0] == 404
    published = client.publish_function(Name="a-New_1", IfMatch=made["ETag"])
    assert published["FunctionSummary"]["Status"] == "UNASSOCIATED"
    code = client.get_function(Name="a-New_1", Stage="LIVE")
    assert code["ContentType"] == "application/octet-stream"
    assert code["FunctionCode"].read() == marking("api").encode()
    deleted = client.delete_function(Name="a-New_1", IfMatch=etag(client, "a-New_1"))
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(client.get_function, Name="a-New_1") == (404, "NoSuchFunctionExists")


def test_lists_have_stages_and_pages(client: Any) -> None:
    for name in ("one", "two"):
        create(client, name)
    live = client.list_functions(Stage="LIVE")["FunctionList"]
    assert [each["Name"] for each in live["Items"]] == [NAME]
    found: list[list[str]] = []
    marker: dict[str, str] = {}
    while True:
        listed = client.list_functions(Stage="DEVELOPMENT", MaxItems="2", **marker)["FunctionList"]
        found.append([each["Name"] for each in listed["Items"]])
        assert listed["MaxItems"] == 2
        if "NextMarker" not in listed:
            break
        marker = {"Marker": listed["NextMarker"]}
    assert found == [[NAME, "one"], ["two"]]
    assert client.list_functions()["FunctionList"]["Quantity"] == 4
    assert refused(client.list_functions, Stage="PRODUCTION") == (400, "InvalidArgument")
    assert refused(client.list_functions, Marker="nobody") == (400, "InvalidArgument")


@pytest.mark.rule("CFF-ASSOC-08")
def test_every_change_needs_the_current_version(client: Any) -> None:
    old = create(client, "fn")["ETag"]
    code = {"FunctionConfig": config(), "FunctionCode": b"function handler() {}"}
    new = client.update_function(Name="fn", IfMatch=old, **code)["ETag"]
    assert new != old
    stale = {"Name": "fn", "IfMatch": old}
    assert refused(client.update_function, **stale, **code) == (412, "PreconditionFailed")
    assert refused(client.publish_function, **stale) == (412, "PreconditionFailed")
    assert refused(client.delete_function, **stale) == (412, "PreconditionFailed")
    event = json.dumps(EVENT).encode()
    answer = refused(client.test_function, **stale, EventObject=event)
    assert answer == (400, "InvalidIfMatchVersion")
    assert refused(client.publish_function, Name="fn", IfMatch="") == (400, "InvalidIfMatchVersion")
    client.publish_function(Name="fn", IfMatch=new)
    assert etag(client, "fn", "LIVE") != etag(client, "fn")


@pytest.mark.rule("CFF-ASSOC-06", "CFF-ASSOC-09", "CFF-LIM-01", "CDN-CFG-210")
def test_refusals(client: Any) -> None:
    assert refused(create, client=client, name=NAME) == (409, "FunctionAlreadyExists")
    long = f"/*{'x' * 10_237}*/"
    assert len(long) == 10_241
    assert refused(create, client=client, name="l", code=long) == (413, "FunctionSizeLimitExceeded")
    assert create(client, "fits", long[:-3] + "*/")["ETag"]
    in_use = refused(client.delete_function, Name=NAME, IfMatch=etag(client, NAME))
    assert in_use == (409, "FunctionInUse")
    for name in ("with.dot", "with space", "x" * 65):
        assert refused(create, client=client, name=name) == (400, "InvalidArgument")
    assert create(client, "x" * 64)["ETag"]
    too_long = {"FunctionConfig": config(), "FunctionCode": long.encode()}
    answer = refused(client.update_function, Name=NAME, IfMatch=etag(client, NAME), **too_long)
    assert answer == (413, "FunctionSizeLimitExceeded")
    unknown: list[tuple[Any, dict[str, Any]]] = [
        (client.describe_function, {}),
        (client.get_function, {}),
        (client.publish_function, {"IfMatch": "E"}),
        (client.delete_function, {"IfMatch": "E"}),
        (client.update_function, {"IfMatch": "E", **too_long}),
        (client.test_function, {"IfMatch": "E", "EventObject": json.dumps(EVENT).encode()}),
    ]
    for operation, more in unknown:
        assert refused(operation, Name="no", **more) == (404, "NoSuchFunctionExists")


@pytest.mark.rule("CFF-ASSOC-07", "CFF-KVS-01", "CDN-CFG-210", "CDN-CFG-212")
def test_a_function_has_one_store_and_runtime_2(client: Any) -> None:
    arns = [client.create_key_value_store(Name=name)["KeyValueStore"]["ARN"] for name in ("a", "b")]
    wrong = [
        config("", "cloudfront-js-2.0", *arns),
        config("", "cloudfront-js-1.0", arns[0]),
        config("", "cloudfront-js-2.0", arns[0][:-4] + "ffff"),
        config("", "cloudfront-js-3.0"),
    ]
    for each in wrong:
        assert refused(create, client=client, name="fn", config=each) == (400, "InvalidArgument")
    right = config("", "cloudfront-js-2.0", arns[0])
    assert create(client, "fn", config=right)["FunctionSummary"]["FunctionConfig"] == right
    version = client.describe_key_value_store(Name="a")["ETag"]
    answer = refused(client.delete_key_value_store, Name="a", IfMatch=version)
    assert answer == (409, "CannotDeleteEntityWhileInUse")


@pytest.mark.rule("CFF-ASSOC-07")
@pytest.mark.parametrize("given", ["Comment", "Runtime"])
def test_a_configuration_needs_comment_and_runtime(site: Site, given: str) -> None:
    value = {"Comment": "", "Runtime": "cloudfront-js-2.0"}[given]
    request = (
        f"<CreateFunctionRequest><Name>fn</Name><FunctionConfig><{given}>{value}</{given}>"
        "</FunctionConfig><FunctionCode>Lw==</FunctionCode></CreateFunctionRequest>"
    )
    api = site.endpoints["cloudfront_api"]
    answer = site.post("/2020-05-31/function", request.encode(), url=api)
    assert answer.status == 400
    assert "<Code>InvalidArgument</Code>" in answer.text


def test_nothing_has_tags(client: Any) -> None:
    arn = create(client, "fn")["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
    assert client.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == []
    foreign = {"Resource": arn.replace("123456789012", "210987654321")}
    assert refused(client.list_tags_for_resource, **foreign) == (404, "NoSuchResource")


@pytest.mark.rule("CFF-LIM-06")
def test_an_account_has_a_hundred_functions(client: Any) -> None:
    for number in range(99):
        create(client, f"fn-{number}")
    assert refused(create, client=client, name="one-more") == (400, "TooManyFunctions")


@pytest.mark.rule("CFF-TEST-01", "CFF-TEST-02", "CFF-TEST-03", "CFF-LIM-03")
def test_a_test_shows_what_the_function_made(client: Any) -> None:
    create(client, "fn", function("console.log('at ' + event.request.uri);", MARK.format("x")))
    result = run_test(client, "fn")
    assert output(result) == {
        "request": EVENT["request"] | {"headers": {"x-mark": {"value": "x"}}}  # type: ignore[operator]
    }
    assert result["FunctionExecutionLogs"] == ["at /a"]
    assert 0 <= int(result["ComputeUtilization"]) <= 100
    assert result["FunctionSummary"]["Name"] == "fn"
    assert result["FunctionSummary"]["FunctionMetadata"]["Stage"] == "DEVELOPMENT"


@pytest.mark.rule("CFF-TEST-01")
def test_either_stage_is_tested_by_its_own_version(client: Any) -> None:
    made = create(client, "fn", function(result="{statusCode: 200}"))
    client.publish_function(Name="fn", IfMatch=made["ETag"])
    client.update_function(
        Name="fn",
        IfMatch=made["ETag"],
        FunctionConfig=config(),
        FunctionCode=function(result="{statusCode: 201}").encode(),
    )
    codes = {
        stage: output(run_test(client, "fn", Stage=stage))["response"]["statusCode"]
        for stage in ("LIVE", "DEVELOPMENT")
    }
    assert codes == {"LIVE": 200, "DEVELOPMENT": 201}


@pytest.mark.rule("CFF-TEST-02")
@pytest.mark.parametrize(
    ("event_type", "result", "expected"),
    [
        ("viewer-request", "event.request", {"request": EVENT["request"]}),
        (
            "viewer-request",
            "{statusCode: 302, statusDescription: 'Found'}",
            {"response": {"cookies": {}, "statusCode": 302, "statusDescription": "Found"}},
        ),
        (
            "viewer-request",
            "{statusCode: 200, cookies: {a: {value: '1'}}}",
            {"response": {"cookies": {"a": {"value": "1"}}, "statusCode": 200}},
        ),
        ("viewer-response", "event.response", {"response": {"statusCode": 200, "headers": {}}}),
    ],
)
def test_the_output_says_which_message_it_is(
    client: Any, event_type: str, result: str, expected: Any
) -> None:
    create(client, "fn", function(result=result))
    event = EVENT | {
        "context": {"eventType": event_type},
        "response": {"statusCode": 200, "headers": {}},
    }
    assert output(run_test(client, "fn", event)) == expected


@pytest.mark.rule("CFF-TEST-03", "CFF-LIM-07")
def test_events_that_are_refused(client: Any) -> None:
    create(client, "fn", function())
    upper = {**EVENT, "request": {"headers": {"X-A": {"value": "1"}}}}
    events = [b"{", b"[]", b"{}", json.dumps(upper).encode()]
    fits = json.dumps(EVENT).encode().ljust(40_960)
    for event in (*events, fits + b" "):
        answer = refused(
            client.test_function, Name="fn", IfMatch=etag(client, "fn"), EventObject=event
        )
        assert answer == (400, "InvalidArgument")
    client.test_function(Name="fn", IfMatch=etag(client, "fn"), EventObject=fits)


@pytest.mark.rule("CFF-TEST-04", "CFF-ORG-22")
def test_a_test_finds_execution_errors_only(serve_cff: Callable[..., Site], origin: Origin) -> None:
    code = function("event.request.headers['X-Upper'] = {value: 1};", "delete event.request.uri;")
    site = serve_cff({"viewer-request": code})
    client = cloudfront(site.endpoints["cloudfront_api"])
    assert site.get("/").status == 502
    assert "X-Upper" in output(run_test(client, NAME))["request"]["headers"]
    head = "import cf from 'cloudfront';"
    refused_origin = function("cf.updateRequestOrigin({domainName: 7});", head=head)
    moved = function("cf.updateRequestOrigin({domainName: 'b.example'});", head=head)
    for name, rewriting in (("refused", refused_origin), ("moved", moved)):
        create(client, name, rewriting)
        assert output(run_test(client, name)) == {"request": EVENT["request"]}


@pytest.mark.rule("CFF-TEST-05")
def test_a_failing_function_gives_a_result(client: Any) -> None:
    create(client, "throws", function("console.log('before');", "throw new TypeError('no such');"))
    create(client, "broken", "function handler(event {")
    result = run_test(client, "throws")
    assert "TypeError: no such" in result["FunctionErrorMessage"]
    assert result["FunctionOutput"] == ""
    assert result["FunctionExecutionLogs"] == ["before"]
    assert "SyntaxError" in run_test(client, "broken")["FunctionErrorMessage"]


@pytest.mark.rule("CFF-LOG-03")
def test_a_test_is_in_no_log_and_no_metric(site: Site, client: Any) -> None:
    def document(path: str) -> Any:
        return site.get(path, url=site.endpoints["control"]).json()

    def seen() -> tuple[Any, Any]:
        exchanges = document("/api/exchanges")["exchanges"]
        metrics = document("/api/metrics")["metrics"]
        return exchanges, [each for each in metrics if "FunctionName" in each["dimensions"]]

    before = seen()
    run_test(client, NAME)
    run_test(client, NAME, Stage="LIVE")
    assert seen() == before


@pytest.mark.rule("CFF-KVS-11")
def test_a_test_reads_the_store(client: Any) -> None:
    arn = client.create_key_value_store(Name="words")["KeyValueStore"]["ARN"]
    code = (
        "import cf from 'cloudfront';\n"
        "async function handler(event) {\n"
        "  event.request.uri = '/' + (await cf.kvs().exists('k'));\n"
        "  return event.request;\n"
        "}\n"
    )
    create(client, "reads", code, config=config("", "cloudfront-js-2.0", arn))
    create(client, "alone", code)
    assert output(run_test(client, "reads"))["request"]["uri"] == "/false"
    assert "KVSNamespaceNotFound" in run_test(client, "alone")["FunctionErrorMessage"]
