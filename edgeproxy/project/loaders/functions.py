"""Reads Lambda functions and function URLs, also SAM's (CDN-CFG-270 to 278)."""

import re
from collections.abc import Mapping

from edgeproxy.awslambda.model import Cors, FunctionDefinition, FunctionUrl
from edgeproxy.errors import DefinitionError, Place
from edgeproxy.project.checks.function_urls import check_cors
from edgeproxy.project.checks.functions import check_runtime, check_setting
from edgeproxy.project.checks.variables import check_names
from edgeproxy.project.identifiers import function_url_id
from edgeproxy.project.loaders.catalogue import Catalogue, LambdaFunction
from edgeproxy.project.loaders.code import Code, check_handler, find_code
from edgeproxy.project.loaders.event_invoke import dead_letter_arn
from edgeproxy.project.loaders.images import find_image
from edgeproxy.project.loaders.layers import Layers, layers_of
from edgeproxy.project.loaders.options import LoadOptions
from edgeproxy.project.loaders.permissions import OPENS_ITSELF, open_url
from edgeproxy.project.loaders.policies import NOT_TRAFFIC
from edgeproxy.project.loaders.sam import SERVERLESS_FUNCTION
from edgeproxy.project.loaders.section import Section
from edgeproxy.project.loaders.template import Resource, Template
from edgeproxy.project.loaders.yaml_source import Items, Table, Value
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.log_settings import LEVELS, LogFormat, LogSettings

__all__ = ["LAMBDA_FUNCTIONS", "read_function", "read_function_url"]

LAMBDA_FUNCTIONS = ("AWS::Lambda::Function", SERVERLESS_FUNCTION)

_REFUSED_AT_THE_EDGE = (
    ("VpcConfig", "VpcConfig"),
    ("a dead letter queue", "DeadLetterConfig|DeadLetterQueue"),
    ("Layers", "Layers"),
    ("ProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfig"),
    ("KmsKeyArn", "KmsKeyArn"),
)
_RECURSION = ("Terminate", "Allow")
_TRACING = ("PassThrough", "Active")
_SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")
_SUBSTITUTED = re.compile(r"\$\{([^!}]+\.Arn)\}")
_NOT_AWS = "functions run with your own environment's credentials"


def read_function(
    resource: Resource,
    template: Template,
    catalogue: Catalogue,
    layers: Layers,
    options: LoadOptions,
) -> None:
    """Add a function to the catalogue, with why it cannot run here where its code is missing."""
    properties, identity = resource.properties, template.identity_of(resource.logical_id)
    name = template.physical_name(resource.logical_id)
    properties.text("FunctionName", "")
    runtime = properties.text("Runtime", "")
    if runtime and not runtime.startswith(("python3", "nodejs", "provided")):
        properties.approximate(
            "Runtime", "only Python, Node.js and provided functions are sure to run here"
        )
    image = find_image(properties, options.images, name, resource.logical_id)
    code: Code | DefinitionError
    if image is not None:
        code = image.code
    else:
        code = find_code(resource, template, runtime, options.state_dir)
    if isinstance(code, DefinitionError):
        no_code, code = code, Code(template.file.parent)
    elif image is not None:
        no_code = None
    else:
        no_code = None
        properties.found(
            check_handler(runtime, properties.text("Handler"), code, properties.place("Handler"))
        )
        properties.text("Runtime")
    if runtime:
        properties.found(check_runtime(runtime, properties.place("Runtime")))
    memory_mb = properties.integer("MemorySize", 128)
    timeout_s = properties.integer("Timeout", 3)
    properties.found(check_setting("MemorySize", memory_mb, properties.place("MemorySize")))
    properties.found(check_setting("Timeout", timeout_s, properties.place("Timeout")))
    if (storage := properties.section("EphemeralStorage")) is not None:
        size_mb = storage.integer("Size")
        properties.found(check_setting("EphemeralStorage", size_mb, storage.place("Size")))
    features = _refused_features(properties)
    opt = layers_of(properties, layers, code.root, identity.region, options.state_dir)
    spec = FunctionSpec(
        name=name,
        runtime=runtime,
        handler=properties.text("Handler", ""),
        code_root=code.root,
        arn=identity.function_arn(name),
        timeout_s=timeout_s,
        memory_mb=memory_mb,
        environment=_environment(properties.section("Environment")),
        region=identity.region,
        log=_log_settings(properties.section("LoggingConfig")),
        opt=opt.folder,
        command=image.command if image is not None else (),
        dead_letter_arn=dead_letter_arn(properties),
        traced=_tracing_mode(properties) == "Active",
    )
    definition = FunctionDefinition(
        name=name,
        spec=spec,
        logical_id=resource.logical_id,
        reserved_concurrency=properties.optional_integer("ReservedConcurrentExecutions"),
        versions=(),
        allows_recursion=properties.choice("RecursiveLoop", _RECURSION, "Terminate") == "Allow",
        watch=(*code.watch, *opt.watch),
        inline=code.inline,
        place=resource.place,
    )
    catalogue.lambda_functions[name] = LambdaFunction(
        definition, properties, no_code, features, _trusted(resource, template)
    )
    _ignore(properties, image=image is not None)
    properties.finish()


