"""CloudFormation templates for the edges that are measured."""

import sys
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["many_behaviors", "many_functions", "plain", "with_functions"]

_OPTIMIZED: Final = "658327ea-f89d-4fab-a63d-7e88639e58f6"
_DISABLED: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

_PYTHON: Final = f"python3.{sys.version_info.minor}"
_NODE: Final = "nodejs22.x"
_SOURCES: Final = {
    _PYTHON: "def handler(event, context):\n    return event['Records'][0]['cf']['%s']\n",
    _NODE: "exports.handler = async (event) => event.Records[0].cf.%s;\n",
}
_ANSWER: Final = """body = "x" * 1024
def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": body}
"""
_EVENTS: Final = {
    "viewer-request": "request",
    "origin-request": "request",
    "origin-response": "response",
    "viewer-response": "response",
}


def plain() -> dict[str, Any]:
    """Everything is cached, but for `/pass/*`."""
    return {"Resources": {"Site": _distribution([_behavior("/pass/*", policy=_DISABLED)])}}


def many_behaviors(count: int) -> dict[str, Any]:
    """Requests of `/hit/*` are for the default behavior, behind all the others."""
    behaviors = [_behavior(f"/section-{number}/*") for number in range(count)]
    return {"Resources": {"Site": _distribution(behaviors)}}


def many_functions(count: int) -> dict[str, Any]:
    """Each of so many objects has a Python function of its own at viewer-request."""
    resources: dict[str, Any] = {}
    behaviors = []
    for number in range(count):
        hooks = [_hook(resources, f"F{number}", _PYTHON, "viewer-request")]
        behaviors.append(_behavior(f"/hit/1024/{number}", hooks))
    return {"Resources": {"Site": _distribution(behaviors), **resources}}


def with_functions() -> dict[str, Any]:
    """Each kind of hook below a path of its own, a function URL, and a load balancer."""
    resources: dict[str, Any] = {
        "Cff": {
            "Type": "AWS::CloudFront::Function",
            "Properties": {
                "Name": "cff",
                "AutoPublish": True,
                "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
                "FunctionCode": "function handler(event) { return event.request; }\n",
            },
        },
        "Answer": _function("answer", _PYTHON, _ANSWER),
        "AnswerUrl": {
            "Type": "AWS::Lambda::Url",
            "Properties": {"TargetFunctionArn": {"Ref": "Answer"}, "AuthType": "NONE"},
        },
        "Alb": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {"Type": "application"},
        },
        "Listener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Alb"},
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
            },
        },
        "Targets": {
            "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
            "Properties": {
                "TargetType": "lambda",
                "Targets": [{"Id": {"Fn::GetAtt": ["Answer", "Arn"]}}],
            },
        },
    }
    behaviors = [
        _behavior(
            "/cff/*",
            function={
                "EventType": "viewer-request",
                "FunctionARN": {"Fn::GetAtt": ["Cff", "FunctionARN"]},
            },
        )
    ]
    for name, runtime in (("Python", _PYTHON), ("Node", _NODE)):
        one = _hook(resources, f"{name}One", runtime, "viewer-request")
        four = [
            _hook(resources, f"{name}{index}", runtime, each) for index, each in enumerate(_EVENTS)
        ]
        behaviors.append(_behavior(f"/{name.lower()}/*", [one]))
        behaviors.append(_behavior(f"/four-{name.lower()}/*", four, policy=_DISABLED))
    return {"Resources": {"Site": _distribution(behaviors), **resources}}


def _distribution(behaviors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    default = _behavior("")
    del default["PathPattern"]
    origin = {
        "Id": "web",
        "DomainName": "web.example.com",
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    config = {
        "Enabled": True,
        "Origins": [origin],
        "DefaultCacheBehavior": default,
        "CacheBehaviors": behaviors,
    }
    return {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": config},
    }


def _behavior(
    pattern: str,
    hooks: Sequence[dict[str, Any]] = (),
    *,
    policy: str = _OPTIMIZED,
    function: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "PathPattern": pattern,
        "TargetOriginId": "web",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": policy,
        "LambdaFunctionAssociations": list(hooks),
        "FunctionAssociations": [function] if function else [],
    }


def _hook(resources: dict[str, Any], name: str, runtime: str, event: str) -> dict[str, Any]:
    """The association of a function that returns what it got; it is added to ``resources``."""
    resources[name] = _function(name.lower(), runtime, _SOURCES[runtime] % _EVENTS[event])
    resources[f"{name}Version"] = {
        "Type": "AWS::Lambda::Version",
        "Properties": {"FunctionName": {"Ref": name}},
    }
    return {"EventType": event, "LambdaFunctionARN": {"Ref": f"{name}Version"}}


def _function(name: str, runtime: str, source: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": runtime,
            "Handler": "index.handler",
            "Role": "arn:aws:iam::123456789012:role/r",
            "Code": {"ZipFile": source},
        },
    }
