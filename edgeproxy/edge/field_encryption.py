"""Field-level encryption of a form on its way to the origin (CDN-FLE).

It comes after the viewer-request function and before everything that concerns the origin, so that
neither an origin-request function nor the origin sees the values. The messages are those of the
AWS Encryption SDK, which also opens them again; in a form their base64 stands percent-encoded.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from edgeproxy.distribution import quotas
from edgeproxy.distribution.field_encryption import (
    EncryptionEntity,
    EncryptionProfile,
    FieldLevelEncryption,
)
from edgeproxy.edge.admission import Refused
from edgeproxy.edge.pages import error_page
from edgeproxy.exchange.model import Decision, Exchange
from edgeproxy.http.body import BodyTooLarge, StreamBody, read_at_most
from edgeproxy.http.messages import Request
from edgeproxy.http.query import parse_query

__all__ = ["with_encrypted_fields"]

_ARGUMENT: Final = "fle-profile"
_MEDIA_TYPE: Final = re.compile(r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+\s*(;.*)?", re.ASCII)
_FIELD: Final = re.compile(rb"(?:[^%\x00-\x20\x7f-\xff]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class _Result:
    """What goes on to the origin (None: nothing does), with ``fle-status`` and the field count."""

    status: str
    request: Request | None = None
    count: int = 0


async def with_encrypted_fields(
    encryption: FieldLevelEncryption, request: Request, exchange: Exchange
) -> Request | Refused:
    """What the origin gets of ``request``; the log's ``fle-status`` goes to ``exchange``.

    Only a POST is looked at. What is refused gets status 400.
    """
    if request.method != "POST":
        return request
    with exchange.step("field-level encryption", before=request) as step:
        result = await _encrypted(_profile(encryption, request), request)
        exchange.fle_status, exchange.fle_encrypted_fields = result.status, result.count
        facts: dict[str, object] = {"encrypted_fields": result.count}
        step.decision = Decision(result.status, f"by {encryption.id}", facts)
        step.after = result.request
    if result.request is None:
        page = error_page(400, "Bad request.", exchange.id)
        return Refused(page, f"field-level encryption: {result.status}")
    return result.request


def _profile(encryption: FieldLevelEncryption, request: Request) -> EncryptionProfile | _Result:
    """The profile for the request's content type, or the one that its query asks for."""
    given = request.headers.get("Content-Type")
    if given and not _MEDIA_TYPE.fullmatch(given.strip()):
        return _Result("MalformedContentTypeClientError")
    content_type = given.partition(";")[0].strip().lower()
    if content_type not in encryption.content_types:
        if encryption.forwards_unknown_content_type:
            return _Result("ForwardedByContentType", request)
        return _Result("RejectedByContentType")
    asked = [value for name, value in parse_query(request.query or "") if name == _ARGUMENT]
    if asked and encryption.query_args is not None:
        name = unquote_plus(asked[0] or "")
        if not name:
            return _Result("MalformedQueryArgsClientError")
        if name in encryption.query_args:
            return encryption.query_args[name]
        if encryption.forwards_unknown_query_arg:
            return _Result("ForwardedByQueryArgs", request)
        return _Result("RejectedByQueryArgs")
    default = encryption.content_types[content_type]
    return default or _Result("ForwardedDueToNoProfile", request)


async def _encrypted(profile: EncryptionProfile | _Result, request: Request) -> _Result:
    """The request with the profile's fields encrypted (CDN-FLE-04)."""
    if isinstance(profile, _Result):
        return profile
    try:
        form = await read_at_most(request.body, quotas.MAX_ENCRYPTED_BODY_BYTES)
    except BodyTooLarge:
        return _Result("RequestLengthLimitClientError")
    fields = form.split(b"&") if form else []
    if not all(map(_FIELD.fullmatch, fields)):
        return _Result("MalformedInputClientError")
    if len(fields) > quotas.MAX_ENCRYPTED_BODY_FIELDS:
        return _Result("FieldNumberLimitClientError")
    pieces, count = [], 0
    for each in fields:
        raw_name, equals, raw_value = each.partition(b"=")
        entity = profile.entity_for(unquote_plus(raw_name.decode("ascii")))
        if entity is None or not equals:
            pieces.append(each)
            continue
        value = unquote_to_bytes(raw_value.replace(b"+", b" "))
        if len(value) > quotas.MAX_ENCRYPTED_FIELD_BYTES:
            return _Result("FieldLengthLimitClientError")
        message = await asyncio.to_thread(_message, entity, value)
        pieces.append(raw_name + b"=" + quote(base64.b64encode(message), safe="").encode("ascii"))
        count += 1

    async def chunks() -> AsyncIterator[bytes]:
        yield b"&".join(pieces)

    # The length is not announced: the origin gets the body in chunks.
    headers = request.headers.without("Content-Length")
    encrypted = replace(request, headers=headers, body=StreamBody(chunks()))
    return _Result("Processed", encrypted, count)


def _message(entity: EncryptionEntity, value: bytes) -> bytes:
    """RSA with OAEP and SHA-256 around a data key (CDN-FLE-03), as the SDK of CloudFront's time."""
    # Few distributions encrypt, and the SDK brings AWS's whole client with it.
    from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
    from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
    from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
    from aws_encryption_sdk.key_providers.raw import RawMasterKey

    key = RawMasterKey(
        provider_id=entity.provider_id,
        key_id=entity.key_name,
        wrapping_key=WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.RSA_OAEP_SHA256_MGF1,
            wrapping_key=entity.encoded_key.encode("ascii"),
            wrapping_key_type=EncryptionKeyType.PUBLIC,
        ),
    )
    client = EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    message: bytes = client.encrypt(source=value, key_provider=key)[0]
    return message
