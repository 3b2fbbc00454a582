"""Origin access control: requests to origins carry an AWS signature, version 4 (CDN-S3-10 to 15).

A request is signed as it goes on the wire, after functions and custom headers: method, path, query,
Host, Content-Type, Content-MD5 and every ``x-amz-*`` header. For S3 path and query are spelled anew
before. CloudFront signs as a service of AWS; here it signs with the credentials of the user's
environment, or with :data:`PLACEHOLDERS`, which never go to AWS itself. An origin access identity
signs in the same way (CDN-S3-13, approximated).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, assert_never
from urllib.parse import quote, unquote, unquote_to_bytes

from edgeproxy.distribution.aws_names import region_of
from edgeproxy.distribution.model import Origin, OriginAccessControl, S3Origin, SigningBehavior
from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request

__all__ = [
    "PLACEHOLDERS",
    "UNSIGNED_PAYLOAD",
    "Credentials",
    "credentials_from",
    "is_signed",
    "sign",
]

_SIGNED: Final = frozenset({"host", "content-type", "content-md5"})
_MADE_HERE: Final = (
    "Authorization",
    "X-Amz-Date",
    "X-Amz-Content-SHA256",
    "X-Amz-Security-Token",
    "X-Amz-Region-Set",
)
_OF_SIGNED_URLS: Final = frozenset(
    {
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-region-set",
        "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders",
    }
)  # fmt: skip
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
_UNRESERVED: Final = "-._~"
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs, and for which Region where the origin's name does not tell."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    region: str = "us-east-1"

    @property
    def are_placeholders(self) -> bool:
        return self.access_key_id == PLACEHOLDERS.access_key_id


PLACEHOLDERS: Final = Credentials("test", "test")
"""What local stand-ins for AWS commonly take for credentials."""


def credentials_from(environment: Mapping[str, str]) -> Credentials:
    """The credentials and Region in the variables that AWS's tools read, else placeholders."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not (key and secret):
        key, secret = PLACEHOLDERS.access_key_id, PLACEHOLDERS.secret_access_key
        return Credentials(key, secret, region=region)
    return Credentials(key, secret, environment.get("AWS_SESSION_TOKEN", ""), region)


def is_signed(request: Request, origin: Origin) -> bool:
    """Whether CloudFront signs ``request``, which has all its headers (CDN-S3-10, CDN-S3-11)."""
    control = _control_of(origin)
    if control is None:
        return False
    match control.signing_behavior:
        case SigningBehavior.ALWAYS:
            return True
        case SigningBehavior.NEVER:
            return False
        # always-amz-auth is said to sign beside the viewer's Authorization, not in which header.
        case SigningBehavior.NO_OVERRIDE | SigningBehavior.ALWAYS_AMZ_AUTH:
            return "Authorization" not in request.headers
        case _:
            assert_never(control.signing_behavior)


def sign(
    request: Request, origin: Origin, credentials: Credentials, now: float, *, base_path: str = ""
) -> Request:
    """``request`` with a signature for ``origin`` (CDN-S3-12).

    ``base_path`` goes before the path on the wire; ``now`` is what the origin's clock says. A body
    counts by the hash that the viewer sent for it, else as unsigned (CDN-S3-15).
    """
    # A native library of some size, which most definitions do not need.
    from awscrt import auth, http

    control = _control_of(origin) or OriginAccessControl("")
    is_s3 = control.origin_type == "s3"
    request = _respelled(request, is_s3=is_s3)
    headers = request.headers.without(*_MADE_HERE)
    signed = http.HttpRequest(
        request.method,
        base_path + _signed_target(request),
        http.HttpHeaders([line for line in headers if _is_signed_header(*line)]),
    )
    is_asymmetric = control.signing_protocol == "sigv4a"
    algorithms = auth.AwsSigningAlgorithm
    config = auth.AwsSigningConfig(
        algorithm=algorithms.V4_ASYMMETRIC if is_asymmetric else algorithms.V4,
        signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=auth.AwsCredentialsProvider.new_static(
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token or None,
        ),
        region="*" if is_asymmetric else region_of(origin.domain_name) or credentials.region,
        service=control.origin_type,  # CDN-S3-14: they are the names of services
        date=datetime.fromtimestamp(now, UTC),
        # S3 alone encodes a path once, and leaves its dots and slashes alone.
        use_double_uri_encode=not is_s3,
        should_normalize_uri_path=not is_s3,
        signed_body_value=_body_hash(request),
        signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )
    auth.aws_sign_request(signed, config).result()
    made = {name.lower(): value for name, value in signed.headers}
    added = [(name, made[name.lower()]) for name in _MADE_HERE if name.lower() in made]
    return replace(request, headers=Headers([*headers, *added]))


def _control_of(origin: Origin) -> OriginAccessControl | None:
    if origin.access_control is None and isinstance(origin.config, S3Origin):
        has_identity = origin.config.origin_access_identity != ""
        return OriginAccessControl("") if has_identity else None
    return origin.access_control


def _signed_target(request: Request) -> str:
    """The target without what the query of a presigned URL holds, which awscrt does not sign.

    Such a request is refused anyhow: AWS takes none that is authorized in two ways.
    """
    pairs = request.query.split("&") if request.query else []
    others = [each for each in pairs if _name_of(each) not in _OF_SIGNED_URLS]
    if len(others) == len(pairs):
        return request.target
    return replace(request, query="&".join(others) or None).target


def _name_of(parameter: str) -> str:
    return unquote(parameter.partition("=")[0]).lower()


def _is_signed_header(name: str, value: str) -> bool:
    is_meant = name.lower() in _SIGNED or name.lower().startswith("x-amz-")
    return is_meant and value.isascii()  # Of other bytes nobody knows what they are text of.


def _body_hash(request: Request) -> str:
    sent = request.headers.get("X-Amz-Content-SHA256")
    if _SHA256.fullmatch(sent):
        return sent
    return _EMPTY_SHA256 if request.body.length == 0 else UNSIGNED_PAYLOAD


def _respelled(request: Request, *, is_s3: bool) -> Request:
    """The same path and query in a spelling of which signer and verifier have the same idea.

    For S3 it is that of AWS, whose servers sign ``%2B`` where ``+`` was sent; for others all that
    is ASCII stays.
    """
    path, query = request.path, request.query
    if not is_s3:
        query = query and _encoded_beyond_ascii(query)
        return replace(request, path=_encoded_beyond_ascii(path), query=query)
    path = _encoded(path, "/" + _UNRESERVED)
    if query:
        pairs = [pair.split("=", 1) for pair in query.replace("+", " ").split("&")]
        query = "&".join("=".join(_encoded(part, _UNRESERVED) for part in pair) for pair in pairs)
    return replace(request, path=path, query=query)


def _encoded_beyond_ascii(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=_ASCII)


def _encoded(text: str, safe: str) -> str:
    return quote(unquote_to_bytes(text.encode("utf-8", "surrogateescape")), safe=safe)
