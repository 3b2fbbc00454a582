"""Signed URLs and signed cookies: may this request see what a behavior keeps private (CDN-SGN)?

The signature comes in the query string, or else in cookies, with the ID of the key that made it
and either a policy or the time of expiry of a canned one.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edgeproxy.distribution.model import PublicKey
from edgeproxy.distribution.public_keys import HashAlgorithm, verifier
from edgeproxy.distribution.signing_policy import (
    MalformedPolicy,
    SignedUrl,
    SigningPolicy,
    canned_policy,
    parse_policy,
)
from edgeproxy.http.cookies import parse_cookies
from edgeproxy.http.messages import Request

__all__ = ["SIGNING_COOKIES", "SIGNING_PARAMETERS", "Objection", "Unsigned", "judge_signature"]

SIGNING_PARAMETERS: Final = frozenset(
    {"Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
)
_COOKIE_PREFIX: Final = "CloudFront-"
SIGNING_COOKIES: Final = frozenset(f"{_COOKIE_PREFIX}{name}" for name in SIGNING_PARAMETERS)

_BASE64: Final = re.compile(r"[A-Za-z0-9~_-]*")
_TO_STANDARD: Final = str.maketrans("-_~", "+=/")


class Objection(StrEnum):
    """The code that the viewer is told."""

    MISSING_KEY = "MissingKey"
    INVALID_KEY = "InvalidKey"
    MALFORMED_SIGNATURE = "MalformedSignature"
    MALFORMED_POLICY = "MalformedPolicy"
    ACCESS_DENIED = "AccessDenied"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The request has no signature that holds: the code for the viewer, and the reason."""

    objection: Objection
    why: str


def judge_signature(request: Request, keys: Mapping[str, PublicKey], now: float) -> Unsigned | None:
    """None when ``request`` is signed with one of ``keys`` and its policy lets the viewer in.

    The keys are by key-pair ID. ``now`` is in seconds since 1970. Which code comes of what is
    observed (CDN-SGN-40 to CDN-SGN-45); that the checks come in this order is a choice.
    """
    given, url = _signing_data(request)
    key_id = given.get("Key-Pair-Id")
    if not key_id:
        return Unsigned(Objection.MISSING_KEY, "neither URL nor cookies have a key-pair ID")
    key = keys.get(key_id)
    if key is None:
        known = ", ".join(keys) or "none"
        why = f"the key-pair ID {key_id} is not among those that the behavior trusts: {known}"
        return Unsigned(Objection.INVALID_KEY, why)
    signature, expires, custom = map(given.get, ("Signature", "Expires", "Policy"))
    if signature is None or (expires is None and custom is None):
        # CDN-SGN-45 (U): no code is confirmed.
        what = "signature" if signature is None else "policy and no time of expiry"
        return Unsigned(Objection.ACCESS_DENIED, f"there is no {what}")
    decoded = _decode(signature)
    if decoded is None:
        return Unsigned(Objection.MALFORMED_SIGNATURE, "the signature is not CloudFront's base64")
    try:
        policy = canned_policy(url, expires or "") if custom is None else _custom_policy(custom)
    except MalformedPolicy as error:
        return Unsigned(Objection.MALFORMED_POLICY, str(error))
    why = _doubt(key, decoded, policy, given.get("Hash-Algorithm", HashAlgorithm.SHA1))
    why = why or policy.objection(url, request.viewer.ip, now)
    return Unsigned(Objection.ACCESS_DENIED, why) if why else None


def _signing_data(request: Request) -> tuple[dict[str, str], SignedUrl]:
    """What the signature consists of, under the names of the parameters, and the URL without it.

    Cookies count only when the query string has nothing of a signature (CDN-SGN-03). Of several
    values the first one counts.
    """
    given: dict[str, str] = {}
    own = []
    for piece in [] if request.query is None else request.query.split("&"):
        name, _, value = piece.partition("=")
        if name in SIGNING_PARAMETERS:
            given.setdefault(name, value)
        else:
            own.append(piece)
    if not given:
        for name, value in parse_cookies(request.headers.get_all("Cookie")):
            if name in SIGNING_COOKIES:
                given.setdefault(name.removeprefix(_COOKIE_PREFIX), value)
    query = "&".join(own) if own else None
    return given, SignedUrl(request.viewer.scheme, request.host, request.path, query)


def _decode(text: str) -> bytes | None:
    """Base64 with the characters that CloudFront replaces (CDN-SGN-07)."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        return b64decode(text.translate(_TO_STANDARD), validate=True)
    except binascii.Error:
        return None


def _custom_policy(text: str) -> SigningPolicy:
    decoded = _decode(text)
    if decoded is None:
        raise MalformedPolicy("the policy is not CloudFront's base64")
    return parse_policy(decoded)


def _doubt(key: PublicKey, signature: bytes, policy: SigningPolicy, algorithm: str) -> str:
    """Why the signature is not the key's, or an empty string."""
    if algorithm not in HashAlgorithm.__members__:
        return f"the hash algorithm {algorithm} is neither SHA1 nor SHA256"
    if verifier(key)(signature, policy.text, HashAlgorithm(algorithm)):
        return ""
    signed = policy.text.decode("utf-8", "replace")
    return f"the signature is not that of {key.id} over the {algorithm} of {signed}"
