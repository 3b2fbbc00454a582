"""Where in the user's own code a function failed, and what to do about it.

Read out of what the runtimes report: AWS's error documents, and the notes that ours leave on a
function's log for code that does not load.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from edgeproxy.exchange.model import Exchange, FunctionRun

__all__ = ["CodePlace", "place_of", "remedy_of", "troubles"]

_PYTHON: Final = re.compile(r'File "(?P<file>[^"]+)",? [Ll]ine (?P<line>\d+)')
_NODE: Final = re.compile(r"(?:file://)?(?P<file>/[^\s():]+):(?P<line>\d+)")
_FRAME: Final = re.compile(r"\s+at ")
_CLOUDFRONT: Final = re.compile(r"\((?:(?P<file>[^():]+):|line )(?P<line>\d+)\)$")
_NOT_THE_USER_S: Final = re.compile(
    r"node:|<frozen |importlib/__init__\.py|edgeproxy/runtimes/|/site-packages/|/node_modules/"
)
_NOTE: Final = "edgeproxy: "
_REMEDIES: Final = {
    "Timeout": "do less, or give the function a larger Timeout: 5 s at most at viewer events, 30 s "
    "at origin events",
    "InitError": "mend what runs while the code loads; a save is tried at once",
}
_TELLING: Final = ("admission", "origin")
"""The steps that say why an answer is an error."""
_ORIGIN_REMEDIES: Final = {
    "OriginConnectError": "is the server running there? --origin ID=URL_OR_DIR asks another one",
    "OriginDnsError": "say where it is on this machine: --origin ID=URL_OR_DIR",
    "OriginCommError": "look at the server's own console; CloudFront's limits are in the origin's "
    "settings (response timeout, 30 s by default)",
}


class CodePlace(NamedTuple):
    """A line of a file, as the runtime names it; empty for code in the definition itself."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


def place_of(run: FunctionRun) -> CodePlace | None:
    """The innermost line of the user's own that the failure passed, if the runtime told one."""
    return next(_places(run), None)


def remedy_of(run: FunctionRun) -> str:
    """What to do about a run that failed, where that is more than to mend the line.

    Empty when its findings say it.
    """
    return "" if run.findings else _REMEDIES.get(run.error, "")


def troubles(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Why the edge or an origin made it an error, and what to do about it (or nothing)."""
    for step in exchange.steps:
        decision = step.decision
        if step.name in _TELLING and decision is not None and decision.why:
            yield decision.why, _ORIGIN_REMEDIES.get(decision.kind, "")


def _places(run: FunctionRun) -> Iterator[CodePlace]:
    for record in run.log:
        if record.stream == "stderr" and record.message.startswith(_NOTE):
            yield from _found(_NODE, record.message)
    document = run.error_document
    if not isinstance(document, dict):
        return
    python, node = document.get("stackTrace"), document.get("trace")
    if isinstance(python, list):
        for frame in reversed(python):  # The innermost stands last.
            yield from _found(_PYTHON, str(frame).partition("\n")[0])
    elif isinstance(node, list):
        for frame in filter(_FRAME.match, map(str, node)):  # The others are the message.
            yield from _found(_NODE, frame)
    elif run.kind == "cloudfront":
        yield from _found(_CLOUDFRONT, str(document.get("errorMessage", "")))


def _found(pattern: re.Pattern[str], frame: str) -> Iterator[CodePlace]:
    if not _NOT_THE_USER_S.search(frame) and (found := pattern.search(frame)):
        yield CodePlace(unquote(found["file"] or ""), int(found["line"]))
