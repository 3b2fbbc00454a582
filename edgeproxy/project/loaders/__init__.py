"""Loaders: from what the user has, in whatever language, to one :class:`Project`.

:func:`load` looks at TARGET and picks the loader. Each loader reads files and returns values; what
it cannot use is a :class:`DefinitionError` with place and remedy, what AWS would refuse is among
``Loaded.findings``, and what becomes of each property is in ``project.report``.
"""

from pathlib import Path

from edgeproxy.errors import UsageError
from edgeproxy.project.loaders.languages import CDK_SYNTH, is_assembly, not_show_json
from edgeproxy.project.loaders.options import (
    FunctionFile,
    Loaded,
    LoadOptions,
    parse_function_file,
)
from edgeproxy.project.loaders.target import is_url, load_folder, load_url
from edgeproxy.project.model import Project

__all__ = ["FunctionFile", "LoadOptions", "Loaded", "load", "parse_function_file"]

_DEFAULT_TARGETS = ("edgeproxy.yaml", "template.yaml", "template.yml", "cdk.out")


def load(target: str | Path | None, options: LoadOptions | None = None) -> Loaded:
    """Everything that TARGET declares, with the function URLs and load balancers of ``options``.

    TARGET is a URL, a folder, a ``cdk.out`` or a definition file (CloudFormation, SAM, Terraform's
    plan or state as JSON, Serverless Framework, ``DistributionConfig``); None is the first of
    ``edgeproxy.yaml``, ``template.yaml``, ``template.yml`` and ``cdk.out`` in the current folder.
    Raises :class:`UsageError` and :class:`DefinitionError`, nothing else.
    """
    options = options or LoadOptions()
    if target is None:
        target = _default_target(options)
    if target is None:
        loaded = Loaded(Project())
    elif is_url(str(target)):
        loaded = load_url(str(target), options)
    else:
        loaded = _load_path(Path(target), options)
    if options.function_urls or options.load_balancers:
        from edgeproxy.project.loaders.doors import with_doors

        loaded = with_doors(loaded, options)
    return loaded


def _default_target(options: LoadOptions) -> Path | None:
    """The definition of the current folder; None where options alone define something to run."""
    for name in _DEFAULT_TARGETS:
        if Path(name).exists():
            return Path(name)
    if options.function_urls or options.load_balancers:
        return None
    remedy = CDK_SYNTH if Path("cdk.json").exists() else "give a URL, a folder or a file as TARGET"
    raise UsageError(
        "there is nothing to run here: looked for " + ", ".join(_DEFAULT_TARGETS),
        rule="CDN-CFG-309" if Path("cdk.json").exists() else "",
        remedy=remedy,
    )


def _load_path(path: Path, options: LoadOptions) -> Loaded:
    if not path.exists():
        raise UsageError(f"there is no {path}", remedy="TARGET is a URL, a folder or a file")
    if (error := not_show_json(path)) is not None:
        raise error
    if path.is_dir() and not is_assembly(path):
        return load_folder(path, options)
    _refuse_target_options(options)
    # Most of the loaders, which a URL or a folder does not need.
    from edgeproxy.project.loaders.definitions import load_definition

    return load_definition(path, options)


def _refuse_target_options(options: LoadOptions) -> None:
    """A definition says itself what runs where."""
    given = [f"--{event_type}" for event_type in options.edge_functions]
    given += [f"--{event_type}-cff" for event_type in options.cloudfront_functions]
    given += ["--include-body"] if options.include_body else []
    given += ["--cache-policy"] if options.cache_policy else []
    given += ["--origin-request-policy"] if options.origin_request_policy else []
    if given:
        raise UsageError(
            f"{given[0]} is for a URL or a folder as TARGET", remedy="write it into the definition"
        )
