"""One call of the API as an operation sees it, its body, and the pages of lists."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from edgeproxy.entrypoints.cloudfront_api.answers import ApiError, invalid_argument
from edgeproxy.entrypoints.cloudfront_api.documents import Content, items
from edgeproxy.http.body import BodyTooLarge, read_at_most
from edgeproxy.http.messages import Request

__all__ = ["Call", "body_of", "page"]

T = TypeVar("T")

MAX_ITEMS: Final = 100
"""How many items a page has when the client asks for no number."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""More than any operation takes, so that each can refuse in its own words."""


@dataclass(frozen=True, slots=True)
class Call:
    """``path`` holds the decoded parts of the path that the template names."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    if_match: str
    body: bytes
    url: str
    """Where the API stands, without a final slash; for Location."""


async def body_of(request: Request) -> bytes:
    """The whole body of a call."""
    try:
        return await read_at_most(request.body, MAX_BODY_BYTES)
    except BodyTooLarge as error:
        message = "The body of the request is too large."
        raise ApiError(413, "RequestEntityTooLargeException", message) from error


def page(
    call: Call, name: str, members: Sequence[tuple[str, Content]], *, with_marker: bool = False
) -> dict[str, Content]:
    """A list document: the items after ``Marker``, at most ``MaxItems``.

    ``members`` are pairs of what a marker names and the item. ``with_marker`` is for the older
    lists, which repeat the marker and say whether there is more.
    """
    text = call.query.get("MaxItems", str(MAX_ITEMS))
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise invalid_argument("MaxItems must be a positive number.")
    most, marker = int(text), call.query.get("Marker", "")
    names = [key for key, _ in members]
    if marker and marker not in names:
        raise invalid_argument("The Marker is not of this list.")
    first = names.index(marker) + 1 if marker else 0
    shown = members[first : first + most]
    is_truncated = first + most < len(members)
    following = shown[-1][0] if is_truncated else None
    listed = {"MaxItems": most, **items(name, [item for _, item in shown])}
    if not with_marker:
        return {"NextMarker": following, **listed}
    return {"Marker": marker, "NextMarker": following, "IsTruncated": is_truncated, **listed}
