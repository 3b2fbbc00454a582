"""One call of the API as an operation sees it: parts of the path, members, pages of lists."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import orjson

from edgeproxy.entrypoints.lambda_api.answers import (
    LambdaError,
    invalid_parameter,
    validation_error,
)
from edgeproxy.entrypoints.lambda_api.shapes import checked
from edgeproxy.http.body import BodyTooLarge, read_at_most
from edgeproxy.http.messages import Request

__all__ = ["Call", "Document", "decoded", "page"]

Document: TypeAlias = dict[str, Any]
"""A JSON object."""

LARGEST_REQUEST: Final = 70_167_211
"""Bytes that any call may have (LI-337)."""


@dataclass(frozen=True, slots=True)
class Call:
    """``path`` holds the decoded parts of the path that the template names."""

    path: Mapping[str, str]
    request: Request
    request_id: str
    url: str
    """Where the API stands, without a final slash."""

    def query(self, name: str) -> str:
        """A parameter of the query; empty when it is not there."""
        return next(iter(self.queries(name)), "")

    def queries(self, name: str) -> list[str]:
        """All values of a parameter of the query."""
        return parse_qs(self.request.query or "", keep_blank_values=True).get(name, [])

    async def body(self, most: int = LARGEST_REQUEST) -> bytes:
        """The whole body; raises ``BodyTooLarge`` beyond ``most`` bytes."""
        return await read_at_most(self.request.body, most)

    async def members(self) -> Document:
        """The members of the JSON object in the body, each of the shape that it must have."""
        try:
            text = await self.body()
        except BodyTooLarge as error:
            raise LambdaError(
                "RequestEntityTooLargeException",
                f"Request must be smaller than {LARGEST_REQUEST} bytes for this operation",
            ) from error
        try:
            document = orjson.loads(text or b"{}")
        except orjson.JSONDecodeError as error:
            raise LambdaError(
                "InvalidRequestContentException",
                f"Could not parse request body into json: {error}",
            ) from error
        if not isinstance(document, dict):
            raise LambdaError(
                "InvalidRequestContentException",
                "Could not parse request body into json: it is no object",
            )
        return checked(document)


def decoded(text: object, name: str) -> bytes:
    """The bytes of a member in base64."""
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_parameter(f"{name} is not base64: {error}") from error


def page(
    call: Call,
    name: str,
    items: Sequence[tuple[str, object]],
    most: int = 10_000,
    *,
    largest: int = 0,
) -> Document:
    """A list document: the items from ``Marker`` on, at most ``MaxItems`` and ``most`` (LI-340).

    ``items`` are pairs of what a marker names and what is listed. ``largest`` is what clients may
    ask for, where that is not ``most``.
    """
    limit = min(_max_items(call, largest or most), most)
    # A marker names what comes next: who deletes what has been listed can go on.
    marker, keys = call.query("Marker"), [key for key, _ in items]
    if marker and marker not in keys:
        raise invalid_parameter("Invalid pagination token.")
    first = keys.index(marker) if marker else 0
    listed: Document = {name: [item for _, item in items[first : first + limit]]}
    if first + limit < len(items):
        listed["NextMarker"] = keys[first + limit]
    return listed


def _max_items(call: Call, largest: int) -> int:
    text = call.query("MaxItems") or str(largest)
    # As many digits as an Integer may have: Python itself takes no number of thousands.
    if not re.fullmatch(r"-?[0-9]{1,10}", text):
        raise LambdaError(
            "SerializationException", "MaxItems: STRING_VALUE can not be converted to an Integer"
        )
    if not 1 <= int(text) <= largest:
        which, bound = ("greater", 1) if int(text) < 1 else ("less", largest)
        constraint = f"Member must have value {which} than or equal to {bound}"
        raise validation_error((text, "maxItems", constraint))
    return int(text)
