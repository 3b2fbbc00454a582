"""Which language a definition is in, and the errors for files that are not read.

Apart from the loaders, so that only that of the language at hand is imported.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeproxy.errors import DefinitionError, Place

if TYPE_CHECKING:
    from edgeproxy.project.loaders.template import Assets
    from edgeproxy.project.loaders.yaml_source import Table, Value

__all__ = [
    "CDK_SYNTH",
    "is_assembly",
    "is_serverless",
    "is_show_json",
    "not_show_json",
    "packaged_assets",
    "refuse_program",
]

CDK_SYNTH: Final = "run cdk synth, which writes cdk.out, and give that"

_COMMANDS = (
    "terraform plan -out plan.tfplan && terraform show -json plan.tfplan > plan.json, and give "
    "plan.json (with OpenTofu, tofu in place of terraform)"
)
_SOURCES = (".tf", ".tf.json", ".tofu", ".tofu.json")


def is_assembly(folder: Path) -> bool:
    """Whether ``folder`` is a ``cdk.out``; a web site may have a ``manifest.json`` as well."""
    return (folder / "manifest.json").is_file() and (folder / "cdk.out").is_file()


def is_show_json(table: "Table") -> bool:
    """Whether it is a plan or a state as ``show -json`` prints it."""
    return "format_version" in table and ("planned_values" in table or "values" in table)


def _is_terraform_source(path: Path) -> bool:
    """Whether it is Terraform's language, or a folder of it."""
    if path.is_dir():
        return any(each.name.endswith(_SOURCES) for each in path.iterdir())
    return path.name.endswith(_SOURCES)


def not_show_json(path: Path, table: "Table | None" = None) -> DefinitionError | None:
    """The error for what belongs to Terraform and is not what ``show -json`` prints."""
    if _is_terraform_source(path):
        what = "Terraform's own language is not read: its plan has every value resolved"
        return DefinitionError(
            what, place=Place(path), rule="CDN-CFG-343", remedy=f"run {_COMMANDS}"
        )
    if path.is_file() and _is_saved_plan(path):
        return DefinitionError(
            "is a saved plan in Terraform's own format",
            place=Place(path),
            rule="CDN-CFG-330",
            remedy=f"run terraform show -json {path.name} > plan.json, and give plan.json",
        )
    if table is not None and "terraform_version" in table and "values" not in table:
        return DefinitionError(
            "is a state file in Terraform's own format",
            place=Place(path),
            rule="CDN-CFG-330",
            remedy="run terraform show -json > state.json, and give state.json",
        )
    return None


def _is_saved_plan(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "tfplan" in archive.namelist()


def is_serverless(table: "Table") -> bool:
    """Whether it is a service of the Serverless Framework."""
    return "service" in table and ("functions" in table or "provider" in table)


def refuse_program(path: Path) -> DefinitionError | None:
    """The error for a service that is written as a program."""
    if path.name not in ("serverless.ts", "serverless.js", "serverless.mjs", "serverless.cjs"):
        return None
    return DefinitionError(
        "is a program, which is not run here",
        place=Place(path),
        rule="CDN-CFG-370",
        remedy="run sls package, and give .serverless/cloudformation-template-update-stack.json",
    )


def packaged_assets(file: Path, table: "Table") -> "Assets":
    """The zip files that ``sls package`` wrote beside its template (CDN-CFG-370)."""
    if not file.name.startswith("cloudformation-template-"):
        return {}
    from edgeproxy.project.loaders.yaml_source import Table

    assets = {}
    resources = table.get("Resources")
    for each in resources.values() if isinstance(resources, Table) else ():
        value: Value = each
        for name in ("Properties", "Code", "S3Key"):
            value = value.get(name) if isinstance(value, Table) else None
        if isinstance(value, str) and (zipped := file.parent / Path(value).name).is_file():
            assets[value] = zipped
    return assets
