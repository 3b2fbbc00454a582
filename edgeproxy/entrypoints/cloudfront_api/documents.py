"""The API's XML: plain values to a document, and a client's document to an element.

A client's document is read by the standard library's parser with one addition: it is refused as
soon as it declares a document type. Entities are declared nowhere else, so none can be expanded,
however often (an entity bomb), and none can name a file or a URL.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias
from xml.etree import ElementTree

from edgeproxy.entrypoints.cloudfront_api.answers import ApiError, invalid_argument

__all__ = ["Content", "document", "items", "named", "parse", "read", "read_base64", "timestamp"]

NAMESPACE: Final = "http://cloudfront.amazonaws.com/doc/2020-05-31/"

Content: TypeAlias = (
    "str | int | float | Mapping[str, Content] | Sequence[tuple[str, Content]] | None"
)
"""What an element holds: text, members by name, or members whose names recur. None is left out."""


def document(root: str, content: Content) -> bytes:
    """A whole document with the element ``root``."""
    element = ElementTree.Element(root, xmlns=NAMESPACE)
    _fill(element, content)
    text: bytes = ElementTree.tostring(element, encoding="UTF-8", xml_declaration=True)
    return text


def items(name: str, values: Iterable[Content]) -> dict[str, Content]:
    """AWS's lists: the number, and the ``Items`` when there are any."""
    members = named(name, values)
    return {"Quantity": len(members), "Items": members or None}


def named(name: str, values: Iterable[Content]) -> list[tuple[str, Content]]:
    """Members that all have the same name."""
    return [(name, value) for value in values]


def timestamp(seconds: float) -> str:
    """ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _fill(element: ElementTree.Element, content: Content) -> None:
    if isinstance(content, bool):
        element.text = "true" if content else "false"
    elif isinstance(content, str | int | float):
        element.text = _visible(str(content))
    elif content is not None:
        for name, value in content.items() if isinstance(content, Mapping) else content:
            if value is not None:
                _fill(ElementTree.SubElement(element, name), value)


def _visible(text: str) -> str:
    """``text`` without the characters that no XML document can hold."""
    return "".join(
        "\ufffd" if (char < " " and char not in "\t\n\r") or char in "\ufffe\uffff" else char
        for char in text.encode("utf-8", "replace").decode()
    )


class _WithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, public_id: str | None, system: str | None) -> None:
        raise ApiError(400, "MalformedInput", "A document type declaration is not taken.")


def parse(body: bytes, root: str) -> ElementTree.Element:
    """The root element of a client's document, which must be called ``root``."""
    if not body:
        raise ApiError(400, "MissingBody", f"This operation requires a body: {root}.")
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    try:
        parser.feed(body)
        element: ElementTree.Element = parser.close()
    # Of an encoding that it does not know, the parser says so in one of the other two ways.
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ApiError(400, "MalformedInput", f"The body is not XML: {error}.") from error
    if element.tag.rpartition("}")[2] != root:
        raise ApiError(400, "MalformedInput", f"The body must be a {root}.")
    return element


def read(element: ElementTree.Element, path: str, default: str | None = None) -> str:
    """The text at ``path``, names with ``/`` between them; required unless there is a default."""
    text = element.findtext("/".join(f"{{*}}{name}" for name in path.split("/")))
    if text is not None:
        return text
    if default is None:
        raise invalid_argument(f"{path} is missing.")
    return default


def read_base64(element: ElementTree.Element, path: str) -> bytes:
    """The bytes at ``path``."""
    try:
        return base64.b64decode("".join(read(element, path).split()), validate=True)
    except ValueError as error:
        raise invalid_argument(f"{path} is not base64: {error}.") from error
