"""Environment variables that code reads and Lambda@Edge does not set (LE-ASSOC-09)."""

from collections.abc import Iterator
from typing import Final

from edgeproxy.errors import Place
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.variables import RESERVED

__all__ = ["variable_finding"]

_SET: Final = RESERVED | {
    *("AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "HOME", "LANG", "LD_LIBRARY_PATH"),
    *("NODE_ENV", "NODE_PATH", "PATH", "PWD", "PYTHONPATH", "SHLVL", "TZ"),
}
"""What the runtimes set, and what libraries ask for and can do without."""


def variable_finding(name: str, what: str, place: Place) -> Iterator[CheckFinding]:
    """One warning for a variable that is not there: whether the line is reached is not known."""
    if name not in _SET:
        yield CheckFinding(
            "LE-ASSOC-09",
            place,
            f"Lambda@Edge has no environment variables of your own: {what} there",
            "write the value into the code when you build it, or send an origin custom header",
            Severity.WARNING,
        )
