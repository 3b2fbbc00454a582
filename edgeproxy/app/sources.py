"""Which file of the user's a function is."""

from pathlib import Path
from typing import Final

from edgeproxy.exchange.model import FunctionRun
from edgeproxy.project.model import Project

__all__ = ["is_code_of", "source_of"]

_SUFFIXES: Final = (".py", ".mjs", ".js", ".cjs")


def source_of(project: Project, run: FunctionRun) -> Path | None:
    """The file with the handler of the function that ran; None when there is no such file."""
    if run.kind == "cloudfront":
        of_cloudfront = project.cloudfront_functions.get(run.name)
        return None if of_cloudfront is None else of_cloudfront.source
    definition = project.functions.get(run.name)
    if definition is None or definition.inline:
        return None
    module = definition.spec.handler.rpartition(".")[0]
    root = definition.spec.code_root
    names = (
        f"{name}{suffix}" for name in (module, module.replace(".", "/")) for suffix in _SUFFIXES
    )
    return next((root / name for name in names if (root / name).is_file()), None)


def is_code_of(project: Project, run: FunctionRun, file: Path) -> bool:
    """Whether ``file`` is the function's own code: its reports may name any file."""
    if run.kind == "cloudfront":
        source = source_of(project, run)
        root = None if source is None else source.parent
    else:
        definition = project.functions.get(run.name)
        root = None if definition is None else definition.spec.code_root
    return root is not None and file.resolve().is_relative_to(root.resolve())
