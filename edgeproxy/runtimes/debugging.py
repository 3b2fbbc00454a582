"""How a worker is started so that an editor can attach to it.

Python functions run under debugpy, whose adapter stays inside the worker: a process of its own
would outlive it. The debugpy beside edgeproxy serves every Python version, and a function gets to
see nothing else of what is installed there. Node.js brings its inspector. Both listen on loopback.
"""

import importlib.util
from pathlib import Path
from typing import Final

from edgeproxy.errors import UsageError
from edgeproxy.runtimes.interpreters import Interpreter

__all__ = ["DEBUG_HOST", "debugged", "find_debugpy"]

DEBUG_HOST: Final = "127.0.0.1"


def find_debugpy() -> Path:
    """The folder of the package ``debugpy``. Raises ``UsageError`` when it is not installed."""
    found = importlib.util.find_spec("debugpy")
    if found is None or found.origin is None:
        raise UsageError(
            "debugging Python functions needs debugpy", remedy="pip install 'edgeproxy[debug]'"
        )
    return Path(found.origin).parent


def debugged(interpreter: Interpreter, runtime: str, port: int) -> tuple[str, ...]:
    """The command that starts a worker with its debugger listening on ``port``."""
    program, *arguments = interpreter.command
    if runtime.startswith("nodejs"):
        # The address of the inspector is told by edgeproxy, not in the function's log.
        inspect = (f"--inspect={DEBUG_HOST}:{port}", "--inspect-publish-uid=http")
        return (program, *inspect, *arguments)
    # Modules frozen into the interpreter have no source to show.
    return (program, "-X", "frozen_modules=off", *arguments, str(find_debugpy()), str(port))
