"""What can follow from the result of a Lambda@Edge function.

A result either takes effect, with what is tolerated but wrong reported as findings, or is refused
with the rule that it breaks.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edgeproxy.distribution.model import Origin
from edgeproxy.exchange.model import Finding
from edgeproxy.http.messages import Request, Response

__all__ = ["Changed", "Continue", "Generated", "Invalid", "InvalidKind", "Refused"]


class InvalidKind(StrEnum):
    """The kinds of invalid results that viewers are told apart (LE-ERR-07)."""

    JSON = "json"
    SHAPE = "shape"
    HEADERS = "headers"
    READ_ONLY = "read-only"
    DISALLOWED = "disallowed"
    URI = "uri"
    STATUS = "status"
    BODY = "body"
    ORIGIN = "origin"
    SIZE = "size"


_FAILED: Final = "The Lambda function result failed validation: "

_SENTENCES: Final = {
    InvalidKind.JSON: (
        "The Lambda function returned an invalid JSON: the output must be a JSON object."
    ),
    InvalidKind.SHAPE: _FAILED + "a field is missing or has the wrong type.",
    InvalidKind.HEADERS: (
        "The Lambda function returned an invalid entry in the headers object: each header entry "
        "in the headers object must be an array."
    ),
    InvalidKind.READ_ONLY: (
        _FAILED + "the function tried to add, delete, or change a read-only header."
    ),
    InvalidKind.DISALLOWED: _FAILED + "the function tried to add a blacklisted header.",
    InvalidKind.URI: _FAILED + "the URI or the query string has an invalid format.",
    InvalidKind.STATUS: _FAILED + "the status code must be a number from 200 to 599.",
    InvalidKind.BODY: _FAILED + "the body is not a string or exceeds the maximum size.",
    InvalidKind.ORIGIN: (
        "The Lambda function returned an invalid origin configuration: the origin is not valid."
    ),
    InvalidKind.SIZE: _FAILED + "the request or the response exceeds the maximum size.",
}
"""The sentence of the error page for each kind (LE-ERR-07)."""


@dataclass(frozen=True, slots=True)
class Continue:
    """A request function returned the request.

    ``request`` is the one handed in when the function left it alone. ``origin`` is the new origin,
    None when it stays. ``body`` replaces the request's body, None when that stays; whoever
    replaces it sets Content-Length (LE-BODY-12).
    """

    request: Request
    origin: Origin | None = None
    body: bytes | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """A request function made the response itself."""

    response: Response
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """A response function returned the response.

    ``response`` is complete, and the one handed in when the function left it alone. With
    ``body_replaced`` the body of the response handed in is not wanted any more.
    """

    response: Response
    body_replaced: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Invalid:
    """CloudFront refuses the result; the last finding says why."""

    kind: InvalidKind
    findings: tuple[Finding, ...]

    @property
    def sentence(self) -> str:
        """What the error page says (LE-ERR-07)."""
        return _SENTENCES[self.kind]


class Refused(Exception):
    """What was returned breaks a rule; ends the judging of one result."""

    def __init__(self, kind: InvalidKind, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.finding = Finding(rule, message, remedy)
