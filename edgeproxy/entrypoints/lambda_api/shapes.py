"""What the members of requests are made of, so that operations need not ask.

Members that are null are as if they were not there; members that nothing here knows are ignored, as
AWS ignores them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from edgeproxy.entrypoints.lambda_api.answers import LambdaError

__all__ = ["checked"]


@dataclass(frozen=True, slots=True)
class _Each:
    """An object with any names, whose values have one shape."""

    shape: "_Shape"


_Shape: TypeAlias = type | _Each | list["_Shape"] | Mapping[str, "_Shape"]

_PACKAGE: Final[Mapping[str, _Shape]] = {
    "ZipFile": str, "S3Bucket": str, "S3Key": str, "S3ObjectVersion": str, "ImageUri": str,
}  # fmt: skip
_DESTINATION: Final[Mapping[str, _Shape]] = {"Destination": str}
_TEXTS: Final = (
    "Action", "AuthType", "CodeSha256", "Description", "EventSourceToken", "FunctionName",
    "FunctionUrlAuthType", "FunctionVersion", "Handler", "InvokeMode", "KMSKeyArn", "LicenseInfo",
    "Name", "PackageType", "Principal", "PrincipalOrgID", "RecursiveLoop", "RevisionId", "Role",
    "Runtime", "RuntimeVersionArn", "SourceAccount", "SourceArn", "StatementId", "UpdateRuntimeOn",
)  # fmt: skip
_MEMBERS: Final[Mapping[str, _Shape]] = {
    **dict.fromkeys(_TEXTS, str),
    **_PACKAGE,
    "Architectures": [str],
    "BatchSize": int,
    "BisectBatchOnFunctionError": bool,
    "Code": _PACKAGE,
    "CompatibleArchitectures": [str],
    "CompatibleRuntimes": [str],
    "Content": _PACKAGE,
    "Cors": {
        "AllowCredentials": bool, "AllowHeaders": [str], "AllowMethods": [str],
        "AllowOrigins": [str], "ExposeHeaders": [str], "MaxAge": int,
    },
    "DeadLetterConfig": {"TargetArn": str},
    "DestinationConfig": {"OnSuccess": _DESTINATION, "OnFailure": _DESTINATION},
    "DryRun": bool,
    "Enabled": bool,
    "Environment": {"Variables": _Each(str)},
    "EphemeralStorage": {"Size": int},
    "EventSourceArn": str,
    "FilterCriteria": {"Filters": [{"Pattern": str}]},
    "FunctionResponseTypes": [str],
    "InvokedViaFunctionUrl": bool,
    "Layers": [str],
    "LoggingConfig": {
        "LogFormat": str, "LogGroup": str, "ApplicationLogLevel": str, "SystemLogLevel": str,
    },
    "MaximumBatchingWindowInSeconds": int,
    "MaximumEventAgeInSeconds": int,
    "MaximumRecordAgeInSeconds": int,
    "MaximumRetryAttempts": int,
    "MemorySize": int,
    "ParallelizationFactor": int,
    "ProvisionedConcurrentExecutions": int,
    "Publish": bool,
    "ReservedConcurrentExecutions": int,
    "RoutingConfig": {"AdditionalVersionWeights": _Each(float)},
    "ScalingConfig": {"MaximumConcurrency": int},
    "SnapStart": {"ApplyOn": str},
    "StartingPosition": str,
    "StartingPositionTimestamp": float,
    "Tags": _Each(str),
    "Timeout": int,
    "TracingConfig": {"Mode": str},
    "TumblingWindowInSeconds": int,
}  # fmt: skip
_WANTED: Final = {str: "a String", int: "an Integer", float: "a Double", bool: "a Boolean"}
_FOUND: Final = {
    str: "STRING_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", bool: "BOOLEAN_VALUE",
    dict: "START_OBJECT", list: "START_ARRAY",
}  # fmt: skip


def checked(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members without those that are null; raises a refusal for one of another shape."""
    return _object(members, _MEMBERS, "")


def _object(value: Mapping[str, Any], shapes: Mapping[str, _Shape], place: str) -> dict[str, Any]:
    return {
        name: _value(each, shapes[name], f"{place}{name}") if name in shapes else each
        for name, each in value.items()
        if each is not None
    }


def _value(value: Any, shape: _Shape, place: str) -> Any:
    match shape:
        case type():
            # A whole number is a number of either kind; a Boolean is none.
            if type(value) is shape or (shape is float and type(value) is int):
                return value
            wanted = _WANTED[shape]
        case list():
            if isinstance(value, list):
                return [_value(each, shape[0], place) for each in value]
            wanted = "a List"
        case _Each():
            if isinstance(value, dict):
                shapes = dict.fromkeys(value, shape.shape)
                return _object(value, shapes, f"{place}.")
            wanted = "a Map"
        case _:
            if isinstance(value, dict):
                return _object(value, shape, f"{place}.")
            wanted = "an Object"
    found = _FOUND.get(type(value), "NULL_VALUE")
    raise LambdaError(
        "SerializationException", f"{place}: {found} can not be converted to {wanted}"
    )
