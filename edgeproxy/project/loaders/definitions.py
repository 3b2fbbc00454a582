"""A definition file, or what ``cdk synth`` wrote, as TARGET: the loader of its language."""

from pathlib import Path

from edgeproxy.errors import DefinitionError, Place, UsageError
from edgeproxy.project.loaders.cdk import read_assembly, read_assets_beside
from edgeproxy.project.loaders.cloudformation import load_templates
from edgeproxy.project.loaders.distribution_config import (
    is_distribution_config,
    load_distribution_config,
)
from edgeproxy.project.loaders.languages import (
    CDK_SYNTH,
    is_serverless,
    is_show_json,
    not_show_json,
    packaged_assets,
    refuse_program,
)
from edgeproxy.project.loaders.options import Loaded, LoadOptions
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.yaml_source import Table, read_source
from edgeproxy.project.report import Notes

__all__ = ["load_definition"]

_CODE = (".py", ".js", ".mjs", ".cjs")


def load_definition(path: Path, options: LoadOptions) -> Loaded:
    """Everything that the definition at ``path`` declares. Raises as :func:`load` does."""
    notes = Notes()
    if path.is_dir():
        return load_templates(read_assembly(path, notes, options), notes, options)
    if (error := refuse_program(path)) is not None:
        raise error
    _refuse_code(path)
    table = read_source(path)
    if is_distribution_config(table):
        return load_distribution_config(path, table, notes, options)
    if is_show_json(table):
        from edgeproxy.project.loaders.terraform import read_terraform

        template = read_terraform(path, table, notes, options)
        return load_templates([template], notes, options)
    if is_serverless(table):
        from edgeproxy.project.loaders.serverless import read_serverless

        template = read_serverless(path, table, notes, options)
        return load_templates([template], notes, options)
    _require_template(path, table)
    template = Template(
        path,
        table,
        notes,
        identity=options.identity,
        parameters=options.parameters,
        assets={**read_assets_beside(path), **packaged_assets(path, table)},
    )
    return load_templates([template], notes, options)


def _refuse_code(path: Path) -> None:
    if path.suffix in _CODE:
        raise UsageError(
            f"{path} is a function, not a definition",
            remedy=f"edgeproxy dev|check FOLDER_OR_URL --viewer-request {path}",
        )


def _require_template(path: Path, table: Table) -> None:
    if "Resources" in table:
        return
    if (error := not_show_json(path, table)) is not None:
        raise error
    if path.name == "cdk.json":
        raise DefinitionError(
            "cdk.json names the app, not what it declares",
            place=Place(path),
            rule="CDN-CFG-309",
            remedy=CDK_SYNTH,
        )
    raise DefinitionError(
        "is neither a CloudFormation template nor a DistributionConfig",
        place=Place(path, 1),
        remedy="a template has Resources, a DistributionConfig Origins and DefaultCacheBehavior",
    )
