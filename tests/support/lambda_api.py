"""Lambda's API as its own clients see it: a client, packages, and calls by hand."""

import base64
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from edgeproxy.testing import Site, SiteResponse

__all__ = [
    "ACCOUNT",
    "ROLE",
    "RUNTIME",
    "answered",
    "arn",
    "call",
    "context",
    "create",
    "fails",
    "invoke",
    "lambda_client",
    "package",
    "refused",
    "template",
]

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runs-functions"
RUNTIME = f"python3.{sys.version_info.minor}"

TELL = """
import os
def handler(event, context):
    print("seen")
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("told to")
    return {
        "mark": "MARK",
        "event": event,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "id": context.aws_request_id,
        "tenant": context.tenant_id,
        "custom": context.client_context and context.client_context.custom,
        "env": os.environ.get("MARK"),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }
"""


def lambda_client(site: Site) -> Any:
    """boto3 as it comes, told where the API is."""
    return boto3.client(
        "lambda",
        endpoint_url=site.endpoints["lambda_api"],
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}, parameter_validation=False),
    )


def arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def package(mark: str = "a", files: Mapping[str, str] | None = None) -> bytes:
    """A zip file with a function that tells what it sees, or with these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in (files or {"index.py": TELL.replace("MARK", mark, 1)}).items():
            # Always the same bytes for the same files.
            archive.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


def create(client: Any, name: str, mark: str = "a", **more: Any) -> Any:
    """Create a function that tells what it sees."""
    parameters = {
        "FunctionName": name,
        "Runtime": RUNTIME,
        "Role": ROLE,
        "Handler": "index.handler",
        "Code": {"ZipFile": package(mark)},
        **more,
    }
    return client.create_function(**parameters)


def answered(client: Any, name: str, payload: bytes = b"{}", **more: Any) -> Any:
    """The answer to Invoke, with its payload read."""
    answer = client.invoke(FunctionName=name, Payload=payload, **more)
    answer["Payload"] = answer["Payload"].read()
    return answer


def invoke(client: Any, name: str, event: object = None, **more: Any) -> Any:
    """What the function returns."""
    return json.loads(answered(client, name, json.dumps(event or {}).encode(), **more)["Payload"])


def refused(operation: Any, **parameters: Any) -> tuple[int, str, str]:
    """Status, code and text of the refusal that the operation must give."""
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    response = caught.value.response
    error = response["Error"]
    text = error["Message"] or response.get("message", "")
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], text


def fails(answer: SiteResponse) -> tuple[int, str, dict[str, Any]]:
    """Status, name of the exception and document of a refusal on the wire."""
    return answer.status, answer.headers.get("x-amzn-ErrorType"), json.loads(answer.body)


def call(
    site: Site, path: str, body: bytes = b"", method: str = "POST", **headers: str
) -> SiteResponse:
    """A call by hand, without a signature; ``_`` in names of headers is ``-``."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    url = site.endpoints["lambda_api"]
    return site.request(method, path, headers=lines, body=body, url=url)


def context(custom: object) -> str:
    """The header of a client context."""
    return base64.b64encode(json.dumps(custom).encode()).decode()


def template(folder: Path, *names: str, **resources: Any) -> Path:
    """A definition with functions that tell what they see."""
    functions = {
        name: {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Runtime": RUNTIME,
                "Handler": "index.handler",
                "Role": ROLE,
                "Code": {"ZipFile": TELL},
            },
        }
        for name in names
    }
    file = folder / "template.yaml"
    file.write_text(yaml.safe_dump({"Resources": {**functions, **resources}}))
    return file
