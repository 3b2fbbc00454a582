"""Turns the attributes and blocks of Terraform's resources into CloudFormation's properties.

Each value that is known is taken, each unknown one becomes a link, and what is neither is an error
or a note. Properties keep Terraform's names for places (CDN-CFG-331, 332).
"""

from collections.abc import Iterator

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.loaders.terraform_document import (
    Declared,
    Document,
    as_items,
    as_table,
    references_of,
)
from edgeproxy.project.loaders.terraform_links import Links, items_of, slug
from edgeproxy.project.loaders.terraform_names import (
    COMPUTED,
    KINDS,
    MANY,
    NOT_SET,
    ONLY_CANDIDATES,
    OWN,
    property_of,
)
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.project.report import Notes

__all__ = ["Blocks"]

_TTLS = ("min_ttl", "default_ttl", "max_ttl")
_LISTS = ("trusted_key_groups", "key_value_store_associations", "items", "layers")
_TAGS = ("tags", "tags_all")
_NOT_APPLIED = "this attribute is not applied here"


class Blocks:
    """Translates the resources of one document."""

    def __init__(self, document: Document, links: Links, notes: Notes) -> None:
        self._document = document
        self._links = links
        self._notes = notes

    def properties(self, resource: Declared) -> Table:
        """All attributes of a resource that a user may give, under CloudFormation's names."""
        only = KINDS[resource.type].only
        attributes = []
        for name in dict.fromkeys((*resource.values, *resource.written, *resource.unknown)):
            if name in COMPUTED or name in OWN or name in _TAGS:
                continue
            if not only or name in only:
                attributes.append(name)
            elif name in resource.written:
                self._notes.ignored(self._place(resource, name, resource.values), _NOT_APPLIED)
        table = self._block(
            resource, resource.type, resource.values, resource.written, resource.unknown, attributes
        )
        table.path = f"{resource.address}:"
        return table

    def _block(
        self,
        resource: Declared,
        block: str,
        values: Table,
        written: Table,
        unknown: Table,
        attributes: list[str] | None = None,
        path: str = "",
    ) -> Table:
        table = Table(values.line)
        if attributes is None:
            attributes = list(dict.fromkeys((*values, *written, *unknown)))
        for name in attributes:
            where = f"{path}.{name}" if path else name
            place = self._place(resource, where, values, name)
            expression, is_unknown = written.get(name), unknown.get(name)
            if name not in values:
                made = self._unknown(resource, block, name, expression, is_unknown is True, place)
            else:
                value = values[name]
                if isinstance(value, Items) and any(isinstance(each, Table) for each in value):
                    made = self._blocks(resource, name, value, expression, is_unknown, where)
                elif isinstance(value, Items):
                    made = self._texts(resource, name, value, expression, place)
                else:
                    made = self._scalar(block, name, value)
            if made is not None:
                name_there = property_of(name, block)
                table.put(name_there, made, values.lines.get(name, values.line))
                table.words[name_there] = name
        if block in ("default_cache_behavior", "ordered_cache_behavior"):
            self._lifetimes(table)
        return table

    def _blocks(
        self,
        resource: Declared,
        name: str,
        blocks: Items,
        written: Value,
        unknown: Value,
        path: str,
    ) -> Value:
        marks = as_items(unknown)
        expressions = list(_matched(blocks, written))
        made = []
        for index, each in enumerate(blocks):
            where = f"{path}[{index}]" if name in MANY else path
            mark = as_table(marks[index]) if index < len(marks) else Table()
            values = as_table(each)
            made.append(self._block(resource, name, values, expressions[index], mark, path=where))
        return items_of(made, blocks.line) if name in MANY else made[0]

    def _texts(
        self, resource: Declared, name: str, values: Items, expression: Value, place: Place
    ) -> Value:
        """A list of texts; those that are not known yet are null in it."""
        if not values:
            return None
        made = [None if each is None else self._linked(name, each) for each in values]
        missing = made.count(None)
        links = self._links.of(name, expression, resource, place) if missing else []
        # The expression may name resources whose values are known, too.
        left = [each for each in links if each not in made]
        if missing > len(left):
            raise self._no_link(name, place)
        return items_of([left.pop(0) if each is None else each for each in made], values.line)

    def _scalar(self, block: str, name: str, value: Value) -> Value:
        if value is None or (value == "" and name != "value") or NOT_SET.get(name) == value:
            return None
        if name == "domain_name" and isinstance(value, str):
            return self._links.host_by_value(value)
        return self._linked(name, value)

    def _linked(self, name: str, value: Value) -> Value:
        return self._links.by_value(value) if isinstance(value, str) else value

    def _unknown(
        self,
        resource: Declared,
        block: str,
        name: str,
        expression: Value,
        is_unknown: bool,
        place: Place,
    ) -> Value:
        """The link that an attribute stands for which is known after apply only."""
        refers = bool(references_of(expression))
        if not refers and not is_unknown:
            return None
        if not refers and name in _TTLS:
            return None
        links = self._links.of(name, expression, resource, place)
        if links:
            several = name in _LISTS
            return items_of(links, place.line) if several else links[0]
        if name == "domain_name" and block == "origin":
            host = f"{slug(place.path)}.invalid"
            self._notes.approximated(
                place,
                f"known after apply only, and the plan does not show from where: {host} stands for "
                "it; map it with --origin",
            )
            return host
        if name in ONLY_CANDIDATES:
            raise self._no_link(name, place)
        # At the top of a resource it may also be what AWS chooses when nobody does.
        if refers or block != resource.type:
            self._notes.ignored(place, "known after apply only")
        return None

    def _no_link(self, name: str, place: Place) -> DefinitionError:
        return DefinitionError(
            f"{name} is known after apply only, and the plan does not show what it refers to",
            place=place,
            rule="CDN-CFG-331",
            remedy="refer to the resource without a local value or a dynamic block; or apply, and "
            "give what terraform show -json prints of the state",
        )

    def _lifetimes(self, behavior: Table) -> None:
        """Terraform sends no TTLs beside a cache policy, and without one 0 for what is unset."""
        for name in _TTLS:
            property_name = property_of(name, "")
            if "CachePolicyId" in behavior:
                behavior.pop(property_name, None)
            elif property_name not in behavior:
                behavior.put(property_name, 0, None)

    def _place(
        self, resource: Declared, path: str, values: Table, name: str | None = None
    ) -> Place:
        line = values.lines.get(name or path, values.line)
        return Place(self._document.file, line, f"{resource.address}: {path}")