def _ignore(properties: Section, *, image: bool) -> None:
    properties.text("AutoPublishAlias", "")
    properties.section("FunctionUrlConfig")
    properties.ignore(
        NOT_TRAFFIC, "Description", "Tags", "AutoPublishAliasAllProperties",
        "PropagateTags", "AutoPublishCodeSha256", "VersionDescription", "CodeSigningConfigArn",
        "TenancyConfig", "DurableConfig", "VersionDeletionPolicy",
        "PublishToLatestPublished",
    )  # fmt: skip
    properties.ignore(
        _NOT_AWS, "Role", "Policies", "PermissionsBoundary", "AssumeRolePolicyDocument", "RolePath"
    )
    properties.ignore("functions are in this machine's network", "VpcConfig")
    properties.ignore("functions run on this machine's processor", "Architectures")
    properties.ignore("the disk is this machine's", "EphemeralStorage", "FileSystemConfigs")
    properties.section("ProvisionedConcurrencyConfig")
    properties.ignore("environments start on demand", "SnapStart")
    properties.ignore("nothing is encrypted here", "KmsKeyArn", "SourceKMSKeyArn")
    properties.ignore("the runtime is the one installed here", "RuntimeManagementConfig")
    if not image:
        properties.ignore("only zip packages run here", "PackageType", "ImageConfig", "ImageUri")
    properties.section("EventInvokeConfig")
    properties.section("Events")
    properties.section("DeploymentPreference")
    properties.ignore(
        "environments are sized by MemorySize", "CapacityProviderConfig", "FunctionScalingConfig"
    )


def _tracing_mode(properties: Section) -> str:
    """``TracingConfig``, or SAM's name for it (LI-271)."""
    config = properties.section("TracingConfig")
    if config is None:
        return properties.choice("Tracing", (*_TRACING, "Disabled"), "PassThrough")
    mode = config.choice("Mode", _TRACING, "PassThrough")
    config.finish()
    return mode


def _environment(environment: Section | None) -> tuple[tuple[str, str], ...]:
    if environment is None:
        return ()
    variables = environment.section("Variables")
    environment.finish()
    if variables is None:
        return ()
    environment.found(check_names(variables.values, environment.place("Variables")))
    return tuple((name, variables.text(name, "")) for name in variables.values)


def _log_settings(config: Section | None) -> LogSettings:
    """Format, levels and group of the log (LR-280)."""
    if config is None:
        return LogSettings()
    settings = LogSettings(
        format=LogFormat(config.choice("LogFormat", LogFormat, LogFormat.TEXT)),
        application_level=config.choice("ApplicationLogLevel", LEVELS, "INFO"),
        system_level=config.choice("SystemLogLevel", _SYSTEM_LEVELS, "INFO"),
        group=config.text("LogGroup", ""),
    )
    for name in ("ApplicationLogLevel", "SystemLogLevel"):
        if settings.format is LogFormat.TEXT and config.has(name):
            raise config.error(
                name,
                "log levels are for the JSON log format only",
                rule="LR-280",
                remedy="set LogFormat: JSON, or leave the level out",
            )
    config.finish()
    return settings


