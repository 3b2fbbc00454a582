"""Checks AWS signatures as a service does, with botocore, AWS's own implementation for Python."""

import re
from dataclasses import dataclass, field

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

__all__ = ["Signed", "signed"]

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request, SignedHeaders=(?P<names>[^,]+), Signature=(?P<hex>\w{64})"
)


@dataclass
class Signed:
    """A raw request, and whether its signature holds for ``secret``."""

    target: str
    headers: dict[str, str]
    service: str = ""
    region: str = ""
    access_key: str = ""
    names: list[str] = field(default_factory=list)
    holds: bool = False


def signed(raw: bytes, secret: str = "test") -> Signed:
    """What the service makes of a request's bytes; without a signature ``service`` is empty."""
    request_line, *lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    found = Signed(target, headers)
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None:
        return found
    found.service, found.region, found.access_key = match["service"], match["region"], match["key"]
    found.names = match["names"].split(";")
    signer = (S3SigV4Auth if found.service == "s3" else SigV4Auth)(
        Credentials(match["key"], secret), match["service"], match["region"]
    )
    request = AWSRequest(
        method,
        f"http://{headers['host']}{target}",
        headers={name: headers[name] for name in found.names},
    )
    request.context["timestamp"] = headers["x-amz-date"]
    # botocore would take its own view of the payload; the service takes what the header says.
    signer.payload = lambda request: headers["x-amz-content-sha256"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    found.holds = signer.signature(text, request) == match["hex"]
    return found
