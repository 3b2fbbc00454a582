"""A function's configuration: AWS's document of it, and what clients may set."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.layers import LARGEST_UNPACKED, check_layers, size_of
from edgeproxy.awslambda.packages import package_of
from edgeproxy.awslambda.resources import FunctionResource, Version
from edgeproxy.entrypoints.lambda_api.answers import invalid_parameter, validation_error
from edgeproxy.entrypoints.lambda_api.calls import Document
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.log_settings import LEVELS, LogFormat, LogSettings, log_group
from edgeproxy.runtimes.platform_events import runtime_version
from edgeproxy.runtimes.variables import RESERVED

__all__ = ["CREATED", "READY", "UPDATED", "configuration", "configured", "timestamp"]

READY: Final = {"State": "Active", "LastUpdateStatus": "Successful"}
_CREATING: Final = "The function is being created."
CREATED: Final = {
    "State": "Pending",
    "StateReason": _CREATING,
    "StateReasonCode": "Creating",
}
UPDATED: Final = {
    "State": "Active",
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": _CREATING,
    "LastUpdateStatusReasonCode": "Creating",
}
"""What answers say of the state (LI-311); all is done at once, so the next call finds it READY."""

_RUNTIME: Final = re.compile(
    r"python3\.\d{1,2}|nodejs\d{2}\.x|provided(\.al2(023)?)?|java\d+(\.al2)?|dotnet\d+|ruby\d\.\d"
)
_KEPT: Final = (
    "Role", "Description", "VpcConfig", "DeadLetterConfig", "KMSKeyArn",
    "FileSystemConfigs", "EphemeralStorage", "SnapStart", "Architectures",
)  # fmt: skip
"""Members that are shown as they were given."""
_BOUNDS: Final = {"Timeout": (1, 900), "MemorySize": (128, 10_240)}
_STORAGE_MB: Final = (512, 10_240)
_LARGEST_ENVIRONMENT: Final = 4096
"""Bytes of the variables as JSON (LR-169)."""


@dataclass(frozen=True, slots=True)
class _Shown:
    sha256: str
    size: int


def timestamp(seconds: float) -> str:
    """As ``LastModified`` of a function is told (LI-332)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def configuration(
    account: LambdaAccount,
    function: FunctionResource,
    version: Version,
    qualifier: str = "",
    state: Document = READY,
) -> Document:
    """The document of one version, asked for under ``qualifier`` (LI-332 to LI-334)."""
    spec, settings = version.spec, version.settings
    document: Document = {
        "FunctionName": function.name,
        "FunctionArn": function.qualified_arn(qualifier),
        "Runtime": spec.runtime,
        "Role": f"arn:aws:iam::{account.id}:role/{function.name}",
        "Handler": spec.handler,
        "Description": "",
        "Timeout": int(spec.timeout_s),
        "MemorySize": spec.memory_mb,
        "LastModified": timestamp(version.modified_s),
        "Version": spec.version,
        "TracingConfig": {"Mode": "Active" if spec.traced else "PassThrough"},
        "RevisionId": version.revision_id,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": _logging(spec),
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_version(spec)[1]},
        **{name: settings[name] for name in _KEPT if name in settings},
        **state,
    }
    apply_on = settings.get("SnapStart", {}).get("ApplyOn", "None")
    is_on = apply_on != "None" and spec.version.isdigit()
    document["SnapStart"] = {
        "ApplyOn": apply_on,
        "OptimizationStatus": "On" if is_on else "Off",
    }
    if version.code_sha256:
        shown = _Shown(version.code_sha256, version.code_size)
    else:
        package = package_of(spec.code_root)
        shown = _Shown(package.sha256, package.size)
    document |= {"CodeSha256": shown.sha256, "CodeSize": shown.size}
    if spec.environment or "Environment" in settings:
        document["Environment"] = {"Variables": dict(spec.environment)}
    if layers := settings.get("Layers"):
        found = [(arn, account.layer(arn)) for arn in layers]
        document["Layers"] = [
            {"Arn": arn, "CodeSize": layer.document["Content"]["CodeSize"] if layer else 0}
            for arn, layer in found
        ]
    return document


def _logging(spec: FunctionSpec) -> Document:
    log = spec.log
    document: Document = {
        "LogFormat": log.format.value,
        "LogGroup": log_group(spec.name, log, edge=False),
    }
    if log.format is LogFormat.JSON:
        document |= {
            "ApplicationLogLevel": log.application_level,
            "SystemLogLevel": log.system_level,
        }
    return document


