"""Reads layer versions, and what a function gets of them (LR-300, LR-304, LR-305)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeproxy.awslambda.layers import LARGEST_UNPACKED, check_layers, overlay, size_of
from edgeproxy.errors import DefinitionError
from edgeproxy.project.loaders.code import Code, find_layer
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.report import CheckFinding

__all__ = ["LAYERS", "Layers", "Opt", "layers_of", "read_layers"]

LAYERS = ("AWS::Lambda::LayerVersion", "AWS::Serverless::LayerVersion")

Layers = Mapping[str, Code | DefinitionError]
"""Layer versions by ARN: where they lie, or why they are not here."""


@dataclass(frozen=True, slots=True)
class Opt:
    """What a function finds in ``/opt``, and the files that it was made of."""

    folder: Path | None = None
    watch: tuple[Path, ...] = ()


def read_layers(templates: Iterable[Template], state_dir: Path) -> Layers:
    """All layer versions that the definition declares."""
    found: dict[str, Code | DefinitionError] = {}
    for template in templates:
        for resource in template.resources(*LAYERS):
            arn = template.layer_arn(resource.logical_id)
            found[arn] = find_layer(resource, template, state_dir)
            properties = resource.properties
            properties.text("LayerName", "")
            properties.ignore(NOT_TRAFFIC, "Description", "LicenseInfo", "RetentionPolicy")
            properties.ignore("any function may use it", "CompatibleRuntimes")
            properties.ignore(
                "functions run on this machine's processor", "CompatibleArchitectures"
            )
            properties.finish()
    return found


def layers_of(properties: Section, layers: Layers, code: Path, region: str, state_dir: Path) -> Opt:
    """The layers that a function names, one over the other; findings are what Lambda refuses."""
    arns = properties.texts("Layers")
    if not arns:
        return Opt()
    place = properties.place("Layers")
    refused = [*check_layers(arns, region)]
    if properties.text("PackageType", "Zip") == "Image":
        refused.append("Layers are not supported for functions with package type Image.")
    folders: list[Path] = []
    watch: list[Path] = []
    for arn in arns:
        layer = layers.get(arn)
        if isinstance(layer, Code):
            folders.append(layer.root)
            watch += layer.watch
    missing = [arn for arn in arns if not isinstance(layers.get(arn), Code)]
    if missing:
        which = " and ".join(missing)
        why = f"NOT HERE: what the code imports from {which} must lie beside it"
        properties.source.notes.ignored(place, why)
    size = sum(map(size_of, [*folders, code])) if folders else 0
    if size > LARGEST_UNPACKED:
        refused.append(
            f"Function code combined with layers exceeds the maximum allowed size of "
            f"{LARGEST_UNPACKED} bytes. The actual size is {size} bytes."
        )
    properties.found(
        CheckFinding(
            "LR-304" if "maximum allowed size" in message else "LR-305",
            place,
            f"InvalidParameterValueException: {message}",
            "a function has up to five layers of its Region, each once, and 250 MB with its code",
        )
        for message in refused
    )
    return Opt(overlay(folders, state_dir / "layers"), tuple(watch))
