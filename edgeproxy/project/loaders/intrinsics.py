"""CloudFormation's intrinsic functions (CDN-CFG-005, CDN-CFG-006).

A value is resolved when a loader reads it, never before: a function that nobody's traffic depends
on may use whatever it likes. What cannot be resolved is an error that names the property.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.loaders.section import ABSENT, Absent
from edgeproxy.project.loaders.yaml_source import Items, Table, Value

__all__ = ["Intrinsics", "Names"]


class Names(Protocol):
    """Where intrinsic functions find what a template declares."""

    def reference(self, name: str, place: Place) -> Value | Absent:
        """What ``Ref`` gives."""

    def attribute(self, logical_id: str, attribute: str, place: Place) -> Value:
        """What ``Fn::GetAtt`` gives."""

    def condition(self, name: str, place: Place) -> Value:
        """The expression of a named condition."""

    def mapping(self, name: str, place: Place) -> Table:
        """A mapping of the template."""

    def exported(self, name: str, place: Place) -> Value | Absent:
        """The value that another stack exports under ``name``."""

    @property
    def region(self) -> str: ...


_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9_.:]+\Z")
_NOT_LOCAL = {
    "Fn::Transform": "macros run inside AWS only; write their result into the template",
    "Fn::Cidr": "write the address range itself",
}


class Intrinsics:
    """Resolves the intrinsic functions of one template."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._holding: list[str] = []
        self._functions: Mapping[str, Callable[[Value, Place], Value | Absent]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Base64": self._base64,
            "Fn::ImportValue": self._import_value,
            "Fn::GetAZs": self._get_azs,
            "Fn::Length": self._length,
            "Fn::ToJsonString": self._to_json_string,
        }

    def resolve(self, value: Value, place: Place) -> Value | Absent:
        """The value behind an intrinsic function; mappings and lists are not looked into."""
        if not isinstance(value, Table) or len(value) != 1:
            return value
        [(name, argument)] = value.items()
        if name in self._functions:
            return self._functions[name](argument, place)
        if name.startswith("Fn::"):
            raise DefinitionError(
                f"{name} cannot be resolved here",
                place=place,
                rule="CDN-CFG-006",
                remedy=_NOT_LOCAL.get(name, "write the value itself, or use a parameter"),
            )
        return value

    def holds(self, name: str, place: Place) -> bool:
        """Whether the named condition is true."""
        if name in self._holding:
            raise DefinitionError(
                f"the condition {name} refers to itself", place=place, rule="CDN-CFG-006"
            )
        self._holding.append(name)
        try:
            return self._is_true(self._names.condition(name, place), place)
        finally:
            self._holding.pop()

    # values

    def _ref(self, argument: Value, place: Place) -> Value | Absent:
        return self._names.reference(self._text("Ref", argument, place), place)

    def _get_att(self, argument: Value, place: Place) -> Value:
        if isinstance(argument, str):
            logical_id, _, attribute = argument.partition(".")
        else:
            first, *rest = self._list("Fn::GetAtt", argument, place, 2)
            logical_id = self._text("Fn::GetAtt", first, place)
            attribute = ".".join(self._text("Fn::GetAtt", part, place) for part in rest)
        return self._names.attribute(logical_id, attribute, place)

    def _sub(self, argument: Value, place: Place) -> str:
        own: Table = Table()
        template = argument
        if isinstance(argument, Items):
            template, variables = self._list("Fn::Sub", argument, place, 2)
            if not isinstance(variables, Table):
                raise _malformed("Fn::Sub", place)
            own = variables
        if not isinstance(template, str):
            raise _malformed("Fn::Sub", place)

        def replaced(match: re.Match[str]) -> str:
            escaped, name = match[1], match[2].strip()
            if escaped:
                return f"${{{match[2]}}}"
            if not _NAME.match(name):
                raise DefinitionError(
                    f"Fn::Sub cannot replace ${{{match[2]}}}",
                    place=place,
                    rule="CDN-CFG-279",
                    remedy=f"write ${{!{match[2]}}} to keep it as it stands, as in JavaScript",
                )
            if name in own:
                return self._text("Fn::Sub", own[name], place)
            return self._text("Fn::Sub", self._dotted(name, place), place)

        return _VARIABLE.sub(replaced, template)

    def _dotted(self, name: str, place: Place) -> Value | Absent:
        logical_id, dot, attribute = name.partition(".")
        # SAM's Fn.Version and Fn.Alias are references, not attributes (CDN-CFG-274).
        if not dot or attribute in ("Version", "Alias"):
            return self._names.reference(name, place)
        return self._names.attribute(logical_id, attribute, place)

    def _join(self, argument: Value, place: Place) -> str:
        separator, parts = self._list("Fn::Join", argument, place, 2)
        values = self._list("Fn::Join", parts, place)
        texts = [self._text("Fn::Join", value, place) for value in values]
        return self._text("Fn::Join", separator, place).join(texts)

    def _select(self, argument: Value, place: Place) -> Value | Absent:
        index_value, values_value = self._list("Fn::Select", argument, place, 2)
        index = self._text("Fn::Select", index_value, place)
        values = self._list("Fn::Select", values_value, place)
        if not index.isdigit() or int(index) >= len(values):
            raise DefinitionError(
                f"Fn::Select cannot take item {index} of {len(values)}", place=place
            )
        return self.resolve(values[int(index)], place)

    def _split(self, argument: Value, place: Place) -> Items:
        separator, text = self._list("Fn::Split", argument, place, 2)
        items = Items(place.line)
        divider = self._text("Fn::Split", separator, place)
        if not divider:
            raise _malformed("Fn::Split", place)
        for part in self._text("Fn::Split", text, place).split(divider):
            items.put(part, place.line)
        return items

    def _find_in_map(self, argument: Value, place: Place) -> Value | Absent:
        values = self._list("Fn::FindInMap", argument, place)
        if len(values) not in (3, 4):
            raise _malformed("Fn::FindInMap", place)
        name, *keys = (self._text("Fn::FindInMap", value, place) for value in values[:3])
        found: Value = self._names.mapping(name, place)
        for key in keys:
            if not isinstance(found, Table) or key not in found:
                default = values[3] if len(values) == 4 else None
                if isinstance(default, Table) and "DefaultValue" in default:
                    return self.resolve(default["DefaultValue"], place)
                raise DefinitionError(
                    f"the mapping {name} has no {' / '.join(keys)}",
                    place=place,
                    rule="CDN-CFG-006",
                    remedy="add the key to Mappings",
                )
            found = found[key]
        return found

    def _base64(self, argument: Value, place: Place) -> str:
        return base64.b64encode(self._text("Fn::Base64", argument, place).encode()).decode()

    def _import_value(self, argument: Value, place: Place) -> Value | Absent:
        return self._names.exported(self._text("Fn::ImportValue", argument, place), place)

    def _get_azs(self, argument: Value, place: Place) -> Items:
        region = self._text("Fn::GetAZs", argument, place) or self._names.region
        items = Items(place.line)
        for zone in "abc":
            items.put(region + zone, place.line)
        return items

    def _length(self, argument: Value, place: Place) -> int:
        return len(self._list("Fn::Length", argument, place))

    def _to_json_string(self, argument: Value, place: Place) -> str:
        return json.dumps(self._deep(argument, place), separators=(",", ":"))

    def _deep(self, value: Value, place: Place) -> object:
        resolved = self.resolve(value, place)
        if isinstance(resolved, Table):
            members = {key: self._deep(member, place) for key, member in resolved.items()}
            return {key: member for key, member in members.items() if member is not ABSENT}
        if isinstance(resolved, Items):
            return [self._deep(item, place) for item in resolved]
        return resolved

    # conditions

    def _if(self, argument: Value, place: Place) -> Value | Absent:
        condition, yes, no = self._list("Fn::If", argument, place, 3)
        name = self._text("Fn::If", condition, place)
        return self.resolve(yes if self.holds(name, place) else no, place)

    def _is_true(self, value: Value, place: Place) -> bool:
        if not isinstance(value, Table) or len(value) != 1:
            raise _malformed("a condition", place)
        [(name, argument)] = value.items()
        match name:
            case "Condition":
                return self.holds(self._text("Condition", argument, place), place)
            case "Fn::Equals":
                left, right = self._list(name, argument, place, 2)
                return self._text(name, left, place) == self._text(name, right, place)
            case "Fn::And":
                return all(self._is_true(each, place) for each in self._list(name, argument, place))
            case "Fn::Or":
                return any(self._is_true(each, place) for each in self._list(name, argument, place))
            case "Fn::Not":
                return not self._is_true(self._list(name, argument, place, 1)[0], place)
            case _:
                raise _malformed("a condition", place)

    # arguments

    def _text(self, function: str, value: Value | Absent, place: Place) -> str:
        resolved = ABSENT if value is ABSENT else self.resolve(value, place)
        if isinstance(resolved, bool):
            return "true" if resolved else "false"
        if isinstance(resolved, str | int | float):
            return str(resolved)
        raise _malformed(function, place)

    def _list(
        self, function: str, value: Value, place: Place, length: int | None = None
    ) -> list[Value]:
        resolved = self.resolve(value, place)
        if not isinstance(resolved, Items) or (length is not None and len(resolved) < length):
            raise _malformed(function, place)
        if length is not None and function != "Fn::GetAtt" and len(resolved) != length:
            raise _malformed(function, place)
        return list(resolved)


def _malformed(function: str, place: Place) -> DefinitionError:
    return DefinitionError(
        f"{function} has arguments that CloudFormation does not take",
        place=place,
        rule="CDN-CFG-006",
        remedy="see the template reference for its form",
    )
