"""What a Serverless Framework service adds to resources: merged settings, functions, built code."""

from pathlib import Path

from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.serverless_events import normalized, put
from edgeproxy.project.loaders.yaml_source import Items, Table, Value

__all__ = ["attach", "code_folder", "event_invoke", "merge"]

_BUILDS = (".serverless/build", ".esbuild/.build", ".webpack/service")
_SUFFIXES = (".js", ".mjs", ".cjs", ".py")
_TYPESCRIPT = (".ts", ".mts", ".cts", ".tsx")


def merge(into: Table, key: str, value: Value, line: int | None) -> None:
    """Put ``value`` at ``key``: mappings are merged, lists by position, anything else replaced."""
    known = into.get(key)
    if isinstance(known, Table) and isinstance(value, Table):
        for name, each in value.items():
            merge(known, name, each, value.lines.get(name))
    elif isinstance(known, Items) and isinstance(value, Items):
        for index, each in enumerate(value):
            held = known[index] if index < len(known) else None
            if index >= len(known):
                known.put(each, value.lines[index])
            elif isinstance(held, Table) and isinstance(each, Table):
                for name, inner in each.items():
                    merge(held, name, inner, each.lines.get(name))
            else:
                known[index] = each
    else:
        into.put(key, value, line)


_EVENT_INVOKE = {
    "maximumRetryAttempts": "MaximumRetryAttempts",
    "maximumEventAge": "MaximumEventAgeInSeconds",
}
_DESTINATIONS = {"onSuccess": "OnSuccess", "onFailure": "OnFailure"}


def event_invoke(given: Section, logical_id: str, qualifier: str) -> Table | None:
    """The configuration of a function's asynchronous invocations, if it says something of them.

    A destination is the name of a function of the service, an ARN, or a type with an ARN.
    """
    own = given.values
    made = Table(own.lines.get("destinations", own.line))
    made.path = given.path
    put(made, FunctionName=put(Table(), Ref=logical_id), Qualifier=qualifier)
    for key, target in _EVENT_INVOKE.items():
        if own.get(key) is not None:
            made.put(target, own[key], own.lines.get(key))
            made.words[target] = key
    section = given.section("destinations")
    if section is not None:
        config = Table(section.values.line)
        for key, target in _DESTINATIONS.items():
            value, line = section.values.get(key), section.values.lines.get(key)
            if isinstance(value, Table) and "arn" in value:
                value = value["arn"]
            if isinstance(value, str) and ":" not in value:
                attribute = Items()
                attribute.put(f"{normalized(value)}LambdaFunction", None)
                attribute.put("Arn", None)
                value = put(Table(line), **{"Fn::GetAtt": attribute})
            if value is not None:
                config.put(target, put(Table(line), Destination=value), line)
                config.words[target] = key
        for key in section.values:
            if key not in _DESTINATIONS:
                section.ignore("the framework has onSuccess and onFailure", key)
        made.put("DestinationConfig", config, own.lines.get("destinations"))
        made.words["DestinationConfig"] = "destinations"
    return made if len(made) > 2 else None


def attach(settings: Section, version: str, top: Table) -> None:
    """Attach a function to a distribution, as the key ``lambdaAtEdge`` says (CDN-CFG-371)."""
    config: Value = top
    for step in ("Resources", settings.text("distribution"), "Properties", "DistributionConfig"):
        config = config.get(step) if isinstance(config, Table) else None
    if not isinstance(config, Table):
        raise settings.error(
            "distribution",
            f"no distribution {settings.text('distribution')!r} is declared under resources",
            rule="CDN-CFG-371",
        )
    pattern, behaviors = settings.text("pathPattern", ""), config.get("CacheBehaviors")
    behavior = config.get("DefaultCacheBehavior")
    if pattern:
        listed = behaviors if isinstance(behaviors, Items) else ()
        found = (b for b in listed if isinstance(b, Table) and b.get("PathPattern") == pattern)
        behavior = next(found, None)
    if not isinstance(behavior, Table):
        raise settings.error(
            "pathPattern" if pattern else "distribution",
            "the distribution has no such behavior",
            rule="CDN-CFG-371",
        )
    association = put(
        Table(settings.values.line),
        EventType=settings.text("eventType"),
        LambdaFunctionARN=put(Table(), Ref=version),
    )
    if settings.has("includeBody"):
        put(association, IncludeBody=settings.boolean("includeBody"))
    associations = behavior.get("LambdaFunctionAssociations")
    if not isinstance(associations, Items):
        associations = Items(settings.values.line)
        put(behavior, LambdaFunctionAssociations=associations)
    associations.put(association, settings.values.line)
    settings.finish()


def code_folder(given: Section, handler: str, service: str) -> Path:
    """Where a function's code lies, seen from the service folder (CDN-CFG-369)."""
    assert given.source.file is not None
    root, module = given.source.file.parent, handler.rpartition(".")[0]

    def has(folder: Path, suffixes: tuple[str, ...]) -> bool:
        return any((folder / f"{module}{suffix}").is_file() for suffix in suffixes)

    if has(root, _SUFFIXES) or not has(root, _TYPESCRIPT):
        return Path()
    for build in _BUILDS:
        if has(root / build, _SUFFIXES):
            return Path(build)
    for name in (given.path.removeprefix("functions."), service):
        if (root / ".serverless" / f"{name}.zip").is_file():
            return Path(".serverless", f"{name}.zip")
    raise given.error(
        "handler",
        f"{module} is TypeScript and has no build output",
        rule="CDN-CFG-369",
        remedy="run sls package, or the bundler",
    )
