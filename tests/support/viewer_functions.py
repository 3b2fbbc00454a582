"""Templates with CloudFront Functions on a distribution, as a user would write them."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.templates import distribution_template

__all__ = ["function", "viewer_functions_template"]


def function(*statements: str, result: str = "event.request", head: str = "") -> str:
    """The code of a function that runs ``statements`` and returns ``result``."""
    body = "\n  ".join(statements)
    return f"{head}\nfunction handler(event) {{\n  {body}\n  return {result};\n}}\n"


def viewer_functions_template(
    folder: Path,
    viewer_functions: dict[str, str],
    lambda_functions: dict[str, str] | None = None,
    *,
    runtime: str = "cloudfront-js-2.0",
    store: str | None = None,
    resources: dict[str, Any] | None = None,
    behavior: dict[str, Any] | None = None,
    **template: Any,
) -> Path:
    """A template file like :func:`distribution_template`'s, with CloudFront Functions too.

    ``viewer_functions`` maps viewer events to code. ``store`` names a key-value store for all of
    them, ``resources`` are added as they are.
    """
    more = dict(resources or {})
    associations = []
    config: dict[str, Any] = {"Comment": "", "Runtime": runtime}
    if store is not None:
        more["Store"] = {"Type": "AWS::CloudFront::KeyValueStore", "Properties": {"Name": store}}
        config["KeyValueStoreAssociations"] = [
            {"KeyValueStoreARN": {"Fn::GetAtt": ["Store", "Arn"]}}
        ]
    for event_type, code in viewer_functions.items():
        name = "Cff" + "".join(word.capitalize() for word in event_type.split("-"))
        more[name] = {
            "Type": "AWS::CloudFront::Function",
            "Properties": {
                "Name": name,
                "AutoPublish": True,
                "FunctionConfig": config,
                "FunctionCode": code,
            },
        }
        arn = {"Fn::GetAtt": [name, "FunctionARN"]}
        associations.append({"EventType": event_type, "FunctionARN": arn})
    path = distribution_template(
        folder,
        lambda_functions,
        behavior={"FunctionAssociations": associations, **(behavior or {})},
        **template,
    )
    document = yaml.safe_load(path.read_text())
    document["Resources"] = more | document["Resources"]
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path
