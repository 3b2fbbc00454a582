"""Reads the Node.js code of Lambda functions for what fails on AWS (LE-ERR-01, LR-046 to LR-049).

The file of the handler is read, and every file of the code's folder that it names, but no installed
package. What lies in a ``try``, what the code declares itself or asks for with ``typeof`` may well
work: nothing is said of it. What runs only in a function gets a warning at most.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from tree_sitter import Node

from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.errors import DefinitionError
from edgeproxy.project.checks.node_packages import find_package, package_json, resolve
from edgeproxy.project.checks.places import lambda_place
from edgeproxy.project.checks.variables import variable_finding
from edgeproxy.project.report import CheckFinding, Severity
from edgeproxy.runtimes.cloudfront_js.nodes import declares, descendants, parse, string_value, text
from edgeproxy.runtimes.interpreters import find_interpreter

__all__ = ["check_node"]

_LINE: Final = re.compile(r":(\d+)$", re.MULTILINE)
_SYNTAX_ERROR: Final = re.compile(r"^SyntaxError: .*", re.MULTILINE)
_BUNDLE_BYTES: Final = 256 * 1024
"""A longer file was made by a bundler, and reading it would take long."""
_ENDINGS: Final = (".js", ".mjs", ".cjs")
_FUNCTIONS: Final = frozenset(
    {
        *("arrow_function", "function_declaration", "function_expression", "method_definition"),
        *("generator_function", "generator_function_declaration"),
    }
)
_COMMONJS: Final = frozenset({"require", "exports", "module", "__dirname", "__filename"})
_SINCE: Final = {
    "fetch": 18, "Headers": 18, "Request": 18, "Response": 18, "FormData": 18,
    "structuredClone": 17, "WebSocket": 22, "navigator": 21, "CustomEvent": 19,
}  # fmt: skip
"""Globals by the version of Node.js that first had them."""
_BROWSERS: Final = frozenset({"XMLHttpRequest", "window", "document", "localStorage"})
_DETECTS: Final = 24
"""The first runtime that tells ES modules by their syntax. Lambda switches that off in Node.js 22;
in 20 the ``require`` that loads the handler's file takes no ES module (LR-043)."""