def configured(account: LambdaAccount, version: Version, members: Document) -> Version:
    """``version`` with what ``members`` say; the rest stays as it is."""
    if members.get("PackageType", "Zip") != "Zip" or "ImageUri" in members.get("Code", {}):
        raise invalid_parameter(
            "Functions of package type Image do not run here. Package the function as a zip file."
        )
    spec = version.spec
    changes: Document = {}
    _check_bounds(members)
    if "Runtime" in members:
        changes["runtime"] = _runtime(members["Runtime"])
    for name, attribute in (
        ("Handler", "handler"), ("Timeout", "timeout_s"), ("MemorySize", "memory_mb")
    ):  # fmt: skip
        if name in members:
            changes[attribute] = members[name]
    if "Environment" in members:
        changes["environment"] = _environment(members["Environment"])
    if "TracingConfig" in members:
        changes["traced"] = (members["TracingConfig"] or {}).get("Mode") == "Active"
    if "LoggingConfig" in members:
        changes["log"] = _log_settings(members["LoggingConfig"], spec.log)
    settings: Document = {**version.settings, **{k: members[k] for k in _KEPT if k in members}}
    if "Environment" in members:
        settings["Environment"] = True
    if "Layers" in members:
        settings["Layers"] = members["Layers"]
        changes["opt"] = _opt(account, members["Layers"], spec)
    return replace(version, spec=replace(spec, **changes), settings=settings)


def _check_bounds(members: Document) -> None:
    values = [(name, members.get(name), bounds) for name, bounds in _BOUNDS.items()]
    storage = (members.get("EphemeralStorage") or {}).get("Size")
    values.append(("EphemeralStorage.size", storage, _STORAGE_MB))
    wrong = []
    for name, value, (low, high) in values:
        if value is not None and not low <= value <= high:
            which, bound = ("greater", low) if value < low else ("less", high)
            constraint = f"Member must have value {which} than or equal to {bound}"
            wrong.append((str(value), name[0].lower() + name[1:], constraint))
    if wrong:
        raise validation_error(*wrong)


def _runtime(runtime: str) -> str:
    if not _RUNTIME.fullmatch(runtime):
        raise invalid_parameter(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            "value set or be a valid ARN"
        )
    return runtime


def _environment(environment: Document) -> tuple[tuple[str, str], ...]:
    variables: dict[str, str] = environment.get("Variables") or {}
    if reserved := [name for name in variables if name in RESERVED]:
        raise invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = orjson.dumps(variables)
    if len(measured) > _LARGEST_ENVIRONMENT:
        raise invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the 4KB limit. String measured: "
            f"{measured.decode()}"
        )
    return tuple(variables.items())


def _log_settings(config: Document, before: LogSettings) -> LogSettings:
    """What is not told goes on as it was (LR-280); levels are for JSON only."""
    chosen = LogFormat(config.get("LogFormat", before.format))
    levels = {
        key: config[name]
        for key, name in (
            ("application_level", "ApplicationLogLevel"), ("system_level", "SystemLogLevel")
        )
        if name in config
    }  # fmt: skip
    if chosen is LogFormat.TEXT and levels:
        raise invalid_parameter(
            "Log Level is not supported when LogFormat is set to 'Text'. Remove LogLevel from your "
            "request or change the LogFormat to 'JSON' and try again."
        )
    for level in levels.values():
        if level not in LEVELS:
            raise invalid_parameter(f"Log level {level} is none of {', '.join(LEVELS)}")
    group = config.get("LogGroup", before.group)
    if chosen is LogFormat.TEXT:
        return LogSettings(group=group)
    return replace(before, format=chosen, group=group, **levels)


def _opt(account: LambdaAccount, arns: list[str], spec: FunctionSpec) -> Path | None:
    """The folder with these layers (LI-345, LR-304)."""
    for refusal in check_layers(arns, account.region):
        raise invalid_parameter(refusal)
    layers = []
    for arn in arns:
        layer = account.layer(arn)
        if layer is None:
            raise invalid_parameter(f"Layer version {arn} does not exist.")
        layers.append(layer)
    size = sum(size_of(layer.folder) for layer in layers) + size_of(spec.code_root)
    if layers and size > LARGEST_UNPACKED:
        raise invalid_parameter(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{LARGEST_UNPACKED} bytes. The actual size is {size} bytes."
        )
    return account.opt(layers)
