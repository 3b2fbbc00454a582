"""What an operation of the API gives: a document with its headers, or an error with AWS's code."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Answer", "ApiError", "if_match", "invalid_argument"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; the body is XML unless ``headers`` say otherwise."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """A refusal, with AWS's status and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid_argument(message: str) -> ApiError:
    return ApiError(400, "InvalidArgument", message)


def if_match(given: str, current: str) -> None:
    """Refuse a change that was not made to the ``current`` version (CFF-ASSOC-08)."""
    if not given:
        raise ApiError(
            400,
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid for the resource.",
        )
    if given != current:
        raise ApiError(
            412,
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more "
            "request-header fields.",
        )