def check_node(definition: FunctionDefinition, *, at_edge: bool) -> Iterator[CheckFinding]:
    """What reading the code tells; variables are judged for edge functions only.

    Nothing for a runtime that is none of Lambda's for Node.js.
    """
    spec = definition.spec
    version = re.fullmatch(r"nodejs(\d+)\.x", spec.runtime)
    if version is None:
        return
    path, _, name = spec.handler.rpartition(".")
    candidates = [spec.code_root / f"{path}{ending}" for ending in _ENDINGS]
    file = next((each for each in candidates if each.is_file()), None)
    if file is None:
        return  # CDN-CFG-277 has told it.
    waiting, known = [file], {file}
    while waiting:
        at = waiting.pop()
        if at.stat().st_size > _BUNDLE_BYTES:
            continue
        source = _Source(definition, at, int(version[1]))
        broken = list(source.syntax())
        yield from broken
        if broken:
            continue
        for wanted in source.wanted:
            found = resolve(source.file, wanted.name, is_module=source.is_module)
            if found is not None and found not in known and found.suffix in _ENDINGS:
                known.add(found)
                waiting.append(found)
        if source.file == file:
            yield from source.handler(name)
        yield from source.packages()
        yield from source.names()
        if at_edge:
            yield from source.variables()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Something that is required or imported; ``is_sure`` when that happens on every load."""

    name: str
    node: Node
    is_sure: bool


class _Source:
    """One file of a function's own code."""

    def __init__(self, definition: FunctionDefinition, file: Path, version: int) -> None:
        self.definition = definition
        self.file = file
        self.version = version
        self.root = parse(file.read_bytes())
        self.nodes = list(descendants(self.root))

    @cached_property
    def is_module(self) -> bool:
        """Whether Node.js takes the file as an ES module."""
        if self.file.suffix in (".mjs", ".cjs"):
            return self.file.suffix == ".mjs"
        for folder in self.file.parents:
            if (package := folder / "package.json").is_file():
                kind = package_json(package).get("type")
                if kind is not None:
                    return kind == "module"
                break
        return self.looks_like_module and self.version >= _DETECTS

    @cached_property
    def looks_like_module(self) -> bool:
        return any(
            node.type in ("import_statement", "export_statement")
            for node in self.root.named_children
        )

    @cached_property
    def own(self) -> set[str]:
        """Names that are the code's own business."""
        asked = {
            text(node.child_by_field_name("argument"))
            for node in self.nodes
            if node.type == "unary_expression" and text(node).startswith("typeof")
        }
        return asked | {
            text(node)
            for node in self.nodes
            if node.type in ("identifier", "shorthand_property_identifier_pattern")
            and declares(node)
        }

    @cached_property
    def wanted(self) -> list[_Wanted]:
        found = []
        for node in self.nodes:
            if node.type in ("import_statement", "export_statement"):
                source = node.child_by_field_name("source")
                is_sure = True
            elif _is_require(node) and "require" not in self.own:
                source = node.child_by_field_name("arguments")
                source = source.named_children[0] if source and source.named_children else None
                is_sure = _enclosing(node, _FUNCTIONS) is None
            else:
                continue
            name = string_value(source) if source is not None else None
            if name and _enclosing(node, {"try_statement"}) is None:
                found.append(_Wanted(name, node, is_sure))
        return found

    def syntax(self) -> Iterator[CheckFinding]:
        """What Node.js itself says of a file in which the grammar stumbles."""
        if not self.root.has_error:
            return
        try:
            interpreter = find_interpreter(self.definition.spec.runtime)
        except DefinitionError:
            return  # Without Node.js nobody can tell.
        answer = subprocess.run(
            [interpreter.path, "--check", str(self.file)],
            capture_output=True,
            text=True,
            check=False,
        )
        line, told = _LINE.search(answer.stderr), _SYNTAX_ERROR.search(answer.stderr)
        if line is not None and told is not None:
            place = lambda_place(self.definition, self.file, int(line[1]))
            message = f"Runtime.UserCodeSyntaxError: {told[0]}"
            yield CheckFinding("LE-ERR-01", place, message, "mend the error in the code")

    def handler(self, name: str) -> Iterator[CheckFinding]:
        """The export that the handler names, where all exports can be read."""
        if self.looks_like_module and not self.is_module:
            return  # It does not even load.
        exported = _module_exports(self.nodes) if self.is_module else _exports(self.nodes)
        if exported is not None and name not in exported:
            handler = self.definition.spec.handler
            place = lambda_place(self.definition, self.file, 1)
            yield CheckFinding(
                "LE-ERR-01",
                place,
                f"Runtime.HandlerNotFound: {handler} is undefined or not exported",
                f"export {name}, or mend the Handler {handler!r}",
            )

    def packages(self) -> Iterator[CheckFinding]:
        for wanted in self.wanted:
            missing = find_package(
                self.definition.spec.code_root,
                self.file,
                wanted.name,
                self.version,
                is_module=self.is_module,
            )
            if missing is None:
                continue
            kind = (
                f"Cannot find package '{wanted.name}' imported from {self.file.name}"
                if self.is_module
                else f"Runtime.ImportModuleError: Error: Cannot find module '{wanted.name}'"
            )
            is_sure = wanted.is_sure and not missing.is_listed
            yield self._finding(wanted.node, kind, missing.remedy, is_sure=is_sure)

    def names(self) -> Iterator[CheckFinding]:
        """Free names that the file, or the declared version, does not have."""
        if not self.is_module and self.looks_like_module:
            for node in self.root.named_children:
                if node.type in ("import_statement", "export_statement"):
                    what = node.type.partition("_")[0]
                    yield self._finding(
                        node,
                        "Runtime.UserCodeSyntaxError: SyntaxError: "
                        + (
                            "Cannot use import statement outside a module"
                            if what == "import"
                            else "Unexpected token 'export'"
                        ),
                        'name the file .mjs, or put "type": "module" into package.json',
                    )
                    return
        for node in self.nodes:
            name = text(node) if node.type == "identifier" else ""
            if not name or name in self.own or _enclosing(node, {"try_statement"}) is not None:
                continue
            is_sure = _enclosing(node, _FUNCTIONS) is None
            if self.is_module and name in _COMMONJS:
                yield self._finding(
                    node,
                    f"ReferenceError: {name} is not defined in ES module scope",
                    "use import, export and import.meta, or name the file .cjs",
                )
            elif self.version < _SINCE.get(name, 0):
                remedy = f"it came with Node.js {_SINCE[name]}: declare a newer runtime"
                message = f"ReferenceError: {name} is not defined"
                yield self._finding(node, message, remedy, is_sure=is_sure)
            elif name in _BROWSERS:
                message = f"ReferenceError: {name} is not defined"
                remedy = "browsers have it, Node.js does not"
                yield self._finding(node, message, remedy, is_sure=is_sure)

    def variables(self) -> Iterator[CheckFinding]:
        """``process.env.X`` where nothing stands in for it (LE-ASSOC-09)."""
        for node in self.nodes:
            if node.type == "member_expression":
                name = text(node.child_by_field_name("property"))
            elif node.type == "subscript_expression":
                index = node.child_by_field_name("index")
                name = (string_value(index) if index is not None else None) or ""
            else:
                continue
            is_read = text(node.child_by_field_name("object")) == "process.env"
            if not is_read or not name or _is_tested(node):
                continue
            row, column = node.start_point
            place = lambda_place(self.definition, self.file, row + 1, column + 1)
            yield from variable_finding(name, f"process.env.{name} is undefined", place)

    def _finding(
        self, node: Node, message: str, remedy: str, *, is_sure: bool = True
    ) -> CheckFinding:
        row, column = node.start_point
        place = lambda_place(self.definition, self.file, row + 1, column + 1)
        severity = Severity.ERROR if is_sure else Severity.WARNING
        return CheckFinding("LE-ERR-01", place, message, remedy, severity)


