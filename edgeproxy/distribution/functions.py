"""CloudFront Functions and their key-value stores as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeproxy.errors import Place

__all__ = ["CloudFrontFunction", "KeyValueStore"]


@dataclass(frozen=True, slots=True)
class CloudFrontFunction:
    """A CloudFront Function: source text of ``cloudfront-js-1.0`` or ``cloudfront-js-2.0``."""

    name: str
    runtime: str
    code: str
    key_value_store: str = ""
    """The name of the associated store, or empty."""
    logical_id: str = ""
    source: Path | None = None
    """The file the code came from, when it is not inline."""
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class KeyValueStore:
    """A key-value store and its first contents."""

    name: str
    data: Mapping[str, str] = field(default_factory=dict)
    logical_id: str = ""
    source: Path | None = None
