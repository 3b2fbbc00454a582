"""Reads Terraform's and OpenTofu's plans and states as JSON (CDN-CFG-330 to 344).

A document is translated into the template that CloudFormation's loader reads: logical IDs are
addresses, places are ``aws_cloudfront_distribution.site: default_cache_behavior.min_ttl``.
"""

import re
from hashlib import blake2b
from pathlib import Path

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.loaders.permissions import OPENS_ITSELF
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.terraform_blocks import Blocks
from edgeproxy.project.loaders.terraform_document import (
    Declared,
    Document,
    as_items,
    as_table,
)
from edgeproxy.project.loaders.terraform_links import Links, is_own_policy, table_of
from edgeproxy.project.loaders.terraform_names import KINDS, NOT_TRANSLATED, READ_WITH_OTHERS
from edgeproxy.project.loaders.terraform_references import targets_of
from edgeproxy.project.loaders.terraform_shapes import SHAPES, put_own
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.project.report import Notes

__all__ = ["read_terraform"]

_TEXT_OF_PLAN = (
    "the text is the plan's; where it came from a file, edits show after the next terraform plan"
)


def read_terraform(file: Path, table: Table, notes: Notes, options: LoadOptions) -> Template:
    """The template that a plan or state stands for. Raises :class:`DefinitionError`."""
    document = Document(file, table)
    identity = _identity(document, options.identity)
    translation = _Translation(document, identity, notes, options.state_dir)
    resources = Table(1)
    for each in document.resources.values():
        made = translation.resource(each)
        if made is not None:
            resources.put(each.address, made, each.place.line)
    top = Table(1)
    top.put("Resources", resources, 1)
    top.words["Resources"] = ""
    regions = {each.address: document.region(each) for each in document.resources.values()}
    return Template(
        file,
        top,
        notes,
        identity=identity,
        regions={address: region for address, region in regions.items() if region},
    )


def _identity(document: Document, default: Identity) -> Identity:
    """The account of what exists already, and the Region of the provider."""
    account = default.account
    # What is known of whoever runs Terraform counts more than any resource's ARN.
    order = sorted(document.resources.values(), key=lambda each: each.type == "aws_caller_identity")
    for each in order:
        parts = str(each.values.get("arn", "")).split(":")
        if each.type.startswith("aws_") and len(parts) > 5 and re.fullmatch(r"\d{12}", parts[4]):
            account = parts[4]
    return Identity(account, document.provider_region("aws") or default.region)


