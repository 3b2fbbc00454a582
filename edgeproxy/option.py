"""What an option of ``edgeproxy dev`` is."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Kind", "Option"]


class Kind(StrEnum):
    """What an option takes, in the words of messages."""

    FLAG = "true or false"
    TEXT = "a string"
    INTEGER = "a whole number"
    PATH = "a path as a string"
    LIST = "a list of strings"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of ``dev``. Its key in ``edgeproxy.toml`` is its name with ``_`` for ``-``."""

    name: str
    kind: Kind
    help: str
    metavar: str = ""
    group: str = "General"
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")
