"""AWS's own clients, talking to the control listener of a site.

Every XML answer is checked against the shape that botocore knows: each member that the shape
requires is there, and no element that it does not know.
"""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from edgeproxy.testing import Site

__all__ = ["UNSIGNED", "ClientError", "cloudfront", "error_of", "key_values", "refused"]

_CREDENTIALS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "secret",
}


def cloudfront(url: str, **config: Any) -> Any:
    """A client of the CloudFront API."""
    client = boto3.client(
        "cloudfront",
        endpoint_url=url,
        config=Config(retries={"max_attempts": 0}, **config),
        **_CREDENTIALS,
    )
    client.meta.events.register("after-call.cloudfront", _check)
    return client


def key_values(site: Site) -> Any:
    """A client of the KeyValueStore API.

    It puts the account before the endpoint's host, a name that nobody resolves; so the control
    listener is its proxy as well.
    """
    url = site.endpoints["cloudfront_api"]
    return boto3.client(
        "cloudfront-keyvaluestore",
        endpoint_url=url,
        config=Config(retries={"max_attempts": 0}, proxies={"http": url}),
        **_CREDENTIALS,
    )


def error_of(error: ClientError) -> tuple[int, str]:
    """Status and code of a refusal."""
    response = error.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def refused(operation: Any, **parameters: Any) -> tuple[int, str]:
    """Status and code of the refusal that the operation must give."""
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    return error_of(caught.value)


def _check(http_response: Any, model: Any, **more: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    shape = model.output_shape
    name = shape.serialization.get("payload")
    payload = shape.members[name] if name else None
    if payload is not None and payload.type_name == "structure":
        root = ElementTree.fromstring(http_response.content)
        assert list(_differences(payload, root)) == []


def _differences(shape: Any, element: ElementTree.Element) -> Iterator[str]:
    names = [child.tag.rpartition("}")[2] for child in element]
    if shape.type_name == "list":
        member = shape.member.serialization.get("name", "member")
        for name, child in zip(names, element, strict=True):
            if name != member:
                yield f"{name} among the {member}s of {element.tag}"
            yield from _differences(shape.member, child)
        return
    if shape.type_name != "structure":
        if names:
            yield f"{element.tag} has members"
        return
    for name in set(shape.required_members) - set(names):
        yield f"{element.tag} has no {name}"
    if "Quantity" in names:
        items = element.find("{*}Items")
        if int(element.findtext("{*}Quantity") or 0) != (0 if items is None else len(items)):
            yield f"{element.tag} has another quantity"
    for name, child in zip(names, element, strict=True):
        if name in shape.members:
            yield from _differences(shape.members[name], child)
        else:
            yield f"{element.tag} has {name}"
