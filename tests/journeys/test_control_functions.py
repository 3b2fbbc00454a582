"""Functions over the control listener: what there is, events for them, and a run for a look."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, Site
from tests.support.control import call
from tests.support.origin import Answer, Origin
from tests.support.templates import distribution_template

LOOKING = """
    def handler(event, context):
        request = event["Records"][0]["cf"]["request"]
        print("looking at", request["uri"])
        if request["uri"] == "/fail":
            raise KeyError("<b>")
        if request["uri"] == "/wrong":
            request["headers"]["via"] = [{"key": "Via", "value": "me"}]
        return request
"""
MARKING = """
function handler(event) {
    console.log('marking ' + event.request.uri);
    event.request.headers['x-marked'] = {value: 'yes'};
    if (event.request.uri === '/fail') throw new Error('no');
    return event.request;
}
"""


@pytest.fixture
def site(edge: Edge, origin: Origin, tmp_path: Path) -> Site:
    origin.answer = Answer(headers={"Cache-Control": "max-age=60"})
    template = distribution_template(tmp_path, {"origin-request": LOOKING})
    return edge.serve(template, origins={"web": origin.url})


@pytest.fixture
def marking(edge: Edge, origin: Origin, tmp_path: Path) -> Site:
    (tmp_path / "mark.js").write_text(MARKING)
    return edge.serve(origin.url, viewer_request_cff=str(tmp_path / "mark.js"))


def the_function(site: Site) -> Any:
    _, document = call(site, "GET", "/api/functions")
    (function,) = document["functions"]
    return function


def test_a_lambda_function(site: Site) -> None:
    site.get("/a")
    site.get("/fail")
    site.exchanges(2)
    function = the_function(site)
    assert (function["kind"], function["runtime"], function["timeout_s"]) == (
        "lambda",
        "python3.12",
        3,
    )
    assert function["environments"].keys() == {"idle", "busy", "cold"}
    (association,) = function["associations"]
    assert association["distribution"] == "Site"
    assert (association["path_pattern"], association["event_type"]) == ("*", "origin-request")
    counts = [(m["invocations"], m["errors"], m["throttles"]) for m in function["minutes"]]
    assert tuple(map(sum, zip(*counts, strict=True))) == (2, 1, 0)


def test_it_runs_with_an_event_of_a_recorded_request(site: Site) -> None:
    site.get("/page?x=1", headers={"X-Own": "1"})
    (newest,) = site.exchanges(1)[:1]
    name = the_function(site)["name"]
    status, event = call(site, "GET", f"/api/functions/{name}/event?exchange={newest.id}")
    cf = event["Records"][0]["cf"]
    assert (status, cf["config"]["eventType"]) == (200, "origin-request")
    assert cf["request"]["headers"]["x-own"][0]["value"] == "1"
    assert cf["request"]["origin"]["custom"]["domainName"] == "web.example.com"
    status, ran = call(site, "POST", f"/api/functions/{name}/invoke", {"event": event})
    assert (status, ran["error"], ran["findings"]) == (200, None, [])
    assert ran["result"]["uri"] == "/page"
    assert any("looking at /page" in line["message"] for line in ran["log"])
    assert ran["duration_ms"] > 0
    assert ran["init_ms"] is None  # In the environment that there was.


def test_what_the_edge_would_say_of_its_result(site: Site) -> None:
    name = the_function(site)["name"]
    _, event = call(site, "GET", f"/api/functions/{name}/event")
    request = event["Records"][0]["cf"]["request"]
    request["uri"] = "/wrong"
    _, ran = call(site, "POST", f"/api/functions/{name}/invoke", {"event": event})
    assert ran["error"] == "Validation"
    assert any(each["rule"].startswith("LE-HDR") for each in ran["findings"])
    request["uri"] = "/fail"
    _, ran = call(site, "POST", f"/api/functions/{name}/invoke", {"event": event})
    assert (ran["error"], ran["error_document"]["errorType"]) == ("Unhandled", "KeyError")
    assert ran["result"] is None
    _, ran = call(site, "POST", f"/api/functions/{name}/invoke", {"event_type": "viewer-request"})
    assert ran["event"]["Records"][0]["cf"]["config"]["eventType"] == "viewer-request"
    assert ran["error"] is None


def test_a_cloudfront_function(marking: Site) -> None:
    marking.get("/a")
    (newest,) = marking.exchanges(1)[:1]
    function = the_function(marking)
    name = function["name"]
    assert (function["kind"], function["versions"]) == ("cloudfront", ["DEVELOPMENT", "LIVE"])
    assert function["associations"][0]["event_type"] == "viewer-request"
    assert [each["invocations"] for each in function["minutes"]] == [1]
    _, event = call(marking, "GET", f"/api/functions/{name}/event?exchange={newest.id}")
    assert (event["context"]["eventType"], event["request"]["uri"]) == ("viewer-request", "/a")
    _, ran = call(marking, "POST", f"/api/functions/{name}/invoke", {"event": event})
    assert ran["result"]["headers"]["x-marked"]["value"] == "yes"
    assert [line["message"] for line in ran["log"]] == ["marking /a"]
    assert (ran["error"], ran["utilisation"] is None) == (None, False)
    event["request"]["uri"] = "/fail"
    _, ran = call(marking, "POST", f"/api/functions/{name}/invoke", {"event": event})
    assert ran["error"] == "FunctionExecutionError"
    assert "mark.js:5" in ran["error_document"]["errorMessage"]
    assert call(marking, "POST", f"/api/functions/{name}/invoke", {})[1]["error"] is None


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("GET", "/api/functions/none/event", None, 404),
        ("POST", "/api/functions/none/invoke", {}, 404),
        ("GET", "/api/functions/{name}/event?exchange=none", None, 404),
        ("GET", "/api/functions/{name}/event?event_type=no", None, 400),
        ("POST", "/api/functions/{name}/invoke", {"event_type": 1}, 400),
        ("POST", "/api/functions/{name}/invoke", {"qualifier": 1}, 400),
        ("POST", "/api/functions/{name}/invoke", {"event": {}, "qualifier": "no"}, 400),
        ("GET", "/api/samples/sqs/none", None, 400),
        ("GET", "/api/samples/none/none", None, 400),
    ],
)
def test_what_cannot_be_run(
    marking: Site, method: str, path: str, document: object, status: int
) -> None:
    name = the_function(marking)["name"]
    answer = call(marking, method, path.format(name=name), document)
    assert (answer[0], "error" in answer[1]) == (status, True)


def test_an_unknown_version_of_a_lambda_function(site: Site) -> None:
    path = f"/api/functions/{the_function(site)['name']}/invoke"
    status, answer = call(site, "POST", path, {"event": {}, "qualifier": "no"})
    assert (status, "no" in answer["error"]["message"]) == (400, True)


def test_samples_of_other_services(site: Site) -> None:
    _, document = call(site, "GET", "/api/samples")
    kinds = {(each["service"], each["kind"]) for each in document["samples"]}
    assert all(each["meaning"] for each in document["samples"])
    service, kind = next(each for each in sorted(kinds) if each[0] == "sqs")
    status, event = call(site, "GET", f"/api/samples/{service}/{kind}")
    assert (status, "Records" in json.dumps(event)) == (200, True)
