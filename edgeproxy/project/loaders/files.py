"""Functions that options name: which handler, which runtime, under what name."""

import ast
import re
import sys
from collections.abc import Container, Mapping
from pathlib import Path

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.errors import Place, UsageError, reason
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders.options import FunctionFile
from edgeproxy.runtimes.invocation import FunctionSpec

__all__ = ["NODE_RUNTIME", "PYTHON_RUNTIME", "FunctionFiles", "read_code_file"]

PYTHON_RUNTIME = f"python3.{sys.version_info.minor}"
NODE_RUNTIME = "nodejs22.x"

_RUNTIMES = {
    ".py": PYTHON_RUNTIME,
    ".js": NODE_RUNTIME,
    ".mjs": NODE_RUNTIME,
    ".cjs": NODE_RUNTIME,
}
_BOOTSTRAP = "bootstrap"
"""The file's name of a custom runtime (LR-215)."""
_CUSTOM_RUNTIME = "provided.al2023"
_HANDLERS = ("handler", "lambda_handler")
_TIMEOUT_S = 30
"""What Lambda@Edge allows (LE-LIM-01, LE-LIM-02)."""


class FunctionFiles:
    """Collects the functions that options name; one file and handler is one function."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.functions: dict[str, FunctionDefinition] = {}
        self._known: dict[tuple[Path, str], FunctionDefinition] = {}

    def add(self, given: FunctionFile, taken: Container[str] = ()) -> FunctionDefinition:
        """The function in a file, named by the file's stem (``api``, a second one ``api-2``).

        Raises :class:`UsageError` for a file that is not there or of no known language.
        """
        file = given.file.resolve()
        runtime = _CUSTOM_RUNTIME if file.name == _BOOTSTRAP else _RUNTIMES.get(file.suffix)
        if runtime is None:
            raise UsageError(
                f"{given.file}: no runtime runs {file.suffix or 'a file without suffix'}",
                remedy=".py is Python; .js, .mjs and .cjs are Node.js; a file that is called "
                "bootstrap brings its own runtime",
            )
        if "." in file.stem:
            raise UsageError(
                f"{given.file}: a handler's file cannot have a dot in its name",
                rule="CDN-CFG-277",
                remedy="rename the file",
            )
        handler = given.handler
        if not handler and runtime != _CUSTOM_RUNTIME:
            handler = _handler(read_code_file(given.file), file.suffix)
        known = self._known.get((file, handler))
        if known is None:
            known = self._known[file, handler] = self._define(file, runtime, handler, taken)
        return known

    def _define(
        self, file: Path, runtime: str, handler: str, taken: Container[str]
    ) -> FunctionDefinition:
        name, number = file.stem, 1
        while name in self.functions or name in taken:
            number += 1
            name = f"{file.stem}-{number}"
        definition = FunctionDefinition(
            name=name,
            spec=FunctionSpec(
                name=name,
                runtime=runtime,
                handler=f"{file.stem}.{handler or _HANDLERS[0]}",
                code_root=file.parent,
                arn=self._identity.function_arn(name),
                timeout_s=_TIMEOUT_S,
                region=self._identity.region,
            ),
            watch=(file,),
            place=Place(file),
        )
        self.functions[name] = definition
        return definition


def read_code_file(file: Path) -> str:
    """The text of a function's file. Raises :class:`UsageError` where there is none."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {reason(error)}", remedy="check the path"
        ) from error


def _handler(text: str, suffix: str) -> str:
    """The first of the usual names that the file exports; a broken file has the first one."""
    exported = _python_names(text) if suffix == ".py" else _node_names(text)
    return next((name for name in _HANDLERS if name in exported), _HANDLERS[0])


def _python_names(text: str) -> set[str]:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                names.update(alias.asname or alias.name for alias in imported)
            case ast.Assign(targets=targets):
                names.update(node.id for node in targets if isinstance(node, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                names.add(name)
    return names


_EXPORTS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(
        rf"\bexports\.{name}\s*="
        rf"|\bexport\s+(?:async\s+)?function\s*\*?\s*{name}\b"
        rf"|\bexport\s+(?:const|let|var)\s+{name}\b"
        rf"|\b(?:export|module\.exports\s*=)\s*\{{[^}}]*\b{name}\b"
    )
    for name in _HANDLERS
}


def _node_names(text: str) -> set[str]:
    return {name for name, pattern in _EXPORTS.items() if pattern.search(text)}
