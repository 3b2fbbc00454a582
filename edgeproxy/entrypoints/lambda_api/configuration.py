"""A function's configuration: AWS's document of it, and what clients may set."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.layers import LARGEST_UNPACKED, check_layers, size_of
from edgeproxy.awslambda.model import takes_dead_letters
from edgeproxy.awslambda.packages import code_of
from edgeproxy.awslambda.resources import FunctionResource, Version
from edgeproxy.entrypoints.lambda_api.answers import (
    LambdaError,
    invalid_parameter,
)
from edgeproxy.entrypoints.lambda_api.calls import Document
from edgeproxy.entrypoints.lambda_api.constraints import check_members
from edgeproxy.runtimes.invocation import FunctionSpec
from edgeproxy.runtimes.log_settings import LogFormat, LogSettings, log_group
from edgeproxy.runtimes.platform_events import runtime_version
from edgeproxy.runtimes.variables import NAME, RESERVED

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
_RUNTIMES: Final = (
    "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "python3.8", "python3.9", "python3.10",
    "python3.11", "python3.12", "python3.13", "python3.14", "provided.al2", "provided.al2023",
)  # fmt: skip
"""Those of LR-340, told to who names one that Lambda does not have; newer ones will do as well."""
_KEPT: Final = (
    "Role", "Description", "VpcConfig", "DeadLetterConfig", "KMSKeyArn",
    "FileSystemConfigs", "EphemeralStorage", "SnapStart", "Architectures",
)  # fmt: skip
"""Members that are shown as they were given."""
_LARGEST_ENVIRONMENT: Final = 4096
"""Bytes of the variables as JSON (LR-169)."""


def timestamp(seconds: float) -> str:
    """As ``LastModified`` of a function is told (LI-332)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


async def configuration(
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
    if not state:
        del document["RuntimeVersionConfig"]  # Lists have neither (LI-314).
    apply_on = settings.get("SnapStart", {}).get("ApplyOn", "None")
    is_on = apply_on != "None" and spec.version.isdigit()
    document["SnapStart"] = {
        "ApplyOn": apply_on,
        "OptimizationStatus": "On" if is_on else "Off",
    }
    code = await code_of(version)
    document |= {"CodeSha256": code.sha256, "CodeSize": code.size}
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


async def configured(account: LambdaAccount, version: Version, members: Document) -> Version:
    """``version`` with what ``members`` say; the rest stays as it is."""
    check_members(members)
    if members.get("PackageType", "Zip") != "Zip" or "ImageUri" in members.get("Code", {}):
        raise invalid_parameter(
            "Functions of package type Image do not run here. Package the function as a zip file."
        )
    spec = version.spec
    changes: Document = {}
    _check_dead_letter_target((members.get("DeadLetterConfig") or {}).get("TargetArn") or "")
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
    given: Document = {name: members[name] for name in _KEPT if name in members}
    if given.get("DeadLetterConfig") == {}:
        del given["DeadLetterConfig"]  # It changes nothing; an empty target does (LI-170).
    settings: Document = {**version.settings, **given}
    if settings.get("DeadLetterConfig") == {"TargetArn": ""}:
        del settings["DeadLetterConfig"]
    if "Environment" in members:
        settings["Environment"] = True
    if "Layers" in members:
        settings["Layers"] = members["Layers"]
        changes["opt"] = await _opt(account, members["Layers"], spec)
    return replace(version, spec=replace(spec, **changes), settings=settings)


def _check_dead_letter_target(arn: str) -> None:
    if arn and not takes_dead_letters(arn):
        raise invalid_parameter(
            f"{arn} is no target of a dead-letter queue. Name a standard SQS queue or SNS topic."
        )


def _runtime(runtime: str) -> str:
    if not _RUNTIME.fullmatch(runtime):
        raise invalid_parameter(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            f"value set: [{', '.join(_RUNTIMES)}] or be a valid ARN"
        )
    return runtime


def _environment(environment: Document) -> tuple[tuple[str, str], ...]:
    variables: dict[str, str] = environment.get("Variables") or {}
    if not all(map(NAME.fullmatch, variables)):
        raise LambdaError(
            "ValidationException",
            "1 validation error detected: Value at 'environment.variables' failed to satisfy "
            "constraint: Map keys must satisfy constraint: [Member must satisfy regular expression "
            f"pattern: {NAME.pattern}]",
        )
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
    group = config.get("LogGroup", before.group)
    if chosen is LogFormat.TEXT:
        return LogSettings(group=group)
    return replace(before, format=chosen, group=group, **levels)


async def _opt(account: LambdaAccount, arns: list[str], spec: FunctionSpec) -> Path | None:
    """The folder with these layers (LI-345, LR-304)."""
    for refusal in check_layers(arns, account.region):
        raise invalid_parameter(refusal)
    layers = []
    for arn in arns:
        layer = account.layer(arn)
        if layer is None:
            raise invalid_parameter(f"Layer version {arn} does not exist.")
        layers.append(layer)
    if not layers:
        return None
    folders = [*(layer.folder for layer in layers), spec.code_root]
    size = await asyncio.to_thread(lambda: sum(map(size_of, folders)))
    if size > LARGEST_UNPACKED:
        raise invalid_parameter(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{LARGEST_UNPACKED} bytes. The actual size is {size} bytes."
        )
    return await asyncio.to_thread(account.opt, layers)
