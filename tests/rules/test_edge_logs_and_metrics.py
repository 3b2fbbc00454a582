"""Log groups and metrics of edge functions, through a whole edge and its control listener."""

import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template
from tests.support.viewer_functions import function, viewer_functions_template

rule = pytest.mark.rule

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# What the environment says of the log goes to the origin and comes back in the body.
WHERE = """
    import os
    def handler(event, context):
        print("hello")
        request = event["Records"][0]["cf"]["request"]
        body = {
            "group": os.environ["AWS_LAMBDA_LOG_GROUP_NAME"],
            "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
            "context": [context.log_group_name, context.log_stream_name],
        }
        return {"status": "200", "body": __import__("json").dumps(body)}
"""
WHERE_NODE = """
    exports.handler = async (event, context) => {
      console.log("hello");
      const body = {
        group: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
        stream: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
        context: [context.logGroupName, context.logStreamName],
      };
      return { status: "200", body: JSON.stringify(body) };
    };
"""
REFUSED = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        if request["uri"] == "/refused":
            request["headers"]["host"] = [{"key": "Host", "value": "elsewhere.example"}]
            request["headers"]["x-edge-mine"] = [{"key": "X-Edge-Mine", "value": "1"}]
        if request["uri"] == "/raised":
            raise ValueError("boom")
        return request
"""


@pytest.fixture
def web(origin: Origin) -> Origin:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60", "Content-Type": "text/plain"})
    return origin


def call(site: Site, path: str) -> Any:
    """Status and JSON of a call to the control listener."""
    response = site.request("GET", path, url=site.endpoints["control"])
    return response.status, response.json()


def lines(site: Site, group: str, limit: int = 100) -> list[dict[str, str]]:
    status, document = call(site, f"/api/logs?group={group}&limit={limit}")
    assert (status, document["group"]) == (200, group), document
    found: list[dict[str, str]] = document["lines"]
    return found


def groups(site: Site) -> list[str]:
    found: list[str] = call(site, "/api/logs")[1]["groups"]
    return found


def distribution_id(site: Site) -> str:
    return str(site.endpoints["distributions"]["Site"]["id"])


def sums(site: Site, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The sums of one metric by its dimensions."""
    metrics = call(site, "/api/metrics")[1]["metrics"]
    return {
        tuple(metric["dimensions"].items()): metric["sum"]
        for metric in metrics
        if metric["name"] == name
    }


@rule("LE-LOG-01", "LE-LOG-02", "LR-165")
@pytest.mark.parametrize(("runtime", "code"), [("python3.12", WHERE), ("nodejs22.x", WHERE_NODE)])
@pytest.mark.parametrize(
    ("config", "group"),
    [
        ({}, "/aws/lambda/us-east-1.auth"),
        ({"LogGroup": "/MyLogGroup"}, "/MyLogGroup"),
        ({"LogGroup": "/aws/lambda/auth"}, "/aws/lambda/us-east-1.auth"),
    ],
)
def test_the_log_group_of_an_edge_function(
    shared: Edge,
    web: Origin,
    tmp_path: Path,
    runtime: str,
    code: str,
    config: dict[str, str],
    group: str,
) -> None:
    path = distribution_template(
        tmp_path,
        {"viewer-request": code},
        runtime=runtime,
        function_properties={"FunctionName": "auth", "LoggingConfig": config},
    )
    site = shared.serve(path, origins={"web": web.url})
    told: Any = site.get("/").json()
    assert told["context"] == [told["group"], told["stream"]]
    assert told["group"] == group
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", told["stream"])
    assert groups(site) == [group]
    # A second environment may have started meanwhile, with a stream of its own.
    written = [line for line in lines(site, group) if line["stream"] == told["stream"]]
    assert [line["message"].split()[0] for line in written[:2]] == ["INIT_START", "START"]
    assert written[2]["message"].split("\t")[-1] == "hello"
    assert set(written[2]) == {"time", "request_id", "stream", "message"}
    assert lines(site, group, 2) == lines(site, group)[-2:]
    # The function's own log has the same lines, by where they were written.
    own = call(site, "/api/functions/auth/logs")[1]["lines"]
    assert {line["message"] for line in written} <= {line["message"] for line in own}
    assert [line["message"] for line in own if line["stream"] == "stdout"] == [
        written[2]["message"]
    ]


