"""Canonical requests beside botocore's and awscrt's, AWS's own signers, and AWS's test suite."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from awscrt import auth, http
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from edgeproxy.http.headers import Headers
from edgeproxy.http.messages import Request
from edgeproxy.http.sigv4 import (
    Incomplete,
    canonical_request,
    claim_of,
    signature,
    string_to_sign,
)

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "abc.lambda-url.us-east-1.on.aws"
TARGETS = [
    "/",
    "/a/b/",
    "/a%20b/%C3%A9",
    "/a//b/./c/../d",
    "/a+b:c@d,e=f;g",
    "/x?b=2&a=1&a=0",
    "/x?k&empty=&z=%2F%20y",
    "/x?a-b=1&a.b=2&a_b=3&a~b=4",
    "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af/invocations",
]


def holds(request: Request, body: bytes) -> bool:
    """Whether the signature is the one that whoever knows the secret makes."""
    claim = claim_of(request)
    assert claim is not None
    text = string_to_sign(claim, canonical_request(request, claim, body))
    return signature(claim, text, SECRET) == claim.signature


def received(method: str, target: str, headers: dict[str, Any]) -> Request:
    path, mark, query = target.partition("?")
    lines = [(name, str(value)) for name, value in headers.items()]
    return Request(method, path, query if mark else None, headers=Headers(lines))


@pytest.mark.rule("FU-104")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("token", [None, "session-token=="])
def test_what_botocore_signs_holds(target: str, token: str | None) -> None:
    body = b'{"a": 1}'
    given = {"Host": HOST, "X-Amz-Extra": "  two   blanks ", "Content-Type": "application/json"}
    signed = AWSRequest("POST", f"https://{HOST}{target}", headers=given, data=body)
    SigV4Auth(Credentials("AKIA1", SECRET, token), "lambda", "us-east-1").add_auth(signed)
    request = received("POST", target, dict(signed.headers.items()))
    assert holds(request, body)
    assert not holds(request, body + b" ")
    assert not holds(received("PUT", target, dict(signed.headers.items())), body)
    changed = {**dict(signed.headers.items()), "Host": f"x{HOST}"}
    assert not holds(received("POST", target, changed), body)


@pytest.mark.rule("FU-104")
@pytest.mark.parametrize("target", TARGETS)
def test_what_botocore_presigns_holds(target: str) -> None:
    signed = AWSRequest("GET", f"https://{HOST}{target}", headers={"Host": HOST})
    SigV4QueryAuth(Credentials("AKIA1", SECRET), "lambda", "us-east-1", 60).add_auth(signed)
    request = received("GET", signed.url.removeprefix(f"https://{HOST}"), {"Host": HOST})
    claim = claim_of(request)
    assert claim is not None
    assert (claim.expires_s, claim.access_key, claim.service) == (60, "AKIA1", "lambda")
    assert holds(request, b"")


@pytest.mark.rule("FU-104")
@pytest.mark.parametrize("target", TARGETS)
def test_what_awscrt_signs_holds(target: str) -> None:
    signed = http.HttpRequest("GET", target, http.HttpHeaders([("Host", HOST)]))
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4,
        signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=auth.AwsCredentialsProvider.new_static("AKIA1", SECRET),
        region="us-east-1",
        service="lambda",
        date=datetime(2026, 11, 21, 12, tzinfo=UTC),
    )
    auth.aws_sign_request(signed, config).result()
    assert holds(received("GET", target, dict(signed.headers)), b"")


def test_the_vanilla_vector_of_aws() -> None:
    secret_of_the_suite = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    assert secret_of_the_suite == SECRET
    headers = {
        "Host": "example.amazonaws.com",
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    }
    assert holds(received("GET", "/", headers), b"")


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Authorization": "Basic YTpi"}, "Unsupported AWS 'algorithm'"),
        (
            {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/e", "X-Amz-Date": "x"},
            "requires 'Signature' parameter. Authorization header requires 'SignedHeaders'",
        ),
        (
            {"Authorization": "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=0"},
            "either a 'X-Amz-Date' or a 'Date' header",
        ),
        (
            {
                "Authorization": "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=0",
                "X-Amz-Date": "20261121T000000Z",
            },
            "Credential must have exactly 5 slash-delimited elements",
        ),
        (
            {
                "Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,"
                "Signature=0",
                "X-Amz-Date": "20261399T000000Z",
            },
            "Date must be in ISO-8601 'basic format'",
        ),
    ],
)
def test_signatures_that_cannot_be_read(headers: dict[str, str], told: str) -> None:
    with pytest.raises(Incomplete, match=told[:20]) as caught:
        claim_of(received("GET", "/", headers))
    assert told in str(caught.value)
    assert "YTpi" not in str(caught.value)


@pytest.mark.parametrize("expires", ["0", "604801", "soon"])
def test_presigned_urls_last_a_week_at_most(expires: str) -> None:
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb%2Fc%2Fd%2Fe&X-Amz-SignedHeaders="
        f"host&X-Amz-Date=20261121T000000Z&X-Amz-Signature=0&X-Amz-Expires={expires}"
    )
    with pytest.raises(Incomplete, match="X-Amz-Expires"):
        claim_of(received("GET", f"/?{query}", {}))


def test_no_signature_is_no_claim() -> None:
    assert claim_of(received("GET", "/?a=1", {})) is None


VECTORS = json.loads((Path(__file__).parent / "data/sigv4_vectors.json").read_text())["requests"]


@pytest.mark.rule("FU-104")
@pytest.mark.parametrize("name", VECTORS)
def test_what_aws_signs_in_its_test_suite_holds(name: str) -> None:
    for text in VECTORS[name]:
        head, _, body = text.partition("\n\n")
        # A line that begins with a blank goes on with the one before.
        start, *lines = head.replace("\n ", " ").split("\n")
        method, _, rest = start.partition(" ")
        target = rest.rpartition(" ")[0].encode().decode("ascii", "surrogateescape")
        path, mark, query = target.partition("?")
        headers = Headers(
            [(key, value) for key, _, value in (line.partition(":") for line in lines)]
        )
        request = Request(method, path, query if mark else None, headers=headers)
        assert holds(request, body.encode())
        assert not holds(request, body.encode() + b" ")
