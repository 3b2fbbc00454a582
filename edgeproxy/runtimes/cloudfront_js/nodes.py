"""Small questions about nodes of tree-sitter's JavaScript trees."""

from collections.abc import Iterator
from typing import Final

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

__all__ = ["declares", "descendants", "parse", "string_value", "text"]

_LANGUAGE: Final = Language(tree_sitter_javascript.language())
_BINDING: Final = frozenset(
    {
        *("array_pattern", "arrow_function", "catch_clause", "formal_parameters"),
        *("import_clause", "import_specifier", "namespace_import", "object_pattern"),
        *("pair_pattern", "rest_pattern"),
    }
)
"""Parents in which a name stands as what it is bound to."""


def parse(source: bytes) -> Node:
    """The root of the tree, also of broken code."""
    return Parser(_LANGUAGE).parse(source).root_node


def descendants(root: Node) -> Iterator[Node]:
    """``root`` and all named nodes below it."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.named_children)


def declares(node: Node) -> bool:
    """Whether a name is declared here: a variable, function, parameter or import."""
    parent = node.parent
    if parent is None:
        return False
    match parent.type:
        case "for_in_statement" | "assignment_pattern" | "object_assignment_pattern":
            return node == parent.child_by_field_name("left")
        case "arrow_function":
            return node == parent.child_by_field_name("parameter")
        case kind if kind in _BINDING:
            return True
        case _:
            return node == parent.child_by_field_name("name")


def text(node: Node | None) -> str:
    """The node's source text; empty for None."""
    return node.text.decode() if node is not None and node.text is not None else ""


def string_value(node: Node) -> str | None:
    """What a plain string literal says, None for any other expression."""
    if node.type != "string" or any(child.type == "escape_sequence" for child in node.children):
        return None
    return text(node)[1:-1]