@rule("LE-LOG-03", "LE-LOG-04")
def test_why_a_result_was_refused(shared: Edge, web: Origin, tmp_path: Path) -> None:
    path = distribution_template(tmp_path, {"viewer-request": REFUSED})
    site = shared.serve(path, origins={"web": web.url})
    refused, raised = site.get("/refused"), site.get("/raised")
    assert (refused.status, raised.status) == (502, 503)
    (_, exchange) = site.exchanges(2)
    (run,) = exchange.functions
    group = f"/aws/cloudfront/LambdaEdge/{distribution_id(site)}"
    (line,) = lines(site, group)
    request_id = refused.headers.get("X-Amz-Cf-Id")
    assert line["message"].startswith(f"({request_id}) ERROR Validation error: ")
    assert "x-edge-mine" in line["message"].lower()
    assert line["message"].endswith(f"Lambda request ID: {run.request_id}")
    assert line["request_id"] == request_id
    assert re.fullmatch(rf"\d{{4}}/\d\d?/\d\d?/{UUID}", line["stream"])


@rule("CFF-LOG-01", "CFF-LOG-02")
def test_the_log_group_of_a_cloudfront_function(shared: Edge, web: Origin, tmp_path: Path) -> None:
    code = function("if (event.request.uri == '/loud') { console.log('a'); console.log('b'); }")
    site = shared.serve(
        viewer_functions_template(tmp_path, {"viewer-request": code}), origins={"web": web.url}
    )
    site.get("/quiet")
    loud = site.get("/loud")
    site.exchanges(2)
    (group,) = groups(site)
    name = group.removeprefix("/aws/cloudfront/function/")
    written = lines(site, group)
    request_id = loud.headers.get("X-Amz-Cf-Id")
    assert [line["message"] for line in written] == [
        f"{request_id} START DistributionID: {distribution_id(site)}",
        f"{request_id} a",
        f"{request_id} b",
        f"{request_id} END",
    ]
    assert {line["request_id"] for line in written} == {request_id}
    assert re.fullmatch(rf"\d{{4}}/\d\d?/\d\d?/{UUID}", written[0]["stream"])
    own = call(site, f"/api/functions/{name}/logs?limit=2")[1]["lines"]
    assert [line["message"] for line in own] == [f"{request_id} b", f"{request_id} END"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/logs?group=/aws/lambda/none", 404, "NoSuchLogGroup"),
        ("/api/logs?group=/aws/lambda/none&limit=0", 400, "InvalidArgument"),
        ("/api/functions/none/logs", 404, "NoSuchFunction"),
        ("/api/metrics?minutes=x", 400, "InvalidArgument"),
    ],
)
def test_errors_of_the_api(
    shared: Edge, web: Origin, tmp_path: Path, path: str, status: int, code: str
) -> None:
    site = shared.serve(distribution_template(tmp_path), origins={"web": web.url})
    assert groups(site) == []
    answered, document = call(site, path)
    assert (answered, document["error"]["code"]) == (status, code)
    assert document["error"]["message"]


@rule("LE-MET-01", "LE-MET-02", "LI-250", "LI-251", "LI-252", "LI-253", "LI-255", "LI-256")
def test_metrics_of_an_edge_function(shared: Edge, web: Origin, tmp_path: Path) -> None:
    path = distribution_template(
        tmp_path, {"viewer-request": REFUSED}, function_properties={"FunctionName": "auth"}
    )
    site = shared.serve(path, origins={"web": web.url})
    for uri in ("/refused", "/raised", "/raised", "/fine"):
        site.get(uri)
    site.exchanges(4)
    name, resource = ("FunctionName", "auth"), ("Resource", "auth:1")
    for metric, total in (("Invocations", 4), ("Errors", 2)):
        assert sums(site, metric) == {(): total, (name,): total, (name, resource): total}
    assert sums(site, "Duration")[(name,)] > 0
    assert sums(site, "ConcurrentExecutions") == {(): 4, (name,): 4}
    assert sums(site, "UnreservedConcurrentExecutions") == {(): 4}
    place = (("DistributionId", distribution_id(site)), ("Region", "Global"))
    assert sums(site, "LambdaExecutionError") == {place: 2}
    assert sums(site, "LambdaValidationError") == {place: 1}
    assert sums(site, "Lambda5xxErrorRate") == {place: 300}
    assert sums(site, "5xxErrorRate") == {place: 300}
    assert sums(site, "502ErrorRate") == {place: 100}

    metrics = call(site, "/api/metrics?minutes=180")[1]["metrics"]
    (requests,) = [metric for metric in metrics if metric["name"] == "Requests"]
    assert sum(minute["sum"] for minute in requests["minutes"]) == 4
    assert all(re.fullmatch(r".*T\d\d:\d\d:00\.000Z", m["time"]) for m in requests["minutes"])
    text = site.request("GET", "/metrics", url=site.endpoints["control"]).text
    assert 'aws_lambda_invocations_sum{FunctionName="auth"} 4\n' in text


