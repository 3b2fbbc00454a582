"""Environment variables: those that code reads and Lambda@Edge does not set (LE-ASSOC-09), and
names in a configuration that Lambda does not take (LR-168)."""

from collections.abc import Iterable, Iterator
from typing import Final

from edgeproxy.errors import Place
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.variables import CREDENTIALS, NAME, RESERVED

__all__ = ["check_names", "variable_finding"]

_SET: Final = RESERVED | {
    *("AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "HOME", "LANG", "LD_LIBRARY_PATH"),
    *("NODE_ENV", "NODE_PATH", "PATH", "PWD", "PYTHONPATH", "SHLVL", "TZ"),
}
"""What the runtimes set, and what libraries ask for and can do without."""


def check_names(names: Iterable[str], place: Place) -> Iterator[CheckFinding]:
    """LR-168. Credentials are reserved too, but here nobody else gives any to a function."""
    names = list(names)
    if reserved := [name for name in names if name in RESERVED - CREDENTIALS]:
        yield CheckFinding(
            "LR-168",
            place,
            f"InvalidParameterValueException: reserved keys: {', '.join(reserved)}.",
            "leave them out: Lambda sets them itself",
        )
    if wrong := [name for name in names if name not in RESERVED and not NAME.fullmatch(name)]:
        yield CheckFinding(
            "LR-168",
            place,
            f"ValidationException: {', '.join(map(repr, wrong))} at 'environment.variables' "
            f"failed to satisfy constraint: {NAME.pattern}.",
            "a name has two characters or more, letters, digits and _, a letter first",
        )


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
