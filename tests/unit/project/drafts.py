"""Short ways to write definitions for tests of the loaders."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

from edgeproxy.distribution.model import Distribution
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders import Loaded, LoadOptions, load

__all__ = [
    "CACHING_OPTIMIZED",
    "VERSION",
    "function",
    "load_resources",
    "load_site",
    "load_text",
    "only_distribution",
    "refusal",
    "site",
]

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
VERSION = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}}


def load_text(folder: Path, text: str, name: str = "template.yaml", **options: Any) -> Loaded:
    """Load a definition written as text."""
    file = folder / name
    file.write_text(dedent(text))
    return load(file, LoadOptions(**{"state_dir": folder / "state", **options}))


def load_resources(folder: Path, resources: dict[str, Any], **options: Any) -> Loaded:
    """Load a template with these resources, in JSON."""
    text = json.dumps({"Resources": resources}, indent=1)
    return load_text(folder, text, "template.json", **options)


def site(
    behavior: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    origin: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A distribution resource with one custom origin, changed as told; None removes a property."""
    parts: dict[str, Any] = {
        "Enabled": True,
        "Origins": [
            _changed(
                {
                    "Id": "web",
                    "DomainName": "web.example.com",
                    "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
                },
                origin,
            )
        ],
        "DefaultCacheBehavior": _changed(
            {
                "TargetOriginId": "web",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": CACHING_OPTIMIZED,
            },
            behavior,
        ),
    }
    return {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": _changed(parts, config)},
    }


def _changed(values: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    merged = {**values, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def load_site(
    folder: Path,
    behavior: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    origin: dict[str, Any] | None = None,
    **resources: Any,
) -> Loaded:
    """Load a template with :func:`site` as ``Site`` and further resources."""
    return load_resources(folder, {"Site": site(behavior, config, origin), **resources})


def only_distribution(loaded: Loaded) -> Distribution:
    [distribution] = loaded.project.distributions.values()
    return distribution


def function(**properties: Any) -> dict[str, Any]:
    """An inline Lambda function in Python, changed as told."""
    values = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::123456789012:role/edge",
        "Code": {"ZipFile": "def handler(event, context):\n    return event\n"},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": _changed(values, properties)}


def refusal(error: DefinitionError) -> str:
    """The property and the line that an error names."""
    return f"{error.place.path}:{error.place.line}"
