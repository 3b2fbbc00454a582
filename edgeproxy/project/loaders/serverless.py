"""Reads a Serverless Framework file (CDN-CFG-360 to 372).

It is translated into the template that the framework would deploy, as far as CloudFront, functions
and function URLs go, and that template is read as any other.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.identifiers import Identity
from edgeproxy.project.loaders.event_source_mappings import EVENT_SOURCE_MAPPING
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.loaders.permissions import OPENS_ITSELF
from edgeproxy.project.loaders.section import Section, Source
from edgeproxy.project.loaders.serverless_events import (
    CloudFrontEvents,
    cache_policy_id,
    normalized,
    put,
)
from edgeproxy.project.loaders.serverless_resources import (
    attach,
    code_folder,
    event_invoke,
    merge,
)
from edgeproxy.project.loaders.serverless_sources import SOURCES, mapping_of
from edgeproxy.project.loaders.serverless_variables import Variables
from edgeproxy.project.loaders.template import Template
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.project.report import CheckFinding, Notes

__all__ = ["read_serverless"]

_DISTRIBUTION = "CloudFrontDistribution"
_UNUSED = "nothing of it runs here"
_EDGE_LIMITS = {"viewer": (128, 5), "origin": (10_240, 30)}
_HEADERS = ("Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token")
_PROPERTIES = {
    "runtime": "Runtime",
    "memorySize": "MemorySize",
    "timeout": "Timeout",
    "reservedConcurrency": "ReservedConcurrentExecutions",
    "layers": "Layers",
    "role": "Role",
    "kmsKeyArn": "KmsKeyArn",
}
_OF_PROVIDER = ("runtime", "memorySize", "timeout", "layers")
_CORS = {
    "allowedOrigins": "AllowOrigins",
    "allowedHeaders": "AllowHeaders",
    "allowedMethods": "AllowMethods",
    "allowCredentials": "AllowCredentials",
    "exposedResponseHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}


def read_serverless(file: Path, table: Table, notes: Notes, options: LoadOptions) -> Template:
    """The template that a service stands for. Raises :class:`DefinitionError`."""
    return _Service(file, table, notes, options).template()


class _Service:
    def __init__(self, file: Path, table: Table, notes: Notes, options: LoadOptions) -> None:
        self._file = file
        self._notes = notes
        self._options = options
        self._raw = table
        self._variables = Variables(file, table, options.parameters)
        self._provider = self._section("provider")
        self._service = self._name()
        self._resources = Table(1)

    def template(self) -> Template:
        cloudfront = self._provider.section("cloudFront")
        policies = cloudfront.section("cachePolicies") if cloudfront is not None else None
        events = CloudFrontEvents(policies.values if policies is not None else {})
        if policies is not None:
            self._declare_policies(policies)
        attached: list[tuple[Section, str]] = []
        functions = self._raw.get("functions")
        for group in functions if isinstance(functions, Items) else [functions]:
            place = Place(self._file, self._raw.lines.get("functions"), "functions")
            raw = group if isinstance(group, Table) else self._variables.resolve(group, place)
            if isinstance(raw, Table):
                for name in raw:
                    attached += self._function(name, self._one_function(raw, name), events)
        if events.behaviors:
            place = Place(self._file, self._raw.lines.get("functions"))
            self._declare_distribution(events, place)
        top = self._merged_resources()
        for each in attached:
            attach(*each, top)
        template = Template(
            self._file,
            top,
            self._notes,
            identity=Identity(self._options.identity.account, self._variables.region),
            parameters=self._options.parameters,
            stack=f"{self._service}-{self._variables.stage}",
        )
        template.more_sources += list(self._variables.files)
        return template

    def _section(self, name: str) -> Section:
        place = Place(self._file, self._raw.lines.get(name), name)
        value = self._variables.resolve(self._raw.get(name), place)
        table = value if isinstance(value, Table) else Table(self._raw.line)
        return Section(Source(self._file, self._notes), table, name)

    def _name(self) -> str:
        place = Place(self._file, self._raw.lines.get("service"), "service")
        value = self._variables.resolve(self._raw.get("service"), place)
        name = value.get("name") if isinstance(value, Table) else value
        return str(name)

    # functions

    def _one_function(self, raw: Table, name: str) -> Section:
        """A function, without the environment that an edge function does not have (CDN-CFG-367)."""
        place = Place(self._file, raw.lines.get(name), f"functions.{name}")
        whole = raw[name]
        given = whole if isinstance(whole, Table) else Table()
        table = Table(raw.lines.get(name))
        for key, value in given.items():
            line = given.lines.get(key)
            where = Place(self._file, line, f"{place.path}.{key}")
            is_dropped = key == "environment" and _is_edge(given)
            table.put(key, value if is_dropped else self._variables.resolve(value, where), line)
        return Section(Source(self._file, self._notes), table, place.path)

    def _function(
        self, name: str, given: Section, events: CloudFrontEvents
    ) -> Iterator[tuple[Section, str]]:
        """Declare a function and what belongs to it; gives its ``lambdaAtEdge`` settings."""
        is_edge = _is_edge(given.values)
        base = normalized(name)
        logical_id, version = f"{base}LambdaFunction", f"{base}LambdaVersion"
        properties = Table(given.values.line)
        properties.path = f"functions.{name}"
        own = given.values
        for key, target in _PROPERTIES.items():
            if own.get(key) is not None:
                properties.put(target, own[key], own.lines.get(key))
                properties.words[target] = key
            elif (
                key in _OF_PROVIDER
                and key in self._provider.values
                and (not is_edge or key == "runtime")
            ):
                properties.put(
                    target, self._provider.values[key], self._provider.values.lines.get(key)
                )
        full_name = own.get("name") or f"{self._service}-{self._variables.stage}-{name}"
        put(properties, FunctionName=full_name)
        properties.setdefault("MemorySize", 128 if is_edge else 1024)
        properties.setdefault("Timeout", 5 if is_edge else 6)
        self._code(given, properties)
        if is_edge:
            given.ignore("Lambda@Edge functions have neither", "environment", "vpc")
            self._check_region(given)
        else:
            self._environment(given, properties)
        self._declare(logical_id, "AWS::Lambda::Function", properties, given)
        provisioned = given.optional_integer("provisionedConcurrency")
        if is_edge or provisioned:
            number = put(Table(given.values.line), FunctionName=put(Table(), Ref=logical_id))
            number.path = f"{properties.path}.version"
            self._declare(version, "AWS::Lambda::Version", number, given)
        alias = f"{base}ProvConcLambdaAlias" if provisioned else ""
        if provisioned:
            self._provisioned_alias(alias, provisioned, logical_id, version, given)
        for event in given.sections("events"):
            if "cloudFront" in event.values:
                inner = event.required_section("cloudFront")
                self._check_limits(inner, properties, given)
                events.add(inner, version)
            elif kind := next((each for each in SOURCES if each in event.values), ""):
                mapping = mapping_of(event, kind, put(Table(), Ref=alias or logical_id))
                prefix = f"{base}EventSourceMapping"
                count = sum(each.startswith(prefix) for each in self._resources)
                mapped = f"{prefix}{kind.upper()}{count + 1}"
                self._declare(mapped, EVENT_SOURCE_MAPPING, mapping, given)
            else:
                event.ignore("API gateways and schedules do not run here; use url: true",
                             *event.values)  # fmt: skip
        qualifier = "provisioned" if alias else "$LATEST"
        if config := event_invoke(given, logical_id, qualifier):
            self._declare(f"{base}LambdaEvConf", "AWS::Lambda::EventInvokeConfig", config, given)
        self._url(name, logical_id, given, alias or logical_id)
        several = isinstance(own.get("lambdaAtEdge"), Items)
        if own.get("lambdaAtEdge") is not None:
            listed = given.sections("lambdaAtEdge") if several else [
                given.required_section("lambdaAtEdge")
            ]  # fmt: skip
            for each in listed:
                yield each, version
        for key in own:
            if key not in (*_PROPERTIES, *_READ):
                given.ignore(_UNUSED, key)

    def _environment(self, given: Section, properties: Table) -> None:
        variables = Table(given.values.line)
        for section in (self._provider, given):
            inner = section.values.get("environment")
            for key, value in inner.items() if isinstance(inner, Table) else ():
                variables.put(key, value, inner.lines.get(key))  # type: ignore[union-attr]
        if variables:
            put(properties, Environment=put(Table(given.values.line), Variables=variables))
            properties.words["Environment"] = "environment"

    def _code(self, given: Section, properties: Table) -> None:
        """The service folder, its package, or what a bundler wrote (CDN-CFG-369)."""
        handler = given.text("handler", "").removeprefix("./")
        put(properties, Handler=handler)
        properties.lines["Handler"] = given.values.lines.get("handler")
        properties.words["Handler"] = "handler"
        if given.has("image"):
            put(
                properties, PackageType="Image", Code=put(Table(), ImageUri=given.text("image", ""))
            )
            return
        package = given.section("package") or self._section("package")
        artifact = package.text("artifact", "")
        put(properties, Code=artifact or str(code_folder(given, handler, self._service)))
        properties.words["Code"] = "package.artifact" if artifact else "handler"

    def _check_region(self, given: Section) -> None:
        region = self._variables.region
        if region != "us-east-1":
            given.found(
                [
                    CheckFinding(
                        "CDN-CFG-367",
                        given.place("events"),
                        f"CloudFront associated functions cannot be deployed to {region}.",
                        "set provider.region to us-east-1",
                    )
                ]
            )

    def _check_limits(self, event: Section, properties: Table, given: Section) -> None:
        kind = event.text("eventType").partition("-")[0]
        for name, word, limit in zip(
            ("MemorySize", "Timeout"), ("memorySize", "timeout"),
            _EDGE_LIMITS.get(kind, _EDGE_LIMITS["viewer"]), strict=True,
        ):  # fmt: skip
            value = properties[name]
            if isinstance(value, int) and value > limit:
                given.found(
                    [
                        CheckFinding(
                            "CDN-CFG-367",
                            given.place(word),
                            f"{word} is {value}; a function of {kind} events has at most {limit}.",
                            f"set {word} to {limit} or less",
                        )
                    ]
                )

    def _provisioned_alias(
        self, alias: str, amount: int, function: str, version: str, given: Section
    ) -> None:
        """The alias that the framework makes for ``provisionedConcurrency``."""
        line = given.values.lines.get("provisionedConcurrency")
        config = put(Table(line), ProvisionedConcurrentExecutions=amount)
        config.words["ProvisionedConcurrentExecutions"] = ""
        made = put(
            Table(line),
            FunctionName=put(Table(), Ref=function),
            FunctionVersion=put(Table(), **{"Fn::GetAtt": _items(version, "Version")}),
            Name="provisioned",
            ProvisionedConcurrencyConfig=config,
        )
        made.path = given.path
        made.words["ProvisionedConcurrencyConfig"] = "provisionedConcurrency"
        self._declare(alias, "AWS::Lambda::Alias", made, given)

    def _url(self, name: str, logical_id: str, given: Section, target: str) -> None:
        url = given.values.get("url")
        if url in (None, False):
            return
        config = given.section("url") if isinstance(url, Table) else None
        made = Table(given.values.lines.get("url"))
        made.path = f"functions.{name}.url"
        iam = config is not None and config.text("authorizer", "") == "aws_iam"
        put(
            made,
            TargetFunctionArn=put(Table(), Ref=target),
            AuthType="AWS_IAM" if iam else "NONE",
        )
        made.put(OPENS_ITSELF, True, None)
        if config is not None:
            put(made, InvokeMode=config.text("invokeMode", "BUFFERED"))
            if config.values.get("cors"):
                put(made, Cors=_cors(config.values["cors"]))
        self._declare(f"{logical_id}Url", "AWS::Lambda::Url", made, given)

    # the template

    def _declare(self, logical_id: str, kind: str, properties: Table, given: Section) -> None:
        resource = put(Table(given.values.line), Type=kind, Properties=properties)
        self._resources.put(logical_id, resource, given.values.line)

    def _declare_policies(self, policies: Section) -> None:
        """CDN-CFG-361."""
        for name in policies.values:
            config = Table(policies.values.lines.get(name))
            given = policies.required_section(name)
            for key, value in given.values.items():
                config.put(key, value, given.values.lines.get(key))
            put(config, Name=f"{self._service}-{self._variables.stage}-{name}")
            outer = put(Table(given.values.line), CachePolicyConfig=config)
            outer.words["CachePolicyConfig"] = ""
            outer.path = given.path
            self._declare(cache_policy_id(name), "AWS::CloudFront::CachePolicy", outer, given)

    def _declare_distribution(self, events: CloudFrontEvents, place: Place) -> None:
        """CDN-CFG-368."""
        properties = put(Table(place.line), DistributionConfig=events.config(place))
        properties.words["DistributionConfig"] = ""
        properties.path = f"{_DISTRIBUTION}:"
        resource = put(
            Table(place.line), Type="AWS::CloudFront::Distribution", Properties=properties
        )
        self._resources.put(_DISTRIBUTION, resource, place.line)

    def _merged_resources(self) -> Table:
        """The template with ``resources`` and its extensions merged in."""
        top = put(Table(1), Resources=self._resources)
        place = Place(self._file, self._raw.lines.get("resources"), "resources")
        given = self._variables.resolve(self._raw.get("resources"), place)
        for part in given if isinstance(given, Items) else [given]:
            if not isinstance(part, Table):
                continue
            for name, value in part.items():
                if name != "extensions":
                    merge(top, name, value, part.lines.get(name))
            extensions = part.get("extensions")
            for name, value in extensions.items() if isinstance(extensions, Table) else ():
                if name not in self._resources:
                    raise DefinitionError(
                        f"resources.extensions names {name}, which the framework does not make",
                        place=Place(self._file, part.lines.get("extensions")),
                        rule="CDN-CFG-368",
                        remedy="put it under resources.Resources, or correct the name: there is "
                        + ", ".join(self._resources),
                    )
                merge(self._resources, name, value, None)
        return top


_READ = (
    "handler", "name", "events", "url", "lambdaAtEdge", "environment", "vpc", "package", "image",
    "description", "tags", "provisionedConcurrency", "destinations", "maximumRetryAttempts",
    "maximumEventAge",
)  # fmt: skip


def _is_edge(function: Mapping[str, Value]) -> bool:
    events = function.get("events")
    listed = events if isinstance(events, Items) else ()
    return function.get("lambdaAtEdge") is not None or any(
        isinstance(each, Table) and "cloudFront" in each for each in listed
    )


def _cors(value: Value) -> Table:
    made = Table()
    given = value if isinstance(value, Table) else Table()
    for key, name in _CORS.items():
        if given.get(key) is not None:
            listed = given[key]
            is_list = name.startswith(("Allow", "Expose")) and name != "AllowCredentials"
            put(made, **{name: _items(listed) if is_list else listed})
    made.setdefault("AllowOrigins", _items("*"))
    made.setdefault("AllowMethods", _items("*"))
    made.setdefault("AllowHeaders", _items(*_HEADERS))
    return made


def _items(*values: Value) -> Items:
    if len(values) == 1 and isinstance(values[0], Items):
        return values[0]
    items = Items()
    for value in values:
        items.put(value, None)
    return items
