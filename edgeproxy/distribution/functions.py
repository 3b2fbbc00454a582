"""CloudFront Functions and their key-value stores as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgeproxy.errors import Place

__all__ = ["CloudFrontFunction", "FunctionVersion", "KeyValueStore", "Stage", "StagedFunction"]


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
    place: Place = field(default=Place(), compare=False)
    comment: str = ""
    handler: str = "handler"
    """What CloudFront calls in the code: ``connectionHandler`` in a connection function."""
    id: str = ""
    """Of a connection function, which has one besides its name."""


class Stage(StrEnum):
    """Where a version of a function stands (CFF-ASSOC-04)."""

    DEVELOPMENT = "DEVELOPMENT"
    LIVE = "LIVE"


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """What a function is in one stage; times in seconds since the epoch."""

    stage: Stage
    function: CloudFrontFunction
    etag: str
    created_s: float
    modified_s: float


@dataclass(frozen=True, slots=True)
class StagedFunction:
    """A function in its stages. Only ``live`` serves; it is None until the first publication."""

    development: FunctionVersion
    live: FunctionVersion | None = None

    def in_stage(self, stage: Stage) -> FunctionVersion | None:
        """The version that stands there."""
        return self.live if stage is Stage.LIVE else self.development

    @property
    def is_published(self) -> bool:
        """Whether ``live`` is what ``development`` is."""
        return self.live is not None and self.live.function == self.development.function


@dataclass(frozen=True, slots=True)
class KeyValueStore:
    """A key-value store and its first contents."""

    name: str
    data: Mapping[str, str] = field(default_factory=dict)
    logical_id: str = ""
    source: Path | None = None
