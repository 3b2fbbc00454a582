"""How a function's log is written and where it goes (LR-280, LE-LOG-01, LE-LOG-02)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["LEVELS", "LogFormat", "LogSettings", "log_group"]

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""From the most to the least told."""


class LogFormat(StrEnum):
    """Values of ``LogFormat``."""

    TEXT = "Text"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``LoggingConfig`` of a function. The levels hold with JSON only."""

    format: LogFormat = LogFormat.TEXT
    application_level: str = "INFO"
    system_level: str = "INFO"
    group: str = ""
    """A log group of the user's choice; empty for AWS's."""


def log_group(name: str, settings: LogSettings, *, edge: bool) -> str:
    """The log group of a function; a replica at the edge says where the function comes from."""
    default = f"/aws/lambda/{name}"
    if edge and settings.group in ("", default):
        return f"/aws/lambda/us-east-1.{name}"
    return settings.group or default
