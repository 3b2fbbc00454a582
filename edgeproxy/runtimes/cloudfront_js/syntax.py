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
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from edgeproxy.runtimes.cloudfront_js.absent import absent_uses
from edgeproxy.runtimes.cloudfront_js.nodes import descendants, parse, text

__all__ = ["MAX_CODE_BYTES", "Program", "SyntaxFinding", "parse_program"]

MAX_CODE_BYTES: Final = 10_240
"""CFF-LIM-01."""


@dataclass(frozen=True, slots=True)
class SyntaxFinding:
    """One thing in the code, with its place (from 1).

    ``fatal``: every run fails because of it; ``throws``: those runs that come to the line do.
    """

    rule: str
    message: str
    remedy: str
    line: int
    column: int
    fatal: bool
    throws: bool = True


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
    "private_property_identifier": _both("A private name", "Use an ordinary name."),
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
_OF_CONNECTIONS: Final = frozenset({"Optional chaining (?.)", "Nullish coalescing (??)"})
"""AWS's guide names these for connection functions (CFF-CONN-01), other than for viewer events."""
_REGEX_FLAGS: Final = {1: "gim", 2: "gimy"}
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


def parse_program(code: str, version: int, *, judges_connections: bool = False) -> Program:
    """Read ``code`` for runtime ``version`` 1 or 2; connection functions may say a little more."""
    source = code.encode()
    root = parse(source)
    reader = _Reader(version, _OF_CONNECTIONS if judges_connections else frozenset())
    statements = [child for child in root.named_children if child.type not in _SKIPPED]
    imported = reader.imports(statements)
    reader.walk(root)
    reader.absent(root)
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
                throws=False,
            )
        )
    body, end = "", 0
    for statement, _, _ in imported:
        # Blanked, not cut: every place in the code stays what it was.
        body += source[end : statement.start_byte].decode()
        body += re.sub(r"[^\n]", " ", text(statement))
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

    def __init__(self, version: int, allowed: Collection[str]) -> None:
        self.version = version
        self._allowed = allowed
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
            module = text(statement.child_by_field_name("source"))[1:-1]
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
        for node in descendants(root):
            refused = _NODES.get(node.type, {}).get(self.version)
            if refused:
                self._refuse(node, refused.what, refused.rule, refused.remedy)
            check = _CHECKS.get(node.type)
            if check:
                check(self, node)

    def absent(self, root: Node) -> None:
        """What this runtime lacks: it throws, or does nothing, once the line runs."""
        for use in absent_uses(root, self.version):
            self._find(use.node, use.rule, use.message, use.remedy, fatal=False, throws=use.throws)

    def operator(self, node: Node) -> None:
        sign = text(node.child_by_field_name("operator"))
        if sign in _OPERATORS:
            refused = _OPERATORS[sign][self.version]
            self._refuse(node, refused.what, refused.rule, refused.remedy)

    def default_value(self, node: Node) -> None:
        parent = node.parent
        if parent is not None and parent.type == "formal_parameters":
            rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-11"
            self._refuse(node, "A default parameter", rule, "Test for undefined in the body.")

    def loop(self, node: Node) -> None:
        if self.version == 1 and text(node.child_by_field_name("kind")) in ("const", "let"):
            self._refuse(node, "A const or let declaration", "CFF-JS1-02", f"Use var. {_USE_2}")
        if text(node.child_by_field_name("operator")) == "of":
            rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-11"
            self._refuse(node, "for...of", rule, "Count with an index, or use forEach().")

    def number(self, node: Node) -> None:
        digits = text(node)
        if digits.endswith("n"):
            self._unlisted(node, "A BigInt", "Use a number or a string.")
        if "_" in digits and self.version == 1:
            self._refuse(node, "A numeric separator", "CFF-JS2-05", _USE_2)

    def regex(self, node: Node) -> None:
        for flag in text(node.child_by_field_name("flags")):
            if flag not in _REGEX_FLAGS[self.version]:
                self._unlisted(node, f"The flag {flag} of a regular expression", "Do without.")

    def caught(self, node: Node) -> None:
        if node.child_by_field_name("parameter") is None:
            self._unlisted(node, "catch without a name", "Write catch (error).")

    def function(self, node: Node) -> None:
        """Async functions: none in 1.0, no closures and arguments in 2.0 (CFF-JS2-03).

        What stands in no other function is no closure: AWS's samples have async arrow functions
        at the top level.
        """
        if not any(child.type == "async" for child in node.children):
            return
        if self.version == 1:
            self._refuse(node, "An async function", "CFF-JS1-02", _USE_2)
        elif self._is_nested(node):
            self._refuse(
                node,
                "An async closure",
                "CFF-JS2-03",
                "Declare the async function at the top level.",
            )
        elif node.parent is not None and node.parent.type == "arguments":
            self._refuse(node, "An async argument", "CFF-JS2-03", "Declare it and pass its name.")

    @staticmethod
    def _is_nested(node: Node) -> bool:
        step = node.parent
        while step is not None and step.type not in _FUNCTIONS:
            step = step.parent
        return step is not None

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
        if callee is not None and callee.type == "import":
            rule = "CFF-JS1-04" if self.version == 1 else "CFF-JS2-10"
            self._refuse(node, "import()", rule, "Use require().")

    def _unlisted(self, node: Node, what: str, remedy: str) -> None:
        self._refuse(node, what, "CFF-JS1-01" if self.version == 1 else "CFF-JS2-01", remedy)

    def _refuse(self, node: Node, what: str, rule: str, remedy: str) -> None:
        if what in self._allowed:
            return
        message = f"{what} is not supported by cloudfront-js-{self.version}.0."
        self._find(node, rule, message, remedy, fatal=True)

    def _find(
        self,
        node: Node,
        rule: str,
        message: str,
        remedy: str,
        *,
        fatal: bool,
        throws: bool = True,
    ) -> None:
        row, column = node.start_point
        self.findings.append(
            SyntaxFinding(rule, message, remedy, row + 1, column + 1, fatal, throws)
        )


_CHECKS: Final[dict[str, Callable[[_Reader, Node], None]]] = {
    "assignment_pattern": _Reader.default_value,
    "augmented_assignment_expression": _Reader.operator,
    "await_expression": _Reader.awaited,
    "binary_expression": _Reader.operator,
    "call_expression": _Reader.call,
    "catch_clause": _Reader.caught,
    "for_in_statement": _Reader.loop,
    "number": _Reader.number,
    "regex": _Reader.regex,
    **dict.fromkeys(_FUNCTIONS, _Reader.function),
}


def _default_import(statement: Node) -> str:
    """The name of ``import NAME from …`` when nothing else is imported, else empty."""
    for child in statement.named_children:
        if child.type == "import_clause":
            names = child.named_children
            return text(names[0]) if [name.type for name in names] == ["identifier"] else ""
    return ""
