"""A CloudFormation template: its resources, and what names in it stand for.

Templates of one assembly (the stacks of a CDK app) know each other, so that values one stack
exports can be used by another (CDN-CFG-306).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.identifiers import Identity, hex_id, parse_function_arn
from edgeproxy.project.loaders.intrinsics import Intrinsics
from edgeproxy.project.loaders.references import (
    APIS,
    ATTRIBUTES,
    REFERENCES,
    Named,
    foreign_attribute,
    physical_name,
)
from edgeproxy.project.loaders.section import ABSENT, Absent, Section, Source
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.project.report import Notes

__all__ = ["Assets", "Resource", "Template"]

Assets = Mapping[str, Path]
"""Object keys of a CDK asset bucket and the local folders or files behind them."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource whose condition holds."""

    logical_id: str
    type: str
    properties: Section
    metadata: Mapping[str, Value]
    place: Place


class Template:
    """One template. Raises :class:`DefinitionError` for what cannot be read or resolved."""

    def __init__(
        self,
        file: Path,
        table: Table,
        notes: Notes,
        *,
        identity: Identity,
        parameters: Mapping[str, str] | None = None,
        assets: Assets | None = None,
        stack: str = "",
        regions: Mapping[str, str] | None = None,
    ) -> None:
        """``regions`` are those of resources that do not lie in the template's own."""
        self.file = file
        self.identity = identity
        self._regions = regions or {}
        self.stack = stack or file.name.split(".")[0]
        self.assets: Assets = assets or {}
        self.siblings: list[Template] = [self]
        self.aliases: dict[str, str] = {}
        """Names that SAM lets ``Ref`` use: ``Fn.Version``, ``Fn.Alias``."""
        self.stand_ins: dict[str, str] = {}
        self.more_sources: list[Path] = []
        """Files that this one includes."""
        self.notes = notes
        self.intrinsics = Intrinsics(self)
        self.source = Source(file, notes, self.intrinsics.resolve)
        self._overrides = parameters or {}
        self._quiet = Source(file, Notes(), self.intrinsics.resolve)
        self._top = Section(Source(file, Notes()), table, "")
        self._resolving: list[tuple[str, str]] = []
        self.types: dict[str, str] = {}
        self.declared: dict[str, Section] = {}
        self._properties: dict[str, Section] = {}
        for logical_id, section in self._each("Resources"):
            given = section.values.get("Properties")
            properties = Section(
                self.source,
                given if isinstance(given, Table) else Table(section.values.line),
                (isinstance(given, Table) and given.path) or f"{section.path}.Properties",
            )
            self.declare(logical_id, section.text("Type"), section, properties)

    # resources

    def declare(self, logical_id: str, kind: str, section: Section, properties: Section) -> None:
        """Add a resource; a transform adds those that its own resources stand for."""
        self.types[logical_id] = kind
        self.declared[logical_id] = section
        self._properties[logical_id] = properties

    def resources(self, *kinds: str) -> Iterator[Resource]:
        """The resources of ``kinds`` whose conditions hold, in the template's order."""
        for logical_id in list(self.declared):
            if self.types[logical_id] in kinds and self.exists(logical_id):
                yield self.resource(logical_id)

    def resource(self, logical_id: str) -> Resource:
        section = self.declared[logical_id]
        metadata = section.values.get("Metadata")
        return Resource(
            logical_id,
            self.types[logical_id],
            self._properties[logical_id],
            metadata if isinstance(metadata, Table) else {},
            section.place(),
        )

    def exists(self, logical_id: str) -> bool:
        section = self.declared[logical_id]
        condition = section.values.get("Condition")
        return not isinstance(condition, str) or self.intrinsics.holds(
            condition, section.place("Condition")
        )

    def identity_of(self, logical_id: str) -> Identity:
        """The account and the Region that a resource lies in."""
        return replace(self.identity, region=self._regions.get(logical_id, self.region))

    def named(self, logical_id: str) -> Named:
        """A resource's identifiers."""
        return Named(
            logical_id,
            self.types[logical_id],
            self.identity_of(logical_id),
            lambda name: self._property(logical_id, name),
            lambda name: self._function_arn(logical_id, name),
            lambda: self._version_number(logical_id),
        )

    def physical_name(self, logical_id: str) -> str:
        return physical_name(self.named(logical_id))

    def transform_section(self, name: str) -> Section | None:
        """A part of the template that a transform reads, such as ``Globals``."""
        return self._top.section(name)

    # what names stand for

    @property
    def region(self) -> str:
        return self.identity.region

    def reference(self, name: str, place: Place) -> Value | Absent:
        if name == "AWS::NoValue":
            return ABSENT
        if name.startswith("AWS::"):
            return self._pseudo_parameter(name, place)
        parameters = self._top.section("Parameters")
        if parameters is not None and name in parameters.values:
            return self._parameter(parameters.required_section(name), name, place)
        logical_id = self._logical_id(self.aliases.get(name, name), place)
        if self.types[logical_id] in APIS:
            self.attribute(logical_id, "ApiEndpoint", place)
        return REFERENCES.get(self.types[logical_id], physical_name)(self.named(logical_id))

    def attribute(self, logical_id: str, attribute: str, place: Place) -> Value:
        if attribute in ("Version", "Alias") and f"{logical_id}.{attribute}" in self.aliases:
            return str(self.reference(f"{logical_id}.{attribute}", place))
        logical_id = self._logical_id(logical_id, place)
        kind, resource = self.types[logical_id], self.named(logical_id)
        if kind.startswith("Custom::CrossRegion"):
            return self._from_another_region(logical_id, attribute, place)
        known = ATTRIBUTES.get(kind)
        if known is None:
            text = foreign_attribute(resource, attribute)
            self.notes.approximated(
                place, f"{logical_id} ({kind}) does not exist here; {text} stands for {attribute}"
            )
        elif attribute in known:
            text = known[attribute](resource)
        else:
            raise DefinitionError(
                f"{kind} {logical_id} has no attribute {attribute}",
                place=place,
                rule="CDN-CFG-006",
                remedy="it has " + ", ".join(known),
            )
        self._remember_host(text, logical_id)
        return text

    def condition(self, name: str, place: Place) -> Value:
        return self._declared_in("Conditions", name, place)

    def mapping(self, name: str, place: Place) -> Table:
        found = self._declared_in("Mappings", name, place)
        if not isinstance(found, Table):
            raise DefinitionError(f"the mapping {name} is no mapping", place=place)
        return found

    def exported(self, name: str, place: Place) -> Value | Absent:
        for template in self.siblings:
            for _, output in template._each("Outputs"):
                export = Section(template._quiet, output.values, output.path).section("Export")
                if export is not None and export.text("Name") == name:
                    where = output.place("Value")
                    return template.intrinsics.resolve(output.values.get("Value"), where)
        raise DefinitionError(
            f"no stack read here exports {name!r}",
            place=place,
            rule="CDN-CFG-006",
            remedy="use a parameter with a Default in place of Fn::ImportValue",
        )

    # inside

    def _each(self, part: str) -> Iterator[tuple[str, Section]]:
        whole = self._top.section(part)
        if whole is not None:
            for name in whole.values:
                if not name.startswith("Fn::"):
                    yield name, whole.required_section(name)

    def _declared_in(self, part: str, name: str, place: Place) -> Value:
        whole = self._top.section(part)
        if whole is None or name not in whole.values:
            raise DefinitionError(
                f"{name!r} is not among the template's {part}",
                place=place,
                rule="CDN-CFG-006",
                remedy=f"declare it under {part}",
            )
        return whole.values[name]

    def _logical_id(self, name: str, place: Place) -> str:
        if name in self.declared:
            return name
        if name.endswith((".Version", ".Alias")):
            raise DefinitionError(
                f"{name} exists only with AutoPublishAlias",
                place=place,
                rule="CDN-CFG-274",
                remedy="give the function an AutoPublishAlias",
            )
        raise DefinitionError(
            f"the template declares no {name!r}",
            place=place,
            rule="CDN-CFG-006",
            remedy="a reference names a parameter or a resource of the same template",
        )

    def _pseudo_parameter(self, name: str, place: Place) -> Value:
        region, account = self.identity.region, self.identity.account
        stack_arn = f"stack/{self.stack}/{hex_id('stack', self.stack, 32)}"
        values = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.stack,
            "AWS::StackId": self.identity.arn("cloudformation", stack_arn),
        }
        if name not in values:
            raise DefinitionError(f"{name} has no value here", place=place, rule="CDN-CFG-006")
        return values[name]

    def _parameter(self, parameter: Section, name: str, place: Place) -> Value:
        kind = parameter.text("Type", "String")
        text = self._overrides.get(name)
        if text is None:
            if not parameter.has("Default"):
                raise DefinitionError(
                    f"the parameter {name} has no value",
                    place=place,
                    rule="CDN-CFG-006",
                    remedy=f"give {name} a Default under Parameters",
                )
            text = parameter.text("Default")
        if kind.startswith("AWS::SSM::Parameter::Value"):
            return self._stored_parameter(text, place)
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            items = Items(place.line)
            for part in text.split(","):
                items.put(part.strip(), place.line)
            return items
        return text

    def _stored_parameter(self, name: str, place: Place) -> str:
        for template in self.siblings:
            for resource in template.resources("AWS::SSM::Parameter"):
                if template.physical_name(resource.logical_id).strip("/") == name.strip("/"):
                    return template._property(resource.logical_id, "Value")
        raise DefinitionError(
            f"the value of {name} lies in Parameter Store, out of reach",
            place=place,
            rule="CDN-CFG-006",
            remedy="use a parameter of type String with a Default",
        )

    def _from_another_region(self, logical_id: str, attribute: str, place: Place) -> str:
        """What CDK's readers fetch, found in the stack that writes it (CDN-CFG-306)."""
        if self.types[logical_id] == "Custom::CrossRegionStringParameterReader":
            return self._stored_parameter(self._property(logical_id, "ParameterName"), place)
        for template in self.siblings:
            for writer in template.resources("Custom::CrossRegionExportWriter"):
                given = Section(template._quiet, writer.properties.values, writer.properties.path)
                exports = given.required_section("WriterProps").required_section("exports")
                if attribute in exports.values:
                    return exports.text(attribute)
        raise DefinitionError(
            f"no stack read here writes {attribute} for another region",
            place=place,
            rule="CDN-CFG-306",
            remedy="give the whole cdk.out as TARGET",
        )

    def _property(self, logical_id: str, name: str) -> str:
        """A text property of a resource, without a note; empty when it is not there."""
        step = (logical_id, name)
        section = self.resource(logical_id).properties
        if step in self._resolving:
            raise section.error(name, "refers to itself", rule="CDN-CFG-006")
        self._resolving.append(step)
        try:
            value = self.intrinsics.resolve(section.values.get(name), section.place(name))
        finally:
            self._resolving.pop()
        if value is ABSENT or value is None:
            return ""
        if isinstance(value, Table | Items):
            raise section.error(name, "expected text")
        return str(value)

    def _function_arn(self, logical_id: str, name: str) -> str:
        text = self._property(logical_id, name)
        arn = parse_function_arn(text)
        if arn is None:
            section = self.resource(logical_id).properties
            raise section.error(name, f"{text!r} names no Lambda function", rule="CDN-CFG-272")
        region = arn.region or self.identity_of(logical_id).region
        return replace(self.identity, region=region).function_arn(arn.name)

    def layer_arn(self, logical_id: str) -> str:
        """The ARN of a layer version."""
        return REFERENCES[self.types[logical_id]](self.named(logical_id))

    def _version_number(self, logical_id: str) -> str:
        if self.types[logical_id].endswith("::LayerVersion"):
            return self._layer_version_number(logical_id)
        function = self._function_arn(logical_id, "FunctionName")
        number = 0
        for resource in self.resources("AWS::Lambda::Version"):
            number += self._function_arn(resource.logical_id, "FunctionName") == function
            if resource.logical_id == logical_id:
                break
        return str(number)

    def _layer_version_number(self, logical_id: str) -> str:
        kinds = ("AWS::Lambda::LayerVersion", "AWS::Serverless::LayerVersion")
        name = self.physical_name(logical_id)
        same = [
            resource.logical_id
            for resource in self.resources(*kinds)
            if self.physical_name(resource.logical_id) == name
        ]
        return str(same.index(logical_id) + 1)

    def _remember_host(self, text: str, logical_id: str) -> None:
        host = text.split("/")[2] if "://" in text else text
        if "." in host and ":" not in host and " " not in host:
            self.stand_ins[host] = logical_id
