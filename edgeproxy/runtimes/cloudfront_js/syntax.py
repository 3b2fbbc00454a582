"""Finds what a CloudFront Functions runtime does not understand, before a request does.

CloudFront takes any text when a function is created and fails when it runs (CFF-JS2-12). The
engine here is newer than CloudFront's, so it would run too much: what AWS does not list is found in
the syntax tree, once per function version, and refused as CloudFront refuses it.

The tree comes from tree-sitter with its JavaScript grammar: maintained, MIT, a wheel for every
platform, 80 µs for a function of usual size, exact places, and a tree even for broken code. Pure
Python parsers are a hundred times slower and mostly abandoned, and acorn or Babel would have to be
shipped as JavaScript. Whether code is JavaScript at all is left to the engine itself.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

__all__ = ["MAX_CODE_BYTES", "Program", "SyntaxFinding", "parse_program"]

MAX_CODE_BYTES: Final = 10_240
"""CFF-LIM-01."""

_LANGUAGE: Final = Language(tree_sitter_javascript.language())


@dataclass(frozen=True, slots=True)
class SyntaxFinding:
    """One thing in the code, with its place (from 1). ``fatal``: every run fails because of it."""

    rule: str
    message: str
    remedy: str
    line: int
    column: int
    fatal: bool


@dataclass(frozen=True, slots=True)
class Program:
    """A parsed function: what was found, and the code in the form that the engine runs."""

    findings: tuple[SyntaxFinding, ...]
    body: str
    """The code without its imports, every other character where it was."""
    imports: tuple[tuple[str, str], ...]
    """Each name that an import binds, with the module it stands for."""


@dataclass(frozen=True, slots=True)
class _Refused:
    what: str
    rule: str
    remedy: str


def _both(what: str, remedy: str, rule: str = "") -> dict[int, _Refused]:
    return {
        1: _Refused(what, rule or "CFF-JS1-04", remedy),
        2: _Refused(what, rule or "CFF-JS2-11", remedy),
    }


def _first(what: str, remedy: str, rule: str = "CFF-JS1-02") -> dict[int, _Refused]:
    return {1: _Refused(what, rule, remedy)}


_USE_2: Final = "Use runtime cloudfront-js-2.0."
_ASSIGN: Final = "Use Object.assign(), concat() or apply()."
_GENERATOR: Final = _both("A generator", "Return an array.")
_CLASS: Final = _both("A class", "Use functions and plain objects.")
_DESTRUCTURING: Final = _both("Destructuring", "Read the members one by one.")

# Node types of the grammar that a version refuses.
_NODES: Final[dict[str, dict[int, _Refused]]] = {
    "class_declaration": _CLASS,
    "class": _CLASS,
    "object_pattern": _DESTRUCTURING,
    "array_pattern": _DESTRUCTURING,
    "spread_element": _both("Spread syntax", _ASSIGN),
    "generator_function": _GENERATOR,
    "generator_function_declaration": _GENERATOR,
    "yield_expression": _GENERATOR,
    "optional_chain": _both("Optional chaining (?.)", "Test with && before each step."),
    "lexical_declaration": _first("A const or let declaration", f"Use var. {_USE_2}"),
    "await_expression": _first("await", _USE_2),
    "meta_property": _both("A meta property", "Leave it out."),
}
_OPERATORS: Final = {
    "??": _both("Nullish coalescing (??)", "Compare with undefined, or use ||."),
    "??=": _both("Nullish coalescing (??=)", "Compare with undefined, or use ||."),
    "&&=": _both("Logical assignment (&&=)", "Write the assignment out."),
    "||=": _both("Logical assignment (||=)", "Write the assignment out."),
}
_FUNCTIONS: Final = frozenset(
    {
        "arrow_function",
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "method_definition",
    }
)
# Names that people expect and that neither runtime has.
_ABSENT: Final = frozenset(
    {
        *("Map", "Set", "WeakMap", "WeakSet", "WeakRef", "Proxy", "Reflect", "BigInt", "Intl"),
        *("setTimeout", "setInterval", "setImmediate", "clearTimeout", "queueMicrotask"),
        *("fetch", "XMLHttpRequest", "WebSocket", "URL", "URLSearchParams", "Headers"),
        *("Request", "Response", "process", "global", "window", "performance", "structuredClone"),
    }
)
_ABSENT_IN_1: Final = frozenset(
    {"Buffer", "TextEncoder", "TextDecoder", "atob", "btoa", "Symbol", "DataView"}
)


def parse_program(code: str, version: int) -> Program:
    """Read ``code`` for runtime ``version`` 1 or 2."""
    source = code.encode()
    root = Parser(_LANGUAGE).parse(source).root_node
    reader = _Reader(version)
    statements = [child for child in root.named_children if child.type not in _SKIPPED]
    imported = reader.imports(statements)
    reader.walk(root)
    reader.absent_names(root)
    findings = reader.findings
    if len(source) > MAX_CODE_BYTES:
        findings.append(
            SyntaxFinding(
                "CFF-LIM-01",
                f"The code has {len(source)} bytes; the limit is {MAX_CODE_BYTES}.",
                "Remove comments or minify; comments count.",
                1,
                1,
                fatal=False,
            )
        )
    body, end = "", 0
    for statement, _, _ in imported:
        # Blanked, not cut: every place in the code stays what it was.
        body += source[end : statement.start_byte].decode()
        body += re.sub(r"[^\n]", " ", _text(statement))
        end = statement.end_byte
    return Program(
        tuple(sorted(findings, key=lambda finding: (finding.line, finding.column))),
        body + source[end:].decode(),
        tuple((name, module) for _, name, module in imported),
    )


_IMPORTABLE: Final = frozenset({"cloudfront", "crypto", "querystring"})
_SKIPPED: Final = frozenset({"comment", "hash_bang_line", "empty_statement"})


class _Reader:
    """Walks a tree and collects findings."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.findings: list[SyntaxFinding] = []

    def imports(self, statements: list[Node]) -> list[tuple[Node, str, str]]:
        """Each ``import NAME from 'MODULE'`` at the head, with both; other imports are refused."""
        found: list[tuple[Node, str, str]] = []
        for index, statement in enumerate(statements):
            if statement.type == "export_statement":
                self._refuse(statement, "export", "CFF-JS2-10", "Leave the word out.")
            if statement.type != "import_statement":
                continue
            name = _default_import(statement)
            module = _text(statement.child_by_field_name("source"))[1:-1]
            if self.version == 1:
                self._refuse(statement, "import", "CFF-JS1-04", _USE_2)
            elif not name or module not in _IMPORTABLE:
                self._refuse(
                    statement,
                    "This import",
                    "CFF-JS2-10",
                    "Write import NAME from 'cloudfront', 'crypto' or 'querystring'.",
                )
            elif statements[index - 1].type != "import_statement" and index > 0:
                self._refuse(
                    statement,
                    "An import after other statements",
                    "CFF-JS2-10",
                    "Put it before all other statements.",
                )
            else:
                found.append((statement, name, module))
        return found

    def walk(self, root: Node) -> None:
        for node in _descendants(root):
            refused = _NODES.get(node.type, {}).get(self.version)
            if refused:
                self._refuse(node, refused.what, refused.rule, refused.remedy)
            check = _CHECKS.get(node.type)
            if check:
                check(self, node)

    def absent_names(self, root: Node) -> None:
        """Free names that this runtime lacks: each a ReferenceError once the line runs."""
        absent = _ABSENT | _ABSENT_IN_1 if self.version == 1 else _ABSENT
        identifiers = [node for node in _descendants(root) if node.type == "identifier"]
        declared = {_text(node) for node in identifiers if _declares(node)}
        for node in identifiers:
            name = _text(node)
            if name in absent and name not in declared:
                rule = "CFF-RT-02" if "Timeout" in name or "Immediate" in name else "CFF-RT-05"
                if name in ("Map", "Set", "Proxy", "Symbol"):
                    rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-11"
                elif name in _ABSENT_IN_1:
                    rule = "CFF-JS1-11"
                self._find(node, rule, f"{name} does not exist in this runtime.", "", fatal=False)

    def operator(self, node: Node) -> None:
        sign = _text(node.child_by_field_name("operator"))
        if sign in _OPERATORS:
            refused = _OPERATORS[sign][self.version]
            self._refuse(node, refused.what, refused.rule, refused.remedy)

    def default_value(self, node: Node) -> None:
        parent = node.parent
        if parent is not None and parent.type == "formal_parameters":
            rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-11"
            self._refuse(node, "A default parameter", rule, "Test for undefined in the body.")

    def loop(self, node: Node) -> None:
        if self.version == 1 and _text(node.child_by_field_name("kind")) in ("const", "let"):
            self._refuse(node, "A const or let declaration", "CFF-JS1-02", f"Use var. {_USE_2}")
        if _text(node.child_by_field_name("operator")) == "of":
            rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-11"
            self._refuse(node, "for...of", rule, "Count with an index, or use forEach().")

    def number(self, node: Node) -> None:
        text = _text(node)
        if text.endswith("n"):
            rule = "CFF-JS1-01" if self.version == 1 else "CFF-JS2-01"
            self._refuse(node, "A BigInt", rule, "Use a number or a string.")
        if "_" in text and self.version == 1:
            self._refuse(node, "A numeric separator", "CFF-JS2-05", _USE_2)

    def function(self, node: Node) -> None:
        """Async functions: none in 1.0, no closures in 2.0 (CFF-JS2-03)."""
        if not any(child.type == "async" for child in node.children):
            return
        if self.version == 1:
            self._refuse(node, "An async function", "CFF-JS1-02", _USE_2)
        elif (
            node.type != "function_declaration"
            or node.parent is None
            or node.parent.type != "program"
        ):
            self._refuse(
                node,
                "An async closure",
                "CFF-JS2-03",
                "Declare the async function at the top level.",
            )

    def awaited(self, node: Node) -> None:
        """``f(await g())`` (CFF-JS2-04)."""
        if self.version == 1:
            return
        step: Node | None = node.parent
        while step is not None and step.type not in _FUNCTIONS:
            if step.type == "arguments":
                self._refuse(
                    node,
                    "await inside the arguments of a call",
                    "CFF-JS2-04",
                    "Await into a variable first, in a statement of its own.",
                )
                return
            step = step.parent

    def call(self, node: Node) -> None:
        callee = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if callee is None or arguments is None:
            return
        if callee.type == "import":
            rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-10"
            self._refuse(node, "import()", rule, "Use require().")
        if _text(callee) == "console.log" and arguments.named_child_count > 1:
            self._find(
                node,
                "CFF-RT-06",
                "console.log() takes one argument; the others are not printed.",
                "Join them into one string.",
                fatal=False,
            )

    def _refuse(self, node: Node, what: str, rule: str, remedy: str) -> None:
        message = f"{what} is not supported by cloudfront-js-{self.version}.0."
        self._find(node, rule, message, remedy, fatal=True)

    def _find(self, node: Node, rule: str, message: str, remedy: str, *, fatal: bool) -> None:
        row, column = node.start_point
        self.findings.append(SyntaxFinding(rule, message, remedy, row + 1, column + 1, fatal))


_CHECKS: Final[dict[str, Callable[[_Reader, Node], None]]] = {
    "assignment_pattern": _Reader.default_value,
    "augmented_assignment_expression": _Reader.operator,
    "await_expression": _Reader.awaited,
    "binary_expression": _Reader.operator,
    "call_expression": _Reader.call,
    "for_in_statement": _Reader.loop,
    "number": _Reader.number,
    **dict.fromkeys(_FUNCTIONS, _Reader.function),
}


def _descendants(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.named_children)


def _default_import(statement: Node) -> str:
    """The name of ``import NAME from …`` when nothing else is imported, else empty."""
    for child in statement.named_children:
        if child.type == "import_clause":
            names = child.named_children
            return _text(names[0]) if [name.type for name in names] == ["identifier"] else ""
    return ""


def _declares(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type in ("formal_parameters", "rest_pattern", "catch_clause", "import_clause"):
        return True
    return node in (parent.child_by_field_name("name"), parent.child_by_field_name("parameter"))


def _text(node: Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""
