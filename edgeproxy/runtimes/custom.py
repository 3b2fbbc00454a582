"""Programs that speak the Runtime API: a custom runtime's ``bootstrap``, or an image's command.

Also the external extensions that lie in the layers.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Final

from edgeproxy.errors import DefinitionError
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = ["custom_command", "external_extensions", "is_custom"]

_PROVIDED: Final = re.compile(r"provided(?:\.al2(?:\d{3})?)?")
_RUNTIME_FOLDER: Final = Path("/var/runtime")


def is_custom(spec: FunctionSpec) -> bool:
    """Whether the function brings its own runtime."""
    return bool(spec.command or _PROVIDED.fullmatch(spec.runtime))


def custom_command(spec: FunctionSpec) -> tuple[str, ...]:
    """What starts the function's own runtime (LR-215).

    Raises ``DefinitionError`` when there is none that can be executed (LR-091).
    """
    if spec.command:
        if shutil.which(spec.command[0]) is None:
            raise DefinitionError(
                f"fork/exec {spec.command[0]}: no such file or directory",
                rule="LR-094",
                remedy="install what the image's command needs on this machine",
            )
        return spec.command
    folders = [spec.code_root, *([spec.opt] if spec.opt else []), _RUNTIME_FOLDER]
    found = [path for folder in folders if (path := folder / "bootstrap").is_file()]
    for path in found:
        if os.access(path, os.X_OK):
            return (str(path),)
    raise DefinitionError(
        "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
        rule="LR-091",
        remedy=f"chmod +x {found[0]}" if found else f"put an executable {spec.code_root}/bootstrap",
    )


def external_extensions(opt: Path | None) -> list[Path]:
    """The programs directly in ``/opt/extensions`` (LR-230), sorted."""
    folder = opt / "extensions" if opt is not None else None
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and os.access(path, os.X_OK))
