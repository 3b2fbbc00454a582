"""AWS signatures, version 4, as a service sees them: what a request claims, and what it should be.

A signature comes in ``Authorization`` or in the query (a presigned URL). The path is encoded once
more than it was sent, as every service but S3 asks, and its dots and empty segments are taken out.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query

__all__ = ["Claim", "Incomplete", "canonical_request", "claim_of", "signature", "string_to_sign"]

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_FORM: Final = "%Y%m%dT%H%M%SZ"
_DATE: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_SCOPE: Final = re.compile(
    r"(?P<key>.+)/(?P<day>[^/]*)/(?P<region>[^/]*)/(?P<service>[^/]*)/(?P<end>[^/]*)"
)
_REQUIRED: Final = ("Credential", "Signature", "SignedHeaders")
_SIGNATURE: Final = "X-Amz-Signature"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a request says it is from, and the signature that is to prove it."""

    access_key: str
    day: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str
    date: str
    time_s: float
    token: str = ""
    expires_s: int | None = None
    """How long a presigned URL holds; None where the signature is in a header."""

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/{self.terminator}"


class Incomplete(Exception):
    """A signature that lacks something or cannot be read; the text is AWS's."""


def claim_of(request: Request) -> Claim | None:
    """The claim of a request; None when it has no signature. Raises :class:`Incomplete`."""
    parameters = {
        _decoded(name): _decoded(value or "") for name, value in parse_query(request.query or "")
    }
    if _SIGNATURE in parameters or "X-Amz-Algorithm" in parameters:
        return _presigned(parameters)
    text = request.headers.get("Authorization")
    if not text:
        return None
    algorithm, _, rest = text.partition(" ")
    if algorithm != ALGORITHM:
        raise Incomplete(
            "Unsupported AWS 'algorithm' in the Authorization header (hashed with SHA-256 and "
            f"encoded with Base64): '{_hidden(text)}'."
        )
    given = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    date = request.headers.get("X-Amz-Date") or request.headers.get("Date")
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in _REQUIRED
        if not given.get(name)
    ]
    if not date:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if missing:
        raise Incomplete(
            f"{' '.join(missing)} (Hashed with SHA-256 and encoded with Base64) "
            f"Authorization={_hidden(text)}"
        )
    token = request.headers.get("X-Amz-Security-Token")
    return _claim(given["Credential"], given["SignedHeaders"], given["Signature"], date, token)


def _presigned(parameters: dict[str, str]) -> Claim:
    missing = [
        name
        for name in (*(f"X-Amz-{name}" for name in _REQUIRED), "X-Amz-Date", "X-Amz-Expires")
        if not parameters.get(name)
    ]
    if parameters.get("X-Amz-Algorithm") != ALGORITHM:
        missing.insert(0, "X-Amz-Algorithm")
    if missing:
        raise Incomplete(
            " ".join(f"AWS query-string parameters must include '{each}'." for each in missing)
        )
    expires = parameters["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and 1 <= int(expires) <= 604_800):
        raise Incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800.")
    return _claim(
        parameters["X-Amz-Credential"],
        parameters["X-Amz-SignedHeaders"],
        parameters[_SIGNATURE],
        parameters["X-Amz-Date"],
        parameters.get("X-Amz-Security-Token", ""),
        int(expires),
    )


def _claim(
    credential: str, names: str, hexadecimal: str, date: str, token: str, expires: int | None = None
) -> Claim:
    scope = _SCOPE.fullmatch(credential)
    if scope is None:
        raise Incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{credential}'"
        )
    try:
        if not _DATE.fullmatch(date):
            raise ValueError
        time_s = datetime.strptime(date, _FORM).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None
    access_key, day, region, service, terminator = scope.groups()
    return Claim(
        access_key,
        day,
        region,
        service,
        terminator,
        tuple(names.lower().split(";")),
        hexadecimal,
        date,
        time_s,
        token,
        expires,
    )


def canonical_request(request: Request, claim: Claim, body: bytes) -> str:
    """What is signed of a request, one thing a line."""
    lines = "".join(f"{name}:{_header(request, name)}\n" for name in claim.signed_headers)
    return "\n".join(
        (
            request.method,
            _path(request.path),
            _query(request.query or "", is_presigned=claim.expires_s is not None),
            lines,
            ";".join(claim.signed_headers),
            hashlib.sha256(body).hexdigest(),
        )
    )


def string_to_sign(claim: Claim, canonical: str) -> str:
    """The text whose keyed hash the signature is."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{claim.date}\n{claim.scope}\n{digest}"


def signature(claim: Claim, text: str, secret: str) -> str:
    """The signature that whoever knows the secret would have made."""
    key = f"AWS4{secret}".encode()
    for part in (claim.day, claim.region, claim.service, claim.terminator):
        key = hmac.digest(key, part.encode("utf-8", "surrogateescape"), "sha256")
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256").hex()


def _header(request: Request, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in request.headers.get_all(name))


def _path(path: str) -> str:
    """Without ``.``, ``..`` and empty segments, every byte that is not unreserved encoded."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    is_folder = path.endswith("/") or path.rpartition("/")[2] in (".", "..")
    clean = "/" + "/".join(segments) + ("/" if is_folder and segments else "")
    return quote(clean.encode("utf-8", "surrogateescape"), safe="/-._~")


def _query(query: str, *, is_presigned: bool) -> str:
    """Parameters in the order of their encoded names and values, without the signature itself."""
    pairs = [(_encoded(name), _encoded(value or "")) for name, value in parse_query(query)]
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(pairs)
        if not (is_presigned and name == _SIGNATURE)
    )


def _encoded(text: str) -> str:
    return quote(_bytes(text), safe="-._~")


def _decoded(text: str) -> str:
    return _bytes(text).decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    """What an escaped text stands for; bytes that are no text come as surrogates."""
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def _hidden(text: str) -> str:
    """What AWS shows of a header that it cannot read: a hash, in base64."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return base64.b64encode(digest).decode("ascii")
