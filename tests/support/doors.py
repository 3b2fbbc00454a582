"""Functions behind function URLs and load balancers that return what a request tells them to."""

from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "ELB",
    "KINDS",
    "TELL",
    "forward",
    "lambda_function",
    "listener",
    "target_group",
    "write_template",
]

ELB = "AWS::ElasticLoadBalancingV2::"

TELL = "x-return"
"""The request header with the JSON text of what the function is to return; without it: its event.

``throw`` makes it raise instead.
"""

KINDS = {"python": "python3.12", "node": "nodejs22.x"}

_PYTHON = """
import json

def handler(event, context):
    told = (event.get("headers") or {}).get("x-return")
    if told is None:
        told = (event.get("multiValueHeaders") or {}).get("x-return", [None])[0]
    if told == "throw":
        raise ValueError("a secret")
    if told is not None:
        return json.loads(told)
    return {"statusCode": 200, "body": json.dumps(event)}
"""
_NODE = """
export const handler = async (event) => {
  const told = event.headers?.['x-return'] ?? event.multiValueHeaders?.['x-return']?.[0];
  if (told === 'throw') throw new Error('a secret');
  if (told !== undefined) return JSON.parse(told);
  return { statusCode: 200, body: JSON.stringify(event) };
};
"""


def lambda_function(folder: Path, kind: str = "python", **properties: Any) -> dict[str, Any]:
    """A function of that kind; its code is written to a folder of its own."""
    code = folder / kind
    code.mkdir(exist_ok=True)
    name, text = ("app.py", _PYTHON) if kind == "python" else ("app.mjs", _NODE)
    (code / name).write_text(text)
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": f"./{kind}",
            "Handler": "app.handler",
            "Runtime": KINDS[kind],
            "Timeout": 3,
            "Role": "arn:aws:iam::123456789012:role/door",
            **properties,
        },
    }


def write_template(folder: Path, resources: dict[str, Any]) -> Path:
    """A template file with these resources."""
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": resources}, sort_keys=False))
    return path


def target_group(function: str, multi_value: bool = False) -> dict[str, Any]:
    """A target group of the function with that logical ID."""
    attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": str(multi_value).lower()}
    properties: dict[str, Any] = {
        "TargetType": "lambda",
        "TargetGroupAttributes": [attribute],
        "Targets": [{"Id": {"Fn::GetAtt": [function, "Arn"]}}],
    }
    return {"Type": f"{ELB}TargetGroup", "Properties": properties}


def forward(*groups: tuple[str, int], stickiness_s: int = 0) -> dict[str, Any]:
    """The action that forwards to target groups, by logical ID and weight."""
    config: dict[str, Any] = {
        "TargetGroups": [{"TargetGroupArn": {"Ref": name}, "Weight": w} for name, w in groups]
    }
    if stickiness_s:
        sticky = {"Enabled": True, "DurationSeconds": stickiness_s}
        config["TargetGroupStickinessConfig"] = sticky
    return {"Type": "forward", "ForwardConfig": config}


def listener(port: int, action: dict[str, Any]) -> dict[str, Any]:
    """A listener of the load balancer ``Alb``."""
    return {
        "Type": f"{ELB}Listener",
        "Properties": {
            "LoadBalancerArn": {"Ref": "Alb"},
            "Port": port,
            "Protocol": "HTTP",
            "DefaultActions": [action],
        },
    }
