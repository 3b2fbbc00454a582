"""What can be wrong with what the user gave us, said so that the user can mend it.

Every error that reaches a person is one of these: it names the place, the rule where there is
one, and the remedy. Command lines turn them into exit status 2, the control listener into JSON;
nothing else in the project prints an error message.
"""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DefinitionError", "EdgeproxyError", "Place", "PortInUse", "UsageError", "reason"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, line and column (from 1), a path of keys inside the file."""

    file: Path | None = None
    line: int | None = None
    path: str = ""
    column: int | None = None

    def __str__(self) -> str:
        where = str(self.file) if self.file else ""
        if self.line is not None:
            where += f":{self.line}"
            if self.column is not None:
                where += f":{self.column}"
        return " ".join(part for part in (where, self.path) if part)


def reason(error: OSError | ValueError) -> str:
    """Why a file cannot be read, without the system's number and the name of the file."""
    return str(getattr(error, "strerror", None) or error)


class EdgeproxyError(Exception):
    """The root of all errors that are the user's to mend.

    ``str(error)`` is one line: place, message, rule, remedy.
    """

    def __init__(
        self, message: str, *, place: Place | None = None, rule: str = "", remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place or Place()
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.message if not str(self.place) else f"{self.place}: {self.message}"
        if self.rule:
            text += f" [{self.rule}]"
        if self.remedy:
            text += f" ({self.remedy})"
        return text


class UsageError(EdgeproxyError):
    """The command line or ``edgeproxy.toml`` cannot be used."""


class DefinitionError(EdgeproxyError):
    """A template, a distribution configuration or a function's settings cannot be used."""


class PortInUse(EdgeproxyError):
    """A listener's port is taken by another program."""