def _is_require(node: Node) -> bool:
    if node.type != "call_expression":
        return False
    return text(node.child_by_field_name("function")) == "require"


def _is_tested(node: Node) -> bool:
    """Whether the value is compared, or something stands beside it in case it is not there."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type in ("binary_expression", "augmented_assignment_expression"):
        return text(parent.child_by_field_name("operator")) != "+"
    if parent.type == "assignment_expression":
        return parent.child_by_field_name("left") == node
    return parent.type in (
        *("if_statement", "parenthesized_expression", "ternary_expression"),
        *("unary_expression", "assignment_pattern"),
    )


def _enclosing(node: Node, types: frozenset[str] | set[str]) -> Node | None:
    step = node.parent
    while step is not None and step.type not in types:
        step = step.parent
    return step


# exports


def _exports(nodes: list[Node]) -> set[str] | None:
    """What a CommonJS module exports, None when reading cannot tell."""
    names: set[str] = set()
    for node in nodes:
        if node.type != "identifier" or text(node) not in ("exports", "module"):
            continue
        target: Node | None = node
        if text(node) == "module":
            target = node.parent
            if target is None or text(target) != "module.exports":
                return None
        above = target.parent if target is not None else None
        if above is None:
            return None
        if above.type == "member_expression" and above.parent is not None:
            if above.parent.type != "assignment_expression":
                return None
            names.add(text(above.child_by_field_name("property")))
        elif above.type == "assignment_expression":
            value = above.child_by_field_name("right")
            if value is None or value.type != "object":
                return None
            for member in value.named_children:
                key = member.child_by_field_name("key") or member.child_by_field_name("name")
                if member.type == "spread_element":
                    return None
                names.add(text(key if key is not None else member).strip("'\""))
        else:
            return None
    return names


def _module_exports(nodes: list[Node]) -> set[str] | None:
    """What an ES module exports, None when it passes on all of another."""
    names: set[str] = set()
    for node in nodes:
        if node.type != "export_statement":
            continue
        if any(child.type == "*" for child in node.children):
            return None
        for part in descendants(node):
            if part.type == "export_specifier":
                name = part.child_by_field_name("alias") or part.child_by_field_name("name")
                names.add(text(name).strip("'\""))
        declared = node.child_by_field_name("declaration")
        if declared is not None:
            names.update(text(part) for part in descendants(declared) if declares(part))
        if any(child.type == "default" for child in node.children):
            names.add("default")
    return names
