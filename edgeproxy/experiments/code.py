"""Reads the code of functions for what experiments stumble over, without running it.

Comments and docstrings say nothing. What a function imports is not read.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.distribution.functions import CloudFrontFunction
from edgeproxy.errors import Place
from edgeproxy.project.checks.places import cloudfront_place, lambda_place
from edgeproxy.runtimes.cloudfront_js.nodes import descendants, parse

__all__ = ["Code", "code_of"]

_DRAWS: Final = re.compile(
    r"\bMath\.random\b|\brandom(?:Bytes|UUID|Int)\b|\brandom\.\w+|\bgetrandbits\b|\buuid\d?\b"
    r"|\bsecrets\.\w+|\bchoices?\(|\burandom\b|\bgetRandomValues\b"
    r"|\bfrom (?:random|secrets|uuid) import\b"
)
_UNIQUE: Final = re.compile(
    r"\brandom(?:Bytes|UUID)\b|\buuid\d?\b|\bsecrets\.\w+|\burandom\b|\brequestId\b|\brequest_id\b"
)
_SETS_COOKIE: Final = re.compile(r"set-cookie|\bresponse\.cookies\b|\['cookies'\]", re.IGNORECASE)
_VARY: Final = re.compile(r"""["']vary["']""", re.IGNORECASE)
_DOCUMENTED: Final = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SUFFIXES: Final = (".py", ".js", ".mjs", ".cjs")
_BUNDLE_BYTES: Final = 256 * 1024
"""A longer file was made by a bundler: everything stands in it."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a function's file says, comments left out."""

    name: str
    text: str
    place: Place

    def names(self, word: str) -> bool:
        """Whether a cookie or header of that name stands in it."""
        pattern = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
        return re.search(pattern, self.text, re.IGNORECASE) is not None

    def quotes(self, text: str) -> bool:
        """Whether that text alone stands in quotes."""
        return re.search(rf"""(["'`]){re.escape(text)}\1""", self.text) is not None

    @property
    def draws(self) -> bool:
        """Whether it uses randomness."""
        return _DRAWS.search(self.text) is not None

    @property
    def makes_unique_values(self) -> bool:
        """Whether it makes values that no two visitors share."""
        return _UNIQUE.search(self.text) is not None

    @property
    def sets_cookie(self) -> bool:
        return _SETS_COOKIE.search(self.text) is not None

    @property
    def sets_vary(self) -> bool:
        return _VARY.search(self.text) is not None


def code_of(function: FunctionDefinition | CloudFrontFunction) -> Code | None:
    """The code of a function; None when there is no file to read, or one that a bundler made."""
    if isinstance(function, CloudFrontFunction):
        return Code(function.name, _script(function.code.encode()), cloudfront_place(function))
    file = _file(function)
    if file is None:
        return None
    source = file.read_bytes()
    if len(source) > _BUNDLE_BYTES:
        return None
    text = _module(source) if file.suffix == ".py" else _script(source)
    return Code(function.name, text, lambda_place(function, file))


def _file(function: FunctionDefinition) -> Path | None:
    path = function.spec.handler.rpartition(".")[0]
    files = (function.spec.code_root / f"{path}{suffix}" for suffix in _SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _module(source: bytes) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""  # Other checks tell of it.
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and node.body:
            first, *rest = node.body
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = rest or [ast.Pass()]
    return ast.unparse(tree)


def _script(source: bytes) -> str:
    comments = [node for node in descendants(parse(source)) if node.type == "comment"]
    kept = bytearray(source)
    for node in sorted(comments, key=lambda node: node.start_byte, reverse=True):
        del kept[node.start_byte : node.end_byte]
    return kept.decode(errors="replace")