@rule("FU-128", "LI-256")
def test_metrics_of_a_function_url(shared: Edge, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def handler(event, context):\n"
        "    if event['rawPath'] == '/raises':\n"
        "        raise ValueError\n"
        "    return {'statusCode': int(event['rawPath'][1:])}\n"
    )
    template = """
        Transform: AWS::Serverless-2016-10-31
        Resources:
          Api:
            Type: AWS::Serverless::Function
            Properties:
              FunctionName: api
              CodeUri: .
              Handler: app.handler
              Runtime: python3.12
              AutoPublishAlias: live
              FunctionUrlConfig: {AuthType: NONE}
    """
    (tmp_path / "template.yaml").write_text(dedent(template))
    site = shared.serve(tmp_path / "template.yaml")
    url = next(iter(site.endpoints["function_urls"].values()))["url"]
    for path in ("/200", "/404", "/raises", "/503"):
        site.request("GET", path, url=url)
    site.exchanges(4)
    name, resource = ("FunctionName", "api"), ("Resource", "api:live")
    of_version = (name, resource, ("ExecutedVersion", "1"))
    for metric, total in (("UrlRequestCount", 4), ("Url4xxCount", 1), ("Url5xxCount", 2)):
        assert sums(site, metric) == {(name,): total, (name, resource): total, of_version: total}
    assert sums(site, "UrlRequestLatency")[(name,)] > sums(site, "Duration")[(name,)] > 0
    text = site.request("GET", "/metrics", url=site.endpoints["control"]).text
    assert 'aws_lambda_urlrequestcount_sum{FunctionName="api"} 4\n' in text
    assert 'aws_lambda_urlrequestlatency{FunctionName="api",quantile="0.5"} ' in text


@rule("CFF-MET-01")
def test_metrics_of_a_cloudfront_function(shared: Edge, web: Origin, tmp_path: Path) -> None:
    code = function("if (event.request.uri == '/fails') throw new Error('no');")
    site = shared.serve(
        viewer_functions_template(tmp_path, {"viewer-request": code}), origins={"web": web.url}
    )
    site.get("/")
    site.get("/fails")
    site.exchanges(2)
    for name, total in {
        "FunctionInvocations": 2,
        "FunctionValidationErrors": 0,
        "FunctionExecutionErrors": 1,
        "FunctionThrottles": 0,
    }.items():
        found = sums(site, name)
        assert set(found.values()) == {total}
        assert {tuple(key for key, _ in dimensions) for dimensions in found} == {
            ("FunctionName", "Region"),
            ("DistributionId", "FunctionName", "Region"),
        }
    (utilisation, _) = [
        m
        for m in call(site, "/api/metrics")[1]["metrics"]
        if m["name"] == "FunctionComputeUtilization"
    ]
    assert utilisation["count"] == 2
    assert 0 <= utilisation["max"] <= 100


SAM = """
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function:
        Runtime: nodejs22.x
        Handler: app.handler
        LoggingConfig:
          LogFormat: JSON
          ApplicationLogLevel: WARN
    Resources:
      Group:
        Type: AWS::Logs::LogGroup
        Properties: {LogGroupName: /shop/api}
      Api:
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: api
          CodeUri: ./api
          FunctionUrlConfig: {AuthType: NONE}
          LoggingConfig:
            LogGroup: !Ref Group
            SystemLogLevel: DEBUG
"""


@rule("LR-280", "LR-281", "LR-286")
def test_logging_config_of_a_sam_template(shared: Edge, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "app.js").write_text(
        "exports.handler = async () => {"
        " console.info('low'); console.warn('high'); process.stdout.write('plain\\n');"
        " return 'x'; };"
    )
    path = tmp_path / "template.yaml"
    path.write_text(dedent(SAM))
    site = shared.serve(path)
    url = site.endpoints["function_urls"]["ApiUrl"]["url"]
    assert site.request("GET", "/", url=url).status == 200
    written = [line["message"] for line in lines(site, "/shop/api")]
    assert "plain" in written
    written.remove("plain")
    documents = [json.loads(text) for text in written]
    assert [document.get("type", document.get("message")) for document in documents] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "high",
        "platform.runtimeDone",
        "platform.report",
    ]


@rule("LR-280")
@pytest.mark.parametrize(
    "config",
    [
        {"ApplicationLogLevel": "WARN"},
        {"LogFormat": "Text", "SystemLogLevel": "WARN"},
        {"LogFormat": "Xml"},
        {"LogFormat": "JSON", "SystemLogLevel": "ERROR"},
        {"LogFormat": "JSON", "ApplicationLogLevel": "LOUD"},
    ],
)
def test_a_logging_config_that_aws_refuses(
    shared: Edge, tmp_path: Path, config: dict[str, str]
) -> None:
    path = distribution_template(
        tmp_path, {"viewer-request": WHERE}, function_properties={"LoggingConfig": config}
    )
    with pytest.raises(Exception, match=next(reversed(config))) as refused:
        shared.serve(path)
    assert "LoggingConfig" in str(refused.value)
