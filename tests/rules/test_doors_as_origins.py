"""A function URL or a load balancer as the origin of a distribution, and doors from options."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgeproxy.testing import Edge, SiteResponse
from tests.support.delivery import ALL_METHODS
from tests.support.doors import (
    ELB,
    TELL,
    forward,
    lambda_function,
    listener,
    target_group,
    write_template,
)
from tests.support.origin import Answer, Origin


def event_of(response: SiteResponse) -> dict[str, Any]:
    assert response.status == 200, response.text
    document: dict[str, Any] = json.loads(response.body)
    return document


def distribution(domain: object) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {
            "DistributionConfig": {
                "Enabled": True,
                "Origins": [
                    {
                        "Id": "door",
                        "DomainName": domain,
                        "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"},
                    }
                ],
                "DefaultCacheBehavior": {
                    "TargetOriginId": "door",
                    "ViewerProtocolPolicy": "allow-all",
                    "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                    "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
                },
            }
        },
    }


@pytest.mark.rule("CDN-CFG-280", "CDN-CFG-281")
def test_a_function_url_as_the_origin(edge: Edge, origin: Origin, tmp_path: Path) -> None:
    domain = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["ApiUrl", "FunctionUrl"]}]}]}
    resources = {
        "Api": lambda_function(tmp_path),
        "ApiUrl": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Ref": "Api"}, "AuthType": "NONE"},
        },
        "Site": distribution(domain),
    }
    template = write_template(tmp_path, resources)
    site = edge.serve(template)
    event = event_of(site.get("/a?b=1", headers={"Host": "www.example.com"}))
    assert (event["rawPath"], event["rawQueryString"]) == ("/a", "b=1")
    assert event["headers"]["host"].endswith(".lambda-url.us-east-1.on.aws")
    assert event["headers"]["via"].startswith("1.1 ")
    assert event["headers"]["x-amz-cf-id"]
    assert site.get("/", headers={TELL: "throw"}).status == 502
    assert {exchange.door for exchange in site.exchanges(4)} == {"distribution", "function-url"}
    # A mapping wins: the function URL is then not asked.
    origin.answer = Answer(body=b"mapped")
    assert edge.serve(template, origins={"door": origin.url}).get("/").body == b"mapped"


@pytest.mark.rule("CDN-ORG-03", "CDN-ORG-04", "CDN-ORG-05", "CDN-ORG-06", "CDN-ERR-35")
@pytest.mark.parametrize(
    ("method", "completion_s", "runs"), [("GET", None, 2), ("POST", None, 1), ("GET", 1, 1)]
)
def test_a_function_url_that_takes_longer_than_its_origin_may(
    edge: Edge, tmp_path: Path, method: str, completion_s: int | None, runs: int
) -> None:
    domain = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["ApiUrl", "FunctionUrl"]}]}]}
    function = lambda_function(tmp_path, Timeout=30)
    (tmp_path / "python" / "app.py").write_text(
        "import time\n\ndef handler(event, context):\n    time.sleep(9)\n"
    )
    site_with_door = distribution(domain)
    config = site_with_door["Properties"]["DistributionConfig"]
    [door] = config["Origins"]
    door["ConnectionAttempts"] = 2
    door["CustomOriginConfig"]["OriginReadTimeout"] = 1
    if completion_s is not None:
        door["ResponseCompletionTimeout"] = completion_s
    config["DefaultCacheBehavior"]["AllowedMethods"] = ALL_METHODS
    resources = {
        "Api": function,
        "ApiUrl": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Ref": "Api"}, "AuthType": "NONE"},
        },
        "Site": site_with_door,
    }
    site = edge.serve(write_template(tmp_path, resources))
    response = site.request(method, "/", body=b"x" if method == "POST" else b"")
    assert (response.status, response.x_cache) == (504, "Error from cloudfront")
    [exchange] = site.exchanges(1)
    assert exchange.detailed_result_type == "OriginCommError"
    assert runs <= exchange.duration_s < runs + 0.9


@pytest.mark.rule("CDN-CFG-280")
def test_a_load_balancer_as_the_origin(edge: Edge, tmp_path: Path) -> None:
    resources = {
        "Alb": {"Type": f"{ELB}LoadBalancer", "Properties": {}},
        "Function": lambda_function(tmp_path, "node"),
        "Group": target_group("Function"),
        "Listener": listener(443, forward(("Group", 1))),
        "Site": distribution({"Fn::GetAtt": ["Alb", "DNSName"]}),
    }
    site = edge.serve(write_template(tmp_path, resources))
    event = event_of(site.get("/a"))
    assert event["path"] == "/a"
    assert event["headers"]["host"].endswith(".elb.amazonaws.com")


@pytest.mark.rule("AL-005")
def test_functions_that_options_put_behind_doors(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no definition lies there
    lambda_function(tmp_path)
    file = str(tmp_path / "python" / "app.py")
    site = edge.serve(alb=(file,), function_url=(file,), multi_value_headers=True)
    endpoints = site.endpoints
    (listener_,) = endpoints["load_balancers"]["Default"]["listeners"]
    balanced = event_of(site.get("/x", url=listener_["url"]))
    assert "multiValueHeaders" in balanced
    assert endpoints["viewer"] is None
    (function_url,) = endpoints["function_urls"].values()
    assert event_of(site.get("/x", url=function_url["url"]))["rawPath"] == "/x"
