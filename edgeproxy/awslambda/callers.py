"""Whose signature a request carries, and whether it holds (FU-104, FU-106, LI-026).

Keys that begin with ``ASIA`` are temporary: their requests carry a session token, others none. The
body counts with its real hash, whatever the client says of it; Lambda takes no unsigned one.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from edgeproxy.errors import UsageError
from edgeproxy.http.messages import Request
from edgeproxy.http.sigv4 import (
    Claim,
    Incomplete,
    canonical_request,
    claim_of,
    signature,
    string_to_sign,
)

__all__ = ["Caller", "Key", "Refused", "Verifier", "caller_of", "keys_from"]

_SKEW_S: Final = 300
_ARN: Final = re.compile(r"arn:aws:(iam|sts)::\d{12}:[^:]+", re.ASCII)
_EDGE_ROLE: Final = "OriginAccessControlRole/EdgeCredentialsProxy+EdgeHostAuthenticationClient"


@dataclass(frozen=True, slots=True)
class Caller:
    """A user or role of an account; with ``sources`` it is CloudFront."""

    access_key: str
    arn: str
    account: str
    user_id: str
    sources: tuple[str, ...] = ()
    """Of CloudFront: the ARNs of the distributions that it may ask for."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret access key, and who has it: nobody named is the user ``edgeproxy`` of the owner."""

    secret: str
    arn: str = ""
    sources: tuple[str, ...] = ()
    """Distributions for which CloudFront signs with this key."""


class Refused(Exception):
    """AWS's answer to who cannot be let in: an exception's name, its body, and why for people."""

    def __init__(self, name: str, document: Mapping[str, str], why: str = "") -> None:
        super().__init__(why or next(iter(document.values())))
        self.name = name
        self.document = document


def caller_of(access_key: str, key: Key | None, owner: str) -> Caller:
    """Who has the key, where ``owner`` is the functions' account.

    IDs are made up from ARNs, the same on each run.
    """
    arn = key.arn if key is not None else ""
    if key is not None and key.sources:
        arn = f"arn:aws:sts::{owner}:assumed-role/{_EDGE_ROLE}"
    arn = arn or f"arn:aws:iam::{owner}:user/edgeproxy"
    digest = blake2b(arn.encode(), digest_size=9).hexdigest().upper()[:17]
    is_role = ":assumed-role/" in arn
    user_id = f"AROA{digest}:{arn.rpartition('/')[2]}" if is_role else f"AIDA{digest}"
    return Caller(access_key, arn, arn.split(":")[4], user_id, key.sources if key else ())


def keys_from(options: Iterable[str]) -> dict[str, Key]:
    """The keys of ``--access-key``: ``ID=SECRET``, with ``@ARN`` for who has it.

    Raises :class:`UsageError`, which does not tell a secret.
    """
    keys: dict[str, Key] = {}
    for text in options:
        name, _, rest = text.partition("=")
        secret, at, arn = rest.partition("@")
        if not (name and secret) or (at and not _ARN.fullmatch(arn)):
            raise UsageError(
                f"--access-key {name}=… is not of the form ID=SECRET or ID=SECRET@ARN",
                remedy="such as AKIAEXAMPLE=secret, or "
                "AKIAEXAMPLE=secret@arn:aws:iam::111122223333:user/someone",
            )
        if name in keys:
            raise UsageError(f"--access-key gives {name} twice")
        keys[name] = Key(secret, arn)
    return keys


class Verifier:
    """Checks signatures for one service in one Region; ``keys`` are all that are known."""

    def __init__(self, keys: Mapping[str, Key], region: str, service: str = "lambda") -> None:
        self._keys = keys
        self._region = region
        self._service = service

    def caller(
        self, request: Request, body: bytes, owner: str, now_s: float, *, told: bool = False
    ) -> Caller:
        """Who has signed ``request``; ``owner`` as in :func:`caller_of`. Raises :class:`Refused`.

        ``told``: the answer to a wrong signature tells what should have been signed.
        """
        try:
            claim = claim_of(request)
        except Incomplete as error:
            raise Refused("IncompleteSignatureException", {"message": str(error)}) from error
        if claim is None:
            raise Refused(
                "MissingAuthenticationTokenException", {"message": "Missing Authentication Token"}
            )
        self._check_scope(claim)
        _check_time(claim, now_s)
        key = self._keys.get(claim.access_key)
        if key is None or bool(claim.token) != claim.access_key.startswith("ASIA"):
            raise Refused(
                "UnrecognizedClientException",
                {"message": "The security token included in the request is invalid."},
                f"the access key {claim.access_key} is not known"
                if key is None
                else f"{claim.access_key} and its session token do not go together",
            )
        canonical = canonical_request(request, claim, body)
        text = string_to_sign(claim, canonical)
        expected = signature(claim, text, key.secret).encode()
        if not hmac.compare_digest(expected, claim.signature.encode("utf-8", "surrogateescape")):
            message = (
                "The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method. Consult the service "
                "documentation for details."
            )
            should = (
                f"{message}\n\nThe Canonical String for this request should have been\n"
                f"'{canonical}'\n\nThe String-to-Sign should have been\n'{text}'\n"
            )
            # Bytes of a path that are no text stand in an answer as they can.
            should = should.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            raise Refused(
                "InvalidSignatureException", {"message": should if told else message}, should
            )
        return caller_of(claim.access_key, key, owner)

    def _check_scope(self, claim: Claim) -> None:
        wrong = []
        if claim.region != self._region:
            wrong.append("Credential should be scoped to a valid region.")
        if claim.service != self._service:
            wrong.append(f"Credential should be scoped to correct service: '{self._service}'.")
        if claim.terminator != "aws4_request":
            wrong.append(
                "Credential should be scoped with a valid terminator: 'aws4_request', "
                f"not '{claim.terminator}'."
            )
        if claim.day != claim.date[:8]:
            wrong.append(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                f"from HTTP: '{claim.day}' != '{claim.date[:8]}', from '{claim.date}'."
            )
        if "host" not in claim.signed_headers:
            wrong.append(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
            )
        if wrong:
            # Each sentence ends in a blank, as it does on AWS.
            message = "".join(f"{each} " for each in wrong)
            why = f"{message}The function is in {self._region}."
            raise Refused("InvalidSignatureException", {"message": message}, why)


def _check_time(claim: Claim, now_s: float) -> None:
    """A signature holds five minutes before and after its time, a presigned URL as it says."""
    lasts_s = _SKEW_S if claim.expires_s is None else claim.expires_s
    now = _stamp(now_s)
    if claim.time_s < now_s - lasts_s:
        raise Refused(
            "InvalidSignatureException",
            {
                "message": f"Signature expired: {claim.date} is now earlier than "
                f"{_stamp(now_s - lasts_s)} ({now} - {lasts_s // 60} min.)"
            },
        )
    if claim.time_s > now_s + _SKEW_S:
        raise Refused(
            "InvalidSignatureException",
            {
                "message": f"Signature not yet current: {claim.date} is still later than "
                f"{_stamp(now_s + _SKEW_S)} ({now} + {_SKEW_S // 60} min.)"
            },
        )


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
