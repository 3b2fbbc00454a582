"""The event source mappings of an account: what the definition declares, what the API has made."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # Whoever has no mapping does not need what makes one.
    from edgeproxy.awslambda.event_sources.model import EventSourceMapping

__all__ = ["KeptMapping", "MappingRegistry"]


@dataclass(frozen=True, slots=True)
class KeptMapping:
    """A mapping with the members that AWS's API shows of it, as they were given."""

    mapping: "EventSourceMapping"
    members: dict[str, Any]
    modified_s: float = 0.0
    declaration: dict[str, Any] | None = None
    """What the definition says of it; None for one that was made over the API."""

    @property
    def declared(self) -> bool:
        return self.declaration is not None


@dataclass(slots=True)
class MappingRegistry:
    """Mappings by UUID; ``changed`` is told when there are others, or others are enabled."""

    now: Callable[[], float]
    mappings: dict[str, KeptMapping] = field(default_factory=dict)
    changed: Callable[[], None] = lambda: None
    last_result: Callable[[str], str] = lambda uuid: "No records processed"
    """How the newest batch of a mapping ended."""

    def declare(self, declared: Iterable[KeptMapping], functions: Iterable[str]) -> None:
        """Take over what a definition says; ``functions`` are the names of those that there are.

        What the API has changed of a declared mapping holds until its declaration changes.
        """
        names = set(functions)
        kept = {
            uuid: each
            for uuid, each in self.mappings.items()
            if not each.declared and each.mapping.function in names
        }
        for each in declared:
            known = self.mappings.get(each.mapping.uuid)
            if known is None or known.declaration != each.declaration:
                known = replace(each, modified_s=self.now())
            kept[each.mapping.uuid] = known
        if kept != self.mappings:
            self.mappings = kept
            self.changed()

    def put(
        self,
        uuid: str,
        members: dict[str, Any],
        function: str,
        qualifier: str,
        modified_s: float | None = None,
    ) -> KeptMapping:
        """Make or change a mapping, now if not otherwise told. Raises :class:`MappingRefused`."""
        from edgeproxy.awslambda.event_sources.model import read_mapping

        mapping = read_mapping(uuid, members, function, qualifier)
        known = self.mappings.get(uuid)
        made = KeptMapping(
            mapping,
            members,
            self.now() if modified_s is None else modified_s,
            known.declaration if known is not None else None,
        )
        self.mappings[uuid] = made
        self.changed()
        return made

    def remove(self, uuid: str) -> KeptMapping:
        found = self.mappings.pop(uuid)
        self.changed()
        return found

    def enabled(self) -> "list[EventSourceMapping]":
        return [each.mapping for each in self.mappings.values() if each.mapping.enabled]
