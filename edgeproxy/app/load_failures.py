"""Why a function does not load, for people: their own files and lines, and what to do.

AWS's error documents stay as they are; what is shown leaves out the request's ID, the frames of
the runtimes, and takes the places that the runtimes told on the function's log.
"""

import re
from typing import Final

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.awslambda.service import DeployFailed

__all__ = ["load_failure", "place", "reason", "remedy"]

_REQUEST: Final = re.compile(r"RequestId: \S+ Error: ")
_ERROR: Final = re.compile(r"\w*Error(?: \[\w+\])?: ")
_OF_THE_RUNTIME: Final = re.compile(
    r"node:|<frozen |importlib/__init__\.py|edgeproxy/runtimes/|Require stack:|^- "
)
_MISSING: Final = re.compile(r"No module named|Cannot find (?:module|package)")
_MODULE_SYNTAX: Final = re.compile(
    r"Cannot use import statement outside a module|Unexpected token 'export'"
)
_PLACE: Final = re.compile(r":\d+|, line \d+|\" Line \d+")
_NOTE: Final = "edgeproxy: "
_MOST_FRAMES: Final = 4


def load_failure(definition: FunctionDefinition, failed: DeployFailed) -> str:
    """Reason, places, remedy and what becomes of requests, a line each."""
    lines = [f"{definition.name} does not load: {reason(failed)}"]
    lines += [f"    {line}" for line in _places(failed)]
    lines.append(f"    -> {remedy(definition, failed)}")
    if failed.still_serving:
        lines.append("    the last version that loaded goes on serving")
    else:
        lines.append("    requests that need it get AWS's error until a save mends it")
    return "\n".join(lines)


def reason(failed: DeployFailed) -> str:
    """The error's type and message on one line."""
    kind = str(failed.document.get("errorType", "Error"))
    message = str(failed.document.get("errorMessage", ""))
    return f"{kind}: {_REQUEST.sub('', message).partition(chr(10))[0]}"


def remedy(definition: FunctionDefinition, failed: DeployFailed) -> str:
    """What to do about it."""
    kind = failed.document.get("errorType", "")
    message = str(failed.document.get("errorMessage", ""))
    handler = definition.spec.handler
    module = handler.rpartition(".")[0]
    if _MISSING.search(message):
        if f"'{module}'" in message.rpartition("No module named")[2].partition("\n")[0]:
            return f"mend the Handler {handler!r}, or put the file it names into the code's folder"
        language = "Python" if definition.spec.runtime.startswith("python") else "Node.js"
        return f"install it where {language} finds it, or put it beside the function"
    if _MODULE_SYNTAX.search(message):
        return 'name the file .mjs, or put "type": "module" into package.json'
    match kind:
        case "Runtime.HandlerNotFound" | "Runtime.MalformedHandlerName":
            return f"mend the Handler {handler!r}: file, dot, name of the function"
        case "Sandbox.Timedout":
            return "do less while the code loads: it has 10 seconds"
        case _:
            return "mend the error in the code"


def place(failed: DeployFailed) -> str:
    """The file and line of the user's that failed, as the runtime wrote it; empty for none."""
    lines = [line.strip() for line in _places(failed) if _PLACE.search(line)]
    innermost_last = bool(failed.document.get("stackTrace"))
    return lines[-1 if innermost_last else 0] if lines else ""


def _places(failed: DeployFailed) -> list[str]:
    told = [
        record.message.removeprefix(_NOTE)
        for record in failed.log
        if record.stream == "stderr" and record.message.startswith(_NOTE)
    ]
    kind = str(failed.document.get("errorType", ""))
    message = str(failed.document.get("errorMessage", ""))
    node, python = failed.document.get("trace"), failed.document.get("stackTrace")
    frames: list[str] = []
    if isinstance(python, list):
        frames = _own(python)[-_MOST_FRAMES:]  # the innermost stands last
    elif isinstance(node, list):
        first, *rest = [*node, ""]
        frames = _own([str(first).removeprefix(f"{kind}: "), *rest])[:_MOST_FRAMES]
    said = {_ERROR.sub("", line) for line in message.split("\n")}
    return [*told, *(line for line in frames if _ERROR.sub("", line.strip()) not in said)]


def _own(frames: list[object]) -> list[str]:
    """The lines that are about the user's code."""
    return [
        line
        for frame in frames
        if not _OF_THE_RUNTIME.search(str(frame))
        for line in str(frame).rstrip().split("\n")
        if line.strip()
    ]