def _matched(blocks: Items, written: Value) -> Iterator[Table]:
    """The configuration of each block: sets are in another order there (CDN-CFG-333)."""
    candidates = [as_table(each) for each in as_items(written)] or [as_table(written)]
    if len(blocks) == len(candidates) == 1:
        yield candidates[0]
        return
    for block in blocks:
        values = as_table(block)
        scores = [_score(values, each) for each in candidates]
        best = max(scores, default=-1)
        if best < 0:
            yield Table()  # A dynamic block's configuration is not in the plan.
            continue
        chosen = candidates[scores.index(best)]
        if len(candidates) > 1:
            candidates.remove(chosen)
        yield chosen


def _score(values: Table, written: Table) -> int:
    """How well a block fits its configuration; negative when it cannot be of it."""
    score = 0
    for name, expression in written.items():
        value = values.get(name)
        if isinstance(expression, Items):
            if not value:
                return -1
        elif "constant_value" in as_table(expression):
            if _comparable(value) != _comparable(as_table(expression)["constant_value"]):
                return -1
            score += 2
        elif name not in values:
            score += 1
    return score


def _comparable(value: Value) -> str:
    """Lists may be sets, and numbers may be written as text."""
    return str(sorted(map(str, value)) if isinstance(value, Items) else value).lower()
