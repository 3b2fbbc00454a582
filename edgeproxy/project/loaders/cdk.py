"""Reads what ``cdk synth`` wrote (CDN-CFG-300 to 306): an assembly of stacks and their assets."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.loaders.section import Section, Source
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.yaml_source import read_source
from edgeproxy.project.report import Notes

__all__ = ["read_assembly", "read_assets", "read_assets_beside"]

_MANIFEST = "manifest.json"


def read_assembly(folder: Path, notes: Notes, options: LoadOptions) -> list[Template]:
    """The templates of all stacks, those of nested assemblies too."""
    templates = list(_stacks(folder, notes, options))
    if not templates:
        raise DefinitionError(
            "the assembly holds no stack",
            place=Place(folder / _MANIFEST),
            rule="CDN-CFG-300",
            remedy="run cdk synth",
        )
    return templates


def _stacks(folder: Path, notes: Notes, options: LoadOptions) -> Iterator[Template]:
    file = folder / _MANIFEST
    manifest = Section(Source(file, Notes()), read_source(file), "")
    artifacts = manifest.required_section("artifacts")
    each = [(name, artifacts.required_section(name)) for name in artifacts.values]
    assets: dict[str, Path] = {}
    for _, artifact in each:
        if artifact.text("type") == "cdk:asset-manifest":
            assets |= read_assets(folder / artifact.required_section("properties").text("file"))
    for name, artifact in each:
        kind = artifact.text("type")
        if kind == "aws:cloudformation:stack":
            properties = artifact.required_section("properties")
            template = folder / properties.text("templateFile")
            yield Template(
                template,
                read_source(template),
                notes,
                identity=_identity(artifact.text("environment", ""), options.identity),
                parameters=options.parameters,
                assets=assets,
                stack=properties.text("stackName", name),
            )
        elif kind == "cdk:cloud-assembly":
            properties = artifact.required_section("properties")
            nested = folder / properties.text("directoryName")
            if folder.resolve().is_relative_to(nested.resolve()):
                raise properties.error("directoryName", "the assembly contains itself")
            yield from _stacks(nested, notes, options)


def _identity(environment: str, default: Identity) -> Identity:
    """``aws://<account>/<region>``; either may be unknown."""
    account, _, region = environment.removeprefix("aws://").partition("/")
    return Identity(
        account if account.isdigit() else default.account,
        region if region and region != "unknown-region" else default.region,
    )


def read_assets(file: Path) -> Mapping[str, Path]:
    """Object keys of an asset manifest and what lies behind them here (CDN-CFG-301)."""
    files = Section(Source(file, Notes()), read_source(file), "").required_section("files")
    assets: dict[str, Path] = {}
    for name in files.values:
        asset = files.required_section(name)
        path = asset.required_section("source").text("path", "")
        destinations = asset.required_section("destinations")
        for destination in destinations.values:
            key = destinations.required_section(destination).text("objectKey")
            if path:
                assets[key] = file.parent / path
    return assets


def read_assets_beside(template: Path) -> Mapping[str, Path]:
    """The assets of a single stack's template, as far as a manifest lies beside it."""
    file = template.with_name(template.name.removesuffix(".template.json") + ".assets.json")
    return read_assets(file) if file != template and file.is_file() else {}
