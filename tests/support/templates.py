"""Templates for tests: a distribution with functions, as a user would write it."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

__all__ = ["CACHING_OPTIMIZED", "distribution_template"]

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"


def distribution_template(
    folder: Path,
    functions: dict[str, str] | None = None,
    *,
    runtime: str = "python3.12",
    include_body: bool = False,
    timeout: int = 3,
    behavior: dict[str, Any] | None = None,
    distribution: dict[str, Any] | None = None,
    function_properties: dict[str, Any] | None = None,
) -> Path:
    """A template file with one distribution and a Lambda function for each event of ``functions``.

    ``functions`` maps event types to source text; the handler is called ``handler``. The custom
    origin has the ID ``web``. ``behavior`` and ``distribution`` add or replace properties.
    """
    suffix = "py" if runtime.startswith("python") else "js"
    resources: dict[str, Any] = {}
    associations = []
    for event_type, source in (functions or {}).items():
        name = "".join(word.capitalize() for word in event_type.split("-"))
        code = folder / name
        code.mkdir()
        (code / f"app.{suffix}").write_text(dedent(source))
        resources[name] = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": f"./{name}",
                "Handler": "app.handler",
                "Runtime": runtime,
                "Timeout": timeout,
                "Role": "arn:aws:iam::123456789012:role/edge",
                **(function_properties or {}),
            },
        }
        resources[f"{name}Version"] = {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": name}},
        }
        associations.append(
            {
                "EventType": event_type,
                "LambdaFunctionARN": {"Ref": f"{name}Version"},
                "IncludeBody": include_body and event_type.endswith("request"),
            }
        )
    resources["Site"] = {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {
            "DistributionConfig": {
                "Enabled": True,
                "Origins": [
                    {
                        "Id": "web",
                        "DomainName": "web.example.com",
                        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
                    }
                ],
                "DefaultCacheBehavior": {
                    "TargetOriginId": "web",
                    "ViewerProtocolPolicy": "allow-all",
                    "AllowedMethods": [
                        "GET",
                        "HEAD",
                        "OPTIONS",
                        "PUT",
                        "POST",
                        "PATCH",
                        "DELETE",
                    ],
                    "CachePolicyId": CACHING_OPTIMIZED,
                    "OriginRequestPolicyId": ALL_VIEWER,
                    "LambdaFunctionAssociations": associations,
                    **(behavior or {}),
                },
                **(distribution or {}),
            }
        },
    }
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": resources}, sort_keys=False))
    return path
