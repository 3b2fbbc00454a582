"""Reads what ``terraform show -json`` and ``tofu show -json`` print, of a plan or of a state.

A plan has the values that are known before it is applied, and the configuration, whose expressions
say what the unknown ones refer to; a state has all values and no configuration (CDN-CFG-330, 331).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeproxy.errors import Place
from edgeproxy.project.loaders.section import Section, Source
from edgeproxy.project.loaders.yaml_source import Items, Scalar, Table, Value
from edgeproxy.project.report import Notes

__all__ = [
    "Declared",
    "Document",
    "Module",
    "as_items",
    "as_table",
    "references_of",
]

_LAST_STEP = re.compile(r"module\.([^.\[]+)(\[[^\]]*\])?\Z")


@dataclass(frozen=True, slots=True)
class Module:
    """A module's instance: its configuration, and what the module that calls it says."""

    address: str
    configuration: Table
    caller: "Module | None" = None
    call: Table = field(default_factory=Table)
    index: Scalar = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource or data source. ``written`` has the expressions of its configuration,
    ``unknown`` marks what becomes known when the plan is applied; both are empty for a state."""

    address: str
    type: str
    module: Module
    place: Place
    values: Table
    written: Table
    unknown: Table
    is_data: bool = False
    index: Scalar = None
    repeated_over: tuple[str, ...] = ()
    provider: str = ""


class Document:
    """Raises :class:`DefinitionError` for what Terraform does not write."""

    def __init__(self, file: Path, table: Table) -> None:
        self.file = file
        top = Section(Source(file, Notes()), table, "")
        configuration = top.section("configuration")
        self._configuration = Table() if configuration is None else configuration.values
        self._unknown = {
            each.text("address"): as_table(as_table(each.values.get("change")).get("after_unknown"))
            for each in top.sections("resource_changes")
        }
        self.variables: Mapping[str, Value] = as_table(table.get("variables"))
        self.modules: dict[str, Module] = {}
        self.resources: dict[str, Declared] = {}
        planned = top.section("planned_values") or top.section("values")
        prior = top.section("prior_state")
        root = Module("", as_table(self._configuration.get("root_module")))
        if planned is not None:
            self._read(planned.section("root_module"), root)
        # Data sources that were read for the plan are in the state before it only.
        known = prior.section("values") if prior is not None else None
        if known is not None:
            self._read(known.section("root_module"), root, data_only=True)

    def region(self, declared: Declared) -> str:
        """The Region that a resource lies in, as far as the file says; else empty."""
        own = declared.values.get("region")
        if isinstance(own, str) and own:
            return own
        arn = declared.values.get("arn")
        if isinstance(arn, str) and arn.count(":") >= 5 and arn.split(":")[3]:
            return arn.split(":")[3]
        return self.provider_region(declared.provider)

    def provider_region(self, key: str) -> str:
        """The Region of a provider's configuration: a constant or a variable."""
        providers = as_table(self._configuration.get("provider_config"))
        expressions = as_table(as_table(providers.get(key)).get("expressions"))
        region = as_table(expressions.get("region"))
        for reference in references_of(region):
            region = as_table(self.variables.get(reference.removeprefix("var.")))
        text = region.get("constant_value", region.get("value"))
        return text if isinstance(text, str) else ""

    def _read(self, section: Section | None, module: Module, *, data_only: bool = False) -> None:
        if section is None:
            return
        self.modules.setdefault(module.address, module)
        written = {
            str(each.get("address")): each
            for each in map(as_table, as_items(module.configuration.get("resources")))
        }
        for each in section.sections("resources"):
            is_data = each.text("mode", "managed") == "data"
            address = each.text("address")
            if is_data or not data_only:
                self.resources.setdefault(address, self._declared(each, module, written, is_data))
        for child in section.sections("child_modules"):
            self._read(child, _child(child, module), data_only=data_only)

    def _declared(
        self, section: Section, module: Module, written: Mapping[str, Table], is_data: bool
    ) -> Declared:
        kind, name = section.text("type"), section.text("name")
        config = written.get(f"data.{kind}.{name}" if is_data else f"{kind}.{name}", Table())
        repeated = (config.get("for_each_expression"), config.get("count_expression"))
        index = section.values.get("index")
        return Declared(
            section.text("address"),
            kind,
            module,
            section.place(),
            as_table(section.values.get("values")),
            as_table(config.get("expressions")),
            self._unknown.get(section.text("address"), Table()),
            is_data,
            index if isinstance(index, str | int) else None,
            tuple(name for each in repeated for name in references_of(each)),
            str(config.get("provider_config_key", "")),
        )


def _child(section: Section, parent: Module) -> Module:
    """The instance of a module, whose calls the parent's configuration has by name."""
    address = section.text("address")
    step = _LAST_STEP.search(address)
    if step is None:
        raise section.error("address", f"{address!r} is no address of a module")
    call = as_table(as_table(parent.configuration.get("module_calls")).get(step[1]))
    key = (step[2] or "").strip('[]"')
    index = int(key) if key.isdigit() else key or None
    return Module(address, as_table(call.get("module")), parent, call, index)


def references_of(expression: Value) -> list[str]:
    """What an expression refers to, without the shorter forms that follow each reference."""
    kept: list[str] = []
    for name in as_items(as_table(expression).get("references")):
        longer = (f"{name}.", f"{name}[")
        if isinstance(name, str) and not any(each.startswith(longer) for each in kept):
            kept.append(name)
    return kept


def as_table(value: Value) -> Table:
    return value if isinstance(value, Table) else Table()


def as_items(value: Value) -> Items:
    return value if isinstance(value, Items) else Items()
