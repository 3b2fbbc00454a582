"""What the loaders have to say while they read: what becomes of each property, what AWS refuses.

Every property that is read is noted here once; a later note for the same place replaces the
earlier one, so that a loader may read a value first and say afterwards that it is approximated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edgeproxy.errors import Place
from edgeproxy.project.model import Report, ReportLine, Treatment

__all__ = ["CheckFinding", "FoundBy", "Notes", "Severity"]


_UNKNOWN: Final = "edgeproxy does not know this property"


class Severity(StrEnum):
    """Whether AWS refuses the definition, or takes it and does something one may not want."""

    ERROR = "error"
    WARNING = "warning"


class FoundBy(StrEnum):
    """Whether it stands in the definition or the code, or showed when the function ran."""

    READING = "reading"
    DRY_RUN = "dry run"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """Something that AWS would refuse, with the rule, the place and what to do about it."""

    rule: str
    place: Place
    message: str
    remedy: str = ""
    severity: Severity = Severity.ERROR
    found_by: FoundBy = FoundBy.READING


class Notes:
    """Collects report lines and findings while a definition is being read."""

    def __init__(self) -> None:
        self._lines: dict[Place, ReportLine] = {}
        self._findings: dict[CheckFinding, None] = {}

    def honoured(self, place: Place) -> None:
        """Note a property as honoured, unless a transform made it: then it has no line."""
        if place.line is not None:
            self._lines.setdefault(place, ReportLine(place, Treatment.HONOURED))

    def approximated(self, place: Place, how: str) -> None:
        self._lines[place] = ReportLine(place, Treatment.APPROXIMATED, how)

    def ignored(self, place: Place, why: str) -> None:
        self._lines[place] = ReportLine(place, Treatment.IGNORED, why)

    def unknown(self, place: Place) -> None:
        """Note a property that nobody has noted."""
        self._lines.setdefault(place, ReportLine(place, Treatment.IGNORED, _UNKNOWN))

    def found(self, findings: Iterable[CheckFinding]) -> None:
        """Keep ``findings``; one that was found twice (anchors, shared policies) counts once."""
        self._findings.update(dict.fromkeys(findings))

    @property
    def report(self) -> Report:
        """The lines in the order of the files' own lines."""
        lines = sorted(
            self._lines.values(), key=lambda line: (str(line.place.file), line.place.line or 0)
        )
        return Report(tuple(lines))

    @property
    def findings(self) -> tuple[CheckFinding, ...]:
        return tuple(self._findings)
