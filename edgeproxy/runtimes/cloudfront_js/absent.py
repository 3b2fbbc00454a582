"""Finds uses of what a CloudFront Functions runtime does not have: names, modules, members.

The code is fine by its syntax, and the line throws, or does something else than meant, once it
runs (CFF-JS1, CFF-JS2, CFF-RT, CFF-MOD). Only what is sure is told: a name that the code declares
anywhere, or asks for with ``typeof``, is the code's own business.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from edgeproxy.runtimes.cloudfront_js.nodes import declares, descendants, string_value, text

__all__ = ["AbsentUse", "absent_uses"]

_USE_2: Final = "Use runtime cloudfront-js-2.0."


@dataclass(frozen=True, slots=True)
class AbsentUse:
    """One use; ``throws`` when the line ends the run, else it does not do what it says."""

    node: Node
    rule: str
    message: str
    remedy: str
    throws: bool = True


@dataclass(frozen=True, slots=True)
class _Lack:
    rules: tuple[str, str]
    remedy: str


def _lacks(names: str, rules: tuple[str, str] | str, remedy: str) -> dict[str, _Lack]:
    both = (rules, rules) if isinstance(rules, str) else rules
    return dict.fromkeys(names.split(), _Lack(both, remedy))


_UNLISTED: Final = ("CFF-JS1-04", "CFF-JS2-11")
# Names that people expect and that neither runtime has.
_NAMES: Final = {
    **_lacks("Map Set WeakMap WeakSet", _UNLISTED, "Use a plain object or an array."),
    **_lacks("WeakRef Proxy Reflect BigInt Intl", _UNLISTED, "Do without it."),
    **_lacks(
        "setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate "
        "queueMicrotask",
        "CFF-RT-02",
        "Nothing can be deferred: do it at once, or at the origin.",
    ),
    **_lacks(
        "fetch XMLHttpRequest WebSocket EventSource",
        "CFF-RT-05",
        "There is no network: read a key-value store, or use Lambda@Edge.",
    ),
    **_lacks("URL URLSearchParams", "CFF-RT-05", "Use request.uri and request.querystring."),
    **_lacks("Headers Request Response", "CFF-RT-05", "Return a plain object."),
    **_lacks(
        "process",
        "CFF-RT-05",
        "There are no environment variables: write a constant, or read a key-value store.",
    ),
    **_lacks("global window self document navigator", "CFF-RT-05", "Use globalThis."),
    **_lacks("performance structuredClone AbortController", "CFF-RT-05", "Do without it."),
    **_lacks("__dirname __filename", "CFF-RT-05", "There are no files: write a constant."),
    **_lacks("module exports", "CFF-RET-01", "Leave it out: CloudFront calls handler by name."),
}  # fmt: skip
_NAMES_OF_2: Final = {
    **_lacks("Buffer TextEncoder TextDecoder atob btoa", "CFF-JS1-11", _USE_2),
    **_lacks("Symbol", "CFF-JS1-04", _USE_2),
    **_lacks("DataView", "CFF-JS2-05", _USE_2),
}
_MODULES: Final = (
    ("crypto", "querystring"),  # CFF-JS1-12
    ("crypto", "querystring", "buffer", "cloudfront"),  # CFF-JS2-10
)
# Members by ``object.member`` for objects that the runtimes provide.
_MEMBERS: Final = {
    **_lacks(
        "console.error console.warn console.info console.debug console.trace console.table",
        "CFF-RT-06",
        "Use console.log().",
    ),
    **_lacks(
        "crypto.randomUUID crypto.randomBytes crypto.getRandomValues crypto.subtle "
        "crypto.createCipheriv crypto.createSign crypto.createVerify crypto.timingSafeEqual",
        "CFF-MOD-01",
        "crypto has createHash and createHmac only.",
    ),
}
_MEMBERS_OF_2: Final = _lacks(
    "Promise.all Promise.allSettled Promise.any Promise.race", "CFF-JS2-06", _USE_2
)
# Members of values: the names say what they belong to.
_METHODS_OF_2: Final = _lacks("replaceAll", "CFF-JS1-06", "Use replace() with /…/g.")
_METHODS_OF_1: Final = _lacks("toUTF8 fromUTF8 toBytes bytesFrom", "CFF-JS2-07", "Use Buffer.")
_MODULE: Final = (
    r"""{name}\s*=\s*require\(\s*['"]{name}['"]\s*\)|import\s+{name}\s+from\s*['"]{name}['"];?"""
)
_IDENTIFIERS: Final = ("identifier", "shorthand_property_identifier_pattern")
_HASHES: Final = ("md5", "sha1", "sha256")
_DIGESTS: Final = ("hex", "base64", "base64url")


def absent_uses(root: Node, version: int) -> Iterator[AbsentUse]:
    """Each use in the tree of a program for runtime ``version`` 1 or 2."""
    nodes = list(descendants(root))
    names = [node for node in nodes if node.type in _IDENTIFIERS]
    own = {text(node) for node in names if declares(node)} - _provided(nodes) | {
        text(node.child_by_field_name("argument"))
        for node in nodes
        if node.type == "unary_expression"
        and text(node.child_by_field_name("operator")) == "typeof"
    }
    reader = _Reader(version, own)
    for node in nodes:
        check = _CHECKS.get(node.type)
        if check is not None:
            yield from check(reader, node)


def _provided(nodes: list[Node]) -> set[str]:
    """The modules of the runtime that the code has under their own names."""
    return {
        name
        for node in nodes
        if node.type in ("variable_declarator", "import_statement")
        for name in _MODULES[0]
        if re.fullmatch(_MODULE.format(name=name), text(node))
    }


class _Reader:
    """What is asked of each node; ``own`` are the names that are the code's own business."""

    def __init__(self, version: int, own: set[str]) -> None:
        self.own = own
        self.index = version - 1
        older = version == 1
        self.names = {**_NAMES, **_NAMES_OF_2} if older else _NAMES
        self.members = {**_MEMBERS, **_MEMBERS_OF_2} if older else _MEMBERS
        self.methods = _METHODS_OF_2 if older else _METHODS_OF_1

    def name(self, node: Node) -> Iterator[AbsentUse]:
        name = text(node)
        lack = self.names.get(name)
        if lack is not None and name not in self.own:
            yield self._lacking(node, name, lack)

    def member(self, node: Node) -> Iterator[AbsentUse]:
        whole, method = text(node), node.child_by_field_name("property")
        lack = self.members.get(whole)
        if lack is not None and whole.partition(".")[0] not in self.own:
            yield self._lacking(node, whole, lack)
        parent = node.parent
        lack = self.methods.get(text(method))
        if lack is not None and parent is not None and parent.type == "call_expression":
            yield self._lacking(node, f"{text(method)}()", lack)

    def call(self, node: Node) -> Iterator[AbsentUse]:
        called, given = node.child_by_field_name("function"), _arguments(node)
        name = text(called)
        if name == "require" and name not in self.own:
            module = string_value(given[0]) if given else None
            if module is not None and module not in _MODULES[self.index]:
                yield AbsentUse(
                    node,
                    ("CFF-JS1-12", "CFF-JS2-10")[self.index],
                    f"The module {module!r} does not exist in this runtime.",
                    "There are crypto and querystring; nothing can be installed.",
                )
        elif name in ("eval", "Function") and name not in self.own:
            yield _no_code(node, f"{name}()")
        elif name == "console.log" and len(given) > 1:
            yield AbsentUse(
                node,
                "CFF-RT-06",
                "console.log() takes one argument; the others are not printed.",
                "Join them into one string.",
                throws=False,
            )
        elif called is not None and called.type == "member_expression":
            yield from self._crypto(node, text(called.child_by_field_name("property")), given)

    def _crypto(self, node: Node, method: str, given: list[Node]) -> Iterator[AbsentUse]:
        value = string_value(given[0]) if given else None
        if method in ("createHash", "createHmac") and value is not None and value not in _HASHES:
            yield AbsentUse(
                node,
                "CFF-MOD-01",
                f"{method}() does not know {value!r}.",
                "Use " + ", ".join(_HASHES) + ".",
            )
        if method == "digest" and value is not None and value not in _DIGESTS:
            yield AbsentUse(
                node,
                "CFF-MOD-01",
                f"digest() does not know the encoding {value!r}.",
                "Use " + ", ".join(_DIGESTS) + ".",
            )

    def construction(self, node: Node) -> Iterator[AbsentUse]:
        if text(node.child_by_field_name("constructor")) == "Function":
            yield _no_code(node, "new Function()")

    def difference(self, node: Node) -> Iterator[AbsentUse]:
        """``Date.now() - start``, where ``start`` is the time of the same run (CFF-RT-03)."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if text(node.child_by_field_name("operator")) != "-" or not _is_now(left) or not right:
            return
        if _is_now(right) or any(
            declared.type == "variable_declarator"
            and text(declared.child_by_field_name("name")) == text(right)
            and _is_now(declared.child_by_field_name("value"))
            for declared in descendants(_root(node))
        ):
            yield AbsentUse(
                node,
                "CFF-RT-03",
                "The time stands still during a run: this difference is always 0.",
                "Do not measure time here.",
                throws=False,
            )

    def _lacking(self, node: Node, what: str, lack: _Lack) -> AbsentUse:
        message = f"{what} does not exist in this runtime."
        return AbsentUse(node, lack.rules[self.index], message, lack.remedy)


_CHECKS: Final[Mapping[str, Callable[[_Reader, Node], Iterator[AbsentUse]]]] = {
    "binary_expression": _Reader.difference,
    "call_expression": _Reader.call,
    "identifier": _Reader.name,
    "member_expression": _Reader.member,
    "new_expression": _Reader.construction,
    "shorthand_property_identifier": _Reader.name,
}


def _no_code(node: Node, what: str) -> AbsentUse:
    return AbsentUse(
        node,
        "CFF-RT-01",
        f"{what} throws: code cannot be made of text here.",
        "Write the code out, or use JSON.parse().",
    )


def _arguments(call: Node) -> list[Node]:
    given = call.child_by_field_name("arguments")
    return (
        [] if given is None else [each for each in given.named_children if each.type != "comment"]
    )


def _is_now(node: Node | None) -> bool:
    return text(node) in ("Date.now()", "new Date()", "new Date().getTime()")


def _root(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node
