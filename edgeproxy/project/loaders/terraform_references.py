"""What an unknown value of a plan refers to, through variables, outputs and repeated resources.

The plan has neither locals nor the expressions of dynamic blocks (CDN-CFG-331).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgeproxy.project.loaders.terraform_document import (
    Declared,
    Document,
    Module,
    as_table,
    references_of,
)
from edgeproxy.project.loaders.yaml_source import Scalar, Value

__all__ = ["Target", "targets_of"]

_STEP = re.compile(r'([^.\[\]]+)((?:\[(?:"(?:[^"\\]|\\.)*"|[^\]"]*)\])*)')


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, and which of its attributes; empty where the plan does not say."""

    resource: Declared
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class _Around:
    """Where a reference stands: in a module, within something repeated."""

    module: Module
    index: Scalar = None
    repeated_over: tuple[str, ...] = ()


def targets_of(document: Document, expression: Value, resource: Declared) -> list[Target]:
    """The resources that an expression of ``resource`` refers to, each attribute once."""
    around = _Around(resource.module, resource.index, resource.repeated_over)
    found = (
        target
        for reference in references_of(expression)
        for target in _follow(document, reference, around)
    )
    return list({(each.resource.address, each.attribute): each for each in found}.values())


def _follow(document: Document, reference: str, around: _Around) -> Iterator[Target]:
    steps = [(match[1], match[2]) for match in _STEP.finditer(reference)]
    names = [name for name, _ in steps]
    module = around.module
    match names:
        case ["var", name, *_] if module.caller is not None:
            over = references_of(module.call.get("for_each_expression"))
            outside = _Around(module.caller, module.index, tuple(over))
            expression = as_table(module.call.get("expressions")).get(name)
            yield from _follow_all(document, expression, outside)
        case ["module", _, output, *_]:
            inner = _only(document.modules, _below(module.address, steps[:2]), around.index)
            if inner is not None:
                child = document.modules[inner]
                outputs = as_table(child.configuration.get("outputs"))
                expression = as_table(outputs.get(output)).get("expression")
                yield from _follow_all(document, expression, _Around(child))
        case ["each", "value", *attributes]:
            for repeated in around.repeated_over:
                for target in _follow(document, repeated, around):
                    yield Target(target.resource, ".".join(attributes) or target.attribute)
        case ["data", _, _, *attributes]:
            yield from _resource(document, _below(module.address, steps[:3]), attributes, around)
        case [kind, _, *attributes] if "_" in kind:
            yield from _resource(document, _below(module.address, steps[:2]), attributes, around)


def _follow_all(document: Document, expression: Value, around: _Around) -> Iterator[Target]:
    for reference in references_of(expression):
        yield from _follow(document, reference, around)


def _below(module: str, steps: list[tuple[str, str]]) -> str:
    """An address in a module; only its last step may have a key of its own."""
    return ".".join(part for part in (module, *(name + key for name, key in steps)) if part)


def _resource(
    document: Document, address: str, attributes: list[str], around: _Around
) -> Iterator[Target]:
    found = _only(document.resources, address, around.index)
    if found is not None:
        yield Target(document.resources[found], ".".join(attributes))


def _only(
    known: dict[str, Declared] | dict[str, Module], address: str, index: Scalar
) -> str | None:
    """The instance at ``address``; among several the one with the same key."""
    if address in known:
        return address
    several = [each for each in known if each.startswith(f"{address}[") and each.endswith("]")]
    same = [each for each in several if known[each].index == index]
    chosen = same if len(several) > 1 else several
    return chosen[0] if len(chosen) == 1 else None