class _Translation:
    def __init__(
        self, document: Document, identity: Identity, notes: Notes, state_dir: Path
    ) -> None:
        self._document = document
        self._links = Links(document, identity, notes)
        self._blocks = Blocks(document, self._links, notes)
        self._notes = notes
        self._state_dir = state_dir

    def resource(self, declared: Declared) -> Table | None:
        """The resource in CloudFormation's form; None for a data source that is only looked up."""
        kind = KINDS.get(declared.type)
        if declared.type in READ_WITH_OTHERS:
            return None
        if declared.is_data and not is_own_policy(declared):
            return None
        made = Table(declared.place.line)
        if kind is None:
            made.put("Type", NOT_TRANSLATED.get(declared.type, declared.type), None)
            return made
        properties = self._properties(declared)
        if kind.within:
            whole = Table(properties.line)
            whole.path = properties.path
            put_own(whole, kind.within, properties)
            properties = whole
        made.put("Type", kind.type, None)
        made.put("Properties", properties, declared.place.line)
        if declared.type == "aws_cloudfront_key_value_store":
            made.put("Metadata", table_of(KeyValuePairs=self._pairs(declared)), None)
        return made

    def _properties(self, declared: Declared) -> Table:
        properties = self._blocks.properties(declared)
        shape = SHAPES.get(declared.type)
        if shape is not None:
            properties = shape(declared, properties)
        path = f"{declared.address}: "
        match declared.type:
            case "aws_lambda_function":
                self._code(declared, properties, "Code")
            case "aws_lambda_layer_version":
                self._code(declared, properties, "Content")
            case "aws_lambda_function_url":
                properties.put(OPENS_ITSELF, True, None)
            case "aws_lb_target_group" | "aws_alb_target_group":
                properties.put("Targets", self._targets(declared), properties.line)
            case "aws_cloudfront_function" if "code" in declared.written and (
                "constant_value" not in as_table(declared.written["code"])
            ):
                line = declared.values.lines.get("code")
                self._notes.approximated(
                    Place(self._document.file, line, f"{path}code"), _TEXT_OF_PLAN
                )
        return properties

    # code

    def _code(self, declared: Declared, properties: Table, name: str) -> None:
        """The sources of an archive in place of the zip, so that edits are seen (CDN-CFG-341)."""
        filename = properties.pop("Filename", None)
        archive = self._archive(declared)
        folder = self._source(archive) if archive is not None else filename
        if folder is not None:
            properties.put(name, folder, declared.values.lines.get("filename"))
            properties.words[name] = "filename"

    def _archive(self, declared: Declared) -> Declared | None:
        filename = declared.values.get("filename")
        for target in targets_of(self._document, declared.written.get("filename"), declared):
            if target.resource.type == "archive_file":
                return target.resource
        for each in self._document.resources.values():
            if each.type == "archive_file" and filename and filename == _output_path(each):
                return each
        return None

    def _source(self, archive: Declared) -> str:
        folder, file = archive.values.get("source_dir"), archive.values.get("source_file")
        if isinstance(folder, str) and folder:
            return folder
        if isinstance(file, str) and file:
            return str(Path(file).parent)
        contents = [
            (str(each.get("filename")), str(each.get("content")))
            for each in map(as_table, as_items(archive.values.get("source")))
        ]
        content, name = (archive.values.get(f"source_content{part}") for part in ("", "_filename"))
        if isinstance(content, str) and isinstance(name, str):
            contents.append((name, content))
        if not contents:
            raise DefinitionError(
                f"the plan does not say what {archive.address} is made of",
                place=archive.place,
                rule="CDN-CFG-341",
                remedy="give it a source_dir or source_file that is known before apply",
            )
        digest = blake2b(repr(contents).encode(), digest_size=16).hexdigest()
        root = (self._state_dir / "code" / digest).resolve()
        for name, text in contents:
            path = root / name
            if not path.resolve().is_relative_to(root):
                raise DefinitionError(
                    f"the file {name} lies outside its archive", place=archive.place
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return str(root)

    # what Terraform has in resources of its own

    def _pairs(self, store: Declared) -> Table:
        """The keys that other resources put into a store (CDN-CFG-334)."""
        pairs = Table()
        for each in self._document.resources.values():
            if not each.type.startswith("aws_cloudfrontkeyvaluestore_key") or not self._is_for(
                each, "key_value_store_arn", store
            ):
                continue
            several = each.values.get("resource_key_value_pair")
            for pair in map(as_table, several if isinstance(several, Items) else [each.values]):
                key, value = pair.get("key"), pair.get("value")
                if isinstance(key, str) and isinstance(value, str):
                    pairs.put(key, value, pair.line)
                else:
                    self._notes.ignored(each.place, "key or value is known after apply only")
        return pairs

    def _targets(self, group: Declared) -> Items:
        targets = Items(group.place.line)
        for each in self._document.resources.values():
            if each.type in (
                "aws_lb_target_group_attachment",
                "aws_alb_target_group_attachment",
            ) and self._is_for(each, "target_group_arn", group):
                known = each.values.get("target_id")
                link: Value = self._links.by_value(known) if isinstance(known, str) else None
                if link is None:
                    written = each.written.get("target_id")
                    link = next(iter(self._links.of("target_id", written, each, each.place)), None)
                target = table_of(Id=link)
                if isinstance(each.values.get("port"), int):
                    target.put("Port", each.values["port"], None)
                targets.put(target, each.place.line)
        return targets

    def _is_for(self, declared: Declared, attribute: str, other: Declared) -> bool:
        known = declared.values.get(attribute)
        if isinstance(known, str):
            return known == other.values.get("arn")
        targets = targets_of(self._document, declared.written.get(attribute), declared)
        return any(each.resource.address == other.address for each in targets)


def _output_path(archive: Declared) -> Value:
    return archive.values.get("output_path")