def _refused_features(properties: Section) -> Mapping[str, Place]:
    """What Lambda@Edge does not take (LE-ASSOC-09), with the place of each."""
    found = {
        what: properties.place(name)
        for what, name in _REFUSED_AT_THE_EDGE
        if _says_something(properties, name)
    }
    environment = properties.section("Environment")
    if environment is not None and _says_something(environment, "Variables"):
        found["environment variables"] = environment.place("Variables")
    if _tracing_mode(properties) == "Active":
        found["X-Ray tracing"] = properties.place("TracingConfig|Tracing")
    if "arm64" in properties.texts("Architectures"):
        found["arm64"] = properties.place("Architectures")
    storage = properties.section("EphemeralStorage")
    if storage is not None and storage.integer("Size") > 512:
        found["ephemeral storage above 512 MB"] = storage.place("Size")
    if properties.text("PackageType", "Zip") == "Image":
        found["container images"] = properties.place("PackageType")
    updates = properties.section("RuntimeManagementConfig")
    if updates is not None and updates.text("UpdateRuntimeOn") != "Auto":
        found["runtime management other than Auto"] = updates.place("UpdateRuntimeOn")
    return found


def _says_something(section: Section, name: str) -> bool:
    value = section.values.get(next((n for n in name.split("|") if n in section.values), ""))
    return value not in (None, "", {}, [])


def _trusted(resource: Resource, template: Template) -> tuple[str, ...] | None:
    """The services that may assume the function's role, None when it cannot be told."""
    properties = resource.properties
    role = properties.values.get("Role")
    if role is None and resource.type == SERVERLESS_FUNCTION:
        policy = properties.values.get("AssumeRolePolicyDocument")
        # The role that SAM makes trusts Lambda only.
        return ("lambda.amazonaws.com",) if policy is None else _services(policy, template)
    if not isinstance(role, Table):
        return None
    target = role.get("Fn::GetAtt")
    if isinstance(text := role.get("Fn::Sub"), str) and (whole := _SUBSTITUTED.fullmatch(text)):
        target = whole[1]
    logical_id, *_ = target.split(".") if isinstance(target, str) else [*_items(target), ""]
    if not isinstance(logical_id, str) or template.types.get(logical_id) != "AWS::IAM::Role":
        return None
    document = template.resource(logical_id).properties.values.get("AssumeRolePolicyDocument")
    return _services(document, template)


def _services(document: Value, template: Template) -> tuple[str, ...] | None:
    if not isinstance(document, Table):
        return None
    services: list[str] = []
    for statement in _items(document.get("Statement")):
        principal = statement.get("Principal") if isinstance(statement, Table) else None
        names = principal.get("Service") if isinstance(principal, Table) else None
        for name in _items(names):
            resolved = template.intrinsics.resolve(name, Place(template.file, document.line))
            if isinstance(resolved, str):
                services.append(resolved)
    return tuple(services)


def _items(value: Value) -> list[Value]:
    return value if isinstance(value, Items) else [] if value is None else [value]


def read_function_url(resource: Resource, catalogue: Catalogue) -> FunctionUrl:
    """A function URL (FU-002, FU-003, FU-006)."""
    properties = resource.properties
    function, arn = catalogue.lambda_function(properties, "TargetFunctionArn")
    cors = properties.section("Cors")
    url = FunctionUrl(
        logical_id=resource.logical_id,
        function=function.definition.name,
        url_id=function_url_id(resource.logical_id),
        qualifier=properties.text("Qualifier", arn.qualifier.replace("$LATEST", "")),
        auth_type=properties.choice("AuthType", ("NONE", "AWS_IAM")),
        invoke_mode=properties.choice("InvokeMode", ("BUFFERED", "RESPONSE_STREAM"), "BUFFERED"),
        cors=_cors(cors) if cors is not None else None,
    )
    if url.qualifier and url.qualifier not in function.aliases:
        raise properties.error(
            "Qualifier",
            f"the function {url.function} has no alias {url.qualifier!r}",
            rule="FU-002",
            remedy="a function URL is for the function or one of its aliases",
        )
    if url.auth_type == "AWS_IAM":
        properties.approximate("AuthType", "signatures are verified with --iam enforce only")
    elif properties.boolean(OPENS_ITSELF, False):
        open_url(function, url.qualifier)
    properties.finish()
    return url


def _cors(config: Section) -> Cors:
    cors = Cors(
        allow_origins=config.texts("AllowOrigins"),
        allow_methods=config.texts("AllowMethods"),
        allow_headers=config.texts("AllowHeaders"),
        expose_headers=config.texts("ExposeHeaders"),
        allow_credentials=config.boolean("AllowCredentials", False),
        max_age_s=config.optional_integer("MaxAge"),
    )
    config.finish()
    config.found(check_cors(cors, config.place))
    return cors
