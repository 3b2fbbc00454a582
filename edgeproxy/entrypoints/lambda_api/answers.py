"""What an operation of the API gives: a document with its headers, or an error with AWS's name.

An error travels in the way of REST-JSON: its name in a header, its text under ``message`` or
``Message``, depending on the exception (LI-080).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from edgeproxy.http.body import Body, BytesBody

__all__ = [
    "STATUSES",
    "Answer",
    "LambdaError",
    "conflict",
    "invalid_parameter",
    "json_answer",
    "not_found",
    "validation_error",
]

STATUSES: Final[Mapping[str, int]] = {
    name: status
    for status, names in {
        400: (
            "InvalidParameterValueException", "InvalidRequestContentException",
            "NoPublishedVersionException", "ModeNotSupportedException",
            "RecursiveInvocationException", "SnapStartException", "ValidationException",
            "CodeStorageExceededException", "PolicyLengthExceededException",
            "SerializationException",
        ),
        402: ("ServiceQuotaExceededException",),
        403: (
            "AccessDeniedException", "EFSMountFailureException", "S3FilesMountFailureException",
        ),
        404: ("ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException"),
        408: (
            "EFSMountConnectivityException", "EFSMountTimeoutException",
            "SnapStartTimeoutException", "S3FilesMountConnectivityException",
            "S3FilesMountTimeoutException",
        ),
        409: (
            "ResourceConflictException", "SnapStartNotReadyException",
            "SnapStartRegenerationFailureException", "RuntimeAliasDeletedException",
            "RuntimeVersionDeletedException", "CodeArtifactUserPendingException",
            "CodeArtifactUserFailedException", "CodeArtifactUserDeletedException",
            "DurableExecutionAlreadyStartedException",
        ),
        410: ("EFSIOException",),
        412: ("PreconditionFailedException",),
        413: (
            "RequestTooLargeException", "SerializedRequestEntityTooLargeException",
            "RequestEntityTooLargeException",
        ),
        415: ("UnsupportedMediaTypeException",),
        429: ("TooManyRequestsException",),
        500: ("ServiceException",),
        501: ("NotImplementedException",),
        502: (
            "EC2AccessDeniedException", "EC2ThrottledException", "EC2UnexpectedException",
            "ENILimitReachedException", "ENINotReadyException",
            "SubnetIPAddressLimitReachedException", "InvalidSecurityGroupIDException",
            "InvalidSubnetIDException", "InvalidRuntimeException", "InvalidZipFileException",
            "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException",
            "KMSNotFoundException", "ResourceNotReadyException",
        ),
    }.items()
    for name in names
}  # fmt: skip
"""The exceptions of the service and their statuses (LI-081)."""

_CAPITAL: Final = (
    "ResourceNotFound", "ServiceException", "ServiceQuotaExceeded", "NoPublishedVersion",
    "RecursiveInvocation", "KMS", "EC2", "EFS", "ENI", "S3Files", "SnapStart", "Subnet",
    "InvalidRuntime", "InvalidSecurityGroupID", "InvalidSubnetID", "InvalidZipFile",
    "AccessDenied",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: int = 200
    body: Body = field(default_factory=lambda: BytesBody(b""))
    headers: Mapping[str, str] = field(default_factory=dict)


class LambdaError(Exception):
    """A refusal; the status goes with the name (LI-081)."""

    def __init__(self, name: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.name = name
        self.status = STATUSES[name]
        self.message = message
        self.headers: dict[str, str] = {}
        self._more = more

    def document(self) -> dict[str, str]:
        """The body (LI-080)."""
        if self.name == "ValidationException":
            return {"message": self.message}
        key = "Message" if self.name.startswith(_CAPITAL) else "message"
        kind = "User" if self.status < 500 else "Service"
        return {**self._more, "Type": kind, key: self.message}


def json_answer(document: object, status: int = 200, **headers: str) -> Answer:
    body = BytesBody(orjson.dumps(document))
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def invalid_parameter(message: str) -> LambdaError:
    return LambdaError("InvalidParameterValueException", message)


def not_found(message: str) -> LambdaError:
    return LambdaError("ResourceNotFoundException", message)


def conflict(message: str) -> LambdaError:
    return LambdaError("ResourceConflictException", message)


def validation_error(*problems: tuple[str, str, str]) -> LambdaError:
    """One for all members that break a constraint: value, name and the constraint (LI-005)."""
    told = "; ".join(
        f"Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
        for value, name, constraint in problems
    )
    plural = "s" if len(problems) > 1 else ""
    return LambdaError(
        "ValidationException", f"{len(problems)} validation error{plural} detected: {told}"
    )
