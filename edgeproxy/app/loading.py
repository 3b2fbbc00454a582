"""From a target and settings to a loaded project."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from edgeproxy.app.load_balancers import with_local_targets
from edgeproxy.awslambda.model import FunctionDefinition
from edgeproxy.distribution.model import EventType
from edgeproxy.errors import UsageError
from edgeproxy.project.loaders import load
from edgeproxy.project.loaders.options import (
    FunctionFile,
    Loaded,
    LoadOptions,
    parse_function_file,
)
from edgeproxy.project.model import Project
from edgeproxy.settings import Settings

__all__ = ["load_cloudfront_function_file", "load_function_file", "load_target"]


def load_target(target: str | None, settings: Settings) -> Loaded:
    """What ``target`` and the options declare. Raises ``UsageError`` and ``DefinitionError``."""
    options = load_options(settings)
    loaded = load(target, options)
    functions = loaded.project.functions.values()
    for name in options.images:
        if not any(name in (each.name, each.logical_id) for each in functions):
            raise UsageError(
                f"--image {name}: the definition has no function of that name",
                remedy="give a FunctionName or a logical ID of it",
            )
    return replace(loaded, project=with_local_targets(loaded.project, settings))


def load_function_file(text: str, settings: Settings) -> FunctionDefinition:
    """The function in ``FILE[:HANDLER]``, whatever the current folder defines."""
    from edgeproxy.project.loaders.doors import with_doors

    options = LoadOptions(function_urls=(parse_function_file(text),), state_dir=settings.state_dir)
    (function,) = with_doors(Loaded(Project()), options).project.functions.values()
    return function


def load_cloudfront_function_file(text: str, settings: Settings) -> tuple[Project, str]:
    """A project with the CloudFront Function in that file, and the function's name."""
    options = LoadOptions(
        cloudfront_functions={EventType.VIEWER_REQUEST: Path(text)},
        key_value_stores=_named_files("--kvs", settings.kvs),
        state_dir=settings.state_dir,
    )
    # Options attach functions to a URL; nobody ever asks this one.
    project = load("http://localhost", options).project
    return project, next(iter(project.cloudfront_functions))


def load_options(settings: Settings) -> LoadOptions:
    """The options that take part in loading."""
    edge_functions: dict[EventType, FunctionFile] = {}
    for event_type in EventType:
        text: str = getattr(settings, event_type.replace("-", "_"))
        if text:
            edge_functions[event_type] = parse_function_file(text)
    viewer_functions = {
        EventType.VIEWER_REQUEST: settings.viewer_request_cff,
        EventType.VIEWER_RESPONSE: settings.viewer_response_cff,
    }
    return LoadOptions(
        edge_functions=edge_functions,
        cloudfront_functions={
            event_type: Path(file) for event_type, file in viewer_functions.items() if file
        },
        include_body=settings.include_body,
        cache_policy=settings.cache_policy,
        origin_request_policy=settings.origin_request_policy,
        function_urls=tuple(map(parse_function_file, settings.function_url)),
        load_balancers=tuple(map(parse_function_file, settings.alb)),
        multi_value_headers=settings.multi_value_headers,
        key_value_stores=_named_files("--kvs", settings.kvs),
        public_keys=_named_files("--public-key", settings.public_key),
        trust_stores=_named_files("--trust-store", settings.trust_store),
        field_level_encryption=_named_files(
            "--field-level-encryption", settings.field_level_encryption
        ),
        images=_named_files("--image", settings.image),
        state_dir=settings.state_dir,
    )


def _named_files(option: str, values: Iterable[str]) -> dict[str, Path]:
    files = {}
    for text in values:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise UsageError(f"{option} {text!r} is not of the form NAME=FILE")
        files[name] = Path(file)
    return files
