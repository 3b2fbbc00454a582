"""Where a line of a function's code stands: its own file, or the template that it is written in."""

from pathlib import Path

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.distribution.functions import CloudFrontFunction
from edgeproxy.errors import Place

__all__ = ["cloudfront_place", "lambda_place"]


def lambda_place(
    definition: FunctionDefinition,
    file: Path | None = None,
    line: int | None = None,
    column: int | None = None,
) -> Place:
    """A place in a Lambda function's code; without ``file`` the file of its handler."""
    path = _path(definition.logical_id, definition.name)
    if definition.inline:
        text = "" if file is None else file.read_text("utf-8")
        return _in_template(definition.place, text, line, column, path)
    return Place(_shown(file or _handler_file(definition)), line, path, column)


def cloudfront_place(
    function: CloudFrontFunction, line: int | None = None, column: int | None = None
) -> Place:
    """A place in a CloudFront Function's code."""
    path = _path(function.logical_id, function.name)
    if function.source is not None:
        return Place(_shown(function.source), line, path, column)
    return _in_template(function.place, function.code, line, column, path)


def _handler_file(definition: FunctionDefinition) -> Path:
    """The file that the handler names, or the folder of the code where it is not that simple."""
    root, name = definition.spec.code_root, definition.spec.handler.rpartition(".")[0]
    files = (root / f"{name}{ending}" for ending in (".py", ".js", ".mjs", ".cjs"))
    return next((file for file in files if file.is_file()), root)


def _path(logical_id: str, name: str) -> str:
    return f"Resources.{logical_id}" if logical_id else name


def _in_template(start: Place, code: str, line: int | None, column: int | None, path: str) -> Place:
    """The line of the template that says what the code's line says; else where the code begins."""
    lines = [each.strip() for each in code.splitlines()]
    if line is None or start.file is None or start.line is None or not any(lines):
        return Place(start.file, start.line, path)
    written = start.file.read_text("utf-8-sig").splitlines()
    stripped = [each.strip() for each in written]
    for first in range(start.line - 1, len(written) - len(lines) + 1):
        if stripped[first : first + len(lines)] == lines and line <= len(lines):
            at = first + line - 1
            shift = _indent(written[at]) - _indent(code.splitlines()[line - 1])
            return Place(start.file, at + 1, path, None if column is None else column + shift)
    return Place(start.file, start.line, f"{path}.line {line} of the code")


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _shown(file: Path) -> Path:
    """Relative to the current folder where it lies below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
