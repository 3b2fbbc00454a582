"""Entity tags and the conditions that name them (RFC 9110, 8.8.3 and 13.1)."""

import re
from typing import Final

__all__ = ["if_none_match", "strong_match", "weak_match"]

_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')


def weak_match(one: str, other: str) -> bool:
    """Same opaque tag, weak or not. An empty text matches nothing."""
    return bool(one) and one.removeprefix("W/") == other.removeprefix("W/")


def strong_match(one: str, other: str) -> bool:
    """Same opaque tag, and neither is weak. An empty text matches nothing."""
    return bool(one) and one == other and not one.startswith("W/")


def if_none_match(condition: str, etag: str) -> bool:
    """Whether an ``If-None-Match`` names the object's ``etag``; ``*`` names any object."""
    if condition.strip() == "*":
        return True
    # A tag without quotes is not valid, but servers send them and browsers send them back.
    tags = _TAG.findall(condition) or [condition.strip()]
    return any(weak_match(tag, etag) for tag in tags)
