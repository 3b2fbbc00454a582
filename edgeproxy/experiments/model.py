"""What an experiment is: its variants, the marks they are recognised by, and what must hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edgeproxy.errors import Place

__all__ = ["IN_RECORDS", "OF_VISITORS", "Experiment", "Mark", "MarkKind", "Requirements"]


class MarkKind(StrEnum):
    """Where a variant can be seen, under the names of the declaration."""

    COOKIE = "cookie"
    """A cookie that the visitor has once the response is there."""
    SENT_HEADER = "sent_header"
    """A header that visitors send themselves; each keeps to the side that is drawn for them."""
    REQUEST_HEADER = "request_header"
    """A header of the request as the cache is asked for it, after the viewer-request function."""
    RESPONSE_HEADER = "response_header"
    ORIGIN = "origin"
    """The ID or domain name of the origin that made the response."""
    FUNCTION_VERSION = "function_version"
    """The version of one function that ran."""
    PATH_PREFIX = "path_prefix"
    """The beginning of the path that the origin was asked for."""
    BODY = "body"
    """A text in the response's body."""


IN_RECORDS: Final = frozenset(
    {MarkKind.REQUEST_HEADER, MarkKind.ORIGIN, MarkKind.FUNCTION_VERSION, MarkKind.PATH_PREFIX}
)
"""What the edge's record of a request tells, and nothing that a viewer sees."""

OF_VISITORS: Final = frozenset({MarkKind.COOKIE, MarkKind.SENT_HEADER, MarkKind.REQUEST_HEADER})
"""What tells a visitor's side, whatever the response was made for."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a variant is recognised: by a text at one place.

    ``name`` is that of the cookie, header or function, empty where there is none. ``texts`` are by
    variant; without any the text that is found is itself the variant's name.
    """

    kind: MarkKind
    name: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.name}".rstrip()

    def variant_of(self, found: str) -> str | None:
        """The variant that the text ``found`` stands for, None when it stands for none."""
        match self.kind:
            case MarkKind.BODY:
                return self._longest(text for text in self.texts.values() if text in found)
            case MarkKind.PATH_PREFIX:
                return self._longest(t for t in self.texts.values() if found.startswith(t))
            case _ if self.texts:
                return next(
                    (variant for variant, text in self.texts.items() if text == found), None
                )
            case _:
                return found or None

    def _longest(self, found: Iterable[str]) -> str | None:
        """The variant of the longest text: one may be within another."""
        texts = sorted(found, key=len)
        return next((v for v, text in self.texts.items() if texts and text == texts[-1]), None)


@dataclass(frozen=True, slots=True)
class Requirements:
    """What must hold, or the run fails. Ratios are from 0 to 1; None asks for nothing."""

    share_alpha: float | None = 0.005
    """Below this probability the shares seen are not the expected ones."""
    share_within: float | None = None
    """How far a variant's share may be from the expected one."""
    max_switches: int | None = 0
    """Visitors that changed sides."""
    max_leaks: int | None = 0
    """Responses made for one variant that a visitor of another got."""
    max_unassigned: int | None = 0
    """Visitors of which no variant could be seen."""
    max_stored_cookies: int | None = 0
    """Visitors that got the assignment's cookie from the cache: that of somebody else."""
    max_error_ratio: float | None = 0.0
    """Responses with status 429, or 500 and above, and requests without one."""
    min_hit_ratio: float | None = None
    max_p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment. ``shares`` are the expected ones by variant; together they are 1."""

    name: str
    assignment: Mark
    """Tells which side a visitor is on."""
    shares: Mapping[str, float]
    exposure: Mark | None = None
    """Tells which side a response was made for; without one, the record of how it came about."""
    door: str = ""
    """The logical ID of the distribution, function URL or load balancer; empty for the only one."""
    paths: tuple[str, ...] = ("/",)
    requirements: Requirements = field(default_factory=Requirements)
    place: Place = field(default=Place(), compare=False)

    @property
    def needs_records(self) -> bool:
        """Whether the edge's records are needed to tell the variants."""
        exposure = self.exposure
        return self.assignment.kind in IN_RECORDS or (
            self.assignment.kind in OF_VISITORS if exposure is None else exposure.kind in IN_RECORDS
        )
